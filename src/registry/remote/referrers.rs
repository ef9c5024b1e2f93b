//! What refers to an artifact: by the referrers API, or by the index at the referrers tag
//! (distribution specification, "Listing Referrers", "Referrers Tag Schema").

use std::{collections::BTreeSet, pin::pin};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::header::{ACCEPT, HeaderValue};
use tokio::time::{Instant, timeout};

use super::{
    Access, RemoteError, RemoteRepository,
    page::{OddEntry, Opened, Page},
    with_header,
};
use crate::{
    http::{HttpError, Method, Request},
    limits,
    oci::{
        Descriptor, Digest, EMPTY_MEDIA_TYPE, INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE,
        SIGNATURE_MEDIA_TYPE,
    },
    registry::{Content, Listing, RepositoryErrorKind, Unreadable},
};

const INDEX_TYPE: HeaderValue = HeaderValue::from_static(INDEX_MEDIA_TYPE);
const FILTERS_APPLIED: &str = "oci-filters-applied";
const NAME_UNKNOWN: &str = "NAME_UNKNOWN";

/// Types that registries give a manifest that has another one: those of its config, or none that means anything.
const EMPTY_TYPES: [&str; 5] = [
    "",
    EMPTY_MEDIA_TYPE,
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
];

/// What is listed, and may be a signature.
#[derive(Default)]
struct Referrers {
    /// Each once, in the registry's order.
    candidates: Vec<Candidate>,
    seen: BTreeSet<Digest>,
    listed: usize,
    bytes: usize,
    /// What may be a signature, and has a digest or a size that no manifest can have.
    odd: Vec<Unreadable>,
    /// Whether the registry has left out what is of another type.
    is_filtered: bool,
    /// Why another list could not be read, in which there may be more.
    unread: Option<RemoteError>,
}

struct Candidate {
    listed: Descriptor,
    /// Whether the manifest need not be read to be listed.
    says_enough: bool,
}

/// What the referrers API says.
enum ByApi {
    Lists(Referrers),
    /// There is none.
    Missing,
    /// Another host has refused, which may mean that there is none.
    RefusedElsewhere(RemoteError),
}

/// What a candidate is.
enum Found {
    Signature(Descriptor),
    /// No signature, or one of something else.
    Other,
    Unreadable(Unreadable),
}

/// What stands at a referrers tag.
pub(super) enum Tagged {
    Nothing,
    /// The bytes of an index.
    Index(Vec<u8>),
    /// Of that media type.
    Other(String),
}

impl RemoteRepository {
    /// The signature manifests of an artifact, and what cannot be read and may be one. A registry can make each page
    /// slow, and lead to another.
    pub(super) async fn list_in_time(&self, subject: &Descriptor) -> Result<Listing, RemoteError> {
        let after = self.registry.inner.listing;
        let slow = |_| {
            let (repository, subject) = (self.name(), subject.digest.clone());
            Err(RemoteError::Slow { repository, subject, after })
        };
        timeout(after, self.list_signatures(subject)).await.unwrap_or_else(slow)
    }

    async fn list_signatures(&self, subject: &Descriptor) -> Result<Listing, RemoteError> {
        let Referrers { candidates, unread, odd, .. } = self.referrers(subject).await?;
        let mut opened = 0;
        let mut flooded = false;
        let mut listing = Listing { signatures: Vec::new(), unreadable: odd };
        let mut looked_into = Vec::new();
        // Whoever may push can add as many as they like, and hides no signature with them.
        for candidate in candidates {
            opened += usize::from(!candidate.says_enough);
            if candidate.says_enough || opened <= limits::OPENED_REFERRERS {
                looked_into.push(self.look_into(subject, candidate));
            } else if says_signature(&candidate.listed) {
                listing.signatures.push(candidate.listed);
            } else if !flooded {
                // One stands for all of them.
                flooded = true;
                let error = self.too_many("referrers of no type", limits::OPENED_REFERRERS);
                listing.unreadable.push(Unreadable::new(&candidate.listed, error.into()));
            }
        }
        // In the registry's order, whichever is read first.
        let unopened = std::mem::take(&mut listing.signatures);
        let mut found = pin!(stream::iter(looked_into).buffered(limits::OPENED_AT_A_TIME));
        while let Some(found) = found.try_next().await? {
            match found {
                Found::Signature(listed) => listing.signatures.push(listed),
                Found::Other => {}
                Found::Unreadable(unreadable) => listing.unreadable.push(unreadable),
            }
        }
        listing.signatures.extend(unopened);
        // Where there are signatures, another list would only be one more.
        if listing.signatures.is_empty() {
            let unread = unread.map(|error| Unreadable { digest: None, error: error.into() });
            listing.unreadable.extend(unread);
        }
        Ok(listing)
    }

    async fn referrers(&self, subject: &Descriptor) -> Result<Referrers, RemoteError> {
        if self.is_without_api() {
            return self.by_tag(subject).await;
        }
        let mut found = match self.by_api(subject, true).await? {
            ByApi::Lists(found) => found,
            ByApi::Missing => return self.by_tag(subject).await,
            ByApi::RefusedElsewhere(error) => {
                return Ok(Referrers { unread: Some(error), ..self.by_tag(subject).await? });
            }
        };
        // A registry that gets types wrong filters by wrong ones, and may not say that it does.
        if found.candidates.is_empty() && (found.is_filtered || found.listed == 0) {
            found = match self.by_api(subject, false).await? {
                ByApi::Lists(found) => found,
                ByApi::Missing => Referrers::default(),
                ByApi::RefusedElsewhere(error) => return Err(error),
            };
        }
        if !found.candidates.is_empty() || !found.odd.is_empty() {
            return Ok(found);
        }
        // Written before the registry had the API, or behind a proxy that passes on nothing but manifests.
        match self.by_tag(subject).await {
            // Some registries take no such tag, and nobody knows what stands there.
            Err(error) if error.kind() == RepositoryErrorKind::Other => {
                Ok(Referrers { unread: Some(error), ..found })
            }
            tagged => tagged,
        }
    }

    /// Reads a manifest of which the registry does not say enough.
    async fn look_into(
        &self,
        subject: &Descriptor,
        candidate: Candidate,
    ) -> Result<Found, RemoteError> {
        let mut listed = candidate.listed;
        if candidate.says_enough {
            return Ok(Found::Signature(listed));
        }
        let read = self.pull(&listed, Content::Manifest).await;
        let what = || format!("manifest {}", listed.digest);
        match read.and_then(|bytes| self.parse::<Opened>(&bytes, what)) {
            Ok(manifest) => Ok(match manifest.signature_of(subject) {
                None => Found::Other,
                Some(annotations) => {
                    listed.artifact_type = Some(SIGNATURE_MEDIA_TYPE.to_owned());
                    listed.annotations = annotations;
                    Found::Signature(listed)
                }
            }),
            // The next ones would not be read either.
            Err(error) if error.ends_it() => Err(error),
            Err(error) => Ok(Found::Unreadable(Unreadable::new(&listed, error.into()))),
        }
    }

    /// Whether the referrers API lists a manifest. An answer that is none says that it does not.
    pub(super) async fn lists_by_api(&self, subject: &Descriptor, manifest: &Digest) -> bool {
        if self.is_without_api() {
            return false;
        }
        let listed = self.by_api(subject, false).await;
        matches!(listed, Ok(ByApi::Lists(referrers)) if referrers.seen.contains(manifest))
    }

    /// Asks the referrers API, page by page.
    async fn by_api(&self, subject: &Descriptor, filter: bool) -> Result<ByApi, RemoteError> {
        let mut url = self.url(["referrers", subject.digest.as_str()]);
        if filter {
            url.query_pairs_mut().append_pair("artifactType", SIGNATURE_MEDIA_TYPE);
        }
        let action = || format!("list what refers to {}", subject.digest);
        let http = |source| RemoteError::Http { repository: self.name(), action: action(), source };
        let mut referrers = Referrers::default();
        let mut seen = BTreeSet::new();
        for _ in 0..limits::REFERRERS_PAGES {
            let mut request = Request::new(Method::Get, &url, limits::REFERRERS_PAGE_BYTES);
            request.takes_refusals_elsewhere = true;
            let request = with_header(request, ACCEPT, INDEX_TYPE);
            let page = self.ask(&request, Access::Pull, action).await?;
            let is_elsewhere = page.url.origin() != self.registry.inner.session.server().origin();
            match page.status {
                200 if page.media_type().as_deref() == Some(INDEX_MEDIA_TYPE) => {}
                // This repository is not known, or not yet. The path may be.
                404 if seen.is_empty() && page.said.contains(NAME_UNKNOWN) => {
                    return Ok(ByApi::Missing);
                }
                // Quay's 400, and others' way to say that they do not know this path. Some give a web page.
                200 | 400 | 404 | 405 | 501 if seen.is_empty() => {
                    self.set_without_api(true);
                    return Ok(ByApi::Missing);
                }
                // GHCR redirects to its web site, which says anything, such as that there are too many requests.
                400..=499 if seen.is_empty() && is_elsewhere => {
                    return Ok(ByApi::RefusedElsewhere(self.refused(action(), page)));
                }
                _ => return Err(self.refused(action(), page)),
            }
            let filters = page.header(FILTERS_APPLIED).unwrap_or_default();
            referrers.is_filtered |=
                filters.split(',').any(|applied| applied.trim() == "artifactType");
            let listed: Page = self.parse(&page.body, || "list of referrers".to_owned())?;
            self.collect(&mut referrers, listed, page.body.len())?;
            let server = self.registry.inner.session.server();
            let Some(next) = page.next_page(server).map_err(http)? else {
                return Ok(ByApi::Lists(referrers));
            };
            seen.insert(url);
            if seen.contains(&next) {
                return Err(http(page.bad("a next page that it gave before")));
            }
            url = next;
        }
        Err(self.too_many("pages of referrers", limits::REFERRERS_PAGES))
    }

    /// Whether this repository was found to be without the referrers API a short time ago. Some servers are several
    /// registries, so that one repository tells nothing of another.
    pub(super) fn is_without_api(&self) -> bool {
        let without_api = self.registry.inner.without_api();
        let found = without_api.get(&self.path);
        found.is_some_and(|found| found.elapsed() < limits::NO_REFERRERS_API)
    }

    pub(super) fn set_without_api(&self, is_without: bool) {
        let mut without_api = self.registry.inner.without_api();
        without_api.retain(|_, found| found.elapsed() < limits::NO_REFERRERS_API);
        if is_without {
            without_api.insert(self.path.clone(), Instant::now());
        } else {
            without_api.remove(&self.path);
        }
    }

    /// Reads the index at the referrers tag. What is no index lists nothing.
    async fn by_tag(&self, subject: &Descriptor) -> Result<Referrers, RemoteError> {
        let mut referrers = Referrers::default();
        if let Tagged::Index(bytes) = self.tagged(subject, Access::Pull).await? {
            let index = self.parse(&bytes, || at_tag(subject))?;
            self.collect(&mut referrers, index, bytes.len())?;
        }
        Ok(referrers)
    }

    pub(super) async fn tagged(
        &self,
        subject: &Descriptor,
        access: Access<'_>,
    ) -> Result<Tagged, RemoteError> {
        let tag = referrers_tag(&subject.digest);
        let Ok(served) = self.served_manifest(&tag, None, access).await? else {
            return Ok(Tagged::Nothing);
        };
        // GitLab takes the tag for the digest that it is made from, and gives the artifact itself.
        if subject.digest.matches(&served.bytes) {
            return Ok(Tagged::Nothing);
        }
        if served.media_type != INDEX_MEDIA_TYPE {
            return Ok(Tagged::Other(served.media_type));
        }
        Ok(Tagged::Index(served.bytes))
    }

    fn collect(
        &self,
        referrers: &mut Referrers,
        page: Page,
        bytes: usize,
    ) -> Result<(), RemoteError> {
        referrers.listed += page.manifests.len();
        referrers.bytes += bytes;
        if referrers.bytes > limits::REFERRERS_BYTES {
            return Err(self.too_many("bytes of referrers", limits::REFERRERS_BYTES));
        }
        for entry in page.manifests {
            let (listed, is_annotated) = match entry.into_descriptor() {
                Ok(listed) => listed,
                Err(odd) => {
                    let is_told = referrers.odd.len() < limits::OPENED_REFERRERS;
                    if is_told && may_be_signature(&odd.media_type, odd.artifact_type.as_deref()) {
                        referrers.odd.push(self.unreadable(odd));
                    }
                    continue;
                }
            };
            let artifact_type = listed.artifact_type.as_deref();
            if may_be_signature(&listed.media_type, artifact_type)
                && referrers.seen.insert(listed.digest.clone())
            {
                let says_enough = says_signature(&listed) && is_annotated;
                referrers.candidates.push(Candidate { listed, says_enough });
            }
        }
        Ok(())
    }

    fn unreadable(&self, OddEntry { mut digest, size, .. }: OddEntry) -> Unreadable {
        digest.truncate(digest.floor_char_boundary(limits::ODD_DIGEST_CHARS));
        let what = format!("an entry of a list with digest {digest:?} and size {size}");
        Unreadable { digest: Some(digest), error: self.bad_answer(what).into() }
    }

    pub(super) fn too_many(&self, what: &'static str, limit: usize) -> RemoteError {
        RemoteError::TooMany { repository: self.name(), what, limit }
    }
}

impl RemoteError {
    /// Whether asking on would end the same way.
    fn ends_it(&self) -> bool {
        matches!(self.kind(), RepositoryErrorKind::Denied | RepositoryErrorKind::Unavailable)
    }

    /// Whether the registry, or its token service, refuses.
    pub(super) const fn is_denied(&self) -> bool {
        matches!(self, Self::Http { source: HttpError::Denied { .. }, .. })
    }
}

fn says_signature(listed: &Descriptor) -> bool {
    listed.artifact_type.as_deref() == Some(SIGNATURE_MEDIA_TYPE)
}

/// Whether a manifest is listed as a signature, or as nothing in particular.
fn may_be_signature(media_type: &str, artifact_type: Option<&str>) -> bool {
    let artifact_type = artifact_type.unwrap_or_default();
    media_type == MANIFEST_MEDIA_TYPE
        && (artifact_type == SIGNATURE_MEDIA_TYPE || EMPTY_TYPES.contains(&artifact_type))
}

/// What stands at that tag.
pub(super) fn at_tag(subject: &Descriptor) -> String {
    format!("index of referrers at tag {}", referrers_tag(&subject.digest))
}

/// The tag of the index of what refers to a digest.
pub(super) fn referrers_tag(digest: &Digest) -> String {
    let encoded: String = digest.hex().chars().take(64).collect();
    format!("{}-{encoded}", digest.algorithm().digest_prefix())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::HashAlgorithm;

    #[test]
    fn referrers_tags_have_at_most_64_digits() {
        for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha512] {
            let digest = Digest::of(hash, b"{}");
            let tag = referrers_tag(&digest);
            let (prefix, hex) = tag.split_once('-').unwrap();
            assert_eq!((prefix, hex.len()), (hash.digest_prefix(), 64));
            assert!(digest.hex().starts_with(hex));
        }
    }
}
