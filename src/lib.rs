//! Notary Project signatures: made with the key service that a team already owns, and verified.
//!
//! # Reading a signature
//!
//! [`Envelope::parse`] reads a JWS or COSE envelope that nothing is known of, and [`Envelope::verify`]
//! turns it into [`SignedContent`]. There is no other way to what was signed.
//!
//! ```
//! use notation_sdk::{Envelope, EnvelopeError, EnvelopeFormat};
//!
//! fn artifact_of(envelope: &[u8]) -> Result<String, EnvelopeError> {
//!     let content = Envelope::parse(EnvelopeFormat::Jws, envelope)?.verify()?;
//!     let signer = content.certificate_chain().leaf().subject();
//!     Ok(format!("{} says that it signed {}", signer, content.payload()?.target_artifact.digest))
//! }
//! # assert!(artifact_of(b"{}").is_err());
//! ```
//!
//! What verifies is **integrity**: the signature, the certificate chain up to whatever root it brings, and
//! the certificate requirements of the specification. Whether that root is trusted and whether the
//! certificates are valid now are questions for a trust policy: [`verify::evaluate`] answers them, with the
//! policy, the trusted certificates and the time as arguments.
//!
//! # Signing
//!
//! [`sign_envelope`] takes any [`SigningKey`] and a [`CertificateChain`]. [`keys::open`] opens a key by its
//! reference; [`pki`] makes certificates and certificate requests for it.
//!
//! # Docker Content Trust
//!
//! [`dct::judge`] holds the trust data of a notary server against what is known of its root, and
//! [`dct::Archive`] keeps it when the server is gone.
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | (none) | envelopes, certificates, signing with local keys, image layouts; no network, no runtime |
//! | `aws` | keys of AWS KMS |
//! | `net` | registries, and what else is read from servers over HTTP |
//! | `cli` (default) | the executable and the plugin protocol |
//! | `testing` | keys and certificates in memory, for tests |

pub mod algorithm;
mod asn1;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod config;
mod crypto;
pub mod dct;
pub mod envelope;
pub mod fs;
#[cfg(feature = "net")]
pub mod http;
mod json;
pub mod keys;
pub mod limits;
pub mod oci;
pub mod pki;
#[cfg(feature = "cli")]
pub mod plugin;
pub mod registry;
pub mod revocation;
pub mod sign;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
pub mod timestamp;
pub mod trust;
pub mod verify;
pub mod x509;

pub use envelope::{
    Envelope, EnvelopeError, EnvelopeFormat, Payload, SignedAttributes, SignedContent,
    SigningScheme,
};
pub use keys::{KeyError, KeyUri, SigningKey};
pub use sign::{SignError, SignRequest, sign_envelope};
pub use x509::{Certificate, CertificateChain};
