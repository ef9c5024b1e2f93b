//! A plan for signing again what Content Trust has released: a file for people to read and to edit.
//!
//! It is made of an archive, and of what the registry says about each digest. Whoever carries it out holds it against
//! the archive again: nothing is signed that was not released, and nothing that was released is left out unsaid.

mod check;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{RepositoryRecord, Role, SignedTag};
use crate::oci::Digest;
pub(crate) use check::PlanError;

/// The version of the form.
pub(crate) const VERSION: u64 = 1;

/// The name of the key for tags that the repository's own keys have signed.
pub(crate) const REPOSITORY_KEY: &str = "repository";

/// Docker's word for the holders of those keys.
const REPO_ADMIN: &str = "Repo Admin";

/// The plan. Members that it does not know are refused: a misspelt one would be left out of what is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Plan {
    /// [`VERSION`].
    pub(crate) plan_version: u64,
    pub(crate) archive: PlannedArchive,
    /// RFC 3339.
    pub(crate) planned_at: String,
    /// The trust store of the new certificates.
    pub(crate) trust_store: String,
    /// Who is to sign, by the names that signatures use.
    pub(crate) keys: BTreeMap<String, PlannedKey>,
    pub(crate) repositories: Vec<PlannedRepository>,
    /// Repositories of the archive whose trust data nobody should rely on.
    pub(crate) refused: Vec<RefusedRepository>,
    /// What Notary Project signatures do not have.
    pub(crate) not_carried: Vec<String>,
    /// What to do, in order.
    pub(crate) steps: Vec<String>,
}

/// The archive that a plan is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlannedArchive {
    pub(crate) path: String,
    /// SHA-256 of its `SHA256SUMS`, hex.
    pub(crate) sha256: String,
    /// What was known of its root keys: ids, and certificates in PEM.
    #[serde(default)]
    pub(crate) pins: Vec<String>,
}

/// A key: its name in `signingkeys.json`, or a reference with its chain. Without both it is still to be found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlannedKey {
    /// Of `key add`.
    pub(crate) name: Option<String>,
    /// Such as `awskms:///alias/release`.
    pub(crate) id: Option<String>,
    /// File of the leaf, every issuer and the root.
    pub(crate) cert_chain: Option<String>,
    #[serde(default)]
    pub(crate) plugin_config: BTreeMap<String, String>,
}

/// A repository, and what is to be signed in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlannedRepository {
    /// Its name in Content Trust.
    pub(crate) gun: String,
    /// Where its images are, and are signed.
    pub(crate) repository: String,
    /// The statement of the trust policies.
    pub(crate) statement: String,
    /// What the trust in its root keys hangs on.
    pub(crate) root: String,
    pub(crate) signatures: Vec<PlannedSignature>,
    pub(crate) not_carried: Vec<String>,
}

/// One digest, which may have several tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlannedSignature {
    pub(crate) digest: Digest,
    /// Bytes of the manifest, as Content Trust has signed them.
    pub(crate) size: u64,
    pub(crate) tags: Vec<String>,
    /// As docker names them.
    pub(crate) signers: Vec<String>,
    /// One of the plan's keys.
    pub(crate) key: String,
    /// What is signed beside the artifact.
    pub(crate) user_metadata: BTreeMap<String, String>,
    pub(crate) registry: RegistryFacts,
}

/// What the registry says about a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RegistryFacts {
    pub(crate) state: RegistryState,
    pub(crate) media_type: Option<String>,
    /// What an index lists, and so on.
    pub(crate) platforms: Vec<Digest>,
    /// Why it could not be asked, or what is wrong.
    pub(crate) problem: Option<String>,
}

/// Whether a digest is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RegistryState {
    /// With the size that was signed.
    Present,
    /// It is there, and something that it lists is not.
    Incomplete,
    Gone,
    OtherSize,
    /// It could not be asked: nobody knows.
    Unknown,
    /// It was not asked.
    NotAsked,
}

impl RegistryState {
    pub(crate) const ALL: [Self; 6] = [
        Self::Present,
        Self::Incomplete,
        Self::Gone,
        Self::OtherSize,
        Self::Unknown,
        Self::NotAsked,
    ];
}

/// A repository that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RefusedRepository {
    pub(crate) gun: String,
    pub(crate) verdict: String,
    pub(crate) reason: String,
}

/// Whether a plan that can be read is written as one that says the same; `None`: it cannot be read. For the fuzz target
/// and tests.
#[must_use]
pub fn reads_back(json: &[u8]) -> Option<bool> {
    let plan = Plan::parse(json).ok()?;
    let (_, _) = (plan.faults(), plan.placeholders());
    let written = serde_json::to_vec(&plan).ok()?;
    Some(Plan::parse(&written).is_ok_and(|again| again == plan))
}

/// What a repository has released: each digest with its size and its tags, in order.
pub(crate) fn released(record: &RepositoryRecord) -> BTreeMap<Digest, (u64, Vec<&SignedTag>)> {
    let mut rows: BTreeMap<Digest, (u64, Vec<&SignedTag>)> = BTreeMap::new();
    // Clients took the digest of targets/releases where a tag has two.
    let loses = |tag: &SignedTag| {
        let differing = record.differing_tags.iter().find(|differing| differing.tag == tag.tag);
        differing.is_some_and(|differing| differing.releases != tag.digest)
    };
    for tag in record.tags.iter().filter(|tag| !loses(tag)) {
        let Ok(digest) = tag.digest.parse::<Digest>() else { continue };
        rows.entry(digest).or_insert((tag.size, Vec::new())).1.push(tag);
    }
    rows
}

impl PlannedKey {
    /// A key of `signingkeys.json`.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }

    pub(crate) const fn is_placeholder(&self) -> bool {
        self.name.is_none() && (self.id.is_none() || self.cert_chain.is_none())
    }
}

impl RegistryFacts {
    pub(crate) const fn not_asked() -> Self {
        Self {
            state: RegistryState::NotAsked,
            media_type: None,
            platforms: Vec::new(),
            problem: None,
        }
    }
}

impl PlannedRepository {
    /// What is to be signed for a repository whose trust data is accepted, with a key for each signer.
    pub(crate) fn new(record: &RepositoryRecord, root: String) -> Self {
        let version = |role: &Role| {
            let file = record.roles.iter().find(|file| file.role == *role)?;
            Some(format!("{role}:{}", file.version?))
        };
        let signature = |(digest, (size, tags)): (Digest, (u64, Vec<&SignedTag>))| {
            let signers: BTreeSet<&str> =
                tags.iter().flat_map(|tag| &tag.signers).map(String::as_str).collect();
            let roles: BTreeSet<&Role> = tags.iter().flat_map(|tag| &tag.roles).collect();
            let versions: Vec<String> = roles.into_iter().filter_map(version).collect();
            let tags: Vec<String> = tags.iter().map(|tag| tag.tag.clone()).collect();
            let signers: Vec<String> = signers.into_iter().map(ToOwned::to_owned).collect();
            let user_metadata = [
                ("dct.tags", tags.join(",")),
                ("dct.signers", signers.join(",")),
                ("dct.targets-version", versions.join(",")),
            ];
            PlannedSignature {
                digest,
                size,
                key: main_signer(&signers).to_owned(),
                tags,
                signers,
                user_metadata: user_metadata.map(|(name, value)| (name.to_owned(), value)).into(),
                registry: RegistryFacts::not_asked(),
            }
        };
        Self {
            gun: record.gun.clone(),
            repository: record.gun.clone(),
            statement: statement_name(&record.gun),
            root,
            signatures: released(record).into_iter().map(signature).collect(),
            not_carried: not_carried(record),
        }
    }

    /// Names of keys that its signatures use.
    pub(crate) fn keys(&self) -> BTreeSet<&str> {
        self.signatures.iter().map(|signature| signature.key.as_str()).collect()
    }
}

/// Whose key signs again: who is somebody comes before the holders of the repository's keys.
fn main_signer(signers: &[String]) -> &str {
    signers
        .iter()
        .map(|signer| name_of(signer))
        .find(|name| *name != REPOSITORY_KEY)
        .unwrap_or(REPOSITORY_KEY)
}

/// A signer, as plans name one.
fn name_of(signer: &str) -> &str {
    if signer == REPO_ADMIN { REPOSITORY_KEY } else { signer }
}

/// What is particular about a repository and is lost.
fn not_carried(record: &RepositoryRecord) -> Vec<String> {
    let mut lines = Vec::new();
    for role in record.roles.iter().filter(|role| role.threshold.is_some_and(|n| n > 1)) {
        lines.push(format!(
            "{} has to be signed by {} keys: a trust policy accepts one good signature",
            role.role,
            role.threshold.unwrap_or_default()
        ));
    }
    for (digest, (_, tags)) in released(record) {
        let signers: BTreeSet<&str> =
            tags.iter().flat_map(|tag| &tag.signers).map(String::as_str).collect();
        if signers.len() > 1 {
            let signers: Vec<&str> = signers.into_iter().collect();
            let tags: Vec<&str> = tags.iter().map(|tag| tag.tag.as_str()).collect();
            lines.push(format!(
                "{digest} ({}) was signed by {}: one key of them signs it again",
                tags.join(", "),
                signers.join(" and ")
            ));
        }
    }
    for differing in &record.differing_tags {
        lines.push(format!(
            "tag {} has the digest {} in targets, and {} in targets/releases, which docker pulled and which is signed",
            differing.tag, differing.targets, differing.releases
        ));
    }
    lines
}

/// A name for a statement: that of the repository, with what names must not have replaced.
fn statement_name(gun: &str) -> String {
    gun.replace(['/', ':'], "-")
}

impl Plan {
    /// Reads a plan.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, PlanError> {
        let value = crate::json::parse(json).map_err(PlanError::Malformed)?;
        match value.get("planVersion").and_then(serde_json::Value::as_u64) {
            Some(VERSION) | None => {}
            Some(other) => return Err(PlanError::UnknownVersion(other)),
        }
        serde_json::from_value(value).map_err(PlanError::Malformed)
    }

    /// Takes over what a person has decided in an earlier plan.
    pub(crate) fn keep(&mut self, earlier: &Self) {
        self.keys.clone_from(&earlier.keys);
        for repository in &mut self.repositories {
            let Some(known) = earlier.repositories.iter().find(|one| one.gun == repository.gun)
            else {
                continue;
            };
            repository.repository.clone_from(&known.repository);
            repository.statement.clone_from(&known.statement);
            for signature in &mut repository.signatures {
                let known = known.signatures.iter().find(|one| one.digest == signature.digest);
                if let Some(known) = known {
                    signature.key.clone_from(&known.key);
                    signature.user_metadata.clone_from(&known.user_metadata);
                }
            }
        }
    }

    /// Gives signatures the keys that somebody has chosen for their signers, by name; the rest stays as it is.
    pub(crate) fn choose(&mut self, key_of: &dyn Fn(&str) -> Option<String>) {
        for signature in self.repositories.iter_mut().flat_map(|one| &mut one.signatures) {
            if let Some(key) = key_of(main_signer(&signature.signers)) {
                let known = self.keys.entry(key.clone()).or_default();
                if known.is_placeholder() {
                    *known = PlannedKey::named(&key);
                }
                signature.key = key;
            }
        }
        let used: BTreeSet<String> = self.used_keys().into_iter().map(ToOwned::to_owned).collect();
        for name in &used {
            self.keys.entry(name.clone()).or_default();
        }
        self.keys.retain(|name, key| used.contains(name) || !key.is_placeholder());
    }

    /// Everybody who has signed something, by the names of plans.
    pub(crate) fn signers(&self) -> BTreeSet<&str> {
        let signatures = self.repositories.iter().flat_map(|repository| &repository.signatures);
        signatures.flat_map(|signature| &signature.signers).map(|signer| name_of(signer)).collect()
    }

    /// Names of keys that signatures use.
    pub(crate) fn used_keys(&self) -> BTreeSet<&str> {
        self.repositories.iter().flat_map(PlannedRepository::keys).collect()
    }
}
