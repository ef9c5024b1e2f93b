//! `key delete`

use crate::{
    cli::{Outcome, output},
    config::{Directories, SigningKeys},
    fs,
};

/// Take keys off the list. The keys themselves stay where they are.
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
        for name in &self.names {
            keys.remove(name)?;
        }
        keys.save(&directories.signing_keys())?;
        for name in &self.names {
            fs::remove_if_there(&directories.key_chain(name))?;
            output::line(&format!("deleted {name}"))?;
        }
        Ok(())
    }
}
