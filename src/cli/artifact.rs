//! Artifacts on the command line.

use std::{fmt, io};

use super::failure::{Exit, Failure};
use crate::{
    oci::Descriptor,
    registry::{Content, Repository, RepositoryError, RepositoryErrorKind, layout::ImageLayout},
};

/// What standard input is called.
pub(super) const STDIN: &str = "-";

/// Which artifact
#[derive(Debug, clap::Args)]
pub(super) struct ArtifactArgs {
    /// The artifact: PATH@DIGEST or PATH:TAG, where PATH is the folder or the tar of an image layout, or /dev/stdin;
    /// PATH alone, or -, where the layout holds one artifact
    reference: String,
    /// Take the artifact and its signatures from an image layout; registries are not reached yet
    #[arg(long, required = true)]
    oci_layout: bool,
}

/// An artifact that is there.
#[derive(Debug)]
pub(super) struct OpenArtifact {
    pub(super) repository: ImageLayout,
    pub(super) descriptor: Descriptor,
}

impl ArtifactArgs {
    /// Finds the artifact. Its bytes are not read.
    pub(super) fn open(&self) -> Result<OpenArtifact, Failure> {
        OpenArtifact::open(&self.reference)
    }
}

impl OpenArtifact {
    /// Finds the artifact. Its bytes are not read.
    pub(super) fn open(reference: &str) -> Result<Self, Failure> {
        let (path, reference) = split(reference);
        let layout = match path {
            STDIN | "/dev/stdin" => ImageLayout::from_tar("standard input", io::stdin().lock()),
            path => ImageLayout::open(path),
        };
        let repository = layout.map_err(RepositoryError::from)?;
        let descriptor = match reference {
            Some(reference) => repository.resolve(reference),
            None => repository.only_artifact(),
        };
        let descriptor = descriptor.map_err(RepositoryError::from)?;
        Ok(Self { repository, descriptor })
    }

    /// Shows that the artifact's manifest is there and has its digest.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let repository: &dyn Repository = &self.repository;
        repository.read(&self.descriptor, Content::Manifest).await?;
        Ok(())
    }
}

impl fmt::Display for OpenArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository.path().display(), self.descriptor.digest)
    }
}

impl From<RepositoryErrorKind> for Exit {
    fn from(kind: RepositoryErrorKind) -> Self {
        match kind {
            RepositoryErrorKind::NotFound => Self::NotFound,
            RepositoryErrorKind::BadContent => Self::Rejected,
            RepositoryErrorKind::ReadOnly => Self::Usage,
            RepositoryErrorKind::Denied => Self::Denied,
            RepositoryErrorKind::Unavailable => Self::Unavailable,
            RepositoryErrorKind::Other => Self::Other,
        }
    }
}

/// Path, and tag or digest.
fn split(reference: &str) -> (&str, Option<&str>) {
    if let Some((path, digest)) = reference.rsplit_once('@')
        && digest.contains(':')
    {
        return (path, Some(digest));
    }
    match reference.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') && !path.is_empty() => (path, Some(tag)),
        _ => (reference, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_layouts_have_a_path_and_perhaps_a_tag_or_a_digest() {
        assert_eq!(split("a/b:v1"), ("a/b", Some("v1")));
        assert_eq!(split("a@b/c:v1"), ("a@b/c", Some("v1")));
        assert_eq!(split("a@b/c@sha256:00"), ("a@b/c", Some("sha256:00")));
        assert_eq!(split("a:b/c"), ("a:b/c", None));
        assert_eq!(split("a.tar"), ("a.tar", None));
        assert_eq!(split("-"), ("-", None));
        assert_eq!(split("/dev/stdin:v1"), ("/dev/stdin", Some("v1")));
    }
}
