//! What is read: manifests and blobs, whose digests are checked before anybody sees a byte.

use reqwest::header::{ACCEPT, HeaderValue};
use serde::Deserialize;

use super::{Access, RemoteError, RemoteRepository, with_header};
use crate::{
    algorithm::HashAlgorithm,
    http::{Answer, Method, Request},
    limits,
    oci::{Descriptor, Digest, Reference},
    registry::Content,
};

/// What a manifest is asked for as. A registry that is not told may convert it, which changes its digest.
const MANIFEST_TYPES: HeaderValue = HeaderValue::from_static(
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json",
);
const CONTENT_DIGEST: &str = "docker-content-digest";
const CONTENT_LENGTH: &str = "content-length";

/// A manifest as it was served.
pub(super) struct Served {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) bytes: Vec<u8>,
}

impl RemoteRepository {
    /// The descriptor of a tag or a digest. The manifest is read only where the registry does not say what it is.
    pub(super) async fn resolve_manifest(
        &self,
        reference: &str,
    ) -> Result<Descriptor, RemoteError> {
        let digest = digest_of(reference)?;
        match self.head(reference, digest.as_ref()).await? {
            Some(described) => Ok(described),
            None => self.describe(reference, digest).await,
        }
    }

    /// The descriptor of a tag or a digest, by the manifest that is served for it, which has the digest that was asked for
    /// and the one that the registry tells.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn resolve_by_content(&self, reference: &str) -> Result<Descriptor, RemoteError> {
        self.describe(reference, digest_of(reference)?).await
    }

    async fn describe(
        &self,
        reference: &str,
        digest: Option<Digest>,
    ) -> Result<Descriptor, RemoteError> {
        let what = || format!("manifest {reference}");
        let served = self.served_manifest(reference, digest, Access::Pull).await?;
        let served = served.map_err(|answer| self.not_found(what(), answer))?;
        let size = u64::try_from(served.bytes.len()).unwrap_or(u64::MAX);
        Ok(Descriptor::new(served.media_type, served.digest, size))
    }

    /// The bytes that a descriptor promises.
    pub(super) async fn pull(
        &self,
        descriptor: &Descriptor,
        content: Content,
    ) -> Result<Vec<u8>, RemoteError> {
        let (digest, expected) = (&descriptor.digest, descriptor.size);
        let (kind, folder) = match content {
            Content::Manifest => ("manifest", "manifests"),
            Content::Blob => ("blob", "blobs"),
        };
        let what = || format!("{kind} {digest}");
        let limit = usize::try_from(expected).ok().filter(|size| *size <= limits::MANIFEST_BYTES);
        let limit = limit.ok_or_else(|| RemoteError::TooLarge { what: what(), size: expected })?;
        let url = self.url([folder, digest.as_str()]);
        let mut request = Request::new(Method::Get, &url, limit);
        if content == Content::Manifest {
            request = with_header(request, ACCEPT, MANIFEST_TYPES);
        }
        let action = || format!("give {}", what());
        let answer = self.ask(&request, Access::Pull, action).await?;
        let bytes = match answer.status {
            200 => answer.body,
            404 => return Err(self.not_found(what(), answer)),
            _ => return Err(self.refused(action(), answer)),
        };
        if bytes.len() != limit {
            let (repository, digest) = (self.name(), digest.clone());
            return Err(RemoteError::WrongSize {
                repository,
                digest,
                expected,
                actual: bytes.len(),
            });
        }
        self.check_digest(digest, &bytes)?;
        Ok(bytes)
    }

    /// Reads a manifest and finds out what it is; the answer where there is none. `digest` is what it has to have.
    pub(super) async fn served_manifest(
        &self,
        reference: &str,
        digest: Option<Digest>,
        access: Access<'_>,
    ) -> Result<Result<Served, Answer>, RemoteError> {
        let url = self.url(["manifests", reference]);
        let request = Request::new(Method::Get, &url, limits::MANIFEST_BYTES);
        let request = with_header(request, ACCEPT, MANIFEST_TYPES);
        let action = || format!("give manifest {reference}");
        let answer = self.ask(&request, access, action).await?;
        match answer.status {
            200 => {}
            404 => return Ok(Err(answer)),
            _ => return Err(self.refused(action(), answer)),
        }
        // What the registry calls the bytes has to be true as well.
        let named: Option<Digest> = answer.header(CONTENT_DIGEST).and_then(|d| d.parse().ok());
        for digest in digest.iter().chain(&named) {
            self.check_digest(digest, &answer.body)?;
        }
        let media_type = self.media_type_of(&answer, reference)?;
        let bytes = answer.body;
        let digest = digest.or(named).unwrap_or_else(|| Digest::of(HashAlgorithm::Sha256, &bytes));
        Ok(Ok(Served { media_type, digest, bytes }))
    }

    /// Whether a blob is there already.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, RemoteError> {
        let url = self.url(["blobs", digest.as_str()]);
        let request = Request::new(Method::Head, &url, 0);
        let action = || format!("tell of blob {digest}");
        Ok(self.ask(&request, Access::Push, action).await?.status == 200)
    }

    /// A manifest by what a registry tells of it; `None` where it does not tell enough.
    async fn head(
        &self,
        reference: &str,
        digest: Option<&Digest>,
    ) -> Result<Option<Descriptor>, RemoteError> {
        let url = self.url(["manifests", reference]);
        let request = with_header(Request::new(Method::Head, &url, 0), ACCEPT, MANIFEST_TYPES);
        let asked = self.ask(&request, Access::Pull, || format!("tell of {reference}")).await;
        let answer = match asked {
            Ok(answer) if answer.status == 200 => answer,
            // Without a body, nobody knows why. The manifest itself is asked for, and comes with the reason.
            Ok(_) => return Ok(None),
            Err(error) if error.is_denied() => return Ok(None),
            Err(error) => return Err(error),
        };
        let named = answer.header(CONTENT_DIGEST).and_then(|named| named.parse::<Digest>().ok());
        let named = named.filter(|named| digest.is_none_or(|digest| digest == named));
        let size = answer.header(CONTENT_LENGTH).and_then(|size| size.parse::<u64>().ok());
        let media_type = answer.media_type().filter(|media_type| is_media_type(media_type));
        Ok(match (media_type, named, size) {
            (Some(media_type), Some(digest), Some(size)) => {
                Some(Descriptor::new(media_type, digest, size))
            }
            _ => None,
        })
    }

    /// What a manifest is, by the header and by itself, which have to agree where both tell.
    fn media_type_of(&self, answer: &Answer, reference: &str) -> Result<String, RemoteError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Own {
            media_type: Option<String>,
        }
        let own = self.parse::<Own>(&answer.body, || format!("manifest {reference}"))?.media_type;
        let own = own.map(|own| own.to_ascii_lowercase());
        let told = answer.media_type();
        match (told, own) {
            (Some(told), Some(own)) if told != own => {
                let what =
                    format!("a manifest that is {own:.128?}, and said that it is {told:.128?}");
                Err(self.bad_answer(what))
            }
            (Some(known), _) | (None, Some(known)) if is_media_type(&known) => Ok(known),
            _ => Err(self.bad_answer("a manifest of no media type")),
        }
    }

    /// Reads JSON of an answer.
    pub(super) fn parse<'de, T: Deserialize<'de>>(
        &self,
        bytes: &'de [u8],
        what: impl FnOnce() -> String,
    ) -> Result<T, RemoteError> {
        serde_json::from_slice(bytes).map_err(|error| self.malformed(what(), &error))
    }

    pub(super) fn malformed(&self, what: String, error: &serde_json::Error) -> RemoteError {
        let (line, column) = (error.line(), error.column());
        RemoteError::Malformed { repository: self.name(), what, line, column }
    }

    fn check_digest(&self, digest: &Digest, bytes: &[u8]) -> Result<(), RemoteError> {
        if digest.matches(bytes) {
            return Ok(());
        }
        Err(RemoteError::WrongDigest { repository: self.name(), expected: digest.clone() })
    }

    pub(super) fn not_found(&self, what: String, answer: Answer) -> RemoteError {
        RemoteError::NotFound { repository: self.name(), what, reason: answer.said }
    }

    /// An error for a status that does not belong there.
    pub(super) fn refused(&self, action: String, answer: Answer) -> RemoteError {
        RemoteError::Http { repository: self.name(), action, source: answer.into_status() }
    }

    pub(super) fn bad_answer(&self, what: impl Into<String>) -> RemoteError {
        RemoteError::BadAnswer { repository: self.name(), what: what.into() }
    }
}

/// The digest that a reference is, if it is no tag.
fn digest_of(reference: &str) -> Result<Option<Digest>, RemoteError> {
    match reference.parse() {
        Ok(digest) => Ok(Some(digest)),
        Err(_) if Reference::is_tag(reference) => Ok(None),
        Err(_) => Err(RemoteError::BadReference(reference.to_owned())),
    }
}

/// `type/subtype` (RFC 6838, section 4.2), of any type.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        (1..=limits::MEDIA_TYPE_NAME_BYTES).contains(&name.len()) && name.bytes().all(fits)
    };
    text.split_once('/').is_some_and(|(main, sub)| is_name(main) && is_name(sub))
}
