//! Image layouts, in a folder or in a tar (OCI image specification 1.1, "OCI Image Layout").
//!
//! Blobs are written before the manifests that name them and the index last, each by rename, so a layout
//! never names what it does not hold. Bytes are read only by a descriptor, and only where they have its digest.

use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self as std_fs, File},
    future::ready,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use super::tar_layout::TarError;
use super::{
    Content, Listing, Repository, RepositoryError, RepositoryErrorKind, RepositoryFuture,
    Unreadable,
    layout_index::{LayoutIndex, OddEntry},
    tar_layout::TarFiles,
};
use crate::{
    algorithm::HashAlgorithm,
    fs::{self, FileError},
    limits,
    oci::{
        CREATED_ANNOTATION, Descriptor, Digest, DigestError, EMPTY_CONFIG, EMPTY_MEDIA_TYPE,
        INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest, THUMBPRINT_ANNOTATION,
    },
};

pub(super) const MARKER: &str = "oci-layout";
pub(super) const INDEX: &str = "index.json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const MARKER_BYTES: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const FILE_MODE: u32 = 0o644;

/// An image layout.
#[derive(Debug, Clone)]
pub struct ImageLayout {
    name: PathBuf,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Folder(PathBuf),
    Tar(TarFiles),
}

/// What is wrong with an image layout.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tar cannot be read.
    #[error("image layout {path} cannot be read")]
    Tar {
        /// The tar.
        path: PathBuf,
        /// Why.
        #[source]
        source: TarError,
    },
    /// Nothing of that name.
    #[error("there is no image layout {0}: no folder and no file has that name")]
    NothingThere(PathBuf),
    /// No image layout of version 1.0.0.
    #[error("{0} is not an image layout: its file oci-layout is missing or of another version")]
    NoLayout(PathBuf),
    /// An image layout that lists nothing.
    #[error("{0} is not an image layout: its file index.json is missing")]
    NoIndex(PathBuf),
    /// `index.json` or a manifest is not what it should be.
    #[error("{0} is not the JSON it should be")]
    Malformed(String, #[source] serde_json::Error),
    /// Text with a colon that is no digest. No tag has one.
    #[error(transparent)]
    NotADigest(#[from] DigestError),
    /// A tag or digest that the index does not list.
    #[error("{reference:?} is not in the index of {layout}")]
    NotFound {
        /// The tag or digest.
        reference: String,
        /// The layout.
        layout: PathBuf,
    },
    /// No tag or digest is given, and the layout holds none or several artifacts.
    #[error("{layout} holds {count} artifacts, and none of them is named")]
    NotNamed {
        /// The layout.
        layout: PathBuf,
        /// How many.
        count: usize,
    },
    /// A tag that two manifests have.
    #[error("tag {tag:?} stands for {count} manifests in the index of {layout}")]
    Ambiguous {
        /// The tag.
        tag: String,
        /// How many.
        count: usize,
        /// The layout.
        layout: PathBuf,
    },
    /// A blob that the index names and that is not there.
    #[error("blob {digest} is missing in {layout}")]
    NoBlob {
        /// The blob.
        digest: Digest,
        /// The layout.
        layout: PathBuf,
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
    /// A file of a tar that is larger than it may be.
    #[error("tar entry {name:?} of {size} bytes is over the limit of {limit} bytes")]
    LargeEntry {
        /// The entry.
        name: String,
        /// Its bytes.
        size: u64,
        /// The limit.
        limit: usize,
    },
    /// A tar is only read.
    #[error("{0} is a tar, and only image layouts in folders are written")]
    ReadOnly(PathBuf),
}

impl ImageLayout {
    /// Opens a layout: a folder, or a tar with one in it, which may come through a pipe.
    ///
    /// # Errors
    /// [`LayoutError::NothingThere`], [`LayoutError::NoLayout`], or the file's error.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, LayoutError> {
        let name = path.into();
        let files = match std_fs::metadata(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LayoutError::NothingThere(name));
            }
            Ok(found) if found.is_file() => TarFiles::open(&name),
            // A pipe, such as a shell makes of the output of a command.
            Ok(found) if !found.is_dir() => {
                File::open(&name).map_err(Into::into).and_then(TarFiles::from_reader)
            }
            _ => return Self { source: Source::Folder(name.clone()), name }.checked(),
        };
        match files {
            Ok(files) => Self { name, source: Source::Tar(files) }.checked(),
            Err(source) => Err(LayoutError::Tar { path: name, source }),
        }
    }

    /// Reads a layout in a tar, to its end; `name` is what errors call it.
    ///
    /// # Errors
    /// [`LayoutError::Tar`], [`LayoutError::NoLayout`].
    pub fn from_tar(name: &str, reader: impl Read) -> Result<Self, LayoutError> {
        let name = PathBuf::from(name);
        match TarFiles::from_reader(reader) {
            Ok(files) => Self { name, source: Source::Tar(files) }.checked(),
            Err(source) => Err(LayoutError::Tar { path: name, source }),
        }
    }

    /// Opens a layout in a folder, after making one where there is none.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn open_or_create(root: impl Into<PathBuf>) -> Result<Self, LayoutError> {
        let root = root.into();
        let layout = Self { name: root.clone(), source: Source::Folder(root.clone()) };
        if !root.join(MARKER).exists() {
            layout.write_index(&LayoutIndex::default())?;
            fs::write_atomic(&root.join(MARKER), MARKER_BYTES, FILE_MODE)?;
        }
        layout.checked()
    }

    fn checked(self) -> Result<Self, LayoutError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Marker {
            image_layout_version: String,
        }
        let no_layout = || LayoutError::NoLayout(self.name.clone());
        let bytes = self.file(MARKER, limits::CONFIG_FILE_BYTES)?.ok_or_else(no_layout)?;
        match serde_json::from_slice::<Marker>(&bytes) {
            Ok(file) if file.image_layout_version == "1.0.0" => Ok(self),
            _ => Err(no_layout()),
        }
    }

    /// The layout's folder or tar.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.name
    }

    /// Writes a blob, and gives its descriptor.
    ///
    /// # Errors
    /// [`LayoutError::File`], [`LayoutError::ReadOnly`].
    pub fn push_blob(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, LayoutError> {
        let digest = Digest::of(HashAlgorithm::Sha256, bytes);
        fs::write_atomic(&self.folder()?.join(blob_name(&digest)), bytes, FILE_MODE)?;
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
            .map_err(|error| LayoutError::Malformed("manifest".to_owned(), error))?;
        let descriptor = self.push_blob(MANIFEST_MEDIA_TYPE, &bytes)?;
        self.list_manifest(&descriptor, tag)?;
        Ok(descriptor)
    }

    /// Lists a manifest that is there in the index, under `tag` where there is one.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn list_manifest(
        &self,
        descriptor: &Descriptor,
        tag: Option<&str>,
    ) -> Result<(), LayoutError> {
        let _lock = fs::lock_folder_in_turn(self.folder()?)?;
        let mut listed = descriptor.without_annotations();
        if let Some(tag) = tag {
            listed.annotations.insert(REF_NAME.to_owned(), tag.to_owned());
        }
        let mut index = self.read_index()?;
        index.list(&listed)?;
        self.write_index(&index)
    }

    /// The file of a blob, which need not be there.
    ///
    /// # Errors
    /// [`LayoutError::ReadOnly`] for a tar.
    pub fn blob_file(&self, digest: &Digest) -> Result<PathBuf, LayoutError> {
        Ok(self.folder()?.join(blob_name(digest)))
    }

    /// Finds the descriptor of a tag or a digest: in the index, a digest also in the indexes that it names.
    ///
    /// # Errors
    /// [`LayoutError::NotADigest`], [`LayoutError::NotFound`], [`LayoutError::Ambiguous`], or the index's error.
    pub fn resolve(&self, reference: &str) -> Result<Descriptor, LayoutError> {
        let index = self.read_index()?;
        let found = match reference.parse::<Digest>() {
            Ok(digest) => self.find(index, &digest),
            // A tag that looks like a digest must not stand for another one.
            Err(error) if reference.contains(':') => return Err(error.into()),
            Err(_) => self.tagged(&index, reference)?,
        };
        found.map(|found| found.without_annotations()).ok_or_else(|| LayoutError::NotFound {
            reference: reference.to_owned(),
            layout: self.name.clone(),
        })
    }

    fn tagged(&self, index: &LayoutIndex, tag: &str) -> Result<Option<Descriptor>, LayoutError> {
        let (listed, odd) = index.entries();
        let mut tagged: Vec<Descriptor> =
            listed.into_iter().filter(|listed| ref_name(listed) == Some(tag)).collect();
        tagged.sort_by(|one, other| one.digest.cmp(&other.digest));
        tagged.dedup_by(|one, other| one.digest == other.digest);
        // Another reader may take one of these for the tag's.
        let mut odd: Vec<OddEntry> = odd.into_iter().filter(|odd| odd.may_have_tag(tag)).collect();
        match (tagged.pop(), odd.pop(), tagged.len() + odd.len()) {
            (found, None, 0) => Ok(found),
            (None, Some(odd), 0) => Err(odd.error),
            (found, last_odd, others) => {
                let count = others + usize::from(found.is_some()) + usize::from(last_odd.is_some());
                Err(LayoutError::Ambiguous {
                    tag: tag.to_owned(),
                    count,
                    layout: self.name.clone(),
                })
            }
        }
    }

    /// What the index lists that is not about something else, as signatures are. With their annotations, by which
    /// [`ref_name`] tells their tags. What is no descriptor is left out.
    ///
    /// # Errors
    /// The index's error.
    pub fn artifacts(&self) -> Result<Vec<Descriptor>, LayoutError> {
        let is_artifact = |entry: &Descriptor| {
            self.manifest(entry).map_or(true, |manifest| manifest.subject.is_none())
        };
        let (mut listed, _) = self.read_index()?.entries();
        listed.retain(is_artifact);
        Ok(listed)
    }

    /// What the index lists and is no descriptor.
    pub(crate) fn unreadable(&self) -> Result<Vec<Unreadable>, LayoutError> {
        let (_, odd) = self.read_index()?.entries();
        Ok(odd.into_iter().map(Unreadable::from).collect())
    }

    /// The only artifact of the layout that is no signature.
    ///
    /// # Errors
    /// [`LayoutError::NotNamed`] where there is not exactly one, or the index's error.
    pub fn only_artifact(&self) -> Result<Descriptor, LayoutError> {
        let mut listed = self.artifacts()?;
        listed.sort_by(|one, other| one.digest.cmp(&other.digest));
        listed.dedup_by(|one, other| one.digest == other.digest);
        // Others may read an artifact in what is no descriptor here.
        let unreadable = self.unreadable()?.len();
        match listed.as_slice() {
            [artifact] if unreadable == 0 => Ok(artifact.without_annotations()),
            _ => {
                let (layout, count) = (self.name.clone(), listed.len() + unreadable);
                Err(LayoutError::NotNamed { layout, count })
            }
        }
    }

    /// Reads a manifest or an envelope, and shows that it is what its descriptor says.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn read(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
        let digest = &descriptor.digest;
        let too_large =
            |size: u64| usize::try_from(size).map_or(true, |s| s > limits::MANIFEST_BYTES);
        if too_large(descriptor.size) {
            return Err(LayoutError::TooLarge { digest: digest.clone(), size: descriptor.size });
        }
        let no_blob = || LayoutError::NoBlob { digest: digest.clone(), layout: self.name.clone() };
        let bytes = self.file(&blob_name(digest), limits::MANIFEST_BYTES)?.ok_or_else(no_blob)?;
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

    /// The signature manifests that the index lists for `subject`, and what in it cannot be read.
    ///
    /// # Errors
    /// The index's error.
    pub fn list_signatures(&self, subject: &Descriptor) -> Result<Listing, LayoutError> {
        let (manifests, odd) = self.read_index()?.entries();
        let mut listing = Listing::default();
        listing.unreadable.extend(odd.into_iter().map(Unreadable::from));
        let mut seen = BTreeSet::new();
        let may_be_one = |entry: &Descriptor| {
            entry.media_type == MANIFEST_MEDIA_TYPE && entry.digest != subject.digest
        };
        for entry in manifests.into_iter().filter(may_be_one) {
            // Each is read once, however often it is listed.
            if !seen.insert((entry.digest.clone(), entry.size)) {
                continue;
            }
            match self.manifest(&entry) {
                Ok(manifest) if manifest.is_signature_of(subject) => {
                    let mut listed = entry.without_annotations();
                    listed.annotations = manifest.annotations;
                    listed.annotations.retain(|name, value| {
                        [THUMBPRINT_ANNOTATION, CREATED_ANNOTATION].contains(&name.as_str())
                            && value.len() <= limits::ANNOTATION_BYTES
                    });
                    listing.signatures.push(listed);
                }
                Ok(_) => {}
                Err(error) => {
                    listing.unreadable.push(Unreadable::new(&entry, error.into()));
                }
            }
        }
        Ok(listing)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, LayoutError> {
        let bytes = self.read(descriptor)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            LayoutError::Malformed(format!("manifest {}", descriptor.digest), error)
        })
    }

    /// Looks for a digest, in breadth. An index that cannot be read leads nowhere.
    fn find(&self, index: LayoutIndex, digest: &Digest) -> Option<Descriptor> {
        let mut queue = VecDeque::from([(1, index)]);
        let (mut seen, mut room) = (BTreeSet::new(), limits::INDEX_MANIFESTS);
        while let Some((depth, index)) = queue.pop_front() {
            room = room.checked_sub(index.len())?;
            for listed in index.entries().0 {
                if listed.digest == *digest {
                    return Some(listed);
                }
                // Each index is read once, however often it is listed.
                let leads_on = listed.media_type == INDEX_MEDIA_TYPE && depth < limits::INDEX_DEPTH;
                if leads_on && seen.insert(listed.digest.clone()) {
                    let below = self.read(&listed).ok();
                    let below = below.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                    queue.extend(below.map(|below| (depth + 1, below)));
                }
            }
        }
        None
    }

    /// The bytes of a file of the layout; `None` where it is not there.
    fn file(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, LayoutError> {
        match &self.source {
            Source::Tar(files) => files.get(name, limit).map(|file| Ok(file?.to_vec())).transpose(),
            Source::Folder(root) => match fs::read_regular(&root.join(name), limit) {
                Err(error) if error.is_not_found() => Ok(None),
                read => Ok(Some(read?)),
            },
        }
    }

    fn folder(&self) -> Result<&Path, LayoutError> {
        match &self.source {
            Source::Folder(root) => Ok(root),
            Source::Tar(_) => Err(LayoutError::ReadOnly(self.name.clone())),
        }
    }

    fn read_index(&self) -> Result<LayoutIndex, LayoutError> {
        let no_index = || LayoutError::NoIndex(self.name.clone());
        let bytes = self.file(INDEX, limits::LAYOUT_INDEX_BYTES)?.ok_or_else(no_index)?;
        let name = || self.name.join(INDEX).display().to_string();
        serde_json::from_slice(&bytes).map_err(|error| LayoutError::Malformed(name(), error))
    }

    fn write_index(&self, index: &LayoutIndex) -> Result<(), LayoutError> {
        let bytes = serde_json::to_vec(index)
            .map_err(|error| LayoutError::Malformed(INDEX.to_owned(), error))?;
        Ok(fs::write_atomic(&self.folder()?.join(INDEX), &bytes, FILE_MODE)?)
    }
}

impl Repository for ImageLayout {
    fn resolve<'a>(&'a self, reference: &'a str) -> RepositoryFuture<'a, Descriptor> {
        Box::pin(ready(Self::resolve(self, reference).map_err(Into::into)))
    }

    fn read<'a>(
        &'a self,
        descriptor: &'a Descriptor,
        _content: Content,
    ) -> RepositoryFuture<'a, Vec<u8>> {
        Box::pin(ready(Self::read(self, descriptor).map_err(Into::into)))
    }

    fn signatures<'a>(&'a self, subject: &'a Descriptor) -> RepositoryFuture<'a, Listing> {
        Box::pin(ready(self.list_signatures(subject).map_err(Into::into)))
    }

    fn push_signature<'a>(
        &'a self,
        manifest: &'a Manifest,
        envelope: &'a [u8],
    ) -> RepositoryFuture<'a, Descriptor> {
        let push = || {
            let media_type = manifest.envelope().map_or("", |(format, _)| format.media_type());
            self.push_blob(EMPTY_MEDIA_TYPE, EMPTY_CONFIG)?;
            self.push_blob(media_type, envelope)?;
            self.push_manifest(manifest, None)
        };
        Box::pin(ready(push().map_err(|error: LayoutError| error.into())))
    }
}

impl From<OddEntry> for Unreadable {
    fn from(odd: OddEntry) -> Self {
        Self { digest: Some(odd.name), error: odd.error.into() }
    }
}

impl From<LayoutError> for RepositoryError {
    fn from(error: LayoutError) -> Self {
        let kind = match &error {
            LayoutError::NothingThere(_)
            | LayoutError::NoLayout(_)
            | LayoutError::NoIndex(_)
            | LayoutError::NotADigest(_)
            | LayoutError::NotFound { .. }
            | LayoutError::NotNamed { .. }
            | LayoutError::NoBlob { .. } => RepositoryErrorKind::NotFound,
            LayoutError::ReadOnly(_) => RepositoryErrorKind::ReadOnly,
            LayoutError::File(FileError::Io { .. }) => RepositoryErrorKind::Other,
            _ => RepositoryErrorKind::BadContent,
        };
        Self::new(kind, error)
    }
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().digest_prefix(), digest.hex())
}

/// The tag of what an image layout's index lists.
#[must_use]
pub fn ref_name(descriptor: &Descriptor) -> Option<&str> {
    descriptor.annotations.get(REF_NAME).map(String::as_str)
}
