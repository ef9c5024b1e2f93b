//! Credentials: where `login` keeps them, where they are found, and whom they are sent to.

mod login;
mod sent;
mod stored;

use std::{
    fs,
    path::{Path, PathBuf},
};

use notation_sdk::algorithm::KeySpec;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    command::{Finished, Run},
    fake_http::{Answer, FakeHttp, Request},
    openssl::Openssl,
    registry::Registry,
};

/// `me:hunter2`
const AUTH: &str = "bWU6aHVudGVyMg==";
const BASIC: &str = "Basic bWU6aHVudGVyMg==";
/// Keeps one password a registry in a folder of its own.
const HELPER: &str = r#"#!/bin/sh
cd "$KEPT" || exit 1
input=$(cat)
case $1 in
store)
    name=$(echo "$input" | sed 's/.*"ServerURL":"\([^"]*\)".*/\1/' | tr / _)
    echo "$input" > "entry-$name" ;;
get)
    cat "entry-$(echo "$input" | tr / _)" 2>/dev/null && exit
    echo "credentials not found in native keychain"
    exit 1 ;;
erase) rm "entry-$(echo "$input" | tr / _)" ;;
esac
"#;

/// A home folder, with docker's configuration and a credential helper `kept` on its search path.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        for folder in ["bin", "kept", ".docker"] {
            fs::create_dir(home.path(folder)).unwrap();
        }
        home.add_helper("kept", HELPER);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn add_helper(&self, suffix: &str, script: &str) {
        let helper = self.path("bin").join(format!("docker-credential-{suffix}"));
        fs::write(self.path("source"), script).unwrap();
        // Copied by another process: a file that this one has open for writing cannot be run.
        let run = Run::new("install").args(["-m", "700"]).arg(self.path("source"));
        run.arg(helper).finish().expect_status(0);
    }

    fn config(&self) -> PathBuf {
        self.path(".docker/config.json")
    }

    fn configure(&self, config: &Value) {
        fs::write(self.config(), config.to_string()).unwrap();
    }

    fn configured(&self) -> Value {
        serde_json::from_slice(&fs::read(self.config()).unwrap()).unwrap()
    }

    /// What the helper keeps.
    fn kept(&self, name: &str) -> Option<Value> {
        let bytes = fs::read(self.path("kept").join(format!("entry-{name}"))).ok()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    fn run(&self, words: &[&str]) -> Run {
        self.in_place_of_ours(Path::new(env!("CARGO_BIN_EXE_notation-kms")), words)
    }

    /// Runs another program in this home.
    fn in_place_of_ours(&self, program: &Path, words: &[&str]) -> Run {
        let path = std::env::var("PATH").unwrap();
        Run::new(program)
            .home(self.0.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("KEPT", self.path("kept"))
            .args(words)
    }

    fn login(&self, server: &FakeHttp, more: &[&str]) -> Run {
        let host = host(server);
        let words = [&["login", &host, "--insecure-registry", "-u", "me"], more].concat();
        self.run(&words).arg("--password-stdin").stdin("hunter2\n")
    }

    /// Asks for the signatures of an artifact.
    fn list(&self, server: &FakeHttp) -> Run {
        self.run(&["list", &format!("{}/team/app:v1", host(server)), "--insecure-registry"])
    }
}

fn host(server: &FakeHttp) -> String {
    server.url().trim_start_matches("http://").to_owned()
}

fn challenge(text: &str) -> Answer {
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    Answer::new(401, body).header("WWW-Authenticate", text)
}

/// An empty registry that wants Basic credentials, of `me` with `hunter2`.
fn basic_registry() -> FakeHttp {
    FakeHttp::start(|request| match request.header("authorization") {
        Some(BASIC) if request.target == "/v2/" => Answer::new(200, "{}"),
        Some(BASIC) => Answer::new(404, ""),
        _ => challenge("Basic realm=test"),
    })
}

fn authorizations(server: &FakeHttp) -> Vec<String> {
    let header = |request: &Request| request.header("authorization").map(ToOwned::to_owned);
    server.requests().iter().filter_map(header).collect()
}

/// No output holds the secret.
#[track_caller]
fn without_secret(finished: Finished) -> Finished {
    let all = format!("{}{}", finished.stdout, finished.stderr);
    assert!(!all.contains("hunter2") && !all.contains(AUTH), "{all}");
    finished
}

/// A registry that skopeo and notation ask by TLS too, whose certificate is in `server.crt`.
fn tls_registry(openssl: &Openssl) -> Option<Registry> {
    openssl.create_key("server", KeySpec::Ec256);
    let make = "req -x509 -new -key server.key -days 2 -subj /CN=server-of-test -config extensions.cnf \
                -addext subjectAltName=IP:127.0.0.1 -out server.crt";
    openssl.run(make).expect_status(0);
    Registry::with_password_or_skip(&openssl.path(""))
}
