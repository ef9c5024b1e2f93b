//! Revocation as a pure function: each rule put into evidence that is good but for it.

mod crl;
mod delta;
mod hostile;
mod interop;
mod ocsp;
mod openbao;
mod openssl;
mod pointers;

use notation_sdk::{
    Certificate,
    algorithm::KeySpec,
    pki::{CertificateTemplate, Extension},
    revocation::{
        Attempt, CertificateRevocation, CrlEvidence, Evidence, FetchFailure, FetchFailureKind,
        Method, NotApplicable, OcspEvidence, RevocationReason, RevocationStatus, SigningTime,
        judge,
    },
    testing::{TestPki, name, set_extension, validity},
};
use time::{Duration, UtcDateTime, macros::utc_datetime};

use crate::support::{
    der::{distribution_point, responders, sequence},
    revocation::{TestAnswer, TestCrl, TestOcsp},
};

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
const DAY: Duration = Duration::days(1);
const CRL_URL: &str = "http://crl.test/issuing.crl";
const OCSP_URL: &str = "http://ocsp.test/";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
const FRESHEST_CRL: &str = "2.5.29.46";
const AUTHORITY_INFORMATION: &str = "1.3.6.1.5.5.7.1.1";

/// A chain, and what is known of its revocation.
struct Scene {
    pki: TestPki,
    evidence: Evidence,
    at: UtcDateTime,
    signing_time: SigningTime,
}

impl Scene {
    /// A leaf with these extensions, each an object identifier and a value.
    fn new(extensions: &[(&str, Vec<u8>)]) -> Self {
        Self::with_issuing(extensions, |_| {})
    }

    fn with_issuing(
        extensions: &[(&str, Vec<u8>)],
        change_issuing: impl FnOnce(&mut CertificateTemplate),
    ) -> Self {
        let mut leaf = CertificateTemplate::code_signing(name("leaf"), validity(NOW));
        for (oid, value) in extensions {
            set_extension(&mut leaf, Extension::new(oid, false, value));
        }
        let pki = TestPki::with_templates(KeySpec::Ec256, NOW, change_issuing, leaf).unwrap();
        Self { pki, evidence: Evidence::new(), at: NOW, signing_time: SigningTime::Unknown }
    }

    /// A leaf that names one CRL.
    fn crl() -> Self {
        Self::new(&[crl_at(&[CRL_URL])])
    }

    /// A leaf that names one OCSP responder.
    fn ocsp() -> Self {
        Self::new(&[ocsp_at(&[OCSP_URL])])
    }

    /// A leaf that names both.
    fn both() -> Self {
        Self::new(&[ocsp_at(&[OCSP_URL]), crl_at(&[CRL_URL])])
    }

    fn leaf(&self) -> &Certificate {
        self.pki.chain.leaf()
    }

    fn issuing(&self) -> &Certificate {
        &self.pki.chain.certificates()[1]
    }

    /// An empty CRL of the leaf's issuer.
    fn empty(&self) -> TestCrl {
        TestCrl::new(self.issuing(), NOW)
    }

    /// A good answer about the leaf.
    fn good(&self) -> TestAnswer {
        TestAnswer::good(self.leaf(), self.issuing(), NOW)
    }

    /// A response of the leaf's issuer itself.
    fn response(&self, answer: &TestAnswer) -> TestOcsp {
        TestOcsp::new(self.issuing(), NOW).answer(answer)
    }

    /// Adds a CRL that the leaf's issuer signs.
    fn with_crl(self, crl: &TestCrl) -> Self {
        self.with_crl_at(CRL_URL, crl)
    }

    fn with_crl_at(self, url: &str, crl: &TestCrl) -> Self {
        let der = crl.sign(&self.pki.issuing_key);
        self.with_crl_answer(url, Ok(der))
    }

    /// Adds one in a file.
    fn with_file(mut self, path: &str, crl: &TestCrl) -> Self {
        let der = crl.sign(&self.pki.issuing_key);
        self.evidence.crls.push(CrlEvidence::of_file(path, NOW, der));
        self
    }

    fn with_crl_answer(mut self, url: &str, answer: Result<Vec<u8>, FetchFailure>) -> Self {
        self.evidence.crls.push(CrlEvidence::new(url, NOW, answer));
        self
    }

    /// Adds an answer about the leaf that its issuer signs itself.
    fn with_answer(self, answer: &TestAnswer) -> Self {
        let der = self.response(answer).sign(&self.pki.issuing_key);
        self.with_response(Ok(der))
    }

    fn with_response(self, answer: Result<Vec<u8>, FetchFailure>) -> Self {
        self.with_response_at(OCSP_URL, answer)
    }

    fn with_response_at(mut self, url: &str, answer: Result<Vec<u8>, FetchFailure>) -> Self {
        let fingerprint = self.leaf().fingerprint();
        self.evidence.ocsp.push(OcspEvidence::new(url, NOW, fingerprint, answer));
        self
    }

    fn judge(&self) -> CertificateRevocation {
        let judged = judge(&self.pki.chain, &self.evidence, self.at, self.signing_time);
        judged.into_iter().next().unwrap()
    }

    fn status(&self) -> RevocationStatus {
        self.judge().status
    }

    #[track_caller]
    fn assert_good(&self) {
        let status = self.status();
        assert!(matches!(status, RevocationStatus::Good { .. }), "{status:#?}");
        assert!(status.is_accepted() && !status.is_unreachable());
    }

    #[track_caller]
    fn assert_revoked(&self) -> RevocationReason {
        let status = self.status();
        assert!(!status.is_accepted() && !status.is_unreachable());
        match status {
            RevocationStatus::Revoked { reason, .. } => reason,
            other => panic!("{other:#?}"),
        }
    }

    /// Everything that was tried, where nobody can tell.
    #[track_caller]
    fn unknown(&self) -> Vec<String> {
        let status = self.status();
        assert!(!status.is_accepted());
        match status {
            RevocationStatus::Unknown { attempts } => attempts.iter().map(text).collect(),
            other => panic!("{other:#?}"),
        }
    }

    /// The same, where one thing was tried.
    #[track_caller]
    fn assert_unknown(&self, why: &str) {
        let attempts = self.unknown();
        assert_eq!(attempts.len(), 1, "{attempts:#?}");
        assert!(attempts[0].contains(why), "{:?} does not say {why:?}", attempts[0]);
        assert!(!self.status().is_unreachable());
    }
}

fn crl_at(urls: &[&str]) -> (&'static str, Vec<u8>) {
    let points: Vec<_> = urls.iter().map(|url| distribution_point(&[url], &[])).collect();
    (CRL_DISTRIBUTION_POINTS, sequence(&points))
}

fn ocsp_at(urls: &[&str]) -> (&'static str, Vec<u8>) {
    (AUTHORITY_INFORMATION, responders(urls))
}

/// An attempt and its causes, as the command line will show them.
fn text(attempt: &Attempt) -> String {
    let mut text = attempt.to_string();
    let mut error: &dyn std::error::Error = attempt;
    while let Some(cause) = error.source() {
        text = format!("{text}: {cause}");
        error = cause;
    }
    text
}

fn unreachable() -> FetchFailure {
    FetchFailure::new(FetchFailureKind::Unreachable, "connection refused")
}

#[test]
fn a_certificate_that_names_no_source_is_asked_about_nowhere_and_neither_is_the_root() {
    let scene = Scene::new(&[]);
    let judged = judge(&scene.pki.chain, &Evidence::new(), NOW, SigningTime::Unknown);
    let why: Vec<_> = judged.iter().map(|one| one.status.clone()).collect();
    let not = |why| RevocationStatus::NotApplicable { why };
    let unnamed = not(NotApplicable::NamesNoSource);
    assert_eq!(why, [unnamed.clone(), unnamed, not(NotApplicable::Root)]);
    let subjects: Vec<_> = judged.iter().map(|one| one.subject.to_string()).collect();
    assert!(subjects[0].starts_with("CN=leaf,") && subjects[2].starts_with("CN=root,"));
    assert_eq!(judged[0].fingerprint, scene.leaf().fingerprint());
    assert!(judged.iter().all(|one| one.status.is_accepted()));
}

#[test]
fn every_certificate_but_the_root_is_judged_by_its_own_issuer() {
    let url = "http://crl.test/root.crl";
    let scene = Scene::with_issuing(&[crl_at(&[CRL_URL])], |issuing| {
        let (oid, value) = crl_at(&[url]);
        set_extension(issuing, Extension::new(oid, false, &value));
    });
    let of_root = TestCrl::new(scene.pki.chain.root(), NOW).revoke(scene.issuing(), Some(2));
    let of_root = of_root.sign(&scene.pki.root_key);
    let empty = scene.empty();
    let scene = scene.with_crl(&empty).with_crl_answer(url, Ok(of_root));
    let judged = judge(&scene.pki.chain, &scene.evidence, NOW, SigningTime::Unknown);
    assert!(matches!(judged[0].status, RevocationStatus::Good { .. }), "{judged:#?}");
    let RevocationStatus::Revoked { reason, .. } = judged[1].status else { panic!("{judged:#?}") };
    assert_eq!(reason, RevocationReason::CaCompromise);
}

#[test]
fn a_signature_that_one_key_has_made_is_no_other_keys() {
    for mut scene in [Scene::crl(), Scene::ocsp()] {
        scene = if scene.leaf().ocsp_urls().unwrap().is_empty() {
            let empty = scene.empty();
            scene.with_crl(&empty)
        } else {
            let good = scene.good();
            scene.with_answer(&good)
        };
        // The issuer has the same name, and another key.
        let mut other = Scene::both();
        for _ in 0..2 {
            scene.assert_good();
            other.evidence = scene.evidence.clone();
            for response in &mut other.evidence.ocsp {
                response.certificate = other.pki.chain.leaf().fingerprint();
            }
            assert!(matches!(other.status(), RevocationStatus::Unknown { .. }));
            scene.evidence = other.evidence.clone();
            for response in &mut scene.evidence.ocsp {
                response.certificate = scene.pki.chain.leaf().fingerprint();
            }
        }
        // What is evidence now is looked at, and not what was.
        scene.evidence.crls.clear();
        scene.evidence.ocsp.clear();
        let forged = scene.empty().sign(&other.pki.issuing_key);
        scene = scene.with_crl_answer(CRL_URL, Ok(forged));
        assert!(matches!(scene.status(), RevocationStatus::Unknown { .. }));
    }
}

#[test]
fn ocsp_comes_first_and_crls_are_not_looked_at_where_it_answers() {
    let scene = Scene::both();
    let (good, revoking) = (scene.good(), scene.empty().revoke(scene.leaf(), Some(1)));
    let scene = scene.with_crl(&revoking).with_answer(&good);
    let RevocationStatus::Good { sources, .. } = scene.status() else { panic!() };
    assert_eq!(sources.len(), 1);
    assert_eq!((sources[0].method, sources[0].url.as_str()), (Method::Ocsp, OCSP_URL));
    assert_eq!((sources[0].this_update, sources[0].next_update), (NOW - DAY, Some(NOW + DAY)));
}

#[test]
fn crls_decide_where_ocsp_does_not_and_what_ocsp_said_is_told() {
    for answer in [Err(unreachable()), Ok(b"<html>".to_vec())] {
        let scene = Scene::both().with_response(answer);
        let (empty, revoking) = (scene.empty(), scene.empty().revoke(scene.leaf(), Some(1)));
        let scene = scene.with_crl(&empty);
        let judged = scene.judge();
        assert!(matches!(judged.status, RevocationStatus::Good { .. }), "{judged:#?}");
        assert_eq!(judged.passed_over.len(), 1);
        assert_eq!(judged.passed_over[0].method, Method::Ocsp);
        let scene = scene.with_crl(&revoking);
        assert_eq!(scene.assert_revoked(), RevocationReason::KeyCompromise);
    }
    // The responder is known, and does not know the certificate.
    let scene = Scene::both();
    let (unknown, empty) = (scene.good().unknown(), scene.empty());
    scene.with_answer(&unknown).with_crl(&empty).assert_good();
}

#[test]
fn nobody_reached_is_told_from_an_answer_of_no_use() {
    let failure = |kind| FetchFailure::new(kind, "x");
    let unreachable_kinds =
        [FetchFailureKind::Unreachable, FetchFailureKind::Timeout, FetchFailureKind::Status(503)];
    for kind in unreachable_kinds {
        let scene = Scene::both().with_response(Err(failure(kind)));
        let scene = scene.with_crl_answer(CRL_URL, Err(failure(kind)));
        assert!(scene.status().is_unreachable(), "{kind:?}");
    }
    let answers = [
        Err(failure(FetchFailureKind::Status(404))),
        Err(failure(FetchFailureKind::TooLarge)),
        Err(failure(FetchFailureKind::NotAllowed)),
        Err(failure(FetchFailureKind::Unreadable)),
        Ok(Vec::new()),
    ];
    for answer in answers {
        let scene = Scene::both().with_response(Err(unreachable()));
        let scene = scene.with_crl_answer(CRL_URL, answer.clone());
        assert_eq!(scene.unknown().len(), 2);
        assert!(!scene.status().is_unreachable(), "{answer:?}");
    }
    // No evidence at all.
    assert!(Scene::both().status().is_unreachable());
}

#[test]
fn an_attempt_says_what_was_asked_and_why_it_came_to_nothing() {
    let scene = Scene::both().with_response(Err(unreachable()));
    let told = [
        "OCSP http://ocsp.test/: cannot be reached: connection refused",
        "CRL http://crl.test/issuing.crl: not in the evidence",
    ];
    assert_eq!(scene.unknown(), told);
}

#[test]
fn a_url_of_another_scheme_is_passed_over_and_fails_nothing() {
    let ldap = "ldap:///CN=CA?certificateRevocationList?base";
    let point = |more: &[&str]| {
        let uris = [&[ldap], more].concat();
        [(CRL_DISTRIBUTION_POINTS, sequence(&[distribution_point(&uris, &[])]))]
    };
    let scene = Scene::new(&point(&[CRL_URL]));
    let empty = scene.empty();
    let scene = scene.with_crl(&empty);
    scene.assert_good();
    let passed_over: Vec<_> = scene.judge().passed_over.iter().map(text).collect();
    let told = format!("CRL {ldap}: URL is neither http nor https, and is passed over");
    assert_eq!(passed_over, [told.as_str()]);
    // It is no source that could not be reached.
    let scene = Scene::new(&point(&[CRL_URL])).with_crl_answer(CRL_URL, Err(unreachable()));
    assert!(scene.status().is_unreachable());
    Scene::new(&point(&[])).assert_unknown(&told);
    // Somebody who can fetch it all the same may hand it in.
    let scene = Scene::new(&point(&[]));
    let empty = scene.empty();
    scene.with_crl_at(ldap, &empty).assert_good();
}
