//! The index at the referrers tag, as it is written: by several at the same time, none of whom can lock it
//! (distribution specification, "Referrers Tag Schema").
//!
//! Whoever has read the index before another writes it will write it without the other's entry. So an index is
//! read again when those who had read it must have written, and written again if the entry is gone. Where others were
//! seen to write, that goes on until they are quiet.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Access, RemoteError, RemoteRepository,
    referrers::{Tagged, at_tag, referrers_tag},
};
use crate::{
    crypto, limits,
    oci::{Descriptor, INDEX_MEDIA_TYPE, Index, Listed},
    registry::RepositoryErrorKind,
};

impl RemoteRepository {
    /// Adds an entry to the index of what refers to an artifact.
    pub(super) async fn list_by_tag(
        &self,
        subject: &Descriptor,
        entry: Descriptor,
    ) -> Result<(), RemoteError> {
        let tag = referrers_tag(&subject.digest);
        let holds = |index: &Index| {
            index.manifests.iter().any(|known| known.descriptor.digest == entry.digest)
        };
        let mut settle = limits::INDEX_SETTLE;
        let mut last: Option<Index> = None;
        let mut busy = None;
        for _ in 0..limits::INDEX_ROUNDS {
            let begun = Instant::now();
            let mut index = self.referrers_index(subject, &tag).await?;
            if holds(&index) && last.as_ref().is_none_or(|last| *last == index) {
                return Ok(());
            }
            if !holds(&index) {
                index.manifests.push(Listed::from(entry.clone()));
                busy = self.try_to_write(&index, &tag).await?;
            }
            last = Some(index);
            // Another writer takes as long from reading to writing as this one, or some time longer.
            let others = begun.elapsed().saturating_mul(3);
            sleep(randomly_longer(settle.max(others))).await;
            settle = settle.saturating_mul(2).min(limits::INDEX_SETTLE_MAX);
        }
        if holds(&self.referrers_index(subject, &tag).await?) {
            return Ok(());
        }
        let manifest = entry.digest;
        let overwritten = || RemoteError::Overwritten { repository: self.name(), tag, manifest };
        Err(busy.unwrap_or_else(overwritten))
    }

    async fn referrers_index(&self, subject: &Descriptor, tag: &str) -> Result<Index, RemoteError> {
        match self.tagged(subject, Access::Push).await? {
            Tagged::Nothing => Ok(Index::default()),
            Tagged::Index(bytes) => self.parse(&bytes, || at_tag(subject)),
            Tagged::Other(media_type) => {
                let (repository, tag) = (self.name(), tag.to_owned());
                Err(RemoteError::NotAnIndex { repository, tag, media_type })
            }
        }
    }

    /// Writes an index once: by a second try it would be out of date. Where the registry is busy, the error is
    /// kept, and the next round has another try.
    async fn try_to_write(
        &self,
        index: &Index,
        tag: &str,
    ) -> Result<Option<RemoteError>, RemoteError> {
        let bytes = self.to_json(index, "index of referrers")?;
        if bytes.len() > limits::MANIFEST_BYTES {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            return Err(RemoteError::TooLarge { what: "index of referrers".to_owned(), size });
        }
        match self.put_manifest(INDEX_MEDIA_TYPE, &bytes, tag, 1).await {
            Ok(_) => Ok(None),
            Err(error) if error.kind() == RepositoryErrorKind::Unavailable => Ok(Some(error)),
            Err(error) => Err(error),
        }
    }
}

/// Up to half as long again, so that those who collided do not do so each time.
fn randomly_longer(time: Duration) -> Duration {
    let random = f64::from(u32::from_le_bytes(crypto::random())) / f64::from(u32::MAX);
    time.mul_f64(1.0 + random / 2.0)
}
