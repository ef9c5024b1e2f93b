//! The payload: a JSON document that names the target artifact
//! (signature-specification.md, "Payload").

use serde::{Deserialize, Serialize};

use crate::{json, limits, oci::Descriptor};

/// The media type of the payload, the only one there is.
pub const PAYLOAD_MEDIA_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Payload {
    /// The artifact that the signature is about.
    pub target_artifact: Descriptor,
}

/// Why bytes are not a payload.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// More bytes than a payload may have.
    #[error("payload of {0} bytes is over the limit of {limit} bytes", limit = limits::PAYLOAD_BYTES)]
    TooLarge(usize),
    /// No JSON, a member twice, or no descriptor.
    #[error("payload is not a JSON object with the descriptor targetArtifact")]
    Malformed(#[source] serde_json::Error),
    /// No object `targetArtifact`.
    #[error("payload is not a JSON object with the object targetArtifact")]
    NoTargetArtifact,
}

impl Payload {
    /// The payload that names an artifact.
    #[must_use]
    pub const fn new(target_artifact: Descriptor) -> Self {
        Self { target_artifact }
    }

    /// Shows that bytes are a JSON object without a member that occurs twice, whatever it says.
    pub(super) fn check_json(bytes: &[u8]) -> Result<serde_json::Value, PayloadError> {
        if bytes.len() > limits::PAYLOAD_BYTES {
            return Err(PayloadError::TooLarge(bytes.len()));
        }
        let value = json::parse(bytes).map_err(PayloadError::Malformed)?;
        if value.is_object() { Ok(value) } else { Err(PayloadError::NoTargetArtifact) }
    }

    /// Reads a payload. A member that occurs twice is refused at any depth; unknown members are not
    /// looked at.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, PayloadError> {
        let value = Self::check_json(bytes)?;
        // serde would read a struct from an array as well.
        if !value.get("targetArtifact").is_some_and(serde_json::Value::is_object) {
            return Err(PayloadError::NoTargetArtifact);
        }
        serde_json::from_value(value).map_err(PayloadError::Malformed)
    }

    /// The payload as JSON.
    ///
    /// # Panics
    /// Never: the maps of a payload have strings as keys.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a struct of strings and numbers always serialises")]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers serialise")
    }
}
