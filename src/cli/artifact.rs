//! Artifacts on the command line.

use std::{fmt, io, rc::Rc};

use super::{
    block_on,
    failure::{Exit, Failure},
    output,
    registry::{Registries, RegistryArgs},
};
use crate::{
    limits,
    oci::{Descriptor, Digest, Reference, ReferenceError},
    registry::{
        Content, Repository, RepositoryError, RepositoryErrorKind,
        layout::{ImageLayout, LayoutError, TarError, ref_name},
        remote::RemoteRepository,
    },
};

/// What standard input is called.
pub(super) const STDIN: &str = "-";

// Which artifact
#[derive(Debug, clap::Args)]
pub(super) struct ArtifactArgs {
    /// The artifact: REGISTRY/REPOSITORY@DIGEST or REGISTRY/REPOSITORY:TAG. With --oci-layout PATH@DIGEST or PATH:TAG,
    /// where PATH is the folder or the tar of an image layout, or /dev/stdin; PATH alone, or -, where the layout
    /// holds one artifact
    pub(super) reference: String,
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

// Where artifacts are
#[derive(Debug, clap::Args)]
pub(super) struct SourceArgs {
    /// Take artifacts and their signatures from image layouts
    #[arg(long, conflicts_with_all = RegistryArgs::ALL)]
    pub(super) oci_layout: bool,
    #[command(flatten)]
    pub(super) registry: RegistryArgs,
}

/// The artifacts of a command.
#[derive(Debug)]
pub(super) struct Artifacts<'a> {
    pub(super) in_layouts: bool,
    pub(super) registries: Registries<'a>,
}

/// An artifact that is there.
#[derive(Debug)]
pub(super) struct OpenArtifact {
    pub(super) repository: Rc<dyn Repository>,
    pub(super) descriptor: Descriptor,
    /// The layout's path, or registry and repository.
    pub(super) name: String,
}

impl ArtifactArgs {
    /// Finds the artifact. Its bytes are not read.
    pub(super) fn open(&self) -> Result<OpenArtifact, Failure> {
        block_on(self.source.artifacts().open(&self.reference))?
    }
}

impl SourceArgs {
    pub(super) fn artifacts(&self) -> Artifacts<'_> {
        self.artifacts_to_sign(false)
    }

    /// The same, with what a writer says of a registry.
    pub(super) fn artifacts_to_sign(&self, force_referrers_tag: bool) -> Artifacts<'_> {
        let registries = Registries::new(&self.registry, force_referrers_tag);
        Artifacts { in_layouts: self.oci_layout, registries }
    }
}

impl Artifacts<'_> {
    /// Finds an artifact. Its bytes are not read, and a tag is resolved once.
    pub(super) async fn open(&self, reference: &str) -> Result<OpenArtifact, Failure> {
        self.find(reference, false).await
    }

    /// Finds an artifact whose manifest is there and has its digest.
    pub(super) async fn open_checked(&self, reference: &str) -> Result<OpenArtifact, Failure> {
        self.find(reference, true).await
    }

    async fn find(&self, reference: &str, is_read: bool) -> Result<OpenArtifact, Failure> {
        if self.in_layouts {
            let artifact = OpenArtifact::in_layout(reference)?;
            if is_read {
                artifact.check().await?;
            }
            return Ok(artifact);
        }
        let reference = parse(reference)?;
        let Some(wanted) = reference.digest().map(Digest::as_str).or_else(|| reference.tag())
        else {
            let message = format!("{reference} names neither a tag nor a digest");
            return Err(Failure::message(Exit::Usage, message).hint(NAMED));
        };
        let repository = self.registries.repository(&reference)?;
        let descriptor = if is_read {
            repository.resolve_by_content(wanted).await.map_err(RepositoryError::from)?
        } else {
            Repository::resolve(&repository, wanted).await?
        };
        if reference.digest().is_none() {
            let digest = &descriptor.digest;
            output::note(&format!("note: {reference} is {digest} now; tags move, digests do not"));
        }
        Ok(OpenArtifact::new(repository, descriptor))
    }

    /// An artifact of a registry by its descriptor. Nothing is asked.
    pub(super) fn described(
        &self,
        reference: &str,
        descriptor: Descriptor,
    ) -> Result<OpenArtifact, Failure> {
        let reference = parse(reference)?;
        if reference.digest().is_some_and(|digest| *digest != descriptor.digest) {
            let message = format!("{reference} is not the artifact {}", descriptor.digest);
            return Err(Failure::message(Exit::Usage, message));
        }
        Ok(OpenArtifact::new(self.registries.repository(&reference)?, descriptor))
    }
}

/// How an artifact is named.
pub(super) const NAMED: &str = "add @DIGEST, or :TAG, which may move";

/// A reference to a registry.
pub(super) fn parse(reference: &str) -> Result<Reference, Failure> {
    reference.parse().map_err(|error: ReferenceError| {
        let is_path =
            matches!(error, ReferenceError::NoRegistry(_) | ReferenceError::BadRegistry(_));
        let failure = Failure::new(Exit::Usage, error);
        if is_path { failure.hint("--oci-layout reads image layouts") } else { failure }
    })
}

impl OpenArtifact {
    /// Finds an artifact in an image layout.
    fn in_layout(reference: &str) -> Result<Self, Failure> {
        let (layout, reference) = open_layout(reference)?;
        let descriptor = match reference {
            Some(reference) => layout.resolve(reference),
            None => layout.only_artifact(),
        };
        let descriptor = descriptor.map_err(|error| unresolved(&layout, error))?;
        let name = layout.path().display().to_string();
        Ok(Self { repository: Rc::new(layout), descriptor, name })
    }

    fn new(repository: RemoteRepository, descriptor: Descriptor) -> Self {
        let name = repository.name();
        Self { repository: Rc::new(repository), descriptor, name }
    }

    pub(super) fn in_place(
        repository: Rc<dyn Repository>,
        descriptor: Descriptor,
        name: String,
    ) -> Self {
        Self { repository, descriptor, name }
    }

    /// Another artifact of the same repository.
    pub(super) fn beside(&self, descriptor: Descriptor) -> Self {
        Self { repository: Rc::clone(&self.repository), descriptor, name: self.name.clone() }
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

/// Opens the image layout of a reference, and gives the tag or digest that it names.
pub(super) fn open_layout(reference: &str) -> Result<(ImageLayout, Option<&str>), Failure> {
    let (path, wanted) = split(reference);
    // What has a colon stands behind an @ and is a digest, or else nothing: never a tag that looks like one.
    if let Some(digest) = wanted.filter(|wanted| wanted.contains(':')) {
        digest.parse::<Digest>().map_err(|error| {
            Failure::new(Exit::Usage, error).context(format!("{reference} names no artifact"))
        })?;
    }
    let layout = match path {
        STDIN | "/dev/stdin" => ImageLayout::from_tar("standard input", io::stdin().lock()),
        path => ImageLayout::open(path),
    };
    let layout = layout.map_err(|error| {
        let hint = tar_hint(&error);
        let failure = Failure::from(RepositoryError::from(error));
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    Ok((layout, wanted))
}

/// What to do with a tar that is refused, where another form of it would do.
fn tar_hint(error: &LayoutError) -> Option<String> {
    let LayoutError::Tar { source, .. } = error else { return None };
    match source {
        TarError::Compressed("zip") => Some("a compressed tar is unpacked first: unzip".to_owned()),
        TarError::Compressed(program) => {
            Some(format!("a compressed tar is unpacked first: {program} -d"))
        }
        TarError::Header { .. } => {
            let hint = "unpack it, and name the folder, or pack that again: tar --format=pax";
            Some(hint.to_owned())
        }
        _ => None,
    }
}

/// Names what there is in place of what was not found.
fn unresolved(layout: &ImageLayout, error: LayoutError) -> Failure {
    let is_hinted = matches!(error, LayoutError::NotFound { .. } | LayoutError::NotNamed { .. });
    let failure = Failure::from(RepositoryError::from(error));
    let artifacts = layout.artifacts().unwrap_or_default();
    if !is_hinted || artifacts.is_empty() {
        return failure;
    }
    let path = layout.path().display();
    let name = |artifact: &Descriptor| match ref_name(artifact) {
        Some(tag) => format!("{path}:{tag}"),
        None => format!("{path}@{}", artifact.digest),
    };
    let names: Vec<String> = artifacts.iter().take(limits::NAMED_ARTIFACTS).map(name).collect();
    let more = if artifacts.len() > names.len() { " and others" } else { "" };
    failure.hint(format!("there is {}{more}", names.join(", ")))
}

/// Path, and tag or digest.
pub(super) fn split(reference: &str) -> (&str, Option<&str>) {
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
