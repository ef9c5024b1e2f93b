//! Where certificates say that their revocation is published, and how it is asked.

use std::fs;

use notation_sdk::{revocation::ocsp_request, x509::PointerError};

use super::{
    AUTHORITY_INFORMATION, CRL_DISTRIBUTION_POINTS, CRL_URL, FRESHEST_CRL, OCSP_URL, Scene, crl_at,
    ocsp_at,
};
use crate::support::{
    der::{distribution_point, explicit, implicit, oid, sequence, tlv, uri},
    openssl::Openssl,
};

#[test]
fn responders_are_read_in_their_order_and_other_access_methods_are_none() {
    let issuers = sequence(&[oid("1.3.6.1.5.5.7.48.2"), uri("http://ca.test/ca.crt")]);
    let [first, second] = ["http://a.test", "https://b.test"]
        .map(|url| sequence(&[oid("1.3.6.1.5.5.7.48.1"), uri(url)]));
    let value = sequence(&[issuers.clone(), first, second]);
    let scene = Scene::new(&[(AUTHORITY_INFORMATION, value)]);
    assert_eq!(scene.leaf().ocsp_urls().unwrap(), ["http://a.test", "https://b.test"]);
    assert!(scene.leaf().names_revocation());
    let scene = Scene::new(&[(AUTHORITY_INFORMATION, sequence(&[issuers]))]);
    assert_eq!(scene.leaf().ocsp_urls().unwrap(), Vec::<String>::new());
    assert!(!scene.leaf().names_revocation());
}

#[test]
fn the_uris_of_one_distribution_point_stay_together_whatever_their_scheme() {
    let ldap = "ldap:///CN=My CA,O=Ä?certificateRevocationList";
    let first = distribution_point(&[ldap, CRL_URL], &[]);
    let second = distribution_point(&["https://crl.test/2"], &[implicit(1, &[1, 0x60])]);
    let scene = Scene::new(&[(CRL_DISTRIBUTION_POINTS, sequence(&[first, second]))]);
    let points = scene.leaf().crl_distribution_points().unwrap();
    let uris: Vec<_> = points.iter().map(|point| point.uris().to_vec()).collect();
    let escaped = "ldap:///CN=My%20CA,O=%C3%84?certificateRevocationList";
    assert_eq!(uris, [vec![escaped, CRL_URL], vec!["https://crl.test/2"]]);
    assert!(scene.leaf().names_revocation());
    assert!(scene.leaf().freshest_crl().unwrap().is_empty());
    let scene = Scene::new(&[(FRESHEST_CRL, crl_at(&["http://crl.test/delta"]).1)]);
    assert_eq!(scene.leaf().freshest_crl().unwrap()[0].uris(), ["http://crl.test/delta"]);
    assert!(!scene.leaf().names_revocation());
}

#[test]
fn a_broken_extension_is_unknown_and_never_nothing_to_ask() {
    let responder_without_url = {
        let name = explicit(4, "CN=x".parse::<notation_sdk::x509::Name>().unwrap().as_der());
        sequence(&[sequence(&[oid("1.3.6.1.5.5.7.48.1"), name])])
    };
    let many: Vec<_> = (0..33).map(|i| format!("http://crl.test/{i}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let cases = [
        (
            CRL_DISTRIBUTION_POINTS,
            vec![0x30, 1],
            "CRL without a URL: extension cRLDistributionPoints is not valid DER",
        ),
        (
            CRL_DISTRIBUTION_POINTS,
            vec![0x30, 0],
            "CRL without a URL: extension cRLDistributionPoints names no URL",
        ),
        (
            CRL_DISTRIBUTION_POINTS,
            crl_at(&many).1,
            "CRL without a URL: extension cRLDistributionPoints names over 32 URLs",
        ),
        (
            CRL_DISTRIBUTION_POINTS,
            sequence(&[distribution_point(&many, &[])]),
            "names over 32 URLs",
        ),
        (
            CRL_DISTRIBUTION_POINTS,
            sequence(&[sequence(&[])]),
            "CRL without a URL: distribution point names no URL",
        ),
        (
            AUTHORITY_INFORMATION,
            [ocsp_at(&[OCSP_URL]).1, vec![0]].concat(),
            "OCSP without a URL: extension authorityInfoAccess is not valid DER",
        ),
        (
            AUTHORITY_INFORMATION,
            responder_without_url,
            "OCSP without a URL: extension authorityInfoAccess names no URL",
        ),
        (
            AUTHORITY_INFORMATION,
            ocsp_at(&many).1,
            "OCSP without a URL: extension authorityInfoAccess names over 32 URLs",
        ),
    ];
    for (oid, value, why) in cases {
        let scene = Scene::new(&[(oid, value)]);
        assert!(scene.leaf().names_revocation());
        scene.assert_unknown(why);
    }
    let scene = Scene::new(&[(FRESHEST_CRL, vec![0x30, 0])]);
    let extension = "freshestCRL";
    assert_eq!(scene.leaf().freshest_crl(), Err(PointerError::Empty { extension }));
}

#[test]
fn a_broken_extension_that_names_no_responder_refuses_nothing() {
    let scene = Scene::new(&[(AUTHORITY_INFORMATION, tlv(0x30, &[1, 2, 3]))]);
    assert!(!scene.leaf().names_revocation());
    assert!(scene.status().is_accepted());
}

#[test]
fn openssl_reads_the_requests_with_and_without_a_nonce() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let scene = Scene::ocsp();
    let read = |nonce: Option<&[u8]>| {
        let request = ocsp_request(scene.leaf(), scene.issuing(), nonce);
        fs::write(openssl.path("request.der"), request).unwrap();
        openssl.run("ocsp -reqin request.der -req_text").expect_status(0).stdout
    };
    let without = read(None);
    assert!(without.contains("Hash Algorithm: sha1"), "{without}");
    let serial: String =
        scene.leaf().serial_number().iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(without.contains(&format!("Serial Number: {serial}")), "{without}");
    assert!(!without.contains("Nonce"), "{without}");
    let with = read(Some(&[0xab; 32]));
    assert!(with.contains("OCSP Nonce") && with.contains(&"AB".repeat(32)), "{with}");
}
