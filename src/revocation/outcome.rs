//! What became of asking: a verdict for each certificate, with its sources, or with everything that was tried.

use std::{error::Error, fmt};

use time::UtcDateTime;

use super::{CrlError, FetchFailure, OcspError};
use crate::x509::{Certificate, Name, PointerError};

/// One certificate and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateRevocation {
    /// The certificate's subject.
    pub subject: Name,
    /// SHA-256 over the certificate's DER.
    pub fingerprint: [u8; 32],
    /// The verdict.
    pub status: RevocationStatus,
    /// What gave no verdict before another source did; empty where the status is unknown, which has its own.
    pub passed_over: Vec<Attempt>,
}

/// The verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevocationStatus {
    /// Not revoked.
    Good {
        /// What says so: one OCSP response, or one or more CRLs with their delta CRLs.
        sources: Vec<Source>,
        /// The certificate is listed as revoked all the same: its key was good until after the signature was made.
        listed: Option<Listed>,
    },
    /// Revoked.
    Revoked {
        /// What says so.
        source: Source,
        /// Why.
        reason: RevocationReason,
        /// When it was revoked.
        at: UtcDateTime,
        /// Since when its key may have been in wrong hands (RFC 5280, section 5.3.2).
        invalidity_date: Option<UtcDateTime>,
    },
    /// It cannot be told.
    Unknown {
        /// Everything that was tried, in order; never empty.
        attempts: Vec<Attempt>,
    },
    /// Nobody is to be asked.
    NotApplicable {
        /// Why.
        why: NotApplicable,
    },
}

/// How a certificate is listed as revoked whose key was good until after the signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Why it was revoked.
    pub reason: RevocationReason,
    /// When it was revoked.
    pub at: UtcDateTime,
    /// Since when its key may have been in wrong hands (RFC 5280, section 5.3.2).
    pub invalidity_date: UtcDateTime,
}

/// Why nobody is asked about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotApplicable {
    /// A root: who trusts it, decides about it.
    Root,
    /// It names neither a responder nor a CRL.
    NamesNoSource,
}

/// An answer that was relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// What it is.
    pub method: Method,
    /// Where it is from.
    pub url: String,
    /// When it was asked for.
    pub fetched_at: UtcDateTime,
    /// From when on it holds.
    pub this_update: UtcDateTime,
    /// When a newer one is there at the latest.
    pub next_update: Option<UtcDateTime>,
}

/// How a status is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// OCSP (RFC 6960).
    Ocsp,
    /// A CRL (RFC 5280, section 5).
    Crl,
    /// A delta CRL (RFC 5280, section 5.2.4).
    DeltaCrl,
}

/// A source that gave no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method} {}", .url.as_deref().unwrap_or("without a URL"))]
#[non_exhaustive]
pub struct Attempt {
    /// What it is.
    pub method: Method,
    /// Where it is; `None` where the certificate does not say so.
    pub url: Option<String>,
    /// Why it gave none.
    #[source]
    pub why: AttemptError,
}

/// Why a source gave no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// There was no answer.
    #[error(transparent)]
    Fetch(#[from] FetchFailure),
    /// The evidence holds no answer of it.
    #[error("not in the evidence")]
    NotAsked,
    /// A URL that is followed by nobody here.
    #[error("URL is neither http nor https, and is passed over")]
    NotHttp,
    /// A distribution point without a URL.
    #[error("distribution point names no URL")]
    NoUrl,
    /// The certificate or the CRL does not say whom to ask.
    #[error(transparent)]
    Pointer(#[from] PointerError),
    /// An OCSP response that does not count.
    #[error(transparent)]
    Ocsp(#[from] OcspError),
    /// A CRL that does not count.
    #[error(transparent)]
    Crl(#[from] CrlError),
}

/// Why a certificate was revoked (RFC 5280, section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RevocationReason {
    /// No reason is given, or one of a number that RFC 5280 does not have.
    Unspecified,
    /// The key is in wrong hands.
    KeyCompromise,
    /// The CA's key is in wrong hands.
    CaCompromise,
    /// The subject's name or what else the certificate says has changed.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// For the time being.
    CertificateHold,
    /// A hold has ended, or the certificate has expired; delta CRLs only.
    RemoveFromCrl,
    /// What the certificate allows is not allowed any more.
    PrivilegeWithdrawn,
    /// An attribute authority's key is in wrong hands.
    AaCompromise,
}

impl CertificateRevocation {
    pub(super) fn new(
        certificate: &Certificate,
        status: RevocationStatus,
        passed_over: Vec<Attempt>,
    ) -> Self {
        let subject = certificate.subject().clone();
        Self { subject, fingerprint: certificate.fingerprint(), status, passed_over }
    }
}

impl CertificateRevocation {
    /// Whether there is somebody to ask.
    #[must_use]
    pub const fn names_source(&self) -> bool {
        !matches!(self.status, RevocationStatus::NotApplicable { .. })
    }
}

impl RevocationStatus {
    /// Whether the certificate passes: it is good, or nobody is to be asked.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Good { .. } | Self::NotApplicable { .. })
    }

    /// Whether the status is unknown because no source could be reached, so that trying again may help. Not
    /// so, where a single source gave an answer, and be it one of no use.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unknown { attempts } if are_unreachable(attempts))
    }
}

/// Whether nobody could be reached of those who were to be asked.
fn are_unreachable(attempts: &[Attempt]) -> bool {
    let mut asked = attempts.iter().filter(|attempt| !attempt.why.is_passed_over()).peekable();
    asked.peek().is_some() && asked.all(|attempt| attempt.why.is_unreachable())
}

impl Attempt {
    pub(super) fn new(method: Method, url: &str, why: impl Into<AttemptError>) -> Self {
        Self { method, url: Some(url.to_owned()), why: why.into() }
    }

    /// Why it gave none, with the causes of that.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut levels = vec![self.why.to_string()];
        let mut cause = self.why.source();
        while let Some(error) = cause {
            levels.push(error.to_string());
            cause = error.source();
        }
        levels.dedup();
        levels.join(": ")
    }

    /// A source that there is no answer of.
    pub(super) fn unasked(method: Method, url: &str) -> Self {
        let why = if is_http(url) { AttemptError::NotAsked } else { AttemptError::NotHttp };
        Self::new(method, url, why)
    }

    pub(super) fn without_url(method: Method, why: impl Into<AttemptError>) -> Self {
        Self { method, url: None, why: why.into() }
    }
}

/// Whether anybody here follows that URL.
pub(super) fn is_http(url: &str) -> bool {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http))
}

impl AttemptError {
    /// Whether the source could not be reached, or said that it cannot answer now.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Fetch(failure) => failure.kind.is_unreachable(),
            Self::NotAsked => true,
            Self::Ocsp(OcspError::Status(status)) => status.is_temporary(),
            Self::Ocsp(OcspError::ResponderUnchecked { attempts, .. }) => are_unreachable(attempts),
            _ => false,
        }
    }

    /// Whether nobody was to be asked.
    const fn is_passed_over(&self) -> bool {
        matches!(self, Self::NotHttp)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ocsp => "OCSP",
            Self::Crl => "CRL",
            Self::DeltaCrl => "delta CRL",
        })
    }
}

impl RevocationReason {
    const ALL: [(u8, Self, &'static str); 10] = [
        (0, Self::Unspecified, "unspecified"),
        (1, Self::KeyCompromise, "keyCompromise"),
        (2, Self::CaCompromise, "cACompromise"),
        (3, Self::AffiliationChanged, "affiliationChanged"),
        (4, Self::Superseded, "superseded"),
        (5, Self::CessationOfOperation, "cessationOfOperation"),
        (6, Self::CertificateHold, "certificateHold"),
        (8, Self::RemoveFromCrl, "removeFromCRL"),
        (9, Self::PrivilegeWithdrawn, "privilegeWithdrawn"),
        (10, Self::AaCompromise, "aACompromise"),
    ];

    /// The reason of that number in `CRLReason`.
    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, ..)| *known == code).map(|(_, reason, _)| reason)
    }

    /// Its name in RFC 5280.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, known, _)| *known == self).map_or("", |(.., name)| name)
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for NotApplicable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "it is the root",
            Self::NamesNoSource => "it names neither an OCSP responder nor a CRL",
        })
    }
}
