//! `key`: notation's list of signing keys.

mod add;
mod delete;
mod describe;
mod list;
mod update;

use std::{fmt, path::Path};

use serde::Serialize;

use super::{Outcome, args, failure::Failure, output::Format};
use crate::{
    config::{Directories, KeyEntry, KeyName, SigningKeys},
    fs,
    plugin::{self, CERT_CHAIN},
    x509::{Certificate, CertificateChain, Repaired, Rfc3339, to_pem},
};

/// Certificates are no secret.
const CHAIN_MODE: u32 = 0o644;

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Name a key of a key service for `notation sign --key NAME`.
    ///
    /// The chain is put in order and checked; a copy is kept in notation's configuration folder.
    Add(add::Args),
    /// Change a key: its certificates after a renewal, its id, or that it is the default.
    Update(update::Args),
    /// List the keys, and when their certificates expire.
    List(list::Args),
    /// Show a key, its plugin configuration and its certificate.
    Describe(describe::Args),
    /// Take keys off the list. The keys themselves stay where they are.
    Delete(delete::Args),
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Add(args) => args.run(),
            Self::Update(args) => args.run(),
            Self::List(args) => args.run(),
            Self::Describe(args) => args.run(),
            Self::Delete(args) => args.run(),
        }
    }

    pub(super) const fn format(&self) -> Format {
        match self {
            Self::List(args) => args.output.format,
            Self::Describe(args) => args.output.format,
            Self::Add(_) | Self::Update(_) | Self::Delete(_) => Format::Text,
        }
    }
}

/// A key as `list` and `describe` show it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyReport {
    name: String,
    default: bool,
    id: Option<String>,
    plugin: Option<String>,
    plugin_config: std::collections::BTreeMap<String, String>,
    certificate: Option<CertificateReport>,
    /// Why the certificate cannot be shown.
    problem: Option<String>,
}

/// The leaf certificate of a key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateReport {
    subject: String,
    not_after: String,
    key_spec: String,
    sha256: String,
}

impl KeyReport {
    fn of(key: &KeyEntry, keys: &SigningKeys) -> Self {
        let (certificate, problem) = match leaf_of(key) {
            Ok(leaf) => (leaf.as_ref().map(CertificateReport::of), None),
            Err(failure) => (None, Some(failure.one_line())),
        };
        Self {
            name: key.name.clone(),
            default: keys.default.as_deref() == Some(&key.name),
            id: key.id.clone(),
            plugin: key.plugin_name.clone(),
            plugin_config: key.plugin_config.clone(),
            certificate,
            problem,
        }
    }
}

impl CertificateReport {
    fn of(certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject().to_string(),
            not_after: Rfc3339(certificate.not_after()).to_string(),
            key_spec: certificate.public_key().to_string(),
            sha256: crate::crypto::hex(&certificate.fingerprint()),
        }
    }
}

/// Keeps a copy of a chain, and gives its path for plugin config.
fn keep_chain(
    directories: &Directories,
    name: &KeyName,
    chain: &CertificateChain,
) -> Result<String, Failure> {
    let pem = to_pem(chain);
    let copy = directories.key_chain(name, pem.as_bytes());
    let text = args::text_of(&copy)?;
    fs::write_atomic(&copy, pem.as_bytes(), CHAIN_MODE)?;
    Ok(text)
}

/// Removes the copy of a chain that a key named before it was changed or deleted, where no key names it
/// any more.
fn remove_chain(before: &KeyEntry, keys: &SigningKeys, directories: &Directories) -> Outcome {
    let Some(copy) = before.plugin_config.get(CERT_CHAIN) else { return Ok(()) };
    let named = keys.keys.iter().any(|key| key.plugin_config.get(CERT_CHAIN) == Some(copy));
    // Another plugin's is none of ours, and a name that is none of ours has no copy.
    let ours = before.plugin_name.as_deref() == Some(plugin::NAME)
        && before.name.parse().is_ok_and(|name| directories.is_key_chain(&name, Path::new(copy)));
    if ours && !named {
        fs::remove_if_there(Path::new(copy))?;
    }
    Ok(())
}

/// The leaf of the chain that plugin config names for one of our keys, where it names one.
fn leaf_of(key: &KeyEntry) -> Result<Option<Certificate>, Failure> {
    let path = match key.plugin_config.get(CERT_CHAIN) {
        Some(path) if key.plugin_name.as_deref() == Some(plugin::NAME) => Path::new(path),
        _ => return Ok(None),
    };
    let Repaired { chain, .. } = args::read_chain(path)?;
    Ok(Some(chain.leaf().clone()))
}

impl fmt::Display for KeyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "-".to_owned();
        writeln!(f, "name:         {}{}", self.name, if self.default { " (default)" } else { "" })?;
        writeln!(f, "id:           {}", self.id.clone().unwrap_or_else(none))?;
        write!(f, "plugin:       {}", self.plugin.clone().unwrap_or_else(none))?;
        for (name, value) in &self.plugin_config {
            write!(f, "\nconfig:       {name}={value}")?;
        }
        if let Some(certificate) = &self.certificate {
            let CertificateReport { subject, not_after, key_spec, sha256 } = certificate;
            write!(
                f,
                "\ncertificate:  {subject}\n  key:        {key_spec}\n  expires:    {not_after}\n  sha256:     {sha256}"
            )?;
        }
        self.problem.as_ref().map_or(Ok(()), |problem| write!(f, "\nproblem:      {problem}"))
    }
}
