//! Keys, certificates, a repository and a source of revocation in memory, for tests: ours and those of programs that use
//! this library. There is no clock: time is an argument of everything that asks for it.
//!
//! Nothing here may sign anything that matters: the keys are made on the spot and kept nowhere.

use std::{
    collections::BTreeMap,
    future::ready as at_once,
    pin::Pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use time::{Duration, UtcDateTime};

use crate::{
    algorithm::{HashAlgorithm, KeySpec, SignatureAlgorithm},
    keys::{KeyFuture, SigningKey, file::FileKey},
    oci::{Descriptor, Digest, EMPTY_CONFIG, EMPTY_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest},
    pki::{CertificateTemplate, Extension, Issuer, PkiError},
    registry::{
        Content, Listing, Repository, RepositoryError, RepositoryErrorKind, RepositoryFuture,
    },
    revocation::{Evidence, RevocationSource},
    x509::{Certificate, CertificateChain, Name, PublicKey},
};

/// A root, an issuing CA and a code-signing leaf, each with its key.
#[derive(Debug)]
#[non_exhaustive]
pub struct TestPki {
    /// The root's key.
    pub root_key: FileKey,
    /// The issuing CA's key.
    pub issuing_key: FileKey,
    /// The leaf's key.
    pub leaf_key: FileKey,
    /// Leaf, issuing CA, root.
    pub chain: CertificateChain,
}

/// Runs a future that never waits, as those of local keys do.
///
/// # Panics
/// Where the future waits after all.
#[expect(clippy::panic, reason = "this module is for tests")]
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("a local key waits for nothing"),
    }
}

/// The day before `at` to the year after it.
#[must_use]
pub fn validity(at: UtcDateTime) -> (UtcDateTime, UtcDateTime) {
    (at - Duration::days(1), at + Duration::days(365))
}

/// `CN=…,O=Test,ST=WA,C=US`
///
/// # Panics
/// Where the common name has to be escaped.
#[must_use]
#[expect(clippy::expect_used, reason = "this module is for tests")]
pub fn name(common_name: &str) -> Name {
    format!("CN={common_name},O=Test,ST=WA,C=US").parse().expect("a plain common name")
}

impl TestPki {
    /// Makes three keys of that spec and their certificates, valid around `at`.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn new(spec: KeySpec, at: UtcDateTime) -> Result<Self, PkiError> {
        let leaf = CertificateTemplate::code_signing(name("leaf"), validity(at));
        Self::with_templates(spec, at, |_| {}, leaf)
    }

    /// The same, with the issuing CA's template changed, and a leaf of that template.
    ///
    /// # Errors
    /// [`PkiError`].
    pub fn with_templates(
        spec: KeySpec,
        at: UtcDateTime,
        change_issuing: impl FnOnce(&mut CertificateTemplate),
        leaf: CertificateTemplate,
    ) -> Result<Self, PkiError> {
        let (_, root_key) = FileKey::generate(spec)?;
        let (_, issuing_key) = FileKey::generate(spec)?;
        let (_, leaf_key) = FileKey::generate(spec)?;
        let root = CertificateTemplate::ca(name("root"), validity(at), 1);
        let root = ready(root.issue(&root_key, Issuer::Itself))?;
        let mut issuing = CertificateTemplate::ca(name("issuing"), validity(at), 0);
        change_issuing(&mut issuing);
        let issuing = ready(issuing.issue(&issuing_key, Issuer::Ca(&root, &root_key)))?;
        let leaf = ready(leaf.issue(&leaf_key, Issuer::Ca(&issuing, &issuing_key)))?;
        Ok(Self { root_key, issuing_key, leaf_key, chain: chain([leaf, issuing, root]) })
    }
}

/// A chain of certificates that stand in order.
///
/// # Panics
/// Where there are none, or too many.
#[must_use]
#[expect(clippy::expect_used, reason = "this module is for tests")]
pub fn chain(certificates: impl IntoIterator<Item = Certificate>) -> CertificateChain {
    CertificateChain::from_ordered(certificates.into_iter().collect()).expect("one to sixteen")
}

/// Replaces the extension with that object identifier, or adds it.
pub fn set_extension(template: &mut CertificateTemplate, extension: Extension) {
    template.extensions.retain(|known| known.oid != extension.oid);
    template.extensions.push(extension);
}

/// A key that counts what it is asked for.
#[derive(Debug)]
pub struct CountingKey<K> {
    key: K,
    signatures: AtomicUsize,
    public_keys: AtomicUsize,
}

impl<K: SigningKey> CountingKey<K> {
    /// Counts what is asked of `key`.
    pub const fn new(key: K) -> Self {
        Self { key, signatures: AtomicUsize::new(0), public_keys: AtomicUsize::new(0) }
    }

    /// How many signatures were asked for.
    #[must_use]
    pub fn signatures(&self) -> usize {
        self.signatures.load(Ordering::Relaxed)
    }

    /// How often the public key was asked for.
    #[must_use]
    pub fn public_keys(&self) -> usize {
        self.public_keys.load(Ordering::Relaxed)
    }
}

impl<K: SigningKey> SigningKey for CountingKey<K> {
    fn public_key(&self) -> KeyFuture<'_, PublicKey> {
        self.public_keys.fetch_add(1, Ordering::Relaxed);
        self.key.public_key()
    }

    fn sign<'a>(
        &'a self,
        algorithm: SignatureAlgorithm,
        digest: &'a [u8],
    ) -> KeyFuture<'a, Vec<u8>> {
        self.signatures.fetch_add(1, Ordering::Relaxed);
        self.key.sign(algorithm, digest)
    }
}

/// A repository in memory.
#[derive(Debug, Default)]
pub struct TestRepository {
    stored: Mutex<Stored>,
}

#[derive(Debug, Default)]
struct Stored {
    content: BTreeMap<Digest, Vec<u8>>,
    tags: BTreeMap<String, Descriptor>,
    /// By their subjects.
    signatures: Vec<(Digest, Descriptor)>,
}

impl TestRepository {
    /// One that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a blob, and gives its descriptor.
    pub fn push_blob(&self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let digest = Digest::of(HashAlgorithm::Sha256, bytes);
        self.stored().content.insert(digest.clone(), bytes.to_vec());
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Descriptor::new(media_type, digest, size)
    }

    /// Stores a manifest under a tag, and gives its descriptor.
    ///
    /// # Panics
    /// Never: manifests are JSON.
    pub fn push_manifest(&self, manifest: &Manifest, tag: &str) -> Descriptor {
        let descriptor = self.push(manifest);
        self.stored().tags.insert(tag.to_owned(), descriptor.clone());
        descriptor
    }

    #[expect(clippy::expect_used, reason = "this module is for tests")]
    fn push(&self, manifest: &Manifest) -> Descriptor {
        let bytes = serde_json::to_vec(manifest).expect("a manifest is JSON");
        self.push_blob(MANIFEST_MEDIA_TYPE, &bytes)
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Repository for TestRepository {
    fn resolve<'a>(&'a self, reference: &'a str) -> RepositoryFuture<'a, Descriptor> {
        let found = self.stored().tags.get(reference).cloned();
        let missing = || format!("there is no tag {reference:?}");
        Box::pin(at_once(found.ok_or_else(|| not_found(missing()))))
    }

    fn read<'a>(
        &'a self,
        descriptor: &'a Descriptor,
        _content: Content,
    ) -> RepositoryFuture<'a, Vec<u8>> {
        let is_whole =
            |bytes: &Vec<u8>| u64::try_from(bytes.len()).is_ok_and(|size| size == descriptor.size);
        let found = self.stored().content.get(&descriptor.digest).cloned().filter(is_whole);
        let missing =
            || format!("there is no content {} of {} bytes", descriptor.digest, descriptor.size);
        Box::pin(at_once(found.ok_or_else(|| not_found(missing()))))
    }

    fn signatures<'a>(&'a self, subject: &'a Descriptor) -> RepositoryFuture<'a, Listing> {
        let mut listing = Listing::default();
        let stored = self.stored();
        let of_subject = stored.signatures.iter().filter(|(about, _)| *about == subject.digest);
        listing.signatures.extend(of_subject.map(|(_, signature)| signature.clone()));
        Box::pin(at_once(Ok(listing)))
    }

    fn push_signature<'a>(
        &'a self,
        manifest: &'a Manifest,
        envelope: &'a [u8],
    ) -> RepositoryFuture<'a, Descriptor> {
        let media_type = manifest.envelope().map_or("", |(format, _)| format.media_type());
        self.push_blob(EMPTY_MEDIA_TYPE, EMPTY_CONFIG);
        self.push_blob(media_type, envelope);
        let mut listed = self.push(manifest);
        let pushed = listed.clone();
        listed.annotations.clone_from(&manifest.annotations);
        if let Some(subject) = &manifest.subject {
            self.stored().signatures.push((subject.digest.clone(), listed));
        }
        Box::pin(at_once(Ok(pushed)))
    }
}

fn not_found(message: String) -> RepositoryError {
    RepositoryError::new(RepositoryErrorKind::NotFound, message)
}

/// A source of revocation that knows some evidence, and counts how often it is asked.
#[derive(Debug)]
pub struct TestRevocationSource {
    evidence: Evidence,
    asked: AtomicUsize,
}

impl TestRevocationSource {
    /// One that knows this.
    #[must_use]
    pub const fn new(evidence: Evidence) -> Self {
        Self { evidence, asked: AtomicUsize::new(0) }
    }

    /// How many chains it was asked about.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl RevocationSource for TestRevocationSource {
    fn collect<'a>(
        &'a self,
        _chain: &'a CertificateChain,
        evidence: &'a mut Evidence,
        _at: UtcDateTime,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        evidence.merge(self.evidence.clone());
        Box::pin(at_once(()))
    }
}
