//! What OpenBao's PKI answered, as an enterprise's CA would, before and after a revocation.

use std::{fs, path::Path};

use notation_sdk::{
    CertificateChain,
    revocation::{
        CertificateRevocation, CrlEvidence, Evidence, Method, OcspEvidence, RevocationStatus,
        SigningTime, judge,
    },
    x509::parse_bundle,
};
use time::{UtcDateTime, macros::utc_datetime};

use super::text;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/revocation/openbao");
/// A minute after the answers.
const AT: UtcDateTime = utc_datetime!(2026-11-23 13:33:30);

fn read(file: &str) -> Vec<u8> {
    fs::read(Path::new(FOLDER).join(file)).unwrap()
}

fn chain() -> CertificateChain {
    let chain = CertificateChain::from_ordered(parse_bundle(&read("chain.pem")).unwrap()).unwrap();
    chain.verify_links().unwrap();
    chain
}

/// The answers of that moment, asked for where the certificates say.
fn evidence(chain: &CertificateChain, moment: &str, methods: &[Method]) -> Evidence {
    let [leaf, issuing, _] = chain.certificates() else { panic!() };
    let files = [(leaf, moment), (issuing, "root")];
    let mut evidence = Evidence::new();
    for (certificate, prefix) in files {
        let crl = |kind: &str| Ok(read(&format!("{prefix}-{kind}.der")));
        let ocsp = certificate.ocsp_urls().unwrap().remove(0);
        let point = certificate.crl_distribution_points().unwrap().remove(0);
        if methods.contains(&Method::Ocsp) {
            let fingerprint = certificate.fingerprint();
            evidence.ocsp.push(OcspEvidence::new(ocsp, AT, fingerprint, crl("ocsp")));
        }
        if methods.contains(&Method::Crl) {
            evidence.crls.push(CrlEvidence::new(&point.uris()[0], AT, crl("crl")));
        }
    }
    if methods.contains(&Method::DeltaCrl) {
        let freshest = leaf.freshest_crl().unwrap().remove(0);
        let delta = Ok(read(&format!("{moment}-delta.der")));
        evidence.crls.push(CrlEvidence::new(&freshest.uris()[0], AT, delta));
    }
    evidence
}

fn judged(moment: &str, methods: &[Method]) -> Vec<CertificateRevocation> {
    let chain = chain();
    judge(&chain, &evidence(&chain, moment, methods), AT, SigningTime::Unknown)
}

#[test]
fn a_revocation_of_openbao_shows_by_ocsp_and_by_delta_crl() {
    for methods in [&[Method::Ocsp][..], &[Method::Crl, Method::DeltaCrl]] {
        let before = judged("before", methods);
        assert!(matches!(before[0].status, RevocationStatus::Good { .. }), "{before:#?}");
        let after = judged("after", methods);
        let RevocationStatus::Revoked { source, at, .. } = &after[0].status else {
            panic!("{after:#?}")
        };
        assert_eq!(source.method, methods[methods.len() - 1]);
        assert_eq!(*at, utc_datetime!(2026-11-23 13:32:28));
        // Of the root there is no delta CRL, though the issuing CA's certificate names one.
        let is_good = matches!(after[1].status, RevocationStatus::Good { .. });
        assert_eq!(is_good, methods == [Method::Ocsp], "{after:#?}");
    }
}

#[test]
fn the_complete_crl_of_openbao_is_not_enough_where_a_delta_crl_is_named() {
    let before = judged("before", &[Method::Crl]);
    let RevocationStatus::Unknown { attempts } = &before[0].status else { panic!("{before:#?}") };
    let told: Vec<_> = attempts.iter().map(text).collect();
    let unasked = "delta CRL http://127.0.0.1:18217/v1/pki_int/crl/delta: not in the evidence";
    assert!(told.iter().any(|one| one == unasked), "{told:#?}");
    assert!(before[0].status.is_unreachable());
}
