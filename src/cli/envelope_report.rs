//! What stands in a signature envelope, as `inspect` and `blob inspect` show it. Nothing of it is proved.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{failure::Failure, tree::Tree};
use crate::{
    envelope::{AttributeValue, Envelope, PAYLOAD_MEDIA_TYPE, SignedContent, UnsignedAttributes},
    oci::Descriptor,
    timestamp::TimestampToken,
    x509::{Certificate, Rfc3339},
};

/// An envelope, looked into.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvelopeReport {
    signature_algorithm: &'static str,
    signature_envelope_type: &'static str,
    /// Whether the signature verifies with the certificate that it brings along, and that chain is one. Says
    /// nothing of trust.
    integrity: Integrity,
    signed_attributes: SignedAttributesReport,
    user_defined_attributes: BTreeMap<String, String>,
    unsigned_attributes: UnsignedAttributesReport,
    certificates: Vec<CertificateReport>,
    /// `null`: the payload names no artifact.
    signed_artifact: Option<Descriptor>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Integrity {
    holds: bool,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedAttributesReport {
    content_type: &'static str,
    signing_scheme: &'static str,
    signing_time: String,
    expiry: Option<String>,
    verification_plugin: Option<String>,
    verification_plugin_min_version: Option<String>,
    extended: Vec<ExtendedReport>,
}

#[derive(Debug, Serialize)]
struct ExtendedReport {
    name: String,
    value: String,
    critical: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UnsignedAttributesReport {
    signing_agent: Option<String>,
    timestamp: Option<TimestampReport>,
}

#[derive(Debug, Serialize)]
struct TimestampReport {
    bytes: usize,
    #[serde(flatten)]
    claim: TimestampClaim,
    /// Why it cannot be read.
    error: Option<String>,
}

/// What a timestamp says; nothing where it cannot be read.
#[derive(Debug, Default, Serialize)]
struct TimestampClaim {
    /// The signature is no older, and no younger.
    earliest: Option<String>,
    latest: Option<String>,
    certificates: Vec<CertificateReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateReport {
    sha256: String,
    subject: String,
    issuer: String,
    serial_number: String,
    not_before: String,
    not_after: String,
    key_spec: String,
}

impl EnvelopeReport {
    pub(super) fn new(envelope: &Envelope) -> Self {
        let content = envelope.dangerous_unverified();
        let artifact = content.payload().ok().map(|payload| payload.target_artifact);
        let mut signed_artifact = artifact;
        let metadata = signed_artifact.as_mut().map(|a| std::mem::take(&mut a.annotations));
        let integrity = match envelope.verified() {
            Ok(_) => Integrity { holds: true, reason: None },
            Err(error) => Integrity { holds: false, reason: Some(Failure::from(error).one_line()) },
        };
        Self {
            signature_algorithm: envelope.algorithm().plugin_algorithm(),
            signature_envelope_type: envelope.format().media_type(),
            integrity,
            signed_attributes: SignedAttributesReport::new(content),
            user_defined_attributes: metadata.unwrap_or_default(),
            unsigned_attributes: UnsignedAttributesReport::new(content.unsigned_attributes()),
            certificates: content
                .certificate_chain()
                .certificates()
                .iter()
                .map(CertificateReport::new)
                .collect(),
            signed_artifact,
        }
    }

    /// Adds what stands in the envelope below a line that names it.
    pub(super) fn add_to(&self, tree: &mut Tree) {
        tree.add(format!("signature algorithm: {}", self.signature_algorithm));
        tree.add(format!("signature envelope type: {}", self.signature_envelope_type));
        tree.add(match &self.integrity.reason {
            None => "integrity: the signature and its chain are whole; trust is not looked at"
                .to_owned(),
            Some(reason) => format!("integrity: broken: {reason}"),
        });
        tree.push(self.signed_attributes.tree());
        if !self.user_defined_attributes.is_empty() {
            let mut user = Tree::new("user defined attributes");
            for (name, value) in &self.user_defined_attributes {
                user.add(format!("{name}: {value}"));
            }
            tree.push(user);
        }
        tree.push(self.unsigned_attributes.tree());
        tree.push(certificates_tree(&self.certificates));
        let mut artifact = Tree::new("signed artifact");
        match &self.signed_artifact {
            None => artifact.add("none: the payload names no artifact"),
            Some(Descriptor { media_type, digest, size, .. }) => {
                artifact.add(format!("media type: {media_type}"));
                artifact.add(format!("digest: {digest}"));
                artifact.add(format!("size: {size}"));
            }
        }
        tree.push(artifact);
    }
}

impl SignedAttributesReport {
    fn new(content: &SignedContent) -> Self {
        let attributes = content.attributes();
        Self {
            content_type: PAYLOAD_MEDIA_TYPE,
            signing_scheme: attributes.signing_scheme.name(),
            signing_time: Rfc3339(attributes.signing_time).to_string(),
            expiry: attributes.expiry.map(|expiry| Rfc3339(expiry).to_string()),
            verification_plugin: attributes.verification_plugin.clone(),
            verification_plugin_min_version: attributes.verification_plugin_min_version.clone(),
            extended: attributes
                .extended
                .iter()
                .map(|attribute| ExtendedReport {
                    name: attribute.name.clone(),
                    value: text_of(&attribute.value),
                    critical: attribute.critical,
                })
                .collect(),
        }
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::new("signed attributes");
        tree.add(format!("content type: {}", self.content_type));
        tree.add(format!("signing scheme: {}", self.signing_scheme));
        tree.add(format!("signing time: {}", self.signing_time));
        let optional = [
            ("expiry", &self.expiry),
            ("verification plugin", &self.verification_plugin),
            ("verification plugin, least version", &self.verification_plugin_min_version),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                tree.add(format!("{name}: {value}"));
            }
        }
        for ExtendedReport { name, value, critical } in &self.extended {
            let critical = if *critical { " (critical)" } else { "" };
            tree.add(format!("{name}: {value}{critical}"));
        }
        tree
    }
}

impl UnsignedAttributesReport {
    fn new(unsigned: &UnsignedAttributes) -> Self {
        Self {
            signing_agent: unsigned.signing_agent.clone(),
            timestamp: unsigned.timestamp.as_deref().map(TimestampReport::new),
        }
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::new("unsigned attributes");
        if let Some(agent) = &self.signing_agent {
            tree.add(format!("signing agent: {agent}"));
        }
        if let Some(timestamp) = &self.timestamp {
            tree.push(timestamp.tree());
        }
        tree
    }
}

impl TimestampReport {
    fn new(token: &[u8]) -> Self {
        let (claim, error) = match TimestampToken::parse(token) {
            Ok(token) => (TimestampClaim::new(&token), None),
            Err(error) => (TimestampClaim::default(), Some(Failure::from(error).one_line())),
        };
        Self { bytes: token.len(), claim, error }
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::new("timestamp signature");
        if let Some(error) = &self.error {
            tree.add(format!("problem: {error}"));
        }
        if let (Some(earliest), Some(latest)) = (&self.claim.earliest, &self.claim.latest) {
            tree.add(format!("timestamp: {earliest} to {latest}"));
        }
        if !self.claim.certificates.is_empty() {
            tree.push(certificates_tree(&self.claim.certificates));
        }
        tree
    }
}

impl TimestampClaim {
    fn new(token: &TimestampToken) -> Self {
        let (earliest, latest) = token.dangerous_claimed_range();
        Self {
            earliest: Some(Rfc3339(earliest).to_string()),
            latest: Some(Rfc3339(latest).to_string()),
            certificates: token.certificates().iter().map(CertificateReport::new).collect(),
        }
    }
}

fn certificates_tree(certificates: &[CertificateReport]) -> Tree {
    let mut tree = Tree::new("certificates");
    certificates.iter().for_each(|certificate| tree.push(certificate.tree()));
    tree
}

impl CertificateReport {
    fn new(certificate: &Certificate) -> Self {
        Self {
            sha256: crate::crypto::hex(&certificate.fingerprint()),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial_number: crate::crypto::hex(certificate.serial_number()),
            not_before: Rfc3339(certificate.not_before()).to_string(),
            not_after: Rfc3339(certificate.not_after()).to_string(),
            key_spec: certificate.public_key().to_string(),
        }
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::new(format!("SHA256 fingerprint: {}", self.sha256));
        tree.add(format!("issued to: {}", self.subject));
        tree.add(format!("issued by: {}", self.issuer));
        tree.add(format!("serial number: {}", self.serial_number));
        tree.add(format!("valid: {} to {}", self.not_before, self.not_after));
        tree.add(format!("key: {}", self.key_spec));
        tree
    }
}

fn text_of(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Integer(number) => number.to_string(),
        AttributeValue::Number(number) => number.to_string(),
        AttributeValue::Boolean(value) => value.to_string(),
        AttributeValue::Null => "null".to_owned(),
        AttributeValue::Complex => "a value that is neither text nor a number".to_owned(),
    }
}
