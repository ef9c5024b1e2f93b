//! Clients of notary servers and registries, with what docker knows about them: credentials and TLS files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use zeroize::Zeroizing;

use super::host_of;
use crate::{
    cli::{
        credentials,
        failure::{Exit, Failure},
    },
    config,
    dct::{
        Gun,
        client::{Client, ClientOptions},
    },
    fs, limits,
};

// How notary servers are reached.
#[derive(Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// The notary server; docker's choice if not given: $DOCKER_CONTENT_TRUST_SERVER, else
    /// https://notary.docker.io for Docker Hub, else the registry itself
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// A file of CA certificates to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Seconds to wait for a server that does not answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// What docker calls Docker Hub in its list of credentials.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// Docker Hub's notary server.
const DOCKER_NOTARY: &str = "https://notary.docker.io";

/// Whether a server or registry is Docker Hub's, which lists nothing.
pub(super) fn is_docker_hub(server: &str) -> bool {
    const HOSTS: [&str; 5] = [
        "docker.io",
        "hub.docker.com",
        "index.docker.io",
        "notary.docker.io",
        "registry-1.docker.io",
    ];
    HOSTS.contains(&host_of(server))
}

/// Clients by server and registry, made once each.
#[derive(Debug)]
pub(super) struct Clients<'a> {
    args: &'a ServerArgs,
    clients: BTreeMap<(String, String), Client>,
}

impl ServerArgs {
    pub(super) fn clients(&self) -> Clients<'_> {
        Clients { args: self, clients: BTreeMap::new() }
    }

    /// The server that docker would ask for a repository.
    pub(super) fn server_for(&self, gun: &Gun) -> String {
        self.named().unwrap_or_else(|| match gun.is_on_docker_hub() {
            true => DOCKER_NOTARY.to_owned(),
            false => format!("https://{}", gun.registry()),
        })
    }

    /// The server that is named for all repositories.
    pub(super) fn named(&self) -> Option<String> {
        self.server.clone().or_else(|| config::variable("DOCKER_CONTENT_TRUST_SERVER"))
    }
}

impl Clients<'_> {
    /// The client for a repository's trust data, with the credentials of its registry.
    pub(super) fn for_gun(&mut self, gun: &Gun) -> Result<Client, Failure> {
        let registry = if gun.is_on_docker_hub() { DOCKER_HUB } else { gun.registry() };
        self.client(self.args.server_for(gun), registry.to_owned())
    }

    /// The client of a server, with the credentials that docker has for it.
    pub(super) fn for_server(&mut self, server: &str) -> Result<Client, Failure> {
        self.client(server.to_owned(), host_of(server).to_owned())
    }

    fn client(&mut self, server: String, registry: String) -> Result<Client, Failure> {
        let key = (server, registry);
        if let Some(client) = self.clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.args.connect(&key.0, &key.1)?;
        self.clients.insert(key, client.clone());
        Ok(client)
    }
}

impl ServerArgs {
    fn connect(&self, server: &str, registry: &str) -> Result<Client, Failure> {
        let read = |path: &Path| {
            fs::read_bounded(path, limits::CERTIFICATE_FILE_BYTES)
                .map_err(|error| Failure::new(Exit::Usage, error))
        };
        let files = TlsFiles::of_docker(host_of(server))?;
        let mut root_certificates = Vec::new();
        for path in self.ca_cert.iter().chain(&files.roots) {
            root_certificates.push(read(path)?);
        }
        let identity = match &files.identity {
            Some((certificate, key)) => {
                let mut pem = Zeroizing::new(read(certificate)?);
                pem.push(b'\n');
                pem.extend_from_slice(&fs::read_secret(key, limits::KEY_FILE_BYTES)?);
                Some(pem)
            }
            None => None,
        };
        let mut options = ClientOptions::new(server);
        options.root_certificates = root_certificates;
        options.identity = identity;
        options.credential = credentials::of_docker(registry);
        options.timeout = Duration::from_secs(self.timeout);
        // Some registries serve unsigned images to clients of this name only.
        options.user_agent = concat!("notation-kms/", env!("CARGO_PKG_VERSION")).to_owned();
        Client::new(options).map_err(|error| Failure::new(Exit::Usage, error))
    }
}

/// What stands in `tls/HOST` of docker's configuration folder.
#[derive(Debug, Default)]
struct TlsFiles {
    roots: Vec<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
}

impl TlsFiles {
    fn of_docker(host: &str) -> Result<Self, Failure> {
        let mut files = Self::default();
        let Some(folder) = config::docker_folder().map(|folder| folder.join("tls").join(host))
        else {
            return Ok(files);
        };
        if !folder.is_dir() {
            return Ok(files);
        }
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => files.roots.push(path),
                Some("cert") if path.with_extension("key").is_file() => {
                    files.identity = Some((path.clone(), path.with_extension("key")));
                }
                _ => {}
            }
        }
        files.roots.sort();
        Ok(files)
    }
}
