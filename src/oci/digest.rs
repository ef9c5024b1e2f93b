//! Content digests: `sha256:<64 hex digits>`, and SHA-384 and SHA-512 alike.

use std::{
    fmt,
    io::{self, Read},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{algorithm::HashAlgorithm, crypto};

/// An OCI digest of a hash that signatures may use. Two digests are equal when their text is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    text: String,
}

/// Why text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// No `algorithm:hex`.
    #[error("{0:?} is not of the form ALGORITHM:HEX, as in sha256:9834…")]
    NoAlgorithm(String),
    /// A hash that is not supported.
    #[error("digest algorithm {0:?} is none of sha256, sha384 and sha512")]
    UnknownAlgorithm(String),
    /// Upper case, too short, too long or no hex at all.
    #[error("{text:?} does not have {length} lower-case hex digits after the colon")]
    BadHex {
        /// What was given.
        text: String,
        /// How many digits it should have.
        length: usize,
    },
}

impl Digest {
    /// The digest of `data`.
    #[must_use]
    pub fn of(hash: HashAlgorithm, data: &[u8]) -> Self {
        Self::from_bytes(hash, &crypto::digest(hash, data))
    }

    /// The digest of all that `reader` gives, and how many bytes that is. Memory is constant.
    ///
    /// # Errors
    /// The reader's.
    pub fn of_reader(hash: HashAlgorithm, reader: impl Read) -> io::Result<(Self, u64)> {
        let (digest, size) = crypto::digest_reader(hash, reader)?;
        Ok((Self::from_bytes(hash, &digest), size))
    }

    pub(crate) fn from_bytes(hash: HashAlgorithm, bytes: &[u8]) -> Self {
        Self { text: format!("{}:{}", hash.digest_prefix(), crypto::hex(bytes)) }
    }

    /// The digest as text, `sha256:…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The hex digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The hash.
    #[must_use]
    pub fn algorithm(&self) -> HashAlgorithm {
        let prefix = self.text.split_once(':').map_or("", |(prefix, _)| prefix);
        HashAlgorithm::from_digest_prefix(prefix).unwrap_or(HashAlgorithm::Sha256)
    }

    /// Whether `data` has this digest.
    #[must_use]
    pub fn matches(&self, data: &[u8]) -> bool {
        *self == Self::of(self.algorithm(), data)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (prefix, hex) =
            text.split_once(':').ok_or_else(|| DigestError::NoAlgorithm(text.to_owned()))?;
        let hash = HashAlgorithm::from_digest_prefix(prefix)
            .ok_or_else(|| DigestError::UnknownAlgorithm(prefix.to_owned()))?;
        let length = hash.digest_len() * 2;
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() != length || !hex.bytes().all(lower_hex) {
            return Err(DigestError::BadHex { text: text.to_owned(), length });
        }
        Ok(Self { text: text.to_owned() })
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_known_data_are_known() {
        let digest = Digest::of(HashAlgorithm::Sha256, b"{}");
        let text = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(digest.as_str(), text);
        assert_eq!(text.parse(), Ok(digest.clone()));
        assert!(digest.matches(b"{}") && !digest.matches(b"{ }"));
    }

    #[test]
    fn malformed_digests_are_refused() {
        let refused = |text: &str| text.parse::<Digest>().unwrap_err().to_string();
        assert!(refused("44136fa3").contains("not of the form ALGORITHM:HEX"));
        assert!(refused("md5:00").contains("\"md5\" is none of"));
        assert!(refused("sha256:00").contains("64 lower-case hex digits"));
        let upper =
            Digest::of(HashAlgorithm::Sha256, b"").as_str().to_uppercase().replace("SHA", "sha");
        assert!(refused(&upper).contains("64 lower-case hex digits"));
    }
}
