//! Notary Project signatures.

pub mod algorithm;
mod crypto;
pub mod envelope;
pub mod fs;
pub mod keys;
pub mod limits;
pub mod oci;
pub mod pki;
pub mod registry;
pub mod sign;
#[cfg(feature = "testing")]
pub mod testing;
pub mod x509;
