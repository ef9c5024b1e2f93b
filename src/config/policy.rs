//! Where trust policies stand.

use std::path::PathBuf;

use super::Directories;
use crate::{
    fs::FileError,
    trust::{PolicyFile, PolicyKind},
};

impl Directories {
    /// The trust policy that is in force; `None` where there is none. A file that cannot be read is an error,
    /// never passed over for another.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read_policy(&self, kind: PolicyKind) -> Result<Option<PolicyFile>, FileError> {
        PolicyFile::in_force(&self.config, kind)
    }

    /// Where a trust policy is written: to the file that is in force. Released notation CLIs read
    /// `trustpolicy.json` only, so that is where a first one goes.
    #[must_use]
    pub fn policy_to_write(&self, kind: PolicyKind) -> PathBuf {
        let (first, second) = kind.files();
        let first = self.config.join(first);
        match second {
            Some(second) if !first.exists() => self.config.join(second),
            _ => first,
        }
    }
}
