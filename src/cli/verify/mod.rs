//! `verify`

mod judge;
mod replay;

use std::path::PathBuf;

use futures_util::{StreamExt, stream};

use super::{
    Outcome,
    args::{OutputArgs, ToArgs},
    artifact::SourceArgs,
    block_on,
    failure::{Exit, Failure},
    output::Progress,
    results::Results,
};
use crate::limits;
pub(super) use judge::{CheckArgs, Judge, JudgeArgs};

/// What a record has settled: the artifacts, and all options but that of the output. The groups are those of arguments
/// that hold no other arguments.
const NOT_REPLAYED: [&str; 13] = [
    "references",
    "oci_layout",
    "scope",
    "user_metadata",
    "offline",
    "evidence",
    "max_evidence_age",
    "at",
    "no_revocation_cache",
    "RegistryArgs",
    "MaxSignatures",
    "StoreArgs",
    "FetchArgs",
];

const EXIT_CODES: &str = "\
Exit codes:
  0  accepted by the trust policy
  2  the command line is wrong
  3  rejected: no signature is acceptable, or what may be one cannot be read
  4  unsigned: there is no signature at all
  5  trust policy or trust store is missing or wrong
  6  a registry, or who knows of revocation, could not be reached in time
  7  credentials are missing or refused
  8  there is no such artifact
  9  of several artifacts, some were not accepted
  1  anything else";

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Args {
    /// The artifacts: REGISTRY/REPOSITORY@DIGEST or REGISTRY/REPOSITORY:TAG. With --oci-layout PATH@DIGEST or PATH:TAG,
    /// where PATH is the folder or the tar of an image layout, or /dev/stdin; PATH alone, or -, where the layout
    /// holds one artifact
    #[arg(value_name = "REFERENCE", required_unless_present = "replay")]
    references: Vec<String>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    judging: JudgeArgs,
    /// Write everything that the verdict on the one artifact depended on to a file that --replay reads
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Give the verdict of a record again, from the record alone
    #[arg(long, value_name = "FILE", conflicts_with_all = NOT_REPLAYED)]
    replay: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        if let Some(record) = &self.replay {
            return replay::run(record, self.output.format);
        }
        let to = self.record.as_deref().map(ToArgs::new);
        to.as_ref()
            .map_or(Ok(()), ToArgs::check)
            .map_err(|failure| failure.hint("a record is never replaced: name another file"))?;
        match (self.references.as_slice(), to) {
            ([reference], to) => {
                let judge = self.judge()?;
                block_on(judge.verify(reference, to.as_ref()))??.conclude(self.output.format)
            }
            (_, None) => self.verify_all(),
            (_, Some(_)) => {
                Err(Failure::message(Exit::Usage, "--record keeps the verdict on one artifact"))
            }
        }
    }

    fn judge(&self) -> Result<Judge<'_>, Failure> {
        Judge::new(&self.judging, self.source.artifacts())
    }

    /// Verifies several at a time, and tells them in the order in which they are named.
    fn verify_all(&self) -> Outcome {
        let judge = self.judge()?;
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
