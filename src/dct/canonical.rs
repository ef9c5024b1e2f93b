//! The JSON form that trust data is signed in: members sorted bytewise, no white space, integers only,
//! and no escapes but `\"` and `\\` (package `canonical/json` of the notary server and clients).
//!
//! It is not the canonical form of RFC 8785, nor OLPC's, which normalises strings.

use serde_json::Value;

/// Floating point holds every integer up to this one, and notary reads numbers as floating point.
const LARGEST_INTEGER: u64 = 1 << 53;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("number {0} has no canonical form: it is no integer of at most 2^53")]
pub struct NotCanonical(String);

/// The canonical form of a value.
///
/// # Errors
/// [`NotCanonical`], where it holds a number that is no integer or too large to be kept exactly.
pub(super) fn to_canonical(value: &Value) -> Result<Vec<u8>, NotCanonical> {
    let mut out = Vec::new();
    write(&mut out, value)?;
    Ok(out)
}

fn write(out: &mut Vec<u8>, value: &Value) -> Result<(), NotCanonical> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => out.extend(integer(number)?.to_string().bytes()),
        Value::String(text) => write_string(out, text),
        Value::Array(values) => {
            out.push(b'[');
            for (i, value) in values.iter().enumerate() {
                separate(out, i);
                write(out, value)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_bytes());
            out.push(b'{');
            for (i, (name, value)) in members.into_iter().enumerate() {
                separate(out, i);
                write_string(out, name);
                out.push(b':');
                write(out, value)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn separate(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn integer(number: &serde_json::Number) -> Result<i64, NotCanonical> {
    number
        .as_i64()
        .filter(|integer| integer.unsigned_abs() <= LARGEST_INTEGER)
        .ok_or_else(|| NotCanonical(number.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        String::from_utf8(to_canonical(&text.parse().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn members_are_sorted_and_white_space_goes() {
        assert_eq!(
            canonical(r#"{ "b": [1, true, null], "a": {}, "B": -7 }"#),
            r#"{"B":-7,"a":{},"b":[1,true,null]}"#
        );
        // Bytewise, not by UTF-16 code units: U+1F600 comes after U+FB01.
        assert_eq!(
            canonical("{\"\u{1f600}\":1,\"\u{fb01}\":2}"),
            "{\"\u{fb01}\":2,\"\u{1f600}\":1}"
        );
    }

    #[test]
    fn only_quotes_and_backslashes_are_escaped() {
        assert_eq!(
            canonical(r#""\"\\\/\u0041\n<\u2028e\u0301""#),
            "\"\\\"\\\\/A\n<\u{2028}e\u{301}\""
        );
    }

    #[test]
    fn numbers_that_are_no_exact_integers_are_refused() {
        for text in
            ["1.5", "1.0", "1e3", "9007199254740993", "-9007199254740993", "18446744073709551615"]
        {
            assert!(to_canonical(&text.parse().unwrap()).is_err(), "{text}");
        }
        assert_eq!(canonical("9007199254740992"), "9007199254740992");
    }
}
