//! `dct migrate` and `dct status`.

use std::fs;

use serde_json::{Value, json};

use super::{Change, World, json_of, json_of_file, nonzero};
use crate::documentation::{blocks, install, matches, shell};
use crate::support::{
    command::Run,
    notation::Notation,
    quickstart::Quickstart,
    trust_data::{self, GUN, TrustRepository},
};

#[test]
fn what_was_released_is_planned_signed_covered_and_verified_by_notation() {
    let Some(world) = World::or_skip(&["2.0"]) else { return };
    world.planned();
    let plan = world.read_plan();
    let index = world.multi.index.digest.as_str();
    let signatures = plan["repositories"][0]["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 2, "two tags of one digest are one signature: {plan:#}");
    let of_index = signatures.iter().find(|one| one["digest"] == index).unwrap();
    assert_eq!(of_index["tags"], json!(["1.0", "latest"]));
    assert_eq!(of_index["signers"], json!(["alice"]));
    assert_eq!(of_index["userMetadata"]["dct.tags"], "1.0,latest");
    assert_eq!(of_index["registry"]["state"], "present");
    assert_eq!(of_index["registry"]["platforms"].as_array().unwrap().len(), 4);

    world.status().expect_status(4);
    let dry = json_of(&world.migrate(&["--dry-run"]).expect_status(0));
    assert_eq!(nonzero(&dry["counts"]), json!({"planned": 2}));
    assert_eq!(world.signatures(index), 0);
    let report = json_of(&world.migrate(&[]).expect_status(0));
    assert_eq!(nonzero(&report["counts"]), json!({"signed": 2}));
    let kept = json_of_file(&world.multi.quickstart.path("plan/migration-report.json"));
    assert_eq!(kept, report);
    let covered = json_of(&world.status().expect_status(0));
    assert_eq!(covered["covered"], 2);
    let again = json_of(&world.migrate(&[]).expect_status(0));
    assert_eq!(nonzero(&again["counts"]), json!({"skipped": 2}));
    assert_eq!(world.signatures(index), 1);

    // The policies are good as they stand, and back again is the first one.
    let quickstart = &world.multi.quickstart;
    let reference = format!("{}@{index}", world.repository());
    let verify =
        ["verify", &reference, "--insecure-registry", "--user-metadata", "dct.tags=1.0,latest"];
    for policy in ["audit", "strict", "audit"] {
        let file = format!("plan/trustpolicy.{policy}.json");
        quickstart.run(&["policy", "check", &file]).expect_status(0);
        quickstart.run(&["policy", "import", &file, "--force"]).expect_status(0);
    }
    let store = quickstart.path("plan/truststore/x509/ca/release");
    let root = fs::read_dir(store).unwrap().next().unwrap().unwrap().path();
    let add = ["cert", "add", "--type", "ca", "--store", "release", root.to_str().unwrap()];
    quickstart.run(&add).expect_status(0);
    quickstart
        .run(&["policy", "import", "plan/trustpolicy.strict.json", "--force"])
        .expect_status(0);
    quickstart.run(&verify).expect_status(0);
    let Some(notation) = Notation::or_skip() else { return };
    let verify = notation.command(["verify", "--insecure-registry", &reference]);
    verify.env("XDG_CONFIG_HOME", quickstart.path("config")).finish().expect_status(0);
}

#[test]
fn the_commands_of_the_page_on_leaving_do_what_it_says() {
    let Some(world) = World::or_skip(&["2.0"]) else { return };
    let quickstart = &world.multi.quickstart;
    let page = include_str!("../../docs/leave-docker-content-trust.md");
    let folder = tempfile::TempDir::new().unwrap();
    install(folder.path());
    fs::copy(quickstart.path("keys/chain.pem"), folder.path().join("chain.pem")).unwrap();
    let (here, raw) = (world.repository(), quickstart.path("raw"));
    for (script, printed) in blocks(page) {
        // The server is saved files, the images are in the test's registry, and the key is in a file.
        let script = script
            .replace(
                "dct export registry.example/acme/app",
                &format!("dct export {GUN} --from-raw '{}'", raw.display()),
            )
            .replace("awskms:///alias/release", &quickstart.key_reference())
            .replace(
                "registry.example/acme/app:1.0",
                &format!("{here}@{} --insecure-registry", world.multi.index.digest),
            )
            .replace("--to plan", "--to plan --insecure-registry")
            .replace("migrate plan/plan.json", "migrate plan/plan.json --insecure-registry")
            .replace("--plan plan/plan.json", "--plan plan/plan.json --insecure-registry");
        if script.contains("dct plan") {
            // Where the images are stands in the plan.
            let offline = script.replace("--insecure-registry", "--offline");
            shell(folder.path(), &offline).expect_status(0);
            let plan = folder.path().join("plan/plan.json");
            let text = fs::read_to_string(&plan).unwrap();
            let moved = format!("\"repository\": \"{here}\"");
            let text = text.replace(&format!("\"repository\": \"{GUN}\""), &moved);
            fs::write(&plan, text).unwrap();
        }
        let finished = shell(folder.path(), &script).expect_status(0);
        if let Some(printed) = printed {
            let printed = printed.replace("registry.example/acme/app", &here);
            assert!(
                matches(&printed, &finished.stdout),
                "{script}\n{printed}\n{}",
                finished.stdout
            );
        }
    }
}

#[test]
fn a_plan_that_says_something_else_than_the_archive_is_not_carried_out() {
    let Some(world) = World::or_skip(&["2.0"]) else { return };
    world.planned();
    let good = world.read_plan();
    let zero = format!("sha256:{}", "0".repeat(64));
    let signature = |plan: &Value| plan["repositories"][0]["signatures"][0].clone();
    let cases: [(Change<'_>, &str); 15] = [
        (
            &|plan| plan["repositories"][0]["signatures"][0]["digest"] = json!(zero),
            "which the archive does not release",
        ),
        (
            &|plan| plan["repositories"][0]["signatures"][0]["size"] = json!(1),
            "plan has another size for",
        ),
        (
            &|plan| drop(plan["repositories"][0]["signatures"].as_array_mut().unwrap().pop()),
            "plan leaves out",
        ),
        (&|plan| plan["repositories"] = json!([]), "plan leaves out"),
        (
            &|plan| plan["repositories"][0]["signatures"][0]["key"] = json!("other"),
            "which is none of its keys",
        ),
        (&|plan| plan["archive"]["sha256"] = json!("00"), "plan is of another archive"),
        (
            &|plan| {
                let twice = signature(plan);
                plan["repositories"][0]["signatures"].as_array_mut().unwrap().push(twice);
            },
            "registry.example.test/acme/app twice",
        ),
        (
            &|plan| plan["repositories"][0]["signatures"][0]["tags"] = json!(["9.9"]),
            "plan has another list of tags for",
        ),
        (
            &|plan| plan["repositories"][0]["signatures"][0]["signers"] = json!(["mallory"]),
            "plan has another list of signers for",
        ),
        (
            &|plan| {
                let metadata = &mut plan["repositories"][0]["signatures"][0]["userMetadata"];
                metadata["dct.tags"] = json!("9.9");
            },
            "plan has another dct.tags for",
        ),
        (
            &|plan| plan["repositories"][0]["repository"] = json!("*"),
            "cannot be where the plan says",
        ),
        (
            &|plan| plan["repositories"][0]["repository"] = json!("registry.example/a:1.0"),
            "cannot be where the plan says",
        ),
        (
            &|plan| plan["keys"]["quickstart"]["pluginConfig"] = json!({"cert-chain": "x.pem"}),
            "pluginConfig of key \"quickstart\" of the plan has cert-chain",
        ),
        (&|plan| plan["repositroies"] = json!([]), "unknown field `repositroies`"),
        (&|plan| plan["planVersion"] = json!(2), "plan is of version 2"),
    ];
    for (change, reason) in cases {
        world.edit_plan(|plan| {
            plan.clone_from(&good);
            change(plan);
        });
        let refused = world.migrate(&[]).expect_status(2);
        assert!(
            refused.stdout.contains(&reason.replace('"', "\\\"")),
            "{reason}: {}",
            refused.stdout
        );
    }
    world.edit_plan(|plan| plan.clone_from(&good));
    let quickstart = &world.multi.quickstart;
    let mut later = TrustRepository::new();
    later.signed.get_mut("targets").unwrap()["version"] = json!(2);
    trust_data::write(&later.build(), &quickstart.path(&format!("later/{GUN}")));
    world.dct(&["export", "--from-raw", "later", "--to", "archx"]).expect_status(0);
    let other = world.migrate(&["--archive", "archx"]);
    let other = other.expect_status(2);
    assert!(other.stdout.contains("and that of archx has"), "{}", other.stdout);
    let file = world.multi.quickstart.path(&format!("archive/v2/{GUN}/_trust/tuf/targets.json"));
    let mut bytes = fs::read(&file).unwrap();
    bytes[10] ^= 1;
    fs::write(file, bytes).unwrap();
    for words in [
        &["plan", "archive", "--to", "plan"][..],
        &["migrate", "plan/plan.json"],
        &["status", "archive"],
    ] {
        let refused = world.dct(words).expect_status(3);
        assert!(refused.stderr.contains("targets.json"), "{}", refused.stderr);
    }
    assert_eq!(world.signatures(world.multi.index.digest.as_str()), 0);
}

#[test]
fn a_repository_whose_trust_data_is_refused_keeps_the_exit_code_from_0() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    // The root is for another repository.
    for gun in ["registry.example.test/acme/x", "registry.example.test/acme/y"] {
        let data = TrustRepository::new().build();
        trust_data::write(&data, &quickstart.path(&format!("raw/{gun}")));
    }
    let again = ["export", "--from-raw", "raw", "--to", "three"];
    world.dct(&again).expect_status(3);
    let plan = ["plan", "three", "--to", "plan", "--offline", "--key", "quickstart", "-o", "json"];
    let planned = json_of(&world.dct(&plan).expect_status(9));
    assert_eq!(planned["refused"].as_array().unwrap().len(), 2, "{planned:#}");
    let repository = world.repository();
    world.edit_plan(|plan| plan["repositories"][0]["repository"] = json!(repository));
    let refresh = ["plan", "three", "--to", "plan", "--insecure-registry"];
    world.dct(&refresh).expect_status(9);
    let report = json_of(&world.migrate(&[]).expect_status(9));
    assert_eq!(nonzero(&report["counts"]), json!({"signed": 1}));
    assert_eq!(report["refused"].as_array().unwrap().len(), 2, "{report:#}");
    // To take them out of the plan is not to know what they released.
    world.edit_plan(|plan| plan["refused"] = json!([]));
    let told = world.migrate(&[]).expect_status(2);
    assert!(told.stdout.contains("plan does not tell of registry.example.test/acme/x"), "{told:?}");
}

#[test]
fn a_policy_that_would_not_prove_who_signed_is_told_before_anything_is_signed() {
    let Some(world) = World::or_skip(&[]) else { return };
    world.planned();
    let quickstart = &world.multi.quickstart;
    let good = json_of_file(&quickstart.path("plan/trustpolicy.strict.json"));
    let nobody = json!(["x509.subject: C=US,ST=WA,O=Nobody"]);
    let cases: [(Change<'_>, &str); 6] = [
        (
            &|statement| {
                statement["signatureVerification"] = json!({"level": "audit"});
                statement["trustedIdentities"] = nobody.clone();
            },
            "does not enforce all but revocation, as the level strict does",
        ),
        (
            &|statement| {
                statement["signatureVerification"] = json!({"level": "skip"});
                statement.as_object_mut().unwrap().remove("trustStores");
                statement.as_object_mut().unwrap().remove("trustedIdentities");
            },
            "does not enforce all but revocation, as the level strict does",
        ),
        (
            &|statement| statement["signatureVerification"]["override"] = json!({"expiry": "log"}),
            "does not enforce all but revocation, as the level strict does",
        ),
        (
            &|statement| statement["trustedIdentities"] = nobody.clone(),
            "does not trust CN=Quickstart signer",
        ),
        (&|statement| statement["trustedIdentities"] = json!(["*"]), "trusts every identity"),
        (
            &|statement| statement["registryScopes"] = json!(["other.example/app"]),
            "no statement of",
        ),
    ];
    for (change, reason) in cases {
        let mut policy = good.clone();
        change(&mut policy["trustPolicies"][0]);
        quickstart.write("plan/trustpolicy.strict.json", policy.to_string());
        for more in [&["--dry-run"][..], &[]] {
            let refused = world.migrate(more).expect_status(5);
            assert!(refused.stdout.contains(reason), "{reason}: {}", refused.stdout);
        }
        // What a policy covers that trusts anybody is not what Content Trust proved.
        if reason == "trusts every identity" {
            let refused = world.status().expect_status(5);
            assert!(refused.stdout.contains(reason), "{}", refused.stdout);
        }
    }
    let mut policy = good.clone();
    policy["trustPolicies"][0]["signatureVerification"]["override"] = json!({"revocation": "log"});
    quickstart.write("plan/trustpolicy.strict.json", policy.to_string());
    world.migrate(&["--dry-run"]).expect_status(0);
    quickstart.write("plan/trustpolicy.strict.json", good.to_string());
    let store = quickstart.path("plan/truststore/x509/ca/release");
    let root = fs::read_dir(&store).unwrap().next().unwrap().unwrap().path();
    let other = fs::read(quickstart.path("keys/chain.pem")).unwrap();
    let other = String::from_utf8(other).unwrap();
    fs::write(
        &root,
        format!("{}-----END CERTIFICATE-----\n", other.split("-----END").next().unwrap()),
    )
    .unwrap();
    world.migrate(&["--dry-run"]).expect_status(5);
    assert_eq!(world.signatures(world.multi.index.digest.as_str()), 0);
}

#[test]
fn a_chain_of_another_key_is_told_before_anything_is_signed() {
    let Some(world) = World::or_skip(&[]) else { return };
    let quickstart = &world.multi.quickstart;
    let other = Quickstart::new();
    let key = other.key_reference();
    world.plan(&["--offline"]).expect_status(0);
    let repository = world.repository();
    world.edit_plan(|plan| {
        plan["repositories"][0]["repository"] = json!(repository);
        plan["keys"]["alice"] = json!({"name": null, "id": key, "certChain": "../keys/chain.pem"});
    });
    world.plan(&[]).expect_status(0);
    let refused = world.migrate(&["--dry-run"]).expect_status(5);
    assert!(refused.stdout.contains("is of another key"), "{}", refused.stdout);
    assert!(quickstart.path("keys/chain.pem").exists());
}

#[test]
fn the_steps_of_the_plan_lead_to_an_enforced_verification() {
    let Some(world) = World::or_skip(&[]) else { return };
    world.planned();
    let quickstart = &world.multi.quickstart;
    // A machine that trusts nobody yet, and has a policy of something else.
    let own = quickstart.path("config/notation");
    fs::remove_dir_all(own.join("truststore")).unwrap();
    let before = fs::read_to_string(own.join("trustpolicy.json")).unwrap();
    world.migrate(&[]).expect_status(0);
    let status = world.status().expect_status(0);
    assert!(status.stderr.contains("warning: trust store ca:release in "), "{}", status.stderr);
    let readme = fs::read_to_string(quickstart.path("plan/README.md")).unwrap();
    let steps: Vec<&str> = readme
        .lines()
        .filter(|line| !line.contains("back: "))
        .filter_map(|line| Some(&line[line.find("notation-kms ")?..]))
        .filter(|step| {
            ["cert add", "policy show", "policy import"].iter().any(|verb| step.contains(verb))
        })
        .map(|step| step.split([':', ',']).next().unwrap())
        .collect();
    assert_eq!(steps.len(), 4, "{readme}");
    let path = quickstart.path("");
    for step in steps {
        let step = step.replace("notation-kms", env!("CARGO_BIN_EXE_notation-kms"));
        let run = Run::new("sh").args(["-c", &step]).current_dir(&path);
        run.env("XDG_CONFIG_HOME", quickstart.path("config")).finish().expect_status(0);
    }
    let reference = format!("{}@{}", world.repository(), world.multi.index.digest);
    quickstart.run(&["verify", &reference, "--insecure-registry"]).expect_status(0);
    assert!(!world.status().expect_status(0).stderr.contains("trust store"));
    let kept = fs::read_to_string(quickstart.path("trustpolicy.before.json")).unwrap();
    assert_eq!(kept.trim_end(), before.trim_end());
}
