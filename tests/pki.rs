//! Requests and certificates that are made here, as other programs read them.

use std::fs;

use notation_sdk::{
    algorithm::KeySpec,
    keys::file::FileKey,
    pki::{
        CertificateRequest, CertificateTemplate, Issuer, PkiError, RsaPadding, check_nameable, lint,
    },
    testing::{CountingKey, TestPki, name, ready, validity},
    x509::{Certificate, CertificateChain, Name, Purpose, parse_bundle, to_pem},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use time::{Duration, UtcDateTime, macros::utc_datetime};

use crate::support::openssl::{Authority, Openssl};

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);

fn subject() -> Name {
    "CN=Acme\\, signer,O=Acme,ST=WA,C=US".parse().unwrap()
}

fn paddings(spec: KeySpec) -> &'static [RsaPadding] {
    if spec.is_rsa() { &[RsaPadding::Pss, RsaPadding::Pkcs1] } else { &[RsaPadding::Pss] }
}

/// One chain a key spec, made once: RSA keys take their time.
fn chains() -> &'static [(KeySpec, CertificateChain)] {
    static CHAINS: std::sync::OnceLock<Vec<(KeySpec, CertificateChain)>> =
        std::sync::OnceLock::new();
    CHAINS.get_or_init(|| {
        KeySpec::ALL.map(|spec| (spec, TestPki::new(spec, NOW).unwrap().chain)).to_vec()
    })
}

/// How openssl prints the algorithm of a signature.
fn openssl_name(spec: KeySpec, padding: RsaPadding) -> String {
    let bits = spec.hash().digest_len() * 8;
    match (spec.is_rsa(), padding) {
        (true, RsaPadding::Pss) => "rsassaPss".to_owned(),
        (true, _) => format!("sha{bits}WithRSAEncryption"),
        (false, _) => format!("ecdsa-with-SHA{bits}"),
    }
}

/// Whether a text holds the parts, white space aside: versions of openssl differ in that.
#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    let pressed = |text: &str| text.split_whitespace().collect::<String>();
    for part in parts {
        assert!(pressed(text).contains(&pressed(part)), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn openssl_reads_requests_of_every_key_spec_and_padding() {
    let Some(openssl) = Openssl::or_skip() else { return };
    for spec in KeySpec::ALL {
        let (_, key) = FileKey::generate(spec).unwrap();
        let key = CountingKey::new(key);
        for &padding in paddings(spec) {
            let before = (key.signatures(), key.public_keys());
            let request =
                ready(CertificateRequest::for_code_signing(&key, &subject(), padding)).unwrap();
            assert_eq!((key.signatures(), key.public_keys()), (before.0 + 1, before.1 + 1));
            fs::write(openssl.path("a.csr"), request.to_pem().unwrap()).unwrap();
            fs::write(openssl.path("a.der"), request.to_der().unwrap()).unwrap();
            for form in ["-in a.csr", "-inform DER -in a.der"] {
                let found =
                    openssl.run(&format!("req -verify -noout -text {form}")).expect_status(0);
                contains(&format!("{}{}", found.stdout, found.stderr), &["verify OK"]);
                contains(
                    &found.stdout,
                    &[
                        "Subject: C = US, ST = WA, O = Acme, CN = \"Acme, signer\"",
                        &format!("({} bit", spec.bits()),
                        "X509v3 Basic Constraints: critical CA:FALSE",
                        "X509v3 Key Usage: critical Digital Signature X509v3",
                        "X509v3 Extended Key Usage: Code Signing Signature Algorithm",
                        &format!("Signature Algorithm: {}", openssl_name(spec, padding)),
                    ],
                );
            }
        }
    }
}

#[test]
fn a_request_that_was_changed_does_not_verify() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let (_, key) = FileKey::generate(KeySpec::Ec256).unwrap();
    let request =
        ready(CertificateRequest::for_code_signing(&key, &subject(), RsaPadding::Pss)).unwrap();
    let mut der = request.to_der().unwrap();
    let at = der.windows(6).position(|window| window == b"signer").unwrap();
    der[at] = b'S';
    fs::write(openssl.path("a.der"), der).unwrap();
    let found = openssl.run("req -verify -noout -inform DER -in a.der");
    assert!(!format!("{}{}", found.stdout, found.stderr).contains("verify OK"), "{found:?}");
}

#[test]
fn a_certificate_that_openssl_issues_for_a_request_makes_a_good_chain() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let authority = Authority::new(&openssl);
    for (spec, padding) in [
        (KeySpec::Rsa2048, RsaPadding::Pss),
        (KeySpec::Rsa2048, RsaPadding::Pkcs1),
        (KeySpec::Ec521, RsaPadding::Pss),
    ] {
        let (_, key) = FileKey::generate(spec).unwrap();
        let request =
            ready(CertificateRequest::for_code_signing(&key, &subject(), padding)).unwrap();
        fs::write(openssl.path("a.csr"), request.to_pem().unwrap()).unwrap();
        let pem = fs::read(authority.issue(&openssl.path("a.csr"))).unwrap();
        let chain = CertificateChain::from_ordered(parse_bundle(&pem).unwrap()).unwrap();
        chain.verify(Purpose::CodeSigning).unwrap();
        assert_eq!(chain.leaf().subject(), &subject());
        let public = ready(notation_sdk::SigningKey::public_key(&key)).unwrap();
        assert_eq!(chain.leaf().public_key(), &public);
    }
}

#[test]
fn openssl_verifies_chains_that_were_issued_here() {
    let Some(openssl) = Openssl::or_skip() else { return };
    for (spec, chain) in chains() {
        for (certificate, file) in
            chain.certificates().iter().zip(["leaf.crt", "issuing.crt", "root.crt"])
        {
            let alone = CertificateChain::from_ordered(vec![certificate.clone()]).unwrap();
            fs::write(openssl.path(file), to_pem(&alone)).unwrap();
        }
        let at = NOW.unix_timestamp();
        let verify = format!(
            "verify -x509_strict -attime {at} -CAfile root.crt -untrusted issuing.crt leaf.crt"
        );
        assert_eq!(openssl.run(&verify).expect_status(0).stdout, "leaf.crt: OK\n", "{spec}");
        let text = openssl.run("x509 -in leaf.crt -noout -text").expect_status(0).stdout;
        contains(
            &text,
            &[
                "Version: 3 (0x2)",
                "Subject: C = US, ST = WA, O = Test, CN = leaf",
                "Issuer: C = US, ST = WA, O = Test, CN = issuing",
                "Not Before: Nov 22 12:00:00 2026 GMT",
                "Not After : Nov 23 12:00:00 2027 GMT",
                "X509v3 Authority Key Identifier",
                "X509v3 Subject Key Identifier",
            ],
        );
    }
}

/// Verifies the leaf of a chain with another library, at [`NOW`].
fn webpki(chain: &CertificateChain) -> Result<(), webpki::Error> {
    let der = |certificate: &Certificate| CertificateDer::from(certificate.as_der().to_vec());
    let certificates: Vec<_> = chain.certificates().iter().map(der).collect();
    let [leaf, between @ .., root] = certificates.as_slice() else { panic!("two or more") };
    let anchor = webpki::anchor_from_trusted_cert(root)?;
    let at = std::time::Duration::from_secs(NOW.unix_timestamp().unsigned_abs());
    webpki::EndEntityCert::try_from(leaf)?
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &[anchor],
            between,
            UnixTime::since_unix_epoch(at),
            webpki::KeyUsage::required_if_present(&[0x2b, 6, 1, 5, 5, 7, 3, 3]),
            None,
            None,
        )
        .map(drop)
}

#[test]
fn webpki_verifies_chains_that_were_issued_here() {
    for (spec, chain) in chains() {
        assert_eq!(webpki(chain), Ok(()), "{spec}");
    }
    let other = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let mut certificates = TestPki::new(KeySpec::Ec256, NOW).unwrap().chain.certificates().to_vec();
    certificates[2] = other.chain.root().clone();
    let mixed = CertificateChain::from_ordered(certificates).unwrap();
    assert_eq!(webpki(&mixed), Err(webpki::Error::InvalidSignatureForPublicKey));
}

#[test]
fn years_from_2050_on_are_written_as_other_programs_read_them() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let (_, key) = FileKey::generate(KeySpec::Ec256).unwrap();
    let times = (utc_datetime!(2049-12-31 23:59:59), utc_datetime!(2050-01-01 00:00:00));
    let leaf = CertificateTemplate::code_signing(subject(), times);
    let leaf = ready(leaf.issue(&key, Issuer::Itself)).unwrap();
    assert_eq!((leaf.not_before(), leaf.not_after()), times);
    fs::write(openssl.path("a.der"), leaf.as_der()).unwrap();
    let dates = openssl.run("x509 -inform DER -in a.der -noout -dates").expect_status(0).stdout;
    assert_eq!(dates, "notBefore=Dec 31 23:59:59 2049 GMT\nnotAfter=Jan  1 00:00:00 2050 GMT\n");
    let parsed = openssl.run("asn1parse -inform DER -in a.der").expect_status(0).stdout;
    contains(&parsed, &["UTCTIME", "GENERALIZEDTIME"]);
}

#[test]
fn a_validity_that_is_empty_or_outside_of_the_calendar_is_refused() {
    let (_, key) = FileKey::generate(KeySpec::Ec256).unwrap();
    let key = CountingKey::new(key);
    for times in
        [(NOW, NOW), (NOW, NOW - Duration::seconds(1)), (utc_datetime!(1949-12-31 00:00:00), NOW)]
    {
        let template = CertificateTemplate::code_signing(subject(), times);
        let error = ready(template.issue(&key, Issuer::Itself)).unwrap_err();
        assert!(matches!(error, PkiError::BadValidity { .. }), "{error:?}");
    }
    assert_eq!(key.signatures(), 0);
}

#[test]
fn a_certificate_is_not_issued_by_another_key_than_the_issuers() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let template = CertificateTemplate::code_signing(name("leaf"), validity(NOW));
    let wrong = Issuer::Ca(pki.chain.root(), &pki.issuing_key);
    let error = ready(template.issue(&pki.leaf_key, wrong)).unwrap_err();
    assert!(matches!(error, PkiError::BadSignature), "{error:?}");
}

#[test]
fn serial_numbers_are_positive_and_never_the_same() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let serials: Vec<&[u8]> =
        pki.chain.certificates().iter().map(Certificate::serial_number).collect();
    assert!(serials.iter().all(|serial| serial.len() == 16 && serial[0] & 0xc0 == 0x40));
    assert!(serials[0] != serials[1] && serials[1] != serials[2] && serials[0] != serials[2]);
}

#[test]
fn a_subject_without_country_state_or_organisation_cannot_be_named() {
    for (subject, missing) in [
        ("CN=a", "C, ST, O"),
        ("CN=a,O=Acme,C=US", "ST"),
        ("CN=a,ST=WA,C=US", "O"),
        ("O=Acme,ST=WA", "C"),
    ] {
        let error = check_nameable(&subject.parse().unwrap()).unwrap_err().to_string();
        let wanted = format!("subject {subject} has no {missing}, so no trust policy can name it");
        assert!(error.starts_with(&wanted), "{error}");
    }
    // Neither a common name nor an order is asked for.
    check_nameable(&"C=US,O=Acme,S=WA".parse().unwrap()).unwrap();
    check_nameable(&subject()).unwrap();
}

#[test]
fn a_subject_with_an_attribute_twice_or_several_in_a_part_cannot_be_named() {
    for (subject, reason) in [
        ("CN=x,OU=b,OU=a,O=Acme,ST=WA,C=US", "has OU more than once"),
        ("CN=x,CN=y,O=Acme,ST=WA,C=US", "has CN more than once"),
        ("CN=x,OU=a+OU=b,O=Acme,ST=WA,C=US", "has a part of several attributes"),
        ("CN=x,O=Acme,C=US+ST=WA", "has a part of several attributes"),
    ] {
        let name: Name = subject.parse().unwrap();
        let error = check_nameable(&name).unwrap_err().to_string();
        let wanted = format!("subject {subject} {reason}, so no trust policy can name it");
        assert!(error.starts_with(&wanted), "{error}");
        let leaf = CertificateTemplate::code_signing(name, validity(NOW));
        let pki = TestPki::with_templates(KeySpec::Ec256, NOW, |_| {}, leaf).unwrap();
        let found = lint(pki.chain.certificates(), Purpose::CodeSigning, NOW);
        assert!(found.problems.is_empty() && found.notes == [error], "{:?}", found.notes);
    }
}

#[test]
fn everything_that_is_wrong_with_a_bundle_is_said_at_once() {
    let times = (NOW - Duration::days(2), NOW - Duration::days(1));
    let mut leaf = CertificateTemplate::code_signing("CN=leaf".parse().unwrap(), times);
    leaf.extensions.retain(|extension| extension.oid != "2.5.29.15");
    let pki = TestPki::with_templates(KeySpec::Ec256, NOW, |_| {}, leaf).unwrap();
    let stranger = TestPki::new(KeySpec::Ec256, NOW).unwrap().chain.root().clone();
    let mut bundle = pki.chain.certificates().to_vec();
    bundle.reverse();
    bundle.push(stranger);
    bundle.push(pki.chain.root().clone());
    let found = lint(&bundle, Purpose::CodeSigning, NOW);
    assert_eq!(found.chain.as_ref(), Some(&pki.chain));
    let problems: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "certificate CN=leaf: extension keyUsage must be present \
             (signature-specification.md, Certificate Requirements, Key Usage)",
            "certificate CN=leaf expired at 2026-11-22T12:00:00Z, and it is 2026-11-23T12:00:00Z",
        ]
    );
    for part in ["more than once", "not in order", "is not part of the chain", "no C, ST, O"] {
        assert!(found.notes.iter().any(|note| note.contains(part)), "{part}: {:?}", found.notes);
    }
    let clean = lint(
        TestPki::new(KeySpec::Ec256, NOW).unwrap().chain.certificates(),
        Purpose::CodeSigning,
        NOW,
    );
    assert!(clean.problems.is_empty() && clean.notes.is_empty(), "{clean:?}");
}
