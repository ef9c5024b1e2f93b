//! CRLs and OCSP responses that somebody made to be read wrongly, or that are very large.

use notation_sdk::revocation::{
    Crl, CrlError, CrlEvidence, OcspEvidence, OcspResponse, RevocationReason, RevocationStatus,
};

use super::{CRL_URL, DAY, NOW, OCSP_URL, Scene};
use crate::support::{
    der::{enumerated, explicit, extension, octets, oid, sequence, tlv},
    revocation::{TestCrl, entry},
};

/// Every tenth byte of a signed answer, changed in its lowest and in its highest bit.
fn changed(der: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..der.len()).step_by(10).flat_map(move |i| {
        [1, 0x80].map(|bit| {
            let mut changed = der.to_vec();
            changed[i] ^= bit;
            (i, changed)
        })
    })
}

#[test]
fn no_byte_of_a_crl_can_be_changed() {
    let mut scene = Scene::crl();
    let crl =
        scene.empty().number(1).revoke(scene.issuing(), Some(1)).revoke(scene.leaf(), Some(6));
    let der = crl.sign(&scene.pki.issuing_key);
    let mut tried = 0;
    for (i, changed) in changed(&der) {
        scene.evidence.crls = vec![CrlEvidence::new(CRL_URL, NOW, Ok(changed))];
        assert!(matches!(scene.status(), RevocationStatus::Unknown { .. }), "byte {i}");
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
    scene.evidence.crls = vec![CrlEvidence::new(CRL_URL, NOW, Ok(der))];
    scene.assert_revoked();
}

#[test]
fn no_byte_of_an_ocsp_response_can_be_changed() {
    let mut scene = Scene::ocsp();
    let der = scene.response(&scene.good()).nonce(b"nonce").sign(&scene.pki.issuing_key);
    let fingerprint = scene.leaf().fingerprint();
    let mut tried = 0;
    for (i, changed) in changed(&der) {
        scene.evidence.ocsp = vec![OcspEvidence::new(OCSP_URL, NOW, fingerprint, Ok(changed))];
        assert!(matches!(scene.status(), RevocationStatus::Unknown { .. }), "byte {i}");
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
    scene.evidence.ocsp = vec![OcspEvidence::new(OCSP_URL, NOW, fingerprint, Ok(der))];
    scene.assert_good();
}

#[test]
fn an_answer_is_read_whole_or_not_at_all() {
    let scene = Scene::both();
    let crl = scene.empty().number(1).revoke(scene.leaf(), Some(1)).sign(&scene.pki.issuing_key);
    let response = scene.response(&scene.good()).sign(&scene.pki.issuing_key);
    for length in 0..crl.len() {
        assert_eq!(Crl::parse(&crl[..length]).unwrap_err(), CrlError::Malformed);
    }
    for length in 0..response.len() {
        let error = OcspResponse::parse(&response[..length]).unwrap_err().to_string();
        assert_eq!(error, "OCSP response is not valid DER (RFC 6960, section 4.2)");
    }
    for der in [crl, response] {
        let trailing = [der.as_slice(), &[0]].concat();
        assert!(Crl::parse(&trailing).is_err() && OcspResponse::parse(&trailing).is_err());
        assert_eq!(der[..2], [0x30, 0x82]);
        let long = [&[0x30, 0x83, 0], &der[2..]].concat();
        assert!(Crl::parse(&long).is_err() && OcspResponse::parse(&long).is_err());
    }
}

#[test]
fn a_crl_is_read_down_to_its_last_entry() {
    let scene = Scene::crl();
    let read = |last: Vec<u8>| {
        let mut crl = scene.empty().revoke(scene.leaf(), Some(1));
        crl.entries.push(last);
        Crl::parse(&crl.sign(&scene.pki.issuing_key)).map(|crl| crl.entries())
    };
    assert_eq!(read(entry(&[5], NOW, &[])), Ok(2));
    let malformed = [
        entry(&[], NOW, &[]),
        entry(&[0, 5], NOW, &[]),
        sequence(&[tlv(2, &[5])]),
        sequence(&[tlv(2, &[5]), octets(&[])]),
        sequence(&[tlv(4, &[5]), tlv(23, b"261123120000Z")]),
        entry(&[5], NOW, &[sequence(&[])]),
        [entry(&[5], NOW, &[]), vec![0x30]].concat(),
        octets(&[]),
    ];
    for last in malformed {
        assert_eq!(read(last.clone()), Err(CrlError::Malformed), "{last:x?}");
    }
    let large = extension("1.2.3", false, &vec![0; 16 * 1024]);
    assert!(matches!(read(entry(&[5], NOW, &[large])), Err(CrlError::ExtensionsTooLarge(_))));
}

#[test]
fn bounds_are_named() {
    let told = Crl::parse(&vec![0x30; 32 * 1024 * 1024 + 1]).unwrap_err().to_string();
    assert_eq!(told, "CRL of 33554433 bytes is over the limit of 33554432 bytes");
    let scene = Scene::crl();
    let crl = scene.empty().extension("1.2.3", false, &vec![0; 16 * 1024]);
    let told = Crl::parse(&crl.sign(&scene.pki.issuing_key)).unwrap_err().to_string();
    assert_eq!(told, "extensions of 16396 bytes are over the limit of 16384 bytes");
}

#[test]
fn the_parts_of_a_crl_are_what_rfc_5280_says() {
    let scene = Scene::crl();
    let refused = |crl: &TestCrl| Crl::parse(&crl.sign(&scene.pki.issuing_key)).unwrap_err();
    // A number below zero, a number that occurs twice, a repeated extension.
    let crl = scene.empty().extension("2.5.29.20", false, &[2, 1, 0x80]);
    assert_eq!(refused(&crl), CrlError::Malformed);
    assert_eq!(refused(&scene.empty().number(1).number(1)), CrlError::Malformed);
    // Outside of the signed part, another algorithm.
    let der = scene.empty().sign(&scene.pki.issuing_key);
    let ecdsa_with_sha256 = oid("1.2.840.10045.4.3.2");
    let parts = || der.windows(ecdsa_with_sha256.len());
    assert_eq!(parts().filter(|part| *part == ecdsa_with_sha256).count(), 2);
    let outer = parts().rposition(|part| part == ecdsa_with_sha256).unwrap();
    let mut changed = der.clone();
    changed[outer + ecdsa_with_sha256.len() - 1] = 3;
    assert_eq!(Crl::parse(&changed).unwrap_err(), CrlError::AlgorithmMismatch);
    let crl = Crl::parse(&der).unwrap();
    assert_eq!(crl.issuer(), *scene.issuing().subject());
    assert_eq!((crl.this_update(), crl.next_update()), (NOW - DAY, Some(NOW + DAY)));
    assert!(!crl.is_delta() && crl.freshest_crl().unwrap().is_empty());
}

#[test]
fn a_crl_of_a_hundred_thousand_entries_is_judged() {
    let listed = |at: usize, reason: u8| {
        let scene = Scene::crl();
        let mut crl = scene.empty().number(3);
        let reason_code = extension("2.5.29.21", false, &[10, 1, 4]);
        for i in 0..100_000_u32 {
            let serial = [&[0x41; 12][..], &i.to_be_bytes()].concat();
            let extensions = std::slice::from_ref(&reason_code);
            crl.entries.push(entry(&serial, NOW - DAY * 30, extensions));
        }
        if at <= 100_000 {
            let leaf = scene.empty().revoke(scene.leaf(), Some(reason)).entries.remove(0);
            crl.entries.insert(at, leaf);
        }
        let der = crl.sign(&scene.pki.issuing_key);
        assert_eq!(Crl::parse(&der).unwrap().entries(), crl.entries.len());
        scene.with_crl_answer(CRL_URL, Ok(der))
    };
    listed(usize::MAX, 0).assert_good();
    assert_eq!(listed(0, 1).assert_revoked(), RevocationReason::KeyCompromise);
    assert_eq!(listed(50_000, 6).assert_revoked(), RevocationReason::CertificateHold);
    assert_eq!(listed(100_000, 4).assert_revoked(), RevocationReason::Superseded);
}

#[test]
fn certificates_of_a_response_that_cannot_be_read_hide_nothing() {
    let scene = Scene::ocsp();
    let der = scene.response(&scene.good()).sign(&scene.pki.issuing_key);
    let junk = explicit(0, &sequence(&[sequence(&[]), sequence(&[octets(b"junk")])]));
    // The certificates stand at the end of three nested structures, each of which grows.
    let basic_at = der.windows(2).position(|part| part == [4, 0x82]).unwrap() + 4;
    let (_, basic) = der.split_at(basic_at);
    let basic = [&basic[4..], &junk].concat();
    let basic = tlv(0x30, &basic);
    let bytes = sequence(&[oid("1.3.6.1.5.5.7.48.1.1"), octets(&basic)]);
    let der = sequence(&[enumerated(0), explicit(0, &bytes)]);
    let response = OcspResponse::parse(&der).unwrap();
    assert!(response.certificates().is_empty());
    scene.with_response(Ok(der)).assert_good();
}
