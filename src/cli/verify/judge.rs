//! What all artifacts of one command are judged by, and the judging of each.

use std::{cell::RefCell, collections::BTreeMap, path::PathBuf, rc::Rc};

use tokio::time::timeout;

use crate::{
    cli::{
        Outcome,
        args::{self, MaxSignatures, ToArgs},
        artifact::{self, Artifacts, OpenArtifact},
        failure::{Exit, Failure},
        policy,
        results::Entry as _,
        revocation::{OpenRevocation, RevocationArgs},
        verdict::{OpenStores, Report, StoreArgs},
    },
    config::Directories,
    limits,
    oci::Descriptor,
    registry::Repository,
    trust::{OciPolicy, PolicyFile, RegistryScope, ScopeError, Statement},
    verify::{Record, RecordingRepository, RecordingSource, Revocation, Verifier, VerifyError},
};

// What artifacts are held against
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct JudgeArgs {
    /// The repository that an artifact of a layout is judged as, such as registry.example/team/app
    #[arg(long, value_name = "REPOSITORY")]
    scope: Option<RegistryScope>,
    /// Metadata that has to be signed; may be repeated
    #[arg(long, short = 'm', value_name = "KEY=VALUE", value_parser = args::key_value)]
    user_metadata: Vec<(String, String)>,
    #[command(flatten)]
    checks: CheckArgs,
}

// How artifacts are checked
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CheckArgs {
    #[command(flatten)]
    max: MaxSignatures,
    #[command(flatten)]
    stores: StoreArgs,
    #[command(flatten)]
    revocation: RevocationArgs,
}

/// The policy in force, read once, and who is asked.
pub(in crate::cli) struct Judge<'a> {
    checks: &'a CheckArgs,
    artifacts: Artifacts<'a>,
    scope: Option<&'a RegistryScope>,
    user_metadata: BTreeMap<String, String>,
    file: PolicyFile,
    policy: OciPolicy,
    store_folder: PathBuf,
    revocation: OpenRevocation,
    /// Of the statements that were needed so far, by their names.
    stores: RefCell<BTreeMap<String, Rc<OpenStores>>>,
}

impl<'a> Judge<'a> {
    pub(in crate::cli) fn new(
        args: &'a JudgeArgs,
        artifacts: Artifacts<'a>,
    ) -> Result<Self, Failure> {
        match (&args.scope, artifacts.in_layouts) {
            (None, true) => {
                let message = "--scope is missing: an artifact of an image layout is judged as one of a repository";
                let hint = "--scope REPOSITORY says of which, such as registry.example/team/app";
                return Err(Failure::message(Exit::Usage, message).hint(hint));
            }
            (Some(_), false) => {
                let message = "--scope is for image layouts: an artifact of a registry has its own";
                return Err(Failure::message(Exit::Usage, message));
            }
            _ => {}
        }
        let folder = Directories::from_environment()?.trust_stores();
        let user_metadata = args::user_metadata(&args.user_metadata)?;
        let judge = Self::by(&args.checks, artifacts, policy::for_artifacts()?, folder)?;
        Ok(Self { scope: args.scope.as_ref(), user_metadata, ..judge })
    }

    /// Judges by a policy that need not be in force, with trust stores in a folder `truststore`.
    pub(in crate::cli) fn by(
        checks: &'a CheckArgs,
        artifacts: Artifacts<'a>,
        (file, policy): (PolicyFile, OciPolicy),
        store_folder: PathBuf,
    ) -> Result<Self, Failure> {
        let (revocation, stores) = (checks.revocation.open()?, RefCell::default());
        let (scope, user_metadata) = (None, BTreeMap::new());
        Ok(Self {
            checks,
            artifacts,
            scope,
            user_metadata,
            file,
            policy,
            store_folder,
            revocation,
            stores,
        })
    }

    /// What it judges by.
    pub(in crate::cli) const fn policy(&self) -> (&PolicyFile, &OciPolicy) {
        (&self.file, &self.policy)
    }

    /// Verifies an artifact, which is looked for once there is a statement to judge it by.
    pub(in crate::cli) async fn verify(
        &self,
        reference: &str,
        record: Option<&ToArgs>,
    ) -> Result<Report, Failure> {
        let scope = self.scope(reference)?;
        self.statement(&scope)?;
        let artifact = self.artifacts.open(reference).await?;
        self.verify_artifact(&scope, &artifact, record).await
    }

    /// Verifies an artifact as one of the repository `scope`.
    pub(in crate::cli) async fn verify_artifact(
        &self,
        scope: &RegistryScope,
        artifact: &OpenArtifact,
        record: Option<&ToArgs>,
    ) -> Result<Report, Failure> {
        let statement = self.statement(scope)?;
        let stores = self.stores(statement)?;
        // Whoever pulls from a registry gets the bytes of the digest, or an error. A layout is used as it lies there.
        if self.artifacts.in_layouts {
            artifact.check().await?;
        }
        let mut report =
            Report::new(artifact, statement).of(&artifact.descriptor.digest).under(scope);
        report.store_problems.clone_from(&stores.problems);
        let at = self.revocation.at();
        report.judged_at(at, self.revocation.is_at_given());
        let mut verifier =
            Verifier::new(statement, &stores.anchors, self.revocation.revocation(), at);
        verifier.max_signatures = self.checks.max.get();
        verifier.user_metadata.clone_from(&self.user_metadata);
        match record {
            None => {
                let repository = artifact.repository.as_ref();
                judge_in_time(&verifier, repository, &artifact.descriptor, &mut report).await?;
            }
            Some(to) => {
                let repository = RecordingRepository::new(artifact.repository.as_ref());
                let source = match verifier.revocation {
                    Revocation::Fetch(source) => Some(RecordingSource::new(source)),
                    Revocation::Offline(_) => None,
                };
                if let Some(source) = &source {
                    verifier.revocation = Revocation::Fetch(source);
                }
                judge_in_time(&verifier, &repository, &artifact.descriptor, &mut report).await?;
                let mut record = self.record(scope, artifact, &verifier, &repository, &report)?;
                match (&source, verifier.revocation) {
                    (Some(source), _) => record.set_asked(report.evidence(), source),
                    (None, Revocation::Offline(known)) => record.evidence = known.clone(),
                    (None, Revocation::Fetch(_)) => {}
                }
                let mut json = serde_json::to_vec_pretty(&record)?;
                json.push(b'\n');
                to.write(&json)?;
            }
        }
        self.checks.max.warn(report.untried());
        if report.exit().is_some() {
            self.checks.max.suggest(report.untried());
        }
        Ok(report)
    }

    pub(in crate::cli) const fn max_signatures(&self) -> &MaxSignatures {
        &self.checks.max
    }

    /// The repository that an artifact is judged as.
    pub(in crate::cli) fn scope(&self, reference: &str) -> Result<RegistryScope, Failure> {
        if let Some(scope) = self.scope {
            return Ok(scope.clone());
        }
        let reference = artifact::parse(reference)?;
        let repository = format!("{}/{}", reference.registry(), reference.repository());
        repository.parse().map_err(|error: ScopeError| Failure::new(Exit::Usage, error))
    }

    /// The statement that an artifact is judged by.
    pub(in crate::cli) fn statement(&self, scope: &RegistryScope) -> Result<&Statement, Failure> {
        let found = self.policy.statement_for(scope).ok_or_else(|| {
            let message = format!("no statement of {} is for {scope}", self.file.path.display());
            Failure::message(Exit::NotConfigured, message).hint(policy::ADD_TO_A_STATEMENT)
        })?;
        Ok(&found.statement)
    }

    /// The trust stores of a statement.
    pub(in crate::cli) fn stores(&self, statement: &Statement) -> Result<Rc<OpenStores>, Failure> {
        if let Some(known) = self.stores.borrow().get(&statement.name) {
            return Ok(Rc::clone(known));
        }
        let stores = Rc::new(self.checks.stores.read_in(self.store_folder.clone(), statement)?);
        self.stores.borrow_mut().insert(statement.name.clone(), Rc::clone(&stores));
        Ok(stores)
    }

    /// What a verdict depended on, but for what was known of revocation.
    fn record(
        &self,
        scope: &RegistryScope,
        artifact: &OpenArtifact,
        verifier: &Verifier<'_>,
        repository: &RecordingRepository<'_>,
        report: &Report,
    ) -> Result<Record, Failure> {
        let (statement, at) = (verifier.statement, verifier.at);
        let mut record =
            Record::new(&self.file.bytes, &statement.name, &artifact.descriptor, at, repository)?;
        record.reference = artifact.to_string();
        record.scope = scope.to_string();
        record.at_given = self.revocation.is_at_given();
        record.max_signatures = verifier.max_signatures;
        record.user_metadata.clone_from(&verifier.user_metadata);
        record.set_anchors(statement.trust_stores(), verifier.anchors);
        report.keep_in(&mut record)?;
        Ok(record)
    }
}

/// Verifies, and gives up where that does not end.
async fn judge_in_time(
    verifier: &Verifier<'_>,
    repository: &dyn Repository,
    artifact: &Descriptor,
    report: &mut Report,
) -> Outcome {
    let after = limits::VERIFICATION;
    timeout(after, judge(verifier, repository, artifact, report)).await.unwrap_or_else(|_| {
        let (digest, after) = (&artifact.digest, after.as_secs());
        let message = format!("verification of {digest} did not end within {after} s");
        Err(Failure::message(Exit::Unavailable, message))
    })
}

/// Verifies, and puts what becomes of it into the report.
pub(super) async fn judge(
    verifier: &Verifier<'_>,
    repository: &dyn Repository,
    artifact: &Descriptor,
    report: &mut Report,
) -> Outcome {
    match verifier.verify(repository, artifact).await {
        Ok(accepted) => report.accepted(accepted),
        Err(VerifyError::Unsigned(tried) | VerifyError::Rejected(tried)) => report.tried(*tried),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
