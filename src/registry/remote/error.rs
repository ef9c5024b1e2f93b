//! What can go wrong with a registry. Texts name the repository; the cause names the URL, the status, and what
//! the registry said.

use std::time::Duration;

use crate::{
    http::{HttpError, HttpErrorKind},
    limits,
    oci::{Digest, Reference},
    registry::RepositoryErrorKind,
};

/// Why a registry did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// A registry that has no URL.
    #[error("registry {0:?} cannot be asked: it is not a host of a URL")]
    BadRegistry(String),
    /// Certificates that cannot be used.
    #[error("registry {registry} cannot be asked")]
    Setup {
        /// The registry.
        registry: String,
        /// Why.
        #[source]
        source: HttpError,
    },
    /// A reference to somewhere else.
    #[error("{reference} is not in registry {registry}")]
    OtherRegistry {
        /// The registry.
        registry: String,
        /// The reference.
        reference: Reference,
    },
    /// Neither a tag nor a digest.
    #[error("{0:?} is neither a tag nor a digest")]
    BadReference(String),
    /// No answer, or one that refuses.
    #[error("{repository} does not {action}")]
    Http {
        /// Registry and repository.
        repository: String,
        /// What it was asked for.
        action: String,
        /// Why.
        #[source]
        source: HttpError,
    },
    /// There is no such manifest or blob, or no such repository.
    #[error("{what} is not in {repository}: HTTP status 404: {reason}")]
    NotFound {
        /// Registry and repository.
        repository: String,
        /// The manifest or blob.
        what: String,
        /// What the registry said.
        reason: String,
    },
    /// An answer that registries do not give.
    #[error("{repository} answered with {what}")]
    BadAnswer {
        /// Registry and repository.
        repository: String,
        /// What came.
        what: String,
    },
    /// What came is no JSON of that form. Its content is not shown, as it may be as long as the registry likes.
    #[error("{what} of {repository} is not the JSON it should be, at line {line}, column {column}")]
    Malformed {
        /// Registry and repository.
        repository: String,
        /// What it should be.
        what: String,
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// The bytes are not those that were asked for.
    #[error("{repository} gave bytes for {expected} that do not have that digest")]
    WrongDigest {
        /// Registry and repository.
        repository: String,
        /// What was asked for, or what the registry called the bytes.
        expected: Digest,
    },
    /// There are more or fewer bytes than the descriptor says.
    #[error("{repository} gave {actual} bytes for {digest}, and its descriptor says {expected}")]
    WrongSize {
        /// Registry and repository.
        repository: String,
        /// What was asked for.
        digest: Digest,
        /// Bytes by the descriptor.
        expected: u64,
        /// Bytes that came.
        actual: usize,
    },
    /// A manifest or an envelope that is too large to be one.
    #[error(
        "{what} of {size} bytes is over the limit of {limit} bytes",
        limit = limits::MANIFEST_BYTES
    )]
    TooLarge {
        /// The manifest or blob.
        what: String,
        /// Bytes by the descriptor.
        size: u64,
    },
    /// A list that goes on beyond a bound.
    #[error("{repository} lists more than the limit of {limit} {what}")]
    TooMany {
        /// Registry and repository.
        repository: String,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A list that does not end in time.
    #[error("{repository} does not list what refers to {subject} within {} s", after.as_secs_f32())]
    Slow {
        /// Registry and repository.
        repository: String,
        /// The artifact.
        subject: Digest,
        /// [`RemoteOptions::listing`](super::RemoteOptions::listing).
        after: Duration,
    },
    /// The tag where the index of referrers should be holds something else.
    #[error("tag {tag} of {repository} holds {media_type}, and not the index of referrers")]
    NotAnIndex {
        /// Registry and repository.
        repository: String,
        /// The tag.
        tag: String,
        /// What it is.
        media_type: String,
    },
    /// The signature is stored and not listed, as others replaced the index each time.
    #[error(
        "index of referrers at tag {tag} of {repository} lost {manifest} each of {rounds} times: others write it",
        rounds = limits::INDEX_ROUNDS
    )]
    Overwritten {
        /// Registry and repository.
        repository: String,
        /// The tag.
        tag: String,
        /// What it should list.
        manifest: Digest,
    },
}

impl RemoteError {
    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> RepositoryErrorKind {
        match self {
            Self::NotFound { .. } => RepositoryErrorKind::NotFound,
            Self::Overwritten { .. } | Self::Slow { .. } => RepositoryErrorKind::Unavailable,
            Self::Http { source, .. } => match source {
                HttpError::TooLarge { .. } | HttpError::BadAnswer { .. } => {
                    RepositoryErrorKind::BadContent
                }
                HttpError::Status { status: 404, .. } => RepositoryErrorKind::NotFound,
                HttpError::Status { status: 408 | 429 | 500..=599, .. } => {
                    RepositoryErrorKind::Unavailable
                }
                _ => match source.kind() {
                    HttpErrorKind::Denied => RepositoryErrorKind::Denied,
                    HttpErrorKind::Unavailable => RepositoryErrorKind::Unavailable,
                    HttpErrorKind::Other => RepositoryErrorKind::Other,
                },
            },
            Self::BadRegistry(_)
            | Self::Setup { .. }
            | Self::OtherRegistry { .. }
            | Self::BadReference(_) => RepositoryErrorKind::Other,
            _ => RepositoryErrorKind::BadContent,
        }
    }
}
