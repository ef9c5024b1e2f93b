//! What can go wrong with a notary server beyond what can go wrong with any.

use crate::{
    http::{HttpError, HttpErrorKind},
    limits,
};

/// Why a server gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A server that cannot be asked.
    #[error(
        "server {server:?} must be https://, a host, and maybe a port and a path, or http:// and a loopback \
         host; it holds no user and no query"
    )]
    Server {
        /// The server, without its user.
        server: String,
    },
    /// A name that cannot be part of a URL.
    #[error(
        "name {name:?} cannot be asked for: it must have 1 to {} bytes without control characters, and no \
         part of it may be empty, \".\" or \"..\"",
        limits::REPOSITORY_NAME_BYTES
    )]
    Name {
        /// The repository or the file.
        name: String,
    },
    /// A list that goes on beyond a bound.
    #[error("{url} lists more than the limit of {limit} {what}")]
    TooMany {
        /// What was asked.
        url: String,
        /// Pages or names.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The server's answer, or that there is none.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl ClientError {
    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> HttpErrorKind {
        match self {
            Self::Http(error) => error.kind(),
            _ => HttpErrorKind::Other,
        }
    }
}
