//! What must not stand in for the CRL that a certificate names: whatever was asked for on behalf of another, and files as
//! long as anybody can be asked.

use notation_sdk::{
    CertificateChain,
    revocation::{
        CertificateRevocation, CrlEvidence, Evidence, RevocationSource as _, RevocationStatus,
        SigningTime, judge,
    },
};
use time::Duration;

use super::{PATIENT, block_on, fetcher, unknown, within};
use crate::support::{
    der::{distribution_point, sequence},
    fake_ca::{CRL, FakeCa, OCSP, Pointers},
    fake_http::Answer,
    revocation::{TestCrl, TestOcsp},
};

const OTHER: &str = "/other.crl";

/// A CA whose leaf names one CRL.
fn crl_only() -> FakeCa {
    FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] })
}

/// The CRL of before anything was revoked, which holds still.
fn old(ca: &FakeCa) -> TestCrl {
    TestCrl { this_update: ca.at - Duration::days(3), ..ca.crl().number(1) }
}

fn listing(ca: &FakeCa) -> TestCrl {
    ca.crl().number(2).revoke(ca.leaf(), Some(1))
}

/// The verdict on the leaf of the last chain, where chains are asked about one after the other.
fn last_of(
    ca: &FakeCa,
    chains: &[&CertificateChain],
    mut evidence: Evidence,
) -> CertificateRevocation {
    let fetcher = fetcher(within(PATIENT));
    for chain in chains {
        block_on(fetcher.collect(chain, &mut evidence, ca.at));
    }
    judge(chains.last().unwrap(), &evidence, ca.at, SigningTime::Unknown).remove(0)
}

#[track_caller]
fn assert_revoked(judged: &CertificateRevocation) {
    assert!(matches!(judged.status, RevocationStatus::Revoked { .. }), "{judged:#?}");
}

#[test]
fn the_crl_of_the_timestamp_authority_is_none_of_the_signer_s() {
    let ca = crl_only();
    let (authority, _) = ca.issue("authority", Pointers { ocsp: &[], crl: &[&[OTHER]] });
    ca.put_crl(OTHER, &old(&ca));
    ca.put_crl(CRL, &listing(&ca));
    assert_revoked(&last_of(&ca, &[&authority, &ca.pki.chain], Evidence::new()));
    assert_eq!(ca.asked(), [OTHER, CRL]);
    ca.put(CRL, Answer::new(503, ""));
    let judged = last_of(&ca, &[&authority, &ca.pki.chain], Evidence::new());
    assert_eq!(unknown(&judged).len(), 1);
    assert!(judged.status.is_unreachable());
}

#[test]
fn the_crl_of_a_responder_is_none_of_the_certificate_s() {
    let ca = FakeCa::new();
    let (responder, key) = ca.responder(OTHER);
    let answer = ca.good().unknown();
    let response = TestOcsp::new(&responder, ca.at).answer(&answer).with(&responder);
    ca.put(OCSP, Answer::new(200, response.sign(&key)));
    ca.put_crl(OTHER, &old(&ca));
    ca.put_crl(CRL, &listing(&ca));
    assert_revoked(&last_of(&ca, &[&ca.pki.chain], Evidence::new()));
    assert_eq!(ca.asked(), [OCSP, OTHER, CRL]);
}

#[test]
fn a_complete_crl_where_a_delta_crl_belongs_releases_no_hold() {
    let ca = crl_only();
    let freshest = sequence(&[distribution_point(&[&ca.url(OTHER)], &[])]);
    let held = ca.crl().number(5).revoke(ca.leaf(), Some(6));
    ca.put_crl(CRL, &held.extension("2.5.29.46", false, &freshest));
    ca.put_crl(OTHER, &old(&ca));
    let judged = last_of(&ca, &[&ca.pki.chain], Evidence::new());
    assert!(unknown(&judged)[0].ends_with("a complete CRL stands where a delta CRL belongs"));
    // Neither does a file, whether anybody can be asked or not.
    let mut evidence = Evidence::new();
    let der = old(&ca).sign(&ca.pki.issuing_key);
    evidence.crls.push(CrlEvidence::of_file("old.crl", ca.at, der));
    unknown(&last_of(&ca, &[&ca.pki.chain], evidence));
}

#[test]
fn a_file_stands_in_for_a_crl_that_nobody_gives_and_not_before_it_was_asked_for() {
    let ca = crl_only();
    let mut evidence = Evidence::new();
    let der = old(&ca).sign(&ca.pki.issuing_key);
    evidence.crls.push(CrlEvidence::of_file("old.crl", ca.at, der));
    ca.put_crl(CRL, &listing(&ca));
    assert_revoked(&last_of(&ca, &[&ca.pki.chain], evidence.clone()));
    assert_eq!(ca.asked(), [CRL]);
    ca.put(CRL, Answer::new(503, ""));
    let judged = last_of(&ca, &[&ca.pki.chain], evidence);
    let RevocationStatus::Good { sources, .. } = &judged.status else { panic!("{judged:#?}") };
    assert_eq!(sources[0].url, "old.crl");
    assert_eq!(judged.passed_over.len(), 1);
}
