//! A CRL, complete or delta: reading and judging never panic, and what nobody signed revokes and excuses nobody.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::{
    algorithm::KeySpec,
    pki::{CertificateTemplate, Extension},
    revocation::{Crl, CrlEvidence, Evidence, RevocationStatus, SigningTime, judge},
    testing::{TestPki, name, set_extension, validity},
};
use time::UtcDateTime;

const AT: UtcDateTime = UtcDateTime::UNIX_EPOCH;
const URL: &str = "http://crl/";
/// `CRLDistributionPoints` of that URL.
const POINTS: &[u8] = b"\x30\x13\x30\x11\xa0\x0f\xa0\x0d\x86\x0bhttp://crl/";

fuzz_target!(|data: &[u8]| {
    static PKI: std::sync::OnceLock<TestPki> = std::sync::OnceLock::new();
    let pki = PKI.get_or_init(|| {
        let at = AT + time::Duration::days(1000);
        let mut leaf = CertificateTemplate::code_signing(name("leaf"), validity(at));
        set_extension(&mut leaf, Extension::new("2.5.29.31", false, POINTS));
        TestPki::with_templates(KeySpec::Ec256, at, |_| {}, leaf).expect("a chain")
    });
    if let Ok(crl) = Crl::parse(data) {
        let _ = crl.issuer().to_string();
        let _ = crl.freshest_crl();
    }
    let mut evidence = Evidence::new();
    evidence.crls.push(CrlEvidence::new(URL, AT, Ok(data.to_vec())));
    let judged = judge(&pki.chain, &evidence, AT, SigningTime::Unknown);
    assert!(matches!(judged[0].status, RevocationStatus::Unknown { .. }));
});
