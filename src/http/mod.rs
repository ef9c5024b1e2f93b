//! Requests to servers: bounded, timed, tried again, redirected without credentials, and authenticated as
//! Docker's registries and notary servers ask for it.
//!
//! Credentials go to the server and to the token service that it names, over TLS or within this machine, and
//! to no host that either redirects to. Plain HTTP beyond this machine is for those who ask for it.
//!
//! A server behind a proxy is reached by the environment's `HTTPS_PROXY` and `NO_PROXY`. The system's root
//! certificates are trusted, or those of `SSL_CERT_FILE`.

mod answer;
mod auth;
mod body;
mod client;
mod error;
mod transport;

use std::time::Duration;

use reqwest::Url;
use zeroize::Zeroizing;

pub(crate) use self::{
    answer::Answer,
    client::{LazyClient, backoff, builder, is_loopback, is_tls, said, shown},
    transport::{Method, Request, Upload, is_allowed},
};
use self::{auth::Authority, transport::Transport};
pub use self::{
    auth::Credential,
    error::{HttpError, HttpErrorKind},
};

/// How servers are reached.
pub(crate) struct Settings {
    /// PEM bundles of certificates that are trusted beside the system's.
    pub(crate) root_certificates: Vec<Vec<u8>>,
    /// The client certificate with its private key, PEM. Only the server itself is shown it.
    pub(crate) identity: Option<Zeroizing<Vec<u8>>>,
    /// For the server and the token service that it names.
    pub(crate) credential: Option<Credential>,
    /// For a connection, and for each part of an answer.
    pub(crate) timeout: Duration,
    /// How long after the first try of a request another may begin.
    pub(crate) deadline: Duration,
    pub(crate) user_agent: String,
    /// Whether hosts other than this machine may be asked by plain HTTP.
    pub(crate) insecure: bool,
    /// Told before each pause of a second or more: the status, and how long. After it, told of no time.
    pub(crate) on_pause: Option<fn(u16, Duration)>,
    /// Whether another try may help after any status of 5xx, not only after those that say so.
    pub(crate) faults_pass: bool,
}

/// One server, with its connections and tokens.
pub(crate) struct Session {
    server: Url,
    transport: Transport,
    authority: Authority,
}

impl Session {
    /// Checks the settings. Nothing is sent yet.
    pub(crate) fn new(server: Url, mut settings: Settings) -> Result<Self, HttpError> {
        let authority = Authority::new(settings.credential.take());
        let transport = Transport::new(&server, settings, authority.secret())?;
        Ok(Self { server, transport, authority })
    }

    pub(crate) const fn server(&self) -> &Url {
        &self.server
    }

    /// Asks, answers the server's challenge, and asks again. Tokens are asked for `scope`, and kept for it.
    /// Of another host nothing is asked with them.
    ///
    /// # Errors
    /// [`HttpError`]; of the statuses, 401 and 403 are errors.
    pub(crate) async fn ask(
        &self,
        request: &Request<'_>,
        scope: &str,
    ) -> Result<Answer, HttpError> {
        let is_own = request.url.origin() == self.server.origin();
        let known = if is_own { self.authority.known(scope).await } else { None };
        let mut answer = self.transport.ask(request, known.as_ref()).await?;
        // The challenge of a host that the server redirected to is none of its own.
        if answer.status == 401 && is_own && answer.url.origin() == self.server.origin() {
            let authority = &self.authority;
            let authorization =
                authority.answer(&self.transport, &answer, scope, known.as_ref()).await?;
            answer = self.transport.ask(request, Some(&authorization)).await?;
        }
        match answer.status {
            401 | 403 if !request.takes(&answer) => Err(self.authority.denied(&answer)),
            _ => Ok(answer),
        }
    }

    /// Where the header `Location` of an answer leads, by the rules for redirects.
    pub(crate) fn follow(&self, answer: &Answer, location: &str) -> Result<Url, HttpError> {
        self.transport.redirected(answer, location)
    }
}
