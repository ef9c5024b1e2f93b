//! `dct migrate` that is killed, refused or throttled, or goes on where it broke off.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{World, digests, json_of, nonzero, pushed};
use crate::support::{
    command::Run,
    fake_http::{Answer, FakeHttp},
};

#[test]
fn a_run_that_is_killed_goes_on_and_signs_each_digest_once() {
    let images: Vec<String> = (0..12).map(|i| format!("image-{i}")).collect();
    let names: Vec<&str> = images.iter().map(String::as_str).collect();
    let Some(world) = World::or_skip(&names) else { return };
    world.planned();
    let digests = digests(&world.read_plan());
    let quickstart = &world.multi.quickstart;
    let mut child = Command::new(env!("CARGO_BIN_EXE_notation-kms"))
        .args(["dct", "migrate", "plan/plan.json", "--insecure-registry"])
        .env("XDG_CONFIG_HOME", quickstart.path("config"))
        .current_dir(quickstart.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while world.signatures(&digests[2]) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing was signed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!quickstart.path("plan/migration-report.json").exists());
    let signed = digests.iter().filter(|digest| world.signatures(digest) > 0).count();
    assert!(signed < digests.len(), "it was not killed in the middle");
    let report = json_of(&world.migrate(&[]).expect_status(0));
    let pushed = pushed(&report);
    assert!(report["counts"]["skipped"].as_u64().unwrap() >= 3, "{report:#}");
    for digest in &digests {
        let manifests = world.manifests(digest);
        assert_eq!(manifests.len(), 1, "{digest}");
        assert!(pushed.contains(&manifests[0]), "{digest}: {report:#}");
    }
    world.status().expect_status(0);
}

#[test]
fn a_key_that_does_not_answer_keeps_no_other_from_signing_and_is_told_once() {
    let Some(world) = World::or_skip(&["2.0", "3.0"]) else { return };
    world.planned();
    let digests = digests(&world.read_plan());
    world.edit_plan(|plan| {
        plan["keys"]["other"] = json!({
            "name": null, "id": "awskms://127.0.0.1:1/alias/release", "certChain": "../keys/chain.pem",
            "pluginConfig": {"timeout": "2s", "aws-region": "us-east-1"},
        });
        for i in [1, 2] {
            plan["repositories"][0]["signatures"][i]["key"] = json!("other");
        }
    });
    let words = ["dct", "migrate", "plan/plan.json", "--insecure-registry", "-o", "json"];
    let run: Run = world.multi.quickstart.command(&words);
    let run = run.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
    let report = json_of(&run.finish().expect_status(9));
    assert_eq!(nonzero(&report["counts"]), json!({"signed": 1, "notTried": 2}), "{report:#}");
    assert_eq!(world.signatures(&digests[0]), 1);
    let error = |i: usize| report["signatures"][i]["error"].as_str().unwrap();
    assert!(error(1).starts_with("the key has failed before: "), "{report:#}");
    assert_eq!(error(2), "the key has failed before");
}

#[test]
fn a_timestamp_authority_that_fails_is_not_told_as_the_key() {
    let Some(world) = World::or_skip(&["2.0"]) else { return };
    world.planned();
    let quickstart = &world.multi.quickstart;
    quickstart.write_certificates("root.pem", 2, 1);
    let nobody = FakeHttp::start(|_| Answer::hang_up());
    let url = nobody.url();
    let authority = ["--timestamp-url", url.as_str(), "--timestamp-root-cert", "root.pem"];
    let report = json_of(&world.migrate(&authority).expect_status(6));
    assert_eq!(nonzero(&report["counts"]), json!({"failed": 1, "notTried": 1}), "{report:#}");
    let error = |i: usize| report["signatures"][i]["error"].as_str().unwrap();
    assert!(error(0).contains("no timestamp for it is to be had"), "{report:#}");
    assert_eq!(error(1), "the timestamp authority has failed before");
}

#[test]
fn a_manifest_whose_push_fails_is_told_as_well() {
    let Some(world) = World::or_skip(&["2.0"]) else { return };
    world.planned();
    // The manifest is taken, and the list at the referrers tag is not.
    let _server = world.behind(|request| {
        let is_list = request.method == "PUT" && request.target.contains("/manifests/sha256-");
        is_list.then(|| Answer::new(403, "{}"))
    });
    for run in 1..=2 {
        let report = json_of(&world.migrate(&[]).expect_status(7));
        assert_eq!(nonzero(&report["counts"]), json!({"failed": 2}), "{report:#}");
        let pushed = pushed(&report);
        assert_eq!(pushed.len(), 2 * run);
        assert!(pushed.iter().all(|manifest| world.has(manifest)), "{report:#}");
        assert_eq!(report["signatures"][1]["manifest"], json!(pushed.last().unwrap()));
    }
}

#[test]
fn one_digest_that_always_fails_keeps_no_other_from_being_signed() {
    for (separator, status) in [(':', 500), (':', 503), ('-', 403)] {
        let Some(world) = World::or_skip(&["2.0", "3.0"]) else { return };
        world.planned();
        let digests = digests(&world.read_plan());
        let bad = format!("/manifests/{}", digests[0].replace(':', &separator.to_string()));
        let _server = world.behind(move |request| {
            request.target.ends_with(&bad).then(|| Answer::new(status, "{}"))
        });
        for others in ["signed", "skipped"] {
            let report = json_of(&world.migrate(&[]).expect_status(9));
            let counts = json!({"failed": 1, others: 2});
            assert_eq!(nonzero(&report["counts"]), counts, "{status}: {report:#}");
        }
    }
}

#[test]
fn what_an_earlier_run_with_another_key_has_pushed_stays_in_the_report() {
    let Some(world) = World::or_skip(&[]) else { return };
    let index = world.multi.index.digest.as_str();
    world.planned();
    let first = pushed(&json_of(&world.migrate(&[]).expect_status(0)));
    let quickstart = &world.multi.quickstart;
    let chain = quickstart.path("other.pem");
    let key = quickstart.key_reference();
    let self_sign = ["cert", "self-sign", "--id", &key, "--subject", "C=US,ST=WA,O=Other"];
    let more = ["--days", "9", "--to", chain.to_str().unwrap()];
    quickstart.run(&[&self_sign[..], &more].concat()).expect_status(0);
    world.edit_plan(|plan| {
        plan["keys"]["quickstart"] = json!({"name": null, "id": key, "certChain": chain});
    });
    world.plan(&[]).expect_status(0);
    let report = json_of(&world.migrate(&[]).expect_status(0));
    let both = pushed(&report);
    assert_eq!((both.len(), &both[0]), (2, &first[0]));
    let mut listed = world.manifests(index);
    listed.sort();
    let mut told = both.clone();
    told.sort();
    assert_eq!(listed, told);
    let page = fs::read_to_string(quickstart.path("plan/migration-report.md")).unwrap();
    assert!(both.iter().all(|manifest| page.contains(manifest)), "{page}");
}

#[test]
fn two_migrations_by_one_plan_do_not_run_at_once() {
    let Some(world) = World::or_skip(&[]) else { return };
    world.planned();
    let folder = fs::File::open(world.multi.quickstart.path("plan")).unwrap();
    folder.lock().unwrap();
    let refused = world.migrate(&[]).expect_status(2);
    assert!(refused.stdout.contains("another dct migrate works by the plan"), "{refused:?}");
    world.migrate(&["--dry-run"]).expect_status(0);
    drop(folder);
    world.migrate(&[]).expect_status(0);
}

#[test]
fn a_journal_that_broke_off_in_a_line_is_gone_on_with() {
    let Some(world) = World::or_skip(&[]) else { return };
    world.planned();
    let quickstart = &world.multi.quickstart;
    quickstart.write("plan/migration-journal.jsonl", "{\"repository\": \"a/b\", \"arti");
    assert_eq!(pushed(&json_of(&world.migrate(&[]).expect_status(0))).len(), 1);
    assert_eq!(pushed(&json_of(&world.migrate(&[]).expect_status(0))).len(), 1);
    quickstart.write("plan/migration-journal.jsonl", "mine\n");
    let refused = world.migrate(&[]).expect_status(2);
    assert!(refused.stdout.contains("line 1 of plan/migration-journal.jsonl"), "{refused:?}");
}

#[test]
fn a_registry_that_takes_nothing_is_asked_once_and_what_is_signed_already_counts() {
    let Some(world) = World::or_skip(&["2.0", "3.0"]) else { return };
    world.planned();
    let first = digests(&world.read_plan())[0].clone();
    let words = ["sign", &format!("{}@{first}", world.repository()), "--insecure-registry"];
    let tags = world.read_plan()["repositories"][0]["signatures"][0]["userMetadata"].clone();
    let metadata: Vec<String> = tags
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("--user-metadata={name}={}", value.as_str().unwrap()))
        .collect();
    let metadata: Vec<&str> = metadata.iter().map(String::as_str).collect();
    world.multi.quickstart.run(&[&words[..], &metadata].concat()).expect_status(0);
    let server = world.behind(|request| {
        let is_write = ["POST", "PUT"].contains(&request.method.as_str());
        is_write.then(|| Answer::new(403, "{}"))
    });
    let report = json_of(&world.migrate(&[]).expect_status(9));
    let counts = json!({"skipped": 1, "failed": 1, "notTried": 1});
    assert_eq!(nonzero(&report["counts"]), counts, "{report:#}");
    let writes = server.requests().iter().filter(|request| request.method == "POST").count();
    assert_eq!(writes, 1);
}

#[test]
fn a_registry_that_throttles_is_not_waited_for_once_a_digest() {
    let Some(world) = World::or_skip(&["2.0", "3.0", "4.0"]) else { return };
    world.planned();
    let server = world.behind(|request| {
        let is_image = request.target.contains("/manifests/sha256:");
        is_image.then(|| Answer::new(429, "{}").header("Retry-After", "1"))
    });
    let report = json_of(&world.migrate(&[]).expect_status(6));
    assert_eq!(nonzero(&report["counts"]), json!({"failed": 1, "notTried": 3}), "{report:#}");
    let asked: std::collections::BTreeSet<String> = server.targets().into_iter().collect();
    assert_eq!(asked.iter().filter(|target| target.contains("/manifests/sha256:")).count(), 1);
    let error = |i: usize| report["signatures"][i]["error"].as_str().unwrap();
    assert!(error(0).contains("HTTP status 429"), "{report:#}");
    for i in 1..=3 {
        assert_eq!(error(i), "the repository has failed before");
    }
}
