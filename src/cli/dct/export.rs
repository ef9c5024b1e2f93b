//! `dct export`

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    PinArgs,
    repositories::{self, RepositoryArgs},
    server::{Clients, ServerArgs},
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
        ArchiveError, ArchiveWriter, CollectError, ExportRun, FailedRepository, Gun,
        RepositoryRecord, RootPin, Terms, TrustData, Verdict, client::Client, collect, judge,
        newest_versions, read_trust_data, repositories_below,
    },
    x509::Rfc3339,
};

/// Keep a complete archive of repositories' trust data, judged and explained.
///
/// Every file is written as it is served and judged afterwards: what has expired or does not verify is
/// kept too, with its verdict. Running it again goes on where it stopped.
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
    Server { url: String, client: Client },
    Folder { kind: &'static str, path: PathBuf },
}

/// What became of one repository.
#[derive(Debug)]
enum Exported {
    /// All of its files are there; `true`: they were before.
    Complete(Box<RepositoryRecord>, bool),
    /// The source has no trust data for it.
    NoTrustData,
    /// Not all of its files could be had; the record of those that could.
    Failed(Failure, Option<Value>),
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
    incomplete: Vec<Value>,
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
        let work = self.work()?;
        let writer = ArchiveWriter::open(&self.to)?;
        let run = Arc::new(Run { writer, pins, refresh: self.refresh });
        let asked = work.iter().map(|(gun, _)| gun.to_string()).collect();
        let report = block_on(self.export_all(Arc::clone(&run), work))??;
        run.writer.finish(&report.as_run(asked))?;
        if let Some(tar) = &self.tar {
            run.writer.write_tar(tar)?;
        }
        output::data(self.output.format, &report)?;
        report.outcome()
    }

    /// Every repository with its source, before anything is fetched.
    fn work(&self) -> Result<VecDeque<(Gun, From)>, Failure> {
        let named = self.repositories.named()?;
        if let Some(folder) = &self.from_local {
            return self.local(folder.as_deref(), named);
        }
        if let Some(folder) = &self.from_raw {
            return raw(folder, named);
        }
        if self.repositories.is_empty() {
            let message = "no repository is named";
            return Err(Failure::message(Exit::Usage, message)
                .hint("notation-kms dct export docker.io/acme/app; --help lists the other ways"));
        }
        let mut clients = self.server.clients();
        let mut guns = named;
        guns.extend(self.listed(&mut clients)?);
        let with_client = |gun: Gun| {
            let (url, client) = (self.server.server_for(&gun), clients.for_gun(&gun)?);
            Ok((gun, From::Server { url, client }))
        };
        repositories::unique(guns).into_iter().map(with_client).collect()
    }

    /// What a server's changefeed or a registry's catalog lists.
    fn listed(&self, clients: &mut Clients<'_>) -> Result<Vec<Gun>, Failure> {
        let mut guns = Vec::new();
        if self.repositories.all {
            if self.server.is_docker_hub() {
                return Err(repositories::hub_cannot_be_listed());
            }
            let server = self.server.server.as_deref().unwrap_or_default();
            let client = clients.for_server(server)?;
            guns.extend(valid(block_on(client.changefeed())??));
        }
        if let Some(registry) = &self.repositories.catalog {
            let host = super::host_of(registry);
            if ["docker.io", "index.docker.io", "hub.docker.com", "registry-1.docker.io"]
                .contains(&host)
            {
                return Err(repositories::hub_cannot_be_listed());
            }
            let url = if registry.contains("://") {
                registry.clone()
            } else {
                format!("https://{registry}")
            };
            let client = clients.for_server(&url)?;
            let names = block_on(client.catalog())??;
            guns.extend(valid(names.iter().map(|name| format!("{host}/{name}")).collect()));
        }
        Ok(guns)
    }

    /// Docker's trust folder: the repositories that are named, or all of them.
    fn local(
        &self,
        folder: Option<&Path>,
        named: Vec<Gun>,
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
            repositories_below(&below, "metadata/root.json")?
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
fn raw(folder: &Path, named: Vec<Gun>) -> Result<VecDeque<(Gun, From)>, Failure> {
    let one = !read_trust_data(folder)?.is_empty();
    let guns = match named.len() {
        0 if one => {
            let message =
                format!("{} holds the files of one repository: name it", folder.display());
            return Err(Failure::message(Exit::Usage, message));
        }
        0 => repositories_below(folder, "root.json")?,
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

/// Names that servers list, without those that cannot be repositories.
fn valid(names: Vec<String>) -> Vec<Gun> {
    let mut guns = Vec::new();
    for name in names {
        match name.parse() {
            Ok(gun) => guns.push(gun),
            Err(error) => output::note(&format!("passed over: {error}")),
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
        if let Some(record) = self.writer.record(gun)? {
            if !self.refresh {
                let repository = self.judge(gun, &self.writer.data(gun)?)?;
                return Ok(Exported::Complete(Box::new(repository), true));
            }
            let when = record.get("exportedAt").and_then(Value::as_str).unwrap_or("earlier");
            self.writer.set_aside(gun, when)?;
        }
        match self.fetch(gun, from).await {
            Ok(true) => {
                let repository = self.judge(gun, &self.writer.data(gun)?)?;
                let record = from.record(&repository, None)?;
                self.writer.complete(gun, &record)?;
                Ok(Exported::Complete(Box::new(repository), false))
            }
            Ok(false) => Ok(Exported::NoTrustData),
            Err(CollectError::Keep(error)) => Err(error.into()),
            Err(error) => {
                let failure = Failure::from(error);
                let data = self.writer.data(gun)?;
                let repository = if data.is_empty() { None } else { Some(self.judge(gun, &data)?) };
                let record = repository.map(|repository| from.record(&repository, Some(&failure)));
                Ok(Exported::Failed(failure, record.transpose()?))
            }
        }
    }

    /// Puts every file into the archive; `false`: there is none.
    async fn fetch(
        &self,
        gun: &Gun,
        from: &From,
    ) -> Result<bool, CollectError<crate::dct::client::ClientError>> {
        let keep = |name: &str, bytes: &[u8]| self.writer.keep(gun, name, bytes);
        match from {
            From::Folder { path, .. } => {
                let data = read_trust_data(path)?;
                data.files().try_for_each(|(name, bytes)| keep(name, bytes))?;
                Ok(!data.is_empty())
            }
            From::Server { client, .. } => {
                let data = collect(client, gun, keep).await?;
                // Somebody may have published while the files were fetched: they then fit at the second try.
                if self.judgement(gun, &data)?.is_torn() {
                    collect(client, gun, keep).await?;
                }
                Ok(!data.is_empty())
            }
        }
    }

    fn judge(&self, gun: &Gun, data: &TrustData) -> Result<RepositoryRecord, ArchiveError> {
        Ok(RepositoryRecord::new(&self.judgement(gun, data)?, true))
    }

    fn judgement(
        &self,
        gun: &Gun,
        data: &TrustData,
    ) -> Result<crate::dct::Judgement, ArchiveError> {
        let at = config::now();
        let seen = newest_versions(gun, &self.writer.earlier(gun)?, &self.pins, at);
        Ok(judge(gun, data, &Terms { pins: &self.pins, seen: &seen, at }))
    }
}

impl From {
    /// The repository's entry of the index.
    fn record(
        &self,
        repository: &RepositoryRecord,
        failure: Option<&Failure>,
    ) -> Result<Value, Failure> {
        let source = match self {
            Self::Server { url, .. } => json!({"kind": "server", "url": url}),
            Self::Folder { kind, path } => json!({"kind": kind, "folder": path}),
        };
        let mut record =
            serde_json::to_value(repository).map_err(|error| Failure::new(Exit::Other, error))?;
        if let Some(members) = record.as_object_mut() {
            members.insert("source".to_owned(), source);
            members.insert("exportedAt".to_owned(), Value::from(now()));
            members.insert("complete".to_owned(), Value::from(failure.is_none()));
            members.insert("error".to_owned(), failure.map(Failure::summary).into());
        }
        Ok(record)
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
                    .push(FailedRepository { gun: gun.to_string(), error: failure.summary() });
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
        Ok(())
    }
}
