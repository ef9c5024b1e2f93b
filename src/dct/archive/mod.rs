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

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self as std_fs, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{Gun, RepositoryRecord, TrustData};
use crate::{
    crypto,
    fs::{self, FileError, FolderLock},
    limits,
};

/// What every archive has beside its data, so that it can be read without this program.
const GUIDES: [(&str, &str); 2] =
    [("README.md", include_str!("README.md")), ("check.py", include_str!("check.py"))];
const INDEX_FILE: &str = "index.json";
const SUMS_FILE: &str = "SHA256SUMS";
const REPOSITORIES: &str = "v2";
/// The folder of a repository's files, below `_trust`, as servers have it.
const FILES: &str = "tuf";
/// Where files wait that may replace a repository's; it begins with a dot, and so is no part of the archive.
const INCOMING: &str = ".incoming";
/// What the names of earlier files' folders begin with.
const ASIDE: &str = "tuf-";
const FILE_MODE: u32 = 0o644;

/// A repository's record, below its name.
const RECORD_PLACE: &str = "_trust/record.json";
/// Who writes archives.
const TOOL: &str = concat!("notation-kms ", env!("CARGO_PKG_VERSION"));
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

/// Why a GUN has no trust data in the archive.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a caller gives both")]
pub struct FailedRepository {
    /// The repository.
    pub gun: String,
    /// What went wrong.
    pub error: String,
}

/// What one run of an export came to.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "a caller gives every part")]
pub struct ExportRun {
    /// The time, RFC 3339.
    pub written_at: String,
    /// The repositories that the run was about.
    pub asked: BTreeSet<String>,
    /// Records of those of which not every file could be had.
    pub incomplete: Vec<Box<RawValue>>,
    /// Those that the source has nothing for.
    pub no_trust_data: Vec<String>,
    /// Those that failed.
    pub failed: Vec<FailedRepository>,
}

/// `index.json`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    archive_version: u64,
    tool: String,
    written_at: String,
    repositories: Vec<Box<RawValue>>,
    no_trust_data: Vec<String>,
    failed: Vec<FailedRepository>,
}

/// An archive that is being written, by one process at a time.
#[derive(Debug)]
pub struct ArchiveWriter {
    root: PathBuf,
    /// Locked until this is dropped, however the process ends.
    _lock: FolderLock,
}

impl ArchiveWriter {
    /// An archive in a folder: a new one, or one to go on with.
    ///
    /// # Errors
    /// [`ArchiveError::ForeignFolder`], [`ArchiveError::File`].
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ArchiveError> {
        let root = root.into();
        fs::create_folder(&root)?;
        let entries = std_fs::read_dir(&root).map_err(unreadable(&root))?;
        let is_ours = |name: &std::ffi::OsStr| {
            let guides = GUIDES.iter().map(|(guide, _)| *guide);
            guides.chain([INDEX_FILE, SUMS_FILE, REPOSITORIES]).any(|ours| name == ours)
                || name.as_encoded_bytes().starts_with(b".")
        };
        for entry in entries {
            if !is_ours(&entry.map_err(unreadable(&root))?.file_name()) {
                return Err(ArchiveError::ForeignFolder(root));
            }
        }
        match fs::lock_folder(&root)? {
            Some(lock) => Ok(Self { root, _lock: lock }),
            None => Err(ArchiveError::InUse(root)),
        }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes the files of a repository. They wait beside those that are there until they are settled, so that a
    /// source which fails or has nothing any more takes nothing away.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn incoming(&self, gun: &Gun) -> Result<Incoming, ArchiveError> {
        let settled = self.files(gun);
        let incoming = Incoming { folder: settled.with_file_name(INCOMING), settled };
        incoming.remove()?;
        Ok(incoming)
    }

    /// The files that are there.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn data(&self, gun: &Gun) -> Result<TrustData, ArchiveError> {
        read_trust_data(&self.files(gun))
    }

    /// The files of earlier exports that were put aside.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn earlier(&self, gun: &Gun) -> Result<Vec<TrustData>, ArchiveError> {
        let folder = self.files(gun).with_file_name("");
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let entries = std_fs::read_dir(&folder).map_err(unreadable(&folder))?;
        let mut earlier = Vec::new();
        for entry in entries {
            let entry = entry.map_err(unreadable(&folder))?;
            if entry.file_name().to_string_lossy().starts_with(ASIDE) {
                earlier.push(read_trust_data(&entry.path())?);
            }
        }
        Ok(earlier)
    }

    /// Holds the files of a complete repository against its record.
    ///
    /// # Errors
    /// [`ArchiveError::Changed`] or [`ArchiveError::Missing`], where a file is not as it was exported: the
    /// next checksums would pass it as right.
    pub fn check_repository(&self, gun: &Gun) -> Result<(), ArchiveError> {
        let Some(record) = self.recorded(gun)? else { return Ok(()) };
        let data = self.data(gun)?;
        for Exported { file, sha256 } in record.roles {
            let Some(listed) = sha256 else { continue };
            let name = format!("{REPOSITORIES}/{gun}/_trust/{FILES}/{file}");
            let bytes = data.get(&file).ok_or_else(|| ArchiveError::Missing(name.clone()))?;
            let actual = crypto::hex(&crypto::sha256(bytes));
            if actual != listed {
                return Err(ArchiveError::Changed { file: name, listed, actual });
            }
        }
        Ok(())
    }

    /// Where and when a repository was exported, if all of its files are there.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn origin(&self, gun: &Gun) -> Result<Option<Origin>, ArchiveError> {
        let origin =
            |record: Recorded| Origin { source: record.source, exported_at: record.exported_at };
        Ok(self.recorded(gun)?.map(origin))
    }

    fn recorded(&self, gun: &Gun) -> Result<Option<Recorded>, ArchiveError> {
        let place = self.record_file(gun);
        let bytes = match fs::read_bounded(&place, limits::DCT_FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let record = serde_json::from_slice(&bytes);
        record.map(Some).map_err(|source| ArchiveError::BadRecord { path: place, source })
    }

    /// Keeps the record of a repository whose files are all there.
    ///
    /// # Errors
    /// [`ArchiveError::File`].
    pub fn complete(&self, gun: &Gun, record: &ExportRecord<'_>) -> Result<(), ArchiveError> {
        let mut text = serde_json::to_vec_pretty(record).map_err(ArchiveError::BadIndex)?;
        text.push(b'\n');
        Ok(fs::write_atomic(&self.record_file(gun), &text, FILE_MODE)?)
    }

    /// Writes the index, the guides and the checksums: the archive is whole then. Repositories that stand in
    /// the archive from earlier runs stay in its index.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn finish(&self, run: &ExportRun) -> Result<(), ArchiveError> {
        let mut index = self.earlier_index()?;
        let is_settled = |gun: &str| run.asked.contains(gun);
        index.no_trust_data.retain(|gun| !is_settled(gun));
        index.failed.retain(|failed| !is_settled(&failed.gun));
        index.repositories.retain(|record| {
            let Head { gun, complete } = Head::of(record);
            !complete && !is_settled(&gun)
        });
        index.no_trust_data.extend_from_slice(&run.no_trust_data);
        index.failed.extend_from_slice(&run.failed);
        index.repositories.extend_from_slice(&run.incomplete);
        for gun in self.complete_repositories()? {
            index.repositories.push(self.one_line(&gun)?);
        }
        index.no_trust_data.sort();
        index.failed.sort_by(|a, b| a.gun.cmp(&b.gun));
        index.repositories.sort_by_cached_key(|record| Head::of(record).gun);
        index.written_at = run.written_at.clone();
        self.write_index(&index)?;
        for (name, text) in GUIDES {
            fs::write_atomic(&self.root.join(name), text.as_bytes(), FILE_MODE)?;
        }
        self.write_sums()
    }

    /// The repositories of which all files are there.
    fn complete_repositories(&self) -> Result<Vec<Gun>, ArchiveError> {
        let folder = self.root.join(REPOSITORIES);
        if folder.is_dir() { repositories_below(&folder, RECORD_PLACE) } else { Ok(Vec::new()) }
    }

    /// A record on one line, as the index has it: thousands of them are held as text.
    fn one_line(&self, gun: &Gun) -> Result<Box<RawValue>, ArchiveError> {
        let path = self.record_file(gun);
        let bytes = fs::read_bounded(&path, limits::DCT_FILE_BYTES)?;
        let value: Result<Value, _> = serde_json::from_slice(&bytes);
        value
            .and_then(|value| serde_json::value::to_raw_value(&value))
            .map_err(|source| ArchiveError::BadRecord { path, source })
    }

    /// What `index.json` says from earlier runs; one that cannot be read is made anew.
    fn earlier_index(&self) -> Result<Index, ArchiveError> {
        match fs::read_bounded(&self.root.join(INDEX_FILE), limits::DCT_ARCHIVE_BYTES) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.is_not_found() => Ok(Index::default()),
            Err(error) => Err(error.into()),
        }
    }

    fn write_index(&self, index: &Index) -> Result<(), ArchiveError> {
        let index = Index { archive_version: VERSION, tool: TOOL.to_owned(), ..index.clone() };
        let mut text = serde_json::to_vec_pretty(&index).map_err(ArchiveError::BadIndex)?;
        text.push(b'\n');
        Ok(fs::write_atomic(&self.root.join(INDEX_FILE), &text, FILE_MODE)?)
    }

    fn write_sums(&self) -> Result<(), ArchiveError> {
        let mut sums = String::new();
        for name in names(&self.root, Links::Refuse)?.iter().filter(|name| *name != SUMS_FILE) {
            let bytes = fs::read_bounded(&self.root.join(name), limits::DCT_ARCHIVE_BYTES)?;
            sums.extend([&crypto::hex(&crypto::sha256(&bytes)), "  ", name, "\n"]);
        }
        Ok(fs::write_atomic(&self.root.join(SUMS_FILE), sums.as_bytes(), FILE_MODE)?)
    }

    /// Writes the whole archive into one tar file as well.
    ///
    /// # Errors
    /// [`ArchiveError`]; no half of a file is left then.
    pub fn write_tar(&self, to: &Path) -> Result<(), ArchiveError> {
        let names = names(&self.root, Links::Refuse)?;
        let written = fs::write_atomic_with(to, FILE_MODE, |file| {
            let mut tar = tar::Builder::new(io::BufWriter::new(file));
            tar.mode(tar::HeaderMode::Deterministic);
            for name in &names {
                tar.append_path_with_name(self.root.join(name), name)?;
            }
            tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error).map(drop)
        });
        Ok(written?)
    }

    /// Holds every complete repository but those of `except` against its record, before anything is written.
    ///
    /// # Errors
    /// [`ArchiveError::Changed`], [`ArchiveError::Missing`].
    pub fn check(&self, except: &BTreeSet<String>) -> Result<(), ArchiveError> {
        for gun in self.complete_repositories()? {
            if !except.contains(gun.as_str()) {
                self.check_repository(&gun)?;
            }
        }
        Ok(())
    }

    fn files(&self, gun: &Gun) -> PathBuf {
        self.root.join(REPOSITORIES).join(gun.as_str()).join("_trust").join(FILES)
    }

    fn record_file(&self, gun: &Gun) -> PathBuf {
        self.root.join(REPOSITORIES).join(gun.as_str()).join(RECORD_PLACE)
    }
}

/// Files of a repository on their way into an archive.
#[derive(Debug)]
pub struct Incoming {
    folder: PathBuf,
    settled: PathBuf,
}

impl Incoming {
    /// Keeps one file as served.
    ///
    /// # Errors
    /// [`ArchiveError::File`]; nothing is half-written then.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        Ok(fs::write_atomic(&self.folder.join(name), bytes, FILE_MODE)?)
    }

    /// Puts the files that came in their place. Those of an `earlier` export are put aside below a name that
    /// tells when that was, if there is any difference; those of one that broke off are replaced.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn settle(self, earlier: Option<&Origin>) -> Result<(), ArchiveError> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        let there = self.settled.is_dir();
        if there && read_trust_data(&self.folder)? == read_trust_data(&self.settled)? {
            return self.remove();
        }
        if let Some(origin) = earlier.filter(|_| there) {
            rename(&self.settled, &self.aside(&origin.exported_at))?;
        } else if there {
            std_fs::remove_dir_all(&self.settled).map_err(failed(&self.settled, "removed"))?;
        }
        rename(&self.folder, &self.settled)
    }

    /// Forgets the files that came.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn abandon(self) -> Result<(), ArchiveError> {
        self.remove()
    }

    fn remove(&self) -> Result<(), ArchiveError> {
        if self.folder.is_dir() {
            std_fs::remove_dir_all(&self.folder).map_err(failed(&self.folder, "removed"))?;
        }
        Ok(())
    }

    /// A folder that is not there yet, named after a time.
    fn aside(&self, when: &str) -> PathBuf {
        let digits: String = when.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = |n: u32| match n {
            0 => format!("{ASIDE}{digits}"),
            n => format!("{ASIDE}{digits}-{n}"),
        };
        let free = (0..).map(|n| self.settled.with_file_name(name(n))).find(|path| !path.exists());
        free.unwrap_or_else(|| self.settled.with_file_name(ASIDE))
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), ArchiveError> {
    std_fs::rename(from, to).map_err(failed(from, "moved"))
}

/// Where a repository's files came from, and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::exhaustive_structs, reason = "a caller gives both")]
pub struct Origin {
    /// `{"kind": "server", "url": …}`, or `local` or `raw` with their `folder`.
    pub source: Value,
    /// RFC 3339.
    pub exported_at: String,
}

/// A repository's record in an archive.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::exhaustive_structs, reason = "a caller gives every part")]
pub struct ExportRecord<'a> {
    /// What the files are worth, and what they say.
    #[serde(flatten)]
    pub repository: &'a RepositoryRecord,
    /// Where they came from.
    #[serde(flatten)]
    pub origin: Origin,
    /// Whether all files that the source has are there.
    pub complete: bool,
    /// Why not.
    pub error: Option<String>,
}

/// The parts of a record that tell whether the files are still those that it is about.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recorded {
    source: Value,
    exported_at: String,
    roles: Vec<Exported>,
}

#[derive(Deserialize)]
struct Exported {
    file: String,
    sha256: Option<String>,
}

/// What a record of the index is about.
#[derive(Default, Deserialize)]
struct Head {
    gun: String,
    complete: bool,
}

impl Head {
    fn of(record: &RawValue) -> Self {
        serde_json::from_str(record.get()).unwrap_or_default()
    }
}

/// An archive whose files all have the checksums that they were exported with.
#[derive(Debug)]
pub struct Archive {
    /// Names with `/`, relative to the archive.
    files: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    /// Reads an archive, from its folder or from a tar file, and holds every file against its checksum.
    ///
    /// # Errors
    /// [`ArchiveError`], which names the file that is not as it was exported.
    pub fn read(path: &Path) -> Result<Self, ArchiveError> {
        let files = if path.is_dir() { read_folder(path)? } else { read_tar(path)? };
        let archive = Self { files };
        archive.check_sums(path)?;
        archive.check_version()?;
        Ok(archive)
    }

    /// The repositories that have files here, by name.
    #[must_use]
    pub fn repositories(&self) -> Vec<Gun> {
        let mut guns: Vec<Gun> =
            self.files.keys().filter_map(|name| Some(place(name)?.0)).collect();
        guns.dedup();
        guns
    }

    /// The files of a repository.
    #[must_use]
    pub fn data(&self, gun: &Gun) -> TrustData {
        self.exports(gun).remove(FILES).unwrap_or_default()
    }

    /// The files of earlier exports that were put aside.
    #[must_use]
    pub fn earlier(&self, gun: &Gun) -> Vec<TrustData> {
        let exports = self.exports(gun).into_iter().filter(|(folder, _)| *folder != FILES);
        exports.map(|(_, data)| data).collect()
    }

    /// All that is there of a repository, by the folder that it stands in.
    fn exports(&self, gun: &Gun) -> BTreeMap<&str, TrustData> {
        let mut exports: BTreeMap<&str, TrustData> = BTreeMap::new();
        for (name, bytes) in &self.files {
            if let Some((_, folder, file)) = place(name).filter(|(owner, ..)| owner == gun) {
                exports.entry(folder).or_default().insert(file, bytes.clone());
            }
        }
        exports
    }

    fn check_sums(&self, path: &Path) -> Result<(), ArchiveError> {
        let sums = self.files.get(SUMS_FILE);
        let sums = sums.ok_or_else(|| ArchiveError::NotAnArchive(path.to_owned()))?;
        let mut listed = BTreeMap::new();
        for (i, line) in String::from_utf8_lossy(sums).lines().enumerate() {
            let (sum, name) = line.split_once("  ").ok_or(ArchiveError::BadSums(i + 1))?;
            listed.insert(name.to_owned(), sum.to_owned());
        }
        for (name, bytes) in self.files.iter().filter(|(name, _)| *name != SUMS_FILE) {
            let sum = listed.remove(name);
            let listed = sum.ok_or_else(|| ArchiveError::Unlisted(name.clone()))?;
            let actual = crypto::hex(&crypto::sha256(bytes));
            if actual != listed {
                return Err(ArchiveError::Changed { file: name.clone(), listed, actual });
            }
        }
        match listed.into_keys().next() {
            Some(name) => Err(ArchiveError::Missing(name)),
            None => Ok(()),
        }
    }

    fn check_version(&self) -> Result<(), ArchiveError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Form {
            archive_version: u64,
        }
        let index = self.files.get(INDEX_FILE);
        let index = index.ok_or_else(|| ArchiveError::Missing(INDEX_FILE.to_owned()))?;
        let form: Form = serde_json::from_slice(index).map_err(ArchiveError::BadIndex)?;
        match form.archive_version {
            VERSION => Ok(()),
            other => Err(ArchiveError::UnknownVersion(other)),
        }
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

/// The repositories below a folder: those that have `MARKER` below their name.
///
/// # Errors
/// [`ArchiveError`].
pub fn repositories_below(folder: &Path, marker: &str) -> Result<Vec<Gun>, ArchiveError> {
    let suffix = format!("/{marker}");
    let names = names(folder, Links::PassOver)?;
    let guns = names.iter().filter_map(|name| name.strip_suffix(suffix.as_str())?.parse().ok());
    Ok(guns.collect())
}

/// Repository, folder and file name of a metadata file's place in the archive.
fn place(name: &str) -> Option<(Gun, &str, &str)> {
    let (gun, rest) = name.strip_prefix("v2/")?.split_once("/_trust/")?;
    let (folder, file) = rest.split_once('/')?;
    let is_ours = (folder == FILES || folder.starts_with(ASIDE)) && TrustData::is_file_name(file);
    Some((gun.parse().ok()?, folder, file)).filter(|_| is_ours)
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

fn read_folder(root: &Path) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    let mut files = BTreeMap::new();
    let mut room = limits::DCT_ARCHIVE_BYTES;
    for name in names(root, Links::Refuse)? {
        let bytes = fs::read_bounded(&root.join(&name), room)?;
        room = room
            .checked_sub(bytes.len())
            .ok_or_else(|| ArchiveError::TooLarge { path: root.to_owned() })?;
        files.insert(name, bytes);
    }
    Ok(files)
}

fn read_tar(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    let io_error = unreadable(path);
    let file = File::open(path).map_err(&io_error)?;
    // One byte more than the limit shows that there is more.
    let limit = u64::try_from(limits::DCT_ARCHIVE_BYTES).unwrap_or(u64::MAX);
    let mut tar = tar::Archive::new(io::BufReader::new(file.take(limit.saturating_add(1))));
    let mut files = BTreeMap::new();
    let mut room = limits::DCT_ARCHIVE_BYTES;
    for entry in tar.entries().map_err(&io_error)? {
        let mut entry = entry.map_err(&io_error)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type().is_dir() {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(ArchiveError::BadEntry(name));
        }
        let name = name.trim_start_matches("./").to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(&io_error)?;
        room = room
            .checked_sub(bytes.len())
            .ok_or_else(|| ArchiveError::TooLarge { path: path.to_owned() })?;
        if files.insert(name.clone(), bytes).is_some() {
            return Err(ArchiveError::BadEntry(name));
        }
    }
    Ok(files)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    failed(path, "read")
}

fn failed(path: &Path, verb: &'static str) -> impl Fn(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::Io { path: path.clone(), verb, source }
}
