//! Envelopes that somebody made to be read wrongly, or not at all.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};
use ciborium::value::Value as Cbor;
use coset::{CoseSign1, Label, RegisteredLabelWithPrivate, iana};
use notation_sdk::{
    EnvelopeError, EnvelopeFormat, SignError, SignRequest, SignedAttributes, SigningScheme,
    algorithm::KeySpec,
    envelope::{AttributeValue, ExtendedAttribute},
    keys::file::FileKey,
    sign_envelope,
    testing::{CountingKey, TestPki, ready},
};
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};
use time::Duration;

use crate::envelopes::{
    AUTHENTIC_TIME, EXPIRY, NOW, PLUGIN, SCHEME, SIGNING_TIME, cose, judge, jws, payload, pki,
    protected, refused, set, sign, with_protected,
};

const JWS: EnvelopeFormat = EnvelopeFormat::Jws;
const COSE: EnvelopeFormat = EnvelopeFormat::Cose;
const AGENT: &str = "io.cncf.notary.signingAgent";
const TIMESTAMP: &str = "io.cncf.notary.timestampSignature";
const MIN_VERSION: &str = "io.cncf.notary.verificationPluginMinVersion";

fn good_jws() -> Value {
    jws(&protected().to_string(), &payload())
}

fn with_unprotected(name: &str, value: Value) -> Vec<u8> {
    let mut envelope = good_jws();
    envelope["header"][name] = value;
    envelope.to_string().into_bytes()
}

fn with_member(mut object: Value, members: &Value) -> Value {
    object.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    object
}

/// Why attributes are not signed, after it is sure that the key was not asked.
fn unsigned(format: EnvelopeFormat, attributes: SignedAttributes) -> SignError {
    let key = CountingKey::new(FileKey::generate(KeySpec::Ec256).unwrap().1);
    let payload = payload();
    let request = SignRequest::new(format, &payload, attributes);
    let error = ready(sign_envelope(&key, &pki().chain, &request)).unwrap_err();
    assert_eq!(key.signatures(), 0, "{error}");
    error
}

#[test]
fn extended_attributes_are_signed_and_read_back() {
    let values = [
        AttributeValue::Text("text".to_owned()),
        AttributeValue::Integer(-1),
        AttributeValue::Number(1.5),
        AttributeValue::Boolean(true),
        AttributeValue::Null,
    ];
    for format in [JWS, COSE] {
        let mut attributes = SignedAttributes::new(NOW);
        attributes.verification_plugin = Some("com.example.plugin".to_owned());
        attributes.verification_plugin_min_version = Some("1.0.0".to_owned());
        for (i, value) in values.iter().enumerate() {
            let name = format!("com.example.{i}");
            attributes.extended.push(ExtendedAttribute::new(name, value.clone(), i % 2 == 0));
        }
        let content = judge(format, &sign(format, attributes.clone())).unwrap();
        assert_eq!(content.attributes(), &attributes);
    }
}

#[test]
fn what_would_not_verify_costs_no_signature() {
    let mut within_one_second = SignedAttributes::new(NOW);
    within_one_second.signing_time += Duration::milliseconds(200);
    within_one_second.expiry = Some(NOW + Duration::milliseconds(700));
    let mut no_number = SignedAttributes::new(NOW);
    let nan = AttributeValue::Number(f64::NAN);
    no_number.extended.push(ExtendedAttribute::new("com.example.attribute", nan, false));
    for format in [JWS, COSE] {
        let error = unsigned(format, within_one_second.clone());
        let expiry =
            matches!(error, SignError::Envelope(EnvelopeError::ExpiryBeforeSigning { .. }));
        assert!(expiry, "{error}");
        let error = unsigned(format, no_number.clone());
        let number = matches!(error, SignError::Envelope(EnvelopeError::BadHeader { .. }));
        assert!(number, "{error}");
    }
}

#[test]
fn a_time_that_no_calendar_has_is_refused() {
    for (name, time) in [
        (SIGNING_TIME, "9999-12-31T23:59:59-00:01"),
        (AUTHENTIC_TIME, "9999-12-31T23:59:59-23:59"),
        (EXPIRY, "9999-12-31T23:59:59-01:00"),
        (SIGNING_TIME, "2026-13-01T00:00:00Z"),
        (SIGNING_TIME, "2026-11-23 12:00:00"),
        (SIGNING_TIME, "2026-11-23T12:00:00"),
        (SIGNING_TIME, "2026-11-23 12:00:00Z"),
        (SIGNING_TIME, "2026-11-23_12:00:00Z"),
        (EXPIRY, "2026-11-30T23:59:60Z"),
    ] {
        let envelope = with_protected(|header| header[name] = json!(time));
        refused(JWS, &envelope, &format!("header {name} is not a date and time of RFC 3339"));
    }
    for time in [
        Cbor::from(i64::MAX),
        Cbor::from(u64::MAX),
        Cbor::from(f64::NAN),
        Cbor::from(f64::INFINITY),
        Cbor::from(1e300),
        Cbor::from("2026-11-23T12:00:00Z"),
    ] {
        let envelope = cose(|m| set(m, SIGNING_TIME, Cbor::Tag(1, Box::new(time))));
        refused(COSE, &envelope, "signingTime is not an epoch-based date and time with tag 1");
    }
    let zone = with_protected(|header| header[SIGNING_TIME] = json!("2026-11-23T13:00:00+01:00"));
    assert_eq!(judge(JWS, &zone).unwrap().attributes().signing_time, NOW);
}

#[test]
fn other_forms_of_a_jws_are_refused() {
    let good = good_jws();
    let part = |name: &str| good[name].as_str().unwrap();
    let compact = format!("{}.{}.{}", part("protected"), part("payload"), part("signature"));
    refused(JWS, compact.as_bytes(), "a JSON object");
    let general = json!({"payload": good["payload"], "signatures": [
        {"protected": good["protected"], "header": good["header"], "signature": good["signature"]},
    ]});
    refused(JWS, general.to_string().as_bytes(), "unknown field `signatures`");
    let array =
        json!([good["payload"], good["protected"], good["header"], good["signature"]]).to_string();
    refused(JWS, array.as_bytes(), "a JSON object");
    refused(JWS, format!(" \n{array}").as_bytes(), "a JSON object");
    for name in ["payload", "protected", "header", "signature"] {
        let mut null = good.clone();
        null[name] = Value::Null;
        assert!(judge(JWS, null.to_string().as_bytes()).is_err(), "{name}");
        let mut upper = good.clone();
        let value = upper.as_object_mut().unwrap().remove(name).unwrap();
        upper[name.to_uppercase()] = value;
        refused(JWS, upper.to_string().as_bytes(), "unknown field");
    }
    refused(JWS, jws("[]", &payload()).to_string().as_bytes(), "protected is not a JSON object");
    refused(JWS, jws("{}{}", &payload()).to_string().as_bytes(), "trailing characters");
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    refused(JWS, jws(&deep, &payload()).to_string().as_bytes(), "recursion limit");
    refused(JWS, "[".repeat(1 << 20).as_bytes(), "a JSON object");
    refused(JWS, format!("{{\"header\":{}", "[".repeat(1 << 20)).as_bytes(), "recursion limit");
}

#[test]
fn base64_is_read_in_one_way_only() {
    let changed = |name: &str, change: &dyn Fn(&str) -> String| {
        let mut envelope = good_jws();
        envelope[name] = json!(change(envelope[name].as_str().unwrap()));
        envelope.to_string().into_bytes()
    };
    for name in ["payload", "protected", "signature"] {
        let wanted = format!("{name} is not base64url without padding");
        refused(JWS, &changed(name, &|text| format!("{text}=")), &wanted);
        refused(JWS, &changed(name, &|text| format!("{text}\n")), &wanted);
        refused(JWS, &changed(name, &|text| text.replacen(&text[..1], "+", 1)), &wanted);
    }
    // A signature of 64 bytes ends in two bits that nobody reads.
    let stray = |text: &str| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        let last = char::from(text.as_bytes()[text.len() - 1]);
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let next = letters.find(last).unwrap() | 1;
        assert_eq!(bytes.len(), 64);
        format!("{}{}", &text[..text.len() - 1], &letters[next..=next])
    };
    refused(JWS, &changed("signature", &stray), "signature is not base64url without padding");
    let leaf = pki().chain.leaf().as_der();
    let mut url = good_jws();
    url["header"]["x5c"][0] = json!(BASE64_URL_SAFE.encode(leaf));
    refused(JWS, url.to_string().as_bytes(), "x5c is not base64");
    url["header"]["x5c"][0] = json!(format!(" {}", BASE64_STANDARD.encode(leaf)));
    refused(JWS, url.to_string().as_bytes(), "x5c is not base64");
}

#[test]
fn the_signing_authoritys_time_is_there_alone_and_critical() {
    let authority = |change: fn(&mut Value)| {
        with_protected(|header| {
            header[SCHEME] = json!(SigningScheme::X509SigningAuthority.name());
            let time = header.as_object_mut().unwrap().remove(SIGNING_TIME).unwrap();
            header[AUTHENTIC_TIME] = time;
            header["crit"] = json!([SCHEME, AUTHENTIC_TIME]);
            change(header);
        })
    };
    assert_eq!(judge(JWS, &authority(|_| {})).unwrap().attributes().signing_time, NOW);
    let wanted = format!("header {AUTHENTIC_TIME} is not listed in crit");
    refused(JWS, &authority(|header| header["crit"] = json!([SCHEME])), &wanted);
    let both = authority(|header| header[SIGNING_TIME] = header[AUTHENTIC_TIME].clone());
    refused(JWS, &both, "signingTime is not valid under signing scheme notary.x509.signingAuth");
    let missing = authority(|header| {
        header.as_object_mut().unwrap().remove(AUTHENTIC_TIME);
    });
    refused(JWS, &missing, &format!("header {AUTHENTIC_TIME} is missing"));
}

#[test]
fn a_verification_plugin_is_named_and_critical_or_is_none() {
    let named = |name: Value, critical: Value| {
        with_protected(|header| {
            header[PLUGIN] = name;
            header["com.example.attribute"] = json!(1);
            header["crit"] = critical;
        })
    };
    let all = json!([SCHEME, PLUGIN, "com.example.attribute"]);
    judge(JWS, &named(json!("com.example.plugin"), all.clone())).unwrap();
    for blank in ["", " ", "\t"] {
        refused(JWS, &named(json!(blank), all.clone()), "is not the name of a plugin");
    }
    refused(JWS, &named(json!(7), all), "verificationPlugin is not a string");
    let not_critical = json!([SCHEME, "com.example.attribute"]);
    refused(JWS, &named(json!("com.example.plugin"), not_critical), "not listed in crit");
    let version = with_protected(|header| header[MIN_VERSION] = json!("1.0.0"));
    refused(JWS, &version, &format!("header {MIN_VERSION} is not listed in crit"));
    let of_no_plugin = with_protected(|header| {
        header[MIN_VERSION] = json!("1.0.0");
        header["crit"] = json!([SCHEME, MIN_VERSION]);
    });
    let wanted = format!("header {MIN_VERSION} is critical, and no verification plugin is named");
    refused(JWS, &of_no_plugin, &wanted);
}

#[test]
fn nothing_is_signed_with_the_least_version_of_no_plugin() {
    let mut attributes = SignedAttributes::new(NOW);
    attributes.verification_plugin_min_version = Some("1.0.0".to_owned());
    for format in [JWS, COSE] {
        let error = unsigned(format, attributes.clone());
        assert!(matches!(error, SignError::Envelope(EnvelopeError::MinVersionWithoutPlugin)));
    }
}

#[test]
fn headers_stand_in_their_own_bucket() {
    for name in [AGENT, TIMESTAMP] {
        let wanted = format!("header {name} must be unprotected");
        refused(JWS, &with_protected(|header| header[name] = json!("AAAA")), &wanted);
        refused(COSE, &cose(|m| set(m, name, Cbor::from("x"))), &wanted);
    }
    for name in ["alg", "crit", SCHEME, SIGNING_TIME] {
        let wanted = format!("header {name:?} is both protected and unprotected");
        refused(JWS, &with_unprotected(name, protected()[name].clone()), &wanted);
    }
    let escape = json!({"\u{1b}[2Jx": 1});
    let mut both = jws(&with_member(protected(), &escape).to_string(), &payload());
    both["header"] = with_member(both["header"].take(), &escape);
    refused(JWS, both.to_string().as_bytes(), r#"header "\u{1b}[2Jx" is both"#);
    let unprotected = cose(|m| m.unprotected.alg = m.protected.header.alg.take());
    refused(COSE, &unprotected, "header alg (1) is missing");
    let text = |m: &mut CoseSign1| {
        m.unprotected.rest.push((Label::Text(SCHEME.to_owned()), Cbor::from("notary.x509")));
    };
    refused(COSE, &cose(text), &format!("header {SCHEME:?} is both protected and unprotected"));
}

#[test]
fn timestamps_are_bytes_and_are_handed_on_as_they_are() {
    let content = judge(JWS, &with_unprotected(TIMESTAMP, json!("AQID"))).unwrap();
    assert_eq!(content.unsigned_attributes().timestamp.as_deref(), Some(&[1, 2, 3][..]));
    refused(JWS, &with_unprotected(TIMESTAMP, json!("-_-_")), "timestampSignature is not base64");
    refused(JWS, &with_unprotected(TIMESTAMP, json!(1)), "timestampSignature is not a string");
    let token =
        |value: Cbor| cose(|m| m.unprotected.rest.push((Label::Text(TIMESTAMP.to_owned()), value)));
    let content = judge(COSE, &token(Cbor::Bytes(vec![1, 2, 3]))).unwrap();
    assert_eq!(content.unsigned_attributes().timestamp.as_deref(), Some(&[1, 2, 3][..]));
    refused(COSE, &token(Cbor::from("AQID")), "timestampSignature is not a byte string");
}

#[test]
fn certificates_that_do_not_belong_to_the_signature_are_refused() {
    let with_chain = |certificates: &[usize], pki: &TestPki| {
        let x5c = certificates.iter().map(|&i| pki.chain.certificates()[i].as_der());
        with_unprotected("x5c", x5c.map(|der| BASE64_STANDARD.encode(der)).collect())
    };
    let own = pki();
    judge(JWS, &with_chain(&[0, 1, 2], own)).unwrap();
    let other = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    refused(JWS, &with_chain(&[0, 1, 2], &other), "signature does not verify with the key of CN=");
    let larger = TestPki::new(KeySpec::Ec384, NOW).unwrap();
    refused(JWS, &with_chain(&[0, 1, 2], &larger), "does not belong to the leaf's key, EC-384");
    refused(JWS, &with_chain(&[0, 2, 1], own), "but CN=root,O=Test,ST=WA,C=US follows it");
    refused(
        JWS,
        &with_chain(&[0, 1], own),
        "the certificate of CN=root,O=Test,ST=WA,C=US is missing",
    );
    refused(
        JWS,
        &with_chain(&[0], own),
        "the certificate of CN=issuing,O=Test,ST=WA,C=US is missing",
    );
    refused(JWS, &with_chain(&[0; 17], own), "17 certificates is over the limit of 16");
    let strange = with_unprotected("x5c", json!([1]));
    refused(JWS, &strange, "x5c is not an array of strings");
}

#[test]
fn too_much_of_anything_is_refused_with_the_limit() {
    let many = |header: &mut Value, critical: bool| {
        for i in 0..65 {
            let name = format!("com.example.{i}");
            if critical {
                header["crit"].as_array_mut().unwrap().push(json!(name));
            } else {
                header[name] = json!(i);
            }
        }
    };
    refused(JWS, &with_protected(|header| many(header, false)), "more than 64 extended attributes");
    refused(JWS, &with_protected(|header| many(header, true)), "more than 64 extended attributes");
    let many = cose(|m| (0..65).for_each(|i| set(m, &format!("com.example.{i}"), Cbor::from(i))));
    refused(COSE, &many, "more than 64 extended attributes");
    let long = format!("{{\"pad\":\"{}\"}}", "x".repeat(1024 * 1024));
    let envelope = jws(&protected().to_string(), long.as_bytes()).to_string();
    refused(JWS, envelope.as_bytes(), "over the limit of 1048576 bytes");
    refused(COSE, &vec![0; 4 * 1024 * 1024 + 1], "over the limit of 4194304 bytes");
    let leaf = Cbor::from(pki().chain.leaf().as_der());
    let long = cose(|m| m.unprotected.rest[0].1 = Cbor::Array(vec![leaf; 17]));
    refused(COSE, &long, "17 certificates is over the limit of 16");
}

#[test]
fn labels_of_cose_are_compared_byte_for_byte() {
    let upper = cose(|m| set(m, &EXPIRY.to_uppercase(), Cbor::from(1)));
    let content = judge(COSE, &upper).unwrap();
    assert_eq!(content.attributes().expiry, None);
    assert_eq!(content.attributes().extended[0].name, EXPIRY.to_uppercase());
}

#[test]
fn crit_of_a_jws_lists_nothing_twice_and_no_header_that_only_informs() {
    let listed = |critical: Value| with_protected(|header| header["crit"] = critical);
    refused(JWS, &listed(json!([SCHEME, SCHEME])), &format!("crit lists {SCHEME:?} twice"));
    let wanted = format!("crit lists {SIGNING_TIME}, which must not be critical");
    refused(JWS, &listed(json!([SCHEME, SIGNING_TIME])), &wanted);
    for registered in ["crit", "cty", "x5c", "kid", "jku", "x5t#S256", "typ"] {
        let wanted = format!("crit lists {registered}, a header of the envelope's own standard");
        refused(JWS, &listed(json!([SCHEME, registered])), &wanted);
    }
    refused(JWS, &listed(json!([SCHEME, 1])), "crit is not an array of strings");
    refused(JWS, &listed(json!([SCHEME, "b64"])), "crit lists \"b64\", which is not a protected");
}

#[test]
fn what_crit_of_a_cose_message_lists_is_there_and_understood() {
    let listed = |label: i64| {
        cose(|m| {
            let label = iana::EnumI64::from_i64(label).unwrap();
            m.protected.header.crit.push(RegisteredLabelWithPrivate::Assigned(label));
        })
    };
    for label in [0, 1, 2, 3, 4, 5, 6, 7] {
        refused(COSE, &listed(label), &format!("crit lists {label}, a header of the envelope's"));
    }
    refused(COSE, &listed(34), "crit lists \"34\", which is not a protected header");
    let text = |name: &'static str| {
        cose(move |m| {
            m.protected.header.crit.push(RegisteredLabelWithPrivate::Text(name.to_owned()));
            set(m, "com.example.attribute", Cbor::from(1));
        })
    };
    refused(COSE, &text("absent"), "crit lists \"absent\", which is not a protected header");
    refused(COSE, &text("com.example.attribute"), "\"com.example.attribute\" is unknown");
    let other = cose(|m| {
        m.protected.header.crit =
            vec![RegisteredLabelWithPrivate::Text("com.example.attribute".to_owned())];
        set(m, "com.example.attribute", Cbor::from(1));
    });
    refused(COSE, &other, &format!("header {SCHEME} is not listed in crit"));
}

#[test]
fn an_integer_label_of_cose_and_its_decimal_text_are_not_one_header() {
    type Listed = RegisteredLabelWithPrivate<iana::HeaderParameter>;
    let message = |listed: Option<Listed>, labels: &[Label]| {
        cose(|m| {
            let header = &mut m.protected.header;
            header.rest.push((Label::Text(PLUGIN.to_owned()), Cbor::from("com.example.plugin")));
            header.crit.push(RegisteredLabelWithPrivate::Text(PLUGIN.to_owned()));
            header.crit.extend(listed);
            header.rest.extend(labels.iter().map(|label| (label.clone(), Cbor::from(1))));
        })
    };
    let (integer, text) = (Label::Int(-70000), Label::Text("-70000".to_owned()));
    let listed_integer = || Some(Listed::PrivateUse(-70000));
    let listed_text = Some(Listed::Text("-70000".to_owned()));
    let wanted = "header \"-70000\" is a text label that reads as an integer label";
    refused(COSE, &message(listed_integer(), std::slice::from_ref(&text)), wanted);
    refused(COSE, &message(listed_text, std::slice::from_ref(&integer)), wanted);
    refused(COSE, &message(None, &[integer.clone(), text]), wanted);
    let content = judge(COSE, &message(listed_integer(), &[integer])).unwrap();
    assert!(content.attributes().extended[0].critical);

    let mut attributes = SignedAttributes::new(NOW);
    attributes.extended.push(ExtendedAttribute::new("1", AttributeValue::Null, false));
    let error = unsigned(COSE, attributes);
    assert!(matches!(error, SignError::Envelope(EnvelopeError::AmbiguousLabel(_))), "{error}");
}

#[test]
fn a_cose_message_needs_the_payloads_content_type_and_certificates() {
    let other = cose(|m| {
        m.protected.header.content_type = Some(coset::ContentType::Text("text/plain".to_owned()));
    });
    refused(COSE, &other, "content type \"text/plain\" is not");
    let number = iana::CoapContentFormat::Json;
    let number =
        cose(|m| m.protected.header.content_type = Some(coset::ContentType::Assigned(number)));
    refused(COSE, &number, "content type \"50\" is not");
    let only_unprotected =
        cose(|m| m.unprotected.content_type = m.protected.header.content_type.take());
    refused(COSE, &only_unprotected, "header content type (3) is missing");
    let chain = |value: Option<Cbor>| {
        cose(|m| {
            m.unprotected.rest.clear();
            m.unprotected.rest.extend(value.map(|value| (Label::Int(33), value)));
        })
    };
    refused(COSE, &chain(None), "certificate chain is missing or empty");
    refused(COSE, &chain(Some(Cbor::Array(vec![]))), "certificate chain is missing or empty");
    let leaf = Cbor::from(pki().chain.leaf().as_der());
    refused(COSE, &chain(Some(leaf.clone())), "x5chain (33) is not an array of byte strings");
    let mixed = Cbor::Array(vec![leaf, Cbor::Null]);
    refused(COSE, &chain(Some(mixed)), "x5chain (33) is not an array of byte strings");
    let broken = Cbor::Array(vec![Cbor::Bytes(vec![1, 2, 3])]);
    refused(COSE, &chain(Some(broken)), "certificate 1 of the chain cannot be read");
}

#[test]
fn algorithms_that_the_specification_does_not_have_are_refused_in_cose() {
    let named = |algorithm: i64| {
        cose(|m| {
            m.protected.header.alg =
                iana::EnumI64::from_i64(algorithm).map(RegisteredLabelWithPrivate::Assigned);
        })
    };
    // EdDSA, RS256, ES256K, HMAC 256/256
    for algorithm in [-8, -257, -47, 5] {
        let wanted = format!("algorithm {algorithm} is none of the specification's six");
        refused(COSE, &named(algorithm), &wanted);
    }
    refused(COSE, &named(-35), "does not belong to the leaf's key, EC-256");
    let text = cose(|m| {
        m.protected.header.alg = Some(RegisteredLabelWithPrivate::Text("ES256".to_owned()));
    });
    refused(COSE, &text, "algorithm \"ES256\" is none of the specification's six");
}

/// A good COSE message as CBOR, to be changed after it was signed.
fn edited(change: impl FnOnce(&mut Vec<Cbor>)) -> Vec<u8> {
    let good = sign(COSE, SignedAttributes::new(NOW));
    let Ok(Cbor::Tag(18, message)) = ciborium::from_reader(good.as_slice()) else { panic!("tag") };
    let mut parts = message.into_array().unwrap();
    change(&mut parts);
    encode(&Cbor::Tag(18, Box::new(Cbor::Array(parts))))
}

fn encode(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_form_of_a_cose_message_is_held() {
    judge(COSE, &edited(|_| {})).unwrap();
    let malformed = "not one COSE_Sign1 with tag 18";
    refused(COSE, &edited(|parts| parts.push(Cbor::Null)), malformed);
    refused(COSE, &edited(|parts| drop(parts.remove(3))), malformed);
    refused(COSE, &edited(|parts| parts[0] = Cbor::Map(vec![])), malformed);
    refused(COSE, &edited(|parts| parts[1] = Cbor::Null), malformed);
    refused(COSE, &edited(|parts| parts[2] = Cbor::from("text")), malformed);
    refused(COSE, &edited(|parts| parts[2] = Cbor::Bytes(vec![])), "payload is missing or empty");
    refused(COSE, &edited(|parts| parts[3] = Cbor::Bytes(vec![])), "signature is missing or empty");
    refused(COSE, &edited(|parts| parts[0] = Cbor::Bytes(vec![])), "header alg (1) is missing");
    let trailing = edited(|parts| parts[0].as_bytes_mut().unwrap().push(0));
    refused(COSE, &trailing, malformed);
    let good = sign(COSE, SignedAttributes::new(NOW));
    // 98 is COSE_Sign, 55799 says that CBOR follows.
    assert_eq!(good[0], 0xd2);
    for tag in [&[0xd8, 98][..], &[0xd9, 0xd9, 0xf7], &[]] {
        refused(COSE, &[tag, &good[1..]].concat(), malformed);
    }
    for tag in [&[0xd8, 98][..], &[0xd9, 0xd9, 0xf7], &[0xd2]] {
        refused(COSE, &[tag, &good].concat(), malformed);
    }
    refused(COSE, b"", malformed);
}

#[test]
fn a_label_that_occurs_twice_is_refused_in_either_bucket() {
    let twice = |map: &mut Cbor, label: Cbor| {
        let map = map.as_map_mut().unwrap();
        let entry = map.iter().find(|(found, _)| *found == label).unwrap().clone();
        map.push(entry);
    };
    let malformed = "not one COSE_Sign1 with tag 18";
    refused(COSE, &edited(|parts| twice(&mut parts[1], Cbor::from(33))), malformed);
    for label in [Cbor::from(1), Cbor::from(3), Cbor::from(SCHEME)] {
        let envelope = edited(|parts| {
            let bytes = parts[0].as_bytes().unwrap();
            let mut map: Cbor = ciborium::from_reader(bytes.as_slice()).unwrap();
            twice(&mut map, label);
            parts[0] = Cbor::Bytes(encode(&map));
        });
        refused(COSE, &envelope, malformed);
    }
}

#[test]
fn cbor_that_nests_or_promises_too_much_costs_nothing() {
    // Arrays, maps, tags and byte strings in pieces, and lengths that no memory has.
    for nested in [0x81, 0xa1, 0xc1, 0x9f, 0x5f, 0xd2] {
        refused(COSE, &vec![nested; 1 << 20], "not one COSE_Sign1 with tag 18");
    }
    for promise in [0x5b, 0x7b, 0x9b, 0xbb] {
        for start in [&[0xd2, 0x84][..], &[0xd2], &[]] {
            let bytes = [start, &[promise], &[0xff; 8]].concat();
            refused(COSE, &bytes, "not one COSE_Sign1 with tag 18");
        }
    }
}

#[test]
fn a_payload_is_json_whatever_it_says() {
    let header = protected().to_string();
    let with_payload = |payload: &[u8]| jws(&header, payload).to_string().into_bytes();
    refused(JWS, &with_payload(b"hello"), "payload cannot be used");
    refused(JWS, &with_payload(&[0xff]), "payload cannot be used");
    refused(JWS, &with_payload(b"{} {}"), "payload cannot be used");
    for not_an_object in [&b"[]"[..], b"null", b"\"text\"", b"1"] {
        let wanted = "payload is not a JSON object with the object targetArtifact";
        refused(JWS, &with_payload(not_an_object), wanted);
        let payload = not_an_object.to_vec();
        refused(COSE, &cose(move |m| m.payload = Some(payload)), wanted);
    }
    for not_a_payload in [&b"{}"[..], br#"{"targetArtifact":[]}"#, br#"{"targetArtifact":{}}"#] {
        let content = judge(JWS, &with_payload(not_a_payload)).unwrap();
        assert!(content.payload().is_err(), "{not_a_payload:?}");
    }
    let mut more: Value = serde_json::from_slice(&payload()).unwrap();
    more["other"] = json!({"targetArtifact": 1});
    let content = judge(JWS, &with_payload(more.to_string().as_bytes())).unwrap();
    assert_eq!(content.payload().unwrap().target_artifact.size, 8);
}

#[test]
fn what_is_signed_is_what_another_format_or_key_signs_too() {
    let payload = payload();
    for spec in [KeySpec::Ec384, KeySpec::Rsa2048] {
        let pki = TestPki::new(spec, NOW).unwrap();
        let signed = |format| {
            let request = SignRequest::new(format, &payload, SignedAttributes::new(NOW));
            ready(sign_envelope(&pki.leaf_key, &pki.chain, &request)).unwrap()
        };
        let (one, other) = (judge(JWS, &signed(JWS)).unwrap(), judge(COSE, &signed(COSE)).unwrap());
        assert_eq!(one.payload_bytes(), other.payload_bytes());
        assert_eq!(one.attributes(), other.attributes());
        assert_ne!(one.signature(), other.signature());
        refused(COSE, &signed(JWS), "not one COSE_Sign1 with tag 18");
        refused(JWS, &signed(COSE), "a JSON object");
    }
}

proptest! {
    #[test]
    fn mutated_envelopes_never_panic_and_never_say_something_else(
        edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6),
        cut in any::<u16>(),
        is_cose in any::<bool>(),
    ) {
        static GOOD: std::sync::OnceLock<[Vec<u8>; 2]> = std::sync::OnceLock::new();
        let good = GOOD.get_or_init(|| [JWS, COSE].map(|f| sign(f, SignedAttributes::new(NOW))));
        let format = if is_cose { COSE } else { JWS };
        let good = &good[usize::from(is_cose)];
        let mut bytes = good.clone();
        for (at, value) in edits {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(usize::from(cut) % (bytes.len() * 2));
        if let Ok(content) = judge(format, &bytes) {
            let whole = judge(format, good).unwrap();
            assert_eq!(content.payload_bytes(), whole.payload_bytes());
            assert_eq!(content.attributes(), whole.attributes());
            assert_eq!(content.certificate_chain(), whole.certificate_chain());
        }
    }
}
