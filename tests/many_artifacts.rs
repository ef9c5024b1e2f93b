//! `sign`, `verify` and `list` over several artifacts, over indexes, and over whole repositories.

use std::{fs, path::Path, thread, time::Duration};

use notation_sdk::{
    algorithm::HashAlgorithm,
    oci::{Digest, INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest},
    registry::{Repository as _, layout::ImageLayout},
    testing::ready,
};
use serde_json::{Value, json};

use crate::support::{
    command::{Finished, Run},
    component::Component,
    fake_http::{Answer, FakeHttp},
    fake_kms::{Behaviour, FakeKms},
    layout::Layout,
    multi_platform::MultiPlatform,
    quickstart::Quickstart,
    registry::{ReferrersRegistry, Registry},
    tsa::{TsaServer, TsaSettings},
};

/// `sign --recursive` of the index.
fn sign(multi: &MultiPlatform, more: &[&str]) -> Finished {
    let words = ["sign", "--oci-layout", "layout:multi", "--recursive", "-o", "json"];
    multi.quickstart.run(&[&words, more].concat())
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"))
}

/// A member of each result.
fn each(results: &Value, member: &str) -> Vec<String> {
    let results = results["results"].as_array().unwrap().iter();
    results.map(|result| result[member].as_str().unwrap_or("-").to_owned()).collect()
}

fn verify(quickstart: &Quickstart, references: &[&str]) -> Finished {
    let words = ["verify", "--oci-layout", "--scope", Quickstart::SCOPE, "-o", "json"];
    quickstart.run(&[&words, references].concat())
}

#[test]
fn several_artifacts_have_a_result_each_and_one_exit_code() {
    let quickstart = Quickstart::new();
    let unsigned = Layout::new(b"unsigned");
    let unsigned = unsigned.reference();
    let good = verify(&quickstart, &["layout:v1", "layout:v1"]).expect_status(0);
    assert_eq!(each(&json_of(&good), "result"), ["verified", "verified"]);

    let mixed = verify(&quickstart, &["layout:none", "layout:v1", &unsigned]).expect_status(9);
    assert_eq!(mixed.stderr, "");
    let mixed = json_of(&mixed);
    assert_eq!(each(&mixed, "result"), ["-", "verified", "unsigned"]);
    assert_eq!(mixed["results"][0]["reference"], "layout:none");
    assert_eq!(mixed["results"][0]["error"]["exitCode"], 8);

    // Where none is good, the exit code is that of the one to act on first.
    verify(&quickstart, &["layout:none", &unsigned]).expect_status(8);
    verify(&quickstart, &[&unsigned, &unsigned]).expect_status(4);

    let words =
        ["verify", "--oci-layout", "--scope", Quickstart::SCOPE, "layout:none", "layout:v1"];
    let text = quickstart.run(&words).expect_status(9);
    let lines: Vec<&str> = text.stdout.lines().collect();
    assert!(lines[0].starts_with("failed: layout:none: \"none\" is not in the index"), "{lines:?}");
    assert!(lines[1].starts_with("verified: layout@sha256:"), "{lines:?}");
    assert_eq!(lines.last(), Some(&"1 of 2 artifacts accepted, 1 not"));
    let record = [&words[..], &["--record", "verdict.json"]].concat();
    let refused = quickstart.run(&record).expect_status(2);
    assert!(refused.stderr.contains("--record keeps the verdict on one artifact"));
}

#[test]
fn what_carries_such_a_signature_is_not_signed_again() {
    let quickstart = Quickstart::new();
    let sign = |more: &[&str]| {
        let words = ["sign", "--oci-layout", "layout:v1", "-o", "json"];
        let report = json_of(&quickstart.run(&[&words, more].concat()).expect_status(0));
        (report["result"].as_str().unwrap().to_owned(), report["manifest"].clone())
    };
    // Quickstart has signed it.
    let (result, manifest) = sign(&[]);
    assert_eq!(result, "alreadySigned");
    let verdict = verify(&quickstart, &["layout:v1"]).expect_status(0);
    assert_eq!(json_of(&verdict)["signatures"][0]["manifest"], manifest);
    // Other metadata, another format, an end: each is another signature, once.
    for more in [
        &["-m", "build=7"][..],
        &["-m", "build=8"],
        &["--signature-format", "cose"],
        &["--expiry", "90d"],
    ] {
        assert_eq!(sign(more).0, "signed", "{more:?}");
        assert_eq!(sign(more).0, "alreadySigned", "{more:?}");
    }
    // A longer life is not answered by less than half of it, and a shorter one by no longer one.
    assert_eq!(sign(&["--expiry", "80d"]).0, "signed");
    assert_eq!(sign(&["--expiry", "100d"]).0, "alreadySigned");
    assert_eq!(sign(&["--expiry", "200d"]).0, "signed");
    assert_eq!(sign(&["--force"]).0, "signed");
    assert_eq!(sign(&["--force"]).0, "signed");
}

#[test]
fn a_timestamp_that_does_not_hold_is_none() {
    let quickstart = Quickstart::new();
    let (layout, listed) = quickstart.signature();
    let mut manifest: Manifest = serde_json::from_slice(&layout.read(&listed).unwrap()).unwrap();
    let mut envelope: Value =
        serde_json::from_slice(&layout.read(&manifest.layers[0]).unwrap()).unwrap();
    envelope["header"]["io.cncf.notary.timestampSignature"] = json!("Z2FyYmFnZQ==");
    let envelope = envelope.to_string();
    manifest.layers[0].digest = Digest::of(HashAlgorithm::Sha256, envelope.as_bytes());
    manifest.layers[0].size = envelope.len().try_into().unwrap();
    ready(layout.push_signature(&manifest, envelope.as_bytes())).unwrap();
    // Nobody listens there: that it is asked says that the token was not taken.
    quickstart.write_certificates("root.pem", 2, 1);
    let nobody = FakeHttp::start(|_| Answer::hang_up()).url();
    let authority = ["--timestamp-url", nobody.as_str(), "--timestamp-root-cert", "root.pem"];
    let words = [&["sign", "--oci-layout", "layout:v1"][..], &authority].concat();
    let refused = quickstart.run(&words).expect_status(6);
    assert!(refused.stderr.contains("no timestamp for it is to be had"), "{}", refused.stderr);
}

#[test]
fn a_timestamp_that_holds_is_not_asked_for_again() {
    let Some(authority) = TsaServer::or_skip(&TsaSettings::default()) else { return };
    let quickstart = Quickstart::new();
    let url = authority.url();
    let root = authority.tsa.root().display().to_string();
    let words = ["sign", "--oci-layout", "layout:v1", "-o", "json", "--timestamp-url", &url];
    let sign = || {
        let words = [&words[..], &["--timestamp-root-cert", &root]].concat();
        json_of(&quickstart.run(&words).expect_status(0))["result"].clone()
    };
    // The certificate is some milliseconds old, and a timestamp says only about when it was made.
    thread::sleep(Duration::from_secs(3));
    assert_eq!(sign(), "signed");
    assert_eq!(sign(), "alreadySigned");
    assert_eq!(authority.requests(), 1);
}

#[test]
fn a_signature_that_does_not_hold_is_none() {
    let quickstart = Quickstart::new();
    let listed = json_of(&quickstart.run(&["list", "--oci-layout", "layout:v1", "-o", "json"]));
    let manifest = quickstart.blob(listed["signatures"][0]["manifest"].as_str().unwrap());
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let envelope = quickstart.blob(manifest["layers"][0]["digest"].as_str().unwrap());
    let mut changed = fs::read(&envelope).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(envelope, changed).unwrap();
    let signed = quickstart.run(&["sign", "--oci-layout", "layout:v1"]).expect_status(0);
    assert!(signed.stdout.starts_with("signed: "), "{}", signed.stdout);
}

#[test]
fn an_index_is_signed_after_everything_that_it_lists() {
    let multi = MultiPlatform::new();
    let signed = json_of(&sign(&multi, &[]).expect_status(0));
    assert_eq!(each(&signed, "artifact"), multi.digests());
    assert!(each(&signed, "result").iter().all(|result| result == "signed"));
    for digest in multi.digests() {
        verify(&multi.quickstart, &[&format!("layout@{digest}")]).expect_status(0);
    }
    let again = json_of(&sign(&multi, &[]).expect_status(0));
    assert!(each(&again, "result").iter().all(|result| result == "alreadySigned"), "{again:#}");
    // Without it, the index alone is.
    let alone = ["sign", "--force", "--oci-layout", "layout:multi", "-o", "json"];
    let alone = json_of(&multi.quickstart.run(&alone).expect_status(0));
    assert_eq!(alone["artifact"], multi.index.digest.to_string());
}

#[test]
fn an_index_is_not_signed_where_something_that_it_lists_cannot_be() {
    let multi = MultiPlatform::new();
    let lost = multi.quickstart.blob(multi.platforms[2].digest.as_str());
    let kept = fs::read(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    let partly = json_of(&sign(&multi, &[]).expect_status(9));
    assert_eq!(each(&partly, "result"), ["signed", "signed", "-", "-", "-"]);
    let message = |i: usize| partly["results"][i]["error"]["message"].as_str().unwrap().to_owned();
    assert!(message(2).contains("is missing in layout"), "{}", message(2));
    let because =
        format!("not tried: {}, which it lists, is not signed", multi.platforms[2].digest);
    assert_eq!(message(3), because);
    assert!(message(4).contains(multi.nested.digest.as_str()), "{}", message(4));
    // The next run signs what is left.
    fs::write(lost, kept).unwrap();
    let rest = json_of(&sign(&multi, &[]).expect_status(0));
    let expected = ["alreadySigned", "alreadySigned", "signed", "signed", "signed"];
    assert_eq!(each(&rest, "result"), expected);
}

#[test]
fn an_index_that_is_none_or_nested_too_deep_is_refused() {
    let multi = MultiPlatform::new();
    fs::write(multi.quickstart.blob(multi.nested.digest.as_str()), b"{}").unwrap();
    let changed = json_of(&sign(&multi, &[]).expect_status(3));
    assert_eq!(changed["results"].as_array().unwrap().len(), 1, "{changed:#}");

    let quickstart = Quickstart::new();
    let layout = ImageLayout::open(quickstart.path("layout")).unwrap();
    let mut deepest = layout.resolve("v1").unwrap();
    for _ in 0..5 {
        let index = json!({"schemaVersion": 2, "manifests": [deepest]}).to_string();
        deepest = layout.push_blob(INDEX_MEDIA_TYPE, index.as_bytes()).unwrap();
    }
    let path = quickstart.path("layout/index.json");
    let top = json!({"schemaVersion": 2, "manifests": [deepest]});
    fs::write(path, top.to_string()).unwrap();
    let refused =
        quickstart.run(&["sign", "--recursive", "--oci-layout", "layout"]).expect_status(3);
    assert!(refused.stdout.contains("is nested deeper than 4 indexes"), "{}", refused.stdout);
}

#[test]
fn a_key_that_is_refused_is_asked_once() {
    let quickstart = Quickstart::new();
    let denied = json!({"__type": "AccessDeniedException", "message": "no"}).to_string();
    let fake = FakeKms::start(Behaviour::Answer(400, denied));
    let endpoint = format!("aws-endpoint-url={}", fake.endpoint());
    let other = Layout::new(b"other");
    let other = other.reference();
    let words = ["sign", "--oci-layout", "--force", "layout:v1", &other, "-o", "json"];
    let key = ["--id", "awskms:///alias/release", "--cert-chain", "keys/chain.pem"];
    let config = ["--plugin-config", &endpoint, "--plugin-config", "aws-region=us-east-1"];
    let refused = quickstart
        .command(&[&words[..], &key, &config].concat())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .finish()
        .expect_status(7);
    assert_eq!(fake.actions(), ["sign"]);
    let results = json_of(&refused);
    assert_eq!(results["results"][1]["error"]["message"], "not tried: the key has not signed");
}

/// A command about a registry, with quickstart's configuration.
fn on_registry(quickstart: &Quickstart, words: &[&str]) -> Finished {
    quickstart.run(&[words, &["--insecure-registry"]].concat())
}

/// Copies an artifact of a layout into a registry, with everything that it lists.
fn push(layout: &Path, tag: &str, reference: &str) -> Option<()> {
    Run::new(Component::Skopeo.or_skip()?)
        .args(["--insecure-policy", "copy", "--all", "--preserve-digests"])
        .arg("--dest-tls-verify=false")
        .arg(format!("oci:{}:{tag}", layout.display()))
        .arg(format!("docker://{reference}"))
        .finish()
        .expect_status(0);
    Some(())
}

/// Makes the policy one for a repository.
fn judge(quickstart: &Quickstart, repository: &str) {
    quickstart.change_policy(|statement| statement["registryScopes"] = json!([repository]));
}

#[test]
fn a_descriptor_is_signed_before_its_manifest_is_there() {
    let registry = ReferrersRegistry::start();
    let quickstart = Quickstart::new();
    let repository = format!("{}/team/app", registry.host());
    judge(&quickstart, &repository);
    let layout = Layout::new(b"built");
    let size = fs::metadata(layout.path().join("blobs").join(layout.digest().replace(':', "/")));
    let descriptor = json!({
        "mediaType": MANIFEST_MEDIA_TYPE, "digest": layout.digest(), "size": size.unwrap().len(),
    });
    quickstart.write("built.json", descriptor.to_string());
    let sign = ["sign", &repository, "--descriptor", "built.json"];
    on_registry(&quickstart, &sign).expect_status(0);
    if push(layout.path(), Layout::TAG, &format!("{repository}:v1")).is_none() {
        return;
    }
    let reference = format!("{repository}@{}", layout.digest());
    on_registry(&quickstart, &["verify", &reference]).expect_status(0);

    let other = format!("{repository}@sha256:{}", "0".repeat(64));
    let other = on_registry(&quickstart, &["sign", &other, "--descriptor", "built.json"]);
    assert!(other.expect_status(2).stderr.contains("is not the artifact sha256:"));
    for wrong in ["", "{}", r#"{"mediaType": "x", "digest": "sha256:00", "size": 1}"#] {
        quickstart.write("built.json", wrong);
        let refused = on_registry(&quickstart, &sign).expect_status(2);
        assert!(refused.stderr.contains("built.json is not a descriptor"), "{}", refused.stderr);
    }
}

#[test]
fn what_a_certificate_signed_is_found_in_a_layout() {
    let multi = MultiPlatform::new();
    let leaf = thumbprint(&multi.quickstart, 0);
    let list = |reference: &str, thumbprint: &str| {
        let words = ["list", "--oci-layout", reference, "--signed-by", thumbprint, "-o", "json"];
        json_of(&multi.quickstart.run(&words).expect_status(0))
    };
    let before = list("layout", &leaf);
    assert_eq!(before["lookedAt"], 6, "{before:#}");
    assert_eq!(before["artifacts"].as_array().unwrap().len(), 1, "{before:#}");
    assert_eq!(before["artifacts"][0]["tags"], json!(["v1"]));
    sign(&multi, &[]).expect_status(0);
    for thumbprint in [&leaf, &leaf.to_uppercase(), &thumbprint(&multi.quickstart, 2)] {
        let after = list("layout", thumbprint);
        assert_eq!(after["artifacts"].as_array().unwrap().len(), 6, "{after:#}");
    }
    assert_eq!(list("layout:multi", &leaf)["lookedAt"], 5);
    assert_eq!(list("layout", &"0".repeat(64))["artifacts"], json!([]));
    let wrong = ["list", "--oci-layout", "layout", "--signed-by", "CN=x"];
    let wrong = multi.quickstart.run(&wrong).expect_status(2);
    assert!(wrong.stderr.contains("64 hex digits"), "{}", wrong.stderr);
}

/// Of the certificate at that place of quickstart's chain.
fn thumbprint(quickstart: &Quickstart, place: usize) -> String {
    quickstart.write_certificates("one.pem", place, 1);
    let pem = fs::read(quickstart.path("one.pem")).unwrap();
    let certificate = notation_sdk::x509::parse_bundle(&pem).unwrap().remove(0);
    let digest = Digest::of(HashAlgorithm::Sha256, certificate.as_der());
    digest.hex().to_owned()
}

#[test]
fn what_a_certificate_signed_is_found_in_a_registry_without_the_referrers_api() {
    let Some(registry) = Registry::or_skip() else { return };
    finds_what_a_certificate_signed(registry.port());
}

#[test]
fn what_a_certificate_signed_is_found_in_a_registry_with_the_referrers_api() {
    finds_what_a_certificate_signed(ReferrersRegistry::start().port());
}

fn finds_what_a_certificate_signed(port: u16) {
    let multi = MultiPlatform::new();
    let quickstart = &multi.quickstart;
    let repository = format!("127.0.0.1:{port}/team/app");
    judge(quickstart, &repository);
    let other = Layout::new(b"other");
    if push(other.path(), Layout::TAG, &format!("{repository}:2")).is_none() {
        return;
    }
    multi.push(port, "team/app", "1");
    let references = [format!("{repository}:1"), format!("{repository}:2")];
    let sign = ["sign", "--recursive", &references[0], "-o", "json"];
    let signed = json_of(&on_registry(quickstart, &sign).expect_status(0));
    assert_eq!(each(&signed, "artifact"), multi.digests());
    let leaf = thumbprint(quickstart, 0);
    let find = ["list", &repository, "--signed-by", &leaf, "-o", "json"];
    let found = json_of(&on_registry(quickstart, &find).expect_status(0));
    let found: Vec<&str> = found["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["artifact"].as_str().unwrap())
        .collect();
    let mut expected = multi.digests();
    expected.sort();
    assert_eq!(found, expected);

    let verify = ["verify", &references[0], &references[1], "-o", "json"];
    let verdicts = json_of(&on_registry(quickstart, &verify).expect_status(9));
    assert_eq!(each(&verdicts, "result"), ["verified", "unsigned"]);
}
