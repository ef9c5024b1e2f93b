//! Envelopes: what is written is read back, and whatever two parsers could read differently is refused.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use ciborium::value::Value as Cbor;
use coset::{CborSerializable, CoseSign1, Label, ProtectedHeader, TaggedCborSerializable};
use notation_sdk::{
    Envelope, EnvelopeError, EnvelopeFormat, Payload, SignRequest, SignedAttributes, SignedContent,
    SigningScheme,
    algorithm::{HashAlgorithm, KeySpec},
    keys::SigningKey,
    oci::{Descriptor, Digest},
    sign_envelope,
    testing::{CountingKey, TestPki, ready},
};
use serde_json::{Value, json};
use time::{Duration, UtcDateTime, macros::utc_datetime};

pub(crate) const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
pub(crate) const SCHEME: &str = "io.cncf.notary.signingScheme";
pub(crate) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
pub(crate) const AUTHENTIC_TIME: &str = "io.cncf.notary.authenticSigningTime";
pub(crate) const EXPIRY: &str = "io.cncf.notary.expiry";
pub(crate) const PLUGIN: &str = "io.cncf.notary.verificationPlugin";

pub(crate) fn pki() -> &'static TestPki {
    static PKI: std::sync::OnceLock<TestPki> = std::sync::OnceLock::new();
    PKI.get_or_init(|| TestPki::new(KeySpec::Ec256, NOW).unwrap())
}

pub(crate) fn payload() -> Vec<u8> {
    let digest = Digest::of(HashAlgorithm::Sha256, b"artifact");
    Payload::new(Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest, 8)).to_json()
}

pub(crate) fn sign(format: EnvelopeFormat, attributes: SignedAttributes) -> Vec<u8> {
    let payload = payload();
    let request = SignRequest::new(format, &payload, attributes);
    ready(sign_envelope(&pki().leaf_key, &pki().chain, &request)).unwrap()
}

pub(crate) fn judge(format: EnvelopeFormat, bytes: &[u8]) -> Result<SignedContent, String> {
    let text = |error: EnvelopeError| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(current) = cause {
            text = format!("{text}: {current}");
            cause = current.source();
        }
        text
    };
    Envelope::parse(format, bytes).and_then(Envelope::verify).map_err(text)
}

#[track_caller]
pub(crate) fn refused(format: EnvelopeFormat, bytes: &[u8], part: &str) {
    match judge(format, bytes) {
        Ok(_) => panic!("accepted, and should be refused for {part:?}"),
        Err(error) => assert!(error.contains(part), "{error:?} does not say {part:?}"),
    }
}

pub(crate) fn raw_signature(message: &[u8]) -> Vec<u8> {
    let algorithm = KeySpec::Ec256.signature_algorithm();
    let digest = Digest::of(HashAlgorithm::Sha256, message);
    let digest: Vec<u8> =
        (0..32).map(|i| u8::from_str_radix(&digest.hex()[i * 2..i * 2 + 2], 16).unwrap()).collect();
    ready(pki().leaf_key.sign(algorithm, &digest)).unwrap()
}

/// A JWS whose signature is right, over whatever protected header and payload.
pub(crate) fn jws(protected: &str, payload: &[u8]) -> Value {
    let protected = BASE64_URL_SAFE_NO_PAD.encode(protected);
    let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
    let signature = raw_signature(format!("{protected}.{payload}").as_bytes());
    let x5c: Vec<String> =
        pki().chain.certificates().iter().map(|c| BASE64_STANDARD.encode(c.as_der())).collect();
    json!({
        "payload": payload,
        "protected": protected,
        "header": {"x5c": x5c},
        "signature": BASE64_URL_SAFE_NO_PAD.encode(signature),
    })
}

pub(crate) fn protected() -> Value {
    json!({
        "alg": "ES256",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": [SCHEME],
        SCHEME: "notary.x509",
        SIGNING_TIME: "2026-11-23T12:00:00Z",
    })
}

/// A good JWS whose protected header was changed before it was signed.
pub(crate) fn with_protected(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut header = protected();
    change(&mut header);
    jws(&header.to_string(), &payload()).to_string().into_bytes()
}

#[test]
fn every_key_spec_format_and_scheme_is_written_and_read_back() {
    for spec in KeySpec::ALL {
        let pki = TestPki::new(spec, NOW).unwrap();
        let key = CountingKey::new(pki.leaf_key);
        for format in [EnvelopeFormat::Jws, EnvelopeFormat::Cose] {
            for scheme in [SigningScheme::X509, SigningScheme::X509SigningAuthority] {
                let mut attributes = SignedAttributes::new(NOW);
                attributes.signing_scheme = scheme;
                attributes.expiry = Some(NOW + Duration::days(1));
                let payload = payload();
                let mut request = SignRequest::new(format, &payload, attributes.clone());
                request.signing_agent = Some("test/1".to_owned());
                let before = key.signatures();
                let envelope = ready(sign_envelope(&key, &pki.chain, &request)).unwrap();
                assert_eq!((key.signatures() - before, key.public_keys()), (1, 0));
                let content = judge(format, &envelope).unwrap();
                assert_eq!(content.attributes(), &attributes);
                assert_eq!(content.payload_bytes(), payload);
                assert_eq!(content.certificate_chain(), &pki.chain);
                assert_eq!(content.signature().len(), spec.signature_len());
                let agent = content.unsigned_attributes().signing_agent.as_deref();
                assert_eq!(agent, Some("test/1"));
            }
        }
    }
}

#[test]
fn the_jws_made_by_hand_is_good_until_something_is_changed() {
    judge(EnvelopeFormat::Jws, &with_protected(|_| {})).unwrap();
}

#[test]
fn protected_headers_of_a_jws_are_held_to_the_specification() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 23] = [
        (|h| h["alg"] = json!("none"), "algorithm \"none\" is none of the specification's six"),
        (|h| h["alg"] = json!("PS256"), "does not belong to the leaf's key, EC-256"),
        (|h| drop(h.as_object_mut().unwrap().remove("alg")), "header alg is missing"),
        (|h| h["alg"] = json!(1), "header alg is not a string"),
        (|h| h["cty"] = json!("text/plain"), "content type \"text/plain\" is not"),
        (|h| drop(h.as_object_mut().unwrap().remove("cty")), "header cty is missing"),
        (|h| drop(h.as_object_mut().unwrap().remove("crit")), "header crit is missing"),
        (|h| h["crit"] = json!("x"), "header crit is not an array of strings"),
        (|h| h["crit"] = json!([]), "header io.cncf.notary.signingScheme is not listed in crit"),
        (
            |h| h["crit"] = json!([SCHEME, "alg"]),
            "crit lists alg, a header of the envelope's own standard",
        ),
        (
            |h| h["crit"] = json!([SCHEME, "absent"]),
            "crit lists \"absent\", which is not a protected header",
        ),
        (
            |h| drop(h.as_object_mut().unwrap().remove(SCHEME)),
            "header io.cncf.notary.signingScheme is missing",
        ),
        (|h| h[SCHEME] = json!("notary.x509.foo"), "signing scheme \"notary.x509.foo\" is neither"),
        (
            |h| drop(h.as_object_mut().unwrap().remove(SIGNING_TIME)),
            "header io.cncf.notary.signingTime is missing",
        ),
        (
            |h| h[SIGNING_TIME] = json!("yesterday"),
            "signingTime is not a date and time of RFC 3339",
        ),
        (
            |h| h[AUTHENTIC_TIME] = json!("2026-11-23T12:00:00Z"),
            "authenticSigningTime is not valid under signing scheme notary.x509",
        ),
        (
            |h| h[EXPIRY] = json!("2027-11-23T12:00:00Z"),
            "header io.cncf.notary.expiry is not listed in crit",
        ),
        (
            |h| {
                h[EXPIRY] = json!("2026-11-23T12:00:00Z");
                h["crit"] = json!([SCHEME, EXPIRY]);
            },
            "expiry 2026-11-23T12:00:00Z is not after the signing time",
        ),
        (
            |h| {
                h["com.example.attribute"] = json!("x");
                h["crit"] = json!([SCHEME, "com.example.attribute"]);
            },
            "critical attribute \"com.example.attribute\" is unknown",
        ),
        (
            |h| h[PLUGIN] = json!("com.example"),
            "header io.cncf.notary.verificationPlugin is not listed in crit",
        ),
        (|h| h["ALG"] = json!("none"), "header \"ALG\" differs from \"alg\" in case alone"),
        (
            |h| h[SCHEME.replace('S', "\u{17f}")] = json!("x"),
            "differs from \"io.cncf.notary.signingScheme\" in case alone",
        ),
        (|h| h["x5c"] = json!([]), "header \"x5c\" is both protected and unprotected"),
    ];
    for (change, part) in cases {
        refused(EnvelopeFormat::Jws, &with_protected(change), part);
    }
}

#[test]
fn unknown_attributes_are_taken_where_they_are_not_critical_or_a_plugin_is_named() {
    let content = judge(EnvelopeFormat::Jws, &with_protected(|h| h["jku"] = json!("x"))).unwrap();
    assert!(!content.attributes().extended[0].critical);
    let named = with_protected(|h| {
        h["com.example.attribute"] = json!(1);
        h[PLUGIN] = json!("com.example");
        h["crit"] = json!([SCHEME, PLUGIN, "com.example.attribute"]);
    });
    let content = judge(EnvelopeFormat::Jws, &named).unwrap();
    assert_eq!(content.attributes().verification_plugin.as_deref(), Some("com.example"));
    assert!(content.attributes().extended[0].critical);
}

#[test]
fn a_member_that_occurs_twice_is_refused_wherever_it_stands() {
    let header = protected().to_string();
    let twice = header.replacen('{', r#"{"cty":"application/vnd.cncf.notary.payload.v1+json","#, 1);
    refused(
        EnvelopeFormat::Jws,
        jws(&twice, &payload()).to_string().as_bytes(),
        "\"cty\" occurs twice",
    );

    let good = jws(&header, &payload()).to_string();
    let top = good.replacen('{', r#"{"signature":"AA","#, 1);
    refused(EnvelopeFormat::Jws, top.as_bytes(), "duplicate field `signature`");
    let unprotected = good.replacen(r#""x5c":"#, r#""x5c":[],"x5c":"#, 1);
    refused(EnvelopeFormat::Jws, unprotected.as_bytes(), "\"x5c\" occurs twice");

    let text = String::from_utf8(payload()).unwrap();
    let twice = text.replacen(r#""size":8"#, r#""size":8,"size":9"#, 1);
    let twice = jws(&header, twice.as_bytes()).to_string();
    refused(EnvelopeFormat::Jws, twice.as_bytes(), "\"size\" occurs twice");
}

#[test]
fn the_form_of_a_jws_is_the_flattened_one_and_nothing_else() {
    let good = jws(&protected().to_string(), &payload());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut envelope = good.clone();
        change(&mut envelope);
        envelope.to_string().into_bytes()
    };
    let cases: [(Vec<u8>, &str); 10] = [
        (changed(&|e| e["extra"] = json!(1)), "unknown field `extra`"),
        (changed(&|e| drop(e.as_object_mut().unwrap().remove("header"))), "missing field `header`"),
        (changed(&|e| e["payload"] = json!("")), "payload is missing or empty"),
        (changed(&|e| e["signature"] = json!("")), "signature is missing or empty"),
        (changed(&|e| e["header"]["x5c"] = json!([])), "certificate chain is missing or empty"),
        (
            changed(&|e| e["header"]["x5c"][0] = json!("AAAA")),
            "certificate 1 of the chain cannot be read",
        ),
        (format!("[{good}]").into_bytes(), "a JSON object"),
        (format!("{good}{{}}").into_bytes(), "trailing characters"),
        (good.to_string().into_bytes()[..100].to_vec(), "EOF"),
        (vec![b' '; 4 * 1024 * 1024 + 1], "over the limit of 4194304 bytes"),
    ];
    for (bytes, part) in cases {
        refused(EnvelopeFormat::Jws, &bytes, part);
    }
    let padded = BASE64_URL_SAFE.encode(b"{\"padded\": 1}");
    assert!(padded.ends_with('='));
    refused(
        EnvelopeFormat::Jws,
        &changed(&|e| e["payload"] = json!(padded)),
        "payload is not base64url without padding",
    );
}

/// A good COSE message, to be changed and signed again.
pub(crate) fn cose(change: impl FnOnce(&mut CoseSign1)) -> Vec<u8> {
    let mut message =
        CoseSign1::from_tagged_slice(&sign(EnvelopeFormat::Cose, SignedAttributes::new(NOW)))
            .unwrap();
    message.protected = ProtectedHeader { original_data: None, header: message.protected.header };
    change(&mut message);
    message.signature = raw_signature(&message.tbs_data(&[]));
    message.to_tagged_vec().unwrap()
}

pub(crate) fn set(message: &mut CoseSign1, name: &str, value: Cbor) {
    let rest = &mut message.protected.header.rest;
    rest.retain(|(label, _)| *label != Label::Text(name.to_owned()));
    rest.push((Label::Text(name.to_owned()), value));
}

#[test]
fn headers_of_a_cose_message_are_held_to_the_specification() {
    type Change = fn(&mut CoseSign1);
    let time = |seconds: i64| Cbor::Tag(1, Box::new(seconds.into()));
    judge(EnvelopeFormat::Cose, &cose(|_| {})).unwrap();
    let cases: [(Change, &str); 8] = [
        (
            |m| set(m, SIGNING_TIME, Cbor::from(1_795_435_200)),
            "signingTime is not an epoch-based date and time with tag 1",
        ),
        (|m| set(m, SCHEME, Cbor::from("x")), "signing scheme \"x\" is neither"),
        (|m| m.protected.header.crit.clear(), "header crit (2) is missing"),
        (
            |m| {
                m.protected.header.crit.push(coset::RegisteredLabelWithPrivate::Assigned(
                    coset::iana::HeaderParameter::ContentType,
                ));
            },
            "crit lists 3, a header of the envelope's own standard",
        ),
        (
            |m| m.unprotected.content_type = m.protected.header.content_type.clone(),
            "header \"3\" is both protected and unprotected",
        ),
        (|m| m.payload = None, "payload is missing or empty"),
        (|m| m.protected.header.content_type = None, "header content type (3) is missing"),
        (
            |m| m.unprotected.rest[0].1 = Cbor::Bytes(vec![1]),
            "x5chain (33) is not an array of byte strings",
        ),
    ];
    for (change, part) in cases {
        refused(EnvelopeFormat::Cose, &cose(change), part);
    }
    let fraction =
        cose(|m| set(m, SIGNING_TIME, Cbor::Tag(1, Box::new(Cbor::Float(1_795_435_200.5)))));
    let attributes = judge(EnvelopeFormat::Cose, &fraction).unwrap().attributes().clone();
    assert_eq!(attributes.signing_time.unix_timestamp(), 1_795_435_200);
    let critical = cose(|m| {
        set(m, EXPIRY, time(1_895_435_200));
        m.protected.header.crit.push(coset::RegisteredLabelWithPrivate::Text(EXPIRY.to_owned()));
        m.protected.header.crit.push(coset::RegisteredLabelWithPrivate::Text(EXPIRY.to_owned()));
    });
    assert!(judge(EnvelopeFormat::Cose, &critical).unwrap().attributes().expiry.is_some());
}

#[test]
fn certificates_may_stand_in_the_protected_bucket_and_in_one_bucket_only() {
    let protected = cose(|m| {
        let x5chain = m.unprotected.rest.remove(0);
        m.protected.header.rest.push(x5chain);
    });
    judge(EnvelopeFormat::Cose, &protected).unwrap();
    let list = |m: &mut CoseSign1| {
        let x5chain = coset::iana::HeaderParameter::X5Chain;
        m.protected.header.crit.push(coset::RegisteredLabelWithPrivate::Assigned(x5chain));
    };
    let critical = cose(|m| {
        let x5chain = m.unprotected.rest.remove(0);
        m.protected.header.rest.push(x5chain);
        list(m);
    });
    judge(EnvelopeFormat::Cose, &critical).unwrap();
    let wanted = "crit lists \"33\", which is not a protected header";
    refused(EnvelopeFormat::Cose, &cose(list), wanted);
    let both = cose(|m| {
        let x5chain = m.unprotected.rest[0].clone();
        m.protected.header.rest.push(x5chain);
    });
    refused(EnvelopeFormat::Cose, &both, "header \"33\" is both protected and unprotected");
}

#[test]
fn a_cose_message_without_its_tag_with_more_behind_it_or_with_foreign_data_is_refused() {
    let good = sign(EnvelopeFormat::Cose, SignedAttributes::new(NOW));
    let message = CoseSign1::from_tagged_slice(&good).unwrap();
    refused(
        EnvelopeFormat::Cose,
        &message.clone().to_vec().unwrap(),
        "not one COSE_Sign1 with tag 18",
    );
    refused(EnvelopeFormat::Cose, &[&good[..], &[0]].concat(), "not one COSE_Sign1 with tag 18");
    refused(EnvelopeFormat::Cose, &good[..good.len() - 1], "not one COSE_Sign1 with tag 18");
    let mut foreign = message;
    foreign.signature = raw_signature(&foreign.tbs_data(b"external"));
    refused(EnvelopeFormat::Cose, &foreign.to_tagged_vec().unwrap(), "signature does not verify");
}

#[test]
fn a_changed_byte_never_gives_other_content() {
    for format in [EnvelopeFormat::Jws, EnvelopeFormat::Cose] {
        let good = sign(format, SignedAttributes::new(NOW));
        let content = judge(format, &good).unwrap();
        let signed = |content: &SignedContent| {
            (
                content.payload_bytes().to_vec(),
                content.attributes().clone(),
                content.certificate_chain().clone(),
            )
        };
        for i in 0..good.len() {
            let mut changed = good.clone();
            changed[i] ^= 1;
            if let Ok(other) = judge(format, &changed) {
                assert_eq!(signed(&other), signed(&content), "byte {i}");
            }
        }
    }
}
