//! `cert`: certificates for keys, and certificates that are trusted.

mod add;
mod anchor;
mod check;
mod delete;
mod list;
mod request;
mod self_sign;
mod show;

pub(super) use list::folder_entries;

use super::{Outcome, output::Format};

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Write a certificate request (PKCS#10) that the key has signed in its service.
    ///
    /// It asks for what a code-signing certificate needs; the CA may add to it.
    Request(request::Args),
    /// Write a certificate that the key has issued to itself, for trials.
    SelfSign(self_sign::Args),
    /// Check a certificate chain against the requirements for Notary Project signatures.
    Check(check::Args),
    /// Trust the root certificates of files: copy them into a trust store.
    ///
    /// All files are checked before one is copied. Where one of them cannot be trusted, none is.
    Add(add::Args),
    /// List the certificates of trust stores, and when they expire.
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Show every certificate of a file in a trust store.
    Show(show::Args),
    /// Take a file out of a trust store, or the whole store away.
    Delete(delete::Args),
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Request(args) => args.run(),
            Self::SelfSign(args) => args.run(),
            Self::Check(args) => args.run(),
            Self::Add(args) => args.run(),
            Self::List(args) => args.run(),
            Self::Show(args) => args.run(),
            Self::Delete(args) => args.run(),
        }
    }

    pub(super) const fn format(&self) -> Format {
        match self {
            Self::Check(args) => args.output.format,
            Self::List(args) => args.output.format,
            Self::Show(args) => args.output.format,
            Self::Request(_) | Self::SelfSign(_) | Self::Add(_) | Self::Delete(_) => Format::Text,
        }
    }
}
