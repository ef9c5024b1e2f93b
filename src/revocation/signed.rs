//! What CRLs and OCSP responses have in common: a part that is signed, and extensions.

use der::asn1::ObjectIdentifier;
use time::UtcDateTime;

use super::{SignatureFault, TimeFault};
use crate::{
    asn1::{Malformed, Reader, tag},
    crypto, limits,
    x509::{CertificateSignature, PublicKey},
};

/// The signed part as it came, and the signature over it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a> {
    pub(super) message: &'a [u8],
    /// `AlgorithmIdentifier`, in DER.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

/// `Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }`
#[derive(Debug, Clone, Copy)]
pub(super) struct Extension<'a> {
    /// The object identifier's contents in DER.
    pub(super) oid: &'a [u8],
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

impl Signed<'_> {
    pub(super) fn verify(&self, key: &PublicKey) -> Result<(), SignatureFault> {
        match CertificateSignature::from_der(self.algorithm) {
            Some(CertificateSignature::Known(algorithm)) => {
                crypto::verify_x509(algorithm, key, self.message, self.signature)
                    .map_err(|_| SignatureFault::DoesNotVerify)
            }
            Some(CertificateSignature::Sha1) => Err(SignatureFault::Sha1),
            Some(CertificateSignature::Unknown(algorithm)) => {
                Err(SignatureFault::Unsupported { algorithm })
            }
            None => Err(SignatureFault::DoesNotVerify),
        }
    }
}

impl<'a> Extension<'a> {
    /// Reads the contents of `Extensions`, each kind of which may occur once. How many there may be is for the
    /// caller to bound.
    pub(super) fn read_all(contents: &'a [u8]) -> Result<Vec<Self>, Malformed> {
        let mut reader = Reader::new(contents);
        let mut read: Vec<Self> = Vec::new();
        while !reader.is_empty() {
            let extension = Self::read(&mut reader)?;
            if read.iter().any(|other| other.oid == extension.oid) {
                return Err(Malformed);
            }
            read.push(extension);
        }
        Ok(read)
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut extension = reader.sequence()?;
        let oid = extension.expect(tag::OID)?;
        let critical = match extension.optional(tag::BOOLEAN)? {
            None | Some([0]) => false,
            Some([0xff]) => true,
            Some(_) => return Err(Malformed),
        };
        let value = extension.expect(tag::OCTET_STRING)?;
        extension.finish()?;
        Ok(Self { oid, critical, value })
    }
}

/// An object identifier in dotted decimal, for messages.
pub(super) fn dotted(oid: &[u8]) -> String {
    ObjectIdentifier::from_bytes(oid).map_or_else(|_| crypto::hex(oid), |oid| oid.to_string())
}

/// Shows that an answer of `this_update` is not from the future.
pub(super) fn check_begun(this_update: UtcDateTime, at: UtcDateTime) -> Result<(), TimeFault> {
    // Near the last time that there is, nothing is later.
    if this_update > at && this_update - at > limits::REVOCATION_CLOCK_SKEW {
        return Err(TimeFault::NotYet { this_update, at });
    }
    Ok(())
}

/// Shows that an answer still holds. There is no tolerance: who publishes in time loses nothing.
pub(super) fn check_current(
    next_update: Option<UtcDateTime>,
    at: UtcDateTime,
) -> Result<(), TimeFault> {
    match next_update {
        None => Err(TimeFault::NoNextUpdate),
        Some(next_update) if at > next_update => Err(TimeFault::Expired { next_update, at }),
        Some(_) => Ok(()),
    }
}
