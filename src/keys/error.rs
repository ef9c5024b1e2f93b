//! What can be wrong with a key, in words that stand alone: the notation CLI shows nothing else.

use std::{error::Error, path::PathBuf, time::Duration};

use super::KeyUriError;
use crate::{fs::FileError, limits};

/// What a caller can do about a [`KeyError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyErrorKind {
    /// The reference, the key or its configuration has to be changed.
    Invalid,
    /// There is no such key.
    NotFound,
    /// Credentials are missing, expired or not allowed to use the key.
    Denied,
    /// The service asks to slow down.
    Throttled,
    /// No answer came in time.
    Timeout,
    /// The service could not be reached, or failed.
    Unavailable,
}

/// Why a key did not sign, or did not tell its public key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A reference that names a provider this executable is built without.
    #[error("key {key}: provider {scheme} is not built into this executable")]
    ProviderMissing {
        /// The reference.
        key: String,
        /// The provider.
        scheme: &'static str,
    },
    /// A reference that the provider cannot read.
    #[error(transparent)]
    Reference {
        /// What is wrong with it.
        source: KeyUriError,
    },
    /// A setting that the provider cannot use.
    #[error("key {key}: setting {setting} is {value:?}, and {expected}")]
    BadSetting {
        /// The reference.
        key: String,
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// No region for a key of AWS KMS.
    #[error(
        "key {key} has no region: name it by the key's ARN, plugin config aws-region, AWS_REGION or the profile"
    )]
    NoRegion {
        /// The reference.
        key: String,
    },
    /// A key file that cannot be read.
    #[error("key {key} cannot be read")]
    File {
        /// The reference.
        key: String,
        /// Why.
        #[source]
        source: FileError,
    },
    /// A private key in another form than PKCS#8.
    #[error(
        "key {path} is {found}, and must be PKCS#8 in PEM: openssl pkcs8 -topk8 -in {path} -out key.pem"
    )]
    NotPkcs8 {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A private key of OpenSSH.
    #[error(
        "key {path} is of OpenSSH, and must be PKCS#8 in PEM: ssh-keygen -p -m PKCS8 turns a copy of it into that"
    )]
    OpenSsh {
        /// The file.
        path: PathBuf,
    },
    /// Something else than a private key in PEM.
    #[error(
        "key {path} holds no private key in PEM, which begins with -----BEGIN PRIVATE KEY----- or \
         -----BEGIN ENCRYPTED PRIVATE KEY-----"
    )]
    NotPem {
        /// The file.
        path: PathBuf,
    },
    /// More than one private key in a file.
    #[error("key {path} holds {count} private keys: keep the one that signs in a file of its own")]
    SeveralKeys {
        /// The file.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// A private key in PEM that cannot be read.
    #[error("key {path} holds a private key whose PEM block is broken: copy the whole file again")]
    BrokenPem {
        /// The file.
        path: PathBuf,
    },
    /// A private key that signs no artifact.
    #[error(
        "key {path} is none of RSA with 2048, 3072 or 4096 bits and EC on P-256, P-384 or P-521"
    )]
    UnsupportedKey {
        /// The file.
        path: PathBuf,
    },
    /// An encrypted key, and nothing to decrypt it with.
    #[error(
        "key {path} is encrypted, and no passphrase was given: set plugin config passphrase-file, or \
         passphrase-env to the name of an environment variable"
    )]
    PassphraseMissing {
        /// The file.
        path: PathBuf,
    },
    /// An environment variable that should hold the passphrase.
    #[error("key {path} is encrypted, and environment variable {variable} is not set")]
    PassphraseVariable {
        /// The file.
        path: PathBuf,
        /// The variable.
        variable: String,
    },
    /// A passphrase that does not open the key.
    #[error("key {path} cannot be decrypted: the passphrase is wrong")]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// An encryption that is not known.
    #[error(
        "key {path} is encrypted by another scheme than PBES2 with AES and HMAC-SHA-2 (RFC 8018): \
         openssl pkcs8 -topk8 -in {path} -out key.pem"
    )]
    UnknownEncryption {
        /// The file.
        path: PathBuf,
    },
    /// An encryption whose key derivation asks for more time or memory than it may.
    #[error(
        "key {path} is encrypted with a key derivation over the limit of {} iterations of PBKDF2, or {} \
         bytes of scrypt",
        limits::PBKDF2_ITERATIONS,
        limits::SCRYPT_BYTES
    )]
    CostlyEncryption {
        /// The file.
        path: PathBuf,
    },
    /// An algorithm that the key does not have.
    #[error(
        "key {key} cannot sign with {algorithm}: {reason}; check that key and certificate chain belong together"
    )]
    WrongAlgorithm {
        /// The reference.
        key: String,
        /// The algorithm, as the provider names it.
        algorithm: String,
        /// What the service said.
        reason: String,
    },
    /// No such key.
    #[error("key {key} was not found: {reason}; check the reference, the account and the region")]
    NotFound {
        /// The reference.
        key: String,
        /// What the service said.
        reason: String,
    },
    /// The key is switched off.
    #[error(
        "key {key} is disabled: enable it, as with aws kms enable-key --key-id {enable}, or use another key"
    )]
    Disabled {
        /// The reference.
        key: String,
        /// What the service's own command takes for it.
        enable: String,
    },
    /// The key is in a state in which it does not sign, such as pending deletion.
    #[error(
        "key {key} cannot be used in its state: {reason}; bring it back, as with aws kms cancel-key-deletion, or use another key"
    )]
    WrongState {
        /// The reference.
        key: String,
        /// What the service said.
        reason: String,
    },
    /// The key is not for signing.
    #[error(
        "key {key} is not for this use: {reason}; signing needs an asymmetric key of usage SIGN_VERIFY"
    )]
    WrongUsage {
        /// The reference.
        key: String,
        /// What the service said.
        reason: String,
    },
    /// The request was refused as invalid.
    #[error(
        "key {key}: the key service refused the request as invalid: {reason}; check the key reference and plugin config"
    )]
    Refused {
        /// The reference.
        key: String,
        /// What the service said.
        reason: String,
    },
    /// The credentials may not use the key.
    #[error("access to key {key} was denied: {reason}; the credentials need {needs} on the key")]
    AccessDenied {
        /// The reference.
        key: String,
        /// What the service said.
        reason: String,
        /// The permission.
        needs: &'static str,
    },
    /// No credentials, or expired ones.
    #[error("access to key {key} was denied, as there are no valid credentials: {reason}; {hint}")]
    NoCredentials {
        /// The reference.
        key: String,
        /// What is wrong with them.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// Too many requests.
    #[error(
        "key service throttled the requests for key {key}: {reason}; try again later, or raise the quota"
    )]
    Throttled {
        /// The reference.
        key: String,
        /// What the service said.
        reason: String,
    },
    /// No answer in time.
    #[error("key service timed out: no answer for key {key} within {} s; plugin config timeout allows more", after.as_secs_f32())]
    Timeout {
        /// The reference.
        key: String,
        /// The deadline.
        after: Duration,
    },
    /// The service, or one that it needs, gave up waiting before the deadline.
    #[error("key service timed out for key {key}: {reason}; try again")]
    ServiceTimeout {
        /// The reference.
        key: String,
        /// What was waited for.
        reason: String,
    },
    /// The service that gives credentials could not be reached, or failed.
    #[error("credentials for key {key} could not be fetched: {reason}; try again")]
    CredentialsUnreachable {
        /// The reference.
        key: String,
        /// Why.
        reason: String,
    },
    /// The service could not be reached.
    #[error(
        "key service for key {key} could not be reached; check the network, proxies, the endpoint and the region"
    )]
    Unreachable {
        /// The reference.
        key: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The service failed by itself.
    #[error("key service failed for key {key}: {reason}; try again")]
    ServiceFault {
        /// The reference.
        key: String,
        /// What the service said.
        reason: String,
    },
    /// The service answered what it should not.
    #[error(
        "key service answered for key {key} with {what}: check that its endpoint is one of KMS"
    )]
    BadAnswer {
        /// The reference.
        key: String,
        /// What came.
        what: String,
    },
}

impl KeyError {
    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> KeyErrorKind {
        match self {
            Self::NotFound { .. } => KeyErrorKind::NotFound,
            Self::AccessDenied { .. } | Self::NoCredentials { .. } => KeyErrorKind::Denied,
            Self::Throttled { .. } => KeyErrorKind::Throttled,
            Self::Timeout { .. } | Self::ServiceTimeout { .. } => KeyErrorKind::Timeout,
            Self::Unreachable { .. }
            | Self::CredentialsUnreachable { .. }
            | Self::ServiceFault { .. }
            | Self::BadAnswer { .. } => KeyErrorKind::Unavailable,
            _ => KeyErrorKind::Invalid,
        }
    }
}
