//! `signingkeys.json`, the notation CLI's own list of keys. Members that are not known here are kept.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    fs::{self, FileError},
    limits,
};

/// Notation writes the file so, because plugin configuration may hold what others should not read.
const MODE: u32 = 0o600;

/// The list of signing keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SigningKeys {
    /// Name of the key that `notation sign` takes without `--key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The keys, in the order they were added.
    #[serde(default)]
    pub keys: Vec<KeyEntry>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// One signing key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KeyEntry {
    /// The name that people use.
    pub name: String,
    /// The key's id, as the plugin knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The plugin that signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin_name: Option<String>,
    /// What the plugin is told with every request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plugin_config: BTreeMap<String, String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// A key's name that can stand in a file name and on a command line: letters, digits, `.`, `_` and `-`,
/// and neither `.` nor `-` at its beginning. The list of keys may hold others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// What is wrong with a key's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "key name {0:?} has something other than letters, digits, '.', '_' and '-', or begins with '.' or '-'"
)]
pub struct KeyNameError(String);

/// What is wrong with `signingkeys.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeysError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not what the notation CLI writes.
    #[error("{0} is not a list of signing keys")]
    Malformed(PathBuf, #[source] serde_json::Error),
    /// A key of that name is there already.
    #[error("key {0:?} exists already")]
    Exists(String),
    /// No key has that name.
    #[error("no key is named {0:?}")]
    NotFound(String),
}

impl KeyEntry {
    /// A key that the plugin `plugin` signs with.
    #[must_use]
    pub fn new(
        name: &str,
        id: &str,
        plugin: &str,
        plugin_config: BTreeMap<String, String>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            id: Some(id.to_owned()),
            plugin_name: Some(plugin.to_owned()),
            plugin_config,
            other: Map::new(),
        }
    }

    /// Key and certificate chain of a key that notation itself holds in files, as its first releases had them.
    #[must_use]
    pub fn local_files(&self) -> Option<(&str, &str)> {
        let file = |name| self.other.get(name).and_then(Value::as_str);
        Some((file("keyPath")?, file("certPath")?))
    }
}

impl KeyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(name: &str) -> Result<Self, KeyNameError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(fits) {
            return Err(KeyNameError(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SigningKeys {
    /// Reads the list; one that is not there is empty.
    ///
    /// # Errors
    /// [`SigningKeysError`].
    pub fn load(path: &Path) -> Result<Self, SigningKeysError> {
        let bytes = match fs::read_bounded(path, limits::CONFIG_FILE_BYTES) {
            Err(error) if error.is_not_found() => return Ok(Self::default()),
            other => other?,
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| SigningKeysError::Malformed(path.to_owned(), error))
    }

    /// Writes the list, by rename, for its owner alone.
    ///
    /// # Errors
    /// [`SigningKeysError`].
    pub fn save(&self, path: &Path) -> Result<(), SigningKeysError> {
        let malformed = |error| SigningKeysError::Malformed(path.to_owned(), error);
        let mut bytes = serde_json::to_vec_pretty(self).map_err(malformed)?;
        bytes.push(b'\n');
        Ok(fs::write_atomic(path, &bytes, MODE)?)
    }

    /// The key of that name.
    ///
    /// # Errors
    /// [`SigningKeysError::NotFound`].
    pub fn find(&self, name: &str) -> Result<&KeyEntry, SigningKeysError> {
        let found = self.keys.iter().find(|key| key.name == name);
        found.ok_or_else(|| SigningKeysError::NotFound(name.to_owned()))
    }

    /// Adds a key.
    ///
    /// # Errors
    /// [`SigningKeysError::Exists`].
    pub fn add(&mut self, key: KeyEntry) -> Result<(), SigningKeysError> {
        if self.find(&key.name).is_ok() {
            return Err(SigningKeysError::Exists(key.name));
        }
        self.keys.push(key);
        Ok(())
    }

    /// Takes a key out, and the default with it where it was that.
    ///
    /// # Errors
    /// [`SigningKeysError::NotFound`].
    pub fn remove(&mut self, name: &str) -> Result<KeyEntry, SigningKeysError> {
        let at = self.keys.iter().position(|key| key.name == name);
        let at = at.ok_or_else(|| SigningKeysError::NotFound(name.to_owned()))?;
        if self.default.as_deref() == Some(name) {
            self.default = None;
        }
        Ok(self.keys.remove(at))
    }

    /// The key of that name, to be changed.
    ///
    /// # Errors
    /// [`SigningKeysError::NotFound`].
    pub fn find_mut(&mut self, name: &str) -> Result<&mut KeyEntry, SigningKeysError> {
        let found = self.keys.iter_mut().find(|key| key.name == name);
        found.ok_or_else(|| SigningKeysError::NotFound(name.to_owned()))
    }
}
