//! What is written: blobs first, then the manifest that names them, then, where the registry has no referrers API,
//! its entry at the referrers tag (distribution specification, "Pushing Manifests with Subject").

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use serde::{Deserialize, Serialize};

use super::{Access, RemoteError, RemoteRepository, with_header};
use crate::{
    algorithm::HashAlgorithm,
    http::{Answer, Method, Request, Upload},
    limits,
    oci::{Descriptor, Digest, EMPTY_CONFIG, MANIFEST_MEDIA_TYPE, Manifest},
};

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const OCI_SUBJECT: &str = "oci-subject";

/// Of a manifest, what a list of referrers tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    subject: Option<Descriptor>,
    #[serde(default)]
    artifact_type: String,
    config: Option<Config>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: String,
}

/// What a blob is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum BlobContent<'a> {
    Bytes(&'a [u8]),
    File(Upload<'a>),
}

impl RemoteRepository {
    /// Stores an envelope, the config that its manifest names, and the manifest, and lists it.
    pub(super) async fn push_envelope(
        &self,
        manifest: &Manifest,
        envelope: &[u8],
    ) -> Result<Descriptor, RemoteError> {
        let config = Digest::of(HashAlgorithm::Sha256, EMPTY_CONFIG);
        // Another signature has most likely brought it.
        if !self.has_blob(&config).await? {
            self.push_blob(EMPTY_CONFIG).await?;
        }
        self.push_blob(envelope).await?;
        let bytes = self.to_json(manifest, "signature manifest")?;
        self.push_manifest(MANIFEST_MEDIA_TYPE, &bytes, None).await
    }

    /// Stores a blob, and gives its digest (SHA-256).
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn push_blob(&self, bytes: &[u8]) -> Result<Digest, RemoteError> {
        let digest = Digest::of(HashAlgorithm::Sha256, bytes);
        self.put_blob(&digest, BlobContent::Bytes(bytes)).await?;
        Ok(digest)
    }

    pub(super) async fn put_blob(
        &self,
        digest: &Digest,
        content: BlobContent<'_>,
    ) -> Result<(), RemoteError> {
        let action = || format!("take blob {digest}");
        let uploads = self.url(["blobs", "uploads", ""]);
        let mut is_first = true;
        loop {
            let begin = Request::new(Method::Post, &uploads, limits::ERROR_BODY_BYTES);
            let begun = self.ask(&begin, Access::Push, action).await?;
            match begun.status {
                201 => return Ok(()),
                202 => {}
                _ => return Err(self.refused(action(), begun)),
            }
            let answer = self.upload(&begun, digest, content).await?;
            match answer.status {
                201 => return Ok(()),
                // An upload that broke off may be over, so that its second try finds nothing.
                404 | 416 if is_first => is_first = false,
                _ => return Err(self.refused(action(), answer)),
            }
        }
    }

    /// Stores a manifest by its digest (SHA-256), or at `tag`, and gives its descriptor. The blobs and manifests that
    /// it names have to be there already. One with a `subject` is listed among what refers to that.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn push_manifest(
        &self,
        media_type: &str,
        bytes: &[u8],
        tag: Option<&str>,
    ) -> Result<Descriptor, RemoteError> {
        let digest = Digest::of(HashAlgorithm::Sha256, bytes);
        let mut referrer: Referrer = self.parse(bytes, || format!("manifest {digest}"))?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let pushed = Descriptor::new(media_type, digest, size);
        let reference = tag.unwrap_or(pushed.digest.as_str());
        let answer =
            self.put_manifest(media_type, bytes, reference, limits::SERVICE_ATTEMPTS).await?;
        if let Some(subject) = referrer.subject.take() {
            let said = answer.header(OCI_SUBJECT) == Some(subject.digest.as_str());
            // One that had no list a moment ago is not believed without a look.
            let is_believed = said && !self.is_without_api();
            if said {
                self.set_without_api(false);
            }
            let forced = self.registry.inner.force_referrers_tag;
            // Some registries list it, and do not say so.
            if forced || !(is_believed || self.lists_by_api(&subject, &pushed.digest).await) {
                self.list_by_tag(&subject, referrer.listed(&pushed)).await?;
            }
        }
        Ok(pushed)
    }

    async fn upload(
        &self,
        begun: &Answer,
        digest: &Digest,
        content: BlobContent<'_>,
    ) -> Result<Answer, RemoteError> {
        let action = || format!("take blob {digest}");
        let location = begun.header(LOCATION.as_str());
        let location = location.ok_or_else(|| self.bad_answer("no place to upload a blob to"))?;
        let session = &self.registry.inner.session;
        let mut url = session.follow(begun, location).map_err(|source| RemoteError::Http {
            repository: self.name(),
            action: action(),
            source,
        })?;
        url.query_pairs_mut().append_pair("digest", digest.as_str());
        let mut request = Request::new(Method::Put, &url, limits::ERROR_BODY_BYTES);
        match content {
            BlobContent::Bytes(bytes) => request.body = bytes,
            BlobContent::File(file) => request.file = Some(file),
        }
        self.ask(&with_header(request, CONTENT_TYPE, OCTETS), Access::Push, action).await
    }

    pub(super) async fn put_manifest(
        &self,
        media_type: &str,
        bytes: &[u8],
        reference: &str,
        tries: u32,
    ) -> Result<Answer, RemoteError> {
        let action = || format!("take manifest {reference}");
        let url = self.url(["manifests", reference]);
        let mut request = Request::new(Method::Put, &url, limits::ERROR_BODY_BYTES);
        request.body = bytes;
        request.tries = tries;
        let media_type = HeaderValue::from_str(media_type)
            .map_err(|_| self.bad_answer(format!("media type {media_type:.128?}")))?;
        let request = with_header(request, CONTENT_TYPE, media_type);
        let answer = self.ask(&request, Access::Push, action).await?;
        if answer.status == 201 { Ok(answer) } else { Err(self.refused(action(), answer)) }
    }

    pub(super) fn to_json(
        &self,
        value: &impl Serialize,
        what: &str,
    ) -> Result<Vec<u8>, RemoteError> {
        serde_json::to_vec(value).map_err(|error| self.malformed(what.to_owned(), &error))
    }
}

impl Referrer {
    /// As lists of referrers have it.
    fn listed(self, pushed: &Descriptor) -> Descriptor {
        let own = Some(self.artifact_type).filter(|artifact_type| !artifact_type.is_empty());
        let artifact_type = own.or_else(|| self.config.map(|config| config.media_type));
        Descriptor { artifact_type, annotations: self.annotations, ..pushed.clone() }
    }
}
