//! Asking about revocation over HTTP: what is asked, in which order, and what becomes of every fault.

mod cache;
mod faults;
mod order;
mod stand_in;

use std::time::Duration;

use notation_sdk::revocation::{
    Attempt, CertificateRevocation, Evidence, RevocationSource as _, RevocationStatus, SigningTime,
    fetch::{FetchOptions, Fetcher},
    judge,
};
use time::UtcDateTime;

use crate::support::fake_ca::FakeCa;

/// Long enough for any machine.
const PATIENT: Duration = Duration::from_secs(30);

/// Options that wait for `timeout` and keep nothing on disk.
fn within(timeout: Duration) -> FetchOptions {
    let mut options = FetchOptions::default();
    (options.ocsp_timeout, options.crl_timeout) = (timeout, timeout);
    options
}

fn fetcher(options: FetchOptions) -> Fetcher {
    Fetcher::new(options, UtcDateTime::now)
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// The verdicts on a chain of which nothing was known before, leaf first.
fn judged(fetcher: &Fetcher, ca: &FakeCa) -> Vec<CertificateRevocation> {
    let mut evidence = Evidence::new();
    block_on(fetcher.collect(&ca.pki.chain, &mut evidence, ca.at));
    judge(&ca.pki.chain, &evidence, ca.at, SigningTime::Unknown)
}

/// The verdict on the leaf.
fn leaf(fetcher: &Fetcher, ca: &FakeCa) -> CertificateRevocation {
    judged(fetcher, ca).remove(0)
}

/// The verdict of a patient fetcher that has asked nobody before.
fn fresh(ca: &FakeCa) -> CertificateRevocation {
    leaf(&fetcher(within(PATIENT)), ca)
}

/// The sources of a good verdict, as paths of the CA's server.
#[track_caller]
fn sources(ca: &FakeCa, judged: &CertificateRevocation) -> Vec<String> {
    let RevocationStatus::Good { sources, .. } = &judged.status else { panic!("{judged:#?}") };
    sources.iter().map(|source| source.url.replace(&ca.url(""), "")).collect()
}

/// Everything that was tried, where nobody can tell.
#[track_caller]
fn unknown(judged: &CertificateRevocation) -> Vec<String> {
    let RevocationStatus::Unknown { attempts } = &judged.status else { panic!("{judged:#?}") };
    told(attempts)
}

/// Attempts as the command line shows them.
fn told(attempts: &[Attempt]) -> Vec<String> {
    attempts.iter().map(|attempt| format!("{attempt}: {}", attempt.reason())).collect()
}
