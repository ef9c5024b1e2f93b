//! A plan held against the archive that it is of.

use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, PlannedKey, PlannedRepository, PlannedSignature, RefusedRepository, VERSION};
use crate::{
    dct::RepositoryRecord,
    oci::Digest,
    plugin::CERT_CHAIN,
    trust::{RegistryScope, ScopeError},
};

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
    #[error("plan has {digest} of {gun} twice")]
    DigestTwice { gun: String, digest: Digest },
    #[error(
        "plan has another {member} for {digest} of {gun}: {planned}, and the archive has {signed}"
    )]
    Differs { gun: String, digest: Digest, member: String, planned: String, signed: String },
    #[error("images of {gun} cannot be where the plan says")]
    BadRepository { gun: String, source: ScopeError },
    #[error("plan leaves out {digest} of {gun}, which is released as {tags}")]
    LeftOut { gun: String, digest: Digest, tags: String },
    #[error("plan does not tell of {gun}, whose trust data is not accepted: {reason}")]
    RefusedLeftOut { gun: String, reason: String },
    #[error("plan signs {digest} with key {key:?}, which is none of its keys: {known}")]
    UnknownKey { digest: Digest, key: String, known: String },
    #[error("keys of the plan are still to be found: {}", .0.join(", "))]
    Placeholders(Vec<String>),
    #[error("key {0:?} of the plan has both a name and an id, and one of them would be left out")]
    Ambiguous(String),
    #[error(
        "pluginConfig of key {0:?} of the plan has {CERT_CHAIN}: the policies are made of certChain"
    )]
    SecondChain(String),
}

impl Plan {
    /// Holds the plan against the archive that was read from `path`: each released digest once, as it was released, with
    /// a key, and nothing else. `refused` are the archive's repositories of which nobody knows what they released.
    pub(crate) fn check(
        &self,
        (path, archive_sha256): (&str, &str),
        records: &[RepositoryRecord],
        refused: &[RefusedRepository],
    ) -> Result<(), PlanError> {
        if self.archive.sha256 != archive_sha256 {
            let (path, planned) = (path.to_owned(), self.archive.sha256.clone());
            let actual = archive_sha256.to_owned();
            return Err(PlanError::OtherArchive { path, planned, actual });
        }
        let mut seen = BTreeSet::new();
        for planned in &self.repositories {
            if !seen.insert(&planned.gun) {
                return Err(PlanError::Twice { gun: planned.gun.clone() });
            }
            let record = records.iter().find(|record| record.gun == planned.gun);
            let released = record.map(released).unwrap_or_default();
            self.check_repository(planned, released)?;
        }
        for record in records.iter().filter(|record| !seen.contains(&record.gun)) {
            all_are_planned(&record.gun, &released(record))?;
        }
        let told = |gun: &String| self.refused.iter().any(|one| one.gun == *gun);
        if let Some(RefusedRepository { gun, reason, .. }) =
            refused.iter().find(|one| !told(&one.gun) && !seen.contains(&one.gun))
        {
            let (gun, reason) = (gun.clone(), reason.clone());
            return Err(PlanError::RefusedLeftOut { gun, reason });
        }
        match self.faults().into_iter().next() {
            Some(fault) => Err(fault),
            None => self.check_placeholders(),
        }
    }

    /// What is wrong with the plan, whatever the archive says.
    pub(crate) fn faults(&self) -> Vec<PlanError> {
        let mut faults = Vec::new();
        for planned in self.repositories.iter().filter(|one| !one.signatures.is_empty()) {
            if let Err(source) = planned.scope() {
                faults.push(PlanError::BadRepository { gun: planned.gun.clone(), source });
            }
        }
        for (name, key) in
            self.used_keys().into_iter().filter_map(|name| self.keys.get_key_value(name))
        {
            if key.name.is_some() && key.id.is_some() {
                faults.push(PlanError::Ambiguous(name.clone()));
            }
            if key.plugin_config.contains_key(CERT_CHAIN) {
                faults.push(PlanError::SecondChain(name.clone()));
            }
        }
        faults
    }

    /// Names of keys that are used and still to be found.
    pub(crate) fn placeholders(&self) -> Vec<String> {
        let is_missing = |name: &&str| self.keys.get(*name).is_none_or(PlannedKey::is_placeholder);
        self.used_keys().into_iter().filter(is_missing).map(ToOwned::to_owned).collect()
    }

    fn check_placeholders(&self) -> Result<(), PlanError> {
        match self.placeholders() {
            missing if missing.is_empty() => Ok(()),
            missing => Err(PlanError::Placeholders(missing)),
        }
    }

    fn check_repository(
        &self,
        planned: &PlannedRepository,
        mut released: Released,
    ) -> Result<(), PlanError> {
        let mut seen = BTreeSet::new();
        for signature in &planned.signatures {
            let (gun, digest) = (planned.gun.clone(), signature.digest.clone());
            if !seen.insert(digest.clone()) {
                return Err(PlanError::DigestTwice { gun, digest });
            }
            let Some(signed) = released.remove(&digest) else {
                return Err(PlanError::NotReleased { gun, digest });
            };
            if let Some((member, planned, signed)) = difference(signature, &signed) {
                return Err(PlanError::Differs { gun, digest, member, planned, signed });
            }
            if !self.keys.contains_key(&signature.key) {
                let known = self.keys.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(PlanError::UnknownKey { digest, key: signature.key.clone(), known });
            }
        }
        all_are_planned(&planned.gun, &released)
    }
}

impl PlannedRepository {
    /// Where its images are. One repository and no more: `*` would be all of them.
    pub(crate) fn scope(&self) -> Result<RegistryScope, ScopeError> {
        self.repository.parse()
    }

    /// The same for policies and settings. What is no repository gets a form that every reader refuses.
    pub(crate) fn place(&self) -> String {
        match self.scope() {
            Ok(scope) => scope.to_string(),
            Err(_) => format!("<{}>", self.repository),
        }
    }
}

/// What would be planned, by digest.
type Released = BTreeMap<Digest, PlannedSignature>;

fn released(record: &RepositoryRecord) -> Released {
    let planned = PlannedRepository::new(record, String::new());
    planned.signatures.into_iter().map(|one| (one.digest.clone(), one)).collect()
}

fn all_are_planned(gun: &str, left: &Released) -> Result<(), PlanError> {
    match left.first_key_value() {
        None => Ok(()),
        Some((digest, signed)) => {
            let (gun, tags) = (gun.to_owned(), signed.tags.join(", "));
            Err(PlanError::LeftOut { gun, digest: digest.clone(), tags })
        }
    }
}

/// Something that is not as it was released: its name, as planned and as signed. Metadata may be left out and added, but
/// what has Content Trust's name has to say what Content Trust said.
fn difference(
    planned: &PlannedSignature,
    signed: &PlannedSignature,
) -> Option<(String, String, String)> {
    let members = [
        ("size", planned.size.to_string(), signed.size.to_string()),
        ("list of tags", planned.tags.join(", "), signed.tags.join(", ")),
        ("list of signers", planned.signers.join(", "), signed.signers.join(", ")),
    ];
    let members = members.map(|(name, planned, signed)| (name.to_owned(), planned, signed));
    let metadata = signed.user_metadata.iter().filter_map(|(name, signed)| {
        let planned = planned.user_metadata.get(name)?;
        Some((name.clone(), planned.clone(), signed.clone()))
    });
    members.into_iter().chain(metadata).find(|(_, planned, signed)| planned != signed)
}
