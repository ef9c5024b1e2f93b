//! Why an answer does not count.

use time::UtcDateTime;

use super::Attempt;
use crate::{
    limits,
    x509::{Name, Rfc3339},
};

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// The key does not verify it.
    #[error("signature does not verify with the key of its signer")]
    DoesNotVerify,
    /// A hash that can be forged.
    #[error("signature uses SHA-1")]
    Sha1,
    /// An algorithm that this library does not know.
    #[error("signature algorithm {algorithm} is not supported")]
    Unsupported {
        /// Its object identifier.
        algorithm: String,
    },
}

/// Why an answer is not about now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeFault {
    /// It is from the future, by more than clocks may differ.
    #[error("it is of {}, and it is {}", Rfc3339(*.this_update), Rfc3339(*.at))]
    NotYet {
        /// `thisUpdate`.
        this_update: UtcDateTime,
        /// The time that was asked for.
        at: UtcDateTime,
    },
    /// A newer one is there by now.
    #[error("it expired at {}, and it is {}", Rfc3339(*.next_update), Rfc3339(*.at))]
    Expired {
        /// `nextUpdate`.
        next_update: UtcDateTime,
        /// The time that was asked for.
        at: UtcDateTime,
    },
    /// It does not say how long it holds.
    #[error("it has no nextUpdate, and nobody can tell how long it holds")]
    NoNextUpdate,
}

/// Why a CRL does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// More bytes than a CRL may have.
    #[error("CRL of {0} bytes is over the limit of {limit} bytes", limit = limits::CRL_BYTES)]
    TooLarge(usize),
    /// The bytes are not one DER `CertificateList`.
    #[error("CRL is not valid DER (RFC 5280, section 5.1)")]
    Malformed,
    /// More bytes than the extensions of a CRL or of an entry may have.
    #[error("extensions of {0} bytes are over the limit of {limit} bytes", limit = limits::CRL_EXTENSION_BYTES)]
    ExtensionsTooLarge(usize),
    /// The two signature algorithm fields differ (RFC 5280, section 5.1.1.2).
    #[error("signature algorithms inside and outside of the signed part differ")]
    AlgorithmMismatch,
    /// A CRL of somebody else.
    #[error("CRL is issued by {issuer}, and the certificate by {expected}")]
    OtherIssuer {
        /// The CRL's issuer.
        issuer: Name,
        /// The certificate's.
        expected: Name,
    },
    /// A CRL that one signs for another (RFC 5280, section 5.2.5), which the specification leaves open.
    #[error("indirect CRLs are not supported")]
    Indirect,
    /// The issuer may not sign CRLs.
    #[error("extension keyUsage of {issuer} does not have cRLSign")]
    IssuerMayNotSign {
        /// The issuer.
        issuer: Name,
    },
    /// The signature does not count.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// An extension that changes what the CRL says, in a way that is not known here.
    #[error("critical extension {extension} of the {place} is not supported")]
    UnknownCritical {
        /// The extension's object identifier.
        extension: String,
        /// `CRL` or `CRL's entries`.
        place: &'static str,
    },
    /// The CRL is of another distribution point than the certificate names.
    #[error("extension issuingDistributionPoint names another distribution point")]
    OtherDistributionPoint,
    /// The CRL is about other certificates.
    #[error("extension issuingDistributionPoint says that there are only {only} in this CRL")]
    OutOfScope {
        /// What there is.
        only: &'static str,
    },
    /// The time is out of the CRL's.
    #[error(transparent)]
    Time(#[from] TimeFault),
    /// The certificate's entry cannot be read.
    #[error("entry of the certificate is not valid DER (RFC 5280, section 5.3)")]
    BadEntry,
    /// The certificate is on hold, and neither a newer CRL nor a delta CRL says whether it still is.
    #[error("it lists the certificate as on hold, and nobody can tell whether that has ended")]
    MayBeOnHold,
    /// The CRLs at hand leave out a reason for which the certificate may be revoked.
    #[error("the CRLs do not cover all reasons for revocation")]
    ReasonsNotCovered,
    /// A delta CRL that says nothing alone.
    #[error("a delta CRL stands where a complete one belongs")]
    UnexpectedDelta,
    /// A complete CRL that is no newer than the one at hand.
    #[error("a complete CRL stands where a delta CRL belongs")]
    NotDelta,
    /// Without a number, nobody can tell which CRLs belong together.
    #[error("CRL has no number, and a delta CRL belongs to it")]
    NoNumber,
    /// The delta CRL builds on a CRL that is newer than the one at hand.
    #[error("delta CRL builds on CRL number {needed} (hex), and this one is {base}")]
    DeltaOfNewer {
        /// The delta CRL's `BaseCRLNumber`, in hex.
        needed: String,
        /// The CRL's number, in hex.
        base: String,
    },
    /// The delta CRL is older than the CRL.
    #[error("delta CRL number {delta} (hex) is older than the CRL, which is {base}")]
    DeltaOlder {
        /// The delta CRL's number, in hex.
        delta: String,
        /// The CRL's number, in hex.
        base: String,
    },
    /// The delta CRL is about other certificates, or of another key.
    #[error("extension {extension} of the delta CRL is not that of the CRL")]
    DeltaOfAnother {
        /// The extension's name.
        extension: &'static str,
    },
}

/// Why an OCSP response does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OcspError {
    /// More bytes than a response may have.
    #[error("OCSP response of {0} bytes is over the limit of {limit} bytes", limit = limits::OCSP_RESPONSE_BYTES)]
    TooLarge(usize),
    /// The bytes are not one DER `OCSPResponse`.
    #[error("OCSP response is not valid DER (RFC 6960, section 4.2)")]
    Malformed,
    /// The responder does not answer the question.
    #[error("responder answers {0}")]
    Status(ResponseStatus),
    /// A response that is not the basic one.
    #[error("OCSP response is of type {response_type}, which is not supported")]
    OtherType {
        /// Its object identifier.
        response_type: String,
    },
    /// The response is about other certificates.
    #[error("OCSP response is not about this certificate")]
    OtherCertificate,
    /// The certificate is revoked, and how cannot be read.
    #[error(
        "responder says that the certificate is revoked, and how is not valid DER (RFC 6960, section 4.2.1)"
    )]
    BadRevocation,
    /// The responder does not know the certificate.
    #[error("responder does not know the certificate")]
    UnknownCertificate,
    /// The responder is neither the issuer nor has it sent a certificate.
    #[error(
        "responder {responder} is neither the issuer nor among the certificates of the response"
    )]
    UnknownResponder {
        /// The responder's name, or its key's hash in hex.
        responder: String,
    },
    /// The responder's certificate is not from the issuer itself (RFC 6960, section 4.2.2.2).
    #[error("certificate of the responder {responder} is not issued by {issuer}")]
    ResponderOfAnother {
        /// The responder.
        responder: Name,
        /// The certificate's issuer.
        issuer: Name,
    },
    /// The responder's certificate is for something else (RFC 6960, section 4.2.2.2).
    #[error(
        "certificate of the responder {responder} is not for signing OCSP responses: {lacks} is missing"
    )]
    ResponderPurpose {
        /// The responder.
        responder: Name,
        /// What its certificate lacks.
        lacks: &'static str,
    },
    /// The responder's certificate is not valid now.
    #[error("certificate of the responder {responder} is valid from {} to {}, and it is {}", Rfc3339(*.not_before), Rfc3339(*.not_after), Rfc3339(*.at))]
    ResponderNotValid {
        /// The responder.
        responder: Name,
        /// The first second of validity.
        not_before: UtcDateTime,
        /// The last.
        not_after: UtcDateTime,
        /// The time that was asked for.
        at: UtcDateTime,
    },
    /// The responder's certificate is revoked.
    #[error("certificate of the responder {responder} is revoked")]
    ResponderRevoked {
        /// The responder.
        responder: Name,
    },
    /// The responder's certificate has to be looked for in a CRL (trust-store-trust-policy.md, "Revocation
    /// Checking with OCSP"), and no CRL says that it is good.
    #[error(
        "certificate of the responder {responder} has no id-pkix-ocsp-nocheck, and no CRL says that it is good"
    )]
    ResponderUnchecked {
        /// The responder.
        responder: Name,
        /// What was tried; empty where its certificate names no CRL.
        attempts: Vec<Attempt>,
    },
    /// The signature does not count.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// The nonce of the request did not come back.
    #[error("OCSP response has no nonce, and one was sent")]
    NonceMissing,
    /// The response is to another request.
    #[error("OCSP response has another nonce than was sent")]
    NonceDiffers,
    /// An extension that changes what the response says, in a way that is not known here.
    #[error("critical extension {extension} of the OCSP response is not supported")]
    UnknownCritical {
        /// The extension's object identifier.
        extension: String,
    },
    /// The time is out of the response's.
    #[error(transparent)]
    Time(#[from] TimeFault),
}

/// What a responder says instead of an answer (RFC 6960, section 4.2.1). Nobody signs that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseStatus {
    /// The request is broken.
    MalformedRequest,
    /// The responder is.
    InternalError,
    /// The responder cannot answer now.
    TryLater,
    /// The request has to be signed.
    SigRequired,
    /// The responder does not answer us, or does not know the certificate.
    Unauthorized,
    /// Another number.
    Other(u8),
}

impl ResponseStatus {
    pub(super) const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::MalformedRequest,
            2 => Self::InternalError,
            3 => Self::TryLater,
            5 => Self::SigRequired,
            6 => Self::Unauthorized,
            other => Self::Other(other),
        }
    }

    /// Whether the same question may be answered later (RFC 6960, section 2.3).
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::InternalError | Self::TryLater)
    }
}

impl std::fmt::Display for ResponseStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MalformedRequest => f.write_str("malformedRequest"),
            Self::InternalError => f.write_str("internalError"),
            Self::TryLater => f.write_str("tryLater"),
            Self::SigRequired => f.write_str("sigRequired"),
            Self::Unauthorized => f.write_str("unauthorized"),
            Self::Other(code) => write!(f, "status {code}"),
        }
    }
}
