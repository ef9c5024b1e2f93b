//! Every fault of a responder and of a distribution point, with and without the other to fall back on.

use std::{
    thread,
    time::{Duration, Instant},
};

use notation_sdk::revocation::Method::{self, Crl, Ocsp};

use super::{PATIENT, fetcher, fresh, leaf, sources, told, unknown, within};
use crate::support::{
    fake_ca::{CRL, FakeCa, OCSP},
    fake_http::Answer,
    revocation_fault::Fault,
};

/// Runs a test for each fault, at the same time.
fn with_each(method: Method, has_ocsp: bool, has_crl: bool, test: fn(Fault, &FakeCa)) {
    thread::scope(|scope| {
        for fault in Fault::ALL {
            let run = move || test(fault, &fault.ca(method, has_ocsp, has_crl));
            let named = thread::Builder::new().name(format!("{fault:?} of {method}"));
            named.spawn_scoped(scope, run).unwrap();
        }
    });
}

fn timeout(fault: Fault) -> Duration {
    if fault.is_slow() { Duration::from_millis(300) } else { PATIENT }
}

#[test]
fn a_source_with_a_fault_and_no_other_leaves_the_certificate_unknown_and_is_named() {
    let ocsp = |fault: Fault, ca: &FakeCa| assert_unknown(fault, ca, Ocsp);
    let crl = |fault: Fault, ca: &FakeCa| assert_unknown(fault, ca, Crl);
    with_each(Ocsp, true, false, ocsp);
    with_each(Crl, false, true, crl);
}

fn assert_unknown(fault: Fault, ca: &FakeCa, method: Method) {
    let judged = leaf(&fetcher(within(timeout(fault))), ca);
    let [told] = unknown(&judged).try_into().unwrap();
    assert!(told.starts_with(&format!("{method} http://")), "{told}");
    assert!(told.contains(fault.told(method)), "{told}");
    assert_eq!(judged.status.is_unreachable(), fault.is_unreachable(), "{told}");
}

#[test]
fn a_crl_decides_where_the_responder_has_a_fault_and_the_fault_is_told() {
    with_each(Ocsp, true, true, |fault, ca| {
        let start = Instant::now();
        let judged = leaf(&fetcher(within(timeout(fault))), ca);
        assert_eq!(sources(ca, &judged), [CRL]);
        let [told] = told(&judged.passed_over).try_into().unwrap();
        assert!(told.starts_with("OCSP ") && told.contains(fault.told(Ocsp)), "{told}");
        assert!(start.elapsed() < PATIENT / 2);
    });
}

#[test]
fn a_revoked_certificate_is_revoked_whatever_the_responder_says_instead() {
    with_each(Ocsp, true, true, |fault, ca| {
        ca.put_crl(CRL, &ca.crl().revoke(ca.leaf(), Some(1)));
        let judged = leaf(&fetcher(within(timeout(fault))), ca);
        assert!(!judged.status.is_accepted() && !judged.status.is_unreachable(), "{judged:#?}");
    });
}

#[test]
fn a_crl_with_a_fault_is_not_asked_for_where_the_responder_answers() {
    with_each(Crl, true, true, |_, ca| {
        let judged = leaf(&fetcher(within(PATIENT)), ca);
        assert_eq!(sources(ca, &judged), [OCSP]);
        assert_eq!(ca.asked(), [OCSP]);
    });
}

#[test]
fn both_faults_are_told_where_both_sources_have_one_and_an_answer_of_no_use_is_no_outage() {
    with_each(Crl, true, true, |fault, ca| {
        Fault::Status500.put(ca, Ocsp);
        let judged = leaf(&fetcher(within(timeout(fault))), ca);
        let [ocsp, crl] = unknown(&judged).try_into().unwrap();
        assert!(ocsp.contains(Fault::Status500.told(Ocsp)), "{ocsp}");
        assert!(crl.starts_with("CRL ") && crl.contains(fault.told(Crl)), "{crl}");
        assert_eq!(judged.status.is_unreachable(), fault.is_unreachable(), "{crl}");
    });
}

#[test]
fn a_recorded_answer_counts_for_as_long_as_its_ca_has_said() {
    let ca = FakeCa::new();
    let recorded = Answer::new(200, ca.response(&ca.good()));
    ca.put(OCSP, recorded.clone());
    assert_eq!(sources(&ca, &fresh(&ca)), [OCSP]);
    // Revoked since, and somebody on the way plays the old answer.
    ca.put_ocsp(OCSP, &ca.good().revoked(Some(1)));
    assert!(!fresh(&ca).status.is_accepted());
    ca.put(OCSP, recorded);
    assert_eq!(sources(&ca, &fresh(&ca)), [OCSP]);
}
