//! The notation CLI, or the project's own peer of it, with a configuration of its own.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use tempfile::TempDir;

use super::{
    command::{Finished, Run},
    component::Component,
    layout::Layout,
};

/// The program and its home folder.
#[derive(Debug)]
pub(crate) struct Notation {
    program: PathBuf,
    home: TempDir,
}

/// What is signed or verified.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Artifact<'a> {
    Layout(&'a Layout),
    /// `HOST:PORT/REPOSITORY@DIGEST`, on plain HTTP.
    Registry(&'a str),
}

impl Notation {
    pub(crate) fn or_skip() -> Option<Self> {
        Some(Self { program: Component::Notation.or_skip()?, home: TempDir::new().unwrap() })
    }

    /// The home folder, for [`Run::home`]: our executable then reads the same configuration.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// notation's configuration folder.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.home().join("config/notation")
    }

    /// A call that is yet to be run.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        // The CLI hides --oci-layout behind the variable; the peer does not read it.
        Run::new(&self.program).home(self.home()).env("NOTATION_EXPERIMENTAL", "1").args(args)
    }

    /// Signs an artifact; `args` choose the key and the rest.
    pub(crate) fn sign(&self, artifact: Artifact<'_>, args: &[&str]) -> Finished {
        self.on("sign", artifact, args).finish()
    }

    /// A call of `sign` that is yet to be run.
    pub(crate) fn sign_command(&self, artifact: Artifact<'_>, args: &[&str]) -> Run {
        self.on("sign", artifact, args)
    }

    /// Verifies an artifact.
    pub(crate) fn verify(&self, artifact: Artifact<'_>, args: &[&str]) -> Finished {
        self.on("verify", artifact, args).finish()
    }

    fn on(&self, verb: &str, artifact: Artifact<'_>, args: &[&str]) -> Run {
        let command = self.command([verb]).args(args);
        match artifact {
            // A layout has no registry scope of its own.
            Artifact::Layout(layout) if verb == "verify" => command
                .args(["--oci-layout", "--scope", "registry.example/app"])
                .arg(layout.reference()),
            Artifact::Layout(layout) => command.arg("--oci-layout").arg(layout.reference()),
            Artifact::Registry(reference) => command.args(["--insecure-registry", reference]),
        }
    }

    /// Adds a key that notation itself holds, as `notation key add` of the first releases did.
    pub(crate) fn add_local_key(&self, name: &str, key: &Path, chain: &Path) {
        let keys = json!({ "keys": [{ "name": name, "keyPath": key, "certPath": chain }] });
        self.write("signingkeys.json", keys.to_string().as_bytes());
    }

    /// Trusts a root for every artifact, with nothing forgiven.
    pub(crate) fn trust(&self, root: &Path) {
        self.write("truststore/x509/ca/test/root.crt", &fs::read(root).unwrap());
        let policy = json!({ "version": "1.0", "trustPolicies": [{
            "name": "test",
            "registryScopes": ["*"],
            "signatureVerification": { "level": "strict" },
            "trustStores": ["ca:test"],
            "trustedIdentities": ["*"],
        }] });
        self.write("trustpolicy.json", policy.to_string().as_bytes());
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.configuration().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}
