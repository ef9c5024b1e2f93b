//! Descriptors: what a piece of content is, and how it is found again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Digest;
use crate::json::null_as_none;

/// A descriptor (OCI image specification 1.1, "OCI Content Descriptors").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Descriptor {
    /// Media type of the content.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Bytes of the content.
    pub size: u64,
    /// Type of the artifact that a manifest describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Arbitrary metadata; in a signed payload, the user metadata.
    #[serde(
        default,
        deserialize_with = "null_as_none",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// A descriptor without artifact type and annotations.
    #[must_use]
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        let media_type = media_type.into();
        Self { media_type, digest, size, artifact_type: None, annotations: BTreeMap::new() }
    }

    /// The same without annotations, which whoever lists a descriptor may add.
    #[must_use]
    pub fn without_annotations(&self) -> Self {
        Self { annotations: BTreeMap::new(), ..self.clone() }
    }
}
