//! Signing with any [`SigningKey`]: raw signatures for the plugin contract, whole envelopes for everyone
//! else.
//!
//! The chain is checked before the key is asked, one signature costs one call to the key, and nothing
//! leaves that was not verified against the leaf certificate.

use crate::{
    algorithm::KeySpec,
    crypto,
    envelope::{
        Draft, Envelope, EnvelopeError, EnvelopeFormat, Payload, PayloadError, SignedAttributes,
        SignedContent, UnsignedAttributes,
    },
    keys::{KeyError, SigningKey},
    timestamp::{TimestampSource, TimestampSourceError, TimestampToken, TokenError},
    x509::{Certificate, CertificateChain, ChainError, PublicKey, Purpose},
};

/// What goes into an envelope.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignRequest<'a> {
    /// The envelope's format.
    pub format: EnvelopeFormat,
    /// The payload's bytes, kept as they are.
    pub payload: &'a [u8],
    /// Attributes that the signature covers, the signing time among them.
    pub attributes: SignedAttributes,
    /// The program that signs, `name/version`.
    pub signing_agent: Option<String>,
    /// Who shows when the signature was made; the signature is then good for longer than its certificates.
    pub timestamping: Option<Timestamping<'a>>,
}

/// Who gives the timestamp, and whom to trust for it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Timestamping<'a> {
    /// The authority.
    pub source: &'a dyn TimestampSource,
    /// The roots one of which the authority's certificates have to lead to.
    pub roots: &'a [Certificate],
}

impl<'a> Timestamping<'a> {
    /// Timestamps of an authority under one of `roots`.
    #[must_use]
    pub const fn new(source: &'a dyn TimestampSource, roots: &'a [Certificate]) -> Self {
        Self { source, roots }
    }
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The chain cannot be used.
    #[error("certificate chain cannot be used for signing")]
    Chain(#[from] ChainError),
    /// The key refused, or could not be reached.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The leaf certificate is for another key.
    #[error(
        "certificate chain does not belong to the key: the leaf certificate {subject} is for {leaf}, \
         and the key is {key}"
    )]
    KeyMismatch {
        /// Subject of the leaf certificate.
        subject: String,
        /// Kind and fingerprint of the leaf's public key.
        leaf: KeyIdentity,
        /// Kind and fingerprint of the key that signed.
        key: KeyIdentity,
    },
    /// The signature is not one of the leaf's key, and what the key is could not be asked.
    #[error(
        "certificate chain is probably of another key: the signature does not verify with the leaf certificate \
         {subject}, for {leaf}, and the key's own public key could not be read"
    )]
    KeyUnknown {
        /// Subject of the leaf certificate.
        subject: String,
        /// Kind and fingerprint of the leaf's public key.
        leaf: KeyIdentity,
        /// Why the public key could not be read.
        #[source]
        source: Box<KeyError>,
    },
    /// The service gave a signature of the wrong length.
    #[error(
        "key service answered with a signature of {actual} bytes, and {key_spec} has {expected}"
    )]
    SignatureLength {
        /// The leaf's key spec.
        key_spec: KeySpec,
        /// Bytes that such a signature has.
        expected: usize,
        /// Bytes that came.
        actual: usize,
    },
    /// The service gave a signature that its own public key does not verify.
    #[error("key service answered with a signature that does not verify with the key itself, {0}")]
    BadSignature(KeyIdentity),
    /// The authority gave no timestamp.
    #[error("signature is made, and no timestamp for it is to be had")]
    NoTimestamp(#[source] TimestampSourceError),
    /// The authority gave something that a verifier would refuse.
    #[error("signature is made, and the timestamp for it would be refused")]
    BadTimestamp(#[source] TokenError),
    /// The payload is not what the specification asks for.
    #[error("payload cannot be signed")]
    Payload(#[from] PayloadError),
    /// The envelope could not be built, or is not one that verifies.
    #[error("envelope cannot be built")]
    Envelope(#[from] EnvelopeError),
}

/// A public key as a person can compare it: `EC-256 (sha256:4f2a…)`, the hash over the DER
/// `SubjectPublicKeyInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIdentity(String);

impl KeyIdentity {
    /// The identity of a public key.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        Self(format!("{key} (sha256:{})", key.fingerprint()))
    }
}

impl std::fmt::Display for KeyIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'a> SignRequest<'a> {
    /// A request with neither signing agent nor timestamp.
    #[must_use]
    pub const fn new(
        format: EnvelopeFormat,
        payload: &'a [u8],
        attributes: SignedAttributes,
    ) -> Self {
        Self { format, payload, attributes, signing_agent: None, timestamping: None }
    }
}

/// Signs `message` by the algorithm of the leaf's key: RSASSA-PSS, or ECDSA as r‖s.
///
/// # Errors
/// [`SignError`]. The key is asked only where the chain meets the certificate requirements; its answer
/// is given only where it verifies with the leaf's key.
pub async fn sign_raw(
    key: &dyn SigningKey,
    chain: &CertificateChain,
    message: &[u8],
) -> Result<Vec<u8>, SignError> {
    let key_spec = check_chain(chain)?;
    let leaf = chain.leaf().public_key();
    let algorithm = key_spec.signature_algorithm();
    let digest = crypto::digest(algorithm.hash(), message);
    let signature = match key.sign(algorithm, &digest).await {
        Ok(signature) => signature,
        Err(error @ (KeyError::WrongAlgorithm { .. } | KeyError::Refused { .. })) => {
            return Err(another_kind(key, chain).await.unwrap_or(SignError::Key(error)));
        }
        Err(error) => return Err(error.into()),
    };
    if crypto::verify_envelope(key_spec, leaf, message, &signature).is_ok() {
        return Ok(signature);
    }
    Err(why_unverified(key, chain, key_spec, signature.len()).await)
}

/// Signs a payload into an envelope, which is read and verified again before it is given.
///
/// The chain has to be valid at the signing time (signature-specification.md, "Other requirements").
///
/// # Errors
/// [`SignError`].
pub async fn sign_envelope(
    key: &dyn SigningKey,
    chain: &CertificateChain,
    request: &SignRequest<'_>,
) -> Result<Vec<u8>, SignError> {
    let key_spec = check_chain(chain)?;
    let attributes = request.attributes.in_whole_seconds();
    chain.check_validity(attributes.signing_time)?;
    attributes.check()?;
    Payload::from_json(request.payload)?;
    let draft = Draft::new(request.format, key_spec, request.payload, &attributes);
    let signature = sign_raw(key, chain, &draft.signing_input()?).await?;
    let mut unsigned = UnsignedAttributes::with_agent(request.signing_agent.clone());
    if let Some(timestamping) = request.timestamping {
        unsigned.timestamp = Some(timestamping.token(key_spec, chain, &signature).await?);
    }
    let envelope = draft.seal(&signature, chain, &unsigned)?;
    Envelope::parse(request.format, &envelope)?.verify()?;
    Ok(envelope)
}

impl Timestamping<'_> {
    /// The token over a signature, in DER, once it is one that a verifier accepts.
    async fn token(
        &self,
        key_spec: KeySpec,
        chain: &CertificateChain,
        signature: &[u8],
    ) -> Result<Vec<u8>, SignError> {
        let token = self.source.timestamp(key_spec.hash(), signature).await;
        let token = token.map_err(SignError::NoTimestamp)?;
        self.check(&token, chain, signature).map_err(SignError::BadTimestamp)?;
        Ok(token.as_der().to_vec())
    }

    /// Whether a signature has a timestamp that could be one of these: over it, under one of the roots, and of a time
    /// at which its certificates were valid.
    #[must_use]
    pub fn is_of(&self, content: &SignedContent) -> bool {
        let token = content.unsigned_attributes().timestamp.as_deref().map(TimestampToken::parse);
        let chain = content.certificate_chain();
        token.is_some_and(|token| {
            token.and_then(|token| self.check(&token, chain, content.signature())).is_ok()
        })
    }

    fn check(
        &self,
        token: &TimestampToken,
        chain: &CertificateChain,
        signature: &[u8],
    ) -> Result<(), TokenError> {
        Ok(token.verify(signature, self.roots)?.check_within_validity(chain)?)
    }
}

fn check_chain(chain: &CertificateChain) -> Result<KeySpec, SignError> {
    chain.verify(Purpose::CodeSigning)?;
    // The profile has refused a leaf without a key spec.
    let key_spec = chain.leaf().public_key().key_spec();
    key_spec.ok_or(SignError::Envelope(EnvelopeError::NoCertificates))
}

/// A key of another kind refuses the algorithm; what the user needs to hear is that the certificate is
/// of another key. Where the key does not tell what it is, its refusal says more.
async fn another_kind(key: &dyn SigningKey, chain: &CertificateChain) -> Option<SignError> {
    let leaf = chain.leaf().public_key();
    match key.public_key().await {
        Ok(held) if held.key_spec() != leaf.key_spec() => Some(key_mismatch(&held, chain)),
        _ => None,
    }
}

/// Asks for the public key, to tell a wrong chain from a wrong signature. Who signs may have no right to
/// it, and then the chain is the likely culprit: services seldom sign wrongly.
async fn why_unverified(
    key: &dyn SigningKey,
    chain: &CertificateChain,
    key_spec: KeySpec,
    actual: usize,
) -> SignError {
    let leaf = chain.leaf();
    let expected = key_spec.signature_len();
    match key.public_key().await {
        Err(source) => SignError::KeyUnknown {
            subject: leaf.subject().to_string(),
            leaf: KeyIdentity::of(leaf.public_key()),
            source: source.into(),
        },
        Ok(held) if held != *leaf.public_key() => key_mismatch(&held, chain),
        Ok(_) if actual != expected => SignError::SignatureLength { key_spec, expected, actual },
        Ok(held) => SignError::BadSignature(KeyIdentity::of(&held)),
    }
}

fn key_mismatch(held: &PublicKey, chain: &CertificateChain) -> SignError {
    let leaf = chain.leaf();
    SignError::KeyMismatch {
        subject: leaf.subject().to_string(),
        leaf: KeyIdentity::of(leaf.public_key()),
        key: KeyIdentity::of(held),
    }
}
