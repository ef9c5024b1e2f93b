//! Registries, by the OCI distribution specification 1.1.
//!
//! A registry is not trusted: bytes are given only where they have the digest and the size that were asked for,
//! and what it lists is bounded. Credentials, redirects and plain HTTP are as [`http`](crate::http) tells.

mod blobs;
mod error;
mod index;
mod login;
mod page;
mod pull;
mod push;
mod referrers;
mod tags;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{Url, header::HeaderValue};
use tokio::time::Instant;
use zeroize::Zeroizing;

pub use self::error::RemoteError;
use super::{Content, Listing, Repository, RepositoryError, RepositoryFuture};
use crate::{
    http::{Answer, Credential, Request, Session, Settings, shown},
    limits,
    oci::{Descriptor, Manifest, Reference},
};

/// How a registry is reached.
#[non_exhaustive]
pub struct RemoteOptions {
    /// Ask by plain HTTP, as the notation CLI does with `--insecure-registry`. Without, only `localhost` with a
    /// port is asked so.
    pub insecure: bool,
    /// PEM bundles of certificates that are trusted beside the system's.
    pub root_certificates: Vec<Vec<u8>>,
    /// The client certificate with its private key, PEM. Only the registry itself is shown it.
    pub identity: Option<Zeroizing<Vec<u8>>>,
    /// For the registry and the token service that it names; nobody in particular, if there is none.
    pub credential: Option<Credential>,
    /// How long to wait for a connection, and for each part of an answer. A whole answer may take
    /// [`limits::ANSWER_TIMEOUTS`] times as long.
    pub timeout: Duration,
    /// How long after the first try of a request another may begin, where the registry is busy.
    pub deadline: Duration,
    /// How long it may take to list what refers to one artifact, all pages and manifests that are opened included.
    pub listing: Duration,
    /// Told before each pause of a second or more that a busy registry causes: the HTTP status, and how long. After
    /// it, told of no time.
    pub on_pause: Option<fn(u16, Duration)>,
    /// Header `User-Agent`. Harbor gives unsigned images to clients with `notation` in it only.
    pub user_agent: String,
    /// List signatures in the index at the referrers tag also where the registry has the referrers API.
    pub force_referrers_tag: bool,
}

/// One registry. A clone shares its connections, its tokens and what was found out about it, and so do its
/// repositories.
#[derive(Clone)]
pub struct RemoteRegistry {
    inner: Arc<Inner>,
}

struct Inner {
    /// As references have it.
    name: String,
    session: Session,
    force_referrers_tag: bool,
    listing: Duration,
    /// Repositories that were found to be without the referrers API, and when.
    without_api: Mutex<BTreeMap<String, Instant>>,
}

/// A repository of a registry.
#[derive(Clone)]
pub struct RemoteRepository {
    registry: RemoteRegistry,
    /// Within the registry.
    path: String,
}

/// What a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access<'a> {
    Pull,
    Push,
    /// To push what another repository of the registry holds.
    Mount(&'a str),
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            insecure: false,
            root_certificates: Vec::new(),
            identity: None,
            credential: None,
            timeout: limits::SERVER_TIMEOUT,
            deadline: limits::RETRIES,
            listing: limits::LISTING,
            on_pause: None,
            user_agent: concat!("notation-kms/", env!("CARGO_PKG_VERSION"), " notation").to_owned(),
            force_referrers_tag: false,
        }
    }
}

/// Shows no secret.
impl fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteOptions")
            .field("insecure", &self.insecure)
            .field("credential", &self.credential)
            .field("timeout", &self.timeout)
            .field("deadline", &self.deadline)
            .field("listing", &self.listing)
            .field("user_agent", &self.user_agent)
            .field("force_referrers_tag", &self.force_referrers_tag)
            .finish_non_exhaustive()
    }
}

impl RemoteRegistry {
    /// A registry as a reference names it: host, and port if any. Nothing is sent yet.
    ///
    /// # Errors
    /// [`RemoteError::BadRegistry`], or [`RemoteError::Setup`] where the certificates cannot be used.
    pub fn new(reference: &Reference, options: RemoteOptions) -> Result<Self, RemoteError> {
        let name = reference.registry().to_owned();
        let server = server_of(&name, options.insecure)?;
        let settings = Settings {
            root_certificates: options.root_certificates,
            identity: options.identity,
            credential: options.credential,
            timeout: options.timeout,
            deadline: options.deadline,
            user_agent: options.user_agent,
            insecure: options.insecure,
            on_pause: options.on_pause,
            faults_pass: true,
        };
        let session = Session::new(server, settings)
            .map_err(|source| RemoteError::Setup { registry: name.clone(), source })?;
        let force_referrers_tag = options.force_referrers_tag;
        let (listing, without_api) = (options.listing, Mutex::default());
        let inner = Inner { name, session, force_referrers_tag, listing, without_api };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Host, and port if any.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The repository of a reference, whose registry has to be this one.
    ///
    /// # Errors
    /// [`RemoteError::OtherRegistry`].
    pub fn repository(&self, reference: &Reference) -> Result<RemoteRepository, RemoteError> {
        if reference.registry() != self.name() {
            return Err(RemoteError::OtherRegistry {
                registry: self.name().to_owned(),
                reference: reference.clone(),
            });
        }
        Ok(RemoteRepository { registry: self.clone(), path: reference.repository().to_owned() })
    }
}

impl Inner {
    fn without_api(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.without_api.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RemoteRepository {
    /// The repository of a reference, whose tag and digest are left out, with connections of its own. For several
    /// of one registry, [`RemoteRegistry::repository`] is quicker.
    ///
    /// # Errors
    /// [`RemoteError::BadRegistry`], or [`RemoteError::Setup`] where the certificates cannot be used.
    pub fn new(reference: &Reference, options: RemoteOptions) -> Result<Self, RemoteError> {
        RemoteRegistry::new(reference, options)?.repository(reference)
    }

    /// Registry and repository, `registry.example/team/app`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry.name(), self.path)
    }

    /// `/v2/<name>/` and what follows.
    fn url<'a>(&'a self, parts: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.registry.inner.session.server().clone();
        // What has a host has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v2").extend(self.path.split('/')).extend(parts);
        }
        url
    }

    /// Sends a request; `action` is what the registry does not do if it fails.
    async fn ask(
        &self,
        request: &Request<'_>,
        access: Access<'_>,
        action: impl FnOnce() -> String,
    ) -> Result<Answer, RemoteError> {
        let scope = match access {
            Access::Pull => format!("repository:{}:pull", self.path),
            Access::Push => format!("repository:{}:pull,push", self.path),
            Access::Mount(from) => {
                format!("repository:{from}:pull repository:{}:pull,push", self.path)
            }
        };
        let asked = self.registry.inner.session.ask(request, &scope).await;
        asked.map_err(|source| RemoteError::Http {
            repository: self.name(),
            action: action(),
            source,
        })
    }
}

impl Repository for RemoteRepository {
    fn resolve<'a>(&'a self, reference: &'a str) -> RepositoryFuture<'a, Descriptor> {
        Box::pin(async move { Ok(self.resolve_manifest(reference).await?) })
    }

    fn read<'a>(
        &'a self,
        descriptor: &'a Descriptor,
        content: Content,
    ) -> RepositoryFuture<'a, Vec<u8>> {
        Box::pin(async move { Ok(self.pull(descriptor, content).await?) })
    }

    fn signatures<'a>(&'a self, subject: &'a Descriptor) -> RepositoryFuture<'a, Listing> {
        Box::pin(async move { Ok(self.list_in_time(subject).await?) })
    }

    fn push_signature<'a>(
        &'a self,
        manifest: &'a Manifest,
        envelope: &'a [u8],
    ) -> RepositoryFuture<'a, Descriptor> {
        Box::pin(async move { Ok(self.push_envelope(manifest, envelope).await?) })
    }
}

impl From<RemoteError> for RepositoryError {
    fn from(error: RemoteError) -> Self {
        Self::new(error.kind(), error)
    }
}

impl fmt::Debug for RemoteRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = shown(self.inner.session.server());
        f.debug_struct("RemoteRegistry").field("server", &server).finish_non_exhaustive()
    }
}

impl fmt::Debug for RemoteRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteRepository")
            .field("registry", &self.registry)
            .field("path", &self.path)
            .finish()
    }
}

/// Where a registry is asked. Docker Hub's has another host than its name says.
fn server_of(registry: &str, insecure: bool) -> Result<Url, RemoteError> {
    const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");
    let is_local = registry.starts_with("localhost:");
    let scheme = if insecure || is_local { "http" } else { "https" };
    let host = if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry };
    let bad = || RemoteError::BadRegistry(registry.to_owned());
    let url = Url::parse(&format!("{scheme}://{host}/")).map_err(|_| bad())?;
    // `0x7f.1` would be taken for another host than the one that credentials are looked up for.
    let name = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    let name = name.map_or(host, |(name, _)| name);
    let is_same = url.host_str().is_some_and(|known| known.eq_ignore_ascii_case(name));
    if is_same { Ok(url) } else { Err(bad()) }
}

/// A request with one header.
fn with_header<'a>(
    mut request: Request<'a>,
    name: reqwest::header::HeaderName,
    value: HeaderValue,
) -> Request<'a> {
    request.headers.push((name, value));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_asked_by_tls_unless_told_or_on_localhost_with_a_port() {
        for (registry, secure, insecure) in [
            ("registry.example", "https://registry.example/", "http://registry.example/"),
            (
                "registry.example:5000",
                "https://registry.example:5000/",
                "http://registry.example:5000/",
            ),
            ("localhost", "https://localhost/", "http://localhost/"),
            ("localhost:5000", "http://localhost:5000/", "http://localhost:5000/"),
            ("127.0.0.1:5000", "https://127.0.0.1:5000/", "http://127.0.0.1:5000/"),
            ("[::1]:5000", "https://[::1]:5000/", "http://[::1]:5000/"),
            ("docker.io", "https://registry-1.docker.io/", "http://registry-1.docker.io/"),
            ("Registry.example", "https://registry.example/", "http://registry.example/"),
        ] {
            assert_eq!(server_of(registry, false).unwrap().as_str(), secure);
            assert_eq!(server_of(registry, true).unwrap().as_str(), insecure);
        }
        for registry in ["0x7f.1", "1.2.3.4.5", "127.1", "[0::1]"] {
            assert!(matches!(server_of(registry, true), Err(RemoteError::BadRegistry(_))));
        }
    }

    #[test]
    fn options_and_repositories_show_no_secret() {
        let options = RemoteOptions {
            credential: Some(Credential::IdentityToken(Zeroizing::new("hunter2".to_owned()))),
            ..RemoteOptions::default()
        };
        let told = format!("{options:?}");
        assert!(told.contains("IdentityToken") && !told.contains("hunter2"), "{told}");
        assert!(options.user_agent.contains("notation"));
        let reference: Reference = "localhost:1/a/b:v1".parse().unwrap();
        let repository = RemoteRepository::new(&reference, options).unwrap();
        assert_eq!(repository.name(), "localhost:1/a/b");
        let told = format!("{repository:?}");
        assert!(told.contains("http://localhost:1/") && !told.contains("hunter2"), "{told}");
    }
}
