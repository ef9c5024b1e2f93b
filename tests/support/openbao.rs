//! OpenBao's PKI engine as an enterprise's CA: a root, an issuing CA, live OCSP, CRLs and delta CRLs.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use super::{component::Component, http, server::Server};

/// One server with one hierarchy, in memory.
#[derive(Debug)]
pub(crate) struct Openbao {
    server: Server,
    /// PEM.
    root: String,
    /// PEM.
    issuing: String,
}

/// A certificate that the issuing CA has issued.
#[derive(Debug)]
pub(crate) struct Issued {
    /// Leaf, issuing CA and root, PEM.
    pub(crate) chain: String,
    /// As the CA writes it.
    pub(crate) serial: String,
}

/// What certificates of the issuing CA name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    OcspAndCrl,
    /// A CRL, which names a delta CRL.
    CrlAndDelta,
}

impl Openbao {
    /// A server for one test.
    pub(crate) fn or_skip() -> Option<Self> {
        Some(Self::start(&Component::Openbao.or_skip()?))
    }

    fn start(program: &Path) -> Self {
        let command = |port: u16| {
            let mut command = Command::new(program);
            command.args(["server", "-dev", "-dev-root-token-id=root", "-dev-no-store-token"]);
            command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
            command
        };
        let is_ready = |port| {
            http::request(port, "GET", "/v1/sys/health", &[], b"")
                .is_ok_and(|answer| answer.status == 200)
        };
        let server = Server::start(command, is_ready);
        let mut bao = Self { server, root: String::new(), issuing: String::new() };
        for mount in ["root", "issuing"] {
            let engine = json!({ "type": "pki", "config": { "max_lease_ttl": "87600h" } });
            bao.post(&format!("sys/mounts/{mount}"), &engine);
            bao.names(mount, Names::OcspAndCrl);
        }
        bao.make_hierarchy();
        bao
    }

    fn make_hierarchy(&mut self) {
        let root = json!({
            "common_name": "Root", "organization": "Acme", "country": "US",
            "key_type": "rsa", "key_bits": 3072, "ttl": "87600h",
        });
        self.root = text(&self.post("root/root/generate/internal", &root), "certificate");
        let issuing = json!({
            "common_name": "Issuing", "organization": "Acme", "country": "US",
            "key_type": "ec", "key_bits": 384,
        });
        let request = text(&self.post("issuing/intermediate/generate/internal", &issuing), "csr");
        let request = json!({ "csr": request, "ttl": "43000h", "use_csr_values": true });
        self.issuing = text(&self.post("root/root/sign-intermediate", &request), "certificate");
        self.post("issuing/intermediate/set-signed", &json!({ "certificate": self.issuing }));
        let role = json!({
            "allow_any_name": true, "enforce_hostnames": false, "cn_validations": ["disabled"],
            "key_type": "any", "key_usage": ["DigitalSignature"], "code_signing_flag": true,
            "server_flag": false, "client_flag": false, "use_csr_sans": false,
            "country": ["US"], "province": ["WA"], "organization": ["Acme"],
            "ttl": "720h", "signature_bits": 384, "basic_constraints_valid_for_non_ca": true,
        });
        self.post("issuing/roles/code-signing", &role);
    }

    /// What a mount's certificates name from now on.
    fn names(&self, mount: &str, names: Names) {
        let url = |path: &str| format!("{}/v1/{mount}/{path}", self.address());
        let urls = match names {
            Names::OcspAndCrl => {
                json!({ "ocsp_servers": url("ocsp"), "crl_distribution_points": url("crl") })
            }
            Names::CrlAndDelta => json!({
                "ocsp_servers": [],
                "crl_distribution_points": url("crl"),
                "delta_crl_distribution_points": url("crl/delta"),
            }),
        };
        self.post(&format!("{mount}/config/urls"), &urls);
        // Complete CRLs then wait for their time, and delta CRLs for `rotate_delta`.
        let has_delta = names == Names::CrlAndDelta;
        let lists = json!({ "auto_rebuild": has_delta, "enable_delta": has_delta });
        self.post(&format!("{mount}/config/crl"), &lists);
    }

    /// Issues a code-signing certificate for a request in PEM.
    pub(crate) fn issue(&self, request: &str, names: Names) -> Issued {
        self.names("issuing", names);
        let request = json!({ "csr": request, "ttl": "700h" });
        let issued = self.post("issuing/sign/code-signing", &request);
        if names == Names::CrlAndDelta {
            self.get("issuing/crl/rotate");
        }
        // Its texts end without a line break.
        let chain = [&text(&issued, "certificate"), &self.issuing, &self.root];
        let chain = chain.map(|pem| format!("{pem}\n")).concat();
        Issued { chain, serial: text(&issued, "serial_number") }
    }

    pub(crate) fn revoke(&self, issued: &Issued) {
        self.post("issuing/revoke", &json!({ "serial_number": issued.serial }));
    }

    /// Publishes a delta CRL.
    pub(crate) fn rotate_delta(&self) {
        self.get("issuing/crl/rotate-delta");
    }

    /// The root certificate, PEM.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, body.to_string().as_bytes())
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", path, b"")
    }

    fn call(&self, method: &str, path: &str, body: &[u8]) -> Value {
        let (path, headers) = (format!("/v1/{path}"), [("X-Vault-Token", "root")]);
        let answer = http::request(self.server.port(), method, &path, &headers, body).unwrap();
        let text = String::from_utf8_lossy(&answer.body);
        assert!(matches!(answer.status, 200 | 204), "{path}: {}: {text}", answer.status);
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

fn text(answer: &Value, name: &str) -> String {
    answer["data"][name].as_str().unwrap_or_else(|| panic!("{answer:#}")).to_owned()
}
