//! `dct export` from a real notary server, and `dct inspect` when the server is gone.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    command::{Finished, Run},
    component::Component,
    fake_http::{Answer, FakeHttp},
    notary::{Notary, TrustService},
    trust_data::{GUN, TrustRepository},
};

const OTHER: &str = "registry.example.test/acme/other";

fn dct(home: &Path, words: &[&str]) -> Finished {
    Run::notation_kms().home(home).current_dir(home).arg("dct").args(words).finish()
}

fn export(home: &Path, notary: &Notary, words: &[&str]) -> Finished {
    let ca = notary.ca();
    let server =
        ["export", "--server", notary.url(), "--ca-cert", ca.to_str().unwrap(), "--to", "archive"];
    dct(home, &[&server, words].concat())
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))
}

/// What the published repository comes to, as `docker trust inspect` derives it: but for the keys.
fn expected_rows() -> Value {
    let row = |tag: &str, image: u8, signers: &[&str]| json!({"SignedTag": tag, "Digest": Notary::digest(image), "Signers": signers});
    json!([
        row("0.9", 9, &["Repo Admin"]),
        row("1.0", 10, &["alice", "bob"]),
        row("edge", 1, &["Repo Admin"]),
        row("edge", 2, &["Repo Admin"]),
    ])
}

#[test]
fn an_export_is_inspected_when_the_server_is_gone() {
    for service in [TrustService::Signer, TrustService::Local] {
        let Some(mut notary) = Notary::or_skip(service) else { return };
        let home = TempDir::new().unwrap();
        notary.publish(GUN);
        let exported = export(home.path(), &notary, &[GUN, OTHER]).expect_status(0);
        assert!(
            exported.stdout.contains(&format!("{GUN}: verified, 4 tags")),
            "{}",
            exported.stdout
        );
        assert!(
            exported.stdout.contains(&format!("{OTHER}: no trust data\n")),
            "{}",
            exported.stdout
        );
        notary.stop();

        let printed = json_of(
            &dct(home.path(), &["inspect", "archive", "-o", "docker"]).expect_status(0).stdout,
        );
        assert_eq!(printed[0]["SignedTags"], expected_rows());
        let names = |signers: &Value| -> Vec<String> {
            signers
                .as_array()
                .unwrap()
                .iter()
                .map(|signer| signer["Name"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(&printed[0]["Signers"]), ["bob", "alice"]);
        assert_eq!(names(&printed[0]["AdministrativeKeys"]), ["Root", "Repository"]);
        assert_eq!(ids_of(&printed[0]["Signers"]), delegation_keys(&notary));

        let report = json_of(
            &dct(home.path(), &["inspect", "archive", "-o", "json"]).expect_status(0).stdout,
        );
        let repository = &report["repositories"][0];
        let digest = |image| format!("sha256:{}", Notary::digest(image));
        let differing = json!([{"tag": "edge", "releases": digest(2), "targets": digest(1)}]);
        assert_eq!(repository["differingTags"], differing);
        // The root was rotated, and both of its keys have been seen.
        assert_eq!(repository["rootKeys"].as_array().unwrap().len(), 2);
        let timestamp = repository["roles"]
            .as_array()
            .unwrap()
            .iter()
            .find(|role| role["role"] == "timestamp")
            .unwrap();
        let expected = if service == TrustService::Signer { "EC-256" } else { "Ed25519" };
        assert_eq!(timestamp["keys"][0]["strength"], expected);
        for text in ["gone", "revoked"] {
            assert!(!report.to_string().contains(text), "{text}");
        }
    }
}

/// Ids of keys in docker's form.
fn ids_of(signers: &Value) -> BTreeSet<String> {
    let keys =
        signers.as_array().unwrap().iter().flat_map(|signer| signer["Keys"].as_array().unwrap());
    keys.map(|key| key["ID"].as_str().unwrap().to_owned()).collect()
}

/// Ids of the delegations' keys by notary's own client: private key files are named after them, and say what
/// they are for.
fn delegation_keys(notary: &Notary) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(notary.client_folder().join("private")).unwrap() {
        let path = entry.unwrap().path();
        if fs::read_to_string(&path).unwrap().contains("role: targets/") {
            ids.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    ids
}

#[test]
fn a_root_key_that_was_rotated_out_leads_to_the_current_one() {
    let Some(notary) = Notary::or_skip(TrustService::Local) else { return };
    let home = TempDir::new().unwrap();
    notary.publish(GUN);
    let exported = export(home.path(), &notary, &[GUN]).expect_status(0);
    let first = json_of(
        &fs::read_to_string(home.path().join(format!("archive/v2/{GUN}/_trust/tuf/2.root.json")))
            .unwrap(),
    );
    let first_key = first["signed"]["roles"]["root"]["keyids"][0].as_str().unwrap().to_owned();
    assert!(exported.stdout.contains(&first_key), "{}", exported.stdout);
    let pinned =
        dct(home.path(), &["inspect", "archive", "--pin-root", &first_key]).expect_status(0);
    assert!(pinned.stdout.contains(&format!("root pinned: key {first_key}")), "{}", pinned.stdout);
}

#[test]
fn a_server_of_ones_own_is_exported_whole() {
    let Some(notary) = Notary::or_skip(TrustService::Local) else { return };
    let home = TempDir::new().unwrap();
    for gun in [GUN, OTHER, "no-registry/at-all"] {
        notary.run(&format!("init {gun} -p"));
    }
    notary.run(&format!("delete {OTHER} --remote"));
    // Notary takes names that no registry has.
    for gun in ["acme/app+1", ".hidden/app"] {
        notary.run(&format!("init {gun} -p"));
    }
    let exported = export(home.path(), &notary, &["--all", "-o", "json"]).expect_status(9);
    let report = json_of(&exported.stdout);
    let guns: Vec<&str> = report["repositories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["gun"].as_str().unwrap())
        .collect();
    assert_eq!(guns, ["no-registry/at-all", GUN]);
    assert_eq!(report["noTrustData"], json!([OTHER]));
    let failed: Vec<&str> = report["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["gun"].as_str().unwrap())
        .collect();
    assert_eq!(failed, [".hidden/app", "acme/app+1"]);
}

#[test]
fn what_the_notary_client_keeps_is_exported_too() {
    let Some(mut notary) = Notary::or_skip(TrustService::Signer) else { return };
    let home = TempDir::new().unwrap();
    notary.publish(GUN);
    notary.run(&format!("list {GUN}"));
    notary.stop();
    let folder = format!("--from-local={}", notary.client_folder().display());
    dct(home.path(), &["export", &folder, "--to", "archive"]).expect_status(0);
    let printed = dct(home.path(), &["inspect", "archive", "-o", "docker"]).expect_status(0);
    assert_eq!(json_of(&printed.stdout)[0]["SignedTags"], expected_rows());
}

#[test]
fn a_server_is_asked_live() {
    let Some(notary) = Notary::or_skip(TrustService::Local) else { return };
    let home = TempDir::new().unwrap();
    notary.publish(GUN);
    let ca = notary.ca();
    let server = ["--server", notary.url(), "--ca-cert", ca.to_str().unwrap()];
    let live = dct(home.path(), &[&["inspect", GUN, "-o", "docker"][..], &server].concat())
        .expect_status(0);
    assert_eq!(json_of(&live.stdout)[0]["SignedTags"], expected_rows());
    let absent = dct(home.path(), &[&["inspect", OTHER][..], &server].concat()).expect_status(8);
    assert!(absent.stderr.contains(&format!("has no trust data for {OTHER}")), "{}", absent.stderr);
    // Without the CA nobody knows the server; docker's own folder for such files names it.
    let unknown = dct(home.path(), &["inspect", GUN, "--server", notary.url()]).expect_status(1);
    assert!(unknown.stderr.contains("root.json of "), "{}", unknown.stderr);
    let tls = home.path().join(".docker/tls").join(notary.url().trim_start_matches("https://"));
    fs::create_dir_all(&tls).unwrap();
    fs::copy(ca, tls.join("ca.crt")).unwrap();
    dct(home.path(), &["inspect", GUN, "--server", notary.url()]).expect_status(0);
}

#[test]
fn an_archive_of_a_real_server_is_checked_without_this_program() {
    if Component::Python.or_skip().is_none() {
        return;
    }
    let Some(notary) = Notary::or_skip(TrustService::Signer) else { return };
    let home = TempDir::new().unwrap();
    notary.publish(GUN);
    export(home.path(), &notary, &[GUN]).expect_status(0);
    let checked =
        Run::new("python3").arg("check.py").current_dir(&home.path().join("archive")).finish();
    let checked = checked.expect_status(0).stdout;
    assert!(checked.contains("ok     targets/releases.json: 2 of 1 signatures"), "{checked}");
}

/// The script of docs/export-docker-content-trust.md, as a file.
fn script(home: &Path) -> PathBuf {
    let page = include_str!("../docs/export-docker-content-trust.md");
    let script = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let path = home.join("save-trust-data.sh");
    fs::write(&path, script).unwrap();
    path
}

#[test]
fn what_the_pages_script_saves_is_the_same_trust_data() {
    if Component::Curl.or_skip().is_none() {
        return;
    }
    let Some(mut notary) = Notary::or_skip(TrustService::Local) else { return };
    let home = TempDir::new().unwrap();
    notary.publish(GUN);
    let saved = Run::new("sh").arg(script(home.path())).args([GUN, notary.url()]);
    let saved = saved.env("CURL_CA_BUNDLE", notary.ca()).current_dir(home.path()).finish();
    // Notary's client never published a first version.
    assert_eq!(saved.expect_status(0).stderr.lines().last(), Some("no root of version 1"));
    export(home.path(), &notary, &[GUN]).expect_status(0);
    notary.stop();
    dct(home.path(), &["export", "--from-raw", "raw", "--to", "saved"]).expect_status(0);
    let files = |archive: &str| {
        let folder = home.path().join(archive).join(format!("v2/{GUN}/_trust/tuf"));
        notation_sdk::dct::read_trust_data(&folder).unwrap()
    };
    let (mut saved, exported) = (files("saved"), files("archive"));
    // The export asks for the current root by its number as well.
    saved.insert("3.root.json", exported.get("3.root.json").unwrap().to_vec());
    assert_eq!(saved, exported);
}

#[test]
fn the_pages_script_logs_in_where_it_has_to() {
    if Component::Curl.or_skip().is_none() {
        return;
    }
    let data = TrustRepository::new().build();
    let server = FakeHttp::start(move |request| match request.target.split_once("/_trust/tuf/") {
        Some((_, file)) if request.header("authorization") == Some("Bearer abc") => {
            match data.get(file) {
                Some(bytes) => Answer::new(200, bytes),
                None => Answer::new(404, ""),
            }
        }
        Some(_) => {
            let realm = format!("{}/token", request.url());
            let challenge = format!(
                "Bearer realm=\"{realm}\",service=\"notary\",scope=\"repository:{GUN}:pull\""
            );
            Answer::new(401, "").header("Www-Authenticate", &challenge)
        }
        None if request.header("authorization") == Some("Basic bWU6c2VjcmV0") => {
            assert!(
                request.target.contains("service=notary&scope=repository"),
                "{}",
                request.target
            );
            Answer::new(200, r#"{"access_token": "abc", "expires_in": 300}"#)
        }
        None => Answer::new(401, ""),
    });
    let home = TempDir::new().unwrap();
    let save = |login: &str| {
        let run = Run::new("sh").arg(script(home.path())).args([GUN, &server.url()]);
        run.env("LOGIN", login).current_dir(home.path()).finish()
    };
    save("me:secret").expect_status(0);
    dct(home.path(), &["export", "--from-raw", "raw"]).expect_status(0);
    assert_ne!(save("me:wrong").status, Some(0));
}
