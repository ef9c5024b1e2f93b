//! Verification as a pure function: bytes, policy, anchors, evidence and time in, an outcome out
//! (trust-store-trust-policy.md, "Signature Verification").

use std::collections::BTreeMap;

use time::UtcDateTime;

use super::{
    Accepted, Check, CheckError, Claimed, Outcome, Rejected, TimestampOutcome, Verified,
    outcome::{Ledger, Refused},
};
use crate::{
    algorithm::{HashAlgorithm, KeySpec},
    envelope::{Envelope, SignedContent, SigningScheme},
    oci::{Descriptor, Digest},
    revocation::{CertificateRevocation, Evidence, SigningTime, judge},
    timestamp::{Timestamp, TimestampToken},
    trust::{
        Action, Requirements, Statement, StoreType, TrustAnchors, Verification, VerifyTimestamp,
    },
    x509::{Certificate, CertificateChain},
};

/// Why nothing is verified at the level `skip`.
pub(super) const SKIPPED: &str = "the policy skips all checks";

/// What a signature has to be about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// Digest of the artifact at hand.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Its media type; `None`: whatever was signed.
    pub media_type: Option<String>,
    /// Metadata that has to have been signed with it.
    pub user_metadata: BTreeMap<String, String>,
    is_blob: bool,
}

impl Artifact {
    /// The artifact that a manifest describes. No metadata is asked for.
    #[must_use]
    pub fn oci(manifest: &Descriptor) -> Self {
        let Descriptor { media_type, digest, size, .. } = manifest.clone();
        let media_type = Some(media_type);
        Self { digest, size, media_type, user_metadata: BTreeMap::new(), is_blob: false }
    }

    /// A file, whose digest is by [`Envelope::blob_hash`]. Neither media type nor metadata is asked for.
    #[must_use]
    pub const fn blob(digest: Digest, size: u64) -> Self {
        Self { digest, size, media_type: None, user_metadata: BTreeMap::new(), is_blob: true }
    }
}

/// Holds a signature against a statement of a trust policy. Nobody is asked anything: `evidence` is all that is
/// known of revocation, and `at` is the time.
///
/// # Errors
/// [`Rejected`], with every check that was made. `Ok` means accepted under this statement, which need not mean
/// verified: see [`Accepted`].
pub fn evaluate(
    envelope: &Envelope,
    artifact: &Artifact,
    statement: &Statement,
    anchors: &TrustAnchors,
    evidence: &Evidence,
    at: UtcDateTime,
) -> Result<Accepted, Rejected> {
    match begin(envelope, artifact, statement, anchors, at) {
        Begun::Concluded(verdict) => verdict,
        Begun::Pending(pending) => pending.conclude(evidence),
    }
}

/// The first half of [`evaluate`]: every check that needs no evidence of revocation.
#[must_use]
pub fn begin<'a>(
    envelope: &Envelope,
    artifact: &'a Artifact,
    statement: &'a Statement,
    anchors: &'a TrustAnchors,
    at: UtcDateTime,
) -> Begun<'a> {
    let mut ledger = Ledger::new(&statement.name, at);
    let Verification::Verify(requirements) = &statement.verification else {
        ledger.skip(Check::Integrity, SKIPPED);
        return Begun::Concluded(Ok(Accepted::Skipped(ledger.outcome)));
    };
    let evaluation = Evaluation { artifact, requirements, anchors, at };
    match evaluation.run(envelope, &mut ledger) {
        Ok((content, timestamp)) => {
            Begun::Pending(Box::new(Pending { evaluation, content, timestamp, ledger }))
        }
        Err(Refused) => Begun::Concluded(Err(ledger.rejected())),
    }
}

/// An evaluation that is concluded already, or waits for evidence.
#[derive(Debug)]
#[non_exhaustive]
pub enum Begun<'a> {
    /// No evidence of revocation would change it.
    Concluded(Result<Accepted, Rejected>),
    /// Every check so far has passed, or failed and is only logged.
    Pending(Box<Pending<'a>>),
}

/// An evaluation that waits for evidence of revocation.
#[derive(Debug)]
pub struct Pending<'a> {
    evaluation: Evaluation<'a>,
    content: SignedContent,
    timestamp: Option<Timestamp>,
    ledger: Ledger,
}

impl Pending<'_> {
    /// The chains of which it matters whether they are revoked: the timestamping authority's, and the signer's.
    pub fn chains(&self) -> impl Iterator<Item = &CertificateChain> {
        let signer = Ledger::asks_for_revocation(self.evaluation.requirements.checks.revocation)
            .then(|| self.content.certificate_chain());
        self.timestamp.iter().map(Timestamp::certificate_chain).chain(signer)
    }

    /// The second half of [`evaluate`].
    ///
    /// # Errors
    /// [`Rejected`].
    pub fn conclude(mut self, evidence: &Evidence) -> Result<Accepted, Rejected> {
        match self.run(evidence) {
            Ok(()) => Ok(accepted(self.content, self.ledger.outcome)),
            Err(Refused) => Err(self.ledger.rejected()),
        }
    }

    fn run(&mut self, evidence: &Evidence) -> Result<(), Refused> {
        let Self { evaluation, content, timestamp, ledger } = self;
        let checks = &evaluation.requirements.checks;
        let mut signing_time = match content.attributes().signing_scheme {
            SigningScheme::X509SigningAuthority => {
                SigningTime::Authentic(content.attributes().signing_time)
            }
            SigningScheme::X509 => SigningTime::Unknown,
        };
        if let Some(timestamp) = timestamp {
            let chain = timestamp.certificate_chain();
            let revocation = judge(chain, evidence, evaluation.at, SigningTime::Unknown);
            let result = none_revoked(&revocation);
            if result.is_ok() {
                signing_time = SigningTime::Timestamped { latest: timestamp.latest() };
            }
            ledger.outcome.timestamp = Some(TimestampOutcome::new(timestamp, revocation));
            ledger.record(Check::AuthenticTimestamp, checks.authentic_timestamp, result)?;
        }
        ledger.record_revocation(checks.revocation, || {
            let chain = content.certificate_chain();
            let revocation = judge(chain, evidence, evaluation.at, signing_time);
            let result = none_revoked(&revocation);
            (revocation, result)
        })?;
        ledger.record(Check::VerificationPlugin, Action::Enforce, verification_plugin(content))?;
        ledger.record(Check::UserMetadata, Action::Enforce, evaluation.user_metadata(content))
    }
}

/// Every certificate is good, or of those that nobody is asked about.
fn none_revoked(certificates: &[CertificateRevocation]) -> Result<(), CheckError> {
    match certificates.iter().find(|certificate| !certificate.status.is_accepted()) {
        None => Ok(()),
        Some(certificate) => Err(CheckError::Revocation(Box::new(certificate.clone()))),
    }
}

fn accepted(content: SignedContent, outcome: Outcome) -> Accepted {
    if outcome.logged().next().is_none() {
        Accepted::Verified(Box::new(Verified { content, outcome }))
    } else {
        Accepted::WithFailures(Box::new(Claimed::new(content, outcome)))
    }
}

#[derive(Debug, Clone, Copy)]
struct Evaluation<'a> {
    artifact: &'a Artifact,
    requirements: &'a Requirements,
    anchors: &'a TrustAnchors,
    at: UtcDateTime,
}

impl Evaluation<'_> {
    /// Every check that needs no evidence, in the order of the specification, up to the first enforced one that
    /// fails. Gives the timestamp that verifies and whose authority may still be revoked.
    fn run(
        &self,
        envelope: &Envelope,
        ledger: &mut Ledger,
    ) -> Result<(SignedContent, Option<Timestamp>), Refused> {
        let (content, integrity) = match envelope.verified() {
            Ok(content) => {
                let integrity = self.is_about_the_artifact(&content);
                (Some(content), integrity)
            }
            Err(error) => (None, Err(error.into())),
        };
        ledger.record(Check::Integrity, Action::Enforce, integrity)?;
        let content = content.ok_or(Refused)?;
        let checks = &self.requirements.checks;
        ledger.record(Check::Authenticity, checks.authenticity, self.authenticity(&content))?;
        ledger.record(Check::Expiry, checks.expiry, self.expiry(&content))?;
        let timestamp = match self.authentic_timestamp(&content) {
            Ok(Some(timestamp)) => Some(timestamp),
            Ok(None) => {
                ledger.record(Check::AuthenticTimestamp, checks.authentic_timestamp, Ok(()))?;
                None
            }
            Err(error) => {
                let failed = Err(error);
                ledger.record(Check::AuthenticTimestamp, checks.authentic_timestamp, failed)?;
                None
            }
        };
        Ok((content, timestamp))
    }

    fn is_about_the_artifact(&self, content: &SignedContent) -> Result<(), CheckError> {
        let signed = content.payload()?.target_artifact;
        let Artifact { digest, size, media_type, is_blob, .. } = self.artifact;
        let hash = content.certificate_chain().leaf().public_key().key_spec().map(KeySpec::hash);
        if *is_blob && Some(digest.algorithm()) != hash {
            let (actual, hash) =
                (digest.algorithm().name(), hash.map_or("none", HashAlgorithm::name));
            return Err(CheckError::OtherHash { actual, hash });
        }
        if signed.digest != *digest {
            let (signed, actual) = (signed.digest.to_string(), digest.to_string());
            return Err(CheckError::OtherDigest { signed, actual });
        }
        if signed.size != *size {
            return Err(CheckError::OtherSize { signed: signed.size, actual: *size });
        }
        match media_type {
            Some(actual) if signed.media_type != *actual => {
                let (signed, actual) = (signed.media_type, actual.clone());
                Err(CheckError::OtherMediaType { signed, actual })
            }
            _ => Ok(()),
        }
    }

    /// A certificate of the chain stands in a store of the signing scheme's type, and the leaf's subject is
    /// one of the identities.
    fn authenticity(&self, content: &SignedContent) -> Result<(), CheckError> {
        let kind = match content.attributes().signing_scheme {
            SigningScheme::X509 => StoreType::Ca,
            SigningScheme::X509SigningAuthority => StoreType::SigningAuthority,
        };
        let chain = content.certificate_chain();
        if !self.requirements.trust_stores.iter().any(|store| store.kind == kind) {
            let scheme = content.attributes().signing_scheme.name();
            return Err(CheckError::NoStore { scheme, kind: kind.name() });
        }
        let anchors = self.trusted(kind)?;
        let is_anchored = chain.certificates().iter().any(|one| anchors.contains(&one));
        let subject = || chain.leaf().subject().clone();
        if !is_anchored {
            let root = chain.root().subject().clone();
            return Err(CheckError::NotAnchored { signer: subject(), root, kind: kind.name() });
        }
        if !self.requirements.identities.match_subject(&subject()) {
            return Err(CheckError::NotTrusted { signer: subject() });
        }
        Ok(())
    }

    /// From that second on, as the notation CLI reads the specification's two wordings.
    fn expiry(&self, content: &SignedContent) -> Result<(), CheckError> {
        match content.attributes().expiry {
            Some(expiry) if self.at >= expiry => Err(CheckError::Expired { expiry, at: self.at }),
            _ => Ok(()),
        }
    }

    /// The signature was made while its certificates were valid. Where a timestamp shows that, it is given, as its
    /// authority may be revoked.
    fn authentic_timestamp(
        &self,
        content: &SignedContent,
    ) -> Result<Option<Timestamp>, CheckError> {
        let chain = content.certificate_chain();
        match content.attributes().signing_scheme {
            SigningScheme::X509SigningAuthority => {
                chain.check_validity(content.attributes().signing_time)?;
                Ok(None)
            }
            SigningScheme::X509 if self.asks_for_timestamp(content) => {
                let token = content.unsigned_attributes().timestamp.as_deref();
                let token = token.filter(|token| !token.is_empty());
                let token = TimestampToken::parse(token.ok_or(CheckError::NoTimestamp)?)?;
                let roots: Vec<Certificate> =
                    self.trusted(StoreType::Tsa)?.into_iter().cloned().collect();
                let timestamp = token.verify(content.signature(), &roots)?;
                timestamp.check_within_validity(chain).map_err(CheckError::TimestampRange)?;
                Ok(Some(timestamp))
            }
            SigningScheme::X509 => {
                chain.check_validity(self.at)?;
                Ok(None)
            }
        }
    }

    /// The certificates of the statement's stores of that type. One store without any fails the check: what is left is
    /// not the statement that was reviewed.
    fn trusted(&self, kind: StoreType) -> Result<Vec<&Certificate>, CheckError> {
        let mut trusted = Vec::new();
        for store in self.requirements.trust_stores.iter().filter(|store| store.kind == kind) {
            let before = trusted.len();
            trusted.extend(self.anchors.certificates(store));
            if trusted.len() == before {
                return Err(CheckError::EmptyStore { store: store.clone() });
            }
        }
        Ok(trusted)
    }

    /// trust-store-trust-policy.md, "Timestamp Countersignature Verification details".
    fn asks_for_timestamp(&self, content: &SignedContent) -> bool {
        let has_store =
            self.requirements.trust_stores.iter().any(|store| store.kind == StoreType::Tsa);
        let has_expired = || content.certificate_chain().first_to_expire().not_after() < self.at;
        has_store
            && match self.requirements.verify_timestamp {
                VerifyTimestamp::Always => true,
                VerifyTimestamp::AfterCertExpiry => has_expired(),
            }
    }

    fn user_metadata(&self, content: &SignedContent) -> Result<(), CheckError> {
        let signed = content.payload()?.target_artifact.annotations;
        for (name, wanted) in &self.artifact.user_metadata {
            match signed.get(name) {
                Some(value) if value == wanted => {}
                Some(value) => {
                    let (name, wanted, signed) = (name.clone(), wanted.clone(), value.clone());
                    return Err(CheckError::OtherMetadata { name, wanted, signed });
                }
                None => return Err(CheckError::NoMetadata { name: name.clone() }),
            }
        }
        Ok(())
    }
}

fn verification_plugin(content: &SignedContent) -> Result<(), CheckError> {
    match &content.attributes().verification_plugin {
        Some(plugin) => Err(CheckError::VerificationPlugin { plugin: plugin.clone() }),
        None => Ok(()),
    }
}
