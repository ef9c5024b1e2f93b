//! COSE envelopes (signature-envelope-cose.md; RFC 9052, section 4.2; RFC 9360).
//!
//! ```text
//! 18([ << {1: alg, 2: crit, 3: content type, text: any…} >>, {33: [DER…], text: any…}, payload, signature ])
//! ```

use std::collections::BTreeSet;

use ciborium::value::Value;
use coset::{
    ContentType, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, Label, ProtectedHeader,
    RegisteredLabelWithPrivate, TaggedCborSerializable,
    iana::{self, EnumI64},
};
use time::UtcDateTime;

use super::{
    AttributeValue, Draft, Envelope, EnvelopeError, EnvelopeFormat, PAYLOAD_MEDIA_TYPE,
    SignedContent, SigningScheme, UnsignedAttributes,
    attributes::{Collector, header},
    jws::read_chain,
};
use crate::{algorithm::KeySpec, limits, x509::CertificateChain};

/// RFC 8949, section 3.4.2: epoch-based date and time.
const EPOCH_TIME_TAG: u64 = 1;

const X5CHAIN: i64 = 33;

pub(super) fn parse(bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
    let message = CoseSign1::from_tagged_slice(bytes)
        .map_err(|error| EnvelopeError::MalformedCose(error.to_string()))?;
    let protected_labels = labels(&message.protected.header);
    let unprotected_labels = labels(&message.unprotected);
    if let Some(label) = protected_labels.intersection(&unprotected_labels).next() {
        return Err(EnvelopeError::InBothBuckets(text_of(label)));
    }
    let signing_input = message.tbs_data(&[]);
    let CoseSign1 {
        protected: ProtectedHeader { mut header, .. },
        mut unprotected,
        payload,
        signature,
    } = message;
    let algorithm = read_algorithm(&header)?;
    read_content_type(&header)?;
    let mut critical = read_critical(&header)?;
    // x5chain may stand in either bucket; one check above has made sure that it is not in both.
    let protected_chain = take(&mut header.rest, &Label::Int(X5CHAIN));
    if protected_chain.is_some() {
        critical.retain(|name| *name != X5CHAIN.to_string());
    }
    let certificates = take(&mut unprotected.rest, &Label::Int(X5CHAIN)).or(protected_chain);
    let chain = read_x5chain(certificates)?;
    let attributes = collect(header)?.finish(&critical)?;
    let unsigned = read_unprotected(unprotected)?;
    let payload = payload.filter(|bytes| !bytes.is_empty()).ok_or(EnvelopeError::NoPayload)?;
    if signature.is_empty() {
        return Err(EnvelopeError::NoSignature);
    }
    let format = EnvelopeFormat::Cose;
    let content = SignedContent { format, payload, attributes, unsigned, chain, signature };
    Ok(Envelope { algorithm, signing_input, content })
}

/// Every label of a header; coset keeps the common ones in fields of their own.
fn labels(header: &Header) -> BTreeSet<Label> {
    let common = [
        (header.alg.is_some(), iana::HeaderParameter::Alg),
        (!header.crit.is_empty(), iana::HeaderParameter::Crit),
        (header.content_type.is_some(), iana::HeaderParameter::ContentType),
        (!header.key_id.is_empty(), iana::HeaderParameter::Kid),
        (!header.iv.is_empty(), iana::HeaderParameter::Iv),
        (!header.partial_iv.is_empty(), iana::HeaderParameter::PartialIv),
        (!header.counter_signatures.is_empty(), iana::HeaderParameter::CounterSignature),
    ];
    let common = common.into_iter().filter(|(present, _)| *present);
    let common = common.map(|(_, parameter)| Label::Int(parameter.to_i64()));
    common.chain(header.rest.iter().map(|(label, _)| label.clone())).collect()
}

fn text_of(label: &Label) -> String {
    match label {
        Label::Int(number) => number.to_string(),
        Label::Text(text) => text.clone(),
    }
}

/// Shows that a text label is not the decimal text of an integer label, which would be the same name.
fn check_text_label(text: &str) -> Result<(), EnvelopeError> {
    match text.parse::<i64>() {
        Ok(integer) if integer.to_string() == text => {
            Err(EnvelopeError::AmbiguousLabel(text.to_owned()))
        }
        _ => Ok(()),
    }
}

fn bad(header: impl Into<String>, expected: &'static str) -> EnvelopeError {
    EnvelopeError::BadHeader { header: header.into(), expected }
}

fn take(rest: &mut Vec<(Label, Value)>, label: &Label) -> Option<Value> {
    let at = rest.iter().position(|(found, _)| found == label)?;
    Some(rest.remove(at).1)
}

fn read_algorithm(header: &Header) -> Result<KeySpec, EnvelopeError> {
    let value = match header.alg.as_ref().ok_or(EnvelopeError::Missing("alg (1)"))? {
        RegisteredLabelWithPrivate::Assigned(algorithm) => algorithm.to_i64(),
        RegisteredLabelWithPrivate::PrivateUse(value) => *value,
        RegisteredLabelWithPrivate::Text(name) => {
            return Err(EnvelopeError::UnknownAlgorithm(format!("{name:?}")));
        }
    };
    KeySpec::from_cose_algorithm(value)
        .ok_or_else(|| EnvelopeError::UnknownAlgorithm(value.to_string()))
}

fn read_content_type(header: &Header) -> Result<(), EnvelopeError> {
    match header.content_type.as_ref().ok_or(EnvelopeError::Missing("content type (3)"))? {
        ContentType::Text(text) if text == PAYLOAD_MEDIA_TYPE => Ok(()),
        ContentType::Text(text) => Err(EnvelopeError::ContentType(text.clone())),
        ContentType::Assigned(number) => {
            Err(EnvelopeError::ContentType(number.to_i64().to_string()))
        }
    }
}

fn read_critical(header: &Header) -> Result<Vec<String>, EnvelopeError> {
    if header.crit.is_empty() {
        return Err(EnvelopeError::Missing("crit (2)"));
    }
    if header.crit.len() > limits::EXTENDED_ATTRIBUTES {
        return Err(EnvelopeError::TooManyAttributes);
    }
    header
        .crit
        .iter()
        .map(|label| match label {
            RegisteredLabelWithPrivate::Text(name) => check_text_label(name).map(|()| name.clone()),
            RegisteredLabelWithPrivate::Assigned(parameter)
                if (0..=8).contains(&parameter.to_i64()) =>
            {
                Err(EnvelopeError::CriticalRegistered(parameter.to_i64().to_string()))
            }
            RegisteredLabelWithPrivate::Assigned(parameter) => Ok(parameter.to_i64().to_string()),
            RegisteredLabelWithPrivate::PrivateUse(number) => Ok(number.to_string()),
        })
        .collect()
}

fn collect(mut protected: Header) -> Result<Collector, EnvelopeError> {
    let rest = &mut protected.rest;
    let mut collector = Collector::default();
    if let Some(name) = take_text(rest, header::SIGNING_SCHEME)? {
        let scheme = SigningScheme::from_name(&name);
        collector.scheme = Some(scheme.ok_or(EnvelopeError::UnknownScheme(name))?);
    }
    collector.signing_time = take_time(rest, header::SIGNING_TIME)?;
    collector.authentic_signing_time = take_time(rest, header::AUTHENTIC_SIGNING_TIME)?;
    collector.expiry = take_time(rest, header::EXPIRY)?;
    collector.verification_plugin = take_text(rest, header::VERIFICATION_PLUGIN)?;
    collector.verification_plugin_min_version =
        take_text(rest, header::VERIFICATION_PLUGIN_MIN_VERSION)?;
    for name in [header::TIMESTAMP, header::SIGNING_AGENT] {
        if take(rest, &Label::Text(name.to_owned())).is_some() {
            return Err(EnvelopeError::WrongBucket {
                header: name.to_owned(),
                bucket: "unprotected",
            });
        }
    }
    for (label, value) in protected.rest {
        if let Label::Text(text) = &label {
            check_text_label(text)?;
        }
        collector.extend(text_of(&label), attribute_value(value))?;
    }
    Ok(collector)
}

fn take_text(rest: &mut Vec<(Label, Value)>, name: &str) -> Result<Option<String>, EnvelopeError> {
    match take(rest, &Label::Text(name.to_owned())) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err(bad(name, "a text string")),
    }
}

fn take_time(
    rest: &mut Vec<(Label, Value)>,
    name: &str,
) -> Result<Option<UtcDateTime>, EnvelopeError> {
    let expected = "an epoch-based date and time with tag 1";
    let value = match take(rest, &Label::Text(name.to_owned())) {
        None => return Ok(None),
        Some(Value::Tag(EPOCH_TIME_TAG, value)) => *value,
        Some(_) => return Err(bad(name, expected)),
    };
    let time = match value {
        Value::Integer(seconds) => {
            i64::try_from(seconds).ok().and_then(|s| UtcDateTime::from_unix_timestamp(s).ok())
        }
        Value::Float(seconds) => from_float(seconds),
        _ => None,
    };
    time.map(Some).ok_or_else(|| bad(name, expected))
}

/// Fractions SHOULD NOT be used, so they are legal.
fn from_float(seconds: f64) -> Option<UtcDateTime> {
    let duration = time::Duration::checked_seconds_f64(seconds)?;
    UtcDateTime::UNIX_EPOCH.checked_add(duration)
}

fn attribute_value(value: Value) -> AttributeValue {
    match value {
        Value::Text(text) => AttributeValue::Text(text),
        Value::Bool(value) => AttributeValue::Boolean(value),
        Value::Null => AttributeValue::Null,
        Value::Float(float) => AttributeValue::Number(float),
        Value::Integer(integer) => {
            i64::try_from(integer).map_or(AttributeValue::Complex, AttributeValue::Integer)
        }
        _ => AttributeValue::Complex,
    }
}

fn read_x5chain(value: Option<Value>) -> Result<CertificateChain, EnvelopeError> {
    let Value::Array(values) = value.ok_or(EnvelopeError::NoCertificates)? else {
        return Err(bad("x5chain (33)", "an array of byte strings"));
    };
    let ders = values.into_iter().map(Value::into_bytes).collect::<Result<Vec<_>, _>>();
    read_chain(&ders.map_err(|_| bad("x5chain (33)", "an array of byte strings"))?)
}

fn read_unprotected(mut unprotected: Header) -> Result<UnsignedAttributes, EnvelopeError> {
    let rest = &mut unprotected.rest;
    let signing_agent = take_text(rest, header::SIGNING_AGENT)?;
    let timestamp = match take(rest, &Label::Text(header::TIMESTAMP.to_owned())) {
        None => None,
        Some(Value::Bytes(token)) => Some(token),
        Some(_) => return Err(bad(header::TIMESTAMP, "a byte string")),
    };
    Ok(UnsignedAttributes { signing_agent, timestamp })
}

pub(super) fn signing_input(draft: &Draft<'_>) -> Result<Vec<u8>, EnvelopeError> {
    Ok(unsigned_message(draft)?.tbs_data(&[]))
}

pub(super) fn seal(
    draft: &Draft<'_>,
    signature: &[u8],
    chain: &CertificateChain,
    unsigned: &UnsignedAttributes,
) -> Result<Vec<u8>, EnvelopeError> {
    let mut message = unsigned_message(draft)?;
    let certificates = chain.certificates().iter().map(|c| Value::from(c.as_der())).collect();
    let mut header = HeaderBuilder::new().value(X5CHAIN, Value::Array(certificates));
    if let Some(agent) = &unsigned.signing_agent {
        header = header.text_value(header::SIGNING_AGENT.to_owned(), agent.as_str().into());
    }
    if let Some(token) = &unsigned.timestamp {
        header = header.text_value(header::TIMESTAMP.to_owned(), token.as_slice().into());
    }
    message.unprotected = header.build();
    message.signature = signature.to_vec();
    message.to_tagged_vec().map_err(|error| EnvelopeError::MalformedCose(error.to_string()))
}

fn unsigned_message(draft: &Draft<'_>) -> Result<CoseSign1, EnvelopeError> {
    let header = protected_header(draft)?;
    Ok(CoseSign1Builder::new().protected(header).payload(draft.payload.to_vec()).build())
}

fn protected_header(draft: &Draft<'_>) -> Result<Header, EnvelopeError> {
    let attributes = draft.attributes;
    attributes.check_extended(&[])?;
    attributes.extended.iter().try_for_each(|attribute| check_text_label(&attribute.name))?;
    let algorithm = draft.key_spec.cose_algorithm();
    let mut header = Header {
        alg: iana::Algorithm::from_i64(algorithm).map(RegisteredLabelWithPrivate::Assigned),
        content_type: Some(ContentType::Text(PAYLOAD_MEDIA_TYPE.to_owned())),
        ..Header::default()
    };
    header.crit = attributes
        .critical()
        .into_iter()
        .map(|name| RegisteredLabelWithPrivate::Text(name.to_owned()))
        .collect();
    let mut put =
        |name: &str, value: Value| header.rest.push((Label::Text(name.to_owned()), value));
    let epoch =
        |time: UtcDateTime| Value::Tag(EPOCH_TIME_TAG, Box::new(time.unix_timestamp().into()));
    put(header::SIGNING_SCHEME, attributes.signing_scheme.name().into());
    put(attributes.signing_scheme.time_header(), epoch(attributes.signing_time));
    if let Some(expiry) = attributes.expiry {
        put(header::EXPIRY, epoch(expiry));
    }
    if let Some(plugin) = &attributes.verification_plugin {
        put(header::VERIFICATION_PLUGIN, plugin.as_str().into());
    }
    if let Some(version) = &attributes.verification_plugin_min_version {
        put(header::VERIFICATION_PLUGIN_MIN_VERSION, version.as_str().into());
    }
    for attribute in &attributes.extended {
        let value = match &attribute.value {
            AttributeValue::Text(text) => Value::from(text.as_str()),
            AttributeValue::Integer(integer) => Value::from(*integer),
            AttributeValue::Number(float) if float.is_finite() => Value::from(*float),
            AttributeValue::Number(_) => return Err(bad(&attribute.name, "a finite number")),
            AttributeValue::Boolean(boolean) => Value::from(*boolean),
            AttributeValue::Null => Value::Null,
            AttributeValue::Complex => {
                return Err(bad(&attribute.name, "a value of a primitive type"));
            }
        };
        put(&attribute.name, value);
    }
    // Deterministic encoding (RFC 8949, section 4.2.1), which notation-core-go writes too.
    header.rest.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(header)
}
