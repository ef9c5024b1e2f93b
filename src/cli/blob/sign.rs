//! `blob sign`

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::Blob;
use crate::{
    cli::{
        Outcome,
        args::OutputArgs,
        artifact::STDIN,
        failure::{Exit, Failure},
        output,
        signing::{Signer, SignerArgs},
    },
    fs,
    oci::{Descriptor, Digest},
};

/// A signature is no secret.
const FILE_MODE: u32 = 0o644;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The file; - for standard input, which needs --to
    file: PathBuf,
    #[command(flatten)]
    signer: SignerArgs,
    /// Media type of the file
    #[arg(long, value_name = "TYPE", default_value = "application/octet-stream")]
    media_type: String,
    /// Folder for the signature, instead of that of the file
    #[arg(long, value_name = "DIR", conflicts_with = "to")]
    signature_directory: Option<PathBuf>,
    /// The file of the signature
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Replace the signature where there is one
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    artifact: Digest,
    size: u64,
    /// The file that was written.
    signature: String,
    format: &'static str,
    signer: String,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        if self.media_type.trim().is_empty() {
            return Err(Failure::message(Exit::Usage, "media type is empty"));
        }
        let signer = self.signer.open()?;
        let to = self.signature_path(&signer)?;
        if is_same_file(&self.file, &to) {
            let message =
                format!("signature {} would replace the file that is signed", to.display());
            return Err(Failure::message(Exit::Usage, message).hint("--to names another file"));
        }
        if !self.force && to.symlink_metadata().is_ok() {
            return Err(exists_already(&to));
        }
        // The certificate requirements leave no leaf without a key spec.
        let key_spec = signer.chain.leaf().public_key().key_spec().ok_or_else(|| {
            Failure::message(Exit::NotConfigured, "the leaf's key is of no supported kind")
        })?;
        let (digest, size) = Blob::open(&self.file)?.digest(key_spec.hash())?;
        let artifact = Descriptor::new(self.media_type.as_str(), digest, size);
        let envelope = signer.sign(&artifact)?;
        self.write(&to, &envelope)?;
        let report = Report {
            file: self.file.display().to_string(),
            artifact: artifact.digest,
            size,
            signature: to.display().to_string(),
            format: signer.format.name(),
            signer: signer.chain.leaf().subject().to_string(),
        };
        output::data(self.output.format, &report)
    }

    /// `FILE.FORMAT.sig`, as the notation CLI names it.
    fn signature_path(&self, signer: &Signer) -> Result<PathBuf, Failure> {
        if let Some(to) = &self.to {
            return Ok(to.clone());
        }
        let name = self.file.file_name().filter(|_| self.file != Path::new(STDIN));
        let name = name.ok_or_else(|| {
            Failure::message(Exit::Usage, format!("{} names no file", self.file.display()))
                .hint("--to FILE says where the signature goes")
        })?;
        let mut name = name.to_owned();
        name.push(format!(".{}.sig", signer.format));
        Ok(match &self.signature_directory {
            Some(folder) => folder.join(name),
            None => self.file.with_file_name(name),
        })
    }

    fn write(&self, to: &Path, envelope: &[u8]) -> Outcome {
        if self.force {
            return Ok(fs::write_atomic(to, envelope, FILE_MODE)?);
        }
        match fs::write_new(to, envelope, FILE_MODE) {
            Err(error) if error.is_already_there() => Err(exists_already(to)),
            written => Ok(written?),
        }
    }
}

/// Whether two paths lead to one file that is there.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let found = |path: &Path| path.canonicalize().ok();
    found(one).is_some_and(|one| found(other) == Some(one))
}

fn exists_already(path: &Path) -> Failure {
    let message = format!("signature {} exists already", path.display());
    Failure::message(Exit::Usage, message).hint("--force replaces it")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, artifact, signature, signer, .. } = self;
        write!(f, "signed: {file} ({artifact}), as {signer}\n  signature {signature}")
    }
}
