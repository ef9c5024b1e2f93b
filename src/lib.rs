//! Notary Project signatures: made with the key service that a team already owns, and verified.
//!
//! # Verifying
//!
//! [`verify::evaluate`] holds a signature against a statement of a trust policy. It is a pure function: the
//! envelope, the artifact, the statement, the trusted certificates, what is known of revocation, and the time are
//! arguments. `Ok` means accepted; only [`verify::Accepted::Verified`] names a signer.
//!
//! ```
//! use notation_sdk::{
//!     Envelope,
//!     oci::Descriptor,
//!     revocation::Evidence,
//!     trust::{OciPolicy, TrustAnchors},
//!     verify::{Accepted, Artifact, evaluate},
//! };
//! use time::UtcDateTime;
//!
//! fn signer(
//!     envelope: &[u8],
//!     artifact: &Descriptor,
//!     policy: &OciPolicy,
//!     anchors: &TrustAnchors,
//!     now: UtcDateTime,
//! ) -> Result<String, Box<dyn std::error::Error>> {
//!     let repository = "registry.example/team/app".parse()?;
//!     let statement = &policy.statement_for(&repository).ok_or("no statement")?.statement;
//!     let envelope = Envelope::parse_any(envelope)?;
//!     let evidence = Evidence::new();
//!     match evaluate(&envelope, &Artifact::oci(artifact), statement, anchors, &evidence, now)? {
//!         Accepted::Verified(verified) => Ok(verified.signer().subject().to_string()),
//!         other => Err(format!("accepted, and not verified: {:?}", other.outcome()).into()),
//!     }
//! }
//! ```
//!
//! [`verify::Verifier`] does that with every signature of an artifact in a [`registry::Repository`], and asks about
//! revocation where it is told to.
//!
//! [`Envelope::verify`] alone shows **integrity**: the signature, the certificate chain up to whatever root it
//! brings, and the certificate requirements. It says nothing of trust.
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
//! | (none) | verification, trust policies, signing with local keys, image layouts; no network, no runtime |
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
