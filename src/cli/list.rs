//! `list`

use std::fmt;

use serde::Serialize;

use super::{
    Outcome,
    args::{MaxSignatures, OutputArgs},
    artifact::ArtifactArgs,
    block_on,
    failure::Failure,
    output,
    tree::Tree,
};
use crate::{
    oci::{CREATED_ANNOTATION, Descriptor, Digest, SIGNATURE_MEDIA_TYPE, thumbprints},
    registry::{Listing, Unreadable},
};

/// List the signatures of an artifact. None of them is verified.
#[derive(Debug, clap::Args)]
#[command(visible_alias = "ls")]
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
    /// By the manifest, which is not signed.
    created: Option<String>,
    /// SHA-256 fingerprints of the certificate chain, by the manifest, which is not signed.
    thumbprints: Option<Vec<String>>,
}

/// A manifest that cannot be read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnreadableRow {
    manifest: Digest,
    error: String,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let artifact = self.artifact.open()?;
        let listing = block_on(artifact.repository.signatures(&artifact.descriptor))??;
        let Listing { mut signatures, unreadable } = listing;
        self.max.cut(&mut signatures);
        let report = Report {
            reference: artifact.to_string(),
            artifact: artifact.descriptor.digest.clone(),
            media_type: artifact.descriptor.media_type,
            signatures: signatures.iter().map(Row::new).collect(),
            unreadable: unreadable.into_iter().map(UnreadableRow::new).collect(),
        };
        output::data(self.output.format, &report)
    }
}

impl Row {
    fn new(listed: &Descriptor) -> Self {
        Self {
            manifest: listed.digest.clone(),
            created: listed.annotations.get(CREATED_ANNOTATION).cloned(),
            thumbprints: thumbprints(&listed.annotations),
        }
    }
}

impl UnreadableRow {
    pub(super) fn new(unreadable: Unreadable) -> Self {
        let manifest = unreadable.descriptor.digest;
        Self { manifest, error: Failure::from(unreadable.error).one_line() }
    }
}

impl fmt::Display for UnreadableRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "manifest {} cannot be read: {}", self.manifest, self.error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.signatures.is_empty() {
            write!(f, "{} has no signatures", self.reference)?;
        } else {
            let mut tree = Tree::new(self.reference.as_str());
            let mut signatures = Tree::new(SIGNATURE_MEDIA_TYPE);
            for row in &self.signatures {
                signatures.add(row.manifest.as_str());
            }
            tree.push(signatures);
            tree.fmt(f)?;
        }
        self.unreadable.iter().try_for_each(|row| write!(f, "\n{row}"))
    }
}
