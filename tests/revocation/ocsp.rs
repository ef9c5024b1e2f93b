//! What an OCSP response has to be before it counts, and what counts of it.

use aws_lc_rs::digest;
use notation_sdk::{
    Certificate,
    algorithm::KeySpec,
    keys::file::FileKey,
    pki::{CertificateTemplate, Extension, Issuer},
    revocation::{OcspResponse, RevocationReason, RevocationStatus, SigningTime},
    testing::{name, ready, set_extension, validity},
};
use time::Duration;

use super::{DAY, NOW, OCSP_URL, Scene, crl_at, ocsp_at, unreachable};
use crate::support::{
    der::{enumerated, explicit, generalized_time, implicit, octets, oid, sequence, tlv},
    revocation::{TestAnswer, TestOcsp, by_key, by_name},
};

const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";
const NO_CHECK: &str = "1.3.6.1.5.5.7.48.1.5";
const RESPONDER_CRL_URL: &str = "http://crl.test/responders.crl";

/// A responder's certificate with its key.
struct Responder {
    key: FileKey,
    certificate: Certificate,
}

impl Responder {
    /// One to whom the leaf's issuer has delegated, and about whom nobody is to ask.
    fn new(scene: &Scene) -> Self {
        Self::with(scene, |template| {
            set_extension(template, Extension::new(NO_CHECK, false, &[5, 0]));
        })
    }

    fn with(scene: &Scene, change: impl FnOnce(&mut CertificateTemplate)) -> Self {
        Self::issued_by(Issuer::Ca(scene.issuing(), &scene.pki.issuing_key), change)
    }

    fn issued_by(issuer: Issuer<'_>, change: impl FnOnce(&mut CertificateTemplate)) -> Self {
        let (_, key) = FileKey::generate(KeySpec::Ec256).unwrap();
        let mut template = CertificateTemplate::code_signing(name("responder"), validity(NOW));
        let purpose = sequence(&[oid(OCSP_SIGNING)]);
        set_extension(&mut template, Extension::new(EXTENDED_KEY_USAGE, false, &purpose));
        change(&mut template);
        let certificate = ready(template.issue(&key, issuer)).unwrap();
        Self { key, certificate }
    }

    fn respond(&self, answer: &TestAnswer) -> Vec<u8> {
        self.response().answer(answer).sign(&self.key)
    }

    fn response(&self) -> TestOcsp {
        TestOcsp::new(&self.certificate, NOW).with(&self.certificate)
    }
}

/// A certificate of another name for the key of the leaf's issuer.
fn renamed(scene: &Scene) -> Certificate {
    let template = CertificateTemplate::ca(name("renamed"), validity(NOW), 0);
    ready(template.issue(&scene.pki.issuing_key, Issuer::Itself)).unwrap()
}

/// A scene with one response.
fn with(make: impl FnOnce(&Scene) -> Vec<u8>) -> Scene {
    let scene = Scene::ocsp();
    let response = make(&scene);
    scene.with_response(Ok(response))
}

/// A scene with one answer, which the issuer signs itself.
fn with_answer(make: impl FnOnce(&Scene) -> TestAnswer) -> Scene {
    let scene = Scene::ocsp();
    let answer = make(&scene);
    scene.with_answer(&answer)
}

#[test]
fn an_answer_that_the_issuer_signs_counts_by_its_name_and_by_its_key() {
    with_answer(Scene::good).assert_good();
    let by = |make: fn(&Certificate) -> Vec<u8>| {
        with(|scene| {
            let responder = make(scene.issuing());
            let response = scene.response(&scene.good());
            TestOcsp { responder, ..response }.sign(&scene.pki.issuing_key)
        })
    };
    by(by_name).assert_good();
    by(by_key).assert_good();
    by(|_| explicit(2, &octets(&[0; 20]))).assert_unknown(
        "responder 0000000000000000000000000000000000000000 is neither the issuer nor",
    );
}

#[test]
fn a_certificate_that_is_revoked_is_so_for_the_reason_that_is_given() {
    for (code, reason) in [
        (None, RevocationReason::Unspecified),
        (Some(1), RevocationReason::KeyCompromise),
        (Some(6), RevocationReason::CertificateHold),
    ] {
        let scene = with_answer(|scene| scene.good().revoked(code));
        assert_eq!(scene.assert_revoked(), reason);
        let RevocationStatus::Revoked { source, at, .. } = scene.status() else { panic!() };
        assert_eq!((source.url.as_str(), at), (OCSP_URL, NOW - DAY * 2));
    }
    for code in [7, 11, 0x7f] {
        let scene = with_answer(|scene| scene.good().revoked(Some(code)));
        assert_eq!(scene.assert_revoked(), RevocationReason::Unspecified);
    }
}

#[test]
fn a_revocation_that_cannot_be_read_is_overruled_by_no_crl() {
    let scene = Scene::both();
    let answer = TestAnswer { status: explicit(1, &[]), ..scene.good() };
    let empty = scene.empty();
    let scene = scene.with_answer(&answer).with_crl(&empty);
    scene
        .assert_unknown("responder says that the certificate is revoked, and how is not valid DER");
}

#[test]
fn a_certificate_that_the_responder_does_not_know_is_unknown() {
    let scene = with_answer(|scene| scene.good().unknown());
    scene.assert_unknown("responder does not know the certificate");
}

#[test]
fn a_delegated_responder_counts_by_its_name_and_by_its_key() {
    with(|scene| Responder::new(scene).respond(&scene.good())).assert_good();
    with(|scene| {
        let responder = Responder::new(scene);
        let by = by_key(&responder.certificate);
        let response = responder.response().answer(&scene.good());
        TestOcsp { responder: by, ..response }.sign(&responder.key)
    })
    .assert_good();
    with(|scene| Responder::new(scene).respond(&scene.good().revoked(Some(1)))).assert_revoked();
}

#[test]
fn a_delegated_responder_may_have_the_name_of_its_issuer() {
    let scene = with(|scene| {
        let responder = Responder::with(scene, |template| {
            template.subject = scene.issuing().subject().clone();
            set_extension(template, Extension::new(NO_CHECK, false, &[5, 0]));
        });
        responder.respond(&scene.good())
    });
    scene.assert_good();
}

#[test]
fn a_responder_that_the_issuer_has_not_delegated_to_does_not_count() {
    let told =
        "certificate of the responder CN=responder,O=Test,ST=WA,C=US is not issued by CN=issuing,";
    let no_check = |template: &mut CertificateTemplate| {
        set_extension(template, Extension::new(NO_CHECK, false, &[5, 0]));
    };
    // By the root, by itself, and by somebody of the issuer's name.
    let issuers: [fn(&Scene) -> Issuer<'_>; 2] =
        [|scene| Issuer::Ca(scene.pki.chain.root(), &scene.pki.root_key), |_| Issuer::Itself];
    for issuer in issuers {
        with(|scene| Responder::issued_by(issuer(scene), no_check).respond(&scene.good()))
            .assert_unknown(told);
    }
    let impostor = Scene::ocsp();
    with(|scene| {
        let issuer = Issuer::Ca(impostor.issuing(), &impostor.pki.issuing_key);
        Responder::issued_by(issuer, no_check).respond(&scene.good())
    })
    .assert_unknown(told);
    // By the issuer's key, under another name.
    with(|scene| {
        let renamed = renamed(scene);
        let issuer = Issuer::Ca(&renamed, &scene.pki.issuing_key);
        Responder::issued_by(issuer, no_check).respond(&scene.good())
    })
    .assert_unknown(told);
    // The certificate is missing.
    with(|scene| {
        let responder = Responder::new(scene);
        let mut response = responder.response().answer(&scene.good());
        response.certificates.clear();
        response.sign(&responder.key)
    })
    .assert_unknown("responder CN=responder,O=Test,ST=WA,C=US is neither the issuer nor among");
}

#[test]
fn a_responder_s_certificate_has_to_be_for_signing_responses() {
    let told = "is not for signing OCSP responses: id-kp-OCSPSigning is missing";
    let purpose = |oids: &'static [&'static str]| {
        with(|scene| {
            let responder = Responder::with(scene, |template| {
                let value = sequence(&oids.iter().map(|one| oid(one)).collect::<Vec<_>>());
                set_extension(template, Extension::new(EXTENDED_KEY_USAGE, false, &value));
                set_extension(template, Extension::new(NO_CHECK, false, &[5, 0]));
            });
            responder.respond(&scene.good())
        })
    };
    purpose(&["1.3.6.1.5.5.7.3.3"]).assert_unknown(told);
    // Any purpose is not this one: a code-signing key of that kind is no responder.
    purpose(&["2.5.29.37.0"]).assert_unknown(told);
    purpose(&["1.3.6.1.5.5.7.3.3", OCSP_SIGNING]).assert_good();
    // No other certificate of the issuer will do, the leaf itself the least.
    with(|scene| {
        let response = TestOcsp::new(scene.leaf(), NOW).with(scene.leaf()).answer(&scene.good());
        response.sign(&scene.pki.leaf_key)
    })
    .assert_unknown(told);
    with(|scene| {
        let responder = Responder::with(scene, |template| {
            set_extension(template, Extension::new("2.5.29.15", true, &[3, 2, 5, 0x20]));
        });
        responder.respond(&scene.good())
    })
    .assert_unknown("digitalSignature is missing");
}

#[test]
fn a_responder_s_certificate_has_to_be_valid() {
    let valid = |from, to| {
        with(|scene| {
            let responder = Responder::with(scene, |template| {
                (template.not_before, template.not_after) = (from, to);
                set_extension(template, Extension::new(NO_CHECK, false, &[5, 0]));
            });
            responder.respond(&scene.good())
        })
    };
    let second = Duration::seconds(1);
    valid(NOW, NOW + second).assert_good();
    valid(NOW - second, NOW).assert_good();
    let told = "is valid from 2026-11-22T12:00:00Z to 2026-11-23T11:59:59Z, and it is 2026-11-23T12:00:00Z";
    valid(NOW - DAY, NOW - second).assert_unknown(told);
    valid(NOW + second, NOW + DAY).assert_unknown("is valid from 2026-11-23T12:00:01Z");
}

#[test]
fn a_responder_without_nocheck_is_looked_for_in_a_crl() {
    let scene = || {
        let scene = Scene::ocsp();
        let responder = Responder::with(&scene, |template| {
            let (oid, value) = crl_at(&[RESPONDER_CRL_URL]);
            set_extension(template, Extension::new(oid, false, &value));
        });
        let response = responder.respond(&scene.good());
        (scene.with_response(Ok(response)), responder.certificate)
    };
    let told = "has no id-pkix-ocsp-nocheck, and no CRL says that it is good";
    let (unreached, _) = scene();
    assert!(unreached.unknown()[0].contains(told), "{:#?}", unreached.unknown());
    assert!(unreached.status().is_unreachable());
    let unreached = unreached.with_crl_answer(RESPONDER_CRL_URL, Err(unreachable()));
    assert!(unreached.status().is_unreachable());
    let (broken, _) = scene();
    broken.with_crl_answer(RESPONDER_CRL_URL, Ok(Vec::new())).assert_unknown(told);

    let (scene, responder) = scene();
    let (crl, revoking) = (scene.empty(), scene.empty().revoke(&responder, Some(1)));
    let scene = scene.with_crl_at(RESPONDER_CRL_URL, &crl);
    scene.assert_good();
    scene
        .with_crl_at(RESPONDER_CRL_URL, &revoking)
        .assert_unknown("certificate of the responder CN=responder,O=Test,ST=WA,C=US is revoked");
    // One that names no CRL can be looked for nowhere.
    with(|scene| Responder::with(scene, |_| {}).respond(&scene.good())).assert_unknown(told);
}

#[test]
fn a_time_that_excuses_the_signature_does_not_excuse_the_responder() {
    let mut scene = Scene::ocsp();
    let responder = Responder::with(&scene, |template| {
        let (oid, value) = crl_at(&[RESPONDER_CRL_URL]);
        set_extension(template, Extension::new(oid, false, &value));
    });
    let response = responder.respond(&scene.good());
    let crl = scene.empty().revoke_since(&responder.certificate, 1, NOW - DAY);
    scene.signing_time = SigningTime::Authentic(NOW - DAY * 2);
    let scene = scene.with_response(Ok(response)).with_crl_at(RESPONDER_CRL_URL, &crl);
    scene.assert_unknown("is revoked");
}

#[test]
fn the_fetcher_sees_which_responder_to_ask_about() {
    let scene = Scene::ocsp();
    let responder = Responder::with(&scene, |template| {
        let (oid, value) = crl_at(&[RESPONDER_CRL_URL]);
        set_extension(template, Extension::new(oid, false, &value));
    });
    let response = responder.respond(&scene.good());
    let response = OcspResponse::parse(&response).unwrap();
    let certificates = response.certificates();
    assert_eq!(certificates, [responder.certificate]);
    assert!(!certificates[0].has_ocsp_no_check());
    assert!(Responder::new(&scene).certificate.has_ocsp_no_check());
    assert_eq!(response.next_update(), Some(NOW + DAY));
}

#[test]
fn a_response_that_another_key_signs_does_not_count() {
    let told = "signature does not verify with the key of its signer";
    with(|scene| scene.response(&scene.good()).sign(&scene.pki.leaf_key)).assert_unknown(told);
    with(|scene| Responder::new(scene).response().answer(&scene.good()).sign(&scene.pki.leaf_key))
        .assert_unknown(told);
}

#[test]
fn an_answer_is_about_the_certificate_by_sha_1_or_sha_2() {
    let hashes: [(&str, &digest::Algorithm); 3] = [
        ("2.16.840.1.101.3.4.2.1", &digest::SHA256),
        ("2.16.840.1.101.3.4.2.2", &digest::SHA384),
        ("2.16.840.1.101.3.4.2.3", &digest::SHA512),
    ];
    for hash in hashes {
        with_answer(|scene| scene.good().identified(scene.leaf(), scene.issuing(), hash))
            .assert_good();
    }
    let told = "OCSP response is not about this certificate";
    with_answer(|scene| {
        scene.good().identified(scene.leaf(), scene.issuing(), ("1.2.3.4", &digest::SHA256))
    })
    .assert_unknown(told);
    // Another serial number, another issuer, another key of the issuer's name.
    with_answer(|scene| TestAnswer::good(scene.issuing(), scene.issuing(), NOW))
        .assert_unknown(told);
    with_answer(|scene| TestAnswer::good(scene.leaf(), scene.pki.chain.root(), NOW))
        .assert_unknown(told);
    let impostor = Scene::ocsp();
    with_answer(|scene| TestAnswer::good(scene.leaf(), impostor.issuing(), NOW))
        .assert_unknown(told);
    with_answer(|scene| TestAnswer::good(scene.leaf(), &renamed(scene), NOW)).assert_unknown(told);
    with(|scene| TestOcsp::new(scene.issuing(), NOW).sign(&scene.pki.issuing_key))
        .assert_unknown(told);
}

#[test]
fn the_answer_is_found_among_others_and_the_worst_counts() {
    with(|scene| {
        let other = TestAnswer::good(scene.issuing(), scene.issuing(), NOW).revoked(Some(1));
        scene.response(&other).answer(&scene.good()).sign(&scene.pki.issuing_key)
    })
    .assert_good();
    with(|scene| {
        let revoked = scene.good().revoked(Some(1));
        scene.response(&revoked).answer(&scene.good()).sign(&scene.pki.issuing_key)
    })
    .assert_revoked();
    with(|scene| {
        let unknown = scene.good().unknown();
        scene.response(&scene.good()).answer(&unknown).sign(&scene.pki.issuing_key)
    })
    .assert_unknown("does not know");
}

#[test]
fn an_answer_without_an_end_or_past_it_does_not_count_whatever_it_says() {
    let second = Duration::seconds(1);
    for (next_update, told) in [
        (None, "it has no nextUpdate, and nobody can tell how long it holds"),
        (Some(NOW - second), "it expired at 2026-11-23T11:59:59Z, and it is 2026-11-23T12:00:00Z"),
    ] {
        with_answer(|scene| TestAnswer { next_update, ..scene.good() }).assert_unknown(told);
        with_answer(|scene| TestAnswer { next_update, ..scene.good().revoked(Some(1)) })
            .assert_unknown(told);
    }
    with_answer(|scene| TestAnswer { next_update: Some(NOW), ..scene.good() }).assert_good();
}

#[test]
fn an_answer_may_be_from_the_future_as_far_as_clocks_differ() {
    let ahead = |seconds| {
        with_answer(|scene| TestAnswer {
            this_update: NOW + Duration::seconds(seconds),
            ..scene.good()
        })
    };
    ahead(300).assert_good();
    ahead(301).assert_unknown("it is of 2026-11-23T12:05:01Z, and it is 2026-11-23T12:00:00Z");
}

#[test]
fn a_nonce_that_was_sent_has_to_come_back() {
    let sent = |nonce: Option<&[u8]>, back: Option<&[u8]>| {
        let mut scene = with(|scene| {
            let response = scene.response(&scene.good());
            let response = back.into_iter().fold(response, TestOcsp::nonce);
            response.sign(&scene.pki.issuing_key)
        });
        scene.evidence.ocsp[0].nonce = nonce.map(<[u8]>::to_vec);
        scene
    };
    sent(Some(b"0123456789"), Some(b"0123456789")).assert_good();
    sent(None, Some(b"0123456789")).assert_good();
    sent(None, None).assert_good();
    let told = "OCSP response has another nonce than was sent";
    sent(Some(b"0123456789"), Some(b"012345678")).assert_unknown(told);
    sent(Some(b"0123456789"), Some(b"")).assert_unknown(told);
    sent(Some(b"0123456789"), None).assert_unknown("OCSP response has no nonce, and one was sent");
}

#[test]
fn a_responder_that_does_not_answer_says_so_and_two_of_its_words_mean_later() {
    let cases = [
        (1, "malformedRequest", false),
        (2, "internalError", true),
        (3, "tryLater", true),
        (4, "status 4", false),
        (5, "sigRequired", false),
        (6, "unauthorized", false),
    ];
    for (code, name, is_temporary) in cases {
        let scene = with(|_| sequence(&[enumerated(code)]));
        let told = format!("OCSP {OCSP_URL}: responder answers {name}");
        assert_eq!(scene.unknown(), [told.as_str()]);
        assert_eq!(scene.status().is_unreachable(), is_temporary, "{name}");
    }
    // Success without an answer.
    with(|_| sequence(&[enumerated(0)])).assert_unknown("OCSP response is not valid DER");
    let other = sequence(&[oid("1.2.3.4"), octets(&[])]);
    with(|_| sequence(&[enumerated(0), explicit(0, &other)]))
        .assert_unknown("OCSP response is of type 1.2.3.4, which is not supported");
}

#[test]
fn critical_extensions_that_are_not_known_make_a_response_unusable() {
    let told = "critical extension 1.2.3.4 of the OCSP response is not supported";
    with_answer(|scene| scene.good().extension("1.2.3.4", true, &[5, 0])).assert_unknown(told);
    with_answer(|scene| scene.good().extension("1.2.3.4", false, &[5, 0])).assert_good();
    with(|scene| {
        let mut response = scene.response(&scene.good());
        response.extensions.push(crate::support::der::extension("1.2.3.4", true, &[5, 0]));
        response.sign(&scene.pki.issuing_key)
    })
    .assert_unknown(told);
    // One of another answer concerns nobody here.
    with(|scene| {
        let other = TestAnswer::good(scene.issuing(), scene.issuing(), NOW);
        let other = other.extension("1.2.3.4", true, &[5, 0]);
        scene.response(&scene.good()).answer(&other).sign(&scene.pki.issuing_key)
    })
    .assert_good();
}

#[test]
fn an_invalidity_date_is_compared_with_an_authentic_signing_time_alone() {
    let since = NOW - DAY;
    let before = since - Duration::seconds(1);
    let cases = [
        (SigningTime::Unknown, false),
        (SigningTime::Authentic(before), true),
        (SigningTime::Authentic(since), false),
        (SigningTime::Timestamped { latest: before }, false),
    ];
    for (signing_time, passes) in cases {
        let mut scene = with_answer(|scene| {
            let revoked = scene.good().revoked(Some(1));
            revoked.extension("2.5.29.24", false, &generalized_time(since))
        });
        scene.signing_time = signing_time;
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

#[test]
fn the_next_responder_is_heard_where_the_first_has_no_answer() {
    let other = "http://ocsp2.test/";
    let scene = Scene::new(&[ocsp_at(&[other, OCSP_URL])]);
    let good = scene.good();
    let scene = scene.with_response_at(other, Err(unreachable())).with_answer(&good);
    scene.assert_good();
    assert_eq!(scene.judge().passed_over.len(), 1);
    let revoked = scene.response(&scene.good().revoked(Some(1))).sign(&scene.pki.issuing_key);
    scene.with_response_at(other, Ok(revoked)).assert_revoked();
}

#[test]
fn the_newest_answer_counts_but_nothing_takes_a_revocation_back() {
    let older = |answer: TestAnswer| TestAnswer { this_update: NOW - DAY * 2, ..answer };
    let scene = Scene::ocsp();
    let (held, good) = (older(scene.good().revoked(Some(6))), scene.good());
    scene.with_answer(&held).with_answer(&good).assert_good();
    let scene = Scene::ocsp();
    let (good, held) = (older(scene.good()), scene.good().revoked(Some(6)));
    scene.with_answer(&held).with_answer(&good).assert_revoked();
    let scene = Scene::ocsp();
    let (revoked, good) = (older(scene.good().revoked(Some(1))), scene.good());
    scene.with_answer(&revoked).with_answer(&good).assert_revoked();
}

#[test]
fn an_answer_that_was_asked_for_another_certificate_is_not_looked_at() {
    let mut scene = with_answer(Scene::good);
    scene.evidence.ocsp[0].certificate = scene.issuing().fingerprint();
    assert_eq!(scene.unknown(), [format!("OCSP {OCSP_URL}: not in the evidence")]);
}

#[test]
fn a_response_of_another_version_or_form_is_not_read() {
    let told = "OCSP response is not valid DER";
    let answer = |change: fn(&mut TestAnswer)| {
        with_answer(|scene| {
            let mut answer = scene.good();
            change(&mut answer);
            answer
        })
    };
    answer(|answer| answer.status = implicit(0, &[0])).assert_unknown(told);
    answer(|answer| answer.status = implicit(3, &[])).assert_unknown(told);
    // Within what a clock may be ahead.
    answer(|answer| {
        answer.this_update = NOW + Duration::minutes(4);
        answer.next_update = Some(NOW + Duration::minutes(2));
    })
    .assert_unknown(told);
    answer(|answer| answer.id = sequence(&[])).assert_unknown(told);
    with(|scene| {
        let mut response = scene.response(&scene.good());
        // version [0] 1
        response.responder = [explicit(0, &[2, 1, 1]), response.responder].concat();
        response.sign(&scene.pki.issuing_key)
    })
    .assert_unknown(told);
    with(|scene| {
        let mut response = scene.response(&scene.good());
        response.responder = [explicit(0, &[2, 1, 0]), response.responder].concat();
        response.sign(&scene.pki.issuing_key)
    })
    .assert_good();
    with(|_| vec![0x30; 64 * 1024 + 1])
        .assert_unknown("OCSP response of 65537 bytes is over the limit of 65536 bytes");
    with(|_| tlv(0x30, &[])).assert_unknown(told);
}
