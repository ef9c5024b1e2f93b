//! `dct inspect`

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{PinArgs, judged, open_archive, server::ServerArgs, tell_faults, tell_trust};
use crate::{
    cli::{
        Outcome, block_on,
        failure::{Exit, Failure},
        output,
    },
    config,
    dct::{Gun, Judgement, RepositoryRecord, RoleRecord, TrustData, Verdict, collect},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// An archive of `dct export`, its folder or its tar file, or a repository to ask a server for
    #[arg(value_name = "GUN|ARCHIVE")]
    target: String,
    /// Of an archive, only these repositories; may be repeated
    #[arg(long, value_name = "GUN")]
    gun: Vec<String>,
    /// Take names as they are: notary's own clients know repositories that docker has no names for
    #[arg(long)]
    exact: bool,
    /// Take expired files all the same
    #[arg(long)]
    allow_expired: bool,
    #[command(flatten)]
    pins: PinArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// What to print; docker is what `docker trust inspect` prints
    #[arg(long = "output", short = 'o', value_enum, default_value_t = Shape::Text, value_name = "FORMAT")]
    output: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    Text,
    Json,
    Docker,
}

#[derive(Debug, Serialize)]
struct Report {
    repositories: Vec<RepositoryRecord>,
}

/// A repository, its files, and what it was named.
struct Subject {
    gun: Gun,
    data: TrustData,
    earlier: Vec<TrustData>,
}

impl Args {
    pub(super) const fn format(&self) -> output::Format {
        match self.output {
            Shape::Text => output::Format::Text,
            Shape::Json | Shape::Docker => output::Format::Json,
        }
    }

    pub(super) fn run(self) -> Outcome {
        let pins = self.pins.read()?;
        let at = config::now();
        let subjects = if is_archive(&self.target) { self.archived()? } else { self.served()? };
        let judge =
            |subject: &Subject| judged(&subject.gun, &subject.data, &subject.earlier, &pins, at);
        let judgements: Vec<Judgement> = subjects.iter().map(judge).collect();
        let record = |judgement| RepositoryRecord::new(judgement, self.allow_expired);
        let report = Report { repositories: judgements.iter().map(record).collect() };
        match self.output {
            Shape::Docker => {
                report.accepted(self.allow_expired)?;
                let repositories: Vec<_> =
                    report.repositories.iter().map(DockerRepository::new).collect();
                let text = serde_json::to_string_pretty(&repositories)
                    .map_err(|error| Failure::new(Exit::Other, error))?;
                output::line(&text)
            }
            Shape::Text | Shape::Json => {
                output::data(self.format(), &report)?;
                report.accepted(self.allow_expired).map_err(|failure| match self.output {
                    Shape::Json => failure.silenced(),
                    _ => failure,
                })
            }
        }
    }

    fn named(&self, name: &str) -> Result<Gun, Failure> {
        let gun = if self.exact { name.parse() } else { Gun::from_repository(name) };
        gun.map_err(|error| Failure::new(Exit::Usage, error))
    }

    fn archived(&self) -> Result<Vec<Subject>, Failure> {
        let path = PathBuf::from(&self.target);
        let archive = open_archive(&path)?;
        let mut guns = archive.repositories();
        let mut wanted = Vec::new();
        for name in &self.gun {
            wanted.push(self.named(name)?);
        }
        if let Some(missing) = wanted.iter().find(|gun| !guns.contains(gun)) {
            let message = format!("{missing} is not in the archive {}", path.display());
            return Err(Failure::message(Exit::NotFound, message));
        }
        guns.retain(|gun| wanted.is_empty() || wanted.contains(gun));
        let subject =
            |gun: Gun| Subject { data: archive.data(&gun), earlier: archive.earlier(&gun), gun };
        Ok(guns.into_iter().map(subject).collect())
    }

    fn served(&self) -> Result<Vec<Subject>, Failure> {
        let gun = self.named(&self.target)?;
        let client = self.server.clients().for_gun(&gun)?;
        let data = block_on(collect(&client, &gun, |_, _| Ok(())))??;
        if data.is_empty() {
            let message = format!("{} has no trust data for {gun}", self.server.server_for(&gun));
            return Err(Failure::message(Exit::NotFound, message));
        }
        Ok(vec![Subject { gun, data, earlier: Vec::new() }])
    }
}

/// Whether an argument is a path: there is something, or it can be nothing else.
fn is_archive(target: &str) -> bool {
    Path::new(target).exists() || target.starts_with(['.', '/', '~']) || target.ends_with(".tar")
}

impl Report {
    /// Refuses what nobody should rely on, and says why.
    fn accepted(&self, allow_expired: bool) -> Outcome {
        let worst = self.repositories.iter().max_by_key(|repository| repository.verdict);
        let Some(worst) = worst.filter(|worst| worst.verdict > Verdict::Verified) else {
            return Ok(());
        };
        if worst.verdict == Verdict::Expired && allow_expired {
            return Ok(());
        }
        let reason = tell_faults(worst).into_iter().find(|_| true).unwrap_or_default();
        let message = format!("trust data of {} is not accepted: {reason}", worst.gun);
        let failure = Failure::message(Exit::Rejected, message);
        Err(match worst.verdict {
            Verdict::Expired => failure.hint("--allow-expired takes expired files all the same"),
            _ if self.repositories.len() > 1 => failure.hint("--gun shows one of the repositories"),
            _ => failure,
        })
    }
}

/// A repository as `docker trust inspect` prints one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerRepository<'a> {
    name: &'a str,
    signed_tags: Vec<DockerTag<'a>>,
    signers: Vec<DockerSigner<'a>>,
    administrative_keys: [DockerSigner<'a>; 2],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerTag<'a> {
    signed_tag: &'a str,
    /// Hex alone.
    digest: &'a str,
    signers: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerSigner<'a> {
    name: &'a str,
    keys: Vec<DockerKey<'a>>,
}

#[derive(Debug, Serialize)]
struct DockerKey<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
}

impl<'a> DockerRepository<'a> {
    fn new(repository: &'a RepositoryRecord) -> Self {
        let tags = repository.tags.iter().map(|tag| DockerTag {
            signed_tag: &tag.tag,
            digest: tag.digest.trim_start_matches("sha256:"),
            signers: &tag.signers,
        });
        let signers = repository.signers.iter();
        let administrative = &repository.administrative_keys;
        Self {
            name: &repository.gun,
            signed_tags: tags.collect(),
            signers: signers.map(|signer| DockerSigner::new(&signer.name, &signer.keys)).collect(),
            administrative_keys: [
                DockerSigner::new("Root", &administrative.root),
                DockerSigner::new("Repository", &administrative.repository),
            ],
        }
    }
}

impl<'a> DockerSigner<'a> {
    fn new(name: &'a str, ids: &'a [String]) -> Self {
        Self { name, keys: ids.iter().map(|id| DockerKey { id }).collect() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, repository) in self.repositories.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            Text(repository).fmt(f)?;
        }
        Ok(())
    }
}

/// A repository for people.
struct Text<'a>(&'a RepositoryRecord);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repository = self.0;
        writeln!(f, "{}: {}", repository.gun, repository.verdict)?;
        writeln!(f, "{}", tell_trust(repository))?;
        self.tags(f)?;
        self.keys(f)?;
        writeln!(f, "\nFiles")?;
        for role in &repository.roles {
            write_role(f, role)?;
        }
        for warning in self.warnings() {
            writeln!(f, "warning: {warning}")?;
        }
        let notes = repository.notes.iter().map(|note| format!("note: {note}"));
        f.write_str(&notes.collect::<Vec<_>>().join("\n"))
    }
}

impl Text<'_> {
    fn tags(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.tags.is_empty() {
            return writeln!(f, "\nNo tags");
        }
        let width = self.0.tags.iter().map(|tag| tag.tag.chars().count()).max().unwrap_or(0);
        writeln!(f, "\nTags")?;
        for tag in &self.0.tags {
            writeln!(f, "  {:width$}  {}  {}", tag.tag, tag.digest, tag.signers.join(", "))?;
        }
        Ok(())
    }

    fn keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.signers.is_empty() {
            writeln!(f, "\nSigners")?;
        }
        for signer in &self.0.signers {
            writeln!(f, "  {}: {}", signer.name, signer.keys.join(", "))?;
        }
        let administrative = &self.0.administrative_keys;
        writeln!(f, "\nAdministrative keys")?;
        writeln!(f, "  Repository: {}", administrative.repository.join(", "))?;
        writeln!(f, "  Root: {}", administrative.root.join(", "))
    }

    /// What docker does not tell.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for tag in &self.0.differing_tags {
            warnings.push(format!(
                "tag {} is {} in targets/releases, which docker pull took, and {} in targets",
                tag.tag, tag.releases, tag.targets
            ));
        }
        let keys = self.0.roles.iter().flat_map(|role| &role.keys).chain(&self.0.root_keys);
        let weak: BTreeMap<&str, &str> =
            keys.filter_map(|key| Some((key.id.as_str(), key.weakness.as_deref()?))).collect();
        warnings.extend(weak.iter().map(|(id, why)| format!("key {id}: {why}")));
        warnings
    }
}

fn write_role(f: &mut fmt::Formatter<'_>, role: &RoleRecord) -> fmt::Result {
    write!(f, "  {}: {}", role.file, role.verdict)?;
    if let (Some(version), Some(expires), Some(days)) =
        (role.version, &role.expires, role.days_left)
    {
        write!(f, ", version {version}, ")?;
        match days {
            0.. => write!(f, "expires {expires}, {days} days left")?,
            _ => write!(f, "expired {expires}, {} days ago", days.unsigned_abs())?,
        }
    }
    f.write_str("\n")?;
    for reason in &role.reasons {
        writeln!(f, "    {}", reason.message)?;
    }
    Ok(())
}
