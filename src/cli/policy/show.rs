//! `policy show`

use super::{KindArgs, installed};
use crate::cli::{
    Outcome,
    failure::{Exit, Failure},
    output,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    kind: KindArgs,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let file = installed(self.kind.kind())?;
        let text = str::from_utf8(&file.bytes).map_err(|_| {
            let message = format!("{} is not UTF-8 text", file.path.display());
            Failure::message(Exit::NotConfigured, message)
        })?;
        output::line(text.trim_end())
    }
}
