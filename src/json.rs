//! JSON that refuses a member that occurs twice: two readers of such a document can disagree, which is
//! how a signature comes to cover one thing and show another (RFC 7515, section 4; RFC 8259, section 4). And what Go
//! writes and reads in ways of its own.

use std::fmt;

use serde::{
    Deserialize,
    de::{Deserializer, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Parses one JSON text, with nothing behind it and no member twice at any depth.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Unique>(bytes).map(|unique| unique.0)
}

/// A JSON value without a member that occurs twice.
pub(crate) struct Unique(pub(crate) Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

/// Go writes `null` for a list or a map that is not there.
pub(crate) fn null_as_none<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A member's name as readers have it that do not tell cases apart. Go's take U+017F for `s` and U+212A for `k` too.
pub(crate) fn fold(name: &str) -> String {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    };
    name.chars().map(fold).collect()
}

/// The known name that such a reader takes this one for.
pub(crate) fn taken_for<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let folded = fold(name);
    known.iter().copied().find(|known| *known != name && fold(known) == folded)
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = access.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let Unique(value) = access.next_value()?;
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("member {name:?} occurs twice")));
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_occurs_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":2}"#, r#"[{"b":{"a":1,"\u0061":1}}]"#] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("member \"a\" occurs twice"), "{error}");
        }
        assert!(parse(br#"{"a":{"a":1},"A":2}"#).is_ok());
    }

    #[test]
    fn a_name_is_taken_for_one_that_go_folds_to_the_same() {
        let known = ["manifests", "kty"];
        for name in ["Manifests", "MANIFESTS", "manife\u{17f}ts", "manifest\u{17f}"] {
            assert_eq!(taken_for(name, &known), Some("manifests"), "{name}");
        }
        assert_eq!(taken_for("\u{212a}ty", &known), Some("kty"));
        for name in ["manifests", "manifest", "manife\u{df}ts", ""] {
            assert_eq!(taken_for(name, &known), None, "{name}");
        }
    }

    #[test]
    fn bytes_behind_the_value_and_deep_nesting_are_refused() {
        assert!(parse(b"{}{}").is_err());
        let depth = crate::limits::JSON_DEPTH + 1;
        assert!(parse("[".repeat(depth).as_bytes()).unwrap_err().to_string().contains("recursion"));
    }

    #[test]
    fn values_are_what_serde_json_reads() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,1.5,"x\n"],"b":{}}"#;
        assert_eq!(parse(text.as_bytes()).unwrap(), text.parse::<Value>().unwrap());
    }
}
