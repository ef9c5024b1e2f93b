//! One timestamp token: what an authority signed, and the time that it shows once it is verified.

use std::time::Duration;

use time::UtcDateTime;

use super::{
    TokenError, ber,
    cms::SignedData,
    info::{Imprint, TstInfo},
    path,
};
use crate::{
    crypto, limits,
    x509::{Certificate, CertificateChain, ChainError},
};

/// A timestamp token that nothing is known of: `ContentInfo` with `SignedData` over `TSTInfo` (RFC 3161,
/// section 2.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampToken {
    der: Vec<u8>,
    data: SignedData,
    info: TstInfo,
}

/// The time that a verified token shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    info: TstInfo,
    chain: CertificateChain,
}

impl TimestampToken {
    /// Reads a token in DER or BER.
    ///
    /// # Errors
    /// [`TokenError`], where the bytes are not exactly one token, or one by algorithms that nothing is to be
    /// trusted for.
    pub fn parse(bytes: &[u8]) -> Result<Self, TokenError> {
        if bytes.len() > limits::TIMESTAMP_BYTES {
            return Err(TokenError::TooLarge(bytes.len()));
        }
        let der = ber::to_der(bytes).map_err(TokenError::NotBer)?;
        let data = SignedData::from_der(&der)?;
        let info = TstInfo::from_der(&data.content)?;
        Ok(Self { der, data, info })
    }

    /// The token in DER. Where it came in BER, these bytes are other ones, of the same meaning; the notation
    /// CLI reads only them.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The certificates that the token brings, in its order. Nothing shows that they belong to its signer.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.data.certificates
    }

    /// The earliest and the latest time that the token claims, for reports. Anybody could have written it.
    #[must_use]
    pub fn dangerous_claimed_range(&self) -> (UtcDateTime, UtcDateTime) {
        (self.info.earliest(), self.info.latest())
    }

    /// Verifies that an authority under one of `roots` signed that it knew `message` at a time
    /// (trust-store-trust-policy.md, "Validate Authentic Timestamp", up to the retrieval of the time).
    ///
    /// The signer is the certificate that signing-certificate-v2 names by its hash. Its chain is made of the
    /// token's certificates and of `roots`, ends at one of them that is self-issued, meets the certificate
    /// requirements for timestamping, and was valid at the token's time, so that a token outlives it. Whether
    /// it is revoked is for the caller to ask.
    ///
    /// # Errors
    /// The first [`TokenError`] met, the cheap checks first.
    pub fn verify(&self, message: &[u8], roots: &[Certificate]) -> Result<Timestamp, TokenError> {
        if Imprint::of(self.info.imprint.hash, message) != self.info.imprint {
            return Err(TokenError::OtherMessage);
        }
        let signer = &self.data.signer;
        let attributes = &signer.attributes;
        if crypto::digest(signer.hash, &self.data.content) != attributes.message_digest {
            return Err(TokenError::OtherContent);
        }
        let certificate = self.signer_certificate()?;
        let (subject, key) = (certificate.subject(), certificate.public_key());
        if !key.verifies_certificates() {
            return Err(TokenError::UnsupportedKey {
                subject: subject.clone(),
                key: key.to_string(),
            });
        }
        crypto::verify_x509(signer.algorithm, key, &attributes.signed, &signer.signature)
            .map_err(|_| TokenError::BadSignature { subject: subject.clone() })?;
        let certificates = self.certificates();
        let chain = path::verified_chain(certificate, certificates, roots, self.info.gen_time)?;
        Ok(Timestamp { info: self.info.clone(), chain })
    }

    /// The certificate that the signed attributes name by its hash. What names it in other ways has to agree.
    fn signer_certificate(&self) -> Result<&Certificate, TokenError> {
        let signer = &self.data.signer;
        let named = &signer.attributes.certificate;
        let certificate = self
            .certificates()
            .iter()
            .find(|found| crypto::digest(named.hash, found.as_der()) == named.digest)
            .ok_or(TokenError::NoSignerCertificate)?;
        let other = |part| TokenError::OtherSigner { part, subject: certificate.subject().clone() };
        if !signer.identifier.names(certificate) {
            return Err(other("sid"));
        }
        match &named.issuer_serial {
            Some((issuer, serial_number))
                if certificate.issuer().as_der() != issuer
                    || certificate.serial_number() != serial_number =>
            {
                Err(other("signing-certificate-v2"))
            }
            _ => Ok(certificate),
        }
    }

    pub(super) const fn info(&self) -> &TstInfo {
        &self.info
    }
}

impl Timestamp {
    /// The time that the authority gives, `genTime`.
    #[must_use]
    pub const fn gen_time(&self) -> UtcDateTime {
        self.info.gen_time
    }

    /// How far the time may be off to either side: what the token says; else a second under the baseline
    /// policy of RFC 3628, and nothing under any other.
    #[must_use]
    pub const fn accuracy(&self) -> Duration {
        self.info.accuracy.unsigned_abs()
    }

    /// The lower limit: the message was not timestamped before.
    #[must_use]
    pub const fn earliest(&self) -> UtcDateTime {
        self.info.earliest()
    }

    /// The upper limit: the message existed at that time.
    #[must_use]
    pub const fn latest(&self) -> UtcDateTime {
        self.info.latest()
    }

    /// Shows that the whole range, from the earliest to the latest time, is within the validity of every
    /// certificate of `signing`, the chain of the signature that was timestamped.
    ///
    /// # Errors
    /// [`ChainError::NotYetValid`] or [`ChainError::Expired`] for the first certificate that was not valid.
    pub fn check_within_validity(&self, signing: &CertificateChain) -> Result<(), ChainError> {
        signing.check_validity(self.earliest())?;
        signing.check_validity(self.latest())
    }

    /// The object identifier of the policy under which the authority signed, in dotted decimal.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.info.policy
    }

    /// The number that the authority gave the token: big-endian, as the DER `INTEGER` holds it.
    #[must_use]
    pub fn serial_number(&self) -> &[u8] {
        &self.info.serial_number
    }

    /// The chain of the authority's certificate up to the trusted root.
    #[must_use]
    pub const fn certificate_chain(&self) -> &CertificateChain {
        &self.chain
    }
}

impl TstInfo {
    const fn earliest(&self) -> UtcDateTime {
        self.gen_time.saturating_sub(self.accuracy)
    }

    const fn latest(&self) -> UtcDateTime {
        self.gen_time.saturating_add(self.accuracy)
    }
}
