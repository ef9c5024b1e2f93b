//! What can be wrong with a metadata file, each fault with its own code and sentence.

use std::fmt;

use time::UtcDateTime;

use super::{Role, metadata::MetadataError};
use crate::{algorithm::HashAlgorithm, x509::Rfc3339};

/// What is wrong with one metadata file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The source has no such file, though another file lists it.
    #[error("file is missing")]
    Missing,
    /// More bytes than clients read.
    #[error("file of {bytes} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Bytes of the file.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It is not a file of that role.
    #[error(transparent)]
    Malformed(#[from] MetadataError),
    /// The root does not say whose signature counts.
    #[error("root lists no keys for the role")]
    NoKeys,
    /// A threshold that nothing could miss.
    #[error("threshold is {0}: at least one signature has to be needed")]
    BadThreshold(i64),
    /// A role lists a key twice.
    #[error("the role lists key {0} twice")]
    DuplicateKeyId(String),
    /// Two signatures by one key.
    #[error("key {0} has signed twice: one key counts once")]
    DuplicateSignature(String),
    /// A role lists a key that is not there.
    #[error("the role lists key {0}, which is not among the keys")]
    UnknownKey(String),
    /// The id of a key is not what the key gives.
    #[error("key {listed} is listed under an id that is not its own: computed, it is {computed}")]
    KeyIdMismatch {
        /// The id in the file.
        listed: String,
        /// The id of the key.
        computed: String,
    },
    /// A signature by a key of the role does not verify.
    #[error("signature by key {key} does not verify: {valid} of {threshold} signatures are valid")]
    WrongSignature {
        /// The key.
        key: String,
        /// Keys whose signature verifies.
        valid: usize,
        /// How many have to.
        threshold: i64,
    },
    /// Fewer signatures than needed.
    #[error("{valid} of {threshold} signatures are valid{reasons}", reasons = Reasons(reasons))]
    BelowThreshold {
        /// Keys whose signature verifies.
        valid: usize,
        /// How many have to.
        threshold: i64,
        /// Why the others do not count, by key.
        reasons: Vec<String>,
    },
    /// A key of the root without a certificate.
    #[error("root key {0} has no certificate that names the repository")]
    NoCertificate(String),
    /// A root key whose certificates are not a leaf with the CAs above it.
    #[error("certificates of root key {0} are not one leaf and then its issuers")]
    NotALeaf(String),
    /// A root certificate for another repository.
    #[error("certificate of root key {key} is for {common_name:?}, and this is {gun}")]
    WrongGun {
        /// The key.
        key: String,
        /// The certificate's common name.
        common_name: String,
        /// The repository.
        gun: String,
    },
    /// A root certificate signed with SHA-1.
    #[error("certificate of root key {0} is signed with SHA-1")]
    Sha1Certificate(String),
    /// A root certificate that is not valid yet.
    #[error("certificate of root key {key} is not valid before {not_before}", not_before = Rfc3339(*not_before))]
    CertificateNotYetValid {
        /// The key.
        key: String,
        /// The first second of validity.
        not_before: UtcDateTime,
    },
    /// A root certificate that has expired.
    #[error("certificate of root key {key} expired at {not_after}", not_after = Rfc3339(*not_after))]
    CertificateExpired {
        /// The key.
        key: String,
        /// The last second of validity.
        not_after: UtcDateTime,
    },
    /// None of the pinned keys has signed this root or one that leads to it.
    #[error("no root is signed by what is pinned ({0})")]
    NotPinned(String),
    /// A root that the root before it did not sign.
    #[error("root {version} is not signed by enough keys of root {previous}")]
    BrokenRotation {
        /// The root before.
        previous: u64,
        /// This one.
        version: u64,
    },
    /// `N.root.json` that holds another version.
    #[error("file holds version {0}")]
    WrongVersion(u64),
    /// Two files of one version.
    #[error("file differs from root.json, which has the same version")]
    TwoRoots,
    /// An older file than one that was seen.
    #[error("version {version} is older than version {seen}, which was seen before")]
    RolledBack {
        /// The version.
        version: u64,
        /// The newer one.
        seen: u64,
    },
    /// The file that has to list this one does not.
    #[error("{0} does not list the file")]
    NotListed(Role),
    /// The file that lists this one gives no hash.
    #[error("{0} lists the file without a SHA-256 or SHA-512")]
    NoHash(Role),
    /// Another length than listed.
    #[error("{by} lists {listed} bytes, and the file has {actual}")]
    WrongLength {
        /// Who lists it.
        by: Role,
        /// Bytes as listed.
        listed: u64,
        /// Bytes of the file.
        actual: usize,
    },
    /// Other bytes than listed.
    #[error("{by} lists {algorithm} {listed}, and the file has {actual}")]
    WrongHash {
        /// Who lists it.
        by: Role,
        /// SHA-256 or SHA-512.
        algorithm: HashAlgorithm,
        /// Hex as listed.
        listed: String,
        /// Hex of the file.
        actual: String,
    },
    /// Delegations that are not looked at, so that nobody knows what they sign.
    #[error("there are over {0} delegations, and no more are looked at")]
    TooManyDelegations(usize),
    /// A file that this one rests on is refused or missing.
    #[error("{0}, which it rests on, is not accepted")]
    RestsOn(Role),
    /// Past its time.
    #[error("expired at {time}", time = Rfc3339(*.0))]
    Expired(UtcDateTime),
}

impl Fault {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLarge { .. } => "too-large",
            Self::Malformed(MetadataError::WrongType { .. }) => "wrong-type",
            Self::Malformed(_) => "malformed",
            Self::NoKeys => "no-keys",
            Self::BadThreshold(_) => "bad-threshold",
            Self::DuplicateKeyId(_) => "duplicate-key-id",
            Self::DuplicateSignature(_) => "duplicate-signature",
            Self::UnknownKey(_) => "unknown-key",
            Self::KeyIdMismatch { .. } => "key-id-mismatch",
            Self::WrongSignature { .. } => "wrong-signature",
            Self::BelowThreshold { .. } => "below-threshold",
            Self::NoCertificate(_) => "no-certificate",
            Self::NotALeaf(_) => "not-a-leaf",
            Self::WrongGun { .. } => "wrong-gun",
            Self::Sha1Certificate(_) => "sha1-certificate",
            Self::CertificateNotYetValid { .. } => "certificate-not-yet-valid",
            Self::CertificateExpired { .. } => "certificate-expired",
            Self::NotPinned(_) => "not-pinned",
            Self::BrokenRotation { .. } => "broken-rotation",
            Self::WrongVersion(_) => "wrong-version",
            Self::TwoRoots => "two-roots",
            Self::RolledBack { .. } => "rolled-back",
            Self::NotListed(_) => "not-listed",
            Self::NoHash(_) => "no-hash",
            Self::WrongLength { .. } => "wrong-length",
            Self::WrongHash { .. } => "wrong-hash",
            Self::TooManyDelegations(_) => "too-many-delegations",
            Self::RestsOn(_) => "rests-on",
            Self::Expired(_) => "expired",
        }
    }

    /// Whether it is only that time has passed.
    #[must_use]
    pub const fn is_expiry(&self) -> bool {
        matches!(self, Self::Expired(_) | Self::CertificateExpired { .. })
    }
}

/// `: key …: why; key …: why`
struct Reasons<'a>(&'a [String]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, reason) in self.0.iter().enumerate() {
            write!(f, "{}{reason}", if i == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}
