//! `key delete`

use crate::{
    cli::{Outcome, output},
    config::{Directories, SigningKeys},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Names of the keys
    #[arg(required = true)]
    names: Vec<String>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let directories = Directories::from_environment()?;
        let mut keys = SigningKeys::load(&directories.signing_keys())?;
        let removed = self.names.iter().map(|name| keys.remove(name));
        let removed = removed.collect::<Result<Vec<_>, _>>()?;
        keys.save(&directories.signing_keys())?;
        for key in removed {
            super::remove_chain(&key, &keys, &directories)?;
            output::line(&format!("deleted {}", key.name))?;
        }
        Ok(())
    }
}
