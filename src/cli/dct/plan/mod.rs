//! `dct plan`

mod enforcement;
mod files;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::{
    PinArgs, RootRow, archived, open_archive, pins_of, tell_roots, tell_trust, text_of_pin,
};
use crate::{
    cli::{
        Outcome,
        args::{OutputArgs, read_chain, text_of},
        artifact, block_on,
        failure::{Exit, Failure},
        output::{self, Progress},
        registry::{Registries, RegistryArgs},
        signing::stored_key,
    },
    config,
    dct::{
        Archive,
        plan::{
            Plan, PlanError, PlannedArchive, PlannedRepository, PlannedSignature, REPOSITORY_KEY,
            RefusedRepository, RegistryFacts, RegistryState, VERSION,
        },
    },
    fs, limits,
    oci::Digest,
    plugin::CERT_CHAIN,
    registry::{Repository, RepositoryError, RepositoryErrorKind, tree::manifests_below},
    trust::TrustStore,
    x509::{CertificateChain, Rfc3339},
};

/// The plan's file.
pub(super) const PLAN: &str = "plan.json";
pub(super) const STRICT: &str = "trustpolicy.strict.json";
pub(super) const AUDIT: &str = "trustpolicy.audit.json";
/// The trust store, where nobody names one.
const TRUST_STORE: &str = "release";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// An archive of `dct export`, its folder or its tar file
    archive: PathBuf,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The key that signs, by its name in `key add`; SIGNER=NAME for what that signer of Content Trust has signed; may be
    /// repeated
    #[arg(long = "key", value_name = "[SIGNER=]NAME")]
    keys: Vec<String>,
    /// Name of the trust store of the new certificates; release, or that of the plan that is there
    #[arg(long, value_name = "NAME")]
    trust_store: Option<String>,
    /// A plan whose edits are taken over, where DIR has none: also one of an earlier archive of the same repositories
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Plan from expired trust data too
    #[arg(long)]
    allow_expired: bool,
    /// Do not ask the registries whether the images are still there
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    pins: PinArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    plan: String,
    repositories: usize,
    digests: usize,
    tags: usize,
    /// By what the registry says of them.
    registry: BTreeMap<RegistryState, usize>,
    /// Keys of the plan that are still to be found.
    placeholders: Vec<String>,
    /// Why the plan cannot be carried out as it is.
    problems: Vec<String>,
    /// What the trust in each repository's data hangs on.
    roots: Vec<RootRow>,
    /// Repositories whose trust data is not accepted.
    refused: Vec<RefusedRepository>,
    /// What the failures of registries are worth that said nothing.
    #[serde(skip)]
    unanswered: Vec<Exit>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let archive = open_archive(&self.archive)?;
        self.check_folder()?;
        let earlier = self.earlier(&archive)?;
        let pins = match (self.pins.read()?, &earlier) {
            (pins, Some(earlier)) if pins.is_empty() => pins_of(earlier)?,
            (pins, _) => pins,
        };
        let (records, refused) = archived(&archive, &pins, self.allow_expired);
        let planned = |record| PlannedRepository::new(record, tell_trust(record));
        let mut plan = Plan {
            plan_version: VERSION,
            archive: PlannedArchive {
                path: self.archive.display().to_string(),
                sha256: archive.identity(),
                pins: pins.iter().map(text_of_pin).collect(),
            },
            planned_at: Rfc3339(config::now()).to_string(),
            trust_store: self.trust_store(earlier.as_ref())?,
            keys: BTreeMap::new(),
            repositories: with_statements_of_their_own(records.iter().map(planned).collect()),
            refused,
            not_carried: NOT_CARRIED.map(ToOwned::to_owned).to_vec(),
            steps: Vec::new(),
        };
        if let Some(earlier) = &earlier {
            plan.keep(earlier);
        }
        self.choose_keys(&mut plan)?;
        let unanswered = if self.offline { Vec::new() } else { self.ask(&mut plan)? };
        plan.steps = steps(&self.to, &plan.trust_store);
        let chains = chains(&plan, &self.to)?;
        files::write(&self.to, &plan, &chains)?;
        let mut report = Report::new(&self.to, &plan, tell_roots(&records));
        report.unanswered = unanswered;
        report.problems.extend(plan.faults().into_iter().map(|fault| one_line(&fault)));
        report.problems.extend(files::problems(&plan, &chains));
        output::data(self.output.format, &report)?;
        report.outcome()
    }

    /// The plan whose edits are kept.
    fn earlier(&self, archive: &Archive) -> Result<Option<Plan>, Failure> {
        if let Some(plan) = read_plan(&self.to)? {
            if plan.archive.sha256 == archive.identity() {
                return Ok(Some(plan));
            }
            let message = format!("{} has a plan of another archive", self.to.display());
            return Err(Failure::message(Exit::Usage, message)
                .hint("--to DIR takes another folder, and --from FILE takes over what was edited in that plan"));
        }
        let Some(path) = &self.from else { return Ok(None) };
        let bytes = fs::read_bounded(path, limits::PLAN_BYTES)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let mut plan = parse(path, &bytes)?;
        // Paths of a plan begin at its folder.
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        for chain in plan.keys.values_mut().filter_map(|key| key.cert_chain.as_mut()) {
            let there = std::path::absolute(folder.join(&*chain))?;
            *chain = text_of(&there)?;
        }
        Ok(Some(plan))
    }

    fn trust_store(&self, earlier: Option<&Plan>) -> Result<String, Failure> {
        let name = match (&self.trust_store, earlier) {
            (Some(name), _) => name.as_str(),
            (None, Some(earlier)) => &earlier.trust_store,
            (None, None) => TRUST_STORE,
        };
        TrustStore::from_str(&format!("ca:{name}"))
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        Ok(name.to_owned())
    }

    /// Puts the keys of the command line into the plan, before what an earlier plan says.
    fn choose_keys(&self, plan: &mut Plan) -> Outcome {
        let (default, of_signers) = self.keys()?;
        let signers = plan.signers();
        if let Some(nobody) = of_signers.keys().find(|signer| !signers.contains(signer.as_str())) {
            let signers: Vec<&str> = signers.into_iter().collect();
            let message = format!("--key is for {nobody:?}, and nobody of that name has signed");
            return Err(Failure::message(Exit::Usage, message)
                .hint(format!("these have: {}", signers.join(", "))));
        }
        plan.choose(&|signer| of_signers.get(signer).or(default.as_ref()).cloned());
        Ok(())
    }

    /// A folder within the archive would be files of the archive that nothing lists.
    fn check_folder(&self) -> Outcome {
        let mut above = Some(self.to.as_path());
        let there = std::iter::from_fn(|| {
            let folder = above?;
            above = folder.parent();
            Some(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        });
        let existing = there.into_iter().find_map(|folder| std::fs::canonicalize(folder).ok());
        let archive = std::fs::canonicalize(&self.archive).ok();
        let is_inside = existing.zip(archive).is_some_and(|(to, archive)| to.starts_with(archive));
        if !is_inside {
            return Ok(());
        }
        let message = format!("the plan cannot stand in the archive {}", self.archive.display());
        Err(Failure::message(Exit::Usage, message).hint("--to DIR takes another folder"))
    }

    /// The key for all signers, and those for some.
    fn keys(&self) -> Result<(Option<String>, BTreeMap<String, String>), Failure> {
        let (mut default, mut of_signers) = (None, BTreeMap::new());
        for key in &self.keys {
            let earlier = match key.split_once('=') {
                Some((signer, name)) => of_signers.insert(signer.to_owned(), name.to_owned()),
                None => default.replace(key.clone()),
            };
            if earlier.is_some() {
                let message = format!("--key {key} says again which key to take");
                return Err(Failure::message(Exit::Usage, message));
            }
        }
        Ok((default, of_signers))
    }

    /// Asks the registries what has become of each digest, and gives what those are worth that could not be asked.
    fn ask(&self, plan: &mut Plan) -> Result<Vec<Exit>, Failure> {
        let mut unanswered = Vec::new();
        let registries = Registries::new(&self.registry, false);
        let progress = Progress::new();
        for planned in &mut plan.repositories {
            progress.show(&planned.repository);
            let opened = artifact::parse(&planned.repository)
                .and_then(|reference| registries.repository(&reference));
            let facts = match &opened {
                Ok(repository) => {
                    let asked = stream::iter(&planned.signatures)
                        .map(|signature| facts(repository, signature))
                        .buffered(limits::ARTIFACTS_AT_A_TIME)
                        .collect::<Vec<_>>();
                    block_on(asked)?
                }
                Err(failure) => {
                    let count = planned.signatures.len();
                    (0..count).map(|_| (unknown(failure), Some(failure.exit()))).collect()
                }
            };
            for (signature, (facts, exit)) in planned.signatures.iter_mut().zip(facts) {
                signature.registry = facts;
                unanswered.extend(exit);
            }
        }
        progress.clear();
        Ok(unanswered)
    }
}

/// Two repositories can come to the same name for their statements.
fn with_statements_of_their_own(
    mut repositories: Vec<PlannedRepository>,
) -> Vec<PlannedRepository> {
    let mut taken = BTreeSet::new();
    for repository in &mut repositories {
        let name = repository.statement.clone();
        let mut number = 1;
        while !taken.insert(repository.statement.clone()) {
            number += 1;
            repository.statement = format!("{name}-{number}");
        }
    }
    repositories
}

fn unknown(failure: &Failure) -> RegistryFacts {
    told(RegistryState::Unknown, failure.one_line())
}

fn told(state: RegistryState, problem: String) -> RegistryFacts {
    RegistryFacts { state, problem: Some(problem), ..RegistryFacts::not_asked() }
}

/// What a registry says about a digest, and what its failure is worth where it says nothing. That it cannot be asked is
/// no sign that the digest is gone.
async fn facts(
    repository: &dyn Repository,
    signature: &PlannedSignature,
) -> (RegistryFacts, Option<Exit>) {
    match known_facts(repository, signature).await {
        Ok(facts) => (facts, None),
        Err(error) => {
            let failure = Failure::from(error);
            (unknown(&failure), Some(failure.exit()))
        }
    }
}

async fn known_facts(
    repository: &dyn Repository,
    signature: &PlannedSignature,
) -> Result<RegistryFacts, RepositoryError> {
    let found = match repository.resolve(signature.digest.as_str()).await {
        Err(error) if error.kind() == RepositoryErrorKind::NotFound => {
            return Ok(told(RegistryState::Gone, Failure::from(error).one_line()));
        }
        found => found?,
    };
    if found.size != signature.size {
        let problem = format!("{} bytes, and {} bytes were signed", found.size, signature.size);
        return Ok(told(RegistryState::OtherSize, problem));
    }
    let nodes = match manifests_below(repository, &found).await {
        Err(error) if error.kind() == RepositoryErrorKind::NotFound => {
            return Ok(told(RegistryState::Incomplete, Failure::from(error).one_line()));
        }
        nodes => nodes?,
    };
    let below: Vec<Digest> = nodes
        .into_iter()
        .map(|node| node.descriptor.digest)
        .filter(|digest| *digest != found.digest)
        .collect();
    let mut gone = Vec::new();
    for digest in &below {
        match repository.resolve(digest.as_str()).await {
            Err(error) if error.kind() == RepositoryErrorKind::NotFound => {
                gone.push(digest.to_string());
            }
            there => drop(there?),
        }
    }
    let state = if gone.is_empty() { RegistryState::Present } else { RegistryState::Incomplete };
    Ok(RegistryFacts {
        state,
        media_type: Some(found.media_type),
        platforms: below,
        problem: (!gone.is_empty()).then(|| format!("not there: {}", gone.join(", "))),
    })
}

/// The plan of a folder, if it has one.
fn read_plan(folder: &Path) -> Result<Option<Plan>, Failure> {
    let path = folder.join(PLAN);
    match fs::read_bounded(&path, limits::PLAN_BYTES) {
        Ok(bytes) => Ok(Some(parse(&path, &bytes)?)),
        Err(error) if error.is_not_found() => {
            if fs::is_empty_folder(folder).map_err(|error| Failure::new(Exit::Usage, error))? {
                return Ok(None);
            }
            let message = format!("folder {} is not empty, and has no plan", folder.display());
            Err(Failure::message(Exit::Usage, message).hint("--to DIR takes another"))
        }
        Err(error) => Err(Failure::new(Exit::Usage, error)),
    }
}

/// Reads the bytes of a plan.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Plan, Failure> {
    Plan::parse(bytes).map_err(|error| {
        Failure::new(Exit::Usage, error).context(format!("{} cannot be used", path.display()))
    })
}

/// The certificate chains of the keys that are used and known, by the names of the keys.
fn chains(plan: &Plan, folder: &Path) -> Result<BTreeMap<String, CertificateChain>, Failure> {
    let mut chains = BTreeMap::new();
    let used = plan.used_keys();
    for (name, key) in plan.keys.iter().filter(|(name, _)| used.contains(name.as_str())) {
        let file = match (&key.name, &key.cert_chain) {
            (Some(stored), _) => stored_key(Some(stored))?.1.remove(CERT_CHAIN).map(PathBuf::from),
            (None, Some(chain)) => Some(folder.join(chain)),
            (None, None) => None,
        };
        if let Some(file) = file {
            chains.insert(name.clone(), read_chain(&file)?.chain);
        }
    }
    Ok(chains)
}

/// An error with its cause.
fn one_line(error: &PlanError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What Notary Project signatures do not have, whatever the repository.
const NOT_CARRIED: [&str; 4] = [
    "a signature is for a digest: that a tag stands for it is kept as user metadata (dct.tags), and nothing enforces it",
    "a signature says nothing of being the newest: Content Trust's timestamp expired within days, a signature does not \
     unless --expiry is given, and an older one of the same key stays good",
    "several keys that have to sign together: a trust policy accepts one good signature",
    "the keys of Content Trust themselves: its root certificates are no code-signing certificates, and signer keys have none",
];

fn steps(folder: &Path, store: &str) -> Vec<String> {
    let dir = folder.display();
    vec![
        format!(
            "name the keys in {dir}/{PLAN}: notation-kms cert request makes a certificate request for each"
        ),
        format!(
            "notation-kms dct plan ARCHIVE --to {dir}: puts their certificates into the policies and the trust store"
        ),
        format!("notation-kms dct migrate {dir}/{PLAN} --dry-run, then without"),
        format!(
            "on every machine that verifies: notation-kms cert add --type ca --store {store} \
             {dir}/truststore/x509/ca/{store}/*.pem"
        ),
        "notation-kms policy show > trustpolicy.before.json, where there is one: keeps it"
            .to_owned(),
        format!(
            "notation-kms policy import {dir}/{AUDIT} --force: whoever verifies is told of failures, and nothing is \
             refused"
        ),
        format!(
            "notation-kms dct status ARCHIVE --plan {dir}/{PLAN}: exit code 0 is the time to go on"
        ),
        format!("notation-kms policy import {dir}/{STRICT} --force: signatures are enforced"),
        format!("back: notation-kms policy import {dir}/{AUDIT} --force"),
        "stop setting DOCKER_CONTENT_TRUST: notation-kms dct audit finds where".to_owned(),
    ]
}

impl Report {
    fn new(folder: &Path, plan: &Plan, roots: Vec<RootRow>) -> Self {
        let signatures = || plan.repositories.iter().flat_map(|one| &one.signatures);
        let mut registry: BTreeMap<RegistryState, usize> =
            RegistryState::ALL.map(|state| (state, 0)).into();
        for signature in signatures() {
            *registry.entry(signature.registry.state).or_insert(0) += 1;
        }
        Self {
            plan: folder.join(PLAN).display().to_string(),
            repositories: plan.repositories.len(),
            digests: signatures().count(),
            tags: signatures().map(|signature| signature.tags.len()).sum(),
            registry,
            placeholders: plan.placeholders(),
            problems: Vec::new(),
            roots,
            refused: plan.refused.clone(),
            unanswered: Vec::new(),
        }
    }

    /// What is gone or refused will be missing in the end, and what could not be asked may be.
    fn outcome(&self) -> Outcome {
        if !self.problems.is_empty() {
            return Err(Failure::silent(Exit::NotConfigured, "the plan cannot be carried out"));
        }
        let of = |state| self.registry.get(&state).copied().unwrap_or(0);
        let asked_in_vain = of(RegistryState::Unknown);
        let first = self.unanswered.iter().copied().reduce(Exit::first);
        if let Some(first) = first.filter(|_| asked_in_vain == self.digests) {
            return Err(Failure::silent(first, "no registry could be asked"));
        }
        let lost =
            of(RegistryState::Gone) + of(RegistryState::OtherSize) + of(RegistryState::Incomplete);
        if asked_in_vain + lost > 0 || !self.refused.is_empty() {
            return Err(Failure::silent(Exit::Partial, "not everything can be signed"));
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, repositories, digests, tags, .. } = self;
        for RefusedRepository { gun, verdict, reason } in &self.refused {
            writeln!(f, "left out: {gun}: {verdict}: {reason}")?;
        }
        write!(f, "{plan}: {digests} digests of {repositories} repositories, for {tags} tags")?;
        for (state, count) in self.registry.iter().filter(|(_, count)| **count > 0) {
            let told = match state {
                RegistryState::Present => "are there",
                RegistryState::Incomplete => "are there, and platforms of theirs are gone",
                RegistryState::Gone => "are gone",
                RegistryState::OtherSize => "have another size",
                RegistryState::Unknown => "could not be asked for",
                RegistryState::NotAsked => "were not asked for",
            };
            write!(f, "\n  {count} {told}")?;
        }
        for problem in &self.problems {
            write!(f, "\n  problem: {problem}")?;
        }
        for key in &self.placeholders {
            let hint = if key == REPOSITORY_KEY { "the repository's own keys" } else { key };
            write!(f, "\n  key still to be found: {key} (for what {hint} signed)")?;
        }
        Ok(())
    }
}
