//! `plugin`: this executable as a Notation plugin.

mod install;

use super::Outcome;

/// Install this executable as a Notation plugin.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
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
