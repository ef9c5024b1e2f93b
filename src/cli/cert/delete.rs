//! `cert delete`

use std::path::{Path, PathBuf};

use super::anchor::{self, NamedStoreArgs};
use crate::{
    cli::{Outcome, failure::Failure, output},
    config::Directories,
    crypto, fs,
    trust::{DirectoryTrustStore, TrustStore},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    store: NamedStoreArgs,
    /// Name of the file in the store
    #[arg(required_unless_present = "all")]
    file: Option<PathBuf>,
    /// Delete the store, with everything in its folder
    #[arg(long, short, conflicts_with = "file")]
    all: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let store = self.store.store()?;
        let directories = Directories::from_environment()?;
        let stores = DirectoryTrustStore::new(directories.trust_stores());
        match &self.file {
            Some(file) => self.delete_file(file, &store, &stores),
            None => self.delete_store(&store, &stores, &directories),
        }
    }

    /// A link is taken away like a file; where it leads to, nothing happens.
    fn delete_file(
        &self,
        file: &Path,
        store: &TrustStore,
        stores: &DirectoryTrustStore,
    ) -> Outcome {
        let path = anchor::path_in(stores, store, file)?;
        if !self.is_wanted(&format!("delete {} from trust store {store}?", file.display()))? {
            return Ok(());
        }
        fs::remove_if_there(&path)?;
        // Notation leaves no empty store behind either.
        fs::remove_if_empty(&stores.folder(store))?;
        output::line(&format!("deleted {} from trust store {store}", file.display()))
    }

    fn delete_store(
        &self,
        store: &TrustStore,
        stores: &DirectoryTrustStore,
        directories: &Directories,
    ) -> Outcome {
        let files = match stores.entries(store).map_err(anchor::unusable)?.len() {
            1 => "1 file".to_owned(),
            n => format!("{n} files"),
        };
        if !self.is_wanted(&format!("delete trust store {store} with {files}?"))? {
            return Ok(());
        }
        // On the same file system, and where nobody looks for stores.
        let random: [u8; 8] = crypto::random();
        let aside = directories.trust_stores().join(format!(".deleted-{}", crypto::hex(&random)));
        fs::remove_folder(&stores.folder(store), &aside)?;
        output::line(&format!("deleted trust store {store} with {files}"))
    }

    fn is_wanted(&self, question: &str) -> Result<bool, Failure> {
        let is_wanted = self.yes || output::confirm(question)?;
        if !is_wanted {
            output::note("nothing is deleted");
        }
        Ok(is_wanted)
    }
}
