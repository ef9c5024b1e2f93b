//! Arguments and inputs that several commands have in common.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use time::{UtcDateTime, format_description::well_known::Rfc3339};

use super::{
    Outcome, block_on,
    failure::{Exit, Failure},
    host::Secrets,
    output::{self, Format},
};
use crate::{
    fs,
    keys::{self, KeyError, KeyOptions, KeyUri, SigningKey},
    limits,
    plugin::{CERT_CHAIN, Config, check_config},
    x509::{CertificateChain, Name, Repaired, parse_bundle},
};

/// What commands write is no secret.
const FILE_MODE: u32 = 0o644;

// `--output`
#[derive(Debug, clap::Args)]
pub(super) struct OutputArgs {
    /// What to print
    #[arg(long = "output", short = 'o', value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub(super) format: Format,
}

// `--max-signatures`
#[derive(Debug, clap::Args)]
pub(super) struct MaxSignatures {
    /// Signatures that are looked at, at most
    #[arg(long = "max-signatures", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
}

impl MaxSignatures {
    pub(super) fn get(&self) -> usize {
        usize::from(self.count)
    }

    /// Leaves as many, and says so where there are more.
    pub(super) fn cut<T>(&self, signatures: &mut Vec<T>) {
        self.warn(signatures.len().saturating_sub(self.get()));
        signatures.truncate(self.get());
    }

    /// Says how to look at all, where one that was not looked at might do.
    pub(super) fn suggest(&self, untried: usize) {
        if untried > 0 {
            let total = untried.saturating_add(self.get()).min(usize::from(u16::MAX));
            output::note(&format!("hint: --max-signatures {total} looks at more of them"));
        }
    }

    /// Says how many were not looked at.
    pub(super) fn warn(&self, untried: usize) {
        if untried > 0 {
            let most = self.get();
            output::note(&format!(
                "warning: signatures that are not looked at: {untried}, as --max-signatures is {most}"
            ));
        }
    }
}

// A key of a key service.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// Reference of the key, such as awskms:///alias/release or file:///path/key.pem
    #[arg(long, value_name = "URI")]
    pub(super) id: KeyUri,
    /// A setting of the key's provider, such as aws-region=eu-central-1; may be repeated
    #[arg(long = "plugin-config", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) config: Vec<(String, String)>,
}

impl KeyArgs {
    /// The settings to be kept with the key, once every one is known to be one.
    pub(super) fn stored_config(&self) -> Result<BTreeMap<String, String>, Failure> {
        let config = stored_config(&self.config)?;
        check_config(&self.id, &config).map_err(|error| Failure::new(Exit::Usage, error))?;
        Ok(config)
    }

    /// The key, ready to be asked. Nothing is asked yet.
    pub(super) fn open(&self) -> Result<OpenKey, Failure> {
        OpenKey::open(&self.id, &self.config)
    }
}

/// A key that a command asks, and how long it may take to answer in all.
pub(super) struct OpenKey {
    key: Box<dyn SigningKey>,
    id: KeyUri,
    timeout: Duration,
}

impl OpenKey {
    /// Opens a key with settings from the command line. Nothing is asked yet.
    pub(super) fn open(id: &KeyUri, config: &[(String, String)]) -> Result<Self, Failure> {
        let config = plugin_config(config)?;
        let config =
            Config::parse(id, &config).map_err(|error| Failure::new(Exit::Usage, error))?;
        Self::with_config(id, &config)
    }

    /// Opens a key with settings that are read already. Nothing is asked yet.
    pub(super) fn with_config(id: &KeyUri, config: &Config) -> Result<Self, Failure> {
        let secrets = Secrets { may_prompt: true };
        let options = KeyOptions::new(&config.provider, config.timeout, &secrets);
        Ok(Self { key: keys::open(id, &options)?, id: id.clone(), timeout: config.timeout })
    }

    /// Does what asks the key. The time is the command's, however often it asks.
    pub(super) fn ask<'a, T, E, F>(
        &'a self,
        work: impl FnOnce(&'a dyn SigningKey) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, E>>,
        Failure: From<E>,
    {
        let work = work(self.key.as_ref());
        match block_on(async { tokio::time::timeout(self.timeout, work).await })? {
            Ok(answer) => Ok(answer?),
            Err(_) => {
                Err(KeyError::Timeout { key: self.id.to_string(), after: self.timeout }.into())
            }
        }
    }
}

/// Settings from the command line that are to be kept with a key. Its chain is checked and copied, which
/// a path alone is not.
pub(super) fn stored_config(
    config: &[(String, String)],
) -> Result<BTreeMap<String, String>, Failure> {
    if config.iter().any(|(key, _)| key == CERT_CHAIN) {
        let message = "plugin config cert-chain is what --cert-chain gives";
        return Err(Failure::message(Exit::Usage, message));
    }
    plugin_config(config)
}

/// Settings from the command line, each said once: of two values nobody can tell which was meant.
pub(super) fn plugin_config(
    pairs: &[(String, String)],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut config = BTreeMap::new();
    for (key, value) in pairs {
        if config.insert(key.clone(), value.clone()).is_some() {
            let message = format!("plugin config {key} is given more than once");
            return Err(Failure::message(Exit::Usage, message));
        }
    }
    Ok(config)
}

/// Metadata from the command line, each name said once.
pub(super) fn user_metadata(
    pairs: &[(String, String)],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut metadata = BTreeMap::new();
    for (name, value) in pairs {
        if metadata.insert(name.clone(), value.clone()).is_some() {
            let message = format!("user metadata {name:?} is given more than once");
            return Err(Failure::message(Exit::Usage, message));
        }
    }
    Ok(metadata)
}

/// Go's notation, which the notation CLI takes (`3h20m`), and days.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let refused =
        || "expected a duration such as 12h, 3h20m or 90d, of at least one second".to_owned();
    let mut seconds = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let (number, unit) = rest.split_at_checked(end).ok_or_else(refused)?;
        let unit_seconds = match unit.chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 60 * 60,
            Some('d') => 24 * 60 * 60,
            _ => return Err(refused()),
        };
        let number = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_seconds));
        seconds = number.and_then(|n| seconds.checked_add(n)).ok_or_else(refused)?;
        rest = unit.get(1..).unwrap_or_default();
    }
    match seconds {
        0 => Err(refused()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// A duration as [`duration`] reads it, in days, hours, minutes and seconds.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_secs();
        for (unit, seconds) in [("d", 24 * 60 * 60), ("h", 60 * 60), ("m", 60), ("s", 1)] {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
            }
            rest %= seconds;
        }
        Ok(())
    }
}

/// A time in RFC 3339, such as 2026-11-23T12:00:00Z.
pub(super) fn time(text: &str) -> Result<UtcDateTime, String> {
    UtcDateTime::parse(text, &Rfc3339)
        .map_err(|_| "expected a time such as 2026-11-23T12:00:00Z".to_owned())
}

/// `KEY=VALUE`
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("expected KEY=VALUE, with neither empty".to_owned()),
    }
}

/// A subject on the command line: RFC 4514, or the order in which most people write one, country first.
pub(super) fn subject(text: &str) -> Result<Name, String> {
    let name: Name = text.parse().map_err(|error: crate::x509::NameError| error.to_string())?;
    let attributes = name.attributes();
    let country_is_last = attributes.last().is_some_and(|attribute| attribute.kind == "C");
    Ok(if country_is_last && attributes.len() > 1 { name.reversed() } else { name })
}

/// Reads a certificate file and puts its chain in order.
pub(super) fn read_chain(path: &Path) -> Result<Repaired, Failure> {
    let unusable =
        |error: Failure| error.context(format!("{} holds no certificate chain", path.display()));
    let bytes = fs::read_bounded(path, limits::CERTIFICATE_FILE_BYTES)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let bundle =
        parse_bundle(&bytes).map_err(|error| unusable(Failure::new(Exit::Usage, error)))?;
    CertificateChain::repair(bundle).map_err(|error| {
        let hint = "put the leaf, every issuer and the root into the file, in any order";
        unusable(Failure::new(Exit::Usage, error)).hint(hint)
    })
}

/// A path as configuration files hold it.
pub(super) fn text_of(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(ToOwned::to_owned);
    text.ok_or_else(|| {
        Failure::message(Exit::Usage, format!("path {} is not UTF-8", path.display()))
    })
}

// Where a command writes its one file.
#[derive(Debug, clap::Args)]
pub(super) struct ToArgs {
    /// The file to write
    #[arg(long = "to", value_name = "FILE")]
    pub(super) path: PathBuf,
    /// Replace the file where it exists
    #[arg(long)]
    force: bool,
}

impl ToArgs {
    /// A file that replaces none.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), force: false }
    }

    /// Refuses a file that is there already, before a service is asked for what would go into it.
    pub(super) fn check(&self) -> Outcome {
        if self.force || self.path.symlink_metadata().is_err() {
            return Ok(());
        }
        Err(self.exists_already())
    }

    /// Writes the file, and does not replace one without being told.
    pub(super) fn write(&self, bytes: &[u8]) -> Outcome {
        if self.force {
            return Ok(fs::write_atomic(&self.path, bytes, FILE_MODE)?);
        }
        match fs::write_new(&self.path, bytes, FILE_MODE) {
            Err(error) if error.is_already_there() => Err(self.exists_already()),
            written => Ok(written?),
        }
    }

    fn exists_already(&self) -> Failure {
        let message = format!("file {} exists already", self.path.display());
        Failure::message(Exit::Usage, message).hint("--force replaces it")
    }
}
