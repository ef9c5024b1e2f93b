//! Requests: bounded, timed and tried again, and redirected without credentials.

use std::{fs::File, io, path::Path, time::Duration};

use reqwest::{
    Body, Certificate, ClientBuilder, Identity, RequestBuilder, Response, Url,
    header::{self, HeaderName, HeaderValue},
};
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::{
    Answer, HttpError, LazyClient, Settings, backoff,
    body::{Buffer, FileBody, Sink, Spool},
    builder, is_loopback, is_tls, said, shown,
};
use crate::limits;

/// What carries requests. None of its clients follows redirects, tries again, or takes compressed bytes.
pub(super) struct Transport {
    server: Url,
    settings: Settings,
    roots: Vec<Certificate>,
    /// With the client certificate, if there is one: for the server only.
    identified: Option<reqwest::Client>,
    /// Reads the system's root certificates.
    tls: LazyClient,
    /// For this machine, without TLS. A proxy would carry what is sent away from here in the clear.
    here: LazyClient,
    /// For others without TLS, where they may be asked so.
    plain: LazyClient,
    /// A server may show what it was sent, and no text repeats this.
    secret: Option<Zeroizing<String>>,
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
}

/// What is asked. Whoever it is redirected to is asked the same.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// What is posted or put, again with each try.
    pub(crate) body: &'a [u8],
    /// A file to put instead, which may be of any size.
    pub(crate) file: Option<Upload<'a>>,
    /// Where the body of an answer with status 200 goes instead of into the answer, from the start with each try.
    pub(crate) into: Option<&'a File>,
    /// Bytes that are read of an answer with status 200.
    pub(crate) limit: usize,
    /// How often it may be tried.
    pub(crate) tries: u32,
    /// Whether a status of 4xx of another host, which the server redirects to, is an answer like any other.
    pub(crate) takes_refusals_elsewhere: bool,
}

/// A file that is put.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload<'a> {
    pub(crate) path: &'a Path,
    /// Bytes that are sent of it.
    pub(crate) size: u64,
}

impl<'a> Request<'a> {
    /// A request without headers and body.
    pub(crate) const fn new(method: Method, url: &'a Url, limit: usize) -> Self {
        let tries = limits::SERVICE_ATTEMPTS;
        let takes_refusals_elsewhere = false;
        Self {
            method,
            url,
            headers: Vec::new(),
            body: &[],
            file: None,
            into: None,
            limit,
            tries,
            takes_refusals_elsewhere,
        }
    }

    /// Whether a refusal is an answer like any other.
    pub(super) fn takes(&self, answer: &Answer) -> bool {
        self.takes_refusals_elsewhere
            && (400..500).contains(&answer.status)
            && answer.url.origin() != self.url.origin()
    }
}

/// A request on its way.
struct Sent<'a> {
    request: &'a Request<'a>,
    /// Of the request, or what it was redirected to.
    url: &'a Url,
    authorization: Option<&'a HeaderValue>,
    /// Whether the client certificate may be shown.
    identified: bool,
    /// Whether it tells who asks.
    authorized: bool,
}

impl Transport {
    /// `secret` is what no text repeats.
    pub(super) fn new(
        server: &Url,
        mut settings: Settings,
        secret: Option<Zeroizing<String>>,
    ) -> Result<Self, HttpError> {
        let mut roots = Vec::new();
        for (number, bundle) in (1..).zip(&settings.root_certificates) {
            let certificates = Certificate::from_pem_bundle(bundle).unwrap_or_default();
            if certificates.is_empty() {
                return Err(HttpError::NoRootCertificate { number });
            }
            roots.extend(certificates);
        }
        let identity = settings.identity.take();
        let mut transport = Self {
            server: server.clone(),
            settings,
            roots,
            identified: None,
            tls: LazyClient::default(),
            here: LazyClient::default(),
            plain: LazyClient::default(),
            secret,
        };
        if let Some(pem) = identity {
            let identity = Identity::from_pem(&pem)
                .map_err(|error| HttpError::Identity { source: Box::new(error) })?;
            let client = transport.tls_builder().identity(identity).build();
            transport.identified = Some(client.map_err(|error| setup(server, error))?);
        }
        if server.scheme() == "https" {
            transport.tls()?;
        }
        Ok(transport)
    }

    /// Asks a URL and what it redirects to. `authorization` and the client certificate go to the first
    /// host only, and not to it again after another one.
    pub(super) async fn ask(
        &self,
        request: &Request<'_>,
        mut authorization: Option<&HeaderValue>,
    ) -> Result<Answer, HttpError> {
        let mut identified = request.url.origin() == self.server.origin();
        let mut at = request.url.clone();
        for _ in 0..=limits::REDIRECTS {
            let authorized = authorization.is_some();
            let sent = Sent { request, url: &at, authorization, identified, authorized };
            let answer = self.send(&sent).await?;
            let Some(location) = answer.redirect(request.method) else { return Ok(answer) };
            let next = self.redirected(&answer, location)?;
            if next.origin() != at.origin() {
                authorization = None;
                identified = false;
            }
            at = next;
        }
        Err(HttpError::TooManyRedirects { url: shown(request.url) })
    }

    /// Asks a URL and nobody else, with what tells who asks in the body.
    pub(super) async fn ask_with_secret(&self, request: &Request<'_>) -> Result<Answer, HttpError> {
        let url = request.url;
        let identified = url.origin() == self.server.origin();
        self.send(&Sent { request, url, authorization: None, identified, authorized: true }).await
    }

    /// Whether a URL may be asked at all.
    pub(super) fn allows(&self, url: &Url) -> bool {
        is_allowed(url, self.settings.insecure)
    }

    /// Where an answer leads, which may be asked.
    pub(super) fn redirected(&self, answer: &Answer, location: &str) -> Result<Url, HttpError> {
        let refused = |to, reason| HttpError::Redirect { url: shown(&answer.url), to, reason };
        let next = answer.url.join(location).map_err(|_| refused(String::new(), "is no URL"))?;
        if !self.allows(&next) {
            return Err(refused(shown(&next), "is not https://, or has a user"));
        }
        if leaves_tls(&answer.url, &next) {
            return Err(refused(shown(&next), "leaves TLS"));
        }
        Ok(next)
    }

    /// Tries until there is an answer that another try would not change, or the deadline is too near for one.
    async fn send(&self, sent: &Sent<'_>) -> Result<Answer, HttpError> {
        let begun = Instant::now();
        let mut hung = false;
        let mut tries = 1;
        loop {
            let mut pause = backoff(tries);
            let tried = self.attempt(sent, tries).await;
            if let Ok(answer) = &tried {
                pause = match answer.status {
                    // Whoever is told to slow down without a number had better slow down more.
                    429 => (4 * pause).max(answer.retry_after()),
                    _ => pause.max(answer.retry_after()),
                };
            }
            let is_last = tries >= sent.request.tries
                || begun.elapsed().saturating_add(pause) > self.settings.deadline;
            let mut status = 0;
            match tried {
                Ok(answer) if !self.may_pass(&answer) => return Ok(answer),
                Ok(answer) if sent.request.takes(&answer) => return Ok(answer),
                Ok(answer) if is_last => {
                    let answer = self.with_reason(sent, answer).await;
                    return Err(answer.into_unavailable(tries, self.settings.deadline));
                }
                Ok(answer) => status = answer.status,
                Err(error @ (HttpError::Unreachable { .. } | HttpError::Broken { .. })) => {
                    if is_last {
                        return Err(error);
                    }
                }
                // What hangs once more would most likely hang for ever.
                Err(error @ HttpError::Timeout { .. }) => {
                    if is_last || hung {
                        return Err(error);
                    }
                    hung = true;
                }
                Err(error) => return Err(error),
            }
            self.pause(status, pause).await;
            tries += 1;
        }
    }

    async fn pause(&self, status: u16, pause: Duration) {
        let told = self.settings.on_pause.filter(|_| pause >= Duration::from_secs(1));
        told.inspect(|told| told(status, pause));
        sleep(pause).await;
        told.inspect(|told| told(status, Duration::ZERO));
    }

    /// The answer to HEAD has no words, so that they are asked for once.
    async fn with_reason(&self, sent: &Sent<'_>, mut answer: Answer) -> Answer {
        if sent.request.method != Method::Head {
            return answer;
        }
        let mut get = Request::new(Method::Get, sent.request.url, limits::ERROR_BODY_BYTES);
        get.headers.clone_from(&sent.request.headers);
        let sent = Sent { request: &get, ..*sent };
        match self.attempt(&sent, 1).await {
            Ok(told) if told.status == answer.status => answer.said = told.said,
            Ok(told) => answer.said = only_head(told.status),
            Err(HttpError::TooLarge { .. }) => answer.said = only_head(200),
            Err(_) => {}
        }
        answer
    }

    const fn may_pass(&self, answer: &Answer) -> bool {
        answer.is_busy() || (self.settings.faults_pass && answer.is_fault())
    }

    async fn attempt(&self, sent: &Sent<'_>, tries: u32) -> Result<Answer, HttpError> {
        let url = sent.url;
        let request = self.prepare(sent)?;
        let sending = sent.request.file.map_or(0, |file| file.size);
        let patience = self.settings.timeout.saturating_add(carrying(sending));
        let mut response = match timeout(patience, request.send()).await {
            Ok(begun) => begun.map_err(|error| self.explain(url, tries, error))?,
            Err(_) => return Err(self.hung(url)),
        };
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut answer = Answer {
            url: url.clone(),
            status,
            headers,
            body: Vec::new(),
            said: String::new(),
            authorized: sent.authorized,
        };
        if status == 200 {
            let limit = sent.request.limit;
            match sent.request.into {
                None => {
                    let body = &mut Buffer(&mut answer.body);
                    self.read(&mut response, limit, body, url, tries).await?;
                }
                Some(file) => {
                    let body = &mut Spool::begin(file).map_err(|error| spooling(url, error))?;
                    self.read(&mut response, limit, body, url, tries).await?;
                }
            }
            return Ok(answer);
        }
        // The status is what matters. Of what comes with it, as much is told as has come.
        let mut body = Vec::new();
        let told = &mut Buffer(&mut body);
        let _ = self.read(&mut response, limits::READ_ERROR_BODY_BYTES, told, url, tries).await;
        answer.said = self.without_secrets(&body, sent.authorization);
        Ok(answer)
    }

    fn prepare(&self, sent: &Sent<'_>) -> Result<RequestBuilder, HttpError> {
        let client = match &self.identified {
            _ if sent.url.scheme() == "http" => self.plain(sent.url)?,
            Some(client) if sent.identified => client,
            _ => self.tls()?,
        };
        let method = match sent.request.method {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
        };
        let mut prepared = client.request(method, sent.url.clone());
        for (name, value) in &sent.request.headers {
            prepared = prepared.header(name, value);
        }
        if matches!(sent.request.method, Method::Post | Method::Put) {
            prepared = match sent.request.file {
                Some(file) => {
                    let body = FileBody::open(file).map_err(|error| spooling(sent.url, error))?;
                    prepared.body(Body::wrap(body))
                }
                None => prepared.body(sent.request.body.to_vec()),
            };
        }
        if let Some(authorization) = sent.authorization {
            prepared = prepared.header(header::AUTHORIZATION, authorization);
        }
        Ok(prepared)
    }

    fn tls(&self) -> Result<&reqwest::Client, HttpError> {
        self.tls.get(|| self.tls_builder()).map_err(|error| setup(&self.server, error))
    }

    fn plain(&self, url: &Url) -> Result<&reqwest::Client, HttpError> {
        let plain = || builder(&self.settings.user_agent, self.settings.timeout).tls_certs_only([]);
        let client = match self.settings.insecure && !is_loopback(url) {
            true => self.plain.get(plain),
            false => self.here.get(|| plain().no_proxy()),
        };
        client.map_err(|error| setup(&self.server, error))
    }

    fn tls_builder(&self) -> ClientBuilder {
        builder(&self.settings.user_agent, self.settings.timeout)
            .https_only(true)
            .tls_certs_merge(self.roots.clone())
    }

    /// Reads at most `limit` bytes, and leaves in `body` what came before an error.
    async fn read(
        &self,
        response: &mut Response,
        limit: usize,
        body: &mut impl Sink,
        url: &Url,
        tries: u32,
    ) -> Result<(), HttpError> {
        let too_large = || HttpError::TooLarge { url: shown(url), limit };
        if response.status() == 200 && response.content_length() > u64::try_from(limit).ok() {
            return Err(too_large());
        }
        let whole = async {
            loop {
                let chunk = match timeout(self.settings.timeout, response.chunk()).await {
                    Ok(Ok(Some(chunk))) => chunk,
                    Ok(Ok(None)) => return Ok(()),
                    Ok(Err(error)) => return Err(broken(url, tries, error)),
                    Err(_) => return Err(self.hung(url)),
                };
                let room = limit.saturating_sub(body.len());
                let taken = chunk.get(..room).unwrap_or(&chunk);
                body.take(taken).map_err(|error| spooling(url, error))?;
                if chunk.len() > room {
                    return Err(too_large());
                }
            }
        };
        let after = self.settings.timeout.saturating_mul(limits::ANSWER_TIMEOUTS);
        let after = after.saturating_add(carrying(u64::try_from(limit).unwrap_or(u64::MAX)));
        let slow = |_| Err(HttpError::Slow { url: shown(url), after });
        timeout(after, whole).await.unwrap_or_else(slow)
    }

    fn hung(&self, url: &Url) -> HttpError {
        HttpError::Timeout { url: shown(url), after: self.settings.timeout }
    }

    /// Why no answer began.
    fn explain(&self, url: &Url, tries: u32, error: reqwest::Error) -> HttpError {
        if error.is_timeout() {
            return self.hung(url);
        }
        let is_connect = error.is_connect();
        let is_tls = is_tls(&error);
        let (url, source) = (shown(url), Box::new(error.without_url()));
        match (is_tls, is_connect) {
            (true, _) => HttpError::Tls { url, source },
            (false, true) => HttpError::Unreachable { url, tries, source },
            (false, false) => HttpError::Broken { url, tries, source },
        }
    }

    /// What the body of an error says, as far as it is told. It is cut once it holds no secret: a part of one would
    /// not be known for what it is.
    fn without_secrets(&self, body: &[u8], authorization: Option<&HeaderValue>) -> String {
        let sent = authorization.and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| value.split_once(' ')).map(|(_, secret)| secret);
        let own = self.secret.as_deref().map(String::as_str);
        let secrets: Vec<&str> =
            sent.into_iter().chain(own).filter(|secret| !secret.is_empty()).collect();
        let mut text = secrets.iter().fold(said(body), |text, secret| text.replace(secret, "…"));
        if body.len() >= limits::READ_ERROR_BODY_BYTES {
            let longest = secrets.iter().map(|secret| secret.len()).max().unwrap_or_default();
            text.truncate(text.floor_char_boundary(text.len().saturating_sub(longest)));
        }
        text.truncate(text.floor_char_boundary(limits::ERROR_BODY_BYTES));
        text
    }
}

fn only_head(get: u16) -> String {
    format!("HEAD is answered so, and GET with HTTP status {get}")
}

/// How long bytes may be on their way, at the slowest that is borne.
fn carrying(bytes: u64) -> Duration {
    Duration::from_secs(bytes / limits::SLOWEST_BYTES_PER_SECOND)
}

fn spooling(url: &Url, source: io::Error) -> HttpError {
    HttpError::Spool { url: shown(url), source }
}

/// Whether a URL may be asked at all: by TLS, or on this machine, or anywhere if insecure. A user in it would
/// become a credential.
pub(crate) fn is_allowed(url: &Url, insecure: bool) -> bool {
    let is_plain = || url.scheme() == "http" && (insecure || is_loopback(url));
    url.username().is_empty()
        && url.password().is_none()
        && url.host_str().is_some_and(|host| !host.is_empty())
        && (url.scheme() == "https" || is_plain())
}

/// Whether a server that is asked by TLS leads to one that is not, which may be anybody on this machine.
pub(super) fn leaves_tls(asked: &Url, next: &Url) -> bool {
    asked.scheme() == "https" && next.scheme() == "http"
}

fn setup(server: &Url, error: reqwest::Error) -> HttpError {
    HttpError::Setup { server: shown(server), source: Box::new(error) }
}

fn broken(url: &Url, tries: u32, error: reqwest::Error) -> HttpError {
    HttpError::Broken { url: shown(url), tries, source: Box::new(error.without_url()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_left_for_nobody() {
        for (asked, next, expected) in [
            ("https://h", "http://127.0.0.1:5000/token", true),
            ("https://h", "https://auth/token", false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", false),
            ("http://127.0.0.1:5000", "https://auth/token", false),
        ] {
            let [asked, next] = [asked, next].map(|url| Url::parse(url).unwrap());
            assert_eq!(leaves_tls(&asked, &next), expected, "{asked} {next}");
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_told() {
        for (url, here, insecure) in [
            ("https://h", true, true),
            ("http://h", false, true),
            ("http://127.0.0.1:5000", true, true),
            ("http://[::1]", true, true),
            ("https://me@h", false, false),
            ("https://:hunter2@h", false, false),
            ("ftp://h", false, false),
            ("file:///etc/passwd", false, false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(
                (is_allowed(&url, false), is_allowed(&url, true)),
                (here, insecure),
                "{url}"
            );
        }
    }
}
