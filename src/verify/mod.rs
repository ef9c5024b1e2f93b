//! Verification under a trust policy.
//!
//! [`evaluate`] is a pure function: everything that decides is an argument, so the same call serves a command,
//! a server, a replay a year later, and a test with a clock of its own.

mod error;
mod evaluate;
mod outcome;
mod record;
mod verifier;

pub use error::CheckError;
pub use evaluate::{Artifact, Begun, Pending, begin, evaluate};
pub use outcome::{
    Accepted, Check, CheckResult, CheckVerdict, Claimed, Outcome, Rejected, TimestampOutcome,
    Verified,
};
pub use record::{
    Record, RecordError, RecordedRepository, RecordedSource, RecordingRepository, RecordingSource,
};
pub use verifier::{
    AcceptedArtifact, Refusal, RefusedSignature, Revocation, SignatureSource, Tried, Verifier,
    VerifyError, read_signature,
};
