//! `dct`: the way out of Docker Content Trust.

mod audit;
mod export;
mod inspect;
mod migrate;
mod plan;
mod repositories;
mod server;
mod status;

use std::path::Path;

use serde::Serialize;
use time::UtcDateTime;

use super::{
    Outcome,
    failure::{Exit, Failure},
    output::{self, Format},
};
use crate::{
    config,
    dct::{
        Archive, Gun, Judgement, RepositoryRecord, RootPin, RootTrust, Terms, TrustData, Verdict,
        judge, newest_versions,
        plan::{Plan, RefusedRepository},
        remembered_roots,
    },
    fs, limits,
    x509::{Certificate, parse_bundle},
};

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Find what still depends on Docker Content Trust: in CI files, scripts, Dockerfiles, charts and
    /// infrastructure code below the paths, or on this machine. Says why it breaks, when, and what to write
    /// instead. Nothing is run, changed or sent.
    Audit(audit::Args),
    /// Keep a complete archive of repositories' trust data, judged and explained.
    ///
    /// Every file is written as it is served and judged afterwards: what has expired or does not verify is
    /// kept too, with its verdict. Running it again goes on where it stopped.
    Export(export::Args),
    /// Show what a repository's trust data says: tags, digests and signers, and what `docker trust inspect`
    /// hides. Verdicts are made anew from the files.
    Inspect(inspect::Args),
    /// Plan how to sign again what an archive's trust data releases.
    ///
    /// Writes a folder: the plan, which is yours to edit; trust policies that first only log and then enforce; the trust
    /// store that they name; and settings for admission controllers. Running it again keeps what you have edited.
    Plan(plan::Args),
    /// Sign what a plan says, and verify it under the plan's strict policy.
    ///
    /// What carries such a signature already is not signed again, so a run that broke off is begun again with the same
    /// command. Nothing is changed in Content Trust. The report beside the plan has the digest of every signature manifest
    /// that this and earlier runs have pushed.
    Migrate(migrate::Args),
    /// Tell which digests of an archive have a Notary Project signature that the trust policy accepts.
    ///
    /// Exit code 0: all that Content Trust released is covered, and enforcement can begin. The policy is that of the plan,
    /// else the one that is in force.
    Status(status::Args),
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Audit(args) => args.run(),
            Self::Export(args) => args.run(),
            Self::Inspect(args) => args.run(),
            Self::Plan(args) => args.run(),
            Self::Migrate(args) => args.run(),
            Self::Status(args) => args.run(),
        }
    }

    pub(super) const fn format(&self) -> Format {
        match self {
            Self::Audit(args) => args.format(),
            Self::Export(args) => args.output.format,
            Self::Inspect(args) => args.format(),
            Self::Plan(args) => args.output.format,
            Self::Migrate(args) => args.output.format,
            Self::Status(args) => args.output.format,
        }
    }
}

// What is known of root keys.
#[derive(Debug, clap::Args)]
struct PinArgs {
    /// A root key that is known to be right: its id (64 hex digits), or a file with its certificate or
    /// with the CA that issued it; may be repeated
    #[arg(long = "pin-root", value_name = "KEYID|FILE")]
    pins: Vec<String>,
}

impl PinArgs {
    fn read(&self) -> Result<Vec<RootPin>, Failure> {
        let mut pins = Vec::new();
        for pin in &self.pins {
            if is_key_id(pin) {
                pins.push(RootPin::KeyId(pin.to_ascii_lowercase()));
            } else {
                pins.extend(certificates(pin)?);
            }
        }
        Ok(pins)
    }
}

fn certificates(file: &str) -> Result<Vec<RootPin>, Failure> {
    let unusable = |failure: Failure| {
        failure.context(format!("{file:?} is neither a key id nor a file with a certificate"))
    };
    let bytes = fs::read_bounded(Path::new(file), limits::CERTIFICATE_FILE_BYTES)
        .map_err(|error| unusable(Failure::new(Exit::Usage, error)))?;
    pins_in(&bytes).map_err(unusable)
}

fn pins_in(certificates: &[u8]) -> Result<Vec<RootPin>, Failure> {
    let certificates =
        parse_bundle(certificates).map_err(|error| Failure::new(Exit::Usage, error))?;
    let pin = |certificate: Certificate| match certificate.is_ca() {
        true => RootPin::Ca(Box::new(certificate)),
        false => RootPin::Certificate(Box::new(certificate)),
    };
    Ok(certificates.into_iter().map(pin).collect())
}

/// Pins as a plan has them.
fn pins_of(plan: &Plan) -> Result<Vec<RootPin>, Failure> {
    let mut pins = Vec::new();
    for pin in &plan.archive.pins {
        match is_key_id(pin) {
            true => pins.push(RootPin::KeyId(pin.to_ascii_lowercase())),
            false => pins.extend(pins_in(pin.as_bytes()).map_err(|failure| {
                failure.context("a pin of the plan is neither a key id nor a certificate")
            })?),
        }
    }
    Ok(pins)
}

/// A pin as plans have it.
fn text_of_pin(pin: &RootPin) -> String {
    match pin {
        RootPin::KeyId(id) => id.clone(),
        RootPin::Certificate(certificate) | RootPin::Ca(certificate) => certificate.to_pem(),
    }
}

fn is_key_id(pin: &str) -> bool {
    pin.len() == 64 && pin.chars().all(|c| c.is_ascii_hexdigit())
}

/// "None of none is left" is no answer to whether a migration is done.
fn nothing_released() -> Failure {
    Failure::silent(Exit::NotFound, "the archive releases nothing")
}

/// The root of a repository's trust data, in reports.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RootRow {
    gun: String,
    root_trust: RootTrust,
    /// Ids.
    root_keys: Vec<String>,
}

/// The roots of repositories, with a word on those that nobody has pinned.
fn tell_roots(records: &[RepositoryRecord]) -> Vec<RootRow> {
    let row = |record: &RepositoryRecord| {
        if record.root_trust == RootTrust::FirstUse {
            output::note(&format!("warning: {}: {}", record.gun, tell_trust(record)));
        }
        RootRow {
            gun: record.gun.clone(),
            root_trust: record.root_trust.clone(),
            root_keys: record.root_keys.iter().map(|key| key.id.clone()).collect(),
        }
    };
    records.iter().map(row).collect()
}

/// Says what a repository's trust hangs on, root key ids included: first use is never silent.
fn tell_trust(record: &RepositoryRecord) -> String {
    match &record.root_trust {
        RootTrust::Pinned { pin } => format!("root pinned: {pin}"),
        RootTrust::FirstUse => {
            let keys: Vec<&str> = record.root_keys.iter().map(|key| key.id.as_str()).collect();
            format!("root trusted on first use, not known to be right: key {}", keys.join(", key "))
        }
        RootTrust::None => "root not accepted".to_owned(),
    }
}

/// What is wrong, a line a reason.
fn tell_faults(record: &RepositoryRecord) -> Vec<String> {
    let mut lines = Vec::new();
    for role in &record.roles {
        for reason in &role.reasons {
            lines.push(format!("{} {}: {}", role.file, role.verdict, reason.message));
        }
    }
    lines
}

/// Host and port of a URL's server, for file names and messages.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// Opens an archive whose files all are as they were exported.
fn open_archive(path: &Path) -> Result<Archive, Failure> {
    Archive::read(path).map_err(|error| {
        let unfinished = error.is_unfinished();
        let exit = if error.is_tampering() { Exit::Rejected } else { Exit::Usage };
        let failure =
            Failure::new(exit, error).context(format!("archive {} is refused", path.display()));
        if unfinished {
            failure.hint("an export that broke off goes on with the same dct export command")
        } else {
            failure
        }
    })
}

/// The records of an archive's repositories whose trust data is accepted, and those whose is not.
fn archived(
    archive: &Archive,
    pins: &[RootPin],
    allow_expired: bool,
) -> (Vec<RepositoryRecord>, Vec<RefusedRepository>) {
    let at = config::now();
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for gun in archive.repositories() {
        let judgement = judged(&gun, &archive.data(&gun), &archive.earlier(&gun), pins, at);
        let record = RepositoryRecord::new(&judgement, allow_expired);
        match record.verdict {
            Verdict::Verified => accepted.push(record),
            Verdict::Expired if allow_expired => accepted.push(record),
            verdict => {
                let reason = tell_faults(&record).into_iter().next().unwrap_or_default();
                let (gun, verdict) = (record.gun, verdict.to_string());
                refused.push(RefusedRepository { gun, verdict, reason });
            }
        }
    }
    (accepted, refused)
}

/// The verdict on a repository's files, with what earlier exports of it say.
fn judged(
    gun: &Gun,
    data: &TrustData,
    earlier: &[TrustData],
    pins: &[RootPin],
    at: UtcDateTime,
) -> Judgement {
    let pins = known_roots(pins, gun, earlier, at);
    let seen = newest_versions(gun, earlier, &pins, at);
    judge(gun, data, &Terms { pins: &pins, seen: &seen, at })
}

/// What is known of a repository's root: what was pinned, else what earlier exports hang on.
fn known_roots(
    pins: &[RootPin],
    gun: &Gun,
    earlier: &[TrustData],
    at: UtcDateTime,
) -> Vec<RootPin> {
    if pins.is_empty() { remembered_roots(gun, earlier, at) } else { pins.to_vec() }
}
