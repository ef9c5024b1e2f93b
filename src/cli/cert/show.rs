//! `cert show`

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::anchor::{self, Anchor, NamedStoreArgs};
use crate::{
    cli::{
        Outcome,
        args::OutputArgs,
        failure::{Exit, Failure},
        output,
        verdict::StoreArgs,
    },
    config::{self, Directories},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    store: NamedStoreArgs,
    /// Name of the file in the store
    file: PathBuf,
    #[command(flatten)]
    links: StoreArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Serialize)]
struct Report {
    certificates: Vec<Anchor>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let store = self.store.store()?;
        let stores = self.links.stores(Directories::from_environment()?.trust_stores());
        let path = anchor::path_in(&stores, &store, &self.file)?;
        let read = stores.read_entry(store.kind, &path).map_err(anchor::unusable)?;
        let Some(certificates) = read else {
            let message = format!("{} is not read as a certificate file", path.display());
            return Err(Failure::message(Exit::NotConfigured, message));
        };
        let at = config::now();
        let certificates = certificates
            .iter()
            .map(|certificate| Anchor::of(certificate, &store, &path, at))
            .collect();
        output::data(self.output.format, &Report { certificates })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.certificates.iter().map(ToString::to_string).collect();
        f.write_str(&shown.join("\n\n"))
    }
}
