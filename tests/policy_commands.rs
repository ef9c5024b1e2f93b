//! `policy`: what is told of a trust policy, and how one is put in force.

use std::{fs, path::PathBuf};

use notation_sdk::{
    algorithm::KeySpec,
    testing::TestPki,
    trust::{BlobPolicy, OciPolicy, Scopes, Verification},
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
    std::os::unix::fs::symlink("root.pem", store.join("link.pem")).unwrap();
    let linked = explain("registry.example:5000/acme/app", 0).stdout;
    assert!(linked.contains("link.pem is a symbolic link"), "{linked}");
    let words = ["explain", "registry.example:5000/acme/app", "--follow-symlinks"];
    let followed = home.run(&words).expect_status(0).stdout;
    assert!(!followed.contains("problem: "), "{followed}");
    fs::remove_file(store.join("link.pem")).unwrap();
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
    let mut other_case = policy();
    other_case["trustPolicies"][0]["signatureVerification"]["Override"] =
        json!({"expiry": "enforce"});
    fs::write(home.folder.path().join("mine.json"), other_case.to_string()).unwrap();
    let refused = import(&[], 2).stderr;
    assert!(refused.contains("\"Override\" differs from \"override\" in case only"), "{refused}");
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

#[test]
fn init_writes_a_policy_that_is_valid_and_tells_what_it_wrote() {
    let home = Home::new();
    let acme = "x509.subject: C=US, ST=WA, O=Acme";
    let files = "x509.subject: C=US, ST=WA, O=Acme, OU=files";
    let words = ["init", "--name", "acme", "--trust-store", "ca:acme", "--trusted-identity", acme];
    let wrote = home.run(&words).expect_status(0);
    let path = home.configuration("trustpolicy.json");
    let written = fs::read_to_string(&path).unwrap();
    assert_eq!(wrote.stdout, format!("wrote {}\n{written}", path.display()));
    let expected = json!({"version": "1.0", "trustPolicies": [{
        "name": "acme", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:acme"], "trustedIdentities": [acme],
    }]});
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), expected);
    assert!(OciPolicy::parse(written.as_bytes()).unwrap().unknown.is_empty());
    home.run(&["check"]).expect_status(0);
    // Nothing vouches for anybody yet.
    assert!(wrote.stderr.contains("warning: trust store ca:acme is missing"), "{}", wrote.stderr);
    assert!(wrote.stderr.contains("notation-kms cert add --type ca --store acme FILE"));

    let more = [
        "init",
        "-n",
        "two",
        "--scope",
        "registry.example/a",
        "--scope",
        "registry.example/b",
        "--level",
        "audit",
        "--trust-store",
        "ca:acme",
        "--trust-store",
        "tsa:stamps",
        "--trusted-identity",
        "*",
    ];
    let refused = home.run(&more).expect_status(2);
    assert!(refused.stderr.contains("exists already\n\nhint: --force replaces it"));
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
    // The file that is in force is the one that is replaced.
    home.write("trustpolicy.oci.json", &policy());
    home.run(&more).expect_status(2);
    home.run(&[&more[..], &["--force"]].concat()).expect_status(0);
    let read = |name: &str| fs::read(home.configuration(name)).unwrap();
    let policy = OciPolicy::parse(&read("trustpolicy.oci.json")).unwrap().policy;
    let Verification::Verify(asked) = &policy.statements[0].statement.verification else {
        panic!()
    };
    assert_eq!((asked.level.name(), asked.trust_stores.len()), ("audit", 2));
    let Scopes::Repositories(scopes) = &policy.statements[0].scopes else { panic!() };
    assert_eq!(scopes.len(), 2);
    assert_eq!(read("trustpolicy.json"), written.as_bytes());

    let blob =
        ["init", "--blob", "-n", "files", "--trust-store", "ca:acme", "--trusted-identity", files];
    home.run(&blob).expect_status(0);
    let policy = BlobPolicy::parse(&read("trustpolicy.blob.json")).unwrap().policy;
    assert!(!policy.statements[0].is_global);
    home.run(&[&blob[..], &["--global", "--force"]].concat()).expect_status(0);
    let policy = BlobPolicy::parse(&read("trustpolicy.blob.json")).unwrap().policy;
    assert!(policy.statements[0].is_global);
    home.run(&["check", "--blob"]).expect_status(0);
}

#[test]
fn init_writes_nothing_that_would_not_be_valid() {
    let home = Home::new();
    let store = ["--trust-store", "ca:acme"];
    let anybody = ["--trusted-identity", "*"];
    let both = [store, anybody].concat();
    for (words, reason) in [
        (anybody.to_vec(), "--trust-store TYPE:NAME is missing"),
        (store.to_vec(), "--trusted-identity IDENTITY is missing"),
        ([&both[..], &["--trust-store", "acme"]].concat(), "\"acme\" is not a trust store"),
        ([&both[..], &["--trust-store", "ca:../x"]].concat(), "\"ca:../x\" is not a trust store"),
        ([&both[..], &["--scope", "app"]].concat(), "\"app\" is not a fully qualified repository"),
        ([&store[..], &["--trusted-identity", "O=Acme"]].concat(), "\"O=Acme\" has no prefix"),
        (
            [&store[..], &["--trusted-identity", "x509.subject: O=Acme"]].concat(),
            "has no C: C, ST (or S)",
        ),
        (
            [&both[..], &["--trusted-identity", "x509.subject: C=US, ST=WA, O=Acme"]].concat(),
            "\"*\" stands for all",
        ),
        (
            [&both[..], &["--level", "loose"]].concat(),
            "invalid value 'loose' for '--level <LEVEL>'",
        ),
        ([&both[..], &["--global"]].concat(), "--blob"),
        ([&both[..], &["--blob", "--scope", "registry.example/a"]].concat(), "cannot be used with"),
        (vec!["--level", "skip"], "level skip cannot be used with the global scope"),
        (
            [&both[..], &["--level", "skip", "--scope", "registry.example/a"]].concat(),
            "level skip verifies nothing",
        ),
        ([&both[..], &["--name", ""]].concat(), "name is empty"),
    ] {
        let name: &[&str] = if words.contains(&"--name") { &[] } else { &["--name", "acme"] };
        let refused = home.run(&[&["init"], name, &words].concat()).expect_status(2);
        assert!(refused.stderr.contains(reason), "{words:?}: {}", refused.stderr);
    }
    assert!(!home.configuration("trustpolicy.json").exists());
    assert!(!home.configuration("trustpolicy.blob.json").exists());

    let skip = ["init", "--name", "tools", "--level", "skip", "--scope", "registry.example/tools"];
    assert_eq!(home.run(&skip).expect_status(0).stderr, "");
    let foreign =
        ["init", "--name", "a", "--force", "--trust-store", "ca:acme", "--trusted-identity"];
    let told = home.run(&[&foreign[..], &["x509.Subject: C=US, ST=WA, O=Acme"]].concat());
    let told = told.expect_status(0).stderr;
    assert!(told.contains("x509.Subject: C=US, ST=WA, O=Acme matches nobody"), "{told}");
}
