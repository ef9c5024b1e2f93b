//! `TSTInfo`: what an authority signs (RFC 3161, section 2.4.2).

use der::{
    Decode, Sequence, Tag, Tagged,
    asn1::{AnyRef, OctetStringRef},
};
use spki::AlgorithmIdentifierRef;
use time::{Date, Duration, Month, Time, UtcDateTime};

use super::{TokenError, cms};
use crate::{algorithm::HashAlgorithm, crypto};

/// The baseline policy of RFC 3628, section 5.2, in DER. Its accuracy is a second, where a token names none.
const BASELINE_POLICY: &[u8] = &[0x04, 0x00, 0x8f, 0x67, 0x01, 0x01];

/// What an authority says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TstInfo {
    /// Dotted decimal.
    pub(super) policy: String,
    pub(super) imprint: Imprint,
    /// As the `INTEGER` holds it.
    pub(super) serial_number: Vec<u8>,
    pub(super) gen_time: UtcDateTime,
    /// How far the time may be off to either side.
    pub(super) accuracy: Duration,
    /// As the `INTEGER` holds it.
    pub(super) nonce: Option<Vec<u8>>,
}

/// The digest of what is timestamped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Imprint {
    pub(super) hash: HashAlgorithm,
    pub(super) digest: Vec<u8>,
}

/// ```text
/// TSTInfo ::= SEQUENCE {
///     version          INTEGER { v1(1) },
///     policy           OBJECT IDENTIFIER,
///     messageImprint   MessageImprint,
///     serialNumber     INTEGER,
///     genTime          GeneralizedTime,
///     accuracy         Accuracy OPTIONAL,
///     ordering         BOOLEAN DEFAULT FALSE,
///     nonce            INTEGER OPTIONAL,
///     tsa          [0] EXPLICIT GeneralName OPTIONAL,
///     extensions   [1] IMPLICIT SEQUENCE OF Extension OPTIONAL }
/// ```
///
/// `tsa` is a hint: who signed is told by the signer's certificate.
#[derive(Sequence)]
struct Encoded<'a> {
    version: u8,
    policy: AnyRef<'a>,
    imprint: EncodedImprint<'a>,
    serial_number: AnyRef<'a>,
    /// Not parsed by its type, which takes no fraction of a second.
    gen_time: AnyRef<'a>,
    accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    ordering: bool,
    nonce: Option<der::asn1::IntRef<'a>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    tsa: Option<AnyRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Vec<Extension<'a>>>,
}

/// ```text
/// MessageImprint ::= SEQUENCE { hashAlgorithm AlgorithmIdentifier, hashedMessage OCTET STRING }
/// ```
#[derive(Sequence)]
pub(super) struct EncodedImprint<'a> {
    pub(super) hash: AlgorithmIdentifierRef<'a>,
    pub(super) digest: OctetStringRef<'a>,
}

/// ```text
/// Accuracy ::= SEQUENCE {
///     seconds    INTEGER OPTIONAL,
///     millis [0] IMPLICIT INTEGER (1..999) OPTIONAL,
///     micros [1] IMPLICIT INTEGER (1..999) OPTIONAL }
/// ```
#[derive(Sequence)]
struct Accuracy {
    seconds: Option<u32>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

/// ```text
/// Extension ::= SEQUENCE {
///     extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
/// ```
#[derive(Sequence)]
struct Extension<'a> {
    kind: AnyRef<'a>,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: OctetStringRef<'a>,
}

impl TstInfo {
    pub(super) fn from_der(der: &[u8]) -> Result<Self, TokenError> {
        const PART: &str = "TSTInfo";
        let encoded = Encoded::from_der(der).map_err(TokenError::malformed(PART))?;
        if encoded.version != 1 {
            return Err(TokenError::Version { part: PART, version: encoded.version });
        }
        let mut extensions = encoded.extensions.iter().flatten();
        if let Some(extension) = extensions.find(|extension| extension.critical) {
            return Err(TokenError::CriticalExtension(dotted(extension.kind)?));
        }
        let accuracy = match encoded.accuracy {
            Some(accuracy) => accuracy.duration()?,
            None if encoded.policy.value() == BASELINE_POLICY => Duration::SECOND,
            None => Duration::ZERO,
        };
        Ok(Self {
            policy: dotted(encoded.policy)?,
            imprint: Imprint {
                hash: cms::hash(encoded.imprint.hash, "messageImprint")?,
                digest: encoded.imprint.digest.as_bytes().to_vec(),
            },
            serial_number: cms::integer(encoded.serial_number, PART)?,
            gen_time: gen_time(encoded.gen_time)?,
            accuracy,
            nonce: encoded.nonce.map(|nonce| nonce.as_bytes().to_vec()),
        })
    }
}

impl Imprint {
    pub(super) fn of(hash: HashAlgorithm, message: &[u8]) -> Self {
        Self { hash, digest: crypto::digest(hash, message) }
    }
}

impl Accuracy {
    /// A part that is missing is zero.
    fn duration(&self) -> Result<Duration, TokenError> {
        let (millis, micros) = (self.millis.unwrap_or(0), self.micros.unwrap_or(0));
        if let Some(thousandths) = [millis, micros].into_iter().find(|part| *part > 999) {
            return Err(TokenError::BadAccuracy(thousandths));
        }
        let seconds = Duration::seconds(self.seconds.unwrap_or(0).into());
        Ok(seconds + Duration::milliseconds(millis.into()) + Duration::microseconds(micros.into()))
    }
}

fn dotted(oid: AnyRef<'_>) -> Result<String, TokenError> {
    let malformed = TokenError::malformed("TSTInfo");
    oid.tag().assert_eq(Tag::ObjectIdentifier).map_err(&malformed)?;
    let arcs = arcs(oid.value()).ok_or_else(|| malformed(Tag::ObjectIdentifier.value_error()))?;
    Ok(arcs.iter().map(ToString::to_string).collect::<Vec<_>>().join("."))
}

/// The arcs of an object identifier, of up to 128 bits each, as those that are made of UUIDs have.
fn arcs(contents: &[u8]) -> Option<Vec<u128>> {
    let mut arcs = Vec::new();
    let mut arc = 0u128;
    for byte in contents {
        arc = arc.checked_mul(128)? | u128::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        // The first two arcs share a number.
        if arcs.is_empty() {
            let root = (arc / 40).min(2);
            arcs.push(root);
            arc -= root * 40;
        }
        arcs.push(arc);
        arc = 0;
    }
    let is_whole = contents.last().is_some_and(|last| last & 0x80 == 0);
    is_whole.then_some(arcs)
}

fn gen_time(value: AnyRef<'_>) -> Result<UtcDateTime, TokenError> {
    value.tag().assert_eq(Tag::GeneralizedTime).map_err(TokenError::malformed("TSTInfo"))?;
    let text = String::from_utf8_lossy(value.value()).into_owned();
    parse_time(&text).ok_or(TokenError::BadTime(text))
}

/// `YYYYMMDDhhmmss[.s…]Z`, as DER has it: the last place of a fraction is not zero.
fn parse_time(text: &str) -> Option<UtcDateTime> {
    let text = text.strip_suffix('Z')?;
    let (seconds, fraction) = match text.split_once('.') {
        Some((_, fraction)) if fraction.is_empty() || fraction.ends_with('0') => return None,
        Some((seconds, fraction)) => (seconds, fraction),
        None => (text, ""),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.len() != 14 || fraction.len() > 9 || !all_digits(seconds) || !all_digits(fraction) {
        return None;
    }
    let number = |at: std::ops::Range<usize>| seconds.get(at)?.parse::<u8>().ok();
    let month = Month::try_from(number(4..6)?).ok()?;
    let date = Date::from_calendar_date(seconds.get(..4)?.parse().ok()?, month, number(6..8)?);
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    let time = Time::from_hms_nano(number(8..10)?, number(10..12)?, number(12..14)?, nanoseconds);
    Some(UtcDateTime::new(date.ok()?, time.ok()?))
}

#[cfg(test)]
mod tests {
    use time::macros::utc_datetime;

    use super::*;

    #[test]
    fn object_identifiers_are_dotted() {
        let any = |contents| AnyRef::new(Tag::ObjectIdentifier, contents).unwrap();
        for (contents, expected) in [
            (BASELINE_POLICY, "0.4.0.2023.1.1"),
            (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d], "1.2.840.113549"),
            (&[0x88, 0x37, 0x03], "2.999.3"),
            (
                &[
                    0x69, 0x83, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
                ],
                "2.25.340282366920938463463374607431768211455",
            ),
        ] {
            assert_eq!(dotted(any(contents)).unwrap(), expected);
        }
        for contents in
            [&[][..], &[0x2a, 0x86], &[0xff; 100_000], &[&[0x87][..], &[0x80; 18], &[0]].concat()]
        {
            assert!(dotted(any(contents)).is_err(), "{contents:x?}");
        }
    }

    #[test]
    fn times_have_up_to_nine_places() {
        for (text, expected) in [
            ("20260612101112Z", utc_datetime!(2026-06-12 10:11:12)),
            ("20260612101112.5Z", utc_datetime!(2026-06-12 10:11:12.5)),
            ("20260612101112.000000001Z", utc_datetime!(2026-06-12 10:11:12.000_000_001)),
            ("20280229235959.123456Z", utc_datetime!(2028-02-29 23:59:59.123_456)),
        ] {
            assert_eq!(parse_time(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "Z",
            "20260612101112",
            "202606121011Z",
            "20260612101112.Z",
            "20260612101112.50Z",
            "20260612101112.0Z",
            "20260612101112,5Z",
            "20260612101112.1234567891Z",
            "20260612101112+0100",
            "20260612101112.5.5Z",
            "+0260612101112Z",
            "20260230101112Z",
            "20261312101112Z",
            "20260612241112Z",
            "20260612101160Z",
            "2026061210111\u{663}Z",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
