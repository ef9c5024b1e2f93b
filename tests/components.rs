//! One test a component: the tests' own foundation holds.

use std::{env, fs, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use notation_sdk::algorithm::KeySpec;
use serde_json::json;

use crate::support::{
    command::Run,
    component::Component,
    layout::Layout,
    ministack::Ministack,
    notation::{Artifact, Notation},
    openbao::{Names, Openbao},
    openssl::{Authority, Openssl},
    registry::Registry,
};

/// Runs the test of that name again, where no component is installed.
fn without_components(test: &str) -> Run {
    Run::new(env::current_exe().unwrap())
        .env("PATH", "/nonexistent")
        .env("NOTATION_SDK_CACHE", "/nonexistent")
        .args(["--exact", test])
}

#[test]
fn a_missing_component_skips_the_test_by_name_and_out_loud() {
    let test = "components::openssl_reads_what_openssl_wrote";
    let finished = without_components(test).finish().expect_status(0);
    let line = format!("skipped: {test}: openssl is not installed: run `tools/setup.sh test`\n");
    assert_eq!(finished.stderr, line);
}

#[test]
fn a_missing_component_is_noted_in_the_log_of_skipped_tests() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("skipped.txt");
    let test = "components::openssl_reads_what_openssl_wrote";
    without_components(test).env("NOTATION_SDK_SKIPPED", &log).finish().expect_status(0);
    assert!(fs::read_to_string(log).unwrap().starts_with(&format!("skipped: {test}: openssl")));
}

#[test]
fn a_missing_component_fails_the_test_under_ci() {
    let test = "components::openssl_reads_what_openssl_wrote";
    let finished = without_components(test).env("CI", "true").finish().expect_status(101);
    assert!(finished.stdout.contains("openssl is not installed"), "{}", finished.stdout);
}

#[test]
fn the_executable_runs_to_its_end_whatever_it_reads() {
    let home = tempfile::tempdir().unwrap();
    // More than a pipe holds, to a program that may not read it.
    let run = Run::notation_kms().home(home.path()).stdin(vec![b' '; 1 << 20]);
    assert!(run.timeout(Duration::from_secs(10)).finish().status.is_some());
}

#[test]
#[should_panic(expected = "took over 100ms")]
fn a_program_that_does_not_end_is_killed() {
    Run::new("sleep").arg("60").timeout(Duration::from_millis(100)).finish();
}

#[test]
fn openssl_reads_what_openssl_wrote() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let authority = Authority::new(&openssl);
    openssl.create_key("leaf", KeySpec::Rsa2048);
    let chain = authority.issue(&openssl.request("leaf", "leaf"));
    assert_eq!(fs::read_to_string(chain).unwrap().matches("BEGIN CERTIFICATE").count(), 3);
    let verify = "verify -x509_strict -CAfile root.crt -untrusted issuing.crt leaf.crt";
    assert_eq!(openssl.run(verify).expect_status(0).stdout, "leaf.crt: OK\n");
    let text = openssl.run("x509 -in leaf.crt -noout -ext extendedKeyUsage").expect_status(0);
    assert!(text.stdout.contains("Code Signing"), "{}", text.stdout);
}

#[test]
fn ministack_signs_what_openssl_verifies() {
    let (Some(kms), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else { return };
    for spec in [KeySpec::Rsa2048, KeySpec::Ec521] {
        let key = kms.create_key(spec);
        let alias = format!("alias/{key}");
        kms.create_alias(&alias, &key);
        let request = json!({
            "KeyId": alias,
            "SigningAlgorithm": spec.signature_algorithm().aws_signing_algorithm(),
            "MessageType": "RAW",
            "Message": BASE64_STANDARD.encode("message"),
        });
        let answer = kms.kms("Sign", &request).unwrap();
        let signature = BASE64_STANDARD.decode(answer["Signature"].as_str().unwrap()).unwrap();
        let public_key = kms.public_key(&key);
        assert!(openssl.verifies(spec, &public_key, b"message", &signature), "{spec:?}");
        assert!(!openssl.verifies(spec, &public_key, b"another", &signature), "{spec:?}");
    }
}

#[test]
fn openbao_issues_what_openssl_verifies() {
    let (Some(bao), Some(openssl)) = (Openbao::or_skip(), Openssl::or_skip()) else { return };
    openssl.create_key("leaf", KeySpec::Ec256);
    let request = fs::read_to_string(openssl.request("leaf", "leaf")).unwrap();
    let issued = bao.issue(&request, Names::OcspAndCrl);
    fs::write(openssl.path("chain.pem"), &issued.chain).unwrap();
    fs::write(openssl.path("root.crt"), bao.root()).unwrap();
    let verify = "verify -x509_strict -CAfile root.crt -untrusted chain.pem chain.pem";
    assert_eq!(openssl.run(verify).expect_status(0).stdout, "chain.pem: OK\n");
    let text = openssl.run("x509 -in chain.pem -noout -ext authorityInfoAccess,keyUsage").stdout;
    assert!(text.contains("/v1/issuing/ocsp") && text.contains("Digital Signature"), "{text}");
}

#[test]
fn ministack_refuses_keys_that_are_disabled_or_pending_deletion() {
    let Some(kms) = Ministack::or_skip() else { return };
    assert!(kms.endpoint().starts_with("http://127.0.0.1:"));
    let (disabled, deleted) = (kms.create_key(KeySpec::Ec256), kms.create_key(KeySpec::Ec256));
    kms.disable(&disabled);
    kms.schedule_deletion(&deleted);
    for (key, error) in [(&disabled, "DisabledException"), (&deleted, "KMSInvalidStateException")] {
        let request = json!({ "KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256", "MessageType": "RAW", "Message": "AA==" });
        assert_eq!(kms.kms("Sign", &request).unwrap_err()["__type"], error);
    }
}

#[test]
fn notation_verifies_what_notation_signed_in_a_layout_and_nothing_else() {
    let (Some(notation), Some(openssl)) = (Notation::or_skip(), Openssl::or_skip()) else { return };
    let authority = Authority::new(&openssl);
    give_a_key(&notation, &openssl, &authority);
    let layout = Layout::new(b"content");
    for format in ["jws", "cose"] {
        notation
            .sign(Artifact::Layout(&layout), &["--key", "local", "--signature-format", format])
            .expect_status(0);
    }
    notation.verify(Artifact::Layout(&layout), &[]).expect_status(0);
    notation.verify(Artifact::Layout(&Layout::new(b"unsigned")), &[]).expect_status(1);

    // The same artifact, where another root of the same name is trusted.
    let stranger = Openssl::or_skip().unwrap();
    notation.trust(&Authority::new(&stranger).root());
    notation.verify(Artifact::Layout(&layout), &[]).expect_status(1);
}

#[test]
fn notation_verifies_what_notation_signed_in_a_registry() {
    let (Some(notation), Some(openssl)) = (Notation::or_skip(), Openssl::or_skip()) else { return };
    let Some(registry) = Registry::or_skip() else { return };
    let Some(reference) = registry.push(&Layout::new(b"content"), "app") else { return };
    give_a_key(&notation, &openssl, &Authority::new(&openssl));
    notation.verify(Artifact::Registry(&reference), &[]).expect_status(1);
    notation.sign(Artifact::Registry(&reference), &["--key", "local"]).expect_status(0);
    notation.verify(Artifact::Registry(&reference), &[]).expect_status(0);
}

#[test]
fn skopeo_reads_from_the_registry_what_it_was_given() {
    let Some(skopeo) = Component::Skopeo.or_skip() else { return };
    let Some(registry) = Registry::or_skip() else { return };
    let layout = Layout::new(b"content");
    let Some(reference) = registry.push(&layout, "app") else { return };
    let manifest = Run::new(skopeo)
        .args(["inspect", "--raw", "--tls-verify=false"])
        .arg(format!("docker://{reference}"))
        .finish()
        .expect_status(0)
        .stdout;
    let stored = layout.digest().replace(':', "/");
    assert_eq!(manifest, fs::read_to_string(layout.path().join("blobs").join(stored)).unwrap());
}

/// Gives notation a key of its own and trusts its root.
fn give_a_key(notation: &Notation, openssl: &Openssl, authority: &Authority<'_>) {
    let key = openssl.create_key("local", KeySpec::Ec256);
    notation.add_local_key("local", &key, &authority.issue(&openssl.request("local", "local")));
    notation.trust(&authority.root());
}
