//! The files of one repository, as they were served.

use std::collections::BTreeMap;

use super::Role;

/// Metadata files by the names that servers give them: `root.json`, `2.root.json`, `timestamp.json`,
/// `targets/releases.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustData {
    files: BTreeMap<String, Vec<u8>>,
}

impl TrustData {
    /// No files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a file.
    pub fn insert(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.files.insert(name.into(), bytes);
    }

    /// A file's bytes.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// All files, by name.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// The versions of the root: name, number and bytes of each `N.root.json`.
    pub(super) fn root_versions(&self) -> impl Iterator<Item = (&str, u64, &[u8])> {
        self.files().filter_map(|(name, bytes)| Some((name, Self::root_version(name)?, bytes)))
    }

    /// The number in `N.root.json`.
    pub(super) fn root_version(name: &str) -> Option<u64> {
        let digits =
            name.strip_suffix(".json")?.strip_suffix(Role::Root.as_str())?.strip_suffix('.')?;
        let number = digits.parse().ok()?;
        // Neither `02.root.json` nor `+2.root.json`.
        (digits == format!("{number}")).then_some(number).filter(|number| *number > 0)
    }

    /// Whether a file may be called that: a role's, or a version of the root.
    #[must_use]
    pub fn is_file_name(name: &str) -> bool {
        Self::root_version(name).is_some()
            || name.strip_suffix(".json").is_some_and(|role| role.parse::<Role>().is_ok())
    }
}
