//! `blob verify`

use std::path::PathBuf;

use super::{Blob, note_of_other_format, parse_signature, read_signature};
use crate::{
    cli::{
        Outcome,
        args::{self, OutputArgs},
        block_on,
        failure::{Exit, Failure},
        output, policy,
        revocation::RevocationArgs,
        verdict::{OpenStores, Report, SignatureRow, StoreArgs},
    },
    revocation::Evidence,
    verify::{Accepted, Artifact, Refusal, Verifier},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The file; - for standard input
    file: PathBuf,
    /// The file's signature, FILE.jws.sig or FILE.cose.sig; where its name says no format, either is tried
    #[arg(long, short = 's', value_name = "FILE")]
    signature: PathBuf,
    /// Name of the statement of the trust policy; the global one where this is left out
    #[arg(long, value_name = "NAME")]
    policy_name: Option<String>,
    /// Media type that has to be signed; any where this is left out
    #[arg(long, value_name = "TYPE")]
    media_type: Option<String>,
    /// Metadata that has to be signed; may be repeated
    #[arg(long, short = 'm', value_name = "KEY=VALUE", value_parser = args::key_value)]
    user_metadata: Vec<(String, String)>,
    #[command(flatten)]
    stores: StoreArgs,
    #[command(flatten)]
    revocation: RevocationArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let user_metadata = args::user_metadata(&self.user_metadata)?;
        let (file, in_force) = policy::for_files()?;
        let Some(found) = in_force.statement_for(self.policy_name.as_deref()) else {
            let message = match &self.policy_name {
                Some(name) => format!("no statement of {} is named {name:?}", file.path.display()),
                None => format!("no statement of {} is global", file.path.display()),
            };
            let hint = "--policy-name NAME says which statement is meant";
            return Err(Failure::message(Exit::NotConfigured, message).hint(hint));
        };
        let statement = &found.statement;
        let bytes = read_signature(&self.signature)?;
        // Also where the policy skips it: nobody is told that a file is accepted which is not there.
        let blob = Blob::open(&self.file)?;
        let mut report = Report::new(self.file.display(), statement);
        let OpenStores { anchors, problems } = self.stores.read(statement)?;
        report.store_problems = problems;
        let revocation = self.revocation.open()?;
        let at = revocation.at();
        report.judged_at(at, revocation.is_at_given());
        if let Some(skipped) = Accepted::by_skipping(statement, at) {
            report.accept(skipped, SignatureRow::default());
            return report.conclude(self.output.format);
        }
        let envelope = match parse_signature(&self.signature, &bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                if let Some(note) = note_of_other_format(&self.signature, &bytes) {
                    output::note(&format!("note: {note}"));
                }
                report.refuse(Refusal::Malformed(error), SignatureRow::default());
                return report.conclude(self.output.format);
            }
        };
        let (digest, size) = blob.digest(envelope.blob_hash())?;
        report = report.of(&digest);
        let mut artifact = Artifact::blob(digest, size);
        artifact.media_type.clone_from(&self.media_type);
        artifact.user_metadata = user_metadata;
        let row = SignatureRow::detached(&envelope);
        // A large file takes a while to be digested.
        let at = revocation.at();
        report.judged_at(at, revocation.is_at_given());
        let verifier = Verifier::new(statement, &anchors, revocation.revocation(), at);
        let mut evidence = Evidence::new();
        match block_on(verifier.evaluate(&envelope, &artifact, &mut evidence))? {
            Ok(accepted) => report.accept(accepted, row),
            Err(rejected) => report.refuse(Refusal::Rejected(rejected), row),
        }
        report.conclude(self.output.format)
    }
}
