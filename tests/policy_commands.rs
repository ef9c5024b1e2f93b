//! `policy`: what is told of a trust policy, and how one is put in force.

use std::{fs, path::PathBuf};

use notation_sdk::{
    algorithm::KeySpec,
    testing::TestPki,
    x509::{CertificateChain, to_pem},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::macros::utc_datetime;

use crate::support::command::{Finished, Run};

struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { folder: TempDir::new().unwrap() };
        fs::create_dir_all(home.configuration("")).unwrap();
        home
    }

    fn configuration(&self, name: &str) -> PathBuf {
        self.folder.path().join("config/notation").join(name)
    }

    fn write(&self, name: &str, policy: &Value) {
        fs::write(self.configuration(name), policy.to_string()).unwrap();
    }

    fn run(&self, words: &[&str]) -> Finished {
        let home = self.folder.path();
        Run::notation_kms().home(home).current_dir(home).arg("policy").args(words).finish()
    }
}

fn policy() -> Value {
    json!({"version": "1.0", "trustPolicies": [
        {
            "name": "acme",
            "registryScopes": ["registry.example:5000/acme/app"],
            "signatureVerification": {"level": "permissive", "override": {"revocation": "skip"}},
            "trustStores": ["ca:acme"],
            "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme"],
        },
        {"name": "unsigned", "registryScopes": ["registry.example/tools"], "signatureVerification": {"level": "skip"}},
    ]})
}

#[test]
fn check_tells_all_problems_with_their_places() {
    let home = Home::new();
    home.write("trustpolicy.json", &policy());
    let valid = home.run(&["check"]).expect_status(0);
    assert!(valid.stdout.ends_with("trustpolicy.json is valid\n"), "{}", valid.stdout);

    let mut broken = policy();
    broken["trustPolicies"][0]["trustStores"] = json!(["acme"]);
    broken["trustPolicies"][0]["trustedIdentites"] = json!(["*"]);
    home.write("trustpolicy.json", &broken);
    let refused = home.run(&["check"]).expect_status(3);
    assert!(refused.stdout.contains("problem: statement \"acme\", $.trustPolicies[0].trustStores[0]: \"acme\" is not a trust store"), "{}", refused.stdout);
    assert!(
        refused
            .stdout
            .contains("member \"trustedIdentites\" is not known: \"trustedIdentities\" is"),
        "{}",
        refused.stdout
    );

    fs::write(home.folder.path().join("other.json"), "{}{}").unwrap();
    let refused = home.run(&["check", "other.json", "-o", "json"]).expect_status(3);
    let report: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(report["ok"], false);
    assert!(
        report["problems"][0]["problem"]
            .as_str()
            .unwrap()
            .starts_with("trust policy is not a JSON document: trailing characters"),
        "{report:#}"
    );
    home.run(&["check", "none.json"]).expect_status(2);
    home.run(&["check", "--blob"]).expect_status(5);
}

#[test]
fn explain_tells_the_statement_and_what_it_asks_for() {
    let home = Home::new();
    home.write("trustpolicy.json", &policy());
    let store = home.configuration("truststore/x509/ca/acme");
    fs::create_dir_all(&store).unwrap();
    let explain = |reference: &str, status| home.run(&["explain", reference]).expect_status(status);
    let missing = explain("registry.example:5000/acme/app", 0).stdout;
    assert!(missing.contains("problem: trust store ca:acme is empty"), "{missing}");

    let pki = TestPki::new(KeySpec::Ec256, utc_datetime!(2026-11-23 12:00:00)).unwrap();
    let root = pki.chain.certificates().last().unwrap().clone();
    fs::write(store.join("root.pem"), to_pem(&CertificateChain::from_ordered(vec![root]).unwrap()))
        .unwrap();
    for reference in
        ["registry.example:5000/acme/app:1.0", "registry.example:5000/acme/app@sha256:00"]
    {
        let told = explain(reference, 0).stdout;
        for line in [
            "statement:   acme (names this repository)",
            "level:       permissive",
            "  authenticity:         enforced",
            "  expiry:               logged",
            "  revocation:           skipped",
            "timestamps:  not looked at: no store of type tsa is named",
            "    CN=root,O=Test,ST=WA,C=US",
            "  x509.subject: C=US, ST=WA, O=Acme",
        ] {
            assert!(told.lines().any(|found| found == line), "{line}\n{told}");
        }
    }
    let skip = explain("registry.example/tools", 0).stdout;
    assert!(skip.contains("level:       skip: signatures are not looked at"), "{skip}");
    let none = explain("registry.example/other", 5).stderr;
    assert!(
        none.contains("is for registry.example/other: every signature there is refused"),
        "{none}"
    );
    assert!(explain("app", 2).stderr.contains("\"app\" is not a fully qualified repository"));

    let json = home
        .run(&["explain", "registry.example:5000/acme/app", "-o", "json"])
        .expect_status(0)
        .stdout;
    let report: Value = serde_json::from_str(&json).unwrap();
    let checks = json!({"authenticity": "enforce", "authenticTimestamp": "log", "expiry": "log", "revocation": "skip"});
    assert_eq!(report["checks"], checks);
    assert_eq!(report["trustStores"][0]["certificates"], json!(["CN=root,O=Test,ST=WA,C=US"]));
}

#[test]
fn the_policy_in_force_is_notations_newer_file_where_both_are_there() {
    let home = Home::new();
    home.write("trustpolicy.json", &policy());
    let mut other = policy();
    other["trustPolicies"][0]["name"] = "newer".into();
    home.write("trustpolicy.oci.json", &other);
    let shown = home.run(&["show"]).expect_status(0);
    assert_eq!(shown.stdout.trim_end(), other.to_string());
    assert!(shown.stderr.contains("trustpolicy.oci.json is in force, and "), "{}", shown.stderr);
    // A broken one is an error, and not passed over for the older.
    fs::write(home.configuration("trustpolicy.oci.json"), "{").unwrap();
    home.run(&["explain", "registry.example/tools"]).expect_status(5);
    fs::remove_file(home.configuration("trustpolicy.oci.json")).unwrap();
    assert_eq!(home.run(&["show"]).expect_status(0).stderr, "");
}

#[test]
fn import_puts_only_valid_policies_in_force() {
    let home = Home::new();
    let file = home.folder.path().join("mine.json");
    let import = |more: &[&str], status| {
        home.run(&[&["import", "mine.json"], more].concat()).expect_status(status)
    };
    let mut broken = policy();
    broken["version"] = "9".into();
    fs::write(&file, broken.to_string()).unwrap();
    assert!(import(&[], 2).stderr.contains("version \"9\" is not supported"));
    assert!(!home.configuration("trustpolicy.json").exists());

    fs::write(&file, policy().to_string()).unwrap();
    import(&[], 0);
    assert_eq!(fs::read(home.configuration("trustpolicy.json")).unwrap(), fs::read(&file).unwrap());
    assert!(import(&[], 2).stderr.contains("exists already\n\nhint: --force replaces it"));
    home.write("trustpolicy.oci.json", &policy());
    let replaced = import(&["--force"], 0);
    assert!(replaced.stdout.ends_with("trustpolicy.oci.json\n"), "{}", replaced.stdout);
    // A policy for artifacts is none for files: it has scopes there, and nobody is told by name.
    let blob = json!({"version": "1.0", "trustPolicies": [{
        "name": "files", "globalPolicy": true, "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:acme"], "trustedIdentities": ["*"],
    }]});
    fs::write(&file, blob.to_string()).unwrap();
    import(&["--blob"], 0);
    assert!(home.configuration("trustpolicy.blob.json").is_file());
    home.run(&["check", "--blob"]).expect_status(0);
}
