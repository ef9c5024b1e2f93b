//! Image manifests, in the one shape that artifacts and signatures have
//! (OCI image specification 1.1, "Image Manifest").

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{Descriptor, Digest};
use crate::{
    algorithm::HashAlgorithm,
    crypto,
    envelope::EnvelopeFormat,
    json::{self, null_as_none},
    limits,
    x509::CertificateChain,
};

/// Media type of an image manifest.
pub const MANIFEST_MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an image index.
pub const INDEX_MEDIA_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of Docker's image manifest.
pub const DOCKER_MANIFEST_MEDIA_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of Docker's image index.
pub const DOCKER_LIST_MEDIA_TYPE: &str =
    "application/vnd.docker.distribution.manifest.list.v2+json";
/// Media type of the config blob `{}`.
pub const EMPTY_MEDIA_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// The type that marks a signature manifest, as `config.mediaType` or `artifactType`.
pub const SIGNATURE_MEDIA_TYPE: &str = "application/vnd.cncf.notary.signature";
/// The annotation with the SHA-256 fingerprints of the certificate chain. It is not signed.
pub const THUMBPRINT_ANNOTATION: &str = "io.cncf.notary.x509chain.thumbprint#S256";
/// When a manifest was made.
pub const CREATED_ANNOTATION: &str = "org.opencontainers.image.created";

/// The empty config blob that manifests without a config of their own point to.
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// An image manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// [`MANIFEST_MEDIA_TYPE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The artifact's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config blob.
    pub config: Descriptor,
    /// The content.
    #[serde(deserialize_with = "null_as_none")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Arbitrary metadata.
    #[serde(
        default,
        deserialize_with = "null_as_none",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// An image index, also that of an image layout. Members that are not known here are kept. `E` is what an entry is read
/// as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Index<E = Listed> {
    /// Always 2.
    pub schema_version: u32,
    /// [`INDEX_MEDIA_TYPE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it lists.
    pub manifests: Vec<E>,
    #[serde(flatten)]
    other: Members,
}

/// What an index lists. Members that are not known here, such as the platform, are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Listed {
    /// The manifest.
    #[serde(flatten)]
    pub descriptor: Descriptor,
    #[serde(flatten)]
    other: Members,
}

/// Members that are not known here.
type Members = BTreeMap<String, Member>;

/// What a member holds, as it is written: read, it would take many times the memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Member(Box<RawValue>);

impl Manifest {
    /// The manifest of an artifact of that type, with one layer and an empty config.
    #[must_use]
    pub fn artifact(artifact_type: &str, layer: Descriptor) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST_MEDIA_TYPE.to_owned()),
            artifact_type: Some(artifact_type.to_owned()),
            config: empty_config(EMPTY_MEDIA_TYPE),
            layers: vec![layer],
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The manifest of a signature over `subject`, in the form that released notation CLIs find in
    /// image layouts: `config.mediaType` says that it is a signature.
    #[must_use]
    pub fn signature(
        subject: &Descriptor,
        format: EnvelopeFormat,
        envelope: &[u8],
        chain: &CertificateChain,
        created: &str,
    ) -> Self {
        let digest = Digest::of(HashAlgorithm::Sha256, envelope);
        let size = u64::try_from(envelope.len()).unwrap_or(u64::MAX);
        let thumbprints: Vec<_> =
            chain.certificates().iter().map(|c| crypto::hex(&c.fingerprint())).collect();
        let subject =
            Descriptor::new(subject.media_type.as_str(), subject.digest.clone(), subject.size);
        let annotations = [
            (THUMBPRINT_ANNOTATION, Value::from(thumbprints).to_string()),
            (CREATED_ANNOTATION, created.to_owned()),
        ];
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST_MEDIA_TYPE.to_owned()),
            artifact_type: None,
            config: empty_config(SIGNATURE_MEDIA_TYPE),
            layers: vec![Descriptor::new(format.media_type(), digest, size)],
            subject: Some(subject),
            annotations: annotations.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    /// The envelope of a signature manifest: its only layer, of a media type that names a format
    /// (signature-specification.md, "Storage").
    #[must_use]
    pub fn envelope(&self) -> Option<(EnvelopeFormat, &Descriptor)> {
        let [layer] = self.layers.as_slice() else { return None };
        Some((EnvelopeFormat::from_media_type(&layer.media_type)?, layer))
    }

    /// The same signature with its type as `artifactType`, the form that the specification recommends and
    /// released notation CLIs do not find in image layouts.
    #[must_use]
    pub fn with_artifact_type(mut self) -> Self {
        self.artifact_type = Some(SIGNATURE_MEDIA_TYPE.to_owned());
        self.config = empty_config(EMPTY_MEDIA_TYPE);
        self
    }

    /// Whether this manifest says that it is a signature, in either form.
    #[must_use]
    pub fn is_signature(&self) -> bool {
        self.artifact_type.as_deref() == Some(SIGNATURE_MEDIA_TYPE)
            || self.config.media_type == SIGNATURE_MEDIA_TYPE
    }

    /// Whether this manifest says that it is a signature of that artifact.
    #[must_use]
    pub fn is_signature_of(&self, artifact: &Descriptor) -> bool {
        let subject = self.subject.as_ref().map(|subject| &subject.digest);
        self.is_signature() && subject == Some(&artifact.digest)
    }
}

impl<E> Default for Index<E> {
    fn default() -> Self {
        let media_type = Some(INDEX_MEDIA_TYPE.to_owned());
        Self { schema_version: 2, media_type, manifests: Vec::new(), other: Members::new() }
    }
}

impl From<Descriptor> for Listed {
    fn from(descriptor: Descriptor) -> Self {
        Self { descriptor, other: Members::new() }
    }
}

/// The fingerprints in [`THUMBPRINT_ANNOTATION`], SHA-256 in lower-case hex; `None` where the annotation is
/// missing or of another form. Nobody has signed it.
#[must_use]
pub fn thumbprints(annotations: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let listed: Vec<String> = serde_json::from_str(annotations.get(THUMBPRINT_ANNOTATION)?).ok()?;
    let is_hex = |text: &String| {
        text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    Some(listed).filter(|listed| !listed.is_empty() && listed.iter().all(is_hex))
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for Member {}

// Not derived: what is derived for `flatten` reads all members into memory before it looks at one.
impl<'de, E: Deserialize<'de>> Deserialize<'de> for Index<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(IndexMembers(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ListedMembers)
    }
}

struct IndexMembers<E>(PhantomData<E>);

impl<'de, E: Deserialize<'de>> Visitor<'de> for IndexMembers<E> {
    type Value = Index<E>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an image index")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Index<E>, A::Error> {
        let (mut schema_version, mut media_type) = (None, None);
        let mut manifests: Option<Entries<E>> = None;
        let mut other = Members::new();
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "schemaVersion" => once(&mut schema_version, "schemaVersion", &mut members)?,
                "mediaType" => once(&mut media_type, "mediaType", &mut members)?,
                "manifests" => once(&mut manifests, "manifests", &mut members)?,
                _ => keep(&mut other, name, &mut members)?,
            }
        }
        Ok(Index {
            schema_version: schema_version
                .ok_or_else(|| A::Error::missing_field("schemaVersion"))?,
            media_type: media_type.flatten(),
            manifests: manifests.ok_or_else(|| A::Error::missing_field("manifests"))?.0,
            other,
        })
    }
}

/// As many entries as are looked at.
struct Entries<E>(Vec<E>);

impl<'de, E: Deserialize<'de>> Deserialize<'de> for Entries<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<E>(PhantomData<E>);

impl<'de, E: Deserialize<'de>> Visitor<'de> for EntriesVisitor<E> {
    type Value = Entries<E>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of descriptors")
    }

    /// Go writes `null` for a list that is not there.
    fn visit_none<Error: serde::de::Error>(self) -> Result<Entries<E>, Error> {
        Ok(Entries(Vec::new()))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries<E>, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Entries<E>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_element()? {
            if entries.len() == limits::INDEX_MANIFESTS {
                let limit = limits::INDEX_MANIFESTS;
                return Err(A::Error::custom(format!("more than {limit} manifests")));
            }
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

struct ListedMembers;

impl<'de> Visitor<'de> for ListedMembers {
    type Value = Listed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a descriptor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Listed, A::Error> {
        let (mut media_type, mut digest, mut size) = (None, None, None);
        let (mut artifact_type, mut annotations) = (None, None);
        let mut other = Members::new();
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "mediaType" => once(&mut media_type, "mediaType", &mut members)?,
                "digest" => once(&mut digest, "digest", &mut members)?,
                "size" => once(&mut size, "size", &mut members)?,
                "artifactType" => once(&mut artifact_type, "artifactType", &mut members)?,
                "annotations" => once(&mut annotations, "annotations", &mut members)?,
                _ => keep(&mut other, name, &mut members)?,
            }
        }
        let descriptor = Descriptor {
            media_type: media_type.ok_or_else(|| A::Error::missing_field("mediaType"))?,
            digest: digest.ok_or_else(|| A::Error::missing_field("digest"))?,
            size: size.ok_or_else(|| A::Error::missing_field("size"))?,
            artifact_type: artifact_type.flatten(),
            // Go writes `null` for a map that is not there.
            annotations: annotations.flatten().unwrap_or_default(),
        };
        Ok(Listed { descriptor, other })
    }
}

/// Reads a member that may stand there once.
fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    name: &'static str,
    members: &mut A,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *slot = Some(members.next_value()?);
    Ok(())
}

/// Keeps a member that is not known here. One that differs from a known one in case only is read by others as that
/// one, so that two readers would see two indexes.
fn keep<'de, A: MapAccess<'de>>(
    other: &mut Members,
    name: String,
    members: &mut A,
) -> Result<(), A::Error> {
    const KNOWN: [&str; 7] = [
        "schemaVersion",
        "mediaType",
        "manifests",
        "digest",
        "size",
        "annotations",
        "artifactType",
    ];
    if json::taken_for(&name, &KNOWN).is_some() {
        let message = format!("member {name:.64?} differs from a known one in case only");
        return Err(A::Error::custom(message));
    }
    other.insert(name, members.next_value()?);
    if other.len() > limits::INDEX_MEMBERS {
        let limit = limits::INDEX_MEMBERS;
        return Err(A::Error::custom(format!(
            "members that are not known are over the limit of {limit}"
        )));
    }
    Ok(())
}

fn empty_config(media_type: &str) -> Descriptor {
    Descriptor::new(media_type, Digest::of(HashAlgorithm::Sha256, EMPTY_CONFIG), 2)
}
