//! The certificate requirements of signature-specification.md, for code signing and timestamping.
//!
//! Each rule is one [`Rule`]; a [`Violation`] names the certificate, the fact and the clause. Only basic
//! constraints, key usage and extended key usage are looked at, because the specification forbids
//! evaluating any other extension.

use std::fmt;

use super::{
    Certificate, Name,
    certificate::{CertificateSignature, ExtendedKeyUsage, KeyUsage},
};

/// What a chain's leaf is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Signing artifacts.
    CodeSigning,
    /// Countersigning signatures (RFC 3161).
    Timestamping,
}

/// One requirement that one certificate does not meet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("certificate {subject}: {rule} ({clause})", clause = rule.clause())]
pub struct Violation {
    subject: Name,
    rule: Rule,
}

/// A requirement, with the fact that breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// A CA without basic constraints.
    CaWithoutBasicConstraints,
    /// A CA whose basic constraints are not critical.
    CaBasicConstraintsNotCritical,
    /// An issuer whose basic constraints do not say that it is a CA.
    IssuerIsNoCa,
    /// More CA certificates below than the path length allows.
    PathLengthExceeded {
        /// `pathLenConstraint`.
        allowed: u32,
        /// CA certificates between this one and the leaf.
        found: usize,
    },
    /// No key usage.
    KeyUsageMissing,
    /// Key usage that is not critical; code signing only.
    KeyUsageNotCritical,
    /// A CA without `keyCertSign`.
    CaWithoutKeyCertSign,
    /// A leaf whose basic constraints say CA.
    LeafIsCa,
    /// A leaf without `digitalSignature`.
    LeafWithoutDigitalSignature,
    /// A leaf with key usages that are ruled out.
    LeafKeyUsageForbidden(Vec<&'static str>),
    /// A code-signing leaf with extended key usages that are ruled out.
    ExtendedKeyUsageForbidden(Vec<&'static str>),
    /// A timestamping leaf without extended key usage.
    TimestampingPurposeMissing,
    /// A timestamping leaf whose extended key usage is not critical (RFC 3161, section 2.3).
    TimestampingPurposeNotCritical,
    /// A timestamping leaf with any purpose but `timeStamping`.
    TimestampingPurposeNotAlone(Vec<String>),
    /// A leaf whose key is too short.
    KeyTooShort(String),
    /// A code-signing leaf whose key no signature algorithm of the specification fits.
    KeyUnsupported(String),
    /// A code-signing leaf of an OCSP responder. The specification does not rule it out; the notation
    /// CLI does, and a responder's key that signs code would let one compromise hide the other.
    OcspSigningPurpose,
    /// A certificate signed with SHA-1.
    Sha1Signature,
}

const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

const TIME_STAMPING: &str = "1.3.6.1.5.5.7.3.8";

/// `id-kp-OCSPSigning` (RFC 6960, section 4.2.2.2).
pub(crate) const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";

const FORBIDDEN_PURPOSES: [(&str, &str); 5] = [
    ("2.5.29.37.0", "anyExtendedKeyUsage"),
    ("1.3.6.1.5.5.7.3.1", "serverAuth"),
    ("1.3.6.1.5.5.7.3.2", "clientAuth"),
    ("1.3.6.1.5.5.7.3.4", "emailProtection"),
    (TIME_STAMPING, "timeStamping"),
];

impl Violation {
    /// The subject of the certificate that breaks the rule.
    #[must_use]
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// The rule that is broken.
    #[must_use]
    pub const fn rule(&self) -> &Rule {
        &self.rule
    }
}

/// Every violation in an ordered chain, the leaf's first; empty where the chain meets the profile.
///
/// Signatures and validity are not looked at here.
pub(super) fn violations(chain: &[Certificate], purpose: Purpose) -> Vec<Violation> {
    let mut found = Vec::new();
    for (depth, certificate) in chain.iter().enumerate() {
        let mut rules = Vec::new();
        if *certificate.signature_algorithm() == CertificateSignature::Sha1 {
            rules.push(Rule::Sha1Signature);
        }
        // A chain of one certificate is judged as a leaf ("Other requirements", 1).
        match depth.checked_sub(1) {
            None => leaf(certificate, purpose, &mut rules),
            Some(cas_below) => ca(certificate, cas_below, purpose, &mut rules),
        }
        let subject = certificate.subject();
        found.extend(rules.into_iter().map(|rule| Violation { subject: subject.clone(), rule }));
    }
    found
}

/// What a certificate that is signed with SHA-1 breaks.
pub(super) fn sha1_signature(certificate: &Certificate) -> Violation {
    Violation { subject: certificate.subject().clone(), rule: Rule::Sha1Signature }
}

fn ca(certificate: &Certificate, cas_below: usize, purpose: Purpose, broken: &mut Vec<Rule>) {
    let extensions = certificate.extensions();
    match &extensions.basic_constraints {
        None => broken.push(Rule::CaWithoutBasicConstraints),
        Some(constraints) if !constraints.ca => broken.push(Rule::IssuerIsNoCa),
        Some(constraints) => {
            if !constraints.critical {
                broken.push(Rule::CaBasicConstraintsNotCritical);
            }
            if let Some(allowed) = constraints.path_length
                && usize::try_from(allowed).is_ok_and(|allowed| cas_below > allowed)
            {
                broken.push(Rule::PathLengthExceeded { allowed, found: cas_below });
            }
        }
    }
    if let Some(usage) = key_usage(extensions.key_usage.as_ref(), purpose, broken)
        && !usage.has(KeyUsage::KEY_CERT_SIGN)
    {
        broken.push(Rule::CaWithoutKeyCertSign);
    }
}

fn leaf(certificate: &Certificate, purpose: Purpose, broken: &mut Vec<Rule>) {
    let extensions = certificate.extensions();
    if certificate.is_ca() {
        broken.push(Rule::LeafIsCa);
    }
    if let Some(usage) = key_usage(extensions.key_usage.as_ref(), purpose, broken) {
        if !usage.has(KeyUsage::DIGITAL_SIGNATURE) {
            broken.push(Rule::LeafWithoutDigitalSignature);
        }
        let forbidden = usage.bits & !(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::NON_REPUDIATION);
        let names = KEY_USAGES.iter().enumerate();
        let names = names.filter(|(bit, _)| forbidden & (1 << bit) != 0).map(|(_, name)| *name);
        let names = names.collect::<Vec<_>>();
        if !names.is_empty() {
            broken.push(Rule::LeafKeyUsageForbidden(names));
        }
    }
    match purpose {
        Purpose::CodeSigning => {
            code_signing_purpose(extensions.extended_key_usage.as_ref(), broken);
        }
        Purpose::Timestamping => {
            timestamping_purpose(extensions.extended_key_usage.as_ref(), broken);
        }
    }
    let key = certificate.public_key();
    if key.is_too_short() {
        broken.push(Rule::KeyTooShort(key.to_string()));
    } else if purpose == Purpose::CodeSigning && key.key_spec().is_none() {
        broken.push(Rule::KeyUnsupported(key.to_string()));
    }
}

fn key_usage<'a>(
    usage: Option<&'a KeyUsage>,
    purpose: Purpose,
    broken: &mut Vec<Rule>,
) -> Option<&'a KeyUsage> {
    match usage {
        None => broken.push(Rule::KeyUsageMissing),
        // For timestamping it only SHOULD be critical.
        Some(usage) if !usage.critical && purpose == Purpose::CodeSigning => {
            broken.push(Rule::KeyUsageNotCritical);
        }
        Some(_) => {}
    }
    usage
}

fn code_signing_purpose(usage: Option<&ExtendedKeyUsage>, broken: &mut Vec<Rule>) {
    let Some(usage) = usage else { return };
    let forbidden = FORBIDDEN_PURPOSES
        .iter()
        .filter(|(oid, _)| usage.purposes.iter().any(|purpose| purpose == oid))
        .map(|(_, name)| *name)
        .collect::<Vec<_>>();
    if !forbidden.is_empty() {
        broken.push(Rule::ExtendedKeyUsageForbidden(forbidden));
    }
    if usage.purposes.iter().any(|purpose| purpose == OCSP_SIGNING) {
        broken.push(Rule::OcspSigningPurpose);
    }
}

fn timestamping_purpose(usage: Option<&ExtendedKeyUsage>, broken: &mut Vec<Rule>) {
    let Some(usage) = usage else {
        broken.push(Rule::TimestampingPurposeMissing);
        return;
    };
    if !usage.critical {
        broken.push(Rule::TimestampingPurposeNotCritical);
    }
    if usage.purposes != [TIME_STAMPING] {
        broken.push(Rule::TimestampingPurposeNotAlone(usage.purposes.clone()));
    }
}

impl Rule {
    /// Where the specification says so.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::CaWithoutBasicConstraints
            | Self::CaBasicConstraintsNotCritical
            | Self::IssuerIsNoCa
            | Self::PathLengthExceeded { .. } => {
                "signature-specification.md, Root and Intermediate CA Certificates, Basic Constraints"
            }
            Self::CaWithoutKeyCertSign => {
                "signature-specification.md, Root and Intermediate CA Certificates, Key Usage"
            }
            Self::KeyUsageMissing | Self::KeyUsageNotCritical => {
                "signature-specification.md, Certificate Requirements, Key Usage"
            }
            Self::LeafIsCa => "signature-specification.md, Leaf Certificates, Basic Constraints",
            Self::LeafWithoutDigitalSignature | Self::LeafKeyUsageForbidden(_) => {
                "signature-specification.md, Leaf Certificates, Key Usage"
            }
            Self::ExtendedKeyUsageForbidden(_)
            | Self::TimestampingPurposeMissing
            | Self::TimestampingPurposeNotCritical
            | Self::TimestampingPurposeNotAlone(_) => {
                "signature-specification.md, Leaf Certificates, Extended Key Usage"
            }
            Self::KeyTooShort(_) => "signature-specification.md, Leaf Certificates, Key Length",
            Self::OcspSigningPurpose => {
                "beyond signature-specification.md, as the notation CLI has it"
            }
            Self::KeyUnsupported(_) => "signature-specification.md, Algorithm Selection",
            Self::Sha1Signature => {
                "signature-specification.md, Certificate Requirements, Other requirements"
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaWithoutBasicConstraints => {
                f.write_str("extension basicConstraints of a CA must be present")
            }
            Self::CaBasicConstraintsNotCritical => {
                f.write_str("extension basicConstraints of a CA must be critical")
            }
            Self::IssuerIsNoCa => {
                f.write_str("extension basicConstraints of an issuer must have cA set to true")
            }
            Self::PathLengthExceeded { allowed, found } => {
                write!(
                    f,
                    "extension basicConstraints allows {allowed} CA certificates below, and there are {found}"
                )
            }
            Self::KeyUsageMissing => f.write_str("extension keyUsage must be present"),
            Self::KeyUsageNotCritical => f.write_str("extension keyUsage must be critical"),
            Self::CaWithoutKeyCertSign => {
                f.write_str("extension keyUsage of a CA must have keyCertSign")
            }
            Self::LeafIsCa => {
                f.write_str("extension basicConstraints of a leaf must have cA set to false")
            }
            Self::LeafWithoutDigitalSignature => {
                f.write_str("extension keyUsage of a leaf must have digitalSignature")
            }
            Self::LeafKeyUsageForbidden(names) => {
                write!(f, "extension keyUsage of a leaf must not have {}", names.join(", "))
            }
            Self::ExtendedKeyUsageForbidden(names) => {
                write!(
                    f,
                    "extension extendedKeyUsage of a code-signing leaf must not have {}",
                    names.join(", ")
                )
            }
            Self::TimestampingPurposeMissing => {
                f.write_str("extension extendedKeyUsage of a timestamping leaf must be present")
            }
            Self::TimestampingPurposeNotCritical => {
                f.write_str("extension extendedKeyUsage of a timestamping leaf must be critical")
            }
            Self::TimestampingPurposeNotAlone(found) => {
                let found = found.join(", ");
                write!(
                    f,
                    "extension extendedKeyUsage of a timestamping leaf must have timeStamping alone, and has {found}"
                )
            }
            Self::KeyTooShort(key) => {
                write!(
                    f,
                    "public key is {key}, and must be RSA of 2048 bits or EC of 256 bits at least"
                )
            }
            Self::OcspSigningPurpose => f.write_str(
                "extension extendedKeyUsage of a code-signing leaf must not have OCSPSigning",
            ),
            Self::KeyUnsupported(key) => {
                write!(
                    f,
                    "public key is {key}, and must be RSA of 2048, 3072 or 4096 bits or EC on P-256, P-384 or P-521"
                )
            }
            Self::Sha1Signature => f.write_str("signature uses SHA-1"),
        }
    }
}
