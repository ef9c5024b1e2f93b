//! How a server is told who asks: tokens by the Docker registry's token authentication, or Basic.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Answer, HttpError, Method, Request, shown,
    transport::{Transport, leaves_tls},
};
use crate::limits;

/// Who asks.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credential {
    /// A user with a password or an access token.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// What `docker login` keeps as `identitytoken`: an OAuth 2.0 refresh token.
    IdentityToken(Zeroizing<String>),
}

/// Shows no secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { username, .. } => {
                f.debug_struct("Basic").field("username", username).finish_non_exhaustive()
            }
            Self::IdentityToken(_) => f.write_str("IdentityToken(…)"),
        }
    }
}

impl Credential {
    /// What no text may hold.
    const fn secret(&self) -> &Zeroizing<String> {
        match self {
            Self::Basic { password, .. } => password,
            Self::IdentityToken(token) => token,
        }
    }

    /// By RFC 7617, if there is a user.
    fn basic(&self) -> Option<HeaderValue> {
        let Self::Basic { username, password } = self else { return None };
        let pair = Zeroizing::new(format!("{username}:{}", **password));
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
        authorization("Basic", &encoded)
    }
}

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A header value for a scope. Its lock is held while a token is fetched, so that one is fetched once.
type Slot = Arc<tokio::sync::Mutex<Option<HeaderValue>>>;

/// The credential, and what was got for it.
pub(super) struct Authority {
    credential: Option<Credential>,
    slots: Mutex<BTreeMap<String, Slot>>,
    /// Once the server has asked for Basic, which knows no scopes.
    basic: OnceLock<HeaderValue>,
}

impl Authority {
    pub(super) const fn new(credential: Option<Credential>) -> Self {
        Self { credential, slots: Mutex::new(BTreeMap::new()), basic: OnceLock::new() }
    }

    /// What no text may hold.
    pub(super) fn secret(&self) -> Option<Zeroizing<String>> {
        self.credential.as_ref().map(|credential| credential.secret().clone())
    }

    /// What answered the last challenge for a scope.
    pub(super) async fn known(&self, scope: &str) -> Option<HeaderValue> {
        let known = self.slot(scope).lock().await.clone();
        known.or_else(|| self.basic.get().cloned())
    }

    fn slot(&self, scope: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(scope.to_owned()).or_default())
    }

    /// What to ask with after a 401, in place of `refused`.
    pub(super) async fn answer(
        &self,
        transport: &Transport,
        challenged: &Answer,
        scope: &str,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, HttpError> {
        let slot = self.slot(scope);
        let mut known = slot.lock().await;
        if let Some(value) = known.as_ref().filter(|value| Some(*value) != refused) {
            // Another request has just got it.
            return Ok(value.clone());
        }
        let challenges = challenges(&challenged.headers);
        let by = |scheme| challenges.iter().find(|challenge| challenge.is(scheme));
        if let Some(bearer) = by("bearer") {
            let value = self.token(transport, challenged, bearer, scope).await?;
            *known = Some(value.clone());
            return Ok(value);
        }
        let basic = by("basic").and_then(|_| self.credential.as_ref()?.basic());
        let basic = basic.filter(|basic| Some(basic) != refused);
        let basic = basic.ok_or_else(|| self.denied(challenged))?;
        Ok(self.basic.get_or_init(|| basic).clone())
    }

    async fn token(
        &self,
        transport: &Transport,
        challenged: &Answer,
        challenge: &Challenge,
        scope: &str,
    ) -> Result<HeaderValue, HttpError> {
        let realm = challenge.parameter("realm").unwrap_or_default();
        let realm =
            Url::parse(realm).ok().filter(|realm| transport.allows(realm)).ok_or_else(|| {
                let what =
                    "a challenge whose realm is not https://, or http:// and a loopback host";
                challenged.bad(what)
            })?;
        if leaves_tls(&challenged.url, &realm) {
            return Err(challenged.bad("a challenge whose realm leaves TLS"));
        }
        let service = challenge.parameter("service");
        let scope = challenge.parameter("scope").filter(|scope| !scope.is_empty()).unwrap_or(scope);
        let answer = if let Some(Credential::IdentityToken(token)) = &self.credential {
            let form = refresh_form(&realm, service, scope, token);
            let mut request = Request::new(Method::Post, &realm, limits::TOKEN_BYTES);
            request.headers.push((CONTENT_TYPE, FORM));
            request.body = form.as_bytes();
            transport.ask_with_secret(&request).await?
        } else {
            let url = token_url(realm, service, scope, self.credential.as_ref());
            let basic = self.credential.as_ref().and_then(Credential::basic);
            let request = Request::new(Method::Get, &url, limits::TOKEN_BYTES);
            transport.ask(&request, basic.as_ref()).await?
        };
        match answer.status {
            200 => token_of(&answer),
            // `invalid_grant` and `invalid_request` of OAuth 2.0 (RFC 6749, section 5.2) have status 400.
            400 | 401 | 403 => Err(self.denied(&answer)),
            _ => Err(answer.into_status()),
        }
    }

    pub(super) fn denied(&self, answer: &Answer) -> HttpError {
        let with = match self.credential {
            Some(_) if answer.authorized => "with the credential that was given",
            Some(_) => "without asking for the credential that was given",
            // A token that anybody gets makes no difference.
            None => "without a credential",
        };
        let (status, reason) = (answer.status, answer.said.clone());
        HttpError::Denied { url: shown(&answer.url), with, status, reason }
    }
}

/// As docker asks: `?service=…&scope=…&account=…`, one scope a parameter.
fn token_url(
    mut realm: Url,
    service: Option<&str>,
    scope: &str,
    credential: Option<&Credential>,
) -> Url {
    let mut query = realm.query_pairs_mut();
    query.extend_pairs(service.map(|service| ("service", service)));
    query.extend_pairs(scope.split_whitespace().map(|scope| ("scope", scope)));
    if let Some(Credential::Basic { username, .. }) = credential {
        query.append_pair("account", username);
    }
    drop(query);
    realm
}

/// The form that trades an identity token for one of the scope. A form is written as a query is.
fn refresh_form(realm: &Url, service: Option<&str>, scope: &str, token: &str) -> Zeroizing<String> {
    let mut url = realm.clone();
    url.query_pairs_mut()
        .clear()
        .append_pair("grant_type", "refresh_token")
        .extend_pairs(service.map(|service| ("service", service)))
        .extend_pairs(Some(("scope", scope)).filter(|_| !scope.is_empty()))
        .append_pair("client_id", "notation-sdk")
        .append_pair("refresh_token", token);
    Zeroizing::new(url.query().unwrap_or_default().to_owned())
}

fn token_of(answer: &Answer) -> Result<HeaderValue, HttpError> {
    #[derive(Deserialize)]
    struct Answered {
        token: Option<String>,
        access_token: Option<String>,
    }
    // The cause would show a part of the token.
    let token = serde_json::from_slice(&answer.body).ok().and_then(|answered: Answered| {
        answered.token.or(answered.access_token).filter(|token| !token.is_empty())
    });
    token.and_then(|token| authorization("Bearer", &token)).ok_or_else(|| answer.bad("no token"))
}

fn authorization(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {secret}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// One way that a server takes credentials in (RFC 9110, section 11.6.1).
#[derive(Debug, PartialEq)]
struct Challenge {
    scheme: String,
    /// Names in lower case.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).into_iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(parse).collect()
}

/// Challenges and their parameters are both parted by commas; a word without `=` begins a challenge.
fn parse(header: &str) -> Vec<Challenge> {
    let separators = [' ', '\t', ','];
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = header.trim_start_matches(separators);
    while !rest.is_empty() {
        let (word, after) = token(rest);
        let after = after.trim_start();
        rest = match (after.strip_prefix('='), found.last_mut()) {
            (Some(value), Some(challenge)) if !word.is_empty() => {
                let (value, after) = value_of(value.trim_start());
                challenge.parameters.push((word.to_ascii_lowercase(), value));
                after
            }
            (None, _) if !word.is_empty() => {
                found.push(Challenge { scheme: word.to_owned(), parameters: Vec::new() });
                after
            }
            // No challenge: on with what may be one.
            _ => rest.split_once(',').unwrap_or_default().1,
        };
        rest = rest.trim_start_matches(separators);
    }
    found
}

fn token(text: &str) -> (&str, &str) {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/:".contains(c));
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// A token, or a quoted string without its quotes, and what comes after.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = token(text);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    (value, chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(header: &str) -> Vec<String> {
        let tell = |challenge: &Challenge| {
            let parameters =
                challenge.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
            format!("{}{}", challenge.scheme, parameters.collect::<String>())
        };
        parse(header).iter().map(tell).collect()
    }

    #[test]
    fn challenges_are_read_as_servers_write_them() {
        for (header, expected) in [
            (
                r#"Bearer realm="https://a/t",service="n",scope="repository:a:pull,push""#,
                &["Bearer realm=https://a/t service=n scope=repository:a:pull,push"][..],
            ),
            ("Basic", &["Basic"]),
            (
                r#", Basic realm="a\"b" ,bEARER Realm = https://a/t"#,
                &["Basic realm=a\"b", "bEARER realm=https://a/t"],
            ),
            (r#"Negotiate YWJj==, Basic realm=x"#, &["Negotiate ywjj=", "Basic realm=x"]),
            (r#"Bearer realm="never closed, x"#, &["Bearer realm=never closed, x"]),
            (r#"=x, "y", Basic"#, &["Basic"]),
            ("", &[]),
            ("\"", &[]),
        ] {
            assert_eq!(told(header), expected, "{header}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_header_is_read_to_its_end(header in r#"[ab ,=\t"\\]{0,40}"#) {
            let length: usize = told(&header).iter().map(String::len).sum();
            // A parameter without `=` and a name without a space do not grow by being told.
            proptest::prop_assert!(length <= 2 * header.len());
        }
    }

    #[test]
    fn parameters_of_a_realm_stay() {
        let realm = Url::parse("https://a/t?x=1").unwrap();
        let user = Credential::Basic { username: "me&".to_owned(), password: Zeroizing::default() };
        let scopes = "repository:a/b:pull registry:catalog:*";
        let url = token_url(realm, Some("a b"), scopes, Some(&user));
        assert_eq!(
            url.as_str(),
            "https://a/t?x=1&service=a+b&scope=repository%3Aa%2Fb%3Apull&scope=registry%3Acatalog%3A*\
             &account=me%26"
        );
    }
}
