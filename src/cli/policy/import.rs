//! `policy import`

use std::path::PathBuf;

use super::KindArgs;
use crate::{
    cli::{
        Outcome,
        failure::{Exit, Failure},
        output,
    },
    config::Directories,
    fs, limits,
    trust::{BlobPolicy, OciPolicy, PolicyKind},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The policy
    file: PathBuf,
    #[command(flatten)]
    kind: KindArgs,
    /// Replace the policy that is in force
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let kind = self.kind.kind();
        let bytes = fs::read_bounded(&self.file, limits::CONFIG_FILE_BYTES)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let unknown = match kind {
            PolicyKind::Oci => OciPolicy::parse(&bytes).map(|parsed| parsed.unknown),
            PolicyKind::Blob => BlobPolicy::parse(&bytes).map(|parsed| parsed.unknown),
        };
        let unknown = unknown.map_err(|error| {
            Failure::new(Exit::Usage, error).hint(format!(
                "notation-kms policy check {} tells all problems",
                self.file.display()
            ))
        })?;
        for problem in unknown {
            output::note(&format!("warning: {problem}"));
        }
        let directories = Directories::from_environment()?;
        let path = super::install(&directories, kind, &bytes, self.force)?;
        output::line(&format!("wrote {}", path.display()))
    }
}
