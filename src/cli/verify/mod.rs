//! `verify`

mod judge;
mod replay;

use std::path::PathBuf;

use futures_util::{StreamExt, stream};

use super::{
    Outcome,
    args::{self, MaxSignatures, OutputArgs, ToArgs},
    artifact::SourceArgs,
    block_on,
    failure::{Exit, Failure},
    output::Progress,
    results::Results,
    revocation::RevocationArgs,
    verdict::StoreArgs,
};
use crate::{limits, trust::RegistryScope};
use judge::Judge;

/// Verify the signatures of artifacts under the trust policy.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The artifacts: REGISTRY/REPOSITORY@DIGEST or REGISTRY/REPOSITORY:TAG. With --oci-layout PATH@DIGEST or PATH:TAG,
    /// where PATH is the folder or the tar of an image layout, or /dev/stdin; PATH alone, or -, where the layout
    /// holds one artifact
    #[arg(value_name = "REFERENCE", required_unless_present = "replay")]
    references: Vec<String>,
    #[command(flatten)]
    source: SourceArgs,
    /// The repository that artifacts of a layout are judged as, such as registry.example/team/app
    #[arg(long, value_name = "REPOSITORY", required_if_eq("oci_layout", "true"))]
    scope: Option<RegistryScope>,
    /// Metadata that has to be signed; may be repeated
    #[arg(long, short = 'm', value_name = "KEY=VALUE", value_parser = args::key_value)]
    user_metadata: Vec<(String, String)>,
    #[command(flatten)]
    max: MaxSignatures,
    #[command(flatten)]
    stores: StoreArgs,
    #[command(flatten)]
    revocation: RevocationArgs,
    /// Write everything that the verdict on the one artifact depended on to a file that --replay reads
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Give the verdict of a record again, from the record alone
    #[arg(long, value_name = "FILE", conflicts_with_all = ["references", "oci_layout", "scope", "user_metadata", "offline", "evidence", "at"])]
    replay: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        if let Some(record) = &self.replay {
            return replay::run(record, self.output.format);
        }
        if self.scope.is_some() && !self.source.oci_layout {
            let message = "--scope is for image layouts: an artifact of a registry has its own";
            return Err(Failure::message(Exit::Usage, message));
        }
        let to = self.record.as_deref().map(ToArgs::new);
        to.as_ref().map_or(Ok(()), ToArgs::check)?;
        match (self.references.as_slice(), to) {
            ([reference], to) => {
                let judge = Judge::new(self)?;
                block_on(judge.verify(reference, to.as_ref()))??.conclude(self.output.format)
            }
            (_, None) => self.verify_all(),
            (_, Some(_)) => {
                Err(Failure::message(Exit::Usage, "--record keeps the verdict on one artifact"))
            }
        }
    }

    /// Verifies several at a time, and tells them in the order in which they are named.
    fn verify_all(&self) -> Outcome {
        let judge = Judge::new(self)?;
        let (progress, total) = (Progress::new(), self.references.len());
        let verdicts = stream::iter(&self.references)
            .map(|reference| judge.verify(reference, None))
            .buffered(limits::ARTIFACTS_AT_A_TIME)
            .enumerate()
            .inspect(|(i, _)| progress.show(&format!("{} of {total}", i + 1)))
            .map(|(_, verdict)| verdict)
            .collect::<Vec<_>>();
        let verdicts = block_on(verdicts)?;
        progress.clear();
        let mut results = Results::new("accepted");
        for (reference, verdict) in self.references.iter().zip(verdicts) {
            results.add(reference, verdict)?;
        }
        results.conclude(self.output.format)
    }
}
