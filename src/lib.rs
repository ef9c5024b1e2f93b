//! Notary Project signatures.

pub mod algorithm;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod config;
mod crypto;
pub mod envelope;
pub mod fs;
pub mod keys;
pub mod limits;
pub mod oci;
pub mod pki;
#[cfg(feature = "cli")]
pub mod plugin;
pub mod registry;
pub mod sign;
#[cfg(feature = "testing")]
pub mod testing;
pub mod x509;
