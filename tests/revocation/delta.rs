//! Delta CRLs: where they are named, which belong to which CRL, and what they change.

use notation_sdk::revocation::{Method, RevocationReason, RevocationStatus, SigningTime};
use time::Duration;

use super::{CRL_URL, DAY, FRESHEST_CRL, NOW, Scene, crl_at, unreachable};
use crate::support::{
    der::{explicit, extension, implicit, integer, octets, sequence, uri},
    revocation::TestCrl,
};

const DELTA_URL: &str = "http://crl.test/delta.crl";

/// A complete CRL, number 10, that names a delta CRL.
fn base(scene: &Scene) -> TestCrl {
    let (oid, value) = (FRESHEST_CRL, crl_at(&[DELTA_URL]).1);
    scene.empty().number(10).extension(oid, false, &value)
}

/// A delta CRL, number 12, that builds on number 9.
fn delta(scene: &Scene) -> TestCrl {
    scene.empty().number(12).delta_to(9)
}

/// A scene with both, after a change to each.
fn with(
    change_base: impl FnOnce(&Scene, TestCrl) -> TestCrl,
    change_delta: impl FnOnce(&Scene, TestCrl) -> TestCrl,
) -> Scene {
    let scene = Scene::crl();
    let base = change_base(&scene, base(&scene));
    let delta = change_delta(&scene, delta(&scene));
    scene.with_crl(&base).with_crl_at(DELTA_URL, &delta)
}

fn same(_: &Scene, crl: TestCrl) -> TestCrl {
    crl
}

#[test]
fn both_crls_are_named_where_the_certificate_is_good() {
    let RevocationStatus::Good { sources, .. } = with(same, same).status() else { panic!() };
    let named: Vec<_> = sources.iter().map(|one| (one.method, one.url.as_str())).collect();
    assert_eq!(named, [(Method::Crl, CRL_URL), (Method::DeltaCrl, DELTA_URL)]);
}

#[test]
fn what_came_after_the_complete_crl_counts() {
    let scene = with(same, |scene, delta| delta.revoke(scene.leaf(), Some(1)));
    assert_eq!(scene.assert_revoked(), RevocationReason::KeyCompromise);
    let RevocationStatus::Revoked { source, .. } = scene.status() else { panic!() };
    assert_eq!((source.method, source.url.as_str()), (Method::DeltaCrl, DELTA_URL));
    let scene = with(same, |scene, delta| delta.revoke(scene.leaf(), Some(6)));
    assert_eq!(scene.assert_revoked(), RevocationReason::CertificateHold);
}

#[test]
fn a_hold_ends_by_remove_from_crl_and_nothing_else_does() {
    let remove = |scene: &Scene, delta: TestCrl| delta.revoke(scene.leaf(), Some(8));
    with(|scene, base| base.revoke(scene.leaf(), Some(6)), remove).assert_good();
    with(same, remove).assert_good();
    for reason in [None, Some(1), Some(4)] {
        let scene = with(|scene, base| base.revoke(scene.leaf(), reason), remove);
        scene.assert_revoked();
    }
    with(|scene, base| base.revoke(scene.leaf(), Some(6)), same).assert_revoked();
    let scene = with(
        |scene, base| base.revoke(scene.leaf(), Some(6)),
        |scene, delta| delta.revoke(scene.leaf(), Some(1)),
    );
    assert_eq!(scene.assert_revoked(), RevocationReason::KeyCompromise);
}

#[test]
fn a_delta_crl_that_cannot_be_had_leaves_the_certificate_unknown() {
    let scene = Scene::crl();
    let complete = base(&scene);
    let scene = scene.with_crl(&complete);
    assert_eq!(scene.unknown(), [format!("delta CRL {DELTA_URL}: not in the evidence")]);
    let scene = scene.with_crl_answer(DELTA_URL, Err(unreachable()));
    let told = format!("delta CRL {DELTA_URL}: cannot be reached: connection refused");
    assert_eq!(scene.unknown(), [told.as_str()]);
    assert!(scene.status().is_unreachable());
    // What the complete CRL says for good needs no newer word.
    let revoking = base(&scene).revoke(scene.leaf(), Some(1));
    scene.with_crl(&revoking).assert_revoked();
    // Neither can a hold be known to have ended.
    let scene = Scene::crl();
    let held = base(&scene).revoke(scene.leaf(), Some(6));
    assert_eq!(scene.with_crl(&held).unknown().len(), 1);
}

#[test]
fn the_places_of_a_delta_crl_are_alternatives_and_the_newest_counts() {
    let other = "http://crl.test/delta2.crl";
    let two = crl_at(&[DELTA_URL, other]).1;
    let scene = Scene::crl();
    let complete = scene.empty().number(10).extension(FRESHEST_CRL, false, &two);
    let (held, newer) =
        (delta(&scene).revoke(scene.leaf(), Some(6)), scene.empty().number(13).delta_to(10));
    let scene = scene.with_crl(&complete).with_crl_answer(DELTA_URL, Err(unreachable()));
    let scene = scene.with_crl_at(other, &held);
    scene.assert_revoked();
    let scene = scene.with_crl_at(DELTA_URL, &newer);
    scene.assert_good();
    let revoking = delta(&scene).revoke(scene.leaf(), Some(1));
    scene.with_crl_at(other, &revoking).assert_revoked();
}

#[test]
fn a_crl_is_as_new_as_its_delta_crl() {
    let scene = Scene::crl();
    let old = |crl, days| TestCrl { this_update: NOW - DAY * days, ..crl };
    let (oldest, between) = (old(base(&scene), 4), old(scene.empty(), 3));
    let newest = old(delta(&scene), 2).revoke(scene.leaf(), Some(6));
    let scene = scene.with_crl(&oldest).with_crl(&between).with_crl_at(DELTA_URL, &newest);
    scene.assert_revoked();
}

#[test]
fn a_certificate_may_name_the_delta_crl_itself() {
    let freshest = (FRESHEST_CRL, crl_at(&[DELTA_URL]).1);
    let scene = Scene::new(&[crl_at(&[CRL_URL]), freshest]);
    let complete = scene.empty().number(10);
    let revoking = delta(&scene).revoke(scene.leaf(), Some(1));
    let scene = scene.with_crl(&complete);
    assert_eq!(scene.unknown(), [format!("delta CRL {DELTA_URL}: not in the evidence")]);
    scene.with_crl_at(DELTA_URL, &revoking).assert_revoked();
}

#[test]
fn a_delta_crl_belongs_to_a_crl_by_its_numbers() {
    let cases = [
        // base, delta, what it builds on
        (10, 12, 10, None),
        (10, 10, 9, None),
        (10, 12, 1, None),
        (0x00ff, 0x0100, 0x00ff, None),
        (10, 12, 11, Some("delta CRL builds on CRL number 0b (hex), and this one is 0a")),
        (10, 9, 9, Some("delta CRL number 09 (hex) is older than the CRL, which is 0a")),
        (256, 255, 200, Some("delta CRL number ff (hex) is older than the CRL, which is 0100")),
    ];
    for (base, delta, builds_on, told) in cases {
        let scene = Scene::crl();
        let freshest = crl_at(&[DELTA_URL]).1;
        let complete = scene.empty().number(base).extension(FRESHEST_CRL, false, &freshest);
        let delta = scene.empty().number(delta).delta_to(builds_on);
        let scene = scene.with_crl(&complete).with_crl_at(DELTA_URL, &delta);
        match told {
            None => scene.assert_good(),
            Some(told) => scene.assert_unknown(told),
        }
    }
    let told = "CRL has no number, and a delta CRL belongs to it";
    let scene = Scene::crl();
    let complete = scene.empty().extension(FRESHEST_CRL, false, &crl_at(&[DELTA_URL]).1);
    let delta = delta(&scene);
    scene.with_crl(&complete).with_crl_at(DELTA_URL, &delta).assert_unknown(told);
    let scene = Scene::crl();
    let (complete, delta) = (base(&scene), scene.empty().delta_to(9));
    scene.with_crl(&complete).with_crl_at(DELTA_URL, &delta).assert_unknown(told);
}

#[test]
fn a_delta_crl_is_of_the_same_scope_and_the_same_key() {
    let told = "extension issuingDistributionPoint of the delta CRL is not that of the CRL";
    let users = [implicit(1, &[0xff])];
    with(|_, base| base.scope(&users), same).assert_unknown(told);
    with(same, |_, delta| delta.scope(&users)).assert_unknown(told);
    with(|_, base| base.scope(&users), |_, delta| delta.scope(&users)).assert_good();
    let point = [explicit(0, &explicit(0, &uri(CRL_URL)))];
    with(|_, base| base.scope(&users), |_, delta| delta.scope(&point)).assert_unknown(told);

    let told = "extension authorityKeyIdentifier of the delta CRL is not that of the CRL";
    let key = |id: &'static [u8]| {
        move |_: &Scene, crl: TestCrl| {
            crl.extension("2.5.29.35", false, &sequence(&[implicit(0, id)]))
        }
    };
    with(key(b"a"), same).assert_unknown(told);
    with(key(b"a"), key(b"b")).assert_unknown(told);
    with(key(b"a"), key(b"a")).assert_good();
}

#[test]
fn a_delta_crl_meets_the_same_terms_as_a_complete_one() {
    let other = |_: &Scene, delta: TestCrl| TestCrl {
        next_update: Some(NOW - Duration::seconds(1)),
        ..delta
    };
    with(same, other).assert_unknown("it expired at");
    let revoking = |scene: &Scene, delta| other(scene, delta).revoke(scene.leaf(), Some(1));
    with(same, revoking).assert_revoked();
    let future = |_: &Scene, delta: TestCrl| TestCrl { this_update: NOW + DAY, ..delta };
    with(same, future).assert_unknown("it is of");
    let unknown = |_: &Scene, delta: TestCrl| delta.extension("1.2.3.4", true, &octets(b""));
    with(same, unknown).assert_unknown("critical extension 1.2.3.4 of the CRL is not supported");
    let scene = Scene::crl();
    let (complete, delta) = (base(&scene), delta(&scene).sign(&scene.pki.root_key));
    let scene = scene.with_crl(&complete).with_crl_answer(DELTA_URL, Ok(delta));
    scene.assert_unknown("signature does not verify");
}

#[test]
fn a_complete_crl_and_a_delta_crl_do_not_stand_for_each_other() {
    let scene = Scene::crl();
    let delta = delta(&scene);
    scene.with_crl(&delta).assert_unknown("a delta CRL stands where a complete one belongs");
    let scene = Scene::crl();
    let (complete, newer) = (base(&scene), base(&scene));
    let scene = scene.with_crl(&complete).with_crl_at(DELTA_URL, &newer);
    let told = format!("delta CRL {DELTA_URL}: a complete CRL stands where a delta CRL belongs");
    assert_eq!(scene.unknown()[0], told);
}

#[test]
fn a_delta_crl_of_a_folder_counts_where_none_is_there_under_its_url() {
    let scene = Scene::crl();
    let (complete, delta) = (base(&scene), delta(&scene).revoke(scene.leaf(), Some(1)));
    let scene = scene.with_file("crls/complete.crl", &complete);
    assert_eq!(scene.unknown().len(), 2);
    scene.with_file("crls/delta.crl", &delta).assert_revoked();
}

#[test]
fn an_entry_of_a_delta_crl_that_cannot_be_read_leaves_the_certificate_unknown() {
    let broken = extension("2.5.29.21", false, &integer(1));
    let scene = with(same, |scene, delta| delta.list(scene.leaf(), std::slice::from_ref(&broken)));
    scene.assert_unknown("entry of the certificate is not valid DER");
}

#[test]
fn a_key_that_was_good_until_after_the_signature_was_made_does_no_harm_in_a_delta_crl() {
    let revoked = |scene: &Scene, delta: TestCrl| delta.revoke_since(scene.leaf(), 1, NOW - DAY);
    let mut scene = with(same, revoked);
    scene.assert_revoked();
    scene.signing_time = SigningTime::Timestamped { latest: NOW - DAY * 2 };
    let RevocationStatus::Good { listed, .. } = scene.status() else { panic!() };
    assert_eq!(listed.unwrap().invalidity_date, NOW - DAY);
}

#[test]
fn what_a_delta_crl_of_a_folder_says_against_a_certificate_counts_beside_a_named_one() {
    let file = "crls/delta.crl";
    for reason in [1, 6] {
        // Newer than the named one, which is good.
        let scene = with(same, same);
        let newer = scene.empty().number(13).delta_to(9);
        let (against, good) = (newer.clone().revoke(scene.leaf(), Some(reason)), newer);
        scene.with_file(file, &against).assert_revoked();
        with(same, same).with_file(file, &good).assert_good();
        // To a complete CRL that names none.
        let scene = Scene::crl();
        let (complete, against) =
            (scene.empty().number(10), delta(&scene).revoke(scene.leaf(), Some(reason)));
        let scene = scene.with_crl(&complete);
        scene.assert_good();
        scene.with_file(file, &against).assert_revoked();
    }
    // An older hold has ended.
    let scene = with(same, same);
    let older = scene.empty().number(11).delta_to(9).revoke(scene.leaf(), Some(6));
    scene.with_file(file, &older).assert_good();
}

#[test]
fn a_delta_crl_of_a_folder_ends_a_hold_where_the_named_one_is_not_to_be_had() {
    let file = "crls/delta.crl";
    let scene = Scene::crl();
    let (held, delta) =
        (base(&scene).revoke(scene.leaf(), Some(6)), delta(&scene).revoke(scene.leaf(), Some(8)));
    let scene = scene.with_crl(&held).with_crl_answer(DELTA_URL, Err(unreachable()));
    assert_eq!(scene.unknown().len(), 1);
    scene.with_file(file, &delta).assert_good();
    // Where none is named, nothing waits for it.
    let scene = Scene::crl();
    let held = scene.empty().number(10).revoke(scene.leaf(), Some(6));
    scene.with_crl(&held).with_file(file, &delta).assert_revoked();
}
