//! The verdict on each certificate of a chain: OCSP first, then CRLs (trust-store-trust-policy.md,
//! "Certificate Revocation Evaluation"). Before both, a file that revokes the certificate.

use time::UtcDateTime;

use super::{
    Attempt, AttemptError, CertificateRevocation, Evidence, NotApplicable, RevocationStatus,
    lists::Lists,
    responder::{Responses, Unreadable},
};
use crate::x509::{Certificate, CertificateChain};

/// What is known of when the signature was made. A certificate whose key was good until later passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningTime {
    /// Nothing: a certificate that is listed is revoked.
    Unknown,
    /// The Authentic Signing Time of signing scheme `notary.x509.signingAuthority`.
    Authentic(UtcDateTime),
    /// A timestamp that was verified in this same verification. It counts for CRLs alone.
    Timestamped {
        /// The upper end of its range.
        latest: UtcDateTime,
    },
}

/// Judges each certificate of a chain that was verified, leaf first. The root is not asked about.
#[must_use]
pub fn judge(
    chain: &CertificateChain,
    evidence: &Evidence,
    at: UtcDateTime,
    signing_time: SigningTime,
) -> Vec<CertificateRevocation> {
    let certificates = chain.certificates();
    let pairs = certificates.iter().zip(certificates.iter().skip(1));
    let judged = pairs.map(|(certificate, issuer)| {
        judge_certificate(certificate, issuer, evidence, at, signing_time)
    });
    let why = NotApplicable::Root;
    let root = RevocationStatus::NotApplicable { why };
    let root = CertificateRevocation::new(chain.root(), root, Vec::new());
    judged.chain([root]).collect()
}

/// Judges one certificate that `issuer` has issued, as a chain that was verified shows.
#[must_use]
pub fn judge_certificate(
    certificate: &Certificate,
    issuer: &Certificate,
    evidence: &Evidence,
    at: UtcDateTime,
    signing_time: SigningTime,
) -> CertificateRevocation {
    let (authentic, proven) = match signing_time {
        SigningTime::Unknown => (None, None),
        SigningTime::Authentic(time) => (Some(time), Some(time)),
        SigningTime::Timestamped { latest } => (None, Some(latest)),
    };
    let responses = Responses { certificate, issuer, evidence, at, signed_before: authentic };
    let lists = Lists { certificate, issuer, evidence, at, signed_before: proven };
    let mut attempts = Vec::new();
    let mut status = lists.revoked_by_file(&mut attempts);
    if let Ok(None) = status {
        status = responses.judge(&mut attempts);
    }
    let status = match status {
        Ok(None) => lists.judge(&mut attempts),
        Ok(status) => status,
        Err(Unreadable) => None,
    };
    let mut attempts = without_repeats(attempts);
    match status {
        Some(status) => {
            let asked = |attempt: &Attempt| attempt.why != AttemptError::NotAsked;
            attempts.retain(asked);
            CertificateRevocation::new(certificate, status, attempts)
        }
        None if attempts.is_empty() => {
            let why = NotApplicable::NamesNoSource;
            let status = RevocationStatus::NotApplicable { why };
            CertificateRevocation::new(certificate, status, attempts)
        }
        None => {
            let status = RevocationStatus::Unknown { attempts };
            CertificateRevocation::new(certificate, status, Vec::new())
        }
    }
}

/// A file may have been tried for each of several distribution points.
fn without_repeats(attempts: Vec<Attempt>) -> Vec<Attempt> {
    let mut unique: Vec<Attempt> = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        if !unique.contains(&attempt) {
            unique.push(attempt);
        }
    }
    unique
}
