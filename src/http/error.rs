//! What can go wrong between here and a server. Texts name the URL without user, query and fragment,
//! which may hold secrets, and show what a server said with its control characters escaped.

use std::{error::Error, time::Duration};

use crate::limits;

/// What a caller can do about an [`HttpError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpErrorKind {
    /// Another credential is needed, or one at all.
    Denied,
    /// The server could not be reached or is overloaded: later may do.
    Unavailable,
    /// Trying again does not help.
    Other,
}

/// Why a server gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// A bundle of root certificates without one.
    #[error("bundle {number} of root certificates holds no certificate in PEM")]
    NoRootCertificate {
        /// Which one, from 1.
        number: usize,
    },
    /// A client certificate that cannot be used.
    #[error(
        "client certificate cannot be used: it must be a certificate and its private key, both in PEM"
    )]
    Identity {
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Settings or certificates that TLS does not take, or no root certificates on this system.
    #[error("client for {server} cannot be set up")]
    Setup {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file that is sent, or that an answer is written to, cannot be read or written.
    #[error("what is carried from or to {url} cannot be kept in a file")]
    Spool {
        /// Who was asked.
        url: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server, or its token service, refuses.
    #[error("access to {url} was denied {with}: HTTP status {status}: {reason}")]
    Denied {
        /// What was asked.
        url: String,
        /// Whether with a credential, or before one was asked for.
        with: &'static str,
        /// With which status.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// Overloaded or down, and still so after the last try.
    #[error("{url} is unavailable after {}: HTTP status {status}: {reason}", times(*tries))]
    Unavailable {
        /// What was asked.
        url: String,
        /// How many times.
        tries: u32,
        /// Of the last try.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// Overloaded, and asks for more patience than there is.
    #[error(
        "{url} asks to wait {} s, over the limit of {} s: HTTP status {status}: {reason}",
        asked.as_secs(), limit
    )]
    AsksToWait {
        /// What was asked.
        url: String,
        /// How long.
        asked: Duration,
        /// How long there is, in seconds.
        limit: u32,
        /// With which status.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// No connection.
    #[error("{url} could not be reached in {}", times(*tries))]
    Unreachable {
        /// What was asked.
        url: String,
        /// How many times.
        tries: u32,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A connection that ended before the whole answer had come.
    #[error("{url} gave no whole answer in {}", times(*tries))]
    Broken {
        /// What was asked.
        url: String,
        /// How many times.
        tries: u32,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A server that is not trusted, or does not trust the client certificate.
    #[error("there is no trusted TLS connection to {url}")]
    Tls {
        /// What was asked.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Not a byte in time.
    #[error("no byte came from {url} within {} s", after.as_secs_f32())]
    Timeout {
        /// What was asked.
        url: String,
        /// The timeout.
        after: Duration,
    },
    /// A byte now and then, but no end.
    #[error("the answer of {url} did not end within {} s", after.as_secs_f32())]
    Slow {
        /// What was asked.
        url: String,
        /// [`limits::ANSWER_TIMEOUTS`] times the timeout.
        after: Duration,
    },
    /// A status that says neither yes nor no.
    #[error("{url} answered with HTTP status {status}: {reason}")]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// More bytes than the caller takes.
    #[error("{url} is over the limit of {limit} bytes")]
    TooLarge {
        /// What was asked.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// A redirect that is not followed.
    #[error("{url} redirects to {to:?}, which {reason}")]
    Redirect {
        /// What was asked.
        url: String,
        /// Where it points.
        to: String,
        /// Why not.
        reason: &'static str,
    },
    /// A redirect after the last one that is followed.
    #[error("{url} is redirected over the limit of {} times", limits::REDIRECTS)]
    TooManyRedirects {
        /// What was asked first.
        url: String,
    },
    /// An answer that this kind of server does not give.
    #[error("{url} answered with {what}")]
    BadAnswer {
        /// What was asked.
        url: String,
        /// What came.
        what: String,
    },
}

impl HttpError {
    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> HttpErrorKind {
        match self {
            Self::Denied { .. } => HttpErrorKind::Denied,
            Self::Unavailable { .. }
            | Self::AsksToWait { .. }
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Timeout { .. }
            | Self::Slow { .. } => HttpErrorKind::Unavailable,
            _ => HttpErrorKind::Other,
        }
    }
}

fn times(tries: u32) -> String {
    if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") }
}
