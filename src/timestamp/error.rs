//! Why a timestamp token is not one that counts.

use super::BerError;
use crate::{
    limits,
    x509::{CertificateError, ChainError, Name},
};

/// Why a timestamp token shows no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// More bytes than a token may have.
    #[error("timestamp token of {0} bytes is over the limit of {limit} bytes", limit = limits::TIMESTAMP_BYTES)]
    TooLarge(usize),
    /// The bytes are not one BER element.
    #[error("timestamp token is not BER")]
    NotBer(#[source] BerError),
    /// A part that is not what RFC 5652, RFC 5035 or RFC 3161 say.
    #[error("{part} of the timestamp token is malformed")]
    Malformed {
        /// The part, by the name that its RFC gives it.
        part: &'static str,
        /// Where it breaks.
        #[source]
        source: der::Error,
    },
    /// CMS, but of another kind.
    #[error("timestamp token has content type {0}, which is not SignedData")]
    NotSignedData(String),
    /// Something else that is signed.
    #[error("timestamp token holds content type {0}, which is not TSTInfo")]
    NotTstInfo(String),
    /// Nothing that is signed.
    #[error("timestamp token holds no TSTInfo")]
    NoContent,
    /// A version that nothing is known of.
    #[error("{part} of the timestamp token has version {version}, which is not supported")]
    Version {
        /// The part.
        part: &'static str,
        /// Its version.
        version: u8,
    },
    /// A version of `SignerInfo` that goes with another way to name the signer (RFC 5652, section 5.3).
    #[error(
        "SignerInfo of the timestamp token has version {0}, which does not fit how it names its signer"
    )]
    SignerVersion(u8),
    /// More elements than a part may have.
    #[error("{part} of the timestamp token has over {limit} elements")]
    TooMany {
        /// The part.
        part: &'static str,
        /// The limit.
        limit: usize,
    },
    /// No signature, or more than the authority's own (RFC 3161, section 2.4.2).
    #[error("timestamp token has {0} signers, and must have one")]
    Signers(usize),
    /// A broken certificate.
    #[error("certificate {number} of the timestamp token cannot be read")]
    Certificate {
        /// Counted from one.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: CertificateError,
    },
    /// A signed attribute that has to be there once, with one value.
    #[error(
        "timestamp token has signed attribute {name} {times} times, and must have it once, with one value"
    )]
    Attribute {
        /// The attribute.
        name: &'static str,
        /// How often it is there.
        times: usize,
    },
    /// The attribute content-type names something else than what is signed.
    #[error("signed attribute content-type of the timestamp token is not TSTInfo")]
    OtherContentType,
    /// The attribute message-digest is of something else than what is signed.
    #[error(
        "signed attribute message-digest of the timestamp token is not the digest of its TSTInfo"
    )]
    OtherContent,
    /// A hash that nothing is to be trusted for.
    #[error(
        "{part} of the timestamp token has hash {algorithm}, and must have one of the SHA-2 family with 256 bits \
         or more"
    )]
    UnsupportedHash {
        /// What it is the hash of.
        part: &'static str,
        /// Its name, or its object identifier.
        algorithm: String,
    },
    /// A signature algorithm that nothing is to be trusted for.
    #[error("timestamp token is signed by {algorithm}, which is not supported")]
    UnsupportedSignature {
        /// Its name, or its object identifier.
        algorithm: String,
    },
    /// An extension of TSTInfo that has to be understood, and is not.
    #[error("extension {0} of TSTInfo is critical, and not known")]
    CriticalExtension(String),
    /// A time that is not of the form that RFC 3161, section 2.4.2 gives it.
    #[error(
        "genTime {0:?} of TSTInfo is not YYYYMMDDhhmmss[.s…]Z with up to nine places, the last not zero"
    )]
    BadTime(String),
    /// An accuracy of a thousand parts or more.
    #[error("accuracy of TSTInfo has {0} thousandths, which is over 999")]
    BadAccuracy(u16),
    /// A timestamp of something else.
    #[error("timestamp token is not of this signature: its message imprint is of something else")]
    OtherMessage,
    /// No certificate has the hash that signing-certificate-v2 names.
    #[error("certificate of the timestamp token's signer is not in the token")]
    NoSignerCertificate,
    /// The signer, or signing-certificate-v2, names another certificate beside the hash.
    #[error("{part} of the timestamp token names another certificate than {subject}")]
    OtherSigner {
        /// What names it.
        part: &'static str,
        /// The subject of the certificate that has the hash.
        subject: Name,
    },
    /// A key that is too short or of a kind by which no signature is verified here.
    #[error("timestamp token is signed by key {key} of {subject}, which is not supported")]
    UnsupportedKey {
        /// The certificate's subject.
        subject: Name,
        /// Kind and size of its key.
        key: String,
    },
    /// The signature does not verify.
    #[error("signature of the timestamp token does not verify with the key of {subject}")]
    BadSignature {
        /// The subject of the certificate that has the key.
        subject: Name,
    },
    /// No chain ends at one of the roots that were given.
    #[error(
        "timestamp token is signed by {subject}, whose certificates lead to {last}: that is none of the {roots} \
         roots trusted for timestamps, and none of them issued it"
    )]
    NotAnchored {
        /// The signer.
        subject: Name,
        /// The subject of the last certificate on the longest way up.
        last: Name,
        /// How many roots there are.
        roots: usize,
    },
    /// The chain breaks a requirement, or was not valid when the token was made.
    #[error("certificate chain of the timestamp token's signer is not acceptable")]
    Chain(#[from] ChainError),
}

impl TokenError {
    /// Takes the part that is malformed.
    pub(super) const fn malformed(part: &'static str) -> impl Fn(der::Error) -> Self {
        move |source| Self::Malformed { part, source }
    }
}
