//! `revocation fetch`

use std::{fmt, path::Path};

use serde::Serialize;

use super::FetchArgs;
use crate::{
    cli::{
        Outcome,
        args::{self, MaxSignatures, OutputArgs, ToArgs},
        artifact::{OpenArtifact, SourceArgs},
        block_on,
        failure::{Exit, Failure},
        output,
        verdict::StoreArgs,
    },
    config,
    envelope::SignedContent,
    revocation::{Evidence, RevocationSource},
    timestamp::TimestampToken,
    trust::StoreType,
    verify::{SignatureSource, read_signature},
    x509::{Certificate, CertificateChain},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// A file of certificates: leaf, issuers and root, in any order, as PEM, DER or PKCS#7; or an artifact, as `verify`
    /// takes it
    #[arg(value_name = "CHAIN|REFERENCE")]
    subject: String,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    stores: StoreArgs,
    #[command(flatten)]
    max: MaxSignatures,
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
        let fetcher = self.fetch.fetcher(None);
        let mut evidence = Evidence::new();
        for chain in &chains {
            evidence.next_signature();
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
        let roots = Roots::read(&self.stores)?;
        block_on(async {
            let artifact = self.source.artifacts().open(&self.subject).await?;
            chains_of(&artifact, &roots, &self.max).await
        })?
    }
}

/// What may be asked about: chains of strangers name whatever server they like.
struct Roots {
    signers: Vec<Certificate>,
    authorities: Vec<Certificate>,
}

impl Roots {
    /// The certificates of all trust stores. A store that cannot be used is left out, and said.
    fn read(stores: &StoreArgs) -> Result<Self, Failure> {
        let signers = [StoreType::Ca, StoreType::SigningAuthority];
        let read = |kinds: &[StoreType]| stores.read_all(kinds);
        Ok(Self { signers: read(&signers)?, authorities: read(&[StoreType::Tsa])? })
    }

    /// The chains of a signature and of its timestamp, of those that lead to a trusted root.
    fn chains(&self, content: &SignedContent) -> Vec<CertificateChain> {
        let chain = content.certificate_chain();
        let root = chain.certificates().last();
        let is_trusted = root.is_some_and(|root| self.signers.contains(root));
        let signer = (is_trusted && chain.verify_links().is_ok()).then(|| chain.clone());
        let token = content.unsigned_attributes().timestamp.as_deref().unwrap_or_default();
        let timestamp = TimestampToken::parse(token)
            .and_then(|token| token.verify(content.signature(), &self.authorities));
        let authority = timestamp.ok().map(|timestamp| timestamp.certificate_chain().clone());
        signer.into_iter().chain(authority).collect()
    }
}

/// The chains of an artifact's signatures. They are only asked about: whether the signatures hold is not for here.
async fn chains_of(
    artifact: &OpenArtifact,
    roots: &Roots,
    max: &MaxSignatures,
) -> Result<Vec<CertificateChain>, Failure> {
    let OpenArtifact { repository, descriptor, .. } = artifact;
    let mut listed = repository.signatures(descriptor).await?.signatures;
    if listed.is_empty() {
        return Err(Failure::message(Exit::Unsigned, format!("{artifact} has no signatures")));
    }
    let mut chains = Vec::new();
    max.cut(&mut listed);
    for signature in &listed {
        let mut source = SignatureSource::new(signature.digest.clone());
        let read = read_signature(repository.as_ref(), descriptor, signature, &mut source).await;
        let found = match read {
            Ok(envelope) => Ok(roots.chains(envelope.dangerous_unverified())),
            Err(refusal) => Err(Failure::from(refusal).one_line()),
        };
        let why = match found {
            Ok(found) if found.is_empty() => {
                "its root is in no trust store, and nobody is asked".to_owned()
            }
            Ok(found) => {
                for chain in found {
                    if !chains.contains(&chain) {
                        chains.push(chain);
                    }
                }
                continue;
            }
            Err(why) => why,
        };
        output::note(&format!("warning: signature {}: {why}", signature.digest));
    }
    if chains.is_empty() {
        let message = format!("no signature of {artifact} leads to a root of your trust stores");
        return Err(Failure::message(Exit::NotConfigured, message)
            .hint("notation-kms cert add puts a root there"));
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
