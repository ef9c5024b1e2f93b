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

use super::{
    Checks, IdentityError, Level, RegistryScope, ScopeError, TrustedIdentities, VerifyTimestamp,
    policy_reader::{BLOB_MEMBERS, OCI_MEMBERS, open},
};
use crate::limits;

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
    /// A member that readers take for a known one that do not tell cases apart.
    #[error(
        "member {name:?} differs from {known:?} in case only, and is read by others as that one"
    )]
    CaseDiffers {
        /// The member.
        name: String,
        /// The known one.
        known: &'static str,
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
    /// More identities than are held against each other.
    #[error("list of {0} identities is over the limit of {limit}", limit = limits::TRUSTED_IDENTITIES)]
    TooManyIdentities(usize),
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

impl Statement {
    /// The stores whose certificates it trusts; none at the level `skip`.
    #[must_use]
    pub fn trust_stores(&self) -> &[TrustStore] {
        match &self.verification {
            Verification::Skip => &[],
            Verification::Verify(requirements) => &requirements.trust_stores,
        }
    }
}

impl TrustStore {
    /// A store of that type and name.
    ///
    /// # Errors
    /// [`Constraint::BadTrustStore`], where no folder of a trust store may have that name.
    pub fn new(kind: StoreType, name: impl Into<String>) -> Result<Self, Constraint> {
        let store = Self { kind, name: name.into() };
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_name = !store.name.is_empty() && store.name.chars().all(fits);
        if is_name && store.name != "." && store.name != ".." {
            Ok(store)
        } else {
            Err(Constraint::BadTrustStore(store.to_string()))
        }
    }
}

impl FromStr for TrustStore {
    type Err = Constraint;

    fn from_str(text: &str) -> Result<Self, Constraint> {
        let parts = text.split_once(':');
        match parts.and_then(|(kind, name)| Some((StoreType::from_name(kind)?, name))) {
            Some((kind, name)) => Self::new(kind, name),
            None => Err(Constraint::BadTrustStore(text.to_owned())),
        }
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
