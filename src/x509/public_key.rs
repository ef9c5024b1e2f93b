//! Public keys as certificates carry them: `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7).

use std::fmt;

use x509_parser::{
    prelude::FromDer, public_key::PublicKey as ParsedKey, x509::SubjectPublicKeyInfo,
};

use crate::{
    algorithm::{KeySpec, oid},
    crypto, limits,
};

/// An RSA, EC or other public key, in DER.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    der: Vec<u8>,
    key: Vec<u8>,
    kind: Kind,
}

/// What the algorithm identifier says the key is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Rsa { bits: usize },
    Ec { spec: KeySpec },
    OtherCurve { bits: usize },
    Other { algorithm: String },
}

/// Why bytes are not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The bytes are not one DER `SubjectPublicKeyInfo`.
    #[error("public key is not a DER SubjectPublicKeyInfo")]
    Malformed,
    /// More bytes than a certificate may have.
    #[error("public key of {0} bytes is over the limit of {limit} bytes", limit = limits::CERTIFICATE_BYTES)]
    TooLarge(usize),
}

impl PublicKey {
    /// Parses a DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`PublicKeyError`] where the bytes are not exactly one such structure.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        if der.len() > limits::CERTIFICATE_BYTES {
            return Err(PublicKeyError::TooLarge(der.len()));
        }
        match SubjectPublicKeyInfo::from_der(der) {
            Ok(([], spki)) => Self::from_parsed(&spki),
            _ => Err(PublicKeyError::Malformed),
        }
    }

    pub(crate) fn from_parsed(spki: &SubjectPublicKeyInfo<'_>) -> Result<Self, PublicKeyError> {
        let algorithm = &spki.algorithm.algorithm;
        let kind = if algorithm.as_bytes() == oid::RSA_ENCRYPTION.as_bytes() {
            Kind::Rsa { bits: rsa_bits(spki)? }
        } else if algorithm.as_bytes() != oid::EC_PUBLIC_KEY.as_bytes() {
            Kind::Other { algorithm: algorithm.to_id_string() }
        } else if let Some(spec) = named_curve(spki) {
            Kind::Ec { spec }
        } else {
            Kind::OtherCurve { bits: curve_bits(&spki.subject_public_key.data) }
        };
        Ok(Self { der: spki.raw.to_vec(), key: spki.subject_public_key.data.to_vec(), kind })
    }

    /// The key as a DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn as_spki_der(&self) -> &[u8] {
        &self.der
    }

    /// The key spec, where the signature specification has one for this key.
    #[must_use]
    pub fn key_spec(&self) -> Option<KeySpec> {
        match self.kind {
            Kind::Rsa { bits } => KeySpec::from_rsa_bits(bits),
            Kind::Ec { spec } => Some(spec),
            Kind::OtherCurve { .. } | Kind::Other { .. } => None,
        }
    }

    /// Whether the key is shorter than any leaf's may be (signature-specification.md, "Leaf
    /// Certificates", "Key Length").
    pub(crate) const fn is_too_short(&self) -> bool {
        match self.kind {
            Kind::Rsa { bits } => bits < 2048,
            Kind::OtherCurve { bits } => bits < 256,
            Kind::Ec { .. } | Kind::Other { .. } => false,
        }
    }

    /// Bits of the modulus of an RSA key; `None` for all others.
    pub(crate) const fn rsa_bits(&self) -> Option<usize> {
        match self.kind {
            Kind::Rsa { bits } => Some(bits),
            _ => None,
        }
    }

    /// Whether signatures of certificates can be verified by a key of this kind and size.
    pub(crate) fn verifies_certificates(&self) -> bool {
        match self.kind {
            Kind::Rsa { bits } => limits::RSA_BITS.contains(&bits),
            Kind::Ec { .. } => true,
            Kind::OtherCurve { .. } | Kind::Other { .. } => false,
        }
    }

    /// Lower-case hex SHA-256 over the DER `SubjectPublicKeyInfo`, as
    /// `openssl pkey -pubin -outform DER | sha256sum` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        crypto::hex(&crypto::sha256(&self.der))
    }

    /// The contents of the `subjectPublicKey` bit string: `RSAPublicKey` in DER, or an EC point.
    pub(crate) fn key_bytes(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Rsa { bits } => write!(f, "RSA-{bits}"),
            Kind::Ec { spec } => write!(f, "{spec}"),
            Kind::OtherCurve { .. } => f.write_str("EC on another curve"),
            Kind::Other { algorithm } => f.write_str(algorithm),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self}, sha256:{})", self.fingerprint())
    }
}

/// Bits of the modulus, by its highest set bit.
fn rsa_bits(spki: &SubjectPublicKeyInfo<'_>) -> Result<usize, PublicKeyError> {
    let Ok(ParsedKey::RSA(key)) = spki.parsed() else { return Err(PublicKeyError::Malformed) };
    let leading = key.modulus.iter().take_while(|&&byte| byte == 0).count();
    let first = key.modulus.get(leading).ok_or(PublicKeyError::Malformed)?;
    let zeros = usize::try_from(first.leading_zeros()).unwrap_or(0);
    Ok((key.modulus.len() - leading) * 8 - zeros)
}

/// Bits of a point's coordinate, which has whole bytes: both coordinates, or a compressed one.
fn curve_bits(point: &[u8]) -> usize {
    let coordinates = if point.first() == Some(&4) { 2 } else { 1 };
    point.len().saturating_sub(1) / coordinates * 8
}

fn named_curve(spki: &SubjectPublicKeyInfo<'_>) -> Option<KeySpec> {
    let curve = spki.algorithm.parameters.as_ref()?.as_oid().ok()?;
    KeySpec::from_curve_oid(curve.as_bytes())
}
