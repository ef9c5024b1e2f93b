//! Blobs of any size, from files and into files.

use std::{fs::File, path::Path};

use super::{Access, RemoteError, RemoteRepository, push::BlobContent};
use crate::{
    http::{Method, Request, Upload},
    limits,
    oci::Descriptor,
};

impl RemoteRepository {
    /// Reads a blob of any size into a file, from its start. Whether it has its digest is for the caller to find out.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn download_blob(&self, blob: &Descriptor, into: &File) -> Result<(), RemoteError> {
        let what = || format!("blob {}", blob.digest);
        let too_large = || RemoteError::TooLarge { what: what(), size: blob.size };
        let limit = usize::try_from(blob.size).map_err(|_| too_large())?;
        let url = self.url(["blobs", blob.digest.as_str()]);
        let mut request = Request::new(Method::Get, &url, limit);
        request.into = Some(into);
        let action = || format!("give {}", what());
        let answer = self.ask(&request, Access::Pull, action).await?;
        match answer.status {
            200 => Ok(()),
            404 => Err(self.not_found(what(), answer)),
            _ => Err(self.refused(action(), answer)),
        }
    }

    /// Stores a blob of any size from a file, which the registry holds against the digest.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn upload_blob(&self, blob: &Descriptor, file: &Path) -> Result<(), RemoteError> {
        let file = BlobContent::File(Upload { path: file, size: blob.size });
        self.put_blob(&blob.digest, file).await
    }

    /// Has a blob taken from another repository of the registry. `false`: it has to be sent.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn mount_blob(&self, blob: &Descriptor, from: &Self) -> Result<bool, RemoteError> {
        if from.registry.name() != self.registry.name() {
            return Ok(false);
        }
        let mut url = self.url(["blobs", "uploads", ""]);
        let mount = [("mount", blob.digest.as_str()), ("from", from.path.as_str())];
        url.query_pairs_mut().extend_pairs(mount);
        let request = Request::new(Method::Post, &url, limits::ERROR_BODY_BYTES);
        let action = || format!("take blob {}", blob.digest);
        let answer = self.ask(&request, Access::Mount(&from.path), action).await?;
        // A registry that does not mount has begun an upload, which nobody goes on with.
        Ok(answer.status == 201)
    }
}
