//! `dct audit`: every rule finds what it should and nothing else, and every form of the report says the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{Finished, Run};

/// Runs in a folder, without the machine's own settings.
fn audit(folder: &Path, words: &[&str]) -> Finished {
    let run = Run::notation_kms().home(&folder.join("home")).current_dir(folder);
    run.args(["dct", "audit"]).args(words).finish()
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished:?}"))
}

/// `path:line: rule` of each finding.
fn lines(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap();
    let line = |finding: &Value| {
        let (path, rule) = (finding["path"].as_str().unwrap(), finding["rule"].as_str().unwrap());
        match finding["line"].as_u64() {
            Some(line) => format!("{path}:{line}: {rule}"),
            None => format!("{path}: {rule}"),
        }
    };
    findings.iter().map(line).collect()
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dct/audit")
}

/// The ids of all rules.
fn rules() -> BTreeSet<String> {
    let shown = json(&audit(&corpus(), &["--rules", "-o", "json"]).expect_status(0));
    let rules = shown["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_rule_finds_its_true_cases_and_none_of_its_false_ones() {
    let rules = rules();
    assert!(rules.len() > 30, "{rules:?}");
    let found = lines(&json(&audit(&corpus(), &[".", "-o", "json"]).expect_status(3)));
    let mut wrong = BTreeMap::new();
    for rule in &rules {
        let expected = expected(rule);
        let prefix = format!("{rule}/");
        let found: Vec<&str> = found.iter().filter_map(|line| line.strip_prefix(&prefix)).collect();
        for cases in ["true/", "false/"] {
            let is_own = |line: &&String| line.starts_with(cases) && line.ends_with(rule.as_str());
            assert_eq!(
                expected.iter().any(|line| is_own(&line)),
                cases == "true/",
                "{rule} {cases}"
            );
            assert!(
                !files(&corpus().join(rule).join(cases)).is_empty(),
                "{rule} has no {cases} case"
            );
        }
        let missed: Vec<_> =
            expected.iter().filter(|line| !found.contains(&line.as_str())).collect();
        let false_hits: Vec<_> =
            found.iter().filter(|line| !expected.iter().any(|other| other == *line)).collect();
        if !missed.is_empty() || !false_hits.is_empty() {
            wrong.insert(rule, format!("missed {missed:?}, false hits {false_hits:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let folders: BTreeSet<String> = fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("DCT"))
        .collect();
    assert_eq!(folders, rules, "folders of cases, and rules");
}

#[test]
fn every_file_of_true_cases_is_found_something_in() {
    for rule in rules() {
        let folder = corpus().join(&rule);
        let expected = expected(&rule);
        for file in files(&folder.join("true")) {
            let name = file.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            let is_expected = expected.iter().any(|line| line.starts_with(&format!("{name}:")));
            assert!(is_expected, "{rule}: nothing is expected in {name}");
        }
    }
}

/// What is to be found in the cases of a rule: `path:line: rule`.
fn expected(rule: &str) -> Vec<String> {
    let file = corpus().join(rule).join("expected.txt");
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{rule} has no cases: {e}"));
    text.lines().map(ToOwned::to_owned).collect()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
