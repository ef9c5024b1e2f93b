//! `plugin`: this executable as a Notation plugin.

mod install;

use super::Outcome;

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Put a copy of this executable where the notation CLI looks for the plugin "kms".
    Install(install::Args),
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Install(args) => args.run(),
        }
    }
}

pub(super) use install::install;
