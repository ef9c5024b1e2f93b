//! Writing archives: files first, then the record that says that they are complete, then the index and the
//! checksums of the whole.

use std::{
    collections::BTreeSet,
    fs as std_fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{
    ASIDE, ArchiveError, FILES, INDEX_FILE, Links, REPOSITORIES, SUMS_FILE, VERSION, failed, names,
    read_trust_data, repositories_below, unreadable,
};
use crate::{
    crypto,
    dct::{Gun, RepositoryRecord, TrustData},
    fs::{self, FolderLock},
    limits,
};

/// What every archive has beside its data, so that it can be read without this program.
const GUIDES: [(&str, &str); 2] =
    [("README.md", include_str!("README.md")), ("check.py", include_str!("check.py"))];
/// Where files wait that may replace a repository's; it begins with a dot, and so is no part of the archive.
const INCOMING: &str = ".incoming";
/// A repository's record, below its name.
const RECORD_PLACE: &str = "_trust/record.json";
/// Who writes archives.
const TOOL: &str = concat!("notation-kms ", env!("CARGO_PKG_VERSION"));
const FILE_MODE: u32 = 0o644;

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
        // What was settled is put aside only for files that have come whole: a run that ended in between has left them.
        let was_settling = self.record_file(gun).is_file() && !incoming.settled.is_dir();
        if was_settling && incoming.folder.is_dir() {
            rename(&incoming.folder, &incoming.settled)?;
        }
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
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let names = repositories_below(&folder, RECORD_PLACE)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
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

    /// What `index.json` says from earlier runs. One that cannot be read is not made anew: it tells of repositories
    /// of which there are no files.
    fn earlier_index(&self) -> Result<Index, ArchiveError> {
        let bytes = match fs::read_bounded(&self.root.join(INDEX_FILE), limits::DCT_ARCHIVE_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(Index::default()),
            Err(error) => return Err(error.into()),
        };
        let index: Index = serde_json::from_slice(&bytes).map_err(ArchiveError::BadIndex)?;
        if index.archive_version == VERSION {
            Ok(index)
        } else {
            Err(ArchiveError::UnknownVersion(index.archive_version))
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
        self.earlier_index()?;
        self.check_aside()?;
        for gun in self.complete_repositories()? {
            if !except.contains(gun.as_str()) {
                self.check_repository(&gun)?;
            }
        }
        Ok(())
    }

    /// Holds what was put aside against the checksums of the last run. Nothing ever changes it, and judging goes by
    /// it: without it a roll-back would pass.
    fn check_aside(&self) -> Result<(), ArchiveError> {
        let sums = match fs::read_bounded(&self.root.join(SUMS_FILE), limits::DCT_ARCHIVE_BYTES) {
            Ok(sums) => sums,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let place = format!("/_trust/{ASIDE}");
        for (i, line) in String::from_utf8_lossy(&sums).lines().enumerate() {
            let (listed, name) = line.split_once("  ").ok_or(ArchiveError::BadSums(i + 1))?;
            if !name.contains(&place) || name.split('/').any(|part| part == "..") {
                continue;
            }
            let bytes = match fs::read_bounded(&self.root.join(name), limits::DCT_FILE_BYTES) {
                Ok(bytes) => bytes,
                Err(error) if error.is_not_found() => {
                    return Err(ArchiveError::Missing(name.to_owned()));
                }
                Err(error) => return Err(error.into()),
            };
            let actual = crypto::hex(&crypto::sha256(&bytes));
            if actual != listed {
                let (file, listed) = (name.to_owned(), listed.to_owned());
                return Err(ArchiveError::Changed { file, listed, actual });
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

/// What is put aside of an export that broke off, instead of its time.
const UNFINISHED: &str = "unfinished";

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

    /// Puts the files that came in their place: all that there are. Those of an `earlier` export are put aside below
    /// a name that tells when that was, if there is any difference; those of one that broke off likewise, where they
    /// hold something that has not come now.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn settle(self, earlier: Option<&Origin>) -> Result<(), ArchiveError> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        if self.settled.is_dir() {
            let (came, there) = (read_trust_data(&self.folder)?, read_trust_data(&self.settled)?);
            if came == there {
                return self.remove();
            }
            let lost = there.files().any(|(name, bytes)| came.get(name) != Some(bytes));
            match earlier {
                Some(origin) => rename(&self.settled, &self.aside(&origin.exported_at))?,
                None if lost => rename(&self.settled, &self.aside(UNFINISHED))?,
                None => self.remove_settled()?,
            }
        }
        rename(&self.folder, &self.settled)
    }

    /// Puts the files that came in their place, where others are missing. What an earlier try has brought and this
    /// one has not stays.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn settle_partial(self) -> Result<(), ArchiveError> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        if self.settled.is_dir() {
            let came = read_trust_data(&self.folder)?;
            for (name, bytes) in read_trust_data(&self.settled)?.files() {
                if came.get(name).is_none() {
                    self.keep(name, bytes)?;
                }
            }
            self.remove_settled()?;
        }
        rename(&self.folder, &self.settled)
    }

    fn remove_settled(&self) -> Result<(), ArchiveError> {
        std_fs::remove_dir_all(&self.settled).map_err(failed(&self.settled, "removed"))
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
