//! Archives of trust data: a folder, or the same in one tar file, that stays useful when the server is gone.
//!
//! ```text
//! README.md, check.py                how to check it without this program
//! index.json                         every repository with its record, what had no trust data, what failed
//! SHA256SUMS                         of all other files, for sha256sum -c
//! v2/GUN/_trust/tuf/ROLE.json        the files as they were served, in the places that servers have them
//! v2/GUN/_trust/record.json          the repository's record; there once all of its files are
//! ```
//!
//! Files are written before they are judged, each by rename, so an export that broke off leaves whole files
//! and goes on where it stopped. Checksums find accidents; whether a file can be trusted is judged anew, from
//! the file.

mod reader;
mod writer;

use std::{
    fs as std_fs, io,
    path::{Path, PathBuf},
};

pub use reader::Archive;
pub use writer::{ArchiveWriter, ExportRecord, ExportRun, FailedRepository, Incoming, Origin};

use super::TrustData;
use crate::{
    fs::{self, FileError},
    limits,
};

const INDEX_FILE: &str = "index.json";
const SUMS_FILE: &str = "SHA256SUMS";
const REPOSITORIES: &str = "v2";
/// The folder of a repository's files, below `_trust`, as servers have it.
const FILES: &str = "tuf";
/// What the names of earlier files' folders begin with.
const ASIDE: &str = "tuf-";

/// The version of the archive's form.
const VERSION: u64 = 1;

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The operating system refused.
    #[error("archive {path} cannot be {verb}")]
    Io {
        /// The archive.
        path: PathBuf,
        /// `read`, `moved` or `removed`.
        verb: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A folder with something else in it.
    #[error("folder {0} is not empty, and not an archive of trust data")]
    ForeignFolder(PathBuf),
    /// Another export is writing there.
    #[error("another export is writing to {0}")]
    InUse(PathBuf),
    /// No folder with an index, and no tar file of one.
    #[error("{0} is not an archive of trust data: it has no SHA256SUMS")]
    NotAnArchive(PathBuf),
    /// More bytes than are read.
    #[error("archive {path} is over the limit of {limit} bytes", limit = limits::DCT_ARCHIVE_BYTES)]
    TooLarge {
        /// The archive.
        path: PathBuf,
    },
    /// A line of SHA256SUMS that is none.
    #[error("SHA256SUMS, line {0}: not a checksum and a file name")]
    BadSums(usize),
    /// A file with other bytes than were exported.
    #[error("file {file} has changed: its SHA-256 is {actual}, and SHA256SUMS has {listed}")]
    Changed {
        /// The file.
        file: String,
        /// Hex in SHA256SUMS.
        listed: String,
        /// Hex of the file.
        actual: String,
    },
    /// A file that is gone.
    #[error("file {0} is missing, and SHA256SUMS lists it")]
    Missing(String),
    /// A file that was not exported, or an export that has not come to its end.
    #[error("file {0} is not in SHA256SUMS")]
    Unlisted(String),
    /// A file name that leaves the archive, or that no export gives.
    #[error("archive has an entry {0:?}, which no export writes")]
    BadEntry(String),
    /// A repository's record is not what exports write.
    #[error("{path} is not the record of a repository")]
    BadRecord {
        /// The record.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// `index.json` is not what exports write.
    #[error("index.json is not the index of an archive")]
    BadIndex(#[source] serde_json::Error),
    /// An index of another form.
    #[error("index.json is of version {0}, and this program reads version {VERSION}")]
    UnknownVersion(u64),
}

impl ArchiveError {
    /// Whether this is what an export leaves that broke off.
    #[must_use]
    pub const fn is_unfinished(&self) -> bool {
        matches!(self, Self::NotAnArchive(_) | Self::Unlisted(_))
    }

    /// Whether a file is not as it was exported.
    #[must_use]
    pub const fn is_tampering(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Missing(_))
    }
}

/// Reads the metadata files of one folder: an archive's, a notary client's, or saved ones. Others that lie
/// about are passed over.
///
/// # Errors
/// [`ArchiveError`].
pub fn read_trust_data(folder: &Path) -> Result<TrustData, ArchiveError> {
    let mut data = TrustData::new();
    if !folder.is_dir() {
        return Ok(data);
    }
    let names = names(folder, Links::PassOver)?;
    for name in names.into_iter().filter(|name| TrustData::is_file_name(name)) {
        let bytes = fs::read_bounded(&folder.join(&name), limits::DCT_FILE_BYTES)?;
        data.insert(name, bytes);
    }
    Ok(data)
}

/// The names of the repositories below a folder: those that have `marker` below them. Some of them may be none that an
/// archive can hold.
///
/// # Errors
/// [`ArchiveError`].
pub fn repositories_below(folder: &Path, marker: &str) -> Result<Vec<String>, ArchiveError> {
    let suffix = format!("/{marker}");
    let names = names(folder, Links::PassOver)?;
    let below = names.iter().filter_map(|name| name.strip_suffix(suffix.as_str()));
    Ok(below.map(ToOwned::to_owned).collect())
}

/// What becomes of links, which no export writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    Refuse,
    PassOver,
}

/// Names of all files below a folder, with `/`, in order; those that begin with a dot are none of ours.
fn names(folder: &Path, links: Links) -> Result<Vec<String>, ArchiveError> {
    let mut names = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(below) = folders.pop() {
        let path = folder.join(&below);
        for entry in std_fs::read_dir(&path).map_err(unreadable(&path))? {
            let entry = entry.map_err(unreadable(&path))?;
            let name = entry.file_name();
            let name = name
                .to_str()
                .ok_or_else(|| ArchiveError::BadEntry(name.to_string_lossy().into_owned()))?;
            if name.starts_with('.') {
                continue;
            }
            let name = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            let kind = entry.file_type().map_err(unreadable(&path))?;
            match (kind.is_dir(), kind.is_file()) {
                (true, _) => folders.push(name),
                (_, true) => names.push(name),
                _ if links == Links::PassOver => {}
                // A link could lead anywhere.
                _ => return Err(ArchiveError::BadEntry(name)),
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    failed(path, "read")
}

fn failed(path: &Path, verb: &'static str) -> impl Fn(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::Io { path: path.clone(), verb, source }
}
