//! Verification of an artifact in a repository: signatures are fetched one after the other and held against
//! the policy, up to the first that is accepted.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    pin::pin,
    task::{Context, Poll, Waker},
};

use time::UtcDateTime;

use super::{Accepted, Artifact, Begun, Rejected, begin};
use crate::{
    crypto,
    envelope::{Envelope, EnvelopeError, EnvelopeFormat},
    limits,
    oci::{Descriptor, Digest, Manifest, thumbprints},
    registry::{Content, Listing, Repository, RepositoryError, Unreadable, layout::ImageLayout},
    revocation::{Evidence, RevocationSource},
    trust::{Statement, TrustAnchors},
    x509::Name,
};

/// What artifacts are held against.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Verifier<'a> {
    /// The statement of a trust policy.
    pub statement: &'a Statement,
    /// The certificates of the trust stores that it names.
    pub anchors: &'a TrustAnchors,
    /// What is known of revocation.
    pub revocation: Revocation<'a>,
    /// The time for which the verdict holds.
    pub at: UtcDateTime,
    /// Signatures that are tried of one artifact, at most.
    pub max_signatures: usize,
    /// Metadata that has to have been signed.
    pub user_metadata: BTreeMap<String, String>,
}

/// Where evidence of revocation is from. There is no default: a verifier that asks nobody says so.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Revocation<'a> {
    /// From here alone.
    Offline(&'a Evidence),
    /// From whoever is asked.
    Fetch(&'a dyn RevocationSource),
}

/// An artifact that the policy accepts.
#[derive(Debug)]
#[non_exhaustive]
pub struct AcceptedArtifact {
    /// The first signature that is accepted; [`Accepted::Skipped`] where none was looked at.
    pub accepted: Accepted,
    /// Where that signature stands.
    pub signature: Option<SignatureSource>,
    /// What was looked at before it.
    pub tried: Tried,
}

/// Why an artifact is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The repository does not tell what signatures there are.
    #[error("signatures of {artifact} cannot be listed")]
    NotListed {
        /// The artifact.
        artifact: Digest,
        /// Why.
        #[source]
        source: RepositoryError,
    },
    /// A verifier without a runtime cannot ask about revocation.
    #[error("without a runtime nobody can be asked about revocation")]
    NeedsRuntime,
    /// There is no signature, and nothing that could be one.
    #[error("{} is unsigned", .0.artifact)]
    Unsigned(Box<Tried>),
    /// There are signatures, or manifests that cannot be read and may be some, and none is accepted.
    #[error(
        "{} is not accepted: {} signatures are refused, and {} manifests cannot be read",
        .0.artifact, .0.refused.len(), .0.unreadable.len()
    )]
    Rejected(Box<Tried>),
}

/// Everything that did not lead to acceptance.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tried {
    /// The artifact.
    pub artifact: Digest,
    /// The signatures that are refused, in the order in which they were tried.
    pub refused: Vec<RefusedSignature>,
    /// Signatures that were not tried, because there were more than may be.
    pub untried: usize,
    /// Manifests of which nobody knows whether they are signatures of the artifact.
    pub unreadable: Vec<Unreadable>,
    /// All evidence of revocation that was at hand, for those who keep it.
    pub evidence: Evidence,
}

/// A signature that is refused.
#[derive(Debug)]
#[non_exhaustive]
pub struct RefusedSignature {
    /// Where it stands.
    pub source: SignatureSource,
    /// Why it is refused.
    pub refusal: Refusal,
}

/// Where a signature stands, and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureSource {
    /// The signature manifest.
    pub manifest: Digest,
    /// The envelope, where the manifest names one.
    pub envelope: Option<Digest>,
    /// The subject that it brings along, where it can be read. Nothing proves it.
    pub claimed_signer: Option<Name>,
}

/// Why a signature is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The policy does not accept it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// Its manifest or its envelope cannot be read.
    #[error("signature cannot be read")]
    Unreadable(#[source] RepositoryError),
    /// The manifest is no JSON of that form.
    #[error("signature manifest is not a manifest")]
    NotAManifest(#[source] serde_json::Error),
    /// The manifest is listed, and is about something else.
    #[error("manifest is listed as a signature of {listed}, and is {actual}")]
    OtherSubject {
        /// The artifact.
        listed: Digest,
        /// What the manifest says.
        actual: String,
    },
    /// No layer, several, or one of another media type.
    #[error("signature manifest does not name exactly one envelope")]
    NoEnvelope,
    /// The envelope is none.
    #[error("signature envelope cannot be parsed")]
    Malformed(#[source] EnvelopeError),
}

impl<'a> Verifier<'a> {
    /// Asks for no user metadata, and tries [`limits::SIGNATURES`].
    #[must_use]
    pub const fn new(
        statement: &'a Statement,
        anchors: &'a TrustAnchors,
        revocation: Revocation<'a>,
        at: UtcDateTime,
    ) -> Self {
        let max_signatures = limits::SIGNATURES;
        let user_metadata = BTreeMap::new();
        Self { statement, anchors, revocation, at, max_signatures, user_metadata }
    }

    /// Verifies an artifact, whose descriptor the repository has resolved or the caller knows.
    ///
    /// Signatures whose manifests name a trusted certificate are tried first. That is unsigned, so it only
    /// orders them.
    ///
    /// # Errors
    /// [`VerifyError`], with every signature that was tried. `Ok` means accepted, which need not mean
    /// verified: see [`Accepted`].
    pub async fn verify(
        &self,
        repository: &dyn Repository,
        artifact: &Descriptor,
    ) -> Result<AcceptedArtifact, VerifyError> {
        let digest = artifact.digest.clone();
        let mut tried = Tried {
            artifact: digest.clone(),
            refused: vec![],
            untried: 0,
            unreadable: vec![],
            evidence: Evidence::new(),
        };
        if let Some(accepted) = Accepted::by_skipping(self.statement, self.at) {
            return Ok(AcceptedArtifact { accepted, signature: None, tried });
        }
        let listing = repository.signatures(artifact).await;
        let Listing { mut signatures, unreadable } =
            listing.map_err(|source| VerifyError::NotListed { artifact: digest, source })?;
        tried.unreadable = unreadable;
        tried.untried = signatures.len().saturating_sub(self.max_signatures);
        self.order(&mut signatures);
        let (mut judged, mut looked_at) = (HashSet::new(), 0);
        let repeats = self.max_signatures.saturating_mul(limits::REPEATED_SIGNATURES);
        for listed in signatures.iter().take(repeats) {
            if tried.refused.len() == self.max_signatures {
                break;
            }
            looked_at += 1;
            let mut source = SignatureSource::new(listed.digest.clone());
            let named = named_envelope(repository, artifact, listed, &mut source).await;
            // Manifests cost nothing, so that one envelope may stand in many.
            if named.as_ref().is_ok_and(|named| judged.contains(named)) {
                continue;
            }
            let verdict = match named {
                Ok(named) => {
                    let envelope = read_envelope(repository, &named).await;
                    judged.insert(named);
                    self.judge(envelope, artifact, &mut source, &mut tried.evidence).await
                }
                Err(refusal) => Err(refusal),
            };
            match verdict {
                Ok(accepted) => {
                    return Ok(AcceptedArtifact { accepted, signature: Some(source), tried });
                }
                Err(refusal) => tried.refused.push(RefusedSignature { source, refusal }),
            }
        }
        tried.untried = signatures.len().saturating_sub(looked_at);
        Err(if signatures.is_empty() && tried.unreadable.is_empty() {
            VerifyError::Unsigned(Box::new(tried))
        } else {
            VerifyError::Rejected(Box::new(tried))
        })
    }

    /// Verifies an artifact of an image layout, for programs without a runtime.
    ///
    /// # Errors
    /// Those of [`Self::verify`], and [`VerifyError::NeedsRuntime`] for [`Revocation::Fetch`].
    pub fn verify_layout(
        &self,
        layout: &ImageLayout,
        artifact: &Descriptor,
    ) -> Result<AcceptedArtifact, VerifyError> {
        let verdict = pin!(self.verify(layout, artifact));
        match verdict.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(verdict) => verdict,
            Poll::Pending => Err(VerifyError::NeedsRuntime),
        }
    }

    /// Those that name a trusted certificate first, and those that name only strangers last.
    fn order(&self, signatures: &mut [Descriptor]) {
        let stores = self.statement.trust_stores().iter();
        let trusted: BTreeSet<String> = stores
            .flat_map(|store| self.anchors.certificates(store))
            .map(|anchor| crypto::hex(&anchor.fingerprint()))
            .collect();
        signatures.sort_by_cached_key(|listed| match thumbprints(&listed.annotations) {
            Some(named) if named.iter().any(|named| trusted.contains(named)) => 0,
            Some(_) => 2,
            None => 1,
        });
    }

    async fn judge(
        &self,
        envelope: Result<Envelope, Refusal>,
        artifact: &Descriptor,
        source: &mut SignatureSource,
        evidence: &mut Evidence,
    ) -> Result<Accepted, Refusal> {
        let envelope = envelope?;
        let signer = envelope.dangerous_unverified().certificate_chain().leaf().subject();
        source.claimed_signer = Some(signer.clone());
        let mut subject = Artifact::oci(artifact);
        subject.user_metadata.clone_from(&self.user_metadata);
        Ok(self.evaluate(&envelope, &subject, evidence).await?)
    }

    /// Evaluates a signature, after asking about revocation where that still matters. `evidence` grows by what
    /// is found out.
    ///
    /// # Errors
    /// [`Rejected`].
    pub async fn evaluate(
        &self,
        envelope: &Envelope,
        artifact: &Artifact,
        evidence: &mut Evidence,
    ) -> Result<Accepted, Rejected> {
        let pending = match begin(envelope, artifact, self.statement, self.anchors, self.at) {
            Begun::Concluded(verdict) => return verdict,
            Begun::Pending(pending) => pending,
        };
        match self.revocation {
            Revocation::Offline(known) => pending.conclude(known),
            Revocation::Fetch(source) => {
                evidence.next_signature();
                for chain in pending.chains() {
                    source.collect(chain, evidence, self.at).await;
                }
                pending.conclude(evidence)
            }
        }
    }
}

impl SignatureSource {
    /// What a repository lists, before it is read.
    #[must_use]
    pub const fn new(manifest: Digest) -> Self {
        Self { manifest, envelope: None, claimed_signer: None }
    }
}

/// Reads the envelope of a signature that a repository lists, of which nothing is known then.
///
/// # Errors
/// [`Refusal`].
pub async fn read_signature(
    repository: &dyn Repository,
    artifact: &Descriptor,
    listed: &Descriptor,
    source: &mut SignatureSource,
) -> Result<Envelope, Refusal> {
    let named = named_envelope(repository, artifact, listed, source).await?;
    read_envelope(repository, &named).await
}

/// An envelope as a manifest names it: one of another size or type is not the same.
type Named = (EnvelopeFormat, Digest, u64);

async fn named_envelope(
    repository: &dyn Repository,
    artifact: &Descriptor,
    listed: &Descriptor,
    source: &mut SignatureSource,
) -> Result<Named, Refusal> {
    let bytes = repository.read(listed, Content::Manifest).await.map_err(Refusal::Unreadable)?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(Refusal::NotAManifest)?;
    if !manifest.is_signature_of(artifact) {
        let actual = match &manifest.subject {
            _ if !manifest.is_signature() => "no signature".to_owned(),
            Some(subject) => format!("one of {}", subject.digest),
            None => "one of nothing".to_owned(),
        };
        return Err(Refusal::OtherSubject { listed: artifact.digest.clone(), actual });
    }
    let (format, layer) = manifest.envelope().ok_or(Refusal::NoEnvelope)?;
    source.envelope = Some(layer.digest.clone());
    Ok((format, layer.digest.clone(), layer.size))
}

async fn read_envelope(
    repository: &dyn Repository,
    (format, digest, size): &Named,
) -> Result<Envelope, Refusal> {
    let layer = Descriptor::new(format.media_type(), digest.clone(), *size);
    let bytes = repository.read(&layer, Content::Blob).await.map_err(Refusal::Unreadable)?;
    Envelope::parse(*format, &bytes).map_err(Refusal::Malformed)
}
