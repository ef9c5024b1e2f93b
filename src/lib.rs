//! Notary Project signatures.

pub mod algorithm;
mod crypto;
pub mod limits;
pub mod x509;
