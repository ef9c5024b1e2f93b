//! `policy explain`

use std::fmt;

use serde::Serialize;

use super::ADD_TO_A_STATEMENT;
use crate::{
    cli::{
        Outcome,
        args::OutputArgs,
        failure::{Exit, Failure},
        output,
        verdict::StoreArgs,
    },
    config::Directories,
    trust::{
        Checks, DirectoryTrustStore, RegistryScope, Requirements, Scopes, StoreType, TrustStore,
        TrustedIdentities, Verification, VerifyTimestamp,
    },
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A repository or an artifact in it: registry.example/team/app, with a tag, a digest or neither
    reference: String,
    #[command(flatten)]
    stores: StoreArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Serialize)]
struct Report {
    repository: String,
    policy: String,
    statement: String,
    /// `global`, or the scope that names the repository.
    scope: String,
    level: &'static str,
    #[serde(flatten)]
    requirements: Option<Explained>,
}

/// What is asked for, for every level but skip.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    checks: Checks,
    verify_timestamp: VerifyTimestamp,
    trust_stores: Vec<StoreRow>,
    trusted_identities: Vec<String>,
    /// Whether a timestamp is asked for at all.
    timestamps: bool,
}

#[derive(Debug, Serialize)]
struct StoreRow {
    store: String,
    folder: String,
    certificates: Vec<String>,
    problem: Option<String>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let repository = repository_of(&self.reference)?;
        let (file, policy) = crate::cli::policy::for_artifacts()?;
        let Some(found) = policy.statement_for(&repository) else {
            let message = format!(
                "no statement of {} is for {repository}: every signature there is refused",
                file.path.display()
            );
            return Err(Failure::message(Exit::NotConfigured, message).hint(ADD_TO_A_STATEMENT));
        };
        let stores = self.stores.stores(Directories::from_environment()?.trust_stores());
        let (level, requirements) = match &found.statement.verification {
            Verification::Skip => ("skip", None),
            Verification::Verify(asked) => {
                (asked.level.name(), Some(Explained::new(asked, &stores)))
            }
        };
        let scope = match &found.scopes {
            Scopes::Global => "global".to_owned(),
            Scopes::Repositories(_) => repository.to_string(),
        };
        let report = Report {
            repository: repository.to_string(),
            policy: file.path.display().to_string(),
            statement: found.statement.name.clone(),
            scope,
            level,
            requirements,
        };
        output::data(self.output.format, &report)
    }
}

/// The repository of a reference, without its tag and digest.
fn repository_of(reference: &str) -> Result<RegistryScope, Failure> {
    let name = reference.split('@').next().unwrap_or(reference);
    let name = match name.rsplit_once('/') {
        Some((path, last)) => {
            let last = last.split(':').next().unwrap_or(last);
            format!("{path}/{last}")
        }
        None => name.to_owned(),
    };
    name.parse().map_err(|error: crate::trust::ScopeError| Failure::new(Exit::Usage, error))
}

impl Explained {
    fn new(asked: &Requirements, stores: &DirectoryTrustStore) -> Self {
        Self {
            checks: asked.checks,
            verify_timestamp: asked.verify_timestamp,
            trust_stores: asked
                .trust_stores
                .iter()
                .map(|store| StoreRow::new(store, stores))
                .collect(),
            trusted_identities: match &asked.identities {
                TrustedIdentities::Any => vec!["*".to_owned()],
                TrustedIdentities::Listed(identities) => {
                    identities.iter().map(ToString::to_string).collect()
                }
            },
            timestamps: asked.trust_stores.iter().any(|store| store.kind == StoreType::Tsa),
        }
    }
}

impl StoreRow {
    fn new(store: &TrustStore, stores: &DirectoryTrustStore) -> Self {
        let folder = stores.folder(store).display().to_string();
        let (certificates, problem) = match stores.read([store]) {
            Ok(read) => {
                let certificates = read.anchors.certificates(store).iter();
                (certificates.map(|anchor| anchor.subject().to_string()).collect(), None)
            }
            Err(error) => {
                let failure = Failure::new(Exit::NotConfigured, error);
                (Vec::new(), Some(failure.one_line()))
            }
        };
        Self { store: store.to_string(), folder, certificates, problem }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "repository:  {}", self.repository)?;
        writeln!(f, "policy:      {}", self.policy)?;
        writeln!(
            f,
            "statement:   {} ({})",
            self.statement,
            match self.scope.as_str() {
                "global" => "for all repositories that no other statement names",
                _ => "names this repository",
            }
        )?;
        match &self.requirements {
            None => write!(f, "level:       skip: signatures are not looked at"),
            Some(explained) => {
                writeln!(f, "level:       {}", self.level)?;
                explained.fmt(f)
            }
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checks { authenticity, authentic_timestamp, expiry, revocation } = self.checks;
        writeln!(f, "  integrity:            enforced")?;
        writeln!(f, "  authenticity:         {authenticity}")?;
        writeln!(f, "  authentic timestamp:  {authentic_timestamp}")?;
        writeln!(f, "  expiry:               {expiry}")?;
        writeln!(f, "  revocation:           {revocation}")?;
        writeln!(
            f,
            "timestamps:  {}",
            match (self.timestamps, self.verify_timestamp) {
                (false, _) => "not looked at: no store of type tsa is named",
                (true, VerifyTimestamp::Always) => "verified always",
                (true, VerifyTimestamp::AfterCertExpiry) =>
                    "verified where a certificate has expired",
            }
        )?;
        writeln!(f, "trust stores")?;
        for StoreRow { store, folder, certificates, problem } in &self.trust_stores {
            writeln!(f, "  {store}  {folder}")?;
            for certificate in certificates {
                writeln!(f, "    {certificate}")?;
            }
            if let Some(problem) = problem {
                writeln!(f, "    problem: {problem}")?;
            }
        }
        writeln!(f, "trusted identities")?;
        let identities: Vec<String> =
            self.trusted_identities.iter().map(|identity| format!("  {identity}")).collect();
        f.write_str(&identities.join("\n"))
    }
}
