//! An audit as SARIF 2.1.0, which code scanning reads.

use std::path::Path;

use serde_json::{Value, json};

use super::report::{Report, Row};
use crate::dct::audit::Rule;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What stands for the folder that paths begin in; code scanning knows this name.
const ROOT: &str = "%SRCROOT%";

/// One run.
pub(super) fn of(report: &Report) -> Value {
    let results = report.findings.iter().map(|row| result(row, &report.rules));
    let notifications = report.passed_over.iter().map(|passed| {
        json!({
            "level": if passed.is_failure { "error" } else { "note" },
            "message": {"text": format!("passed over {}: {}", passed.path, passed.reason)},
            "locations": [{"physicalLocation": {"artifactLocation": artifact(&passed.path)}}],
        })
    });
    let omitted = (report.omitted > 0).then(|| {
        let text = format!("{} more findings are not listed", report.omitted);
        json!({"level": "warning", "message": {"text": text}})
    });
    let notifications = notifications.chain(omitted);
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "notation-kms",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": report.rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            // Without an address, which would tell of the machine.
            "originalUriBaseIds": {ROOT: {
                "description": {"text": "The folder that the audit was run in."},
            }},
            "invocations": [{
                "executionSuccessful": !report.is_incomplete(),
                "toolExecutionNotifications": notifications.collect::<Vec<_>>(),
            }],
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": advice(rule)},
        "defaultConfiguration": {"level": rule.severity.name()},
        "properties": {"tags": ["docker-content-trust", "supply-chain"]},
    })
}

fn advice(rule: &Rule) -> String {
    format!("{} When: {}. Instead: {}.", rule.why, rule.when, rule.instead)
}

fn result(row: &Row, rules: &[&Rule]) -> Value {
    let at = rules.iter().position(|rule| rule.id == row.rule);
    let text = match at.and_then(|at| rules.get(at)) {
        Some(rule) => format!("{}. {}", rule.title, advice(rule)),
        None => row.rule.to_owned(),
    };
    json!({
        "ruleId": row.rule,
        "ruleIndex": at,
        "level": row.severity.name(),
        "message": {"text": text},
        "locations": [location(row)],
    })
}

fn location(row: &Row) -> Value {
    match row.line {
        Some(line) => json!({"physicalLocation": {
            "artifactLocation": artifact(&row.path),
            "region": {
                "startLine": line,
                "startColumn": row.column,
                "snippet": {"text": row.text},
            },
        }}),
        None if row.path == "environment" => {
            let name = row.text.split('=').next().unwrap_or_default();
            json!({"logicalLocations": [{"name": name, "kind": "variable"}]})
        }
        None => json!({"physicalLocation": {"artifactLocation": artifact(&row.path)}}),
    }
}

/// A file by its URI: below the folder in which the audit was run, or by its whole path.
fn artifact(path: &str) -> Value {
    // What stands outside of a folder has no address below it.
    let is_outside = path.split('/').any(|name| name == "..");
    let whole = is_outside.then(|| Path::new(path).canonicalize().ok()).flatten();
    let whole = whole.map(|path| path.to_string_lossy().into_owned());
    let path = whole.as_deref().unwrap_or(path);
    let uri = percent_encoded(path);
    if path.starts_with('/') {
        return json!({"uri": format!("file://{uri}")});
    }
    json!({"uri": uri, "uriBaseId": ROOT})
}

/// RFC 3986, "path": what is not unreserved or `/`, by its bytes.
fn percent_encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~/@+,=".contains(c) {
            encoded.push(c);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_as_uris() {
        assert_eq!(
            artifact("a b/ü.yml"),
            json!({"uri": "a%20b/%C3%BC.yml", "uriBaseId": "%SRCROOT%"})
        );
        assert_eq!(artifact("/etc/x"), json!({"uri": "file:///etc/x"}));
    }
}
