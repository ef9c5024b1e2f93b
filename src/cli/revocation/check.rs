//! `revocation check`

use std::{fmt, path::PathBuf};

use serde::Serialize;
use time::UtcDateTime;

use super::RevocationArgs;
use crate::{
    cli::{
        Outcome,
        args::{self, OutputArgs},
        block_on,
        failure::{Exit, Failure},
        output,
    },
    revocation::{
        CertificateRevocation, Evidence, Listed, RevocationStatus, SigningTime, Source, judge,
    },
    verify::Revocation,
    x509::Rfc3339,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The certificates: leaf, issuers and root, in any order, as PEM, DER or PKCS#7
    chain: PathBuf,
    #[command(flatten)]
    revocation: RevocationArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(serialize_with = "as_rfc3339")]
    at: UtcDateTime,
    /// Leaf first.
    certificates: Vec<CertificateRevocation>,
}

fn as_rfc3339<S: serde::Serializer>(time: &UtcDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Rfc3339(*time))
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let chain = args::read_chain(&self.chain)?.chain;
        chain.verify_links().map_err(|error| Failure::new(Exit::Usage, error))?;
        let open = self.revocation.open()?;
        let at = open.at();
        let mut evidence = Evidence::new();
        match open.revocation() {
            Revocation::Offline(known) => evidence.merge(known.clone()),
            Revocation::Fetch(source) => block_on(source.collect(&chain, &mut evidence, at))?,
        }
        let certificates = judge(&chain, &evidence, at, SigningTime::Unknown);
        let report = Report { at, certificates };
        output::data(self.output.format, &report)?;
        report.conclude()
    }
}

impl Report {
    fn conclude(&self) -> Outcome {
        let mut failed = self.certificates.iter().filter(|one| !one.status.is_accepted());
        let Some(first) = failed.next() else { return Ok(()) };
        let is_unreachable = |one: &CertificateRevocation| one.status.is_unreachable();
        let exit = if is_unreachable(first) && failed.all(is_unreachable) {
            Exit::Unavailable
        } else {
            Exit::Rejected
        };
        Err(Failure::silent(exit, "a certificate is revoked, or nobody can tell"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, one) in self.certificates.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{}", RevocationLines { certificate: one, at: self.at })?;
        }
        Ok(())
    }
}

/// A certificate and its verdict: one line, and one for each source.
pub(in crate::cli) struct RevocationLines<'a> {
    pub(in crate::cli) certificate: &'a CertificateRevocation,
    /// The time of the verdict.
    pub(in crate::cli) at: UtcDateTime,
}

/// A source that was relied on. When it was fetched is told where that was before this verdict.
struct SourceLine<'a>(&'a Source, UtcDateTime);

impl fmt::Display for SourceLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Source { method, url, this_update, fetched_at, .. }, at) = self;
        write!(f, "\n  {method} {url}, of {}", Rfc3339(*this_update))?;
        if fetched_at < at {
            write!(f, ", fetched {}", Rfc3339(*fetched_at))?;
        }
        Ok(())
    }
}

impl fmt::Display for RevocationLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, at: judged_at } = *self;
        let subject = &certificate.subject;
        let mut attempts = certificate.passed_over.as_slice();
        match &certificate.status {
            RevocationStatus::Good { sources, listed } => {
                write!(f, "good: {subject}")?;
                if let Some(Listed { reason, at, invalidity_date, .. }) = listed {
                    let (at, since) = (Rfc3339(*at), Rfc3339(*invalidity_date));
                    write!(f, ", listed as revoked ({reason}) at {at}")?;
                    write!(f, ", not to be relied on since {since}, and signed before")?;
                }
                for source in sources {
                    SourceLine(source, judged_at).fmt(f)?;
                }
            }
            RevocationStatus::Revoked { source, reason, at, invalidity_date } => {
                write!(f, "revoked: {subject}, at {} ({reason})", Rfc3339(*at))?;
                if let Some(date) = invalidity_date {
                    write!(f, ", not to be relied on since {}", Rfc3339(*date))?;
                }
                SourceLine(source, judged_at).fmt(f)?;
            }
            RevocationStatus::Unknown { attempts: tried } => {
                attempts = tried;
                write!(f, "unknown: {subject}")?;
            }
            RevocationStatus::NotApplicable { why } => {
                write!(f, "not asked about: {subject}, as {why}")?;
            }
        }
        for attempt in attempts {
            write!(f, "\n  {attempt}: {}", attempt.reason())?;
        }
        Ok(())
    }
}
