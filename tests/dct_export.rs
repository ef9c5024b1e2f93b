//! `dct export` from servers that do not behave: one broken repository stops no other, and nothing is lost.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use notation_sdk::dct::TrustData;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    command::{Finished, Run},
    fake_http::{Answer, FakeHttp},
    trust_data::{self, GUN, TrustRepository},
};

/// A server that has `data` for [`GUN`], and for other repositories what `otherwise` says.
fn server(data: TrustData, otherwise: impl Fn(&str) -> Answer + Send + Sync + 'static) -> FakeHttp {
    FakeHttp::start(move |request| {
        let place = format!("/v2/{GUN}/_trust/tuf/");
        match request.target.strip_prefix(&place) {
            Some(file) => data.get(file).map_or_else(not_found, |bytes| Answer::new(200, bytes)),
            None => otherwise(&request.target),
        }
    })
}

fn not_found() -> Answer {
    Answer::new(404, r#"{"errors":[{"code":"METADATA_NOT_FOUND","message":"none","detail":{}}]}"#)
}

fn dct(home: &Path, words: &[&str]) -> Finished {
    Run::notation_kms().home(home).current_dir(home).arg("dct").args(words).finish()
}

fn export(home: &Path, server: &FakeHttp, words: &[&str]) -> Finished {
    let url = server.url();
    let all = ["export", "--to", "archive", "--timeout", "1", "--server", &url];
    dct(home, &[&all, words].concat())
}

fn index(home: &Path) -> Value {
    serde_json::from_slice(&fs::read(home.join("archive/index.json")).unwrap()).unwrap()
}

#[test]
fn one_failing_repository_does_not_stop_the_rest() {
    let server = server(TrustRepository::new().build(), |target| {
        if target.contains("/broken/") { Answer::new(500, "oops") } else { not_found() }
    });
    let home = TempDir::new().unwrap();
    let words = ["acme/broken", "acme/none", GUN, "-o", "json"];
    let exported = export(home.path(), &server, &words).expect_status(9);
    let report: Value = serde_json::from_str(&exported.stdout).unwrap();
    assert_eq!(report["repositories"][0]["gun"], GUN);
    assert_eq!(report["noTrustData"], json!(["docker.io/acme/none"]));
    assert_eq!(report["failed"].as_array().unwrap().len(), 1);
    let failed = &report["failed"][0];
    assert_eq!(failed["gun"], "docker.io/acme/broken");
    let error = failed["error"].as_str().unwrap();
    assert!(
        error.starts_with("root.json of docker.io/acme/broken cannot be fetched: ")
            && error.contains("500"),
        "{error}"
    );
    assert_eq!(index(home.path())["failed"], report["failed"]);
    dct(home.path(), &["inspect", "archive"]).expect_status(0);
}

#[test]
fn versions_of_a_root_that_cannot_be_read_are_fetched_all_the_same() {
    let mut repository = TrustRepository::new();
    repository.rotate_root();
    repository.rotate_root();
    let mut data = repository.build();
    let versions: Vec<String> = data
        .files()
        .map(|(name, _)| name.to_owned())
        .filter(|n| n.ends_with(".root.json"))
        .collect();
    assert_eq!(versions, ["1.root.json", "2.root.json"]);
    data.insert("root.json", b"{}".to_vec());
    let served = data.clone();
    let server = FakeHttp::start(move |request| {
        let file = request.target.split("/_trust/tuf/").nth(1).unwrap();
        served.get(file).map_or_else(not_found, |bytes| Answer::new(200, bytes))
    });
    let home = TempDir::new().unwrap();
    export(home.path(), &server, &[GUN]).expect_status(3);
    for version in versions {
        let path = home.path().join(format!("archive/v2/{GUN}/_trust/tuf/{version}"));
        assert_eq!(fs::read(path).ok().as_deref(), data.get(&version), "{version}");
    }
}

#[test]
fn a_single_failure_exits_by_its_reason() {
    let cases: [(u16, i32); 5] = [(401, 7), (403, 7), (404, 8), (500, 1), (503, 6)];
    for (status, exit) in cases {
        let server = FakeHttp::start(move |_| Answer::new(status, "").header("Retry-After", "0"));
        let home = TempDir::new().unwrap();
        export(home.path(), &server, &["acme/app"]).expect_status(exit);
        // The archive says what happened all the same.
        let index = index(home.path());
        let failed = index["failed"].as_array().unwrap().len();
        assert_eq!(failed, usize::from(status != 404), "{index:#}");
    }
    let hanging = FakeHttp::start(|_| Answer::silence());
    let home = TempDir::new().unwrap();
    let exported = export(home.path(), &hanging, &["acme/app"]).expect_status(6);
    assert!(
        exported.stdout.contains("failed: root.json of docker.io/acme/app cannot be fetched: "),
        "{}",
        exported.stdout
    );
}

#[test]
fn files_that_came_before_a_failure_are_kept_and_the_next_run_goes_on() {
    let mut repository = TrustRepository::new();
    repository.rotate_root();
    let data = repository.build();
    let (works, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let server = {
        let (data, works, asked) = (data.clone(), Arc::clone(&works), Arc::clone(&asked));
        FakeHttp::start(move |request| {
            asked.fetch_add(1, Ordering::Relaxed);
            let file = request.target.split("/_trust/tuf/").nth(1).unwrap();
            if file == "targets.json" && !works.load(Ordering::Relaxed) {
                return Answer::new(500, "");
            }
            data.get(file).map_or_else(not_found, |bytes| Answer::new(200, bytes))
        })
    };
    let home = TempDir::new().unwrap();
    export(home.path(), &server, &[GUN]).expect_status(1);
    let record = index(home.path())["repositories"][0].clone();
    assert_eq!(record["complete"], false);
    assert_eq!(record["verdict"], "missing");
    assert!(record["error"].as_str().unwrap().starts_with("targets.json of "), "{record:#}");
    let kept =
        |name: &str| fs::read(home.path().join(format!("archive/v2/{GUN}/_trust/tuf/{name}"))).ok();
    for name in ["snapshot.json", "1.root.json"] {
        assert_eq!(
            kept(name).as_deref(),
            data.get(name),
            "one file that fails keeps no other away"
        );
    }
    assert_eq!(
        kept("targets/alice.json").as_deref(),
        data.get("targets/alice.json"),
        "the snapshot lists it"
    );
    dct(home.path(), &["inspect", "archive"]).expect_status(3);

    works.store(true, Ordering::Relaxed);
    export(home.path(), &server, &[GUN]).expect_status(0);
    let index = index(home.path());
    assert_eq!(index["repositories"].as_array().unwrap().len(), 1);
    assert_eq!(index["repositories"][0]["complete"], true);
    assert_eq!(index["failed"], json!([]));
    let requests = asked.load(Ordering::Relaxed);
    export(home.path(), &server, &[GUN]).expect_status(0);
    assert_eq!(asked.load(Ordering::Relaxed), requests, "what is complete is not asked for again");
}

#[test]
fn files_of_two_moments_are_fetched_once_more() {
    let mut repository = TrustRepository::new();
    let before = repository.build();
    repository.role("targets")["version"] = 2.into();
    repository.role("snapshot")["version"] = 2.into();
    repository.role("timestamp")["version"] = 2.into();
    let after = repository.build();
    // Somebody publishes between the first request for the snapshot and that for the targets.
    let published = AtomicBool::new(false);
    let server = FakeHttp::start(move |request| {
        let file = request.target.split("/_trust/tuf/").nth(1).unwrap();
        if file == "targets.json" {
            published.store(true, Ordering::Relaxed);
        }
        let data = if published.load(Ordering::Relaxed) { &after } else { &before };
        data.get(file).map_or_else(not_found, |bytes| Answer::new(200, bytes))
    });
    let home = TempDir::new().unwrap();
    let exported = export(home.path(), &server, &[GUN]).expect_status(0);
    assert!(exported.stdout.contains(&format!("{GUN}: verified")), "{}", exported.stdout);
}

#[test]
fn too_large_a_timestamp_is_not_read_to_its_end() {
    let mut data = TrustRepository::new().build();
    data.insert("timestamp.json", vec![b' '; 2 * 1024 * 1024]);
    let server = server(data, |_| not_found());
    let home = TempDir::new().unwrap();
    let exported = export(home.path(), &server, &[GUN]).expect_status(1);
    assert!(exported.stdout.contains("timestamp.json of "), "{}", exported.stdout);
    assert!(exported.stdout.contains("1048576 bytes"), "{}", exported.stdout);
}

#[test]
fn credentials_are_dockers_own() {
    let server = FakeHttp::start(|request| match request.header("authorization") {
        Some("Basic bWU6c2VjcmV0") => not_found(),
        _ => Answer::new(401, "").header("WWW-Authenticate", "Basic realm=\"notary\""),
    });
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join(".docker")).unwrap();
    let config = json!({"auths": {"registry.example.test": {"auth": "bWU6c2VjcmV0"}}});
    fs::write(home.path().join(".docker/config.json"), config.to_string()).unwrap();
    export(home.path(), &server, &[GUN]).expect_status(8);
    export(home.path(), &server, &["other.example.test/app"]).expect_status(7);

    // A helper that has nothing, as docker's own say it; and one that breaks, whose words are not repeated.
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let helper = |name: &str, script: &str| {
        let (source, path) =
            (home.path().join(name), bin.join(format!("docker-credential-{name}")));
        fs::write(&source, format!("#!/bin/sh\nread -r server\n{script}\n")).unwrap();
        // Copied by another process: a file that this one has open for writing cannot be run.
        Run::new("install").args(["-m", "755"]).args([source, path]).finish().expect_status(0);
    };
    helper("full", r#"echo '{"ServerURL":"x","Username":"me","Secret":"secret"}'"#);
    helper("empty", "echo 'credentials not found in native keychain'; exit 1");
    helper("broken", "echo secret; exit 1");
    for (name, exit, warning) in
        [("full", 8, ""), ("empty", 7, ""), ("broken", 7, "docker-credential-broken get failed")]
    {
        let config = json!({"credHelpers": {"registry.example.test": name}});
        fs::write(home.path().join(".docker/config.json"), config.to_string()).unwrap();
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let url = server.url();
        let words = ["dct", "export", "--to", "archive", "--server", &url, GUN];
        let run = Run::notation_kms().home(home.path()).current_dir(home.path()).env("PATH", path);
        let finished = run.args(words).finish().expect_status(exit);
        assert!(finished.stderr.contains(warning), "{name}: {}", finished.stderr);
        assert!(!finished.stderr.contains("secret") && !finished.stdout.contains("secret"));
    }
}

#[test]
fn dockers_choice_of_server_is_taken() {
    let server = server(TrustRepository::new().build(), |_| not_found());
    let home = TempDir::new().unwrap();
    let run = Run::notation_kms().home(home.path()).current_dir(home.path());
    let run = run.env("DOCKER_CONTENT_TRUST_SERVER", server.url());
    run.args(["dct", "export", GUN]).finish().expect_status(0);
    assert!(home.path().join("dct-archive/index.json").is_file());
}

#[test]
fn a_registrys_catalog_names_the_repositories() {
    let server = FakeHttp::start(|request| match request.target.split_once('?') {
        Some(("/v2/_catalog", _)) => {
            Answer::new(200, r#"{"repositories":["acme/app","acme/other"]}"#)
        }
        _ => not_found(),
    });
    let home = TempDir::new().unwrap();
    let url = server.url();
    let exported = export(home.path(), &server, &["--catalog", &url]).expect_status(8);
    let host = url.trim_start_matches("http://");
    assert!(
        exported.stdout.contains(&format!("{host}/acme/other: no trust data")),
        "{}",
        exported.stdout
    );
    assert!(
        exported.stdout.contains("0 exported, 2 without trust data, 0 failed"),
        "{}",
        exported.stdout
    );
}

#[test]
fn a_registry_that_cannot_be_asked_does_not_stop_the_rest() {
    let home = TempDir::new().unwrap();
    let run = Run::notation_kms().home(home.path()).current_dir(home.path());
    let words = ["dct", "export", "--timeout", "1", "--images-from", "-", "-o", "json"];
    let run = run.args(words).stdin("127.0.0.1:99999/a:1 127.0.0.1:1/b").finish().expect_status(9);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let failed = report["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 2, "{report:#}");
    assert!(
        failed[1]["error"]
            .as_str()
            .unwrap()
            .starts_with("https://127.0.0.1:99999 cannot be asked: "),
        "{report:#}"
    );
}

#[test]
fn a_poorer_try_takes_nothing_from_a_fuller_one() {
    let data = TrustRepository::new().build();
    let failing = Arc::new(AtomicUsize::new(1));
    let phase = Arc::clone(&failing);
    let server = FakeHttp::start(move |request| {
        let Some((_, file)) = request.target.split_once("/_trust/tuf/") else {
            return Answer::new(200, "{}");
        };
        let fails = match phase.load(Ordering::Relaxed) {
            1 => file == "targets/bob.json",
            _ => file != "root.json",
        };
        match data.get(file).filter(|_| !fails) {
            Some(bytes) => Answer::new(200, bytes),
            None if fails => Answer::new(403, "{}"),
            None => not_found(),
        }
    });
    let home = TempDir::new().unwrap();
    let kept = || {
        let folder = home.path().join(format!("archive/v2/{GUN}/_trust/tuf"));
        let below = [folder.clone(), folder.join("targets")];
        below.iter().map(|folder| fs::read_dir(folder).unwrap().count()).sum::<usize>()
    };
    assert_ne!(export(home.path(), &server, &["--exact", GUN]).status, Some(0));
    let fuller = kept();
    assert!(fuller > 5, "{fuller}");
    failing.store(2, Ordering::Relaxed);
    assert_ne!(export(home.path(), &server, &["--exact", GUN]).status, Some(0));
    assert_eq!(kept(), fuller);
}

#[test]
fn what_was_put_aside_cannot_be_taken_away_unseen() {
    let home = TempDir::new().unwrap();
    let mut repository = TrustRepository::new();
    let old = repository.build();
    repository.role("targets")["version"] = 2.into();
    let raw = home.path().join(format!("raw/{GUN}"));
    trust_data::write(&repository.build(), &raw);
    let export = |more: &[&str]| {
        dct(home.path(), &[&["export", "--from-raw", "raw", "--to", "archive"], more].concat())
    };
    export(&[]).expect_status(0);
    trust_data::write(&old, &raw);
    export(&["--refresh"]);
    let trust = home.path().join(format!("archive/v2/{GUN}/_trust"));
    let aside = fs::read_dir(&trust).unwrap().map(|entry| entry.unwrap().path());
    let is_aside =
        |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("tuf-");
    let aside = aside.into_iter().find(is_aside).unwrap();
    let file = aside.join("targets.json");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, b"{}").unwrap();
    let changed = export(&[]).expect_status(3);
    assert!(changed.stderr.contains("targets.json"), "{}", changed.stderr);
    fs::write(&file, bytes).unwrap();
    fs::remove_dir_all(aside).unwrap();
    export(&[]).expect_status(3);
}

#[test]
fn an_index_that_cannot_be_read_is_not_written_over() {
    let home = TempDir::new().unwrap();
    trust_data::write(&TrustRepository::new().build(), &home.path().join(format!("raw/{GUN}")));
    let export = || dct(home.path(), &["export", "--from-raw", "raw", "--to", "archive"]);
    export().expect_status(0);
    let index = home.path().join("archive/index.json");
    let good = fs::read_to_string(&index).unwrap();
    for broken in ["{".to_owned(), good.replace("\"archiveVersion\": 1", "\"archiveVersion\": 2")] {
        assert_ne!(broken, good);
        fs::write(&index, &broken).unwrap();
        assert_ne!(export().status, Some(0));
        assert_eq!(fs::read_to_string(&index).unwrap(), broken);
    }
}
