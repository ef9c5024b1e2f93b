//! `copy`: artifacts with their signatures between registries and image layouts.

use std::{fs, path::Path};

use notation_sdk::{
    algorithm::HashAlgorithm,
    oci::{Digest, Manifest},
    registry::{Repository as _, layout::ImageLayout},
    testing::ready,
};
use serde_json::{Value, json};

use crate::support::{
    command::{Finished, Run},
    fake_http::Answer,
    fake_registry::FakeRegistry,
    http,
    multi_platform::MultiPlatform,
    quickstart::Quickstart,
    registry::{ReferrersRegistry, Registry},
};

/// An index and all that it lists, signed.
struct Signed(MultiPlatform);

impl Signed {
    fn new() -> Self {
        let multi = MultiPlatform::new();
        let words = ["sign", "--recursive", "--oci-layout", "layout:multi"];
        multi.quickstart.run(&words).expect_status(0);
        multi.quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
        Self(multi)
    }

    fn copy(&self, words: &[&str]) -> Finished {
        let words = [&["copy"], words, &["--insecure-registry", "-o", "json"]].concat();
        self.0.quickstart.run(&words)
    }

    /// From the layout.
    fn copy_from_layout(&self, destination: &str) -> Finished {
        let scope = ["--scope", Quickstart::SCOPE];
        let from = ["layout:multi", destination, "--from-oci-layout"];
        self.copy(&[&from[..], &scope].concat())
    }

    /// Verifies everything in a repository.
    fn verify_all(&self, repository: &str) {
        let references: Vec<String> =
            self.0.digests().iter().map(|digest| format!("{repository}@{digest}")).collect();
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        let words = [&["verify", "--insecure-registry"], references.as_slice()].concat();
        self.0.quickstart.run(&words).expect_status(0);
    }
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"))
}

/// The status of a manifest.
fn manifest(port: u16, repository: &str, reference: &str) -> u16 {
    let accept = [("Accept", "application/vnd.oci.image.index.v1+json, */*")];
    let path = format!("/v2/{repository}/manifests/{reference}");
    http::request(port, "GET", &path, &accept, b"").unwrap().status
}

#[test]
fn an_artifact_goes_round_with_all_its_signatures() {
    let Some(old) = Registry::or_skip() else { return };
    let new = ReferrersRegistry::start();
    let signed = Signed::new();
    let first = format!("{}/team/app", old.host());
    let report = json_of(&signed.copy_from_layout(&format!("{first}:1")).expect_status(0));
    assert_eq!(report["artifact"], signed.0.index.digest.to_string());
    assert_eq!(report["signer"], "CN=Quickstart signer,O=Notation Quickstart,ST=WA,C=US");
    assert_eq!(report["manifests"], 5);
    assert_eq!(report["signatures"].as_array().unwrap().len(), 5);
    signed.verify_all(&first);

    let second = format!("{}/other/app", new.host());
    let tagged = [format!("{first}:1"), format!("{second}:1")];
    signed.copy(&[&tagged[0], &tagged[1]]).expect_status(0);
    assert_eq!(manifest(new.port(), "other/app", "1"), 200);
    signed.verify_all(&second);

    let back = ["back:again", "--to-oci-layout"];
    signed.copy(&[&[tagged[1].as_str()][..], &back].concat()).expect_status(0);
    let again = ["--scope", "any/where", "--oci-layout", "back:again"];
    signed.0.quickstart.run(&[&["verify"][..], &again].concat()).expect_status(0);
    let (from, to) = (signed.0.quickstart.path("layout"), signed.0.quickstart.path("back"));
    let kept: Vec<String> = blobs(&to);
    let known = blobs(&from);
    assert!(kept.iter().all(|blob| known.contains(blob)), "nothing is made on the way");
    let third = ["third:x", "--from-oci-layout", "--to-oci-layout", "--scope", "any/where"];
    signed.copy(&[&["back:again"][..], &third].concat()).expect_status(0);
    assert_eq!(blobs(&signed.0.quickstart.path("third")), kept);
}

/// Names of all blobs, each of which has the digest that its name says.
fn blobs(layout: &Path) -> Vec<String> {
    let entries = fs::read_dir(layout.join("blobs/sha256")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let bytes = fs::read(entry.path()).unwrap();
            assert_eq!(Digest::of(HashAlgorithm::Sha256, &bytes).hex(), name);
            name
        })
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_there_is_not_sent_again_and_a_registry_takes_its_own_blobs() {
    let Some(registry) = Registry::or_skip() else { return };
    let signed = Signed::new();
    let (first, second) =
        (format!("{}/team/app:1", registry.host()), format!("{}/team/copy:1", registry.host()));
    let report = json_of(&signed.copy_from_layout(&first).expect_status(0));
    // Three layers, the empty config of manifests and signatures, and five envelopes.
    assert_eq!(report["blobs"]["copied"], 9, "{report:#}");
    let again = json_of(&signed.copy_from_layout(&first).expect_status(0));
    assert_eq!(again["blobs"]["copied"], 0, "{again:#}");
    let mounted = json_of(&signed.copy(&[&first, &second]).expect_status(0));
    assert_eq!(mounted["blobs"]["copied"], 0, "{mounted:#}");
    assert_eq!(mounted["blobs"]["mounted"], 9, "{mounted:#}");
    signed.verify_all(second.strip_suffix(":1").unwrap());
}

#[test]
fn what_the_policy_refuses_is_not_copied() {
    let registry = ReferrersRegistry::start();
    let signed = Signed::new();
    let destination = format!("{}/team/app:1", registry.host());
    let quickstart = &signed.0.quickstart;
    quickstart.change_policy(|statement| {
        statement["trustedIdentities"] = json!(["x509.subject: C=US, ST=WA, O=Other"]);
    });
    let refused = signed.copy_from_layout(&destination).expect_status(3);
    assert!(refused.stderr.contains("nothing was copied"), "{}", refused.stderr);
    assert_eq!(json_of(&refused)["result"], "rejected");
    assert_eq!(manifest(registry.port(), "team/app", "1"), 404);
    quickstart.change_policy(|statement| statement["registryScopes"] = json!(["a/b"]));
    signed.copy_from_layout(&destination).expect_status(5);
}

#[test]
fn a_blob_that_is_changed_or_missing_is_not_copied_and_the_tag_is_not_set() {
    let registry = ReferrersRegistry::start();
    let signed = Signed::new();
    let destination = format!("{}/team/app:1", registry.host());
    let layer = Digest::of(HashAlgorithm::Sha256, b"arm64");
    let path = signed.0.quickstart.blob(layer.as_str());
    for (content, status) in [(Some(&b"ARM64"[..]), 3), (Some(b"arm"), 3), (None, 8)] {
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let refused = signed.copy_from_layout(&destination).expect_status(status);
        assert!(refused.stdout.contains(layer.as_str()), "{}", refused.stdout);
        assert_eq!(manifest(registry.port(), "team/app", "1"), 404);
        let to_layout =
            ["layout:multi", "new:1", "--from-oci-layout", "--to-oci-layout", "--scope", "a/b"];
        signed.copy(&to_layout).expect_status(status);
        let list = ["list", "--oci-layout", "new:1"];
        signed.0.quickstart.run(&list).expect_status(8);
    }
}

#[test]
fn a_signature_that_cannot_be_read_is_left_out_and_the_rest_copied() {
    let Some(registry) = Registry::or_skip() else { return };
    let quickstart = Quickstart::new();
    quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
    let sign = ["sign", "--force", "--oci-layout", "layout:v1", "-o", "json"];
    let broken = json_of(&quickstart.run(&sign).expect_status(0));
    fs::remove_file(quickstart.blob(broken["envelope"].as_str().unwrap())).unwrap();
    let there = format!("{}/team/app:1", registry.host());
    let words = ["copy", "layout:v1", &there, "--from-oci-layout", "--scope", "a/b", "-o", "json"];
    let copied = quickstart.run(&[&words[..], &["--insecure-registry"]].concat()).expect_status(0);
    assert!(copied.stderr.contains("it is not copied"), "{}", copied.stderr);
    let report = json_of(&copied);
    assert_eq!(report["signatures"].as_array().unwrap().len(), 1);
    assert_eq!(report["unreadable"][0]["manifest"], broken["manifest"]);
    quickstart.run(&["verify", &there, "--insecure-registry"]).expect_status(0);
}

#[test]
fn a_signature_without_an_envelope_is_left_out() {
    let quickstart = Quickstart::new();
    let (layout, listed) = quickstart.signature();
    let mut manifest: Manifest = serde_json::from_slice(&layout.read(&listed).unwrap()).unwrap();
    manifest.layers[0].digest = Digest::of(HashAlgorithm::Sha256, b"{}");
    manifest.layers[0].size = 2;
    let empty = ready(layout.push_signature(&manifest, b"{}")).unwrap();
    let words = ["copy", "layout:v1", "copied:v1", "--from-oci-layout", "--to-oci-layout"];
    let scope = ["--scope", Quickstart::SCOPE, "-o", "json"];
    let copied = quickstart.run(&[&words[..], &scope].concat()).expect_status(0);
    let report = json_of(&copied);
    assert_eq!(report["signatures"], json!([listed.digest]));
    assert_eq!(report["unreadable"][0]["manifest"], json!(empty.digest));
    let told = report["unreadable"][0]["error"].as_str().unwrap();
    assert!(told.contains("signature envelope cannot be parsed"), "{told}");
}

#[test]
fn no_more_signatures_are_copied_than_are_looked_at() {
    let quickstart = Quickstart::new();
    let sign = ["sign", "--force", "--oci-layout", "layout:v1"];
    for _ in 0..2 {
        quickstart.run(&sign).expect_status(0);
    }
    let words =
        ["copy", "layout:v1", "new:1", "--from-oci-layout", "--to-oci-layout", "-o", "json"];
    let bound = ["--scope", Quickstart::SCOPE, "--max-signatures", "2"];
    let copied = quickstart.run(&[&words[..], &bound].concat()).expect_status(0);
    assert!(
        copied.stderr.contains("signatures that are not looked at: 1, as --max-signatures is 2"),
        "{}",
        copied.stderr
    );
    assert_eq!(json_of(&copied)["signatures"].as_array().unwrap().len(), 2);
}

#[test]
fn a_destination_that_takes_no_signatures_gets_no_tag() {
    let quickstart = Quickstart::new();
    quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
    ImageLayout::open_or_create(quickstart.path("there"))
        .unwrap()
        .push_blob("application/octet-stream", b"")
        .unwrap();
    let registry = FakeRegistry::start(&quickstart.path("there"), |request, _| {
        let is_signature = request.method == "PUT" && request.body.contains("\"subject\"");
        is_signature.then(|| Answer::new(400, ""))
    });
    let there = format!("{}/team/app:prod", registry.host());
    let words = ["copy", "layout:v1", &there, "--from-oci-layout", "--scope", "a/b"];
    let words = [&words[..], &["--insecure-registry"]].concat();
    quickstart.run(&words).expect_status(1);
    let tags = registry.requests().into_iter().filter(|asked| asked.target.ends_with("/prod"));
    assert_eq!(tags.count(), 0);
}

#[test]
fn a_large_blob_is_carried_in_little_memory() {
    const SIZE: usize = 220 << 20;
    let Some(registry) = Registry::or_skip() else { return };
    let quickstart = Quickstart::new();
    quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
    let layout = ImageLayout::open(quickstart.path("layout")).unwrap();
    let layer = layout.push_blob("application/octet-stream", &vec![7; SIZE]).unwrap();
    layout
        .push_manifest(&Manifest::artifact("application/vnd.example", layer), Some("large"))
        .unwrap();
    quickstart.run(&["sign", "--oci-layout", "layout:large"]).expect_status(0);
    let there = format!("{}/team/large:1", registry.host());
    let from_layout = ["layout:large", &there, "--from-oci-layout", "--scope", "a/b"];
    let to_layout = [&there, "copied:1", "--to-oci-layout"];
    for words in [&from_layout[..], &to_layout] {
        // Less than the blob.
        Run::notation_kms_within(160_000)
            .args(["copy", "--insecure-registry"])
            .args(words)
            .env("XDG_CONFIG_HOME", quickstart.path("config"))
            .current_dir(&quickstart.path(""))
            .finish()
            .expect_status(0);
    }
    let scope = ["verify", "--oci-layout", "copied:1", "--scope", "a/b"];
    quickstart.run(&scope).expect_status(0);
}

#[test]
fn references_that_make_no_sense_are_refused_before_anything_is_written() {
    let signed = Signed::new();
    let tar = signed.0.quickstart.path("layout.tar");
    fs::write(tar, b"").unwrap();
    for (words, reason) in [
        (
            &["layout.tar:1", "new", "--from-oci-layout", "--to-oci-layout", "--scope", "a/b"][..],
            "only image layouts in folders are copied",
        ),
        (&["layout:multi", "new", "--from-oci-layout", "--to-oci-layout"], "--scope is missing"),
        (&["registry.example/a", "new", "--to-oci-layout"], "names neither a tag nor a digest"),
        (&["a", "b"], "names no registry"),
    ] {
        let refused = signed.copy(words).expect_status(2);
        assert!(refused.stdout.contains(reason), "{words:?}: {}", refused.stdout);
        assert!(!signed.0.quickstart.path("new").exists());
    }
}
