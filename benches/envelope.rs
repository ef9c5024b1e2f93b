//! Envelopes in memory, beside the raw verifications that each must do: one of the envelope, one of each
//! certificate of a chain of three, the key parsed each time. Parsing with integrity, the whole of a strict
//! `evaluate`, and the refusal of a signature that was tampered with.
//!
//! The figures of both stand side by side, taken in turns; what counts is the difference.

#![expect(clippy::indexing_slicing, clippy::print_stdout, reason = "a bench prints its figures")]

use std::{hint::black_box, time::Instant};

use aws_lc_rs::signature as raw;
use notation_sdk::{
    Envelope, EnvelopeFormat, Payload, SignRequest, SignedAttributes,
    algorithm::{HashAlgorithm, KeySpec},
    oci::{Descriptor, Digest},
    revocation::Evidence,
    sign_envelope,
    testing::{TestPki, ready},
    trust::{OciPolicy, Statement, TrustAnchors},
    verify::{Accepted, Artifact, Rejected, evaluate},
};
use time::{UtcDateTime, macros::utc_datetime};
use x509_parser::prelude::{FromDer, X509Certificate};

const ROUNDS: usize = 61;
const CALLS: u32 = 40;
/// Nanoseconds over the raw verifications.
const INTEGRITY_TARGET: f64 = 15_000.0;
const EVALUATE_TARGET: f64 = 25_000.0;
const REFUSE_TARGET: f64 = 15_000.0;
const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);

type Algorithm = &'static dyn raw::VerificationAlgorithm;

struct RawCheck {
    algorithm: Algorithm,
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl RawCheck {
    fn run(&self) {
        let key = raw::UnparsedPublicKey::new(self.algorithm, &self.key);
        key.verify(&self.message, &self.signature).expect("the signature is good");
    }

    /// The same for a signature that is not.
    fn refuse(&self) {
        let mut signature = self.signature.clone();
        signature[3] ^= 1;
        let key = raw::UnparsedPublicKey::new(self.algorithm, &self.key);
        key.verify(&self.message, &signature).expect_err("the signature is not good");
    }
}

fn main() {
    println!(
        "{:<10} {:<5} {:<10} {:>12} {:>12} {:>12} {:>12}",
        "key", "", "", "raw ns", "ours ns", "over ns", "allocations"
    );
    for spec in KeySpec::ALL {
        let pki = TestPki::new(spec, NOW).expect("keys are made");
        for format in [EnvelopeFormat::Jws, EnvelopeFormat::Cose] {
            let envelope = sign(&pki, format);
            let checks = raw_checks(&pki, &envelope, format, spec);
            let all = || checks.iter().for_each(RawCheck::run);
            let row = |name, raw: &dyn Fn(), ours: &dyn Fn(), target| {
                report(
                    &format!("{:<10} {:<5} {name:<10}", spec.name(), format.name()),
                    raw,
                    ours,
                    target,
                );
            };
            let integrity = || {
                let parsed = Envelope::parse(format, black_box(&envelope)).expect("it parses");
                black_box(parsed.verify().expect("it verifies"));
            };
            row("integrity", &all, &integrity, INTEGRITY_TARGET);
            let policy = Policy::of(&pki);
            let strict = || drop(black_box(policy.evaluate(format, &envelope).expect("accepted")));
            row("evaluate", &all, &strict, EVALUATE_TARGET);
            let tampered = tampered(&envelope, format);
            let raw = || checks[0].refuse();
            let refuse =
                || drop(black_box(policy.evaluate(format, &tampered).expect_err("refused")));
            row("refuse", &raw, &refuse, REFUSE_TARGET);
        }
    }
}

fn report(name: &str, raw: &dyn Fn(), ours: &dyn Fn(), target: f64) {
    let allocations = allocation_counter::measure(ours).count_total;
    let (raw, ours) = side_by_side(raw, ours);
    let over = ours - raw;
    let verdict =
        if over <= target { String::new() } else { format!("  over the target of {target}") };
    println!("{name} {raw:>12.0} {ours:>12.0} {over:>12.0} {allocations:>12}{verdict}");
}

/// A strict policy that trusts the root.
struct Policy {
    artifact: Artifact,
    statement: Statement,
    anchors: TrustAnchors,
}

impl Policy {
    fn of(pki: &TestPki) -> Self {
        let policy = serde_json::json!({"version": "1.0", "trustPolicies": [{
            "name": "bench", "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"}, "trustStores": ["ca:bench"],
            "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Test, CN=leaf"],
        }]});
        let policy = OciPolicy::parse(policy.to_string().as_bytes()).expect("a policy").policy;
        let mut anchors = TrustAnchors::new();
        anchors.insert("ca:bench".parse().expect("a store"), pki.chain.root().clone());
        let statement = policy.statements[0].statement.clone();
        Self { artifact: Artifact::oci(&artifact()), statement, anchors }
    }

    fn evaluate(&self, format: EnvelopeFormat, envelope: &[u8]) -> Result<Accepted, Rejected> {
        let envelope = Envelope::parse(format, black_box(envelope)).expect("it parses");
        let evidence = Evidence::new();
        evaluate(&envelope, &self.artifact, &self.statement, &self.anchors, &evidence, NOW)
    }
}

/// Another signature of the same form, over the same bytes.
fn tampered(envelope: &[u8], format: EnvelopeFormat) -> Vec<u8> {
    let mut changed = envelope.to_vec();
    match format {
        EnvelopeFormat::Cose => *changed.last_mut().expect("bytes") ^= 1,
        _ => {
            let name = b"\"signature\":\"";
            let start = envelope.windows(name.len()).position(|w| w == name).expect("a signature");
            let byte = &mut changed[start + name.len() + 4];
            *byte = if *byte == b'A' { b'B' } else { b'A' };
        }
    }
    changed
}

fn artifact() -> Descriptor {
    let digest = Digest::of(HashAlgorithm::Sha256, b"artifact");
    Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest, 8)
}

fn sign(pki: &TestPki, format: EnvelopeFormat) -> Vec<u8> {
    let payload = Payload::new(artifact()).to_json();
    let attributes = SignedAttributes::new(NOW);
    let request = SignRequest::new(format, &payload, attributes);
    ready(sign_envelope(&pki.leaf_key, &pki.chain, &request)).expect("it is signed")
}

/// What a verifier cannot do without, taken apart beforehand.
fn raw_checks(
    pki: &TestPki,
    envelope: &[u8],
    format: EnvelopeFormat,
    spec: KeySpec,
) -> Vec<RawCheck> {
    let parsed: Vec<X509Certificate<'_>> = pki
        .chain
        .certificates()
        .iter()
        .map(|c| X509Certificate::from_der(c.as_der()).expect("a certificate").1)
        .collect();
    let key = |i: usize| parsed[i].public_key().subject_public_key.data.to_vec();
    let (in_envelope, in_certificate) = algorithms(spec);
    let content =
        Envelope::parse(format, envelope).expect("it parses").verify().expect("it verifies");
    let mut checks = vec![RawCheck {
        algorithm: in_envelope,
        key: key(0),
        message: signing_input(envelope, format),
        signature: content.signature().to_vec(),
    }];
    for (i, certificate) in parsed.iter().enumerate() {
        checks.push(RawCheck {
            algorithm: in_certificate,
            key: key((i + 1).min(2)),
            message: certificate.tbs_certificate.as_ref().to_vec(),
            signature: certificate.signature_value.data.to_vec(),
        });
    }
    checks
}

fn signing_input(envelope: &[u8], format: EnvelopeFormat) -> Vec<u8> {
    use coset::TaggedCborSerializable;
    match format {
        EnvelopeFormat::Cose => {
            coset::CoseSign1::from_tagged_slice(envelope).expect("it is COSE").tbs_data(&[])
        }
        _ => {
            let json: serde_json::Value = serde_json::from_slice(envelope).expect("it is JSON");
            let text = |name: &str| json[name].as_str().expect("a string").to_owned();
            format!("{}.{}", text("protected"), text("payload")).into_bytes()
        }
    }
}

fn algorithms(spec: KeySpec) -> (Algorithm, Algorithm) {
    match spec {
        KeySpec::Rsa2048 => (&raw::RSA_PSS_2048_8192_SHA256, &raw::RSA_PSS_2048_8192_SHA256),
        KeySpec::Rsa3072 => (&raw::RSA_PSS_2048_8192_SHA384, &raw::RSA_PSS_2048_8192_SHA384),
        KeySpec::Rsa4096 => (&raw::RSA_PSS_2048_8192_SHA512, &raw::RSA_PSS_2048_8192_SHA512),
        KeySpec::Ec256 => (&raw::ECDSA_P256_SHA256_FIXED, &raw::ECDSA_P256_SHA256_ASN1),
        KeySpec::Ec384 => (&raw::ECDSA_P384_SHA384_FIXED, &raw::ECDSA_P384_SHA384_ASN1),
        _ => (&raw::ECDSA_P521_SHA512_FIXED, &raw::ECDSA_P521_SHA512_ASN1),
    }
}

/// Medians of nanoseconds a call, the two taken in turns.
fn side_by_side(first: &dyn Fn(), second: &dyn Fn()) -> (f64, f64) {
    let time = |call: &dyn Fn()| {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    let (mut firsts, mut seconds): (Vec<f64>, Vec<f64>) =
        (0..ROUNDS).map(|_| (time(first), time(second))).unzip();
    (median(&mut firsts), median(&mut seconds))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
