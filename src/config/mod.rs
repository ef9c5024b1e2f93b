//! The machine: environment, clock, and notation's folders and files. Nothing else reads them.

mod host;
mod policy;
mod signing_keys;

use std::{
    env,
    path::{Path, PathBuf},
};

use time::UtcDateTime;

use crate::crypto;

pub(crate) use host::{docker_settings, shell_profiles, trust_folders, variables_like};
pub use signing_keys::{KeyEntry, KeyName, KeyNameError, SigningKeys, SigningKeysError};

/// Enough of a digest to tell the chains of one key apart.
const CHAIN_DIGEST_BYTES: usize = 8;

/// Notation's folders (notation-go's `dir` package names them; traps: `truststore` has no hyphen).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Directories {
    /// `$NOTATION_CONFIG`, else `notation` in the user's configuration folder.
    pub config: PathBuf,
    /// `$NOTATION_LIBEXEC`, else the same as `config`: plugins live here.
    pub libexec: PathBuf,
    /// `$NOTATION_CACHE`, else `notation` in the user's cache folder, where there is one.
    pub cache: Option<PathBuf>,
}

/// Why there is no configuration folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error(
    "no configuration folder: neither NOTATION_CONFIG, XDG_CONFIG_HOME nor HOME is set to an absolute path"
)]
pub struct NoConfigurationFolder;

/// What the operating system's clock says.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> UtcDateTime {
    UtcDateTime::now()
}

/// An environment variable; `None` where it is not set, empty or not UTF-8.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

impl Directories {
    /// The folders that the environment names.
    ///
    /// # Errors
    /// [`NoConfigurationFolder`]. Unlike the notation CLI this never falls back to `./.notation`: a
    /// trust store must not come from whatever folder a program was started in.
    pub fn from_environment() -> Result<Self, NoConfigurationFolder> {
        let config = absolute("NOTATION_CONFIG")
            .or_else(|| Some(user_config()?.join("notation")))
            .ok_or(NoConfigurationFolder)?;
        let libexec = absolute("NOTATION_LIBEXEC").unwrap_or_else(|| config.clone());
        let cache = absolute("NOTATION_CACHE").or_else(|| Some(user_cache()?.join("notation")));
        Ok(Self { config, libexec, cache })
    }

    /// The folders inside a configuration folder, as `XDG_CONFIG_HOME` names one.
    #[must_use]
    pub fn under(xdg_config_home: impl Into<PathBuf>) -> Self {
        let config = xdg_config_home.into().join("notation");
        Self { libexec: config.clone(), config, cache: None }
    }

    /// `signingkeys.json`
    #[must_use]
    pub fn signing_keys(&self) -> PathBuf {
        self.config.join("signingkeys.json")
    }

    /// Where `key add` keeps its copy of a key's certificate chain, `kms/NAME-DIGEST.pem`: a renewed chain
    /// gets a file of its own, so that nobody reads it for a key that is not changed yet.
    #[must_use]
    pub fn key_chain(&self, name: &KeyName, pem: &[u8]) -> PathBuf {
        let digest = crypto::hex(crypto::sha256(pem).get(..CHAIN_DIGEST_BYTES).unwrap_or_default());
        self.key_chains().join(format!("{name}-{digest}.pem"))
    }

    /// Whether a file is a copy of a chain of that key.
    #[must_use]
    pub fn is_key_chain(&self, name: &KeyName, path: &Path) -> bool {
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        let digest = file
            .strip_prefix(name.as_str())
            .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".pem"))
            .unwrap_or_default();
        let is_digest = digest.len() == 2 * CHAIN_DIGEST_BYTES
            && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digest && path.parent() == Some(&self.key_chains())
    }

    fn key_chains(&self) -> PathBuf {
        self.config.join("kms")
    }

    /// Where the executable of a plugin stands: `plugins/NAME/notation-NAME`.
    #[must_use]
    pub fn plugin(&self, name: &str) -> PathBuf {
        let file = format!("notation-{name}{}", env::consts::EXE_SUFFIX);
        self.plugins().join(name).join(file)
    }

    /// The folder of all plugins.
    #[must_use]
    pub fn plugins(&self) -> PathBuf {
        self.libexec.join("plugins")
    }

    /// The folder of all trust stores.
    #[must_use]
    pub fn trust_stores(&self) -> PathBuf {
        self.config.join("truststore")
    }

    /// The folder of a named trust store of type `ca`.
    #[must_use]
    pub fn trust_store(&self, name: &str) -> PathBuf {
        self.trust_stores().join("x509").join("ca").join(name)
    }

    /// `trustpolicy.json`
    #[must_use]
    pub fn trust_policy(&self) -> PathBuf {
        self.config.join("trustpolicy.json")
    }
}

/// Docker's configuration folder: `$DOCKER_CONFIG`, else `.docker` in the home folder.
#[must_use]
pub fn docker_folder() -> Option<PathBuf> {
    variable("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(absolute("HOME")?.join(".docker")))
}

/// Podman's files of credentials, the first to be read first (containers-auth.json(5)): `$REGISTRY_AUTH_FILE` alone
/// where it is set, else `containers/auth.json` in the folder of the session and in that of the configuration.
#[must_use]
pub fn podman_credentials() -> Vec<PathBuf> {
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        return vec![PathBuf::from(file)];
    }
    let kept = || Some(absolute("HOME")?.join(".config"));
    let folders = [absolute("XDG_RUNTIME_DIR"), absolute("XDG_CONFIG_HOME").or_else(kept)];
    folders
        .into_iter()
        .flatten()
        .map(|folder| folder.join("containers").join("auth.json"))
        .collect()
}

fn absolute(name: &str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn user_config() -> Option<PathBuf> {
    let home = || absolute("HOME");
    if cfg!(target_os = "macos") {
        return Some(home()?.join("Library").join("Application Support"));
    }
    if cfg!(windows) {
        return absolute("AppData");
    }
    absolute("XDG_CONFIG_HOME").or_else(|| Some(home()?.join(".config")))
}

fn user_cache() -> Option<PathBuf> {
    let home = || absolute("HOME");
    if cfg!(target_os = "macos") {
        return Some(home()?.join("Library").join("Caches"));
    }
    if cfg!(windows) {
        return absolute("LocalAppData");
    }
    absolute("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache")))
}
