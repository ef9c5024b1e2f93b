//! The HTTP API of notary servers, and the list of a registry's repositories: what is read, as it is served.
//!
//! Nothing is verified here, and nothing is written to a server. Credentials go to the server and to the token
//! service that it names, over TLS or within this machine, and to no host that either redirects to.
//!
//! A server behind a proxy is reached by the environment's `HTTPS_PROXY` and `NO_PROXY`. The system's root
//! certificates are trusted, or those of `SSL_CERT_FILE`.

mod error;

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use zeroize::Zeroizing;

pub use self::error::ClientError;
use super::{Gun, Source};
pub use crate::http::{Credential, HttpErrorKind as ClientErrorKind};
use crate::{
    http::{Answer, HttpError, Method, Request, Session, Settings, is_allowed, shown},
    limits,
};

/// What a [`Client`] is made from.
#[non_exhaustive]
pub struct ClientOptions {
    /// `https://host[:port][/path]`; `http://` for a loopback host only.
    pub server: String,
    /// PEM bundles of certificates that are trusted beside the system's.
    pub root_certificates: Vec<Vec<u8>>,
    /// The client certificate with its private key, PEM. Only `server` itself is shown it.
    pub identity: Option<Zeroizing<Vec<u8>>>,
    /// For `server` and the token service that it names; nobody in particular, if there is none.
    pub credential: Option<Credential>,
    /// How long to wait for a connection, and for each part of an answer. A whole answer may take
    /// [`limits::ANSWER_TIMEOUTS`] times as long.
    pub timeout: Duration,
    /// Header `User-Agent`. Some registries give unsigned images to clients with `notation` in it only.
    pub user_agent: String,
}

impl ClientOptions {
    /// A server that is asked without credentials.
    #[must_use]
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            root_certificates: Vec::new(),
            identity: None,
            credential: None,
            timeout: limits::SERVER_TIMEOUT,
            user_agent: concat!("notation-sdk/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Shows no secret.
impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("server", &without_user(&self.server))
            .field("credential", &self.credential)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// One server. A clone shares its connections and its tokens.
#[derive(Clone)]
pub struct Client {
    session: Arc<Session>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = shown(self.session.server());
        f.debug_struct("Client").field("server", &server).finish_non_exhaustive()
    }
}

/// What tokens for lists are asked for.
const LISTS: &str = "registry:catalog:*";

impl Client {
    /// Checks the options and reads the system's root certificates. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Server`], or [`HttpError`] where the certificates cannot be used.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let is_server =
            |url: &Url| is_allowed(url, false) && url.query().is_none() && url.fragment().is_none();
        let server = Url::parse(&options.server)
            .ok()
            .filter(is_server)
            .ok_or_else(|| ClientError::Server { server: without_user(&options.server) })?;
        let settings = Settings {
            root_certificates: options.root_certificates,
            identity: options.identity,
            credential: options.credential,
            timeout: options.timeout,
            deadline: limits::RETRIES,
            user_agent: options.user_agent,
            insecure: false,
            // notary servers answer so to what they cannot read, too.
            on_pause: None,
            faults_pass: false,
        };
        Ok(Self { session: Arc::new(Session::new(server, settings)?) })
    }

    /// A role file of a repository as it is served, such as `root.json`, `2.root.json` and
    /// `targets/releases.json`. `None`: the server has no such file.
    ///
    /// # Errors
    /// [`ClientError`]; [`HttpError::TooLarge`] for a file of more than `limit` bytes.
    pub async fn fetch(
        &self,
        gun: &str,
        file: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        for name in [gun, file] {
            check_name(name)?;
        }
        let segments = ["v2"].into_iter().chain(gun.split('/'));
        let url = self.url(segments.chain(["_trust", "tuf"]).chain(file.split('/')));
        let answer = self.ask(&url, &format!("repository:{gun}:pull"), limit).await?;
        Ok((answer.status != NOT_FOUND).then_some(answer.body))
    }

    /// The repositories (GUNs) that the server's changefeed names, each once, in the order in which they
    /// appeared. Those that were deleted since are among them.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn changefeed(&self) -> Result<Vec<String>, ClientError> {
        let mut names = Names::default();
        let feed = self.url(["v2", "_trust", "changefeed"]);
        // Servers on SQL and on RethinkDB both begin at 0; an empty id is known to one of them only.
        let mut after = "0".to_owned();
        for _ in 0..limits::CHANGEFEED_PAGES {
            let mut url = feed.clone();
            url.query_pairs_mut()
                .append_pair("change_id", &after)
                .append_pair("records", &limits::CHANGEFEED_RECORDS.to_string());
            let page = self.ask_list(&url, limits::CHANGEFEED_PAGE_BYTES).await?;
            let records = parse::<Changes>(&page, "a changefeed")?.records.unwrap_or_default();
            let last = records.last().filter(|_| records.len() >= limits::CHANGEFEED_RECORDS);
            let next = last.map(|record| record.id.text());
            for record in records {
                names.add(record.gun, &url)?;
            }
            match next {
                None => return Ok(names.in_order),
                Some(next) if next == after => return Err(bad(&url, "a page that it gave before")),
                Some(next) => after = next,
            }
        }
        Err(too_many(&feed, "pages", limits::CHANGEFEED_PAGES))
    }

    /// The repositories of a registry, each once, in its order; the server of the options is the registry.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn catalog(&self) -> Result<Vec<String>, ClientError> {
        let mut names = Names::default();
        let first = self.url(["v2", "_catalog"]);
        let mut url = first.clone();
        url.query_pairs_mut().append_pair("n", &limits::CATALOG_RECORDS.to_string());
        let mut seen = BTreeSet::new();
        for _ in 0..limits::CATALOG_PAGES {
            let page = self.ask_list(&url, limits::CATALOG_PAGE_BYTES).await?;
            let catalog: Catalog = parse(&page, "a catalog")?;
            for name in catalog.repositories.unwrap_or_default() {
                names.add(name, &url)?;
            }
            let Some(next) = page.next_page(self.session.server())? else {
                return Ok(names.in_order);
            };
            if !seen.insert(url) {
                return Err(bad(&next, "a page that it gave before"));
            }
            url = next;
        }
        Err(too_many(&first, "pages", limits::CATALOG_PAGES))
    }

    fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.session.server().clone();
        // What has a host has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    async fn ask_list(&self, url: &Url, limit: usize) -> Result<Answer, ClientError> {
        let answer = self.ask(url, LISTS, limit).await?;
        if answer.status == NOT_FOUND {
            return Err(answer.into_status().into());
        }
        Ok(answer)
    }

    /// What comes has status 200 or 404.
    async fn ask(&self, url: &Url, scope: &str, limit: usize) -> Result<Answer, ClientError> {
        let answer = self.session.ask(&Request::new(Method::Get, url, limit), scope).await?;
        match answer.status {
            200 | NOT_FOUND => Ok(answer),
            _ => Err(answer.into_status().into()),
        }
    }
}

const NOT_FOUND: u16 = 404;

/// `{"count": 1, "records": [{"ID": "1", "GUN": "docker.io/library/alpine", …}]}`
#[derive(Deserialize)]
struct Changes {
    /// `null` where there are none.
    records: Option<Vec<Change>>,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "ID")]
    id: ChangeId,
    #[serde(rename = "GUN")]
    gun: String,
}

/// A string in Go's type, a number in the database.
#[derive(Deserialize)]
#[serde(untagged)]
enum ChangeId {
    Text(String),
    Number(u64),
}

impl ChangeId {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// `{"repositories": ["team/app"]}`
#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

/// The cause would show as much of the answer as the server likes; where it is will do.
fn parse<T: DeserializeOwned>(answer: &Answer, what: &str) -> Result<T, ClientError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        bad(&answer.url, format!("what is no JSON of {what} at line {line}, column {column}"))
    })
}

impl Source for Client {
    type Error = ClientError;

    async fn fetch(
        &self,
        gun: &Gun,
        file: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        Self::fetch(self, gun.as_str(), file, limit).await
    }
}

/// Names in the order of their first appearance.
#[derive(Default)]
struct Names {
    in_order: Vec<String>,
    seen: BTreeSet<String>,
}

impl Names {
    fn add(&mut self, name: String, url: &Url) -> Result<(), ClientError> {
        if self.seen.contains(&name) {
            return Ok(());
        }
        if self.in_order.len() == limits::SERVER_REPOSITORIES {
            return Err(too_many(url, "repositories", limits::SERVER_REPOSITORIES));
        }
        self.seen.insert(name.clone());
        self.in_order.push(name);
        Ok(())
    }
}

/// Holds what must not become another path of the URL. All else is percent-encoded.
fn check_name(name: &str) -> Result<(), ClientError> {
    let is_name = name.len() <= limits::REPOSITORY_NAME_BYTES
        && !name.contains(char::is_control)
        && name.split('/').all(|part| !["", ".", ".."].contains(&part));
    if is_name {
        return Ok(());
    }
    let shown = name.chars().take(limits::REPOSITORY_NAME_BYTES).collect();
    Err(ClientError::Name { name: shown })
}

fn bad(url: &Url, what: impl Into<String>) -> ClientError {
    HttpError::BadAnswer { url: shown(url), what: what.into() }.into()
}

fn too_many(url: &Url, what: &'static str, limit: usize) -> ClientError {
    ClientError::TooMany { url: shown(url), what, limit }
}

/// A server for an error text, which need not be a URL: what stands before an `@` may hold a password, and so
/// may a query.
fn without_user(server: &str) -> String {
    let server = server.split(['?', '#']).next().unwrap_or_default();
    server.rsplit_once('@').map_or_else(|| server.to_owned(), |(_, rest)| format!("…@{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(server: &str) -> Option<String> {
        Client::new(ClientOptions::new(server)).err().map(|error| error.to_string())
    }

    #[test]
    fn a_server_is_asked_by_https_or_on_this_machine() {
        for good in [
            "https://notary.example",
            "https://notary.example:4443/some/path/",
            "http://localhost:1",
            "http://127.3.2.1",
            "http://[::1]:4443/",
        ] {
            assert_eq!(refusal(good), None);
        }
        for (bad, told) in [
            ("", ""),
            ("notary.example", "notary.example"),
            ("http://notary.example", "http://notary.example"),
            ("http://localhost.example", "http://localhost.example"),
            ("http://128.0.0.1", "http://128.0.0.1"),
            ("ftp://localhost", "ftp://localhost"),
            ("https://", "https://"),
            ("https://user:hunter2@notary.example", "…@notary.example"),
            ("http://a b:hunter2@notary.example", "…@notary.example"),
            ("https://notary.example/?sig=hunter2", "https://notary.example/"),
            ("https://notary.example/\u{1b}[2J#x", "https://notary.example/\u{1b}[2J"),
        ] {
            assert_eq!(
                refusal(bad).unwrap_or_else(|| panic!("{bad}")),
                format!(
                    "server {told:?} must be https://, a host, and maybe a port and a path, or http:// and \
                     a loopback host; it holds no user and no query"
                )
            );
        }
    }

    #[test]
    fn a_name_stays_below_the_path_that_it_belongs_to() {
        for good in ["a", "docker.io/library/alpine", "host:5000/team/app", "my app", "a%2f..?b#c"]
        {
            check_name(good).unwrap();
        }
        for bad in ["", "/a", "a/", "a//b", ".", "a/../b", "a\nb", &"a".repeat(256)] {
            let error = check_name(bad).unwrap_err().to_string();
            assert!(error.contains(": it must have 1 to 255 bytes without control"), "{error}");
        }
        let client = Client::new(ClientOptions::new("http://localhost/path/")).unwrap();
        let url = client.url(["v2", "a%2f..?b#c", "\\d e"]);
        assert_eq!(url.as_str(), "http://localhost/path/v2/a%252f..%3Fb%23c/%5Cd%20e");
    }

    #[test]
    fn options_and_clients_show_no_secret() {
        let mut options = ClientOptions::new("https://u:hunter2@h");
        options.identity = Some(Zeroizing::new(b"hunter2".to_vec()));
        options.credential = Some(Credential::IdentityToken(Zeroizing::new("hunter2".to_owned())));
        let shown = format!("{options:?}");
        assert!(shown.contains("IdentityToken") && !shown.contains("hunter2"), "{shown}");
        options.server = "https://h".to_owned();
        options.identity = None;
        let shown = format!("{:?}", Client::new(options).unwrap());
        assert_eq!(shown, "Client { server: \"https://h/\", .. }");
    }
}
