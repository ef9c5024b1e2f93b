//! Artifacts on the command line.

use std::{fmt, io};

use super::{
    block_on,
    failure::{Exit, Failure},
    output,
    registry::RegistryArgs,
};
use crate::{
    oci::{Descriptor, Reference, ReferenceError},
    registry::{Content, Repository, RepositoryError, RepositoryErrorKind, layout::ImageLayout},
};

/// What standard input is called.
pub(super) const STDIN: &str = "-";

/// Which artifact
#[derive(Debug, clap::Args)]
pub(super) struct ArtifactArgs {
    /// The artifact: REGISTRY/REPOSITORY@DIGEST or REGISTRY/REPOSITORY:TAG. With --oci-layout PATH@DIGEST or PATH:TAG,
    /// where PATH is the folder or the tar of an image layout, or /dev/stdin; PATH alone, or -, where the layout
    /// holds one artifact
    reference: String,
    /// Take the artifact and its signatures from an image layout
    #[arg(long)]
    oci_layout: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// An artifact that is there.
#[derive(Debug)]
pub(super) struct OpenArtifact {
    pub(super) repository: Box<dyn Repository>,
    pub(super) descriptor: Descriptor,
    /// The layout's path, or registry and repository.
    name: String,
}

impl ArtifactArgs {
    /// Finds the artifact. Its bytes are not read.
    pub(super) fn open(&self) -> Result<OpenArtifact, Failure> {
        self.open_to_sign(false)
    }

    /// The same, with what a writer says of a registry.
    pub(super) fn open_to_sign(&self, force_referrers_tag: bool) -> Result<OpenArtifact, Failure> {
        if self.oci_layout {
            OpenArtifact::in_layout(&self.reference)
        } else {
            OpenArtifact::in_registry(&parse(&self.reference)?, &self.registry, force_referrers_tag)
        }
    }
}

/// A reference to a registry.
pub(super) fn parse(reference: &str) -> Result<Reference, Failure> {
    reference.parse().map_err(|error: ReferenceError| {
        Failure::new(Exit::Usage, error).hint("--oci-layout reads image layouts")
    })
}

impl OpenArtifact {
    /// Finds an artifact in an image layout.
    pub(super) fn in_layout(reference: &str) -> Result<Self, Failure> {
        let (path, reference) = split(reference);
        let layout = match path {
            STDIN | "/dev/stdin" => ImageLayout::from_tar("standard input", io::stdin().lock()),
            path => ImageLayout::open(path),
        };
        let layout = layout.map_err(RepositoryError::from)?;
        let descriptor = match reference {
            Some(reference) => layout.resolve(reference),
            None => layout.only_artifact(),
        };
        let descriptor = descriptor.map_err(RepositoryError::from)?;
        let name = layout.path().display().to_string();
        Ok(Self { repository: Box::new(layout), descriptor, name })
    }

    /// Finds an artifact in a registry. A tag is resolved once.
    pub(super) fn in_registry(
        reference: &Reference,
        registry: &RegistryArgs,
        force_referrers_tag: bool,
    ) -> Result<Self, Failure> {
        let wanted = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => {
                let message = format!("{reference} names neither a tag nor a digest");
                return Err(Failure::message(Exit::Usage, message));
            }
        };
        let repository = registry.open(reference, force_referrers_tag)?;
        let descriptor = block_on(Repository::resolve(&repository, wanted))??;
        if reference.digest().is_none() {
            output::note(&format!(
                "note: {reference} is {} now; tags move, digests do not",
                descriptor.digest
            ));
        }
        let name = repository.name();
        Ok(Self { repository: Box::new(repository), descriptor, name })
    }

    /// Shows that the artifact's manifest is there and has its digest.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        self.repository.read(&self.descriptor, Content::Manifest).await?;
        Ok(())
    }
}

impl fmt::Display for OpenArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.descriptor.digest)
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
        && !digest.contains('/')
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
