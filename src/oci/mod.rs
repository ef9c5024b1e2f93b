//! Digests, descriptors, references and manifests (OCI image specification 1.1).

mod descriptor;
mod digest;
mod manifest;
mod reference;

pub use descriptor::Descriptor;
pub use digest::{Digest, DigestError};
pub use manifest::{
    CREATED_ANNOTATION, DOCKER_LIST_MEDIA_TYPE, DOCKER_MANIFEST_MEDIA_TYPE, EMPTY_CONFIG,
    EMPTY_MEDIA_TYPE, INDEX_MEDIA_TYPE, Index, Listed, MANIFEST_MEDIA_TYPE, Manifest,
    SIGNATURE_MEDIA_TYPE, THUMBPRINT_ANNOTATION, thumbprints,
};
pub use reference::{Reference, ReferenceError};
