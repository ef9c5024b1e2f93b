//! Who asks a registry: what the environment says, and what docker and podman have stored, themselves or through a
//! credential helper. What is stored stands in docker's configuration, where docker and the notation CLI find it.

mod error;
mod file;
mod helper;
mod members;
mod name;

use std::path::PathBuf;

use zeroize::Zeroizing;

pub(super) use self::{error::CredentialsError, helper::Helper};
use self::{file::AuthFile, name::Name};
use super::output;
use crate::{config, fs, http::Credential};

/// The variables that the notation CLI reads.
pub(super) const USERNAME: &str = "NOTATION_USERNAME";
pub(super) const PASSWORD: &str = "NOTATION_PASSWORD";
/// A whole configuration of docker, as CI systems set it.
const DOCKER_AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

/// What the environment says of nobody in particular. A password without a user is an identity token, as it is for
/// the notation CLI.
pub(super) fn of_environment() -> Option<Credential> {
    let password = Zeroizing::new(config::variable(PASSWORD)?);
    Some(match config::variable(USERNAME) {
        Some(username) => Credential::Basic { username, password },
        None => Credential::IdentityToken(password),
    })
}

/// What is stored for a registry: by docker, else by podman.
pub(super) fn of_registry(registry: &str) -> Option<Credential> {
    of_docker(registry).or_else(|| first(podman(), &Name::new(registry)))
}

/// What docker has stored for a registry, itself or through a credential helper.
pub(super) fn of_docker(registry: &str) -> Option<Credential> {
    first(docker(), &Name::new(registry))
}

/// Places beside docker's configuration file where a registry's credentials stand.
pub(super) fn elsewhere(registry: &str) -> Vec<String> {
    let name = Name::new(registry);
    let files = variable().into_iter().chain(podman()).filter_map(Result::ok);
    let holds = |file: &AuthFile| matches!(file.credential(&name), Ok(Some(_)));
    files.filter(holds).map(|file| file.place().to_owned()).collect()
}

/// Where docker keeps the credentials of one registry.
#[derive(Debug)]
pub(super) struct Keeper {
    name: Name,
    path: PathBuf,
    /// `None`: the file itself keeps them.
    pub(super) helper: Option<Helper>,
}

impl Keeper {
    /// By docker's configuration. Nothing is read but that.
    pub(super) fn of_registry(registry: &str) -> Result<Self, CredentialsError> {
        let path = config::docker_folder().ok_or(CredentialsError::NoFolder)?.join("config.json");
        let name = Name::new(registry);
        let file = AuthFile::open(&path)?;
        let helper = file.map(|file| file.helper(&name)).transpose()?.flatten();
        Ok(Self { name, path, helper })
    }

    /// Docker's configuration file.
    pub(super) const fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Keeps a credential. The file gets an empty entry where a helper has it, as docker writes one: an old
    /// password that stood there goes.
    pub(super) fn keep(&self, credential: &Credential) -> Result<(), CredentialsError> {
        if let Some(helper) = &self.helper {
            helper.store(self.name.key(), credential)?;
        }
        let in_file = self.helper.is_none().then_some(credential);
        self.change(|file| file.set(&self.name, in_file).map(|()| true)).map(drop)
    }

    /// Forgets what is kept under any name of the registry; whether there was anything.
    pub(super) fn forget(&self) -> Result<bool, CredentialsError> {
        let mut had = false;
        if let Some(helper) = &self.helper {
            for key in self.name.all_keys() {
                if helper.get(&key)?.is_some() {
                    helper.erase(&key)?;
                    had = true;
                }
            }
        }
        if AuthFile::open(&self.path)?.is_none() {
            return Ok(had);
        }
        Ok(self.change(|file| Ok(file.remove(&self.name)))? || had)
    }

    /// Changes the file as it is now, and writes it if it did change. Others of this program wait.
    fn change(
        &self,
        change: impl FnOnce(&mut AuthFile) -> Result<bool, CredentialsError>,
    ) -> Result<bool, CredentialsError> {
        let folder = self.path.parent().unwrap_or(&self.path);
        fs::create_folder(folder)?;
        let _turn = fs::lock_folder_in_turn(folder)?;
        let mut file = match AuthFile::open(&self.path)? {
            Some(file) => file,
            None => AuthFile::parse(&format!("file {}", self.path.display()), b"")?,
        };
        let changed = change(&mut file)?;
        if changed {
            file.save(&self.path)?;
        }
        Ok(changed)
    }
}

type Opened = Result<AuthFile, CredentialsError>;

/// The variable, and docker's file.
fn docker() -> impl Iterator<Item = Opened> {
    let folder = config::docker_folder().into_iter();
    let files = folder.filter_map(|folder| AuthFile::open(&folder.join("config.json")).transpose());
    variable().into_iter().chain(files)
}

fn variable() -> Option<Opened> {
    let text = Zeroizing::new(config::variable(DOCKER_AUTH_CONFIG)?);
    Some(AuthFile::parse(DOCKER_AUTH_CONFIG, text.as_bytes()))
}

fn podman() -> impl Iterator<Item = Opened> {
    let files = config::podman_credentials().into_iter();
    files.filter_map(|path| AuthFile::open(&path).transpose())
}

/// The first that is stored.
fn first(files: impl Iterator<Item = Opened>, name: &Name) -> Option<Credential> {
    files.filter_map(|file| warned(name, file)).find_map(|file| stored(&file, name))
}

/// What a helper has, else what the file itself holds.
fn stored(file: &AuthFile, name: &Name) -> Option<Credential> {
    if let Some(helper) = warned(name, file.helper(name)).flatten() {
        for key in name.helper_keys() {
            match helper.get(key) {
                Ok(Some(credential)) => return Some(credential),
                Ok(None) => {}
                Err(error) => {
                    warn(name, &error);
                    break;
                }
            }
        }
    }
    warned(name, file.credential(name)).flatten()
}

/// Going on without is what docker does too; the server's refusal would then be a riddle.
fn warned<T>(name: &Name, result: Result<T, CredentialsError>) -> Option<T> {
    result.inspect_err(|error| warn(name, error)).ok()
}

fn warn(name: &Name, error: &CredentialsError) {
    let mut text = format!("warning: no credentials for {}: {error}", name.host());
    if let Some(cause) = std::error::Error::source(error) {
        text.push_str(&format!(": {cause}"));
    }
    output::note(&text);
}
