//! Why a check failed.

use std::fmt;

use time::UtcDateTime;

use crate::{
    envelope::{EnvelopeError, PayloadError},
    revocation::{CertificateRevocation, RevocationStatus},
    timestamp::TokenError,
    trust::TrustStore,
    x509::{ChainError, Name, Rfc3339},
};

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The envelope is not whole.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// What was signed is no payload.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// Another artifact was signed.
    #[error("signature is about {signed}, and the artifact is {actual}")]
    OtherDigest {
        /// The signed digest.
        signed: String,
        /// The artifact's.
        actual: String,
    },
    /// A file's digest is by another hash than that of the signer's key (signature-specification.md, "Payload").
    #[error("file is digested by {actual}, and the hash of the signer's key is {hash}")]
    OtherHash {
        /// The hash of the digest at hand.
        actual: &'static str,
        /// The hash of the signer's key.
        hash: &'static str,
    },
    /// An artifact of another size was signed.
    #[error("signature is about {signed} bytes, and the artifact has {actual}")]
    OtherSize {
        /// The signed size.
        signed: u64,
        /// The artifact's.
        actual: u64,
    },
    /// An artifact of another media type was signed.
    #[error("signature is about media type {signed:?}, and not {actual:?}")]
    OtherMediaType {
        /// The signed media type.
        signed: String,
        /// The artifact's.
        actual: String,
    },
    /// The statement names no store for the signing scheme.
    #[error(
        "signing scheme {scheme} is judged by trust stores of type {kind}, and the statement names none"
    )]
    NoStore {
        /// The scheme.
        scheme: &'static str,
        /// The type of store.
        kind: &'static str,
    },
    /// A store without a certificate, or one that could not be read.
    #[error("trust store {store} of the statement holds no certificate")]
    EmptyStore {
        /// The store.
        store: TrustStore,
    },
    /// The chain leads to no trusted certificate.
    #[error(
        "certificate chain of {signer} leads to {root}, which is in none of the statement's {kind} stores"
    )]
    NotAnchored {
        /// The leaf's subject.
        signer: Name,
        /// The root's subject.
        root: Name,
        /// The type of store.
        kind: &'static str,
    },
    /// Nobody whom the statement trusts.
    #[error("{signer} is none of the statement's trusted identities")]
    NotTrusted {
        /// The leaf's subject.
        signer: Name,
    },
    /// The signature's own expiry.
    #[error("signature expired at {}, and it is {}", Rfc3339(*.expiry), Rfc3339(*.at))]
    Expired {
        /// The expiry.
        expiry: UtcDateTime,
        /// The time that was asked for.
        at: UtcDateTime,
    },
    /// A certificate was not valid.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The statement asks for a timestamp that is not there.
    #[error("signature has no timestamp, and the statement names a tsa store")]
    NoTimestamp,
    /// The timestamp shows no time.
    #[error(transparent)]
    Timestamp(#[from] TokenError),
    /// The timestamp is of a time at which a certificate of the signer was not valid.
    #[error("timestamp is out of the validity of the signer's certificates")]
    TimestampRange(#[source] ChainError),
    /// A certificate is revoked, or nobody can tell.
    #[error("{}", Revoked(.0))]
    Revocation(Box<CertificateRevocation>),
    /// A plugin that this version does not run.
    #[error("signature names the verification plugin {plugin:?}, and this version runs none")]
    VerificationPlugin {
        /// The plugin.
        plugin: String,
    },
    /// Metadata that was not signed.
    #[error("user metadata {name:?} is not in the signature")]
    NoMetadata {
        /// The name.
        name: String,
    },
    /// Metadata that was signed with another value.
    #[error("user metadata {name:?} is {signed:?} in the signature, and {wanted:?} is asked for")]
    OtherMetadata {
        /// The name.
        name: String,
        /// The value that is asked for.
        wanted: String,
        /// The signed one.
        signed: String,
    },
}

impl CheckError {
    /// Whether trying again may help: revocation is unknown because no source could be reached.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Revocation(certificate) if certificate.status.is_unreachable())
    }
}

/// Why a certificate does not pass, with all that was tried.
struct Revoked<'a>(&'a CertificateRevocation);

impl fmt::Display for Revoked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = &self.0.subject;
        match &self.0.status {
            RevocationStatus::Revoked { source, reason, at, invalidity_date } => {
                write!(f, "certificate {subject} was revoked at {} ({reason})", Rfc3339(*at))?;
                if let Some(date) = invalidity_date {
                    write!(f, ", and is not to be relied on since {}", Rfc3339(*date))?;
                }
                write!(f, ", says {} {}", source.method, source.url)
            }
            RevocationStatus::Unknown { attempts } => {
                write!(f, "nobody can tell whether certificate {subject} is revoked")?;
                for (i, attempt) in attempts.iter().enumerate() {
                    let mark = if i == 0 { ':' } else { ';' };
                    write!(f, "{mark} {attempt}: {}", attempt.reason())?;
                }
                Ok(())
            }
            _ => write!(f, "certificate {subject} is not revoked"),
        }
    }
}
