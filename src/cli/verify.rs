//! `verify`

use super::{
    Outcome,
    args::{self, MaxSignatures, OutputArgs},
    artifact::ArtifactArgs,
    block_on,
    failure::{Exit, Failure},
    policy,
    revocation::RevocationArgs,
    verdict::{Report, SignatureRow, StoreArgs},
};
use crate::{
    trust::RegistryScope,
    verify::{Verifier, VerifyError},
};

/// Verify the signatures of an artifact under the trust policy.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    artifact: ArtifactArgs,
    /// The repository that the artifact is judged as, such as registry.example/team/app
    #[arg(long, value_name = "REPOSITORY")]
    scope: RegistryScope,
    /// Metadata that has to be signed; may be repeated
    #[arg(long, short = 'm', value_name = "KEY=VALUE", value_parser = args::key_value)]
    user_metadata: Vec<(String, String)>,
    #[command(flatten)]
    max: MaxSignatures,
    #[command(flatten)]
    stores: StoreArgs,
    #[command(flatten)]
    revocation: RevocationArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let user_metadata = args::user_metadata(&self.user_metadata)?;
        let (file, in_force) = policy::for_artifacts()?;
        let Some(found) = in_force.statement_for(&self.scope) else {
            let message = format!("no statement of {} is for {}", file.path.display(), self.scope);
            return Err(Failure::message(Exit::NotConfigured, message));
        };
        let statement = &found.statement;
        let artifact = self.artifact.open()?;
        block_on(artifact.check())??;
        let mut report =
            Report::new(&artifact, statement).of(&artifact.descriptor.digest).under(&self.scope);
        let anchors = self.stores.read(statement, &mut report)?;
        let revocation = self.revocation.open()?;
        report.judged_at(&revocation);
        let mut verifier =
            Verifier::new(statement, &anchors, revocation.revocation(), revocation.at);
        verifier.max_signatures = self.max.get();
        verifier.user_metadata = user_metadata;
        match block_on(verifier.verify(&artifact.repository, &artifact.descriptor))? {
            Ok(accepted) => {
                self.max.warn(accepted.tried.untried);
                report.tried(accepted.tried);
                let row = accepted.signature.as_ref().map(SignatureRow::of);
                report.accept(accepted.accepted, row.unwrap_or_default());
            }
            Err(VerifyError::Unsigned(tried) | VerifyError::Rejected(tried)) => {
                self.max.warn(tried.untried);
                report.tried(*tried);
            }
            Err(error) => return Err(error.into()),
        }
        report.conclude(self.output.format)
    }
}
