//! A verification as a document that holds everything its verdict depended on, so that it can be made again with
//! no network, a year later.
//!
//! ```text
//! { "version": 2, "reference": TEXT, "scope": REPOSITORY, "at": TIME, "atGiven": BOOLEAN, "maxSignatures": NUMBER,
//!   "userMetadata": { NAME: TEXT },
//!   "policy": { "version": "1.0", "trustPolicies": [ the statement ] },
//!   "anchors": { STORE: [ BASE64 of DER ] }, "storeProblems": [ TEXT ],
//!   "artifact": DESCRIPTOR,
//!   "repository": { "listing": LISTING, "reads": { DIGEST: BASE64 | FAILURE } },
//!   "evidence": EVIDENCE, "asked": [ [ NUMBER of CRLs, NUMBER of OCSP responses ] ]?, "report": what was printed }
//! ```

use std::{
    collections::BTreeMap,
    future::ready,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use time::{UtcDateTime, format_description::well_known::Rfc3339 as Rfc3339Format};

use crate::{
    oci::{Descriptor, Manifest},
    registry::{
        Content, Listing, Repository, RepositoryError, RepositoryErrorKind, RepositoryFuture,
        Unreadable,
    },
    revocation::{Evidence, RevocationSource},
    trust::{TrustAnchors, TrustStore},
    x509::{Certificate, CertificateChain, Rfc3339},
};

const VERSION: u64 = 2;

/// What all versions have.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// Everything that a verdict depended on, and the verdict as it was told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Record {
    version: u64,
    /// The artifact as its verifier named it.
    pub reference: String,
    /// The repository that it was judged as.
    pub scope: String,
    at: String,
    /// Whether that time was asked for.
    pub at_given: bool,
    /// Signatures that were tried at most.
    pub max_signatures: usize,
    /// Metadata that had to have been signed.
    pub user_metadata: BTreeMap<String, String>,
    /// A trust policy of the one statement that was used.
    pub policy: serde_json::Value,
    anchors: BTreeMap<String, Vec<String>>,
    /// Trust stores that could not be used.
    pub store_problems: Vec<String>,
    /// The artifact.
    pub artifact: Descriptor,
    repository: Seen,
    /// What was known of revocation in the end.
    pub evidence: Evidence,
    /// How much of it was known after each chain that was asked about, in order; empty where nobody was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    asked: Vec<Known>,
    /// The verdict as it was told.
    pub report: serde_json::Value,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// No record.
    #[error("record of a verification is not the JSON it should be")]
    Malformed(#[from] serde_json::Error),
    /// A record of another version.
    #[error("record of a verification has version {0}, and is read in version {VERSION}")]
    Version(u64),
    /// A time that is none.
    #[error("record of a verification has the time {0:?}")]
    Time(String),
    /// A certificate that cannot be read, or stands in no store.
    #[error("record of a verification has a broken certificate in trust store {0:?}")]
    Anchor(String),
    /// The statement is not there, or not alone.
    #[error("record of a verification has {0} statements of the name {1:?}, and must have one")]
    Statement(usize, String),
}

/// How many CRLs and how many OCSP responses were known.
type Known = (usize, usize);

/// What a repository gave.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    listing: Option<ListingWire>,
    reads: BTreeMap<String, Read>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListingWire {
    signatures: Vec<Descriptor>,
    unreadable: Vec<(Option<String>, Failure)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Read {
    Bytes(String),
    Failed(Failure),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    kind: RepositoryErrorKind,
    error: String,
}

/// A repository that remembers what it gives.
#[derive(Debug)]
pub struct RecordingRepository<'a> {
    inner: &'a dyn Repository,
    seen: Mutex<Seen>,
}

/// A repository that gives again what was given when a verification was recorded.
#[derive(Debug)]
pub struct RecordedRepository {
    seen: Seen,
}

impl Record {
    /// The record of a verification; `policy` is the document that holds the statement of that name.
    ///
    /// # Errors
    /// [`RecordError::Statement`], [`RecordError::Malformed`].
    pub fn new(
        policy: &[u8],
        statement: &str,
        artifact: &Descriptor,
        at: UtcDateTime,
        repository: &RecordingRepository<'_>,
    ) -> Result<Self, RecordError> {
        let mut policy: serde_json::Value = serde_json::from_slice(policy)?;
        let statements = policy.get_mut("trustPolicies").and_then(|value| value.as_array_mut());
        let mut count = 0;
        if let Some(statements) = statements {
            statements
                .retain(|one| one.get("name").and_then(|name| name.as_str()) == Some(statement));
            count = statements.len();
        }
        if count != 1 {
            return Err(RecordError::Statement(count, statement.to_owned()));
        }
        Ok(Self {
            version: VERSION,
            reference: String::new(),
            scope: String::new(),
            at: Rfc3339(at).to_string(),
            at_given: false,
            max_signatures: 0,
            user_metadata: BTreeMap::new(),
            policy,
            anchors: BTreeMap::new(),
            store_problems: Vec::new(),
            artifact: artifact.clone(),
            repository: repository.seen(),
            evidence: Evidence::new(),
            asked: Vec::new(),
            report: serde_json::Value::Null,
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        let Versioned { version } = serde_json::from_slice(bytes)?;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let record: Self = serde_json::from_slice(bytes)?;
        record.at()?;
        record.anchors()?;
        Ok(record)
    }

    /// The time for which the verdict holds.
    ///
    /// # Errors
    /// [`RecordError::Time`].
    pub fn at(&self) -> Result<UtcDateTime, RecordError> {
        let time = UtcDateTime::parse(&self.at, &Rfc3339Format);
        time.map_err(|_| RecordError::Time(self.at.clone()))
    }

    /// Keeps the certificates of a statement's stores.
    pub fn set_anchors(&mut self, stores: &[TrustStore], anchors: &TrustAnchors) {
        for store in stores {
            let certificates = anchors.certificates(store).iter();
            let certificates = certificates.map(|anchor| STANDARD.encode(anchor.as_der()));
            self.anchors.insert(store.to_string(), certificates.collect());
        }
    }

    /// The certificates of the statement's stores.
    ///
    /// # Errors
    /// [`RecordError::Anchor`].
    pub fn anchors(&self) -> Result<TrustAnchors, RecordError> {
        let mut anchors = TrustAnchors::new();
        for (name, certificates) in &self.anchors {
            let broken = || RecordError::Anchor(name.clone());
            let store: TrustStore = name.parse().map_err(|_| broken())?;
            for encoded in certificates {
                let der = STANDARD.decode(encoded).map_err(|_| broken())?;
                let certificate = Certificate::from_der(&der).map_err(|_| broken())?;
                anchors.insert(store.clone(), certificate);
            }
        }
        Ok(anchors)
    }

    /// Keeps what a verification has found out by asking.
    pub fn set_asked(&mut self, evidence: &Evidence, source: &RecordingSource<'_>) {
        self.evidence = evidence.clone();
        self.asked.clone_from(&lock(&source.asked));
    }

    /// Whoever was asked about revocation, as it answered; `None` where nobody was.
    #[must_use]
    pub fn source(&self) -> Option<RecordedSource<'_>> {
        let is_asked = !self.asked.is_empty();
        let source = || RecordedSource { record: self, next: Mutex::new(0) };
        is_asked.then(source)
    }

    /// The repository as it was.
    #[must_use]
    pub fn repository(&self) -> RecordedRepository {
        RecordedRepository { seen: self.repository.clone() }
    }
}

impl<'a> RecordingRepository<'a> {
    /// Remembers what `inner` gives.
    #[must_use]
    pub fn new(inner: &'a dyn Repository) -> Self {
        Self { inner, seen: Mutex::default() }
    }

    fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    fn remember(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut lock(&self.seen));
    }
}

impl Repository for RecordingRepository<'_> {
    fn resolve<'a>(&'a self, reference: &'a str) -> RepositoryFuture<'a, Descriptor> {
        self.inner.resolve(reference)
    }

    fn read<'a>(
        &'a self,
        descriptor: &'a Descriptor,
        content: Content,
    ) -> RepositoryFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let given = self.inner.read(descriptor, content).await;
            let read = match &given {
                Ok(bytes) => Read::Bytes(STANDARD.encode(bytes)),
                Err(error) => Read::Failed(Failure::new(error)),
            };
            self.remember(|seen| drop(seen.reads.insert(descriptor.digest.to_string(), read)));
            given
        })
    }

    fn signatures<'a>(&'a self, subject: &'a Descriptor) -> RepositoryFuture<'a, Listing> {
        Box::pin(async move {
            let listing = self.inner.signatures(subject).await?;
            let unreadable = listing.unreadable.iter();
            let wire = ListingWire {
                signatures: listing.signatures.clone(),
                unreadable: unreadable
                    .map(|one| (one.digest.clone(), Failure::new(&one.error)))
                    .collect(),
            };
            self.remember(|seen| seen.listing = Some(wire));
            Ok(listing)
        })
    }

    fn push_signature<'a>(
        &'a self,
        manifest: &'a Manifest,
        envelope: &'a [u8],
    ) -> RepositoryFuture<'a, Descriptor> {
        self.inner.push_signature(manifest, envelope)
    }
}

/// A source that remembers how much was known when each chain had been asked about: what was found out later decided
/// nothing about the signatures before.
#[derive(Debug)]
pub struct RecordingSource<'a> {
    inner: &'a dyn RevocationSource,
    asked: Mutex<Vec<Known>>,
}

/// A source that gives again, chain by chain, what was known when a verification was recorded.
#[derive(Debug)]
pub struct RecordedSource<'a> {
    record: &'a Record,
    /// The chain that is asked about next.
    next: Mutex<usize>,
}

impl<'a> RecordingSource<'a> {
    /// Remembers what `inner` finds out.
    #[must_use]
    pub fn new(inner: &'a dyn RevocationSource) -> Self {
        Self { inner, asked: Mutex::default() }
    }
}

impl RevocationSource for RecordingSource<'_> {
    fn collect<'a>(
        &'a self,
        chain: &'a CertificateChain,
        evidence: &'a mut Evidence,
        at: UtcDateTime,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            self.inner.collect(chain, evidence, at).await;
            lock(&self.asked).push((evidence.crls.len(), evidence.ocsp.len()));
        })
    }
}

impl RevocationSource for RecordedSource<'_> {
    fn collect<'a>(
        &'a self,
        _chain: &'a CertificateChain,
        evidence: &'a mut Evidence,
        _at: UtcDateTime,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        let mut next = lock(&self.next);
        // A chain more than was asked about then is a verdict that is not the recorded one.
        let (crls, ocsp) = self.record.asked.get(*next).copied().unwrap_or_default();
        *next += 1;
        let known = &self.record.evidence;
        evidence.crls = known.crls.iter().take(crls).cloned().collect();
        evidence.ocsp = known.ocsp.iter().take(ocsp).cloned().collect();
        Box::pin(ready(()))
    }
}

/// Nothing that holds a lock here can leave the state half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Repository for RecordedRepository {
    fn resolve<'a>(&'a self, _reference: &'a str) -> RepositoryFuture<'a, Descriptor> {
        Box::pin(ready(Err(not_recorded())))
    }

    fn read<'a>(
        &'a self,
        descriptor: &'a Descriptor,
        _content: Content,
    ) -> RepositoryFuture<'a, Vec<u8>> {
        let given = match self.seen.reads.get(descriptor.digest.as_str()) {
            Some(Read::Bytes(encoded)) => match STANDARD.decode(encoded) {
                Ok(bytes) if descriptor.digest.matches(&bytes) => Ok(bytes),
                _ => Err(changed(descriptor)),
            },
            Some(Read::Failed(failure)) => Err(failure.error()),
            None => Err(not_recorded()),
        };
        Box::pin(ready(given))
    }

    fn signatures<'a>(&'a self, _subject: &'a Descriptor) -> RepositoryFuture<'a, Listing> {
        let mut listing = Listing::default();
        if let Some(wire) = self.seen.listing.clone() {
            listing.signatures = wire.signatures;
            listing.unreadable.extend(
                wire.unreadable
                    .into_iter()
                    .map(|(digest, failure)| Unreadable { digest, error: failure.error() }),
            );
        }
        Box::pin(ready(Ok(listing)))
    }

    fn push_signature<'a>(
        &'a self,
        _manifest: &'a Manifest,
        _envelope: &'a [u8],
    ) -> RepositoryFuture<'a, Descriptor> {
        Box::pin(ready(Err(RepositoryError::new(
            RepositoryErrorKind::ReadOnly,
            "a record of a verification is only read",
        ))))
    }
}

impl Failure {
    fn new(error: &RepositoryError) -> Self {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self { kind: error.kind(), error: text }
    }

    fn error(&self) -> RepositoryError {
        RepositoryError::new(self.kind, self.error.as_str())
    }
}

fn changed(descriptor: &Descriptor) -> RepositoryError {
    let text = format!("blob {} of the record does not have that digest", descriptor.digest);
    RepositoryError::new(RepositoryErrorKind::BadContent, text)
}

fn not_recorded() -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::NotFound, "not in the record of the verification")
}
