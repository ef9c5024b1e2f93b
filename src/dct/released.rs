//! The tags that a repository has released, told as `docker trust inspect` tells them, and what it hides.

use std::{cmp::Ordering, collections::BTreeMap};

use serde::Serialize;

use super::{Judgement, Role, Verdict, judge::SigningRole};

/// What a repository's accepted roles say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Released {
    /// Tags in the order of their names, numbers by value.
    pub tags: Vec<SignedTag>,
    /// Who may sign beside the repository's own keys, in docker's order: names descending.
    pub signers: Vec<Signer>,
    /// Ids of the keys of the root role.
    pub root_keys: Vec<String>,
    /// Ids of the keys of the targets role.
    pub repository_keys: Vec<String>,
    /// Tags that `targets/releases` and `targets` give different digests.
    pub differing: Vec<DifferingTag>,
}

/// A tag with one digest that it was released for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SignedTag {
    /// The tag.
    pub tag: String,
    /// `sha256:` and hex.
    pub digest: String,
    /// Bytes of the manifest.
    pub size: u64,
    /// Who signed it, as docker says it: the delegations beside the releases, else `Repo Admin`.
    pub signers: Vec<String>,
    /// Every role that holds this tag with this digest, in the order of the walk.
    pub roles: Vec<Role>,
}

/// A delegation as a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Signer {
    /// The name: `alice` for the role `targets/alice`.
    pub name: String,
    /// Ids of the keys, without their certificates.
    pub keys: Vec<String>,
}

/// A tag with two digests. `docker pull` took the one of `targets/releases`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DifferingTag {
    /// The tag.
    pub tag: String,
    /// The digest in `targets/releases`.
    pub releases: String,
    /// The digest in `targets`.
    pub targets: String,
}

/// Docker's word for the holders of the repository's own keys.
const REPO_ADMIN: &str = "Repo Admin";

impl Judgement {
    /// What the accepted roles release; expired ones count where the caller allows it.
    #[must_use]
    pub fn released(&self, allow_expired: bool) -> Released {
        let roles: Vec<&SigningRole> =
            self.signing.iter().filter(|role| self.accepts(&role.role, allow_expired)).collect();
        let keys = |role: &Role| {
            let file = self.file(role).filter(|_| self.accepts(role, allow_expired));
            file.map(|file| file.keys.iter().map(|key| key.id().to_owned()).collect())
        };
        Released {
            tags: tags(&roles),
            signers: self.signers(allow_expired),
            root_keys: keys(&Role::Root).unwrap_or_default(),
            repository_keys: keys(&Role::Targets).unwrap_or_default(),
            differing: differing(&roles),
        }
    }

    /// Delegations, unpublished ones too, as long as what lists them is accepted.
    fn signers(&self, allow_expired: bool) -> Vec<Signer> {
        let mut signers: Vec<Signer> = self
            .files
            .iter()
            .filter(|file| file.verdict() != Verdict::Ignored)
            .filter(|file| self.accepts(&file.role.parent(), allow_expired))
            .filter_map(|file| {
                let keys = file.keys.iter().map(|key| key.canonical_id().to_owned()).collect();
                Some(Signer { name: file.role.signer()?.to_owned(), keys })
            })
            .collect();
        signers.sort_by(|a, b| b.name.cmp(&a.name));
        signers
    }
}

impl SignedTag {
    fn new(tag: &str, digest: String, size: u64, roles: Vec<Role>) -> Self {
        let signers: Vec<String> =
            roles.iter().filter_map(Role::signer).map(ToOwned::to_owned).collect();
        let signers = if signers.is_empty() { vec![REPO_ADMIN.to_owned()] } else { signers };
        Self { tag: tag.to_owned(), digest, size, signers, roles }
    }
}

fn tags(roles: &[&SigningRole]) -> Vec<SignedTag> {
    let mut rows: BTreeMap<(&str, String), (u64, Vec<Role>)> = BTreeMap::new();
    for role in roles {
        for (tag, meta) in &role.tags {
            let Some(digest) = meta.digest() else { continue };
            let row = rows.entry((tag, digest)).or_insert_with(|| (meta.length(), Vec::new()));
            row.1.push(role.role.clone());
        }
    }
    let released = rows.into_iter().filter(|(_, (_, roles))| roles.iter().any(Role::is_release));
    let mut tags: Vec<SignedTag> = released
        .map(|((tag, digest), (size, roles))| SignedTag::new(tag, digest, size, roles))
        .collect();
    tags.sort_by(|a, b| natural(&a.tag, &b.tag));
    tags
}

fn differing(roles: &[&SigningRole]) -> Vec<DifferingTag> {
    let digests = |wanted: &Role| -> BTreeMap<String, String> {
        let tags = roles.iter().filter(|role| role.role == *wanted).flat_map(|role| &role.tags);
        tags.filter_map(|(tag, meta)| Some((tag.clone(), meta.digest()?))).collect()
    };
    let (released, targets) = (digests(&Role::releases()), digests(&Role::Targets));
    let differ = |(tag, releases): (String, String)| {
        let targets = targets.get(&tag).filter(|targets| **targets != releases)?.clone();
        Some(DifferingTag { tag, releases, targets })
    };
    released.into_iter().filter_map(differ).collect()
}

/// Orders names so that `v2` stands before `v10`: runs of digits by value, all else bytewise.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (x, y) = (take_run(&mut left), take_run(&mut right));
        let is_number = |run: &str| run.starts_with(|c: char| c.is_ascii_digit());
        let order = if is_number(x) && is_number(y) {
            let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            x.cmp(y)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Takes a run of digits, or of anything else, off the front.
fn take_run<'a>(text: &mut &'a str) -> &'a str {
    let is_digit = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_tags_are_ordered_by_value() {
        let mut tags = ["v10", "v2", "latest", "v1.10", "v1.9", "v02", "v1", "1.0", "v1-rc"];
        tags.sort_by(|a, b| natural(a, b));
        assert_eq!(tags, ["1.0", "latest", "v1", "v1-rc", "v1.9", "v1.10", "v02", "v2", "v10"]);
    }
}
