//! The lines that the design draws, held by a test: layers, features, names, and the core's size.

mod source;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use source::Source;

/// What files may not name, and why.
struct Rule {
    why: &'static str,
    /// Files and folders (ending in `/`) below src/ that the rule is for; empty: all.
    within: &'static [&'static str],
    /// Files and folders that the rule leaves out.
    except: &'static [&'static str],
    /// Segments that may not follow each other in a path; a leading `^` ties them to its start.
    forbidden: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        why: "formats do not know trust",
        within: &[
            "limits.rs",
            "algorithm.rs",
            "crypto.rs",
            "oci/",
            "x509/",
            "envelope/",
            "timestamp/",
            "revocation/",
        ],
        except: &[],
        forbidden: &["^crate::trust", "^crate::verify"],
    },
    Rule {
        why: "trust does not know the network or the disk",
        within: &["trust/", "verify/evaluate.rs", "verify/outcome.rs"],
        // The folder of anchors, and the file of the policy, are read at the edge, into values.
        except: &["trust/store.rs", "trust/policy_file.rs"],
        forbidden: &[
            "^std::fs",
            "^crate::fs",
            "^std::net",
            "^tokio",
            "^reqwest",
            "^crate::registry",
            "^crate::config",
        ],
    },
    Rule {
        why: "judging trust data does not know the network or the disk",
        within: &["dct/"],
        except: &["dct/archive/", "dct/client/", "dct/collect.rs"],
        forbidden: &["^std::fs", "^crate::fs", "^std::net", "^tokio", "^reqwest", "^crate::config"],
    },
    Rule {
        why: "judging timestamps does not know the network or the disk",
        within: &["timestamp/"],
        except: &["timestamp/authority.rs"],
        forbidden: &["^std::fs", "^crate::fs", "^std::net", "^tokio", "^reqwest", "^crate::http"],
    },
    Rule {
        why: "judging revocation does not know the network or the disk",
        within: &["revocation/"],
        // Evidence is collected and kept at the edge.
        except: &["revocation/fetch/"],
        forbidden: &["^std::fs", "^crate::fs", "^std::net", "^tokio", "^reqwest", "^crate::config"],
    },
    Rule {
        why: "only cli/ and config/ know the machine: environment, home folder, clock, terminal",
        within: &[],
        except: &["main.rs", "cli/", "config/"],
        forbidden: &[
            "^std::env",
            "SystemTime::now",
            "UtcDateTime::now",
            "OffsetDateTime::now_utc",
            "^std::io::stdin",
            "^std::io::stdout",
            "^std::io::stderr",
            "io::stdin",
            "io::stdout",
            "io::stderr",
            "IsTerminal",
            "^rpassword",
            "^crate::cli",
        ],
    },
    Rule {
        why: "one file names the crypto crate for digests and raw verification",
        within: &[
            "x509/",
            "envelope/",
            "trust/",
            "verify/",
            "timestamp/",
            "revocation/",
            "oci/",
            "plugin/",
            "cli/",
        ],
        except: &[],
        forbidden: &["^aws_lc_rs"],
    },
];

/// Names of algorithms that only the table in algorithm.rs spells.
const ALGORITHM_NAMES: &[&str] = &[
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "RSA-2048",
    "RSA-3072",
    "RSA-4096",
    "EC-256",
    "EC-384",
    "EC-521",
    "SHA-256",
    "SHA-384",
    "SHA-512",
    "RSASSA-PSS-SHA-256",
    "RSASSA-PSS-SHA-384",
    "RSASSA-PSS-SHA-512",
    "ECDSA-SHA-256",
    "ECDSA-SHA-384",
    "ECDSA-SHA-512",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
];

/// All that is wrong with one file.
fn violations(source: &Source) -> Vec<String> {
    let is_in = |places: &[&str]| {
        places.iter().any(|place| {
            source.path() == *place || (place.ends_with('/') && source.path().starts_with(place))
        })
    };
    let paths = source.paths();
    let mut found = Vec::new();
    for rule in RULES
        .iter()
        .filter(|rule| (rule.within.is_empty() || is_in(rule.within)) && !is_in(rule.except))
    {
        let named =
            paths.iter().filter(|path| rule.forbidden.iter().any(|segments| holds(path, segments)));
        found.extend(named.map(|path| format!("src/{}: {path}: {}", source.path(), rule.why)));
    }
    for line in source.stray_features() {
        found.push(format!(
            "src/{}:{line}: cfg(feature) stands on `mod` lines and in the provider table",
            source.path()
        ));
    }
    let names = ALGORITHM_NAMES
        .iter()
        .filter(|name| source.path() != "algorithm.rs" && source.literals().contains(**name));
    found.extend(names.map(|name| {
        format!("src/{}: {name:?}: algorithm.rs alone names algorithms", source.path())
    }));
    found
}

/// Whether a path has these segments, one after the other.
fn holds(path: &str, segments: &str) -> bool {
    let path = format!("::{path}::");
    match segments.strip_prefix('^') {
        Some(start) => path.starts_with(&format!("::{start}::")),
        None => path.contains(&format!("::{segments}::")),
    }
}

fn sources(folder: &Path, found: &mut Vec<Source>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            found.push(Source::parse(name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_layers_hold() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    assert!(all.iter().any(|source| source.path() == "x509/mod.rs"), "src/ is not where it was");
    let found: Vec<String> = all.iter().flat_map(violations).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_checker_sees_each_kind_of_violation() {
    let cases = [
        ("envelope/jws.rs", "use crate::trust::Policy;"),
        ("envelope/mod.rs", "use crate::{limits, trust::{Policy}};"),
        ("envelope/jws.rs", "use super::super::verify::Outcome;"),
        ("envelope/mod.rs", "#[cfg(test)]\nmod fixture;\nuse crate::trust::Policy;"),
        ("x509/mod.rs", "fn f() -> super::trust::Policy {}"),
        ("x509/chain.rs", "fn f(_: &crate::verify::Outcome) {}"),
        ("trust/policy.rs", "use std::{collections::BTreeMap, fs};"),
        ("verify/evaluate.rs", "async fn f() { tokio::time::sleep(d).await }"),
        ("verify/evaluate.rs", "use std::net::TcpStream;"),
        ("dct/judge.rs", "use crate::fs;"),
        ("revocation/lists.rs", "use std::net::TcpStream;"),
        ("revocation/judge.rs", "use crate::trust::Action;"),
        ("keys/file.rs", "fn f() { std::env::var(\"HOME\"); }"),
        ("sign/signer.rs", "use std::time::SystemTime;\nfn f() { SystemTime::now(); }"),
        ("plugin/serve.rs", "use std::io;\nfn f() { io::stdout(); }"),
        ("plugin/serve.rs", "use std::io::{Read, stdin};"),
        ("keys/file.rs", "fn f() { rpassword::read_password() }"),
        ("envelope/cose.rs", "use aws_lc_rs::digest;"),
        ("sign/mod.rs", "#[cfg(feature = \"aws\")]\nuse crate::keys::aws;"),
        ("keys/mod.rs", "fn f() { if cfg!(feature = \"aws\") {} }"),
        ("keys/mod.rs", "const PROVIDERS: &[Row] = &[\n];\n#[cfg(feature = \"aws\")]\nfn f() {}"),
        ("lib.rs", "#[cfg(any(test, feature = \"testing\"))]\npub use keys::Memory;"),
        ("plugin/message.rs", "const A: &str = \"RSASSA-PSS-SHA-256\";"),
        ("keys/aws.rs", "const A: &str = r#\"ECC_NIST_P256\"#;"),
    ];
    for (path, text) in cases {
        assert_eq!(violations(&Source::parse(path, text)).len(), 1, "{path}: {text}");
    }
}

#[test]
fn the_checker_lets_pass_what_is_right() {
    let cases = [
        (
            "envelope/jws.rs",
            "//! [`crate::trust`]\n/* crate::verify */\nuse crate::x509::Certificate;",
        ),
        (
            "envelope/jws.rs",
            "const A: &str = \"crate::trust \\\" std::env\";\nconst B: char = '\"';\nuse super::payload;",
        ),
        (
            "envelope/jws.rs",
            "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::trust::Policy;\n}",
        ),
        ("verify/verifier.rs", "use crate::trust::Policy;\nuse tokio::time;"),
        ("cli/sign.rs", "fn f() { std::env::var(\"HOME\"); std::io::stdout(); }"),
        ("config/mod.rs", "fn f() { std::env::var(\"HOME\"); }"),
        ("keys/mod.rs", "/// One.\n#[cfg(feature = \"aws\")]\n#[expect(x)]\npub(crate) mod aws;"),
        (
            "keys/mod.rs",
            "const PROVIDERS: &[Row] = &[\n    #[cfg(feature = \"aws\")]\n    aws::ROW,\n];",
        ),
        ("algorithm.rs", "const A: &str = \"PS256\";"),
    ];
    for (path, text) in cases {
        assert_eq!(violations(&Source::parse(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn the_verifying_core_stays_small_and_without_a_network() {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--locked",
            "--no-default-features",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).unwrap();
    // A crate that was listed before comes back marked.
    let crates: BTreeSet<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    assert!(crates.len() > 20, "{tree}");
    assert!(crates.len() <= 110, "{} crates:\n{tree}", crates.len());
    for network in ["tokio ", "reqwest ", "hyper "] {
        assert!(!crates.iter().any(|name| name.starts_with(network)), "{network} in:\n{tree}");
    }
}
