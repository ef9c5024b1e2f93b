//! `sign`

mod many;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;
use time::UtcDateTime;

use super::{
    Outcome,
    args::OutputArgs,
    artifact::{OpenArtifact, SourceArgs},
    block_on,
    failure::{Exit, Failure},
    output,
    results::Entry,
    signing::{Signer, SignerArgs},
};
use crate::{
    algorithm::HashAlgorithm,
    config, crypto,
    envelope::Envelope,
    fs, limits,
    oci::{Descriptor, Digest, Manifest, thumbprints},
    verify::{SignatureSource, read_signature},
    x509::Rfc3339,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The artifacts: REGISTRY/REPOSITORY@DIGEST or REGISTRY/REPOSITORY:TAG. With --oci-layout PATH@DIGEST or PATH:TAG,
    /// where PATH is the folder of an image layout; PATH alone where the layout holds one artifact
    #[arg(value_name = "REFERENCE", required = true)]
    references: Vec<String>,
    #[command(flatten)]
    source: SourceArgs,
    /// Of an index, sign everything that it lists too, and the index last
    #[arg(long)]
    recursive: bool,
    /// Sign also what carries such a signature already
    #[arg(long)]
    force: bool,
    /// The artifact's descriptor, a file of JSON such as /dev/stdin. The manifest is neither looked for nor read: it may
    /// come later
    #[arg(long, value_name = "FILE", conflicts_with_all = ["recursive", "oci_layout"])]
    descriptor: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerArgs,
    /// How the manifest says that it is a signature
    #[arg(long, value_enum, default_value_t = ManifestForm::Config, value_name = "FORM")]
    signature_manifest: ManifestForm,
    /// List the signature in the index at the referrers tag also where the registry has the referrers API
    #[arg(long, conflicts_with = "oci_layout")]
    force_referrers_tag: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// The two forms of signature manifests (signature-specification.md, "Storage").
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ManifestForm {
    /// By the media type of its config, the form that every notation CLI finds
    Config,
    /// By its artifactType, which released notation CLIs do not find in image layouts
    ArtifactType,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    reference: String,
    result: Conclusion,
    artifact: Digest,
    /// The signature manifest.
    manifest: Digest,
    envelope: Digest,
    format: &'static str,
    signer: String,
    /// When the signature ends; `None`: never.
    expiry: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Conclusion {
    /// A signature was made and stored.
    Signed,
    /// There is such a signature.
    AlreadySigned,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let signer = self.signer.open()?;
        let artifacts = self.source.artifacts_to_sign(self.force_referrers_tag);
        match (self.references.as_slice(), &self.descriptor) {
            ([reference], None) if !self.recursive => {
                let artifact = block_on(artifacts.open_checked(reference))??;
                self.print(&self.sign(&signer, &artifact, |_| {})?)
            }
            ([reference], Some(file)) => {
                let artifact = artifacts.described(reference, read_descriptor(file)?)?;
                self.print(&self.sign(&signer, &artifact, |_| {})?)
            }
            (_, None) => many::sign(self, &signer, &artifacts),
            (_, Some(_)) => {
                Err(Failure::message(Exit::Usage, "--descriptor is that of one artifact"))
            }
        }
    }

    fn print(&self, report: &Report) -> Outcome {
        output::data(self.output.format, report)
    }

    /// Signs an artifact that is not signed so already; `unsigned` is told where no signature can be made.
    fn sign(
        &self,
        signer: &Signer,
        artifact: &OpenArtifact,
        unsigned: impl FnOnce(&Failure),
    ) -> Result<Report, Failure> {
        let known = match self.force {
            true => None,
            false => block_on(existing(signer, artifact))??,
        };
        let (result, signature) = match known {
            Some(known) => (Conclusion::AlreadySigned, known),
            None => {
                let envelope = signer.sign(&artifact.descriptor).inspect_err(unsigned)?;
                let stored = store(signer, artifact, &envelope, self.signature_manifest)?;
                (Conclusion::Signed, stored)
            }
        };
        Ok(Report {
            reference: artifact.to_string(),
            result,
            artifact: artifact.descriptor.digest.clone(),
            manifest: signature.manifest,
            envelope: signature.envelope,
            format: signer.format.name(),
            signer: signer.chain.leaf().subject().to_string(),
            expiry: signature.expiry.map(|expiry| Rfc3339(expiry).to_string()),
        })
    }
}

/// A signature in its repository.
#[derive(Debug)]
pub(super) struct StoredSignature {
    pub(super) manifest: Digest,
    pub(super) envelope: Digest,
    expiry: Option<UtcDateTime>,
}

/// Stores an envelope beside its artifact.
pub(super) fn store(
    signer: &Signer,
    artifact: &OpenArtifact,
    envelope: &[u8],
    form: ManifestForm,
) -> Result<StoredSignature, Failure> {
    push(signer, artifact, &manifest(signer, artifact, envelope, form), envelope)
}

/// The manifest of an envelope, as it is stored now.
pub(super) fn manifest(
    signer: &Signer,
    artifact: &OpenArtifact,
    envelope: &[u8],
    form: ManifestForm,
) -> Manifest {
    let created = Rfc3339(config::now()).to_string();
    let manifest =
        Manifest::signature(&artifact.descriptor, signer.format, envelope, &signer.chain, &created);
    match form {
        ManifestForm::Config => manifest,
        ManifestForm::ArtifactType => manifest.with_artifact_type(),
    }
}

/// Stores an envelope with its manifest.
pub(super) fn push(
    signer: &Signer,
    artifact: &OpenArtifact,
    manifest: &Manifest,
    envelope: &[u8],
) -> Result<StoredSignature, Failure> {
    let pushed = block_on(artifact.repository.push_signature(manifest, envelope))??;
    let made = Envelope::parse(signer.format, envelope)?;
    let expiry = made.dangerous_unverified().attributes().expiry;
    let envelope = Digest::of(HashAlgorithm::Sha256, envelope);
    Ok(StoredSignature { manifest: pushed.digest, envelope, expiry })
}

/// A signature that the signer would only make once more. Those whose manifests do not name its certificate are not
/// read: a manifest that lies about it costs a signature more.
pub(super) async fn existing(
    signer: &Signer,
    artifact: &OpenArtifact,
) -> Result<Option<StoredSignature>, Failure> {
    let OpenArtifact { repository, descriptor, .. } = artifact;
    let listing = repository.signatures(descriptor).await.map_err(|error| {
        Failure::from(error).hint("--force signs without a look at what is there")
    })?;
    let leaf = crypto::hex(&signer.chain.leaf().fingerprint());
    let ours = listing.signatures.iter().filter(|listed| {
        thumbprints(&listed.annotations).is_some_and(|named| named.first() == Some(&leaf))
    });
    for listed in ours.take(limits::SIGNATURES) {
        let mut source = SignatureSource::new(listed.digest.clone());
        let read = read_signature(repository.as_ref(), descriptor, listed, &mut source).await;
        let known = read.ok().and_then(|envelope| signer.would_repeat(envelope, descriptor));
        if let (Some(content), Some(envelope)) = (known, source.envelope) {
            let (manifest, expiry) = (source.manifest, content.attributes().expiry);
            return Ok(Some(StoredSignature { manifest, envelope, expiry }));
        }
    }
    Ok(None)
}

fn read_descriptor(file: &Path) -> Result<Descriptor, Failure> {
    let bytes = fs::read_bounded(file, limits::CONFIG_FILE_BYTES)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::new(Exit::Usage, error)
            .context(format!("{} is not a descriptor", file.display()))
            .hint("a descriptor is {\"mediaType\": \"…\", \"digest\": \"sha256:…\", \"size\": …}")
    })
}

impl Entry for Report {
    fn exit(&self) -> Option<Exit> {
        None
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reference, manifest, signer, .. } = self;
        let verb = match self.result {
            Conclusion::Signed => "signed",
            Conclusion::AlreadySigned => "signed already",
        };
        write!(f, "{verb}: {reference}, as {signer}\n  signature manifest {manifest}")?;
        match &self.expiry {
            Some(expiry) => write!(f, "\n  good until {expiry}"),
            None => Ok(()),
        }
    }
}
