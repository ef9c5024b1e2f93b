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

use super::{PinArgs, archived, open_archive};
use crate::{
    cli::{
        Outcome,
        args::{OutputArgs, read_chain},
        artifact, block_on,
        failure::{Exit, Failure},
        output::{self, Progress},
        registry::{Registries, RegistryArgs},
        signing::stored_key,
    },
    config,
    dct::plan::{
        Plan, PlannedArchive, PlannedKey, PlannedRepository, PlannedSignature, REPOSITORY_KEY,
        RefusedRepository, RegistryFacts, RegistryState, VERSION,
    },
    fs, limits,
    plugin::CERT_CHAIN,
    registry::{Repository, RepositoryError, RepositoryErrorKind, tree::manifests_below},
    trust::TrustStore,
    x509::{CertificateChain, Rfc3339},
};

/// The plan's file.
pub(super) const PLAN: &str = "plan.json";
pub(super) const STRICT: &str = "trustpolicy.strict.json";
pub(super) const AUDIT: &str = "trustpolicy.audit.json";

/// Plan how to sign again what an archive's trust data releases.
///
/// Writes a folder: the plan, which is yours to edit; trust policies that first only log and then enforce; the trust
/// store that they name; and settings for admission controllers. Running it again keeps what you have edited.
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
    /// Name of the trust store of the new certificates
    #[arg(long, value_name = "NAME", default_value = "release")]
    trust_store: String,
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
    /// Repositories whose trust data is not accepted.
    refused: Vec<RefusedRepository>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        TrustStore::from_str(&format!("ca:{}", self.trust_store))
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let archive = open_archive(&self.archive)?;
        self.check_folder()?;
        let earlier = read_plan(&self.to)?;
        let (records, refused) = archived(&archive, &self.pins.read()?, self.allow_expired);
        let (default, of_signers) = self.keys()?;
        let key_of = |signer: &str| {
            let chosen = of_signers.get(signer).or(default.as_ref());
            chosen.cloned().unwrap_or_else(|| signer.to_owned())
        };
        let repositories: Vec<PlannedRepository> =
            records.iter().map(|record| PlannedRepository::new(record, &key_of)).collect();
        let repositories = with_statements_of_their_own(repositories);
        let mut plan = Plan {
            plan_version: VERSION,
            archive: PlannedArchive {
                path: self.archive.display().to_string(),
                sha256: archive.identity(),
            },
            planned_at: Rfc3339(config::now()).to_string(),
            keys: BTreeMap::new(),
            repositories,
            refused,
            not_carried: NOT_CARRIED.map(ToOwned::to_owned).to_vec(),
            steps: Vec::new(),
        };
        let chosen: BTreeSet<&String> = default.iter().chain(of_signers.values()).collect();
        let key = |name: &str| match chosen.iter().any(|chosen| *chosen == name) {
            true => (name.to_owned(), PlannedKey::named(name)),
            false => (name.to_owned(), PlannedKey::default()),
        };
        plan.keys = plan.used_keys().into_iter().map(key).collect();
        if let Some(earlier) = &earlier {
            if earlier.archive.sha256 != plan.archive.sha256 {
                let message = format!("{} has a plan of another archive", self.to.display());
                return Err(Failure::message(Exit::Usage, message)
                    .hint("--to DIR takes another folder; what was edited there stays"));
            }
            plan.keep(earlier);
        }
        if !self.offline {
            self.ask(&mut plan)?;
        }
        plan.steps = steps(&self.to, &self.trust_store);
        let chains = chains(&plan, &self.to)?;
        files::write(&self.to, &plan, &chains, &self.trust_store)?;
        let report = Report::new(&self.to, &plan);
        output::data(self.output.format, &report)?;
        report.outcome()
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

    /// Asks the registries what has become of each digest.
    fn ask(&self, plan: &mut Plan) -> Outcome {
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
                    let unknown = RegistryFacts {
                        state: RegistryState::Unknown,
                        problem: Some(failure.one_line()),
                        ..RegistryFacts::not_asked()
                    };
                    vec![unknown; planned.signatures.len()]
                }
            };
            for (signature, facts) in planned.signatures.iter_mut().zip(facts) {
                signature.registry = facts;
            }
        }
        progress.clear();
        Ok(())
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

/// What a registry says about a digest. That it cannot be asked is no sign that the digest is gone.
async fn facts(repository: &dyn Repository, signature: &PlannedSignature) -> RegistryFacts {
    let unknown = |state, error: RepositoryError| RegistryFacts {
        state,
        problem: Some(Failure::from(error).one_line()),
        ..RegistryFacts::not_asked()
    };
    let found = match repository.resolve(signature.digest.as_str()).await {
        Ok(found) => found,
        Err(error) if error.kind() == RepositoryErrorKind::NotFound => {
            return unknown(RegistryState::Gone, error);
        }
        Err(error) => return unknown(RegistryState::Unknown, error),
    };
    if found.size != signature.size {
        let problem = format!("{} bytes, and {} bytes were signed", found.size, signature.size);
        return RegistryFacts {
            state: RegistryState::OtherSize,
            problem: Some(problem),
            ..RegistryFacts::not_asked()
        };
    }
    match manifests_below(repository, &found).await {
        Ok(nodes) => {
            let below = nodes.into_iter().map(|node| node.descriptor.digest);
            RegistryFacts {
                state: RegistryState::Present,
                media_type: Some(found.media_type),
                platforms: below.filter(|digest| *digest != found.digest).collect(),
                problem: None,
            }
        }
        Err(error) => unknown(RegistryState::Unknown, error),
    }
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
        format!(
            "notation-kms policy import {dir}/{AUDIT}: whoever verifies is told of failures, and nothing is refused"
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
    fn new(folder: &Path, plan: &Plan) -> Self {
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
            refused: plan.refused.clone(),
        }
    }

    /// What is gone or refused will be missing in the end, and what could not be asked may be.
    fn outcome(&self) -> Outcome {
        let of = |state| self.registry.get(&state).copied().unwrap_or(0);
        let asked_in_vain = of(RegistryState::Unknown);
        if asked_in_vain > 0 && asked_in_vain == self.digests {
            return Err(Failure::silent(Exit::Unavailable, "no registry could be asked"));
        }
        let lost = of(RegistryState::Gone) + of(RegistryState::OtherSize);
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
                RegistryState::Gone => "are gone",
                RegistryState::OtherSize => "have another size",
                RegistryState::Unknown => "could not be asked for",
                RegistryState::NotAsked => "were not asked for",
            };
            write!(f, "\n  {count} {told}")?;
        }
        for key in &self.placeholders {
            let hint = if key == REPOSITORY_KEY { "the repository's own keys" } else { key };
            write!(f, "\n  key still to be found: {key} (for what {hint} signed)")?;
        }
        Ok(())
    }
}
