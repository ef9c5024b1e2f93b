//! DER by hand, for what no writer would write.

/// An element of that tag around parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let mut der = vec![tag];
    match contents.len() {
        length @ 0..0x80 => der.push(u8::try_from(length).unwrap()),
        length @ 0x80..0x100 => der.extend([0x81, u8::try_from(length).unwrap()]),
        length => {
            der.push(0x82);
            der.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    der.extend(contents);
    der
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, parts)
}

/// A set whose elements stand in the order of their bytes.
pub(crate) fn set(parts: &[&[u8]]) -> Vec<u8> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    element(0x31, &parts)
}

pub(crate) fn octets(contents: &[u8]) -> Vec<u8> {
    element(0x04, &[contents])
}

/// An `INTEGER` of those bytes, without regard to sign and leading zeros.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    element(0x02, &[bytes])
}

/// An object identifier in dotted decimal.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    element(0x06, &[der::asn1::ObjectIdentifier::new(dotted).unwrap().as_bytes()])
}

/// ECDSA `r‖s` as `SEQUENCE { r INTEGER, s INTEGER }`.
pub(crate) fn ecdsa(fixed: &[u8]) -> Vec<u8> {
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let positive = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let sign: &[u8] = if number[zeros] < 0x80 { &[] } else { &[0] };
        integer(&[sign, &number[zeros..]].concat())
    };
    sequence(&[&positive(r), &positive(s)])
}
