//! `dct migrate`

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    PinArgs, archived, open_archive,
    plan::{STRICT, parse},
};
use crate::{
    cli::{
        Outcome,
        args::{OutputArgs, text_of},
        artifact::OpenArtifact,
        block_on,
        failure::{Exit, Failure},
        output::{self, Progress},
        policy,
        registry::{Registries, RegistryArgs},
        results::Entry,
        sign::{ManifestForm, existing, store},
        signing::{Signer, SigningOptions, check_metadata, stored_key},
        verify::{CheckArgs, Judge},
    },
    config::{self, Directories},
    dct::plan::{
        Plan, PlanError, PlannedKey, PlannedRepository, PlannedSignature, RefusedRepository,
    },
    fs, limits,
    oci::Digest,
    plugin::CERT_CHAIN,
    x509::Rfc3339,
};

const REPORT: &str = "migration-report.json";
const REPORT_PAGE: &str = "migration-report.md";
const MODE: u32 = 0o644;

/// Sign what a plan says, and verify it under the plan's strict policy.
///
/// What carries such a signature already is not signed again, so a run that broke off is begun again with the same
/// command. Nothing is changed in Content Trust. The report beside the plan has the digest of every signature manifest.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The plan that `dct plan` wrote
    plan: PathBuf,
    /// The archive, where it is not where the plan says
    #[arg(long, value_name = "ARCHIVE")]
    archive: Option<PathBuf>,
    /// Say what would be signed, and sign nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pins: PinArgs,
    #[command(flatten)]
    signing: SigningOptions,
    #[command(flatten)]
    checks: CheckArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What is printed, and kept beside the plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    plan: String,
    /// When the run ended, RFC 3339.
    at: String,
    dry_run: bool,
    /// How many have which result.
    counts: BTreeMap<Fate, usize>,
    signatures: Vec<Row>,
    /// Repositories that the plan leaves out, because their trust data is not accepted.
    refused: Vec<RefusedRepository>,
    #[serde(skip)]
    exits: Vec<Exit>,
}

/// A digest, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    repository: String,
    digest: Digest,
    tags: Vec<String>,
    key: String,
    result: Fate,
    /// The signature manifest.
    manifest: Option<Digest>,
    error: Option<String>,
}

/// What became of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum Fate {
    /// Signed, and accepted by the strict policy.
    Signed,
    /// Signed before by the same certificate, and accepted.
    Skipped,
    /// Would be signed.
    Planned,
    /// The registry does not have it.
    Missing,
    /// Not signed, or not accepted.
    Failed,
    /// Not tried, because its key has not signed.
    NotTried,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let bytes = fs::read_bounded(&self.plan, limits::PLAN_BYTES)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let plan = parse(&self.plan, &bytes)?;
        let folder = self.plan.parent().unwrap_or_else(|| Path::new("."));
        self.check(&plan)?;
        let mut signers = BTreeMap::new();
        for name in plan.used_keys() {
            let key = plan.keys.get(name).cloned().unwrap_or_default();
            let signer = open(&key, folder, &self.signing)
                .map_err(|failure| failure.context(format!("key {name:?} cannot be used")))?;
            signers.insert(name, signer);
        }
        let strict = policy::in_file(&folder.join(STRICT)).map_err(|failure| {
            failure.hint("dct plan puts the certificates of the plan's keys into the policies")
        })?;
        let stores =
            Directories { config: folder.to_owned(), libexec: folder.to_owned(), cache: None };
        let registries = Registries::new(&self.registry, false);
        let artifacts = registries.artifacts(false);
        let judge = Judge::by(&self.checks, artifacts, strict, stores.trust_stores())?;
        let mut run = Run {
            args: self,
            registries: &registries,
            judge,
            failed_keys: BTreeMap::new(),
            report: Report::new(&self.plan, self.dry_run, plan.refused.clone()),
        };
        let progress = Progress::new();
        let total: usize = plan.repositories.iter().map(|one| one.signatures.len()).sum();
        for repository in &plan.repositories {
            for signature in &repository.signatures {
                progress.show(&format!("{} of {total}", run.report.signatures.len() + 1));
                if let Some(signer) = signers.get_mut(signature.key.as_str()) {
                    run.take(repository, signature, signer)?;
                }
            }
        }
        progress.clear();
        let report = run.report.ended();
        if !self.dry_run {
            report.write(folder)?;
        }
        output::data(self.output.format, &report)?;
        report.outcome()
    }

    /// Holds the plan against the archive.
    fn check(&self, plan: &Plan) -> Outcome {
        let path = self.archive.clone().unwrap_or_else(|| PathBuf::from(&plan.archive.path));
        let archive = open_archive(&path)?;
        // Whether expired data is taken was settled when the plan was made.
        let (records, _) = archived(&archive, &self.pins.read()?, true);
        let planned = |gun: &str| plan.repositories.iter().any(|one| one.gun == gun);
        let refused = |gun: &str| plan.refused.iter().any(|one| one.gun == gun);
        let records: Vec<_> = records
            .into_iter()
            .filter(|record| planned(&record.gun) || !refused(&record.gun))
            .collect();
        plan.check(&archive.identity(), &records).map_err(|error| {
            let hint = match &error {
                PlanError::Placeholder(key) => format!(
                    "notation-kms cert request --id KEY --subject \"C=…, ST=…, O=…, CN={key}\" --to {key}.csr\n\
                     then put id and certChain, or the name of key add, into keys of {}, and run dct plan again",
                    self.plan.display()
                ),
                _ => "dct plan makes a new plan of the archive, and keeps what was edited".to_owned(),
            };
            let exit = match &error {
                PlanError::Placeholder(_) => Exit::NotConfigured,
                _ => Exit::Usage,
            };
            Failure::new(exit, error)
                .context(format!("{} is not carried out", self.plan.display()))
                .hint(hint)
        })
    }
}

/// Opens a key of the plan; its files are relative to the plan.
fn open(key: &PlannedKey, folder: &Path, options: &SigningOptions) -> Result<Signer, Failure> {
    let (id, mut settings) = match (&key.name, &key.id, &key.cert_chain) {
        (Some(name), ..) => stored_key(Some(name))?,
        (None, Some(id), Some(chain)) => {
            let id = id.parse().map_err(|error: crate::keys::KeyUriError| {
                Failure::new(Exit::NotConfigured, error)
            })?;
            (id, [(CERT_CHAIN.to_owned(), text_of(&folder.join(chain))?)].into())
        }
        _ => return Err(Failure::message(Exit::NotConfigured, "it is still to be found")),
    };
    settings.extend(key.plugin_config.clone());
    options.open(&id, settings)
}

/// What has been done so far.
struct Run<'a> {
    args: &'a Args,
    registries: &'a Registries<'a>,
    judge: Judge<'a>,
    /// Keys that have not signed: they are not asked again.
    failed_keys: BTreeMap<String, Exit>,
    report: Report,
}

impl Run<'_> {
    /// Signs and verifies one digest, and writes down what became of it.
    fn take(
        &mut self,
        repository: &PlannedRepository,
        signature: &PlannedSignature,
        signer: &mut Signer,
    ) -> Outcome {
        let mut row = Row {
            repository: repository.repository.clone(),
            digest: signature.digest.clone(),
            tags: signature.tags.clone(),
            key: signature.key.clone(),
            result: Fate::Failed,
            manifest: None,
            error: None,
        };
        if let Some(exit) = self.failed_keys.get(&signature.key) {
            row.result = Fate::NotTried;
            row.error = Some(format!("key {} has not signed", signature.key));
            self.report.exits.push(*exit);
        } else if let Err(failure) = self.sign(repository, signature, signer, &mut row) {
            // A key that its service does not know is not found either.
            let is_missing =
                failure.exit() == Exit::NotFound && !self.failed_keys.contains_key(&signature.key);
            row.result = if is_missing { Fate::Missing } else { Fate::Failed };
            row.error = Some(failure.one_line());
            self.report.exits.push(failure.exit());
        }
        self.report.signatures.push(row);
        Ok(())
    }

    fn sign(
        &mut self,
        repository: &PlannedRepository,
        signature: &PlannedSignature,
        signer: &mut Signer,
        row: &mut Row,
    ) -> Outcome {
        check_metadata(&signature.user_metadata)?;
        signer.user_metadata.clone_from(&signature.user_metadata);
        let reference = format!("{}@{}", repository.repository, signature.digest);
        let artifact = block_on(self.registries.artifacts(false).open(&reference))??;
        if artifact.descriptor.size != signature.size {
            let message = format!(
                "{reference} has {} bytes, and {} bytes were signed",
                artifact.descriptor.size, signature.size
            );
            return Err(Failure::message(Exit::Rejected, message));
        }
        row.result = match block_on(existing(signer, &artifact))?? {
            Some(known) => {
                row.manifest = Some(known.manifest);
                Fate::Skipped
            }
            None if self.args.dry_run => {
                row.result = Fate::Planned;
                return Ok(());
            }
            None => {
                block_on(artifact.check())??;
                let envelope = signer.sign(&artifact.descriptor).inspect_err(|failure| {
                    self.failed_keys.insert(signature.key.clone(), failure.exit());
                })?;
                row.manifest =
                    Some(store(signer, &artifact, &envelope, ManifestForm::Config)?.manifest);
                Fate::Signed
            }
        };
        self.verify(&reference, &artifact)
    }

    fn verify(&self, reference: &str, artifact: &OpenArtifact) -> Outcome {
        let scope = self.judge.scope(reference)?;
        let verdict = block_on(self.judge.verify_artifact(&scope, artifact, None))??;
        match verdict.exit() {
            None => Ok(()),
            Some(exit) => {
                let told = verdict.to_string().replace('\n', "; ");
                Err(Failure::message(exit, format!("signed, and not accepted: {told}")))
            }
        }
    }
}

impl Report {
    fn new(plan: &Path, dry_run: bool, refused: Vec<RefusedRepository>) -> Self {
        Self {
            plan: plan.display().to_string(),
            at: String::new(),
            dry_run,
            counts: Fate::ALL.map(|fate| (fate, 0)).into(),
            signatures: Vec::new(),
            refused,
            exits: Vec::new(),
        }
    }

    fn ended(mut self) -> Self {
        self.at = Rfc3339(config::now()).to_string();
        for row in &self.signatures {
            *self.counts.entry(row.result).or_insert(0) += 1;
        }
        self
    }

    fn write(&self, folder: &Path) -> Outcome {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        fs::write_atomic(&folder.join(REPORT), &json, MODE)?;
        Ok(fs::write_atomic(&folder.join(REPORT_PAGE), self.page().as_bytes(), MODE)?)
    }

    /// The same for people, as Markdown.
    fn page(&self) -> String {
        let mut page = format!("# Signed again: {}\n\n{}\n\n", self.plan, self.at);
        page.push_str("| repository | tags | digest | result | signature manifest | |\n|---|---|---|---|---|---|\n");
        for RefusedRepository { gun, verdict, reason } in &self.refused {
            page.push_str(&format!(
                "| {gun} | | | left out: {verdict} | | {} |\n",
                reason.replace('|', "\\|")
            ));
        }
        for row in &self.signatures {
            let manifest = row.manifest.as_ref().map(ToString::to_string).unwrap_or_default();
            let error = row.error.as_deref().unwrap_or_default().replace('|', "\\|");
            page.push_str(&format!(
                "| {} | {} | {} | {} | {manifest} | {error} |\n",
                row.repository,
                row.tags.join(", "),
                row.digest,
                row.result,
            ));
        }
        page
    }

    fn outcome(&self) -> Outcome {
        let first = self.exits.iter().copied().reduce(Exit::first);
        let exit = match first {
            Some(first) if self.exits.len() == self.signatures.len() => first,
            Some(_) => Exit::Partial,
            None if !self.refused.is_empty() => Exit::Partial,
            None => return Ok(()),
        };
        Err(Failure::silent(exit, format!("{} digests are not covered", self.exits.len())))
    }
}

impl Fate {
    const ALL: [Self; 6] =
        [Self::Signed, Self::Skipped, Self::Planned, Self::Missing, Self::Failed, Self::NotTried];
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signed => "signed",
            Self::Skipped => "signed before",
            Self::Planned => "to be signed",
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::NotTried => "not tried",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for RefusedRepository { gun, verdict, reason } in &self.refused {
            writeln!(f, "left out: {gun}: {verdict}: {reason}")?;
        }
        for row in &self.signatures {
            let Row { repository, digest, tags, result, error, .. } = row;
            write!(f, "{result}: {repository}@{digest} ({})", tags.join(", "))?;
            if let Some(error) = error {
                write!(f, ": {error}")?;
            }
            writeln!(f)?;
        }
        let counts: Vec<String> = self
            .counts
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(fate, count)| format!("{count} {fate}"))
            .collect();
        write!(f, "{} digests: {}", self.signatures.len(), counts.join(", "))
    }
}
