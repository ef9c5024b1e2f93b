//! Distinguished names: DER as certificates carry them, text as RFC 4514 writes them.

use std::{fmt, str::FromStr};

use der::{
    Decode, Encode, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier, SetOfVec},
};
use x509_cert::attr::AttributeTypeAndValue as EncodedAttribute;
use x509_parser::{
    asn1_rs::ToDer,
    prelude::FromDer,
    x509::{AttributeTypeAndValue, X509Name},
};

use crate::{limits, text::is_invisible};

/// A distinguished name.
///
/// Two names are equal when their DER is: issuers are found by the bytes, as the notation CLI does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    der: Vec<u8>,
}

/// One `type=value` of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameAttribute {
    /// Short name where RFC 4514 or its registry has one (`CN`, `ST`), else dotted decimal.
    pub kind: String,
    /// The text; `None` where the value is no string, or its encoding is broken.
    pub value: Option<String>,
    der: Vec<u8>,
}

/// Why text or bytes are not a distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The bytes are not one DER `Name`.
    #[error("distinguished name is not valid DER")]
    Malformed,
    /// More attributes than a name may have.
    #[error("distinguished name has more than {limit} attributes", limit = limits::NAME_ATTRIBUTES)]
    TooManyAttributes,
    /// No attribute at all.
    #[error("distinguished name is empty")]
    Empty,
    /// An attribute without `=`.
    #[error("{0:?} is not of the form TYPE=VALUE")]
    NoEquals(String),
    /// An attribute type that is neither known by name nor dotted decimal.
    #[error(
        "attribute type {0:?} is not known: use CN, OU, O, L, ST, C, STREET, DC, UID or dotted decimal"
    )]
    UnknownType(String),
    /// A value with a character that RFC 4514 wants escaped, or with half an escape.
    #[error("value of {kind} has {what} (RFC 4514, section 2.4)")]
    BadValue {
        /// The attribute's type.
        kind: String,
        /// What is wrong with the value.
        what: &'static str,
    },
    /// A country that is not two letters.
    #[error("C={0:?} is not a country code of two letters")]
    BadCountry(String),
}

/// Short names: RFC 4514, section 3, then others of the LDAP registry that certificates hold.
const TYPES: [(&str, &str); 14] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("POSTALCODE", "2.5.4.17"),
    ("businessCategory", "2.5.4.15"),
    ("title", "2.5.4.12"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
];

impl Name {
    /// Parses a DER `Name`.
    ///
    /// # Errors
    /// [`NameError::Malformed`] or [`NameError::TooManyAttributes`].
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        let name = Self { der: der.to_vec() };
        let count: usize = read_rdns(der).ok_or(NameError::Malformed)?.iter().map(Vec::len).sum();
        if count > limits::NAME_ATTRIBUTES {
            return Err(NameError::TooManyAttributes);
        }
        Ok(name)
    }

    /// Takes the DER of a name that a certificate parser has read already.
    pub(crate) fn from_parsed(der: &[u8]) -> Self {
        Self { der: der.to_vec() }
    }

    /// The name in DER.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The attributes in the order of the DER, without regard to multi-valued parts.
    #[must_use]
    pub fn attributes(&self) -> Vec<NameAttribute> {
        read_rdns(&self.der).unwrap_or_default().into_iter().flatten().collect()
    }

    /// The first value of that type (`C`, `O`, `CN` …).
    #[must_use]
    pub fn value(&self, kind: &str) -> Option<String> {
        self.attributes().into_iter().find(|attribute| attribute.kind == kind)?.value
    }

    /// Whether a part holds several attributes, as in `CN=a+OU=b`.
    #[must_use]
    pub fn is_multi_valued(&self) -> bool {
        read_rdns(&self.der).unwrap_or_default().iter().any(|rdn| rdn.len() > 1)
    }

    /// The same name with its parts in the opposite order.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut parts = read_rdns(&self.der).unwrap_or_default();
        parts.reverse();
        encode(&parts).unwrap_or_else(|| self.clone())
    }
}

/// RFC 4514, section 2: the last part of the DER comes first.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rdn) in read_rdns(&self.der).unwrap_or_default().iter().rev().enumerate() {
            for (j, attribute) in rdn.iter().enumerate() {
                let separator = if j > 0 { "+" } else { "," };
                write!(f, "{}{attribute}", if i + j > 0 { separator } else { "" })?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl NameAttribute {
    /// Whether this is the attribute that text names: strings by their characters, all else by its DER.
    pub(crate) fn is(&self, kind: &str, text: &AttributeText) -> bool {
        let same = match text {
            AttributeText::Text(text) => self.value.as_deref() == Some(text),
            AttributeText::Der(der) => self.der == *der,
        };
        self.kind == kind && same
    }
}

impl fmt::Display for NameAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_dotted = self.kind.starts_with(|c: char| c.is_ascii_digit());
        match &self.value {
            // `O=` is refused as a slip of the hand where text is read.
            Some(value) if !is_dotted && !value.is_empty() => {
                write!(f, "{}={}", self.kind, Escaped(value))
            }
            _ => write!(f, "{}=#{}", self.kind, crate::crypto::hex(&self.der)),
        }
    }
}

/// A value with the escapes of RFC 4514, section 2.4.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.chars().count().saturating_sub(1);
        for (i, c) in self.0.chars().enumerate() {
            match c {
                '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{c}")?,
                '#' if i == 0 => f.write_str("\\#")?,
                ' ' if i == 0 || i == last => f.write_str("\\ ")?,
                // A terminal must not be steered by a certificate, nor a reader be misled by text that
                // runs the other way, so all of that goes as hex.
                c if c.is_control() || is_invisible(c) => {
                    let mut utf8 = [0; 4];
                    for byte in c.encode_utf8(&mut utf8).bytes() {
                        write!(f, "\\{byte:02X}")?;
                    }
                }
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// RFC 4514 text, most specific part first: `CN=signer,O=Acme,ST=WA,C=US`.
///
/// Spaces around separators are allowed. `C` becomes a `PrintableString`, `DC` and `emailAddress` an
/// `IA5String`, everything else a `UTF8String` (RFC 5280, section 4.1.2.4).
impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.trim().is_empty() {
            return Err(NameError::Empty);
        }
        let mut parts = split(text, ',')
            .map(|rdn| split(rdn, '+').map(parse_attribute).collect::<Result<Vec<_>, _>>())
            .collect::<Result<Vec<_>, _>>()?;
        if parts.iter().map(Vec::len).sum::<usize>() > limits::NAME_ATTRIBUTES {
            return Err(NameError::TooManyAttributes);
        }
        parts.reverse();
        encode(&parts).ok_or(NameError::Malformed)
    }
}

/// Splits at a separator that no backslash escapes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c| {
        let splits = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
}

/// The attributes of RFC 4514 text by part, in the order of the text, unescaped: what is compared, not what
/// could stand in a certificate.
pub(crate) fn parse_text(text: &str) -> Result<Vec<Vec<(String, AttributeText)>>, NameError> {
    if text.trim().is_empty() {
        return Err(NameError::Empty);
    }
    split(text, ',').map(|rdn| split(rdn, '+').map(parse_pair).collect()).collect()
}

fn parse_pair(text: &str) -> Result<(String, AttributeText), NameError> {
    let (kind, value) =
        text.split_once('=').ok_or_else(|| NameError::NoEquals(text.trim().to_owned()))?;
    let (kind, _) = attribute_type(kind.trim())?;
    let value = unescape(&kind, trim_unescaped(value))?;
    Ok((kind, value))
}

fn parse_attribute(text: &str) -> Result<NameAttribute, NameError> {
    let (kind, value) = parse_pair(text)?;
    let der = match value {
        AttributeText::Der(der) => der,
        AttributeText::Text(ref text) => encode_value(&kind, text)?,
    };
    let text = AnyRef::from_der(&der).ok().and_then(decode_value);
    Ok(NameAttribute { kind, value: text, der })
}

fn attribute_type(name: &str) -> Result<(String, ObjectIdentifier), NameError> {
    // `S` is what the .NET world and some trust policies write for `ST`.
    let wanted = if name.eq_ignore_ascii_case("S") { "ST" } else { name };
    let known = TYPES
        .iter()
        .find(|(short, dotted)| short.eq_ignore_ascii_case(wanted) || *dotted == wanted);
    let (kind, dotted) = known.map_or((wanted, wanted), |(short, dotted)| (*short, *dotted));
    let unknown = || NameError::UnknownType(name.to_owned());
    // The parser's arithmetic wraps at 32 bits, and another type would come of it.
    if dotted.split('.').any(|arc| arc.parse::<u32>().is_err()) {
        return Err(unknown());
    }
    Ok((kind.to_owned(), dotted.parse().map_err(|_| unknown())?))
}

/// Drops spaces around a value, but not an escaped one at its end, and no white space but U+0020:
/// that is a part of the value.
fn trim_unescaped(value: &str) -> &str {
    let value = value.trim_start_matches(' ');
    let trimmed = value.trim_end_matches(' ');
    let backslashes = trimmed.chars().rev().take_while(|&c| c == '\\').count();
    let keep = if backslashes % 2 == 1 { trimmed.len() + 1 } else { trimmed.len() };
    value.get(..keep).unwrap_or(trimmed)
}

/// A value as text names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AttributeText {
    Text(String),
    /// `#` and hex.
    Der(Vec<u8>),
}

fn unescape(kind: &str, text: &str) -> Result<AttributeText, NameError> {
    let bad = |what| NameError::BadValue { kind: kind.to_owned(), what };
    if let Some(hex) = text.strip_prefix('#') {
        let der = from_hex(hex).filter(|der| AnyRef::from_der(der).is_ok());
        return der.map(AttributeText::Der).ok_or_else(|| bad("no DER in hex after '#'"));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next().ok_or_else(|| bad("a backslash at its end"))? {
                c @ ('"' | '+' | ',' | ';' | '<' | '>' | '\\' | ' ' | '#' | '=') => {
                    bytes.extend(c.to_string().bytes());
                }
                high => {
                    let low = chars.next().unwrap_or(' ');
                    let byte = from_hex(&format!("{high}{low}"))
                        .ok_or_else(|| bad("an unknown escape"))?;
                    bytes.extend(byte);
                }
            },
            '"' | ';' | '<' | '>' | '\0' => return Err(bad("a character that must be escaped")),
            c => bytes.extend(c.to_string().bytes()),
        }
    }
    if bytes.is_empty() {
        return Err(bad("no character"));
    }
    String::from_utf8(bytes).map(AttributeText::Text).map_err(|_| bad("bytes that are not UTF-8"))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

fn encode_value(kind: &str, text: &str) -> Result<Vec<u8>, NameError> {
    let tag = match kind {
        "C" if text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic()) => {
            Tag::PrintableString
        }
        "C" => return Err(NameError::BadCountry(text.to_owned())),
        "DC" | "emailAddress" if text.is_ascii() => Tag::Ia5String,
        _ => Tag::Utf8String,
    };
    AnyRef::new(tag, text.as_bytes()).and_then(|any| any.to_der()).map_err(|_| NameError::Malformed)
}

fn decode_value(any: AnyRef<'_>) -> Option<String> {
    let bytes = any.value();
    match any.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString => String::from_utf8(bytes.to_vec()).ok(),
        // What certificates call T61 is Latin-1 in practice.
        Tag::TeletexString => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (pairs, []) = bytes.as_chunks::<2>() else { return None };
            String::from_utf16(
                &pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect::<Vec<_>>(),
            )
            .ok()
        }
        _ => None,
    }
}

type Parts = Vec<Vec<NameAttribute>>;

/// Reads with the certificate parser, which does not insist on the order of a SET.
fn read_rdns(der: &[u8]) -> Option<Parts> {
    let Ok(([], name)) = X509Name::from_der(der) else { return None };
    Some(name.iter_rdn().map(|rdn| rdn.iter().map(read_attribute).collect()).collect())
}

fn read_attribute(attribute: &AttributeTypeAndValue<'_>) -> NameAttribute {
    let dotted = attribute.attr_type().to_id_string();
    let short = TYPES.iter().find(|(_, oid)| *oid == dotted).map(|(short, _)| (*short).to_owned());
    let any = attribute.attr_value();
    // With its class: [12] IMPLICIT is no UTF8String.
    let der = any.to_der_vec().unwrap_or_default();
    let value = AnyRef::from_der(&der).ok().and_then(decode_value);
    NameAttribute { kind: short.unwrap_or(dotted), value, der }
}

fn encode(parts: &Parts) -> Option<Name> {
    let encode_one = |attribute: &NameAttribute| {
        let (_, oid) = attribute_type(&attribute.kind).ok()?;
        let value = Decode::from_der(&attribute.der).ok()?;
        Some(EncodedAttribute { oid, value })
    };
    let rdns = parts
        .iter()
        .map(|rdn| SetOfVec::try_from(rdn.iter().map(encode_one).collect::<Option<Vec<_>>>()?).ok())
        .collect::<Option<Vec<_>>>()?;
    Some(Name { der: rdns.to_der().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(text: &str) -> String {
        let name: Name = text.parse().unwrap();
        assert_eq!(Name::from_der(name.as_der()), Ok(name.clone()));
        name.to_string()
    }

    #[test]
    fn text_and_der_lead_back_to_each_other() {
        for text in [
            "CN=signer,O=Acme,ST=WA,C=US",
            "CN=a+OU=b,O=c",
            "CN=Acme\\, Inc.,O=\\#1 \\\"quoted\\\" \\<x\\>",
            "CN=\\ leading and trailing\\ ",
            "CN=Ünïcödé",
            "DC=example,DC=com",
            "1.2.3.4=#0403010203",
            "CN=tab\\09end",
            "CN=\\E2\\80\\AEdneb",
        ] {
            assert_eq!(round_trip(text), text);
        }
    }

    #[test]
    fn spaces_around_separators_and_other_spellings_are_read() {
        assert_eq!(round_trip(" cn = signer , S=WA, 2.5.4.10=Acme"), "CN=signer,ST=WA,O=Acme");
        assert_eq!(round_trip("CN=Acme\\2C Inc"), "CN=Acme\\, Inc");
    }

    #[test]
    fn the_last_part_of_the_text_is_the_first_of_the_der() {
        let name: Name = "CN=x,C=US".parse().unwrap();
        let kinds = name.attributes().into_iter().map(|a| a.kind).collect::<Vec<_>>();
        assert_eq!(kinds, ["C", "CN"]);
        assert_eq!(name.reversed().to_string(), "C=US,CN=x");
    }

    #[test]
    fn wrong_names_are_refused_with_what_is_wrong() {
        let refused = |text: &str| text.parse::<Name>().unwrap_err().to_string();
        assert_eq!(refused(" "), "distinguished name is empty");
        assert_eq!(refused("CN=a,signer"), "\"signer\" is not of the form TYPE=VALUE");
        assert_eq!(refused("CN="), "value of CN has no character (RFC 4514, section 2.4)");
        assert_eq!(
            refused("CN=a\\"),
            "value of CN has a backslash at its end (RFC 4514, section 2.4)"
        );
        assert_eq!(
            refused("CN=a;b"),
            "value of CN has a character that must be escaped (RFC 4514, section 2.4)"
        );
        assert_eq!(refused("C=USA"), "C=\"USA\" is not a country code of two letters");
        assert!(refused("XX=1").starts_with("attribute type \"XX\" is not known"));
        let many = vec!["CN=a"; limits::NAME_ATTRIBUTES + 1].join(",");
        assert_eq!(refused(&many), "distinguished name has more than 64 attributes");
    }

    #[test]
    fn der_with_trailing_bytes_is_refused() {
        let mut der = "CN=a".parse::<Name>().unwrap().as_der().to_vec();
        der.push(0);
        assert_eq!(Name::from_der(&der), Err(NameError::Malformed));
    }
}
