//! Collecting every file of a repository from where it is served.

use std::collections::BTreeSet;

use super::{
    ArchiveError, Gun, Role, TrustData,
    metadata::{Listing, Metadata, Root, Targets},
};
use crate::limits;

/// Where metadata files are served.
pub trait Source: Sync {
    /// Why a file could not be fetched.
    type Error: std::error::Error + Send + Sync + 'static;

    /// A file of at most `limit` bytes as it is served, or `None` where there is none: `root.json`,
    /// `2.root.json`, `targets/releases.json`.
    fn fetch(
        &self,
        gun: &Gun,
        file: &str,
        limit: usize,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Self::Error>> + Send;
}

/// Why not every file could be collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError<E: std::error::Error + 'static> {
    /// A file could not be fetched.
    #[error("{file} of {gun} cannot be fetched")]
    Fetch {
        /// The repository.
        gun: Gun,
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: E,
    },
    /// A file could not be kept.
    #[error(transparent)]
    Keep(#[from] ArchiveError),
}

/// Fetches all files of a repository and hands each to `keep` before anything is made of it: the root with
/// all of its versions, timestamp, snapshot, targets, and every delegation that one of them names. No files
/// at all: there is no root, so the source has no trust data for the repository.
///
/// What the files say is believed only as far as it leads to further files, and bounded. A file that cannot
/// be fetched does not keep the others away, up to [`limits::DCT_FAILED_FILES`].
///
/// # Errors
/// [`CollectError`], of the first file that cannot be fetched, or at once of one that cannot be kept.
pub async fn collect<S: Source>(
    source: &S,
    gun: &Gun,
    keep: impl FnMut(&str, &[u8]) -> Result<(), ArchiveError> + Send,
) -> Result<TrustData, CollectError<S::Error>> {
    let mut collector =
        Collector { source, gun, keep, data: TrustData::new(), failures: Vec::new() };
    if collector.fetch(Role::Root.file()).await? {
        for role in [Role::Timestamp, Role::Snapshot, Role::Targets] {
            collector.fetch(role.file()).await?;
        }
        collector.delegations().await?;
        collector.root_versions().await?;
    }
    match collector.failures.into_iter().next() {
        Some(first) => Err(first),
        None => Ok(collector.data),
    }
}

struct Collector<'a, S: Source, K> {
    source: &'a S,
    gun: &'a Gun,
    keep: K,
    data: TrustData,
    failures: Vec<CollectError<S::Error>>,
}

impl<S, K> Collector<'_, S, K>
where
    S: Source,
    K: FnMut(&str, &[u8]) -> Result<(), ArchiveError> + Send,
{
    /// Whether the file is there.
    async fn fetch(&mut self, file: String) -> Result<bool, CollectError<S::Error>> {
        let limit = if file == Role::Timestamp.file() {
            limits::DCT_TIMESTAMP_BYTES
        } else {
            limits::DCT_FILE_BYTES
        };
        let fetched = self.source.fetch(self.gun, &file, limit).await;
        let bytes = match fetched {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(false),
            Err(source) => {
                let failure = CollectError::Fetch { gun: self.gun.clone(), file, source };
                if self.failures.len() + 1 == limits::DCT_FAILED_FILES {
                    return Err(self.failures.pop().unwrap_or(failure));
                }
                self.failures.push(failure);
                return Ok(false);
            }
        };
        (self.keep)(&file, &bytes)?;
        self.data.insert(file, bytes);
        Ok(true)
    }

    /// Every delegation that the snapshot lists or another role delegates to.
    async fn delegations(&mut self) -> Result<(), CollectError<S::Error>> {
        let mut asked = BTreeSet::new();
        let mut waiting: Vec<Role> = self.listed();
        waiting.extend(self.delegated_by(&Role::Targets));
        while let Some(role) = waiting.pop() {
            if asked.len() == limits::DCT_DELEGATIONS || !asked.insert(role.clone()) {
                continue;
            }
            if self.fetch(role.file()).await? {
                waiting.extend(self.delegated_by(&role));
            }
        }
        Ok(())
    }

    fn listed(&self) -> Vec<Role> {
        let snapshot: Option<Metadata<Listing>> = self.parse(&Role::Snapshot);
        let names = snapshot.into_iter().flat_map(|file| file.body.files.into_keys());
        let roles = names.filter_map(|name| name.parse().ok());
        roles.filter(|role| matches!(role, Role::Delegation(_))).collect()
    }

    fn delegated_by(&self, role: &Role) -> Vec<Role> {
        let targets: Option<Metadata<Targets>> = self.parse(role);
        let delegations = targets.into_iter().flat_map(|file| file.body.delegations);
        delegations.map(|delegation| delegation.role).collect()
    }

    fn parse<T: super::metadata::Body>(&self, role: &Role) -> Option<Metadata<T>> {
        Metadata::parse(role, self.data.get(&role.file())?).ok()
    }

    /// All versions before the current one, and the one after it, which a rolled-back root would hide. Where the
    /// current one cannot be read, all from the first on.
    async fn root_versions(&mut self) -> Result<(), CollectError<S::Error>> {
        let root: Option<Metadata<Root>> = self.parse(&Role::Root);
        let Some(current) = root.map(|file| file.version) else {
            for version in 1..=limits::DCT_ROOT_VERSIONS {
                if !self.fetch(format!("{version}.root.json")).await? {
                    break;
                }
            }
            return Ok(());
        };
        let oldest = current.saturating_sub(limits::DCT_ROOT_VERSIONS).max(1);
        for version in (oldest..=current.saturating_add(1)).rev() {
            self.fetch(format!("{version}.root.json")).await?;
        }
        Ok(())
    }
}
