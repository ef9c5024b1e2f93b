//! `revocation fetch`

use std::{fmt, path::Path};

use serde::Serialize;

use super::FetchArgs;
use crate::{
    cli::{
        Outcome,
        args::{self, OutputArgs, ToArgs},
        artifact::{OpenArtifact, SourceArgs},
        block_on,
        failure::{Exit, Failure},
        output,
    },
    config, limits,
    revocation::{Evidence, RevocationSource},
    verify::{SignatureSource, read_signature},
    x509::CertificateChain,
};

/// Collect what there is to know of the revocation of certificates, for `verify --evidence` where nobody can be asked.
///
/// For an artifact that is what its signers' certificates name. What timestamp authorities' name is in the records of
/// `verify --record`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A file of certificates: leaf, issuers and root, in any order, as PEM, DER or PKCS#7; or an artifact, as `verify`
    /// takes it
    #[arg(value_name = "CHAIN|REFERENCE")]
    subject: String,
    #[command(flatten)]
    source: SourceArgs,
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
        self.to.check()?;
        let chains = self.chains()?;
        // Without the cache: what is collected for later has to be of today.
        let fetcher = self.fetch.fetcher(None)?;
        let mut evidence = Evidence::new();
        for chain in &chains {
            block_on(fetcher.collect(chain, &mut evidence, config::now()))?;
        }
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

impl Args {
    /// The chain of the file, or those of an artifact's signatures.
    fn chains(&self) -> Result<Vec<CertificateChain>, Failure> {
        let file = Path::new(&self.subject);
        if !self.source.oci_layout && file.is_file() {
            let chain = args::read_chain(file)?.chain;
            chain.verify_links().map_err(|error| Failure::new(Exit::Usage, error))?;
            return Ok(vec![chain]);
        }
        block_on(async { chains_of(&self.source.artifacts().open(&self.subject).await?).await })?
    }
}

/// The chains of an artifact's signatures. They are only asked about: whether the signatures hold is not for here.
async fn chains_of(artifact: &OpenArtifact) -> Result<Vec<CertificateChain>, Failure> {
    let OpenArtifact { repository, descriptor, .. } = artifact;
    let mut chains = Vec::new();
    let mut listed = repository.signatures(descriptor).await?.signatures;
    listed.truncate(limits::SIGNATURES);
    for signature in &listed {
        let mut source = SignatureSource::new(signature.digest.clone());
        let read = read_signature(repository.as_ref(), descriptor, signature, &mut source).await;
        match read {
            Ok(envelope) => {
                let chain = envelope.dangerous_unverified().certificate_chain();
                if chain.verify_links().is_ok() && !chains.contains(chain) {
                    chains.push(chain.clone());
                }
            }
            Err(refusal) => {
                let why = Failure::from(refusal).one_line();
                output::note(&format!("warning: signature {}: {why}", signature.digest));
            }
        }
    }
    if chains.is_empty() {
        return Err(Failure::message(Exit::Unsigned, format!("{artifact} has no signatures")));
    }
    Ok(chains)
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
