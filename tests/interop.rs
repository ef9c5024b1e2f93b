//! Envelopes of others, judged for integrity as notation-go judged them, or as the specification says.

use std::{collections::BTreeMap, fs, path::Path};

use notation_sdk::{Envelope, EnvelopeFormat};
use serde::Deserialize;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/interop");

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Verifies,
    Refused,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: String,
    expect: Expect,
    comment: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Divergence {
    expect: Expect,
    clause: String,
}

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    serde_json::from_slice(&fs::read(Path::new(FOLDER).join(name)).unwrap()).unwrap()
}

fn judge(file: &str) -> Result<(), String> {
    let bytes = fs::read(Path::new(FOLDER).join("envelopes").join(file)).unwrap();
    let format = match file.rsplit_once('.').unwrap().1 {
        "jws" => EnvelopeFormat::Jws,
        "cose" => EnvelopeFormat::Cose,
        other => panic!("{other}"),
    };
    let verified = Envelope::parse(format, &bytes).and_then(Envelope::verify);
    verified.map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_envelope_gets_the_verdict_of_notation_go_or_of_a_clause() {
    let cases: Vec<Case> = read("cases.json");
    let divergences: BTreeMap<String, Divergence> = read("envelope-divergences.json");
    assert!(cases.len() > 80, "{}", cases.len());
    let mut wrong = Vec::new();
    for Case { file, expect, comment } in &cases {
        let divergence = divergences.get(file);
        let wanted = divergence.map_or(*expect, |divergence| divergence.expect);
        let verdict = judge(file);
        let found = if verdict.is_ok() { Expect::Verifies } else { Expect::Refused };
        if found != wanted {
            wrong.push(format!("{file} ({comment}): {wanted:?} was expected: {verdict:?}"));
        }
        if let Some(Divergence { expect: differs, clause }) = divergence {
            assert_ne!(differs, expect, "{file}: {clause}: is no divergence any more");
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let known = |file: &String| cases.iter().any(|case| case.file == *file);
    assert!(divergences.keys().all(known));
}

#[test]
fn every_envelope_of_the_folder_has_a_case() {
    let cases: Vec<Case> = read("cases.json");
    let mut listed: Vec<String> = cases.into_iter().map(|case| case.file).collect();
    let mut found: Vec<String> = fs::read_dir(Path::new(FOLDER).join("envelopes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    listed.sort();
    found.sort();
    assert_eq!(found, listed);
}
