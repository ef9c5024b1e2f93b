//! A judged repository as JSON, as archives and `dct inspect --output json` hold it.
//!
//! The record is a convenience for people and scripts. Nothing here reads one back to decide anything:
//! verdicts are always made anew from the files.

use std::fmt;

use serde::Serialize;
use time::UtcDateTime;

use super::{
    DifferingTag, Fault, JudgedFile, Judgement, Key, Released, Role, RootTrust, SignedTag, Signer,
    Verdict,
};
use crate::x509::Rfc3339;

/// A repository, what its files are worth, and what they say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RepositoryRecord {
    /// The repository.
    pub gun: String,
    /// The time that verdicts hold for, RFC 3339.
    pub judged_at: String,
    /// All files together.
    pub verdict: Verdict,
    /// What the root's trust hangs on.
    pub root_trust: RootTrust,
    /// The root keys of all versions of the root.
    pub root_keys: Vec<KeyRecord>,
    /// One a file.
    pub roles: Vec<RoleRecord>,
    /// Released tags.
    pub tags: Vec<SignedTag>,
    /// Tags with two digests.
    pub differing_tags: Vec<DifferingTag>,
    /// Delegations, as docker's signers.
    pub signers: Vec<Signer>,
    /// Ids of the keys of the roles root and targets.
    pub administrative_keys: AdministrativeKeys,
    /// What a person should know beside.
    pub notes: Vec<String>,
}

/// A key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct KeyRecord {
    /// The id.
    pub id: String,
    /// The id of the same key without its certificate.
    pub canonical_id: String,
    /// `ecdsa`, `ecdsa-x509`, `rsa`, `rsa-x509` or `ed25519`.
    #[serde(rename = "type")]
    pub key_type: String,
    /// `EC-256`, `RSA-2048`, `Ed25519`, …
    pub strength: String,
    /// Why the key is too weak or cannot be used.
    pub weakness: Option<String>,
    /// The subject of the key's certificate.
    pub subject: Option<String>,
    /// When the key's certificate expires, RFC 3339.
    pub not_after: Option<String>,
}

/// A file and its verdict.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RoleRecord {
    /// The role.
    pub role: Role,
    /// The file's name.
    pub file: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why, where it is not `verified`.
    pub reasons: Vec<Reason>,
    /// Its version.
    pub version: Option<u64>,
    /// When it expires, RFC 3339.
    pub expires: Option<String>,
    /// Whole days from the judgement to the expiry; negative when it is over.
    pub days_left: Option<i64>,
    /// Bytes.
    pub size: Option<usize>,
    /// Hex SHA-256 of the bytes as served.
    pub sha256: Option<String>,
    /// How many keys have to sign.
    pub threshold: Option<i64>,
    /// The keys that speak for the role.
    pub keys: Vec<KeyRecord>,
    /// Ids of those whose signature verifies.
    pub signed_by: Vec<String>,
}

/// A reason for a verdict.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// A stable name: `wrong-signature`, `expired`, …
    pub code: &'static str,
    /// The same for people.
    pub message: String,
}

/// Key ids by role.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct AdministrativeKeys {
    /// Of the role root.
    pub root: Vec<String>,
    /// Of the role targets.
    pub repository: Vec<String>,
}

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

impl RepositoryRecord {
    /// The record of a judgement. Tags of expired roles stand in it where the caller allows that.
    #[must_use]
    pub fn new(judgement: &Judgement, allow_expired: bool) -> Self {
        let Released { tags, signers, root_keys, repository_keys, differing } =
            judgement.released(allow_expired);
        Self {
            gun: judgement.gun.to_string(),
            judged_at: Rfc3339(judgement.at).to_string(),
            verdict: judgement.verdict(),
            root_trust: judgement.trust.clone(),
            root_keys: judgement.root_keys.iter().map(KeyRecord::from).collect(),
            roles: judgement.files.iter().map(|file| RoleRecord::new(file, judgement.at)).collect(),
            tags,
            differing_tags: differing,
            signers,
            administrative_keys: AdministrativeKeys {
                root: root_keys,
                repository: repository_keys,
            },
            notes: judgement.notes.clone(),
        }
    }
}

impl RoleRecord {
    fn new(file: &JudgedFile, at: UtcDateTime) -> Self {
        let days = |expires: UtcDateTime| {
            (expires.unix_timestamp() - at.unix_timestamp()).div_euclid(SECONDS_A_DAY)
        };
        Self {
            role: file.role.clone(),
            file: file.name.clone(),
            verdict: file.verdict(),
            reasons: file.faults.iter().map(Reason::from).collect(),
            version: file.version,
            expires: file.expires.map(|time| Rfc3339(time).to_string()),
            days_left: file.expires.map(days),
            size: file.content.as_ref().map(|(size, _)| *size),
            sha256: file.content.as_ref().map(|(_, sha256)| sha256.clone()),
            threshold: file.threshold,
            keys: file.keys.iter().map(KeyRecord::from).collect(),
            signed_by: file.signed_by.clone(),
        }
    }
}

impl From<&Fault> for Reason {
    fn from(fault: &Fault) -> Self {
        Self { code: fault.code(), message: fault.to_string() }
    }
}

impl From<&Key> for KeyRecord {
    fn from(key: &Key) -> Self {
        let certificate = key.certificate();
        Self {
            id: key.id().to_owned(),
            canonical_id: key.canonical_id().to_owned(),
            key_type: key.key_type().to_owned(),
            strength: key.strength(),
            weakness: key.weakness(),
            subject: certificate.map(|leaf| leaf.subject().to_string()),
            not_after: certificate.map(|leaf| Rfc3339(leaf.not_after()).to_string()),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignored => "ignored",
            Self::Unpublished => "unpublished",
            Self::Verified => "verified",
            Self::Expired => "expired",
            Self::Missing => "missing",
            Self::Refused => "refused",
        })
    }
}
