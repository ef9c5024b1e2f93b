//! Signing keys that stay where they are: a trait, the references that name them, one file a provider.
//!
//! A provider signs digests and tells the public key. It knows no envelope and no certificate.

mod error; pub use error::*;


use std::{fmt, future::Future, pin::Pin};

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
    fn sign<'a>(&'a self, algorithm: SignatureAlgorithm, digest: &'a [u8]) -> KeyFuture<'a, Vec<u8>>;
}
