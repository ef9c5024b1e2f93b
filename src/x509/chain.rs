//! Certificate chains, leaf first and root last, as envelopes carry them.

use std::{cmp::Reverse, collections::BTreeSet, sync::OnceLock};

use time::UtcDateTime;

use super::{Certificate, Name, Purpose, Violation, certificate::CertificateSignature, profile};
use crate::limits;

/// One to [`limits::CHAIN_CERTIFICATES`] certificates in the order of the signature specification: the
/// leaf, its issuer, and so on to the root.
///
/// That they fit together is shown by [`verify`](Self::verify), not by having a value of this type.
#[derive(Debug, Clone)]
pub struct CertificateChain {
    certificates: Vec<Certificate>,
    /// Set once all links were seen to hold. Nothing about them can change, and whoever signs asks several times.
    linked: OnceLock<()>,
}

/// A chain put in order from a bundle.
#[derive(Debug)]
#[non_exhaustive]
pub struct Repaired {
    /// The chain, leaf first, root last.
    pub chain: CertificateChain,
    /// Certificates of the bundle that the chain does not need, duplicates aside.
    pub unused: Vec<Certificate>,
}

/// Why certificates are not a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No certificate at all.
    #[error("certificate chain is empty")]
    Empty,
    /// More certificates than a chain may have.
    #[error("certificate chain of {0} certificates is over the limit of {limit}", limit = limits::CHAIN_CERTIFICATES)]
    TooLong(usize),
    /// More certificates than a bundle may have.
    #[error("bundle of {0} certificates is over the limit of {limit}", limit = limits::BUNDLE_CERTIFICATES)]
    BundleTooLarge(usize),
    /// Two certificates that could both be the leaf.
    #[error(
        "both {first} and {second} could be the leaf, as neither issued another certificate here"
    )]
    SeveralLeaves {
        /// One of them.
        first: Name,
        /// Another.
        second: Name,
    },
    /// The next certificate is of another name than the issuer.
    #[error("certificate {subject} is issued by {issuer}, but {next} follows it")]
    NotIssuedByNext {
        /// The certificate's subject.
        subject: Name,
        /// The certificate's issuer.
        issuer: Name,
        /// The subject of what follows.
        next: Name,
    },
    /// The issuer's key does not verify the certificate.
    #[error("certificate {subject}: signature does not verify with the key of {issuer}")]
    BadSignature {
        /// The certificate's subject.
        subject: Name,
        /// The certificate's issuer.
        issuer: Name,
    },
    /// A signature algorithm that this library does not know.
    #[error("certificate {subject}: signature algorithm {algorithm} is not supported")]
    UnsupportedSignature {
        /// The certificate's subject.
        subject: Name,
        /// The algorithm's object identifier.
        algorithm: String,
    },
    /// The issuer's key is of a kind or size that verifies nothing here.
    #[error(
        "certificate {subject}: its issuer {issuer} has key {key}, by which no signature is verified here"
    )]
    IssuerKeyUnsupported {
        /// The certificate's subject.
        subject: Name,
        /// The certificate's issuer.
        issuer: Name,
        /// Kind and size of the issuer's key.
        key: String,
    },
    /// The last certificate is no root.
    #[error(
        "certificate chain ends with {subject}, issued by {issuer}: the certificate of {issuer} is missing"
    )]
    RootMissing {
        /// The last certificate's subject.
        subject: Name,
        /// Its issuer.
        issuer: Name,
    },
    /// A self-signed certificate that is not the last.
    #[error("certificate {subject} is self-signed, but is not the last of the chain")]
    SelfSignedInside {
        /// The certificate's subject.
        subject: Name,
    },
    /// A certificate requirement of the specification is broken.
    #[error(transparent)]
    Requirement(#[from] Violation),
    /// The time is before the certificate's first second.
    #[error("certificate {subject} is not valid before {not_before}, and it is {at}", not_before = Rfc3339(*not_before), at = Rfc3339(*at))]
    NotYetValid {
        /// The certificate's subject.
        subject: Name,
        /// The first second of validity.
        not_before: UtcDateTime,
        /// The time that was asked for.
        at: UtcDateTime,
    },
    /// The time is after the certificate's last second.
    #[error("certificate {subject} expired at {not_after}, and it is {at}", not_after = Rfc3339(*not_after), at = Rfc3339(*at))]
    Expired {
        /// The certificate's subject.
        subject: Name,
        /// The last second of validity.
        not_after: UtcDateTime,
        /// The time that was asked for.
        at: UtcDateTime,
    },
}

impl CertificateChain {
    /// Takes certificates that stand in order. Whether they fit is shown by [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`ChainError::Empty`] and [`ChainError::TooLong`].
    pub fn from_ordered(certificates: Vec<Certificate>) -> Result<Self, ChainError> {
        match certificates.len() {
            0 => Err(ChainError::Empty),
            n if n > limits::CHAIN_CERTIFICATES => Err(ChainError::TooLong(n)),
            _ => Ok(Self { certificates, linked: OnceLock::new() }),
        }
    }

    /// Puts a bundle in order: finds the leaf, follows names and signatures up to a root, drops
    /// duplicates, and sets aside what does not belong.
    ///
    /// # Errors
    /// [`ChainError`], where there is no leaf, more than one, or no way up to a root. Where names lead
    /// up to a root and signatures do not, it is what is wrong with a signature.
    pub fn repair(bundle: Vec<Certificate>) -> Result<Repaired, ChainError> {
        // Most bundles are in order already, and the search would verify each link more than once. Where two have one
        // name, there may be a shorter way up.
        let names: BTreeSet<&Name> = bundle.iter().map(Certificate::subject).collect();
        if names.len() == bundle.len()
            && let Ok(chain) = Self::from_ordered(bundle.clone())
            && chain.verify_links().is_ok()
        {
            return Ok(Repaired { chain, unused: Vec::new() });
        }
        Self::repair_by(Link::Signature, &bundle).map_err(|error| {
            let named = Self::repair_by_name(&bundle).ok();
            named.and_then(|named| named.chain.verify_links().err()).unwrap_or(error)
        })
    }

    /// The same by names alone, for reports on a chain whose signatures do not verify.
    pub(crate) fn repair_by_name(bundle: &[Certificate]) -> Result<Repaired, ChainError> {
        Self::repair_by(Link::Name, bundle)
    }

    fn repair_by(link: Link, bundle: &[Certificate]) -> Result<Repaired, ChainError> {
        if bundle.len() > limits::BUNDLE_CERTIFICATES {
            return Err(ChainError::BundleTooLarge(bundle.len()));
        }
        let mut unused: Vec<Certificate> = Vec::with_capacity(bundle.len());
        for certificate in bundle {
            if !unused.contains(certificate) {
                unused.push(certificate.clone());
            }
        }
        let mut path = vec![find_leaf(link, &unused)?];
        let mut dead = vec![false; unused.len()];
        climb(link, &unused, &mut path, &mut dead)?;
        let certificates = path.iter().filter_map(|&i| unused.get(i).cloned()).collect();
        let chain = Self::from_ordered(certificates)?;
        unused.retain(|certificate| !chain.certificates.contains(certificate));
        Ok(Repaired { chain, unused })
    }

    /// The certificates, leaf first.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The signing certificate.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "both constructors refuse an empty chain")]
    pub fn leaf(&self) -> &Certificate {
        &self.certificates[0]
    }

    /// The last certificate.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "both constructors refuse an empty chain")]
    pub fn root(&self) -> &Certificate {
        &self.certificates[self.certificates.len() - 1]
    }

    /// Shows that the certificates are one ordered chain that ends in a root, each signed by the next,
    /// and that they meet the certificate requirements for `purpose`.
    ///
    /// # Errors
    /// The first [`ChainError`] met, the cheap checks first.
    pub fn verify(&self, purpose: Purpose) -> Result<(), ChainError> {
        // Roles follow from the order, so a wrong order would show as some requirement of a role.
        for pair in self.certificates.windows(2) {
            let [certificate, next] = pair else { continue };
            issued_by_name(certificate, next)?;
        }
        if let Some(violation) = profile::violations(&self.certificates, purpose).into_iter().next()
        {
            return Err(violation.into());
        }
        self.verify_links()
    }

    /// Every certificate requirement that the chain breaks, for reports; empty where there is none.
    #[must_use]
    pub fn violations(&self, purpose: Purpose) -> Vec<Violation> {
        profile::violations(&self.certificates, purpose)
    }

    /// Shows that each certificate is issued and signed by the next, and the last by itself.
    ///
    /// # Errors
    /// The first [`ChainError`] met.
    pub fn verify_links(&self) -> Result<(), ChainError> {
        if self.linked.get().is_some() {
            return Ok(());
        }
        for pair in self.certificates.windows(2) {
            let [certificate, next] = pair else { continue };
            if certificate.is_self_signed() {
                return Err(ChainError::SelfSignedInside {
                    subject: certificate.subject().clone(),
                });
            }
            verify_link(certificate, next)?;
        }
        let root = self.root();
        if !root.is_self_issued() {
            return Err(ChainError::RootMissing {
                subject: root.subject().clone(),
                issuer: root.issuer().clone(),
            });
        }
        verify_link(root, root)?;
        self.linked.get_or_init(|| ());
        Ok(())
    }

    /// Shows that every certificate is valid at that time. Nesting of validity is not asked for
    /// (signature-specification.md, "Other requirements").
    ///
    /// # Errors
    /// [`ChainError::NotYetValid`] or [`ChainError::Expired`] for the first that is not.
    pub fn check_validity(&self, at: UtcDateTime) -> Result<(), ChainError> {
        self.certificates.iter().try_for_each(|certificate| {
            let subject = || certificate.subject().clone();
            if at < certificate.not_before() {
                let not_before = certificate.not_before();
                return Err(ChainError::NotYetValid { subject: subject(), not_before, at });
            }
            if at > certificate.not_after() {
                let not_after = certificate.not_after();
                return Err(ChainError::Expired { subject: subject(), not_after, at });
            }
            Ok(())
        })
    }

    /// The certificate that ends first.
    #[must_use]
    pub fn first_to_expire(&self) -> &Certificate {
        self.certificates.iter().min_by_key(|c| c.not_after()).unwrap_or_else(|| self.leaf())
    }
}

/// Of the same certificates, in the same order.
impl PartialEq for CertificateChain {
    fn eq(&self, other: &Self) -> bool {
        let Self { certificates, linked: _ } = self;
        *certificates == other.certificates
    }
}

impl Eq for CertificateChain {}

fn issued_by_name(certificate: &Certificate, next: &Certificate) -> Result<(), ChainError> {
    if certificate.issuer() == next.subject() {
        return Ok(());
    }
    let (subject, issuer) = (certificate.subject().clone(), certificate.issuer().clone());
    Err(ChainError::NotIssuedByNext { subject, issuer, next: next.subject().clone() })
}

fn verify_link(certificate: &Certificate, issuer: &Certificate) -> Result<(), ChainError> {
    issued_by_name(certificate, issuer)?;
    if certificate.is_signed_by(issuer.public_key()) {
        return Ok(());
    }
    let (subject, key) = (certificate.subject().clone(), issuer.public_key());
    let issuer = issuer.subject().clone();
    Err(match certificate.signature_algorithm() {
        CertificateSignature::Sha1 => profile::sha1_signature(certificate).into(),
        CertificateSignature::Unknown(algorithm) => {
            ChainError::UnsupportedSignature { subject, algorithm: algorithm.clone() }
        }
        CertificateSignature::Known(_) if !key.verifies_certificates() => {
            ChainError::IssuerKeyUnsupported { subject, issuer, key: key.to_string() }
        }
        CertificateSignature::Known(_) => ChainError::BadSignature { subject, issuer },
    })
}

/// What leads from a certificate to its issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Its name, and its key, which verifies the certificate.
    Signature,
    /// Its name alone.
    Name,
}

impl Link {
    fn leads(self, certificate: &Certificate, issuer: &Certificate) -> bool {
        certificate.issuer() == issuer.subject()
            && (self == Self::Name || certificate.is_signed_by(issuer.public_key()))
    }

    fn ends_at(self, certificate: &Certificate) -> bool {
        self.leads(certificate, certificate)
    }
}

/// The leaf is the one certificate that issued no other; where several did not, the one that is no CA.
fn find_leaf(link: Link, bundle: &[Certificate]) -> Result<usize, ChainError> {
    let issued_none = |i: usize, candidate: &Certificate| {
        !bundle.iter().enumerate().any(|(j, other)| i != j && link.leads(other, candidate))
    };
    let mut leaves: Vec<(usize, &Certificate)> =
        bundle.iter().enumerate().filter(|(i, candidate)| issued_none(*i, candidate)).collect();
    if leaves.iter().any(|(_, leaf)| !leaf.is_ca()) {
        leaves.retain(|(_, leaf)| !leaf.is_ca());
    }
    match leaves.as_slice() {
        [] => Err(ChainError::Empty),
        [(leaf, _)] => Ok(*leaf),
        [(_, first), (_, second), ..] => {
            let (first, second) = (first.subject().clone(), second.subject().clone());
            Err(ChainError::SeveralLeaves { first, second })
        }
    }
}

/// Extends `path` up to a root. A certificate that led nowhere is `dead`, so each is tried once.
fn climb(
    link: Link,
    bundle: &[Certificate],
    path: &mut Vec<usize>,
    dead: &mut [bool],
) -> Result<(), ChainError> {
    let Some((at, top)) = path.last().and_then(|&i| Some((i, bundle.get(i)?))) else {
        return Err(ChainError::Empty);
    };
    if link.ends_at(top) {
        return Ok(());
    }
    if path.len() >= limits::CHAIN_CERTIFICATES {
        return Err(ChainError::TooLong(path.len() + 1));
    }
    let mut issuers: Vec<(usize, &Certificate)> = bundle
        .iter()
        .enumerate()
        .filter(|(i, issuer)| {
            !path.contains(i) && dead.get(*i) == Some(&false) && link.leads(top, issuer)
        })
        .collect();
    // One that signed comes before one of its name; a self-signed root is nearer to the end than a
    // cross-signed certificate of the same key; a renewed certificate comes before the one it replaces.
    issuers.sort_by_cached_key(|(_, issuer)| {
        let signed = Link::Signature.leads(top, issuer);
        (!signed, !issuer.is_self_signed(), Reverse(issuer.not_after()))
    });
    let mut failure =
        ChainError::RootMissing { subject: top.subject().clone(), issuer: top.issuer().clone() };
    for (issuer, _) in issuers {
        path.push(issuer);
        match climb(link, bundle, path, dead) {
            Ok(()) => return Ok(()),
            Err(deeper) => failure = deeper,
        }
        path.pop();
    }
    if let Some(dead) = dead.get_mut(at) {
        *dead = true;
    }
    Err(failure)
}

/// A time as RFC 3339 writes it, to the second.
pub(crate) struct Rfc3339(pub(crate) UtcDateTime);

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        write!(f, "{date}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
    }
}
