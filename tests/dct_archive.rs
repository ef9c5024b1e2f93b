//! `dct export` from folders, and `dct inspect` of what it wrote: everything is kept, nothing broken is used.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use notation_sdk::dct::{ArchiveWriter, TrustData};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    command::{Finished, Run},
    component::Component,
    trust_data::{self, GUN, TrustKey, TrustRepository, digest_of},
};

/// A home folder with files as saved by hand, below `raw/GUN`.
struct Home {
    folder: TempDir,
}

impl Home {
    fn with(data: &TrustData) -> Self {
        let home = Self { folder: TempDir::new().unwrap() };
        home.save(data);
        home
    }

    fn save(&self, data: &TrustData) {
        let raw = self.path(&format!("raw/{GUN}"));
        drop(fs::remove_dir_all(&raw));
        trust_data::write(data, &raw);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Run {
        let home = self.folder.path();
        Run::notation_kms().home(home).current_dir(home).arg("dct").args(words)
    }

    fn run(&self, words: &[&str]) -> Finished {
        self.command(words).finish()
    }

    fn export(&self, more: &[&str]) -> Finished {
        let words = ["export", "--from-raw", "raw", "--to", "archive"];
        self.run(&[&words, more].concat())
    }

    /// A file of the archive, as JSON.
    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path("archive").join(name)).unwrap()).unwrap()
    }

    /// Writes a file of the archive, and its checksum as whoever changes a file would.
    fn forge(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path("archive").join(name), bytes).unwrap();
        let sums = "find . -type f ! -name SHA256SUMS | sed 's|^\\./||' | sort | xargs sha256sum > ../sums; mv ../sums SHA256SUMS";
        let shell = Run::new("sh").args(["-c", sums]).current_dir(&self.path("archive"));
        shell.finish().expect_status(0);
    }
}

fn place(file: &str) -> String {
    format!("v2/{GUN}/_trust/tuf/{file}")
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

/// The verdict and the codes of a role in a record.
fn verdict(record: &Value, file: &str) -> (String, Vec<String>) {
    let roles = record["roles"].as_array().unwrap();
    let role = roles.iter().find(|role| role["file"] == file).unwrap();
    let codes = role["reasons"].as_array().unwrap().iter();
    let codes = codes.map(|reason| reason["code"].as_str().unwrap().to_owned());
    (role["verdict"].as_str().unwrap().to_owned(), codes.collect())
}

#[test]
fn an_archive_holds_every_byte_and_a_record_of_what_it_says() {
    let mut repository = TrustRepository::new();
    repository.rotate_root();
    let data = repository.build();
    let home = Home::with(&data);
    let exported = home.export(&[]).expect_status(0);
    let root_key = repository.signer("root").id();
    assert!(exported.stdout.contains(&format!("{GUN}: verified, 5 tags")), "{}", exported.stdout);
    let first_use = "root trusted on first use, not known to be right: key ";
    assert!(exported.stdout.contains(first_use) && exported.stdout.contains(&root_key));
    for (name, bytes) in data.files() {
        assert_eq!(fs::read(home.path("archive").join(place(name))).unwrap(), bytes, "{name}");
    }
    let index = home.json("index.json");
    let record = &index["repositories"][0];
    assert_eq!(record, &home.json(&format!("v2/{GUN}/_trust/record.json")));
    assert_eq!(record["gun"], GUN);
    assert_eq!(record["verdict"], "verified");
    assert_eq!(record["complete"], true);
    assert_eq!(record["rootTrust"], json!({"kind": "first-use"}));
    assert_eq!(record["source"], json!({"kind": "raw", "folder": format!("raw/{GUN}")}));
    assert_eq!(record["error"], Value::Null);
    let tag = json!({
        "tag": "1.0", "digest": digest_of(10), "size": 1010, "signers": ["alice", "bob"],
        "roles": ["targets/alice", "targets/bob", "targets/releases"],
    });
    assert!(record["tags"].as_array().unwrap().contains(&tag), "{record:#}");
    let differing = json!([{"tag": "edge", "releases": digest_of(2), "targets": digest_of(1)}]);
    assert_eq!(record["differingTags"], differing);
    assert_eq!(record["roles"][0]["signedBy"], json!([root_key]));
    assert_eq!(record["roles"][0]["expires"], "2046-11-22T09:00:21Z");
}

#[test]
fn an_archive_is_checked_without_this_program() {
    if Component::Python.or_skip().is_none() || Component::Openssl.or_skip().is_none() {
        return;
    }
    let mut repository = TrustRepository::new();
    repository.rotate_root();
    let key = TrustKey::rsa();
    let root = repository.role("root");
    root["keys"][key.id()] = key.entry();
    root["roles"]["timestamp"] = trust_data::role_keys(&[&key], 1);
    repository.signers.insert("timestamp".to_owned(), vec![key]);
    let home = Home::with(&repository.build());
    home.export(&[]).expect_status(0);
    let check = |program: &str, words: &[&str]| {
        Run::new(program).args(words).current_dir(&home.path("archive")).finish()
    };
    check("sha256sum", &["--check", "--quiet", "SHA256SUMS"]).expect_status(0);
    let checked = check("python3", &["check.py"]).expect_status(0);
    assert!(
        checked.stdout.contains("ok     targets/releases.json: 1 of 1 signatures"),
        "{}",
        checked.stdout
    );
    assert!(
        checked.stdout.contains("ok     root.json by the keys of 1.root.json"),
        "{}",
        checked.stdout
    );

    for file in [
        "1.root.json",
        "root.json",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
        "targets/bob.json",
    ] {
        let path = home.path("archive").join(place(file));
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, good.replacen("2046-11", "2047-11", 1)).unwrap();
        check("sha256sum", &["--check", "--quiet", "SHA256SUMS"]).expect_status(1);
        let checked = check("python3", &["check.py"]).expect_status(1);
        assert!(checked.stdout.contains("WRONG"), "{}", checked.stdout);
        fs::write(&path, good).unwrap();
    }
    check("python3", &["check.py"]).expect_status(0);
}

#[test]
fn an_archive_is_inspected_from_its_folder_and_from_its_tar_alike() {
    let home = Home::with(&TrustRepository::new().build());
    home.export(&["--tar", "archive.tar"]).expect_status(0);
    let folder = home.run(&["inspect", "archive", "-o", "json"]).expect_status(0);
    let tar = home.run(&["inspect", "archive.tar", "-o", "json"]).expect_status(0);
    let (mut folder, mut tar): (Value, Value) =
        (serde_json::from_str(&folder.stdout).unwrap(), serde_json::from_str(&tar.stdout).unwrap());
    for report in [&mut folder, &mut tar] {
        report["repositories"][0]["judgedAt"].take();
    }
    assert_eq!(folder, tar);
    let listed =
        Run::new("tar").args(["-tf", "archive.tar"]).current_dir(home.folder.path()).finish();
    assert!(listed.expect_status(0).stdout.contains("SHA256SUMS\n"));

    let text = home.run(&["inspect", "archive"]).expect_status(0).stdout;
    assert!(text.starts_with(&format!("{GUN}: verified\nroot trusted on first use")), "{text}");
    assert!(text.contains(&format!("  1.0   {}  alice, bob\n", digest_of(10))), "{text}");
    let warning = format!(
        "warning: tag edge is {} in targets/releases, which docker pull took, and {} in targets",
        digest_of(2),
        digest_of(1)
    );
    assert!(text.contains(&warning), "{text}");
}

#[test]
fn output_docker_is_what_docker_trust_inspect_prints() {
    let repository = TrustRepository::new();
    let ids = |role: &str| json!([{"ID": repository.signer(role).id()}]);
    let hex = |image: u8| digest_of(image).trim_start_matches("sha256:").to_owned();
    let expected = json!([{
        "Name": GUN,
        "SignedTags": [
            {"SignedTag": "0.9", "Digest": hex(9), "Signers": ["Repo Admin"]},
            {"SignedTag": "1.0", "Digest": hex(10), "Signers": ["alice", "bob"]},
            {"SignedTag": "1.1", "Digest": hex(11), "Signers": ["alice"]},
            {"SignedTag": "edge", "Digest": hex(1), "Signers": ["Repo Admin"]},
            {"SignedTag": "edge", "Digest": hex(2), "Signers": ["Repo Admin"]},
        ],
        "Signers": [
            {"Name": "bob", "Keys": ids("targets/bob")},
            {"Name": "alice", "Keys": ids("targets/alice")},
        ],
        "AdministrativeKeys": [
            {"Name": "Root", "Keys": ids("root")},
            {"Name": "Repository", "Keys": ids("targets")},
        ],
    }]);
    let mut repository = TrustRepository {
        signed: repository.signed.clone(),
        signers: repository.signers.clone(),
        older_roots: BTreeMap::new(),
    };
    let home = Home::with(&repository.build());
    home.export(&[]).expect_status(0);
    let printed = home.run(&["inspect", "archive", "-o", "docker"]).expect_status(0).stdout;
    let mut printed: Value = serde_json::from_str(&printed).unwrap();
    // Docker's order of one tag's two digests is that of a hash table.
    printed[0]["SignedTags"]
        .as_array_mut()
        .unwrap()
        .sort_by_key(|tag| (tag["SignedTag"].to_string(), tag["Digest"].to_string()));
    let mut expected = expected;
    expected[0]["SignedTags"]
        .as_array_mut()
        .unwrap()
        .sort_by_key(|tag| (tag["SignedTag"].to_string(), tag["Digest"].to_string()));
    assert_eq!(printed, expected);
}

#[test]
fn an_archive_with_a_changed_byte_is_refused_by_name() {
    let home = Home::with(&TrustRepository::new().build());
    home.export(&[]).expect_status(0);
    let archive = home.path("archive");
    for name in ["index.json", "README.md", &place("targets.json"), &place("targets/alice.json")] {
        let path = archive.join(name);
        let good = fs::read(&path).unwrap();
        let mut changed = good.clone();
        changed[7] ^= 1;
        fs::write(&path, changed).unwrap();
        let refused = home.run(&["inspect", "archive"]).expect_status(3);
        assert!(
            refused
                .stderr
                .contains(&format!("caused by: file {name} has changed: its SHA-256 is ")),
            "{}",
            refused.stderr
        );
        assert_eq!(refused.stdout, "");
        fs::write(&path, good).unwrap();
    }
    home.run(&["inspect", "archive"]).expect_status(0);
    fs::write(archive.join("extra.json"), "{}").unwrap();
    let refused = home.run(&["inspect", "archive"]).expect_status(2);
    assert!(refused.stderr.contains("file extra.json is not in SHA256SUMS"), "{}", refused.stderr);
    fs::remove_file(archive.join("extra.json")).unwrap();
    fs::remove_file(archive.join(place("root.json"))).unwrap();
    let refused = home.run(&["inspect", "archive", "-o", "json"]).expect_status(3);
    let error: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(
        error["error"]["causes"][0],
        format!("file {} is missing, and SHA256SUMS lists it", place("root.json"))
    );
}

#[test]
fn a_forger_who_makes_the_checksums_anew_is_told_by_the_signatures() {
    let mut repository = TrustRepository::new();
    let home = Home::with(&repository.build());
    home.export(&[]).expect_status(0);
    repository.role("targets/releases")["targets"]["1.0"] =
        repository.signed["targets/releases"]["targets"]["edge"].clone();
    repository.signers.insert("targets/releases".to_owned(), vec![TrustKey::ecdsa()]);
    home.forge(&place("targets/releases.json"), &repository.file("targets/releases"));
    let refused = home.run(&["inspect", "archive"]).expect_status(3);
    assert!(refused.stderr.contains("targets/releases.json refused: "), "{}", refused.stderr);
    assert!(refused.stdout.contains("snapshot lists SHA-256"), "{}", refused.stdout);
    assert!(!refused.stdout.contains("  1.0 "), "{}", refused.stdout);
    let docker = home.run(&["inspect", "archive", "-o", "docker"]).expect_status(3);
    assert!(docker.stdout.contains("is not accepted"), "{}", docker.stdout);
}

#[test]
fn expired_metadata_is_kept_told_and_used_only_where_allowed() {
    let mut repository = TrustRepository::new();
    repository.role("timestamp")["expires"] = "2025-08-08T00:00:00Z".into();
    let home = Home::with(&repository.build());
    let exported = home.export(&[]).expect_status(0);
    assert!(
        exported.stdout.contains("timestamp.json expired: expired at 2025-08-08T00:00:00Z"),
        "{}",
        exported.stdout
    );
    let record = home.json("index.json")["repositories"][0].clone();
    assert_eq!(record["verdict"], "expired");
    assert_eq!(
        verdict(&record, "timestamp.json"),
        ("expired".to_owned(), vec!["expired".to_owned()])
    );
    assert_eq!(record["tags"].as_array().unwrap().len(), 5);

    let refused = home.run(&["inspect", "archive"]).expect_status(3);
    assert!(refused.stderr.contains("hint: --allow-expired"), "{}", refused.stderr);
    assert!(refused.stdout.contains("No tags"), "{}", refused.stdout);
    let allowed = home.run(&["inspect", "archive", "--allow-expired"]).expect_status(0);
    assert!(allowed.stdout.contains(&digest_of(10)), "{}", allowed.stdout);
}

#[test]
fn what_does_not_verify_is_kept_with_its_verdict() {
    let good = TrustRepository::new().build();
    let mut unknown_method = good.clone();
    let timestamp = String::from_utf8(good.get("timestamp.json").unwrap().to_vec()).unwrap();
    unknown_method.insert("timestamp.json", timestamp.replace("eddsa", "newdsa").into_bytes());
    let mut garbage = good.clone();
    garbage.insert("targets.json", b"<html>".to_vec());
    let mut partial = TrustData::new();
    good.files()
        .filter(|(name, _)| *name != "snapshot.json")
        .for_each(|(name, file)| partial.insert(name, file.to_vec()));
    for (data, file, expected, code) in [
        (unknown_method, "timestamp.json", "refused", "below-threshold"),
        (garbage, "targets.json", "refused", "malformed"),
        (partial, "snapshot.json", "missing", "missing"),
    ] {
        let home = Home::with(&data);
        home.export(&[]).expect_status(3);
        for (name, bytes) in data.files() {
            assert_eq!(fs::read(home.path("archive").join(place(name))).unwrap(), bytes);
        }
        let (verdict, codes) = verdict(&home.json("index.json")["repositories"][0], file);
        assert_eq!(verdict, expected);
        assert!(codes.iter().any(|found| found == code), "{codes:?}");
        home.run(&["inspect", "archive", "--allow-expired"]).expect_status(3);
    }
}

#[test]
fn a_pinned_root_is_told_and_a_wrong_one_refused() {
    let mut repository = TrustRepository::new();
    let (data, key) = (repository.build(), repository.signer("root"));
    let home = Home::with(&data);
    let exported = home.export(&["--pin-root", &key.id().to_uppercase()]).expect_status(0);
    assert!(
        exported.stdout.contains(&format!("root pinned: key {}", key.id())),
        "{}",
        exported.stdout
    );
    fs::write(home.path("root.pem"), key.certificate_pem()).unwrap();
    let inspected = home.run(&["inspect", "archive", "--pin-root", "root.pem"]).expect_status(0);
    assert!(inspected.stdout.contains("root pinned: certificate CN="), "{}", inspected.stdout);

    let other = "0".repeat(64);
    let refused = home.run(&["inspect", "archive", "--pin-root", &other]).expect_status(3);
    assert!(
        refused.stderr.contains(&format!("no root is signed by what is pinned (key {other})")),
        "{}",
        refused.stderr
    );
    let home = Home::with(&data);
    home.export(&["--pin-root", &other]).expect_status(3);
    assert_eq!(home.json("index.json")["repositories"][0]["rootTrust"], json!({"kind": "none"}));
    let usage = home.run(&["inspect", "archive", "--pin-root", "nothing.pem"]).expect_status(2);
    assert!(
        usage.stderr.contains("is neither a key id nor a file with a certificate"),
        "{}",
        usage.stderr
    );
}

#[test]
fn the_files_that_docker_keeps_itself_are_exported() {
    let home = Home::with(&TrustData::new());
    let data = TrustRepository::new().build();
    trust_data::write(&data, &home.path(&format!(".docker/trust/tuf/{GUN}/metadata")));
    let exported = home.run(&["export", "--from-local", "--to", "one"]).expect_status(0);
    assert!(exported.stdout.contains(&format!("{GUN}: verified")), "{}", exported.stdout);
    // A name that no archive can hold is not left out without a word.
    trust_data::write(&data, &home.path(".docker/trust/tuf/acme/app+1/metadata"));
    let partly = home.run(&["export", "--from-local", "--to", "partly"]).expect_status(9);
    assert!(
        partly.stdout.contains("acme/app+1: failed: \"acme/app+1\" is no repository name"),
        "{}",
        partly.stdout
    );
    let words =
        ["export", "--from-local=.docker/trust", "--exact", GUN, "acme/none", "--to", "two"];
    let exported = home.run(&words).expect_status(0);
    assert!(exported.stdout.contains("acme/none: no trust data\n"), "{}", exported.stdout);
    let docker = home
        .command(&["export", "--from-local", "--to", "three"])
        .env("DOCKER_CONFIG", home.path("elsewhere"));
    let refused = docker.finish().expect_status(8);
    assert!(refused.stderr.contains("elsewhere/trust is not a trust folder"), "{}", refused.stderr);
}

#[test]
fn what_was_exported_is_not_fetched_again_unless_told() {
    let mut repository = TrustRepository::new();
    let old = repository.build();
    repository.role("targets")["version"] = 2.into();
    let new = repository.build();
    let home = Home::with(&new);
    home.export(&[]).expect_status(0);
    home.save(&old);
    let again = home.export(&[]).expect_status(0);
    assert!(again.stdout.contains("exported before"), "{}", again.stdout);
    assert_eq!(
        fs::read(home.path("archive").join(place("targets.json"))).unwrap(),
        new.get("targets.json").unwrap()
    );

    // The source has gone back in time: that is told, and neither file is lost.
    home.export(&["--refresh"]).expect_status(3);
    let record = home.json("index.json")["repositories"][0].clone();
    assert_eq!(
        verdict(&record, "targets.json"),
        ("refused".to_owned(), vec!["rolled-back".to_owned()])
    );
    let kept = files(&home.path("archive"));
    assert_eq!(kept.keys().filter(|path| path.ends_with("targets.json")).count(), 2);
    let refused = home.run(&["inspect", "archive"]).expect_status(3);
    assert!(
        refused.stderr.contains("version 1 is older than version 2, which was seen before"),
        "{}",
        refused.stderr
    );
}

#[test]
fn one_archive_takes_several_runs() {
    let home = Home::with(&TrustRepository::new().build());
    home.export(&[GUN]).expect_status(0);
    home.export(&["registry.example.test/acme/none"]).expect_status(8);
    let index = home.json("index.json");
    assert_eq!(index["repositories"].as_array().unwrap().len(), 1);
    assert_eq!(index["noTrustData"], json!(["registry.example.test/acme/none"]));
    home.run(&["inspect", "archive", "--gun", GUN]).expect_status(0);
    let absent = home.run(&["inspect", "archive", "--gun", "acme/none"]).expect_status(8);
    assert!(
        absent.stderr.contains("docker.io/acme/none is not in the archive archive"),
        "{}",
        absent.stderr
    );
}

#[test]
fn a_full_disk_leaves_nothing_half_written_and_the_next_run_goes_on() {
    let data = TrustRepository::new().build();
    let largest = data.files().map(|(_, bytes)| bytes.len()).max().unwrap();
    assert!(largest > 1024);
    let home = Home::with(&data);
    // Files of over 1 KiB cannot be written: a full disk, for one process.
    let script = "trap '' XFSZ; ulimit -f 2; exec \"$0\" dct export --from-raw raw --to archive";
    let full = Run::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_notation-kms")])
        .home(home.folder.path())
        .current_dir(home.folder.path())
        .finish();
    full.expect_status(1);
    let incoming = home.path("archive").join(format!("v2/{GUN}/_trust/.incoming"));
    for (path, bytes) in files(&home.path("archive")) {
        let name = path.strip_prefix(&incoming).unwrap();
        assert_eq!(Some(bytes.as_slice()), data.get(name.to_str().unwrap()), "{}", path.display());
    }
    let unfinished = home.run(&["inspect", "archive"]).expect_status(2);
    assert!(
        unfinished.stderr.contains("is not an archive of trust data: it has no SHA256SUMS"),
        "{}",
        unfinished.stderr
    );
    home.export(&[]).expect_status(0);
    home.run(&["inspect", "archive"]).expect_status(0);
}

#[test]
fn names_that_cannot_be_exported_are_refused_before_anything_is_done() {
    let home = Home::with(&TrustData::new());
    let hub = "name the repositories, put them into a file (--from-file)";
    let cases: [(&[&str], &str); 10] = [
        (&["acme/app:1.0"], "names an image: trust data belongs to the repository \"acme/app\""),
        (&["acme/app@sha256:00"], "trust data belongs to the repository \"acme/app\""),
        (&["acme/App"], "the part after the registry is in lower case"),
        (&["--exact", "acme/../app"], "it has the part \"..\""),
        (&[], "no repository is named"),
        (&["--catalog", "docker.io"], hub),
        (&["--all", "--server", "https://notary.docker.io"], hub),
        (&["--all"], hub),
        (&["--server", "http://notary.example.test", "acme/app"], "or http:// and a loopback host"),
        (
            &["--server", "notary.example.test", "acme/app"],
            "server \"notary.example.test\" must be https://",
        ),
    ];
    for (words, text) in cases {
        let refused = home.run(&[&["export", "--to", "archive"], words].concat()).expect_status(2);
        assert!(refused.stderr.contains(text), "{words:?}: {}", refused.stderr);
        assert!(!home.path("archive").exists(), "{words:?}");
    }
    fs::create_dir(home.path("mine")).unwrap();
    fs::create_dir(home.path("raw")).unwrap();
    fs::write(home.path("mine/thesis.tex"), "").unwrap();
    let foreign =
        home.run(&["export", "--from-raw", "raw", "acme/app", "--to", "mine"]).expect_status(2);
    assert!(
        foreign.stderr.contains("folder mine is not empty, and not an archive of trust data"),
        "{}",
        foreign.stderr
    );
}

#[test]
fn repositories_are_named_by_files_and_by_images() {
    let home = Home::with(&TrustRepository::new().build());
    let images = format!(
        "{GUN}:1.0 {GUN}@{} docker-pullable://nginx:1.25\n'quay.io/A/b' sha256:00\n",
        digest_of(1)
    );
    let words =
        ["export", "--from-raw", "raw", "--images-from", "-", "--to", "archive", "-o", "json"];
    let exported = home.command(&words).stdin(images).finish().expect_status(0);
    let report: Value = serde_json::from_str(&exported.stdout).unwrap();
    assert_eq!(report["repositories"].as_array().unwrap().len(), 1);
    assert_eq!(report["repositories"][0]["gun"], GUN);
    assert_eq!(report["noTrustData"], json!(["docker.io/library/nginx"]));
    assert!(
        exported.stderr.contains("passed over: \"quay.io/A/b\" is no image name"),
        "{}",
        exported.stderr
    );

    fs::write(home.path("list"), format!("# ours\n\n{GUN}\nalpine\n")).unwrap();
    let words = ["export", "--from-raw", "raw", "--from-file", "list", "--to", "other"];
    let exported = home.run(&words).expect_status(0);
    assert!(
        exported.stdout.ends_with("other: 1 exported, 1 without trust data, 0 failed\n"),
        "{}",
        exported.stdout
    );
}

#[test]
fn hostile_archives_are_refused() {
    let home = Home::with(&TrustRepository::new().build());
    home.export(&[]).expect_status(0);
    let refused = |text: &str, status: i32| {
        let finished = home.run(&["inspect", "archive"]).expect_status(status);
        assert!(finished.stderr.contains(text), "{}", finished.stderr);
    };
    std::os::unix::fs::symlink("/etc/passwd", home.path("archive/link")).unwrap();
    refused("archive has an entry \"link\", which no export writes", 2);
    fs::remove_file(home.path("archive/link")).unwrap();
    let index = fs::read(home.path("archive/index.json")).unwrap();
    home.forge("index.json", br#"{"archiveVersion":2}"#);
    refused("index.json is of version 2, and this program reads version 1", 2);
    home.forge("index.json", b"[]");
    refused("index.json is not the index of an archive", 2);
    home.forge("index.json", &index);
    home.run(&["inspect", "archive"]).expect_status(0);
    fs::write(home.path("archive/SHA256SUMS"), "nonsense\n").unwrap();
    refused("SHA256SUMS, line 1: not a checksum and a file name", 2);
    fs::write(home.path("no.tar"), [b'x'; 4096]).unwrap();
    home.run(&["inspect", "no.tar"]).expect_status(2);
}

#[test]
fn two_exports_do_not_write_to_one_archive_at_a_time() {
    let home = Home::with(&TrustRepository::new().build());
    let writer = ArchiveWriter::open(home.path("archive")).unwrap();
    let refused = home.export(&[]).expect_status(2);
    assert!(refused.stderr.contains("another export is writing to archive"), "{}", refused.stderr);
    drop(writer);
    home.export(&[]).expect_status(0);
}

#[test]
fn an_archive_that_has_changed_is_not_written_to() {
    let home = Home::with(&TrustRepository::new().build());
    home.export(&[]).expect_status(0);
    let (targets, sums) =
        (home.path("archive").join(place("targets.json")), home.path("archive/SHA256SUMS"));
    let (good, listed) = (fs::read(&targets).unwrap(), fs::read(&sums).unwrap());
    fs::write(&targets, "{}").unwrap();
    let refused = home.export(&["acme/other"]).expect_status(3);
    assert!(
        refused.stderr.contains("archive archive is not as it was exported"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains(&format!("file {} has changed", place("targets.json"))),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read(&sums).unwrap(), listed, "the change is not blessed by new checksums");
    fs::remove_file(&targets).unwrap();
    let refused = home.export(&[]).expect_status(3);
    assert!(
        refused.stderr.contains(&format!("file {} is missing", place("targets.json"))),
        "{}",
        refused.stderr
    );
    // Fetched again, it is right again, and the changed file is not lost.
    fs::write(&targets, "{}").unwrap();
    home.export(&["--refresh"]).expect_status(0);
    assert_eq!(fs::read(&targets).unwrap(), good);
    assert!(files(&home.path("archive")).values().any(|bytes| bytes == b"{}"));
}

#[test]
fn a_refresh_that_fails_or_finds_nothing_takes_nothing_away() {
    let home = Home::with(&TrustRepository::new().build());
    home.export(&[GUN]).expect_status(0);
    let before = files(&home.path("archive/v2"));
    fs::remove_dir_all(home.path("raw")).unwrap();
    fs::create_dir(home.path("raw")).unwrap();
    let gone = home.export(&["--refresh", GUN]).expect_status(8);
    assert!(gone.stdout.contains(&format!("{GUN}: no trust data")), "{}", gone.stdout);
    assert_eq!(files(&home.path("archive/v2")), before);
    home.run(&["inspect", "archive"]).expect_status(0);
}

#[test]
fn a_run_that_ended_while_files_were_put_in_their_place_loses_none() {
    let mut repository = TrustRepository::new();
    let old = repository.build();
    repository.role("targets")["version"] = 2.into();
    let new = repository.build();
    let home = Home::with(&old);
    home.export(&[GUN]).expect_status(0);
    // The old ones are put aside, and the new ones not yet in their place.
    let trust = home.path("archive").join(format!("v2/{GUN}/_trust"));
    fs::rename(trust.join("tuf"), trust.join("tuf-20261123T110000Z")).unwrap();
    trust_data::write(&new, &trust.join(".incoming"));
    fs::remove_dir_all(home.path("raw")).unwrap();
    fs::create_dir(home.path("raw")).unwrap();
    home.export(&["--refresh", GUN]).expect_status(8);
    for (name, bytes) in new.files() {
        assert_eq!(fs::read(trust.join("tuf").join(name)).ok().as_deref(), Some(bytes), "{name}");
    }
    for (name, bytes) in old.files() {
        let aside = trust.join("tuf-20261123T110000Z").join(name);
        assert_eq!(fs::read(aside).ok().as_deref(), Some(bytes), "{name}");
    }
}

#[test]
fn a_refresh_that_finds_the_same_puts_nothing_aside() {
    let home = Home::with(&TrustRepository::new().build());
    home.export(&[]).expect_status(0);
    let count = files(&home.path("archive")).len();
    home.export(&["--refresh"]).expect_status(0);
    assert_eq!(files(&home.path("archive")).len(), count);
}

#[test]
fn what_was_missing_or_refused_is_fetched_again() {
    let whole = TrustRepository::new().build();
    let mut partial = TrustData::new();
    whole
        .files()
        .filter(|(name, _)| *name != "snapshot.json")
        .for_each(|(name, file)| partial.insert(name, file.to_vec()));
    let home = Home::with(&partial);
    home.export(&[]).expect_status(3);
    home.save(&whole);
    let again = home.export(&[]).expect_status(0);
    assert!(again.stdout.contains(&format!("{GUN}: verified")), "{}", again.stdout);
    home.run(&["inspect", "archive"]).expect_status(0);
}

#[test]
fn what_is_known_of_the_root_later_stands_in_the_index() {
    let mut repository = TrustRepository::new();
    let home = Home::with(&repository.build());
    home.export(&[]).expect_status(0);
    home.export(&["--pin-root", &repository.signer("root").id()]).expect_status(0);
    let pinned = &home.json("index.json")["repositories"][0]["rootTrust"]["kind"];
    assert_eq!(pinned, "pinned");
    repository.signers.clear();
}

#[test]
fn links_of_others_folders_are_passed_over() {
    let home = Home::with(&TrustRepository::new().build());
    std::os::unix::fs::symlink("/etc/passwd", home.path(&format!("raw/{GUN}/targets/link.json")))
        .unwrap();
    home.export(&[]).expect_status(0);
    assert!(!home.path("archive").join(place("targets/link.json")).exists());
    let nowhere = home.run(&["export", "--from-raw", "nowhere"]).expect_status(2);
    assert!(nowhere.stderr.contains("there is no folder nowhere"), "{}", nowhere.stderr);
}

#[test]
fn the_tar_file_stands_outside_of_the_folder() {
    let home = Home::with(&TrustRepository::new().build());
    for _ in 0..2 {
        let refused = home.export(&["--tar", "archive/all.tar"]).expect_status(2);
        assert!(
            refused.stderr.contains("the tar file cannot stand in the archive archive"),
            "{}",
            refused.stderr
        );
        home.export(&[]).expect_status(0);
    }
}

#[test]
fn names_that_steer_a_terminal_are_not_printed_as_they_are() {
    let mut repository = TrustRepository::new();
    let keys = &mut repository.role("root")["roles"]["timestamp"]["keyids"];
    keys.as_array_mut().unwrap().push("\u{1b}[2J".into());
    let home = Home::with(&repository.build());
    home.export(&[]).expect_status(3);
    let shown = home.run(&["inspect", "archive"]).expect_status(3);
    assert!(!shown.stdout.contains('\u{1b}') && !shown.stderr.contains('\u{1b}'));
    assert!(shown.stdout.contains("the role lists key \\u{1b}[2J"), "{}", shown.stdout);
}
