//! An OCSP response: reading and judging never panic, and what nobody signed revokes and excuses nobody.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::{
    algorithm::KeySpec,
    pki::{CertificateTemplate, Extension},
    revocation::{Evidence, OcspEvidence, OcspResponse, RevocationStatus, SigningTime, judge},
    testing::{TestPki, name, set_extension, validity},
};
use time::UtcDateTime;

const AT: UtcDateTime = UtcDateTime::UNIX_EPOCH;
const URL: &str = "http://ocsp/";
/// `AuthorityInfoAccessSyntax` of that URL.
const RESPONDER: &[u8] =
    b"\x30\x1a\x30\x18\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x0chttp://ocsp/";

fuzz_target!(|data: &[u8]| {
    static PKI: std::sync::OnceLock<TestPki> = std::sync::OnceLock::new();
    let pki = PKI.get_or_init(|| {
        let at = AT + time::Duration::days(1000);
        let mut leaf = CertificateTemplate::code_signing(name("leaf"), validity(at));
        set_extension(&mut leaf, Extension::new("1.3.6.1.5.5.7.1.1", false, RESPONDER));
        TestPki::with_templates(KeySpec::Ec256, at, |_| {}, leaf).expect("a chain")
    });
    if let Ok(response) = OcspResponse::parse(data) {
        let _ = response.certificates();
        let _ = response.next_update();
    }
    let fingerprint = pki.chain.leaf().fingerprint();
    let mut evidence = Evidence::new();
    evidence.ocsp.push(OcspEvidence::new(URL, AT, fingerprint, Ok(data.to_vec())));
    let judged = judge(&pki.chain, &evidence, AT, SigningTime::Unknown);
    assert!(matches!(judged[0].status, RevocationStatus::Unknown { .. }));
});
