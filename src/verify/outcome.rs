//! What became of a verification: every check with its verdict, whether the signature is accepted or not.

use std::{error::Error, fmt};

use serde::{Serialize, Serializer};
use time::UtcDateTime;

use super::{CheckError, evaluate::SKIPPED};
use crate::{
    envelope::SignedContent,
    revocation::CertificateRevocation,
    text,
    timestamp::Timestamp,
    trust::{Action, RevocationAction, Statement, Verification},
    x509::{Certificate, Name, Rfc3339},
};

/// A check, in the order of the specification (trust-store-trust-policy.md, "Signature Verification").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Check {
    /// The signature is whole, and is about this artifact.
    Integrity,
    /// Somebody trusted has signed.
    Authenticity,
    /// The signature's own expiry has not passed.
    Expiry,
    /// The signature was made while its certificates were valid.
    AuthenticTimestamp,
    /// No certificate was revoked.
    Revocation,
    /// A verification plugin that the signature names.
    VerificationPlugin,
    /// The metadata that the verifier asks for was signed.
    UserMetadata,
}

/// What a check came to.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckVerdict {
    /// It passed.
    Passed,
    /// It failed, and the signature is refused for it.
    FailedEnforced(CheckError),
    /// It failed, and the policy says that this is only told.
    FailedLogged(CheckError),
    /// It was not made, and why.
    Skipped(&'static str),
}

/// One check and its verdict.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CheckResult {
    /// The check.
    pub check: Check,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: CheckVerdict,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Outcome {
    /// The statement of the trust policy.
    pub statement: String,
    /// The time for which this holds.
    #[serde(serialize_with = "as_rfc3339")]
    pub at: UtcDateTime,
    /// Every check that was come to, in order.
    pub checks: Vec<CheckResult>,
    /// The timestamp, where one was looked at and verifies.
    pub timestamp: Option<TimestampOutcome>,
    /// What is known of the revocation of the signer's certificates, leaf first; empty where that check was not
    /// come to.
    pub revocation: Vec<CertificateRevocation>,
}

/// A timestamp that verifies.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TimestampOutcome {
    /// The signature is no older.
    #[serde(serialize_with = "as_rfc3339")]
    pub earliest: UtcDateTime,
    /// The signature is no younger.
    #[serde(serialize_with = "as_rfc3339")]
    pub latest: UtcDateTime,
    /// The timestamping authority's subject.
    #[serde(serialize_with = "as_text")]
    pub authority: Name,
    /// What is known of the revocation of its certificates, leaf first.
    pub revocation: Vec<CertificateRevocation>,
}

impl TimestampOutcome {
    pub(super) fn new(timestamp: &Timestamp, revocation: Vec<CertificateRevocation>) -> Self {
        Self {
            earliest: timestamp.earliest(),
            latest: timestamp.latest(),
            authority: timestamp.certificate_chain().leaf().subject().clone(),
            revocation,
        }
    }
}

/// A signature that the policy accepts. Only [`Accepted::Verified`] says who signed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Accepted {
    /// Every check passed.
    Verified(Box<Verified>),
    /// A check failed that the policy only logs. Who signed is a claim.
    WithFailures(Box<Claimed>),
    /// The policy verifies nothing for this artifact.
    Skipped(Outcome),
}

/// A signature whose every check passed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verified {
    /// What was signed, and by whom.
    pub content: SignedContent,
    /// Every check.
    pub outcome: Outcome,
}

/// A signature that is whole, of a signer whom nobody vouches for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Claimed {
    content: SignedContent,
    /// Every check.
    pub outcome: Outcome,
}

/// A signature that is refused.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejected {
    /// Every check up to the one that refused it.
    pub outcome: Box<Outcome>,
}

impl Accepted {
    /// What a statement of the level `skip` gives to whatever there is, signed or not; `None` for every other
    /// level.
    #[must_use]
    pub fn by_skipping(statement: &Statement, at: UtcDateTime) -> Option<Self> {
        if statement.verification != Verification::Skip {
            return None;
        }
        let mut ledger = Ledger::new(&statement.name, at);
        ledger.skip(Check::Integrity, SKIPPED);
        Some(Self::Skipped(ledger.outcome))
    }

    /// Every check.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        match self {
            Self::Verified(verified) => &verified.outcome,
            Self::WithFailures(claimed) => &claimed.outcome,
            Self::Skipped(outcome) => outcome,
        }
    }

    /// Every check, by value.
    #[must_use]
    pub fn into_outcome(self) -> Outcome {
        match self {
            Self::Verified(verified) => verified.outcome,
            Self::WithFailures(claimed) => claimed.outcome,
            Self::Skipped(outcome) => outcome,
        }
    }

    /// The certificate of who signed, where every check passed.
    #[must_use]
    pub fn signer(&self) -> Option<&Certificate> {
        match self {
            Self::Verified(verified) => Some(verified.signer()),
            Self::WithFailures(_) | Self::Skipped(_) => None,
        }
    }
}

impl Rejected {
    /// Whether trying again may help: see [`CheckError::is_unavailable`].
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.outcome.refusal().is_some_and(|(_, error)| error.is_unavailable())
    }
}

impl Verified {
    /// The certificate of who signed.
    #[must_use]
    pub fn signer(&self) -> &Certificate {
        self.content.certificate_chain().leaf()
    }
}

impl Claimed {
    pub(super) const fn new(content: SignedContent, outcome: Outcome) -> Self {
        Self { content, outcome }
    }

    /// The subject that the signature brings along, which a check may have refused.
    #[must_use]
    pub fn claimed_signer(&self) -> &Name {
        self.content.certificate_chain().leaf().subject()
    }
}

impl Outcome {
    /// The check for which the signature is refused.
    #[must_use]
    pub fn refusal(&self) -> Option<(Check, &CheckError)> {
        self.checks.iter().find_map(|result| match &result.verdict {
            CheckVerdict::FailedEnforced(error) => Some((result.check, error)),
            _ => None,
        })
    }

    /// The checks that failed, each with its reason and the causes of that: enforced ones and logged ones.
    pub fn failures(&self) -> impl Iterator<Item = (Check, bool, String)> {
        self.checks.iter().filter_map(|result| match &result.verdict {
            CheckVerdict::FailedEnforced(error) => Some((result.check, true, in_one_line(error))),
            CheckVerdict::FailedLogged(error) => Some((result.check, false, in_one_line(error))),
            _ => None,
        })
    }

    /// The checks that failed and are only told.
    pub fn logged(&self) -> impl Iterator<Item = (Check, &CheckError)> {
        self.checks.iter().filter_map(|result| match &result.verdict {
            CheckVerdict::FailedLogged(error) => Some((result.check, error)),
            _ => None,
        })
    }
}

/// Keeps every check's result, and is the only one that looks at what the policy does about a failure.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) outcome: Outcome,
}

/// A check has failed that the policy enforces: nothing further is looked at.
pub(super) struct Refused;

impl Ledger {
    pub(super) fn new(statement: &str, at: UtcDateTime) -> Self {
        let statement = statement.to_owned();
        let (checks, revocation) = (Vec::new(), Vec::new());
        Self { outcome: Outcome { statement, at, checks, timestamp: None, revocation } }
    }

    /// Whether a policy wants to know of revocation at all.
    pub(super) const fn asks_for_revocation(action: RevocationAction) -> bool {
        !matches!(action, RevocationAction::Skip)
    }

    pub(super) fn rejected(self) -> Rejected {
        Rejected { outcome: Box::new(self.outcome) }
    }

    /// Keeps a result under the policy's action.
    pub(super) fn record(
        &mut self,
        check: Check,
        action: Action,
        result: Result<(), CheckError>,
    ) -> Result<(), Refused> {
        let verdict = match (result, action) {
            (Ok(()), _) => CheckVerdict::Passed,
            (Err(error), Action::Enforce) => CheckVerdict::FailedEnforced(error),
            (Err(error), Action::Log) => CheckVerdict::FailedLogged(error),
        };
        let refused = matches!(verdict, CheckVerdict::FailedEnforced(_));
        self.outcome.checks.push(CheckResult { check, verdict });
        if refused { Err(Refused) } else { Ok(()) }
    }

    /// The same for the check that can be left out, with what it found.
    pub(super) fn record_revocation(
        &mut self,
        action: RevocationAction,
        look: impl FnOnce() -> (Vec<CertificateRevocation>, Result<(), CheckError>),
    ) -> Result<(), Refused> {
        let action = match action {
            RevocationAction::Enforce => Action::Enforce,
            RevocationAction::Log => Action::Log,
            RevocationAction::Skip => {
                self.skip(Check::Revocation, "the policy skips it");
                return Ok(());
            }
        };
        let (found, result) = look();
        self.outcome.revocation = found;
        self.record(Check::Revocation, action, result)
    }

    pub(super) fn skip(&mut self, check: Check, why: &'static str) {
        self.outcome.checks.push(CheckResult { check, verdict: CheckVerdict::Skipped(why) });
    }
}

/// `"verdict": passed | failedEnforced | failedLogged | skipped`, and `"reason"` but for the first.
impl Serialize for CheckVerdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire {
            verdict: &'static str,
            reason: Option<String>,
        }
        let (verdict, reason) = match self {
            Self::Passed => ("passed", None),
            Self::FailedEnforced(error) => ("failedEnforced", Some(in_one_line(error))),
            Self::FailedLogged(error) => ("failedLogged", Some(in_one_line(error))),
            Self::Skipped(why) => ("skipped", Some((*why).to_owned())),
        };
        Wire { verdict, reason }.serialize(serializer)
    }
}

/// An error and its causes, each level once: a transparent error says what its source says.
fn in_one_line(error: &CheckError) -> String {
    let mut levels = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        levels.push(error.to_string());
        cause = error.source();
    }
    levels.dedup();
    // It quotes what others wrote: URLs of evidence, names, messages of servers.
    text::within_line(&levels.join(": "))
}

fn as_text<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_rfc3339<S: Serializer>(time: &UtcDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Rfc3339(*time))
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integrity => "integrity",
            Self::Authenticity => "authenticity",
            Self::Expiry => "expiry",
            Self::AuthenticTimestamp => "authentic timestamp",
            Self::Revocation => "revocation",
            Self::VerificationPlugin => "verification plugin",
            Self::UserMetadata => "user metadata",
        })
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome.refusal() {
            Some((check, _)) => write!(f, "signature is refused: {check}"),
            None => f.write_str("signature is refused"),
        }
    }
}

impl Error for Rejected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.outcome.refusal() {
            Some((_, error)) => Some(error),
            None => None,
        }
    }
}
