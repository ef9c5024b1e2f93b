//! `key describe`

use super::KeyReport;
use crate::{
    cli::{Outcome, args::OutputArgs, output},
    config::{Directories, SigningKeys},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name of the key
    name: String,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let keys = SigningKeys::load(&Directories::from_environment()?.signing_keys())?;
        output::data(self.output.format, &KeyReport::of(keys.find(&self.name)?, &keys))
    }
}
