//! `list`

mod signed_by;

use std::fmt;

use serde::Serialize;
use signed_by::Thumbprint;

use super::{
    Outcome,
    args::{MaxSignatures, OutputArgs},
    artifact::ArtifactArgs,
    block_on,
    failure::{Exit, Failure},
    output,
    tree::Tree,
};
use crate::{
    oci::{CREATED_ANNOTATION, Descriptor, Digest, SIGNATURE_MEDIA_TYPE, thumbprints},
    registry::{Listing, Unreadable},
    text::within_line,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    artifact: ArtifactArgs,
    /// Only signatures of the certificate with this SHA-256 fingerprint, or of one that it has issued, by what their
    /// manifests say. The reference may be a REGISTRY/REPOSITORY or the PATH of a layout
    #[arg(long, value_name = "THUMBPRINT", value_parser = Thumbprint::parse)]
    signed_by: Option<Thumbprint>,
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
    /// Its digest, as it is listed; `None` for a list of signatures.
    manifest: Option<String>,
    error: String,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        if let Some(signed_by) = &self.signed_by {
            let ArtifactArgs { reference, source } = &self.artifact;
            return signed_by::run(reference, source, signed_by, self.output.format);
        }
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
        output::data(self.output.format, &report)?;
        report.outcome()
    }
}

impl Report {
    /// Where a whole list was not read, there may be signatures that nobody was told of.
    fn outcome(&self) -> Outcome {
        match self.unreadable.iter().find(|row| row.manifest.is_none()) {
            None => Ok(()),
            Some(row) => Err(Failure::silent(Exit::Partial, row.to_string())),
        }
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
        let Unreadable { digest, error, .. } = unreadable;
        Self { manifest: digest, error: Failure::from(error).one_line() }
    }
}

impl fmt::Display for UnreadableRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.manifest {
            Some(manifest) => {
                write!(f, "manifest {} cannot be read: {}", within_line(manifest), self.error)
            }
            None => write!(f, "a list of signatures cannot be read: {}", self.error),
        }
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
            for row in &self.signatures {
                signatures.add(row.manifest.as_str());
            }
            tree.push(signatures);
            tree.fmt(f)?;
        }
        self.unreadable.iter().try_for_each(|row| write!(f, "\n{row}"))
    }
}
