//! Which file of a configuration folder is the trust policy in force. Released notation CLIs read `trustpolicy.json`,
//! newer ones `trustpolicy.oci.json` first: whoever reads one only may go by a policy that the other replaced.

use std::path::{Path, PathBuf};

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

    /// The trust policy that is in force in a configuration folder; `None` where there is none. A file that cannot be
    /// read is an error, never passed over for another.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn in_force(configuration: &Path, kind: PolicyKind) -> Result<Option<Self>, FileError> {
        let (first, second) = kind.files();
        let read = |name: &str| {
            let path = configuration.join(name);
            match fs::read_bounded(&path, limits::CONFIG_FILE_BYTES) {
                Ok(bytes) => Ok(Some(Self::new(path, bytes))),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error),
            }
        };
        let fallback = second.map(read).transpose()?.flatten();
        Ok(match (read(first)?, fallback) {
            (Some(file), Some(other)) if file.bytes != other.bytes => {
                Some(Self { shadowed: Some(other.path), ..file })
            }
            (Some(file), _) => Some(file),
            (None, fallback) => fallback,
        })
    }
}

impl PolicyKind {
    /// The file's name, and that of the one which is read where it is not there.
    pub(crate) const fn files(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Oci => ("trustpolicy.oci.json", Some("trustpolicy.json")),
            Self::Blob => ("trustpolicy.blob.json", None),
        }
    }
}
