//! `dct plan`, `dct migrate` and `dct status`: from an archive of trust data to signatures that a policy accepts.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use notation_sdk::{algorithm::HashAlgorithm, oci::Digest};
use serde_json::{Map, Value, json};

use crate::documentation::{blocks, install, matches, shell};
use crate::support::{
    command::{Finished, Run},
    http,
    multi_platform::{MultiPlatform, upload},
    notation::Notation,
    registry::Registry,
    trust_data::{self, GUN, TrustRepository},
};

/// An edit of a plan.
type Change<'a> = &'a dyn Fn(&mut Value);

/// A registry with images that Content Trust has released, the archive of that, and quickstart's key.
struct World {
    registry: Registry,
    multi: MultiPlatform,
}

impl World {
    const REPOSITORY: &str = "acme/app";

    /// The index has two tags, and each of `images` one.
    fn or_skip(images: &[&str]) -> Option<Self> {
        let world = Self { registry: Registry::or_skip()?, multi: MultiPlatform::new() };
        world.multi.push(world.registry.port(), Self::REPOSITORY, "1.0");
        let index = &world.multi.index;
        let target = |digest: &str, size: u64| {
            let bytes: Vec<u8> = (0..32)
                .map(|i| u8::from_str_radix(&digest["sha256:".len()..][2 * i..][..2], 16).unwrap())
                .collect();
            json!({"hashes": {"sha256": BASE64_STANDARD.encode(bytes)}, "length": size})
        };
        let of_index = target(index.digest.as_str(), index.size);
        let mut targets = Map::new();
        targets.insert("1.0".to_owned(), of_index.clone());
        targets.insert("latest".to_owned(), of_index);
        for image in images {
            let (digest, size) = world.put_image(image);
            targets.insert((*image).to_owned(), target(digest.as_str(), size));
        }
        let mut repository = TrustRepository::new();
        for role in ["targets", "targets/alice", "targets/bob", "targets/releases"] {
            repository.role(role)["targets"] = json!({});
        }
        repository.role("targets/releases")["targets"] = Value::Object(targets.clone());
        repository.role("targets/alice")["targets"] = Value::Object(targets);
        trust_data::write(&repository.build(), &world.multi.quickstart.path(&format!("raw/{GUN}")));
        let export = ["export", "--from-raw", "raw", "--to", "archive"];
        world.dct(&export).expect_status(0);
        Some(world)
    }

    /// An image with its name as its layer.
    fn put_image(&self, name: &str) -> (Digest, u64) {
        let layer = Digest::of(HashAlgorithm::Sha256, name.as_bytes());
        upload(self.registry.port(), Self::REPOSITORY, name.as_bytes());
        let config = Digest::of(HashAlgorithm::Sha256, b"{}");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": "application/octet-stream", "digest": layer, "size": name.len()}],
        });
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::of(HashAlgorithm::Sha256, &bytes);
        let path = format!("/v2/{}/manifests/{digest}", Self::REPOSITORY);
        let headers = [("Content-Type", media_type)];
        let put = http::request(self.registry.port(), "PUT", &path, &headers, &bytes).unwrap();
        assert_eq!(put.status, 201);
        (digest, u64::try_from(bytes.len()).unwrap())
    }

    fn delete(&self, digest: &str) {
        let path = format!("/v2/{}/manifests/{digest}", Self::REPOSITORY);
        let deleted = http::request(self.registry.port(), "DELETE", &path, &[], b"").unwrap();
        assert_eq!(deleted.status, 202);
    }

    fn repository(&self) -> String {
        format!("{}/{}", self.registry.host(), Self::REPOSITORY)
    }

    fn dct(&self, words: &[&str]) -> Finished {
        self.multi.quickstart.run(&[&["dct"], words].concat())
    }

    fn plan(&self, more: &[&str]) -> Finished {
        let words = ["plan", "archive", "--to", "plan", "--insecure-registry"];
        self.dct(&[&words, more].concat())
    }

    fn migrate(&self, more: &[&str]) -> Finished {
        let words = ["migrate", "plan/plan.json", "--insecure-registry", "-o", "json"];
        self.dct(&[&words, more].concat())
    }

    fn status(&self) -> Finished {
        let plan = ["--plan", "plan/plan.json", "--insecure-registry", "-o", "json"];
        self.dct(&[&["status", "archive"][..], &plan].concat())
    }

    fn read_plan(&self) -> Value {
        json_of_file(&self.multi.quickstart.path("plan/plan.json"))
    }

    fn edit_plan(&self, change: impl FnOnce(&mut Value)) {
        let mut plan = self.read_plan();
        change(&mut plan);
        self.multi.quickstart.write("plan/plan.json", plan.to_string());
    }

    /// A plan whose images are in the registry, with quickstart's key.
    fn planned(&self) {
        self.plan(&["--offline", "--key", "quickstart"]).expect_status(0);
        let repository = self.repository();
        self.edit_plan(|plan| plan["repositories"][0]["repository"] = json!(repository));
        self.plan(&["--key", "quickstart"]).expect_status(0);
    }

    /// How many signatures a digest has.
    fn signatures(&self, digest: &str) -> usize {
        let reference = format!("{}@{digest}", self.repository());
        let words = ["list", &reference, "--insecure-registry", "-o", "json"];
        let listed = json_of(&self.multi.quickstart.run(&words).expect_status(0));
        listed["signatures"].as_array().unwrap().len()
    }
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"))
}

/// What was counted at all.
fn nonzero(counts: &Value) -> Value {
    let counts = counts.as_object().unwrap().iter().filter(|(_, count)| **count != json!(0));
    counts.map(|(name, count)| (name.clone(), count.clone())).collect::<Map<_, _>>().into()
}

fn json_of_file(path: &std::path::Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn digests(plan: &Value) -> Vec<String> {
    let signatures = plan["repositories"][0]["signatures"].as_array().unwrap().iter();
    signatures.map(|signature| signature["digest"].as_str().unwrap().to_owned()).collect()
}

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
    let page = include_str!("../docs/leave-docker-content-trust.md");
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
            .contains("key \"alice\" of the plan is still to be found")
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
fn a_plan_that_says_something_else_than_the_archive_is_not_carried_out() {
    let Some(world) = World::or_skip(&["2.0"]) else { return };
    world.planned();
    let good = world.read_plan();
    let zero = format!("sha256:{}", "0".repeat(64));
    let cases: [(Change<'_>, &str); 8] = [
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
    assert!(report["counts"]["skipped"].as_u64().unwrap() >= 3, "{report:#}");
    for digest in &digests {
        assert_eq!(world.signatures(digest), 1, "{digest}");
    }
    world.status().expect_status(0);
}

#[test]
fn a_key_that_stops_signing_half_way_is_not_asked_again() {
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
    assert_eq!(
        nonzero(&report["counts"]),
        json!({"signed": 1, "failed": 1, "notTried": 1}),
        "{report:#}"
    );
    assert_eq!(world.signatures(&digests[0]), 1);
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
    for (file, part) in [
        (
            "ratify.yaml",
            "- \"x509.subject: CN=Quickstart signer,O=Notation Quickstart,ST=WA,C=US\"",
        ),
        ("kyverno.yaml", "/acme/app:*\""),
        ("kyverno.yaml", "/acme/app@*\""),
        ("connaisseur.yaml", "BEGIN CERTIFICATE"),
    ] {
        let text = fs::read_to_string(quickstart.path("plan/enforcement").join(file)).unwrap();
        assert!(text.contains(part), "{file}: {text}");
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let parsed: Result<Value, _> = serde::Deserialize::deserialize(document);
            parsed.unwrap_or_else(|error| panic!("{file}: {error}\n{text}"));
        }
    }
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
