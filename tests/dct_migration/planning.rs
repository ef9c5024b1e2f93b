//! `dct plan`.

use std::{collections::BTreeSet, fs};

use notation_sdk::{algorithm::KeySpec, dct::plan::reads_back};
use serde_json::json;

use super::{Change, World, digests, json_of, nonzero};
use crate::support::{
    fake_http::Answer,
    quickstart::Quickstart,
    trust_data::{self, GUN, TrustKey, TrustRepository},
};

#[test]
fn a_key_that_is_still_to_be_found_is_named_with_the_request_to_make() {
    let Some(world) = World::or_skip(&[]) else { return };
    let planned = world.plan(&["--offline"]).expect_status(0);
    assert!(planned.stdout.contains("key still to be found: alice"), "{}", planned.stdout);
    let refused = world.migrate(&[]).expect_status(5);
    let error = &json_of(&refused)["error"];
    assert!(
        error["causes"][0]
            .as_str()
            .unwrap()
            .contains("keys of the plan are still to be found: alice")
    );
    assert!(
        error["hint"].as_str().unwrap().starts_with("notation-kms cert request --id KEY"),
        "{error}"
    );
    let check = ["policy", "check", "plan/trustpolicy.strict.json"];
    world.multi.quickstart.run(&check).expect_status(3);
    // What is edited stays, and the next run makes the policies of it.
    let key = world.multi.quickstart.key_reference();
    world.edit_plan(|plan| {
        plan["keys"]["alice"] = json!({"name": null, "id": key, "certChain": "../keys/chain.pem", "pluginConfig": {}});
    });
    world.plan(&["--offline"]).expect_status(0);
    assert_eq!(world.read_plan()["keys"]["alice"]["id"], json!(key));
    world.multi.quickstart.run(&check).expect_status(0);
}

#[test]
fn a_digest_that_is_gone_is_told_and_keeps_nothing_else_away() {
    let Some(world) = World::or_skip(&["2.0", "3.0"]) else { return };
    world.plan(&["--offline", "--key", "quickstart"]).expect_status(0);
    let repository = world.repository();
    world.edit_plan(|plan| plan["repositories"][0]["repository"] = json!(repository));
    let gone =
        digests(&world.read_plan()).into_iter().find(|d| d != world.multi.index.digest.as_str());
    let gone = gone.unwrap();
    world.delete(&gone);
    let planned = world.plan(&["--key", "quickstart", "-o", "json"]).expect_status(9);
    assert_eq!(nonzero(&json_of(&planned)["registry"]), json!({"gone": 1, "present": 2}));
    let report = json_of(&world.migrate(&[]).expect_status(9));
    assert_eq!(nonzero(&report["counts"]), json!({"missing": 1, "signed": 2}));
    let status = json_of(&world.status().expect_status(9));
    assert_eq!(status["covered"], 2);
    // Where nobody can be asked, nothing is said to be gone.
    world.edit_plan(|plan| plan["repositories"][0]["repository"] = json!("127.0.0.1:1/acme/app"));
    let unknown = world.plan(&["-o", "json"]).expect_status(6);
    assert_eq!(nonzero(&json_of(&unknown)["registry"]), json!({"unknown": 3}));
}

#[test]
fn a_name_that_is_no_trust_store_is_refused() {
    let Some(world) = World::or_skip(&[]) else { return };
    let refused = world.plan(&["--offline", "--trust-store", "../x"]).expect_status(2);
    assert!(refused.stderr.contains("../x"), "{}", refused.stderr);
}

#[test]
fn what_was_edited_in_a_policy_is_kept_beside_the_new_one() {
    let Some(world) = World::or_skip(&[]) else { return };
    world.plan(&["--offline", "--key", "quickstart"]).expect_status(0);
    let quickstart = &world.multi.quickstart;
    quickstart.write("plan/trustpolicy.strict.json", "mine");
    let again = world.plan(&["--offline"]).expect_status(0);
    assert!(again.stderr.contains("trustpolicy.strict.json is made anew"), "{}", again.stderr);
    let kept = fs::read_to_string(quickstart.path("plan/trustpolicy.strict.json.1")).unwrap();
    assert_eq!(kept, "mine");
    assert!(!quickstart.path("plan/trustpolicy.audit.json.1").exists(), "it is as it was");
}

#[test]
fn a_plan_does_not_stand_in_the_archive_that_it_is_of() {
    let Some(world) = World::or_skip(&[]) else { return };
    let inside = ["plan", "archive", "--to", "archive/new/plan", "--offline"];
    let refused = world.dct(&inside).expect_status(2);
    assert!(refused.stderr.contains("cannot stand in the archive"), "{}", refused.stderr);
    world.dct(&["inspect", "archive"]).expect_status(0);
}

#[test]
fn a_folder_of_somebody_elses_is_left_alone() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    fs::create_dir(quickstart.path("plan")).unwrap();
    quickstart.write("plan/mine.txt", "mine");
    let refused = world.plan(&["--offline"]).expect_status(2);
    assert!(refused.stderr.contains("is not empty, and has no plan"), "{}", refused.stderr);
    assert_eq!(fs::read_dir(quickstart.path("plan")).unwrap().count(), 1);
}

#[test]
fn every_key_that_is_still_to_be_found_is_named() {
    let Some(world) = World::or_skip(&["2.0", "3.0"]) else { return };
    world.plan(&["--offline"]).expect_status(0);
    world.edit_plan(|plan| {
        plan["keys"]["carol"] = json!({"name": null, "id": null, "certChain": null});
        plan["repositories"][0]["signatures"][1]["key"] = json!("carol");
    });
    let error = json_of(&world.migrate(&[]).expect_status(5))["error"].clone();
    assert_eq!(error["causes"][0], "keys of the plan are still to be found: alice, carol");
    for key in ["alice", "carol"] {
        assert!(error["hint"].as_str().unwrap().contains(&format!("--to {key}.csr")), "{error}");
    }
}

#[test]
fn the_keys_of_the_command_line_come_before_those_of_the_plan() {
    let Some(world) = World::or_skip(&["2.0"]) else { return };
    let quickstart = &world.multi.quickstart;
    let key = quickstart.key_reference();
    let chain = quickstart.path("keys/chain.pem");
    let add = ["key", "add", "other", "--id", &key, "--cert-chain", chain.to_str().unwrap()];
    quickstart.run(&add).expect_status(0);
    let keys = |world: &World| -> Vec<String> {
        let plan = world.read_plan();
        let signatures = plan["repositories"][0]["signatures"].as_array().unwrap().clone();
        signatures.iter().map(|one| one["key"].as_str().unwrap().to_owned()).collect()
    };
    world.plan(&["--offline"]).expect_status(0);
    for key in ["quickstart", "other"] {
        world.plan(&["--offline", "--key", key]).expect_status(0);
        assert_eq!(keys(&world), [key, key]);
    }
    world.plan(&["--offline", "--key", "alice=quickstart"]).expect_status(0);
    assert_eq!(keys(&world), ["quickstart", "quickstart"]);
    assert!(world.read_plan()["keys"].get("alice").is_none(), "no key is still to be found");
    // What nothing is said of stays.
    world.plan(&["--offline"]).expect_status(0);
    assert_eq!(keys(&world), ["quickstart", "quickstart"]);
    let refused = world.plan(&["--offline", "--key", "mallory=quickstart"]).expect_status(2);
    assert!(refused.stderr.contains("\"mallory\", and nobody of that name has signed"));
    assert!(refused.stderr.contains("these have: alice"), "{}", refused.stderr);
}

#[test]
fn a_plan_that_nobody_could_carry_out_is_told_as_that() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    let key = quickstart.key_reference();
    let chain = quickstart.path("bare.pem");
    let words = ["cert", "self-sign", "--id", &key, "--subject", "CN=bare"];
    let more = ["--allow-unnameable-subject", "--days", "9", "--to", chain.to_str().unwrap()];
    quickstart.run(&[&words[..], &more].concat()).expect_status(0);
    world.plan(&["--offline", "--key", "quickstart"]).expect_status(0);
    let good = world.read_plan();
    let cases: [(Change<'_>, &str); 5] = [
        (
            &|plan| plan["repositories"][0]["repository"] = json!("*"),
            "\"*\" is not a fully qualified",
        ),
        (&|plan| plan["repositories"][0]["repository"] = json!("a.example/b:1.0"), "no tag"),
        (&|plan| plan["repositories"][0]["repository"] = json!("a.example/Upper"), "lower case"),
        (&|plan| plan["repositories"][0]["repository"] = json!("myapp"), "\"myapp\" is not"),
        (
            &|plan| {
                plan["keys"]["quickstart"] = json!({"name": null, "id": key, "certChain": chain});
            },
            "C, ST (or S) and O are mandatory",
        ),
    ];
    for (change, reason) in cases {
        world.edit_plan(|plan| {
            plan.clone_from(&good);
            change(plan);
        });
        let planned = world.plan(&["--offline", "-o", "json"]).expect_status(5);
        let problems = json_of(&planned)["problems"].to_string();
        assert!(problems.contains(&reason.replace('"', "\\\"")), "{reason}: {problems}");
        let check = ["policy", "check", "plan/trustpolicy.strict.json"];
        quickstart.run(&check).expect_status(3);
    }
}

#[test]
fn two_repositories_at_one_place_are_told() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    let other = "registry.example.test/acme/other";
    let key = TrustKey::certified(KeySpec::Ec256, other);
    let data = TrustRepository::with_root_key(&key).build();
    trust_data::write(&data, &quickstart.path(&format!("raw/{other}")));
    world.dct(&["export", "--from-raw", "raw", "--to", "two"]).expect_status(0);
    let plan = ["plan", "two", "--to", "plan", "--offline", "--key", "quickstart"];
    world.dct(&plan).expect_status(0);
    world.edit_plan(|plan| plan["repositories"][1]["repository"] = json!(GUN));
    let told = world.dct(&plan).expect_status(5);
    assert!(told.stdout.contains("problem: ") && told.stdout.contains(GUN), "{}", told.stdout);
}

#[test]
fn a_root_that_no_key_has_any_more_leaves_the_trust_store() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    world.plan(&["--offline", "--key", "quickstart"]).expect_status(0);
    let store = quickstart.path("plan/truststore/x509/ca/release");
    let files = || -> BTreeSet<String> {
        let entries = fs::read_dir(&store).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let first = files();
    fs::write(store.join("ours.pem"), "of somebody else").unwrap();
    let other = Quickstart::new();
    world.edit_plan(|plan| {
        plan["keys"]["quickstart"] = json!({
            "name": null, "id": other.key_reference(), "certChain": other.path("keys/chain.pem"),
        });
    });
    let planned = world.plan(&["--offline"]).expect_status(0);
    assert!(planned.stderr.contains("is removed: no key of the plan has it"), "{planned:?}");
    let second = files();
    assert_eq!(second.len(), 2);
    assert!(second.contains("ours.pem") && second.is_disjoint(&first), "{second:?}");
}

#[test]
fn what_the_roots_of_the_old_signatures_hang_on_is_told_and_a_pin_is_kept() {
    let Some(world) = World::or_skip(&[]) else { return };
    let planned = world.plan(&["--offline", "--key", "quickstart"]).expect_status(0);
    let first_use = "root trusted on first use, not known to be right: key ";
    let key = planned.stderr.split(first_use).nth(1).unwrap().trim().to_owned();
    let readme = || fs::read_to_string(world.multi.quickstart.path("plan/README.md")).unwrap();
    assert!(readme().contains(first_use));
    let repository = world.repository();
    world.edit_plan(|plan| plan["repositories"][0]["repository"] = json!(repository));
    world.plan(&[]).expect_status(0);
    for run in [world.migrate(&[]), world.status()] {
        let run = run.expect_status(0);
        assert!(run.stderr.contains(first_use), "{}", run.stderr);
        let root = &json_of(&run)["roots"][0];
        assert_eq!(root["rootTrust"], json!({"kind": "first-use"}));
        assert_eq!(root["rootKeys"], json!([key]));
    }
    world.plan(&["--pin-root", &key]).expect_status(0);
    assert!(!readme().contains(first_use) && readme().contains("root pinned: key "));
    for run in [world.plan(&["-o", "json"]), world.migrate(&[]), world.status()] {
        let run = run.expect_status(0);
        assert_eq!(json_of(&run)["roots"][0]["rootTrust"]["kind"], "pinned");
        assert!(!run.stderr.contains(first_use), "{}", run.stderr);
    }
}

#[test]
fn a_platform_that_is_gone_is_told() {
    let Some(world) = World::or_skip(&[]) else { return };
    world.planned();
    let platform = world.multi.platforms[0].digest.to_string();
    world.delete(&platform);
    let planned = world.plan(&["-o", "json"]).expect_status(9);
    assert_eq!(nonzero(&json_of(&planned)["registry"]), json!({"incomplete": 1}));
    let facts = world.read_plan()["repositories"][0]["signatures"][0]["registry"].clone();
    assert_eq!(facts["problem"], format!("not there: {platform}"));
}

#[test]
fn a_registry_that_lets_nobody_in_is_told_as_that() {
    let Some(world) = World::or_skip(&[]) else { return };
    world.planned();
    let _server = world.behind(|_| Some(Answer::new(401, "{}")));
    world.plan(&[]).expect_status(7);
}

#[test]
fn every_edit_of_a_policy_and_of_the_readme_is_kept() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    world.plan(&["--offline", "--key", "quickstart"]).expect_status(0);
    for file in ["plan/trustpolicy.strict.json", "plan/README.md"] {
        for edit in ["first", "second"] {
            quickstart.write(file, edit);
            world.plan(&["--offline"]).expect_status(0);
        }
        for (number, edit) in [(1, "first"), (2, "second")] {
            let kept = quickstart.path(&format!("{file}.{number}"));
            assert_eq!(fs::read_to_string(kept).unwrap(), edit, "{file}");
        }
    }
}

#[test]
fn edits_of_a_plan_are_taken_over_to_a_plan_of_a_later_archive() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    world.plan(&["--offline", "--trust-store", "acme"]).expect_status(0);
    let key = quickstart.key_reference();
    world.edit_plan(|plan| {
        plan["repositories"][0]["repository"] = json!("other.example/app");
        plan["keys"]["alice"] = json!({"name": null, "id": key, "certChain": "../keys/chain.pem"});
    });
    // Somebody has released another tag meanwhile.
    let mut repository = TrustRepository::new();
    repository.signed.get_mut("targets").unwrap()["version"] = json!(2);
    trust_data::write(&repository.build(), &quickstart.path(&format!("later/{GUN}")));
    world.dct(&["export", "--from-raw", "later", "--to", "archive-2"]).expect_status(0);
    let refused = world.dct(&["plan", "archive-2", "--to", "plan", "--offline"]).expect_status(2);
    assert!(refused.stderr.contains("--from FILE takes over"), "{}", refused.stderr);
    let words = ["plan", "archive-2", "--to", "a/new", "--from", "plan/plan.json", "--offline"];
    world.dct(&words).expect_status(0);
    let plan = super::json_of_file(&quickstart.path("a/new/plan.json"));
    assert_eq!(plan["repositories"][0]["repository"], "other.example/app");
    assert_eq!((&plan["keys"]["alice"]["id"], &plan["trustStore"]), (&json!(key), &json!("acme")));
    assert!(quickstart.path("a/new/truststore/x509/ca/acme").exists(), "the chain was found");
}

#[test]
fn a_plan_is_read_as_it_was_written_and_what_is_none_is_not() {
    let Some(world) = World::or_skip(&["2.0"]) else { return };
    world.planned();
    let plan = fs::read(world.multi.quickstart.path("plan/plan.json")).unwrap();
    assert_eq!(reads_back(&plan), Some(true));
    for end in 0..plan.len() - 2 {
        assert_eq!(reads_back(&plan[..end]), None);
    }
    assert_eq!(reads_back("[".repeat(100_000).as_bytes()), None);
}

#[test]
fn digests_that_several_have_signed_are_told_among_what_is_lost() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    let data = TrustRepository::new().build();
    trust_data::write(&data, &quickstart.path(&format!("several/{GUN}")));
    world.dct(&["export", "--from-raw", "several", "--to", "archive-2"]).expect_status(0);
    world.dct(&["plan", "archive-2", "--to", "plan", "--offline"]).expect_status(0);
    let readme = fs::read_to_string(quickstart.path("plan/README.md")).unwrap();
    assert!(readme.contains("(1.0) was signed by alice and bob: one key"), "{readme}");
}

#[test]
fn an_archive_that_releases_nothing_is_no_finished_migration() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    let mut repository = TrustRepository::new();
    for role in ["targets", "targets/alice", "targets/bob", "targets/releases"] {
        repository.role(role)["targets"] = json!({});
    }
    trust_data::write(&repository.build(), &quickstart.path(&format!("nothing/{GUN}")));
    world.dct(&["export", "--from-raw", "nothing", "--to", "archive-2"]).expect_status(0);
    world.dct(&["status", "archive-2"]).expect_status(8);
}
