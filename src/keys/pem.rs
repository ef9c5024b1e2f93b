//! Private keys as files hold them: PKCS#8 in PEM (RFC 7468), plain or encrypted (RFC 5958, PBES2 of
//! RFC 8018). Other forms are recognised, to tell how they are converted.

use std::path::Path;

use pkcs8::{
    EncryptedPrivateKeyInfo, SecretDocument,
    pkcs5::{self, EncryptionScheme, pbes2::Kdf},
};
use zeroize::Zeroizing;

use super::KeyError;
use crate::limits;

const BEGIN: &str = "-----BEGIN ";

/// The PKCS#8 DER of a key file. The passphrase is asked for only where the key is encrypted.
pub(super) fn private_key(
    path: &Path,
    file: &[u8],
    passphrase: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, KeyError>,
) -> Result<SecretDocument, KeyError> {
    let text = std::str::from_utf8(file).unwrap_or_default();
    let blocks = key_blocks(text);
    let (label, block) = match blocks.as_slice() {
        [] => return Err(KeyError::NotPem { path: path.to_owned() }),
        [found] => *found,
        several => {
            let count = several.len();
            return Err(KeyError::SeveralKeys { path: path.to_owned(), count });
        }
    };
    let read = || {
        let document = block.and_then(|block| SecretDocument::from_pem(block).ok());
        let (_, document) =
            document.ok_or_else(|| KeyError::BrokenPem { path: path.to_owned() })?;
        Ok(document)
    };
    match label {
        "PRIVATE KEY" => read(),
        "ENCRYPTED PRIVATE KEY" => decrypt(path, read()?.as_bytes(), passphrase),
        "OPENSSH PRIVATE KEY" => Err(KeyError::OpenSsh { path: path.to_owned() }),
        "RSA PRIVATE KEY" => Err(KeyError::NotPkcs8 { path: path.to_owned(), found: "PKCS#1" }),
        "EC PRIVATE KEY" => Err(KeyError::NotPkcs8 { path: path.to_owned(), found: "SEC 1" }),
        _ => Err(KeyError::NotPem { path: path.to_owned() }),
    }
}

/// The label of each private key, with its block where that ends. Whatever else the file holds, such as
/// certificates or the block of a curve's parameters, is passed over.
fn key_blocks(text: &str) -> Vec<(&str, Option<&str>)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let begins = text.match_indices(BEGIN).filter_map(|(at, _)| {
        let (before, block) = text.split_at_checked(at)?;
        (before.is_empty() || before.ends_with(['\n', '\r'])).then_some(block)
    });
    let keys = begins.filter_map(|block| {
        let label = block.lines().next()?.trim_end().strip_prefix(BEGIN)?.strip_suffix("-----")?;
        let end = format!("-----END {label}-----");
        let length = block.find(&end).map(|at| at + end.len());
        let block = length.and_then(|length| block.get(..length));
        label.ends_with("PRIVATE KEY").then_some((label, block))
    });
    keys.collect()
}

fn decrypt(
    path: &Path,
    der: &[u8],
    passphrase: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, KeyError>,
) -> Result<SecretDocument, KeyError> {
    let unknown = || KeyError::UnknownEncryption { path: path.to_owned() };
    let encrypted = EncryptedPrivateKeyInfo::try_from(der).map_err(|_| unknown())?;
    check_cost(path, &encrypted.encryption_algorithm)?;
    encrypted.decrypt(passphrase()?.as_slice()).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(
            pkcs5::Error::NoPbes1CryptSupport
            | pkcs5::Error::UnsupportedAlgorithm { .. }
            | pkcs5::Error::AlgorithmParametersInvalid { .. },
        ) => unknown(),
        // Bad padding, or bytes that are no key: one passphrase in 256 passes for padding.
        _ => KeyError::WrongPassphrase { path: path.to_owned() },
    })
}

/// The file says how much work its decryption is, and no deadline ends that work.
fn check_cost(path: &Path, scheme: &EncryptionScheme<'_>) -> Result<(), KeyError> {
    let unknown = || KeyError::UnknownEncryption { path: path.to_owned() };
    let within = match &scheme.pbes2().ok_or_else(unknown)?.kdf {
        Kdf::Pbkdf2(kdf) => kdf.iteration_count <= limits::PBKDF2_ITERATIONS,
        Kdf::Scrypt(kdf) => {
            let block = u64::from(kdf.block_size).saturating_mul(128);
            let lanes = block.saturating_mul(u64::from(kdf.parallelization));
            lanes.saturating_mul(kdf.cost_parameter) <= limits::SCRYPT_BYTES
        }
        _ => return Err(unknown()),
    };
    if within { Ok(()) } else { Err(KeyError::CostlyEncryption { path: path.to_owned() }) }
}
