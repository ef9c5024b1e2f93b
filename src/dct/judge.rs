//! Judging a repository's trust data: a pure function of the files, of what was known before, and of time.
//!
//! Every file gets its own verdict with the reasons. What rests on a file that is refused is refused too.
//! The order is that of The Update Framework: the root says whose signature counts for the timestamp, the
//! snapshot and the targets; the timestamp lists the snapshot, the snapshot lists all others, and targets
//! delegate to further targets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use time::UtcDateTime;

use super::{
    Fault, Gun, Key, Role, RootPin, RootTrust, TrustData,
    metadata::{Body, FileMeta, Listing, Metadata, Root, Targets},
    roots,
    signatures::Authority,
};
use crate::{
    algorithm::HashAlgorithm::{self, Sha256, Sha512},
    crypto, limits,
};

/// What trust data is held against.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a caller names every term")]
pub struct Terms<'a> {
    /// What is known of the root. Empty: the root is trusted on first use, and the judgement says so.
    pub pins: &'a [RootPin],
    /// The newest version of each role that was seen before.
    pub seen: &'a BTreeMap<Role, u64>,
    /// The time.
    pub at: UtcDateTime,
}

/// What became of a repository's trust data.
#[derive(Debug)]
#[non_exhaustive]
pub struct Judgement {
    /// The repository.
    pub gun: Gun,
    /// The time for which this holds.
    pub at: UtcDateTime,
    /// What the root's trust hangs on.
    pub trust: RootTrust,
    /// Every root key of every version of the root.
    pub root_keys: Vec<Key>,
    /// The files: roots first, then in the order in which they rest on each other.
    pub files: Vec<JudgedFile>,
    /// What a person should know beside the verdicts.
    pub notes: Vec<String>,
    /// The roles that can sign tags, in the order in which clients walk through them.
    pub(super) signing: Vec<SigningRole>,
}

/// A targets role that could be read, accepted or not.
#[derive(Debug)]
pub(super) struct SigningRole {
    pub(super) role: Role,
    /// Tags that the role may sign.
    pub(super) tags: BTreeMap<String, FileMeta>,
}

/// Whether a file may be relied on, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// A file that no role delegates to: nothing rests on it, and it counts for nothing.
    Ignored,
    /// A delegation that nobody has published anything in.
    Unpublished,
    /// Every check passed.
    Verified,
    /// Every check passed but that its time is over.
    Expired,
    /// It should be there and is not.
    Missing,
    /// A check did not pass.
    Refused,
}

/// One file with what was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct JudgedFile {
    /// The role that it speaks for.
    pub role: Role,
    /// Its name as served.
    pub name: String,
    /// Bytes and their hex SHA-256; `None` where there is no file.
    pub content: Option<(usize, String)>,
    /// Its version, where it can be read.
    pub version: Option<u64>,
    /// When it expires, where it can be read.
    pub expires: Option<UtcDateTime>,
    /// How many of the keys have to sign.
    pub threshold: Option<i64>,
    /// The keys that speak for the role.
    pub keys: Vec<Key>,
    /// Listed ids of those whose signature verifies.
    pub signed_by: Vec<String>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Needed,
    Unpublished,
    Ignored,
}

/// Judges a repository's trust data.
#[must_use]
pub fn judge(gun: &Gun, data: &TrustData, terms: &Terms<'_>) -> Judgement {
    let roots = roots::judge(gun, data, terms);
    let mut judgement = Judgement {
        gun: gun.clone(),
        at: terms.at,
        trust: roots.trust,
        root_keys: roots.keys,
        files: roots.files,
        notes: roots.notes,
        signing: Vec::new(),
    };
    let walk = Walk { data, terms, root: roots.current.as_ref() };
    walk.run(&mut judgement);
    judgement
}

/// The newest version of each role in earlier trust data of the same repository, as far as it is accepted.
#[must_use]
pub fn newest_versions(
    gun: &Gun,
    earlier: &[TrustData],
    pins: &[RootPin],
    at: UtcDateTime,
) -> BTreeMap<Role, u64> {
    let mut newest = BTreeMap::new();
    for data in earlier {
        let judgement = judge(gun, data, &Terms { pins, seen: &BTreeMap::new(), at });
        let counts =
            |file: &JudgedFile| matches!(file.verdict(), Verdict::Verified | Verdict::Expired);
        for file in judgement.files.into_iter().filter(counts) {
            let version = file.version.unwrap_or(0);
            let known = newest.entry(file.role).or_insert(version);
            *known = version.max(*known);
        }
    }
    newest
}

/// The root keys that earlier trust data of the same repository hangs on, as far as it is accepted: pins for where
/// nobody gave any, so that trust on first use is trust in the first one.
#[must_use]
pub fn remembered_roots(gun: &Gun, earlier: &[TrustData], at: UtcDateTime) -> Vec<RootPin> {
    let mut pins = BTreeSet::new();
    for data in earlier {
        let judgement = judge(gun, data, &Terms { pins: &[], seen: &BTreeMap::new(), at });
        let root = judgement.file(&Role::Root).filter(|root| !root.is_refused());
        pins.extend(root.into_iter().flat_map(|root| root.signed_by.iter().cloned()));
    }
    pins.into_iter().map(RootPin::KeyId).collect()
}

impl Judgement {
    /// All files together: the worst of their verdicts.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let worst = self.files.iter().map(JudgedFile::verdict).max();
        worst.map_or(Verdict::Missing, |worst| worst.max(Verdict::Verified))
    }

    /// The file of a role; for the root, the current one.
    #[must_use]
    pub fn file(&self, role: &Role) -> Option<&JudgedFile> {
        self.files.iter().find(|file| file.role == *role)
    }

    /// Whether a role and all that it rests on may be relied on, expired or not as the caller allows.
    #[must_use]
    pub fn accepts(&self, role: &Role, allow_expired: bool) -> bool {
        let accepted = |role: &Role| match self.file(role).map(JudgedFile::verdict) {
            Some(Verdict::Verified) => true,
            Some(Verdict::Expired) => allow_expired,
            _ => false,
        };
        // What is refused passes that on by itself; that time is over does not.
        [Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets].iter().all(accepted)
            && role.ancestry().iter().all(accepted)
    }

    /// Whether files do not belong together, as where somebody published while they were fetched.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        let faults = self.files.iter().flat_map(|file| &file.faults);
        faults.into_iter().any(|fault| {
            use Fault::{NotListed, WrongHash, WrongLength};
            matches!(fault, NotListed(_) | WrongHash { .. } | WrongLength { .. })
        })
    }
}

/// What the walk over the files goes by.
struct Walk<'a> {
    data: &'a TrustData,
    terms: &'a Terms<'a>,
    root: Option<&'a Root>,
}

impl Walk<'_> {
    fn run(&self, judgement: &mut Judgement) {
        let root = [Role::Root];
        let timestamp: Option<Metadata<Listing>> =
            self.read(judgement, &Role::Timestamp, self.base(&Role::Timestamp), None, &root);
        let listing = timestamp.as_ref().map(|file| (&Role::Timestamp, &file.body));
        let above = [Role::Root, Role::Timestamp];
        let snapshot: Option<Metadata<Listing>> =
            self.read(judgement, &Role::Snapshot, self.base(&Role::Snapshot), listing, &above);
        let snapshot = snapshot.as_ref().map(|file| (&Role::Snapshot, &file.body));
        self.hold_root_against(snapshot, judgement);

        let above = [Role::Root, Role::Snapshot];
        let targets: Option<Metadata<Targets>> =
            self.read(judgement, &Role::Targets, self.base(&Role::Targets), snapshot, &above);
        let mut reached =
            BTreeSet::from([Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets]);
        match targets {
            Some(targets) => self.delegations(targets, snapshot, judgement, &mut reached),
            None => judgement
                .notes
                .push("targets.json cannot be read, so nobody knows what it delegates".to_owned()),
        }
        self.unreached(snapshot, &reached, judgement);
    }

    /// Who speaks for one of the base roles.
    fn base(&self, role: &Role) -> Option<Authority<'_>> {
        self.root?.authority(role)
    }

    /// Reads one file, judges it, and gives what it says, accepted or not.
    fn read<T: Body>(
        &self,
        judgement: &mut Judgement,
        role: &Role,
        authority: Option<Authority<'_>>,
        listing: Option<(&Role, &Listing)>,
        rests_on: &[Role],
    ) -> Option<Metadata<T>> {
        let Some(bytes) = self.data.get(&role.file()) else {
            judgement.files.push(JudgedFile::absent(role.clone()));
            return None;
        };
        let mut file = JudgedFile::new(role.clone(), &role.file(), bytes);
        let limit = match role {
            Role::Timestamp => limits::DCT_TIMESTAMP_BYTES,
            _ => limits::DCT_FILE_BYTES,
        };
        if let Some((by, listing)) = listing {
            file.faults.extend(compare(role, bytes, by, listing));
        }
        let metadata = file.parse(bytes, limit);
        if let Some(metadata) = &metadata {
            file.check_signatures(authority, metadata);
            let seen = self.terms.seen.get(role).copied();
            file.faults.extend(self.terms.check_age(metadata, seen));
        }
        let unaccepted = |role: &&Role| judgement.file(role).is_none_or(JudgedFile::is_refused);
        file.faults.extend(rests_on.iter().find(unaccepted).cloned().map(Fault::RestsOn));
        judgement.files.push(file);
        metadata
    }

    /// The snapshot lists the root too.
    fn hold_root_against(&self, snapshot: Option<(&Role, &Listing)>, judgement: &mut Judgement) {
        let (Some((by, listing)), Some(bytes)) = (snapshot, self.data.get(&Role::Root.file()))
        else {
            return;
        };
        let faults = compare(&Role::Root, bytes, by, listing);
        if faults.is_empty() {
            return;
        }
        // Nobody can tell which of them is the one that was meant, so nothing may rest on either.
        judgement.trust = RootTrust::None;
        for file in &mut judgement.files {
            if matches!(file.role, Role::Timestamp | Role::Snapshot) {
                file.faults.push(Fault::RestsOn(Role::Root));
            }
        }
        if let Some(root) = judgement.file_mut(&Role::Root) {
            root.faults.extend(faults);
        }
    }

    /// Walks from the targets through all delegations, breadth first, as clients do.
    fn delegations(
        &self,
        targets: Metadata<Targets>,
        snapshot: Option<(&Role, &Listing)>,
        judgement: &mut Judgement,
        reached: &mut BTreeSet<Role>,
    ) {
        let mut too_many = false;
        let mut queue = VecDeque::from([(Role::Targets, vec![String::new()], targets)]);
        while let Some((parent, paths, metadata)) = queue.pop_front() {
            for delegation in &metadata.body.delegations {
                let role = &delegation.role;
                if reached.contains(role) {
                    let note = format!(
                        "{parent} delegates to {role} too, and the first delegation counts"
                    );
                    judgement.notes.push(note);
                    continue;
                }
                if reached.len() >= limits::DCT_DELEGATIONS {
                    too_many = true;
                    continue;
                }
                reached.insert(role.clone());
                let authority = Authority { role: &delegation.keys, keys: &metadata.body.keys };
                let lacks = snapshot
                    .filter(|(_, listing)| !listing.files.contains_key(role.as_str()))
                    .map(|(by, _)| by.clone());
                if let Some(by) = lacks {
                    judgement.files.push(match self.data.get(&role.file()) {
                        None => JudgedFile::unpublished(role.clone(), authority),
                        Some(bytes) => JudgedFile::unlisted(role.clone(), bytes, by),
                    });
                    continue;
                }
                let above = [Role::Snapshot, parent.clone()];
                let child: Option<Metadata<Targets>> =
                    self.read(judgement, role, Some(authority), snapshot, &above);
                if let Some(child) = child {
                    queue.push_back((role.clone(), within(&paths, &delegation.paths), child));
                }
            }
            judgement.take_tags(parent, &paths, metadata);
        }
        if too_many && let Some(targets) = judgement.file_mut(&Role::Targets) {
            targets.faults.push(Fault::TooManyDelegations(limits::DCT_DELEGATIONS));
        }
    }

    /// Files that nothing led to, and roles that the snapshot lists and nobody delegates to.
    fn unreached(
        &self,
        snapshot: Option<(&Role, &Listing)>,
        reached: &BTreeSet<Role>,
        judgement: &mut Judgement,
    ) {
        for (name, bytes) in self.data.files() {
            let role = name.strip_suffix(".json").and_then(|name| name.parse::<Role>().ok());
            match role {
                Some(role) if !reached.contains(&role) => {
                    judgement.files.push(JudgedFile::new(role, name, bytes).ignored());
                }
                None if TrustData::root_version(name).is_none() => {
                    judgement.notes.push(format!("{name} is not the name of a metadata file"));
                }
                _ => {}
            }
        }
        let listed = snapshot.into_iter().flat_map(|(_, listing)| listing.files.keys());
        for name in listed.filter(|name| !reached.iter().any(|role| role.as_str() == *name)) {
            judgement.notes.push(format!("snapshot lists {name:?}, which no role delegates to"));
        }
    }
}

impl Judgement {
    /// Keeps the tags that a role may sign. Others count for nothing, as clients pass over them; they are no reason
    /// to refuse the rest.
    fn take_tags(&mut self, role: Role, paths: &[String], metadata: Metadata<Targets>) {
        let may_sign = |tag: &String| paths.iter().any(|path| tag.starts_with(path));
        let (tags, outside): (BTreeMap<_, _>, BTreeMap<_, _>) =
            metadata.body.targets.into_iter().partition(|(tag, _)| may_sign(tag));
        if let Some(first) = outside.keys().next() {
            self.notes.push(format!(
                "{role} signs {} tags outside of its paths, {first:?} the first: they count for nothing",
                outside.len()
            ));
        }
        let mut unnamed = tags.iter().filter(|(_, meta)| meta.digest().is_none());
        if let Some((first, _)) = unnamed.next() {
            self.notes.push(format!(
                "{role} gives {} tags no SHA-256 digest, {first:?} the first: docker cannot pull them",
                unnamed.count() + 1
            ));
        }
        self.signing.push(SigningRole { role, tags });
    }

    fn file_mut(&mut self, role: &Role) -> Option<&mut JudgedFile> {
        self.files.iter_mut().find(|file| file.role == *role)
    }
}

impl JudgedFile {
    pub(super) fn new(role: Role, name: &str, bytes: &[u8]) -> Self {
        let content = Some((bytes.len(), crypto::hex(&crypto::sha256(bytes))));
        Self { name: name.to_owned(), content, faults: Vec::new(), ..Self::absent(role) }
    }

    /// A file that is not there.
    pub(super) fn absent(role: Role) -> Self {
        Self {
            name: role.file(),
            role,
            content: None,
            version: None,
            expires: None,
            threshold: None,
            keys: Vec::new(),
            signed_by: Vec::new(),
            faults: vec![Fault::Missing],
            standing: Standing::Needed,
        }
    }

    fn unpublished(role: Role, authority: Authority<'_>) -> Self {
        let standing = Standing::Unpublished;
        let mut file = Self { standing, faults: Vec::new(), ..Self::absent(role) };
        file.describe_keys(authority);
        file
    }

    /// A delegation that is there and that the snapshot does not list: clients pass over it, as if it were not there.
    fn unlisted(role: Role, bytes: &[u8], by: Role) -> Self {
        let name = role.file();
        let file = Self::new(role, &name, bytes).ignored();
        Self { faults: vec![Fault::NotListed(by)], ..file }
    }

    /// The same, of which nothing hangs on it.
    pub(super) fn ignored(self) -> Self {
        Self { standing: Standing::Ignored, ..self }
    }

    /// What the faults come to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (self.standing, self.faults.as_slice()) {
            (Standing::Ignored, _) => Verdict::Ignored,
            (Standing::Unpublished, _) => Verdict::Unpublished,
            (Standing::Needed, []) => Verdict::Verified,
            (Standing::Needed, [Fault::Missing]) => Verdict::Missing,
            (Standing::Needed, faults) if faults.iter().all(Fault::is_expiry) => Verdict::Expired,
            (Standing::Needed, _) => Verdict::Refused,
        }
    }

    /// Whether nothing may rest on this file.
    pub(super) fn is_refused(&self) -> bool {
        self.verdict() >= Verdict::Missing
    }

    /// Reads the file; where it cannot be read, that is its fault.
    pub(super) fn parse<T: Body>(&mut self, bytes: &[u8], limit: usize) -> Option<Metadata<T>> {
        if bytes.len() > limit {
            self.faults.push(Fault::TooLarge { bytes: bytes.len(), limit });
            return None;
        }
        match Metadata::parse(&self.role, bytes) {
            Ok(metadata) => {
                self.version = Some(metadata.version);
                self.expires = Some(metadata.expires);
                Some(metadata)
            }
            Err(error) => {
                self.faults.push(error.into());
                None
            }
        }
    }

    fn check_signatures<T>(&mut self, authority: Option<Authority<'_>>, metadata: &Metadata<T>) {
        let Some(authority) = authority else { return self.faults.push(Fault::NoKeys) };
        let signers = authority.check(metadata);
        self.describe_keys(authority);
        self.signed_by = signers.key_ids.into_iter().collect();
        self.faults.extend(signers.faults);
    }

    pub(super) fn describe_keys(&mut self, authority: Authority<'_>) {
        self.threshold = Some(authority.role.threshold);
        self.keys = authority.listed().map(|(_, key)| key.clone()).collect();
    }
}

impl Terms<'_> {
    /// Whether a file is older than one that was seen, or its time is over.
    pub(super) fn check_age<T>(&self, file: &Metadata<T>, seen: Option<u64>) -> Vec<Fault> {
        let version = file.version;
        let newer = seen.filter(|seen| *seen > version);
        let rolled_back = newer.map(|seen| Fault::RolledBack { version, seen });
        let expired = (self.at > file.expires).then_some(Fault::Expired(file.expires));
        rolled_back.into_iter().chain(expired).collect()
    }
}

/// Holds a file's bytes against what `by` lists.
fn compare(role: &Role, bytes: &[u8], by: &Role, listing: &Listing) -> Vec<Fault> {
    let Some(listed) = listing.files.get(role.as_str()) else {
        return vec![Fault::NotListed(by.clone())];
    };
    let mut faults = Vec::new();
    if u64::try_from(bytes.len()).ok() != Some(listed.length) {
        let (by, listed) = (by.clone(), listed.length);
        faults.push(Fault::WrongLength { by, listed, actual: bytes.len() });
    }
    let hashes = [(Sha256, &listed.sha256), (Sha512, &listed.sha512)];
    if hashes.iter().all(|(_, hash)| hash.is_none()) {
        faults.push(Fault::NoHash(by.clone()));
    }
    let differ = |(algorithm, hash): (HashAlgorithm, &Option<Vec<u8>>)| {
        let (listed, actual) = (hash.as_ref()?, crypto::digest(algorithm, bytes));
        (*listed != actual).then(|| Fault::WrongHash {
            by: by.clone(),
            algorithm,
            listed: crypto::hex(listed),
            actual: crypto::hex(&actual),
        })
    };
    // One of them says it all.
    faults.extend(hashes.into_iter().find_map(differ));
    faults
}

/// The paths of a delegation that the role above may delegate.
fn within(parent: &[String], paths: &[String]) -> Vec<String> {
    let reaches = |path: &&String| parent.iter().any(|prefix| path.starts_with(prefix.as_str()));
    paths.iter().filter(reaches).cloned().collect()
}
