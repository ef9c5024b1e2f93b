//! `verify`

use std::path::PathBuf;

use super::{
    Outcome,
    args::{self, MaxSignatures, OutputArgs, ToArgs},
    artifact::{self, OpenArtifact},
    block_on,
    failure::{Exit, Failure},
    output, policy,
    registry::RegistryArgs,
    revocation::RevocationArgs,
    verdict::{Report, StoreArgs},
};
use crate::{
    fs, limits,
    oci::Descriptor,
    registry::Repository,
    trust::{OciPolicy, RegistryScope, ScopeError},
    verify::{Record, RecordingRepository, Revocation, Verifier, VerifyError},
};

/// Verify the signatures of an artifact under the trust policy.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The artifact: REGISTRY/REPOSITORY@DIGEST or REGISTRY/REPOSITORY:TAG. With --oci-layout PATH@DIGEST or PATH:TAG,
    /// where PATH is the folder or the tar of an image layout, or /dev/stdin; PATH alone, or -, where the layout
    /// holds one artifact
    #[arg(required_unless_present = "replay")]
    reference: Option<String>,
    /// Take the artifact and its signatures from an image layout
    #[arg(long, requires = "scope")]
    oci_layout: bool,
    /// The repository that an artifact of a layout is judged as, such as registry.example/team/app
    #[arg(long, value_name = "REPOSITORY")]
    scope: Option<RegistryScope>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Metadata that has to be signed; may be repeated
    #[arg(long, short = 'm', value_name = "KEY=VALUE", value_parser = args::key_value)]
    user_metadata: Vec<(String, String)>,
    #[command(flatten)]
    max: MaxSignatures,
    #[command(flatten)]
    stores: StoreArgs,
    #[command(flatten)]
    revocation: RevocationArgs,
    /// Write everything that the verdict depended on to a file that --replay reads
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Give the verdict of a record again, from the record alone
    #[arg(long, value_name = "FILE", conflicts_with_all = ["reference", "oci_layout", "scope", "user_metadata", "offline", "evidence", "at"])]
    replay: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let usage = |text: &str| Failure::message(Exit::Usage, text);
        match (&self.replay, &self.reference, &self.scope) {
            (Some(record), ..) => self.replay(record),
            (None, Some(reference), Some(scope)) if self.oci_layout => {
                self.verify(scope, || OpenArtifact::in_layout(reference))
            }
            (None, Some(reference), None) => {
                let reference = artifact::parse(reference)?;
                let repository = format!("{}/{}", reference.registry(), reference.repository());
                let scope: RegistryScope = repository
                    .parse()
                    .map_err(|error: ScopeError| Failure::new(Exit::Usage, error))?;
                self.verify(&scope, || OpenArtifact::in_registry(&reference, &self.registry, false))
            }
            (None, Some(_), Some(_)) => {
                Err(usage("--scope is for image layouts: an artifact of a registry has its own"))
            }
            (None, None, _) => Err(usage("neither an artifact nor a record is named")),
        }
    }

    /// Verifies the artifact that `open` finds, once there is a policy to verify it by.
    fn verify(
        &self,
        scope: &RegistryScope,
        open: impl FnOnce() -> Result<OpenArtifact, Failure>,
    ) -> Outcome {
        let user_metadata = args::user_metadata(&self.user_metadata)?;
        let to = self.record.as_deref().map(ToArgs::new);
        to.as_ref().map_or(Ok(()), ToArgs::check)?;
        let (file, in_force) = policy::for_artifacts()?;
        let Some(found) = in_force.statement_for(scope) else {
            let message = format!("no statement of {} is for {scope}", file.path.display());
            return Err(Failure::message(Exit::NotConfigured, message));
        };
        let statement = &found.statement;
        let artifact = open()?;
        block_on(artifact.check())??;
        let mut report =
            Report::new(&artifact, statement).of(&artifact.descriptor.digest).under(scope);
        let anchors = self.stores.read(statement, &mut report)?;
        let revocation = self.revocation.open()?;
        report.judged_at(revocation.at, revocation.is_at_given);
        let mut verifier =
            Verifier::new(statement, &anchors, revocation.revocation(), revocation.at);
        verifier.max_signatures = self.max.get();
        verifier.user_metadata.clone_from(&user_metadata);
        let repository = RecordingRepository::new(artifact.repository.as_ref());
        judge(&verifier, &repository, &artifact.descriptor, &mut report)?;
        self.max.warn(report.untried());
        if let Some(to) = to {
            let mut record = Record::new(
                &file.bytes,
                &statement.name,
                &artifact.descriptor,
                revocation.at,
                &repository,
            )?;
            record.reference = artifact.to_string();
            record.scope = scope.to_string();
            record.at_given = revocation.is_at_given;
            record.max_signatures = self.max.get();
            record.user_metadata = user_metadata;
            record.set_anchors(statement.trust_stores(), &anchors);
            if let Revocation::Offline(known) = revocation.revocation() {
                record.evidence.merge(known.clone());
            }
            report.keep_in(&mut record)?;
            let mut json = serde_json::to_vec_pretty(&record)?;
            json.push(b'\n');
            to.write(&json)?;
        }
        report.conclude(self.output.format)
    }

    /// The verdict of a record, which has to be the one that was told then.
    fn replay(&self, path: &std::path::Path) -> Outcome {
        let usage = |failure: Failure| failure.context(format!("{} is no record", path.display()));
        let bytes = fs::read_bounded(path, limits::EVIDENCE_FILE_BYTES)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let record =
            Record::from_json(&bytes).map_err(|error| usage(Failure::new(Exit::Usage, error)))?;
        let policy = OciPolicy::parse(record.policy.to_string().as_bytes())
            .map_err(|error| usage(Failure::new(Exit::Usage, error)))?
            .policy;
        let scope: RegistryScope =
            record.scope.parse().map_err(|error| usage(Failure::new(Exit::Usage, error)))?;
        let found = policy.statement_for(&scope).ok_or_else(|| {
            usage(Failure::message(Exit::Usage, "its statement is for another repository"))
        })?;
        let (anchors, at) = (record.anchors()?, record.at()?);
        let mut report = Report::new(&record.reference, &found.statement)
            .of(&record.artifact.digest)
            .under(&scope);
        report.judged_at(at, record.at_given);
        report.store_problems.clone_from(&record.store_problems);
        let offline = Revocation::Offline(&record.evidence);
        let mut verifier = Verifier::new(&found.statement, &anchors, offline, at);
        verifier.max_signatures = record.max_signatures;
        verifier.user_metadata.clone_from(&record.user_metadata);
        judge(&verifier, &record.repository(), &record.artifact, &mut report)?;
        if serde_json::to_value(&report)? != record.report {
            output::data(self.output.format, &report)?;
            let message = format!("{} tells another verdict than this", path.display());
            return Err(Failure::message(Exit::Rejected, message)
                .hint("the record was changed, or another version of this program wrote it"));
        }
        report.conclude(self.output.format)
    }
}

/// Verifies, and puts what becomes of it into the report.
fn judge(
    verifier: &Verifier<'_>,
    repository: &dyn Repository,
    artifact: &Descriptor,
    report: &mut Report,
) -> Outcome {
    match block_on(verifier.verify(repository, artifact))? {
        Ok(accepted) => report.accepted(accepted),
        Err(VerifyError::Unsigned(tried) | VerifyError::Rejected(tried)) => report.tried(*tried),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
