//! The `rev-*` cases of others: revocation fails where it failed in notation-go, by the same answers.

use std::{fs, path::Path};

use notation_sdk::{
    CertificateChain, Envelope, EnvelopeFormat,
    revocation::{
        CrlEvidence, Evidence, FetchFailure, FetchFailureKind, OcspEvidence, RevocationStatus,
        SigningTime, judge,
    },
};
use serde_json::Value;
use time::{UtcDateTime, macros::utc_datetime};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/interop");
/// When the notation CLI judged them.
const AT: UtcDateTime = utc_datetime!(2026-11-23 03:20:00);

/// What the servers answered that the chain's certificates name.
fn evidence(chain: &CertificateChain) -> Evidence {
    let mut evidence = Evidence::new();
    for certificate in chain.certificates() {
        for url in certificate.ocsp_urls().unwrap() {
            let answer = answer(&format!("ocsp/{}.der", last_part(&url)));
            evidence.ocsp.push(OcspEvidence::new(url, AT, certificate.fingerprint(), answer));
        }
        for point in certificate.crl_distribution_points().unwrap() {
            for url in point.uris() {
                let answer = answer(&format!("crl/{}", last_part(url)));
                evidence.crls.push(CrlEvidence::new(url, AT, answer));
            }
        }
    }
    evidence
}

fn last_part(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

fn answer(file: &str) -> Result<Vec<u8>, FetchFailure> {
    fs::read(Path::new(FOLDER).join("revocation").join(file))
        .map_err(|_| FetchFailure::new(FetchFailureKind::Status(404), file))
}

fn chain(file: &str) -> CertificateChain {
    let format = if file.ends_with(".jws") { EnvelopeFormat::Jws } else { EnvelopeFormat::Cose };
    let bytes = fs::read(Path::new(FOLDER).join("envelopes").join(file)).unwrap();
    let content = Envelope::parse(format, &bytes).unwrap().verify().unwrap();
    content.certificate_chain().clone()
}

#[test]
fn revocation_fails_where_it_failed_in_notation_go() {
    let cases = fs::read(Path::new(FOLDER).join("verdicts.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_slice(&cases).unwrap();
    let mut seen = (0, 0);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        if !name.starts_with("rev-") {
            continue;
        }
        let failed = case["failedChecks"][0].as_array().unwrap();
        let passed = !failed.iter().any(|check| check == "revocation");
        let chain = chain(case["envelopes"][0].as_str().unwrap());
        let judged = judge(&chain, &evidence(&chain), AT, SigningTime::Unknown);
        let accepted = judged.iter().all(|one| one.status.is_accepted());
        assert_eq!(accepted, passed, "{name}: {judged:#?}");
        let is_revoked =
            judged.iter().any(|one| matches!(one.status, RevocationStatus::Revoked { .. }));
        let expected = ["revoked", "hold"].iter().any(|word| name.contains(word));
        assert_eq!(is_revoked, expected, "{name}: {judged:#?}");
        seen = if passed { (seen.0 + 1, seen.1) } else { (seen.0, seen.1 + 1) };
    }
    assert!(seen.0 >= 6 && seen.1 >= 16, "{seen:?}");
}
