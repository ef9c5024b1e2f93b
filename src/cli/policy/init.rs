//! `policy init`

use serde::Serialize;

use super::KindArgs;
use crate::{
    cli::{
        Outcome,
        failure::{Exit, Failure},
        output,
    },
    config::Directories,
    trust::{
        BlobPolicy, DirectoryTrustStore, OciPolicy, PolicyError, PolicyKind, Statement,
        TrustedIdentities, TrustedIdentity, Verification,
    },
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name of the statement
    #[arg(long, short, value_name = "NAME")]
    name: String,
    /// A trust store, such as ca:acme; may be repeated
    #[arg(long = "trust-store", value_name = "TYPE:NAME")]
    trust_stores: Vec<String>,
    /// Who may sign: "x509.subject: C=US, ST=WA, O=Acme", or "*" for everybody whom a trust store vouches for;
    /// may be repeated
    #[arg(long = "trusted-identity", value_name = "IDENTITY")]
    trusted_identities: Vec<String>,
    /// A repository that the statement is for, such as registry.example/app; may be repeated. All, if none is
    /// given
    #[arg(long = "scope", value_name = "REPOSITORY", conflicts_with = "blob")]
    scopes: Vec<String>,
    /// What becomes of a check that fails
    #[arg(long, value_enum, default_value_t = LevelName::Strict)]
    level: LevelName,
    #[command(flatten)]
    kind: KindArgs,
    /// Use the statement where nobody names one; with --blob
    #[arg(long, requires = "blob")]
    global: bool,
    /// Replace the policy that is in force
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum LevelName {
    /// Every check is enforced
    Strict,
    /// Integrity and authenticity are enforced, all else is logged
    Permissive,
    /// Integrity is enforced, all else is logged
    Audit,
    /// Signatures are not looked at
    Skip,
}

/// A policy of one statement.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: &'static str,
    trust_policies: [StatementMembers<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatementMembers<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry_scopes: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    global_policy: Option<bool>,
    signature_verification: SignatureVerification,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    trust_stores: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    trusted_identities: &'a [String],
}

#[derive(Serialize)]
struct SignatureVerification {
    level: LevelName,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        self.check_needs()?;
        let document = self.document()?;
        let kind = self.kind.kind();
        let statements = statements(kind, document.as_bytes()).map_err(|error| {
            Failure::new(Exit::Usage, error)
                .hint("notation-kms policy init --help has an example of each")
        })?;
        let directories = Directories::from_environment()?;
        let path = super::install(&directories, kind, document.as_bytes(), self.force)?;
        let stores = DirectoryTrustStore::new(directories.trust_stores());
        for statement in &statements {
            warn(statement, &stores);
        }
        output::line(&format!("wrote {}\n{}", path.display(), document.trim_end()))
    }

    fn check_needs(&self) -> Outcome {
        let missing = match self.level {
            LevelName::Skip => None,
            _ if self.trust_stores.is_empty() => Some("--trust-store TYPE:NAME"),
            _ if self.trusted_identities.is_empty() => Some("--trusted-identity IDENTITY"),
            _ => None,
        };
        missing.map_or(Ok(()), |flag| {
            let message = format!("{flag} is missing: only --level skip does without");
            Err(Failure::message(Exit::Usage, message))
        })
    }

    fn document(&self) -> Result<String, Failure> {
        let scopes = match self.scopes.as_slice() {
            [] => vec!["*"],
            scopes => scopes.iter().map(String::as_str).collect(),
        };
        let is_blob = self.kind.kind() == PolicyKind::Blob;
        let document = Document {
            version: "1.0",
            trust_policies: [StatementMembers {
                name: &self.name,
                registry_scopes: (!is_blob).then_some(scopes),
                global_policy: self.global.then_some(true),
                signature_verification: SignatureVerification { level: self.level },
                trust_stores: &self.trust_stores,
                trusted_identities: &self.trusted_identities,
            }],
        };
        let text = serde_json::to_string_pretty(&document);
        text.map(|text| text + "\n").map_err(|error| Failure::new(Exit::Other, error))
    }
}

/// The statements of a policy, as verification reads them.
fn statements(kind: PolicyKind, document: &[u8]) -> Result<Vec<Statement>, PolicyError> {
    Ok(match kind {
        PolicyKind::Oci => {
            let policy = OciPolicy::parse(document)?.policy;
            policy.statements.into_iter().map(|statement| statement.statement).collect()
        }
        PolicyKind::Blob => {
            let policy = BlobPolicy::parse(document)?.policy;
            policy.statements.into_iter().map(|statement| statement.statement).collect()
        }
    })
}

/// Tells what still has to be done before a signature can be accepted.
fn warn(statement: &Statement, stores: &DirectoryTrustStore) {
    let Verification::Verify(asked) = &statement.verification else { return };
    for store in &asked.trust_stores {
        if let Err(error) = stores.read([store]) {
            let problem = Failure::new(Exit::NotConfigured, error).one_line();
            let (kind, name) = (store.kind.name(), &store.name);
            output::note(&format!(
                "warning: {problem}\n  notation-kms cert add --type {kind} --store {name} FILE"
            ));
        }
    }
    if let TrustedIdentities::Listed(identities) = &asked.identities {
        for identity in identities {
            if matches!(identity, TrustedIdentity::Foreign(_)) {
                output::note(&format!(
                    "warning: identity {identity} matches nobody: only x509.subject: is compared"
                ));
            }
        }
    }
}
