//! A plan held against the archive that it is of.

use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, PlannedSignature, RefusedRepository, SignedTag, VERSION, released};
use crate::{dct::RepositoryRecord, oci::Digest};

/// Why a plan is not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("plan is not the JSON it should be")]
    Malformed(#[source] serde_json::Error),
    #[error("plan is of version {0}, and this program reads version {VERSION}")]
    UnknownVersion(u64),
    #[error(
        "plan is of another archive: its SHA256SUMS has the digest {planned}, and that of {path} has {actual}"
    )]
    OtherArchive { path: String, planned: String, actual: String },
    #[error("plan has {gun} twice")]
    Twice { gun: String },
    #[error("plan signs {digest} of {gun}, which the archive does not release")]
    NotReleased { gun: String, digest: Digest },
    #[error(
        "plan has another size for {digest} of {gun}: {planned} bytes, and {signed} bytes were signed"
    )]
    OtherSize { gun: String, digest: Digest, planned: u64, signed: u64 },
    #[error("plan leaves out {digest} of {gun}, which is released as {tags}")]
    LeftOut { gun: String, digest: Digest, tags: String },
    #[error("plan does not tell of {gun}, whose trust data is not accepted: {reason}")]
    RefusedLeftOut { gun: String, reason: String },
    #[error("plan signs {digest} with key {key:?}, which is none of its keys: {known}")]
    UnknownKey { digest: Digest, key: String, known: String },
    #[error("key {0:?} of the plan is still to be found")]
    Placeholder(String),
    #[error("key {0:?} of the plan has both a name and an id, and one of them would be left out")]
    Ambiguous(String),
}

impl Plan {
    /// Holds the plan against the archive: each released digest once, with a key, and nothing else. `refused` are the
    /// archive's repositories of which nobody knows what they released.
    pub(crate) fn check(
        &self,
        archive_sha256: &str,
        records: &[RepositoryRecord],
        refused: &[RefusedRepository],
    ) -> Result<(), PlanError> {
        if self.archive.sha256 != archive_sha256 {
            let (path, planned) = (self.archive.path.clone(), self.archive.sha256.clone());
            return Err(PlanError::OtherArchive {
                path,
                planned,
                actual: archive_sha256.to_owned(),
            });
        }
        let mut seen = BTreeSet::new();
        for planned in &self.repositories {
            if !seen.insert(&planned.gun) {
                return Err(PlanError::Twice { gun: planned.gun.clone() });
            }
            let record = records.iter().find(|record| record.gun == planned.gun);
            let mut released = record.map(released).unwrap_or_default();
            for signature in &planned.signatures {
                self.check_signature(&planned.gun, signature, &mut released)?;
            }
            if let Some((digest, (_, tags))) = released.into_iter().next() {
                let tags: Vec<&str> = tags.iter().map(|tag| tag.tag.as_str()).collect();
                let (gun, tags) = (planned.gun.clone(), tags.join(", "));
                return Err(PlanError::LeftOut { gun, digest, tags });
            }
        }
        for record in records.iter().filter(|record| !seen.contains(&record.gun)) {
            if let Some((digest, (_, tags))) = released(record).into_iter().next() {
                let tags: Vec<&str> = tags.iter().map(|tag| tag.tag.as_str()).collect();
                let (gun, tags) = (record.gun.clone(), tags.join(", "));
                return Err(PlanError::LeftOut { gun, digest, tags });
            }
        }
        let told = |gun: &String| self.refused.iter().any(|one| one.gun == *gun);
        match refused.iter().find(|one| !told(&one.gun) && !seen.contains(&one.gun)) {
            Some(RefusedRepository { gun, reason, .. }) => {
                Err(PlanError::RefusedLeftOut { gun: gun.clone(), reason: reason.clone() })
            }
            None => Ok(()),
        }
    }

    fn check_signature(
        &self,
        gun: &str,
        signature: &PlannedSignature,
        released: &mut BTreeMap<Digest, (u64, Vec<&SignedTag>)>,
    ) -> Result<(), PlanError> {
        let digest = &signature.digest;
        let Some((signed, _)) = released.remove(digest) else {
            return Err(PlanError::NotReleased { gun: gun.to_owned(), digest: digest.clone() });
        };
        if signed != signature.size {
            return Err(PlanError::OtherSize {
                gun: gun.to_owned(),
                digest: digest.clone(),
                planned: signature.size,
                signed,
            });
        }
        match self.keys.get(&signature.key) {
            None => Err(PlanError::UnknownKey {
                digest: digest.clone(),
                key: signature.key.clone(),
                known: self.keys.keys().cloned().collect::<Vec<_>>().join(", "),
            }),
            Some(key) if key.is_placeholder() => Err(PlanError::Placeholder(signature.key.clone())),
            Some(key) if key.name.is_some() && key.id.is_some() => {
                Err(PlanError::Ambiguous(signature.key.clone()))
            }
            Some(_) => Ok(()),
        }
    }
}
