//! Revocation (trust-store-trust-policy.md, "Certificate Revocation Evaluation"; RFC 6960; RFC 5280,
//! sections 5 and 6.3): what CRLs and OCSP responses say about the certificates of a chain.
//!
//! [`judge`] is a pure function of the chain, the [`Evidence`] and the time. It refuses to guess: a certificate
//! of which nobody can tell anything is [`Unknown`](RevocationStatus::Unknown), with everything that was tried.
//! Indirect CRLs are not supported.

mod crl;
mod entry;
mod error;
mod evidence;
#[cfg(feature = "net")]
pub mod fetch;
mod file;
mod judge;
mod lists;
mod ocsp;
mod outcome;
mod report;
mod responder;
mod scope;
mod signed;
mod source;

pub use crl::Crl;
pub use error::{CrlError, OcspError, ResponseStatus, SignatureFault, TimeFault};
pub use evidence::{
    CrlEvidence, Evidence, FetchFailure, FetchFailureKind, OcspEvidence, RevocationAnswer,
};
pub use file::{CrlFileError, crls_of_file};
pub use judge::{SigningTime, judge, judge_certificate};
pub use ocsp::{OcspResponse, ocsp_request};
pub use outcome::{
    Attempt, AttemptError, CertificateRevocation, Listed, Method, NotApplicable, RevocationReason,
    RevocationStatus, Source,
};
pub use source::RevocationSource;
