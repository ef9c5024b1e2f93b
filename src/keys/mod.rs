//! Signing keys that stay where they are: a trait, the references that name them, one file a provider.
//!
//! A provider signs digests and tells the public key. It knows no envelope and no certificate.

#[cfg(feature = "aws")]
mod aws;
mod error;
pub mod file;
mod pem;
pub(crate) mod uri;

use std::{collections::BTreeMap, fmt, pin::Pin, time::Duration};

pub use crate::crypto::ecdsa_fixed_from_der;
pub use error::{KeyError, KeyErrorKind};
pub use uri::{KeyUri, KeyUriError, Provider};

use crate::{algorithm::SignatureAlgorithm, x509::PublicKey};

/// What a [`SigningKey`] answers with; dropping it is safe.
pub type KeyFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;

/// A private key that can be used but not read.
pub trait SigningKey: fmt::Debug + Send + Sync {
    /// Asks for the public key.
    ///
    /// # Errors
    /// [`KeyError`] where the key does not exist, may not be used or cannot be reached.
    fn public_key(&self) -> KeyFuture<'_, PublicKey>;

    /// Signs a digest, with one call to the service that holds the key.
    ///
    /// `digest` is the output of `algorithm.hash()`. The signature is what envelopes hold: for RSA as
    /// long as the modulus, for ECDSA r‖s, each as long as the field.
    ///
    /// # Errors
    /// [`KeyError`] where the key does not exist, may not be used or cannot be reached.
    fn sign<'a>(
        &'a self,
        algorithm: SignatureAlgorithm,
        digest: &'a [u8],
    ) -> KeyFuture<'a, Vec<u8>>;
}

/// Where passphrases come from. A plugin has no terminal, and so never prompts.
pub trait Secrets {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// Asks a person; `None` where there is none to ask.
    fn prompt(&self, question: &str) -> Option<String>;
}

/// How a key is opened.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct KeyOptions<'a> {
    /// The provider's settings, from plugin config.
    pub config: &'a BTreeMap<String, String>,
    /// How long one request to the key service may take, retries included.
    pub timeout: Duration,
    /// Where passphrases come from.
    pub secrets: &'a dyn Secrets,
}

impl<'a> KeyOptions<'a> {
    /// Options with those three.
    #[must_use]
    pub const fn new(
        config: &'a BTreeMap<String, String>,
        timeout: Duration,
        secrets: &'a dyn Secrets,
    ) -> Self {
        Self { config, timeout, secrets }
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.config.get(name).cloned()
    }
}

impl fmt::Debug for KeyOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyOptions").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A setting of a provider: its key in plugin config, and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// The key.
    pub name: &'static str,
    /// What it is for, in one line.
    pub purpose: &'static str,
}

type Open = fn(&KeyUri, &KeyOptions<'_>) -> Result<Box<dyn SigningKey>, KeyError>;

/// A provider that this build has.
struct Row {
    provider: Provider,
    settings: &'static [Setting],
    open: Open,
}

/// The providers of this build, one row each.
static PROVIDERS: &[Row] = &[
    Row { provider: Provider::File, settings: file::SETTINGS, open: file::open },
    #[cfg(feature = "aws")]
    Row { provider: Provider::Aws, settings: aws::SETTINGS, open: aws::open },
];

fn row(uri: &KeyUri) -> Result<&'static Row, KeyError> {
    let provider = uri.provider();
    PROVIDERS.iter().find(|row| row.provider == provider).ok_or_else(|| KeyError::ProviderMissing {
        // What stands in a query may be a secret, as a PIN is.
        key: uri.to_string().split('?').next().unwrap_or_default().to_owned(),
        scheme: provider.scheme(),
    })
}

/// Opens a key. Nothing is asked of a service yet.
///
/// # Errors
/// [`KeyError`], where the provider is not in this build, a setting is wrong, or a local key cannot be
/// read.
pub fn open(uri: &KeyUri, options: &KeyOptions<'_>) -> Result<Box<dyn SigningKey>, KeyError> {
    (row(uri)?.open)(uri, options)
}

/// The settings that the key's provider takes.
///
/// # Errors
/// [`KeyError::ProviderMissing`].
pub fn settings(uri: &KeyUri) -> Result<&'static [Setting], KeyError> {
    row(uri).map(|row| row.settings)
}

/// The settings of every provider of this build.
pub fn all_settings() -> impl Iterator<Item = &'static Setting> {
    PROVIDERS.iter().flat_map(|row| row.settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_in_a_reference_is_not_repeated() {
        let uri: KeyUri = "pkcs11:token=hsm;object=release?pin-value=hunter2".parse().unwrap();
        let error = settings(&uri).unwrap_err().to_string();
        assert!(error.starts_with("key pkcs11:token=hsm;object=release: provider"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
