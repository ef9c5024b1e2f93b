//! The root and its history: which keys a repository's trust hangs on, and why those.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;

use super::{
    Fault, Gun, JudgedFile, Key, Role, Terms, TrustData,
    metadata::{Metadata, Root},
    signatures::{Authority, Signers},
};
use crate::{crypto, limits, x509::Certificate};

/// Something that a person knows to be right about a repository's root.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RootPin {
    /// The id of a root key, with or without its certificate.
    KeyId(String),
    /// The certificate of a root key.
    Certificate(Box<Certificate>),
    /// A CA that issued the certificate of a root key.
    Ca(Box<Certificate>),
}

/// Why the root is taken for the right one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RootTrust {
    /// It is the first that was seen, and nothing was known before: whoever served it could have made it.
    FirstUse,
    /// It leads back to what was pinned.
    Pinned {
        /// The pinned key id, or the certificate's subject.
        pin: String,
    },
    /// Nothing that was pinned leads to it, or it is refused.
    None,
}

/// The root files, judged.
pub(super) struct Roots {
    /// The current one first, then the newest.
    pub(super) files: Vec<JudgedFile>,
    /// What the current root says, accepted or not.
    pub(super) current: Option<Root>,
    pub(super) trust: RootTrust,
    /// Every root key of the current root and of those that it comes from, each once.
    pub(super) keys: Vec<Key>,
    pub(super) notes: Vec<String>,
}

/// A root file that can be read.
struct Version {
    file: JudgedFile,
    metadata: Metadata<Root>,
    /// Listed ids of root keys whose certificates do not fit the repository.
    unfit: BTreeSet<String>,
}

/// Judges `root.json` and every `N.root.json`.
pub(super) fn judge(gun: &Gun, data: &TrustData, terms: &Terms<'_>) -> Roots {
    let mut versions = BTreeMap::new();
    let mut unreadable = Vec::new();
    for (name, number, bytes) in data.root_versions() {
        match Version::read(name, bytes) {
            Ok(mut version) => {
                if version.metadata.version != number {
                    version.file.faults.push(Fault::WrongVersion(version.metadata.version));
                }
                version.check(gun, terms);
                versions.insert(number, version);
            }
            Err(file) => unreadable.push(*file),
        }
    }
    let mut notes = Vec::new();
    let mut trust = RootTrust::None;
    // The versions that the current root comes from. Whatever else is served beside it speaks for nothing.
    let mut line = BTreeSet::new();
    let mut current = match data.get(&Role::Root.file()) {
        None => Err(Box::new(JudgedFile::absent(Role::Root))),
        Some(bytes) => Version::read("root.json", bytes),
    };
    if let Ok(current) = &mut current {
        current.check(gun, terms);
        current.check_freshness(terms, &versions);
        let history = history(current, &versions, &mut notes);
        trust = anchor(&history, terms.pins);
        let own = versions.get(&current.metadata.version);
        let is_same = own.is_some_and(|own| own.file.content == current.file.content);
        line.extend(history.iter().skip(1).map(|version| version.metadata.version));
        line.extend(is_same.then_some(current.metadata.version));
        let broken = broken_rotation(current, &history, &versions);
        current.file.faults.extend(broken);
        if trust == RootTrust::None {
            current.file.faults.push(Fault::NotPinned(describe(terms.pins)));
        } else if current.file.is_refused() {
            trust = RootTrust::None;
        }
    }
    let in_line = versions.iter().filter(|(number, _)| line.contains(number));
    let in_line = in_line.map(|(_, version)| version);
    let keys = in_line.chain(&current).flat_map(|version| &version.file.keys);
    let keys: BTreeMap<_, _> = keys.map(|key| (key.id().to_owned(), key.clone())).collect();
    let (current, file) = match current {
        Ok(version) => (Some(version.metadata.body), version.file),
        Err(file) => (None, *file),
    };
    let older = versions.into_iter().rev().map(|(number, version)| {
        let speaks = line.contains(&number) || version.file.is_refused();
        if speaks { version.file } else { version.file.ignored() }
    });
    let keys = keys.into_values().collect();
    let files = [file].into_iter().chain(older).chain(unreadable).collect();
    Roots { files, current, trust, keys, notes }
}

impl Version {
    /// An error: the file, which cannot be read, with its fault.
    fn read(name: &str, bytes: &[u8]) -> Result<Self, Box<JudgedFile>> {
        let mut file = JudgedFile::new(Role::Root, name, bytes);
        match file.parse(bytes, limits::DCT_FILE_BYTES) {
            Some(metadata) => Ok(Self { file, metadata, unfit: BTreeSet::new() }),
            None => Err(Box::new(file)),
        }
    }

    fn authority(&self) -> Option<Authority<'_>> {
        self.metadata.body.authority(&Role::Root)
    }

    /// Checks the file by the keys that it lists itself.
    fn check(&mut self, gun: &Gun, terms: &Terms<'_>) {
        let Some(authority) = self.metadata.body.authority(&Role::Root) else {
            return self.file.faults.push(Fault::NoKeys);
        };
        let mut unfit = BTreeMap::new();
        for (id, key) in authority.listed() {
            if let Some(fault) = misfit(id, key, gun, terms.pins) {
                unfit.insert(id.to_owned(), fault);
            }
        }
        let excluded: BTreeSet<String> = unfit.keys().cloned().collect();
        let signers = match authority.check(&self.metadata) {
            // Enough keys have signed, but not enough that may speak for this repository.
            Signers { faults, key_ids } if faults.is_empty() && !excluded.is_empty() => {
                let counted = authority.check_without(&self.metadata, &excluded);
                let faults = counted.faults.first().map(|_| unfit.into_values().collect());
                Signers { faults: faults.unwrap_or_default(), key_ids }
            }
            signers => signers,
        };
        self.file.describe_keys(authority);
        self.file.signed_by = signers.key_ids.difference(&excluded).cloned().collect();
        self.file.faults.extend(signers.faults);
        self.unfit = excluded;
    }

    /// What holds for the current root only: time, and that nothing newer is known.
    fn check_freshness(&mut self, terms: &Terms<'_>, versions: &BTreeMap<u64, Self>) {
        let number = self.metadata.version;
        let mut faults = Vec::new();
        if versions.get(&number).is_some_and(|same| same.file.content != self.file.content) {
            faults.push(Fault::TwoRoots);
        }
        let newest = versions.iter().rev().find(|(_, newer)| newer.is_signed_by(self));
        let served = newest.map(|(newer, _)| *newer).filter(|newer| *newer > number);
        let seen = served.max(terms.seen.get(&Role::Root).copied());
        faults.extend(terms.check_age(&self.metadata, seen));
        for (id, key) in self.authority().into_iter().flat_map(Authority::listed) {
            let certificate =
                key.certificate().filter(|_| self.file.signed_by.iter().any(|s| s == id));
            let issuers = certificate.iter().flat_map(|_| key.issuers());
            let cas = terms.pins.iter().filter(|pin| certificate.is_some() && pin.holds(key));
            let cas = cas.filter_map(RootPin::ca);
            let all = certificate.into_iter().chain(issuers).chain(cas);
            faults.extend(all.filter_map(|one| untimely(id, one, terms)));
        }
        self.file.faults.extend(faults);
    }

    /// Whether enough keys of `previous` have signed this file.
    fn is_signed_by(&self, previous: &Self) -> bool {
        let signed = previous
            .authority()
            .map(|authority| authority.check_without(&self.metadata, &previous.unfit));
        signed.is_some_and(|signers| signers.faults.is_empty())
    }

    /// The first of the pins that has signed this version.
    fn pinned_by(&self, pins: &[RootPin]) -> Option<String> {
        let authority = self.authority()?;
        let mut signers =
            authority.listed().filter(|(id, _)| self.file.signed_by.iter().any(|s| s == id));
        signers.find_map(|(_, key)| pins.iter().find(|pin| pin.holds(key)).map(ToString::to_string))
    }
}

/// The current version and all older ones that lead to it: each signed by the one before.
fn history<'a>(
    current: &'a Version,
    versions: &'a BTreeMap<u64, Version>,
    notes: &mut Vec<String>,
) -> Vec<&'a Version> {
    let mut history = vec![current];
    let mut next = current;
    for (_, previous) in versions.range(..current.metadata.version).rev() {
        if previous.file.is_refused() || !next.is_signed_by(previous) {
            break;
        }
        history.push(previous);
        next = previous;
    }
    let oldest = next.metadata.version;
    if versions.range(..oldest).next().is_none() && oldest > 1 {
        notes.push(format!("the oldest root is version {oldest}: what was before it is not there"));
    } else if oldest > 1 {
        notes.push(format!("roots lead back to version {oldest}, and not to those before it"));
    }
    history
}

/// A version right before the oldest of the history that did not sign it.
fn broken_rotation(
    current: &Version,
    history: &[&Version],
    versions: &BTreeMap<u64, Version>,
) -> Option<Fault> {
    let version = history.last().unwrap_or(&current).metadata.version;
    let previous = versions.get(&version.checked_sub(1)?)?;
    let stands = !previous.file.is_refused();
    stands.then_some(Fault::BrokenRotation { previous: version - 1, version })
}

/// What the current root's trust hangs on; [`RootTrust::None`] where no pin leads to it.
fn anchor(history: &[&Version], pins: &[RootPin]) -> RootTrust {
    if pins.is_empty() {
        return RootTrust::FirstUse;
    }
    let pin = history.iter().find_map(|version| version.pinned_by(pins));
    pin.map_or(RootTrust::None, |pin| RootTrust::Pinned { pin })
}

/// Why a root key does not speak for a repository (notary, package `trustpinning`): its certificate has to
/// name the repository. A key that is pinned by its id needs none.
fn misfit(id: &str, key: &Key, gun: &Gun, pins: &[RootPin]) -> Option<Fault> {
    let Some(certificate) = key.certificate() else {
        let is_pinned = pins.iter().any(|pin| pin.holds(key));
        return (!is_pinned).then(|| Fault::NoCertificate(id.to_owned()));
    };
    if certificate.is_ca() || key.issuers().iter().any(|issuer| !issuer.is_ca()) {
        return Some(Fault::NotALeaf(id.to_owned()));
    }
    if certificate.is_signed_with_sha1() {
        return Some(Fault::Sha1Certificate(id.to_owned()));
    }
    let common_name = certificate.subject().value("CN").unwrap_or_default();
    let fits = match common_name.strip_suffix('*') {
        Some(_) => gun.as_str().starts_with(common_name.trim_end_matches('*')),
        None => common_name == gun.as_str(),
    };
    let (key, gun) = (id.to_owned(), gun.to_string());
    (!fits).then_some(Fault::WrongGun { key, common_name, gun })
}

fn untimely(id: &str, certificate: &Certificate, terms: &Terms<'_>) -> Option<Fault> {
    let (key, not_before, not_after) =
        (id.to_owned(), certificate.not_before(), certificate.not_after());
    if terms.at > not_after {
        return Some(Fault::CertificateExpired { key, not_after });
    }
    (terms.at < not_before).then_some(Fault::CertificateNotYetValid { key, not_before })
}

impl RootPin {
    /// The CA, where one is pinned.
    fn ca(&self) -> Option<&Certificate> {
        match self {
            Self::Ca(ca) => Some(ca),
            Self::KeyId(_) | Self::Certificate(_) => None,
        }
    }

    /// Whether this pin is for `key`.
    fn holds(&self, key: &Key) -> bool {
        match self {
            Self::KeyId(id) => id == key.id() || id == key.canonical_id(),
            Self::Certificate(pinned) => key.certificate() == Some(pinned),
            Self::Ca(ca) => key.certificate().is_some_and(|leaf| leads_to(leaf, key.issuers(), ca)),
        }
    }
}

/// Whether a certificate is issued by `ca`, through `issuers` where need be.
fn leads_to(leaf: &Certificate, issuers: &[Certificate], ca: &Certificate) -> bool {
    let issued_by = |subject: &Certificate, issuer: &Certificate| {
        issuer.is_ca()
            && subject.issuer() == issuer.subject()
            && !subject.is_signed_with_sha1()
            && subject.is_signed_by(issuer.public_key())
    };
    let mut certificate = leaf;
    for _ in 0..limits::CHAIN_CERTIFICATES {
        if issued_by(certificate, ca) {
            return true;
        }
        match issuers.iter().find(|issuer| issued_by(certificate, issuer)) {
            Some(issuer) => certificate = issuer,
            None => return false,
        }
    }
    false
}

impl fmt::Display for RootPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyId(id) => write!(f, "key {id}"),
            Self::Certificate(leaf) => {
                write!(
                    f,
                    "certificate {} (sha256:{})",
                    leaf.subject(),
                    crypto::hex(&leaf.fingerprint())
                )
            }
            Self::Ca(ca) => {
                write!(f, "CA {} (sha256:{})", ca.subject(), crypto::hex(&ca.fingerprint()))
            }
        }
    }
}

fn describe(pins: &[RootPin]) -> String {
    pins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
