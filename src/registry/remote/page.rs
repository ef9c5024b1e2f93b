//! What is read of a list of referrers and of the manifests in it: what is used, and nothing else. Whoever may push
//! chooses the rest, and each byte of it would be held in memory many times over.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::Number;

use crate::{
    json::null_as_none,
    limits,
    oci::{CREATED_ANNOTATION, Descriptor, Digest, SIGNATURE_MEDIA_TYPE, THUMBPRINT_ANNOTATION},
};

/// A page of a list, or the index at the referrers tag.
#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(deserialize_with = "null_as_none")]
    pub(super) manifests: Vec<Entry>,
}

/// What a page lists. One whose digest or size no manifest can have hides no other.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    media_type: String,
    digest: String,
    size: Number,
    artifact_type: Option<String>,
    #[serde(default, deserialize_with = "null_as_none")]
    annotations: Annotations,
}

/// What leads to no manifest, and says that it is of that type.
pub(super) struct OddEntry {
    pub(super) media_type: String,
    pub(super) artifact_type: Option<String>,
    pub(super) digest: String,
    pub(super) size: Number,
}

/// A manifest that is opened to see whether it is a signature.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opened {
    artifact_type: Option<String>,
    config: Config,
    subject: Option<Subject>,
    #[serde(default, deserialize_with = "null_as_none")]
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: Digest,
}

/// Those that tell something of a signature, none longer than [`limits::ANNOTATION_BYTES`].
#[derive(Default)]
struct Annotations {
    used: BTreeMap<String, String>,
    /// Whether there were any.
    is_some: bool,
}

impl Entry {
    /// What is listed, and whether it came with annotations.
    pub(super) fn into_descriptor(self) -> Result<(Descriptor, bool), OddEntry> {
        let Self { media_type, digest, size, artifact_type, annotations } = self;
        let (Ok(digest), Some(size)) = (digest.parse::<Digest>(), size.as_u64()) else {
            return Err(OddEntry { media_type, artifact_type, digest, size });
        };
        let mut listed = Descriptor::new(media_type, digest, size);
        listed.artifact_type = artifact_type;
        listed.annotations = annotations.used;
        Ok((listed, annotations.is_some))
    }
}

impl Opened {
    /// Its annotations, if it says that it is a signature of that artifact.
    pub(super) fn signature_of(self, artifact: &Descriptor) -> Option<BTreeMap<String, String>> {
        let is_signature = self.artifact_type.as_deref() == Some(SIGNATURE_MEDIA_TYPE)
            || self.config.media_type == SIGNATURE_MEDIA_TYPE;
        let is_of_it = self.subject.is_some_and(|subject| subject.digest == artifact.digest);
        (is_signature && is_of_it).then_some(self.annotations.used)
    }
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Used)
    }
}

struct Used;

impl<'de> Visitor<'de> for Used {
    type Value = Annotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Annotations, A::Error> {
        let mut annotations = Annotations::default();
        while let Some(name) = members.next_key::<String>()? {
            annotations.is_some = true;
            if ![THUMBPRINT_ANNOTATION, CREATED_ANNOTATION].contains(&name.as_str()) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: String = members.next_value()?;
            if value.len() <= limits::ANNOTATION_BYTES {
                annotations.used.insert(name, value);
            }
        }
        Ok(annotations)
    }
}
