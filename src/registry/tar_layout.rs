//! Image layouts in a tar, read in one pass and never unpacked: what is small enough to be a manifest or an
//! envelope is kept in memory, the rest is passed over.
//!
//! Whoever unpacks a tar has to get the files that were read here. What programs read in two ways is therefore refused,
//! also in entries that layouts do not have.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Cursor, Read, Seek},
    path::Path,
};

use tar::{Archive, Entries, Entry, EntryType};

use super::{
    layout::{INDEX, LayoutError, MARKER},
    tar_header::{self, ExtendedHeader},
};
use crate::{json, limits, text::is_invisible};

/// As many bytes as tell that a file is compressed.
const MAGIC_BYTES: u64 = 8;
/// What an entry costs in memory, whatever is in it.
const ENTRY_BYTES: usize = 512;

/// The files of a layout, by their names with `/`.
#[derive(Debug, Clone, Default)]
pub(super) struct TarFiles {
    files: BTreeMap<String, TarFile>,
    /// What they cost in memory.
    cost: usize,
}

#[derive(Debug, Clone)]
enum TarFile {
    Kept(Vec<u8>),
    /// No file of a layout, or over the limit of what is read, with its size.
    PassedOver(u64),
    Folder,
}

/// Why a tar is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// It cannot be read, or is no tar.
    #[error("tar cannot be read")]
    Io(#[from] io::Error),
    /// A compressed file, also where it is a tar at the same time.
    #[error("tar is compressed with {0}")]
    Compressed(&'static str),
    /// A name that leads out of the layout.
    #[error("tar entry {0:?} is an absolute path, or leads out of the tar")]
    Outside(String),
    /// A name that some programs and file systems take for another.
    #[error("tar entry {0:?} has a name that not every system reads alike")]
    Name(String),
    /// A link or a device, or a folder with bytes of its own.
    #[error("tar entry {0:?} is neither a regular file nor a folder")]
    NotAFile(String),
    /// A header that programs read in two ways.
    #[error("tar entry {name:?} has a header field {field} that not every program reads alike")]
    Header {
        /// The entry.
        name: String,
        /// The field, by the name that POSIX gives it.
        field: &'static str,
    },
    /// A name that some file systems take for that of a file of the layout.
    #[error("tar entry {0:?} differs from a name of image layouts in case only")]
    CaseDiffers(String),
    /// A name that programs read in two ways.
    #[error("tar has an extended header with the name {0:?}, which not every program reads alike")]
    ExtendedName(String),
    /// What is said of one entry in two places.
    #[error("tar has more than one extended header before an entry")]
    SecondName,
    /// An extended header that is about nothing.
    #[error("tar has an extended header with no entry behind it")]
    NoEntry,
    /// An extended header that is not of the form that pax has.
    #[error("tar has an extended header whose records are malformed")]
    Record,
    /// A record that changes what a file is for those programs alone that know it.
    #[error("tar has an extended header with {0:?}, which not every program reads")]
    Keyword(String),
    /// Entries that some programs see, and others do not.
    #[error("tar has data behind its end")]
    BehindEnd,
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
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        start(&mut file)?;
        file.rewind()?;
        let mut tar = Archive::new(file);
        let files = Self::collect(tar.entries_with_seek()?.raw(true), length)?;
        check_end(tar.into_inner())?;
        Ok(files)
    }

    /// Reads a tar to its end.
    pub(super) fn from_reader(mut reader: impl Read) -> Result<Self, TarError> {
        let start = start(&mut reader)?;
        let mut tar = Archive::new(start.chain(reader));
        let files = Self::collect(tar.entries()?.raw(true), u64::MAX)?;
        check_end(tar.into_inner())?;
        Ok(files)
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
            TarFile::Folder => None,
        }
    }

    /// `length`: bytes of the tar, where they are known. To skip over its end is no error for a file.
    fn collect<R: Read>(entries: Entries<'_, R>, length: u64) -> Result<Self, TarError> {
        let mut files = Self::default();
        let mut extended: Option<ExtendedHeader> = None;
        let mut ends_with_header = false;
        for entry in entries {
            let mut entry = entry?;
            tar_header::check(entry.header())?;
            let read = ExtendedHeader::read(&mut entry)?;
            let is_global = entry.header().entry_type() == EntryType::XGlobalHeader;
            ends_with_header = read.is_some() || is_global;
            if extended.is_some() && ends_with_header {
                return Err(TarError::SecondName);
            }
            if is_global {
                tar_header::read_global(&mut entry)?;
            } else if read.is_some() {
                extended = read;
            } else {
                let name = extended.take().and_then(|extended| extended.name);
                files.add(&mut entry, name, length)?;
            }
        }
        if ends_with_header {
            return Err(TarError::NoEntry);
        }
        Ok(files)
    }

    fn add<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        name: Option<Vec<u8>>,
        length: u64,
    ) -> Result<(), TarError> {
        let is_v7_folder = tar_header::is_v7_folder(entry.header());
        let is_folder = match entry.header().entry_type() {
            EntryType::Directory => true,
            _ => is_v7_folder && name.is_none(),
        };
        let written = name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let written = String::from_utf8_lossy(&written);
        let name = normal_name(&written)?;
        let (expected, actual) = (entry.size(), length.saturating_sub(entry.raw_file_position()));
        match entry.header().entry_type() {
            _ if is_folder && expected == 0 && name.is_empty() => return Ok(()),
            _ if is_folder && expected == 0 => return self.insert(name, TarFile::Folder),
            // Programs take a file for a folder whose name ends so, some of them whatever name stands in front of it.
            EntryType::Regular if !is_folder_name(&written) && !is_v7_folder => {}
            _ => return Err(TarError::NotAFile(written.into_owned())),
        }
        if actual < expected {
            return Err(TarError::Truncated { name, expected, actual });
        }
        let file = TarFile::read(&name, entry)?;
        self.insert(name, file)
    }

    /// Adds a file or a folder, and the folders that it is in.
    fn insert(&mut self, name: String, file: TarFile) -> Result<(), TarError> {
        for (at, _) in name.match_indices('/') {
            self.insert_one(name.get(..at).unwrap_or_default(), TarFile::Folder)?;
        }
        self.insert_one(&name, file)
    }

    fn insert_one(&mut self, name: &str, file: TarFile) -> Result<(), TarError> {
        match (self.files.get(name), &file) {
            (Some(TarFile::Folder), TarFile::Folder) => return Ok(()),
            (Some(_), _) => return Err(TarError::Twice(name.to_owned())),
            (None, _) => {}
        }
        self.cost = self.cost.saturating_add(file.cost()).saturating_add(name.len());
        if self.cost > limits::LAYOUT_TAR_BYTES {
            return Err(TarError::TooLarge);
        }
        self.files.insert(name.to_owned(), file);
        Ok(())
    }
}

impl TarFile {
    fn read<R: Read>(name: &str, entry: &mut Entry<'_, R>) -> Result<Self, TarError> {
        let expected = entry.size();
        if !is_of_layout(name) {
            return Ok(Self::PassedOver(expected));
        }
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
            Self::PassedOver(_) | Self::Folder => ENTRY_BYTES,
        }
    }
}

/// The first bytes of a tar that is not compressed.
fn start(reader: &mut impl Read) -> Result<Cursor<Vec<u8>>, TarError> {
    let mut start = Vec::new();
    reader.take(MAGIC_BYTES).read_to_end(&mut start)?;
    tar_header::check_start(&start)?;
    Ok(Cursor::new(start))
}

/// The name of an entry below the layout's folder: one for all ways to write it.
fn normal_name(written: &str) -> Result<String, TarError> {
    let leads_out = written.starts_with('/') || written.split('/').any(|part| part == "..");
    if leads_out {
        return Err(TarError::Outside(written.to_owned()));
    }
    let parts: Vec<&str> =
        written.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if !parts.iter().all(|part| has_one_reading(part)) {
        return Err(TarError::Name(written.to_owned()));
    }
    let name = parts.join("/");
    let folded = json::fold(&name);
    if is_of_layout(&folded) && folded != name {
        return Err(TarError::CaseDiffers(written.to_owned()));
    }
    Ok(name)
}

/// bsdtar takes drive letters and backslashes off the front of a name, and Windows those dots and spaces off the end of
/// a part; there, `:` is also in front of a file's other streams, and `~` in the short names of files. HFS+ passes over
/// characters of no width.
fn has_one_reading(part: &str) -> bool {
    !part.ends_with(['.', ' '])
        && !part
            .contains(|c: char| matches!(c, '\\' | ':' | '~') || c.is_control() || is_invisible(c))
}

/// Whether layouts have a file or a folder of that name.
fn is_of_layout(name: &str) -> bool {
    [MARKER, INDEX, "blobs"].contains(&name.split('/').next().unwrap_or_default())
}

fn is_folder_name(written: &str) -> bool {
    matches!(written.rsplit('/').next(), Some("" | "."))
}

/// A tar ends with blocks of zeros. What stands behind the first is read by some programs, and not by others.
fn check_end(mut rest: impl Read) -> Result<(), TarError> {
    let mut buffer = [0; 8192];
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) if buffer.iter().take(read).all(|byte| *byte == 0) => {}
            Ok(_) => return Err(TarError::BehindEnd),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
