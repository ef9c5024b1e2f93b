//! Registries: Debian's docker-registry 2.8, which has no referrers API, and two that have it: ferro-oci-server, and
//! go-containerregistry's, which filters nothing, lists no annotations, and does not tell that it lists at all.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use ferro_oci_server::{Config, build_app};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    command::{Finished, Run},
    component::Component,
    http,
    layout::Layout,
    notation::Notation,
    server::Server,
};

/// An empty registry on plain HTTP.
#[derive(Debug)]
pub(crate) struct Registry {
    server: Server,
    _configuration: TempDir,
}

/// Of the password, by bcrypt.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuV3duMsC0HpUex6N9qapiuOHHWkwRXVm";

impl Registry {
    /// The user, and the password.
    pub(crate) const USER: (&str, &str) = ("me", "hunter2");

    /// A registry for one test.
    pub(crate) fn or_skip() -> Option<Self> {
        let is_ready = |port| {
            http::request(port, "GET", "/v2/", &[], b"").is_ok_and(|answer| answer.status == 200)
        };
        Self::start("", "", is_ready)
    }

    /// One that asks for user and password, by TLS with `server.crt` and `server.key` of a folder.
    pub(crate) fn with_password_or_skip(certificates: &Path) -> Option<Self> {
        let htpasswd = certificates.join("htpasswd");
        fs::write(&htpasswd, format!("{}:{HASH}\n", Self::USER.0)).unwrap();
        let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", htpasswd.display());
        let file = |name: &str| certificates.join(name).display().to_string();
        let (certificate, key) = (file("server.crt"), file("server.key"));
        let tls = format!(", tls: {{certificate: {certificate}, key: {key}}}");
        Self::start(&auth, &tls, |port| TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    /// One that sends whoever asks to a token service, by TLS with `server.crt` and `server.key` of a folder.
    pub(crate) fn with_tokens_or_skip(certificates: &Path, realm: &str) -> Option<Self> {
        let file = |name: &str| certificates.join(name).display().to_string();
        let (certificate, key) = (file("server.crt"), file("server.key"));
        let auth = format!(
            "auth: {{token: {{realm: '{realm}', service: test, issuer: test, rootcertbundle: {certificate}}}}}\n"
        );
        let tls = format!(", tls: {{certificate: {certificate}, key: {key}}}");
        Self::start(&auth, &tls, |port| TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    /// One that takes nobody without the certificate `client.crt` of a folder, by TLS with its `server.crt` and
    /// `server.key`.
    pub(crate) fn with_client_certificate_or_skip(certificates: &Path) -> Option<Self> {
        let file = |name: &str| certificates.join(name).display().to_string();
        let (certificate, key) = (file("server.crt"), file("server.key"));
        let client = file("client.crt");
        let tls =
            format!(", tls: {{certificate: {certificate}, key: {key}, clientcas: [{client}]}}");
        Self::start("", &tls, |port| TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    fn start(auth: &str, tls: &str, is_ready: impl Fn(u16) -> bool) -> Option<Self> {
        let program = Component::DockerRegistry.or_skip()?;
        let configuration = TempDir::new().unwrap();
        let path = configuration.path().join("registry.yml");
        // In memory, a large blob costs it quadratic time.
        let storage = configuration.path().join("storage").display().to_string();
        let command = |port: u16| {
            let yaml = format!(
                "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
                 storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}\n{auth}\
                 http: {{addr: '127.0.0.1:{port}'{tls}}}\n"
            );
            fs::write(&path, yaml).unwrap();
            let mut command = Command::new(program);
            command.arg("serve").arg(&path);
            command
        };
        Some(Self { server: Server::start(command, is_ready), _configuration: configuration })
    }

    /// Host and port, as references have them.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    pub(crate) const fn port(&self) -> u16 {
        self.server.port()
    }

    /// Copies an artifact in, and gives its reference by digest; `None` where skopeo is not there.
    pub(crate) fn push(&self, layout: &Layout, repository: &str) -> Option<String> {
        let name = format!("{}/{repository}", self.host());
        Run::new(Component::Skopeo.or_skip()?)
            .args(["--insecure-policy", "copy", "--preserve-digests", "--dest-tls-verify=false"])
            .arg(format!("oci:{}:{}", layout.path().display(), Layout::TAG))
            .arg(format!("docker://{name}:{}", Layout::TAG))
            .finish()
            .expect_status(0);
        Some(format!("{name}@{}", layout.digest()))
    }
}

/// An empty registry in this process, on plain HTTP, which ends with its value.
#[derive(Debug)]
pub(crate) struct ReferrersRegistry {
    port: u16,
    _runtime: Runtime,
}

impl ReferrersRegistry {
    pub(crate) fn start() -> Self {
        let config = Config { listen: String::new(), storage_dir: None };
        let app = build_app(config.blob_store().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await
        });
        Self { port, _runtime: runtime }
    }

    /// Host and port, as references have them.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

/// An empty registry of go-containerregistry, on plain HTTP, which keeps everything in memory.
#[derive(Debug)]
pub(crate) struct GoRegistry(Server);

impl GoRegistry {
    pub(crate) fn or_skip() -> Option<Self> {
        let program = Component::GoRegistry.or_skip()?;
        let command = |port: u16| {
            let mut command = Command::new(program);
            command.arg(port.to_string());
            command
        };
        Some(Self(Server::start(command, |port| {
            http::request(port, "GET", "/v2/", &[], b"").is_ok_and(|answer| answer.status == 200)
        })))
    }

    /// Host and port, as references have them.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.0.port())
    }
}

/// How programs reach a registry.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) host: String,
    /// Of a registry that is asked by TLS, with user and password: its root certificate, in a folder of its own.
    pub(crate) root: Option<PathBuf>,
}

impl Reached {
    pub(crate) const fn plainly(host: String) -> Self {
        Self { host, root: None }
    }

    /// Gives a program of notation's words what it needs.
    fn tell(&self, run: Run) -> Run {
        match &self.root {
            None => run.arg("--insecure-registry"),
            Some(_) => run
                .env("NOTATION_USERNAME", Registry::USER.0)
                .env("NOTATION_PASSWORD", Registry::USER.1),
        }
    }

    /// Our executable, with notation's configuration.
    pub(crate) fn ours(&self, notation: &Notation, words: &[&str]) -> Finished {
        let run = self.tell(Run::notation_kms().home(notation.home()).args(words));
        match &self.root {
            None => run.finish(),
            Some(root) => run.arg("--ca-cert").arg(root).finish(),
        }
    }

    /// Notation.
    pub(crate) fn theirs(&self, notation: &Notation, words: &[&str]) -> Finished {
        let run = self.tell(notation.command(words));
        let root = self.root.iter();
        root.fold(run, |run, root| run.env("SSL_CERT_FILE", root)).finish()
    }

    /// Copies an artifact in, and gives its reference by digest; `None` where skopeo is not there.
    pub(crate) fn push(&self, layout: &Layout, repository: &str) -> Option<String> {
        let name = format!("{}/{repository}", self.host);
        let run = Run::new(Component::Skopeo.or_skip()?);
        let run = run.args(["--insecure-policy", "copy", "--preserve-digests"]);
        let run = match &self.root {
            None => run.arg("--dest-tls-verify=false"),
            Some(root) => {
                let (user, password) = Registry::USER;
                let run = run.args(["--dest-creds", &format!("{user}:{password}")]);
                run.arg("--dest-cert-dir").arg(root.parent().unwrap())
            }
        };
        run.arg(format!("oci:{}:{}", layout.path().display(), Layout::TAG))
            .arg(format!("docker://{name}:{}", Layout::TAG))
            .finish()
            .expect_status(0);
        Some(format!("{name}@{}", layout.digest()))
    }

    /// Digests of what oras finds to refer to an artifact, sorted; `None` where oras is not there.
    pub(crate) fn discovered(&self, reference: &str, artifact_type: &str) -> Option<Vec<String>> {
        let run = Run::new(Component::Oras.or_skip()?);
        let run = run.args(["discover", "--format", "json", "--artifact-type", artifact_type]);
        let run = match &self.root {
            None => run.arg("--plain-http"),
            Some(root) => {
                let (user, password) = Registry::USER;
                let run = run.args(["--username", user, "--password-stdin"]).stdin(password);
                run.arg("--ca-file").arg(root)
            }
        };
        let folder = TempDir::new().unwrap();
        let found = run.arg(reference).env("HOME", folder.path()).finish().expect_status(0);
        let found: Value = serde_json::from_str(&found.stdout).unwrap();
        let referrers = found["referrers"].as_array().unwrap().iter();
        let digest = |listed: &Value| listed["digest"].as_str().unwrap().to_owned();
        let mut digests: Vec<String> = referrers.map(digest).collect();
        digests.sort();
        Some(digests)
    }
}
