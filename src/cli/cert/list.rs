//! `cert list`

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use clap::ValueEnum as _;
use serde::Serialize;
use time::UtcDateTime;

use super::anchor::{Anchor, Kind};
use crate::{
    cli::{
        Outcome,
        args::OutputArgs,
        failure::{Exit, Failure},
        output::{self, Table},
        verdict::StoreArgs,
    },
    config::{self, Directories},
    trust::{DirectoryTrustStore, TrustStore},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Stores of this type only
    #[arg(long = "type", short = 't', value_enum, value_name = "TYPE")]
    kind: Option<Kind>,
    /// Stores of this name only
    #[arg(long, short, value_name = "NAME")]
    store: Option<String>,
    #[command(flatten)]
    links: StoreArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Serialize)]
struct Listing {
    certificates: Vec<Anchor>,
    /// What is passed over, and what makes a store unusable.
    problems: Vec<Problem>,
    #[serde(skip)]
    at: UtcDateTime,
}

#[derive(Debug, Serialize)]
struct Problem {
    path: PathBuf,
    problem: String,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let stores = self.links.stores(Directories::from_environment()?.trust_stores());
        let mut listing =
            Listing { certificates: Vec::new(), problems: Vec::new(), at: config::now() };
        for kind in Kind::value_variants() {
            if self.kind.is_none_or(|wanted| wanted == *kind) {
                self.add_stores(*kind, &stores, &mut listing)?;
            }
        }
        output::data(self.output.format, &listing)
    }

    fn add_stores(
        &self,
        kind: Kind,
        stores: &DirectoryTrustStore,
        listing: &mut Listing,
    ) -> Outcome {
        for path in folder_entries(&stores.folder_of(kind.into()))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if self.store.as_ref().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            match TrustStore::new(kind.into(), name) {
                Ok(store) => listing.add_store(&store, &path, stores),
                Err(error) => listing.add_problem(&path, error),
            }
        }
        Ok(())
    }
}

impl Listing {
    fn add_store(&mut self, store: &TrustStore, folder: &Path, stores: &DirectoryTrustStore) {
        let entries = match stores.entries(store) {
            Ok(entries) => entries,
            Err(error) => return self.add_problem(folder, error),
        };
        for path in entries {
            match stores.read_entry(store.kind, &path) {
                Ok(Some(certificates)) => {
                    let rows = certificates
                        .iter()
                        .map(|certificate| Anchor::of(certificate, store, &path, self.at));
                    self.certificates.extend(rows);
                }
                Ok(None) if path.is_dir() => {
                    self.add_problem(&path, PassedOver::Folder(path.clone()));
                }
                Ok(None) => self.add_problem(&path, PassedOver::File(path.clone())),
                Err(error) => self.add_problem(&path, error),
            }
        }
    }

    fn add_problem(&mut self, path: &Path, error: impl std::error::Error + Send + Sync + 'static) {
        let problem = Failure::new(Exit::NotConfigured, error).one_line();
        self.problems.push(Problem { path: path.to_owned(), problem });
    }
}

#[derive(Debug, thiserror::Error)]
enum PassedOver {
    #[error("{0} is passed over: only files ending in .pem, .crt or .cer are read")]
    File(PathBuf),
    #[error("{0} is passed over: it is a folder")]
    Folder(PathBuf),
}

/// What stands in the folder of a type, by name; nothing where there is no folder.
pub(in crate::cli) fn folder_entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error| {
        Failure::new(Exit::Other, error)
            .context(format!("folder {} cannot be read", folder.display()))
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |anchor: &Anchor| {
            let expires = format!("{}{}", anchor.not_after, anchor.validity.remark());
            let kind = anchor.kind.to_owned();
            [kind, anchor.store.clone(), anchor.file.clone(), expires, anchor.subject.clone()]
        };
        let rows = self.certificates.iter().map(row).collect();
        write!(f, "{}", Table::new(["TYPE", "STORE", "FILE", "EXPIRES", "SUBJECT"], rows))?;
        for warning in self.certificates.iter().filter_map(Anchor::warning) {
            write!(f, "\nwarning: {warning}")?;
        }
        for Problem { problem, .. } in &self.problems {
            write!(f, "\nproblem: {problem}")?;
        }
        Ok(())
    }
}
