//! What a CRL has to be before it counts, and what counts of it.

use notation_sdk::{
    pki::Extension,
    revocation::{
        CrlEvidence, Evidence, FetchFailure, FetchFailureKind, Method, RevocationReason,
        RevocationStatus, SigningTime, judge,
    },
    testing::set_extension,
};
use time::Duration;

use super::{
    CRL_DISTRIBUTION_POINTS, CRL_URL, DAY, FRESHEST_CRL, NOW, Scene, crl_at, text, unreachable,
};
use crate::support::{
    der::{
        boolean, distribution_point, explicit, extension, implicit, integer, sequence, tlv, uri,
    },
    revocation::{TestCrl, entry},
};

const OTHER_URL: &str = "http://crl.test/other.crl";

#[test]
fn a_certificate_that_is_not_listed_is_good_and_the_crl_is_named() {
    let scene = Scene::crl();
    let others = scene.empty().revoke(scene.issuing(), Some(1)).number(7);
    let scene = scene.with_crl(&others);
    let RevocationStatus::Good { sources, listed: None } = scene.status() else { panic!() };
    assert_eq!(sources.len(), 1);
    let source = &sources[0];
    assert_eq!((source.method, source.url.as_str()), (Method::Crl, CRL_URL));
    assert_eq!((source.this_update, source.next_update), (NOW - DAY, Some(NOW + DAY)));
    assert_eq!(source.fetched_at, NOW);
}

#[test]
fn a_certificate_that_is_listed_is_revoked_for_the_reason_that_is_given() {
    use RevocationReason::{
        AaCompromise, AffiliationChanged, CaCompromise, CertificateHold, CessationOfOperation,
        KeyCompromise, PrivilegeWithdrawn, Superseded, Unspecified,
    };
    let reasons = [
        (None, Unspecified, "unspecified"),
        (Some(0), Unspecified, "unspecified"),
        (Some(1), KeyCompromise, "keyCompromise"),
        (Some(2), CaCompromise, "cACompromise"),
        (Some(3), AffiliationChanged, "affiliationChanged"),
        (Some(4), Superseded, "superseded"),
        (Some(5), CessationOfOperation, "cessationOfOperation"),
        (Some(6), CertificateHold, "certificateHold"),
        (Some(9), PrivilegeWithdrawn, "privilegeWithdrawn"),
        (Some(10), AaCompromise, "aACompromise"),
    ];
    for (code, reason, name) in reasons {
        let scene = Scene::crl();
        let crl = scene.empty().revoke(scene.leaf(), code);
        let scene = scene.with_crl(&crl);
        assert_eq!(scene.assert_revoked(), reason);
        assert_eq!(reason.to_string(), name);
        let RevocationStatus::Revoked { source, at, invalidity_date, .. } = scene.status() else {
            panic!()
        };
        assert_eq!((source.url.as_str(), at, invalidity_date), (CRL_URL, NOW - DAY * 2, None));
    }
}

#[test]
fn a_revocation_that_is_dated_in_the_future_is_one() {
    let scene = Scene::crl();
    let mut crl = scene.empty();
    crl.entries.push(entry(scene.leaf().serial_number(), NOW + DAY * 100, &[]));
    scene.with_crl(&crl).assert_revoked();
}

#[test]
fn an_entry_of_the_certificate_that_cannot_be_read_is_unknown() {
    let bad = [
        vec![extension("2.5.29.21", false, &[5, 0])],
        vec![extension("2.5.29.24", false, b"\x18\x052026Z")],
        vec![extension("1.2.3", false, &[]), extension("1.2.3", false, &[])],
    ];
    for extensions in bad {
        let scene = Scene::crl();
        let crl = scene.empty().list(scene.leaf(), &extensions);
        scene.with_crl(&crl).assert_unknown("entry of the certificate is not valid DER");
        // Nobody has to read those of others.
        let scene = Scene::crl();
        let crl = scene.empty().list(scene.issuing(), &extensions);
        scene.with_crl(&crl).assert_good();
    }
}

#[test]
fn of_two_entries_of_a_certificate_the_worst_counts() {
    for codes in [[6, 1], [1, 6], [8, 1], [1, 8]] {
        let scene = Scene::crl();
        let crl = codes.iter().fold(scene.empty(), |crl, c| crl.revoke(scene.leaf(), Some(*c)));
        assert_eq!(scene.with_crl(&crl).assert_revoked(), RevocationReason::KeyCompromise);
    }
    let scene = Scene::crl();
    let crl = scene.empty().revoke(scene.leaf(), Some(8)).revoke(scene.leaf(), Some(6));
    assert_eq!(scene.with_crl(&crl).assert_revoked(), RevocationReason::CertificateHold);
}

#[test]
fn an_entry_that_only_ends_a_hold_revokes_nothing() {
    let scene = Scene::crl();
    let crl = scene.empty().revoke(scene.leaf(), Some(8));
    scene.with_crl(&crl).assert_good();
}

#[test]
fn a_file_that_was_tried_for_several_distribution_points_is_told_once() {
    let scene = Scene::new(&[crl_at(&[CRL_URL, OTHER_URL])]);
    let expired = TestCrl { next_update: Some(NOW - DAY), ..scene.empty() };
    let told = scene.with_file("crls/issuing.crl", &expired).unknown();
    let files: Vec<_> = told.iter().map(|one| one.split(": ").next().unwrap()).collect();
    let urls =
        [format!("CRL {CRL_URL}"), "CRL crls/issuing.crl".into(), format!("CRL {OTHER_URL}")];
    assert_eq!(files, urls);
}

#[test]
fn a_key_that_was_good_until_after_the_signature_was_made_does_no_harm() {
    let since = NOW - DAY;
    let before = since - Duration::seconds(1);
    let cases = [
        (SigningTime::Unknown, false),
        (SigningTime::Authentic(before), true),
        (SigningTime::Authentic(since), false),
        (SigningTime::Authentic(NOW), false),
        (SigningTime::Timestamped { latest: before }, true),
        (SigningTime::Timestamped { latest: since }, false),
    ];
    for (signing_time, passes) in cases {
        for reason in [1, 6] {
            let mut scene = Scene::crl();
            let crl = scene.empty().revoke_since(scene.leaf(), reason, since);
            scene.signing_time = signing_time;
            let scene = scene.with_crl(&crl);
            match scene.status() {
                RevocationStatus::Good { listed, .. } if passes => {
                    assert_eq!(listed.unwrap().invalidity_date, since);
                }
                RevocationStatus::Revoked { invalidity_date, .. } if !passes => {
                    assert_eq!(invalidity_date, Some(since));
                }
                other => panic!("{signing_time:?}: {other:#?}"),
            }
        }
    }
    // Without the date, no time excuses anything.
    let mut scene = Scene::crl();
    scene.signing_time = SigningTime::Authentic(NOW - DAY * 300);
    let crl = scene.empty().revoke(scene.leaf(), Some(4));
    scene.with_crl(&crl).assert_revoked();
}

#[test]
fn an_expired_crl_and_one_without_an_end_tell_only_what_is_never_taken_back() {
    for (next_update, why) in [
        (
            Some(NOW - Duration::seconds(1)),
            "it expired at 2026-11-23T11:59:59Z, and it is 2026-11-23T12:00:00Z",
        ),
        (None, "it has no nextUpdate"),
    ] {
        let over = |scene: &Scene| TestCrl { next_update, ..scene.empty() };
        let scene = Scene::crl();
        let crl = over(&scene);
        scene.with_crl(&crl).assert_unknown(why);
        let scene = Scene::crl();
        let crl = over(&scene).revoke(scene.leaf(), Some(6));
        scene.with_crl(&crl).assert_unknown(why);
        for reason in [None, Some(1), Some(4)] {
            let scene = Scene::crl();
            let crl = over(&scene).revoke(scene.leaf(), reason);
            scene.with_crl(&crl).assert_revoked();
        }
        let mut scene = Scene::crl();
        scene.signing_time = SigningTime::Authentic(NOW - DAY * 9);
        let crl = over(&scene).revoke_since(scene.leaf(), 1, NOW - DAY);
        scene.with_crl(&crl).assert_unknown(why);
    }
    let mut scene = Scene::crl();
    let crl = scene.empty();
    scene.at = NOW + DAY;
    scene.with_crl(&crl).assert_good();
}

#[test]
fn a_crl_may_be_from_the_future_as_far_as_clocks_differ() {
    for (ahead, passes) in [(300, true), (301, false)] {
        let scene = Scene::crl();
        let this_update = NOW + Duration::seconds(ahead);
        let crl = TestCrl { this_update, ..scene.empty() };
        let revoking = crl.clone().revoke(scene.leaf(), Some(1));
        let scene = scene.with_crl(&crl);
        if passes {
            scene.assert_good();
            scene.with_crl(&revoking).assert_revoked();
        } else {
            scene.assert_unknown("it is of 2026-11-23T12:05:01Z, and it is 2026-11-23T12:00:00Z");
            let told = "it is of 2026-11-23T12:05:01Z";
            scene.with_crl(&revoking).assert_unknown(told);
        }
    }
}

#[test]
fn only_the_issuer_signs_its_crl_and_only_with_its_key() {
    let scene = Scene::crl();
    let by_another = scene.empty().sign(&scene.pki.root_key);
    let scene = scene.with_crl_answer(CRL_URL, Ok(by_another));
    scene.assert_unknown("signature does not verify with the key of its signer");

    let scene = Scene::crl();
    let of_root = TestCrl::new(scene.pki.chain.root(), NOW).sign(&scene.pki.root_key);
    let scene = scene.with_crl_answer(CRL_URL, Ok(of_root));
    scene.assert_unknown(
        "CRL is issued by CN=root,O=Test,ST=WA,C=US, and the certificate by CN=issuing,",
    );
}

#[test]
fn an_issuer_whose_key_usage_lacks_crl_sign_signs_none() {
    for (usage, passes) in [(0b0000_0100, false), (0b0000_0110, true)] {
        let scene = Scene::with_issuing(&[crl_at(&[CRL_URL])], |issuing| {
            set_extension(issuing, Extension::new("2.5.29.15", true, &[3, 2, 1, usage]));
        });
        let crl = scene.empty();
        let scene = scene.with_crl(&crl);
        if passes {
            scene.assert_good();
        } else {
            scene.assert_unknown(
                "extension keyUsage of CN=issuing,O=Test,ST=WA,C=US does not have cRLSign",
            );
        }
    }
    let scene = Scene::with_issuing(&[crl_at(&[CRL_URL])], |issuing| {
        issuing.extensions.retain(|extension| extension.oid != "2.5.29.15");
    });
    let crl = scene.empty();
    scene.with_crl(&crl).assert_good();
}

#[test]
fn critical_extensions_that_are_not_known_make_a_crl_unusable_wherever_they_stand() {
    let scene = Scene::crl();
    let crl = scene.empty().extension("1.2.3.4", true, &[5, 0]);
    scene.with_crl(&crl).assert_unknown("critical extension 1.2.3.4 of the CRL is not supported");
    let scene = Scene::crl();
    let unknown = extension("1.2.3.4", true, &[5, 0]);
    // Even one of another certificate's entry, and even where the certificate itself is revoked.
    let crl = scene.empty().list(scene.issuing(), &[unknown]).revoke(scene.leaf(), Some(1));
    scene
        .with_crl(&crl)
        .assert_unknown("critical extension 1.2.3.4 of the CRL's entries is not supported");
    let scene = Scene::crl();
    let known = extension("1.2.3.4", false, &[5, 0]);
    let crl = scene.empty().extension("1.2.3.4", false, &[5, 0]).list(scene.issuing(), &[known]);
    scene.with_crl(&crl).assert_good();
}

#[test]
fn indirect_crls_are_refused_by_name() {
    let told = "indirect CRLs are not supported";
    let scene = Scene::crl();
    let crl = scene.empty().scope(&[implicit(4, &[0xff])]);
    scene.with_crl(&crl).assert_unknown(told);
    // An entry of another issuer.
    let scene = Scene::crl();
    let issuer = sequence(&[explicit(4, scene.pki.chain.root().subject().as_der())]);
    let crl = scene.empty().list(scene.issuing(), &[extension("2.5.29.29", true, &issuer)]);
    scene.with_crl(&crl).assert_unknown(told);
    // A distribution point that says who signs instead.
    let root =
        explicit(4, "CN=somebody else".parse::<notation_sdk::x509::Name>().unwrap().as_der());
    let point = distribution_point(&[CRL_URL], &[explicit(2, &root)]);
    let scene = Scene::new(&[(CRL_DISTRIBUTION_POINTS, sequence(&[point]))]);
    let crl = scene.empty();
    scene.with_crl(&crl).assert_unknown(told);
    // One that says that the issuer itself does.
    let issuing = explicit(4, notation_sdk::testing::name("issuing").as_der());
    let point = distribution_point(&[CRL_URL], &[explicit(2, &[root, issuing].concat())]);
    let scene = Scene::new(&[(CRL_DISTRIBUTION_POINTS, sequence(&[point]))]);
    let crl = scene.empty();
    scene.with_crl(&crl).assert_good();
}

#[test]
fn a_crl_of_another_distribution_point_does_not_count() {
    let scope = |url: &str| explicit(0, &explicit(0, &uri(url)));
    let scene = Scene::crl();
    let crl = scene.empty().scope(&[scope(OTHER_URL)]);
    scene.with_crl(&crl).assert_unknown("names another distribution point");
    let scene = Scene::crl();
    let crl =
        scene.empty().scope(&[explicit(0, &explicit(0, &[uri(OTHER_URL), uri(CRL_URL)].concat()))]);
    scene.with_crl(&crl).assert_good();
}

#[test]
fn a_crl_of_other_certificates_does_not_count() {
    let scopes = [
        (1, None),
        (2, Some("only certificates of CAs")),
        (5, Some("only attribute certificates")),
    ];
    for (only, told) in scopes {
        let scene = Scene::crl();
        let crl = scene.empty().scope(&[implicit(only, &[0xff])]);
        let scene = scene.with_crl(&crl);
        match told {
            None => scene.assert_good(),
            Some(told) => scene.assert_unknown(told),
        }
    }
    // One of users says nothing about a CA.
    let url = "http://crl.test/root.crl";
    let scene = Scene::with_issuing(&[], |issuing| {
        let (oid, value) = crl_at(&[url]);
        set_extension(issuing, Extension::new(oid, false, &value));
    });
    let of_root =
        |only| TestCrl::new(scene.pki.chain.root(), NOW).scope(&[implicit(only, &[0xff])]);
    let judged = |only| {
        let mut evidence = Evidence::new();
        let der = of_root(only).sign(&scene.pki.root_key);
        evidence.crls.push(CrlEvidence::new(url, NOW, Ok(der)));
        judge(&scene.pki.chain, &evidence, NOW, SigningTime::Unknown).remove(1).status
    };
    assert!(matches!(judged(2), RevocationStatus::Good { .. }));
    let RevocationStatus::Unknown { attempts } = judged(1) else { panic!() };
    assert!(text(&attempts[0]).contains("only certificates of users"), "{attempts:#?}");
    let scene = Scene::crl();
    let crl = scene.empty().extension("2.5.29.28", true, &boolean(true));
    scene.with_crl(&crl).assert_unknown("CRL is not valid DER");
}

#[test]
fn crls_for_some_reasons_have_to_cover_all_of_them_together() {
    // keyCompromise to affiliationChanged, and the others.
    let (some, others) = (implicit(3, &[4, 0x70]), implicit(3, &[7, 0x0f, 0x80]));
    let extensions = [crl_at(&[CRL_URL, OTHER_URL])];
    let scene = Scene::new(&extensions);
    let (first, second) = (scene.empty().scope(&[some]), scene.empty().scope(&[others]));
    let scene = scene.with_crl(&first);
    let told = scene.unknown();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[0], format!("CRL {OTHER_URL}: not in the evidence"));
    assert_eq!(told[1], "CRL without a URL: the CRLs do not cover all reasons for revocation");
    assert!(!scene.status().is_unreachable());
    let revoking = second.clone().revoke(scene.leaf(), Some(5));
    let scene = scene.with_crl_at(OTHER_URL, &second);
    let RevocationStatus::Good { sources, .. } = scene.status() else { panic!() };
    let urls: Vec<_> = sources.iter().map(|source| source.url.as_str()).collect();
    assert_eq!(urls, [CRL_URL, OTHER_URL]);
    let scene = scene.with_crl_at(OTHER_URL, &revoking);
    assert_eq!(scene.assert_revoked(), RevocationReason::CessationOfOperation);
    // The certificate can say so too.
    let point = distribution_point(&[CRL_URL], &[implicit(1, &[4, 0x70])]);
    let scene = Scene::new(&[(CRL_DISTRIBUTION_POINTS, sequence(&[point]))]);
    let crl = scene.empty();
    scene.with_crl(&crl).assert_unknown("do not cover all reasons");
}

#[test]
fn one_crl_of_all_reasons_is_enough_though_several_distribution_points_are_named() {
    let scene = Scene::new(&[crl_at(&[OTHER_URL, CRL_URL])]);
    let crl = scene.empty();
    let scene = scene.with_crl_answer(OTHER_URL, Err(unreachable())).with_crl(&crl);
    scene.assert_good();
    assert_eq!(scene.judge().passed_over.len(), 1);
    // What another one says counts all the same.
    let revoking = scene.empty().revoke(scene.leaf(), Some(1));
    scene.with_crl_at(OTHER_URL, &revoking).assert_revoked();
}

#[test]
fn the_uris_of_one_distribution_point_are_alternatives() {
    let point = distribution_point(&[OTHER_URL, CRL_URL], &[]);
    let extensions = [(CRL_DISTRIBUTION_POINTS, sequence(&[point]))];
    let failure = FetchFailure::new(FetchFailureKind::Status(404), "not found");
    let scene = Scene::new(&extensions);
    let crl = scene.empty();
    let scene = scene.with_crl_answer(OTHER_URL, Err(failure)).with_crl(&crl);
    scene.assert_good();
    let passed_over: Vec<_> = scene.judge().passed_over.iter().map(text).collect();
    assert_eq!(passed_over, [format!("CRL {OTHER_URL}: answered with status 404: not found")]);
    // One that was not needed is not told.
    let scene = Scene::new(&extensions);
    let crl = scene.empty();
    assert_eq!(scene.with_crl(&crl).judge().passed_over, []);
}

#[test]
fn the_newest_crl_counts_but_nothing_takes_a_revocation_back() {
    let older = |scene: &Scene| TestCrl { this_update: NOW - DAY * 2, ..scene.empty() };
    for order in [[0, 1], [1, 0]] {
        let scene = Scene::crl();
        let crls = [older(&scene).revoke(scene.leaf(), Some(6)), scene.empty()];
        let scene = order.iter().fold(scene, |scene, i| scene.with_crl(&crls[*i]));
        scene.assert_good();
        let scene = Scene::crl();
        let crls = [older(&scene), scene.empty().revoke(scene.leaf(), Some(6))];
        let scene = order.iter().fold(scene, |scene, i| scene.with_crl(&crls[*i]));
        scene.assert_revoked();
        let scene = Scene::crl();
        let crls = [older(&scene).revoke(scene.leaf(), Some(1)), scene.empty()];
        let scene = order.iter().fold(scene, |scene, i| scene.with_crl(&crls[*i]));
        assert_eq!(scene.assert_revoked(), RevocationReason::KeyCompromise);
    }
}

#[test]
fn crls_of_a_folder_count_where_none_is_there_under_its_url() {
    let file = "crls/issuing.crl";
    let scene = Scene::crl();
    let crl = scene.empty();
    let scene = scene.with_file(file, &crl);
    let RevocationStatus::Good { sources, .. } = scene.status() else { panic!() };
    assert_eq!(sources[0].url, file);
    let revoking = scene.empty().revoke(scene.leaf(), Some(1));
    scene.with_file("crls/newer.crl", &revoking).assert_revoked();
    // Those of others are not even told.
    let mut scene = Scene::crl();
    let others = TestCrl::new(scene.pki.chain.root(), NOW).sign(&scene.pki.root_key);
    scene.evidence.crls.push(CrlEvidence::of_file("crls/root.crl", NOW, others));
    assert_eq!(scene.unknown(), [format!("CRL {CRL_URL}: not in the evidence")]);
    // One for another distribution point does not count here either.
    let scope = explicit(0, &explicit(0, &uri(OTHER_URL)));
    let scene = Scene::crl();
    let crl = scene.empty().scope(&[scope]);
    let told = scene.with_file(file, &crl).unknown();
    assert!(told[1].ends_with("issuingDistributionPoint names another distribution point"));
}

#[test]
fn a_file_vouches_for_no_certificate_of_which_its_own_url_says_something() {
    let file = "crls/issuing.crl";
    let newer = |scene: &Scene| TestCrl { this_update: NOW - Duration::HOUR, ..scene.empty() };
    // One that is good says what it says; a file counts against the certificate alone.
    let scene = Scene::crl();
    let (crl, held) = (scene.empty(), newer(&scene).revoke(scene.leaf(), Some(6)));
    let scene = scene.with_crl(&crl);
    let older = TestCrl { this_update: NOW - DAY * 2, ..held.clone() };
    let scene = scene.with_file(file, &older);
    scene.assert_good();
    assert_eq!(scene.with_file(file, &held).assert_revoked(), RevocationReason::CertificateHold);
    // One that holds or revokes it.
    for reason in [1, 6] {
        let scene = Scene::crl();
        let (listing, newer) = (scene.empty().revoke(scene.leaf(), Some(reason)), newer(&scene));
        scene.with_crl(&listing).with_file(file, &newer).assert_revoked();
    }
    // One that held it, and has expired since.
    let scene = Scene::crl();
    let expired = TestCrl { next_update: Some(NOW - Duration::SECOND), ..scene.empty() };
    let (held, newer) = (expired.clone().revoke(scene.leaf(), Some(6)), newer(&scene));
    scene.with_crl(&held).with_file(file, &newer).assert_unknown("it expired at ");
    let scene = Scene::crl();
    scene.with_crl(&expired).with_file(file, &newer).assert_good();
    // One that waits for its delta CRL.
    let scene = Scene::crl();
    let freshest = sequence(&[distribution_point(&["http://crl.test/delta.crl"], &[])]);
    let waiting = scene.empty().number(2).extension(FRESHEST_CRL, false, &freshest);
    let older = scene.empty().number(1);
    scene.with_crl(&waiting).with_file(file, &older).unknown();
}

#[test]
fn a_crl_of_another_certificate_s_url_stands_in_for_nothing() {
    let scene = Scene::crl();
    let crl = scene.empty();
    let scene = scene.with_crl_at(OTHER_URL, &crl);
    assert_eq!(scene.unknown(), [format!("CRL {CRL_URL}: not in the evidence")]);
}

#[test]
fn a_reason_of_an_unknown_number_revokes_all_the_same() {
    let revoked_for = |code: Vec<u8>| {
        let scene = Scene::new(&[crl_at(&[CRL_URL, OTHER_URL])]);
        let entry = [extension("2.5.29.21", false, &code)];
        let (listing, other) = (scene.empty().list(scene.leaf(), &entry), scene.empty());
        let other = TestCrl { this_update: NOW - Duration::HOUR, ..other };
        scene.with_crl(&listing).with_crl_at(OTHER_URL, &other)
    };
    for code in [tlv(10, &[7]), tlv(10, &[11]), tlv(10, &[0, 200])] {
        assert_eq!(revoked_for(code).assert_revoked(), RevocationReason::Unspecified);
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_overruled_by_no_other_crl_but_one_that_revokes() {
    let broken = extension("2.5.29.21", false, &integer(1));
    for urls in [[CRL_URL, OTHER_URL], [OTHER_URL, CRL_URL]] {
        let scene = Scene::new(&[crl_at(&urls)]);
        let (unreadable, other) =
            (scene.empty().list(scene.leaf(), std::slice::from_ref(&broken)), scene.empty());
        let other = TestCrl { this_update: NOW - Duration::HOUR, ..other };
        let scene = scene.with_crl(&unreadable).with_crl(&other).with_file("a.crl", &other);
        let scene = scene.with_crl_at(OTHER_URL, &other);
        scene.assert_unknown("entry of the certificate is not valid DER");
        let revoking = scene.empty().revoke(scene.leaf(), Some(1));
        scene.with_crl(&revoking).assert_revoked();
    }
}

#[test]
fn a_file_that_revokes_for_good_counts_whatever_a_responder_says() {
    let file = "crls/issuing.crl";
    let judged = |crl: fn(&Scene, TestCrl) -> TestCrl| {
        let scene = Scene::both();
        let (good, crl) = (scene.good(), crl(&scene, scene.empty()));
        scene.with_answer(&good).with_file(file, &crl)
    };
    let scene = judged(|scene, crl| crl.revoke(scene.leaf(), Some(1)));
    assert_eq!(scene.assert_revoked(), RevocationReason::KeyCompromise);
    let RevocationStatus::Revoked { source, .. } = scene.status() else { panic!() };
    assert_eq!((source.method, source.url.as_str()), (Method::Crl, file));
    // Expired, of another distribution point, or a delta CRL to nothing.
    judged(|scene, crl| TestCrl {
        next_update: Some(NOW - Duration::SECOND),
        ..crl.revoke(scene.leaf(), Some(1))
    })
    .assert_revoked();
    judged(|scene, crl| {
        let point = explicit(0, &explicit(0, &uri(OTHER_URL)));
        crl.scope(&[point]).revoke(scene.leaf(), Some(1))
    })
    .assert_revoked();
    judged(|scene, crl| crl.number(12).delta_to(9).revoke(scene.leaf(), Some(1))).assert_revoked();
    judged(|scene, crl| crl.list(scene.leaf(), &[extension("2.5.29.21", false, &integer(1))]))
        .assert_unknown("entry of the certificate is not valid DER");
    // A hold may have ended, which the responder knows; of attribute certificates, it is not.
    judged(|scene, crl| crl.revoke(scene.leaf(), Some(6))).assert_good();
    judged(|scene, crl| crl.scope(&[implicit(5, &[0xff])]).revoke(scene.leaf(), Some(1)))
        .assert_good();
    // One that is not the issuer's says nothing, nor does one at a URL.
    let scene = Scene::both();
    let (good, crl) = (scene.good(), scene.empty().revoke(scene.leaf(), Some(1)));
    let mut scene = scene.with_answer(&good).with_crl(&crl);
    let forged = crl.sign(&scene.pki.root_key);
    scene.evidence.crls.push(CrlEvidence::of_file(file, NOW, forged));
    scene.assert_good();
}

#[test]
fn a_file_revokes_a_certificate_that_names_nobody() {
    let scene = Scene::new(&[]);
    let crl = scene.empty().revoke(scene.leaf(), Some(1));
    scene.with_file("crls/issuing.crl", &crl).assert_revoked();
}

#[test]
fn a_hold_in_a_newer_file_is_not_taken_back_by_what_is_older() {
    let file = "crls/issuing.crl";
    let freshest = sequence(&[distribution_point(&["http://crl.test/delta.crl"], &[])]);
    let held = |scene: &Scene| scene.empty().number(8).revoke(scene.leaf(), Some(6));
    let expired = |crl| TestCrl { next_update: Some(NOW - Duration::SECOND), ..crl };
    let waiting = |crl: TestCrl| crl.extension(FRESHEST_CRL, false, &freshest);
    let changes: [(&dyn Fn(TestCrl) -> TestCrl, &str); 2] =
        [(&expired, "it expired at "), (&waiting, "not in the evidence")];
    for (change, why) in changes {
        let scene = Scene::crl();
        let (held, older) = (change(held(&scene)), scene.empty());
        let older = TestCrl { this_update: held.this_update - DAY, ..older };
        let scene = scene.with_crl(&older).with_file(file, &held);
        let told = scene.unknown();
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(told[0].contains(why), "{told:#?}");
        let hold =
            "it lists the certificate as on hold, and nobody can tell whether that has ended";
        assert_eq!(told[1], format!("CRL {file}: {hold}"));
        // What is newer knows that it has ended.
        let newer = TestCrl { this_update: held.this_update + Duration::HOUR, ..older };
        scene.with_crl(&newer).assert_good();
    }
}
