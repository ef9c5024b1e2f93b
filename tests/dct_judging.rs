//! Each fault of trust data has its own verdict, and nothing broken is passed as right.

use std::{collections::BTreeMap, rc::Rc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use notation_sdk::{
    algorithm::KeySpec,
    dct::{
        Fault, Gun, Judgement, RepositoryRecord, Role, RootPin, RootTrust, Terms, TrustData,
        Verdict, judge, newest_versions, remembered_roots,
    },
    x509::{Certificate, parse_bundle},
};
use serde_json::{Value, json};
use time::{Duration, UtcDateTime};

use crate::support::trust_data::{
    GUN, NOW, TestCa, TrustKey, TrustRepository, digest_of, id_of, meta, role_keys,
};

fn judged(data: &TrustData) -> Judgement {
    judged_by(data, &[], &BTreeMap::new(), NOW)
}

fn judged_by(
    data: &TrustData,
    pins: &[RootPin],
    seen: &BTreeMap<Role, u64>,
    at: UtcDateTime,
) -> Judgement {
    judge(&gun(), data, &Terms { pins, seen, at })
}

fn gun() -> Gun {
    GUN.parse().unwrap()
}

fn role(name: &str) -> Role {
    name.parse().unwrap()
}

/// The codes of a role's faults.
fn codes(judgement: &Judgement, name: &str) -> Vec<&'static str> {
    let file = judgement.file(&role(name)).unwrap_or_else(|| panic!("{judgement:#?}"));
    file.faults.iter().map(Fault::code).collect()
}

/// The file `name` has the fault `code` and the messages together hold `text`.
#[track_caller]
fn assert_fault(judgement: &Judgement, name: &str, code: &str, text: &str) {
    let file = judgement.files.iter().find(|file| file.name == format!("{name}.json")).unwrap();
    let told: Vec<String> = file.faults.iter().map(ToString::to_string).collect();
    assert!(file.faults.iter().any(|fault| fault.code() == code), "{name}: {told:?}");
    assert!(told.join("\n").contains(text), "{name}: {told:?}");
    assert_eq!(file.verdict(), Verdict::Refused);
    assert_eq!(judgement.verdict(), Verdict::Refused);
    assert!(!judgement.accepts(&file.role, true) || file.name.ends_with(".root.json"));
}

/// Tags and digests that are released, expired files left out.
fn tags(judgement: &Judgement) -> Vec<(String, String)> {
    let tags = judgement.released(false).tags.into_iter();
    tags.map(|tag| (tag.tag, tag.digest)).collect()
}

#[test]
fn a_good_repository_is_verified_and_its_rows_are_dockers() {
    let judgement = judged(&TrustRepository::new().build());
    assert_eq!(judgement.verdict(), Verdict::Verified, "{judgement:#?}");
    assert_eq!(judgement.trust, RootTrust::FirstUse);
    let released = judgement.released(false);
    let rows: Vec<(&str, String, Vec<String>)> = released
        .tags
        .iter()
        .map(|tag| (tag.tag.as_str(), tag.digest.clone(), tag.signers.clone()))
        .collect();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = [
        ("0.9", digest_of(9), names(&["Repo Admin"])),
        ("1.0", digest_of(10), names(&["alice", "bob"])),
        ("1.1", digest_of(11), names(&["alice"])),
        ("edge", digest_of(1), names(&["Repo Admin"])),
        ("edge", digest_of(2), names(&["Repo Admin"])),
    ];
    let mut rows = rows;
    rows.sort();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(rows, expected);
    assert_eq!(released.tags.iter().find(|tag| tag.tag == "1.0").unwrap().size, 1010);
    let signers: Vec<&str> = released.signers.iter().map(|signer| signer.name.as_str()).collect();
    assert_eq!(signers, ["bob", "alice"]);
    let differing = &released.differing[..];
    assert!(
        matches!(differing, [edge] if edge.tag == "edge" && edge.releases == digest_of(2) && edge.targets == digest_of(1))
    );
}

#[test]
fn every_type_of_key_and_every_method_verifies() {
    let keys = [
        (TrustKey::ecdsa(), "ecdsa"),
        (TrustKey::certified(KeySpec::Ec256, "anybody"), "ecdsa"),
        (TrustKey::rsa(), "rsapss"),
        (TrustKey::rsa(), "rsapkcs1v15"),
        (TrustKey::certified(KeySpec::Rsa2048, "anybody"), "rsapss"),
        (TrustKey::certified(KeySpec::Rsa2048, "anybody"), "RSApkcs1v15"),
        (TrustKey::ed25519(), "eddsa"),
    ];
    for (key, method) in keys {
        let judgement = with_timestamp_signed_by(&key, method);
        assert_eq!(judgement.verdict(), Verdict::Verified, "{method}: {judgement:#?}");
        let file = judgement.file(&Role::Timestamp).unwrap();
        assert_eq!(file.signed_by, [key.id()]);
    }
}

#[test]
fn methods_that_do_not_go_with_the_key_do_not_count() {
    let cases = [
        (
            TrustKey::ecdsa(),
            "rsapss",
            "signing method \"rsapss\" does not go with a key of type \"ecdsa\"",
        ),
        (TrustKey::ed25519(), "ecdsa", "does not go with a key of type \"ed25519\""),
        (TrustKey::ecdsa(), "eddsa", "does not go with a key of type \"ecdsa\""),
        (
            TrustKey::rsa(),
            "pycrypto-pkcs#1 pss",
            "signing method \"pycrypto-pkcs#1 pss\" is not known",
        ),
        (TrustKey::ecdsa(), "", "signing method \"\" is not known"),
    ];
    for (key, method, reason) in cases {
        let judgement = with_timestamp_signed_by(&key, method);
        assert_fault(&judgement, "timestamp", "below-threshold", reason);
    }
}

/// A good repository whose timestamp is signed by that key, which the root lists.
fn with_timestamp_signed_by(key: &Rc<TrustKey>, method: &str) -> Judgement {
    let mut repository = TrustRepository::new();
    let root = repository.role("root");
    root["keys"][key.id()] = key.entry();
    root["roles"]["timestamp"] = role_keys(&[key], 1);
    let mut data = repository.build();
    let signed = repository.role("timestamp").clone();
    let file = json!({"signed": signed, "signatures": [key.sign(method, &signed)]});
    data.insert("timestamp.json", file.to_string().into_bytes());
    judged(&data)
}

#[test]
fn no_changed_byte_of_any_file_is_accepted() {
    let mut repository = TrustRepository::new();
    repository.rotate_root();
    let data = repository.build();
    assert_eq!(judged(&data).verdict(), Verdict::Verified);
    for (name, bytes) in data.files() {
        // Every third byte, or this test alone would take half a minute.
        for i in (0..bytes.len()).step_by(3) {
            let mut changed = bytes.to_vec();
            changed[i] ^= 1;
            let mut data = data.clone();
            data.insert(name, changed);
            let judgement = judged(&data);
            let file = judgement.files.iter().find(|file| file.name == name).unwrap();
            assert_eq!(file.verdict(), Verdict::Refused, "{name}, byte {i}: {file:#?}");
            assert!(
                name == "1.root.json" || !judgement.accepts(&file.role, true),
                "{name}, byte {i}"
            );
        }
    }
}

#[test]
fn a_changed_version_is_a_wrong_signature() {
    for name in ["root", "timestamp", "snapshot", "targets", "targets/releases", "targets/alice"] {
        let mut repository = TrustRepository::new();
        let data = repository.build();
        let file = String::from_utf8(data.get(&format!("{name}.json")).unwrap().to_vec()).unwrap();
        let changed = file.replace("\"version\":1}", "\"version\":2}");
        assert_ne!(file, changed);
        let mut data = data;
        data.insert(format!("{name}.json"), changed.into_bytes());
        assert_fault(&judged(&data), name, "wrong-signature", "0 of 1 signatures are valid");
    }
}

#[test]
fn what_rests_on_a_refused_file_is_refused_too() {
    let mut repository = TrustRepository::new();
    repository.signers.insert("timestamp".to_owned(), vec![TrustKey::ed25519()]);
    let judgement = judged(&repository.build());
    assert_fault(&judgement, "timestamp", "below-threshold", "key is none of the role's");
    assert_eq!(codes(&judgement, "snapshot"), ["rests-on"]);
    assert_eq!(codes(&judgement, "targets"), ["rests-on"]);
    assert_eq!(codes(&judgement, "targets/alice"), ["rests-on"]);
    assert_eq!(judgement.released(true).tags, []);
}

#[test]
fn a_refused_delegation_takes_its_tags_along_and_no_others() {
    let mut repository = TrustRepository::new();
    repository.signers.insert("targets/releases".to_owned(), vec![TrustKey::ecdsa()]);
    let judgement = judged(&repository.build());
    assert_fault(
        &judgement,
        "targets/releases",
        "below-threshold",
        "0 of 1 signatures are valid: key ",
    );
    assert_eq!(
        tags(&judgement),
        [("0.9".to_owned(), digest_of(9)), ("edge".to_owned(), digest_of(1))]
    );
}

#[test]
fn a_file_in_place_of_anothers_is_told() {
    let mut repository = TrustRepository::new();
    let mut data = repository.build();
    data.insert("snapshot.json", data.get("targets.json").unwrap().to_vec());
    let text = "file says that it is of type \"Targets\", where snapshot metadata has \"Snapshot\"";
    assert_fault(&judged(&data), "snapshot", "wrong-type", text);

    // Alice's key may sign the releases as well: only the snapshot tells the two files apart.
    let mut data = repository.build();
    data.insert("targets/releases.json", data.get("targets/alice.json").unwrap().to_vec());
    let judgement = judged(&data);
    assert_fault(&judgement, "targets/releases", "wrong-hash", "snapshot lists SHA-256");
    assert!(judgement.is_torn());
}

#[test]
fn an_older_file_is_told() {
    let mut repository = TrustRepository::new();
    let old = repository.build();
    repository.role("targets")["version"] = 2.into();
    let mut data = repository.build();
    data.insert("targets.json", old.get("targets.json").unwrap().to_vec());
    assert_fault(&judged(&data), "targets", "wrong-hash", "snapshot lists SHA-256");

    // All of it from before: only who has seen the newer knows.
    let seen = newest_versions(&gun(), &[repository.build()], &[], NOW);
    assert_eq!(seen[&Role::Targets], 2);
    let judgement = judged_by(&old, &[], &seen, NOW);
    let text = "version 1 is older than version 2, which was seen before";
    assert_fault(&judgement, "targets", "rolled-back", text);
}

#[test]
fn an_older_root_is_told_by_the_newer_that_is_still_served() {
    let mut repository = TrustRepository::new();
    let old = repository.file("root");
    repository.rotate_root();
    let mut data = repository.build();
    data.insert("2.root.json", data.get("root.json").unwrap().to_vec());
    assert_eq!(judged(&data).verdict(), Verdict::Verified);
    data.insert("root.json", old);
    assert_fault(&judged(&data), "root", "rolled-back", "version 1 is older than version 2");
}

#[test]
fn thresholds_count_distinct_keys() {
    let mut repository = TrustRepository::new();
    let (first, second) = (repository.signer("targets"), TrustKey::ecdsa());
    repository.role("root")["keys"][second.id()] = second.entry();
    repository.role("root")["roles"]["targets"] = role_keys(&[&first, &second], 2);
    assert_fault(
        &judged(&repository.build()),
        "targets",
        "below-threshold",
        "1 of 2 signatures are valid",
    );
    repository.signers.insert("targets".to_owned(), vec![Rc::clone(&first), Rc::clone(&second)]);
    assert_eq!(judged(&repository.build()).verdict(), Verdict::Verified);

    // One key that has signed twice.
    repository.signers.insert("targets".to_owned(), vec![Rc::clone(&first), Rc::clone(&first)]);
    let judgement = judged(&repository.build());
    assert_fault(
        &judgement,
        "targets",
        "duplicate-signature",
        "has signed twice: one key counts once",
    );
    assert!(codes(&judgement, "targets").contains(&"below-threshold"));

    // One key that is listed twice.
    repository.role("root")["roles"]["targets"] = role_keys(&[&first, &first], 2);
    repository.signers.insert("targets".to_owned(), vec![Rc::clone(&first)]);
    let judgement = judged(&repository.build());
    assert_fault(&judgement, "targets", "duplicate-key-id", "twice");
    assert!(codes(&judgement, "targets").contains(&"below-threshold"));
}

#[test]
fn one_key_under_two_ids_counts_once() {
    let mut repository = TrustRepository::new();
    let key = TrustKey::certified(KeySpec::Ec256, "anybody");
    let bare = TrustKey::bare(&key);
    let root = repository.role("root");
    root["keys"][key.id()] = key.entry();
    root["keys"][id_of(&bare)] = bare.clone();
    root["roles"]["timestamp"] = json!({"keyids": [key.id(), id_of(&bare)], "threshold": 2});
    let mut data = repository.build();
    let signed = repository.role("timestamp").clone();
    let (one, mut other) = (key.sign("ecdsa", &signed), key.sign("ecdsa", &signed));
    other["keyid"] = id_of(&bare).into();
    let file = json!({"signed": signed, "signatures": [one, other]});
    data.insert("timestamp.json", file.to_string().into_bytes());
    assert_fault(&judged(&data), "timestamp", "below-threshold", "1 of 2 signatures are valid");
}

#[test]
fn a_threshold_of_zero_is_refused() {
    for threshold in [0, -1] {
        let mut repository = TrustRepository::new();
        repository.role("root")["roles"]["timestamp"]["threshold"] = threshold.into();
        repository.signers.insert("timestamp".to_owned(), Vec::new());
        let judgement = judged(&repository.build());
        assert_fault(
            &judgement,
            "timestamp",
            "bad-threshold",
            &format!("threshold is {threshold}"),
        );
    }
}

#[test]
fn a_key_under_an_id_that_is_not_its_own_is_refused() {
    let mut repository = TrustRepository::new();
    let (listed, other) = (repository.signer("targets"), TrustKey::ecdsa());
    repository.role("root")["keys"][listed.id()] = other.entry();
    let judgement = judged(&repository.build());
    assert_fault(
        &judgement,
        "targets",
        "key-id-mismatch",
        &format!("computed, it is {}", other.id()),
    );

    let mut repository = TrustRepository::new();
    let id = repository.signer("targets").id();
    repository.role("root")["keys"].as_object_mut().unwrap().remove(&id);
    assert_fault(
        &judged(&repository.build()),
        "targets",
        "unknown-key",
        "which is not among the keys",
    );
}

#[test]
fn a_root_without_keys_for_a_role_is_told() {
    let mut repository = TrustRepository::new();
    repository.role("root")["roles"].as_object_mut().unwrap().remove("timestamp");
    assert_fault(
        &judged(&repository.build()),
        "timestamp",
        "no-keys",
        "root lists no keys for the role",
    );
}

#[test]
fn a_root_certificate_has_to_name_the_repository() {
    let good = [GUN, "registry.example.test/*", "registry.example.test/acme/a*"];
    for common_name in good {
        let key = TrustKey::certified(KeySpec::Ec256, common_name);
        let judgement = judged(&TrustRepository::with_root_key(&key).build());
        assert_eq!(judgement.verdict(), Verdict::Verified, "{common_name}");
    }
    for common_name in ["registry.example.test/acme/other", "registry.example.test/other/*"] {
        let key = TrustKey::certified(KeySpec::Ec256, common_name);
        let judgement = judged(&TrustRepository::with_root_key(&key).build());
        let text = format!(
            "certificate of root key {} is for {common_name:?}, and this is {GUN}",
            key.id()
        );
        assert_fault(&judgement, "root", "wrong-gun", &text);
        assert_eq!(judgement.trust, RootTrust::None);
        assert_eq!(judgement.released(true).tags, []);
    }
}

#[test]
fn a_root_key_without_a_certificate_counts_only_where_it_is_pinned() {
    let key = TrustKey::ecdsa();
    let data = TrustRepository::with_root_key(&key).build();
    assert_fault(
        &judged(&data),
        "root",
        "no-certificate",
        "has no certificate that names the repository",
    );
    let pins = [RootPin::KeyId(key.id())];
    assert_eq!(judged_by(&data, &pins, &BTreeMap::new(), NOW).verdict(), Verdict::Verified);
}

#[test]
fn a_root_certificate_that_has_expired_is_expiry() {
    let at = NOW - Duration::days(8000);
    let key = TrustKey::certified_by(KeySpec::Ec256, GUN, at, None);
    let judgement = judged(&TrustRepository::with_root_key(&key).build());
    assert_eq!(codes(&judgement, "root"), ["certificate-expired"]);
    assert_eq!(judgement.verdict(), Verdict::Expired);
}

#[test]
fn roots_are_followed_from_version_to_version() {
    let mut repository = TrustRepository::new();
    let first = repository.signer("root");
    repository.rotate_root();
    repository.rotate_root();
    let data = repository.build();
    let pins = [RootPin::KeyId(first.id())];
    let judgement = judged_by(&data, &pins, &BTreeMap::new(), NOW);
    assert_eq!(judgement.verdict(), Verdict::Verified, "{judgement:#?}");
    assert_eq!(judgement.trust, RootTrust::Pinned { pin: format!("key {}", first.id()) });
    assert_eq!(judgement.root_keys.len(), 3);

    // Without the version between them nothing leads from the pinned key to the current root.
    let mut gap = TrustData::new();
    data.files()
        .filter(|(name, _)| *name != "2.root.json")
        .for_each(|(name, file)| gap.insert(name, file.to_vec()));
    let judgement = judged_by(&gap, &pins, &BTreeMap::new(), NOW);
    assert_fault(&judgement, "root", "not-pinned", &first.id());
    assert!(
        judgement
            .notes
            .iter()
            .any(|note| note == "roots lead back to version 3, and not to those before it")
    );
    assert_eq!(judged(&gap).verdict(), Verdict::Verified);
}

#[test]
fn a_root_that_the_one_before_did_not_sign_is_refused() {
    let mut repository = TrustRepository::new();
    let new = repository.rotate_root();
    repository.signers.insert("root".to_owned(), vec![new]);
    let judgement = judged(&repository.build());
    assert_fault(
        &judgement,
        "root",
        "broken-rotation",
        "root 2 is not signed by enough keys of root 1",
    );
}

#[test]
fn a_version_of_the_root_in_place_of_another_is_told() {
    let mut repository = TrustRepository::new();
    repository.rotate_root();
    let mut data = repository.build();
    data.insert("7.root.json", data.get("1.root.json").unwrap().to_vec());
    assert_fault(&judged(&data), "7.root", "wrong-version", "file holds version 1");

    let mut data = repository.build();
    repository.role("root")["expires"] = "2047-01-01T00:00:00Z".into();
    data.insert("2.root.json", repository.file("root"));
    assert_fault(&judged(&data), "root", "two-roots", "which has the same version");
}

#[test]
fn roots_are_pinned_by_key_certificate_or_ca() {
    let ca = TestCa::new();
    let key = TrustKey::certified_by(KeySpec::Ec256, GUN, NOW, Some(&ca));
    let data = TrustRepository::with_root_key(&key).build();
    let certificate = parse_bundle(key.certificate_pem()).unwrap().remove(0);
    let bare = id_of(&TrustKey::bare(&key));
    let fitting = [
        RootPin::KeyId(key.id()),
        RootPin::KeyId(bare),
        RootPin::Certificate(Box::new(certificate)),
        RootPin::Ca(Box::new(ca.certificate)),
    ];
    for pin in fitting {
        let judgement = judged_by(&data, std::slice::from_ref(&pin), &BTreeMap::new(), NOW);
        assert_eq!(judgement.verdict(), Verdict::Verified, "{pin}");
        assert_eq!(judgement.trust, RootTrust::Pinned { pin: pin.to_string() });
    }
    let other = TrustKey::certified(KeySpec::Ec256, GUN);
    let other_certificate: Certificate = parse_bundle(other.certificate_pem()).unwrap().remove(0);
    let unfitting = [
        RootPin::KeyId(other.id()),
        RootPin::Certificate(Box::new(other_certificate)),
        RootPin::Ca(Box::new(TestCa::new().certificate)),
    ];
    for pin in unfitting {
        let judgement = judged_by(&data, std::slice::from_ref(&pin), &BTreeMap::new(), NOW);
        assert_fault(&judgement, "root", "not-pinned", &pin.to_string());
        assert_eq!(judgement.trust, RootTrust::None);
    }
}

#[test]
fn expired_files_are_expired_and_used_only_where_that_is_allowed() {
    for name in ["root", "timestamp", "snapshot", "targets"] {
        let mut repository = TrustRepository::new();
        repository.role(name)["expires"] = "2026-11-23T11:59:59Z".into();
        let judgement = judged(&repository.build());
        assert_eq!(codes(&judgement, name), ["expired"]);
        assert_eq!(judgement.verdict(), Verdict::Expired);
        let told = judgement.file(&role(name)).unwrap().faults[0].to_string();
        assert_eq!(told, "expired at 2026-11-23T11:59:59Z");
        assert_eq!(judgement.released(false).tags, [], "{name}");
        assert_eq!(judgement.released(true).tags.len(), 5, "{name}");
    }
    // An expired delegation takes only its own tags along, as clients do it.
    let mut repository = TrustRepository::new();
    repository.role("targets/releases")["expires"] = "2026-11-23T11:59:59Z".into();
    assert_eq!(tags(&judged(&repository.build())).len(), 2);
}

#[test]
fn a_wrong_signature_is_no_better_for_being_expired() {
    let mut repository = TrustRepository::new();
    repository.role("targets")["expires"] = "2020-01-01T00:00:00Z".into();
    repository.signers.insert("targets".to_owned(), vec![TrustKey::ecdsa()]);
    let judgement = judged(&repository.build());
    assert_fault(&judgement, "targets", "below-threshold", "expired at 2020-01-01T00:00:00Z");
    assert_eq!(judgement.released(true).tags, []);
}

#[test]
fn tags_outside_of_a_delegations_paths_count_for_nothing_and_take_nothing_down() {
    let mut repository = TrustRepository::new();
    repository.delegate(
        "targets",
        "targets/ci",
        &["nightly-", "dev-"],
        &[("nightly-1", 3), ("release-1", 4), ("release-2", 5)],
    );
    let judgement = judged(&repository.build());
    assert_eq!(judgement.verdict(), Verdict::Verified);
    let told = "targets/ci signs 2 tags outside of its paths, \"release-1\" the first: they count for nothing";
    assert!(judgement.notes.iter().any(|note| note == told), "{:?}", judgement.notes);
    let released: Vec<String> = tags(&judgement).into_iter().map(|(tag, _)| tag).collect();
    assert!(!released.iter().any(|tag| tag.starts_with("release-")), "{released:?}");

    let mut repository = TrustRepository::new();
    repository.delegate("targets", "targets/ci", &[], &[("anything", 3)]);
    let judgement = judged(&repository.build());
    assert!(!tags(&judgement).iter().any(|(tag, _)| tag == "anything"));
}

#[test]
fn many_tags_outside_of_many_paths_cost_one_note() {
    let mut repository = TrustRepository::new();
    let paths: Vec<String> = (0..1024).map(|n| format!("{n:060}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let names: Vec<String> = (0..2000).map(|n| format!("t{n}")).collect();
    let tags: Vec<(&str, u8)> = names.iter().map(|name| (name.as_str(), 3)).collect();
    repository.delegate("targets", "targets/ci", &paths, &tags);
    let judgement = judged(&repository.build());
    let record = serde_json::to_vec(&RepositoryRecord::new(&judgement, true)).unwrap();
    assert!(record.len() < 1024 * 1024, "{} bytes", record.len());
}

#[test]
fn a_delegation_cannot_delegate_more_than_it_has() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "targets/ci", &["nightly-"], &[]);
    repository.delegate(
        "targets/ci",
        "targets/ci/arm",
        &["nightly-arm-", ""],
        &[("nightly-arm-1", 3)],
    );
    assert_eq!(judged(&repository.build()).notes, Vec::<String>::new());
    repository.delegate("targets/ci", "targets/ci/any", &[""], &[("1.0", 66)]);
    let judgement = judged(&repository.build());
    let told = "targets/ci/any signs 1 tags outside of its paths, \"1.0\" the first: they count for nothing";
    assert!(judgement.notes.iter().any(|note| note == told), "{:?}", judgement.notes);
    assert!(!tags(&judgement).contains(&("1.0".to_owned(), digest_of(66))));
}

#[test]
fn more_delegations_than_are_looked_at_are_no_verified_repository() {
    let mut repository = TrustRepository::new();
    let key = TrustKey::ecdsa();
    for n in 0..1021 {
        let delegations = &mut repository.role("targets")["delegations"];
        delegations["keys"][key.id()] = key.entry();
        let mut role = role_keys(&[&key], 1);
        role["name"] = format!("targets/x{n}").into();
        role["paths"] = json!([""]);
        delegations["roles"].as_array_mut().unwrap().push(role);
    }
    let judgement = judged(&repository.build());
    assert_fault(&judgement, "targets", "too-many-delegations", "over 1024 delegations");
}

#[test]
fn a_strangers_root_beside_ours_speaks_for_nothing() {
    let mut ours = TrustRepository::new();
    let pin = RootPin::KeyId(ours.signer("root").id());
    let good = ours.build();
    let mut data = good.clone();
    let mut stranger = TrustRepository::new();
    stranger.role("root")["version"] = 2.into();
    data.insert("2.root.json", stranger.file("root"));
    let pins = std::slice::from_ref(&pin);
    let judgement = judged_by(&data, pins, &BTreeMap::new(), NOW);
    let file = judgement.files.iter().find(|file| file.name == "2.root.json").unwrap();
    assert_eq!(file.verdict(), Verdict::Ignored);
    let theirs = stranger.signer("root").id();
    assert!(!judgement.root_keys.iter().any(|key| key.id() == theirs));
    let seen = newest_versions(&gun(), &[data], pins, NOW);
    assert_eq!(seen[&Role::Root], 1);
    assert_eq!(judged_by(&good, pins, &seen, NOW).verdict(), Verdict::Verified);
}

#[test]
fn a_root_that_is_not_the_snapshots_takes_everything_with_it() {
    let mut repository = TrustRepository::new();
    let pin = RootPin::KeyId(repository.signer("root").id());
    let mut data = repository.build_with(|files| files.get_mut("root").unwrap().push(b' '));
    let mut root = data.get("root.json").unwrap().to_vec();
    root.pop();
    data.insert("root.json", root);
    let judgement = judged_by(&data, &[pin], &BTreeMap::new(), NOW);
    for name in ["timestamp", "snapshot", "targets"] {
        assert_eq!(judgement.file(&role(name)).unwrap().verdict(), Verdict::Refused, "{name}");
    }
    assert_eq!(judgement.trust, RootTrust::None);
}

#[test]
fn trust_on_first_use_is_trust_in_the_first() {
    let ours = TrustRepository::new().build();
    let theirs = TrustRepository::new().build();
    let pins = remembered_roots(&gun(), std::slice::from_ref(&ours), NOW);
    assert_eq!(judged_by(&ours, &pins, &BTreeMap::new(), NOW).verdict(), Verdict::Verified);
    let judgement = judged_by(&theirs, &pins, &BTreeMap::new(), NOW);
    assert_fault(&judgement, "root", "not-pinned", "no root is signed by what is pinned");
    assert!(remembered_roots(&gun(), &[], NOW).is_empty());
}

#[test]
fn one_key_in_two_forms_is_one_key() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let mut repository = TrustRepository::new();
    let key = TrustKey::ecdsa();
    let entry = key.entry();
    let der = BASE64_STANDARD.decode(entry["keyval"]["public"].as_str().unwrap()).unwrap();
    // The same point, with its second half as one bit.
    let (head, point) = der.split_at(der.len() - 65);
    let mut compressed = head.to_vec();
    let last = compressed.len() - 2;
    compressed[1] -= 32;
    compressed[last] -= 32;
    compressed.push(2 + (point[64] & 1));
    compressed.extend(&point[1..33]);
    let public = BASE64_STANDARD.encode(&compressed);
    let other = json!({"keytype": "ecdsa", "keyval": {"private": null, "public": public}});
    let root = repository.role("root");
    root["keys"][key.id()] = entry;
    root["keys"][id_of(&other)] = other.clone();
    root["roles"]["timestamp"] = json!({"keyids": [key.id(), id_of(&other)], "threshold": 2});
    let mut data = repository.build();
    let signed = repository.role("timestamp").clone();
    let (one, mut two) = (key.sign("ecdsa", &signed), key.sign("ecdsa", &signed));
    two["keyid"] = id_of(&other).into();
    let file = json!({"signed": signed, "signatures": [one, two]}).to_string();
    data.insert("timestamp.json", file.into_bytes());
    let told = "its point is compressed";
    assert_fault(&judged(&data), "timestamp", "below-threshold", told);
}

#[test]
fn a_pinned_ca_that_has_expired_vouches_for_nobody() {
    let ca = TestCa::until(-50);
    let key = TrustKey::certified_by(KeySpec::Ec256, GUN, NOW, Some(&ca));
    let data = TrustRepository::with_root_key(&key).build();
    let pin = RootPin::Ca(Box::new(ca.certificate));
    let judgement = judged_by(&data, &[pin], &BTreeMap::new(), NOW);
    assert!(codes(&judgement, "root").contains(&"certificate-expired"), "{judgement:#?}");
}

#[test]
fn a_delegation_below_a_refused_one_is_refused() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "targets/ci", &[""], &[]);
    repository.delegate("targets/ci", "targets/ci/releases", &[""], &[("1.0", 66)]);
    repository.signers.insert("targets/ci".to_owned(), vec![TrustKey::ecdsa()]);
    let judgement = judged(&repository.build());
    assert_eq!(codes(&judgement, "targets/ci/releases"), ["rests-on"]);
}

#[test]
fn delegations_that_nobody_used_and_files_that_nobody_delegated_are_no_faults() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "targets/new", &[""], &[]);
    repository.signed.remove("targets/new");
    let mut data = repository.build();
    data.insert("targets/stray.json", data.get("targets/alice.json").unwrap().to_vec());
    let judgement = judged(&data);
    assert_eq!(judgement.verdict(), Verdict::Verified);
    assert_eq!(judgement.file(&role("targets/new")).unwrap().verdict(), Verdict::Unpublished);
    assert_eq!(judgement.file(&role("targets/stray")).unwrap().verdict(), Verdict::Ignored);
    let signers = judgement.released(false).signers;
    let names: Vec<&str> = signers.iter().map(|signer| signer.name.as_str()).collect();
    assert_eq!(names, ["new", "bob", "alice"]);
}

#[test]
fn a_delegations_file_that_the_snapshot_no_longer_lists_is_passed_over() {
    let mut repository = TrustRepository::new();
    let left = repository.build().get("targets/bob.json").unwrap().to_vec();
    repository.signed.remove("targets/bob");
    let mut data = repository.build();
    data.insert("targets/bob.json", left);
    let judgement = judged(&data);
    let bob = judgement.file(&role("targets/bob")).unwrap();
    assert_eq!(bob.verdict(), Verdict::Ignored);
    assert_eq!(codes(&judgement, "targets/bob"), ["not-listed"]);
    assert_eq!(judgement.verdict(), Verdict::Verified);
    assert!(
        judgement.is_torn(),
        "it could be newer than the snapshot: the files are fetched again"
    );
    let tags = judgement.released(false).tags;
    assert!(!tags.iter().any(|tag| tag.roles.contains(&role("targets/bob"))));
}

#[test]
fn tags_without_a_digest_that_docker_pulls_by_are_told() {
    let mut repository = TrustRepository::new();
    let targets = repository.role("targets/releases")["targets"].as_object_mut().unwrap();
    let (tag, target) = targets.iter_mut().next().unwrap();
    let tag = tag.clone();
    target["hashes"] = json!({"sha512": BASE64_STANDARD.encode([7; 64])});
    let judgement = judged(&repository.build());
    assert_eq!(judgement.verdict(), Verdict::Verified);
    let note = format!("targets/releases gives 1 tags no SHA-256 digest, {tag:?} the first");
    assert!(judgement.notes.iter().any(|told| told.starts_with(&note)), "{:?}", judgement.notes);
    let rows = judgement.released(false).tags;
    assert!(
        !rows.iter().any(|row| row.tag == tag && row.roles.contains(&role("targets/releases")))
    );
}

#[test]
fn unreadable_targets_are_named_as_the_reason_why_delegations_count_for_nothing() {
    let mut data = TrustRepository::new().build();
    data.insert("targets.json", b"{}".to_vec());
    let judgement = judged(&data);
    assert_eq!(judgement.file(&role("targets/alice")).unwrap().verdict(), Verdict::Ignored);
    let note = "targets.json cannot be read, so nobody knows what it delegates";
    assert!(judgement.notes.iter().any(|told| told == note), "{:?}", judgement.notes);
}

#[test]
fn files_that_are_gone_are_missing() {
    for name in ["root", "timestamp", "snapshot", "targets", "targets/releases"] {
        let whole = TrustRepository::new().build();
        let mut data = TrustData::new();
        let kept = whole.files().filter(|(file, _)| *file != format!("{name}.json"));
        kept.for_each(|(file, bytes)| data.insert(file, bytes.to_vec()));
        let judgement = judged(&data);
        assert_eq!(judgement.file(&role(name)).unwrap().verdict(), Verdict::Missing, "{name}");
        assert!(judgement.verdict() >= Verdict::Missing);
        assert!(!judgement.accepts(&role(name), true));
        assert_eq!(judgement.released(true).tags.is_empty(), name != "targets/releases", "{name}");
    }
    assert_eq!(judged(&TrustData::new()).verdict(), Verdict::Missing);
}

#[test]
fn files_that_are_not_what_they_should_be_are_told() {
    let changes: [(&str, &str, &str); 9] = [
        (r#""version":1}"#, r#""version":1,"version":2}"#, "member \"version\" occurs twice"),
        (r#""version":1}"#, r#""version":0}"#, "version 0 is not a version"),
        (r#""version":1}"#, r#""version":1.5}"#, "not of the form of timestamp metadata"),
        (r#""version":1}"#, r#""version":1,"x":1.5}"#, "number 1.5 has no canonical form"),
        ("2046-11-22T", "in a while ", "is not an RFC 3339 time"),
        (r#""signed":"#, r#""singed":"#, "missing field `signed`"),
        (
            r#""Timestamp""#,
            r#""timestamp""#,
            "type \"timestamp\", where timestamp metadata has \"Timestamp\"",
        ),
        (r#""sha256":""#, r#""sha256":"AA"#, "hash sha256 is not base64 of 32 bytes"),
        ("{", "", "file is not JSON"),
    ];
    for (from, to, text) in changes {
        let mut data = TrustRepository::new().build();
        let file = String::from_utf8(data.get("timestamp.json").unwrap().to_vec()).unwrap();
        assert!(file.contains(from), "{from}");
        data.insert("timestamp.json", file.replacen(from, to, 1).into_bytes());
        let judgement = judged(&data);
        let told = judgement.file(&Role::Timestamp).unwrap().faults[0].to_string();
        assert!(told.contains(text), "{told}");
        assert_eq!(judgement.verdict(), Verdict::Refused);
    }
    let mut data = TrustRepository::new().build();
    data.insert("timestamp.json", vec![b' '; 1024 * 1024 + 1]);
    assert_fault(&judged(&data), "timestamp", "too-large", "over the limit of 1048576 bytes");
}

#[test]
fn more_paths_than_are_looked_at_are_refused() {
    let mut repository = TrustRepository::new();
    let paths: Vec<String> = (0..1025).map(|n| n.to_string()).collect();
    repository.role("targets")["delegations"]["roles"][0]["paths"] = json!(paths);
    let judgement = judged(&repository.build());
    assert_fault(
        &judgement,
        "targets",
        "malformed",
        "may sign 1025 paths, which are over the limit of 1024",
    );
}

#[test]
fn a_snapshot_that_does_not_list_a_file_is_told() {
    let mut repository = TrustRepository::new();
    let data = repository.build();
    let unlisted = |change: &dyn Fn(&mut Value)| {
        let mut repository = TrustRepository {
            signed: repository.signed.clone(),
            signers: repository.signers.clone(),
            older_roots: BTreeMap::new(),
        };
        change(repository.role("snapshot"));
        let mut data = data.clone();
        data.insert("snapshot.json", repository.file("snapshot"));
        repository.role("timestamp")["meta"]["snapshot"] = meta(data.get("snapshot.json").unwrap());
        data.insert("timestamp.json", repository.file("timestamp"));
        judged(&data)
    };
    let gone =
        unlisted(&|snapshot| drop(snapshot["meta"].as_object_mut().unwrap().remove("targets")));
    assert_fault(&gone, "targets", "not-listed", "snapshot does not list the file");
    let rootless =
        unlisted(&|snapshot| drop(snapshot["meta"].as_object_mut().unwrap().remove("root")));
    assert_fault(&rootless, "root", "not-listed", "snapshot does not list the file");
    let hashless =
        unlisted(&|snapshot| snapshot["meta"]["targets"]["hashes"] = json!({"md5": "AA=="}));
    assert_fault(&hashless, "targets", "no-hash", "without a SHA-256 or SHA-512");
    let shorter = unlisted(&|snapshot| snapshot["meta"]["targets"]["length"] = 7.into());
    assert_fault(&shorter, "targets", "wrong-length", "snapshot lists 7 bytes");
}

#[test]
fn names_of_delegations_that_leave_their_role_are_refused() {
    for name in ["targets/../root", "targets/Alice", "snapshot", "targets/ci/arm", "targets/"] {
        let mut repository = TrustRepository::new();
        repository.role("targets")["delegations"]["roles"][0]["name"] = name.into();
        let judgement = judged(&repository.build());
        assert_fault(&judgement, "targets", "malformed", name);
    }
}
