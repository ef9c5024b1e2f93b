//! What was asked about revocation and what came back, as values: judging reads nothing else.

use std::{fmt, sync::OnceLock, time::Duration};

use time::UtcDateTime;

use super::{SignatureFault, signed::Signed};
use crate::x509::PublicKey;

/// Every answer, and everything that was tried in vain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// CRLs, base and delta alike.
    pub crls: Vec<CrlEvidence>,
    /// OCSP responses.
    pub ocsp: Vec<OcspEvidence>,
    /// How long the asking has taken: all about one artifact has one limit. Documents do not hold it.
    pub(super) asking: Duration,
    /// How much of it was about the signature at hand, which has some time whatever those before it took.
    pub(super) asking_now: Duration,
}

/// What came of asking for one CRL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrlEvidence {
    /// The URL, as the certificate or the CRL spells it; the path of a file.
    pub url: String,
    /// Whether it is a file that somebody has given, and stands in for a CRL of its issuer that nobody can get.
    /// What was asked for at one URL never stands in for another: it may be there for another certificate.
    pub is_file: bool,
    /// When it was asked for, or the file was written.
    pub fetched_at: UtcDateTime,
    /// The DER of the CRL (RFC 5280, section 5.1), base or delta.
    pub answer: Result<RevocationAnswer, FetchFailure>,
    /// Why nothing of it counts but what no CRL takes back: it is older than its user allows.
    pub too_old: Option<FetchFailure>,
}

/// What came of asking one OCSP responder about one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OcspEvidence {
    /// The URL, as the certificate spells it.
    pub url: String,
    /// When it was asked.
    pub fetched_at: UtcDateTime,
    /// The certificate that was asked about: SHA-256 over its DER.
    pub certificate: [u8; 32],
    /// The nonce of the request. One that was sent has to come back, or the answer counts for nothing:
    /// large CAs sign their answers in advance, without one, so that a nonce is not for them.
    pub nonce: Option<Vec<u8>>,
    /// The DER of the `OCSPResponse` (RFC 6960, section 4.2.1).
    pub answer: Result<RevocationAnswer, FetchFailure>,
}

/// The bytes of an answer. They cannot be changed, so that a signature over them that was verified with a key need not
/// be verified with it again: evidence is judged when it is collected, and once more for the verdict.
#[derive(Clone)]
pub struct RevocationAnswer {
    der: Vec<u8>,
    verified_by: OnceLock<PublicKey>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
#[non_exhaustive]
pub struct FetchFailure {
    /// What kind of failure it was.
    pub kind: FetchFailureKind,
    /// What was seen, for a person.
    pub message: String,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchFailureKind {
    /// No connection: no such name, refused, or no TLS.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// An HTTP status other than 200.
    Status(u16),
    /// More bytes than an answer may have.
    TooLarge,
    /// An address that the rules for addresses forbid.
    NotAllowed,
    /// An answer of another type, HTML for example.
    Unreadable,
    /// An answer that was given as evidence, and is older than its user allows.
    TooOld,
}

impl Evidence {
    /// No evidence at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with the next signature of the artifact: what those before it took leaves it the time for one OCSP
    /// response and one CRL. A [`Verifier`](crate::verify::Verifier) says so of itself.
    pub const fn next_signature(&mut self) {
        self.asking_now = Duration::ZERO;
    }

    /// Adds what is not there yet.
    pub fn merge(&mut self, other: Self) {
        for crl in other.crls {
            if !self.crls.contains(&crl) {
                self.crls.push(crl);
            }
        }
        for response in other.ocsp {
            if !self.ocsp.contains(&response) {
                self.ocsp.push(response);
            }
        }
    }
}

impl CrlEvidence {
    /// What came of asking `url` for a CRL.
    #[must_use]
    pub fn new(
        url: impl Into<String>,
        fetched_at: UtcDateTime,
        answer: Result<Vec<u8>, FetchFailure>,
    ) -> Self {
        Self {
            url: url.into(),
            is_file: false,
            fetched_at,
            answer: answer.map(RevocationAnswer::new),
            too_old: None,
        }
    }

    /// A CRL in a file, which counts for whatever certificates of its issuer it is about.
    #[must_use]
    pub fn of_file(path: impl Into<String>, written_at: UtcDateTime, der: Vec<u8>) -> Self {
        Self { is_file: true, ..Self::new(path, written_at, Ok(der)) }
    }
}

impl OcspEvidence {
    /// What came of asking `url` about the certificate of that fingerprint, without a nonce.
    #[must_use]
    pub fn new(
        url: impl Into<String>,
        fetched_at: UtcDateTime,
        certificate: [u8; 32],
        answer: Result<Vec<u8>, FetchFailure>,
    ) -> Self {
        let answer = answer.map(RevocationAnswer::new);
        Self { url: url.into(), fetched_at, certificate, nonce: None, answer }
    }
}

impl RevocationAnswer {
    /// An answer of these bytes, whose signature nobody has looked at.
    #[must_use]
    pub const fn new(der: Vec<u8>) -> Self {
        Self { der, verified_by: OnceLock::new() }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.der
    }

    /// Verifies what is signed in these bytes.
    pub(super) fn verify(
        &self,
        signed: &Signed<'_>,
        key: &PublicKey,
    ) -> Result<(), SignatureFault> {
        if self.verified_by.get() == Some(key) {
            return Ok(());
        }
        signed.verify(key)?;
        // Where another key was first, this one is tried again each time.
        let _ = self.verified_by.set(key.clone());
        Ok(())
    }
}

impl PartialEq for RevocationAnswer {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for RevocationAnswer {}

impl fmt::Debug for RevocationAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.der.len())
    }
}

impl FetchFailure {
    /// A failure of that kind.
    #[must_use]
    pub fn new(kind: FetchFailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl FetchFailureKind {
    /// Whether asking again later may help: nobody was there, or a server that says that it is unwell
    /// (408, 429 and 5xx), or nobody was asked because evidence was given.
    #[must_use]
    pub const fn is_unreachable(self) -> bool {
        match self {
            Self::Unreachable | Self::Timeout | Self::TooOld => true,
            Self::Status(status) => matches!(status, 408 | 429 | 500..=599),
            Self::TooLarge | Self::NotAllowed | Self::Unreadable => false,
        }
    }
}

impl fmt::Display for FetchFailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("cannot be reached"),
            Self::Timeout => f.write_str("gave no answer in time"),
            Self::Status(status) => write!(f, "answered with status {status}"),
            Self::TooLarge => f.write_str("answer is too large"),
            Self::NotAllowed => f.write_str("address is not allowed"),
            Self::Unreadable => f.write_str("answer is of another type"),
            Self::TooOld => f.write_str("evidence does not count"),
        }
    }
}
