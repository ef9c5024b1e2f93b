//! A notary server with its signer, and the client that publishes to it: Debian's notary 0.7, over TLS.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    command::{Finished, Run},
    component::Component,
    openssl::Openssl,
    server::Server,
};

/// Who holds the keys of the server's own roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrustService {
    /// notary-signer: ECDSA.
    Signer,
    /// The server itself: Ed25519.
    Local,
}

/// A server that keeps everything in memory, and a client's folder.
#[derive(Debug)]
pub(crate) struct Notary {
    client: PathBuf,
    folder: TempDir,
    servers: Vec<Server>,
    url: String,
}

/// Passphrases of the client's keys.
const PASSPHRASES: [&str; 4] = [
    "NOTARY_ROOT_PASSPHRASE",
    "NOTARY_TARGETS_PASSPHRASE",
    "NOTARY_SNAPSHOT_PASSPHRASE",
    "NOTARY_DELEGATION_PASSPHRASE",
];

impl Notary {
    pub(crate) fn or_skip(service: TrustService) -> Option<Self> {
        let client = Component::Notary.or_skip()?;
        let openssl = Openssl::or_skip()?;
        let folder = TempDir::new().unwrap();
        create_certificates(&openssl, folder.path());
        let mut servers = Vec::new();
        let mut trust_service =
            json!({"type": "local", "hostname": "", "port": "", "key_algorithm": "ecdsa"});
        if service == TrustService::Signer {
            let signer = start(folder.path(), "notary-signer", |port| {
                json!({"server": {
                    "grpc_addr": format!("127.0.0.1:{port}"), "client_ca_file": "ca.crt",
                    "tls_cert_file": "server.crt", "tls_key_file": "server.key",
                }})
            });
            trust_service = json!({
                "type": "remote", "hostname": "127.0.0.1", "port": signer.port().to_string(),
                "key_algorithm": "ecdsa", "tls_ca_file": "ca.crt",
                "tls_client_cert": "server.crt", "tls_client_key": "server.key",
            });
            servers.push(signer);
        }
        let server = start(folder.path(), "notary-server", |port| {
            json!({
                "server": {
                    "http_addr": format!("127.0.0.1:{port}"),
                    "tls_cert_file": "server.crt", "tls_key_file": "server.key",
                },
                "trust_service": trust_service,
            })
        });
        let url = format!("https://127.0.0.1:{}", server.port());
        servers.push(server);
        let configuration = json!({
            "trust_dir": "client", "remote_server": {"url": url, "root_ca": "ca.crt"},
        });
        fs::write(folder.path().join("client.json"), configuration.to_string()).unwrap();
        Some(Self { client, folder, servers, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The certificate of the CA that issued the server's.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// The client's folder, laid out as docker's trust folder.
    pub(crate) fn client_folder(&self) -> PathBuf {
        self.folder.path().join("client")
    }

    /// Ends the servers. The client's folder stays.
    pub(crate) fn stop(&mut self) {
        self.servers.clear();
    }

    /// Runs the client: words are split at spaces.
    pub(crate) fn run(&self, words: &str) -> Finished {
        let mut run = Run::new(&self.client).args(["-c", "client.json"]).args(words.split(' '));
        for name in PASSPHRASES {
            run = run.env(name, "passphrase");
        }
        // It asks before it rotates a root key.
        let run = run.home(self.folder.path()).current_dir(self.folder.path()).stdin("yes\n");
        run.finish().expect_status(0)
    }

    /// Publishes a repository as `docker trust sign` leaves one. Tag `0.9` is signed by the repository's own
    /// key, `1.0` released and signed by alice and bob, `edge` has another digest in the releases than in
    /// the targets, `gone` and `revoked` were taken back, and the keys of root and snapshot were rotated.
    pub(crate) fn publish(&self, gun: &str) {
        self.run(&format!("init {gun}"));
        self.run(&format!("key rotate {gun} snapshot -r"));
        for signer in ["alice", "bob"] {
            self.add_signer(gun, signer);
        }
        self.run(&format!("delegation add {gun} targets/releases alice.crt bob.crt --all-paths"));
        self.run(&format!("publish {gun}"));
        self.add(gun, "0.9", 9, "targets");
        self.add(gun, "edge", 1, "targets");
        self.add(gun, "gone", 3, "targets");
        self.run(&format!("publish {gun}"));
        self.add(gun, "1.0", 10, "targets/releases,targets/alice,targets/bob");
        self.add(gun, "edge", 2, "targets/releases");
        self.add(gun, "revoked", 3, "targets/releases,targets/alice");
        self.run(&format!("publish {gun}"));
        self.run(&format!("remove {gun} gone"));
        self.run(&format!("remove {gun} revoked --roles targets/releases,targets/alice"));
        self.run(&format!("publish {gun}"));
        self.run(&format!("key rotate {gun} root"));
    }

    /// Publishes what alice has released: tags, digests in hex and sizes.
    pub(crate) fn publish_images(&self, gun: &str, images: &[(&str, &str, u64)]) {
        self.run(&format!("init {gun}"));
        self.run(&format!("key rotate {gun} snapshot -r"));
        self.add_signer(gun, "alice");
        self.run(&format!("delegation add {gun} targets/releases alice.crt --all-paths"));
        self.run(&format!("publish {gun}"));
        for (tag, digest, size) in images {
            let roles = "targets/releases,targets/alice";
            self.run(&format!("addhash {gun} {tag} {size} --sha256 {digest} --roles {roles}"));
        }
        self.run(&format!("publish {gun}"));
    }

    fn add_signer(&self, gun: &str, signer: &str) {
        let openssl = Openssl::or_skip().unwrap();
        let file = |kind: &str| self.folder.path().join(format!("{signer}.{kind}"));
        let (key, certificate) =
            (file("key").display().to_string(), file("crt").display().to_string());
        openssl
            .run(&format!("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -out {certificate} -subj /CN={signer} -days 3650"))
            .expect_status(0);
        self.run(&format!("key import {key} --role targets/{signer}"));
        self.run(&format!("delegation add {gun} targets/{signer} {certificate} --all-paths"));
    }

    /// Stages a tag for an image of `image` bytes whose digest is made of its size.
    pub(crate) fn add(&self, gun: &str, tag: &str, image: u8, roles: &str) {
        let digest = Self::digest(image);
        self.run(&format!("addhash {gun} {tag} {image} --sha256 {digest} --roles {roles}"));
    }

    /// The digest of an image of [`add`](Self::add), hex.
    pub(crate) fn digest(image: u8) -> String {
        format!("{image:02x}").repeat(32)
    }
}

fn start(folder: &Path, program: &str, configuration: impl FnOnce(u16) -> Value) -> Server {
    let file = folder.join(format!("{program}.json"));
    let command = |port: u16| {
        let mut configuration = configuration(port);
        configuration["storage"] = json!({"backend": "memory"});
        configuration["logging"] = json!({"level": "error"});
        fs::write(&file, configuration.to_string()).unwrap();
        let mut command = Command::new(program);
        command.arg(format!("-config={}", file.display()));
        command
    };
    Server::start(command, |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
}

/// A CA, `ca.crt`, and one certificate for servers and their clients, `server.crt`.
fn create_certificates(openssl: &Openssl, folder: &Path) {
    let folder = folder.display();
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let ca = format!(
        "req -x509 {ec} -keyout {folder}/ca.key -out {folder}/ca.crt -days 30 -subj /CN=ca"
    );
    openssl.run(&ca).expect_status(0);
    let server = format!(
        "req -x509 {ec} -keyout {folder}/server.key -out {folder}/server.crt -days 30 -subj /CN=notary \
         -CA {folder}/ca.crt -CAkey {folder}/ca.key -addext basicConstraints=CA:FALSE \
         -addext subjectAltName=IP:127.0.0.1,DNS:localhost -addext extendedKeyUsage=serverAuth,clientAuth"
    );
    openssl.run(&server).expect_status(0);
}
