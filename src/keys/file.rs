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
use pkcs8::{LineEnding, SecretDocument};
use zeroize::Zeroizing;

use super::{KeyError, KeyFuture, KeyOptions, KeyUri, Setting, SigningKey, pem, uri::file_path};
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
    let path = file_path(uri).map_err(|source| KeyError::Reference { source })?;
    let mut key = FileKey::read(&path, || find_passphrase(&path, options))?;
    key.name = uri.to_string();
    Ok(Box::new(key))
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
        Self::read(path, || Err(KeyError::PassphraseMissing { path: path.to_owned() }))
    }

    fn read(
        path: &Path,
        passphrase: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, KeyError>,
    ) -> Result<Self, KeyError> {
        let file = read_secret(path, path, limits::KEY_FILE_BYTES)?;
        let der = pem::private_key(path, &file, passphrase)?;
        Self::from_pkcs8(path, der.as_bytes())
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
            algorithm: algorithm.aws_signing_algorithm().to_owned(),
            reason: format!("it is {}", self.public),
        };
        Box::pin(std::future::ready(self.sign_digest(algorithm, digest).ok_or_else(wrong)))
    }
}

/// Reads a file that belongs to the key at `key`: itself, or its passphrase.
fn read_secret(key: &Path, path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    fs::read_secret(path, limit)
        .map_err(|source| KeyError::File { key: key.display().to_string(), source })
}

/// From the file or the variable that plugin config names, else from a person.
fn find_passphrase(path: &Path, options: &KeyOptions<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    if let Some(file) = options.setting(PASSPHRASE_FILE).map(PathBuf::from) {
        let bytes = read_secret(path, &file, limits::PASSPHRASE_FILE_BYTES)?;
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        return Ok(Zeroizing::new(line.to_vec()));
    }
    let path = path.to_owned();
    let bytes = |text: String| Zeroizing::new(text.into_bytes());
    if let Some(variable) = options.setting(PASSPHRASE_ENV) {
        let value = options.secrets.variable(&variable).map(bytes);
        return value.ok_or(KeyError::PassphraseVariable { path, variable });
    }
    let question = format!("Passphrase of {}: ", path.display());
    let answer = options.secrets.prompt(&question).map(bytes);
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::{crypto, keys};

    /// Has one variable, and nobody to ask.
    struct Environment;

    impl keys::Secrets for Environment {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "KEY_PASSPHRASE").then(|| "correct-horse".to_owned())
        }

        fn prompt(&self, _question: &str) -> Option<String> {
            None
        }
    }

    fn testdata(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/keys").join(name)
    }

    fn open(path: &Path, config: &[(&str, &str)]) -> Result<Box<dyn SigningKey>, KeyError> {
        let config: BTreeMap<String, String> =
            config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let uri = format!("file://{}", path.display()).parse().unwrap();
        keys::open(&uri, &KeyOptions::new(&config, Duration::from_secs(30), &Environment))
    }

    /// What is said of a file, after its path.
    #[track_caller]
    fn refusal(name: &str, config: &[(&str, &str)]) -> String {
        let path = testdata(name);
        let error = open(&path, config).map(drop).unwrap_err().to_string();
        error.replace(path.to_str().unwrap(), "FILE")
    }

    /// A local key waits for nothing.
    fn ready<T>(future: KeyFuture<'_, T>) -> Result<T, KeyError> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("a local key waits"),
        }
    }

    fn sign(key: &dyn SigningKey, algorithm: SignatureAlgorithm) -> Result<Vec<u8>, KeyError> {
        ready(key.sign(algorithm, &crypto::digest(algorithm.hash(), b"message")))
    }

    #[test]
    fn a_new_key_of_every_spec_signs_after_its_pem_was_read_again() {
        let folder = tempfile::tempdir().unwrap();
        for spec in KeySpec::ALL {
            let (pem, made) = FileKey::generate(spec).unwrap();
            let path = folder.path().join(spec.name());
            fs::write_atomic(&path, pem.as_bytes(), 0o600).unwrap();
            let key = open(&path, &[]).unwrap();
            let public = ready(key.public_key()).unwrap();
            assert_eq!(public, made.public);
            assert_eq!(public.key_spec(), Some(spec));
            let signature = sign(key.as_ref(), spec.signature_algorithm()).unwrap();
            assert_eq!(signature.len(), spec.signature_len());
            let verify =
                |message: &[u8]| crypto::verify_envelope(spec, &public, message, &signature);
            assert_eq!(verify(b"message"), Ok(()));
            assert!(verify(b"another").is_err());
        }
    }

    #[test]
    fn a_key_that_openssl_made_signs_certificates() {
        let rsa = open(&testdata("rsa-2048.pem"), &[]).unwrap();
        let public = ready(rsa.public_key()).unwrap();
        for algorithm in [RsaPkcs1(Sha256), RsaPkcs1(Sha384), RsaPss(Sha256), RsaPss(Sha512)] {
            let signature = sign(rsa.as_ref(), algorithm).unwrap();
            assert_eq!(crypto::verify_x509(algorithm, &public, b"message", &signature), Ok(()));
        }
        let ec = open(&testdata("p256.pem"), &[]).unwrap();
        let public = ready(ec.public_key()).unwrap();
        let fixed = sign(ec.as_ref(), Ecdsa(Sha256)).unwrap();
        let signature = crypto::ecdsa_der_from_fixed(&fixed).unwrap();
        assert_eq!(crypto::verify_x509(Ecdsa(Sha256), &public, b"message", &signature), Ok(()));
    }

    #[test]
    fn encrypted_keys_are_opened_by_a_variable_or_by_the_first_line_of_a_file() {
        let plain = ready(open(&testdata("p256.pem"), &[]).unwrap().public_key()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passphrase");
        fs::write_atomic(&file, b"correct-horse\r\nsecond line\n", 0o600).unwrap();
        let by_file = ("passphrase-file", file.to_str().unwrap());
        let by_variable = ("passphrase-env", "KEY_PASSPHRASE");
        for name in ["p256-aes256.pem", "p256-aes128-sha512.pem", "p256-scrypt.pem"] {
            for config in [by_file, by_variable] {
                let key = open(&testdata(name), &[config]).unwrap();
                assert_eq!(ready(key.public_key()).unwrap(), plain, "{name} {config:?}");
            }
        }
    }

    #[test]
    fn a_key_that_stays_closed_says_what_would_open_it() {
        assert_eq!(
            refusal("p256-aes256.pem", &[]),
            "key FILE is encrypted, and no passphrase was given: set plugin config passphrase-file, \
             or passphrase-env to the name of an environment variable"
        );
        assert_eq!(
            refusal("p256-aes256.pem", &[("passphrase-env", "ABSENT")]),
            "key FILE is encrypted, and environment variable ABSENT is not set"
        );
        let wrong = ("passphrase-file", testdata("p256.pub.pem"));
        assert_eq!(
            refusal("p256-aes256.pem", &[(wrong.0, wrong.1.to_str().unwrap())]),
            "key FILE cannot be decrypted: the passphrase is wrong"
        );
        let absent = [("passphrase-file", "/nowhere/passphrase")];
        let error = open(&testdata("p256-aes256.pem"), &absent).map(drop).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "file /nowhere/passphrase cannot be read");
    }

    #[test]
    fn other_forms_of_private_keys_are_told_how_they_are_converted() {
        let convert = "must be PKCS#8 in PEM: openssl pkcs8 -topk8 -in FILE -out key.pem";
        for (name, found) in [
            ("rsa-2048-pkcs1.pem", "PKCS#1"),
            ("p256-sec1.pem", "SEC 1"),
            ("p256-sec1-encrypted.pem", "SEC 1"),
        ] {
            assert_eq!(refusal(name, &[]), format!("key FILE is {found}, and {convert}"));
        }
        let not_pem = "key FILE holds no private key in PEM, which begins with -----BEGIN PRIVATE \
            KEY----- or -----BEGIN ENCRYPTED PRIVATE KEY-----";
        assert_eq!(refusal("p256.pub.pem", &[]), not_pem);
        assert_eq!(refusal("README.md", &[]), not_pem);
    }

    #[test]
    fn one_private_key_is_found_among_whatever_else_a_file_holds() {
        let read = |name| {
            let bytes = fs::read_bounded(&testdata(name), limits::KEY_FILE_BYTES).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let (key, public) = (read("p256.pem"), read("p256.pub.pem"));
        let plain = ready(open(&testdata("p256.pem"), &[]).unwrap().public_key()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let write = |text: &str| fs::write_atomic(&path, text.as_bytes(), 0o600).unwrap();
        for text in [
            format!("{key}\n\n"),
            format!("Bag Attributes\n{key}{public}"),
            format!("{public}\r\n{key}"),
            format!("\u{feff}{key}"),
            key.replace('\n', "\r\n"),
        ] {
            write(&text);
            assert_eq!(ready(open(&path, &[]).unwrap().public_key()).unwrap(), plain, "{text:?}");
        }
        let refusal = |text: &str| {
            write(text);
            open(&path, &[]).map(drop).unwrap_err()
        };
        let several = refusal(&key.repeat(2));
        assert!(several.to_string().contains("holds 2 private keys"), "{several}");
        for broken in [&key[..key.len() - 30], &key.replacen('M', "!", 1)] {
            let error = refusal(broken);
            assert!(matches!(error, KeyError::BrokenPem { .. }), "{error}");
        }
    }

    #[test]
    fn encryption_that_is_unknown_or_takes_too_long_is_refused_before_a_passphrase_is_asked_for() {
        let unknown = refusal("p256-pbes1.pem", &[]);
        assert!(unknown.starts_with("key FILE is encrypted by another scheme than"), "{unknown}");
        let costly = refusal("p256-costly.pem", &[]);
        assert!(costly.contains("over the limit of 10000000 iterations"), "{costly}");
    }

    #[test]
    fn keys_that_sign_no_artifact_are_refused() {
        for name in ["secp256k1.pem", "rsa-1024.pem", "ed25519.pem"] {
            let error = refusal(name, &[]);
            assert!(error.starts_with("key FILE is none of RSA with 2048, 3072"), "{error}");
        }
    }

    #[test]
    fn a_key_of_another_kind_and_a_digest_of_another_length_are_refused() {
        let ec = open(&testdata("p256.pem"), &[]).unwrap();
        let error = sign(ec.as_ref(), RsaPss(Sha256)).unwrap_err();
        assert!(matches!(error, KeyError::WrongAlgorithm { .. }));
        assert!(
            error.to_string().contains("cannot sign with RSASSA_PSS_SHA_256: it is EC-256; check")
        );
        assert!(ready(ec.sign(Ecdsa(Sha256), &[0; 31])).is_err());
    }

    #[test]
    fn no_secret_shows_in_debug_text() {
        let key = open(&testdata("p256.pem"), &[]).unwrap();
        let text = format!("{key:?}");
        assert!(text.contains("EC-256") && !text.contains("250, 150, 39, 96"), "{text}");
    }
}
