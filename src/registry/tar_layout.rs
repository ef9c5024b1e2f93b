//! Image layouts in a tar, read in one pass and never unpacked: what is small enough to be a manifest or an
//! envelope is kept in memory, the rest is passed over.

use std::{
    collections::{BTreeMap, btree_map},
    fs::File,
    io::{self, Read},
    path::Path,
};

use tar::{Entries, Entry, EntryType};

use super::layout::{INDEX, LayoutError, MARKER};
use crate::limits;

/// What an entry costs in memory, whatever is in it.
const ENTRY_BYTES: usize = 512;

/// The files of a layout, by their names with `/`.
#[derive(Debug, Clone, Default)]
pub(super) struct TarFiles {
    files: BTreeMap<String, TarFile>,
}

#[derive(Debug, Clone)]
enum TarFile {
    Kept(Vec<u8>),
    /// Over the limit of what is read, with its size.
    PassedOver(u64),
}

/// Why a tar is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// It cannot be read, or is no tar.
    #[error("tar cannot be read")]
    Io(#[from] io::Error),
    /// A name that leads out of the layout.
    #[error("tar entry {0:?} is an absolute path, or leads out of the tar")]
    Outside(String),
    /// A link or a device where a file has to be.
    #[error("tar entry {0:?} is not a regular file")]
    NotAFile(String),
    /// Two entries of one name, of which nobody knows which one is meant.
    #[error("tar entry {0:?} is there twice")]
    Twice(String),
    /// An entry whose bytes are not all there.
    #[error("tar entry {name:?} has {actual} bytes, and its header says {expected}")]
    Truncated {
        /// The entry.
        name: String,
        /// Bytes by its header.
        expected: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// A header beside an entry that is larger than any real one.
    #[error("tar has an extended header of {size} bytes, over the limit of {limit} bytes", limit = limits::TAR_HEADER_BYTES)]
    LargeHeader {
        /// Bytes by its own header.
        size: u64,
    },
    /// An entry whose size does not stand in its own header: it has over 8 GiB.
    #[error("tar entry has its size in an extended header, which is not read")]
    ExtendedSize,
    /// More small files than any real layout has.
    #[error("tar holds over {limit} bytes of manifests and other small files", limit = limits::LAYOUT_TAR_BYTES)]
    TooLarge,
}

impl TarFiles {
    /// Reads a tar file. Large entries are not read but skipped.
    pub(super) fn open(path: &Path) -> Result<Self, TarError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut tar = tar::Archive::new(file);
        Self::collect(tar.entries_with_seek()?.raw(true), length)
    }

    /// Reads a tar to its end.
    pub(super) fn from_reader(reader: impl Read) -> Result<Self, TarError> {
        let mut tar = tar::Archive::new(reader);
        Self::collect(tar.entries()?.raw(true), u64::MAX)
    }

    /// The bytes of a file; `None` where there is none of that name.
    pub(super) fn get(&self, name: &str, limit: usize) -> Option<Result<&[u8], LayoutError>> {
        let too_large = |size| LayoutError::LargeEntry { name: name.to_owned(), size, limit };
        match self.files.get(name)? {
            TarFile::Kept(bytes) if bytes.len() <= limit => Some(Ok(bytes)),
            TarFile::Kept(bytes) => {
                Some(Err(too_large(u64::try_from(bytes.len()).unwrap_or(u64::MAX))))
            }
            TarFile::PassedOver(size) => Some(Err(too_large(*size))),
        }
    }

    /// `length`: bytes of the tar, where they are known. To skip over its end is no error for a file.
    fn collect<R: Read>(entries: Entries<'_, R>, length: u64) -> Result<Self, TarError> {
        let mut files = BTreeMap::new();
        let mut room = limits::LAYOUT_TAR_BYTES;
        let mut long_name = None;
        for entry in entries {
            let mut entry = entry?;
            if let Some(name) = read_long_name(&mut entry)? {
                long_name = name.or(long_name);
                continue;
            }
            let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
            let Some(name) = name_in_layout(&name)? else { continue };
            if entry.header().entry_type() == EntryType::Directory {
                continue;
            }
            if !entry.header().entry_type().is_file() {
                return Err(TarError::NotAFile(name));
            }
            let (expected, actual) =
                (entry.size(), length.saturating_sub(entry.raw_file_position()));
            if actual < expected {
                return Err(TarError::Truncated { name, expected, actual });
            }
            let file = TarFile::read(&name, &mut entry)?;
            room = room.checked_sub(file.cost()).ok_or(TarError::TooLarge)?;
            match files.entry(name) {
                btree_map::Entry::Vacant(vacant) => drop(vacant.insert(file)),
                btree_map::Entry::Occupied(taken) => {
                    return Err(TarError::Twice(taken.key().clone()));
                }
            }
        }
        Ok(Self { files })
    }
}

impl TarFile {
    fn read<R: Read>(name: &str, entry: &mut Entry<'_, R>) -> Result<Self, TarError> {
        let expected = entry.size();
        let limit = if name == INDEX { limits::LAYOUT_INDEX_BYTES } else { limits::MANIFEST_BYTES };
        if usize::try_from(expected).map_or(true, |size| size > limit) {
            return Ok(Self::PassedOver(expected));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if actual != expected {
            return Err(TarError::Truncated { name: name.to_owned(), expected, actual });
        }
        Ok(Self::Kept(bytes))
    }

    fn cost(&self) -> usize {
        match self {
            Self::Kept(bytes) => bytes.len().saturating_add(ENTRY_BYTES),
            Self::PassedOver(_) => ENTRY_BYTES,
        }
    }
}

/// The name that an extended header gives to the entry behind it: `None` where this is no such header,
/// `Some(None)` where it says nothing of a name.
fn read_long_name<R: Read>(entry: &mut Entry<'_, R>) -> Result<Option<Option<Vec<u8>>>, TarError> {
    let kind = entry.header().entry_type();
    let is_pax = matches!(kind, EntryType::XHeader | EntryType::XGlobalHeader);
    if !is_pax && !matches!(kind, EntryType::GNULongName | EntryType::GNULongLink) {
        return Ok(None);
    }
    let size = entry.size();
    if usize::try_from(size).map_or(true, |size| size > limits::TAR_HEADER_BYTES) {
        return Err(TarError::LargeHeader { size });
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    if kind == EntryType::GNULongName {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        bytes.truncate(end);
        return Ok(Some(Some(bytes)));
    }
    let mut name = None;
    if is_pax {
        for record in tar::PaxExtensions::new(&bytes) {
            let record = record?;
            match record.key_bytes() {
                b"path" => name = Some(record.value_bytes().to_vec()),
                b"size" => return Err(TarError::ExtendedSize),
                _ => {}
            }
        }
    }
    Ok(Some(name))
}

/// The name of an entry below the layout's folder; `None` for files that layouts do not have.
fn name_in_layout(name: &[u8]) -> Result<Option<String>, TarError> {
    let name = String::from_utf8_lossy(name);
    let leads_out = name.starts_with('/') || name.split('/').any(|part| part == "..");
    if leads_out {
        return Err(TarError::Outside(name.into_owned()));
    }
    // Whoever unpacks it gets one file for all ways to write its name.
    let parts: Vec<&str> =
        name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let name = parts.join("/");
    let is_ours = [MARKER, INDEX].contains(&name.as_str()) || name.starts_with("blobs/");
    Ok(is_ours.then_some(name))
}
