//! Asking about revocation: the edge that collects the evidence which judging reads.
//!
//! What is missing is what judging says that it has not seen. OCSP comes first, then CRLs; the URLs of one
//! certificate are asked one after the other, the certificates of a chain at the same time. An answer that was
//! kept counts as long as judging can rely on it, and else is fetched again.

mod address;
mod cache;
mod http;
mod memory;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use time::UtcDateTime;

pub use address::{AddressError, AddressRules};
pub use cache::{CachedCrl, RevocationCache};
use http::{Http, Question};
use memory::Memory;

use super::{
    Attempt, AttemptError, CertificateRevocation, Crl, CrlEvidence, Evidence, FetchFailure,
    FetchFailureKind, Method, OcspError, OcspEvidence, RevocationSource, RevocationStatus,
    SigningTime, judge_certificate, ocsp_request, outcome::is_http,
};
use crate::{
    limits,
    x509::{Certificate, CertificateChain},
};

/// How revocation is asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchOptions {
    /// The time for one OCSP response; the specification's default is 2 s.
    pub ocsp_timeout: Duration,
    /// The time for one CRL; the specification's default is 5 s.
    pub crl_timeout: Duration,
    /// The time for all asking about one artifact, after which nobody is asked any more: whoever signs chooses whom
    /// to ask. What was asked last still has its own time, and each signature has `ocsp_timeout` and `crl_timeout`
    /// whatever those before it took ([`Evidence::next_signature`]). It is kept in the [`Evidence`] that is handed on
    /// from chain to chain.
    pub artifact_timeout: Duration,
    /// Which addresses may be asked.
    pub addresses: AddressRules,
    /// Where answers are kept between processes; nowhere where it is left out.
    pub cache: Option<RevocationCache>,
    /// How requests name their sender.
    pub user_agent: String,
}

/// Asks responders and distribution points over HTTP, by the proxies that the environment names. Meant to be
/// kept: answers stay in memory too, and whoever asks for the same at the same time gets the same answer.
pub struct Fetcher {
    http: Http,
    options: FetchOptions,
    /// Says when an answer came.
    clock: fn() -> UtcDateTime,
    memory: Memory,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            ocsp_timeout: limits::OCSP_TIMEOUT,
            crl_timeout: limits::CRL_TIMEOUT,
            artifact_timeout: limits::CRL_TIMEOUT * limits::REVOCATION_TIMEOUTS,
            addresses: AddressRules::default(),
            cache: None,
            user_agent: concat!("notation-sdk/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl Fetcher {
    /// A fetcher. Nothing is asked yet.
    #[must_use]
    pub fn new(options: FetchOptions, clock: fn() -> UtcDateTime) -> Self {
        let http = Http::new(options.addresses.clone(), &options.user_agent);
        Self { http, options, clock, memory: Memory::default() }
    }

    /// What is known of a certificate that `issuer` has issued, but for files, and what can be found out.
    async fn collect_one(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        known: &Evidence,
        at: UtcDateTime,
        begun: Instant,
    ) -> Evidence {
        let case = Case { certificate, issuer, at };
        let mut evidence = known.clone();
        // A file stands in for what nobody gives, which shows when all were asked.
        evidence.crls.retain(|crl| !crl.is_file);
        let mut fetched = Vec::new();
        let mut judged = case.judge(&evidence);
        for _ in 0..limits::REVOCATION_ROUNDS {
            let Some(wanted) = case.wanted(&judged, &evidence) else { break };
            if let Some(anew) = self.with_kept(&case, &wanted, &mut evidence) {
                judged = anew;
                continue;
            }
            if self.has_time(known, begun.elapsed()) {
                self.fetch(&case, &wanted, &mut evidence).await;
            } else {
                self.give_up(&case, &wanted, &mut evidence);
            }
            judged = case.judge(&evidence);
            fetched.push(wanted);
        }
        fetched.retain(|wanted| relies_on(&judged, &wanted.url));
        self.keep(&case, &fetched, &evidence, &judged);
        evidence
    }

    fn has_time(&self, known: &Evidence, more: Duration) -> bool {
        let FetchOptions { ocsp_timeout, crl_timeout, artifact_timeout, .. } = &self.options;
        known.asking + more < *artifact_timeout
            || known.asking_now + more < ocsp_timeout.saturating_add(*crl_timeout)
    }

    /// What judging makes of the evidence with an answer that was kept; `None` where there is none that it can rely
    /// on. Another process may have kept a newer one on disk than this one has in memory.
    fn with_kept(
        &self,
        case: &Case<'_>,
        wanted: &Wanted,
        evidence: &mut Evidence,
    ) -> Option<CertificateRevocation> {
        let places = [Place::Memory, Place::Disk].into_iter();
        places.filter_map(|place| self.kept(case, wanted, place)).find_map(|kept| {
            let (crls, ocsp) = (evidence.crls.len(), evidence.ocsp.len());
            let judged = case.judge_with(wanted, kept, evidence);
            if judged.is_none() {
                evidence.crls.truncate(crls);
                evidence.ocsp.truncate(ocsp);
            }
            judged
        })
    }

    fn kept(&self, case: &Case<'_>, wanted: &Wanted, place: Place) -> Option<CachedCrl> {
        let (url, cache) = (wanted.url.as_str(), self.options.cache.as_ref());
        match (wanted.method, place) {
            // A delta CRL comes and goes with the CRL that it belongs to.
            (Method::DeltaCrl, _) => None,
            (Method::Crl, Place::Memory) => self.memory.crl(url),
            (Method::Crl, Place::Disk) => cache?.crl(url),
            (Method::Ocsp, _) => {
                let request = ocsp_request(case.certificate, case.issuer, None);
                let (base, fetched_at) = match place {
                    Place::Memory => self.memory.ocsp(url, &request)?,
                    Place::Disk => cache?.ocsp(url, &request)?,
                };
                Some(CachedCrl { base, delta: None, fetched_at })
            }
        }
    }

    async fn fetch(&self, case: &Case<'_>, wanted: &Wanted, evidence: &mut Evidence) {
        let url = wanted.url.as_str();
        if wanted.method == Method::Ocsp {
            let request = ocsp_request(case.certificate, case.issuer, None);
            let limit = limits::OCSP_RESPONSE_BYTES;
            let asked =
                self.http.ask(url, Question::Ocsp(&request), limit, self.options.ocsp_timeout);
            let answer = self.memory.once(url, &request, asked).await;
            evidence.ocsp.push(case.ocsp_evidence(url, (self.clock)(), answer));
        } else {
            let limit = limits::CRL_BYTES;
            let asked = self.http.ask(url, Question::Get, limit, self.options.crl_timeout);
            let answer = self.memory.once(url, &[], asked).await;
            // Of what is no CRL, little is kept: there may be a great deal of it.
            let answer = answer.and_then(|bytes| match Crl::parse(&bytes) {
                Err(error) if bytes.len() > limits::UNREADABLE_BYTES => {
                    Err(FetchFailure::new(FetchFailureKind::Unreadable, error.to_string()))
                }
                _ => Ok(bytes),
            });
            evidence.crls.push(CrlEvidence::new(url, (self.clock)(), answer));
        }
    }

    fn give_up(&self, case: &Case<'_>, wanted: &Wanted, evidence: &mut Evidence) {
        let spent = self.options.artifact_timeout;
        let message = format!("not asked any more, after {spent:?} of asking for one artifact");
        let answer = Err(FetchFailure::new(FetchFailureKind::Timeout, message));
        let (url, now) = (wanted.url.as_str(), (self.clock)());
        match wanted.method {
            Method::Ocsp => evidence.ocsp.push(case.ocsp_evidence(url, now, answer)),
            _ => evidence.crls.push(CrlEvidence::new(url, now, answer)),
        }
    }

    /// Keeps what was fetched and turned out to be of use.
    fn keep(
        &self,
        case: &Case<'_>,
        fetched: &[Wanted],
        evidence: &Evidence,
        judged: &CertificateRevocation,
    ) {
        for wanted in fetched {
            match wanted.method {
                Method::Ocsp => self.keep_ocsp(case, &wanted.url, evidence),
                Method::Crl => self.keep_crl(&wanted.url, evidence, judged),
                Method::DeltaCrl => {}
            }
        }
    }

    fn keep_ocsp(&self, case: &Case<'_>, url: &str, evidence: &Evidence) {
        let fingerprint = case.certificate.fingerprint();
        let is_it = |one: &&OcspEvidence| one.url == url && one.certificate == fingerprint;
        let Some(found) = evidence.ocsp.iter().rev().find(is_it) else { return };
        let Ok(response) = &found.answer else { return };
        let request = ocsp_request(case.certificate, case.issuer, None);
        self.memory.keep_ocsp(url, &request, response.as_bytes(), found.fetched_at);
        if let Some(cache) = &self.options.cache {
            cache.keep_ocsp(url, &request, response.as_bytes());
        }
    }

    fn keep_crl(&self, url: &str, evidence: &Evidence, judged: &CertificateRevocation) {
        let answer = |url: &str| {
            let found = evidence.crls.iter().rev().find(|one| one.url == url)?;
            Some((found.answer.as_ref().ok()?.as_bytes(), found.fetched_at))
        };
        let Some((base, fetched_at)) = answer(url) else { return };
        let deltas = delta_urls(base);
        let delta = deltas.iter().filter(|url| relies_on(judged, url)).find_map(|url| answer(url));
        let delta = delta.map(|(delta, _)| delta);
        if deltas.is_empty() || delta.is_some() {
            self.memory.keep_crl(url, base, delta, fetched_at);
            if let Some(cache) = &self.options.cache {
                cache.keep_crl(url, base, delta);
            }
        }
    }
}

impl RevocationSource for Fetcher {
    fn collect<'a>(
        &'a self,
        chain: &'a CertificateChain,
        evidence: &'a mut Evidence,
        at: UtcDateTime,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let certificates = chain.certificates();
            let pairs = certificates.iter().zip(certificates.iter().skip(1));
            let (known, begun) = (&*evidence, Instant::now());
            let asked = pairs.map(|(one, issuer)| self.collect_one(one, issuer, known, at, begun));
            let found = join_all(asked).await;
            let before = (evidence.crls.len(), evidence.ocsp.len());
            found.into_iter().for_each(|found| evidence.merge(found));
            if before != (evidence.crls.len(), evidence.ocsp.len()) {
                let took = begun.elapsed();
                evidence.asking += took;
                evidence.asking_now += took;
            }
        })
    }
}

/// A certificate that is asked about.
struct Case<'a> {
    certificate: &'a Certificate,
    issuer: &'a Certificate,
    at: UtcDateTime,
}

/// What judging misses.
struct Wanted {
    method: Method,
    url: String,
}

/// Where answers are kept.
#[derive(Clone, Copy)]
enum Place {
    Memory,
    Disk,
}

impl Case<'_> {
    /// What to ask next; nothing where the status is known, or everybody was asked.
    ///
    /// A CRL that says nothing of the certificate does not end it as long as a responder was not asked: the CRL may be
    /// there for another certificate of the same issuer, and be older than what the responder knows.
    fn wanted(&self, judged: &CertificateRevocation, evidence: &Evidence) -> Option<Wanted> {
        match &judged.status {
            RevocationStatus::Unknown { attempts } => first_unasked(attempts),
            RevocationStatus::Good { sources, .. }
                if sources.iter().all(|source| source.method != Method::Ocsp) =>
            {
                self.unasked_responder(evidence)
            }
            _ => None,
        }
    }

    fn unasked_responder(&self, evidence: &Evidence) -> Option<Wanted> {
        let fingerprint = self.certificate.fingerprint();
        let was_asked = |url: &String| {
            evidence.ocsp.iter().any(|one| one.url == *url && one.certificate == fingerprint)
        };
        let urls = self.certificate.ocsp_urls().unwrap_or_default().into_iter();
        let mut unasked = urls.filter(|url| is_http(url) && !was_asked(url));
        Some(Wanted { method: Method::Ocsp, url: unasked.next()? })
    }

    fn judge(&self, evidence: &Evidence) -> CertificateRevocation {
        let Self { certificate, issuer, at } = *self;
        judge_certificate(certificate, issuer, evidence, at, SigningTime::Unknown)
    }

    /// Adds what was kept, and judges by it; `None` where judging cannot rely on all of it.
    fn judge_with(
        &self,
        wanted: &Wanted,
        kept: CachedCrl,
        evidence: &mut Evidence,
    ) -> Option<CertificateRevocation> {
        let CachedCrl { base, delta, fetched_at } = kept;
        let url = wanted.url.as_str();
        if wanted.method == Method::Ocsp {
            evidence.ocsp.push(self.ocsp_evidence(url, fetched_at, Ok(base)));
            return Some(self.judge(evidence)).filter(|judged| relies_on(judged, url));
        }
        let Some(delta) = delta else {
            evidence.crls.push(CrlEvidence::new(url, fetched_at, Ok(base.clone())));
            let judged = self.judge(evidence);
            // One that names a delta CRL and waits for it may be as old as the day on which it was fetched.
            let is_alone = waits_for_delta(&judged) && !delta_urls(&base).is_empty();
            return (relies_on(&judged, url) && !is_alone).then_some(judged);
        };
        // Of several places, nobody can tell which one the delta CRL is from.
        let named = delta_urls(&base);
        let mut places = named.iter().filter(|url| is_http(url));
        let (Some(place), None) = (places.next(), places.next()) else { return None };
        evidence.crls.push(CrlEvidence::new(place, fetched_at, Ok(delta)));
        evidence.crls.push(CrlEvidence::new(url, fetched_at, Ok(base)));
        let judged = self.judge(evidence);
        (relies_on(&judged, url) && relies_on(&judged, place)).then_some(judged)
    }

    fn ocsp_evidence(
        &self,
        url: &str,
        fetched_at: UtcDateTime,
        answer: Result<Vec<u8>, FetchFailure>,
    ) -> OcspEvidence {
        OcspEvidence::new(url, fetched_at, self.certificate.fingerprint(), answer)
    }
}

/// Whether judging makes something of an answer: it is none of those that count for nothing.
fn relies_on(judged: &CertificateRevocation, url: &str) -> bool {
    match &judged.status {
        RevocationStatus::Unknown { attempts } => !is_rejected(attempts, url),
        _ => !is_rejected(&judged.passed_over, url),
    }
}

fn waits_for_delta(judged: &CertificateRevocation) -> bool {
    let RevocationStatus::Unknown { attempts } = &judged.status else { return false };
    attempts.iter().any(|attempt| match &attempt.why {
        AttemptError::Ocsp(OcspError::ResponderUnchecked { attempts, .. }) => {
            attempts.iter().any(|attempt| attempt.method == Method::DeltaCrl)
        }
        _ => attempt.method == Method::DeltaCrl,
    })
}

/// The first source that nobody has asked, also one that another answer depends on.
fn first_unasked(attempts: &[Attempt]) -> Option<Wanted> {
    attempts.iter().find_map(|attempt| match (&attempt.why, &attempt.url) {
        (AttemptError::NotAsked, Some(url)) => {
            Some(Wanted { method: attempt.method, url: url.clone() })
        }
        (AttemptError::Ocsp(OcspError::ResponderUnchecked { attempts, .. }), _) => {
            first_unasked(attempts)
        }
        _ => None,
    })
}

/// Whether an answer was read and counts for nothing. One that waits for another is not.
fn is_rejected(attempts: &[Attempt], url: &str) -> bool {
    attempts.iter().any(|attempt| match &attempt.why {
        AttemptError::NotAsked => false,
        AttemptError::Ocsp(OcspError::ResponderUnchecked { attempts, .. }) => {
            is_rejected(attempts, url)
        }
        _ => attempt.url.as_deref() == Some(url),
    })
}

/// Where the delta CRL of a CRL is.
fn delta_urls(crl: &[u8]) -> Vec<String> {
    let points = Crl::parse(crl).ok().and_then(|crl| crl.freshest_crl().ok()).unwrap_or_default();
    points.iter().flat_map(|point| point.uris().iter().cloned()).collect()
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("options", &self.options).finish_non_exhaustive()
    }
}
