//! Docker Content Trust: the trust data of notary (v1), read and judged.
//!
//! Docker Content Trust signs tags: `targets.json` and its delegations list tag, digest and size, and a
//! root of keys says who may. [`judge`] takes the files of a repository as they were served and gives every
//! one a [`Verdict`] with its reasons; [`Released`] tells the tags as `docker trust inspect` does.
//!
//! Reading only: nothing here makes or changes trust data. Thresholds, key ids, signatures, the root's
//! history and the hashes of the snapshot are checked as notary's own clients do, and more strictly where
//! they are lax: no member twice, no key twice, and a root whose keys nobody pinned is told as such.

mod archive;
#[cfg(feature = "cli")]
pub(crate) mod audit;
mod canonical;
#[cfg(feature = "net")]
pub mod client;
mod collect;
mod data;
mod fault;
mod gun;
mod judge;
mod key;
mod metadata;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod plan;
mod record;
mod released;
mod role;
mod roots;
mod signatures;

pub use archive::{
    Archive, ArchiveError, ArchiveWriter, ExportRecord, ExportRun, FailedRepository, Incoming,
    Origin, read_trust_data, repositories_below,
};
pub use canonical::NotCanonical;
pub use collect::{CollectError, Source, collect};
pub use data::TrustData;
pub use fault::Fault;
pub use gun::{Gun, GunError};
pub use judge::{JudgedFile, Judgement, Terms, Verdict, judge, newest_versions, remembered_roots};
pub use key::{Key, SignatureFault};
pub use metadata::{FileMeta, MetadataError};
pub use record::{AdministrativeKeys, KeyRecord, Reason, RepositoryRecord, RoleRecord};
pub use released::{DifferingTag, Released, SignedTag, Signer};
pub use role::{Delegation, NotARole, Role};
pub use roots::{RootPin, RootTrust};
