//! A key of KMS with a certificate of an enterprise's CA: signed, verified by live answers, revoked, refused.

use std::fs;

use notation_sdk::algorithm::KeySpec;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    command::{Finished, Run},
    layout::Layout,
    ministack::Ministack,
    openbao::{Issued, Names, Openbao},
};

const SUBJECT: &str = "C=US, ST=WA, O=Acme, CN=release";

/// A key of KMS, its certificate, and a layout that it has signed.
struct Release {
    bao: Openbao,
    issued: Issued,
    home: TempDir,
    layout: Layout,
}

impl Release {
    fn or_skip(names: Names) -> Option<Self> {
        let (kms, bao) = (Ministack::or_skip()?, Openbao::or_skip()?);
        let (home, layout) = (TempDir::new().unwrap(), Layout::new(b"content"));
        let id = format!("awskms:///{}", kms.create_key(KeySpec::Ec256));
        let config = format!("aws-endpoint-url={}", kms.endpoint());
        let key = ["--id", &id, "--plugin-config", &config];
        let request = ["cert", "request", "--subject", SUBJECT, "--to", "release.csr"];
        run(&home, &[&request[..], &key].concat()).expect_status(0);
        let request = fs::read_to_string(home.path().join("release.csr")).unwrap();
        let issued = bao.issue(&request, names);
        fs::write(home.path().join("chain.pem"), &issued.chain).unwrap();
        run(&home, &[&["cert", "check", "chain.pem"][..], &key].concat()).expect_status(0);
        trust(&home, bao.root());
        let reference = layout.reference();
        let sign = ["sign", "--oci-layout", &reference, "--cert-chain", "chain.pem"];
        run(&home, &[&sign[..], &key].concat()).expect_status(0);
        Some(Self { bao, issued, home, layout })
    }

    /// A verification in JSON.
    fn verify_command(&self, more: &[&str]) -> Finished {
        let reference = self.layout.reference();
        let words = ["verify", "--oci-layout", &reference, "--scope", "acme.example/app"];
        run(&self.home, &[&words[..], more, &["-o", "json"]].concat())
    }

    /// Its report and its exit code.
    fn verify(&self, more: &[&str]) -> (Value, Option<i32>) {
        let verified = self.verify_command(more);
        let report = serde_json::from_str(&verified.stdout);
        (report.unwrap_or_else(|_| panic!("{}", verified.stderr)), verified.status)
    }
}

fn run(home: &TempDir, words: &[&str]) -> Finished {
    Run::notation_kms()
        .home(home.path())
        .current_dir(home.path())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .args(words)
        .finish()
}

/// Trusts a root, with nothing forgiven.
fn trust(home: &TempDir, root: &str) {
    let store = home.path().join("config/notation/truststore/x509/ca/acme");
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join("root.pem"), root).unwrap();
    let policy = json!({ "version": "1.0", "trustPolicies": [{
        "name": "acme", "registryScopes": ["*"], "signatureVerification": { "level": "strict" },
        "trustStores": ["ca:acme"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme"],
    }] });
    fs::write(home.path().join("config/notation/trustpolicy.json"), policy.to_string()).unwrap();
}

/// What is said of the certificates of the one signature, leaf first.
fn statuses(report: &Value) -> Vec<(&str, Vec<&str>)> {
    let certificates = report["signatures"][0]["outcome"]["revocation"].as_array().unwrap();
    certificates
        .iter()
        .map(|one| {
            let sources = one["sources"].as_array().unwrap();
            let methods = sources.iter().map(|source| source["method"].as_str().unwrap());
            (one["status"].as_str().unwrap(), methods.collect())
        })
        .collect()
}

const FRESH: &str = "--no-revocation-cache";

#[test]
fn a_certificate_is_good_by_ocsp_until_its_ca_revokes_it() {
    let Some(release) = Release::or_skip(Names::OcspAndCrl) else { return };
    let root = ("notApplicable", vec![]);
    for more in [&[FRESH][..], &[], &[]] {
        let (report, status) = release.verify(more);
        assert_eq!(status, Some(0), "{report:#}");
        assert_eq!(
            statuses(&report),
            [("good", vec!["OCSP"]), ("good", vec!["OCSP"]), root.clone()]
        );
    }
    run(&release.home, &["revocation", "fetch", "chain.pem", "--to", "before.json"])
        .expect_status(0);
    let recorded = release.verify_command(&[FRESH, "--record", "record.json"]).expect_status(0);
    release.bao.revoke(&release.issued);
    let (report, status) = release.verify(&[FRESH]);
    assert_eq!(status, Some(3), "{report:#}");
    assert_eq!(statuses(&report), [("revoked", vec!["OCSP"]), ("good", vec!["OCSP"]), root]);
    run(&release.home, &["revocation", "check", "chain.pem", FRESH]).expect_status(3);
    // What was collected before tells of before.
    let (report, status) = release.verify(&["--offline", "--evidence", "before.json"]);
    assert_eq!(status, Some(0), "{report:#}");
    let replayed = run(&release.home, &["verify", "--replay", "record.json", "-o", "json"]);
    assert_eq!(replayed.expect_status(0).stdout, recorded.stdout);
}

#[test]
fn a_certificate_is_good_by_crl_and_delta_crl_until_its_ca_revokes_it() {
    let Some(release) = Release::or_skip(Names::CrlAndDelta) else { return };
    release.bao.rotate_delta();
    let (report, status) = release.verify(&[FRESH]);
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(statuses(&report)[0], ("good", vec!["CRL", "delta CRL"]));
    release.bao.revoke(&release.issued);
    release.bao.rotate_delta();
    let (report, status) = release.verify(&[FRESH]);
    assert_eq!(status, Some(3), "{report:#}");
    assert_eq!(statuses(&report)[0], ("revoked", vec!["delta CRL"]));
}
