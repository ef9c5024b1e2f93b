//! Where trust policies stand.

use std::path::PathBuf;

use super::Directories;
use crate::{
    fs::{self, FileError},
    limits,
};

/// Which trust policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyKind {
    /// For artifacts: `trustpolicy.oci.json`, else `trustpolicy.json`.
    Oci,
    /// For files: `trustpolicy.blob.json`.
    Blob,
}

/// A trust policy as it stands on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyFile {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// A second file that says something else, and is not read.
    pub shadowed: Option<PathBuf>,
}

impl PolicyFile {
    /// A policy that has no other beside it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), bytes, shadowed: None }
    }
}

impl Directories {
    /// The trust policy that is in force; `None` where there is none. A file that cannot be read is an error,
    /// never passed over for another.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read_policy(&self, kind: PolicyKind) -> Result<Option<PolicyFile>, FileError> {
        let (first, second) = self.policy_files(kind);
        let read = |path: &PathBuf| match fs::read_bounded(path, limits::CONFIG_FILE_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        };
        let fallback = match &second {
            Some(path) => read(path)?.map(|bytes| (path.clone(), bytes)),
            None => None,
        };
        match (read(&first)?, fallback) {
            (Some(bytes), other) => {
                let shadowed = other.filter(|(_, other)| *other != bytes).map(|(path, _)| path);
                Ok(Some(PolicyFile { path: first, bytes, shadowed }))
            }
            (None, Some((path, bytes))) => Ok(Some(PolicyFile { path, bytes, shadowed: None })),
            (None, None) => Ok(None),
        }
    }

    /// Where a trust policy is written: to the file that is in force. Released notation CLIs read
    /// `trustpolicy.json` only, so that is where a first one goes.
    #[must_use]
    pub fn policy_to_write(&self, kind: PolicyKind) -> PathBuf {
        match self.policy_files(kind) {
            (first, Some(second)) if !first.exists() => second,
            (first, _) => first,
        }
    }

    /// The file, and the one that is read where it is not there.
    fn policy_files(&self, kind: PolicyKind) -> (PathBuf, Option<PathBuf>) {
        match kind {
            PolicyKind::Oci => {
                (self.config.join("trustpolicy.oci.json"), Some(self.trust_policy()))
            }
            PolicyKind::Blob => (self.config.join("trustpolicy.blob.json"), None),
        }
    }
}
