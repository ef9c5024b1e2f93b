//! Reading archives, from their folder or from a tar file.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use serde::Deserialize;

use super::{ASIDE, ArchiveError, FILES, INDEX_FILE, Links, SUMS_FILE, VERSION, names, unreadable};
use crate::{
    crypto,
    dct::{Gun, TrustData},
    fs, limits,
};

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

    /// What tells this archive from any other: the SHA-256 digest of its list of checksums, in hex.
    #[must_use]
    pub fn identity(&self) -> String {
        let sums = self.files.get(SUMS_FILE).map(Vec::as_slice).unwrap_or_default();
        crypto::hex(&crypto::sha256(sums))
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
        let own = format!("v2/{gun}/_trust/");
        let from_there = self.files.range(own.clone()..);
        for (name, bytes) in from_there.take_while(|(name, _)| name.starts_with(&own)) {
            if let Some((_, folder, file)) = place(name) {
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

/// Repository, folder and file name of a metadata file's place in the archive.
fn place(name: &str) -> Option<(Gun, &str, &str)> {
    let (gun, rest) = name.strip_prefix("v2/")?.split_once("/_trust/")?;
    let (folder, file) = rest.split_once('/')?;
    let is_ours = (folder == FILES || folder.starts_with(ASIDE)) && TrustData::is_file_name(file);
    Some((gun.parse().ok()?, folder, file)).filter(|_| is_ours)
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
