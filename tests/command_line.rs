//! The commands for people, each on a home folder of its own.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    command::{Finished, Run},
    component::Component,
    openssl::{Authority, Openssl},
};
use notation_sdk::{algorithm::KeySpec, keys::file::FileKey};

const SUBJECT: &str = "C=US, ST=WA, O=Acme, CN=release";

fn run(home: &Path, words: &[&str]) -> Finished {
    Run::notation_kms().home(home).current_dir(home).args(words).finish()
}

/// A local key, and its reference.
fn local_key(folder: &Path, spec: KeySpec) -> String {
    let (pem, _) = FileKey::generate(spec).unwrap();
    let path = folder.join(format!("{spec}.key.pem"));
    fs::write(&path, pem.as_bytes()).unwrap();
    format!("file://{}", path.display())
}

/// A key with a self-signed certificate, `cert.pem`.
fn self_signed(home: &Path) -> String {
    let id = local_key(home, KeySpec::Ec256);
    let words = [
        "cert",
        "self-sign",
        "--id",
        &id,
        "--subject",
        SUBJECT,
        "--days",
        "30",
        "--to",
        "cert.pem",
    ];
    run(home, &words).expect_status(0);
    id
}

#[test]
fn a_self_signed_certificate_meets_the_specification_and_says_loudly_what_it_is() {
    let home = tempfile::tempdir().unwrap();
    for spec in KeySpec::ALL {
        let id = local_key(home.path(), spec);
        let words = [
            "cert",
            "self-sign",
            "--force",
            "--id",
            &id,
            "--subject",
            SUBJECT,
            "--days",
            "30",
            "--to",
            "c.pem",
        ];
        let made = run(home.path(), &words).expect_status(0);
        assert!(made.stderr.contains("SELF-SIGNED"), "{}", made.stderr);
        assert!(
            made.stdout.starts_with("wrote c.pem for CN=release,O=Acme,ST=WA,C=US, valid until ")
        );
        let check = run(home.path(), &["cert", "check", "c.pem", "--id", &id]).expect_status(0);
        assert!(check.stdout.ends_with("the chain can be used\n"), "{}", check.stdout);
    }
}

#[test]
fn a_subject_that_no_policy_can_name_is_refused_unless_told_otherwise() {
    let home = tempfile::tempdir().unwrap();
    let id = local_key(home.path(), KeySpec::Ec256);
    let words =
        ["cert", "request", "--id", &id, "--subject", "CN=release, O=Acme", "--to", "r.csr"];
    let refused = run(home.path(), &words).expect_status(2);
    assert_eq!(
        refused.stderr,
        "error: subject CN=release,O=Acme has no C, ST, so no trust policy can name it: a trusted identity \
         must have C, ST and O (trust-store-trust-policy.md, \"Trusted Identities Constraints\")\n\n\
         hint: add them to --subject, or pass --allow-unnameable-subject\n"
    );
    let twice = ["cert", "self-sign", "--id", &id, "--subject", "C=US, ST=WA, O=Acme, OU=a, OU=b"];
    let twice = [&twice[..], &["--days", "1", "--to", "r.csr"]].concat();
    let twice = run(home.path(), &twice).expect_status(2);
    assert!(twice.stderr.contains("has OU more than once"), "{}", twice.stderr);
    assert!(twice.stderr.contains("hint: write --subject without it, or pass"), "{}", twice.stderr);
    assert!(!home.path().join("r.csr").exists());
    let words = [&words[..], &["--allow-unnameable-subject"]].concat();
    run(home.path(), &words).expect_status(0);
}

#[test]
fn a_file_is_not_replaced_without_being_told() {
    let home = tempfile::tempdir().unwrap();
    let id = self_signed(home.path());
    let before = fs::read(home.path().join("cert.pem")).unwrap();
    let words =
        ["cert", "self-sign", "--id", &id, "--subject", SUBJECT, "--days", "1", "--to", "cert.pem"];
    let refused = run(home.path(), &words).expect_status(2);
    assert_eq!(
        refused.stderr,
        "error: file cert.pem exists already\n\nhint: --force replaces it\n"
    );
    assert_eq!(fs::read(home.path().join("cert.pem")).unwrap(), before);
}

#[test]
fn keys_are_added_listed_described_updated_and_deleted() {
    let home = tempfile::tempdir().unwrap();
    let id = self_signed(home.path());
    let add = ["key", "add", "release", "--id", &id, "--cert-chain", "cert.pem"];
    let added = run(home.path(), &add).expect_status(0);
    assert!(
        added
            .stdout
            .starts_with("added release for CN=release,O=Acme,ST=WA,C=US (EC-256), valid until")
    );
    let again = run(home.path(), &add).expect_status(2);
    assert!(again.stderr.starts_with("error: key \"release\" exists already"), "{}", again.stderr);
    run(home.path(), &["key", "add", "other", "--id", &id, "--cert-chain", "cert.pem"])
        .expect_status(0);

    let listed = run(home.path(), &["key", "list"]).expect_status(0).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.lines().nth(1).unwrap().starts_with("* release  "), "{listed}");

    run(home.path(), &["key", "update", "other", "--default"]).expect_status(0);
    run(home.path(), &["key", "update", "other", "--plugin-config", "timeout=1m"]).expect_status(0);
    let wrong = run(home.path(), &["key", "update", "other", "--plugin-config", "aws-region=x"]);
    assert!(wrong.expect_status(2).stderr.contains("aws-region"));
    let described =
        run(home.path(), &["key", "describe", "other", "--output", "json"]).expect_status(0);
    let described: Value = serde_json::from_str(&described.stdout).unwrap();
    assert_eq!((&described["default"], &described["id"]), (&json!(true), &json!(id)));
    assert_eq!(described["pluginConfig"]["timeout"], "1m");
    assert_eq!(described["certificate"]["subject"], "CN=release,O=Acme,ST=WA,C=US");

    let copy = Path::new(described["pluginConfig"]["cert-chain"].as_str().unwrap()).to_owned();
    assert!(copy.starts_with(home.path().join("config/notation/kms")) && copy.exists());
    run(home.path(), &["key", "delete", "other"]).expect_status(0);
    assert!(!copy.exists());
    let gone = run(home.path(), &["key", "describe", "other", "--output", "json"]).expect_status(5);
    let gone: Value = serde_json::from_str(&gone.stdout).unwrap();
    assert_eq!(gone["error"]["message"], "no key is named \"other\"");
    assert_eq!(gone["error"]["exitCode"], 5);
}

#[test]
fn no_name_of_a_key_leads_out_of_the_folder_of_chains() {
    let home = tempfile::tempdir().unwrap();
    let id = self_signed(home.path());
    let folder = home.path().join("config/notation");
    let name = "../../victim";
    let add = ["key", "add", name, "--id", &id, "--cert-chain", "cert.pem"];
    assert!(run(home.path(), &add).expect_status(2).stderr.contains("key name \"../../victim\""));

    fs::create_dir_all(folder.join("kms")).unwrap();
    let victim = home.path().join("config/victim.pem");
    fs::write(&victim, "precious").unwrap();
    let entry = json!({"name": name, "id": id, "pluginName": "kms",
        "pluginConfig": {"cert-chain": folder.join("kms/../../victim.pem")}});
    fs::write(folder.join("signingkeys.json"), json!({"keys": [entry]}).to_string()).unwrap();
    let update = run(home.path(), &["key", "update", name, "--cert-chain", "cert.pem"]);
    assert!(update.expect_status(2).stderr.contains("key name \"../../victim\""));
    run(home.path(), &["key", "delete", name]).expect_status(0);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn deleting_a_key_leaves_the_chain_of_another_alone() {
    let home = tempfile::tempdir().unwrap();
    let id = self_signed(home.path());
    run(home.path(), &["key", "add", "release", "--id", &id, "--cert-chain", "cert.pem"])
        .expect_status(0);
    let list = home.path().join("config/notation/signingkeys.json");
    let mut keys: Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
    let copy = keys["keys"][0]["pluginConfig"]["cert-chain"].as_str().unwrap().to_owned();
    keys["keys"][0]["pluginConfig"]["cert-chain"] = json!(home.path().join("cert.pem"));
    fs::write(&list, keys.to_string()).unwrap();
    run(home.path(), &["key", "delete", "release"]).expect_status(0);
    assert!(Path::new(&copy).exists() && home.path().join("cert.pem").exists());
}

#[test]
fn a_key_of_another_plugin_is_not_updated_but_for_being_the_default() {
    let home = tempfile::tempdir().unwrap();
    self_signed(home.path());
    let folder = home.path().join("config/notation");
    fs::create_dir_all(&folder).unwrap();
    let entries = json!({"keys": [
        {"name": "local", "keyPath": "/k", "certPath": "/c"},
        {"name": "other", "id": "x", "pluginName": "other"},
        {"name": "unread", "id": "awskm:///alias/x", "pluginName": "kms"},
    ]});
    let list = folder.join("signingkeys.json");
    fs::write(&list, entries.to_string()).unwrap();
    let changes = [["--cert-chain", "cert.pem"], ["--plugin-config", "timeout=1m"]];
    for (name, reason) in [
        ("local", "error: key \"local\" is not one of the plugin kms\n\nhint: of such a key only"),
        ("other", "error: key \"other\" is not one of the plugin kms\n\nhint: of such a key only"),
        ("unread", "error: key reference \"awskm:///alias/x\" begins with no known scheme"),
    ] {
        for change in changes {
            let words = [&["key", "update", name], &change[..]].concat();
            let refused = run(home.path(), &words).expect_status(2);
            assert!(refused.stderr.starts_with(reason), "{}", refused.stderr);
        }
    }
    assert_eq!(fs::read_to_string(&list).unwrap(), entries.to_string());
    run(home.path(), &["key", "update", "local", "--default"]).expect_status(0);
    let keys: Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
    assert_eq!((&keys["default"], &keys["keys"]), (&json!("local"), &entries["keys"]));
}

#[test]
fn a_key_whose_chain_cannot_be_read_is_shown_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let id = self_signed(home.path());
    for name in ["release", "good"] {
        run(home.path(), &["key", "add", name, "--id", &id, "--cert-chain", "cert.pem"])
            .expect_status(0);
    }
    let described = |name: &str| -> Value {
        let words = ["key", "describe", name, "-o", "json"];
        serde_json::from_str(&run(home.path(), &words).expect_status(0).stdout).unwrap()
    };
    let copy = described("release")["pluginConfig"]["cert-chain"].as_str().unwrap().to_owned();
    for (damage, reason) in [
        (Some("no certificate"), "holds no certificate chain: "),
        (None, "cannot be read: No such file"),
    ] {
        match damage {
            Some(text) => fs::write(&copy, text).unwrap(),
            None => fs::remove_file(&copy).unwrap(),
        }
        let release = described("release");
        let problem = release["problem"].as_str().unwrap();
        assert!(problem.contains(reason) && problem.contains(&copy), "{problem}");
        assert_eq!(release["certificate"], Value::Null);
        let shown = run(home.path(), &["key", "describe", "release"]).expect_status(0).stdout;
        assert!(shown.contains(&format!("\nproblem:      {problem}\n")), "{shown}");
        let listed = run(home.path(), &["key", "list"]).expect_status(0).stdout;
        assert!(listed.ends_with(&format!("\nproblem: release: {problem}\n")), "{listed}");
    }
    assert_eq!(described("good")["problem"], Value::Null);
}

/// The subject that `key describe` shows, and how many copies of chains there are.
#[track_caller]
fn subject_and_copies(home: &Path) -> (String, usize) {
    let described = run(home, &["key", "describe", "release", "-o", "json"]).expect_status(0);
    let described: Value = serde_json::from_str(&described.stdout).unwrap();
    let copies = fs::read_dir(home.join("config/notation/kms")).unwrap().count();
    (described["certificate"]["subject"].as_str().unwrap().to_owned(), copies)
}

#[cfg(unix)]
#[test]
fn an_update_that_cannot_be_saved_leaves_the_key_with_its_chain() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let id = self_signed(home);
    run(home, &["key", "add", "release", "--id", &id, "--cert-chain", "cert.pem"]).expect_status(0);
    let other = "C=US, ST=WA, O=Acme, CN=renewed";
    let words = ["cert", "self-sign", "--id", &id, "--subject", other, "--days", "30", "--to"];
    run(home, &[&words[..], &["renewed.pem"]].concat()).expect_status(0);

    // More than the limit below lets anyone write, where a chain fits.
    let list = home.join("config/notation/signingkeys.json");
    let mut keys: Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
    keys["future"] = json!("x".repeat(100_000));
    fs::write(&list, keys.to_string()).unwrap();
    let update = ["key", "update", "release", "--cert-chain", "renewed.pem"];
    let limited = Run::new("sh").home(home).current_dir(home);
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let limited = limited.args(["-c", script, "sh", env!("CARGO_BIN_EXE_notation-kms")]);
    let refused = limited.args(update).finish().expect_status(1);
    assert!(refused.stderr.contains("signingkeys.json cannot be written"), "{}", refused.stderr);
    assert_eq!(subject_and_copies(home).0, "CN=release,O=Acme,ST=WA,C=US");

    run(home, &update).expect_status(0);
    assert_eq!(subject_and_copies(home), ("CN=renewed,O=Acme,ST=WA,C=US".to_owned(), 1));
    run(home, &update).expect_status(0);
    run(home, &["key", "add", "release", "--id", &id, "--cert-chain", "cert.pem"]).expect_status(2);
    assert_eq!(subject_and_copies(home), ("CN=renewed,O=Acme,ST=WA,C=US".to_owned(), 1));
}

#[test]
fn a_setting_that_is_given_twice_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let id = self_signed(home.path());
    let refused = |words: &[&str]| {
        let twice = ["--plugin-config", "timeout=1m", "--plugin-config", "timeout=2m"];
        let refused = run(home.path(), &[words, &twice].concat()).expect_status(2);
        assert_eq!(refused.stderr, "error: plugin config timeout is given more than once\n");
    };
    refused(&["key", "add", "release", "--id", &id, "--cert-chain", "cert.pem"]);
    refused(&["cert", "check", "cert.pem", "--id", &id]);
    refused(&["cert", "request", "--id", &id, "--subject", SUBJECT, "--to", "r.csr"]);
    run(home.path(), &["key", "add", "release", "--id", &id, "--cert-chain", "cert.pem"])
        .expect_status(0);
    refused(&["key", "update", "release"]);
}

#[test]
fn a_request_tells_the_next_command_with_every_setting() {
    let home = tempfile::tempdir().unwrap();
    let id = local_key(home.path(), KeySpec::Ec256);
    let words = ["cert", "request", "--id", &id, "--subject", SUBJECT, "--to", "r.csr"];
    let settings = ["--plugin-config", "timeout=1m", "--plugin-config", "passphrase-file=a b"];
    let made = run(home.path(), &[&words[..], &settings].concat()).expect_status(0);
    let next = format!(
        "notation-kms key add NAME --id {id} --cert-chain CHAIN.pem \\\n    \
         --plugin-config timeout=1m \\\n    --plugin-config 'passphrase-file=a b'\n"
    );
    assert!(made.stderr.ends_with(&next), "{}", made.stderr);
}

#[test]
fn a_chain_is_not_stored_as_a_setting() {
    let home = tempfile::tempdir().unwrap();
    let id = self_signed(home.path());
    let add = ["key", "add", "release", "--id", &id, "--cert-chain", "cert.pem"];
    let setting = ["--plugin-config", "cert-chain=cert.pem"];
    let refused = "error: plugin config cert-chain is what --cert-chain gives\n";
    let adding = run(home.path(), &[&add[..], &setting].concat()).expect_status(2);
    run(home.path(), &add).expect_status(0);
    let list = home.path().join("config/notation/signingkeys.json");
    let before = fs::read(&list).unwrap();
    let update = [&["key", "update", "release"], &setting[..]].concat();
    let updating = run(home.path(), &update).expect_status(2);
    assert_eq!([adding.stderr.as_str(), &updating.stderr], [refused; 2]);
    assert_eq!(fs::read(&list).unwrap(), before);
}

#[test]
fn signingkeys_json_keeps_what_is_not_ours_and_is_for_its_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("config/notation");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("signingkeys.json");
    let foreign = json!({"name": "local", "keyPath": "/k", "certPath": "/c", "future": [1]});
    fs::write(&path, json!({"default": "local", "keys": [foreign], "later": {}}).to_string())
        .unwrap();
    let id = self_signed(home.path());
    run(home.path(), &["key", "add", "release", "--id", &id, "--cert-chain", "cert.pem"])
        .expect_status(0);
    let keys: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(
        (&keys["keys"][0], &keys["later"], &keys["default"]),
        (&foreign, &json!({}), &json!("local"))
    );
    assert_eq!(keys["keys"][1]["pluginName"], "kms");
    let chain = keys["keys"][1]["pluginConfig"]["cert-chain"].as_str().unwrap();
    assert!(Path::new(chain).is_absolute() && Path::new(chain).exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_chain_in_any_order_is_put_in_order_and_a_wrong_one_is_refused() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let authority = Authority::new(&openssl);
    openssl.create_key("leaf", KeySpec::Ec256);
    let chain = authority.issue(&openssl.request("leaf", "leaf"));
    let pem = fs::read_to_string(&chain).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let blocks: Vec<String> = pem.split_inclusive(end).map(ToOwned::to_owned).collect();
    let home = tempfile::tempdir().unwrap();
    let id = format!("file://{}", openssl.path("leaf.key").display());
    let add = |name: &str, pem: String| {
        fs::write(home.path().join("chain.pem"), pem).unwrap();
        run(home.path(), &["key", "add", name, "--id", &id, "--cert-chain", "chain.pem"])
    };
    let shuffled = [&blocks[2], &blocks[0], &blocks[1], &blocks[0]].map(String::as_str).concat();
    add("shuffled", shuffled).expect_status(0);
    let kept = fs::read_dir(home.path().join("config/notation/kms")).unwrap().next().unwrap();
    assert_eq!(fs::read_to_string(kept.unwrap().path()).unwrap(), pem);

    let refused = add("alone", blocks[0].clone()).expect_status(2);
    assert!(
        refused.stderr.contains("the certificate of CN=Issuing,O=Acme,ST=WA,C=US is missing"),
        "{}",
        refused.stderr
    );
    let refused = add("ca", [blocks[1].as_str(), &blocks[2]].concat()).expect_status(2);
    assert!(refused.stderr.contains("of a leaf must have cA set to false"), "{}", refused.stderr);
    let key = fs::read_to_string(openssl.path("leaf.key")).unwrap();
    let refused = add("secret", pem + &key).expect_status(2);
    assert!(
        refused.stderr.contains("private key (\"PRIVATE KEY\") among the certificates"),
        "{}",
        refused.stderr
    );
    let keys = fs::read_to_string(home.path().join("config/notation/signingkeys.json")).unwrap();
    assert!(!keys.contains("alone") && !keys.contains("secret"));
}

#[test]
fn cert_check_lists_every_problem_with_its_clause() {
    let Some(openssl) = Openssl::or_skip() else { return };
    openssl.create_key("tls", KeySpec::Ec256);
    openssl
        .run(
            "req -x509 -new -key tls.key -sha256 -days 1 -subj /CN=tls -out tls.crt \
              -addext keyUsage=keyEncipherment -addext extendedKeyUsage=serverAuth",
        )
        .expect_status(0);
    let checked =
        run(&openssl.path(""), &["cert", "check", "tls.crt", "-o", "json"]).expect_status(3);
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    let problems = report["problems"].as_array().unwrap();
    let messages: Vec<_> = problems.iter().map(|p| p["message"].as_str().unwrap()).collect();
    assert_eq!(
        messages,
        [
            "extension basicConstraints of a leaf must have cA set to false",
            "extension keyUsage must be critical",
            "extension keyUsage of a leaf must have digitalSignature",
            "extension keyUsage of a leaf must not have keyEncipherment",
            "extension extendedKeyUsage of a code-signing leaf must not have serverAuth",
        ]
    );
    assert!(
        problems
            .iter()
            .all(|p| p["clause"].as_str().unwrap().starts_with("signature-specification.md"))
    );
    assert!(report["notes"].to_string().contains("no trust policy can name it"));
}

#[test]
fn an_expired_leaf_is_refused_when_a_key_is_added() {
    let Some(openssl) = Openssl::or_skip() else { return };
    openssl.create_key("old", KeySpec::Ec256);
    openssl
        .run("req -new -key old.key -subj /C=US/ST=WA/O=Acme/CN=old -out old.csr")
        .expect_status(0);
    fs::write(openssl.path("index.txt"), "").unwrap();
    fs::write(
        openssl.path("ca.cnf"),
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\n\
         policy=p\n[p]\ncountryName=optional\nstateOrProvinceName=optional\norganizationName=optional\n\
         commonName=supplied\n[leaf]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n",
    )
    .unwrap();
    openssl
        .run(
            "ca -batch -notext -selfsign -config ca.cnf -extensions leaf -keyfile old.key \
              -startdate 20200101000000Z -enddate 20210101000000Z -in old.csr -out old.crt",
        )
        .expect_status(0);
    let home = openssl.path("");
    let id = format!("file://{}", openssl.path("old.key").display());
    let refused =
        run(&home, &["key", "add", "old", "--id", &id, "--cert-chain", "old.crt"]).expect_status(2);
    let fact = "certificate CN=old,O=Acme,ST=WA,C=US expired at 2021-01-01T00:00:00Z, and it is 2";
    assert!(refused.stderr.contains(fact), "{}", refused.stderr);
    assert!(!home.join("config/notation/signingkeys.json").exists());
}

#[test]
fn an_encrypted_key_opens_with_a_passphrase_from_a_file_or_a_variable_and_never_asks_a_plugin() {
    let Some(openssl) = Openssl::or_skip() else { return };
    openssl.create_key("plain", KeySpec::Ec256);
    openssl
        .run("pkcs8 -topk8 -v2 aes-256-cbc -in plain.key -out locked.key -passout pass:open-sesame")
        .expect_status(0);
    fs::write(openssl.path("passphrase"), "open-sesame\n").unwrap();
    fs::write(openssl.path("wrong"), "sesame\n").unwrap();
    let id = format!("file://{}", openssl.path("locked.key").display());
    let sign = |config: &str| {
        let words = [
            "cert",
            "self-sign",
            "--force",
            "--id",
            &id,
            "--subject",
            SUBJECT,
            "--days",
            "1",
            "--to",
            "c.pem",
        ];
        let run =
            Run::notation_kms().home(&openssl.path("")).current_dir(&openssl.path("")).args(words);
        run.env("KEY_PASSPHRASE", "open-sesame").args(["--plugin-config", config]).finish()
    };
    sign("passphrase-file=passphrase").expect_status(0);
    sign("passphrase-env=KEY_PASSPHRASE").expect_status(0);
    let wrong = sign("passphrase-file=wrong").expect_status(5);
    assert!(wrong.stderr.contains("the passphrase is wrong"), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("sesame"));
    let unset = sign("passphrase-env=UNSET").expect_status(5);
    assert!(unset.stderr.contains("environment variable UNSET is not set"), "{}", unset.stderr);

    let request = json!({
        "contractVersion": "1.0", "keyId": id, "keySpec": "EC-256", "hashAlgorithm": "SHA-256",
        "payload": "eA==", "pluginConfig": {"cert-chain": openssl.path("c.pem")},
    });
    let plugin = Run::notation_kms().home(&openssl.path("")).arg("generate-signature");
    let refused = plugin.stdin(request.to_string()).finish().expect_status(1);
    let error: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert!(
        error["errorMessage"].as_str().unwrap().contains("set plugin config passphrase-file"),
        "{error}"
    );
}

#[test]
fn wrong_command_lines_exit_with_2_and_unknown_settings_name_the_nearest() {
    let home = tempfile::tempdir().unwrap();
    run(home.path(), &[]).expect_status(2);
    run(home.path(), &["sing"]).expect_status(2);
    let words = ["cert", "request", "--id", "awskms://alias/x", "--subject", SUBJECT, "--to", "r"];
    let refused = run(home.path(), &words).expect_status(2);
    assert!(
        refused.stderr.contains("two slashes before alias, where three are needed"),
        "{}",
        refused.stderr
    );
    let words = [
        "cert",
        "request",
        "--id",
        "awskms:///alias/x",
        "--subject",
        SUBJECT,
        "--to",
        "r",
        "--plugin-config",
        "aws-regoin=x",
    ];
    let refused = run(home.path(), &words).expect_status(2);
    assert!(refused.stderr.contains("aws-region"), "{}", refused.stderr);
    assert!(run(home.path(), &["--help"]).expect_status(0).stdout.contains("quickstart"));
    assert!(run(home.path(), &["--version"]).expect_status(0).stdout.starts_with("notation-kms "));
}

#[test]
fn a_wrong_command_line_is_told_in_json_where_json_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    for form in [&["-o", "json"][..], &["-ojson"], &["--output", "json"], &["--output=json"]] {
        let words = [&["cert", "check", "chain.pem", "--id", "foo"], form].concat();
        let refused = run(home.path(), &words).expect_status(2);
        assert_eq!(refused.stderr, "");
        let error: Value = serde_json::from_str(&refused.stdout).unwrap();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(
            message.starts_with("invalid value 'foo' for '--id <URI>': key reference"),
            "{error}"
        );
        assert_eq!(
            (&error["error"]["exitCode"], &error["error"]["causes"]),
            (&json!(2), &json!([]))
        );
    }
    let missing = run(home.path(), &["key", "describe", "-o", "json"]).expect_status(2);
    let missing: Value = serde_json::from_str(&missing.stdout).unwrap();
    let message = "the following required arguments were not provided: <NAME>";
    assert_eq!(missing["error"]["message"], message);
    assert!(
        run(home.path(), &["key", "describe", "-o", "text"]).expect_status(2).stdout.is_empty()
    );
    let help = run(home.path(), &["key", "describe", "-o", "json", "--help"]).expect_status(0);
    assert!(help.stdout.contains("Usage: "), "{}", help.stdout);
}

#[cfg(unix)]
#[test]
fn a_plugin_that_is_a_link_is_replaced_by_a_copy() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("config/notation/plugins/kms/notation-kms");
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_notation-kms"), &target).unwrap();
    run(home.path(), &["plugin", "install"]).expect_status(0);
    assert!(target.symlink_metadata().unwrap().is_file());
    // From where it is installed, it stays.
    Run::new(&target).home(home.path()).args(["plugin", "install"]).finish().expect_status(0);
    Run::new(&target).home(home.path()).args(["version"]).finish().expect_status(0);
    assert!(Path::new(env!("CARGO_BIN_EXE_notation-kms")).is_file());
}

#[test]
fn without_a_configuration_folder_nothing_falls_back_to_the_current_one() {
    let home = tempfile::tempdir().unwrap();
    let finished = Run::notation_kms().current_dir(home.path()).args(["key", "list"]).finish();
    assert!(finished.expect_status(5).stderr.contains("no configuration folder"));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

/// Runs our executable with a standard output whose reader has gone already.
fn with_closed_output(word: &str, request: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let stdin = folder.path().join("request");
    fs::write(&stdin, request).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Command::new(env!("CARGO_BIN_EXE_notation-kms"))
        .arg(word)
        .env_clear()
        .stdin(fs::File::open(stdin).unwrap())
        .stdout(writer)
        .output()
        .unwrap()
}

#[test]
fn a_reader_that_has_gone_is_no_failure_for_people_and_one_for_the_protocol() {
    let version = with_closed_output("version", "");
    assert_eq!((version.status.code(), version.stderr.as_slice()), (Some(0), &b""[..]));
    let metadata = with_closed_output("get-plugin-metadata", "{}");
    assert_eq!(metadata.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&metadata.stderr).unwrap();
    assert_eq!(error["errorCode"], "ERROR");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("answer cannot be written to standard output"), "{message}");
}

#[test]
fn a_command_of_the_contract_that_the_plugin_does_not_have_is_refused_in_the_contracts_words() {
    let home = tempfile::tempdir().unwrap();
    let refused =
        Run::notation_kms().home(home.path()).arg("verify-signature").stdin("{}").finish();
    let refused = refused.expect_status(1);
    assert_eq!(refused.stdout, "");
    let error: Value = serde_json::from_str(&refused.stderr).unwrap();
    let message = "command \"verify-signature\" is none that this plugin has";
    assert_eq!(error, json!({"errorCode": "VALIDATION_ERROR", "errorMessage": message}));
}

#[cfg(unix)]
#[test]
fn a_chain_in_a_pipe_is_read_for_people_and_refused_where_nobody_would_end_the_wait() {
    let home = tempfile::tempdir().unwrap();
    let id = self_signed(home.path());
    let chain = fs::read(home.path().join("cert.pem")).unwrap();
    let check = Run::notation_kms().args(["cert", "check", "/dev/stdin"]).stdin(chain);
    check.finish().expect_status(0);

    let pipe = home.path().join("pipe");
    Run::new("mkfifo").arg(&pipe).finish().expect_status(0);
    let request =
        json!({"contractVersion": "1.0", "keyId": id, "pluginConfig": {"cert-chain": pipe}});
    let describe = Run::notation_kms().home(home.path()).arg("describe-key");
    let describe = describe.stdin(request.to_string()).timeout(Duration::from_secs(10));
    let refused = describe.finish().expect_status(1);
    let error: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(error["errorCode"], "VALIDATION_ERROR");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("pipe is not a regular file"), "{message}");
}

#[test]
fn a_request_over_the_limit_is_refused_in_the_contracts_words() {
    let home = tempfile::tempdir().unwrap();
    let request = vec![b' '; 100 * 1024 * 1024];
    let refused = Run::notation_kms().home(home.path()).arg("describe-key").stdin(request).finish();
    let error: Value = serde_json::from_str(&refused.expect_status(1).stderr).unwrap();
    assert_eq!(error["errorCode"], "VALIDATION_ERROR");
    assert!(error["errorMessage"].as_str().unwrap().contains("67108864"), "{error}");
}

#[test]
fn quickstart_signs_what_notation_verifies_and_runs_twice_without_harm() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("page"), "hello").unwrap();
    let words = ["quickstart", "page", "--to", "try"];
    let first = run(home.path(), &words).expect_status(0).stdout;
    let second = run(home.path(), &words).expect_status(0).stdout;
    assert!(first.contains("signed: signature manifest sha256:"), "{first}");
    assert!(second.contains("kept: the signature of an earlier run"), "{second}");
    for (part, again) in [
        ("key and certificates", "kept"),
        ("trust store, trust policy, key", "kept"),
        ("plugin", "made"),
        ("artifact sha256:", "kept"),
    ] {
        assert!(second.contains(&format!("{again}: {part}")), "{second}");
    }
    assert!(!first.contains("kept: "), "{first}");
    for output in [&first, &second] {
        assert!(output.contains("verified: signed by CN=Quickstart signer"), "{output}");
        assert!(output.contains("refused, with one byte of the payload changed"), "{output}");
    }
    let index = fs::read_to_string(home.path().join("try/layout/index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);

    let Some(notation) = Component::Notation.or_skip() else { return };
    let verify =
        first.lines().find(|line| line.trim_start().starts_with("notation verify")).unwrap();
    let sign = first.lines().find(|line| line.trim_start().starts_with("notation sign")).unwrap();
    let notation = |line: &str| {
        Run::new(&notation)
            .env("XDG_CONFIG_HOME", home.path().join("try/config"))
            .env("HOME", home.path())
            .env("NOTATION_EXPERIMENTAL", "1")
            .args(line.split_whitespace().skip(1))
            .finish()
            .expect_status(0)
    };
    notation(verify);
    notation(sign);
    notation(verify);
}

#[test]
fn quickstart_takes_no_folder_that_holds_what_it_did_not_make() {
    let home = tempfile::tempdir().unwrap();
    local_key(home.path(), KeySpec::Ec256);
    let key = home.path().join("qs/keys/root.key.pem");
    fs::create_dir_all(key.parent().unwrap()).unwrap();
    fs::rename(home.path().join("EC-256.key.pem"), &key).unwrap();
    let before = fs::read(&key).unwrap();
    let refused = run(home.path(), &["quickstart", "--to", "qs"]).expect_status(2);
    assert_eq!(
        refused.stderr,
        "error: folder qs is not empty, and no quickstart made it\n\nhint: --to DIR takes another\n"
    );
    assert_eq!(fs::read(&key).unwrap(), before);
    assert_eq!(fs::read_dir(home.path().join("qs")).unwrap().count(), 1);
}

#[test]
fn quickstart_prints_commands_that_a_shell_reads_whatever_the_folder_is_called() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("a b%20?c#d'e$HOME");
    let words = ["quickstart", "--to", folder.to_str().unwrap()];
    let made = run(home.path(), &words).expect_status(0).stdout;
    let keys = fs::read(folder.join("config/notation/signingkeys.json")).unwrap();
    let keys: Value = serde_json::from_slice(&keys).unwrap();
    let id = keys["keys"][0]["id"].as_str().unwrap();
    let check = ["cert", "check", "keys/chain.pem", "--id", id];
    Run::notation_kms().current_dir(&folder).args(check).finish().expect_status(0);

    let shell = |script: &str| {
        let run = Run::new("sh").env("HOME", home.path()).args(["-euc", script]);
        run.finish().expect_status(0)
    };
    let first = |start: &str| made.lines().find(|line| line.starts_with(start)).unwrap();
    let export = first("  export ");
    let config = shell(&format!("{export}; printf %s \"$XDG_CONFIG_HOME\"")).stdout;
    assert_eq!(Path::new(&config), folder.join("config"));
    // As cargo run leaves it: on nobody's search path.
    let this = env!("CARGO_BIN_EXE_notation-kms");
    for command in ["plugin install", "cert request --id", "key add release --id"] {
        let command = first(&format!("  {this} {command}"));
        assert!(!command.contains(" notation-kms "), "{command}");
    }
    let verify = "notation verify registry.example/app@sha256:...\n";
    assert!(made.ends_with(verify), "{made}");
    let Some(notation) = Component::Notation.or_skip() else { return };
    for verb in ["sign", "verify"] {
        let command = first(&format!("  notation {verb} "));
        let notation = format!("notation() {{ {} \"$@\"; }}", notation.display());
        shell(&format!("{notation}; {export}; {command}"));
    }
}

#[test]
fn quickstart_signs_again_where_a_signature_is_damaged() {
    let home = tempfile::tempdir().unwrap();
    let words = ["quickstart", "--to", "qs"];
    run(home.path(), &words).expect_status(0);
    let blobs = home.path().join("qs/layout/blobs/sha256");
    let envelope = fs::read_dir(&blobs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| fs::read_to_string(path).unwrap().contains("\"protected\""))
        .unwrap();
    fs::write(&envelope, "damaged").unwrap();
    for expected in ["signed: signature manifest", "kept: the signature of an earlier run"] {
        let output = run(home.path(), &words).expect_status(0).stdout;
        assert!(output.contains(expected), "{output}");
    }
}

#[test]
fn quickstart_keeps_the_configuration_that_its_user_changed() {
    let home = tempfile::tempdir().unwrap();
    let words = ["quickstart", "--to", "qs"];
    run(home.path(), &words).expect_status(0);
    let folder = home.path().join("qs/config/notation");
    let policy = fs::read_to_string(folder.join("trustpolicy.json")).unwrap();
    let policy = policy.replace("strict", "permissive");
    fs::write(folder.join("trustpolicy.json"), &policy).unwrap();
    let keys = fs::read_to_string(folder.join("signingkeys.json")).unwrap();
    let mut keys: Value = serde_json::from_str(&keys).unwrap();
    keys["default"] = json!("mine");
    keys["keys"][0]["pluginConfig"]["timeout"] = json!("1m");
    fs::write(folder.join("signingkeys.json"), keys.to_string()).unwrap();
    run(home.path(), &words).expect_status(0);
    assert_eq!(fs::read_to_string(folder.join("trustpolicy.json")).unwrap(), policy);
    let now = fs::read_to_string(folder.join("signingkeys.json")).unwrap();
    assert_eq!(now, keys.to_string());
}

#[test]
fn quickstart_keeps_keys_that_it_cannot_use_any_more() {
    let home = tempfile::tempdir().unwrap();
    let words = ["quickstart", "--to", "qs"];
    run(home.path(), &words).expect_status(0);
    let names = ["root.key.pem", "issuing.key.pem", "signing.key.pem"];
    let read = |folder: &str| {
        names.map(|name| fs::read(home.path().join("qs").join(folder).join(name)).unwrap())
    };
    let first = read("keys");
    fs::write(home.path().join("qs/keys/chain.pem"), "damaged").unwrap();
    let second = run(home.path(), &words).expect_status(0).stdout;
    assert!(second.contains("keys of an earlier run, which cannot be used: "), "{second}");
    assert_eq!(read("keys.old-1"), first);

    let other = fs::read(home.path().join("qs/keys.old-1/signing.key.pem")).unwrap();
    fs::write(home.path().join("qs/keys/signing.key.pem"), &other).unwrap();
    let renewed = read("keys");
    let third = run(home.path(), &words).expect_status(0).stdout;
    assert!(third.contains("the chain's leaf certificate is of another key"), "{third}");
    assert_eq!((read("keys.old-1"), read("keys.old-2")), (first, renewed));
}

#[test]
fn a_request_of_an_rsa_key_is_signed_with_the_padding_that_was_asked_for() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let home = openssl.path("");
    let id = local_key(&home, KeySpec::Rsa2048);
    for (padding, algorithm) in [("pss", "rsassaPss"), ("pkcs1", "sha256WithRSAEncryption")] {
        let words =
            ["cert", "request", "--force", "--id", &id, "--subject", SUBJECT, "--to", "r.csr"];
        run(&home, &[&words[..], &["--rsa-padding", padding]].concat()).expect_status(0);
        let read = openssl.run("req -in r.csr -noout -verify -text").expect_status(0);
        assert!(
            read.stdout.contains(&format!("Signature Algorithm: {algorithm}")),
            "{}",
            read.stdout
        );
        let subject = "Subject: C = US, ST = WA, O = Acme, CN = release";
        for part in [subject, "Code Signing", "Digital Signature", "CA:FALSE"] {
            assert!(read.stdout.contains(part), "{part} is not in {}", read.stdout);
        }
    }
}

#[test]
fn pkcs1_padding_for_a_key_that_is_not_rsa_is_a_wrong_command_line() {
    let home = tempfile::tempdir().unwrap();
    let id = local_key(home.path(), KeySpec::Ec256);
    let words = ["cert", "request", "--id", &id, "--subject", SUBJECT, "--to", "r.csr"];
    let refused = run(home.path(), &[&words[..], &["--rsa-padding", "pkcs1"]].concat());
    let refused = refused.expect_status(2);
    assert_eq!(refused.stderr, "error: key is EC-256, and padding pkcs1 is for RSA keys alone\n");
}

#[test]
fn a_chain_is_checked_for_the_purpose_that_was_asked_for() {
    let home = tempfile::tempdir().unwrap();
    self_signed(home.path());
    run(home.path(), &["cert", "check", "cert.pem"]).expect_status(0);
    let words = ["cert", "check", "cert.pem", "--purpose", "timestamping"];
    let checked = run(home.path(), &words).expect_status(3);
    assert!(checked.stdout.contains("must have timeStamping alone"), "{}", checked.stdout);
    assert!(checked.stdout.ends_with("the chain cannot be used\n"), "{}", checked.stdout);
}
