//! Certificates made here: self-signed ones, and small hierarchies for trials and tests.

use der::{Encode, asn1::GeneralizedTime, asn1::UtcTime};
use time::UtcDateTime;
use x509_cert::{
    certificate::{Certificate as Encoded, TbsCertificate, Version},
    serial_number::SerialNumber,
    time::{Time, Validity},
};

use super::{PkiError, RsaPadding, algorithm_of, der as encode, sign_der};
use crate::{
    crypto,
    keys::SigningKey,
    x509::{Certificate, Name, PublicKey, Rfc3339},
};

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";

/// One extension of a certificate, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extension {
    /// The object identifier in dotted decimal.
    pub oid: String,
    /// Whether it is marked critical.
    pub critical: bool,
    /// The DER value, without the octet string around it.
    pub value: Vec<u8>,
}

/// What a certificate is to say, but for its key and its issuer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CertificateTemplate {
    /// The subject.
    pub subject: Name,
    /// The first second of validity.
    pub not_before: UtcDateTime,
    /// The last second of validity.
    pub not_after: UtcDateTime,
    /// The extensions; key identifiers are added.
    pub extensions: Vec<Extension>,
}

/// Who signs a certificate: a CA's certificate with its key, or the key itself.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Issuer<'a> {
    /// The certificate is signed by its own key.
    Itself,
    /// The certificate is signed by a CA.
    Ca(&'a Certificate, &'a dyn SigningKey),
}

impl Extension {
    /// An extension of those bytes.
    #[must_use]
    pub fn new(oid: &str, critical: bool, value: &[u8]) -> Self {
        Self { oid: oid.to_owned(), critical, value: value.to_vec() }
    }
}

impl CertificateTemplate {
    /// A root or issuing CA, that may have `path_length` CAs below it.
    #[must_use]
    pub fn ca(subject: Name, validity: (UtcDateTime, UtcDateTime), path_length: u8) -> Self {
        let extensions = vec![
            Extension::new(
                BASIC_CONSTRAINTS,
                true,
                &[0x30, 6, 1, 1, 0xff, 2, 1, path_length & 0x7f],
            ),
            // keyCertSign, cRLSign
            Extension::new(KEY_USAGE, true, &[3, 2, 1, 0b0000_0110]),
        ];
        Self { subject, not_before: validity.0, not_after: validity.1, extensions }
    }

    /// A code-signing leaf.
    #[must_use]
    pub fn code_signing(subject: Name, validity: (UtcDateTime, UtcDateTime)) -> Self {
        let extensions = Self::code_signing_extensions();
        Self { subject, not_before: validity.0, not_after: validity.1, extensions }
    }

    /// What a code-signing certificate needs: no CA, `digitalSignature`, `codeSigning`.
    #[must_use]
    pub fn code_signing_extensions() -> Vec<Extension> {
        vec![
            Extension::new(BASIC_CONSTRAINTS, true, &[0x30, 0]),
            Extension::new(KEY_USAGE, true, &[3, 2, 7, 0b1000_0000]),
            Extension::new(EXTENDED_KEY_USAGE, false, &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 3]),
        ]
    }

    /// Issues the certificate for `key`, with a random serial number of 16 bytes.
    ///
    /// # Errors
    /// [`PkiError`].
    pub async fn issue(
        &self,
        key: &dyn SigningKey,
        issuer: Issuer<'_>,
    ) -> Result<Certificate, PkiError> {
        let public = key.public_key().await?;
        let (signer, issuer_key, issuer_name) = match issuer {
            Issuer::Itself => (key, public.clone(), &self.subject),
            Issuer::Ca(certificate, signer) => {
                (signer, certificate.public_key().clone(), certificate.subject())
            }
        };
        let algorithm = algorithm_of(&issuer_key, RsaPadding::Pss)?;
        let validity = self.validity()?;
        let build = || -> Result<TbsCertificate, ::der::Error> {
            let extensions = self.extensions.iter().map(encode::extension);
            let identifiers = key_identifiers(&public, &issuer_key);
            let identifiers = identifiers.iter().map(encode::extension).collect::<Vec<_>>();
            Ok(TbsCertificate {
                version: Version::V3,
                serial_number: serial_number()?,
                signature: encode::signature_algorithm(algorithm)?,
                issuer: encode::name(issuer_name)?,
                validity,
                subject: encode::name(&self.subject)?,
                subject_public_key_info: encode::public_key(&public)?,
                issuer_unique_id: None,
                subject_unique_id: None,
                extensions: Some(extensions.chain(identifiers).collect::<Result<_, _>>()?),
            })
        };
        let tbs_certificate = build().map_err(PkiError::Encoding)?;
        let message = tbs_certificate.to_der().map_err(PkiError::Encoding)?;
        let signature = sign_der(signer, &issuer_key, algorithm, &message).await?;
        let signature_algorithm = tbs_certificate.signature.clone();
        let signature = encode::bit_string(&signature).map_err(PkiError::Encoding)?;
        let encoded = Encoded { tbs_certificate, signature_algorithm, signature };
        Ok(Certificate::from_der(&encoded.to_der().map_err(PkiError::Encoding)?)?)
    }

    fn validity(&self) -> Result<Validity, PkiError> {
        let times = (to_time(self.not_before), to_time(self.not_after));
        match times {
            (Some(not_before), Some(not_after)) if self.not_before < self.not_after => {
                Ok(Validity { not_before, not_after })
            }
            _ => Err(PkiError::BadValidity {
                not_before: Rfc3339(self.not_before).to_string(),
                not_after: Rfc3339(self.not_after).to_string(),
            }),
        }
    }
}

/// `UTCTime` up to 2049, `GeneralizedTime` from then on (RFC 5280, section 4.1.2.5).
fn to_time(time: UtcDateTime) -> Option<Time> {
    let since_epoch = std::time::Duration::from_secs(u64::try_from(time.unix_timestamp()).ok()?);
    let utc = UtcTime::from_unix_duration(since_epoch).map(Time::UtcTime);
    let general = || GeneralizedTime::from_unix_duration(since_epoch).map(Time::GeneralTime);
    utc.or_else(|_| general()).ok()
}

/// Positive, and never with a leading zero byte.
fn serial_number() -> Result<SerialNumber, ::der::Error> {
    let mut bytes: [u8; 16] = crypto::random();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::new(&bytes)
}

/// Both identifiers are 160 bits of SHA-256 over the key bits (RFC 7093, section 2, method 1).
fn key_identifiers(subject: &PublicKey, issuer: &PublicKey) -> [Extension; 2] {
    let identifier = |key: &PublicKey| {
        crypto::sha256(key.key_bytes()).iter().copied().take(20).collect::<Vec<_>>()
    };
    let tagged = |header: &[u8], key| [header, &identifier(key)].concat();
    [
        Extension::new(SUBJECT_KEY_IDENTIFIER, false, &tagged(&[4, 20], subject)),
        Extension::new(AUTHORITY_KEY_IDENTIFIER, false, &tagged(&[0x30, 22, 0x80, 20], issuer)),
    ]
}
