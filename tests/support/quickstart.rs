//! What `quickstart` makes: a key with its chain, a trust store, a strict policy, and a signed artifact.

use std::{fs, path::PathBuf};

use notation_sdk::{
    oci::Descriptor,
    registry::{Repository as _, layout::ImageLayout},
    testing::ready,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::command::{Finished, Run};

/// A quickstart's folder, with a policy for files beside that for artifacts.
#[derive(Debug)]
pub(crate) struct Quickstart {
    folder: TempDir,
}

impl Quickstart {
    /// The repository that its policy is for.
    pub(crate) const SCOPE: &str = "local/quickstart";

    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let run = Run::notation_kms().home(folder.path()).current_dir(folder.path());
        run.args(["quickstart", "--to", "qs"]).finish().expect_status(0);
        let quickstart = Self { folder };
        quickstart.write_policy(
            "trustpolicy.blob.json",
            &json!([{
                "name": "files", "globalPolicy": true, "signatureVerification": {"level": "strict"},
                "trustStores": ["ca:quickstart"], "trustedIdentities": ["*"],
            }]),
        );
        quickstart
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("qs").join(name)
    }

    /// The blob with that digest.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        self.path("layout/blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    /// The layout, and the manifest of the signature in it.
    pub(crate) fn signature(&self) -> (ImageLayout, Descriptor) {
        let layout = ImageLayout::open(self.path("layout")).unwrap();
        let artifact = layout.resolve("v1").unwrap();
        let listed = ready(layout.signatures(&artifact)).unwrap().signatures.remove(0);
        (layout, listed)
    }

    /// A command in the folder, with its configuration.
    pub(crate) fn command(&self, words: &[&str]) -> Run {
        let run = Run::notation_kms().env("XDG_CONFIG_HOME", self.path("config"));
        run.current_dir(&self.path("")).args(words)
    }

    pub(crate) fn run(&self, words: &[&str]) -> Finished {
        self.command(words).finish()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// The statements of a policy, for artifacts or for files.
    pub(crate) fn write_policy(&self, name: &str, statements: &Value) {
        let policy = json!({"version": "1.0", "trustPolicies": statements});
        self.write(&format!("config/notation/{name}"), policy.to_string());
    }

    /// Changes the only statement of the policy for artifacts.
    pub(crate) fn change_policy(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path("config/notation/trustpolicy.json");
        let mut policy: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut policy["trustPolicies"][0]);
        fs::write(path, policy.to_string()).unwrap();
    }

    /// Removes the trust store; the policy still names it.
    pub(crate) fn remove_trust_store(&self) {
        fs::remove_dir_all(self.trust_store()).unwrap();
    }

    /// The folder of the trust store.
    pub(crate) fn trust_store(&self) -> PathBuf {
        self.path("config/notation/truststore/x509/ca/quickstart")
    }

    /// A file of the chain's first certificates.
    pub(crate) fn write_certificates(&self, name: &str, first: usize, count: usize) {
        let end = "-----END CERTIFICATE-----\n";
        let pem = fs::read_to_string(self.path("keys/chain.pem")).unwrap();
        let wanted = pem.split_inclusive(end).skip(first).take(count).collect::<String>();
        fs::write(self.path(name), wanted).unwrap();
    }

    /// The private key, as commands name it.
    pub(crate) fn key_reference(&self) -> String {
        format!("file://{}", self.path("keys/signing.key.pem").display())
    }
}
