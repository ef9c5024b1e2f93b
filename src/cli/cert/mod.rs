//! `cert`: certificates for keys.

mod check;
mod request;
mod self_sign;

use super::{Outcome, output::Format};

/// Make and check certificates for keys that never leave their service.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Request(request::Args),
    SelfSign(self_sign::Args),
    Check(check::Args),
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::Request(args) => args.run(),
            Self::SelfSign(args) => args.run(),
            Self::Check(args) => args.run(),
        }
    }

    pub(super) const fn format(&self) -> Format {
        match self {
            Self::Check(args) => args.output.format,
            Self::Request(_) | Self::SelfSign(_) => Format::Text,
        }
    }
}
