//! Files in which docker and podman keep credentials: `config.json` and `auth.json`
//! (containers-auth.json(5) describes both).

use std::{collections::BTreeMap, path::Path};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{ser::PrettyFormatter, value::to_raw_value};
use zeroize::Zeroizing;

use super::{CredentialsError, helper::Helper, members::Members, name::Name};
use crate::{fs, http::Credential, limits};

/// It holds passwords.
const FILE_MODE: u32 = 0o600;
const AUTHS: &str = "auths";
/// What docker indents with.
const INDENT: &str = "\t";

/// What one file holds, with members that only others know.
#[derive(Debug)]
pub(super) struct AuthFile {
    /// The file, or the variable, as it is called in texts.
    place: String,
    members: Members,
    auths: Members,
    indent: String,
    ends_with_line_feed: bool,
}

/// A member of `auths`.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

impl AuthFile {
    /// Reads a file; `None`: there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, CredentialsError> {
        match fs::read_secret(path, limits::CONFIG_FILE_BYTES) {
            Ok(bytes) => Self::parse(&format!("file {}", path.display()), &bytes).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn parse(place: &str, bytes: &[u8]) -> Result<Self, CredentialsError> {
        let malformed = |error: serde_json::Error| CredentialsError::Malformed {
            place: place.to_owned(),
            line: error.line(),
            column: error.column(),
        };
        // Docker takes an empty file for one that holds nothing.
        let is_empty = bytes.trim_ascii().is_empty();
        let bytes = if is_empty { b"{}" } else { bytes };
        let members: Members = serde_json::from_slice(bytes).map_err(malformed)?;
        let mut file = Self {
            place: place.to_owned(),
            auths: Members::default(),
            indent: indent_of(bytes).unwrap_or_else(|| INDENT.to_owned()),
            ends_with_line_feed: bytes.ends_with(b"\n"),
            members,
        };
        file.auths = file.member(AUTHS)?.unwrap_or_default();
        Ok(file)
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Who keeps the passwords of a registry, if not this file.
    pub(super) fn helper(&self, registry: &Name) -> Result<Option<Helper>, CredentialsError> {
        let helpers: BTreeMap<String, String> = self.member("credHelpers")?.unwrap_or_default();
        let own = helpers.into_iter().find(|(name, _)| registry.is(name));
        let suffix = match own {
            Some((_, suffix)) => Some(suffix),
            None => self.member("credsStore")?,
        };
        // An empty one is docker's way to say that the file keeps them.
        suffix.filter(|suffix| !suffix.is_empty()).as_deref().map(Helper::new).transpose()
    }

    /// What stands in the file itself for a registry: under its own name, or under one that docker has once given it.
    pub(super) fn credential(
        &self,
        registry: &Name,
    ) -> Result<Option<Credential>, CredentialsError> {
        let exact = self.auths.iter().filter(|(name, _)| *name == registry.key());
        let others =
            self.auths.iter().filter(|(name, _)| *name != registry.key() && registry.is(name));
        for (name, value) in exact.chain(others) {
            let bad = || self.bad(&format!("entry {name:?}"));
            let entry: Entry = serde_json::from_str(value.get()).map_err(|_| bad())?;
            if let Some(credential) = entry.credential().ok_or_else(bad)? {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }

    /// Puts a credential into the file; `None`: a helper keeps it.
    pub(super) fn set(
        &mut self,
        registry: &Name,
        credential: Option<&Credential>,
    ) -> Result<(), CredentialsError> {
        let mut entry = BTreeMap::new();
        match credential {
            Some(Credential::Basic { username, password }) => {
                let pair = Zeroizing::new(format!("{username}:{}", **password));
                entry.insert("auth", Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes())));
            }
            Some(Credential::IdentityToken(token)) => {
                entry.insert("identitytoken", token.clone());
            }
            None => {}
        }
        let entry: BTreeMap<_, _> = entry.iter().map(|(name, text)| (name, &**text)).collect();
        let value = to_raw_value(&entry).map_err(|_| self.bad(AUTHS))?;
        self.auths.set(registry.key(), value);
        Ok(())
    }

    /// Takes out what stands under any name of a registry; whether there was anything.
    pub(super) fn remove(&mut self, registry: &Name) -> bool {
        self.auths.retain(|name| !registry.is(name))
    }

    /// Writes the file. Behind a link, what it leads to is written.
    pub(super) fn save(&self, path: &Path) -> Result<(), CredentialsError> {
        let mut bytes = Zeroizing::new(Vec::new());
        let formatter = PrettyFormatter::with_indent(self.indent.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut *bytes, formatter);
        // A vector takes all bytes, and every name is text.
        self.serialize(&mut serializer).map_err(|_| self.bad(AUTHS))?;
        if self.ends_with_line_feed {
            bytes.push(b'\n');
        }
        Ok(fs::write_atomic(&fs::followed(path), &bytes, FILE_MODE)?)
    }

    fn member<T: for<'de> Deserialize<'de>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, CredentialsError> {
        let value = self.members.get(name).map_or("null", |value| value.get());
        // The cause could show a secret.
        serde_json::from_str(value).map_err(|_| self.bad(&format!("member {name:?}")))
    }

    fn bad(&self, member: &str) -> CredentialsError {
        CredentialsError::BadMember { place: self.place.clone(), member: member.to_owned() }
    }
}

/// All members as they were, but for `auths`.
impl Serialize for AuthFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.members.iter() {
            match name {
                AUTHS => map.serialize_entry(AUTHS, &self.auths)?,
                _ => map.serialize_entry(name, value)?,
            }
        }
        if self.members.get(AUTHS).is_none() {
            map.serialize_entry(AUTHS, &self.auths)?;
        }
        map.end()
    }
}

impl Entry {
    /// `Some(None)`: it is empty, as docker leaves it where a helper keeps the password; `None`: it is malformed.
    fn credential(self) -> Option<Option<Credential>> {
        if !self.identitytoken.is_empty() {
            return Some(Some(Credential::IdentityToken(Zeroizing::new(self.identitytoken))));
        }
        if !self.auth.is_empty() {
            return decoded(&self.auth).map(Some);
        }
        let (username, password) = (self.username, Zeroizing::new(self.password));
        let is_empty = username.is_empty() && password.is_empty();
        Some((!is_empty).then_some(Credential::Basic { username, password }))
    }
}

/// `user:password` in base64; docker filled it up with zeros once.
fn decoded(auth: &str) -> Option<Credential> {
    let padding =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&alphabet::STANDARD, padding).decode(auth).map(Zeroizing::new);
    let bytes = bytes.ok()?;
    let (username, password) = str::from_utf8(&bytes).ok()?.split_once(':')?;
    let password = Zeroizing::new(password.trim_matches('\0').to_owned());
    Some(Credential::Basic { username: username.to_owned(), password })
}

/// What stands before the first member.
fn indent_of(bytes: &[u8]) -> Option<String> {
    let rest = str::from_utf8(bytes).ok()?.trim_ascii_start().strip_prefix('{')?;
    let (white, _) = rest.split_once('"')?;
    let (_, indent) = white.rsplit_once('\n')?;
    indent.chars().all(|c| c == ' ' || c == '\t').then(|| indent.to_owned())
}
