//! `verify --replay`: the verdict of a record, which has to be the one that was told then.

use std::path::Path;

use super::judge;
use crate::{
    cli::{
        Outcome, block_on,
        failure::{Exit, Failure},
        output::{self, Format},
        verdict::Report,
    },
    fs, limits,
    trust::{OciPolicy, RegistryScope},
    verify::{Record, Revocation, Verifier},
};

pub(super) fn run(path: &Path, format: Format) -> Outcome {
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
    let digest = record.artifact.digest.as_str();
    if !record.reference.ends_with(&format!("@{digest}")) {
        let message = format!("its reference {} is not of {digest}", record.reference);
        return Err(usage(Failure::message(Exit::Usage, message)));
    }
    output::note("note: this is the verdict of a record, by the policy and the trust stores in it");
    let (anchors, at) = (record.anchors()?, record.at()?);
    let mut report =
        Report::new(&record.reference, &found.statement).of(&record.artifact.digest).under(&scope);
    report.judged_at(at, record.at_given);
    report.store_problems.clone_from(&record.store_problems);
    let source = record.source();
    let revocation = match &source {
        Some(source) => Revocation::Fetch(source),
        None => Revocation::Offline(&record.evidence),
    };
    let mut verifier = Verifier::new(&found.statement, &anchors, revocation, at);
    verifier.max_signatures = record.max_signatures;
    verifier.user_metadata.clone_from(&record.user_metadata);
    block_on(judge::judge(&verifier, &record.repository(), &record.artifact, &mut report))??;
    if serde_json::to_value(&report)? != record.report {
        output::data(format, &report)?;
        let message = format!("{} tells another verdict than this", path.display());
        return Err(Failure::message(Exit::Rejected, message)
            .hint("the record was changed, or another version of this program wrote it"));
    }
    report.conclude(format)
}
