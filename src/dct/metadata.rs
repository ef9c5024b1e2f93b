//! The five metadata files: root, timestamp, snapshot, targets, and delegations.
//!
//! ```text
//! { "signed": { "_type": Root | Targets | Snapshot | Timestamp, "expires": RFC 3339, "version": integer, … },
//!   "signatures": [ { "keyid": HEX, "method": TEXT, "sig": BASE64 } ] }
//! ```
//!
//! Parsing shows the form only. What a file says is worth nothing before [`judge`](super::judge).

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use time::{OffsetDateTime, UtcDateTime, format_description::well_known::Rfc3339};

use super::{
    canonical::{NotCanonical, to_canonical},
    key::{Key, KeyEntry, Signature},
    role::{NotARole, Role},
};
use crate::{crypto, json, limits};

/// Why bytes are not a metadata file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// No JSON, or a member that occurs twice.
    #[error("file is not JSON: {0}")]
    NotJson(serde_json::Error),
    /// A member is missing or of another type.
    #[error("file is not of the form of {role} metadata: {error}")]
    WrongForm {
        /// The role.
        role: Role,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// Another role's file.
    #[error("file says that it is of type {found:?}, where {role} metadata has {expected:?}", expected = role.kind())]
    WrongType {
        /// The role.
        role: Role,
        /// The type.
        found: String,
    },
    /// No canonical form, so that nothing can have been signed.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// `expires` is no time.
    #[error("expiry {0:?} is not an RFC 3339 time")]
    BadExpiry(String),
    /// Versions count from one.
    #[error("version {0} is not a version: they count from 1")]
    BadVersion(i64),
    /// More signatures than are looked at.
    #[error("{0} signatures are over the limit of {limit}", limit = limits::DCT_SIGNATURES)]
    TooManySignatures(usize),
    /// A delegation with no name that notary takes.
    #[error("delegation {0}")]
    BadRole(#[from] NotARole),
    /// A delegation that does not stand right below its role.
    #[error("{parent} delegates to {child}, which is not right below it")]
    NotAChild {
        /// The role.
        parent: Role,
        /// The delegation.
        child: Role,
    },
    /// More delegations than are looked at.
    #[error("{0} delegations are over the limit of {limit}", limit = limits::DCT_DELEGATIONS)]
    TooManyDelegations(usize),
    /// More paths than are looked at.
    #[error("{role} may sign {count} paths, which are over the limit of {limit}", limit = limits::DCT_PATHS)]
    TooManyPaths {
        /// The delegation.
        role: Role,
        /// How many there are.
        count: usize,
    },
    /// A hash that is no base64 of the right length.
    #[error("{name:?}: hash {algorithm} is not base64 of {bytes} bytes")]
    BadHash {
        /// The file or tag.
        name: String,
        /// The hash's name.
        algorithm: String,
        /// How many bytes it has.
        bytes: usize,
    },
}

/// A metadata file with what its role says.
#[derive(Debug)]
pub(super) struct Metadata<T> {
    pub(super) version: u64,
    pub(super) expires: UtcDateTime,
    /// What the signatures are over.
    pub(super) canonical: Vec<u8>,
    pub(super) signatures: Vec<Signature>,
    pub(super) body: T,
}

/// `root.json`
#[derive(Debug)]
pub(super) struct Root {
    /// By the id that the file lists.
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) roles: BTreeMap<String, RoleKeys>,
}

/// Which keys speak for a role, and how many of them have to.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RoleKeys {
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) keyids: Vec<String>,
    pub(super) threshold: i64,
}

/// `snapshot.json` and `timestamp.json`: files by role name.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) files: BTreeMap<String, FileMeta>,
}

/// `targets.json` and those of delegations.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    /// By tag.
    pub(super) targets: BTreeMap<String, FileMeta>,
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) delegations: Vec<DelegatedRole>,
}

/// A delegation, as the role above lists it.
#[derive(Debug, Clone)]
pub(super) struct DelegatedRole {
    pub(super) role: Role,
    pub(super) keys: RoleKeys,
    /// Prefixes of the tags that it may sign.
    pub(super) paths: Vec<String>,
}

/// Length and hashes of a file or an image manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMeta {
    pub(super) length: u64,
    pub(super) sha256: Option<Vec<u8>>,
    pub(super) sha512: Option<Vec<u8>>,
}

/// What a role's `signed` has beside the common members.
pub(super) trait Body: Sized {
    fn read(role: &Role, signed: &Value) -> Result<Self, MetadataError>;
}

#[derive(Deserialize)]
struct Envelope {
    signed: Value,
    #[serde(default, deserialize_with = "null_is_empty")]
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Common {
    #[serde(rename = "_type")]
    kind: String,
    expires: String,
    version: i64,
}

impl<T: Body> Metadata<T> {
    /// Reads the file of a role.
    pub(super) fn parse(role: &Role, bytes: &[u8]) -> Result<Self, MetadataError> {
        let value = json::parse(bytes).map_err(MetadataError::NotJson)?;
        let Envelope { signed, signatures } =
            serde_json::from_value(value).map_err(|error| wrong_form(role, error))?;
        if signatures.len() > limits::DCT_SIGNATURES {
            return Err(MetadataError::TooManySignatures(signatures.len()));
        }
        let common: Common = read_as(role, &signed)?;
        if common.kind != role.kind() {
            return Err(MetadataError::WrongType { role: role.clone(), found: common.kind });
        }
        let version = u64::try_from(common.version).ok().filter(|&version| version > 0);
        let expires = OffsetDateTime::parse(&common.expires, &Rfc3339).ok();
        Ok(Self {
            version: version.ok_or(MetadataError::BadVersion(common.version))?,
            expires: expires
                .and_then(|time| UtcDateTime::from_unix_timestamp(time.unix_timestamp()).ok())
                .ok_or(MetadataError::BadExpiry(common.expires))?,
            canonical: to_canonical(&signed)?,
            signatures,
            body: T::read(role, &signed)?,
        })
    }
}

impl Body for Root {
    fn read(role: &Role, signed: &Value) -> Result<Self, MetadataError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default, deserialize_with = "null_is_empty")]
            keys: BTreeMap<String, KeyEntry>,
            #[serde(default, deserialize_with = "null_is_empty")]
            roles: BTreeMap<String, RoleKeys>,
        }
        let wire: Wire = read_as(role, signed)?;
        Ok(Self { keys: read_keys(&wire.keys), roles: wire.roles })
    }
}

impl Body for Listing {
    fn read(role: &Role, signed: &Value) -> Result<Self, MetadataError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default, deserialize_with = "null_is_empty")]
            meta: BTreeMap<String, WireFile>,
        }
        let wire: Wire = read_as(role, signed)?;
        Ok(Self { files: read_files(wire.meta)? })
    }
}

impl Body for Targets {
    fn read(role: &Role, signed: &Value) -> Result<Self, MetadataError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default, deserialize_with = "null_is_empty")]
            targets: BTreeMap<String, WireFile>,
            #[serde(default, deserialize_with = "null_is_empty")]
            delegations: Delegations,
        }
        #[derive(Deserialize, Default)]
        struct Delegations {
            #[serde(default, deserialize_with = "null_is_empty")]
            keys: BTreeMap<String, KeyEntry>,
            #[serde(default, deserialize_with = "null_is_empty")]
            roles: Vec<WireDelegation>,
        }
        let wire: Wire = read_as(role, signed)?;
        if wire.delegations.roles.len() > limits::DCT_DELEGATIONS {
            return Err(MetadataError::TooManyDelegations(wire.delegations.roles.len()));
        }
        let delegations = wire.delegations.roles.into_iter().map(|delegation| {
            let child: Role = delegation.name.parse()?;
            if !role.is_parent_of(&child) {
                return Err(MetadataError::NotAChild { parent: role.clone(), child });
            }
            let count = delegation.paths.len();
            if count > limits::DCT_PATHS {
                return Err(MetadataError::TooManyPaths { role: child, count });
            }
            Ok(DelegatedRole { role: child, keys: delegation.keys, paths: delegation.paths })
        });
        Ok(Self {
            targets: read_files(wire.targets)?,
            keys: read_keys(&wire.delegations.keys),
            delegations: delegations.collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Deserialize)]
struct WireDelegation {
    name: String,
    #[serde(flatten)]
    keys: RoleKeys,
    #[serde(default, deserialize_with = "null_is_empty")]
    paths: Vec<String>,
}

#[derive(Deserialize)]
struct WireFile {
    length: u64,
    #[serde(default, deserialize_with = "null_is_empty")]
    hashes: BTreeMap<String, String>,
}

/// Reads from the value where it stands: files may be large, and a copy would be larger.
fn read_as<'de, T: Deserialize<'de>>(role: &Role, value: &'de Value) -> Result<T, MetadataError> {
    T::deserialize(value).map_err(|error| wrong_form(role, error))
}

fn wrong_form(role: &Role, error: serde_json::Error) -> MetadataError {
    MetadataError::WrongForm { role: role.clone(), error }
}

/// Go writes an empty list or map as `null`.
fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn read_keys(keys: &BTreeMap<String, KeyEntry>) -> BTreeMap<String, Key> {
    keys.iter().map(|(id, entry)| (id.clone(), Key::from_entry(entry))).collect()
}

fn read_files(
    files: BTreeMap<String, WireFile>,
) -> Result<BTreeMap<String, FileMeta>, MetadataError> {
    let read = |(name, file): (String, WireFile)| {
        let hash = |algorithm: &str, bytes: usize| match file.hashes.get(algorithm) {
            None => Ok(None),
            Some(text) => {
                let decoded = BASE64_STANDARD.decode(text).ok().filter(|hash| hash.len() == bytes);
                decoded.map(Some).ok_or_else(|| MetadataError::BadHash {
                    name: name.clone(),
                    algorithm: algorithm.to_owned(),
                    bytes,
                })
            }
        };
        let (sha256, sha512) = (hash("sha256", 32)?, hash("sha512", 64)?);
        Ok((name, FileMeta { length: file.length, sha256, sha512 }))
    };
    files.into_iter().map(read).collect()
}

impl FileMeta {
    /// The digest of an image, as registries spell it; `None` where no SHA-256 is listed.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        self.sha256.as_deref().map(|hash| format!("sha256:{}", crypto::hex(hash)))
    }

    /// Bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }
}
