//! Keys and certificates in memory, for tests: ours and those of programs that use this library.
//!
//! Nothing here may sign anything that matters: the keys are made on the spot and kept nowhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use time::{Duration, UtcDateTime};

use crate::{
    algorithm::{KeySpec, SignatureAlgorithm},
    keys::{KeyFuture, SigningKey, file::FileKey},
    pki::{CertificateTemplate, Extension, Issuer, PkiError},
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
