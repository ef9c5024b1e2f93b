//! Certificates for keys that never leave their service: requests, self-signed certificates, small
//! private hierarchies for trials and tests.
//!
//! Everything here takes a [`SigningKey`], so that a certificate can be had for every key of every
//! provider.

mod der;
mod issue;
mod lint;
mod request;

pub use issue::{CertificateTemplate, Extension, Issuer};
pub use lint::{Finding, Lint, lint};
pub use request::CertificateRequest;

use std::collections::BTreeSet;

use crate::{
    algorithm::{KeySpec, SignatureAlgorithm},
    keys::{KeyError, SigningKey},
    x509::{CertificateError, Name, NameAttribute, PublicKey},
};

/// How an RSA key signs a certificate or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RsaPadding {
    /// RSASSA-PSS, which every key for Notary Project signatures can do.
    #[default]
    Pss,
    /// RSASSA-PKCS1-v1_5, for a CA that does not take PSS, where the key service allows it.
    Pkcs1,
}

/// Why no certificate or request was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// The key refused, or could not be reached.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key that signs no artifact.
    #[error(
        "key is {0}, and must be RSA of 2048, 3072 or 4096 bits or EC on P-256, P-384 or P-521"
    )]
    KeyUnsupported(String),
    /// A padding of RSA for a key that is none.
    #[error("key is {0}, and padding pkcs1 is for RSA keys alone")]
    NotRsa(KeySpec),
    /// A validity that no certificate can have.
    #[error(
        "validity from {not_before} to {not_after} is empty, or outside of the years 1950 to 9999"
    )]
    BadValidity {
        /// The first second, in RFC 3339.
        not_before: String,
        /// The last second, in RFC 3339.
        not_after: String,
    },
    /// A value that DER cannot hold.
    #[error("certificate cannot be encoded")]
    Encoding(#[source] ::der::Error),
    /// What was made does not read back.
    #[error("certificate that was made cannot be read")]
    Unreadable(#[from] CertificateError),
    /// The key signed something else, or with another key.
    #[error("signature of the key over what was made does not verify with its public key")]
    BadSignature,
}

/// Why a trust policy cannot name a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnnameableSubject {
    /// Attributes that every trusted identity has are missing.
    #[error(
        "subject {subject} has no {missing}, so no trust policy can name it: a trusted identity must \
         have C, ST and O (trust-store-trust-policy.md, \"Trusted Identities Constraints\")"
    )]
    Missing {
        /// The subject.
        subject: Name,
        /// The attributes that are missing.
        missing: String,
    },
    /// An attribute occurs more than once.
    #[error(
        "subject {subject} has {kind} more than once, so no trust policy can name it: notation takes \
         each attribute once"
    )]
    Repeated {
        /// The subject.
        subject: Name,
        /// The attribute.
        kind: String,
    },
    /// A part holds several attributes.
    #[error(
        "subject {subject} has a part of several attributes, so no trust policy can name it: notation \
         takes one attribute a part"
    )]
    MultiValued {
        /// The subject.
        subject: Name,
    },
}

/// Shows that a trust policy can name the subject: it has a country, a state and an organisation, no
/// attribute twice, and one attribute in each part. The notation CLI matches no other, and says so only
/// when something is verified.
///
/// # Errors
/// [`UnnameableSubject`].
pub fn check_nameable(subject: &Name) -> Result<(), UnnameableSubject> {
    let missing: Vec<_> =
        ["C", "ST", "O"].into_iter().filter(|kind| subject.value(kind).is_none()).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(UnnameableSubject::Missing { subject: subject.clone(), missing });
    }
    if subject.is_multi_valued() {
        return Err(UnnameableSubject::MultiValued { subject: subject.clone() });
    }
    let mut seen = BTreeSet::new();
    match subject.attributes().into_iter().find(|attribute| !seen.insert(attribute.kind.clone())) {
        Some(NameAttribute { kind, .. }) => {
            Err(UnnameableSubject::Repeated { subject: subject.clone(), kind })
        }
        None => Ok(()),
    }
}

/// The algorithm by which a key signs certificates and requests.
fn algorithm_of(key: &PublicKey, padding: RsaPadding) -> Result<SignatureAlgorithm, PkiError> {
    let spec = key.key_spec().ok_or_else(|| PkiError::KeyUnsupported(key.to_string()))?;
    Ok(match padding {
        RsaPadding::Pkcs1 if spec.is_rsa() => SignatureAlgorithm::RsaPkcs1(spec.hash()),
        RsaPadding::Pkcs1 => return Err(PkiError::NotRsa(spec)),
        RsaPadding::Pss => spec.signature_algorithm(),
    })
}

/// Signs DER, and shows that the public key verifies it.
async fn sign_der(
    key: &dyn SigningKey,
    public: &PublicKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
) -> Result<Vec<u8>, PkiError> {
    use crate::crypto;
    let raw = key.sign(algorithm, &crypto::digest(algorithm.hash(), message)).await?;
    let signature = match algorithm {
        SignatureAlgorithm::Ecdsa(_) => {
            crypto::ecdsa_der_from_fixed(&raw).ok_or(PkiError::BadSignature)?
        }
        _ => raw,
    };
    crypto::verify_x509(algorithm, public, message, &signature)
        .map_err(|_| PkiError::BadSignature)?;
    Ok(signature)
}
