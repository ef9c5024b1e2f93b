//! notation-core-go's conformance data, held against what its own tests expect of it; testdata/notation-core-go
//! says where the expectations differ, and by which clause.

use std::{fs, path::Path};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use ciborium::value::Value as Cbor;
use coset::{CoseSign1, Label, TaggedCborSerializable};
use notation_sdk::{
    Envelope, EnvelopeFormat,
    algorithm::{HashAlgorithm, KeySpec},
    envelope::{AttributeValue, SignedContent},
    keys::SigningKey,
    oci::Digest,
    testing::{TestPki, ready},
    x509::{Certificate, CertificateChain, Purpose, parse_bundle},
};
use serde_json::{Value, json};
use time::{UtcDateTime, macros::utc_datetime};

use crate::envelopes::refused;

/// When the certificates of the envelopes are valid.
const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
/// Label of `x5chain` (RFC 9360).
const X5CHAIN: Label = Label::Int(33);

fn read(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/notation-core-go");
    fs::read(folder.join(file)).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}

/// A signature as that of notation-core-go's tests: over its bytes, with a key made on the spot.
fn signature(pki: &TestPki, spec: KeySpec, hash: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    let digest = unhex(Digest::of(hash, message).hex());
    ready(pki.leaf_key.sign(spec.signature_algorithm(), &digest)).unwrap()
}

/// The protected header and the payload as they are, signed by `pki`.
fn signed_jws(pki: &TestPki) -> Vec<u8> {
    let mut envelope: Value =
        serde_json::from_slice(&read("signature/jws/conformance.json")).unwrap();
    let text = |member: &str| envelope[member].as_str().unwrap().to_owned();
    let input = format!("{}.{}", text("protected"), text("payload"));
    let signature = signature(pki, KeySpec::Ec256, HashAlgorithm::Sha256, input.as_bytes());
    envelope["signature"] = BASE64_URL_SAFE_NO_PAD.encode(signature).into();
    let encode = |certificate: &Certificate| BASE64_STANDARD.encode(certificate.as_der());
    let x5c: Vec<String> = pki.chain.certificates().iter().map(encode).collect();
    envelope["header"]["x5c"] = json!(x5c);
    envelope.to_string().into_bytes()
}

fn cose() -> Vec<u8> {
    let file: Value = serde_json::from_slice(&read("signature/cose/conformance.json")).unwrap();
    unhex(file["expectedOutput"]["cborHex"].as_str().unwrap())
}

/// The message as it is, signed by `pki`.
fn signed_cose(pki: &TestPki) -> Vec<u8> {
    let mut message = CoseSign1::from_tagged_slice(&cose()).unwrap();
    let to_sign = message.tbs_data(&[]);
    message.signature = signature(pki, KeySpec::Rsa3072, HashAlgorithm::Sha384, &to_sign);
    let encode = |certificate: &Certificate| Cbor::from(certificate.as_der());
    let chain = pki.chain.certificates().iter().map(encode).collect();
    message.unprotected.rest.push((X5CHAIN, Cbor::Array(chain)));
    message.to_tagged_vec().unwrap()
}

/// Extended attributes: name, value, critical.
fn extended(content: &SignedContent) -> Vec<(&str, &str, bool)> {
    let attributes = content.attributes().extended.iter();
    attributes
        .map(|attribute| match &attribute.value {
            AttributeValue::Text(text) => (&*attribute.name, &**text, attribute.critical),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn the_jws_is_read_as_notation_core_go_reads_it() {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let envelope = Envelope::parse(EnvelopeFormat::Jws, &signed_jws(&pki)).unwrap();
    let content = envelope.dangerous_unverified();
    assert_eq!(content.payload_bytes(), br#"{"key":"hello JWS"}"#);
    let attributes = content.attributes();
    assert_eq!(attributes.signing_scheme.name(), "notary.x509");
    assert_eq!(attributes.signing_time, utc_datetime!(2022-08-29 13:50:00));
    assert_eq!(attributes.expiry, Some(utc_datetime!(2099-08-30 13:50:00)));
    let mut found = extended(content);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("signedCritKey1", "signedCritValue1", true),
            ("signedKey1", "signedValue1", false),
            ("signedKey2", "signedValue1", false),
            ("signedKey3", "signedValue1", false),
            ("signedKey4", "signedValue1", false),
        ]
    );
    let agent = content.unsigned_attributes().signing_agent.as_deref();
    assert_eq!(agent, Some("NotationConformanceTest/1.0.0"));
    assert_eq!(content.certificate_chain(), &pki.chain);
}

#[test]
fn the_cose_message_is_read_as_notation_core_go_reads_it() {
    let pki = TestPki::new(KeySpec::Rsa3072, NOW).unwrap();
    let envelope = Envelope::parse(EnvelopeFormat::Cose, &signed_cose(&pki)).unwrap();
    let content = envelope.dangerous_unverified();
    assert_eq!(content.payload_bytes(), b"hello COSE");
    let attributes = content.attributes();
    assert_eq!(attributes.signing_scheme.name(), "notary.x509");
    assert_eq!(attributes.signing_time.unix_timestamp(), 1_661_321_924);
    assert_eq!(attributes.expiry.unwrap().unix_timestamp(), 1_661_408_324);
    let mut found = extended(content);
    found.sort_unstable();
    let expected =
        [("signedCritKey1", "signedCritValue1", true), ("signedKey1", "signedValue1", false)];
    assert_eq!(found, expected);
    let agent = content.unsigned_attributes().signing_agent.as_deref();
    assert_eq!(agent, Some("NotationConformanceTest/1.0.0"));
    assert_eq!(content.certificate_chain(), &pki.chain);
}

#[test]
fn what_only_notation_core_go_verifies_is_refused_by_its_clause() {
    let ec = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let rsa = TestPki::new(KeySpec::Rsa3072, NOW).unwrap();
    let critical = "critical attribute \"signedCritKey1\" is unknown";
    refused(EnvelopeFormat::Jws, &signed_jws(&ec), critical);
    refused(EnvelopeFormat::Cose, &signed_cose(&rsa), critical);
}

#[test]
fn without_certificates_neither_envelope_is_one() {
    let missing = "certificate chain is missing or empty";
    refused(EnvelopeFormat::Jws, &read("signature/jws/conformance.json"), missing);
    refused(EnvelopeFormat::Cose, &cose(), missing);
}

#[test]
fn certificate_files_hold_as_many_certificates_as_notation_core_go_finds() {
    for (file, certificates) in
        [("pem.crt", 1), ("multi-pem.crt", 2), ("der.der", 1), ("multi-der.der", 2)]
    {
        let read = parse_bundle(&read(&format!("x509/{file}"))).unwrap();
        assert_eq!(read.len(), certificates, "{file}");
    }
    assert!(parse_bundle(&read("x509/invalid")).is_err());
}

#[test]
fn certificates_meet_the_requirements_where_they_do_for_notation_core_go() {
    let chain = |files: &[&str]| {
        let certificates =
            files.iter().flat_map(|file| parse_bundle(&read(&format!("x509/{file}"))).unwrap());
        CertificateChain::from_ordered(certificates.collect()).unwrap()
    };
    let minimum = chain(&["openssl-minimum-self-signed.pem"]);
    minimum.verify(Purpose::CodeSigning).unwrap();
    assert!(minimum.verify(Purpose::Timestamping).is_err());

    let [leaf, intermediate, root] =
        ["timestamp_leaf.crt", "timestamp_intermediate.crt", "timestamp_root.crt"];
    let whole = chain(&[leaf, intermediate, root]);
    whole.verify(Purpose::Timestamping).unwrap();
    assert!(whole.verify(Purpose::CodeSigning).is_err());
    for broken in [
        &[leaf][..],
        &[leaf, intermediate],
        &[leaf, root],
        &[root, intermediate, leaf],
        &[leaf, intermediate, root, root],
    ] {
        assert!(chain(broken).verify(Purpose::Timestamping).is_err(), "{broken:?}");
    }
}
