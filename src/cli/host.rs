//! The machine under the plugin: standard streams, notation's folders, keys, and nobody to ask.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use time::UtcDateTime;

use crate::{
    config::{self, Directories, SigningKeys},
    fs,
    keys::{self, KeyError, KeyOptions, KeyUri, SigningKey},
    limits,
    plugin::{self, Host, HostError},
};

/// Serves one protocol command with the streams of this process.
pub(super) fn serve(arguments: &[OsString]) -> ExitCode {
    plugin::silence_panics();
    let (input, output, errors) = (io::stdin().lock(), io::stdout().lock(), io::stderr().lock());
    if plugin::serve(arguments, input, output, errors, &Machine) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// This machine.
pub(super) struct Machine;

impl Host for Machine {
    fn now(&self) -> UtcDateTime {
        config::now()
    }

    fn read_chain(&self, path: &Path) -> Result<Vec<u8>, HostError> {
        Ok(fs::read_regular(path, limits::CERTIFICATE_FILE_BYTES)?)
    }

    fn stored_chain(&self, key_id: &KeyUri) -> Result<Option<PathBuf>, HostError> {
        let keys = SigningKeys::load(&Directories::from_environment()?.signing_keys())?;
        let mut chains: Vec<PathBuf> = keys
            .keys
            .iter()
            .filter(|key| key.id.as_deref() == Some(key_id.as_str()))
            .filter(|key| key.plugin_name.as_deref() == Some(plugin::NAME))
            .filter_map(|key| key.plugin_config.get(plugin::CERT_CHAIN).map(PathBuf::from))
            .collect();
        chains.sort();
        chains.dedup();
        match chains.as_slice() {
            [] => Ok(None),
            [chain] => Ok(Some(chain.clone())),
            _ => Err(format!("several keys have the id {key_id}: name one with --key").into()),
        }
    }

    fn open_key(
        &self,
        key_id: &KeyUri,
        config: &BTreeMap<String, String>,
        deadline: Duration,
    ) -> Result<Box<dyn SigningKey>, KeyError> {
        let secrets = Secrets { may_prompt: false };
        keys::open(key_id, &KeyOptions::new(config, deadline, &secrets))
    }
}

/// Passphrases: from the environment, and from a person where there is one.
pub(super) struct Secrets {
    pub(super) may_prompt: bool,
}

impl keys::Secrets for Secrets {
    fn variable(&self, name: &str) -> Option<String> {
        config::variable(name)
    }

    fn prompt(&self, question: &str) -> Option<String> {
        if !self.may_prompt || !io::stdin().is_terminal() {
            return None;
        }
        rpassword::prompt_password(question).ok()
    }
}
