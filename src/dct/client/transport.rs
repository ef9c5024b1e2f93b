//! Requests and answers: bounded, timed and tried again, and redirected without credentials.

use std::time::Duration;

use reqwest::{
    Certificate, Identity, RequestBuilder, Response, Url,
    header::{self, HeaderMap, HeaderValue},
};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{ClientError, ClientOptions};
use crate::{
    http::{backoff, builder, is_loopback, is_tls, said, shown},
    limits,
};

/// What carries requests. None of its clients follows redirects, tries again, or takes compressed bytes.
pub(super) struct Transport {
    server: Url,
    /// With the client certificate, if there is one: for the server only.
    identified: Option<reqwest::Client>,
    tls: reqwest::Client,
    /// For this machine, without TLS. A proxy would carry what is sent away from here in the clear.
    plain: reqwest::Client,
    timeout: Duration,
    /// A server may show what it was sent, and no text repeats this.
    secret: Option<Zeroizing<String>>,
}

/// An answer; it came whole if its status is 200.
pub(super) struct Answer {
    /// Who answered, after all redirects.
    pub(super) url: Url,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Empty unless the status is 200.
    pub(super) body: Vec<u8>,
    /// What came with another status, for people.
    pub(super) said: String,
    /// Whether the request told who asks.
    pub(super) authorized: bool,
}

struct Request<'a> {
    url: &'a Url,
    authorization: Option<&'a HeaderValue>,
    /// A form to post; without one, the URL is got.
    form: Option<&'a Zeroizing<String>>,
    /// Whether the client certificate may be shown.
    identified: bool,
}

impl Transport {
    pub(super) fn new(server: &Url, options: &ClientOptions) -> Result<Self, ClientError> {
        let setup = |error: reqwest::Error| ClientError::Setup {
            server: shown(server),
            source: Box::new(error),
        };
        let mut roots = Vec::new();
        for (number, bundle) in (1..).zip(&options.root_certificates) {
            let certificates = Certificate::from_pem_bundle(bundle).unwrap_or_default();
            if certificates.is_empty() {
                return Err(ClientError::NoRootCertificate { number });
            }
            roots.extend(certificates);
        }
        let tls = || {
            builder(&options.user_agent, options.timeout)
                .https_only(true)
                .tls_certs_merge(roots.clone())
        };
        let mut identified = None;
        if let Some(pem) = &options.identity {
            let identity = Identity::from_pem(pem)
                .map_err(|error| ClientError::Identity { source: Box::new(error) })?;
            identified = Some(tls().identity(identity).build().map_err(setup)?);
        }
        Ok(Self {
            server: server.clone(),
            identified,
            tls: tls().build().map_err(setup)?,
            plain: builder(&options.user_agent, options.timeout)
                .no_proxy()
                .tls_certs_only([])
                .build()
                .map_err(setup)?,
            timeout: options.timeout,
            secret: options.credential.as_ref().map(|credential| credential.secret().clone()),
        })
    }

    /// Gets a URL and what it redirects to. `authorization` and the client certificate go to the first
    /// host only, and not to it again after another one.
    pub(super) async fn get(
        &self,
        url: &Url,
        mut authorization: Option<&HeaderValue>,
        limit: usize,
    ) -> Result<Answer, ClientError> {
        let mut identified = url.origin() == self.server.origin();
        let mut at = url.clone();
        for _ in 0..=limits::REDIRECTS {
            let request = Request { url: &at, authorization, form: None, identified };
            let answer = self.send(&request, limit).await?;
            let Some(next) = redirect_of(&answer)? else { return Ok(answer) };
            if next.origin() != at.origin() {
                authorization = None;
                identified = false;
            }
            at = next;
        }
        Err(ClientError::TooManyRedirects { url: shown(url) })
    }

    /// Posts a form. What it redirects to does not get it.
    pub(super) async fn post(
        &self,
        url: &Url,
        form: &Zeroizing<String>,
        limit: usize,
    ) -> Result<Answer, ClientError> {
        let identified = url.origin() == self.server.origin();
        self.send(&Request { url, authorization: None, form: Some(form), identified }, limit).await
    }

    /// Tries until there is an answer that another try would not change.
    async fn send(&self, request: &Request<'_>, limit: usize) -> Result<Answer, ClientError> {
        let mut hung = false;
        let mut attempt = 1;
        loop {
            let is_last = attempt == limits::SERVICE_ATTEMPTS;
            let mut pause = backoff(attempt);
            match self.attempt(request, limit).await {
                Ok(answer) if !answer.is_busy() => return Ok(answer),
                Ok(answer) if is_last => return Err(answer.into_unavailable()),
                // Whoever is told to slow down without a number had better slow down more.
                Ok(answer) if answer.status == 429 => pause = (4 * pause).max(answer.retry_after()),
                Ok(answer) => pause = pause.max(answer.retry_after()),
                Err(error @ (ClientError::Unreachable { .. } | ClientError::Broken { .. })) => {
                    if is_last {
                        return Err(error);
                    }
                }
                // What hangs once more would most likely hang for ever.
                Err(error @ ClientError::Timeout { .. }) => {
                    if is_last || hung {
                        return Err(error);
                    }
                    hung = true;
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, request: &Request<'_>, limit: usize) -> Result<Answer, ClientError> {
        let url = request.url;
        let mut response = match timeout(self.timeout, self.prepare(request).send()).await {
            Ok(sent) => sent.map_err(|error| self.explain(url, error))?,
            Err(_) => return Err(self.hung(url)),
        };
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let authorized = request.authorization.is_some() || request.form.is_some();
        let mut answer = Answer {
            url: url.clone(),
            status,
            headers,
            body: Vec::new(),
            said: String::new(),
            authorized,
        };
        if status == 200 {
            self.read(&mut response, limit, &mut answer.body, url).await?;
            return Ok(answer);
        }
        // The status is what matters. Of what comes with it, as much is told as has come.
        let mut body = Vec::new();
        let _ = self.read(&mut response, limits::ERROR_BODY_BYTES, &mut body, url).await;
        answer.said = self.without_secrets(said(&body), request);
        Ok(answer)
    }

    fn prepare(&self, request: &Request<'_>) -> RequestBuilder {
        let client = match &self.identified {
            _ if request.url.scheme() == "http" => &self.plain,
            Some(client) if request.identified => client,
            _ => &self.tls,
        };
        let mut prepared = match request.form {
            None => client.get(request.url.clone()),
            Some(form) => client
                .post(request.url.clone())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.to_string()),
        };
        if let Some(authorization) = request.authorization {
            prepared = prepared.header(header::AUTHORIZATION, authorization);
        }
        prepared
    }

    /// Reads at most `limit` bytes, and leaves in `body` what came before an error.
    async fn read(
        &self,
        response: &mut Response,
        limit: usize,
        body: &mut Vec<u8>,
        url: &Url,
    ) -> Result<(), ClientError> {
        let too_large = || ClientError::TooLarge { url: shown(url), limit };
        if response.status() == 200 && response.content_length() > u64::try_from(limit).ok() {
            return Err(too_large());
        }
        let whole = async {
            loop {
                let chunk = match timeout(self.timeout, response.chunk()).await {
                    Ok(Ok(Some(chunk))) => chunk,
                    Ok(Ok(None)) => return Ok(()),
                    Ok(Err(error)) => return Err(broken(url, error)),
                    Err(_) => return Err(self.hung(url)),
                };
                let room = limit.saturating_sub(body.len());
                body.extend(chunk.iter().take(room));
                if chunk.len() > room {
                    return Err(too_large());
                }
            }
        };
        let after = self.timeout.saturating_mul(limits::ANSWER_TIMEOUTS);
        let slow = |_| Err(ClientError::Slow { url: shown(url), after });
        timeout(after, whole).await.unwrap_or_else(slow)
    }

    fn hung(&self, url: &Url) -> ClientError {
        ClientError::Timeout { url: shown(url), after: self.timeout }
    }

    /// Why no answer began.
    fn explain(&self, url: &Url, error: reqwest::Error) -> ClientError {
        if error.is_timeout() {
            return self.hung(url);
        }
        if is_tls(&error) {
            return ClientError::Tls { url: shown(url), source: Box::new(error.without_url()) };
        }
        if error.is_connect() {
            return ClientError::Unreachable {
                url: shown(url),
                source: Box::new(error.without_url()),
            };
        }
        broken(url, error)
    }

    fn without_secrets(&self, text: String, request: &Request<'_>) -> String {
        let sent = request.authorization.and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| value.split_once(' ')).map(|(_, secret)| secret);
        let own = self.secret.as_deref().map(String::as_str);
        let secrets = sent.into_iter().chain(own).filter(|secret| !secret.is_empty());
        secrets.fold(text, |text, secret| text.replace(secret, "…"))
    }
}

impl Answer {
    /// Whether the server says that it could answer another time.
    const fn is_busy(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504)
    }

    /// How long the server asks to wait, as far as one waits for it: seconds, or a time to which its own clock
    /// gives the distance.
    fn retry_after(&self) -> Duration {
        let text = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let time = |text| OffsetDateTime::parse(text, &Rfc2822).ok();
        let asked = text(header::RETRY_AFTER).and_then(|asked| {
            asked
                .parse()
                .map(Duration::from_secs)
                .ok()
                .or_else(|| Duration::try_from(time(asked)? - time(text(header::DATE)?)?).ok())
        });
        asked.unwrap_or_default().min(limits::RETRY_AFTER)
    }

    fn into_unavailable(self) -> ClientError {
        ClientError::Unavailable { url: shown(&self.url), status: self.status, reason: self.said }
    }

    pub(super) fn into_status(self) -> ClientError {
        ClientError::Status { url: shown(&self.url), status: self.status, reason: self.said }
    }
}

/// Where an answer redirects to, if it does.
fn redirect_of(answer: &Answer) -> Result<Option<Url>, ClientError> {
    let location = answer.headers.get(header::LOCATION);
    let Some(location) = location.filter(|_| matches!(answer.status, 301..=303 | 307 | 308)) else {
        return Ok(None);
    };
    let refused = |to, reason| ClientError::Redirect { url: shown(&answer.url), to, reason };
    let next = location.to_str().ok().and_then(|location| answer.url.join(location).ok());
    let next = next.ok_or_else(|| refused(String::new(), "is no URL"))?;
    if !is_allowed(&next) {
        return Err(refused(shown(&next), "is not https://, or has a user"));
    }
    if answer.url.scheme() == "https" && next.scheme() == "http" {
        return Err(refused(shown(&next), "leaves TLS"));
    }
    Ok(Some(next))
}

/// Whether a URL may be asked at all: by TLS, or on this machine. A user in it would become a credential.
pub(super) fn is_allowed(url: &Url) -> bool {
    url.username().is_empty()
        && url.password().is_none()
        && !url.host_str().unwrap_or_default().is_empty()
        && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)))
}

fn broken(url: &Url, error: reqwest::Error) -> ClientError {
    ClientError::Broken { url: shown(url), source: Box::new(error.without_url()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(headers: &[(header::HeaderName, &'static str)]) -> Answer {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Answer {
            url: Url::parse("https://h").unwrap(),
            status: 429,
            headers: headers.collect(),
            body: Vec::new(),
            said: String::new(),
            authorized: false,
        }
    }

    #[test]
    fn a_server_is_waited_for_as_long_as_it_asks_but_not_for_ever() {
        let date = (header::DATE, "Wed, 21 Oct 2026 07:28:00 GMT");
        for (asked, seconds) in [
            ("0", 0),
            ("7", 7),
            ("3600", 30),
            ("Wed, 21 Oct 2026 07:28:09 GMT", 9),
            ("Wed, 21 Oct 2026 09:28:00 GMT", 30),
            ("Wed, 21 Oct 2026 07:27:00 GMT", 0),
            ("-1", 0),
            ("soon", 0),
        ] {
            let answer = busy(&[(header::RETRY_AFTER, asked), date.clone()]);
            assert_eq!(answer.retry_after(), Duration::from_secs(seconds), "{asked}");
        }
        assert_eq!(busy(&[]).retry_after(), Duration::ZERO);
    }

    #[test]
    fn servers_are_asked_by_tls_or_on_this_machine_and_for_nobody() {
        for (url, expected) in [
            ("https://h/a", true),
            ("http://127.0.0.1:1", true),
            ("http://h", false),
            ("https://me:hunter2@h", false),
            ("https://me@h", false),
            ("ftp://localhost", false),
        ] {
            assert_eq!(is_allowed(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
