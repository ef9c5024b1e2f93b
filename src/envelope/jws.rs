//! JWS envelopes (signature-envelope-jws.md; RFC 7515, section 7.2.2).
//!
//! ```text
//! { "payload": BASE64URL(payload), "protected": BASE64URL(UTF8(protected header)),
//!   "header": { "x5c": [BASE64(DER)…], … }, "signature": BASE64URL(signature) }
//! ```

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, UtcDateTime, format_description::well_known};

use super::{
    AttributeValue, Draft, Envelope, EnvelopeError, EnvelopeFormat, PAYLOAD_MEDIA_TYPE,
    SignedContent, SigningScheme, UnsignedAttributes,
    attributes::{Collector, KNOWN, header},
};
use crate::{
    algorithm::KeySpec,
    json::{self, Unique},
    limits,
    x509::{Certificate, CertificateChain, Rfc3339},
};

const ALG: &str = "alg";
const CTY: &str = "cty";
const CRIT: &str = "crit";
const X5C: &str = "x5c";

/// Header names of RFC 7515, section 4.1, which `crit` must not list.
const REGISTERED: [&str; 11] =
    [ALG, CTY, CRIT, X5C, "jku", "jwk", "kid", "x5u", "x5t", "x5t#S256", "typ"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flattened {
    payload: String,
    protected: String,
    header: Unique,
    signature: String,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
    let wire = read_object(bytes)?;
    let unprotected = object(wire.header.0, "header")?;
    let protected = decode_url(&wire.protected, "protected")?;
    let protected = json::parse(&protected).map_err(EnvelopeError::MalformedJws)?;
    let mut protected = object(protected, "protected")?;
    if let Some(name) = protected.keys().find(|name| unprotected.contains_key(*name)) {
        return Err(EnvelopeError::InBothBuckets(name.clone()));
    }
    let algorithm = take_algorithm(&mut protected)?;
    match take_text(&mut protected, CTY)?.ok_or(EnvelopeError::Missing(CTY))? {
        cty if cty == PAYLOAD_MEDIA_TYPE => {}
        cty => return Err(EnvelopeError::ContentType(cty)),
    }
    let critical = take_critical(&mut protected)?;
    let attributes = collect(protected)?.finish(&critical)?;
    let payload = decode_url(&wire.payload, "payload")?;
    let signature = decode_url(&wire.signature, "signature")?;
    if payload.is_empty() {
        return Err(EnvelopeError::NoPayload);
    }
    if signature.is_empty() {
        return Err(EnvelopeError::NoSignature);
    }
    let signing_input = format!("{}.{}", wire.protected, wire.payload).into_bytes();
    let (unsigned, chain) = read_unprotected(unprotected)?;
    let format = EnvelopeFormat::Jws;
    let content = SignedContent { format, payload, attributes, unsigned, chain, signature };
    Ok(Envelope { algorithm, signing_input, content })
}

fn read_object(bytes: &[u8]) -> Result<Flattened, EnvelopeError> {
    // serde would read an array of four values as well.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(EnvelopeError::BadHeader {
            header: "envelope".to_owned(),
            expected: "a JSON object",
        });
    }
    serde_json::from_slice(bytes).map_err(EnvelopeError::MalformedJws)
}

fn object(value: Value, header: &str) -> Result<Map<String, Value>, EnvelopeError> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(bad(header, "a JSON object")),
    }
}

fn bad(header: &str, expected: &'static str) -> EnvelopeError {
    EnvelopeError::BadHeader { header: header.to_owned(), expected }
}

fn decode_url(text: &str, member: &'static str) -> Result<Vec<u8>, EnvelopeError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| EnvelopeError::BadBase64 { member, alphabet: "base64url without padding" })
}

fn decode_standard(text: &str, member: &'static str) -> Result<Vec<u8>, EnvelopeError> {
    BASE64_STANDARD
        .decode(text)
        .map_err(|_| EnvelopeError::BadBase64 { member, alphabet: "base64" })
}

fn take_text(
    members: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<String>, EnvelopeError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(name, "a string")),
    }
}

fn take_algorithm(protected: &mut Map<String, Value>) -> Result<KeySpec, EnvelopeError> {
    let name = take_text(protected, ALG)?.ok_or(EnvelopeError::Missing(ALG))?;
    KeySpec::from_jws_algorithm(&name)
        .ok_or_else(|| EnvelopeError::UnknownAlgorithm(format!("{name:?}")))
}

fn take_critical(protected: &mut Map<String, Value>) -> Result<Vec<String>, EnvelopeError> {
    let Value::Array(values) = protected.remove(CRIT).ok_or(EnvelopeError::Missing(CRIT))? else {
        return Err(bad(CRIT, "an array of strings"));
    };
    if values.len() > limits::EXTENDED_ATTRIBUTES {
        return Err(EnvelopeError::TooManyAttributes);
    }
    let mut names = Vec::with_capacity(values.len());
    for value in values {
        let Value::String(name) = value else { return Err(bad(CRIT, "an array of strings")) };
        if REGISTERED.contains(&name.as_str()) {
            return Err(EnvelopeError::CriticalRegistered(name));
        }
        // Both are invalid signatures for notation, and no clause allows them.
        if name == header::SIGNING_TIME {
            return Err(EnvelopeError::NotToBeCritical(header::SIGNING_TIME));
        }
        if names.contains(&name) {
            return Err(EnvelopeError::CriticalTwice(name));
        }
        names.push(name);
    }
    Ok(names)
}

fn collect(mut protected: Map<String, Value>) -> Result<Collector, EnvelopeError> {
    let mut collector = Collector::default();
    if let Some(name) = take_text(&mut protected, header::SIGNING_SCHEME)? {
        let scheme = SigningScheme::from_name(&name);
        collector.scheme = Some(scheme.ok_or(EnvelopeError::UnknownScheme(name))?);
    }
    collector.signing_time = take_time(&mut protected, header::SIGNING_TIME)?;
    collector.authentic_signing_time = take_time(&mut protected, header::AUTHENTIC_SIGNING_TIME)?;
    collector.expiry = take_time(&mut protected, header::EXPIRY)?;
    collector.verification_plugin = take_text(&mut protected, header::VERIFICATION_PLUGIN)?;
    collector.verification_plugin_min_version =
        take_text(&mut protected, header::VERIFICATION_PLUGIN_MIN_VERSION)?;
    for name in [X5C, header::TIMESTAMP, header::SIGNING_AGENT] {
        if protected.contains_key(name) {
            return Err(EnvelopeError::WrongBucket {
                header: name.to_owned(),
                bucket: "unprotected",
            });
        }
    }
    for (name, value) in protected {
        // Go's JSON would take a name that differs in case alone for the known one.
        let taken_for = |known: &[&'static str]| json::taken_for(&name, known);
        if let Some(known) = taken_for(&[ALG, CTY, CRIT]).or_else(|| taken_for(&KNOWN)) {
            return Err(EnvelopeError::CaseDiffers { found: name, known });
        }
        collector.extend(name, attribute_value(value))?;
    }
    Ok(collector)
}

fn take_time(
    members: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<UtcDateTime>, EnvelopeError> {
    let Some(text) = take_text(members, name)? else { return Ok(None) };
    // The parser takes any character between date and time, and leap seconds, which Go does not have.
    let strict = matches!(text.as_bytes().get(10), Some(b'T' | b't'))
        && text.get(17..19).is_some_and(|seconds| seconds != "60");
    let time = OffsetDateTime::parse(&text, &well_known::Rfc3339).ok().filter(|_| strict);
    // An offset can lead past the last year of the calendar.
    let time = time.and_then(OffsetDateTime::checked_to_utc);
    time.map(Some).ok_or_else(|| bad(name, "a date and time of RFC 3339"))
}

fn attribute_value(value: Value) -> AttributeValue {
    match value {
        Value::String(text) => AttributeValue::Text(text),
        Value::Bool(value) => AttributeValue::Boolean(value),
        Value::Null => AttributeValue::Null,
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => AttributeValue::Integer(integer),
            (None, Some(float)) => AttributeValue::Number(float),
            (None, None) => AttributeValue::Complex,
        },
        Value::Array(_) | Value::Object(_) => AttributeValue::Complex,
    }
}

fn read_unprotected(
    mut members: Map<String, Value>,
) -> Result<(UnsignedAttributes, CertificateChain), EnvelopeError> {
    let signing_agent = take_text(&mut members, header::SIGNING_AGENT)?;
    let timestamp = take_text(&mut members, header::TIMESTAMP)?
        .map(|text| decode_standard(&text, header::TIMESTAMP))
        .transpose()?;
    let Value::Array(encoded) = members.remove(X5C).ok_or(EnvelopeError::NoCertificates)? else {
        return Err(bad(X5C, "an array of strings"));
    };
    let mut ders = Vec::with_capacity(encoded.len().min(limits::CHAIN_CERTIFICATES));
    for value in encoded {
        let Value::String(text) = value else { return Err(bad(X5C, "an array of strings")) };
        ders.push(decode_standard(&text, X5C)?);
    }
    Ok((UnsignedAttributes { signing_agent, timestamp }, read_chain(&ders)?))
}

/// The chain of either format, from its DER certificates.
pub(super) fn read_chain(ders: &[Vec<u8>]) -> Result<CertificateChain, EnvelopeError> {
    if ders.is_empty() {
        return Err(EnvelopeError::NoCertificates);
    }
    if ders.len() > limits::CHAIN_CERTIFICATES {
        return Err(crate::x509::ChainError::TooLong(ders.len()).into());
    }
    let parse = |(i, der): (usize, &Vec<u8>)| {
        Certificate::from_der(der)
            .map_err(|source| EnvelopeError::Certificate { number: i + 1, source })
    };
    let certificates = ders.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(CertificateChain::from_ordered(certificates)?)
}

pub(super) fn signing_input(draft: &Draft<'_>) -> Result<String, EnvelopeError> {
    let protected = BASE64_URL_SAFE_NO_PAD.encode(protected_header(draft)?.to_string());
    Ok(format!("{protected}.{}", BASE64_URL_SAFE_NO_PAD.encode(draft.payload)))
}

fn protected_header(draft: &Draft<'_>) -> Result<Value, EnvelopeError> {
    let attributes = draft.attributes;
    attributes.check_extended(&REGISTERED)?;
    let rfc3339 = |time: UtcDateTime| Value::from(Rfc3339(time).to_string());
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    for attribute in &attributes.extended {
        let value = match &attribute.value {
            AttributeValue::Text(text) => Value::from(text.as_str()),
            AttributeValue::Integer(integer) => Value::from(*integer),
            AttributeValue::Number(float) => serde_json::Number::from_f64(*float)
                .map(Value::Number)
                .ok_or_else(|| bad(&attribute.name, "a finite number"))?,
            AttributeValue::Boolean(boolean) => Value::from(*boolean),
            AttributeValue::Null => Value::Null,
            AttributeValue::Complex => {
                return Err(bad(&attribute.name, "a value of a primitive type"));
            }
        };
        put(&attribute.name, value);
    }
    put(ALG, draft.key_spec.jws_algorithm().into());
    put(CTY, PAYLOAD_MEDIA_TYPE.into());
    put(CRIT, attributes.critical().into());
    put(header::SIGNING_SCHEME, attributes.signing_scheme.name().into());
    put(attributes.signing_scheme.time_header(), rfc3339(attributes.signing_time));
    if let Some(expiry) = attributes.expiry {
        put(header::EXPIRY, rfc3339(expiry));
    }
    if let Some(plugin) = &attributes.verification_plugin {
        put(header::VERIFICATION_PLUGIN, plugin.as_str().into());
    }
    if let Some(version) = &attributes.verification_plugin_min_version {
        put(header::VERIFICATION_PLUGIN_MIN_VERSION, version.as_str().into());
    }
    Ok(Value::Object(members))
}

pub(super) fn seal(
    draft: &Draft<'_>,
    signature: &[u8],
    chain: &CertificateChain,
    unsigned: &UnsignedAttributes,
) -> Result<Vec<u8>, EnvelopeError> {
    let input = signing_input(draft)?;
    let (protected, payload) = input.split_once('.').unwrap_or_default();
    let encoded: Vec<_> =
        chain.certificates().iter().map(|c| BASE64_STANDARD.encode(c.as_der())).collect();
    let mut header = Map::from_iter([(X5C.to_owned(), encoded.into())]);
    if let Some(agent) = &unsigned.signing_agent {
        header.insert(header::SIGNING_AGENT.to_owned(), agent.as_str().into());
    }
    if let Some(token) = &unsigned.timestamp {
        header.insert(header::TIMESTAMP.to_owned(), BASE64_STANDARD.encode(token).into());
    }
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
    let envelope = json!({
        "payload": payload, "protected": protected, "header": header, "signature": signature,
    });
    Ok(envelope.to_string().into_bytes())
}
