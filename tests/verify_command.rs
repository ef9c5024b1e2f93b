//! `verify --oci-layout`, over what quickstart and notation have signed.

use std::{fs, path::PathBuf};

use notation_sdk::{
    algorithm::KeySpec,
    testing::TestPki,
    x509::{CertificateChain, to_pem},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::UtcDateTime;

use crate::support::{
    command::{Finished, Run},
    layout::Layout,
    notation::{Artifact, Notation},
    openssl::{Authority, Openssl},
};

/// What quickstart made: a signed artifact in a layout, and a strict policy.
struct Quickstart {
    folder: TempDir,
    digest: String,
}

const SCOPE: &str = "local/quickstart";

impl Quickstart {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let run = Run::notation_kms().home(folder.path()).current_dir(folder.path());
        let made = run.args(["quickstart", "--to", "qs"]).finish().expect_status(0);
        let start = made.stdout.find("sha256:").unwrap();
        let digest = made.stdout[start..start + 71].to_owned();
        Self { folder, digest }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("qs").join(name)
    }

    fn verify(&self, more: &[&str]) -> Finished {
        self.verify_as(&self.digest, SCOPE, more)
    }

    fn verify_as(&self, digest: &str, scope: &str, more: &[&str]) -> Finished {
        let reference = format!("layout@{digest}");
        let run = Run::notation_kms().env("XDG_CONFIG_HOME", self.path("config"));
        let words = ["verify", "--oci-layout", &reference, "--scope", scope];
        run.current_dir(&self.path("")).args([&words, more].concat()).finish()
    }

    /// Changes the trust policy's only statement.
    fn change_policy(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path("config/notation/trustpolicy.json");
        let mut policy: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut policy["trustPolicies"][0]);
        fs::write(path, policy.to_string()).unwrap();
    }

    /// The blob with that digest.
    fn blob(&self, digest: &str) -> PathBuf {
        self.path("layout/blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stdout))
}

#[test]
fn what_quickstart_signed_is_verified_under_its_strict_policy() {
    let quickstart = Quickstart::new();
    let verified = quickstart.verify(&[]).expect_status(0);
    let told = format!("verified: layout@{}, signed by CN=Quickstart signer,", quickstart.digest);
    assert!(verified.stdout.starts_with(&told), "{}", verified.stdout);
    let report = json_of(&quickstart.verify(&["-o", "json"]).expect_status(0));
    assert_eq!(report["result"], "verified");
    let checks = report["signatures"][0]["outcome"]["checks"].as_array().unwrap().clone();
    assert_eq!(checks.len(), 7);
    assert!(checks.iter().all(|check| check["verdict"] == "passed"), "{report:#}");
}

#[test]
fn a_signature_that_the_policy_does_not_trust_is_rejected_with_the_reason() {
    let quickstart = Quickstart::new();
    quickstart.change_policy(|statement| {
        statement["trustedIdentities"] = json!(["x509.subject: C=US, ST=WA, O=Other"]);
    });
    let rejected = quickstart.verify(&[]).expect_status(3);
    assert!(
        rejected.stdout.contains("authenticity failed: CN=Quickstart signer,"),
        "{}",
        rejected.stdout
    );
    assert!(
        rejected.stdout.ends_with(&format!(
            "rejected: layout@{}, by statement \"quickstart\"\n",
            quickstart.digest
        )),
        "{}",
        rejected.stdout
    );

    quickstart
        .change_policy(|statement| statement["signatureVerification"] = json!({"level": "audit"}));
    let accepted = quickstart.verify(&[]).expect_status(0);
    assert!(
        accepted.stdout.contains("authenticity failed, and is only logged: "),
        "{}",
        accepted.stdout
    );
    assert!(
        accepted.stdout.contains("accepted with failures, the signer is not proved: "),
        "{}",
        accepted.stdout
    );
    let report = json_of(&quickstart.verify(&["-o", "json"]).expect_status(0));
    assert_eq!((&report["result"], &report["signer"]), (&json!("withFailures"), &Value::Null));
    let metadata = quickstart.verify(&["-m", "build=7"]).expect_status(3);
    assert!(
        metadata
            .stdout
            .contains("user metadata failed: user metadata \"build\" is not in the signature"),
        "{}",
        metadata.stdout
    );
}

#[test]
fn a_store_that_cannot_be_used_is_a_matter_of_configuration() {
    let quickstart = Quickstart::new();
    let stores = quickstart.path("config/notation/truststore/x509/ca");
    for entry in fs::read_dir(stores).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    let refused = quickstart.verify(&[]).expect_status(5);
    assert!(
        refused.stdout.starts_with("problem: trust store ca:quickstart is missing"),
        "{}",
        refused.stdout
    );
    quickstart
        .change_policy(|statement| statement["signatureVerification"] = json!({"level": "audit"}));
    quickstart.verify(&[]).expect_status(0);
}

#[test]
fn exit_codes_tell_unsigned_unknown_and_not_configured_apart() {
    let quickstart = Quickstart::new();
    quickstart.verify_as(&format!("sha256:{}", "0".repeat(64)), SCOPE, &[]).expect_status(8);
    quickstart.change_policy(|statement| statement["registryScopes"] = json!(["local/other"]));
    let other = quickstart.verify(&[]).expect_status(5);
    assert!(other.stderr.contains("is for local/quickstart"), "{}", other.stderr);
    assert!(other.stderr.contains("hint: add the repository to the"), "{}", other.stderr);
    quickstart.verify_as(&quickstart.digest, "not a scope", &[]).expect_status(2);

    let layout = Layout::new(b"unsigned");
    let run = Run::notation_kms().env("XDG_CONFIG_HOME", quickstart.path("config"));
    let reference = format!("{}:{}", layout.path().display(), Layout::TAG);
    let words = ["verify", "--oci-layout", &reference, "--scope", "local/other"];
    let unsigned = run.args(words).finish().expect_status(4);
    assert!(unsigned.stdout.contains(layout.digest()), "{}", unsigned.stdout);
    fs::remove_file(quickstart.path("config/notation/trustpolicy.json")).unwrap();
    quickstart.verify(&[]).expect_status(5);
}

#[test]
fn what_stands_behind_the_at_sign_is_a_digest_or_nothing() {
    let quickstart = Quickstart::new();
    let index = fs::read_to_string(quickstart.path("layout/index.json")).unwrap();
    for (wanted, told) in [
        (quickstart.digest.to_uppercase(), "digest algorithm \"SHA256\" is none of"),
        (quickstart.digest[..15].to_owned(), "does not have 64 lower-case hex digits"),
        ("sha1:00".to_owned(), "digest algorithm \"sha1\" is none of"),
    ] {
        // A tag of that name does not help.
        let named = index.replace("\"v1\"", &format!("{wanted:?}"));
        assert_ne!(named, index);
        fs::write(quickstart.path("layout/index.json"), named).unwrap();
        let refused = quickstart.verify_as(&wanted, "local/quickstart", &[]).expect_status(2);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
}

#[test]
fn changed_blobs_are_refused_and_hide_no_good_signature() {
    let quickstart = Quickstart::new();
    let report = json_of(&quickstart.verify(&["-o", "json"]).expect_status(0));
    let envelope = quickstart.blob(report["signatures"][0]["envelope"].as_str().unwrap());
    let good = fs::read(&envelope).unwrap();
    fs::write(&envelope, b"{}").unwrap();
    let rejected = quickstart.verify(&[]).expect_status(3);
    assert!(
        rejected.stdout.contains("signature cannot be read: blob sha256:"),
        "{}",
        rejected.stdout
    );
    // Quickstart signs again where a signature is damaged; the broken one is still listed first.
    let run =
        Run::notation_kms().home(quickstart.folder.path()).current_dir(quickstart.folder.path());
    run.args(["quickstart", "--to", "qs"]).finish().expect_status(0);
    let verified = json_of(&quickstart.verify(&["-o", "json"]).expect_status(0));
    assert_eq!(verified["signatures"].as_array().unwrap().len(), 2, "{verified:#}");
    let limited = quickstart.verify(&["--max-signatures", "1"]).expect_status(3);
    assert!(
        limited
            .stderr
            .contains("warning: signatures that are not looked at: 1, as --max-signatures is 1"),
        "{}",
        limited.stderr
    );
    fs::write(&envelope, good).unwrap();

    fs::write(quickstart.blob(&quickstart.digest), b"{}").unwrap();
    let changed = quickstart.verify(&[]).expect_status(3);
    assert!(
        changed.stderr.contains(&format!("blob {} has 2 bytes", quickstart.digest)),
        "{}",
        changed.stderr
    );
}

#[test]
fn a_timestamp_that_the_policy_asks_for_is_not_passed_unjudged() {
    let quickstart = Quickstart::new();
    quickstart.change_policy(|statement| {
        statement["trustStores"] = json!(["ca:quickstart", "tsa:times"]);
    });
    let store = quickstart.path("config/notation/truststore/x509/tsa/times");
    fs::create_dir_all(&store).unwrap();
    let pki = TestPki::new(KeySpec::Ec256, UtcDateTime::now()).unwrap();
    let root = CertificateChain::from_ordered(vec![pki.chain.root().clone()]).unwrap();
    fs::write(store.join("root.pem"), to_pem(&root)).unwrap();
    let rejected = quickstart.verify(&[]).expect_status(3);
    assert!(
        rejected.stdout.contains("authentic timestamp failed: signature has no timestamp"),
        "{}",
        rejected.stdout
    );
}

#[test]
fn what_notation_signed_is_verified() {
    let (Some(notation), Some(openssl)) = (Notation::or_skip(), Openssl::or_skip()) else { return };
    let authority = Authority::new(&openssl);
    notation.trust(&authority.root());
    for spec in KeySpec::ALL {
        let key = openssl.create_key(spec.name(), spec);
        let chain = authority.issue(&openssl.request(spec.name(), "release"));
        notation.add_local_key("release", &key, &chain);
        for format in ["jws", "cose"] {
            let layout = Layout::new(format!("{spec} {format}").as_bytes());
            let signed = notation.sign(
                Artifact::Layout(&layout),
                &["--key", "release", "--signature-format", format],
            );
            signed.expect_status(0);
            let run = Run::notation_kms().home(notation.home());
            let words =
                ["verify", "--oci-layout", &layout.reference(), "--scope", "registry.example/app"];
            let verified = run.args(words).finish().expect_status(0);
            assert!(
                verified.stdout.starts_with("verified: "),
                "{spec} {format}: {}",
                verified.stdout
            );
        }
    }
}

#[test]
fn a_recorded_verdict_is_given_again_byte_for_byte_from_the_record_alone() {
    let quickstart = Quickstart::new();
    let replay = |more: &[&str]| {
        let run = Run::notation_kms().env("HOME", "/nonexistent").current_dir(&quickstart.path(""));
        run.args([&["verify", "--replay", "record.json"], more].concat()).finish()
    };
    let cases: [(&str, i32, &[&str]); 3] =
        [("verified", 0, &[]), ("rejected", 3, &["-m", "build=7"]), ("unsigned", 4, &[])];
    for (result, status, more) in cases {
        if result == "unsigned" {
            // The index alone, without what it lists but for the artifact.
            let index = quickstart.path("layout/index.json");
            let mut json: Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
            json["manifests"]
                .as_array_mut()
                .unwrap()
                .retain(|one| one.get("annotations").is_some());
            fs::write(index, json.to_string()).unwrap();
        }
        let record = [&["--record", "record.json", "-o", "json"], more].concat();
        let recorded = quickstart.verify(&record).expect_status(status);
        assert_eq!(json_of(&recorded)["result"], result);
        quickstart.verify(&record).expect_status(2);
        let layout = quickstart.path("layout");
        fs::rename(&layout, quickstart.path("gone")).unwrap();
        let replayed = replay(&["-o", "json"]).expect_status(status);
        fs::rename(quickstart.path("gone"), layout).unwrap();
        assert_eq!(replayed.stdout, recorded.stdout);
        let text = replay(&[]).expect_status(status).stdout;
        assert!(text.contains(&format!("layout@{}", quickstart.digest)), "{text}");
        fs::remove_file(quickstart.path("record.json")).unwrap();
    }
}

#[test]
fn a_replay_takes_no_option_that_a_record_has_settled() {
    let help = Run::notation_kms().args(["verify", "--help"]).finish().expect_status(0).stdout;
    let options: Vec<_> = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .filter_map(|line| line.split_once("--")?.1.split_whitespace().next())
        .filter(|name| !["help", "version", "output", "replay", "record"].contains(name))
        .collect();
    assert!(options.len() > 15, "{options:?}");
    let values = ["", "1", "1h", "a=b", "2026-11-23T12:00:00Z", "registry.example/app"];
    for option in options {
        let refused = values.iter().any(|value| {
            let given = if value.is_empty() {
                "--".to_owned() + option
            } else {
                format!("--{option}={value}")
            };
            let words = ["verify", "--replay", "record.json", &given];
            let finished = Run::notation_kms().args(words).finish().expect_status(2);
            finished.stderr.contains("cannot be used with")
        });
        assert!(refused, "--{option}");
    }
}

#[test]
fn a_statement_with_a_store_that_is_missing_trusts_nobody() {
    for stores in [["ca:missing", "ca:quickstart"], ["ca:quickstart", "ca:missing"]] {
        let quickstart = Quickstart::new();
        quickstart.change_policy(|statement| statement["trustStores"] = json!(stores));
        let refused = quickstart.verify(&[]).expect_status(5);
        assert!(refused.stdout.contains("authenticity failed"), "{}", refused.stdout);
    }
}

#[test]
fn a_record_that_was_changed_is_told() {
    let quickstart = Quickstart::new();
    quickstart.verify(&["--record", "record.json"]).expect_status(0);
    let good: Value =
        serde_json::from_slice(&fs::read(quickstart.path("record.json")).unwrap()).unwrap();
    let replay = |record: &Value| {
        fs::write(quickstart.path("changed.json"), record.to_string()).unwrap();
        let run = Run::notation_kms().current_dir(&quickstart.path(""));
        run.args(["verify", "--replay", "changed.json"]).finish()
    };
    let told = replay(&good).expect_status(0).stderr;
    assert!(
        told.contains("the verdict of a record, by the policy and the trust stores in it"),
        "{told}"
    );
    let changed = |pointer: &str, value: Value| {
        let mut record = good.clone();
        *record.pointer_mut(pointer).unwrap() = value;
        replay(&record)
    };
    let other = "sha256:".to_owned() + &"0".repeat(64);
    for (pointer, value) in [
        ("/at", json!("2999-01-01T00:00:00Z")),
        ("/anchors/ca:quickstart", json!([])),
        ("/repository/reads", json!({})),
        ("/repository/listing", Value::Null),
        ("/report/signer", json!("CN=Somebody else")),
    ] {
        let told = changed(pointer, value).expect_status(3);
        assert!(
            told.stderr.contains("tells another verdict than this"),
            "{pointer}: {}",
            told.stderr
        );
    }
    for (pointer, value) in [
        ("/version", json!(3)),
        ("/artifact/digest", json!(other)),
        ("/reference", json!(format!("registry.example/prod/app@{other}"))),
        ("/at", json!("now")),
        ("/anchors/ca:quickstart", json!(["AAAA"])),
        ("/policy/trustPolicies", json!([])),
        ("/scope", json!("local/other")),
        ("/evidence/version", json!(2)),
    ] {
        let told = changed(pointer, value).expect_status(2);
        assert!(told.stderr.contains("changed.json is no record"), "{pointer}: {}", told.stderr);
    }
    // One of another version is told as that, and not by the first member whose form has changed.
    let told = replay(&json!({"version": 1, "scope": []})).expect_status(2).stderr;
    assert!(told.contains("has version 1, and is read in version 2"), "{told}");
}
