//! Trust stores as the `cert` commands name and show them.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

use serde::Serialize;
use time::UtcDateTime;

use crate::{
    cli::failure::{Exit, Failure},
    crypto,
    trust::{DirectoryTrustStore, StoreError, StoreType, TrustStore},
    x509::{Certificate, Rfc3339},
};

// A trust store.
#[derive(Debug, clap::Args)]
pub(super) struct NamedStoreArgs {
    /// What the store is for
    #[arg(long = "type", short = 't', value_enum, value_name = "TYPE")]
    kind: Kind,
    /// Name of the store
    #[arg(long = "store", short = 's', value_name = "NAME")]
    name: String,
}

/// The type of a trust store: signers, signing authorities, timestamping authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    Ca,
    #[value(name = "signingAuthority")]
    SigningAuthority,
    Tsa,
}

/// A certificate in a trust store.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Anchor {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) store: String,
    pub(super) file: String,
    path: PathBuf,
    pub(super) subject: String,
    issuer: String,
    serial_number: String,
    not_before: String,
    pub(super) not_after: String,
    key_spec: String,
    sha256: String,
    pub(super) validity: Validity,
}

/// Whether a certificate is valid now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Validity {
    Valid,
    Expired,
    NotYetValid,
}

impl NamedStoreArgs {
    /// The store, once its name is one.
    pub(super) fn store(&self) -> Result<TrustStore, Failure> {
        TrustStore::new(self.kind.into(), &self.name)
            .map_err(|error| Failure::new(Exit::Usage, error))
    }
}

impl Anchor {
    pub(super) fn of(
        certificate: &Certificate,
        store: &TrustStore,
        path: &Path,
        at: UtcDateTime,
    ) -> Self {
        Self {
            kind: store.kind.name(),
            store: store.name.clone(),
            file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path: path.to_owned(),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial_number: crypto::hex(shortest(certificate.serial_number())),
            not_before: Rfc3339(certificate.not_before()).to_string(),
            not_after: Rfc3339(certificate.not_after()).to_string(),
            key_spec: certificate.public_key().to_string(),
            sha256: crypto::hex(&certificate.fingerprint()),
            validity: Validity::of(certificate, at),
        }
    }

    /// What a person should know of the certificate.
    pub(super) fn warning(&self) -> Option<String> {
        let Self { kind, store, file, subject, not_before, not_after, .. } = self;
        let fact = match self.validity {
            Validity::Valid => return None,
            Validity::Expired => format!("expired at {not_after}"),
            Validity::NotYetValid => format!("is not valid before {not_before}"),
        };
        Some(format!("{kind}:{store}, {file}: certificate {subject} {fact}"))
    }
}

impl Validity {
    fn of(certificate: &Certificate, at: UtcDateTime) -> Self {
        if at > certificate.not_after() {
            Self::Expired
        } else if at < certificate.not_before() {
            Self::NotYetValid
        } else {
            Self::Valid
        }
    }
}

/// The path of a file that a store holds. A name that leads elsewhere is refused.
pub(super) fn path_in(
    stores: &DirectoryTrustStore,
    store: &TrustStore,
    file: &Path,
) -> Result<PathBuf, Failure> {
    let mut parts = file.components();
    let is_name = matches!(parts.next(), Some(Component::Normal(name)) if name == file.as_os_str());
    if !is_name {
        let message = format!("{} is not the name of a file in a trust store", file.display());
        return Err(Failure::message(Exit::Usage, message)
            .hint("name it as notation-kms cert list does, without a folder"));
    }
    let path = stores.folder(store).join(file);
    let entries = stores.entries(store).map_err(unusable)?;
    if entries.contains(&path) {
        return Ok(path);
    }
    let message = format!("trust store {store} holds no file {}", file.display());
    Err(Failure::message(Exit::NotConfigured, message).hint("notation-kms cert list"))
}

/// A trust store that is not what it has to be.
pub(super) fn unusable(error: StoreError) -> Failure {
    Failure::new(Exit::NotConfigured, error)
}

impl From<Kind> for StoreType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Ca => Self::Ca,
            Kind::SigningAuthority => Self::SigningAuthority,
            Kind::Tsa => Self::Tsa,
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, serial_number, not_before, not_after, key_spec, .. } = self;
        let remark = self.validity.remark();
        writeln!(f, "subject:  {subject}")?;
        writeln!(f, "issuer:   {issuer}")?;
        writeln!(f, "serial:   {serial_number}")?;
        writeln!(f, "valid:    {not_before} to {not_after}{remark}")?;
        writeln!(f, "key:      {key_spec}")?;
        writeln!(f, "sha256:   {}", self.sha256)?;
        write!(f, "file:     {}", self.path.display())
    }
}

impl Validity {
    /// What follows a time in text.
    pub(super) const fn remark(self) -> &'static str {
        match self {
            Self::Valid => "",
            Self::Expired => " (expired)",
            Self::NotYetValid => " (not yet valid)",
        }
    }
}

/// An integer without the zero that keeps it positive in DER.
const fn shortest(integer: &[u8]) -> &[u8] {
    match integer {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => integer,
    }
}
