//! Image layouts in a folder (OCI image specification 1.1, "OCI Image Layout").
//!
//! Blobs are written before the manifests that name them and the index last, each by rename, so a layout
//! never names what it does not hold.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    algorithm::HashAlgorithm,
    fs::{self, FileError},
    limits,
    oci::{Descriptor, Digest, MANIFEST_MEDIA_TYPE, Manifest},
};

const INDEX_MEDIA_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const LAYOUT_FILE: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const FILE_MODE: u32 = 0o644;

/// An image layout.
#[derive(Debug, Clone)]
pub struct ImageLayout {
    root: PathBuf,
}

/// What is wrong with an image layout.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder is no image layout of version 1.0.0.
    #[error("{0} is not an image layout: its file oci-layout is missing or of another version")]
    NoLayout(PathBuf),
    /// `index.json` or a manifest is not what it should be.
    #[error("{0} is not the JSON it should be")]
    Malformed(PathBuf, #[source] serde_json::Error),
    /// A tag or digest that the index does not list.
    #[error("{reference:?} is not in the index of {root}")]
    NotFound {
        /// The tag or digest.
        reference: String,
        /// The layout's folder.
        root: PathBuf,
    },
    /// A blob's bytes are not those that its name promises.
    #[error("blob {0} does not have that digest")]
    WrongDigest(Digest),
    /// A blob is not as long as its descriptor says.
    #[error("blob {digest} has {actual} bytes, and its descriptor says {expected}")]
    WrongSize {
        /// The blob.
        digest: Digest,
        /// Bytes by the descriptor.
        expected: u64,
        /// Bytes in the file.
        actual: u64,
    },
    /// A blob that is too large to be a manifest or an envelope.
    #[error("blob {digest} of {size} bytes is over the limit of {limit} bytes", limit = limits::MANIFEST_BYTES)]
    TooLarge {
        /// The blob.
        digest: Digest,
        /// Bytes by the descriptor.
        size: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    manifests: Vec<Descriptor>,
}

impl ImageLayout {
    /// Opens a layout.
    ///
    /// # Errors
    /// [`LayoutError::NoLayout`], or the file's error.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, LayoutError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct LayoutFile {
            image_layout_version: String,
        }
        let layout = Self { root: root.into() };
        let file = layout.root.join("oci-layout");
        let bytes = fs::read_bounded(&file, limits::CONFIG_FILE_BYTES)?;
        match serde_json::from_slice::<LayoutFile>(&bytes) {
            Ok(file) if file.image_layout_version == "1.0.0" => Ok(layout),
            _ => Err(LayoutError::NoLayout(layout.root)),
        }
    }

    /// Opens a layout, after making one where there is none.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn open_or_create(root: impl Into<PathBuf>) -> Result<Self, LayoutError> {
        let layout = Self { root: root.into() };
        if !layout.root.join("oci-layout").exists() {
            let empty = Index {
                schema_version: 2,
                media_type: Some(INDEX_MEDIA_TYPE.to_owned()),
                manifests: vec![],
            };
            layout.write_index(&empty)?;
            fs::write_atomic(&layout.root.join("oci-layout"), LAYOUT_FILE, FILE_MODE)?;
        }
        Self::open(layout.root)
    }

    /// The layout's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a blob, and gives its descriptor.
    ///
    /// # Errors
    /// [`LayoutError::File`].
    pub fn push_blob(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, LayoutError> {
        let digest = Digest::of(HashAlgorithm::Sha256, bytes);
        fs::write_atomic(&self.blob_path(&digest), bytes, FILE_MODE)?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(Descriptor::new(media_type, digest, size))
    }

    /// Writes a manifest and lists it in the index, under `tag` where there is one. The blobs that it
    /// names have to be there already.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn push_manifest(
        &self,
        manifest: &Manifest,
        tag: Option<&str>,
    ) -> Result<Descriptor, LayoutError> {
        let bytes = serde_json::to_vec(manifest)
            .map_err(|error| LayoutError::Malformed(self.root.clone(), error))?;
        let descriptor = self.push_blob(MANIFEST_MEDIA_TYPE, &bytes)?;
        let mut listed = descriptor.clone();
        if let Some(tag) = tag {
            listed.annotations.insert(REF_NAME.to_owned(), tag.to_owned());
        }
        let mut index = self.read_index()?;
        index.manifests.retain(|known| {
            known.digest != listed.digest && (tag.is_none() || ref_name(known) != tag)
        });
        index.manifests.push(listed);
        self.write_index(&index)?;
        Ok(descriptor)
    }

    /// Finds the descriptor of a tag or a digest in the index.
    ///
    /// # Errors
    /// [`LayoutError::NotFound`], or the index's error.
    pub fn resolve(&self, reference: &str) -> Result<Descriptor, LayoutError> {
        let found = self.read_index()?.manifests.into_iter().find(|listed| {
            listed.digest.as_str() == reference || ref_name(listed) == Some(reference)
        });
        found.ok_or_else(|| LayoutError::NotFound {
            reference: reference.to_owned(),
            root: self.root.clone(),
        })
    }

    /// Reads a manifest or an envelope, and shows that it is what its descriptor says.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn read(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
        let digest = &descriptor.digest;
        if usize::try_from(descriptor.size).is_ok_and(|size| size > limits::MANIFEST_BYTES) {
            return Err(LayoutError::TooLarge { digest: digest.clone(), size: descriptor.size });
        }
        let bytes = fs::read_bounded(&self.blob_path(digest), limits::MANIFEST_BYTES)?;
        let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if actual != descriptor.size {
            let expected = descriptor.size;
            return Err(LayoutError::WrongSize { digest: digest.clone(), expected, actual });
        }
        if !digest.matches(&bytes) {
            return Err(LayoutError::WrongDigest(digest.clone()));
        }
        Ok(bytes)
    }

    /// The signature manifests that the index lists for `subject`. One that cannot be read is passed
    /// over, so that it hides no other.
    ///
    /// # Errors
    /// The index's error.
    pub fn signatures(&self, subject: &Descriptor) -> Result<Vec<Manifest>, LayoutError> {
        let listed = self.read_index()?.manifests.into_iter();
        let manifests = listed.filter(|entry| entry.media_type == MANIFEST_MEDIA_TYPE);
        let read =
            |entry: Descriptor| serde_json::from_slice::<Manifest>(&self.read(&entry).ok()?).ok();
        let about_it = |manifest: &Manifest| {
            let about = manifest.subject.as_ref().map(|about| &about.digest);
            manifest.is_signature() && about == Some(&subject.digest)
        };
        Ok(manifests.filter_map(read).filter(about_it).collect())
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm().digest_prefix()).join(digest.hex())
    }

    fn read_index(&self) -> Result<Index, LayoutError> {
        let path = self.root.join("index.json");
        let bytes = fs::read_bounded(&path, limits::MANIFEST_BYTES)?;
        serde_json::from_slice(&bytes).map_err(|error| LayoutError::Malformed(path, error))
    }

    fn write_index(&self, index: &Index) -> Result<(), LayoutError> {
        let path = self.root.join("index.json");
        match serde_json::to_vec(index) {
            Ok(bytes) => Ok(fs::write_atomic(&path, &bytes, FILE_MODE)?),
            Err(error) => Err(LayoutError::Malformed(path, error)),
        }
    }
}

fn ref_name(descriptor: &Descriptor) -> Option<&str> {
    descriptor.annotations.get(REF_NAME).map(String::as_str)
}
