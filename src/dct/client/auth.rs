//! Logging in, as registries and notary servers ask for it: `Basic` (RFC 7617), and bearer tokens by the
//! scheme of the distribution project (RFC 6750 with a token server).

use std::{collections::BTreeMap, fmt, sync::Mutex, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::{
    Method, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{ClientError, is_private_enough, refusal, shown, text_of};
use crate::limits;

/// What a registry knows a user by.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credential {
    /// A name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A token that stands for a login, as `docker login` stores it for some registries.
    IdentityToken(Zeroizing<String>),
}

/// Logs in and keeps what it got, by scope.
#[derive(Debug)]
pub(super) struct Authenticator {
    credential: Option<Credential>,
    timeout: Duration,
    headers: Mutex<BTreeMap<String, HeaderValue>>,
}

/// The parameters of `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`.
struct Challenge<'a> {
    realm: &'a str,
    service: Option<&'a str>,
    scope: Option<&'a str>,
}

impl Authenticator {
    pub(super) fn new(credential: Option<Credential>, timeout: Duration) -> Self {
        Self { credential, timeout, headers: Mutex::default() }
    }

    /// The header that has worked for a scope.
    pub(super) fn known(&self, scope: &str) -> Option<HeaderValue> {
        self.headers.lock().ok()?.get(scope).cloned()
    }

    /// Answers a challenge: the header to try, or `None` where there is nothing to log in with.
    pub(super) async fn answer(
        &self,
        http: &reqwest::Client,
        url: &Url,
        scope: &str,
        headers: &HeaderMap,
    ) -> Result<Option<HeaderValue>, ClientError> {
        let Some(challenge) = text_of(headers, WWW_AUTHENTICATE.as_str()) else { return Ok(None) };
        let scheme = challenge.split(' ').next().unwrap_or_default();
        let header = if scheme.eq_ignore_ascii_case("Basic") {
            self.basic()
        } else if let Some(bearer) = Challenge::parse(&challenge) {
            Some(self.token(http, url, scope, &bearer).await?)
        } else {
            return Err(ClientError::BadChallenge { url: shown(url), challenge });
        };
        if let (Some(header), Ok(mut known)) = (&header, self.headers.lock()) {
            known.insert(scope.to_owned(), header.clone());
        }
        Ok(header)
    }

    fn basic(&self) -> Option<HeaderValue> {
        let Some(Credential::Basic { username, password }) = &self.credential else { return None };
        let pair = Zeroizing::new(format!("{username}:{}", password.as_str()));
        secret_header("Basic", &BASE64_STANDARD.encode(pair.as_bytes()))
    }

    /// Asks the token server, which is another host than the server: the server says which.
    async fn token(
        &self,
        http: &reqwest::Client,
        url: &Url,
        scope: &str,
        challenge: &Challenge<'_>,
    ) -> Result<HeaderValue, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let bad = || ClientError::BadChallenge {
            url: shown(url),
            challenge: format!("Bearer realm={:?}", challenge.realm),
        };
        let realm = Url::parse(challenge.realm).ok().filter(is_private_enough).ok_or_else(bad)?;
        let request = self.token_request(http, &realm, challenge, challenge.scope.unwrap_or(scope));
        let response = request.send().await.map_err(|error| self.transport(&realm, error))?;
        if response.status() != StatusCode::OK {
            return Err(refusal(&realm, response).await);
        }
        let body = Zeroizing::new(self.read(&realm, response, limits::TOKEN_BYTES).await?);
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        answer
            .and_then(|answer| answer.token.or(answer.access_token).map(Zeroizing::new))
            .and_then(|token| secret_header("Bearer", &token))
            .ok_or_else(|| ClientError::BadAnswer { url: shown(&realm), what: "token" })
    }

    fn token_request(
        &self,
        http: &reqwest::Client,
        realm: &Url,
        challenge: &Challenge<'_>,
        scope: &str,
    ) -> reqwest::RequestBuilder {
        let mut url = realm.clone();
        let mut query = url.query_pairs_mut();
        if let Some(service) = challenge.service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", scope);
        match &self.credential {
            Some(Credential::IdentityToken(token)) => {
                query
                    .append_pair("client_id", "notation-kms")
                    .append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", token);
                drop(query);
                let form = url.query().unwrap_or_default().to_owned();
                let request = http.request(Method::POST, realm.clone()).body(form);
                request.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            }
            Some(Credential::Basic { username, .. }) => {
                query.append_pair("account", username);
                drop(query);
                let request = http.get(url);
                match self.basic() {
                    Some(header) => request.header(AUTHORIZATION, header),
                    None => request,
                }
            }
            None => {
                drop(query);
                http.get(url)
            }
        }
    }

    /// Reads a body of at most `limit` bytes.
    pub(super) async fn read(
        &self,
        url: &Url,
        mut response: reqwest::Response,
        limit: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let too_large = || ClientError::TooLarge { url: shown(url), limit };
        let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(announced.unwrap_or(0));
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.transport(url, error))?
        {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    pub(super) fn transport(&self, url: &Url, error: reqwest::Error) -> ClientError {
        let (url, error) = (shown(url), error.without_url());
        if error.is_timeout() {
            ClientError::Timeout { url, within: self.timeout }
        } else {
            ClientError::Transport { url, source: error }
        }
    }
}

impl<'a> Challenge<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let (scheme, rest) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return None;
        }
        let parameters: BTreeMap<String, &str> = parameters(rest);
        let get = |name: &str| parameters.get(name).copied();
        Some(Self { realm: get("realm")?, service: get("service"), scope: get("scope") })
    }
}

/// `name="value",name=value`: commas within quotes belong to the value.
fn parameters(mut text: &str) -> BTreeMap<String, &str> {
    let mut found = BTreeMap::new();
    while let Some((name, rest)) = text.split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        found.insert(name.trim_matches([' ', ',']).to_ascii_lowercase(), value);
        text = rest;
    }
    found
}

fn secret_header(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("{scheme} {secret}"));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Credential::Basic(…)",
            Self::IdentityToken(_) => "Credential::IdentityToken(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_with_commas_in_their_values() {
        let header = r#"Bearer realm="https://auth.example/token",service="notary",scope="repository:a/b:push,pull""#;
        let challenge = Challenge::parse(header).unwrap();
        assert_eq!(challenge.realm, "https://auth.example/token");
        assert_eq!(challenge.service, Some("notary"));
        assert_eq!(challenge.scope, Some("repository:a/b:push,pull"));
        assert!(Challenge::parse("Basic realm=\"x\"").is_none());
        assert!(Challenge::parse("Bearer service=\"x\"").is_none());
    }
}
