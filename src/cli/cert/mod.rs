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

/// Make and check certificates for keys that never leave their service, and keep those that are trusted.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Request(request::Args),
    SelfSign(self_sign::Args),
    Check(check::Args),
    Add(add::Args),
    #[command(visible_alias = "ls")]
    List(list::Args),
    Show(show::Args),
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
