//! Signature envelopes: JWS (flattened JSON) and COSE (`COSE_Sign1_Tagged`), parsed and built.
//!
//! [`Envelope::parse`] gives an envelope that nothing is known of; [`Envelope::verify`] turns it into
//! [`SignedContent`], and there is no other way to what was signed. What verifies is integrity alone:
//! whose certificates these are is for the trust policy to say. Both formats are read strictly, because
//! what two parsers read differently is not what was signed.

mod attributes;
#[cfg(test)]
mod conformance;
mod cose;
mod error;
mod jws;
mod payload;

use std::fmt;

pub use attributes::{
    AttributeValue, ExtendedAttribute, SignedAttributes, SigningScheme, UnsignedAttributes,
};
pub use error::EnvelopeError;
pub use payload::{PAYLOAD_MEDIA_TYPE, Payload, PayloadError};

use crate::{
    algorithm::{HashAlgorithm, KeySpec},
    crypto, limits,
    x509::{CertificateChain, Purpose},
};

/// The two formats of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnvelopeFormat {
    /// signature-envelope-jws.md
    Jws,
    /// signature-envelope-cose.md
    Cose,
}

/// An envelope that was read, and not verified.
#[derive(Debug, Clone)]
pub struct Envelope {
    algorithm: KeySpec,
    signing_input: Vec<u8>,
    content: SignedContent,
}

/// What a signature covers, and the certificates of who made it.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedContent {
    format: EnvelopeFormat,
    payload: Vec<u8>,
    attributes: SignedAttributes,
    unsigned: UnsignedAttributes,
    chain: CertificateChain,
    signature: Vec<u8>,
}

/// An envelope that waits for its signature.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    format: EnvelopeFormat,
    key_spec: KeySpec,
    payload: &'a [u8],
    attributes: &'a SignedAttributes,
}

impl EnvelopeFormat {
    /// The media type of the envelope as a blob: `application/jose+json` or `application/cose`.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jws => "application/jose+json",
            Self::Cose => "application/cose",
        }
    }

    /// The format of that media type.
    #[must_use]
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        [Self::Jws, Self::Cose].into_iter().find(|format| format.media_type() == media_type)
    }

    /// The format that bytes begin like: JWS with `{`, COSE with the tag of COSE_Sign1. Whether they are one is
    /// for [`Envelope::parse`] to say.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.trim_ascii_start().first()? {
            b'{' => Some(Self::Jws),
            0xd2 => Some(Self::Cose),
            _ => None,
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Jws, Self::Cose].into_iter().find(|format| format.name() == name)
    }

    /// The name that command lines and file names use: `jws` or `cose`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jws => "jws",
            Self::Cose => "cose",
        }
    }
}

impl fmt::Display for EnvelopeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Envelope {
    /// Reads an envelope: its form, its headers, and the rules on critical attributes.
    ///
    /// # Errors
    /// [`EnvelopeError`], which names what is wrong and the value.
    pub fn parse(format: EnvelopeFormat, bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > limits::ENVELOPE_BYTES {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        match format {
            EnvelopeFormat::Jws => jws::parse(bytes),
            EnvelopeFormat::Cose => cose::parse(bytes),
        }
    }

    /// Reads an envelope of either format, which its first byte tells.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn parse_any(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let format = EnvelopeFormat::of(bytes).ok_or(EnvelopeError::UnknownFormat)?;
        Self::parse(format, bytes)
    }

    /// The format.
    #[must_use]
    pub const fn format(&self) -> EnvelopeFormat {
        self.content.format
    }

    /// The key spec whose algorithm the envelope names.
    #[must_use]
    pub const fn algorithm(&self) -> KeySpec {
        self.algorithm
    }

    /// The hash by which the digest of a signed file is made: that of the leaf's key, and not the one that the
    /// payload names (signature-specification.md, "Payload").
    #[must_use]
    pub fn blob_hash(&self) -> HashAlgorithm {
        let leaf = self.content.chain.leaf().public_key().key_spec();
        leaf.unwrap_or(self.algorithm).hash()
    }

    /// Verifies integrity: the algorithm against the leaf's key, the signature over the bytes as they
    /// came, the certificate chain up to its root with the certificate requirements for code signing,
    /// and the attributes.
    ///
    /// Neither trust, validity at any time, nor revocation is looked at.
    ///
    /// # Errors
    /// [`EnvelopeError`]; the envelope is gone with it.
    pub fn verify(self) -> Result<SignedContent, EnvelopeError> {
        self.check()?;
        Ok(self.content)
    }

    /// The same for one that is only lent.
    pub(crate) fn verified(&self) -> Result<SignedContent, EnvelopeError> {
        self.check()?;
        Ok(self.content.clone())
    }

    fn check(&self) -> Result<(), EnvelopeError> {
        self.content.attributes.check()?;
        Payload::check_json(&self.content.payload)?;
        let leaf = self.content.chain.leaf();
        let key_spec = leaf.public_key().key_spec();
        if key_spec != Some(self.algorithm) {
            return Err(EnvelopeError::AlgorithmMismatch {
                algorithm: self.algorithm.signature_algorithm(),
                key: leaf.public_key().to_string(),
            });
        }
        let signature = &self.content.signature;
        crypto::verify_envelope(self.algorithm, leaf.public_key(), &self.signing_input, signature)
            .map_err(|_| EnvelopeError::BadSignature { subject: leaf.subject().clone() })?;
        Ok(self.content.chain.verify(Purpose::CodeSigning)?)
    }

    /// What the envelope claims, without any proof: for display, never for a decision.
    #[must_use]
    pub const fn dangerous_unverified(&self) -> &SignedContent {
        &self.content
    }
}

impl SignedContent {
    /// The envelope's format.
    #[must_use]
    pub const fn format(&self) -> EnvelopeFormat {
        self.format
    }

    /// The payload's bytes; its media type is [`PAYLOAD_MEDIA_TYPE`].
    #[must_use]
    pub fn payload_bytes(&self) -> &[u8] {
        &self.payload
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`PayloadError`], where what was signed is not a payload of the specification.
    pub fn payload(&self) -> Result<Payload, PayloadError> {
        Payload::from_json(&self.payload)
    }

    /// Attributes that the signature covers.
    #[must_use]
    pub const fn attributes(&self) -> &SignedAttributes {
        &self.attributes
    }

    /// Attributes that the signature does not cover.
    #[must_use]
    pub const fn unsigned_attributes(&self) -> &UnsignedAttributes {
        &self.unsigned
    }

    /// The certificate chain, leaf first.
    #[must_use]
    pub const fn certificate_chain(&self) -> &CertificateChain {
        &self.chain
    }

    /// The signature: RSASSA-PSS, or ECDSA as r‖s. A timestamp is over these bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl<'a> Draft<'a> {
    pub(crate) const fn new(
        format: EnvelopeFormat,
        key_spec: KeySpec,
        payload: &'a [u8],
        attributes: &'a SignedAttributes,
    ) -> Self {
        Self { format, key_spec, payload, attributes }
    }

    /// The bytes to sign.
    pub(crate) fn signing_input(&self) -> Result<Vec<u8>, EnvelopeError> {
        match self.format {
            EnvelopeFormat::Jws => jws::signing_input(self).map(String::into_bytes),
            EnvelopeFormat::Cose => cose::signing_input(self),
        }
    }

    /// The envelope with its signature.
    pub(crate) fn seal(
        &self,
        signature: &[u8],
        chain: &CertificateChain,
        unsigned: &UnsignedAttributes,
    ) -> Result<Vec<u8>, EnvelopeError> {
        match self.format {
            EnvelopeFormat::Jws => jws::seal(self, signature, chain, unsigned),
            EnvelopeFormat::Cose => cose::seal(self, signature, chain, unsigned),
        }
    }
}
