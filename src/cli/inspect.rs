//! `inspect`

use std::fmt;

use serde::Serialize;

use super::{
    Outcome,
    args::{MaxSignatures, OutputArgs},
    artifact::{ArtifactArgs, OpenArtifact},
    block_on,
    envelope_report::EnvelopeReport,
    failure::Failure,
    list::UnreadableRow,
    output,
    tree::Tree,
};
use crate::{
    oci::{Descriptor, Digest, SIGNATURE_MEDIA_TYPE},
    registry::Listing,
    verify::{SignatureSource, read_signature},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    artifact: ArtifactArgs,
    #[command(flatten)]
    max: MaxSignatures,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    reference: String,
    artifact: Digest,
    media_type: String,
    signatures: Vec<Row>,
    /// Manifests that cannot be read, so that nobody knows whether they are signatures.
    unreadable: Vec<UnreadableRow>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    manifest: Digest,
    envelope: Option<Digest>,
    #[serde(flatten)]
    content: Option<EnvelopeReport>,
    /// Why it cannot be read.
    error: Option<String>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let artifact = self.artifact.open()?;
        let report = block_on(self.report(&artifact))??;
        output::data(self.output.format, &report)
    }

    async fn report(&self, artifact: &OpenArtifact) -> Result<Report, Failure> {
        let listing = artifact.repository.signatures(&artifact.descriptor).await?;
        let Listing { mut signatures, unreadable } = listing;
        self.max.cut(&mut signatures);
        let mut rows = Vec::new();
        for listed in &signatures {
            rows.push(Row::read(artifact, listed).await);
        }
        Ok(Report {
            reference: artifact.to_string(),
            artifact: artifact.descriptor.digest.clone(),
            media_type: artifact.descriptor.media_type.clone(),
            signatures: rows,
            unreadable: unreadable.into_iter().map(UnreadableRow::new).collect(),
        })
    }
}

impl Row {
    async fn read(artifact: &OpenArtifact, listed: &Descriptor) -> Self {
        let mut source = SignatureSource::new(listed.digest.clone());
        let read =
            read_signature(artifact.repository.as_ref(), &artifact.descriptor, listed, &mut source)
                .await;
        let (content, error) = match read {
            Ok(envelope) => (Some(EnvelopeReport::new(&envelope)), None),
            Err(refusal) => (None, Some(Failure::from(refusal).one_line())),
        };
        Self { manifest: source.manifest, envelope: source.envelope, content, error }
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::new(self.manifest.as_str());
        if let Some(error) = &self.error {
            tree.add(format!("problem: {error}"));
        }
        if let Some(content) = &self.content {
            content.add_to(&mut tree);
        }
        tree
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.signatures.is_empty() {
            let those = if self.unreadable.is_empty() { "" } else { " that can be read" };
            write!(f, "{} has no signatures{those}", self.reference)?;
        } else {
            let mut tree = Tree::new(self.reference.as_str());
            let mut signatures = Tree::new(SIGNATURE_MEDIA_TYPE);
            self.signatures.iter().for_each(|row| signatures.push(row.tree()));
            tree.push(signatures);
            tree.fmt(f)?;
        }
        self.unreadable.iter().try_for_each(|row| write!(f, "\n{row}"))
    }
}
