//! `dct status`

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::{
    PinArgs, RootRow, archived,
    migrate::readiness,
    nothing_released, open_archive, pins_of,
    plan::{STRICT, parse},
    tell_roots,
};
use crate::{
    cli::{
        Outcome,
        args::OutputArgs,
        block_on,
        failure::{Exit, Failure},
        output::{self, Progress, Table},
        policy,
        registry::{Registries, RegistryArgs},
        results::Entry,
        verify::{CheckArgs, Judge},
    },
    config::Directories,
    dct::plan::{Plan, RefusedRepository, released},
    fs, limits,
    oci::Digest,
    trust::{OciStatement, TrustStore},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// An archive of `dct export`, its folder or its tar file
    archive: PathBuf,
    /// The plan that it was signed by: its repositories, and the strict policy and trust store beside it
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Count expired trust data too
    #[arg(long)]
    allow_expired: bool,
    #[command(flatten)]
    pins: PinArgs,
    #[command(flatten)]
    checks: CheckArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    covered: usize,
    digests: Vec<Row>,
    /// What the trust in each repository's data hangs on.
    roots: Vec<RootRow>,
    /// Repositories whose trust data is not accepted, and why: what they released is not known.
    refused: Vec<RefusedRepository>,
    #[serde(skip)]
    exits: Vec<Exit>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    repository: String,
    digest: Digest,
    tags: Vec<String>,
    covered: bool,
    /// Who signed.
    signer: Option<String>,
    /// Why it is not covered.
    reason: Option<String>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let archive = open_archive(&self.archive)?;
        let plan = self.plan()?;
        if let Some(plan) = plan.as_ref().filter(|plan| plan.archive.sha256 != archive.identity()) {
            let message = format!("the plan is of another archive, {}", plan.archive.path);
            return Err(Failure::message(Exit::Usage, message));
        }
        let pins = match (self.pins.read()?, &plan) {
            (pins, Some(plan)) if pins.is_empty() => pins_of(plan)?,
            (pins, _) => pins,
        };
        let (records, refused) = archived(&archive, &pins, self.allow_expired);
        let mut rows = Vec::new();
        for record in &records {
            let planned = plan.as_ref().and_then(|plan| {
                plan.repositories.iter().find(|planned| planned.gun == record.gun)
            });
            let repository = planned.map_or(&record.gun, |planned| &planned.repository);
            for (digest, (_, tags)) in released(record) {
                let tags = tags.iter().map(|tag| tag.tag.clone()).collect();
                rows.push(Row::new(repository, digest, tags));
            }
        }
        let registries = Registries::new(&self.registry, false);
        let judge = self.judge(&registries)?;
        if let Some(plan) = &plan {
            readiness::check_policy(plan, &judge)?;
        }
        self.tell_missing_roots(&judge, &registries)?;
        let roots = tell_roots(&records);
        let mut report = Report { covered: 0, digests: rows, roots, refused, exits: Vec::new() };
        report.fill(&judge)?;
        output::data(self.output.format, &report)?;
        report.outcome()
    }

    fn plan(&self) -> Result<Option<Plan>, Failure> {
        let Some(path) = &self.plan else { return Ok(None) };
        let bytes = fs::read_bounded(path, limits::PLAN_BYTES)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        parse(path, &bytes).map(Some)
    }

    fn judge<'a>(&'a self, registries: &Registries<'a>) -> Result<Judge<'a>, Failure> {
        let artifacts = registries.artifacts(false);
        let (policy, directories) = match &self.plan {
            Some(plan) => {
                let folder = plan.parent().unwrap_or_else(|| Path::new("."));
                let (config, libexec) = (folder.to_owned(), folder.to_owned());
                let directories = Directories { config, libexec, cache: None };
                (policy::in_file(&folder.join(STRICT))?, directories)
            }
            None => (policy::for_artifacts()?, Directories::from_environment()?),
        };
        Judge::by(&self.checks, artifacts, policy, directories.trust_stores())
    }

    /// A plan's policy is judged with the trust store beside it. A verification has that of the configuration, and
    /// would refuse what is covered here.
    fn tell_missing_roots(&self, judge: &Judge<'_>, registries: &Registries<'_>) -> Outcome {
        let Some(plan) = &self.plan else { return Ok(()) };
        let folder = Directories::from_environment()?.trust_stores();
        let (file, policy) = judge.policy();
        let policy_in_force = (file.clone(), policy.clone());
        let here =
            Judge::by(&self.checks, registries.artifacts(false), policy_in_force, folder.clone())?;
        let mut lacking = BTreeSet::new();
        for OciStatement { statement, .. } in &policy.statements {
            let (planned, here) = (judge.stores(statement)?, here.stores(statement)?);
            let lacks = |store: &&TrustStore| {
                let here = here.anchors.certificates(store);
                planned.anchors.certificates(store).iter().any(|root| !here.contains(root))
            };
            lacking.extend(statement.trust_stores().iter().filter(lacks));
        }
        for store in lacking {
            let (kind, name) = (store.kind.name(), &store.name);
            let beside = plan.with_file_name("truststore").join("x509").join(kind).join(name);
            output::note(&format!(
                "warning: trust store {store} in {} does not have every root of the plan, so that verify will \
                 refuse what it signed: notation-kms cert add --type {kind} --store {name} {}/*.pem",
                folder.display(),
                beside.display()
            ));
        }
        Ok(())
    }
}

impl Row {
    fn new(repository: &str, digest: Digest, tags: Vec<String>) -> Self {
        let repository = repository.to_owned();
        Self { repository, digest, tags, covered: false, signer: None, reason: None }
    }
}

impl Report {
    /// Verifies every digest, several at a time.
    fn fill(&mut self, judge: &Judge<'_>) -> Outcome {
        let references: Vec<String> =
            self.digests.iter().map(|row| format!("{}@{}", row.repository, row.digest)).collect();
        let (progress, total) = (Progress::new(), references.len());
        let verdicts = stream::iter(&references)
            .map(|reference| judge.verify(reference, None))
            .buffered(limits::ARTIFACTS_AT_A_TIME)
            .enumerate()
            .inspect(|(i, _)| progress.show(&format!("{} of {total}", i + 1)))
            .map(|(_, verdict)| verdict)
            .collect::<Vec<_>>();
        let verdicts = block_on(verdicts)?;
        progress.clear();
        for (row, verdict) in self.digests.iter_mut().zip(verdicts) {
            match verdict {
                Ok(verdict) => {
                    row.signer = verdict.signer();
                    // Only a proved signer covers what Content Trust proved.
                    row.covered = row.signer.is_some();
                    if !row.covered {
                        row.reason = Some(verdict.to_string().replace('\n', "; "));
                        self.exits.push(verdict.exit().unwrap_or(Exit::Rejected));
                    }
                }
                Err(failure) => {
                    row.reason = Some(failure.one_line());
                    self.exits.push(failure.exit());
                }
            }
        }
        self.covered = self.digests.iter().filter(|row| row.covered).count();
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        let first = self.exits.iter().copied().reduce(Exit::first);
        let exit = match first {
            Some(_) if self.covered > 0 => Exit::Partial,
            Some(first) => first,
            None if !self.refused.is_empty() => Exit::Partial,
            None if self.digests.is_empty() => return Err(nothing_released()),
            None => return Ok(()),
        };
        Err(Failure::silent(exit, format!("{} digests are not covered", self.exits.len())))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for RefusedRepository { gun, reason, .. } in &self.refused {
            writeln!(f, "not known: {gun}: {reason}")?;
        }
        let row = |row: &Row| {
            let state = match (&row.signer, &row.reason) {
                (Some(signer), _) => format!("signed by {signer}"),
                (None, reason) => format!("NOT COVERED: {}", reason.as_deref().unwrap_or_default()),
            };
            [row.repository.clone(), row.tags.join(", "), row.digest.to_string(), state]
        };
        let rows: Vec<[String; 4]> = self.digests.iter().map(row).collect();
        writeln!(f, "{}", Table::new(["REPOSITORY", "TAGS", "DIGEST", "STATUS"], rows))?;
        write!(f, "{} of {} digests are covered", self.covered, self.digests.len())
    }
}
