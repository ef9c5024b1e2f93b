//! A client of notary servers: fetches metadata files exactly as they are served.
//!
//! It follows what docker does: credentials only where a server asks for them, bearer tokens by the scope
//! `repository:GUN:pull`. It is stricter with where they go: never to another host by a redirect, never in
//! plain text but to this machine.

mod auth;

use std::{collections::BTreeSet, fmt, net::IpAddr, sync::Arc, time::Duration};

use reqwest::{
    StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, LINK, RETRY_AFTER},
    redirect,
};
use serde::Deserialize;
use zeroize::Zeroizing;

use self::auth::Authenticator;
use super::{Gun, Source};
use crate::{crypto, limits};

pub use self::auth::Credential;

/// How a server is reached.
#[derive(Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// `https://host[:port][/path]`; `http://` only for this machine itself.
    pub server: String,
    /// PEM bundles of CA certificates, trusted beside the system's.
    pub root_certificates: Vec<Vec<u8>>,
    /// A client certificate with its chain, and its key, in PEM.
    pub identity: Option<Zeroizing<Vec<u8>>>,
    /// What to log in with where the server asks.
    pub credential: Option<Credential>,
    /// How long to wait for a connection, and for each next byte.
    pub timeout: Duration,
}

/// A client of one server. Clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    server: Url,
    authenticator: Arc<Authenticator>,
}

/// Why a server cannot be asked, or did not answer with what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No URL of a server.
    #[error(
        "{0:?} is not the URL of a server: it begins with https:// and has no user, query or fragment"
    )]
    BadServer(String),
    /// Plain HTTP to another machine.
    #[error("{0} is not asked: plain http is for this machine only")]
    PlainHttp(String),
    /// CA certificates or a client certificate that cannot be used.
    #[error("{0} cannot be used for TLS")]
    BadTls(&'static str, #[source] reqwest::Error),
    /// No connection, or one that broke off.
    #[error("{url} cannot be reached")]
    Transport {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error("{url} did not answer within {} s", within.as_secs_f32())]
    Timeout {
        /// What was asked for.
        url: String,
        /// How long a byte was waited for.
        within: Duration,
    },
    /// Credentials are missing or refused.
    #[error("{url}: access is denied, {status}{}", Said(said))]
    Denied {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusText,
        /// What the server said.
        said: String,
    },
    /// The server is not able to answer now.
    #[error("{url}: {status}{}", Said(said))]
    Unavailable {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusText,
        /// What the server said.
        said: String,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// Any other answer.
    #[error("{url}: unexpected answer {status}{}", Said(said))]
    Status {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusText,
        /// What the server said.
        said: String,
    },
    /// More bytes than such a file may have.
    #[error("{url} is over the limit of {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// A way of logging in that is not known.
    #[error("{url} asks for credentials in a way that is not supported: {challenge:?}")]
    BadChallenge {
        /// What was asked for.
        url: String,
        /// The header `WWW-Authenticate`.
        challenge: String,
    },
    /// A list that is none.
    #[error("{url} did not answer with the JSON of a {what}")]
    BadAnswer {
        /// What was asked for.
        url: String,
        /// What it should have been.
        what: &'static str,
    },
}

/// A status code with its name: `404 Not Found`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusText(StatusCode);

impl ClientError {
    /// Whether credentials are missing or refused.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::BadChallenge { .. })
    }

    /// Whether the same may work later.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. } | Self::Transport { .. })
    }

    /// How often this is worth trying in all.
    const fn attempts(&self) -> u32 {
        match self {
            Self::Unavailable { .. } | Self::Transport { .. } => limits::SERVICE_ATTEMPTS,
            // Whoever waited that long once does not want to wait much longer.
            Self::Timeout { .. } => 2,
            _ => 1,
        }
    }
}

/// An answer with a body.
struct Answer {
    body: Vec<u8>,
    link: Option<String>,
}

impl Client {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// [`ClientError::BadServer`], [`ClientError::PlainHttp`], [`ClientError::BadTls`].
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let server = parse_server(&options.server)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("notation-kms/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.timeout)
            .read_timeout(options.timeout)
            .redirect(redirect::Policy::custom(follow));
        for pem in &options.root_certificates {
            let roots = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| ClientError::BadTls("the CA certificates", error))?;
            builder = builder.tls_certs_merge(roots);
        }
        if let Some(pem) = &options.identity {
            let identity = reqwest::Identity::from_pem(pem)
                .map_err(|error| ClientError::BadTls("the client certificate", error))?;
            builder = builder.identity(identity);
        }
        let http =
            builder.build().map_err(|error| ClientError::BadTls("the TLS configuration", error))?;
        let authenticator = Authenticator::new(options.credential, options.timeout);
        Ok(Self { http, server, authenticator: Arc::new(authenticator) })
    }

    /// The repositories in the server's changefeed, each once, in the order of their first change.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn changefeed(&self) -> Result<Vec<String>, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            records: Option<Vec<Record>>,
        }
        #[derive(Deserialize)]
        struct Record {
            #[serde(rename = "ID")]
            id: serde_json::Value,
            #[serde(rename = "GUN")]
            gun: String,
        }
        let mut names = Names::default();
        let mut last = "0".to_owned();
        for _ in 0..limits::LIST_PAGES {
            let mut url = self.url("v2/_trust/changefeed");
            let size = limits::CHANGEFEED_PAGE.to_string();
            url.query_pairs_mut().append_pair("change_id", &last).append_pair("records", &size);
            let page: Page = self.list(&url, "changefeed").await?.0;
            let records = page.records.unwrap_or_default();
            let (length, previous) = (records.len(), last.clone());
            for record in records {
                last = record.id.as_str().map_or_else(|| record.id.to_string(), ToOwned::to_owned);
                names.add(record.gun);
            }
            if length < limits::CHANGEFEED_PAGE || last == previous {
                break;
            }
        }
        Ok(names.in_order)
    }

    /// The repositories in a registry's catalog.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn catalog(&self) -> Result<Vec<String>, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            repositories: Option<Vec<String>>,
        }
        let mut names = Names::default();
        let mut url = self.url("v2/_catalog");
        url.query_pairs_mut().append_pair("n", "1000");
        for _ in 0..limits::LIST_PAGES {
            let (page, link): (Page, _) = self.list(&url, "catalog").await?;
            let before = names.in_order.len();
            page.repositories.unwrap_or_default().into_iter().for_each(|name| names.add(name));
            let next = link.and_then(|link| next_page(&url, &link));
            match next.filter(|_| names.in_order.len() > before) {
                Some(next) => url = next,
                None => break,
            }
        }
        Ok(names.in_order)
    }

    async fn list<T: for<'de> Deserialize<'de>>(
        &self,
        url: &Url,
        what: &'static str,
    ) -> Result<(T, Option<String>), ClientError> {
        let malformed = || ClientError::BadAnswer { url: shown(url), what };
        let answer = self.get(url, "registry:catalog:*", limits::LIST_PAGE_BYTES).await?;
        let Answer { body, link } = answer.ok_or_else(malformed)?;
        Ok((serde_json::from_slice(&body).map_err(|_| malformed())?, link))
    }

    /// Asks until there is an answer, or no more sense in asking. `None`: there is no such thing.
    async fn get(
        &self,
        url: &Url,
        scope: &str,
        limit: usize,
    ) -> Result<Option<Answer>, ClientError> {
        let mut attempt = 1;
        loop {
            let error = match self.get_once(url, scope, limit).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if attempt >= error.attempts() {
                return Err(error);
            }
            tokio::time::sleep(pause(attempt, &error)).await;
            attempt += 1;
        }
    }

    async fn get_once(
        &self,
        url: &Url,
        scope: &str,
        limit: usize,
    ) -> Result<Option<Answer>, ClientError> {
        let mut response = self.send(url, self.authenticator.known(scope)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let header =
                self.authenticator.answer(&self.http, url, scope, response.headers()).await?;
            if let Some(header) = header {
                response = self.send(url, Some(header)).await?;
            }
        }
        match response.status() {
            StatusCode::OK => {
                let link = text_of(response.headers(), LINK.as_str());
                let body = self.authenticator.read(url, response, limit).await?;
                Ok(Some(Answer { body, link }))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refusal(url, response).await),
        }
    }

    async fn send(
        &self,
        url: &Url,
        authorization: Option<HeaderValue>,
    ) -> Result<reqwest::Response, ClientError> {
        let mut request = self.http.get(url.clone());
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        request.send().await.map_err(|error| self.authenticator.transport(url, error))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.server.clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        url
    }
}

impl Source for Client {
    type Error = ClientError;

    async fn fetch(
        &self,
        gun: &Gun,
        file: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let url = self.url(&format!("v2/{gun}/_trust/tuf/{file}"));
        let answer = self.get(&url, &format!("repository:{gun}:pull"), limit).await?;
        Ok(answer.map(|answer| answer.body))
    }
}

/// Names, each once, in the order in which they came.
#[derive(Default)]
struct Names {
    seen: BTreeSet<String>,
    in_order: Vec<String>,
}

impl Names {
    fn add(&mut self, name: String) {
        if self.seen.insert(name.clone()) {
            self.in_order.push(name);
        }
    }
}

fn parse_server(text: &str) -> Result<Url, ClientError> {
    let bad = || ClientError::BadServer(text.rsplit('@').next().unwrap_or(text).to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() || url.host_str().is_none() {
        return Err(bad());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(ClientError::PlainHttp(shown(&url))),
        _ => Err(bad()),
    }
}

/// Whether a URL leads to this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether credentials and trust data may travel there.
fn is_private_enough(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Headers with credentials do not follow to another host: the HTTP library sees to that.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from_https = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if attempt.previous().len() > limits::REDIRECTS {
        attempt.error("too many redirects")
    } else if (from_https && attempt.url().scheme() != "https") || !is_private_enough(attempt.url())
    {
        attempt.error("redirect leads away from https")
    } else {
        attempt.follow()
    }
}

/// `</v2/_catalog?last=x&n=1000>; rel="next"` (RFC 8288), on the same server.
fn next_page(url: &Url, link: &str) -> Option<Url> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let next = url.join(target).ok()?;
    (parameters.contains("next") && next.origin() == url.origin()).then_some(next)
}

/// How long to wait before the next attempt.
fn pause(attempt: u32, error: &ClientError) -> Duration {
    if let ClientError::Unavailable { retry_after: Some(wanted), .. } = error {
        return (*wanted).min(limits::RETRY_AFTER_MAX);
    }
    let longest = limits::SERVICE_BACKOFF * 2_u32.saturating_pow(attempt.saturating_sub(1));
    let [random] = crypto::random::<1>();
    longest.mul_f32(0.5 + f32::from(random) / 512.0)
}

/// What an answer that is no success means.
async fn refusal(url: &Url, response: reqwest::Response) -> ClientError {
    let status = response.status();
    let retry_after = text_of(response.headers(), RETRY_AFTER.as_str())
        .and_then(|seconds| seconds.trim().parse().ok())
        .map(Duration::from_secs);
    let said = said(response).await;
    let (url, text) = (shown(url), StatusText(status));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ClientError::Denied { url, status: text, said }
        }
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            ClientError::Unavailable { url, status: text, said, retry_after }
        }
        _ => ClientError::Status { url, status: text, said },
    }
}

/// What a server says about a refusal: the messages of its JSON, or nothing.
async fn said(mut response: reqwest::Response) -> String {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Reason>,
    }
    #[derive(Deserialize)]
    struct Reason {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > limits::ERROR_BODY_BYTES {
            return String::new();
        }
    }
    let reasons = serde_json::from_slice::<Body>(&body).map(|body| body.errors).unwrap_or_default();
    let told = reasons.iter().map(|reason| format!("{} {}", reason.code, reason.message));
    let told = told.collect::<Vec<_>>().join("; ");
    told.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A URL for messages.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
}

/// `: what was said`, or nothing.
struct Said<'a>(&'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

impl fmt::Display for StatusText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
