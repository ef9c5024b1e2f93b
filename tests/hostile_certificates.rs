//! Certificates, bundles and names that somebody made to be read wrongly, or not at all.

use std::fs;

use notation_sdk::{
    algorithm::KeySpec,
    keys::file::FileKey,
    pki::{CertificateTemplate, Extension, Issuer},
    testing::{TestPki, chain, name, ready, set_extension, validity},
    x509::{Certificate, CertificateChain, ChainError, Name, Purpose, Rule, parse_bundle, to_pem},
};
use proptest::prelude::{any, prop_assert_eq, proptest};
use rustls_pki_types::CertificateDer;
use time::{Duration, UtcDateTime, macros::utc_datetime};

use crate::support::openssl::Openssl;

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);

fn leaf() -> CertificateTemplate {
    CertificateTemplate::code_signing(name("leaf"), validity(NOW))
}

fn pki() -> &'static TestPki {
    static PKI: std::sync::OnceLock<TestPki> = std::sync::OnceLock::new();
    PKI.get_or_init(|| TestPki::new(KeySpec::Ec256, NOW).unwrap())
}

fn pem() -> String {
    to_pem(&pki().chain)
}

/// The error and its causes, as the command line shows them.
fn text(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", text(cause)),
        None => error.to_string(),
    }
}

#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    let error = text(&parse_bundle(bytes).unwrap_err());
    assert!(error.contains(part), "{error:?} does not say {part:?}");
}

#[test]
fn a_chain_of_one_self_signed_leaf_is_taken() {
    let (_, key) = FileKey::generate(KeySpec::Ec256).unwrap();
    let alone = chain([ready(leaf().issue(&key, Issuer::Itself)).unwrap()]);
    alone.verify(Purpose::CodeSigning).unwrap();
    assert_eq!(CertificateChain::repair(alone.certificates().to_vec()).unwrap().chain, alone);
    // The same names, signed by a key that is not its own.
    let (_, other) = FileKey::generate(KeySpec::Ec256).unwrap();
    let issuer = ready(leaf().issue(&other, Issuer::Itself)).unwrap();
    let forged = ready(leaf().issue(&key, Issuer::Ca(&issuer, &other))).unwrap();
    assert!(matches!(
        chain([forged]).verify(Purpose::CodeSigning),
        Err(ChainError::BadSignature { .. })
    ));
}

#[test]
fn a_leaf_may_be_valid_longer_than_its_issuers() {
    let mut longer = leaf();
    longer.not_before = NOW - Duration::days(100);
    longer.not_after = NOW + Duration::days(9999);
    let pki = TestPki::with_templates(KeySpec::Ec256, NOW, |_| {}, longer).unwrap();
    pki.chain.verify(Purpose::CodeSigning).unwrap();
    pki.chain.check_validity(NOW).unwrap();
    // Each certificate is judged at the one time alone.
    let later = pki.chain.check_validity(NOW + Duration::days(400)).unwrap_err();
    assert!(later.to_string().starts_with("certificate CN=issuing,"), "{later}");
}

#[test]
fn name_constraints_that_exclude_the_leaf_are_not_evaluated_though_openssl_does() {
    let constrain = |issuing: &mut CertificateTemplate| {
        set_extension(issuing, Extension::new("2.5.29.30", true, &excluded_country()));
    };
    let pki = TestPki::with_templates(KeySpec::Ec256, NOW, constrain, leaf()).unwrap();
    pki.chain.verify(Purpose::CodeSigning).unwrap();
    let Some(openssl) = Openssl::or_skip() else { return };
    for (certificate, file) in pki.chain.certificates().iter().zip(["leaf", "issuing", "root"]) {
        fs::write(openssl.path(file), to_pem(&chain([certificate.clone()]))).unwrap();
    }
    let verify =
        format!("verify -attime {} -CAfile root -untrusted issuing leaf", NOW.unix_timestamp());
    let found = openssl.run(&verify);
    assert!(found.stderr.contains("excluded subtree violation"), "{found:?}");
}

/// NameConstraints ::= SEQUENCE { excludedSubtrees [1] { GeneralSubtree { directoryName [4] C=US } } }
fn excluded_country() -> Vec<u8> {
    let name: Name = "C=US".parse().unwrap();
    let mut der = name.as_der().to_vec();
    for tag in [0xa4, 0x30, 0xa1, 0x30] {
        let length = u8::try_from(der.len()).unwrap();
        der = [&[tag, length][..], &der].concat();
    }
    der
}

#[test]
fn an_unknown_critical_extension_of_a_ca_is_not_evaluated_though_webpki_does() {
    let unknown = |issuing: &mut CertificateTemplate| {
        set_extension(issuing, Extension::new("1.2.3.4.5", true, &[5, 0]));
    };
    let pki = TestPki::with_templates(KeySpec::Ec256, NOW, unknown, leaf()).unwrap();
    pki.chain.verify(Purpose::CodeSigning).unwrap();
    let issuing = CertificateDer::from(pki.chain.certificates()[1].as_der());
    let refused = webpki::EndEntityCert::try_from(&issuing).err();
    assert_eq!(refused, Some(webpki::Error::UnsupportedCriticalExtension));
}

#[test]
fn an_honoured_extension_that_is_broken_makes_no_certificate() {
    let (_, key) = FileKey::generate(KeySpec::Ec256).unwrap();
    for (oid, value) in [
        ("2.5.29.19", &[][..]),
        ("2.5.29.19", &[0x30, 3, 1, 1]),
        ("2.5.29.19", &[0x30, 0, 0]),
        ("2.5.29.15", &[]),
        ("2.5.29.15", &[4, 2, 7, 0x80]),
        ("2.5.29.15", &[3, 2, 7, 0x80, 0]),
        ("2.5.29.37", &[]),
        ("2.5.29.37", &[0x30, 2, 6]),
        ("2.5.29.37", &[0x30, 3, 2, 1, 1]),
    ] {
        let mut template = leaf();
        set_extension(&mut template, Extension::new(oid, true, value));
        let Err(error) = ready(template.issue(&key, Issuer::Itself)) else {
            panic!("{oid} with {value:?} is taken");
        };
        let wanted = format!("extension {oid} is not valid DER");
        assert!(text(&error).contains(&wanted), "{value:?}: {error:?}");
    }
    for oid in ["1.2.3.4.5", "2.5.29.37"] {
        let mut template = leaf();
        template.extensions.retain(|extension| extension.oid != oid);
        for critical in [false, true] {
            let purposes = [0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 3];
            template.extensions.push(Extension::new(oid, critical, &purposes));
        }
        let error = text(&ready(template.issue(&key, Issuer::Itself)).unwrap_err());
        assert!(error.contains(&format!("extension {oid} is repeated")), "{error}");
    }
}

#[test]
fn no_bit_of_a_certificate_can_be_changed() {
    let certificates = pki().chain.certificates();
    let der = certificates[0].as_der();
    let mut read = 0;
    for i in 0..der.len() * 8 {
        let mut changed = der.to_vec();
        changed[i / 8] ^= 1 << (i % 8);
        let Ok(certificate) = Certificate::from_der(&changed) else { continue };
        read += 1;
        let changed = chain([certificate, certificates[1].clone(), certificates[2].clone()]);
        assert!(changed.verify(Purpose::CodeSigning).is_err(), "bit {i}");
    }
    assert!(read > 1000, "{read}");
}

#[test]
fn a_certificate_is_read_in_one_encoding_only() {
    let der = pki().chain.leaf().as_der();
    assert_eq!(der[..2], [0x30, 0x82]);
    let refused = |bytes: &[u8]| Certificate::from_der(bytes).unwrap_err().to_string();
    let long = [&[0x30, 0x83, 0], &der[2..]].concat();
    assert_eq!(refused(&long), "certificate is not valid DER");
    let indefinite = [&[0x30, 0x80], &der[4..], &[0, 0]].concat();
    assert_eq!(refused(&indefinite), "certificate is not valid DER");
    assert_eq!(refused(&[der, &[0]].concat()), "1 bytes follow the certificate");
    for length in 0..der.len() {
        assert_eq!(refused(&der[..length]), "certificate is not valid DER");
    }
    assert_eq!(
        refused(&vec![0x30; 64 * 1024 + 1]),
        "certificate of 65537 bytes is over the limit of 65536 bytes"
    );
}

#[test]
fn a_pem_block_is_never_passed_over() {
    let good = pem();
    assert_eq!(parse_bundle(good.as_bytes()).unwrap().len(), 3);
    let around = format!("Bag Attributes\n    friendlyName: x\n{good}\nthe end\n");
    assert_eq!(parse_bundle(around.as_bytes()).unwrap().len(), 3);
    let windows = format!("\u{feff}{}", good.replace('\n', "\r\n"));
    refused(windows.as_bytes(), "3 PEM blocks, but 2 begin at the start of a line");
    refused(format!("  {good}").as_bytes(), "3 PEM blocks, but 2 begin at the start of a line");
    refused(format!("subject= {good}").as_bytes(), "3 PEM blocks, but 2 begin");
    let indented = good.replace("\n-----BEGIN", "\n  -----BEGIN");
    refused(indented.as_bytes(), "3 PEM blocks, but 1 begin at the start of a line");
    let on_one_line = good.replacen("-----\n-----BEGIN", "----------BEGIN", 1);
    assert_ne!(on_one_line, good);
    refused(on_one_line.as_bytes(), "PEM blocks, but");
}

#[test]
fn a_broken_pem_file_is_refused() {
    let good = pem();
    let cut = good.trim_end().rfind("-----END").unwrap();
    refused(&good.as_bytes()[..cut], "PEM block 3 is broken");
    refused(good.replacen("-----END CERTIFICATE-----\n", "", 1).as_bytes(), "is broken");
    refused(good.replacen("MII", "MI!", 1).as_bytes(), "is broken");
    for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        let block = format!("{good}-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        refused(block.as_bytes(), &format!("private key ({label:?}) among the certificates"));
    }
    refused(
        good.replacen("BEGIN CERTIFICATE-", "BEGIN X509 CRL-", 1).as_bytes(),
        "PEM block \"X509 CRL\" is not a certificate",
    );
    refused(pem().repeat(22).as_bytes(), "more than 64 certificates");
}

#[test]
fn a_broken_pkcs7_bundle_is_refused() {
    let Some(openssl) = Openssl::or_skip() else { return };
    fs::write(openssl.path("chain.pem"), pem()).unwrap();
    openssl
        .run("crl2pkcs7 -nocrl -certfile chain.pem -outform DER -out bundle.p7c")
        .expect_status(0);
    let good = fs::read(openssl.path("bundle.p7c")).unwrap();
    assert_eq!(parse_bundle(&good).unwrap().len(), 3);
    for length in (1..good.len()).step_by(7) {
        assert!(parse_bundle(&good[..length]).is_err(), "{length}");
    }
    refused(&[&good[..], &[0]].concat(), "PKCS#7 bundle is not DER SignedData");
    // pkcs7-data instead of signedData.
    let at =
        good.windows(9).position(|oid| oid == b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02").unwrap();
    let mut data = good;
    data[at + 8] = 1;
    refused(&data, "PKCS#7 bundle is not DER SignedData");
    openssl.run("crl2pkcs7 -nocrl -outform DER -out empty.p7c").expect_status(0);
    refused(&fs::read(openssl.path("empty.p7c")).unwrap(), "no certificate");
}

#[test]
fn authorities_that_issue_each_other_lead_to_no_root_and_to_an_end() {
    let keys: Vec<FileKey> = (0..3).map(|_| FileKey::generate(KeySpec::Ec256).unwrap().1).collect();
    let ca = |common_name: &str| CertificateTemplate::ca(name(common_name), validity(NOW), 9);
    let roots: Vec<Certificate> = ["a", "b", "c"]
        .iter()
        .zip(&keys)
        .map(|(common_name, key)| ready(ca(common_name).issue(key, Issuer::Itself)).unwrap())
        .collect();
    let mut bundle = vec![];
    for (i, common_name) in ["a", "b", "c"].iter().enumerate() {
        for j in (0..3).filter(|&j| j != i) {
            let issuer = Issuer::Ca(&roots[j], &keys[j]);
            bundle.push(ready(ca(common_name).issue(&keys[i], issuer)).unwrap());
        }
    }
    let (_, leaf_key) = FileKey::generate(KeySpec::Ec256).unwrap();
    let signer = ready(leaf().issue(&leaf_key, Issuer::Ca(&roots[0], &keys[0]))).unwrap();
    bundle.push(signer.clone());
    let error = CertificateChain::repair(bundle.clone()).unwrap_err();
    assert!(matches!(error, ChainError::RootMissing { .. }), "{error}");
    // With one root among them there is a way.
    bundle.push(roots[2].clone());
    let found = CertificateChain::repair(bundle).unwrap().chain;
    found.verify(Purpose::CodeSigning).unwrap();
    assert_eq!((found.leaf(), found.root()), (&signer, &roots[2]));
}

#[test]
fn a_self_signed_certificate_inside_of_a_chain_is_refused() {
    let [leaf, issuing, root] =
        <[Certificate; 3]>::try_from(pki().chain.certificates().to_vec()).unwrap();
    let twice = chain([leaf.clone(), issuing.clone(), issuing, root.clone()]);
    assert!(matches!(twice.verify(Purpose::CodeSigning), Err(ChainError::NotIssuedByNext { .. })));
    let inside = chain([leaf, pki().chain.certificates()[1].clone(), root.clone(), root]);
    let rules: Vec<Rule> =
        inside.violations(Purpose::CodeSigning).iter().map(|v| v.rule().clone()).collect();
    assert_eq!(rules, [Rule::PathLengthExceeded { allowed: 1, found: 2 }]);
    assert!(matches!(inside.verify_links(), Err(ChainError::SelfSignedInside { .. })));
}

#[test]
fn characters_that_cannot_be_seen_are_written_as_hex() {
    for (hidden, hex) in
        [("\u{ad}", "\\C2\\AD"), ("\u{61c}", "\\D8\\9C"), ("\u{180e}", "\\E1\\A0\\8E")]
    {
        let name: Name = format!("CN=sig{hidden}ner,O=Acme").parse().unwrap();
        assert_eq!(name.to_string(), format!("CN=sig{hex}ner,O=Acme"));
        assert_eq!(name.to_string().parse::<Name>(), Ok(name));
    }
}

#[test]
fn spaces_of_other_alphabets_belong_to_the_value() {
    for space in ["\u{a0}", "\u{2003}", "\u{3000}"] {
        let written = format!("CN={space}signer{space},O=Acme");
        let name: Name = written.parse().unwrap();
        assert_eq!(name.value("CN"), Some(format!("{space}signer{space}")));
        assert_eq!(name.to_string().parse::<Name>(), Ok(name));
    }
}

#[test]
fn a_value_of_another_class_is_no_text() {
    // UTF8String, [12], [APPLICATION 12], UniversalString
    for (tag, text) in [
        (0x0c, "O=Acme"),
        (0x8c, "O=#8c0441636d65"),
        (0x4c, "O=#4c0441636d65"),
        (0x1c, "O=#1c0441636d65"),
    ] {
        let mut der = "O=Acme".parse::<Name>().unwrap().as_der().to_vec();
        let at = der.len() - 6;
        assert_eq!(der[at], 0x0c);
        der[at] = tag;
        let name = Name::from_der(&der).unwrap();
        assert_eq!(name.to_string(), text);
        assert_eq!(name.value("O"), Some("Acme".to_owned()).filter(|_| tag == 0x0c));
    }
    for text in ["O=#5c0161", "O=#0c00"] {
        assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
    }
}

#[test]
fn a_type_whose_numbers_are_too_large_is_refused() {
    for kind in ["1.2.4294967296", "1.2.99999999999999999999", "999999999999999999", "1.2.", "1"] {
        let error = format!("{kind}=#0500").parse::<Name>().unwrap_err();
        assert!(error.to_string().starts_with(&format!("attribute type {kind:?} is not known")));
    }
    let largest = "1.2.4294967295=#0500";
    assert_eq!(largest.parse::<Name>().unwrap().to_string(), largest);
}

proptest! {
    #[test]
    fn a_chain_is_repaired_from_any_order(seed in any::<u64>()) {
        let mut bundle = pki().chain.certificates().to_vec();
        let (first, second) = (seed % 3, seed / 3 % 2);
        bundle.swap(0, usize::try_from(first).unwrap());
        bundle.swap(1, 1 + usize::try_from(second).unwrap());
        prop_assert_eq!(&CertificateChain::repair(bundle).unwrap().chain, &pki().chain);
    }

    #[test]
    fn mutated_pem_never_panics(
        edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..6),
        cut in any::<u16>(),
    ) {
        let mut bytes = pem().into_bytes();
        for (at, value) in edits {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(usize::from(cut) % (bytes.len() * 2));
        if let Ok(bundle) = parse_bundle(&bytes) {
            assert!(!bundle.is_empty());
            let _ = CertificateChain::repair(bundle);
        }
    }

    #[test]
    fn every_value_of_a_name_comes_back(value in "\\PC{1,12}", kind in "CN|OU|O|L|ST|STREET|UID|title") {
        let hex: String = value.bytes().map(|byte| format!("\\{byte:02X}")).collect();
        let name: Name = format!("{kind}={hex},O=Acme").parse().unwrap();
        prop_assert_eq!(name.value(&kind), Some(value).filter(|_| kind != "O").or_else(|| name.value("O")));
        prop_assert_eq!(name.to_string().parse::<Name>(), Ok(name.clone()));
        prop_assert_eq!(Name::from_der(name.as_der()), Ok(name));
    }

    #[test]
    fn whatever_reads_as_a_name_reads_again(text in "[A-Za-z0-9=,+#\\\\\" ;<>.\u{a0}é]{0,40}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(Name::from_der(name.as_der()), Ok(name.clone()));
            prop_assert_eq!(name.to_string().parse::<Name>().map(|name| name.to_string()), Ok(name.to_string()));
        }
    }

    #[test]
    fn bytes_that_are_no_name_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), at in any::<u8>(), value in any::<u8>()) {
        let _ = Name::from_der(&bytes).map(|name| name.to_string());
        let mut der = name("leaf").as_der().to_vec();
        let at = usize::from(at) % der.len();
        der[at] = value;
        if let Ok(name) = Name::from_der(&der) {
            let _ = (name.to_string(), name.reversed(), name.value("CN"));
        }
    }
}
