//! The chain from the signer of a token up to a root that is trusted for timestamps.

use std::cmp::Reverse;

use time::UtcDateTime;

use super::TokenError;
use crate::{
    limits,
    x509::{Certificate, CertificateChain, Purpose},
};

/// Finds the way from `signer` up to one of `roots`, over certificates of the token, and shows that the chain
/// meets the certificate requirements and was valid at `at`.
///
/// A chain that was valid is preferred: a root may have been renewed, or signed by another one, since.
pub(super) fn verified_chain(
    signer: &Certificate,
    certificates: &[Certificate],
    roots: &[Certificate],
    at: UtcDateTime,
) -> Result<CertificateChain, TokenError> {
    let find = |only_valid| {
        let mut search = Search::new(signer, certificates, roots);
        if only_valid {
            search.drop_invalid(at);
        }
        let is_found = search.climb(&mut vec![signer]);
        (is_found, search.longest)
    };
    let (mut is_found, mut path) = find(true);
    if !is_found {
        (is_found, path) = find(false);
    }
    if !is_found {
        let last = path.last().map_or_else(|| signer.subject(), |last| last.subject());
        let (subject, last) = (signer.subject().clone(), last.clone());
        return Err(TokenError::NotAnchored { subject, last, roots: roots.len() });
    }
    let chain = CertificateChain::from_ordered(path.into_iter().cloned().collect())?;
    chain.verify(Purpose::Timestamping)?;
    chain.check_validity(at)?;
    Ok(chain)
}

struct Search<'a> {
    candidates: Vec<Candidate<'a>>,
    /// The way that was found, or else the longest that was tried.
    longest: Vec<&'a Certificate>,
}

struct Candidate<'a> {
    certificate: &'a Certificate,
    is_root: bool,
    /// It led nowhere, or is not to be tried at all. So each is tried once.
    is_dead: bool,
}

impl<'a> Search<'a> {
    fn new(
        signer: &'a Certificate,
        certificates: &'a [Certificate],
        roots: &'a [Certificate],
    ) -> Self {
        let candidate =
            |is_root| move |certificate| Candidate { certificate, is_root, is_dead: false };
        // Stores for timestamps hold self-issued roots (trust-store-trust-policy.md, "Trust Store").
        let roots = roots.iter().filter(|root| root.is_self_issued()).map(candidate(true));
        let others = certificates.iter().map(candidate(false));
        let mut candidates: Vec<_> = roots.chain(others).collect();
        // A root ends the way; of two certificates of a CA, the renewed one comes first.
        candidates.sort_by_key(|found| (!found.is_root, Reverse(found.certificate.not_after())));
        Self { candidates, longest: vec![signer] }
    }

    fn drop_invalid(&mut self, at: UtcDateTime) {
        for candidate in &mut self.candidates {
            let certificate = candidate.certificate;
            candidate.is_dead = at < certificate.not_before() || at > certificate.not_after();
        }
    }

    /// Extends `path` up to a root, and says whether there is a way.
    fn climb(&mut self, path: &mut Vec<&'a Certificate>) -> bool {
        if path.len() > self.longest.len() {
            self.longest.clone_from(path);
        }
        let Some(&top) = path.last() else { return false };
        if self.candidates.iter().any(|found| found.is_root && found.certificate == top) {
            self.longest.clone_from(path);
            return true;
        }
        if path.len() >= limits::CHAIN_CERTIFICATES {
            return false;
        }
        for at in 0..self.candidates.len() {
            let Some(found) = self.candidates.get_mut(at) else { return false };
            let issuer = found.certificate;
            let leads = !found.is_dead
                && !path.contains(&issuer)
                && issuer.subject() == top.issuer()
                && top.is_signed_by(issuer.public_key());
            if !leads {
                continue;
            }
            found.is_dead = true;
            path.push(issuer);
            if self.climb(path) {
                return true;
            }
            path.pop();
        }
        false
    }
}
