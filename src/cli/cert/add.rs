//! `cert add`

use std::{
    io,
    path::{Path, PathBuf},
};

use super::anchor::{self, Anchor, NamedStoreArgs};
use crate::{
    cli::{
        Outcome,
        failure::{Exit, Failure},
        output::{self, ShellWord},
    },
    config::{self, Directories},
    fs::{self, FileError},
    limits,
    trust::{DirectoryTrustStore, StoreError, TrustStore},
    x509::Certificate,
};

/// Certificates are no secret.
const MODE: u32 = 0o644;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    store: NamedStoreArgs,
    /// Certificate files, PEM or DER, ending in .pem, .crt or .cer
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A file that can be trusted.
struct Candidate {
    target: PathBuf,
    bytes: Vec<u8>,
    certificates: Vec<Certificate>,
    /// Whether the store has it already.
    is_there: bool,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let store = self.store.store()?;
        let stores = DirectoryTrustStore::new(Directories::from_environment()?.trust_stores());
        let present = match stores.entries(&store) {
            Ok(entries) => entries.len(),
            Err(StoreError::Missing { .. }) => 0,
            Err(error) => return Err(anchor::unusable(error)),
        };
        let mut candidates: Vec<Candidate> = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let candidate = Candidate::check(file, &store, &stores, &candidates)?;
            candidates.push(candidate);
        }
        let new: Vec<&Candidate> = candidates.iter().filter(|file| !file.is_there).collect();
        if present + new.len() > limits::TRUST_STORE_FILES {
            return Err(Failure::new(Exit::Usage, StoreError::TooManyFiles { store }));
        }
        write_all(&new, &stores.folder(&store))?;
        tell(&candidates, &store)
    }
}

impl Candidate {
    fn check(
        file: &Path,
        store: &TrustStore,
        stores: &DirectoryTrustStore,
        earlier: &[Self],
    ) -> Result<Self, Failure> {
        if !DirectoryTrustStore::is_read(file) {
            let message = format!("{} would be passed over in a trust store", file.display());
            return Err(Failure::message(Exit::Usage, message)
                .hint("give it a name that ends in .pem, .crt or .cer"));
        }
        let bytes = fs::read_regular(file, limits::CERTIFICATE_FILE_BYTES)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let certificates =
            DirectoryTrustStore::parse(store.kind, file, &bytes).map_err(|error| {
                Failure::new(Exit::Usage, error)
                    .context(format!("{} cannot be trusted in store {store}", file.display()))
            })?;
        let name = file.file_name().unwrap_or_default();
        let target = stores.folder(store).join(name);
        let known = match earlier.iter().find(|candidate| candidate.target == target) {
            Some(candidate) => Some(candidate.bytes.clone()),
            None => read_present(&target, stores)?,
        };
        match known {
            Some(known) if known != bytes => {
                let (kind, store_name) = (store.kind.name(), &store.name);
                let name = name.to_string_lossy();
                let message = format!("trust store {store} has another file {name}");
                Err(Failure::message(Exit::Usage, message).hint(format!(
                    "give {} another name, or: notation-kms cert delete --type {kind} --store {store_name} {}",
                    file.display(),
                    ShellWord(&name)
                )))
            }
            known => Ok(Self { target, bytes, certificates, is_there: known.is_some() }),
        }
    }
}

/// The bytes that a store has under a name; `None`: it has none.
fn read_present(target: &Path, stores: &DirectoryTrustStore) -> Result<Option<Vec<u8>>, Failure> {
    match stores.check_link(target) {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        checked => checked.map_err(anchor::unusable)?,
    }
    let read = fs::read_regular(target, limits::CERTIFICATE_FILE_BYTES);
    read.map(Some).map_err(|error| Failure::new(Exit::NotConfigured, error))
}

/// Writes all files, or none.
fn write_all(new: &[&Candidate], folder: &Path) -> Outcome {
    for (i, candidate) in new.iter().enumerate() {
        let written = fs::write_new(&candidate.target, &candidate.bytes, MODE);
        if let Err(error) = written {
            undo(new.get(..i).unwrap_or_default(), folder);
            return Err(error.into());
        }
    }
    Ok(())
}

/// What failed is told already; that its remains could not be removed as well is not news.
fn undo(written: &[&Candidate], folder: &Path) {
    let removed: Result<Vec<()>, FileError> =
        written.iter().map(|candidate| fs::remove_if_there(&candidate.target)).collect();
    let _ = removed.and_then(|_| fs::remove_if_empty(folder));
}

fn tell(candidates: &[Candidate], store: &TrustStore) -> Outcome {
    let at = config::now();
    for Candidate { target, certificates, is_there, .. } in candidates {
        for certificate in certificates {
            let anchor = Anchor::of(certificate, store, target, at);
            if let Some(warning) = anchor.warning() {
                output::note(&format!("warning: {warning}"));
            }
            let Anchor { file, subject, not_after, .. } = anchor;
            let line = if *is_there {
                format!("{file} is in trust store {store} already: {subject}")
            } else {
                format!("added {file} to trust store {store}: {subject}, valid until {not_after}")
            };
            output::line(&line)?;
        }
    }
    Ok(())
}
