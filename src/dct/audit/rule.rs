//! What a rule is.

use serde::Serialize;

use super::{context::Condition, variable::Use};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Does nothing, or only speaks of it: tidy up.
    Note,
    /// Belongs to it, and has to be replaced or kept with it.
    Warning,
    /// Signs, verifies or enforces with it: breaks, or protects no more.
    Error,
}

/// One kind of use.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Rule {
    /// `DCT001`, never given to anything else.
    pub(crate) id: &'static str,
    /// A name in words, as SARIF has it.
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    /// What was found.
    pub(crate) title: &'static str,
    /// Why it breaks.
    pub(crate) why: &'static str,
    /// When.
    pub(crate) when: &'static str,
    /// What to write instead.
    pub(crate) instead: &'static str,
    /// How it is found: any of these.
    #[serde(skip)]
    pub(super) finds: &'static [Find],
}

/// One way to find a use.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Find {
    Text(Condition),
    /// An environment variable, by its names.
    Variable(&'static str, Uses),
    /// An image of Docker's own.
    OfficialImage,
}

/// Which uses of a variable are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uses {
    Any,
    /// Any but to empty it.
    Filled,
    Only(Use),
}

impl Uses {
    pub(super) fn hold(self, used: Use) -> bool {
        match self {
            Self::Any => true,
            Self::Filled => used != Use::Off,
            Self::Only(only) => only == used,
        }
    }
}

impl Rule {
    /// Whether it shows that content trust is on, so that images are expected to be signed.
    pub(crate) fn is_enforcement(&self) -> bool {
        ["DCT001", "DCT015", "DCT027"].contains(&self.id)
    }

    /// Whether it counts only where content trust is on.
    pub(crate) fn needs_enforcement(&self) -> bool {
        self.finds == [Find::OfficialImage]
    }
}
