//! Keys of trust data, their ids, and signatures by them.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::json;

use super::canonical::to_canonical;
use crate::{
    algorithm::{
        HashAlgorithm::Sha256,
        SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss},
    },
    crypto, limits,
    x509::{Certificate, PublicKey, parse_bundle},
};

/// A public key, as `keys` of a root or targets file lists one:
///
/// ```text
/// KEYID: { "keytype": ecdsa | ecdsa-x509 | rsa | rsa-x509 | ed25519,
///          "keyval": { "private": null, "public": BASE64 } }
/// ```
#[derive(Debug, Clone)]
pub struct Key {
    key_type: String,
    id: String,
    canonical_id: String,
    material: Material,
}

/// What `public` holds, by key type.
#[derive(Debug, Clone)]
enum Material {
    /// `ecdsa`, `rsa`: a DER `SubjectPublicKeyInfo`.
    Plain(PublicKey),
    /// `ecdsa-x509`, `rsa-x509`: PEM certificates, the key's own first.
    Certified { leaf: Box<Certificate>, issuers: Vec<Certificate> },
    /// `ed25519`: 32 bytes.
    Ed25519(Vec<u8>),
    /// A key that nothing verifies with, and why.
    Unusable(String),
}

/// A key on the wire.
#[derive(Debug, Deserialize)]
pub(super) struct KeyEntry {
    keytype: String,
    keyval: KeyValue,
}

#[derive(Debug, Deserialize)]
struct KeyValue {
    public: String,
}

/// A signature on the wire.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Signature {
    pub(super) keyid: String,
    pub(super) method: String,
    pub(super) sig: String,
}

/// Why one signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// The role does not list that key.
    #[error("key is none of the role's")]
    UnknownKey,
    /// A method that no client knows.
    #[error("signing method {0:?} is not known")]
    UnknownMethod(String),
    /// A method of another type of key.
    #[error("signing method {method:?} does not go with a key of type {key_type:?}")]
    WrongMethod {
        /// The signature's method.
        method: String,
        /// The key's type.
        key_type: String,
    },
    /// The key itself cannot be used.
    #[error("key cannot be used: {0}")]
    UnusableKey(String),
    /// `sig` is no base64.
    #[error("signature is not base64")]
    NotBase64,
    /// It does not verify.
    #[error("signature does not verify")]
    Wrong,
}

impl Key {
    pub(super) fn from_entry(entry: &KeyEntry) -> Self {
        let key_type = entry.keytype.clone();
        let id = key_id(&key_type, &entry.keyval.public);
        let material = match BASE64_STANDARD.decode(&entry.keyval.public) {
            Ok(bytes) => Material::read(&key_type, &bytes),
            Err(_) => Material::Unusable("public part is not base64".to_owned()),
        };
        let canonical_id = match &material {
            Material::Certified { leaf, .. } => {
                let plain_type = key_type.trim_end_matches("-x509");
                key_id(plain_type, &BASE64_STANDARD.encode(leaf.public_key().as_spki_der()))
            }
            _ => id.clone(),
        };
        Self { key_type, id, canonical_id, material }
    }

    /// The id, computed from the key: lower-case hex SHA-256.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What tells one key from another, however it is written down and listed.
    pub(super) fn identity(&self) -> Vec<u8> {
        match (&self.material, self.material.public_key()) {
            (Material::Ed25519(key), _) => key.clone(),
            (_, Some(key)) => key.key_bytes().to_vec(),
            (_, None) => self.id.clone().into_bytes(),
        }
    }

    /// The id of the same key without its certificate, which private key files are named after.
    #[must_use]
    pub fn canonical_id(&self) -> &str {
        &self.canonical_id
    }

    /// `ecdsa`, `ecdsa-x509`, `rsa`, `rsa-x509` or `ed25519`, or something else.
    #[must_use]
    pub fn key_type(&self) -> &str {
        &self.key_type
    }

    /// The certificate of the key, where it has one.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        match &self.material {
            Material::Certified { leaf, .. } => Some(leaf),
            _ => None,
        }
    }

    /// The issuers that stand behind the certificate.
    #[must_use]
    pub fn issuers(&self) -> &[Certificate] {
        match &self.material {
            Material::Certified { issuers, .. } => issuers,
            _ => &[],
        }
    }

    /// Type and size, for people: `EC-256`, `RSA-2048`, `Ed25519`, or why the key cannot be used.
    #[must_use]
    pub fn strength(&self) -> String {
        match &self.material {
            Material::Plain(key) => key.to_string(),
            Material::Certified { leaf, .. } => leaf.public_key().to_string(),
            Material::Ed25519(_) => "Ed25519".to_owned(),
            Material::Unusable(_) => self.key_type.clone(),
        }
    }

    /// Why the key is too weak, or cannot be used at all.
    #[must_use]
    pub fn weakness(&self) -> Option<String> {
        match (&self.material, self.material.public_key()) {
            (Material::Unusable(why), _) => Some(why.clone()),
            (_, Some(key)) => weakness(key),
            (_, None) => None,
        }
    }

    /// Whether `signature` is one by this key over `message`.
    pub(super) fn verify(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureFault> {
        let bytes =
            BASE64_STANDARD.decode(&signature.sig).map_err(|_| SignatureFault::NotBase64)?;
        // Notary reads methods in lower case, whatever their case.
        let method = signature.method.to_lowercase();
        let (family, algorithm) = match method.as_str() {
            "ecdsa" => ("ecdsa", Ecdsa(Sha256)),
            "rsapss" => ("rsa", RsaPss(Sha256)),
            "rsapkcs1v15" => ("rsa", RsaPkcs1(Sha256)),
            "eddsa" => return self.verify_ed25519(method, message, &bytes),
            _ => return Err(SignatureFault::UnknownMethod(method)),
        };
        if let Some(why) = self.weakness() {
            return Err(SignatureFault::UnusableKey(why));
        }
        let key = self.material.public_key();
        let Some(key) = key.filter(|_| self.key_type.trim_end_matches("-x509") == family) else {
            return Err(self.wrong_method(method));
        };
        let verified = match algorithm {
            Ecdsa(_) => crypto::verify_ecdsa_fixed(algorithm, key, message, &bytes),
            _ => crypto::verify_x509(algorithm, key, message, &bytes),
        };
        verified.map_err(|_| SignatureFault::Wrong)
    }

    fn verify_ed25519(
        &self,
        method: String,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFault> {
        match &self.material {
            Material::Ed25519(key) => {
                crypto::verify_ed25519(key, message, signature).map_err(|_| SignatureFault::Wrong)
            }
            Material::Unusable(why) => Err(SignatureFault::UnusableKey(why.clone())),
            _ => Err(self.wrong_method(method)),
        }
    }

    fn wrong_method(&self, method: String) -> SignatureFault {
        SignatureFault::WrongMethod { method, key_type: self.key_type.clone() }
    }
}

impl Material {
    fn read(key_type: &str, bytes: &[u8]) -> Self {
        if bytes.len() > limits::DCT_KEY_BYTES {
            return Self::Unusable(format!(
                "{} bytes are over the limit of {}",
                bytes.len(),
                limits::DCT_KEY_BYTES
            ));
        }
        match key_type {
            "ecdsa" | "rsa" => match PublicKey::from_spki_der(bytes) {
                Ok(key) => Self::Plain(key).if_of_family(key_type),
                Err(error) => Self::Unusable(error.to_string()),
            },
            "ecdsa-x509" | "rsa-x509" => Self::certified(key_type, bytes),
            "ed25519" if bytes.len() == 32 => Self::Ed25519(bytes.to_vec()),
            "ed25519" => Self::Unusable(format!("{} bytes instead of 32", bytes.len())),
            _ => Self::Unusable(format!("key type {key_type:?} is not known")),
        }
    }

    /// The first certificate's key is the one that signs.
    fn certified(key_type: &str, pem: &[u8]) -> Self {
        let mut certificates = match parse_bundle(pem) {
            Ok(certificates) => certificates.into_iter(),
            Err(error) => {
                let cause = std::error::Error::source(&error);
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                return Self::Unusable(format!("{error}{cause}"));
            }
        };
        match certificates.next() {
            Some(leaf) => {
                let (leaf, issuers) = (Box::new(leaf), certificates.collect());
                Self::Certified { leaf, issuers }.if_of_family(key_type)
            }
            None => Self::Unusable("there is no certificate".to_owned()),
        }
    }

    /// Refuses an RSA key that calls itself `ecdsa`, and the other way round.
    fn if_of_family(self, key_type: &str) -> Self {
        match self.public_key() {
            Some(key) if key.rsa_bits().is_some() != key_type.starts_with("rsa") => {
                Self::Unusable(format!("key is {key}, and its type says {key_type:?}"))
            }
            // Notary's own language reads no other form; and one key in two forms must not count twice.
            Some(key) if !key_type.starts_with("rsa") && key.key_bytes().first() != Some(&4) => {
                Self::Unusable("its point is compressed".to_owned())
            }
            _ => self,
        }
    }

    fn public_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Plain(key) => Some(key),
            Self::Certified { leaf, .. } => Some(leaf.public_key()),
            Self::Ed25519(_) | Self::Unusable(_) => None,
        }
    }
}

/// SHA-256 over the canonical form of the key.
fn key_id(key_type: &str, public: &str) -> String {
    let key = json!({"keytype": key_type, "keyval": {"private": null, "public": public}});
    // Strings and null always have a canonical form.
    crypto::hex(&crypto::sha256(&to_canonical(&key).unwrap_or_default()))
}

/// Notary takes RSA keys from 2048 bits up; this library knows three curves, all strong.
fn weakness(key: &PublicKey) -> Option<String> {
    match key.rsa_bits() {
        Some(bits) if bits < limits::DCT_RSA_BITS => {
            Some(format!("RSA key of {bits} bits is below {}", limits::DCT_RSA_BITS))
        }
        None if key.key_spec().is_none() => Some(format!("key is {key}, which is not supported")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key_type: &str, public: &str) -> Key {
        let entry = json!({"keytype": key_type, "keyval": {"private": null, "public": public}});
        Key::from_entry(&serde_json::from_value(entry).unwrap())
    }

    const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDhvmxBYcf2LtR1jPt9KgCAuoIteNLiU6C0sLEPMizVXQ53\
        BeJT/XHq2rTV+wosyuTw4ySPWyxh8WNEo+pbOZEZg8w1WooblJeAnLybc2gzSNUPkg7pe5U5LZE4rFP03q+tHyIi71BvxLdmq6YtlPmOE0/Fg\
        e7rFu4YLooM1mjo3QIDAQAB";
    const P_224: &str = "ME4wEAYHKoZIzj0CAQYFK4EEACEDOgAEwxwzOmNnqBkkfSdqkdSQEjN4QbTd/uppg0erUx2VAg4GHz1vmQ2O2EzhJHvubG5f\
        Ja25ryo2gno=";

    #[test]
    fn keys_that_are_weak_or_nothing_tell_why_and_verify_nothing() {
        let signature =
            Signature { keyid: String::new(), method: "rsapss".to_owned(), sig: "AAAA".to_owned() };
        for (key_type, public, why) in [
            ("rsa", RSA_1024, "RSA key of 1024 bits is below 2048"),
            ("ecdsa", P_224, "which is not supported"),
            ("ecdsa", RSA_1024, "key is RSA-1024, and its type says \"ecdsa\""),
            ("ed25519", "AAAA", "3 bytes instead of 32"),
            ("ecdsa", "AAAA", "public key is not a DER SubjectPublicKeyInfo"),
            ("ecdsa-x509", "AAAA", "neither PEM nor DER certificates"),
            ("dsa", "AAAA", "key type \"dsa\" is not known"),
            ("rsa", "?", "public part is not base64"),
        ] {
            let key = key(key_type, public);
            let told = key.weakness().unwrap();
            assert!(told.contains(why), "{key_type}: {told}");
            assert_eq!(key.verify(b"", &signature), Err(SignatureFault::UnusableKey(told)));
        }
    }
}
