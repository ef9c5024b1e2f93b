//! An index and everything below it: the manifests of its platforms, and indexes within it.

use std::collections::BTreeSet;

use super::{Content, Repository, RepositoryError, RepositoryErrorKind};
use crate::{
    limits,
    oci::{DOCKER_LIST_MEDIA_TYPE, Descriptor, Digest, INDEX_MEDIA_TYPE, Index},
};

/// A manifest, or an index that lists some.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// The manifest, without annotations.
    pub descriptor: Descriptor,
    /// What it lists, if it is an index.
    pub below: Vec<Digest>,
}

/// What is wrong with an index.
#[derive(Debug, thiserror::Error)]
enum TreeError {
    #[error("index {0} is not the JSON it should be")]
    Malformed(Digest, #[source] serde_json::Error),
    #[error("index {0} is nested deeper than {limit} indexes", limit = limits::INDEX_DEPTH)]
    TooDeep(Digest),
    #[error("index {0} has more than {limit} manifests below it", limit = limits::TREE_MANIFESTS)]
    TooMany(Digest),
}

/// An artifact and what it lists, if it is an index, and so on: each once, and what is listed before what lists
/// it. Only indexes are read.
///
/// # Errors
/// The repository's error, or [`RepositoryErrorKind::BadContent`] for an index that is none, is nested deeper than
/// [`limits::INDEX_DEPTH`] or has more than [`limits::TREE_MANIFESTS`] manifests below it.
pub async fn manifests_below(
    repository: &dyn Repository,
    root: &Descriptor,
) -> Result<Vec<Node>, RepositoryError> {
    let mut nodes = Vec::new();
    let mut seen = BTreeSet::new();
    // In depth; a node is taken once everything below it is.
    let mut stack = vec![Step::Enter { descriptor: root.without_annotations(), depth: 0 }];
    while let Some(step) = stack.pop() {
        let (descriptor, depth) = match step {
            Step::Leave(node) => {
                nodes.push(node);
                continue;
            }
            Step::Enter { descriptor, depth } => (descriptor, depth),
        };
        if !seen.insert(descriptor.digest.clone()) {
            continue;
        }
        if seen.len() > limits::TREE_MANIFESTS {
            return Err(TreeError::TooMany(root.digest.clone()).into());
        }
        if !is_index(&descriptor) {
            nodes.push(Node { descriptor, below: Vec::new() });
            continue;
        }
        if depth == limits::INDEX_DEPTH {
            return Err(TreeError::TooDeep(root.digest.clone()).into());
        }
        let bytes = repository.read(&descriptor, Content::Manifest).await?;
        let index: Index = serde_json::from_slice(&bytes)
            .map_err(|error| TreeError::Malformed(descriptor.digest.clone(), error))?;
        let listed: Vec<Descriptor> =
            index.manifests.iter().map(|listed| listed.descriptor.without_annotations()).collect();
        let below = listed.iter().map(|listed| listed.digest.clone()).collect();
        stack.push(Step::Leave(Node { descriptor, below }));
        let entered = listed.into_iter().rev();
        stack.extend(entered.map(|descriptor| Step::Enter { descriptor, depth: depth + 1 }));
    }
    Ok(nodes)
}

enum Step {
    Enter { descriptor: Descriptor, depth: usize },
    Leave(Node),
}

fn is_index(descriptor: &Descriptor) -> bool {
    [INDEX_MEDIA_TYPE, DOCKER_LIST_MEDIA_TYPE].contains(&descriptor.media_type.as_str())
}

impl From<TreeError> for RepositoryError {
    fn from(error: TreeError) -> Self {
        Self::new(RepositoryErrorKind::BadContent, error)
    }
}
