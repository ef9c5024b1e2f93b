//! All artifacts of a repository or of an image layout, as far as it tells them.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use futures_util::{StreamExt, stream};

use super::{
    artifact::{self, Artifacts, OpenArtifact},
    failure::Failure,
};
use crate::{
    limits,
    oci::{Descriptor, Digest, MANIFEST_MEDIA_TYPE},
    registry::{
        Repository, RepositoryError, RepositoryErrorKind, Unreadable,
        layout::{ImageLayout, ref_name},
        remote::RemoteRepository,
        tree::manifests_below,
    },
    text::within_line,
};

/// What a reference without a tag or a digest names.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) repository: Rc<dyn Repository>,
    pub(super) name: String,
    /// With the tags that lead to each.
    pub(super) artifacts: BTreeMap<Digest, (Descriptor, BTreeSet<String>)>,
    /// Tags that cannot be followed, and why.
    pub(super) problems: Vec<String>,
}

impl Artifacts<'_> {
    /// The artifact that a reference names, or all of the repository or layout where it names none. What an index
    /// lists is among them.
    pub(super) async fn contents(&self, reference: &str) -> Result<Contents, Failure> {
        if self.in_layouts {
            let (layout, wanted) = artifact::open_layout(reference)?;
            if wanted.is_none() {
                return of_layout(layout).await;
            }
        } else {
            let parsed = artifact::parse(reference)?;
            if parsed.tag().is_none() && parsed.digest().is_none() {
                return of_repository(self.registries.repository(&parsed)?).await;
            }
        }
        let OpenArtifact { repository, descriptor, name } = self.open(reference).await?;
        let mut contents = Contents::new(repository, name);
        contents.add(descriptor, None).await?;
        Ok(contents)
    }
}

async fn of_layout(layout: ImageLayout) -> Result<Contents, Failure> {
    let listed = layout.artifacts().map_err(RepositoryError::from)?;
    let unreadable = layout.unreadable().map_err(RepositoryError::from)?;
    let name = layout.path().display().to_string();
    let mut contents = Contents::new(Rc::new(layout), name);
    for artifact in listed {
        let tag = ref_name(&artifact).map(ToOwned::to_owned);
        let added = contents.add(artifact.without_annotations(), tag.as_deref()).await;
        contents.note(&artifact.digest.to_string(), added);
    }
    for Unreadable { digest, error, .. } in unreadable {
        contents.note(digest.as_deref().unwrap_or("a list of signatures"), Err(error));
    }
    Ok(contents)
}

async fn of_repository(repository: RemoteRepository) -> Result<Contents, Failure> {
    let tags = repository.tags().await.map_err(RepositoryError::from)?;
    let mut contents = Contents::new(Rc::new(repository.clone()), repository.name());
    let (of_referrers, tags): (Vec<String>, Vec<String>) =
        tags.into_iter().partition(|tag| subject_of(tag).is_some());
    let resolved = stream::iter(&tags)
        .map(|tag| Repository::resolve(&repository, tag))
        .buffered(limits::ARTIFACTS_AT_A_TIME)
        .collect::<Vec<_>>()
        .await;
    for (tag, artifact) in tags.iter().zip(resolved) {
        let added = match artifact {
            Ok(artifact) => contents.add(artifact, Some(tag)).await,
            Err(error) => Err(error),
        };
        contents.note(&format!("tag {tag}"), added);
    }
    // Where there is an index of referrers there is, or was, something that it is about.
    for digest in of_referrers.iter().filter_map(|tag| subject_of(tag)) {
        let unknown = Descriptor::new(MANIFEST_MEDIA_TYPE, digest.clone(), 0);
        contents.artifacts.entry(digest).or_insert((unknown, BTreeSet::new()));
    }
    Ok(contents)
}

impl Contents {
    fn new(repository: Rc<dyn Repository>, name: String) -> Self {
        Self { repository, name, artifacts: BTreeMap::new(), problems: Vec::new() }
    }

    /// Adds an artifact, and what it lists.
    async fn add(
        &mut self,
        artifact: Descriptor,
        tag: Option<&str>,
    ) -> Result<(), RepositoryError> {
        let repository = Rc::clone(&self.repository);
        let root = artifact.digest.clone();
        let mut add = |artifact: Descriptor| {
            let known = self.artifacts.entry(artifact.digest.clone());
            let (_, tags) = known.or_insert_with(|| (artifact, BTreeSet::new()));
            tags.extend(tag.map(ToOwned::to_owned));
        };
        add(artifact.clone());
        for node in manifests_below(repository.as_ref(), &artifact).await? {
            if node.descriptor.digest != root {
                add(node.descriptor);
            }
        }
        Ok(())
    }

    /// What is gone by now is not missed.
    fn note(&mut self, what: &str, added: Result<(), RepositoryError>) {
        match added {
            Err(error) if error.kind() != RepositoryErrorKind::NotFound => {
                let why = Failure::from(error).one_line();
                self.problems.push(format!("{}: {why}", within_line(what)));
            }
            _ => {}
        }
    }
}

/// The digest that the tag of an index of referrers is made from; only SHA-256 fits whole.
fn subject_of(tag: &str) -> Option<Digest> {
    tag.strip_prefix("sha256-").and_then(|hex| format!("sha256:{hex}").parse().ok())
}
