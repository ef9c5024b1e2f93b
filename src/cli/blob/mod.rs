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
use crate::{
    algorithm::HashAlgorithm,
    envelope::{Envelope, EnvelopeError, EnvelopeFormat},
    fs, limits,
    oci::Digest,
};

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Sign a file: the signature goes into a file of its own, FILE.jws.sig or FILE.cose.sig.
    Sign(sign::Args),
    /// Verify a file and its signature under the trust policy for files (trustpolicy.blob.json).
    Verify(verify::Args),
    /// Show what stands in the signature of a file. No trust policy is asked: nothing of it is proved.
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

/// The envelope in the file of a signature: of the type that the file's extension says, and of either where it says
/// none (trust-store-trust-policy.md, "Validate Integrity").
fn parse_signature(path: &Path, bytes: &[u8]) -> Result<Envelope, EnvelopeError> {
    match format_of(path) {
        Some(format) => Envelope::parse(format, bytes),
        None => Envelope::parse_any(bytes),
    }
}

/// The format in `FILE.FORMAT.sig`, as the notation CLI names its files, or in `FILE.FORMAT`; in either case.
fn format_of(path: &Path) -> Option<EnvelopeFormat> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let (_, format) = name.strip_suffix(".sig").unwrap_or(&name).rsplit_once('.')?;
    EnvelopeFormat::from_name(format)
}

/// What to say of an envelope that is of another format than its file's name says.
fn note_of_other_format(path: &Path, bytes: &[u8]) -> Option<String> {
    let expected = format_of(path)?;
    let actual = EnvelopeFormat::of(bytes).filter(|actual| *actual != expected)?;
    let name = path.display();
    Some(format!(
        "{name} is read as {expected}, as its name says, and begins like {actual}: is it the right file?"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_of_a_signature_says_its_format() {
        use EnvelopeFormat::{Cose, Jws};
        for (name, format) in [
            ("a/tool.jws.sig", Some(Jws)),
            ("tool.COSE.Sig", Some(Cose)),
            ("tool.cose", Some(Cose)),
            ("tool.jws.cose.sig", Some(Cose)),
            ("tool.sig", None),
            ("tool", None),
            ("jws.sig", None),
            ("tool.jws.sig.bak", None),
            ("a.jws/tool", None),
        ] {
            assert_eq!(format_of(Path::new(name)), format, "{name}");
        }
    }
}
