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
type Flight = Arc<OnceCell<Answer>>;
type Flights = HashMap<Key, Flight>;

/// Answers by URL and request.
#[derive(Default)]
pub(super) struct Memory {
    kept: Mutex<Kept>,
    flights: Mutex<Flights>,
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
        let seat = Seat { flights: &self.flights, key, flight };
        // Where the one who asks is dropped, the next goes on.
        seat.flight.get_or_init(|| ask).await.clone()
    }
}

/// Somebody who waits for an answer, or gives up.
struct Seat<'a> {
    flights: &'a Mutex<Flights>,
    key: Key,
    flight: Flight,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut flights = lock(self.flights);
        let is_listed = flights.get(&self.key).is_some_and(|it| Arc::ptr_eq(it, &self.flight));
        // The list has one too, and the others have theirs.
        let is_last = Arc::strong_count(&self.flight) <= 2;
        if is_listed && (is_last || self.flight.initialized()) {
            flights.remove(&self.key);
        }
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

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    #[test]
    fn nobody_who_gives_up_leaves_a_trace() {
        let memory = Memory::default();
        let poll = |waiting: std::pin::Pin<&mut dyn Future<Output = Answer>>| {
            waiting.poll(&mut Context::from_waker(Waker::noop()))
        };
        {
            let mut first = pin!(memory.once("u", &[], std::future::pending()));
            let mut second = Box::pin(memory.once("u", &[], std::future::pending()));
            assert_eq!(poll(first.as_mut()), Poll::Pending);
            assert_eq!(poll(second.as_mut()), Poll::Pending);
            drop(second);
            assert_eq!(lock(&memory.flights).len(), 1);
        }
        assert_eq!(lock(&memory.flights).len(), 0);
        let third = pin!(memory.once("u", &[], async { Ok(vec![1]) }));
        assert_eq!(poll(third), Poll::Ready(Ok(vec![1])));
        assert_eq!(lock(&memory.flights).len(), 0);
    }

    #[test]
    fn the_oldest_answers_make_room() {
        let memory = Memory::default();
        let half = vec![0; limits::CACHE_MEMORY_BYTES / 2];
        for url in ["a", "b", "b", "c"] {
            memory.keep_crl(url, &half, None, UtcDateTime::UNIX_EPOCH);
        }
        assert!(
            memory.crl("a").is_none() && memory.crl("b").is_some() && memory.crl("c").is_some()
        );
        memory.keep_crl("d", &half, Some(&half), UtcDateTime::UNIX_EPOCH);
        assert!(memory.crl("c").is_none() && memory.crl("d").is_some());
    }
}
