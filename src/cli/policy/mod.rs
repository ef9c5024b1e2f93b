//! `policy`: trust policies.

mod check;
mod explain;
mod import;
mod init;
mod show;

use std::path::{Path, PathBuf};

use super::{
    Outcome,
    failure::{Exit, Failure},
    output::{self, Format},
};
use crate::{
    config::Directories,
    fs, limits,
    trust::{BlobPolicy, OciPolicy, Parsed, PolicyError, PolicyFile, PolicyKind},
};

/// Notation writes its files so.
const MODE: u32 = 0o600;

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Write a first trust policy, of one statement.
    Init(init::Args),
    /// Check a trust policy against every constraint of the specification, and tell all problems at once.
    Check(check::Args),
    /// Say which statement of the trust policy is for a repository, and what it asks of a signature.
    Explain(explain::Args),
    /// Put a trust policy in force, once it is shown to be valid.
    Import(import::Args),
    /// Print the trust policy that is in force, as it stands in its file.
    Show(show::Args),
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Init(args) => args.run(),
            Self::Check(args) => args.run(),
            Self::Explain(args) => args.run(),
            Self::Import(args) => args.run(),
            Self::Show(args) => args.run(),
        }
    }

    pub(super) const fn format(&self) -> Format {
        match self {
            Self::Check(args) => args.output.format,
            Self::Explain(args) => args.output.format,
            Self::Init(_) | Self::Import(_) | Self::Show(_) => Format::Text,
        }
    }
}

// Which policy
#[derive(Debug, clap::Args)]
struct KindArgs {
    /// The policy for files (trustpolicy.blob.json) instead of that for artifacts
    #[arg(long)]
    blob: bool,
}

impl KindArgs {
    const fn kind(&self) -> PolicyKind {
        if self.blob { PolicyKind::Blob } else { PolicyKind::Oci }
    }
}

/// What to do where no statement is for a repository.
pub(super) const ADD_TO_A_STATEMENT: &str =
    "add the repository to the registryScopes of a statement; notation-kms policy show prints them";

/// Puts a policy in force, and gives its file. Another is replaced only by force.
fn install(
    directories: &Directories,
    kind: PolicyKind,
    policy: &[u8],
    force: bool,
) -> Result<PathBuf, Failure> {
    let path = directories.policy_to_write(kind);
    if force {
        fs::write_atomic(&path, policy, MODE)?;
        return Ok(path);
    }
    match fs::write_new(&path, policy, MODE) {
        Err(error) if error.is_already_there() => {
            let message = format!("trust policy {} exists already", path.display());
            Err(Failure::message(Exit::Usage, message).hint("--force replaces it"))
        }
        written => Ok(written.map(|()| path)?),
    }
}

/// The policy that is in force, with a word about one that is not.
fn installed(kind: PolicyKind) -> Result<PolicyFile, Failure> {
    let directories = Directories::from_environment()?;
    let file =
        directories.read_policy(kind).map_err(|error| Failure::new(Exit::NotConfigured, error))?;
    let Some(file) = file else {
        let folder = directories.config.display();
        let (message, hint) = match kind {
            PolicyKind::Oci => (
                format!("there is no trust policy in {folder}"),
                "notation-kms policy init writes one, notation-kms policy import FILE puts one there",
            ),
            PolicyKind::Blob => (
                format!("there is no trust policy for files, trustpolicy.blob.json, in {folder}"),
                "notation-kms policy init --blob writes one, notation-kms policy import --blob FILE puts one there",
            ),
        };
        return Err(Failure::message(Exit::NotConfigured, message).hint(hint));
    };
    if let Some(shadowed) = &file.shadowed {
        output::note(&format!(
            "warning: {} is in force, and {} says something else",
            file.path.display(),
            shadowed.display()
        ));
    }
    Ok(file)
}

/// The policy for artifacts that is in force, read.
pub(super) fn for_artifacts() -> Result<(PolicyFile, OciPolicy), Failure> {
    let file = installed(PolicyKind::Oci)?;
    let parsed = OciPolicy::parse(&file.bytes);
    usable(file, parsed)
}

/// The policy for files that is in force, read.
pub(super) fn for_files() -> Result<(PolicyFile, BlobPolicy), Failure> {
    let file = installed(PolicyKind::Blob)?;
    let parsed = BlobPolicy::parse(&file.bytes);
    usable(file, parsed)
}

/// A policy for artifacts in a file of its own.
pub(super) fn in_file(path: &Path) -> Result<(PolicyFile, OciPolicy), Failure> {
    let bytes = fs::read_bounded(path, limits::CONFIG_FILE_BYTES)
        .map_err(|error| Failure::new(Exit::NotConfigured, error))?;
    let parsed = OciPolicy::parse(&bytes);
    usable(PolicyFile::new(path, bytes), parsed)
}

fn usable<P>(
    file: PolicyFile,
    parsed: Result<Parsed<P>, PolicyError>,
) -> Result<(PolicyFile, P), Failure> {
    let parsed = parsed.map_err(|error| {
        Failure::new(Exit::NotConfigured, error)
            .context(format!("{} cannot be used", file.path.display()))
            .hint("notation-kms policy check tells all problems")
    })?;
    for problem in &parsed.unknown {
        output::note(&format!("warning: {problem}"));
    }
    Ok((file, parsed.policy))
}
