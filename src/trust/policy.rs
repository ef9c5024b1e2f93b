//! Trust policies, version 1.0: `trustpolicy.json` for artifacts and `trustpolicy.blob.json` for files
//! (trust-store-trust-policy.md, "Trust Policy").
//!
//! ```text
//! { "version": "1.0", "trustPolicies": [ {
//!     "name": TEXT,
//!     "registryScopes": [ REPOSITORY … ] | [ "*" ],                             artifacts only
//!     "globalPolicy": BOOLEAN,                                                  files only
//!     "signatureVerification": { "level": strict | permissive | audit | skip,
//!                                "override": { CHECK: ACTION }, "verifyTimestamp": always | afterCertExpiry },
//!     "trustStores": [ "ca:NAME" | "signingAuthority:NAME" | "tsa:NAME" ],
//!     "trustedIdentities": [ "*" ] | [ "x509.subject: C=…, ST=…, O=…" ] } ] }
//! ```
//!
//! A document is read whole: every fault is told, with its statement and its place, not only the first.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde_json::{Map, Value};

use super::{
    Action, Checks, IdentityError, Level, RegistryScope, RevocationAction, ScopeError,
    TrustedIdentities, TrustedIdentity, VerifyTimestamp,
};
use crate::{json, limits};

/// The policy for artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OciPolicy {
    /// At least one.
    pub statements: Vec<OciStatement>,
}

/// The policy for files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobPolicy {
    /// At least one.
    pub statements: Vec<BlobStatement>,
}

/// A statement for some repositories, or for all others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OciStatement {
    /// What it is for.
    pub scopes: Scopes,
    /// What it asks for.
    pub statement: Statement,
}

/// What a statement for artifacts is for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scopes {
    /// `*`: every repository that no other statement names.
    Global,
    /// These.
    Repositories(Vec<RegistryScope>),
}

/// A statement for files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobStatement {
    /// Whether it holds where nobody names a statement.
    pub is_global: bool,
    /// What it asks for.
    pub statement: Statement,
}

/// What a statement asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// Its name, unique in its policy.
    pub name: String,
    /// What is verified, and by whom.
    pub verification: Verification,
}

/// Whether signatures are verified at all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verification {
    /// Level `skip`.
    Skip,
    /// Any other level.
    Verify(Box<Requirements>),
}

/// What a signature is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requirements {
    /// The level that is named.
    pub level: Level,
    /// What becomes of each check, overrides included.
    pub checks: Checks,
    /// When a timestamp is looked at.
    pub verify_timestamp: VerifyTimestamp,
    /// Where trusted roots stand; at least one.
    pub trust_stores: Vec<TrustStore>,
    /// Who may sign.
    pub identities: TrustedIdentities,
}

/// A named store of roots: `ca:acme`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct TrustStore {
    /// What its roots are for.
    pub kind: StoreType,
    /// Its name, which is that of a folder.
    pub name: String,
}

/// What the roots of a trust store are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StoreType {
    /// Signers under the scheme `notary.x509`.
    Ca,
    /// Signers under the scheme `notary.x509.signingAuthority`.
    SigningAuthority,
    /// Timestamping authorities.
    Tsa,
}

/// A document that can be used, and what is odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parsed<P> {
    /// The policy.
    pub policy: P,
    /// Members that this version does not know. Verification tells them, `policy check` refuses them.
    pub unknown: Vec<Problem>,
}

/// Why a document is no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// More bytes than a policy may have.
    #[error("trust policy of {0} bytes is over the limit of {limit} bytes", limit = limits::CONFIG_FILE_BYTES)]
    TooLarge(usize),
    /// A byte order mark (RFC 8259, section 8.1).
    #[error("trust policy begins with a byte order mark, which JSON has none of")]
    ByteOrderMark,
    /// No JSON, a member twice, or bytes behind it.
    #[error("trust policy is not a JSON document")]
    NotJson(#[source] serde_json::Error),
    /// At least one constraint is broken.
    #[error("trust policy is not valid: {}", first(.0))]
    Invalid(Vec<Problem>),
}

/// One broken constraint, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The statement's name, where it has one.
    pub statement: Option<String>,
    /// The place, as a JSON path: `$.trustPolicies[0].trustStores[1]`.
    pub path: String,
    /// What is wrong there.
    pub constraint: Constraint,
}

/// A constraint of the specification, broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Constraint {
    /// A member that has to be there.
    #[error("member {0:?} is missing")]
    Missing(&'static str),
    /// A value of another type.
    #[error("value has to be {0}")]
    WrongType(&'static str),
    /// A member that is not known.
    #[error("member {name:?} is not known{}", Nearest(.nearest))]
    UnknownMember {
        /// The member.
        name: String,
        /// A known member of nearly that name.
        nearest: Option<&'static str>,
    },
    /// A version of another form.
    #[error("version {0:?} is not supported: it has to be \"1.0\"")]
    UnsupportedVersion(String),
    /// A list that has to hold something.
    #[error("list is empty, and has to hold at least one value")]
    Empty,
    /// An empty name.
    #[error("name is empty")]
    NoName,
    /// Two statements of one name.
    #[error("name {0:?} is that of an earlier statement too")]
    RepeatedName(String),
    /// A level that does not exist.
    #[error("level {0:?} is none of strict, permissive, audit and skip")]
    UnknownLevel(String),
    /// An override of a check that cannot be overridden.
    #[error(
        "{0:?} cannot be overridden: only authenticity, authenticTimestamp, expiry and revocation can"
    )]
    UnknownCheck(String),
    /// An action that the check does not have.
    #[error("{check} cannot be {action:?}: {}", allowed(.check))]
    UnknownAction {
        /// The check.
        check: &'static str,
        /// The action.
        action: String,
    },
    /// Overrides of the level `skip`.
    #[error("level skip cannot be overridden")]
    SkipOverridden,
    /// Stores or identities where nothing is verified.
    #[error("level skip verifies nothing: {0} have no meaning there")]
    SkipWith(&'static str),
    /// The level `skip` for everything.
    #[error("level skip cannot be used with the global scope or a global policy")]
    SkipEverything,
    /// A time of the timestamp check that does not exist.
    #[error("verifyTimestamp {0:?} is neither \"always\" nor \"afterCertExpiry\"")]
    UnknownVerifyTimestamp(String),
    /// Not a trust store.
    #[error(
        "{0:?} is not a trust store: TYPE:NAME with type ca, signingAuthority or tsa, and a name of letters, digits, \
         '.', '_' and '-'"
    )]
    BadTrustStore(String),
    /// `*` beside others.
    #[error("\"*\" stands for all, so nothing can stand beside it")]
    WildcardWithOthers,
    /// Not a scope.
    #[error(transparent)]
    BadScope(#[from] ScopeError),
    /// A scope that two statements have.
    #[error("scope {scope:?} is that of statement {other:?} too")]
    RepeatedScope {
        /// The scope.
        scope: String,
        /// The earlier statement.
        other: String,
    },
    /// Two global statements.
    #[error("statement {0:?} is global already, and only one can be")]
    SecondGlobal(String),
    /// Not an identity.
    #[error("{}", with_source(.0))]
    BadIdentity(IdentityError),
    /// Two identities that one subject can have both of.
    #[error("identities {one:?} and {other:?} overlap: a certificate can match both")]
    Overlap {
        /// One of them.
        one: String,
        /// The other.
        other: String,
    },
}

/// The place in the document, while it is read.
struct Reader {
    statement: Option<String>,
    problems: Vec<Problem>,
    unknown: Vec<Problem>,
}

impl OciPolicy {
    /// Parses and validates `trustpolicy.json`.
    ///
    /// # Errors
    /// [`PolicyError`], with every problem.
    pub fn parse(bytes: &[u8]) -> Result<Parsed<Self>, PolicyError> {
        let (mut reader, document) = open(bytes)?;
        let mut statements = Vec::new();
        let mut names = BTreeMap::new();
        let mut scopes_of = BTreeMap::new();
        for (path, members) in reader.statements(&document, &OCI_MEMBERS) {
            let statement = reader.statement(&path, &members, &mut names);
            let scopes = reader.scopes(&path, &members, &mut scopes_of);
            if let (Some(statement), Some(scopes)) = (statement, scopes) {
                if scopes == Scopes::Global && statement.verification == Verification::Skip {
                    reader.tell(
                        &format!("{path}.signatureVerification.level"),
                        Constraint::SkipEverything,
                    );
                }
                statements.push(OciStatement { scopes, statement });
            }
        }
        reader.finish(Self { statements })
    }

    /// The statement for a repository: the one that names it, else the global one.
    #[must_use]
    pub fn statement_for(&self, repository: &RegistryScope) -> Option<&OciStatement> {
        let names = |statement: &&OciStatement| matches!(&statement.scopes, Scopes::Repositories(scopes) if scopes.contains(repository));
        let global = |statement: &&OciStatement| statement.scopes == Scopes::Global;
        self.statements.iter().find(names).or_else(|| self.statements.iter().find(global))
    }
}

impl BlobPolicy {
    /// Parses and validates `trustpolicy.blob.json`.
    ///
    /// # Errors
    /// [`PolicyError`], with every problem.
    pub fn parse(bytes: &[u8]) -> Result<Parsed<Self>, PolicyError> {
        let (mut reader, document) = open(bytes)?;
        let mut statements: Vec<BlobStatement> = Vec::new();
        let mut names = BTreeMap::new();
        for (path, members) in reader.statements(&document, &BLOB_MEMBERS) {
            let statement = reader.statement(&path, &members, &mut names);
            let place = format!("{path}.globalPolicy");
            let is_global = match members.get("globalPolicy") {
                None => false,
                Some(value) => value.as_bool().unwrap_or_else(|| {
                    reader.tell(&place, Constraint::WrongType("true or false"));
                    false
                }),
            };
            let Some(statement) = statement else { continue };
            let earlier = statements.iter().find(|earlier| earlier.is_global && is_global);
            if let Some(earlier) = earlier {
                reader.tell(&place, Constraint::SecondGlobal(earlier.statement.name.clone()));
            }
            if is_global && statement.verification == Verification::Skip {
                reader.tell(
                    &format!("{path}.signatureVerification.level"),
                    Constraint::SkipEverything,
                );
            }
            statements.push(BlobStatement { is_global, statement });
        }
        reader.finish(Self { statements })
    }

    /// The statement of that name; without a name, the global one.
    #[must_use]
    pub fn statement_for(&self, name: Option<&str>) -> Option<&BlobStatement> {
        self.statements.iter().find(|statement| match name {
            Some(name) => statement.statement.name == name,
            None => statement.is_global,
        })
    }
}

const DOCUMENT_MEMBERS: [&str; 2] = ["version", "trustPolicies"];
const OCI_MEMBERS: [&str; 5] =
    ["name", "registryScopes", "signatureVerification", "trustStores", "trustedIdentities"];
const BLOB_MEMBERS: [&str; 5] =
    ["name", "globalPolicy", "signatureVerification", "trustStores", "trustedIdentities"];
const VERIFICATION_MEMBERS: [&str; 3] = ["level", "override", "verifyTimestamp"];

const TEXT: Constraint = Constraint::WrongType("text");
const LIST: Constraint = Constraint::WrongType("a list of texts");
const OBJECT: Constraint = Constraint::WrongType("an object");

fn open(bytes: &[u8]) -> Result<(Reader, Map<String, Value>), PolicyError> {
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
    fn tell(&mut self, path: &str, constraint: Constraint) {
        let problem =
            Problem { statement: self.statement.clone(), path: path.to_owned(), constraint };
        self.problems.push(problem);
    }

    fn finish<P>(mut self, policy: P) -> Result<Parsed<P>, PolicyError> {
        if self.problems.is_empty() {
            return Ok(Parsed { policy, unknown: self.unknown });
        }
        // A member that is missing may be there under nearly its name.
        self.problems.append(&mut self.unknown);
        Err(PolicyError::Invalid(self.problems))
    }

    /// An object, whose unknown members are noted.
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
            let constraint =
                Constraint::UnknownMember { name: name.clone(), nearest: nearest(name, known) };
            let statement = self.statement.clone();
            self.unknown.push(Problem { statement, path: path.to_owned(), constraint });
        }
        Some(members.clone())
    }

    /// The statements, each with its path.
    fn statements(
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
    fn statement(
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
        let is_set = |value: Option<&Value>| match value {
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(members)) => !members.is_empty(),
            Some(value) => !value.is_null(),
            None => false,
        };
        if is_set(settings.get("override")) {
            self.tell(
                &format!("{path}.signatureVerification.override"),
                Constraint::SkipOverridden,
            );
        }
        for member in ["trustStores", "trustedIdentities"] {
            if is_set(members.get(member)) {
                self.tell(&format!("{path}.{member}"), Constraint::SkipWith(member));
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
    fn scopes(
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

impl FromStr for TrustStore {
    type Err = Constraint;

    fn from_str(text: &str) -> Result<Self, Constraint> {
        let parsed = text.split_once(':').and_then(|(kind, name)| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let is_name = !name.is_empty() && name.chars().all(fits) && name != "." && name != "..";
            Some(Self { kind: StoreType::from_name(kind)?, name: name.to_owned() })
                .filter(|_| is_name)
        });
        parsed.ok_or_else(|| Constraint::BadTrustStore(text.to_owned()))
    }
}

impl StoreType {
    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Ca, Self::SigningAuthority, Self::Tsa].into_iter().find(|kind| kind.name() == name)
    }

    /// `ca`, `signingAuthority` or `tsa`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::SigningAuthority => "signingAuthority",
            Self::Tsa => "tsa",
        }
    }
}

impl fmt::Display for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.name)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(statement) = &self.statement {
            write!(f, "statement {statement:?}, ")?;
        }
        write!(f, "{}: {}", self.path, self.constraint)
    }
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

fn allowed(check: &str) -> &'static str {
    if check == "revocation" { "it is enforce, log or skip" } else { "it is enforce or log" }
}

fn first(problems: &[Problem]) -> String {
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    match problems.len() {
        0 | 1 => first,
        n => format!("{first} (and {} more)", n - 1),
    }
}

fn with_source(error: &IdentityError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// `: did you mean …?`, or nothing.
struct Nearest<'a>(&'a Option<&'static str>);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |nearest| write!(f, ": {nearest:?} is"))
    }
}
