//! Judging revocation: a CRL of 100,000 entries, and a strict verification whose answers are all at hand beside the
//! same without revocation.

#![expect(clippy::indexing_slicing, clippy::print_stdout, reason = "a bench prints its figures")]

#[expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the tests' own support, of which this takes a part"
)]
#[path = "../tests/support/mod.rs"]
mod support;

use std::{hint::black_box, time::Instant};

use notation_sdk::{
    Envelope, EnvelopeFormat, Payload, SignRequest, SignedAttributes,
    algorithm::{HashAlgorithm, KeySpec},
    oci::{Descriptor, Digest},
    pki::{CertificateTemplate, Extension},
    revocation::{
        Crl, CrlEvidence, Evidence, RevocationStatus, SigningTime,
        fetch::{FetchOptions, Fetcher, RevocationCache},
        judge_certificate, ocsp_request,
    },
    sign_envelope,
    testing::{TestPki, name, ready, set_extension, validity},
    trust::{OciPolicy, Statement, TrustAnchors},
    verify::{Artifact, Revocation, Verifier},
};
use support::{
    der::{distribution_point, extension, responders, sequence},
    revocation::{TestAnswer, TestCrl, TestOcsp, entry},
};
use time::{Duration, UtcDateTime, macros::utc_datetime};

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
const ENTRIES: u32 = 100_000;
const ROUNDS: usize = 51;
const CALLS: u32 = 20;
const CRL_URL: &str = "http://crl.test/root.crl";
const OCSP_URL: &str = "http://ocsp.test/";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
const AUTHORITY_INFORMATION: &str = "1.3.6.1.5.5.7.1.1";

fn main() {
    large_crl();
    warm_cache();
}

/// A leaf that names a responder, of an issuing CA that names a CRL; or the same without.
fn pki(names_sources: bool) -> TestPki {
    let mut leaf = CertificateTemplate::code_signing(name("leaf"), validity(NOW));
    if names_sources {
        let value = responders(&[OCSP_URL]);
        set_extension(&mut leaf, Extension::new(AUTHORITY_INFORMATION, false, &value));
    }
    let change = |issuing: &mut CertificateTemplate| {
        if names_sources {
            let value = sequence(&[distribution_point(&[CRL_URL], &[])]);
            set_extension(issuing, Extension::new(CRL_DISTRIBUTION_POINTS, false, &value));
        }
    };
    TestPki::with_templates(KeySpec::Ec256, NOW, change, leaf).expect("keys are made")
}

fn large_crl() {
    let pki = pki(true);
    let (issuing, root) = (&pki.chain.certificates()[1], pki.chain.root());
    let mut crl = TestCrl::new(root, NOW).number(1);
    let reason = extension("2.5.29.21", false, &[10, 1, 4]);
    for i in 0..ENTRIES {
        let serial = [&[0x41; 12][..], &i.to_be_bytes()].concat();
        let revoked_at = NOW - Duration::days(30);
        crl.entries.push(entry(&serial, revoked_at, std::slice::from_ref(&reason)));
    }
    let der = crl.sign(&pki.root_key);
    // Each is judged once: the second time, its signature would be known.
    let fresh = || {
        let mut evidence = Evidence::new();
        evidence.crls.push(CrlEvidence::new(CRL_URL, NOW, Ok(der.clone())));
        evidence
    };
    let judge = |evidence: &Evidence| {
        let judged = judge_certificate(issuing, root, evidence, NOW, SigningTime::Unknown);
        assert!(matches!(judged.status, RevocationStatus::Good { .. }), "{judged:?}");
    };
    let parse = || drop(black_box(Crl::parse(black_box(&der)).expect("it parses")));
    let first = fresh();
    let allocated = allocation_counter::measure(|| judge(&first)).bytes_max;
    let judged = (0..ROUNDS).map(|_| fresh());
    let judge = median(&mut judged.map(|one| time(&|| judge(&one), 1)).collect::<Vec<_>>());
    let parse = median(&mut (0..ROUNDS).map(|_| time(&parse, 1)).collect::<Vec<_>>());
    println!(
        "CRL of {ENTRIES} entries, {} KiB: parsed in {:.2} ms, parsed and judged in {:.2} ms, so judged in {:.2} ms \
         (target 5), with {allocated} bytes allocated at most",
        der.len() / 1024,
        parse / 1e6,
        judge / 1e6,
        (judge - parse) / 1e6
    );
}

/// Answers on disk, so that nobody is asked.
fn warm_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    let (with, without) = (pki(true), pki(false));
    let chain = with.chain.certificates();
    let (leaf, issuing, root) = (&chain[0], &chain[1], &chain[2]);
    let cache = RevocationCache::new(folder.path());
    cache.keep_crl(CRL_URL, &TestCrl::new(root, NOW).sign(&with.root_key), None);
    let answer = TestAnswer::good(leaf, issuing, NOW);
    let response = TestOcsp::new(issuing, NOW).answer(&answer).sign(&with.issuing_key);
    cache.keep_ocsp(OCSP_URL, &ocsp_request(leaf, issuing, None), &response);
    let mut options = FetchOptions::default();
    options.cache = Some(cache);
    let fetcher = Fetcher::new(options, || NOW);
    let (with, without) = (Scene::new(&with), Scene::new(&without));
    let (with, without) = (|| with.verify(&fetcher), || without.verify(&fetcher));
    let (mut kept, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        plain.push(time(&without, CALLS));
        kept.push(time(&with, CALLS));
    }
    let (kept, plain) = (median(&mut kept), median(&mut plain));
    println!(
        "strict verification with OCSP and CRL from a warm cache: {:.0} us, without revocation information: {:.0} us, \
         ratio {:.2} (target 2)",
        kept / 1e3,
        plain / 1e3,
        kept / plain
    );
}

/// A signature, and a strict policy that trusts its root.
struct Scene {
    envelope: Vec<u8>,
    artifact: Artifact,
    statement: Statement,
    anchors: TrustAnchors,
}

impl Scene {
    fn new(pki: &TestPki) -> Self {
        let digest = Digest::of(HashAlgorithm::Sha256, b"artifact");
        let artifact = Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest, 8);
        let payload = Payload::new(artifact.clone()).to_json();
        let request = SignRequest::new(EnvelopeFormat::Jws, &payload, SignedAttributes::new(NOW));
        let envelope = ready(sign_envelope(&pki.leaf_key, &pki.chain, &request)).expect("signed");
        let policy = serde_json::json!({"version": "1.0", "trustPolicies": [{
            "name": "bench", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:bench"], "trustedIdentities": ["*"],
        }]});
        let policy = OciPolicy::parse(policy.to_string().as_bytes()).expect("a policy").policy;
        let mut anchors = TrustAnchors::new();
        anchors.insert("ca:bench".parse().expect("a store"), pki.chain.root().clone());
        let statement = policy.statements[0].statement.clone();
        Self { envelope, artifact: Artifact::oci(&artifact), statement, anchors }
    }

    fn verify(&self, fetcher: &Fetcher) {
        let revocation = Revocation::Fetch(fetcher);
        let verifier = Verifier::new(&self.statement, &self.anchors, revocation, NOW);
        let mut evidence = Evidence::new();
        // An envelope that was verified knows that the links of its chain hold.
        let envelope = Envelope::parse(EnvelopeFormat::Jws, &self.envelope).expect("it parses");
        // What is at hand is not waited for.
        let accepted = ready(verifier.evaluate(&envelope, &self.artifact, &mut evidence));
        assert!(accepted.expect("accepted").signer().is_some());
    }
}

fn time(call: &dyn Fn(), calls: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
