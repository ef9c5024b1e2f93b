//! Roles: what a metadata file speaks for.

use std::{fmt, str::FromStr};

/// A role of a repository's trust data, and so one of its metadata files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Says which keys hold for the other three.
    Root,
    /// Says which snapshot is the newest.
    Timestamp,
    /// Says which root, targets and delegation files belong together.
    Snapshot,
    /// Tags and their digests, and who else may sign tags.
    Targets,
    /// Tags signed by somebody to whom another role has delegated: `targets/releases`.
    Delegation(Delegation),
}

/// The name of a delegation: `targets/releases`, `targets/alice/ci`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delegation(String);

/// Not the name of a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a role")]
pub struct NotARole(pub(super) String);

/// Bytes of a delegation's name, by the column that servers keep it in.
const NAME_BYTES: usize = 255;

impl Role {
    /// The delegation in which docker keeps released tags: `targets/releases`.
    #[must_use]
    pub fn releases() -> Self {
        Self::Delegation(Delegation("targets/releases".to_owned()))
    }

    /// The name, as metadata spells it: `root`, `targets/releases`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
            Self::Delegation(Delegation(name)) => name,
        }
    }

    /// The metadata file, as servers name it: `targets/releases.json`.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{self}.json")
    }

    /// The `_type` that the file has to have.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Root => "Root",
            Self::Timestamp => "Timestamp",
            Self::Snapshot => "Snapshot",
            Self::Targets | Self::Delegation(_) => "Targets",
        }
    }

    /// Whether tags in this role count as released: in `targets` or `targets/releases`.
    #[must_use]
    pub fn is_release(&self) -> bool {
        *self == Self::Targets || *self == Self::releases()
    }

    /// The signer, as `docker trust` names one: `alice` for `targets/alice`. `None` for all other roles.
    #[must_use]
    pub fn signer(&self) -> Option<&str> {
        match self {
            Self::Delegation(Delegation(name)) if !self.is_release() => {
                name.strip_prefix("targets/")
            }
            _ => None,
        }
    }

    /// The roles between the targets and this delegation, itself included; none for all other roles.
    pub(super) fn ancestry(&self) -> Vec<Self> {
        let Self::Delegation(Delegation(name)) = self else { return Vec::new() };
        let ends = name.match_indices('/').skip(1).map(|(end, _)| end).chain([name.len()]);
        let names = ends.filter_map(|end| name.get(..end));
        names.map(|name| Self::Delegation(Delegation(name.to_owned()))).collect()
    }

    /// The role that delegates to this one; the root for all that is no delegation.
    pub(super) fn parent(&self) -> Self {
        let Self::Delegation(Delegation(name)) = self else { return Self::Root };
        match name.rsplit_once('/') {
            Some((parent, _)) if parent != "targets" => {
                Self::Delegation(Delegation(parent.to_owned()))
            }
            _ => Self::Targets,
        }
    }

    /// Whether `child` is a delegation right below this role.
    pub(super) fn is_parent_of(&self, child: &Self) -> bool {
        child.parent() == *self
    }
}

impl FromStr for Role {
    type Err = NotARole;

    /// A role by its name; a delegation's by notary's rule: `^[-a-z0-9_/]+$`, below `targets/`, fewer than
    /// 256 bytes, no empty part.
    fn from_str(name: &str) -> Result<Self, NotARole> {
        let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '/');
        match name {
            "root" => Ok(Self::Root),
            "timestamp" => Ok(Self::Timestamp),
            "snapshot" => Ok(Self::Snapshot),
            "targets" => Ok(Self::Targets),
            _ if name.starts_with("targets/")
                && name.len() <= NAME_BYTES
                && name.chars().all(fits)
                && name.split('/').all(|part| !part.is_empty()) =>
            {
                Ok(Self::Delegation(Delegation(name.to_owned())))
            }
            _ => Err(NotARole(name.to_owned())),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_delegations_are_notarys() {
        for name in ["root", "targets", "targets/releases", "targets/a-b_1/c"] {
            assert_eq!(name.parse::<Role>().unwrap().as_str(), name);
        }
        let long = format!("targets/{}", "x".repeat(248));
        for name in [
            "",
            "targets/",
            "targets//a",
            "targets/a/",
            "targets/A",
            "targets/../root",
            "other/a",
            &long,
        ] {
            assert!(name.parse::<Role>().is_err(), "{name}");
        }
    }

    #[test]
    fn docker_shows_delegations_but_releases_as_signers() {
        let signer = |name: &str| name.parse::<Role>().unwrap().signer().map(ToOwned::to_owned);
        assert_eq!(signer("targets/alice").as_deref(), Some("alice"));
        assert_eq!(signer("targets/releases"), None);
        assert_eq!(signer("targets"), None);
    }
}
