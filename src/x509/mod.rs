//! X.509 certificates (RFC 5280) as the signature specification uses them: parsing, names, ordered
//! chains, and the certificate requirements for code signing and timestamping.
//!
//! Nothing here decides trust: a chain that verifies says only that its certificates fit together.

mod bundle;
mod certificate;
mod chain;
mod name;
mod pointers;
mod profile;
mod public_key;

pub use bundle::{BundleError, parse_bundle, to_pem};
pub use certificate::{Certificate, CertificateError};
pub(crate) use certificate::{CertificateSignature, KeyUsage};
pub(crate) use chain::Rfc3339;
pub use chain::{CertificateChain, ChainError, Repaired};
pub(crate) use name::{AttributeText, parse_text};
pub use name::{Name, NameAttribute, NameError};
pub use pointers::{DistributionPoint, PointerError};
pub(crate) use pointers::{PointName, Reasons};
pub(crate) use profile::OCSP_SIGNING;
pub use profile::{Purpose, Rule, Violation};
pub use public_key::{PublicKey, PublicKeyError};
