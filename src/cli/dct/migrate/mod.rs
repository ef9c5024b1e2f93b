//! `dct migrate`

mod failed;
mod journal;
pub(super) mod readiness;
mod report;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    PinArgs, RootRow, archived, open_archive, pins_of,
    plan::{STRICT, parse},
    tell_roots,
};
use crate::{
    algorithm::HashAlgorithm,
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
        sign::{ManifestForm, StoredSignature, existing, manifest, push},
        signing::{Signer, SigningOptions, check_metadata, stored_key},
        verify::{CheckArgs, Judge},
    },
    config::Directories,
    dct::plan::{
        Plan, PlanError, PlannedKey, PlannedRepository, PlannedSignature, RefusedRepository,
    },
    fs, limits,
    oci::Digest,
    plugin::CERT_CHAIN,
};
use failed::Failed;
use journal::{Journal, Pushed};
use report::{Fate, Report, Row};

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

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let bytes = fs::read_bounded(&self.plan, limits::PLAN_BYTES)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let plan = parse(&self.plan, &bytes)?;
        let folder = self.plan.parent().unwrap_or_else(|| Path::new("."));
        let (roots, refused) = self.check(&plan)?;
        let (mut signers, mut failed_keys) = (BTreeMap::new(), BTreeMap::new());
        for name in plan.used_keys() {
            let key = plan.keys.get(name).cloned().unwrap_or_default();
            let signer = open(name, &key, folder, &self.signing, &mut failed_keys)
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
        readiness::check(&plan, &signers, &judge)
            .map_err(|failure| failure.context("nothing is signed yet"))?;
        let journal = if self.dry_run { Journal::read(folder) } else { Journal::open(folder) }?;
        let mut run = Run {
            args: self,
            journal,
            registries: &registries,
            judge,
            failed_keys,
            closed: BTreeMap::new(),
            unwritable: BTreeMap::new(),
            report: Report::new(&self.plan, self.dry_run, roots, refused),
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
        let report = run.report.ended(run.journal.pushed());
        if !self.dry_run {
            report.write(folder)?;
        }
        output::data(self.output.format, &report)?;
        report.outcome()
    }

    /// Holds the plan against the archive, and gives the roots of the repositories, and those that stay out.
    fn check(&self, plan: &Plan) -> Result<(Vec<RootRow>, Vec<RefusedRepository>), Failure> {
        let path = self.archive.clone().unwrap_or_else(|| PathBuf::from(&plan.archive.path));
        let archive = open_archive(&path)?;
        let pins = match self.pins.read()? {
            pins if pins.is_empty() => pins_of(plan)?,
            pins => pins,
        };
        // Whether expired data is taken was settled when the plan was made.
        let (mut records, mut refused) = archived(&archive, &pins, true);
        let planned = |gun: &str| plan.repositories.iter().any(|one| one.gun == gun);
        for known in plan.refused.iter().filter(|known| !planned(&known.gun)) {
            if records.iter().any(|record| record.gun == known.gun) {
                records.retain(|record| record.gun != known.gun);
                refused.push(known.clone());
            }
        }
        let (name, identity) = (path.display().to_string(), archive.identity());
        let checked = plan.check((&name, &identity), &records, &refused);
        checked.map(|()| (tell_roots(&records), refused)).map_err(|error| {
            let (exit, hint) = match &error {
                PlanError::Placeholders(keys) => (Exit::NotConfigured, self.requests(keys)),
                _ => {
                    let hint =
                        "dct plan makes a new plan of the archive, and keeps what was edited";
                    (Exit::Usage, hint.to_owned())
                }
            };
            Failure::new(exit, error)
                .context(format!("{} is not carried out", self.plan.display()))
                .hint(hint)
        })
    }

    /// How the keys are found that are not known yet.
    fn requests(&self, keys: &[String]) -> String {
        let request = |key: &String| {
            format!(
                "notation-kms cert request --id KEY --subject \"C=…, ST=…, O=…, CN={key}\" --to {key}.csr\n"
            )
        };
        let requests: String = keys.iter().map(request).collect();
        format!(
            "{requests}then put id and certChain, or the name of key add, into keys of {}, and run dct plan again",
            self.plan.display()
        )
    }
}

/// Opens a key of the plan; its files are relative to the plan. One that does not answer is put into `failed`.
fn open(
    name: &str,
    key: &PlannedKey,
    folder: &Path,
    options: &SigningOptions,
    failed: &mut BTreeMap<String, Failed>,
) -> Result<Signer, Failure> {
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
    let signer = options.open(&id, settings)?;
    match readiness::check_key(name, &signer) {
        Err(failure) if failure.exit() == Exit::NotConfigured => return Err(failure),
        Err(failure) => drop(failed.insert(name.to_owned(), Failed::key(&failure))),
        Ok(()) => {}
    }
    Ok(signer)
}

/// What has been done so far.
struct Run<'a> {
    args: &'a Args,
    registries: &'a Registries<'a>,
    judge: Judge<'a>,
    journal: Journal,
    /// Keys that have not signed, or whose timestamp authorities have not.
    failed_keys: BTreeMap<String, Failed>,
    /// Repositories that do not answer, or let nobody read.
    closed: BTreeMap<String, Failed>,
    /// Repositories that take no signatures.
    unwritable: BTreeMap<String, Failed>,
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
        if let Err(failure) = self.sign(repository, signature, signer, &mut row) {
            row.error = Some(failure.one_line());
            self.report.exits.push(failure.exit());
        }
        self.report.signatures.push(row);
        Ok(())
    }

    /// What becomes of a digest stands in `row` in either case.
    fn sign(
        &mut self,
        repository: &PlannedRepository,
        signature: &PlannedSignature,
        signer: &mut Signer,
        row: &mut Row,
    ) -> Outcome {
        check_metadata(&signature.user_metadata)?;
        signer.user_metadata.clone_from(&signature.user_metadata);
        let name = &repository.repository;
        Failed::not_again(self.closed.get_mut(name), row)?;
        let reference = format!("{name}@{}", signature.digest);
        let found = self.find(&reference, signature, signer).inspect_err(|failure| {
            if failure.exit() == Exit::NotFound {
                row.result = Fate::Missing;
            }
            if let Some(failed) = Failed::repository(failure) {
                self.closed.insert(name.clone(), failed);
            }
        });
        let (artifact, known) = found?;
        if let Some(known) = known {
            row.manifest = Some(known.manifest);
            self.verify(&reference, &artifact)?;
            row.result = Fate::Skipped;
            return Ok(());
        }
        Failed::not_again(self.failed_keys.get_mut(&signature.key), row)?;
        Failed::not_again(self.unwritable.get_mut(name), row)?;
        if self.args.dry_run {
            row.result = Fate::Planned;
            return Ok(());
        }
        let envelope = signer.sign(&artifact.descriptor).inspect_err(|failure| {
            self.failed_keys.insert(signature.key.clone(), Failed::signing(failure));
        })?;
        self.push(name, signer, &artifact, &envelope, row).inspect_err(|failure| {
            if let Some(failed) = Failed::repository(failure) {
                self.unwritable.insert(name.clone(), failed);
            }
        })?;
        self.verify(&reference, &artifact)?;
        row.result = Fate::Signed;
        Ok(())
    }

    /// The artifact, and its signature if there is such a one.
    fn find(
        &self,
        reference: &str,
        signature: &PlannedSignature,
        signer: &Signer,
    ) -> Result<(OpenArtifact, Option<StoredSignature>), Failure> {
        let artifact = self.open(reference, signature)?;
        let known = block_on(existing(signer, &artifact))??;
        if known.is_none() {
            block_on(artifact.check())??;
        }
        Ok((artifact, known))
    }

    /// A push that fails may have stored the manifest all the same, or may be over when nobody is told any more: its
    /// digest is written down before.
    fn push(
        &mut self,
        repository: &str,
        signer: &Signer,
        artifact: &OpenArtifact,
        envelope: &[u8],
        row: &mut Row,
    ) -> Outcome {
        let manifest = manifest(signer, artifact, envelope, ManifestForm::Config);
        let digest = Digest::of(HashAlgorithm::Sha256, &serde_json::to_vec(&manifest)?);
        self.journal.add(Pushed {
            repository: repository.to_owned(),
            artifact: artifact.descriptor.digest.clone(),
            manifest: digest.clone(),
        })?;
        row.manifest = Some(digest);
        push(signer, artifact, &manifest, envelope)?;
        Ok(())
    }

    /// The artifact, as it was signed.
    fn open(&self, reference: &str, signature: &PlannedSignature) -> Result<OpenArtifact, Failure> {
        let artifact = block_on(self.registries.artifacts(false).open(reference))??;
        if artifact.descriptor.size != signature.size {
            let message = format!(
                "{reference} has {} bytes, and {} bytes were signed",
                artifact.descriptor.size, signature.size
            );
            return Err(Failure::message(Exit::Rejected, message));
        }
        Ok(artifact)
    }

    /// Only a proved signer will do: the policy may have been edited to accept anybody.
    fn verify(&self, reference: &str, artifact: &OpenArtifact) -> Outcome {
        let scope = self.judge.scope(reference)?;
        let verdict = block_on(self.judge.verify_artifact(&scope, artifact, None))??;
        if verdict.signer().is_some() {
            return Ok(());
        }
        let told = verdict.to_string().replace('\n', "; ");
        let exit = verdict.exit().unwrap_or(Exit::Rejected);
        Err(Failure::message(exit, format!("signed, and not accepted: {told}")))
    }
}
