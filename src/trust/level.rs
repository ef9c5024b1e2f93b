//! Verification levels: which check is enforced, which is logged, which is left out
//! (trust-store-trust-policy.md, "Signature Verification details").
//!
//! Overrides that the specification forbids cannot be written down here: integrity has no field, and only
//! revocation can be skipped.

use std::fmt;

use serde::Serialize;

/// What becomes of a check that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the specification has these and no more")]
pub enum Action {
    /// The signature is refused.
    Enforce,
    /// It is told, and the next check follows.
    Log,
}

/// The same for revocation, which alone can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the specification has these and no more")]
pub enum RevocationAction {
    /// The signature is refused.
    Enforce,
    /// It is told, and the next check follows.
    Log,
    /// Revocation is not looked at.
    Skip,
}

/// A predefined level that checks something; `skip` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the specification has these and no more")]
pub enum Level {
    /// All checks are enforced.
    Strict,
    /// Integrity and authenticity are enforced, all else is logged.
    Permissive,
    /// Integrity is enforced, all else is logged.
    Audit,
}

/// What is done about each check that a policy can choose. Integrity is always enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::exhaustive_structs, reason = "the specification has these and no more")]
pub struct Checks {
    /// Whether somebody trusted has signed.
    pub authenticity: Action,
    /// Whether the signature was made while the certificates were valid.
    pub authentic_timestamp: Action,
    /// Whether the signature's own expiry has passed.
    pub expiry: Action,
    /// Whether a certificate was revoked.
    pub revocation: RevocationAction,
}

/// When a timestamp countersignature is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::exhaustive_enums, reason = "the specification has these and no more")]
pub enum VerifyTimestamp {
    /// Always.
    #[default]
    Always,
    /// Only where a certificate of the signing chain has expired.
    AfterCertExpiry,
}

impl Level {
    /// The level of that name; `skip` is none of these.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Strict, Self::Permissive, Self::Audit].into_iter().find(|level| level.name() == name)
    }

    /// `strict`, `permissive` or `audit`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Permissive => "permissive",
            Self::Audit => "audit",
        }
    }

    /// The level's row of the specification's table.
    #[must_use]
    pub const fn checks(self) -> Checks {
        use Action::{Enforce, Log};
        let (authenticity, authentic_timestamp, expiry, revocation) = match self {
            Self::Strict => (Enforce, Enforce, Enforce, RevocationAction::Enforce),
            Self::Permissive => (Enforce, Log, Log, RevocationAction::Log),
            Self::Audit => (Log, Log, Log, RevocationAction::Log),
        };
        Checks { authenticity, authentic_timestamp, expiry, revocation }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforced",
            Self::Log => "logged",
        })
    }
}

impl fmt::Display for RevocationAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforced",
            Self::Log => "logged",
            Self::Skip => "skipped",
        })
    }
}
