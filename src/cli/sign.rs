//! `sign`

use std::fmt;

use serde::Serialize;

use super::{
    Outcome,
    args::OutputArgs,
    artifact::{ArtifactArgs, OpenArtifact},
    block_on,
    failure::Failure,
    output,
    signing::SignerArgs,
};
use crate::{
    config,
    oci::{Descriptor, Digest, Manifest},
    x509::Rfc3339,
};

/// Sign an artifact with the key service that holds your key.
///
/// The signature is verified before it is stored, and stored beside the artifact, where the notation CLI finds
/// it too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    artifact: ArtifactArgs,
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
enum ManifestForm {
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
    artifact: Digest,
    /// The signature manifest that was written.
    manifest: Digest,
    envelope: Digest,
    format: &'static str,
    signer: String,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let artifact = self.artifact.open_to_sign(self.force_referrers_tag)?;
        block_on(artifact.check())??;
        let signer = self.signer.open()?;
        let envelope = signer.sign(&artifact.descriptor)?;
        let manifest = self.manifest(&artifact.descriptor, &signer, &envelope);
        let pushed = block_on(push(&artifact, &manifest, &envelope))??;
        let report = Report {
            reference: artifact.to_string(),
            artifact: artifact.descriptor.digest,
            manifest: pushed.digest,
            envelope: Digest::of(crate::algorithm::HashAlgorithm::Sha256, &envelope),
            format: signer.format.name(),
            signer: signer.chain.leaf().subject().to_string(),
        };
        output::data(self.output.format, &report)
    }

    fn manifest(
        &self,
        artifact: &Descriptor,
        signer: &super::signing::Signer,
        envelope: &[u8],
    ) -> Manifest {
        let created = Rfc3339(config::now()).to_string();
        let manifest =
            Manifest::signature(artifact, signer.format, envelope, &signer.chain, &created);
        match self.signature_manifest {
            ManifestForm::Config => manifest,
            ManifestForm::ArtifactType => manifest.with_artifact_type(),
        }
    }
}

async fn push(
    artifact: &OpenArtifact,
    manifest: &Manifest,
    envelope: &[u8],
) -> Result<Descriptor, Failure> {
    Ok(artifact.repository.push_signature(manifest, envelope).await?)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reference, manifest, signer, .. } = self;
        write!(f, "signed: {reference}, as {signer}\n  signature manifest {manifest}")
    }
}
