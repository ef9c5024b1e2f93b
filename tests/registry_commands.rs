//! Which artifact of a registry a command is about, and who asks for it.

use std::fs;

use notation_sdk::algorithm::KeySpec;
use serde_json::json;

use crate::support::{
    command::{Finished, Run},
    component::Component,
    layout::Layout,
    notation::Notation,
    openssl::Openssl,
    registry::Registry,
};

/// Copies a layout's artifact into a registry, and gives its reference by digest.
fn push(layout: &Layout, host: &str, repository: &str) -> Option<String> {
    let name = format!("{host}/{repository}");
    Run::new(Component::Skopeo.or_skip()?)
        .args(["--insecure-policy", "copy", "--preserve-digests", "--dest-tls-verify=false"])
        .arg(format!("oci:{}:{}", layout.path().display(), Layout::TAG))
        .arg(format!("docker://{name}:{}", Layout::TAG))
        .finish()
        .expect_status(0);
    Some(format!("{name}@{}", layout.digest()))
}

fn ours(notation: &Notation, words: &[&str]) -> Finished {
    let run = Run::notation_kms().home(notation.home()).args(words);
    run.arg("--insecure-registry").finish()
}

#[test]
fn references_that_lead_nowhere_are_told_apart() {
    let (Some(notation), Some(registry)) = (Notation::or_skip(), Registry::or_skip()) else {
        return;
    };
    let statement = json!([{"name": "all", "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"}, "trustStores": ["ca:x"], "trustedIdentities": ["*"]}]);
    let policy = json!({"version": "1.0", "trustPolicies": statement});
    fs::create_dir_all(notation.configuration()).unwrap();
    fs::write(notation.configuration().join("trustpolicy.json"), policy.to_string()).unwrap();
    let host = registry.host();
    let verify = |reference: &str| ours(&notation, &["verify", reference]);
    let missing = verify(&format!("{host}/team/none:v1")).expect_status(8);
    assert!(missing.stderr.contains("team/none"), "{}", missing.stderr);
    verify(&format!("{host}/team/none@sha256:{}", "0".repeat(64))).expect_status(8);
    let untagged = verify(&format!("{host}/team/none")).expect_status(2);
    assert!(untagged.stderr.contains("names neither a tag nor a digest"), "{}", untagged.stderr);
    let short = verify("alpine:3").expect_status(2);
    assert!(short.stderr.contains("names no registry"), "{}", short.stderr);
    verify("127.0.0.1:1/team/app:v1").expect_status(6);
    // The scope is the reference's own.
    ours(&notation, &["verify", &format!("{host}/team/none:v1"), "--scope", "a/b"])
        .expect_status(2);
}

#[test]
fn a_tag_is_told_to_be_one_and_resolved_once() {
    let (Some(notation), Some(registry)) = (Notation::or_skip(), Registry::or_skip()) else {
        return;
    };
    let layout = Layout::new(b"tagged");
    let Some(reference) = push(&layout, &registry.host(), "team/app") else { return };
    let tagged = format!("{}:{}", reference.split('@').next().unwrap(), Layout::TAG);
    let listed = ours(&notation, &["list", &tagged]).expect_status(0);
    let told = format!("{tagged} is {} now; tags move, digests do not", layout.digest());
    assert!(listed.stderr.contains(&told), "{}", listed.stderr);
    assert!(listed.stdout.contains(&format!("{reference} has no signatures")), "{}", listed.stdout);
}

#[test]
fn credentials_are_those_of_the_environment_or_of_docker() {
    let (Some(openssl), Some(notation)) = (Openssl::or_skip(), Notation::or_skip()) else { return };
    openssl.create_key("server", KeySpec::Ec256);
    let make = "req -x509 -new -key server.key -days 2 -subj /CN=server-of-test -config extensions.cnf \
                -addext subjectAltName=IP:127.0.0.1 -out server.crt";
    openssl.run(make).expect_status(0);
    let Some(registry) = Registry::with_password_or_skip(&openssl.path("")) else { return };
    let reference = format!("{}/team/app:v1", registry.host());
    let root = openssl.path("server.crt").display().to_string();
    let list = || {
        let run = Run::notation_kms().home(notation.home());
        run.args(["list", &reference, "--ca-cert", &root])
    };
    list().finish().expect_status(7);
    let (user, password) = Registry::USER;
    let with = |password: &str| {
        list().env("NOTATION_USERNAME", user).env("NOTATION_PASSWORD", password).finish()
    };
    with(password).expect_status(8);
    let denied = with("other").expect_status(7);
    assert!(!denied.stderr.contains("other\""), "no password is repeated: {}", denied.stderr);
    // `me:hunter2`
    let config = json!({"auths": {registry.host(): {"auth": "bWU6aHVudGVyMg=="}}}).to_string();
    let docker = notation.home().join(".docker/config.json");
    fs::create_dir_all(docker.parent().unwrap()).unwrap();
    fs::write(&docker, &config).unwrap();
    list().finish().expect_status(8);
    fs::remove_file(docker).unwrap();
    let podman = notation.home().join("auth.json");
    fs::write(&podman, config).unwrap();
    list().env("REGISTRY_AUTH_FILE", podman).finish().expect_status(8);
    list().finish().expect_status(7);
}
