//! `cert check`

use std::{fmt, path::PathBuf};

use serde::Serialize;
use time::UtcDateTime;

use crate::{
    cli::{
        Outcome,
        args::{self, OpenKey, OutputArgs},
        failure::{Exit, Failure},
        output,
    },
    config, fs,
    keys::{KeyUri, SigningKey},
    limits,
    pki::{self, Finding},
    sign::KeyIdentity,
    x509::{Certificate, CertificateChain, Purpose, Rfc3339, parse_bundle},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Certificates: leaf, issuers and root, in any order, as PEM, DER or PKCS#7
    chain: PathBuf,
    /// What the leaf is for
    #[arg(long, value_enum, default_value_t = For::CodeSigning)]
    purpose: For,
    /// Compare the leaf's key with the key of a key service
    #[arg(long, value_name = "URI")]
    id: Option<KeyUri>,
    /// A setting of the key's provider, such as aws-region=eu-central-1; may be repeated
    #[arg(long = "plugin-config", value_name = "KEY=VALUE", value_parser = args::key_value, requires = "id")]
    config: Vec<(String, String)>,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum For {
    CodeSigning,
    Timestamping,
}

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    ok: bool,
    certificates: Vec<CertificateRow>,
    problems: Vec<Finding>,
    notes: Vec<String>,
    key: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateRow {
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    key: String,
    sha256: String,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let bytes = fs::read_bounded(&self.chain, limits::CERTIFICATE_FILE_BYTES)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let bundle = parse_bundle(&bytes).map_err(|error| {
            Failure::new(Exit::Usage, error)
                .context(format!("{} holds no certificate chain", self.chain.display()))
        })?;
        let mut report = Report::of(&bundle, self.purpose.into(), config::now());
        if let Some(id) = &self.id {
            self.compare(id, &mut report)?;
        }
        output::data(self.output.format, &report)?;
        match report.problems.len() {
            0 => Ok(()),
            n => Err(Failure::silent(
                Exit::Rejected,
                format!("{n} problems in {}", self.chain.display()),
            )),
        }
    }

    /// Asks the key service whether the leaf is for its key.
    fn compare(&self, id: &KeyUri, report: &mut Report) -> Outcome {
        let held = OpenKey::open(id, &self.config)?.ask(SigningKey::public_key)?;
        let identity = KeyIdentity::of(&held).to_string();
        if report.leaf_key() != Some(identity.as_str()) {
            let leaf = report.leaf_key().unwrap_or("unknown");
            report.problems.push(Finding::key_mismatch(leaf, &identity));
            report.ok = false;
        }
        report.key = Some(identity);
        Ok(())
    }
}

impl Report {
    fn of(bundle: &[Certificate], purpose: Purpose, at: UtcDateTime) -> Self {
        let lint = pki::lint(bundle, purpose, at);
        let certificates = lint.chain.as_ref().map_or(bundle, CertificateChain::certificates);
        Self {
            ok: lint.problems.is_empty(),
            certificates: certificates.iter().map(CertificateRow::of).collect(),
            problems: lint.problems,
            notes: lint.notes,
            key: None,
        }
    }

    fn leaf_key(&self) -> Option<&str> {
        self.certificates.first().map(|leaf| leaf.key.as_str())
    }
}

impl CertificateRow {
    fn of(certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            not_before: Rfc3339(certificate.not_before()).to_string(),
            not_after: Rfc3339(certificate.not_after()).to_string(),
            key: KeyIdentity::of(certificate.public_key()).to_string(),
            sha256: crate::crypto::hex(&certificate.fingerprint()),
        }
    }
}

impl From<For> for Purpose {
    fn from(purpose: For) -> Self {
        match purpose {
            For::CodeSigning => Self::CodeSigning,
            For::Timestamping => Self::Timestamping,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, certificate) in self.certificates.iter().enumerate() {
            let CertificateRow { subject, issuer, not_before, not_after, key, sha256 } =
                certificate;
            writeln!(f, "{}. {subject}", i + 1)?;
            writeln!(f, "   issuer  {issuer}")?;
            writeln!(f, "   valid   {not_before} to {not_after}")?;
            writeln!(f, "   key     {key}")?;
            writeln!(f, "   sha256  {sha256}")?;
        }
        if let Some(key) = &self.key {
            writeln!(f, "key of the service: {key}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        f.write_str(if self.ok { "the chain can be used" } else { "the chain cannot be used" })
    }
}
