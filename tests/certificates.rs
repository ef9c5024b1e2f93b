//! Certificates and chains: each requirement of the specification broken once, and what must not be
//! evaluated left alone.

use std::fs;

use notation_sdk::{
    algorithm::KeySpec,
    keys::file::FileKey,
    pki::{CertificateTemplate, Extension, Issuer},
    testing::{TestPki, chain, name, ready, set_extension, validity},
    x509::{Certificate, CertificateChain, ChainError, Purpose, Rule, parse_bundle, to_pem},
};
use proptest::prelude::{Just, Strategy, any, proptest};
use time::{Duration, UtcDateTime, macros::utc_datetime};

use crate::support::openssl::{Authority, Openssl};

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const NAME_CONSTRAINTS: &str = "2.5.29.30";

fn leaf() -> CertificateTemplate {
    CertificateTemplate::code_signing(name("leaf"), validity(NOW))
}

fn broken(
    change_issuing: impl FnOnce(&mut CertificateTemplate),
    change_leaf: impl FnOnce(&mut CertificateTemplate),
    purpose: Purpose,
) -> Vec<Rule> {
    let mut leaf = leaf();
    change_leaf(&mut leaf);
    let pki = TestPki::with_templates(KeySpec::Ec256, NOW, change_issuing, leaf).unwrap();
    let violations = pki.chain.violations(purpose);
    let first = violations.first().cloned().map(ChainError::from);
    assert_eq!(pki.chain.verify(purpose).err(), first);
    violations.iter().map(|violation| violation.rule().clone()).collect()
}

fn extension(
    oid: &'static str,
    critical: bool,
    value: &'static [u8],
) -> impl FnOnce(&mut CertificateTemplate) {
    move |template| set_extension(template, Extension::new(oid, critical, value))
}

fn without(oid: &'static str) -> impl FnOnce(&mut CertificateTemplate) {
    move |template| template.extensions.retain(|extension| extension.oid != oid)
}

const fn nothing(_: &mut CertificateTemplate) {}

#[test]
fn a_chain_that_meets_every_requirement_is_taken() {
    assert_eq!(broken(nothing, nothing, Purpose::CodeSigning), []);
}

#[test]
fn each_requirement_of_a_ca_is_held() {
    let ca = |change: Box<dyn FnOnce(&mut CertificateTemplate)>| {
        broken(change, nothing, Purpose::CodeSigning)
    };
    assert_eq!(ca(Box::new(without(BASIC_CONSTRAINTS))), [Rule::CaWithoutBasicConstraints]);
    assert_eq!(ca(Box::new(extension(BASIC_CONSTRAINTS, true, &[0x30, 0]))), [Rule::IssuerIsNoCa]);
    let ca_true = &[0x30, 3, 1, 1, 0xff];
    assert_eq!(
        ca(Box::new(extension(BASIC_CONSTRAINTS, false, ca_true))),
        [Rule::CaBasicConstraintsNotCritical]
    );
    assert_eq!(ca(Box::new(without(KEY_USAGE))), [Rule::KeyUsageMissing]);
    assert_eq!(
        ca(Box::new(extension(KEY_USAGE, false, &[3, 2, 1, 6]))),
        [Rule::KeyUsageNotCritical]
    );
    assert_eq!(
        ca(Box::new(extension(KEY_USAGE, true, &[3, 2, 1, 2]))),
        [Rule::CaWithoutKeyCertSign]
    );
}

#[test]
fn each_requirement_of_a_leaf_is_held() {
    let leaf = |change: Box<dyn FnOnce(&mut CertificateTemplate)>| {
        broken(nothing, change, Purpose::CodeSigning)
    };
    assert_eq!(
        leaf(Box::new(extension(BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0xff]))),
        [Rule::LeafIsCa]
    );
    assert_eq!(leaf(Box::new(without(BASIC_CONSTRAINTS))), []);
    assert_eq!(leaf(Box::new(without(KEY_USAGE))), [Rule::KeyUsageMissing]);
    assert_eq!(
        leaf(Box::new(extension(KEY_USAGE, false, &[3, 2, 7, 0x80]))),
        [Rule::KeyUsageNotCritical]
    );
    assert_eq!(
        leaf(Box::new(extension(KEY_USAGE, true, &[3, 2, 6, 0x40]))),
        [Rule::LeafWithoutDigitalSignature]
    );
    assert_eq!(leaf(Box::new(extension(KEY_USAGE, true, &[3, 2, 6, 0xc0]))), []);
    let all = [
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];
    assert_eq!(
        leaf(Box::new(extension(KEY_USAGE, true, &[3, 3, 7, 0xff, 0x80]))),
        [Rule::LeafKeyUsageForbidden(all.to_vec())]
    );
    assert_eq!(leaf(Box::new(without(EXTENDED_KEY_USAGE))), []);
}

#[test]
fn each_extended_key_usage_that_is_ruled_out_for_code_signing_is_refused() {
    let purposes = [
        (&[0x30, 6, 6, 4, 0x55, 0x1d, 0x25, 0][..], "anyExtendedKeyUsage"),
        (&[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1], "serverAuth"),
        (&[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2], "clientAuth"),
        (&[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 4], "emailProtection"),
        (&[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8], "timeStamping"),
    ];
    for (value, purpose) in purposes {
        let found =
            broken(nothing, extension(EXTENDED_KEY_USAGE, false, value), Purpose::CodeSigning);
        assert_eq!(found, [Rule::ExtendedKeyUsageForbidden(vec![purpose])]);
    }
    let ocsp = &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 9];
    let ocsp = broken(nothing, extension(EXTENDED_KEY_USAGE, false, ocsp), Purpose::CodeSigning);
    assert_eq!(ocsp, [Rule::OcspSigningPurpose]);
    assert!(ocsp[0].clause().starts_with("beyond signature-specification.md"));
}

#[test]
fn a_timestamping_leaf_needs_its_one_purpose_and_marks_it_critical() {
    let time_stamping = &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8];
    let tsa = |change: Box<dyn FnOnce(&mut CertificateTemplate)>| {
        broken(nothing, change, Purpose::Timestamping)
    };
    assert_eq!(tsa(Box::new(extension(EXTENDED_KEY_USAGE, true, time_stamping))), []);
    assert_eq!(
        tsa(Box::new(extension(EXTENDED_KEY_USAGE, false, time_stamping))),
        [Rule::TimestampingPurposeNotCritical]
    );
    assert_eq!(tsa(Box::new(without(EXTENDED_KEY_USAGE))), [Rule::TimestampingPurposeMissing]);
    let [not_critical, not_alone] = tsa(Box::new(nothing)).try_into().unwrap();
    assert_eq!(not_critical, Rule::TimestampingPurposeNotCritical);
    assert_eq!(not_alone, Rule::TimestampingPurposeNotAlone(vec!["1.3.6.1.5.5.7.3.3".to_owned()]));
    let usage_not_critical = |template: &mut CertificateTemplate| {
        set_extension(template, Extension::new(EXTENDED_KEY_USAGE, true, time_stamping));
        set_extension(template, Extension::new(KEY_USAGE, false, &[3, 2, 7, 0x80]));
    };
    assert_eq!(tsa(Box::new(usage_not_critical)), []);
}

#[test]
fn a_violation_names_the_subject_the_extension_and_the_clause() {
    let mut template = leaf();
    without(KEY_USAGE)(&mut template);
    let pki = TestPki::with_templates(KeySpec::Ec256, NOW, nothing, template).unwrap();
    assert_eq!(
        pki.chain.verify(Purpose::CodeSigning).unwrap_err().to_string(),
        "certificate CN=leaf,O=Test,ST=WA,C=US: extension keyUsage must be present \
         (signature-specification.md, Certificate Requirements, Key Usage)"
    );
}

#[test]
fn extensions_that_must_not_be_evaluated_are_not() {
    let unknown = |template: &mut CertificateTemplate| {
        set_extension(template, Extension::new("1.2.3.4.5", true, &[5, 0]));
        set_extension(template, Extension::new("2.5.29.31", false, b"no CRL distribution points"));
    };
    // Only names below example.com, which excludes nothing here for a reader that ignores it.
    let excluded = b"\x30\x10\xa1\x0e\x30\x0c\xa4\x0a\x30\x08\x31\x06\x30\x04\x06\x00\x0c\x00";
    let constrained = |template: &mut CertificateTemplate| {
        unknown(template);
        set_extension(template, Extension::new(NAME_CONSTRAINTS, true, excluded));
    };
    assert_eq!(broken(constrained, unknown, Purpose::CodeSigning), []);

    // A second reader that does evaluate them refuses the same leaf.
    let mut template = leaf();
    unknown(&mut template);
    let pki = TestPki::with_templates(KeySpec::Ec256, NOW, nothing, template).unwrap();
    let der = rustls_pki_types::CertificateDer::from(pki.chain.leaf().as_der());
    let refused = webpki::EndEntityCert::try_from(&der).err();
    assert_eq!(refused, Some(webpki::Error::UnsupportedCriticalExtension));
}

#[test]
fn webpki_verifies_a_chain_that_was_issued_here() {
    use rustls_pki_types::{CertificateDer, UnixTime};
    let pki = TestPki::new(KeySpec::Ec384, NOW).unwrap();
    let [leaf, issuing, root] =
        [0, 1, 2].map(|i| CertificateDer::from(pki.chain.certificates()[i].as_der()));
    let anchor = webpki::anchor_from_trusted_cert(&root).unwrap();
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        NOW.unix_timestamp().unsigned_abs(),
    ));
    let code_signing = webpki::KeyUsage::required_if_present(&[0x2b, 6, 1, 5, 5, 7, 3, 3]);
    webpki::EndEntityCert::try_from(&leaf)
        .unwrap()
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &[anchor],
            &[issuing],
            at,
            code_signing,
            None,
            None,
        )
        .unwrap();
}

#[test]
fn extensions_that_are_repeated_or_broken_make_no_certificate() {
    let issue = |extension: Extension| {
        let mut template = leaf();
        template.extensions.push(extension);
        let (_, key) = FileKey::generate(KeySpec::Ec256).unwrap();
        ready(template.issue(&key, Issuer::Itself)).unwrap_err()
    };
    let text =
        |error: notation_sdk::pki::PkiError| std::error::Error::source(&error).unwrap().to_string();
    let repeated = text(issue(Extension::new(KEY_USAGE, true, &[3, 2, 7, 0x80])));
    assert_eq!(repeated, "certificate CN=leaf,O=Test,ST=WA,C=US: extension 2.5.29.15 is repeated");
    let mut template = leaf();
    set_extension(&mut template, Extension::new(BASIC_CONSTRAINTS, true, &[0x30, 5, 1]));
    let (_, key) = FileKey::generate(KeySpec::Ec256).unwrap();
    let broken = text(ready(template.issue(&key, Issuer::Itself)).unwrap_err());
    assert_eq!(
        broken,
        "certificate CN=leaf,O=Test,ST=WA,C=US: extension 2.5.29.19 is not valid DER"
    );
}

#[test]
fn path_lengths_are_counted_and_validity_need_not_nest() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let [issuing, root] = [1, 2].map(|i| pki.chain.certificates()[i].clone());
    let (_, below_key) = FileKey::generate(KeySpec::Ec256).unwrap();
    let (_, leaf_key) = FileKey::generate(KeySpec::Ec256).unwrap();
    // Longer than its issuer's, which is allowed.
    let long = (NOW - Duration::days(100), NOW + Duration::days(9999));
    let below = CertificateTemplate::ca(name("below"), long, 0);
    let below = ready(below.issue(&below_key, Issuer::Ca(&issuing, &pki.issuing_key))).unwrap();
    let leaf = CertificateTemplate::code_signing(name("leaf"), long);
    let leaf = ready(leaf.issue(&leaf_key, Issuer::Ca(&below, &below_key))).unwrap();
    let too_long = chain([leaf, below, issuing, root]);
    let rules: Vec<_> =
        too_long.violations(Purpose::CodeSigning).iter().map(|v| v.rule().clone()).collect();
    let exceeded = |allowed, found| Rule::PathLengthExceeded { allowed, found };
    assert_eq!(rules, [exceeded(0, 1), exceeded(1, 2)]);
}

#[test]
fn validity_is_judged_at_the_time_that_is_given_to_the_second() {
    let chain = TestPki::new(KeySpec::Ec256, NOW).unwrap().chain;
    let (start, end) = validity(NOW);
    chain.check_validity(start).unwrap();
    chain.check_validity(end).unwrap();
    let early = chain.check_validity(start - Duration::seconds(1)).unwrap_err().to_string();
    assert_eq!(
        early,
        "certificate CN=leaf,O=Test,ST=WA,C=US is not valid before 2026-11-22T12:00:00Z, and it is 2026-11-22T11:59:59Z"
    );
    let late = chain.check_validity(end + Duration::seconds(1)).unwrap_err().to_string();
    assert_eq!(
        late,
        "certificate CN=leaf,O=Test,ST=WA,C=US expired at 2027-11-23T12:00:00Z, and it is 2027-11-23T12:00:01Z"
    );
}

/// Leaf, issuing CA and root.
fn certificates(pki: &TestPki) -> [Certificate; 3] {
    pki.chain.certificates().to_vec().try_into().unwrap()
}

#[test]
fn chains_that_do_not_fit_together_are_refused_with_the_reason() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let other = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let [leaf, issuing, root] = certificates(&pki);
    let [_, other_issuing, other_root] = certificates(&other);
    let refused = |certificates: Vec<Certificate>| {
        CertificateChain::from_ordered(certificates)
            .unwrap()
            .verify(Purpose::CodeSigning)
            .unwrap_err()
            .to_string()
    };
    let dn = |cn: &str| format!("CN={cn},O=Test,ST=WA,C=US");
    let (leaf_dn, issuing_dn, root_dn) = (dn("leaf"), dn("issuing"), dn("root"));
    assert_eq!(
        refused(vec![leaf.clone(), root.clone()]),
        format!("certificate {leaf_dn} is issued by {issuing_dn}, but {root_dn} follows it")
    );
    assert_eq!(
        refused(vec![leaf.clone(), issuing.clone()]),
        format!(
            "certificate chain ends with {issuing_dn}, issued by {root_dn}: the certificate of {root_dn} is missing"
        )
    );
    assert_eq!(
        refused(vec![leaf.clone(), other_issuing, other_root]),
        format!("certificate {leaf_dn}: signature does not verify with the key of {issuing_dn}")
    );
    let twice = vec![leaf, issuing, root.clone(), root.clone()];
    let inside = CertificateChain::from_ordered(twice).unwrap().verify_links().unwrap_err();
    let self_signed =
        format!("certificate {root_dn} is self-signed, but is not the last of the chain");
    assert_eq!(inside.to_string(), self_signed);
    assert!(refused(vec![root.clone()]).contains("of a leaf must have cA set to false"));
    assert_eq!(CertificateChain::from_ordered(vec![]), Err(ChainError::Empty));
    assert_eq!(CertificateChain::from_ordered(vec![root; 17]), Err(ChainError::TooLong(17)));
}

#[test]
fn a_chain_says_the_same_of_its_links_when_it_is_asked_again() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let other = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let asked = CertificateChain::from_ordered(pki.chain.certificates().to_vec()).unwrap();
    assert_eq!([asked.verify_links(), asked.verify_links()], [Ok(()), Ok(())]);
    // Whether it was asked is no part of it.
    let unasked = CertificateChain::from_ordered(asked.certificates().to_vec()).unwrap();
    assert_eq!((&asked, &unasked.clone()), (&unasked, &asked.clone()));

    let mut certificates = other.chain.certificates().to_vec();
    certificates[0] = pki.chain.leaf().clone();
    let broken = CertificateChain::from_ordered(certificates).unwrap();
    let refused = broken.verify_links().unwrap_err();
    assert!(matches!(refused, ChainError::BadSignature { .. }), "{refused}");
    assert_eq!(broken.verify_links(), Err(refused));
}

#[test]
fn a_bundle_in_any_order_with_strangers_and_duplicates_becomes_the_chain() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let other = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let [leaf, issuing, root] = certificates(&pki);
    let stranger = other.chain.root().clone();
    let bundle = [&root, &leaf, &stranger, &issuing, &leaf].map(Clone::clone).to_vec();
    let repaired = CertificateChain::repair(bundle).unwrap();
    assert_eq!(repaired.chain, pki.chain);
    assert_eq!(repaired.unused, [stranger]);
    let repaired = CertificateChain::repair(pki.chain.certificates().to_vec()).unwrap();
    assert_eq!((repaired.chain, repaired.unused), (pki.chain, vec![]));

    let two = vec![leaf.clone(), other.chain.leaf().clone(), issuing, root.clone()];
    assert!(matches!(CertificateChain::repair(two).unwrap_err(), ChainError::SeveralLeaves { .. }));
    assert!(matches!(
        CertificateChain::repair(vec![leaf, root]).unwrap_err(),
        ChainError::RootMissing { .. }
    ));
    assert_eq!(CertificateChain::repair(vec![]).unwrap_err(), ChainError::Empty);
}

#[test]
fn of_two_roots_of_one_key_the_one_that_ends_last_is_taken_in_any_order() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let [leaf, issuing, renewed] = certificates(&pki);
    let past = (NOW - Duration::days(800), NOW - Duration::days(400));
    let old = CertificateTemplate::ca(name("root"), past, 1);
    let old = ready(old.issue(&pki.root_key, Issuer::Itself)).unwrap();
    for roots in [[&old, &renewed], [&renewed, &old]] {
        let bundle = [&leaf, &issuing].into_iter().chain(roots).cloned().collect();
        let repaired = CertificateChain::repair(bundle).unwrap();
        assert_eq!(repaired.chain, pki.chain);
        assert_eq!(repaired.unused, std::slice::from_ref(&old));
    }
}

#[test]
fn a_way_over_cross_signed_certificates_is_not_taken_for_being_in_order() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let other = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let [leaf, issuing, root] = certificates(&pki);
    // Two roots of one name, each of which has signed the other's key.
    let cross = |key, by, signer| {
        let cross = CertificateTemplate::ca(name("root"), validity(NOW), 1);
        ready(cross.issue(key, Issuer::Ca(by, signer))).unwrap()
    };
    let to_other = cross(&pki.root_key, other.chain.root(), &other.root_key);
    let to_own = cross(&other.root_key, &root, &pki.root_key);
    let long = vec![leaf, issuing, to_other.clone(), to_own.clone(), root];
    let in_order = CertificateChain::from_ordered(long.clone()).unwrap();
    assert_eq!(in_order.verify_links(), Ok(()));
    let repaired = CertificateChain::repair(long).unwrap();
    assert_eq!((repaired.chain, repaired.unused), (pki.chain, vec![to_other, to_own]));
}

#[test]
fn a_self_signed_root_is_taken_before_one_that_was_cross_signed() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let other = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let cross = CertificateTemplate::ca(name("root"), validity(NOW), 1);
    let cross =
        ready(cross.issue(&pki.root_key, Issuer::Ca(other.chain.root(), &other.root_key))).unwrap();
    let mut bundle = vec![cross, other.chain.root().clone()];
    bundle.extend(pki.chain.certificates().iter().cloned());
    assert_eq!(CertificateChain::repair(bundle).unwrap().chain, pki.chain);
}

#[test]
fn openssl_writes_bundles_of_every_form_and_all_are_read_alike() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let authority = Authority::new(&openssl);
    openssl.create_key("leaf", KeySpec::Ec256);
    let pem = authority.issue(&openssl.request("leaf", "leaf"));
    openssl.run("crl2pkcs7 -nocrl -certfile leaf.pem -out bundle.p7b").expect_status(0);
    openssl
        .run("crl2pkcs7 -nocrl -certfile leaf.pem -outform DER -out bundle.p7c")
        .expect_status(0);
    let text = fs::read_to_string(&pem).unwrap();
    let expected = parse_bundle(text.as_bytes()).unwrap();
    assert_eq!(expected.len(), 3);
    CertificateChain::from_ordered(expected.clone()).unwrap().verify(Purpose::CodeSigning).unwrap();
    let ders: Vec<u8> = expected.iter().flat_map(|c| c.as_der().to_vec()).collect();
    let windows = format!("subject=leaf\r\n{}", text.replace('\n', "\r\n"));
    for bytes in [
        fs::read(openssl.path("bundle.p7b")).unwrap(),
        fs::read(openssl.path("bundle.p7c")).unwrap(),
        ders,
        windows.into_bytes(),
    ] {
        let mut found = parse_bundle(&bytes).unwrap();
        // A PKCS#7 set has no order.
        found.sort_by_key(|c| expected.iter().position(|e| e == c));
        assert_eq!(found, expected);
    }
    assert_eq!(to_pem(&CertificateChain::from_ordered(expected).unwrap()), text);
}

#[test]
fn a_certificate_signed_with_sha1_and_a_key_that_is_too_short_are_refused() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let rules = |arguments: &str| {
        let words = format!(
            "req -x509 -nodes -keyout k.key -days 1 -subj /CN=old -out old.crt -addext basicConstraints=CA:FALSE \
             -addext keyUsage=critical,digitalSignature -newkey {arguments}"
        );
        openssl.run(&words).expect_status(0);
        let bundle = parse_bundle(&fs::read(openssl.path("old.crt")).unwrap()).unwrap();
        let chain = CertificateChain::from_ordered(bundle).unwrap();
        chain.violations(Purpose::CodeSigning).iter().map(|v| v.rule().clone()).collect::<Vec<_>>()
    };
    assert_eq!(rules("rsa:2048 -sha1"), [Rule::Sha1Signature]);
    assert_eq!(rules("ec -pkeyopt ec_paramgen_curve:P-256 -sha1"), [Rule::Sha1Signature]);
    assert_eq!(rules("rsa:1024 -sha256"), [Rule::KeyTooShort("RSA-1024".to_owned())]);
    assert_eq!(rules("rsa:2560 -sha256"), [Rule::KeyUnsupported("RSA-2560".to_owned())]);
    let curve = Rule::KeyUnsupported("EC on another curve".to_owned());
    assert_eq!(rules("ec -pkeyopt ec_paramgen_curve:secp256k1 -sha256"), [curve]);
}

#[test]
fn files_that_are_no_certificates_are_refused_with_what_they_are() {
    let refused = |bytes: &[u8]| parse_bundle(bytes).unwrap_err().to_string();
    assert_eq!(refused(b""), "neither PEM nor DER certificates, nor a PKCS#7 bundle");
    assert_eq!(refused(b"hello"), "neither PEM nor DER certificates, nor a PKCS#7 bundle");
    let (key, _) = FileKey::generate(KeySpec::Ec256).unwrap();
    assert!(
        refused(key.as_bytes()).starts_with("private key (\"PRIVATE KEY\") among the certificates")
    );
    let block = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert_eq!(refused(block.as_bytes()), "PEM block \"PUBLIC KEY\" is not a certificate");
    let block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(refused(block.as_bytes()), "certificate 1 of the file cannot be read");
    let many = TestPki::new(KeySpec::Ec256, NOW).unwrap().chain.leaf().as_der().repeat(65);
    assert_eq!(refused(&many), "more than 64 certificates");
    assert!(refused(&vec![0; 6 * 1024 * 1024 + 1]).contains("over the limit of 6291456 bytes"));
}

proptest! {
    #[test]
    fn mutated_certificates_never_panic(edits in Just(()).prop_flat_map(|()| proptest::collection::vec((any::<u16>(), any::<u8>()), 0..8)), cut in any::<u16>()) {
        static DER: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let der = DER.get_or_init(|| TestPki::new(KeySpec::Ec256, NOW).unwrap().chain.leaf().as_der().to_vec());
        let mut bytes = der.clone();
        for (at, value) in edits {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(usize::from(cut) % (bytes.len() * 2));
        if let Ok(certificate) = Certificate::from_der(&bytes) {
            let _ = certificate.subject().to_string();
            let chain = CertificateChain::from_ordered(vec![certificate]).unwrap();
            let _ = chain.verify(Purpose::CodeSigning);
        }
        let _ = parse_bundle(&bytes);
    }
}
