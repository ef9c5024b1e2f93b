//! Revocation (trust-store-trust-policy.md, "Certificate Revocation Evaluation"; RFC 6960; RFC 5280,
//! sections 5 and 6.3).

mod evidence;

pub use evidence::{CrlEvidence, Evidence, FetchFailure, FetchFailureKind, OcspEvidence};
