//! `logout`

use std::fmt;

use serde::Serialize;

use super::{
    Outcome,
    args::OutputArgs,
    credentials::{self, Keeper},
    login::reference,
    output,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The registry: HOST or HOST:PORT
    registry: String,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    registry: String,
    /// Whether there was anything to forget.
    removed: bool,
    /// Other places where credentials of the registry stand, which are left alone.
    elsewhere: Vec<String>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        reference(&self.registry)?;
        let removed = Keeper::of_registry(&self.registry)?.forget()?;
        let elsewhere = credentials::elsewhere(&self.registry);
        for place in &elsewhere {
            output::note(&format!("warning: {place} still has credentials for {}", self.registry));
        }
        let report = Report { registry: self.registry.clone(), removed, elsewhere };
        output::data(self.output.format, &report)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.removed {
            true => write!(f, "logged out of {}", self.registry),
            false => write!(f, "docker has no credentials for {}", self.registry),
        }
    }
}
