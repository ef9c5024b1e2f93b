//! Where artifacts and their signatures are kept: image layouts, registries, and whatever else speaks
//! [`Repository`].

pub mod layout;
mod layout_index;
#[cfg(feature = "net")]
pub mod remote;
mod tar_header;
mod tar_layout;
pub mod tree;

use std::{error::Error, fmt, pin::Pin};

use serde::{Deserialize, Serialize};

use crate::oci::{Descriptor, Manifest};

/// What a repository is asked for, when it comes. Those of image layouts are ready at once.
pub type RepositoryFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, RepositoryError>> + Send + 'a>>;

/// Where artifacts and their signatures are kept. Whoever implements it is not trusted: what it lists is only
/// a proposal, and [`Repository::read`] gives bytes that have the digest and size of their descriptor.
pub trait Repository: fmt::Debug + Send + Sync {
    /// The descriptor of a tag or a digest: media type, digest and size, without annotations.
    fn resolve<'a>(&'a self, reference: &'a str) -> RepositoryFuture<'a, Descriptor>;

    /// The bytes of a manifest or of a signature envelope, which are those that the descriptor promises and at
    /// most [`limits::MANIFEST_BYTES`](crate::limits::MANIFEST_BYTES) long.
    fn read<'a>(
        &'a self,
        descriptor: &'a Descriptor,
        content: Content,
    ) -> RepositoryFuture<'a, Vec<u8>>;

    /// What the repository lists as signatures of an artifact.
    fn signatures<'a>(&'a self, subject: &'a Descriptor) -> RepositoryFuture<'a, Listing>;

    /// Stores an envelope and then the manifest that names it, and gives the manifest's descriptor.
    fn push_signature<'a>(
        &'a self,
        manifest: &'a Manifest,
        envelope: &'a [u8],
    ) -> RepositoryFuture<'a, Descriptor>;
}

/// What is read: registries keep manifests and blobs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A manifest.
    Manifest,
    /// Anything else.
    Blob,
}

/// The signature manifests that a repository lists for an artifact.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// Descriptors with the manifests' annotations, in the repository's order.
    pub signatures: Vec<Descriptor>,
    /// What cannot be read, so that nobody knows whether it is a signature of the artifact. A repository in which
    /// something is cannot be said to hold no signature.
    pub unreadable: Vec<Unreadable>,
}

/// A manifest that cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unreadable {
    /// Its digest, as it is listed; `None` for a list of signatures itself.
    pub digest: Option<String>,
    /// Why it cannot be read.
    pub error: RepositoryError,
}

impl Unreadable {
    /// A manifest that a descriptor leads to.
    #[must_use]
    pub fn new(descriptor: &Descriptor, error: RepositoryError) -> Self {
        Self { digest: Some(descriptor.digest.to_string()), error }
    }
}

/// Why a repository did not do what it was asked for; its cause is the repository's own error.
#[derive(Debug)]
pub struct RepositoryError {
    kind: RepositoryErrorKind,
    source: Box<dyn Error + Send + Sync>,
}

/// What a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum RepositoryErrorKind {
    /// There is no such artifact or blob.
    NotFound,
    /// The content is not what it should be.
    BadContent,
    /// The repository cannot be written.
    ReadOnly,
    /// Credentials are missing or were refused.
    Denied,
    /// It could not be reached in time; trying again may help.
    Unavailable,
    /// Anything else.
    Other,
}

impl RepositoryError {
    /// An error of that kind.
    pub fn new(kind: RepositoryErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }

    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> RepositoryErrorKind {
        self.kind
    }
}

impl fmt::Display for RepositoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// The repository's own error is what is shown, so that its cause comes next.
impl Error for RepositoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}
