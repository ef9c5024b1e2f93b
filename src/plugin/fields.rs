//! Reading a request member by member, so that each error names the member.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{CONTRACT_VERSION, Fault};
use crate::{json, limits};

/// The members of a request. What is not asked for is ignored
/// (plugin-extensibility.md, "Plugin contract", forward compatibility).
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads one JSON object, in which no member occurs twice at any depth.
    pub(super) fn parse(request: &[u8]) -> Result<Self, Fault> {
        match json::parse(request).map_err(Fault::MalformedRequest)? {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(Fault::WrongType { member: "the request", expected: "a JSON object" }),
        }
    }

    pub(super) fn has(&self, member: &str) -> bool {
        self.0.contains_key(member)
    }

    /// `contractVersion`: `1.x`, whatever the minor version.
    pub(super) fn contract_version(&mut self) -> Result<String, Fault> {
        let version = self.text("contractVersion")?;
        let is_number = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit())
                && !text.is_empty()
                && (text == "0" || !text.starts_with('0'))
        };
        match version.split_once('.') {
            Some((major, minor)) if is_number(major) && is_number(minor) => {
                match CONTRACT_VERSION.split_once('.') {
                    Some((ours, _)) if ours == major => Ok(version),
                    _ => Err(Fault::UnsupportedContractVersion(version)),
                }
            }
            _ => {
                let (member, expected) = ("contractVersion", "MAJOR.MINOR".to_owned());
                Err(Fault::BadValue { member, value: version, expected })
            }
        }
    }

    /// A string that is not empty.
    pub(super) fn text(&mut self, member: &'static str) -> Result<String, Fault> {
        match self.0.remove(member) {
            None | Some(Value::Null) => Err(Fault::Missing(member)),
            Some(Value::String(text)) if text.is_empty() => Err(Fault::Missing(member)),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Fault::WrongType { member, expected: "a string" }),
        }
    }

    /// A string that is the name of one of `all`.
    pub(super) fn one_of<T: Copy, const N: usize>(
        &mut self,
        member: &'static str,
        all: [T; N],
        name: impl Fn(T) -> &'static str,
    ) -> Result<T, Fault> {
        let value = self.text(member)?;
        let known = all.into_iter().find(|known| name(*known) == value);
        known.ok_or_else(|| Fault::BadValue { member, value, expected: all.map(name).join(", ") })
    }

    /// Bytes in base64 with padding (RFC 4648, section 4), at least one.
    pub(super) fn base64(&mut self, member: &'static str) -> Result<Vec<u8>, Fault> {
        let text = self.text(member)?;
        STANDARD.decode(text).map_err(|source| Fault::BadBase64 { member, source })
    }

    /// A number of seconds, up to [`limits::EXPIRY_SECONDS`]; 0 and a missing member are the same, as
    /// the CLI leaves 0 out.
    pub(super) fn seconds(&mut self, member: &'static str) -> Result<Option<u64>, Fault> {
        let Some(value) = self.0.remove(member) else { return Ok(None) };
        let seconds = value.as_u64().ok_or(Fault::WrongType {
            member,
            expected: "a whole number of seconds that is not negative",
        })?;
        if seconds > limits::EXPIRY_SECONDS {
            return Err(Fault::ExpiryTooLong(seconds));
        }
        Ok((seconds > 0).then_some(seconds))
    }

    /// `pluginConfig`: a map of strings; a missing one and null are empty.
    pub(super) fn plugin_config(&mut self) -> Result<BTreeMap<String, String>, Fault> {
        let wrong = Fault::WrongType { member: "pluginConfig", expected: "an object of strings" };
        let members = match self.0.remove("pluginConfig") {
            None | Some(Value::Null) => return Ok(BTreeMap::new()),
            Some(Value::Object(members)) => members,
            Some(_) => return Err(wrong),
        };
        let text = |(key, value)| match value {
            Value::String(value) => Some((key, value)),
            _ => None,
        };
        members.into_iter().map(text).collect::<Option<_>>().ok_or(wrong)
    }
}
