//! Answers in memory: kept for the next who asks, and given once to all who ask at the same time.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use time::UtcDateTime;
use tokio::sync::OnceCell;

use super::CachedCrl;
use crate::{limits, revocation::FetchFailure};

type Key = (String, Vec<u8>);
type Answer = Result<Vec<u8>, FetchFailure>;

/// Answers by URL and request.
#[derive(Default)]
pub(super) struct Memory {
    kept: Mutex<Kept>,
    flights: Mutex<HashMap<Key, Arc<OnceCell<Answer>>>>,
}

#[derive(Default)]
struct Kept {
    answers: HashMap<Key, CachedCrl>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
}

impl Memory {
    pub(super) fn crl(&self, url: &str) -> Option<CachedCrl> {
        lock(&self.kept).answers.get(&(url.to_owned(), Vec::new())).cloned()
    }

    pub(super) fn ocsp(&self, url: &str, request: &[u8]) -> Option<(Vec<u8>, UtcDateTime)> {
        let kept = lock(&self.kept);
        let found = kept.answers.get(&(url.to_owned(), request.to_vec()))?;
        Some((found.base.clone(), found.fetched_at))
    }

    pub(super) fn keep_crl(
        &self,
        url: &str,
        base: &[u8],
        delta: Option<&[u8]>,
        fetched_at: UtcDateTime,
    ) {
        let (base, delta) = (base.to_vec(), delta.map(<[u8]>::to_vec));
        let key = (url.to_owned(), Vec::new());
        lock(&self.kept).keep(key, CachedCrl { base, delta, fetched_at });
    }

    pub(super) fn keep_ocsp(
        &self,
        url: &str,
        request: &[u8],
        response: &[u8],
        fetched_at: UtcDateTime,
    ) {
        let answer = CachedCrl { base: response.to_vec(), delta: None, fetched_at };
        lock(&self.kept).keep((url.to_owned(), request.to_vec()), answer);
    }

    /// Asks, unless somebody is asking the same already, and then waits for that answer.
    pub(super) async fn once(
        &self,
        url: &str,
        request: &[u8],
        ask: impl Future<Output = Answer>,
    ) -> Answer {
        let key = (url.to_owned(), request.to_vec());
        let flight = Arc::clone(lock(&self.flights).entry(key.clone()).or_default());
        // Where the one who asks is dropped, the next goes on.
        let answer = flight.get_or_init(|| ask).await.clone();
        lock(&self.flights).remove(&key);
        answer
    }
}

impl Kept {
    fn keep(&mut self, key: Key, answer: CachedCrl) {
        let size = |answer: &CachedCrl| {
            answer.base.len().saturating_add(answer.delta.as_ref().map_or(0, Vec::len))
        };
        self.bytes = self.bytes.saturating_add(size(&answer));
        match self.answers.insert(key.clone(), answer) {
            Some(before) => self.bytes = self.bytes.saturating_sub(size(&before)),
            None => self.order.push_back(key),
        }
        while self.bytes > limits::CACHE_MEMORY_BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some(gone) = self.answers.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(size(&gone));
            }
        }
    }
}

/// Nothing that holds a lock here can leave the state half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
