//! X.509 certificates (RFC 5280) as the signature specification uses them.

mod public_key;

pub use public_key::{PublicKey, PublicKeyError};
