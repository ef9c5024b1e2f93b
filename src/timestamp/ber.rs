//! BER to DER (X.690): every length definite and as short as it can be, every string in one piece.
//!
//! CMS is BER (RFC 5652, section 1), and some authorities write tokens in it. Only their outermost parts
//! are: what is hashed or signed is DER already, and stays as it is.

use crate::limits;

/// Why bytes are not one BER element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BerError {
    /// The bytes end within an element.
    #[error("bytes end within an element")]
    Truncated,
    /// Bytes follow the element.
    #[error("{0} bytes follow")]
    TrailingBytes(usize),
    /// Elements within elements beyond the limit.
    #[error("elements are nested over the limit of {limit}", limit = limits::ASN1_DEPTH)]
    TooDeep,
    /// A tag of several bytes, or the end of an element that did not begin.
    #[error("tag {0:#04x} has no place here")]
    UnexpectedTag(u8),
    /// A length of over four bytes, or none at all where there has to be one.
    #[error("length {0:#04x} has no place here")]
    BadLength(u8),
    /// A string whose parts are something else.
    #[error("a string has a part of tag {0:#04x}")]
    BadString(u8),
}

const END_OF_CONTENTS: [u8; 2] = [0, 0];
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONSTRUCTED: u8 = 0x20;
const CLASS: u8 = 0xc0;
const LONG_TAG: u8 = 0x1f;

/// The one element that the bytes are, in DER but for the order of sets and the contents of what is not
/// constructed.
pub(super) fn to_der(ber: &[u8]) -> Result<Vec<u8>, BerError> {
    let mut der = Vec::with_capacity(ber.len());
    match element(ber, 0, &mut der)? {
        [] => Ok(der),
        rest => Err(BerError::TrailingBytes(rest.len())),
    }
}

/// A DER element of that tag and those contents.
pub(super) fn der_element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut der = Vec::new();
    write_element(tag, contents, &mut der);
    der
}

/// Writes the first element of `input`, and gives what follows it.
fn element<'a>(input: &'a [u8], depth: usize, der: &mut Vec<u8>) -> Result<&'a [u8], BerError> {
    if depth >= limits::ASN1_DEPTH {
        return Err(BerError::TooDeep);
    }
    let Header { tag, length, rest } = Header::read(input)?;
    if tag & CONSTRUCTED != 0 {
        let (contents, rest) = constructed(length, rest, depth)?;
        match tag {
            _ if tag & CLASS != 0 => write_element(tag, &contents, der),
            SEQUENCE | SET => write_element(tag, &contents, der),
            _ if tag == OCTET_STRING | CONSTRUCTED => {
                write_element(OCTET_STRING, &joined(&contents)?, der);
            }
            _ => return Err(BerError::UnexpectedTag(tag)),
        }
        return Ok(rest);
    }
    let length = length.ok_or(BerError::BadLength(INDEFINITE))?;
    let (contents, rest) = rest.split_at_checked(length).ok_or(BerError::Truncated)?;
    if tag == 0 {
        return Err(BerError::UnexpectedTag(tag));
    }
    write_element(tag, contents, der);
    Ok(rest)
}

/// The contents of a constructed element in DER, and what follows it.
fn constructed(
    length: Option<usize>,
    mut rest: &[u8],
    depth: usize,
) -> Result<(Vec<u8>, &[u8]), BerError> {
    let mut contents = Vec::new();
    let Some(length) = length else {
        loop {
            if let Some(after) = rest.strip_prefix(&END_OF_CONTENTS) {
                return Ok((contents, after));
            }
            rest = element(rest, depth + 1, &mut contents)?;
        }
    };
    let (mut inner, after) = rest.split_at_checked(length).ok_or(BerError::Truncated)?;
    while !inner.is_empty() {
        inner = element(inner, depth + 1, &mut contents)?;
    }
    Ok((contents, after))
}

/// The contents of the octet strings that stand one behind the other in `parts`, which is DER.
fn joined(mut parts: &[u8]) -> Result<Vec<u8>, BerError> {
    let mut contents = Vec::with_capacity(parts.len());
    while !parts.is_empty() {
        let Header { tag, length, rest } = Header::read(parts)?;
        if tag != OCTET_STRING {
            return Err(BerError::BadString(tag));
        }
        let part = rest.split_at_checked(length.unwrap_or_default());
        let (part, rest) = part.ok_or(BerError::Truncated)?;
        contents.extend_from_slice(part);
        parts = rest;
    }
    Ok(contents)
}

/// The length byte that says that the contents end where [`END_OF_CONTENTS`] stands.
const INDEFINITE: u8 = 0x80;

struct Header<'a> {
    tag: u8,
    /// `None`, where it is indefinite.
    length: Option<usize>,
    /// What follows the header.
    rest: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(input: &'a [u8]) -> Result<Self, BerError> {
        let [tag, first, rest @ ..] = input else { return Err(BerError::Truncated) };
        let (tag, first) = (*tag, *first);
        if tag & LONG_TAG == LONG_TAG {
            return Err(BerError::UnexpectedTag(tag));
        }
        match first {
            0..INDEFINITE => Ok(Self { tag, length: Some(first.into()), rest }),
            INDEFINITE => Ok(Self { tag, length: None, rest }),
            0x81..=0x84 => {
                let bytes = usize::from(first - INDEFINITE);
                let (length, rest) = rest.split_at_checked(bytes).ok_or(BerError::Truncated)?;
                let length = length
                    .iter()
                    .try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add((*byte).into()))
                    .ok_or(BerError::BadLength(first))?;
                Ok(Self { tag, length: Some(length), rest })
            }
            _ => Err(BerError::BadLength(first)),
        }
    }
}

fn write_element(tag: u8, contents: &[u8], der: &mut Vec<u8>) {
    der.push(tag);
    match u8::try_from(contents.len()) {
        Ok(length @ 0..0x80) => der.push(length),
        _ => {
            let length = contents.len().to_be_bytes();
            let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            // A usize has eight bytes at most.
            der.push(u8::try_from(length.len()).unwrap_or_default() | 0x80);
            der.extend(length);
        }
    }
    der.extend_from_slice(contents);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indefinite_and_overlong_lengths_become_definite_and_short() {
        let ber = [
            0x30, 0x80, // SEQUENCE, indefinite
            0x02, 0x81, 0x01, 0x05, // INTEGER with a length of two bytes
            0xa0, 0x80, 0x24, 0x80, // [0] { OCTET STRING in parts
            0x04, 0x01, 0xaa, 0x24, 0x04, 0x04, 0x02, 0xbb, 0xcc, // one of them in parts too
            0, 0, 0, 0, 0, 0,
        ];
        let der = [0x30, 10, 0x02, 1, 5, 0xa0, 5, 0x04, 3, 0xaa, 0xbb, 0xcc];
        assert_eq!(to_der(&ber), Ok(der.to_vec()));
        assert_eq!(to_der(&der), Ok(der.to_vec()));
    }

    #[test]
    fn long_contents_have_long_lengths() {
        for (length, header) in [
            (0x7f, &[0x04, 0x7f][..]),
            (0x80, &[0x04, 0x81, 0x80]),
            (0xff, &[0x04, 0x81, 0xff]),
            (0x100, &[0x04, 0x82, 1, 0]),
            (0x1_0000, &[0x04, 0x83, 1, 0, 0]),
        ] {
            let contents = vec![7; length];
            let der = der_element(0x04, &contents);
            assert_eq!(der, [header, &contents].concat());
            assert_eq!(to_der(&der), Ok(der));
        }
    }

    #[test]
    fn what_is_no_element_is_refused() {
        for (bytes, expected) in [
            (&[][..], BerError::Truncated),
            (&[0x30], BerError::Truncated),
            (&[0x30, 0x80, 0], BerError::Truncated),
            (&[0x30, 0x82, 1], BerError::Truncated),
            (&[0x04, 2, 0], BerError::Truncated),
            (&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff], BerError::Truncated),
            (&[0x30, 3, 0x04, 2, 0], BerError::Truncated),
            (&[0x04, 0, 1, 2], BerError::TrailingBytes(2)),
            (&[0, 0], BerError::UnexpectedTag(0)),
            (&[0x30, 2, 0, 0], BerError::UnexpectedTag(0)),
            (&[0x1f, 0x81, 1, 0], BerError::UnexpectedTag(0x1f)),
            (&[0x2c, 0], BerError::UnexpectedTag(0x2c)),
            (&[0x04, 0x80, 0, 0], BerError::BadLength(0x80)),
            (&[0x04, 0x85, 0, 0, 0, 0, 0], BerError::BadLength(0x85)),
            (&[0x04, 0xff], BerError::BadLength(0xff)),
            (&[0x24, 2, 0x02, 0], BerError::BadString(0x02)),
        ] {
            assert_eq!(to_der(bytes), Err(expected), "{bytes:x?}");
        }
    }

    #[test]
    fn elements_nest_up_to_the_limit() {
        let nested = |depth: usize| {
            let open = [0x30, 0x80].repeat(depth);
            [open, vec![0; 2 * depth]].concat()
        };
        assert!(to_der(&nested(limits::ASN1_DEPTH)).is_ok());
        assert_eq!(to_der(&nested(limits::ASN1_DEPTH + 1)), Err(BerError::TooDeep));
        assert_eq!(to_der(&[0x30, 0x80].repeat(500_000)), Err(BerError::TooDeep));
    }
}
