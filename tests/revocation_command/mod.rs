//! Commands that ask about revocation, or take what was asked before; and signatures with a timestamp.

mod evidence;
mod notation;
mod pages;
mod timestamps;
mod verdicts;

use std::{fs, path::PathBuf};

use notation_sdk::{Certificate, testing::chain, x509::to_pem};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::{UtcDateTime, format_description::well_known::Rfc3339};

use crate::support::{
    command::{Finished, Run},
    fake_ca::{FakeCa, Pointers},
    layout::Layout,
};

const SCOPE: &str = "registry.example/app";

/// A layout, the key and the chain of a CA's leaf, and a strict policy that trusts the CA.
struct Desk {
    ca: FakeCa,
    home: TempDir,
    layout: Layout,
}

impl Desk {
    /// One whose layout is signed.
    fn new(ca: FakeCa) -> Self {
        let desk = Self::unsigned(ca);
        desk.sign(&[]).expect_status(0);
        desk
    }

    fn unsigned(ca: FakeCa) -> Self {
        let desk = Self { ca, home: TempDir::new().unwrap(), layout: Layout::new(b"content") };
        desk.write("signing.key", desk.ca.leaf_pem.as_bytes());
        desk.write("chain.pem", to_pem(&desk.ca.pki.chain).as_bytes());
        desk.trust("ca/test", desk.ca.pki.chain.root());
        desk.policy("strict");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file of the home folder.
    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Puts a root into the store `TYPE/NAME`.
    fn trust(&self, store: &str, root: &Certificate) {
        let pem = to_pem(&chain([root.clone()]));
        self.write(&format!("config/notation/truststore/x509/{store}/root.pem"), pem.as_bytes());
    }

    /// Has signatures verified at this level.
    fn policy(&self, level: &str) {
        self.policy_of(&json!({ "level": level }), &["ca:test"]);
    }

    fn policy_of(&self, verification: &Value, stores: &[&str]) {
        let policy = json!({ "version": "1.0", "trustPolicies": [{
            "name": "test", "registryScopes": ["*"], "signatureVerification": verification,
            "trustStores": stores, "trustedIdentities": ["*"],
        }] });
        self.write("config/notation/trustpolicy.json", policy.to_string().as_bytes());
    }

    /// Our executable in the home folder.
    fn command(&self, words: &[&str]) -> Run {
        Run::notation_kms().home(self.home.path()).current_dir(self.home.path()).args(words)
    }

    fn run(&self, words: &[&str]) -> Finished {
        self.command(words).finish()
    }

    fn sign(&self, more: &[&str]) -> Finished {
        let id = format!("file://{}", self.path("signing.key").display());
        let layout = self.layout.reference();
        let words = ["sign", "--oci-layout", &layout, "--id", &id, "--cert-chain", "chain.pem"];
        self.run(&[&words, more].concat())
    }

    /// Signs with the key of another leaf of the CA, which names one distribution point.
    fn sign_as(&self, subject: &str, places: &[&str], more: &[&str]) -> Certificate {
        let (chain, pem) = self.ca.issue(subject, Pointers { ocsp: &[], crl: &[places] });
        let (key, certificates) = (format!("{subject}.key"), format!("{subject}.pem"));
        self.write(&key, pem.as_bytes());
        self.write(&certificates, to_pem(&chain).as_bytes());
        let id = format!("file://{}", self.path(&key).display());
        let layout = self.layout.reference();
        let words = ["sign", "--oci-layout", &layout, "--force", "--id", &id, "--cert-chain"];
        self.run(&[&words[..], &[certificates.as_str()], more].concat()).expect_status(0);
        chain.leaf().clone()
    }

    fn verify_command(&self, more: &[&str]) -> Run {
        let layout = self.layout.reference();
        self.command(&["verify", "--oci-layout", &layout, "--scope", SCOPE]).args(more)
    }

    fn verify(&self, more: &[&str]) -> Finished {
        self.verify_command(more).finish()
    }

    /// The report of the one signature in JSON, and the exit code.
    fn report(&self, more: &[&str]) -> (Value, Option<i32>) {
        let finished = self.verify(&[more, &["-o", "json"]].concat());
        (json_of(&finished), finished.status)
    }
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|_| panic!("{}\n{}", finished.stdout, finished.stderr))
}

fn rfc3339(time: UtcDateTime) -> String {
    time.format(&Rfc3339).unwrap()
}
