//! `version`

use std::fmt;

use serde::Serialize;

use super::{Outcome, args::OutputArgs, output};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: &'static str,
    plugin_name: &'static str,
    plugin_contract: &'static str,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let version = Version {
            version: env!("CARGO_PKG_VERSION"),
            plugin_name: crate::plugin::NAME,
            plugin_contract: crate::plugin::CONTRACT_VERSION,
        };
        output::data(self.output.format, &version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, plugin_name, plugin_contract } = self;
        write!(
            f,
            "notation-kms {version} (Notation plugin {plugin_name:?}, contract {plugin_contract})"
        )
    }
}
