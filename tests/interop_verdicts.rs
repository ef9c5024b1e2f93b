//! Artifacts of others, verified under their trust policies: the notation CLI's verdicts, or a clause's.

use std::{collections::BTreeMap, fs, path::Path};

use notation_sdk::{
    Envelope, EnvelopeFormat,
    oci::Descriptor,
    revocation::{CrlEvidence, Evidence, FetchFailure, FetchFailureKind, OcspEvidence},
    trust::{OciPolicy, TrustAnchors},
    verify::{Artifact, Check, CheckVerdict, Outcome, evaluate},
    x509::parse_bundle,
};
use serde::Deserialize;
use serde_json::Value;
use time::{UtcDateTime, macros::utc_datetime};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/interop");
/// When the notation CLI judged them.
const AT: UtcDateTime = utc_datetime!(2026-11-23 03:20:00);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    name: String,
    comment: String,
    envelopes: Vec<String>,
    artifact: Descriptor,
    policy: Value,
    /// Files of `anchors/`, by trust store.
    anchors: BTreeMap<String, Vec<String>>,
    user_metadata: BTreeMap<String, String>,
    accepted: bool,
    /// The checks that failed in notation-go, logged ones too, by envelope.
    failed_checks: Vec<Vec<String>>,
}

impl Case {
    /// The name without the format.
    fn base(&self) -> &str {
        self.name.trim_end_matches("-jws").trim_end_matches("-cose")
    }

    /// The checks that have to fail here. Notation-go compares payload and artifact after its checks, and
    /// counts that for none; here it is a matter of integrity.
    fn expected_checks(&self) -> Vec<Vec<String>> {
        let expected = |failed: &Vec<String>| match failed.as_slice() {
            [] if !self.accepted => vec!["integrity".to_owned()],
            failed => failed.to_vec(),
        };
        self.failed_checks.iter().map(expected).collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Divergence {
    expect: String,
    clause: String,
}

impl Divergence {
    fn accepts(&self) -> bool {
        match self.expect.as_str() {
            "accept" => true,
            "refuse" => false,
            other => panic!("{other:?} is neither accept nor refuse"),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    serde_json::from_slice(&fs::read(Path::new(FOLDER).join(name)).unwrap()).unwrap()
}

/// What the responders and distribution points of the signer's certificates answered then.
fn answers(envelope: &Envelope) -> Evidence {
    let mut evidence = Evidence::new();
    for certificate in envelope.dangerous_unverified().certificate_chain().certificates() {
        for url in certificate.ocsp_urls().unwrap() {
            let name = format!("{}.der", url.rsplit('/').find(|part| !part.is_empty()).unwrap());
            let answer = answer(&format!("ocsp/{name}"));
            let fingerprint = certificate.fingerprint();
            evidence.ocsp.push(OcspEvidence::new(url, AT, fingerprint, answer));
        }
        for point in certificate.crl_distribution_points().unwrap() {
            for url in point.uris() {
                let answer = answer(&format!("crl/{}", url.rsplit('/').next().unwrap()));
                evidence.crls.push(CrlEvidence::new(url, AT, answer));
            }
        }
    }
    evidence
}

fn answer(name: &str) -> Result<Vec<u8>, FetchFailure> {
    fs::read(Path::new(FOLDER).join("revocation").join(name))
        .map_err(|_| FetchFailure::new(FetchFailureKind::Status(404), "not found"))
}

/// What became of each envelope: accepted or not, and the checks that failed.
fn judge(case: &Case) -> Result<Vec<(bool, Vec<String>)>, String> {
    let policy =
        OciPolicy::parse(case.policy.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let scope = "local/net-monitor".parse().unwrap();
    let statement = &policy.policy.statement_for(&scope).ok_or("no statement")?.statement;
    let mut anchors = TrustAnchors::new();
    for (store, files) in &case.anchors {
        for file in files {
            let bytes = fs::read(Path::new(FOLDER).join("anchors").join(file)).unwrap();
            for certificate in parse_bundle(&bytes).unwrap() {
                anchors.insert(store.parse().unwrap(), certificate);
            }
        }
    }
    let mut artifact = Artifact::oci(&case.artifact);
    artifact.user_metadata.clone_from(&case.user_metadata);
    let judge = |file: &String| {
        let bytes = fs::read(Path::new(FOLDER).join("envelopes").join(file)).unwrap();
        let format =
            if file.ends_with(".jws") { EnvelopeFormat::Jws } else { EnvelopeFormat::Cose };
        match Envelope::parse(format, &bytes) {
            Err(_) => (false, vec!["integrity".to_owned()]),
            Ok(envelope) => {
                let evidence = answers(&envelope);
                match evaluate(&envelope, &artifact, statement, &anchors, &evidence, AT) {
                    Ok(accepted) => (true, failed(accepted.outcome())),
                    Err(rejected) => (false, failed(&rejected.outcome)),
                }
            }
        }
    };
    Ok(case.envelopes.iter().map(judge).collect())
}

/// Checks that failed, by the names that notation-go has for them.
fn failed(outcome: &Outcome) -> Vec<String> {
    let failed = outcome.checks.iter().filter(|result| {
        matches!(result.verdict, CheckVerdict::FailedEnforced(_) | CheckVerdict::FailedLogged(_))
    });
    let name = |check: Check| serde_json::to_value(check).unwrap().as_str().unwrap().to_owned();
    let mut names: Vec<String> = failed.map(|result| name(result.check)).collect();
    names.sort();
    names
}

#[test]
fn every_artifact_gets_the_verdict_of_notation_or_of_a_clause() {
    let cases: Vec<Case> = read("verdicts.json");
    let divergences: BTreeMap<String, Divergence> = read("divergences.json");
    assert!(cases.len() > 80, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let divergence = divergences.get(case.base());
        let wanted = divergence.map_or(case.accepted, Divergence::accepts);
        let verdicts = judge(case);
        let accepted =
            verdicts.as_ref().is_ok_and(|verdicts| verdicts.iter().any(|(accepted, _)| *accepted));
        if accepted != wanted {
            wrong.push(format!(
                "{} ({}): accepted: {wanted} was expected: {verdicts:?}",
                case.name, case.comment
            ));
        }
        match (divergence, verdicts) {
            (Some(divergence), _) => {
                let clause = &divergence.clause;
                let told = format!("{}: {clause}: is no divergence any more", case.name);
                assert_ne!(divergence.accepts(), case.accepted, "{told}");
            }
            (None, Ok(verdicts)) => {
                let checks: Vec<Vec<String>> =
                    verdicts.into_iter().map(|(_, failed)| failed).collect();
                let expected = case.expected_checks();
                if checks != expected {
                    wrong.push(format!(
                        "{} ({}): {:?} failed in notation-go, {checks:?} here",
                        case.name, case.comment, expected
                    ));
                }
            }
            (None, Err(_)) => {}
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(divergences.keys().all(|name| cases.iter().any(|case| case.base() == name)));
}

#[test]
fn every_divergence_stands_on_the_page_on_verification() {
    let page = include_str!("../docs/verify.md");
    let (_, table) = page.split_once("## 8. Where this differs").unwrap();
    let divergences: BTreeMap<String, Divergence> = read("divergences.json");
    assert!(!divergences.is_empty());
    for (name, Divergence { clause, .. }) in divergences {
        assert!(table.contains(&format!(" | {clause} |")), "{name}: {clause}");
    }
}
