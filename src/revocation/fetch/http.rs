//! One answer over HTTP: timed, bounded, and from an address that may be asked, after every redirect too.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Client, ClientBuilder, RequestBuilder, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header,
};
use tokio::time::timeout;

use super::{AddressError, AddressRules};
use crate::{
    http::{LazyClient, builder},
    limits,
    revocation::{FetchFailure, FetchFailureKind as Kind},
};

/// What is asked.
pub(super) enum Question<'a> {
    /// The bytes at a URL.
    Get,
    /// An OCSP request, in DER.
    Ocsp(&'a [u8]),
}

/// Asks URLs that certificates name.
#[derive(Debug, Clone)]
pub(super) struct Http {
    /// For `http`, as nearly all certificates have it.
    plain: LazyClient,
    /// For `https`. Reads the system's root certificates.
    tls: LazyClient,
    rules: AddressRules,
    user_agent: String,
}

impl Http {
    pub(super) fn new(rules: AddressRules, user_agent: &str) -> Self {
        let (plain, tls) = (LazyClient::default(), LazyClient::default());
        Self { plain, tls, rules, user_agent: user_agent.to_owned() }
    }

    fn client(&self, url: &Url) -> Result<&Client, FetchFailure> {
        let builder = || client(&self.rules, &self.user_agent);
        let client = match url.scheme() {
            "http" => self.plain.get(|| builder().tls_certs_only([])),
            _ => self.tls.get(builder),
        };
        client.map_err(|error| explain(&error))
    }

    /// Asks within a time that holds for the whole of it, redirects included.
    pub(super) async fn ask(
        &self,
        url: &str,
        question: Question<'_>,
        limit: usize,
        within: Duration,
    ) -> Result<Vec<u8>, FetchFailure> {
        match timeout(within, self.follow(url, &question, limit)).await {
            Ok(answer) => answer,
            Err(_) => Err(FetchFailure::new(Kind::Timeout, format!("over {within:?}"))),
        }
    }

    async fn follow(
        &self,
        url: &str,
        question: &Question<'_>,
        limit: usize,
    ) -> Result<Vec<u8>, FetchFailure> {
        let not_a_url = |error| FetchFailure::new(Kind::NotAllowed, format!("no URL: {error}"));
        let mut at = Url::parse(url).map_err(|error| not_a_url(error.to_string()))?;
        for _ in 0..=limits::REDIRECTS {
            self.check(&at)?;
            let request = prepare(self.client(&at)?, &at, question);
            let response = request.send().await.map_err(|e| explain(&e))?;
            match response.status().as_u16() {
                200 => return read(response, limit).await,
                301..=303 | 307 | 308 => at = redirect_of(&response, &at)?,
                status => return Err(FetchFailure::new(Kind::Status(status), at.as_str())),
            }
        }
        let message = format!("over {} redirects", limits::REDIRECTS);
        Err(FetchFailure::new(Kind::NotAllowed, message))
    }

    /// The resolver sees names only, so that an address in a URL is judged here.
    fn check(&self, url: &Url) -> Result<(), FetchFailure> {
        let refused = |error: AddressError| FetchFailure::new(Kind::NotAllowed, error.to_string());
        let host = url.host_str().unwrap_or_default();
        if !["http", "https"].contains(&url.scheme()) || host.is_empty() {
            let message = format!("{}: only http and https are asked", url.scheme());
            return Err(FetchFailure::new(Kind::NotAllowed, message));
        }
        self.rules.check_host(host).map_err(refused)?;
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.rules.check(host, address).map_err(refused),
            Err(_) => Ok(()),
        }
    }
}

fn client(rules: &AddressRules, user_agent: &str) -> ClientBuilder {
    let resolver = Resolver { rules: rules.clone() };
    builder(user_agent, limits::CRL_TIMEOUT).dns_resolver(Arc::new(resolver))
}

fn prepare(client: &Client, url: &Url, question: &Question<'_>) -> RequestBuilder {
    match question {
        Question::Get => client.get(url.clone()),
        Question::Ocsp(request) => client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/ocsp-request")
            .header(header::ACCEPT, "application/ocsp-response")
            .body(request.to_vec()),
    }
}

async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, FetchFailure> {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("text/html")) {
        return Err(FetchFailure::new(Kind::Unreadable, "text/html"));
    }
    let too_large = || FetchFailure::new(Kind::TooLarge, format!("over {limit} bytes"));
    if response.content_length() > u64::try_from(limit).ok() {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if chunk.len() > limit.saturating_sub(body.len()) {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn redirect_of(response: &Response, at: &Url) -> Result<Url, FetchFailure> {
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let next = location.and_then(|location| at.join(location).ok());
    next.ok_or_else(|| FetchFailure::new(Kind::NotAllowed, "redirect to no URL"))
}

/// The last cause says what happened; an address that is not allowed is one of them.
fn explain(error: &reqwest::Error) -> FetchFailure {
    let mut kind = if error.is_timeout() { Kind::Timeout } else { Kind::Unreachable };
    let mut message = error.to_string();
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        message = error.to_string();
        if error.is::<AddressError>() {
            kind = Kind::NotAllowed;
            break;
        }
        cause = error.source();
    }
    FetchFailure::new(kind, message)
}

/// Gives only addresses that may be asked. Whatever a name leads to is judged at the moment of asking, so that
/// it cannot change in between.
#[derive(Debug, Clone)]
struct Resolver {
    rules: AddressRules,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.rules.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let lookup = move || {
                let found: Vec<SocketAddr> = (host.as_str(), 0).to_socket_addrs()?.collect();
                Ok::<_, std::io::Error>((host, found))
            };
            let (host, found) = tokio::task::spawn_blocking(lookup).await??;
            let mut refused = None;
            let mut allowed = Vec::new();
            for address in found {
                match rules.check(&host, address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(error) => refused = Some(error),
                }
            }
            if let Some(error) = refused.filter(|_| allowed.is_empty()) {
                return Err(error.into());
            }
            let allowed: Addrs = Box::new(allowed.into_iter());
            Ok(allowed)
        })
    }
}
