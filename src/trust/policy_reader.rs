//! Reading the JSON of trust policies, with every broken constraint and its place.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Action, Checks, Constraint, Level, Parsed, PolicyError, Problem, RegistryScope, Requirements,
    RevocationAction, Scopes, Statement, TrustStore, TrustedIdentities, TrustedIdentity,
    Verification, VerifyTimestamp,
};
use crate::{json, limits};

/// The place in the document, while it is read.
pub(super) struct Reader {
    statement: Option<String>,
    problems: Vec<Problem>,
    unknown: Vec<Problem>,
}

const DOCUMENT_MEMBERS: [&str; 2] = ["version", "trustPolicies"];
pub(super) const OCI_MEMBERS: [&str; 5] =
    ["name", "registryScopes", "signatureVerification", "trustStores", "trustedIdentities"];
pub(super) const BLOB_MEMBERS: [&str; 5] =
    ["name", "globalPolicy", "signatureVerification", "trustStores", "trustedIdentities"];
const VERIFICATION_MEMBERS: [&str; 3] = ["level", "override", "verifyTimestamp"];

const TEXT: Constraint = Constraint::WrongType("text");
const LIST: Constraint = Constraint::WrongType("a list of texts");
const OBJECT: Constraint = Constraint::WrongType("an object");

pub(super) fn open(bytes: &[u8]) -> Result<(Reader, Map<String, Value>), PolicyError> {
    if bytes.len() > limits::CONFIG_FILE_BYTES {
        return Err(PolicyError::TooLarge(bytes.len()));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        return Err(PolicyError::ByteOrderMark);
    }
    let mut reader = Reader { statement: None, problems: Vec::new(), unknown: Vec::new() };
    let value = json::parse(bytes).map_err(PolicyError::NotJson)?;
    let document = reader.object("$", &value, &DOCUMENT_MEMBERS).unwrap_or_default();
    match document.get("version") {
        Some(Value::String(version)) if version == "1.0" => {}
        Some(Value::String(version)) => {
            reader.tell("$.version", Constraint::UnsupportedVersion(version.clone()));
        }
        Some(_) => reader.tell("$.version", TEXT),
        None => reader.tell("$", Constraint::Missing("version")),
    }
    Ok((reader, document))
}

impl Reader {
    pub(super) fn tell(&mut self, path: &str, constraint: Constraint) {
        let problem =
            Problem { statement: self.statement.clone(), path: path.to_owned(), constraint };
        self.problems.push(problem);
    }

    pub(super) fn finish<P>(mut self, policy: P) -> Result<Parsed<P>, PolicyError> {
        if self.problems.is_empty() {
            return Ok(Parsed { policy, unknown: self.unknown });
        }
        // A member that is missing may be there under nearly its name.
        self.problems.append(&mut self.unknown);
        Err(PolicyError::Invalid(self.problems))
    }

    /// An object, whose unknown members are noted. One that differs from a known one in case only is refused.
    fn object(
        &mut self,
        path: &str,
        value: &Value,
        known: &[&'static str],
    ) -> Option<Map<String, Value>> {
        let Some(members) = value.as_object() else {
            self.tell(path, OBJECT);
            return None;
        };
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            // Another reader takes it for the known one, and so another policy.
            if let Some(known) = json::taken_for(name, known) {
                self.tell(path, Constraint::CaseDiffers { name: name.clone(), known });
                continue;
            }
            let constraint =
                Constraint::UnknownMember { name: name.clone(), nearest: nearest(name, known) };
            let statement = self.statement.clone();
            self.unknown.push(Problem { statement, path: path.to_owned(), constraint });
        }
        Some(members.clone())
    }

    /// The statements, each with its path.
    pub(super) fn statements(
        &mut self,
        document: &Map<String, Value>,
        known: &[&'static str],
    ) -> Vec<(String, Map<String, Value>)> {
        let path = "$.trustPolicies";
        let list = match document.get("trustPolicies") {
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.tell(path, Constraint::WrongType("a list of objects"));
                return Vec::new();
            }
            None => {
                self.tell("$", Constraint::Missing("trustPolicies"));
                return Vec::new();
            }
        };
        if list.is_empty() {
            self.tell(path, Constraint::Empty);
        }
        let mut statements = Vec::new();
        for (i, value) in list.iter().enumerate() {
            let path = format!("{path}[{i}]");
            self.statement = name_of(value.as_object());
            statements.extend(self.object(&path, value, known).map(|members| (path, members)));
        }
        statements
    }

    /// What both kinds of statements have.
    pub(super) fn statement(
        &mut self,
        path: &str,
        members: &Map<String, Value>,
        names: &mut BTreeMap<String, ()>,
    ) -> Option<Statement> {
        self.statement = name_of(Some(members));
        let place = format!("{path}.name");
        let name = match members.get("name") {
            None => self.none(path, Constraint::Missing("name")),
            Some(Value::String(name)) if name.is_empty() => self.none(&place, Constraint::NoName),
            Some(Value::String(name)) if names.insert(name.clone(), ()).is_some() => {
                self.none(&place, Constraint::RepeatedName(name.clone()))
            }
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => self.none(&place, TEXT),
        };
        let verification = self.verification(path, members);
        Some(Statement { name: name?, verification: verification? })
    }

    fn none<T>(&mut self, path: &str, constraint: Constraint) -> Option<T> {
        self.tell(path, constraint);
        None
    }

    fn verification(&mut self, path: &str, members: &Map<String, Value>) -> Option<Verification> {
        let place = format!("{path}.signatureVerification");
        let Some(value) = members.get("signatureVerification") else {
            return self.none(path, Constraint::Missing("signatureVerification"));
        };
        let settings = self.object(&place, value, &VERIFICATION_MEMBERS)?;
        let name = match settings.get("level") {
            Some(Value::String(name)) => name,
            Some(_) => return self.none(&format!("{place}.level"), TEXT),
            None => return self.none(&place, Constraint::Missing("level")),
        };
        if name == "skip" {
            return self.skip(path, members, &settings);
        }
        let Some(level) = Level::from_name(name) else {
            return self.none(&format!("{place}.level"), Constraint::UnknownLevel(name.clone()));
        };
        let checks = self.overrides(&place, level, &settings);
        let verify_timestamp = self.verify_timestamp(&place, &settings);
        let trust_stores = self.trust_stores(path, members);
        let identities = self.identities(path, members);
        Some(Verification::Verify(Box::new(Requirements {
            level,
            checks: checks?,
            verify_timestamp: verify_timestamp?,
            trust_stores: trust_stores?,
            identities: identities?,
        })))
    }

    fn skip(
        &mut self,
        path: &str,
        members: &Map<String, Value>,
        settings: &Map<String, Value>,
    ) -> Option<Verification> {
        let place = format!("{path}.signatureVerification");
        self.verify_timestamp(&place, settings);
        let place = format!("{place}.override");
        match settings.get("override") {
            None | Some(Value::Null) => {}
            Some(Value::Object(members)) if members.is_empty() => {}
            Some(Value::Object(_)) => self.tell(&place, Constraint::SkipOverridden),
            Some(_) => self.tell(&place, OBJECT),
        }
        for member in ["trustStores", "trustedIdentities"] {
            let place = format!("{path}.{member}");
            match members.get(member) {
                None | Some(Value::Null) => {}
                Some(Value::Array(list)) if list.is_empty() => {}
                Some(Value::Array(_)) => self.tell(&place, Constraint::SkipWith(member)),
                Some(_) => self.tell(&place, LIST),
            }
        }
        Some(Verification::Skip)
    }

    fn overrides(
        &mut self,
        place: &str,
        level: Level,
        settings: &Map<String, Value>,
    ) -> Option<Checks> {
        let mut checks = level.checks();
        let Some(value) = settings.get("override") else { return Some(checks) };
        let place = format!("{place}.override");
        let Some(overrides) = value.as_object() else {
            return self.none(&place, OBJECT);
        };
        let before = self.problems.len();
        for (check, value) in overrides {
            let place = format!("{place}.{check}");
            match value.as_str() {
                Some(action) => {
                    if let Err(constraint) = override_check(&mut checks, check, action) {
                        self.tell(&place, constraint);
                    }
                }
                None => self.tell(&place, TEXT),
            }
        }
        (self.problems.len() == before).then_some(checks)
    }

    fn verify_timestamp(
        &mut self,
        place: &str,
        settings: &Map<String, Value>,
    ) -> Option<VerifyTimestamp> {
        let place = format!("{place}.verifyTimestamp");
        match settings.get("verifyTimestamp") {
            None => Some(VerifyTimestamp::default()),
            Some(Value::String(text)) => match text.as_str() {
                "always" => Some(VerifyTimestamp::Always),
                "afterCertExpiry" => Some(VerifyTimestamp::AfterCertExpiry),
                _ => self.none(&place, Constraint::UnknownVerifyTimestamp(text.clone())),
            },
            Some(_) => self.none(&place, TEXT),
        }
    }

    /// A list of at least one text, each with its path.
    fn texts(
        &mut self,
        path: &str,
        members: &Map<String, Value>,
        member: &'static str,
    ) -> Option<Vec<(String, String)>> {
        let place = format!("{path}.{member}");
        let list = match members.get(member) {
            Some(Value::Array(list)) => list,
            Some(_) => return self.none(&place, LIST),
            None => return self.none(path, Constraint::Missing(member)),
        };
        if list.is_empty() {
            return self.none(&place, Constraint::Empty);
        }
        let mut texts = Vec::new();
        for (i, value) in list.iter().enumerate() {
            let place = format!("{place}[{i}]");
            match value.as_str() {
                Some(text) => texts.push((place, text.to_owned())),
                None => self.tell(&place, TEXT),
            }
        }
        Some(texts)
    }

    fn trust_stores(
        &mut self,
        path: &str,
        members: &Map<String, Value>,
    ) -> Option<Vec<TrustStore>> {
        let texts = self.texts(path, members, "trustStores")?;
        let mut stores = Vec::new();
        for (place, text) in texts {
            match text.parse() {
                Ok(store) if stores.contains(&store) => {}
                Ok(store) => stores.push(store),
                Err(constraint) => self.tell(&place, constraint),
            }
        }
        Some(stores)
    }

    fn identities(
        &mut self,
        path: &str,
        members: &Map<String, Value>,
    ) -> Option<TrustedIdentities> {
        let texts = self.texts(path, members, "trustedIdentities")?;
        if texts.len() > limits::TRUSTED_IDENTITIES {
            let constraint = Constraint::TooManyIdentities(texts.len());
            return self.none(&format!("{path}.trustedIdentities"), constraint);
        }
        if let Some((place, _)) = texts.iter().find(|(_, text)| text == "*") {
            if texts.len() > 1 {
                return self.none(place, Constraint::WildcardWithOthers);
            }
            return Some(TrustedIdentities::Any);
        }
        let mut identities: Vec<TrustedIdentity> = Vec::new();
        for (place, text) in texts {
            let identity = match TrustedIdentity::parse(&text) {
                Ok(identity) => identity,
                Err(error) => {
                    self.tell(&place, Constraint::BadIdentity(error));
                    continue;
                }
            };
            if let Some(other) = identities.iter().find(|other| overlap(other, &identity)) {
                let (one, other) = (other.to_string(), text);
                self.tell(&place, Constraint::Overlap { one, other });
            }
            identities.push(identity);
        }
        Some(TrustedIdentities::Listed(identities))
    }

    /// Scopes of one statement; `taken` has those of earlier ones, with their statements.
    pub(super) fn scopes(
        &mut self,
        path: &str,
        members: &Map<String, Value>,
        taken: &mut BTreeMap<String, String>,
    ) -> Option<Scopes> {
        let texts = self.texts(path, members, "registryScopes")?;
        let statement = self.statement.clone().unwrap_or_default();
        if let Some((place, _)) = texts.iter().find(|(_, text)| text == "*") {
            if texts.len() > 1 {
                return self.none(place, Constraint::WildcardWithOthers);
            }
            return match taken.insert("*".to_owned(), statement) {
                Some(other) => self.none(place, Constraint::SecondGlobal(other)),
                None => Some(Scopes::Global),
            };
        }
        let mut scopes = Vec::new();
        for (place, text) in texts {
            match text.parse::<RegistryScope>() {
                Ok(scope) => scopes.push(scope),
                Err(error) => self.tell(&place, error.into()),
            }
            if let Some(other) = taken.insert(text.clone(), statement.clone()) {
                self.tell(&place, Constraint::RepeatedScope { scope: text, other });
            }
        }
        Some(Scopes::Repositories(scopes))
    }
}

fn name_of(statement: Option<&Map<String, Value>>) -> Option<String> {
    let name = statement?.get("name")?.as_str().filter(|name| !name.is_empty());
    name.map(ToOwned::to_owned)
}

fn override_check(checks: &mut Checks, check: &str, action: &str) -> Result<(), Constraint> {
    let parsed = match action {
        "enforce" => Some(Action::Enforce),
        "log" => Some(Action::Log),
        _ => None,
    };
    let action_of = |check| {
        parsed.ok_or_else(|| Constraint::UnknownAction { check, action: action.to_owned() })
    };
    match check {
        "authenticity" => checks.authenticity = action_of("authenticity")?,
        "authenticTimestamp" => checks.authentic_timestamp = action_of("authenticTimestamp")?,
        "expiry" => checks.expiry = action_of("expiry")?,
        "revocation" if action == "skip" => checks.revocation = RevocationAction::Skip,
        "revocation" => {
            checks.revocation = match action_of("revocation")? {
                Action::Enforce => RevocationAction::Enforce,
                Action::Log => RevocationAction::Log,
            };
        }
        _ => return Err(Constraint::UnknownCheck(check.to_owned())),
    }
    Ok(())
}

fn overlap(one: &TrustedIdentity, other: &TrustedIdentity) -> bool {
    matches!((one, other), (TrustedIdentity::Subject(one), TrustedIdentity::Subject(other)) if one.overlaps(other))
}

/// The known name that differs in the fewest characters, if those are few.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let distance = |candidate: &str| edit_distance(&name.to_lowercase(), &candidate.to_lowercase());
    let nearest = known.iter().min_by_key(|candidate| distance(candidate))?;
    (distance(nearest) <= nearest.len() / 3).then_some(*nearest)
}

/// How many characters have to be added, taken away or changed.
fn edit_distance(a: &str, b: &str) -> usize {
    // A name of any length is compared with short ones only as far as it could still be near.
    let a: Vec<char> = a.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, c) in b.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((left, above), known) in row.iter().zip(row.iter().skip(1)).zip(&a) {
            let beside = next.last().copied().unwrap_or(0);
            next.push((left + usize::from(*known != c)).min(above + 1).min(beside + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
