//! Chains whose signatures cannot be verified: every command tells the reason, and not that a certificate
//! is missing.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{
    command::{Finished, Run},
    openssl::Openssl,
};

const CLAUSE: &str = "signature-specification.md, Certificate Requirements, Other requirements";

fn dn(common_name: &str) -> String {
    format!("CN={common_name},O=Acme,ST=WA,C=US")
}

fn key(openssl: &Openssl, name: &str, kind: &str) {
    openssl.run(&format!("genpkey -algorithm {kind} -out {name}.key")).expect_status(0);
}

fn self_signed(openssl: &Openssl, name: &str, common_name: &str, section: &str, options: &str) {
    openssl
        .run(&format!(
            "req -x509 -new -key {name}.key -days 30 -subj /C=US/ST=WA/O=Acme/CN={common_name} \
             -config extensions.cnf -extensions {section} -out {name}.crt {options}"
        ))
        .expect_status(0);
}

fn issue(openssl: &Openssl, name: &str, issuer: &str, section: &str, options: &str) {
    openssl.request(name, name);
    openssl
        .run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.crt -CAkey {issuer}.key -CAcreateserial -days 30 \
             -extfile extensions.cnf -extensions {section} -out {name}.crt {options}"
        ))
        .expect_status(0);
}

fn bundle(openssl: &Openssl, names: &[&str]) {
    let read = |name: &&str| fs::read_to_string(openssl.path(&format!("{name}.crt"))).unwrap();
    fs::write(openssl.path("chain.pem"), names.iter().map(read).collect::<String>()).unwrap();
}

fn run(home: &Path, words: &[&str]) -> Finished {
    Run::notation_kms().home(home).current_dir(home).args(words).finish()
}

/// The problems that `cert check` finds, after it is sure that `key add` and the plugin tell `reason`.
#[track_caller]
fn problems(openssl: &Openssl, reason: &str) -> Vec<Value> {
    let home = openssl.path("");
    let id = format!("file://{}", openssl.path("leaf.key").display());
    let add = ["key", "add", "broken", "--id", &id, "--cert-chain", "chain.pem"];
    let added = run(&home, &add).expect_status(2);
    assert!(added.stderr.contains(reason), "{}", added.stderr);

    let config = json!({"cert-chain": openssl.path("chain.pem")});
    let request = json!({"contractVersion": "1.0", "keyId": id, "pluginConfig": config});
    let describe = Run::notation_kms().home(&home).arg("describe-key");
    let described = describe.stdin(request.to_string()).finish().expect_status(1);
    assert!(described.stderr.contains(reason), "{}", described.stderr);

    let words = ["cert", "check", "chain.pem", "-o", "json"];
    let report: Value = serde_json::from_str(&run(&home, &words).expect_status(3).stdout).unwrap();
    report["problems"].as_array().unwrap().clone()
}

#[test]
fn sha1_anywhere_in_a_chain_is_told_with_its_clause() {
    let Some(openssl) = Openssl::or_skip() else { return };
    for name in ["root", "issuing", "leaf"] {
        key(&openssl, name, "EC -pkeyopt ec_paramgen_curve:P-256");
    }
    let hash = |name: &str, old: &str| if name == old { "-sha1" } else { "-sha256" };
    for old in ["root", "issuing", "leaf"] {
        self_signed(&openssl, "root", "root", "root", hash("root", old));
        issue(&openssl, "issuing", "root", "issuing", hash("issuing", old));
        issue(&openssl, "leaf", "issuing", "leaf", hash("leaf", old));
        bundle(&openssl, &["root", "leaf", "issuing"]);
        let subject = dn(old);
        let found = problems(&openssl, &format!("certificate {subject}: signature uses SHA-1"));
        let sha1 = json!({"subject": subject, "message": "signature uses SHA-1", "clause": CLAUSE});
        assert_eq!(found, [sha1]);
    }
}

#[test]
fn signatures_of_other_algorithms_are_told_to_be_unsupported() {
    let Some(openssl) = Openssl::or_skip() else { return };
    for name in ["root", "leaf"] {
        key(&openssl, name, "RSA -pkeyopt rsa_keygen_bits:2048");
    }
    self_signed(&openssl, "root", "root", "root", "-sha256");
    let salt = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20";
    for (options, oid) in [("-sha224", "1.2.840.113549.1.1.14"), (salt, "1.2.840.113549.1.1.10")] {
        issue(&openssl, "leaf", "root", "leaf", options);
        bundle(&openssl, &["leaf", "root"]);
        let reason =
            format!("certificate {}: signature algorithm {oid} is not supported", dn("leaf"));
        assert_eq!(problems(&openssl, &reason), [json!({"message": reason})]);
    }
}

#[test]
fn an_issuers_key_that_verifies_nothing_here_is_named() {
    let Some(openssl) = Openssl::or_skip() else { return };
    for (kind, named) in [
        ("RSA -pkeyopt rsa_keygen_bits:1024", "RSA-1024"),
        ("EC -pkeyopt ec_paramgen_curve:P-224", "EC on another curve"),
    ] {
        key(&openssl, "root", kind);
        key(&openssl, "leaf", "EC -pkeyopt ec_paramgen_curve:P-256");
        self_signed(&openssl, "root", "root", "root", "-sha256");
        issue(&openssl, "leaf", "root", "leaf", "-sha256");
        bundle(&openssl, &["leaf", "root"]);
        let reason = format!(
            "certificate {}: its issuer {} has key {named}, by which no signature is verified here",
            dn("leaf"),
            dn("root")
        );
        assert_eq!(problems(&openssl, &reason), [json!({"message": reason})]);
    }
}

#[test]
fn a_self_signed_leaf_of_a_short_key_is_told_so_and_every_requirement_with_it() {
    let Some(openssl) = Openssl::or_skip() else { return };
    key(&openssl, "leaf", "RSA -pkeyopt rsa_keygen_bits:1024");
    self_signed(&openssl, "leaf", "leaf", "root", "-sha256");
    bundle(&openssl, &["leaf"]);
    let found = problems(&openssl, "has key RSA-1024, by which no signature is verified here");
    let found = Value::from(found).to_string();
    assert!(found.contains("of a leaf must have cA set to false"), "{found}");
    assert!(found.contains("public key is RSA-1024"), "{found}");
    assert!(!found.contains("missing"), "{found}");
}

#[test]
fn an_issuer_of_the_right_name_and_another_key_is_told_to_verify_nothing() {
    let Some(openssl) = Openssl::or_skip() else { return };
    for name in ["root", "other", "leaf"] {
        key(&openssl, name, "EC -pkeyopt ec_paramgen_curve:P-256");
    }
    self_signed(&openssl, "root", "root", "root", "-sha256");
    self_signed(&openssl, "other", "root", "root", "-sha256");
    issue(&openssl, "leaf", "root", "leaf", "-sha256");
    bundle(&openssl, &["leaf", "other"]);
    let (leaf, root) = (dn("leaf"), dn("root"));
    let reason = format!("certificate {leaf}: signature does not verify with the key of {root}");
    assert_eq!(problems(&openssl, &reason), [json!({"message": reason})]);
}

#[test]
fn the_table_of_algorithms_is_for_code_signing_and_the_key_length_for_every_leaf() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let extensions = fs::read_to_string(openssl.path("extensions.cnf")).unwrap();
    let tsa = "[tsa]\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n";
    fs::write(openssl.path("extensions.cnf"), extensions + tsa).unwrap();
    key(&openssl, "root", "EC -pkeyopt ec_paramgen_curve:P-256");
    self_signed(&openssl, "root", "root", "root", "-sha256");
    let check = |kind: &str, section: &str, purpose: &str| {
        key(&openssl, "leaf", kind);
        issue(&openssl, "leaf", "root", section, "-sha256");
        bundle(&openssl, &["leaf", "root"]);
        run(&openssl.path(""), &["cert", "check", "chain.pem", "--purpose", purpose])
    };
    let (odd, short) = ("RSA -pkeyopt rsa_keygen_bits:2560", "RSA -pkeyopt rsa_keygen_bits:1024");
    check(odd, "tsa", "timestamping").expect_status(0);
    let algorithm = check(odd, "leaf", "code-signing").expect_status(3).stdout;
    assert!(algorithm.contains("signature-specification.md, Algorithm Selection"), "{algorithm}");
    for (section, purpose) in [("tsa", "timestamping"), ("leaf", "code-signing")] {
        for kind in [short, "EC -pkeyopt ec_paramgen_curve:P-224"] {
            let length = check(kind, section, purpose).expect_status(3).stdout;
            assert_eq!(length.matches("problem: ").count(), 1, "{length}");
            assert!(length.contains("Leaf Certificates, Key Length"), "{length}");
        }
    }
}
