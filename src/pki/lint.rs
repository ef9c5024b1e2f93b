//! Everything that is wrong with a certificate chain, at once: for people who ask a CA for a better one.

use std::fmt;

use serde::Serialize;
use time::UtcDateTime;

use super::check_nameable;
use crate::x509::{Certificate, CertificateChain, ChainError, Purpose, Rfc3339};

/// A certificate that ends sooner than this is worth a note.
const SOON: time::Duration = time::Duration::days(30);

/// What was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Lint {
    /// The chain in order, where there is one.
    pub chain: Option<CertificateChain>,
    /// What keeps the chain from being used.
    pub problems: Vec<Finding>,
    /// What is worth knowing, and no problem.
    pub notes: Vec<String>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Finding {
    /// The certificate's subject, where the problem is one certificate's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The fact.
    pub message: String,
    /// The specification's clause, where it is one of its requirements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clause: Option<&'static str>,
}

/// Checks a bundle: that a chain can be made of it, its signatures, its validity at that time, and
/// every certificate requirement for `purpose`.
#[must_use]
pub fn lint(bundle: &[Certificate], purpose: Purpose, at: UtcDateTime) -> Lint {
    let mut found = Lint { chain: None, problems: Vec::new(), notes: Vec::new() };
    let repaired = CertificateChain::repair(bundle.to_vec());
    let broken = repaired.as_ref().err().cloned();
    // By names alone, so that the requirements are told too where a signature does not verify.
    let Ok(repaired) = repaired.or_else(|_| CertificateChain::repair_by_name(bundle)) else {
        found.problems.extend(broken.as_ref().map(Finding::of));
        return found;
    };
    let chain = repaired.chain;
    if chain.certificates().len() + repaired.unused.len() != bundle.len() {
        found.notes.push("the file holds a certificate more than once".to_owned());
    }
    if !bundle.starts_with(chain.certificates()) {
        found.notes.push("the file is not in order; key add keeps it in order".to_owned());
    }
    for certificate in &repaired.unused {
        found.notes.push(format!("certificate {} is not part of the chain", certificate.subject()));
    }
    for violation in chain.violations(purpose) {
        found.problems.push(Finding {
            subject: Some(violation.subject().to_string()),
            message: violation.rule().to_string(),
            clause: Some(violation.rule().clause()),
        });
    }
    match broken.or_else(|| chain.verify_links().err()) {
        // The requirements above hold it already.
        None | Some(ChainError::Requirement(_)) => {}
        Some(error) => found.problems.push(Finding::of(&error)),
    }
    found.check_times(&chain, at);
    if let Err(error) = check_nameable(chain.leaf().subject()) {
        found.notes.push(error.to_string());
    }
    found.chain = Some(chain);
    found
}

impl Lint {
    fn check_times(&mut self, chain: &CertificateChain, at: UtcDateTime) {
        for certificate in chain.certificates() {
            let alone = CertificateChain::from_ordered(vec![certificate.clone()]);
            let error = alone.and_then(|alone| alone.check_validity(at)).err();
            let ends = certificate.not_after();
            if error.is_none() && ends < at.saturating_add(SOON) {
                let subject = certificate.subject();
                self.notes
                    .push(format!("certificate {subject} expires soon, at {}", Rfc3339(ends)));
            }
            self.problems.extend(error.as_ref().map(Finding::of));
        }
    }
}

impl Finding {
    fn of(error: &ChainError) -> Self {
        Self { subject: None, message: error.to_string(), clause: None }
    }

    /// The leaf is for another key than the service holds.
    #[must_use]
    pub fn key_mismatch(leaf: &str, held: &str) -> Self {
        let message = format!("the leaf certificate is for {leaf}, and the key is {held}");
        Self { subject: None, message, clause: None }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subject) = &self.subject {
            write!(f, "certificate {subject}: ")?;
        }
        f.write_str(&self.message)?;
        self.clause.map_or(Ok(()), |clause| write!(f, " ({clause})"))
    }
}
