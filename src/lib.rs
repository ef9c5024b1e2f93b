//! Notary Project signatures.

pub mod algorithm;
mod crypto;
pub mod envelope;
pub mod limits;
pub mod oci;
pub mod x509;
