//! `list --signed-by`: what a certificate has signed, by the manifests of signatures alone.

use std::{collections::BTreeSet, fmt};

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::{Row, UnreadableRow};
use crate::{
    cli::{
        Outcome,
        artifact::SourceArgs,
        block_on,
        failure::{Exit, Failure},
        output::{self, Format, Progress},
        tree::Tree,
    },
    limits,
    oci::{Descriptor, Digest, thumbprints},
    registry::{Listing, Repository},
};

/// SHA-256 fingerprint of a certificate, lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thumbprint(String);

impl Thumbprint {
    /// Reads hex in either case, also with colons, as openssl prints it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let hex: String = text.chars().filter(|c| *c != ':').collect();
        if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(hex.to_ascii_lowercase()));
        }
        Err("expected the SHA-256 fingerprint of a certificate, 64 hex digits".to_owned())
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    reference: String,
    signed_by: String,
    /// Artifacts that were looked at.
    looked_at: usize,
    /// Those with a signature of the certificate, or with a manifest that cannot be read.
    artifacts: Vec<ArtifactRow>,
    /// What could not be looked at, and why.
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactRow {
    artifact: Digest,
    tags: BTreeSet<String>,
    signatures: Vec<Row>,
    unreadable: Vec<UnreadableRow>,
}

pub(super) fn run(
    reference: &str,
    source: &SourceArgs,
    Thumbprint(signed_by): &Thumbprint,
    format: Format,
) -> Outcome {
    let contents = block_on(source.artifacts().contents(reference))??;
    let (progress, total) = (Progress::new(), contents.artifacts.len());
    let rows = stream::iter(contents.artifacts.values())
        .map(|(artifact, tags)| row(contents.repository.as_ref(), artifact, tags, signed_by))
        .buffered(limits::ARTIFACTS_AT_A_TIME)
        .enumerate()
        .inspect(|(i, _)| progress.show(&format!("{} of {total}", i + 1)))
        .map(|(_, row)| row)
        .collect::<Vec<_>>();
    let rows = block_on(rows)?;
    progress.clear();
    let mut report = Report {
        reference: contents.name.clone(),
        signed_by: signed_by.clone(),
        looked_at: total,
        artifacts: Vec::new(),
        problems: contents.problems.clone(),
    };
    for (digest, row) in contents.artifacts.keys().zip(rows) {
        match row {
            Ok(row) if row.is_empty() => {}
            Ok(row) => report.artifacts.push(row),
            Err(failure) => report.problems.push(format!("{digest}: {}", failure.one_line())),
        }
    }
    output::data(format, &report)?;
    match report.problems.len() {
        0 => Ok(()),
        count => Err(Failure::silent(Exit::Partial, format!("{count} could not be looked at"))),
    }
}

async fn row(
    repository: &dyn Repository,
    artifact: &Descriptor,
    tags: &BTreeSet<String>,
    signed_by: &String,
) -> Result<ArtifactRow, Failure> {
    let Listing { signatures, unreadable } = repository.signatures(artifact).await?;
    let is_named = |listed: &&Descriptor| {
        thumbprints(&listed.annotations).is_some_and(|named| named.contains(signed_by))
    };
    Ok(ArtifactRow {
        artifact: artifact.digest.clone(),
        tags: tags.clone(),
        signatures: signatures.iter().filter(is_named).map(Row::new).collect(),
        unreadable: unreadable.into_iter().map(UnreadableRow::new).collect(),
    })
}

impl ArtifactRow {
    fn is_empty(&self) -> bool {
        self.signatures.is_empty() && self.unreadable.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problems.iter().try_for_each(|problem| writeln!(f, "problem: {problem}"))?;
        let mut tree = Tree::new(self.reference.as_str());
        for row in &self.artifacts {
            let tags: Vec<&str> = row.tags.iter().map(String::as_str).collect();
            let mut artifact = Tree::new(match tags.is_empty() {
                true => row.artifact.to_string(),
                false => format!("{} ({})", row.artifact, tags.join(", ")),
            });
            row.signatures.iter().for_each(|row| artifact.add(row.manifest.as_str()));
            row.unreadable.iter().for_each(|row| artifact.add(format!("problem: {row}")));
            tree.push(artifact);
        }
        if !self.artifacts.is_empty() {
            writeln!(f, "{tree}")?;
        }
        let signed = self.artifacts.iter().filter(|row| !row.signatures.is_empty()).count();
        let Self { signed_by, looked_at, .. } = self;
        write!(f, "{signed} of {looked_at} artifacts have a signature of certificate {signed_by}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_are_read_as_programs_print_them() {
        let hex = "0123456789abcdef".repeat(4);
        let colons: Vec<String> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
            .collect();
        for text in [&hex, &hex.to_uppercase(), &colons.join(":")] {
            assert_eq!(Thumbprint::parse(text), Ok(Thumbprint(hex.clone())));
        }
        for text in ["", "01", &hex[1..], &format!("{hex}0"), &hex.replace('0', "g")] {
            assert!(Thumbprint::parse(text).is_err(), "{text:?}");
        }
    }
}
