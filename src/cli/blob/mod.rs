//! `blob`: files with detached signatures.

mod inspect;
mod sign;
mod verify;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::{
    Outcome,
    artifact::STDIN,
    failure::{Exit, Failure},
    output::Format,
};
use crate::{algorithm::HashAlgorithm, fs, limits, oci::Digest};

/// Sign files, and verify and show their signatures, which are files too.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Sign(sign::Args),
    Verify(verify::Args),
    Inspect(inspect::Args),
}

impl Command {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Sign(args) => args.run(),
            Self::Verify(args) => args.run(),
            Self::Inspect(args) => args.run(),
        }
    }

    pub(super) const fn format(&self) -> Format {
        match self {
            Self::Sign(args) => args.output.format,
            Self::Verify(args) => args.output.format,
            Self::Inspect(args) => args.output.format,
        }
    }
}

/// A file, or standard input, that is there.
struct Blob {
    reader: Box<dyn Read>,
    name: String,
}

impl Blob {
    fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let reader: Box<dyn Read> = if path == Path::new(STDIN) {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path).map_err(|error| unreadable(&name, error))?)
        };
        Ok(Self { reader, name })
    }

    /// Its digest, and how many bytes that is.
    fn digest(self, hash: HashAlgorithm) -> Result<(Digest, u64), Failure> {
        Digest::of_reader(hash, self.reader).map_err(|error| unreadable(&self.name, error))
    }
}

fn unreadable(name: &str, error: io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Other,
    };
    Failure::new(exit, error).context(format!("file {name} cannot be read"))
}

/// Reads the file of a signature.
fn read_signature(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read_bounded(path, limits::ENVELOPE_BYTES).map_err(|error| {
        let exit = if error.is_not_found() { Exit::NotFound } else { Exit::Usage };
        Failure::new(exit, error)
    })
}
