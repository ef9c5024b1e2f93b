//! `dct plan`.

use std::fs;

use serde_json::json;

use super::{World, digests, json_of, nonzero};

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
