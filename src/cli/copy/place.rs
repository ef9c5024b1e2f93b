//! Where `copy` reads and writes: an image layout in a folder, or a repository of a registry.

use std::{fs::File, path::Path, rc::Rc};

use tempfile::NamedTempFile;

use crate::{
    cli::{
        Outcome,
        artifact::{self, split},
        failure::{Exit, Failure},
        registry::Registries,
    },
    fs,
    oci::{Descriptor, Digest, Reference},
    registry::{
        Content, Repository, RepositoryError, layout::ImageLayout, remote::RemoteRepository,
    },
};

#[derive(Debug)]
pub(super) enum Place {
    Layout(ImageLayout),
    Registry(RemoteRepository),
}

/// How a blob came to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    Present,
    Mounted,
    Copied,
}

impl Place {
    /// Opens what is read, and gives the tag or digest that is wanted of it.
    pub(super) fn open(
        reference: &str,
        is_layout: bool,
        registries: &Registries<'_>,
    ) -> Result<(Self, Option<String>), Failure> {
        if !is_layout {
            return Self::in_registry(reference, registries);
        }
        let (path, wanted) = split(reference);
        if Path::new(path).is_file() {
            let message = format!("{path} is a file, and only image layouts in folders are copied");
            return Err(Failure::message(Exit::Usage, message).hint("unpack it first"));
        }
        let layout = ImageLayout::open(path).map_err(RepositoryError::from)?;
        Ok((Self::Layout(layout), wanted.map(ToOwned::to_owned)))
    }

    /// Opens what is written, and gives the tag or digest that it is to have there.
    pub(super) fn open_to_write(
        reference: &str,
        is_layout: bool,
        registries: &Registries<'_>,
    ) -> Result<(Self, Option<String>), Failure> {
        if !is_layout {
            return Self::in_registry(reference, registries);
        }
        let (path, tag) = split(reference);
        let layout = ImageLayout::open_or_create(path).map_err(RepositoryError::from)?;
        Ok((Self::Layout(layout), tag.map(ToOwned::to_owned)))
    }

    fn in_registry(
        reference: &str,
        registries: &Registries<'_>,
    ) -> Result<(Self, Option<String>), Failure> {
        let reference: Reference = artifact::parse(reference)?;
        let wanted = reference.digest().map(Digest::as_str).or_else(|| reference.tag());
        let wanted = wanted.map(ToOwned::to_owned);
        Ok((Self::Registry(registries.repository(&reference)?), wanted))
    }

    pub(super) fn repository(&self) -> Rc<dyn Repository> {
        match self {
            Self::Layout(layout) => Rc::new(layout.clone()),
            Self::Registry(repository) => Rc::new(repository.clone()),
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Layout(layout) => layout.path().display().to_string(),
            Self::Registry(repository) => repository.name(),
        }
    }

    /// The artifact with that tag or digest; the only one of a layout where there is neither.
    pub(super) async fn resolve(&self, wanted: Option<&str>) -> Result<Descriptor, Failure> {
        match (self, wanted) {
            (_, Some(wanted)) => Ok(self.repository().resolve(wanted).await?),
            (Self::Layout(layout), None) => {
                Ok(layout.only_artifact().map_err(RepositoryError::from)?)
            }
            (Self::Registry(repository), None) => {
                let message = format!("{} names neither a tag nor a digest", repository.name());
                Err(Failure::message(Exit::Usage, message).hint(artifact::NAMED))
            }
        }
    }

    /// Stores a manifest by its digest, whose blobs are there; an image layout lists it where it is to be found by
    /// itself.
    pub(super) async fn put_manifest(
        &self,
        descriptor: &Descriptor,
        bytes: &[u8],
        is_listed: bool,
    ) -> Outcome {
        let pushed = match self {
            Self::Registry(repository) => repository
                .push_manifest(&descriptor.media_type, bytes, None)
                .await
                .map_err(RepositoryError::from)?,
            Self::Layout(layout) => {
                let pushed = layout
                    .push_blob(&descriptor.media_type, bytes)
                    .map_err(RepositoryError::from)?;
                if is_listed {
                    layout.list_manifest(&pushed, None).map_err(RepositoryError::from)?;
                }
                pushed
            }
        };
        if pushed.digest == descriptor.digest {
            return Ok(());
        }
        let message = format!("manifest {} is stored as {}", descriptor.digest, pushed.digest);
        Err(Failure::message(Exit::Other, message)
            .hint("only manifests named by SHA-256 are copied"))
    }

    /// Gives a manifest that is there the name by which it is found.
    pub(super) async fn name_manifest(
        &self,
        descriptor: &Descriptor,
        tag: Option<&str>,
    ) -> Outcome {
        let tag = tag.filter(|tag| tag.parse::<Digest>().is_err());
        match (self, tag) {
            (Self::Layout(layout), tag) => {
                layout.list_manifest(descriptor, tag).map_err(RepositoryError::from)?;
            }
            (Self::Registry(repository), Some(tag)) => {
                let bytes = repository.read(descriptor, Content::Manifest).await?;
                repository
                    .push_manifest(&descriptor.media_type, &bytes, Some(tag))
                    .await
                    .map_err(RepositoryError::from)?;
            }
            (Self::Registry(_), None) => {}
        }
        Ok(())
    }

    /// Brings a blob here, if it is not here yet.
    pub(super) async fn carry(&self, blob: &Descriptor, from: &Self) -> Result<Carried, Failure> {
        match (self, from) {
            (Self::Layout(to), from) => from.carry_to_layout(blob, to).await,
            (Self::Registry(to), from) => from.carry_to_registry(blob, to).await,
        }
    }

    async fn carry_to_layout(
        &self,
        blob: &Descriptor,
        to: &ImageLayout,
    ) -> Result<Carried, Failure> {
        let path = to.blob_file(&blob.digest).map_err(RepositoryError::from)?;
        if path.is_file() && check(&path, blob).is_ok() {
            return Ok(Carried::Present);
        }
        match self {
            Self::Layout(from) => {
                let source = from.blob_file(&blob.digest).map_err(RepositoryError::from)?;
                check(&source, blob)?;
                fs::copy_atomic(&source, &path, FILE_MODE)?;
            }
            Self::Registry(from) => {
                let folder = path.parent().unwrap_or(&path);
                fs::create_folder(folder)?;
                let spool = NamedTempFile::new_in(folder)?;
                from.download_blob(blob, spool.as_file()).await.map_err(RepositoryError::from)?;
                check(spool.path(), blob)?;
                fs::adopt(spool.path(), &path, FILE_MODE)?;
            }
        }
        Ok(Carried::Copied)
    }

    async fn carry_to_registry(
        &self,
        blob: &Descriptor,
        to: &RemoteRepository,
    ) -> Result<Carried, Failure> {
        if to.has_blob(&blob.digest).await.map_err(RepositoryError::from)? {
            return Ok(Carried::Present);
        }
        match self {
            Self::Layout(from) => {
                let source = from.blob_file(&blob.digest).map_err(RepositoryError::from)?;
                check(&source, blob)?;
                to.upload_blob(blob, &source).await.map_err(RepositoryError::from)?;
            }
            Self::Registry(from) => {
                if to.mount_blob(blob, from).await.map_err(RepositoryError::from)? {
                    return Ok(Carried::Mounted);
                }
                let spool = NamedTempFile::new()?;
                from.download_blob(blob, spool.as_file()).await.map_err(RepositoryError::from)?;
                check(spool.path(), blob)?;
                to.upload_blob(blob, spool.path()).await.map_err(RepositoryError::from)?;
            }
        }
        Ok(Carried::Copied)
    }
}

const FILE_MODE: u32 = 0o644;

/// Shows that a file is the blob: its size, and its digest.
fn check(path: &Path, blob: &Descriptor) -> Outcome {
    let unreadable = |error: std::io::Error| {
        let exit = match error.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Other,
        };
        Failure::new(exit, error).context(format!("blob {} cannot be read", blob.digest))
    };
    let file = File::open(path).map_err(unreadable)?;
    let (digest, size) = Digest::of_reader(blob.digest.algorithm(), file).map_err(unreadable)?;
    if digest == blob.digest && size == blob.size {
        return Ok(());
    }
    let message =
        format!("blob {} of {} bytes is {digest} of {size} bytes", blob.digest, blob.size);
    Err(Failure::message(Exit::Rejected, message))
}
