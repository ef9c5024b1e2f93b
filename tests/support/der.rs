//! DER made by hand, so that each fault can be put into it alone. Made here on its own, not with the library
//! that is tested.

use time::UtcDateTime;

pub(crate) const SEQUENCE: u8 = 0x30;

pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let header = match contents.len() {
        n @ 0..0x80 => vec![tag, u8::try_from(n).unwrap()],
        n @ 0x80..0x100 => vec![tag, 0x81, u8::try_from(n).unwrap()],
        n => {
            let length = u32::try_from(n).unwrap().to_be_bytes();
            let skip = length.iter().take_while(|byte| **byte == 0).count();
            let count = u8::try_from(4 - skip).unwrap();
            [&[tag, 0x80 | count], &length[skip..]].concat()
        }
    };
    [header, contents.to_vec()].concat()
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

/// `[number]` around `contents`.
pub(crate) fn explicit(number: u8, contents: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, contents)
}

/// `[number]` in the place of a primitive tag.
pub(crate) fn implicit(number: u8, contents: &[u8]) -> Vec<u8> {
    tlv(0x80 | number, contents)
}

/// A number that is not negative.
pub(crate) fn integer(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let skip = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
    let sign: &[u8] = if bytes[skip] >= 0x80 { &[0] } else { &[] };
    tlv(2, &[sign, &bytes[skip..]].concat())
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    tlv(1, &[if value { 0xff } else { 0 }])
}

pub(crate) fn enumerated(code: u8) -> Vec<u8> {
    tlv(10, &[code])
}

pub(crate) fn octets(contents: &[u8]) -> Vec<u8> {
    tlv(4, contents)
}

pub(crate) fn bits(contents: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], contents].concat())
}

pub(crate) fn null() -> Vec<u8> {
    tlv(5, &[])
}

/// An object identifier of dotted decimal.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u32> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut contents = Vec::new();
    for arc in [&[arcs[0] * 40 + arcs[1]], &arcs[2..]].concat() {
        for shift in [28, 21, 14, 7, 0] {
            if shift == 0 || arc >> shift != 0 {
                let more = if shift == 0 { 0 } else { 0x80 };
                contents.push(u8::try_from(arc >> shift & 0x7f).unwrap() | more);
            }
        }
    }
    tlv(6, &contents)
}

pub(crate) fn generalized_time(time: UtcDateTime) -> Vec<u8> {
    tlv(24, digits(time).as_bytes())
}

/// `UTCTime` up to 2049, `GeneralizedTime` from then on.
pub(crate) fn time(time: UtcDateTime) -> Vec<u8> {
    if time.year() < 2050 { tlv(23, &digits(time).as_bytes()[2..]) } else { generalized_time(time) }
}

fn digits(time: UtcDateTime) -> String {
    let (date, clock) = (time.date(), time.time());
    let (hour, minute, second) = clock.as_hms();
    let (year, month, day) = date.to_calendar_date();
    format!("{year:04}{:02}{day:02}{hour:02}{minute:02}{second:02}Z", u8::from(month))
}

/// `Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }`
pub(crate) fn extension(dotted: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical { boolean(true) } else { Vec::new() };
    sequence(&[oid(dotted), flag, octets(value)])
}

/// `uniformResourceIdentifier [6]`, a `GeneralName`.
pub(crate) fn uri(uri: &str) -> Vec<u8> {
    implicit(6, uri.as_bytes())
}

/// A `DistributionPoint` of these URIs, and whatever else comes in it.
pub(crate) fn distribution_point(uris: &[&str], more: &[Vec<u8>]) -> Vec<u8> {
    let names: Vec<u8> = uris.iter().flat_map(|name| uri(name)).collect();
    let name = explicit(0, &explicit(0, &names));
    sequence(&[vec![name], more.to_vec()].concat())
}

/// `AuthorityInfoAccessSyntax` of OCSP responders.
pub(crate) fn responders(urls: &[&str]) -> Vec<u8> {
    let describe = |url: &&str| sequence(&[oid("1.3.6.1.5.5.7.48.1"), uri(url)]);
    sequence(&urls.iter().map(describe).collect::<Vec<_>>())
}

/// An element of that tag around parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

/// A sequence of parts that are lent.
pub(crate) fn sequence_of(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, parts)
}

/// A set whose elements stand in the order of their bytes.
pub(crate) fn set(parts: &[&[u8]]) -> Vec<u8> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    element(0x31, &parts)
}

/// An `INTEGER` of those bytes, without regard to sign and leading zeros.
pub(crate) fn integer_of(bytes: &[u8]) -> Vec<u8> {
    tlv(2, bytes)
}

/// ECDSA `r‖s` as `SEQUENCE { r INTEGER, s INTEGER }`.
pub(crate) fn ecdsa(fixed: &[u8]) -> Vec<u8> {
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let positive = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let sign: &[u8] = if number[zeros] < 0x80 { &[] } else { &[0] };
        integer_of(&[sign, &number[zeros..]].concat())
    };
    sequence(&[positive(r), positive(s)])
}
