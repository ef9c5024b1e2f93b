//! `dct`: the way out of Docker Content Trust.

mod audit;
mod export;
mod inspect;
mod repositories;
mod server;

use std::path::Path;

use time::UtcDateTime;

use super::{
    Outcome,
    failure::{Exit, Failure},
    output::Format,
};
use crate::{
    dct::{Gun, RepositoryRecord, RootPin, RootTrust, TrustData, remembered_roots},
    fs, limits,
    x509::parse_bundle,
};

/// Keep and read the trust data of Docker Content Trust (notary v1).
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Audit(audit::Args),
    Export(export::Args),
    Inspect(inspect::Args),
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Audit(args) => args.run(),
            Self::Export(args) => args.run(),
            Self::Inspect(args) => args.run(),
        }
    }

    pub(super) const fn format(&self) -> Format {
        match self {
            Self::Audit(args) => args.format(),
            Self::Export(args) => args.output.format,
            Self::Inspect(args) => args.format(),
        }
    }
}

/// What is known of root keys.
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
            if pin.len() == 64 && pin.chars().all(|c| c.is_ascii_hexdigit()) {
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
    let certificates =
        parse_bundle(&bytes).map_err(|error| unusable(Failure::new(Exit::Usage, error)))?;
    let pin = |certificate: crate::x509::Certificate| match certificate.is_ca() {
        true => RootPin::Ca(Box::new(certificate)),
        false => RootPin::Certificate(Box::new(certificate)),
    };
    Ok(certificates.into_iter().map(pin).collect())
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

/// What is known of a repository's root: what was pinned, else what earlier exports hang on.
fn known_roots(
    pins: &[RootPin],
    gun: &Gun,
    earlier: &[TrustData],
    at: UtcDateTime,
) -> Vec<RootPin> {
    if pins.is_empty() { remembered_roots(gun, earlier, at) } else { pins.to_vec() }
}
