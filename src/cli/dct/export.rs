//! `dct export`

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use tokio::task::JoinSet;

use super::{
    PinArgs, known_roots,
    repositories::{self, RepositoryArgs},
    server::{self, Clients, ServerArgs},
    tell_faults, tell_trust,
};
use crate::{
    cli::{
        Outcome,
        args::OutputArgs,
        block_on,
        failure::{Exit, Failure},
        output::{self, Progress},
    },
    config,
    dct::{
        ArchiveError, ArchiveWriter, CollectError, ExportRecord, ExportRun, FailedRepository, Gun,
        Incoming, Origin, RepositoryRecord, RootPin, Terms, Verdict,
        client::{Client, ClientError},
        collect, judge, newest_versions, read_trust_data, repositories_below,
    },
    x509::Rfc3339,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    repositories: RepositoryArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// Take the files that docker keeps itself, instead of a server's: its trust folder, or DIR
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, conflicts_with_all = ["server", "all", "catalog"])]
    from_local: Option<Option<PathBuf>>,
    /// Take files saved by hand: DIR/GUN/root.json and so on, or DIR/root.json for one repository
    #[arg(long, value_name = "DIR", conflicts_with_all = ["server", "all", "catalog", "from_local"])]
    from_raw: Option<PathBuf>,
    #[command(flatten)]
    pins: PinArgs,
    /// The archive's folder, new or to go on with
    #[arg(long, value_name = "DIR", default_value = "dct-archive")]
    to: PathBuf,
    /// Write the archive into one file as well
    #[arg(long, value_name = "FILE")]
    tar: Option<PathBuf>,
    /// Fetch again what the archive has already; its earlier files are put aside
    #[arg(long)]
    refresh: bool,
    /// Repositories that are fetched at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

/// Where a repository's files are read from.
#[derive(Debug, Clone)]
enum From {
    Server {
        url: String,
        client: Client,
    },
    Folder {
        kind: &'static str,
        path: PathBuf,
    },
    /// A registry that cannot be asked; others can.
    Nowhere {
        server: String,
        why: String,
    },
}

/// Why the files of a repository did not come.
enum FetchError {
    /// The archive cannot be written, for this repository and all others.
    Archive(ArchiveError),
    Source(Failure),
}

/// What became of one repository.
#[derive(Debug)]
enum Exported {
    /// All of its files are there; `true`: they were before.
    Complete(Box<RepositoryRecord>, bool),
    /// The source has no trust data for it.
    NoTrustData,
    /// Not all of its files could be had; the record of those that could.
    Failed(Failure, Option<Box<RawValue>>),
}

/// What every export of one run has in common.
#[derive(Debug)]
struct Run {
    writer: ArchiveWriter,
    pins: Vec<RootPin>,
    refresh: bool,
}

/// What is printed at the end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    archive: String,
    repositories: Vec<Row>,
    no_trust_data: Vec<String>,
    failed: Vec<FailedRepository>,
    #[serde(skip)]
    exits: BTreeSet<Exit>,
    #[serde(skip)]
    incomplete: Vec<Box<RawValue>>,
}

/// A repository in the report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    gun: String,
    verdict: Verdict,
    already_there: bool,
    tags: usize,
    root_keys: Vec<String>,
    #[serde(skip)]
    trust: String,
    #[serde(skip)]
    faults: Vec<String>,
}

impl Args {
    pub(super) fn run(self) -> Outcome {
        let pins = self.pins.read()?;
        self.check_tar()?;
        let mut unnameable = Vec::new();
        let work = self.work(&mut unnameable)?;
        let asked: BTreeSet<String> = work.iter().map(|(gun, _)| gun.to_string()).collect();
        let writer = ArchiveWriter::open(&self.to)?;
        let fetched_anew = if self.refresh { asked.clone() } else { BTreeSet::new() };
        writer.check(&fetched_anew).map_err(|error| {
            Failure::from(error)
                .context(format!("archive {} is not as it was exported", self.to.display()))
                .hint("--refresh fetches that repository again, and puts its files aside")
        })?;
        let run = Arc::new(Run { writer, pins, refresh: self.refresh });
        let mut report = block_on(self.export_all(Arc::clone(&run), work))??;
        if !unnameable.is_empty() {
            report.exits.insert(Exit::Usage);
            report.failed.append(&mut unnameable);
            report.sort();
        }
        run.writer.finish(&report.as_run(asked))?;
        if let Some(tar) = &self.tar {
            run.writer.write_tar(tar)?;
        }
        output::data(self.output.format, &report)?;
        report.outcome()
    }

    /// Every repository with its source, before anything is fetched; and names that servers list and that
    /// cannot be kept.
    fn work(
        &self,
        unnameable: &mut Vec<FailedRepository>,
    ) -> Result<VecDeque<(Gun, From)>, Failure> {
        let named = self.repositories.named()?;
        if let Some(folder) = &self.from_local {
            return self.local(folder.as_deref(), named, unnameable);
        }
        if let Some(folder) = &self.from_raw {
            return raw(folder, named, unnameable);
        }
        if self.repositories.is_empty() {
            let message = "no repository is named";
            return Err(Failure::message(Exit::Usage, message)
                .hint("notation-kms dct export docker.io/acme/app; --help lists the other ways"));
        }
        let mut clients = self.server.clients();
        let mut guns = named;
        guns.extend(self.listed(&mut clients, unnameable)?);
        if guns.is_empty() && unnameable.is_empty() {
            return Err(Failure::message(Exit::Usage, "no repository is named in what was given"));
        }
        let with_client = |gun: Gun| {
            let server = self.server.server_for(&gun);
            let from = match clients.for_gun(&gun) {
                Ok(client) => From::Server { url: server, client },
                Err(failure) if self.server.named().is_some() => return Err(failure),
                Err(failure) => From::Nowhere { server, why: failure.one_line() },
            };
            Ok((gun, from))
        };
        repositories::unique(guns).into_iter().map(with_client).collect()
    }

    /// What a server's changefeed or a registry's catalog lists.
    fn listed(
        &self,
        clients: &mut Clients<'_>,
        unnameable: &mut Vec<FailedRepository>,
    ) -> Result<Vec<Gun>, Failure> {
        let mut guns = Vec::new();
        if self.repositories.all {
            let server = self.server.named().filter(|server| !server::is_docker_hub(server));
            let server = server.ok_or_else(repositories::hub_cannot_be_listed)?;
            let client = clients.for_server(&server)?;
            guns.extend(valid(block_on(client.changefeed())??, unnameable));
        }
        if let Some(registry) = &self.repositories.catalog {
            if server::is_docker_hub(registry) {
                return Err(repositories::hub_cannot_be_listed());
            }
            let host = super::host_of(registry);
            let url = if registry.contains("://") {
                registry.clone()
            } else {
                format!("https://{registry}")
            };
            let client = clients.for_server(&url)?;
            let names = block_on(client.catalog())??;
            let names = names.iter().map(|name| format!("{host}/{name}")).collect();
            guns.extend(valid(names, unnameable));
        }
        Ok(guns)
    }

    /// A tar file within the folder would be a file of the archive that nothing lists.
    fn check_tar(&self) -> Outcome {
        let folder = |path: &Path| {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            std::fs::canonicalize(parent.unwrap_or_else(|| Path::new("."))).ok()
        };
        let inside = self.tar.as_deref().is_some_and(|tar| {
            let archive = std::fs::canonicalize(&self.to).ok();
            folder(tar).zip(archive).is_some_and(|(tar, archive)| tar.starts_with(archive))
                || tar.starts_with(&self.to)
        });
        if inside {
            let message = format!("the tar file cannot stand in the archive {}", self.to.display());
            return Err(Failure::message(Exit::Usage, message));
        }
        Ok(())
    }

    /// Docker's trust folder: the repositories that are named, or all of them.
    fn local(
        &self,
        folder: Option<&Path>,
        named: Vec<Gun>,
        unnameable: &mut Vec<FailedRepository>,
    ) -> Result<VecDeque<(Gun, From)>, Failure> {
        let docker = || config::docker_folder().map(|folder| folder.join("trust"));
        let folder = folder.map(Path::to_owned).or_else(docker).ok_or_else(|| {
            Failure::message(Exit::NotConfigured, "neither DOCKER_CONFIG nor HOME is set")
        })?;
        let below = folder.join("tuf");
        if !below.is_dir() {
            let message =
                format!("{} is not a trust folder: it has no folder tuf", folder.display());
            return Err(Failure::message(Exit::NotFound, message));
        }
        let guns = if self.repositories.is_empty() {
            valid(repositories_below(&below, "metadata/root.json")?, unnameable)
        } else {
            named
        };
        let from = |gun: Gun| {
            let path = below.join(gun.as_str()).join("metadata");
            (gun, From::Folder { kind: "local", path })
        };
        Ok(guns.into_iter().map(from).collect())
    }

    /// Exports `jobs` repositories at a time. Only an archive that cannot be written stops the rest.
    async fn export_all(
        &self,
        run: Arc<Run>,
        mut work: VecDeque<(Gun, From)>,
    ) -> Result<Report, Failure> {
        let total = work.len();
        let mut report = Report::new(&self.to);
        let progress = Progress::new();
        let mut running = JoinSet::new();
        loop {
            while running.len() < usize::from(self.jobs)
                && let Some((gun, from)) = work.pop_front()
            {
                let run = Arc::clone(&run);
                running.spawn(async move { (gun.clone(), run.export(&gun, &from).await) });
            }
            let Some(done) = running.join_next().await else { break };
            let (gun, exported) = done.map_err(|error| Failure::new(Exit::Other, error))?;
            report.take(&gun, exported?);
            progress.show(&format!("{} of {total} repositories", report.len()));
        }
        progress.clear();
        report.sort();
        Ok(report)
    }
}

/// Saved files: those of one repository, or folders of many.
fn raw(
    folder: &Path,
    named: Vec<Gun>,
    unnameable: &mut Vec<FailedRepository>,
) -> Result<VecDeque<(Gun, From)>, Failure> {
    if !folder.is_dir() {
        let message = format!("there is no folder {}", folder.display());
        return Err(Failure::message(Exit::Usage, message));
    }
    let one = !read_trust_data(folder)?.is_empty();
    let guns = match named.len() {
        0 if one => {
            let message =
                format!("{} holds the files of one repository: name it", folder.display());
            return Err(Failure::message(Exit::Usage, message));
        }
        0 => valid(repositories_below(folder, "root.json")?, unnameable),
        1 => named,
        _ if one => {
            let message = format!(
                "{} holds the files of one repository, and several are named",
                folder.display()
            );
            return Err(Failure::message(Exit::Usage, message));
        }
        _ => named,
    };
    let path = |gun: &Gun| if one { folder.to_owned() } else { folder.join(gun.as_str()) };
    Ok(guns
        .into_iter()
        .map(|gun| (gun.clone(), From::Folder { kind: "raw", path: path(&gun) }))
        .collect())
}

/// Names that servers list or that folders have; those that cannot be kept in an archive are failures.
fn valid(names: Vec<String>, unnameable: &mut Vec<FailedRepository>) -> Vec<Gun> {
    let mut guns = Vec::new();
    for name in names {
        match name.parse::<Gun>() {
            Ok(gun) => guns.push(gun),
            Err(error) => {
                unnameable.push(FailedRepository { gun: name, error: error.to_string() });
            }
        }
    }
    guns
}

fn now() -> String {
    Rfc3339(config::now()).to_string()
}

impl Run {
    /// Exports one repository. An error: the archive cannot be written.
    async fn export(&self, gun: &Gun, from: &From) -> Result<Exported, Failure> {
        let earlier = self.writer.origin(gun)?;
        if let Some(origin) = earlier.clone().filter(|_| !self.refresh) {
            let repository = self.judge(gun)?;
            // What is missing or refused may be mended by now.
            if repository.verdict < Verdict::Missing {
                return self.complete(gun, repository, origin, true);
            }
        }
        let incoming = self.writer.incoming(gun)?;
        match self.fetch(gun, from, &incoming).await {
            Ok(true) => {
                incoming.settle(earlier.as_ref())?;
                let origin = Origin { source: from.to_json(), exported_at: now() };
                self.complete(gun, self.judge(gun)?, origin, false)
            }
            Ok(false) => {
                incoming.abandon()?;
                Ok(Exported::NoTrustData)
            }
            Err(FetchError::Archive(error)) => Err(error.into()),
            Err(FetchError::Source(failure)) => {
                if earlier.is_some() {
                    incoming.abandon()?;
                    return Ok(Exported::Failed(failure, None));
                }
                incoming.settle_partial()?;
                let partial = self.partial(gun, from, &failure)?;
                Ok(Exported::Failed(failure, partial))
            }
        }
    }

    /// Writes the record, with the verdicts of this moment.
    fn complete(
        &self,
        gun: &Gun,
        repository: RepositoryRecord,
        origin: Origin,
        already_there: bool,
    ) -> Result<Exported, Failure> {
        let record = ExportRecord { repository: &repository, origin, complete: true, error: None };
        self.writer.complete(gun, &record)?;
        Ok(Exported::Complete(Box::new(repository), already_there))
    }

    /// The record of what came before a failure, if anything did.
    fn partial(
        &self,
        gun: &Gun,
        from: &From,
        failure: &Failure,
    ) -> Result<Option<Box<RawValue>>, Failure> {
        if self.writer.data(gun)?.is_empty() {
            return Ok(None);
        }
        let record = ExportRecord {
            repository: &self.judge(gun)?,
            origin: Origin { source: from.to_json(), exported_at: now() },
            complete: false,
            error: Some(failure.one_line()),
        };
        let raw = serde_json::value::to_raw_value(&record);
        raw.map(Some).map_err(|error| Failure::new(Exit::Other, error))
    }

    /// Puts every file into the archive; `false`: there is none.
    async fn fetch(&self, gun: &Gun, from: &From, incoming: &Incoming) -> Result<bool, FetchError> {
        let keep = |name: &str, bytes: &[u8]| incoming.keep(name, bytes);
        match from {
            From::Folder { path, .. } => {
                let data = read_trust_data(path)
                    .map_err(|error| FetchError::Source(Failure::from(error)))?;
                let kept = data.files().try_for_each(|(name, bytes)| keep(name, bytes));
                kept.map_err(FetchError::Archive)?;
                Ok(!data.is_empty())
            }
            From::Server { client, .. } => {
                let data = collect(client, gun, keep).await?;
                // Somebody may have published while the files were fetched: they then fit at the second try.
                let terms = Terms { pins: &[], seen: &BTreeMap::new(), at: config::now() };
                if judge(gun, &data, &terms).is_torn() {
                    collect(client, gun, keep).await?;
                }
                Ok(!data.is_empty())
            }
            From::Nowhere { server, why } => {
                let message = format!("{server} cannot be asked: {why}");
                Err(FetchError::Source(Failure::message(Exit::Usage, message)))
            }
        }
    }

    /// What is in the archive, judged with what was there before.
    fn judge(&self, gun: &Gun) -> Result<RepositoryRecord, ArchiveError> {
        let at = config::now();
        let earlier = self.writer.earlier(gun)?;
        let pins = known_roots(&self.pins, gun, &earlier, at);
        let seen = newest_versions(gun, &earlier, &pins, at);
        let terms = Terms { pins: &pins, seen: &seen, at };
        Ok(RepositoryRecord::new(&judge(gun, &self.writer.data(gun)?, &terms), true))
    }
}

impl std::convert::From<CollectError<ClientError>> for FetchError {
    fn from(error: CollectError<ClientError>) -> Self {
        match error {
            CollectError::Keep(error) => Self::Archive(error),
            error @ CollectError::Fetch { .. } => Self::Source(Failure::from(error)),
        }
    }
}

impl From {
    /// The member `source` of records.
    fn to_json(&self) -> Value {
        match self {
            Self::Server { url, .. } => json!({"kind": "server", "url": url}),
            Self::Folder { kind, path } => json!({"kind": kind, "folder": path}),
            Self::Nowhere { server, .. } => json!({"kind": "server", "url": server}),
        }
    }
}

impl Report {
    fn new(archive: &Path) -> Self {
        Self {
            archive: archive.display().to_string(),
            repositories: Vec::new(),
            no_trust_data: Vec::new(),
            failed: Vec::new(),
            exits: BTreeSet::new(),
            incomplete: Vec::new(),
        }
    }

    fn take(&mut self, gun: &Gun, exported: Exported) {
        match exported {
            Exported::Complete(repository, already_there) => {
                self.repositories.push(Row {
                    gun: gun.to_string(),
                    verdict: repository.verdict,
                    already_there,
                    tags: repository.tags.len(),
                    root_keys: repository.root_keys.iter().map(|key| key.id.clone()).collect(),
                    trust: tell_trust(&repository),
                    faults: tell_faults(&repository),
                });
            }
            Exported::NoTrustData => self.no_trust_data.push(gun.to_string()),
            Exported::Failed(failure, record) => {
                self.exits.insert(failure.exit());
                self.incomplete.extend(record);
                self.failed
                    .push(FailedRepository { gun: gun.to_string(), error: failure.one_line() });
            }
        }
    }

    fn as_run(&self, asked: BTreeSet<String>) -> ExportRun {
        ExportRun {
            written_at: now(),
            asked,
            incomplete: self.incomplete.clone(),
            no_trust_data: self.no_trust_data.clone(),
            failed: self.failed.clone(),
        }
    }

    fn len(&self) -> usize {
        self.repositories.len() + self.no_trust_data.len() + self.failed.len()
    }

    /// The order of names, whatever came first.
    fn sort(&mut self) {
        self.repositories.sort_by(|a, b| a.gun.cmp(&b.gun));
        self.no_trust_data.sort();
        self.failed.sort_by(|a, b| a.gun.cmp(&b.gun));
    }

    /// Failures first; then that something was kept which nobody should rely on; then that nothing was there.
    fn outcome(&self) -> Outcome {
        let refused =
            self.repositories.iter().filter(|row| row.verdict >= Verdict::Missing).count();
        let silent = |exit, message: String| Err(Failure::silent(exit, message));
        match self.failed.len() {
            0 if refused > 0 => {
                silent(Exit::Rejected, format!("{refused} repositories are refused"))
            }
            0 if self.repositories.is_empty() && !self.no_trust_data.is_empty() => {
                silent(Exit::NotFound, "there is no trust data".to_owned())
            }
            0 => Ok(()),
            failed if failed == self.len() && self.exits.len() == 1 => {
                let exit = self.exits.first().copied().unwrap_or(Exit::Other);
                silent(exit, format!("{failed} repositories failed"))
            }
            failed => {
                silent(Exit::Partial, format!("{failed} of {} repositories failed", self.len()))
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.repositories {
            let already = if row.already_there { ", exported before" } else { "" };
            writeln!(f, "{}: {}, {} tags{already}", row.gun, row.verdict, row.tags)?;
            writeln!(f, "  {}", row.trust)?;
            for fault in &row.faults {
                writeln!(f, "  {fault}")?;
            }
        }
        for gun in &self.no_trust_data {
            writeln!(f, "{gun}: no trust data")?;
        }
        for FailedRepository { gun, error, .. } in &self.failed {
            writeln!(f, "{gun}: failed: {error}")?;
        }
        write!(
            f,
            "{}: {} exported, {} without trust data, {} failed",
            self.archive,
            self.repositories.len(),
            self.no_trust_data.len(),
            self.failed.len()
        )?;
        if !self.failed.is_empty() {
            f.write_str("; running the same command again goes on with those")?;
        }
        if self.exits.contains(&Exit::Denied) {
            f.write_str("\nhint: docker login to the registry whose repository is denied")?;
        }
        Ok(())
    }
}
