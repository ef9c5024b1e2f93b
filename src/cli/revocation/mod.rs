//! `revocation`, and the options about it that verifying commands have in common.

mod check;
mod evidence;
mod fetch;
mod known;

pub(super) use check::RevocationLines;

use std::{path::PathBuf, time::Duration};

use known::Known;
use time::UtcDateTime;

use super::{Outcome, args, failure::Failure, output::Format};
use crate::{
    config::{self, Directories},
    limits,
    plugin::SIGNING_AGENT,
    revocation::{
        Evidence,
        fetch::{FetchOptions, Fetcher, RevocationCache},
    },
    verify::Revocation,
};

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Tell whether the certificates of a chain are revoked, and who says so.
    Check(check::Args),
    /// Collect what there is to know of the revocation of certificates, for `verify --evidence` where nobody can be asked.
    ///
    /// For an artifact that is what the certificates of its signers and of their timestamp authorities name, of those under
    /// the roots of your trust stores.
    Fetch(fetch::Args),
}

impl Command {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Check(args) => args.run(),
            Self::Fetch(args) => args.run(),
        }
    }

    pub(super) const fn format(&self) -> Format {
        match self {
            Self::Check(args) => args.output.format,
            Self::Fetch(args) => args.output.format,
        }
    }
}

// Whom to ask about revocation, and for which time
#[derive(Debug, clap::Args)]
pub(super) struct RevocationArgs {
    /// Ask nobody about revocation: what --evidence holds is all there is
    #[arg(long)]
    offline: bool,
    /// Evidence of revocation: a file of `revocation fetch` or of `verify --record`, a CRL, or a folder of such; may be
    /// repeated
    #[arg(long, value_name = "PATH")]
    evidence: Vec<PathBuf>,
    /// The greatest age of evidence that counts, such as 24h
    #[arg(long, value_name = "DURATION", value_parser = args::duration, requires = "evidence")]
    max_evidence_age: Option<Duration>,
    /// Judge as of this time, such as 2026-11-23T12:00:00Z, and not as of now
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    at: Option<UtcDateTime>,
    #[command(flatten)]
    fetch: FetchArgs,
    /// Neither read nor write notation's cache of CRLs and OCSP responses
    #[arg(long)]
    no_revocation_cache: bool,
}

// How to ask
#[derive(Debug, clap::Args)]
pub(super) struct FetchArgs {
    /// The time for one OCSP response
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = args::duration)]
    ocsp_timeout: Duration,
    /// The time for one CRL
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = args::duration)]
    crl_timeout: Duration,
}

/// The time of verdicts, and what is known of revocation.
#[derive(Debug)]
pub(super) struct OpenRevocation {
    /// The time that was asked for.
    at: Option<UtcDateTime>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Offline(Evidence),
    Fetch(Box<Known>),
}

impl RevocationArgs {
    pub(super) fn open(&self) -> Result<OpenRevocation, Failure> {
        let at = self.at.unwrap_or_else(config::now);
        let evidence = evidence::read(&self.evidence, self.max_evidence_age, at)?;
        let source = if self.offline {
            Source::Offline(evidence)
        } else {
            let fetcher = self.fetch.fetcher(self.cache()?);
            Source::Fetch(Box::new(Known { evidence, fetcher }))
        };
        Ok(OpenRevocation { at: self.at, source })
    }

    fn cache(&self) -> Result<Option<RevocationCache>, Failure> {
        match self.no_revocation_cache {
            true => Ok(None),
            false => Ok(Directories::from_environment()?.cache.map(RevocationCache::new)),
        }
    }
}

impl FetchArgs {
    fn fetcher(&self, cache: Option<RevocationCache>) -> Fetcher {
        let one = self.ocsp_timeout.max(self.crl_timeout);
        let options = FetchOptions {
            ocsp_timeout: self.ocsp_timeout,
            crl_timeout: self.crl_timeout,
            artifact_timeout: one.saturating_mul(limits::REVOCATION_TIMEOUTS),
            cache,
            user_agent: SIGNING_AGENT.to_owned(),
            ..FetchOptions::default()
        };
        Fetcher::new(options, config::now)
    }
}

impl OpenRevocation {
    /// The time of the verdict that is made next. In a long run, answers come that are younger than its beginning.
    pub(super) fn at(&self) -> UtcDateTime {
        let at = self.at.unwrap_or_else(config::now);
        // Times are told and recorded in whole seconds, and a verdict has to hold for the time that is told.
        at.replace_nanosecond(0).unwrap_or(at)
    }

    /// Whether the time is one that was asked for.
    pub(super) const fn is_at_given(&self) -> bool {
        self.at.is_some()
    }

    pub(super) fn revocation(&self) -> Revocation<'_> {
        match &self.source {
            Source::Offline(evidence) => Revocation::Offline(evidence),
            Source::Fetch(source) => Revocation::Fetch(source.as_ref()),
        }
    }
}
