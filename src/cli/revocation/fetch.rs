//! `revocation fetch`

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::FetchArgs;
use crate::{
    cli::{
        Outcome,
        args::{self, OutputArgs, ToArgs},
        block_on,
        failure::{Exit, Failure},
        output,
    },
    config,
    revocation::{Evidence, RevocationSource},
};

/// Collect what there is to know of the revocation of a chain, for `verify --evidence` where nobody can be asked.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The certificates: leaf, issuers and root, in any order, as PEM, DER or PKCS#7
    chain: PathBuf,
    #[command(flatten)]
    fetch: FetchArgs,
    #[command(flatten)]
    to: ToArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    crls: usize,
    ocsp: usize,
    /// What was asked in vain.
    failures: Vec<String>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let chain = args::read_chain(&self.chain)?.chain;
        chain.verify_links().map_err(|error| Failure::new(Exit::Usage, error))?;
        self.to.check()?;
        let fetcher = self.fetch.fetcher()?;
        let mut evidence = Evidence::new();
        block_on(fetcher.collect(&chain, &mut evidence, config::now()))?;
        let mut json = serde_json::to_vec_pretty(&evidence)?;
        json.push(b'\n');
        self.to.write(&json)?;
        let report = Report::new(self.to.path.display().to_string(), &evidence);
        output::data(self.output.format, &report)?;
        if report.failures.is_empty() {
            return Ok(());
        }
        Err(Failure::silent(Exit::Partial, "not every source has answered"))
    }
}

impl Report {
    fn new(file: String, evidence: &Evidence) -> Self {
        let crls = evidence.crls.iter().map(|one| ("CRL", &one.url, &one.answer));
        let ocsp = evidence.ocsp.iter().map(|one| ("OCSP", &one.url, &one.answer));
        let failures = crls.chain(ocsp).filter_map(|(method, url, answer)| {
            answer.as_ref().err().map(|failure| format!("{method} {url}: {failure}"))
        });
        Self {
            file,
            failures: failures.collect(),
            crls: evidence.crls.iter().filter(|one| one.answer.is_ok()).count(),
            ocsp: evidence.ocsp.iter().filter(|one| one.answer.is_ok()).count(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "no answer: {failure}")?;
        }
        let Self { file, crls, ocsp, .. } = self;
        write!(f, "{file}: {crls} CRLs and {ocsp} OCSP responses")
    }
}
