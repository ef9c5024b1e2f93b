//! `blob inspect`

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::{note_of_other_format, parse_signature, read_signature};
use crate::cli::{
    Outcome,
    args::OutputArgs,
    envelope_report::EnvelopeReport,
    failure::{Exit, Failure},
    output,
    tree::Tree,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The signature, FILE.jws.sig or FILE.cose.sig; where its name says no format, either is tried
    signature: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    signature: String,
    #[serde(flatten)]
    content: EnvelopeReport,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let bytes = read_signature(&self.signature)?;
        let envelope = parse_signature(&self.signature, &bytes).map_err(|error| {
            let failure = Failure::new(Exit::Rejected, error);
            match note_of_other_format(&self.signature, &bytes) {
                Some(note) => failure.hint(note),
                None => failure,
            }
        })?;
        let signature = self.signature.display().to_string();
        let report = Report { signature, content: EnvelopeReport::new(&envelope) };
        output::data(self.output.format, &report)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tree = Tree::new(self.signature.as_str());
        self.content.add_to(&mut tree);
        tree.fmt(f)
    }
}
