//! Digests and descriptors (OCI image specification 1.1).

mod descriptor;
mod digest;

pub use descriptor::Descriptor;
pub use digest::{Digest, DigestError};
