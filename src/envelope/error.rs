//! What can be wrong with an envelope.

use time::UtcDateTime;

use super::{PAYLOAD_MEDIA_TYPE, PayloadError};
use crate::{
    algorithm::SignatureAlgorithm,
    limits,
    x509::{CertificateError, ChainError, Name, Rfc3339},
};

/// Why an envelope is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Neither a JSON object nor a tagged COSE_Sign1.
    #[error("envelope begins like neither a JWS nor a COSE_Sign1 with its tag")]
    UnknownFormat,
    /// More bytes than an envelope may have.
    #[error("envelope of {0} bytes is over the limit of {limit} bytes", limit = limits::ENVELOPE_BYTES)]
    TooLarge(usize),
    /// The bytes are no flattened JWS JSON object with the four members, or hold one twice or another.
    #[error("not a JWS in flattened JSON form with payload, protected, header and signature alone")]
    MalformedJws(#[source] serde_json::Error),
    /// The bytes are not one tagged `COSE_Sign1`.
    #[error("not one COSE_Sign1 with tag 18: {0}")]
    MalformedCose(String),
    /// A base64 value with padding, other letters or stray bits.
    #[error("{member} is not {alphabet} (RFC 4648)")]
    BadBase64 {
        /// The member.
        member: &'static str,
        /// `base64url without padding` or `base64`.
        alphabet: &'static str,
    },
    /// The payload is not in the envelope.
    #[error("payload is missing or empty: a detached payload is not allowed")]
    NoPayload,
    /// The signature is empty.
    #[error("signature is missing or empty")]
    NoSignature,
    /// A header that has to be there is not.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// A header with a value of the wrong kind.
    #[error("header {header} is not {expected}")]
    BadHeader {
        /// The header.
        header: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A header in the protected and in the unprotected part.
    #[error("header {0:?} is both protected and unprotected")]
    InBothBuckets(String),
    /// A header in a part where it must not be.
    #[error("header {header} must be {bucket}")]
    WrongBucket {
        /// The header.
        header: String,
        /// `protected` or `unprotected`.
        bucket: &'static str,
    },
    /// A header that some parsers would take for another.
    #[error("header {found:?} differs from {known:?} in case alone")]
    CaseDiffers {
        /// As it stands in the envelope.
        found: String,
        /// The name that it resembles.
        known: &'static str,
    },
    /// A text label of COSE that its integer label could be taken for: they are two (RFC 9052, section 1.4).
    #[error("header {0:?} is a text label that reads as an integer label")]
    AmbiguousLabel(String),
    /// An extended attribute, to be signed, with the name of another header.
    #[error("extended attribute {0:?} has the name of a header that is not its own")]
    Reserved(String),
    /// Two extended attributes, to be signed, with one name.
    #[error("extended attribute {0:?} occurs twice")]
    Repeated(String),
    /// More attributes than a header may have.
    #[error("more than {limit} extended attributes", limit = limits::EXTENDED_ATTRIBUTES)]
    TooManyAttributes,
    /// An algorithm that the specification does not allow.
    #[error("signature algorithm {0} is none of the specification's six")]
    UnknownAlgorithm(String),
    /// A content type that is not the payload's.
    #[error("content type {0:?} is not {PAYLOAD_MEDIA_TYPE:?}")]
    ContentType(String),
    /// A signing scheme that the specification does not have.
    #[error("signing scheme {0:?} is neither notary.x509 nor notary.x509.signingAuthority")]
    UnknownScheme(String),
    /// A signing time of the other scheme.
    #[error("header {header} is not valid under signing scheme {scheme}")]
    NotOfScheme {
        /// The header.
        header: &'static str,
        /// The scheme.
        scheme: &'static str,
    },
    /// A header that has to be listed as critical is not.
    #[error("header {0} is not listed in crit")]
    NotCritical(String),
    /// A critical header that is not there.
    #[error("crit lists {0:?}, which is not a protected header")]
    CriticalAbsent(String),
    /// A critical header that the envelope's standard defines.
    #[error("crit lists {0}, a header of the envelope's own standard")]
    CriticalRegistered(String),
    /// A critical header that is listed more than once (RFC 7515, section 4.1.11).
    #[error("crit lists {0:?} twice")]
    CriticalTwice(String),
    /// A critical header that only informs (signature-specification.md, "Signed Attributes").
    #[error("crit lists {0}, which must not be critical")]
    NotToBeCritical(&'static str),
    /// A least version of no plugin: critical, and nobody could process it (signature-specification.md,
    /// "Extended attributes for Notation Plugins"). The notation CLI passes it over.
    #[error("header {MIN_VERSION} is critical, and no verification plugin is named", MIN_VERSION = super::attributes::header::VERIFICATION_PLUGIN_MIN_VERSION)]
    MinVersionWithoutPlugin,
    /// A critical attribute that nobody here understands.
    #[error("critical attribute {0:?} is unknown, and the signature names no verification plugin")]
    UnknownCritical(String),
    /// The certificate chain is missing or empty.
    #[error("certificate chain is missing or empty")]
    NoCertificates,
    /// A certificate of the chain cannot be read.
    #[error("certificate {number} of the chain cannot be read")]
    Certificate {
        /// Counted from one, the leaf.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: CertificateError,
    },
    /// The chain does not fit together, or breaks a certificate requirement.
    #[error("certificate chain is not valid for code signing")]
    Chain(#[from] ChainError),
    /// `alg` is not the algorithm of the leaf's key.
    #[error("signature algorithm {algorithm:?} does not belong to the leaf's key, {key}")]
    AlgorithmMismatch {
        /// The algorithm that the envelope names.
        algorithm: SignatureAlgorithm,
        /// The leaf's key.
        key: String,
    },
    /// The signature does not verify.
    #[error("signature does not verify with the key of {subject}")]
    BadSignature {
        /// The leaf's subject.
        subject: Name,
    },
    /// The signature was expired when it was made.
    #[error("expiry {expiry} is not after the signing time {signing_time}", expiry = Rfc3339(*expiry), signing_time = Rfc3339(*signing_time))]
    ExpiryBeforeSigning {
        /// The expiry.
        expiry: UtcDateTime,
        /// The signing time.
        signing_time: UtcDateTime,
    },
    /// The payload is not what its media type says.
    #[error("payload cannot be used")]
    Payload(#[from] PayloadError),
}
