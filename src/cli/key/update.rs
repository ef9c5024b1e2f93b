//! `key update`

use std::path::PathBuf;

use super::add::usable_chain;
use crate::{
    cli::{
        Outcome, args,
        failure::{Exit, Failure},
        output,
    },
    config::{Directories, KeyEntry, SigningKeys},
    keys::KeyUri,
    plugin::{self, CERT_CHAIN},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name of the key
    name: String,
    /// New certificates of the key, in any order, as PEM, DER or PKCS#7
    #[arg(long, value_name = "FILE", required_unless_present_any = ["id", "config", "default"])]
    cert_chain: Option<PathBuf>,
    /// New reference of the key
    #[arg(long, value_name = "URI")]
    id: Option<KeyUri>,
    /// A setting of the key's provider to add or to change; may be repeated
    #[arg(long = "plugin-config", value_name = "KEY=VALUE", value_parser = args::key_value)]
    config: Vec<(String, String)>,
    /// Make this the key that `notation sign` takes without --key
    #[arg(long)]
    default: bool,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let directories = Directories::from_environment()?;
        let mut keys = SigningKeys::load(&directories.signing_keys())?;
        let key = keys.find_mut(&self.name)?;
        let before = key.clone();
        if self.changes_the_key() {
            self.change(key, &directories)?;
        }
        if self.default {
            keys.default = Some(self.name.clone());
        }
        keys.save(&directories.signing_keys())?;
        super::remove_chain(&before, &keys, &directories)?;
        output::line(&format!("updated {}", self.name))
    }

    const fn changes_the_key(&self) -> bool {
        self.cert_chain.is_some() || self.id.is_some() || !self.config.is_empty()
    }

    fn change(&self, key: &mut KeyEntry, directories: &Directories) -> Outcome {
        if key.plugin_name.as_deref() != Some(plugin::NAME) {
            let message = format!("key {:?} is not one of the plugin {}", key.name, plugin::NAME);
            return Err(Failure::message(Exit::Usage, message)
                .hint("of such a key only --default can be changed here"));
        }
        if let Some(id) = &self.id {
            key.id = Some(id.as_str().to_owned());
        }
        let id: KeyUri = key.id.as_deref().unwrap_or_default().parse().map_err(|error| {
            Failure::new(Exit::Usage, error).hint("--id gives the key another reference")
        })?;
        key.plugin_config.extend(args::stored_config(&self.config)?);
        plugin::check_config(&id, &key.plugin_config)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        if let Some(path) = &self.cert_chain {
            let chain = usable_chain(path)?;
            let copy = super::keep_chain(directories, &key.name.parse()?, &chain)?;
            key.plugin_config.insert(CERT_CHAIN.to_owned(), copy);
        }
        Ok(())
    }
}
