//! What this project writes is what notation-core-go's conformance data holds (testdata/notation-core-go).

use std::path::Path;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use time::{UtcDateTime, macros::utc_datetime};

use super::{AttributeValue, Draft, EnvelopeFormat, ExtendedAttribute, SignedAttributes};
use crate::{algorithm::KeySpec, fs, limits};

/// A file of `signature/`.
fn conformance(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/notation-core-go/signature");
    let file = folder.join(name).join("conformance.json");
    serde_json::from_slice(&fs::read_bounded(&file, limits::ENVELOPE_BYTES).unwrap()).unwrap()
}

fn attributes(
    signing_time: UtcDateTime,
    expiry: UtcDateTime,
    extended: &[(&str, &str, bool)],
) -> SignedAttributes {
    let mut attributes = SignedAttributes::new(signing_time);
    attributes.expiry = Some(expiry);
    attributes.extended = extended
        .iter()
        .map(|&(name, value, critical)| {
            ExtendedAttribute::new(name, AttributeValue::Text(value.to_owned()), critical)
        })
        .collect();
    attributes
}

fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[test]
fn a_jws_is_written_as_notation_core_go_writes_it_but_for_the_order_in_crit() {
    let theirs = conformance("jws");
    let attributes = attributes(
        utc_datetime!(2022-08-29 13:50:00),
        utc_datetime!(2099-08-30 13:50:00),
        &[
            ("signedCritKey1", "signedCritValue1", true),
            ("signedKey1", "signedValue1", false),
            ("signedKey2", "signedValue1", false),
            ("signedKey3", "signedValue1", false),
            ("signedKey4", "signedValue1", false),
        ],
    );
    let payload = br#"{"key":"hello JWS"}"#;
    let draft = Draft::new(EnvelopeFormat::Jws, KeySpec::Ec256, payload, &attributes);
    let ours = String::from_utf8(draft.signing_input().unwrap()).unwrap();
    let (protected, payload) = ours.split_once('.').unwrap();
    assert_eq!(theirs["payload"], payload);

    let decoded =
        |text: &str| String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    let theirs_in_our_order = decoded(theirs["protected"].as_str().unwrap()).replace(
        r#""signedCritKey1","io.cncf.notary.expiry""#,
        r#""io.cncf.notary.expiry","signedCritKey1""#,
    );
    assert_eq!(decoded(protected), theirs_in_our_order);
}

#[test]
fn a_cose_message_is_written_as_notation_core_go_writes_it_byte_for_byte() {
    let theirs = conformance("cose");
    let time =
        |member: &str| UtcDateTime::from_unix_timestamp(theirs[member].as_i64().unwrap()).unwrap();
    let attributes = attributes(
        time("signingTime"),
        time("expiry"),
        &[("signedCritKey1", "signedCritValue1", true), ("signedKey1", "signedValue1", false)],
    );
    let payload = unhex(&theirs["payload"]);
    let draft = Draft::new(EnvelopeFormat::Cose, KeySpec::Rsa3072, &payload, &attributes);
    // Sig_structure (RFC 9052, section 4.4): what is signed holds the protected header as a byte string.
    let protected = unhex(&theirs["protectedHeaders"]["cborHex"]);
    let signed = ciborium::Value::Array(vec![
        "Signature1".into(),
        protected.into(),
        Vec::<u8>::new().into(),
        payload.clone().into(),
    ]);
    let mut expected = Vec::new();
    ciborium::into_writer(&signed, &mut expected).unwrap();
    assert_eq!(draft.signing_input().unwrap(), expected);
}
