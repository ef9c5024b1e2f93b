//! Asking a timestamp authority over HTTP (RFC 3161, section 3.4).
//!
//! Plain HTTP is as good as TLS here: the token is signed, and nothing is sent but a digest. An authority
//! behind a proxy is reached by the environment's `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.

use std::{error::Error, time::Duration};

use reqwest::{Client, Response, Url, header};
use tokio::time::{sleep, timeout};

use super::{ResponseError, TimestampFuture, TimestampRequest, TimestampSource, TimestampToken};
use crate::{
    algorithm::HashAlgorithm,
    http::{backoff, builder, is_loopback, is_tls, said, shown},
    limits,
};

/// An authority that is asked by its URL.
#[derive(Debug, Clone)]
pub struct TimestampAuthority {
    url: Url,
    client: Client,
    timeout: Duration,
}

/// What a caller can do about an [`AuthorityError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthorityErrorKind {
    /// The authority could not be reached, is overloaded, or cannot tell the time now: later may do.
    Unavailable,
    /// The authority wants to know who asks.
    Denied,
    /// The authority says no to this request.
    Refused,
    /// Trying again does not help.
    Other,
}

/// Why an authority gave no timestamp. Texts name its URL without user, query and fragment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A URL that cannot be asked.
    #[error("timestamp authority {url:?} must be http:// or https:// with a host, and no user")]
    Url {
        /// The URL, without its user.
        url: String,
    },
    /// No root certificates on this system, or no proxy where the environment names one.
    #[error("client for timestamp authority {url} cannot be set up")]
    Setup {
        /// The authority.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// No connection.
    #[error("timestamp authority {url} could not be reached")]
    Unreachable {
        /// The authority.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A server that is not trusted.
    #[error("there is no trusted TLS connection to timestamp authority {url}")]
    Tls {
        /// The authority.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A connection that ended before the whole answer had come.
    #[error("timestamp authority {url} gave no whole answer")]
    Broken {
        /// The authority.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// No whole answer in time.
    #[error("timestamp authority {url} gave no answer within {} s", after.as_secs_f32())]
    Timeout {
        /// The authority.
        url: String,
        /// The timeout.
        after: Duration,
    },
    /// Another HTTP status than 200.
    #[error("timestamp authority {url} answered with HTTP status {status}: {reason}")]
    Status {
        /// The authority.
        url: String,
        /// The status.
        status: u16,
        /// What the server said.
        reason: String,
    },
    /// A redirect. None is followed: who configures the authority can name the one that answers.
    #[error("timestamp authority {url} is elsewhere: it redirects to {to:?}")]
    Redirect {
        /// The authority.
        url: String,
        /// Where it points.
        to: String,
    },
    /// Something else than a timestamp response, a login page for example.
    #[error("timestamp authority {url} answered with content type {found:?}, which is not {REPLY}")]
    ContentType {
        /// The authority.
        url: String,
        /// What the answer says it is.
        found: String,
    },
    /// More bytes than an answer may have.
    #[error("answer of timestamp authority {url} is over the limit of {limit} bytes", limit = limits::TIMESTAMP_BYTES)]
    TooLarge {
        /// The authority.
        url: String,
    },
    /// An answer that holds no timestamp for the request.
    #[error("timestamp authority {url} gave no timestamp")]
    Response {
        /// The authority.
        url: String,
        /// Why.
        #[source]
        source: ResponseError,
    },
}

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";

impl TimestampAuthority {
    /// An authority that has [`limits::TIMESTAMP_TIMEOUT`] to answer.
    ///
    /// # Errors
    /// [`AuthorityError::Url`] and [`AuthorityError::Setup`].
    pub fn new(url: &str) -> Result<Self, AuthorityError> {
        // What no URL can be read from may hold a user all the same.
        let without_user = || url.rsplit('@').next().unwrap_or_default().to_owned();
        let parsed = Url::parse(url).map_err(|_| AuthorityError::Url { url: without_user() })?;
        let is_allowed = matches!(parsed.scheme(), "http" | "https")
            && parsed.username().is_empty()
            && parsed.password().is_none();
        if !is_allowed {
            return Err(AuthorityError::Url { url: shown(&parsed) });
        }
        let timeout = limits::TIMESTAMP_TIMEOUT;
        let mut client = builder(concat!("notation-sdk/", env!("CARGO_PKG_VERSION")), timeout);
        if is_loopback(&parsed) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| AuthorityError::Setup {
            url: shown(&parsed),
            source: Box::new(error),
        })?;
        Ok(Self { url: parsed, client, timeout })
    }

    /// The same authority, that has this long to answer, all tries included.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Asks for a timestamp, and again where another try may do. The token is one for this request; who signed
    /// it is for [`TimestampToken::verify`].
    ///
    /// # Errors
    /// [`AuthorityError`], of the last try.
    pub async fn ask(&self, request: &TimestampRequest) -> Result<TimestampToken, AuthorityError> {
        let mut last = AuthorityError::Timeout { url: self.name(), after: self.timeout };
        let tries = async {
            for attempt in 1..=limits::SERVICE_ATTEMPTS {
                match self.ask_once(request).await {
                    Err(error) if error.is_passing() => last = error,
                    answer => return Some(answer),
                }
                if attempt < limits::SERVICE_ATTEMPTS {
                    sleep(backoff(attempt)).await;
                }
            }
            None
        };
        let answer = timeout(self.timeout, tries).await.ok().flatten();
        answer.unwrap_or(Err(last))
    }

    async fn ask_once(&self, request: &TimestampRequest) -> Result<TimestampToken, AuthorityError> {
        let sent = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, QUERY)
            .header(header::ACCEPT, REPLY)
            .body(request.as_der().to_vec())
            .send()
            .await;
        let mut response = sent.map_err(|error| self.explain(error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(self.other_status(status, &mut response).await);
        }
        let found = text(&response, header::CONTENT_TYPE);
        let essence = found.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case(REPLY) {
            return Err(AuthorityError::ContentType { url: self.name(), found });
        }
        let mut body = Vec::new();
        if !self.read(&mut response, limits::TIMESTAMP_BYTES, &mut body).await? {
            return Err(AuthorityError::TooLarge { url: self.name() });
        }
        request
            .read_response(&body)
            .map_err(|source| AuthorityError::Response { url: self.name(), source })
    }

    async fn other_status(&self, status: u16, response: &mut Response) -> AuthorityError {
        let location = text(response, header::LOCATION);
        if matches!(status, 300..=399) && !location.is_empty() {
            let to = self.url.join(&location).map_or(location, |to| shown(&to));
            return AuthorityError::Redirect { url: self.name(), to };
        }
        // The status is what matters. Of what comes with it, as much is told as has come.
        let mut body = Vec::new();
        let _ = self.read(response, limits::ERROR_BODY_BYTES, &mut body).await;
        AuthorityError::Status { url: self.name(), status, reason: said(&body) }
    }

    /// Reads the body, and says whether it is within the limit. No more than that is kept.
    async fn read(
        &self,
        response: &mut Response,
        limit: usize,
        body: &mut Vec<u8>,
    ) -> Result<bool, AuthorityError> {
        while let Some(chunk) = response.chunk().await.map_err(|error| self.explain(error))? {
            let room = limit.saturating_sub(body.len());
            body.extend(chunk.iter().take(room));
            if chunk.len() > room {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn explain(&self, error: reqwest::Error) -> AuthorityError {
        let url = self.name();
        if is_tls(&error) {
            return AuthorityError::Tls { url, source: Box::new(error.without_url()) };
        }
        let is_connect = error.is_connect();
        let source = Box::new(error.without_url());
        if is_connect {
            AuthorityError::Unreachable { url, source }
        } else {
            AuthorityError::Broken { url, source }
        }
    }

    fn name(&self) -> String {
        shown(&self.url)
    }
}

impl TimestampSource for TimestampAuthority {
    fn timestamp<'a>(&'a self, hash: HashAlgorithm, message: &'a [u8]) -> TimestampFuture<'a> {
        Box::pin(async move { Ok(self.ask(&TimestampRequest::new(hash, message)).await?) })
    }
}

impl AuthorityError {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> AuthorityErrorKind {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Timeout { .. } => {
                AuthorityErrorKind::Unavailable
            }
            Self::Status { status: 429 | 500..=599, .. } => AuthorityErrorKind::Unavailable,
            Self::Status { status: 401 | 403 | 407, .. } => AuthorityErrorKind::Denied,
            Self::Response { source: ResponseError::Refused(refusal), .. } => {
                if refusal.is_temporary() {
                    AuthorityErrorKind::Unavailable
                } else {
                    AuthorityErrorKind::Refused
                }
            }
            _ => AuthorityErrorKind::Other,
        }
    }

    /// Whether another try at once may do.
    fn is_passing(&self) -> bool {
        self.kind() == AuthorityErrorKind::Unavailable
    }
}

/// A header as text; empty, where it is missing or none.
fn text(response: &Response, name: header::HeaderName) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
