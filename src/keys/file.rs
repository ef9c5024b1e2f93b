//! Local keys: PKCS#8 PEM, plain or encrypted (RFC 5958). For trials and tests, and where a disk is all
//! there is.

use std::path::{Path, PathBuf};

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        self as raw, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair, RsaEncoding,
    },
};
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, SecretDocument};
use zeroize::Zeroizing;

use super::{KeyError, KeyFuture, KeyOptions, KeyUri, Setting, SigningKey, uri::file_path};
use crate::{
    algorithm::{
        HashAlgorithm::{self, Sha256, Sha384, Sha512},
        KeySpec,
        SignatureAlgorithm::{self, Ecdsa, RsaPkcs1, RsaPss},
    },
    fs, limits,
    x509::PublicKey,
};

/// Plugin config keys of this provider.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: PASSPHRASE_FILE,
        purpose: "file whose first line is the passphrase of an encrypted key",
    },
    Setting {
        name: PASSPHRASE_ENV,
        purpose: "name of the environment variable with the passphrase of an encrypted key",
    },
];

const PASSPHRASE_FILE: &str = "passphrase-file";
const PASSPHRASE_ENV: &str = "passphrase-env";

/// A private key in memory.
#[derive(Debug)]
pub struct FileKey {
    pair: Pair,
    public: PublicKey,
    name: String,
}

#[derive(Debug)]
enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

pub(super) fn open(
    uri: &KeyUri,
    options: &KeyOptions<'_>,
) -> Result<Box<dyn SigningKey>, KeyError> {
    let path = file_path(uri)
        .map_err(|_| KeyError::NotPkcs8 { path: uri.as_str().into(), found: "no path" })?;
    let pem = read(&path)?;
    let passphrase = || find_passphrase(&path, options);
    Ok(Box::new(FileKey::parse(&path, &pem, passphrase)?))
}

impl FileKey {
    /// Makes a new key, and gives it with its PKCS#8 PEM.
    ///
    /// # Errors
    /// [`KeyError::UnsupportedKey`], where the crypto library makes no such key.
    pub fn generate(spec: KeySpec) -> Result<(Zeroizing<String>, Self), KeyError> {
        let path = Path::new("a new key");
        let der = generate(spec).ok_or_else(|| KeyError::UnsupportedKey { path: path.into() })?;
        let pem = SecretDocument::try_from(der.as_slice())
            .and_then(|document| document.to_pem("PRIVATE KEY", LineEnding::LF))
            .map_err(|_| KeyError::UnsupportedKey { path: path.into() })?;
        let key = Self::from_pkcs8(path, &der)?;
        Ok((pem, key))
    }

    /// Reads a key that is not encrypted.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_pem_file(path: &Path) -> Result<Self, KeyError> {
        let missing = || Err(KeyError::PassphraseMissing { path: path.to_owned() });
        Self::parse(path, &read(path)?, missing)
    }

    fn parse(
        path: &Path,
        pem: &str,
        passphrase: impl FnOnce() -> Result<Zeroizing<String>, KeyError>,
    ) -> Result<Self, KeyError> {
        let not_pkcs8 = |found| KeyError::NotPkcs8 { path: path.to_owned(), found };
        let (label, document) =
            SecretDocument::from_pem(pem).map_err(|_| not_pkcs8("not one PEM block"))?;
        match label {
            "PRIVATE KEY" => Self::from_pkcs8(path, document.as_bytes()),
            "ENCRYPTED PRIVATE KEY" => {
                let wrong = || KeyError::WrongPassphrase { path: path.to_owned() };
                let encrypted =
                    EncryptedPrivateKeyInfo::try_from(document.as_bytes()).map_err(|_| wrong())?;
                let decrypted = encrypted.decrypt(passphrase()?.as_bytes()).map_err(|_| wrong())?;
                Self::from_pkcs8(path, decrypted.as_bytes())
            }
            "RSA PRIVATE KEY" => Err(not_pkcs8("PKCS#1")),
            "EC PRIVATE KEY" => Err(not_pkcs8("SEC 1")),
            "OPENSSH PRIVATE KEY" => Err(not_pkcs8("an OpenSSH key")),
            _ => Err(not_pkcs8("no private key")),
        }
    }

    fn from_pkcs8(path: &Path, der: &[u8]) -> Result<Self, KeyError> {
        let unsupported = || KeyError::UnsupportedKey { path: path.to_owned() };
        let ec = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_pkcs8(algorithm, der).ok().map(Pair::Ec)
        };
        let pair = RsaKeyPair::from_pkcs8(der)
            .ok()
            .map(Pair::Rsa)
            .or_else(|| ec(&ECDSA_P256_SHA256_FIXED_SIGNING))
            .or_else(|| ec(&ECDSA_P384_SHA384_FIXED_SIGNING))
            .or_else(|| ec(&ECDSA_P521_SHA512_FIXED_SIGNING))
            .ok_or_else(unsupported)?;
        let spki: PublicKeyX509Der<'_> = match &pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Ec(pair) => pair.public_key().as_der(),
        }
        .map_err(|_| unsupported())?;
        let public = PublicKey::from_spki_der(spki.as_ref()).map_err(|_| unsupported())?;
        if public.key_spec().is_none() {
            return Err(unsupported());
        }
        Ok(Self { pair, public, name: path.display().to_string() })
    }

    fn sign_digest(&self, algorithm: SignatureAlgorithm, bytes: &[u8]) -> Option<Vec<u8>> {
        let digest =
            digest::Digest::import_less_safe(bytes, digest_algorithm(algorithm.hash())).ok()?;
        match (&self.pair, algorithm) {
            (Pair::Ec(pair), Ecdsa(_)) => Some(pair.sign_digest(&digest).ok()?.as_ref().to_vec()),
            (Pair::Rsa(pair), _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(rsa_encoding(algorithm)?, &digest, &mut signature).ok()?;
                Some(signature)
            }
            (Pair::Ec(_), _) => None,
        }
    }
}

impl SigningKey for FileKey {
    fn public_key(&self) -> KeyFuture<'_, PublicKey> {
        Box::pin(std::future::ready(Ok(self.public.clone())))
    }

    fn sign<'a>(
        &'a self,
        algorithm: SignatureAlgorithm,
        digest: &'a [u8],
    ) -> KeyFuture<'a, Vec<u8>> {
        let wrong = || KeyError::WrongAlgorithm {
            key: self.name.clone(),
            algorithm: format!("{algorithm:?}"),
            reason: format!("it is {}", self.public),
        };
        Box::pin(std::future::ready(self.sign_digest(algorithm, digest).ok_or_else(wrong)))
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let bytes = fs::read_bounded(path, limits::KEY_FILE_BYTES)
        .map_err(|source| KeyError::File { key: path.display().to_string(), source })?;
    let text = String::from_utf8(bytes);
    text.map(Zeroizing::new)
        .map_err(|_| KeyError::NotPkcs8 { path: path.to_owned(), found: "not text" })
}

/// From the file or the variable that plugin config names, else from a person.
fn find_passphrase(path: &Path, options: &KeyOptions<'_>) -> Result<Zeroizing<String>, KeyError> {
    if let Some(file) = options.setting(PASSPHRASE_FILE).map(PathBuf::from) {
        let bytes = fs::read_bounded(&file, limits::PASSPHRASE_FILE_BYTES)
            .map_err(|source| KeyError::File { key: path.display().to_string(), source })?;
        let bytes = Zeroizing::new(bytes);
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        return Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()));
    }
    let path = path.to_owned();
    if let Some(variable) = options.setting(PASSPHRASE_ENV) {
        let value = options.secrets.variable(&variable).map(Zeroizing::new);
        return value.ok_or(KeyError::PassphraseVariable { path, variable });
    }
    let question = format!("Passphrase of {}: ", path.display());
    let answer = options.secrets.prompt(&question).map(Zeroizing::new);
    answer.ok_or(KeyError::PassphraseMissing { path })
}

fn generate(spec: KeySpec) -> Option<Zeroizing<Vec<u8>>> {
    let rsa = |size| {
        let pair = RsaKeyPair::generate(size).ok()?;
        let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        Some(Zeroizing::new(der.as_ref().to_vec()))
    };
    let ec = |algorithm| {
        let pair = EcdsaKeyPair::generate(algorithm).ok()?;
        Some(Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec()))
    };
    match spec {
        KeySpec::Rsa2048 => rsa(KeySize::Rsa2048),
        KeySpec::Rsa3072 => rsa(KeySize::Rsa3072),
        KeySpec::Rsa4096 => rsa(KeySize::Rsa4096),
        KeySpec::Ec256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
        KeySpec::Ec384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
        KeySpec::Ec521 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
    }
}

const fn digest_algorithm(hash: HashAlgorithm) -> &'static digest::Algorithm {
    match hash {
        Sha256 => &digest::SHA256,
        Sha384 => &digest::SHA384,
        Sha512 => &digest::SHA512,
    }
}

fn rsa_encoding(algorithm: SignatureAlgorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        RsaPss(Sha256) => Some(&raw::RSA_PSS_SHA256),
        RsaPss(Sha384) => Some(&raw::RSA_PSS_SHA384),
        RsaPss(Sha512) => Some(&raw::RSA_PSS_SHA512),
        RsaPkcs1(Sha256) => Some(&raw::RSA_PKCS1_SHA256),
        RsaPkcs1(Sha384) => Some(&raw::RSA_PKCS1_SHA384),
        RsaPkcs1(Sha512) => Some(&raw::RSA_PKCS1_SHA512),
        Ecdsa(_) => None,
    }
}
