//! Digests and raw signature verification: the only file that names the crypto crate for them.

use std::io::{self, Read};

use aws_lc_rs::{digest, signature as raw};
use der::{
    Decode, Encode,
    asn1::{Uint, UintRef},
};

use crate::{
    algorithm::{HashAlgorithm, IdentifierHash, KeySpec, SignatureAlgorithm},
    x509::PublicKey,
};

use HashAlgorithm::{Sha256, Sha384, Sha512};
use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};

/// Bytes of a file that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// A signature that does not verify. Why is not told apart: the parts are public anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadSignature;

/// The digest of `data` by `hash`.
pub(crate) fn digest(hash: HashAlgorithm, data: &[u8]) -> Vec<u8> {
    digest::digest(digest_algorithm(hash), data).as_ref().to_vec()
}

/// The digest of all that `reader` gives, and how many bytes that is.
pub(crate) fn digest_reader(
    hash: HashAlgorithm,
    mut reader: impl Read,
) -> io::Result<(Vec<u8>, u64)> {
    let mut context = digest::Context::new(digest_algorithm(hash));
    let mut buffer = vec![0; READ_BYTES];
    let mut size = 0u64;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((context.finish().as_ref().to_vec(), size)),
            Ok(n) => {
                context.update(buffer.get(..n).unwrap_or_default());
                size = size.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

const fn digest_algorithm(hash: HashAlgorithm) -> &'static digest::Algorithm {
    match hash {
        Sha256 => &digest::SHA256,
        Sha384 => &digest::SHA384,
        Sha512 => &digest::SHA512,
    }
}

/// The digest of a name or a key that is looked for.
pub(crate) fn identifier(hash: IdentifierHash, data: &[u8]) -> Vec<u8> {
    match hash {
        IdentifierHash::Sha1 => {
            digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref().to_vec()
        }
        IdentifierHash::Sha2(hash) => digest(hash, data),
    }
}

/// SHA-256, for fingerprints.
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// Random bytes for serial numbers and nonces.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without the system's randomness nothing here is safe")]
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Verifies an envelope's signature: RSASSA-PSS, or ECDSA as r‖s, by the key's own algorithm.
pub(crate) fn verify_envelope(
    spec: KeySpec,
    key: &PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    if key.key_spec() != Some(spec) {
        return Err(BadSignature);
    }
    let algorithm: &dyn raw::VerificationAlgorithm = match spec {
        KeySpec::Rsa2048 => &raw::RSA_PSS_2048_8192_SHA256,
        KeySpec::Rsa3072 => &raw::RSA_PSS_2048_8192_SHA384,
        KeySpec::Rsa4096 => &raw::RSA_PSS_2048_8192_SHA512,
        KeySpec::Ec256 => &raw::ECDSA_P256_SHA256_FIXED,
        KeySpec::Ec384 => &raw::ECDSA_P384_SHA384_FIXED,
        KeySpec::Ec521 => &raw::ECDSA_P521_SHA512_FIXED,
    };
    verify(algorithm, key, message, signature)
}

/// Verifies a signature by an X.509 algorithm: RSASSA-PKCS1-v1_5, RSASSA-PSS, or ECDSA in DER.
pub(crate) fn verify_x509(
    algorithm: SignatureAlgorithm,
    key: &PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let algorithm: &dyn raw::VerificationAlgorithm = match (algorithm, key.key_spec()) {
        (RsaPkcs1(Sha256), _) => &raw::RSA_PKCS1_2048_8192_SHA256,
        (RsaPkcs1(Sha384), _) => &raw::RSA_PKCS1_2048_8192_SHA384,
        (RsaPkcs1(Sha512), _) => &raw::RSA_PKCS1_2048_8192_SHA512,
        (RsaPss(Sha256), _) => &raw::RSA_PSS_2048_8192_SHA256,
        (RsaPss(Sha384), _) => &raw::RSA_PSS_2048_8192_SHA384,
        (RsaPss(Sha512), _) => &raw::RSA_PSS_2048_8192_SHA512,
        (Ecdsa(Sha256), Some(KeySpec::Ec256)) => &raw::ECDSA_P256_SHA256_ASN1,
        (Ecdsa(Sha384), Some(KeySpec::Ec256)) => &raw::ECDSA_P256_SHA384_ASN1,
        (Ecdsa(Sha512), Some(KeySpec::Ec256)) => &raw::ECDSA_P256_SHA512_ASN1,
        (Ecdsa(Sha256), Some(KeySpec::Ec384)) => &raw::ECDSA_P384_SHA256_ASN1,
        (Ecdsa(Sha384), Some(KeySpec::Ec384)) => &raw::ECDSA_P384_SHA384_ASN1,
        (Ecdsa(Sha512), Some(KeySpec::Ec384)) => &raw::ECDSA_P384_SHA512_ASN1,
        (Ecdsa(Sha256), Some(KeySpec::Ec521)) => &raw::ECDSA_P521_SHA256_ASN1,
        (Ecdsa(Sha384), Some(KeySpec::Ec521)) => &raw::ECDSA_P521_SHA384_ASN1,
        (Ecdsa(Sha512), Some(KeySpec::Ec521)) => &raw::ECDSA_P521_SHA512_ASN1,
        (Ecdsa(_), _) => return Err(BadSignature),
    };
    verify(algorithm, key, message, signature)
}

/// Verifies an ECDSA signature as r‖s, with any hash: both halves as long as the key's field.
pub(crate) fn verify_ecdsa_fixed(
    algorithm: SignatureAlgorithm,
    key: &PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    let length = key.key_spec().map(KeySpec::signature_len);
    if length != Some(signature.len()) {
        return Err(BadSignature);
    }
    let der = ecdsa_der_from_fixed(signature).ok_or(BadSignature)?;
    verify_x509(algorithm, key, message, &der)
}

/// Verifies a pure Ed25519 signature (RFC 8032) with a key of 32 bytes.
pub(crate) fn verify_ed25519(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    use raw::VerificationAlgorithm as _;
    raw::ED25519.verify_sig(key, message, signature).map_err(|_| BadSignature)
}

fn verify(
    algorithm: &dyn raw::VerificationAlgorithm,
    key: &PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    algorithm.verify_sig(key.key_bytes(), message, signature).map_err(|_| BadSignature)
}

/// ECDSA `r‖s` from the DER `SEQUENCE { r INTEGER, s INTEGER }` that most services answer with; `None`
/// where it is not that, or does not fit the curve. For providers of signing keys.
#[must_use]
pub fn ecdsa_fixed_from_der(spec: KeySpec, signature: &[u8]) -> Option<Vec<u8>> {
    let half = spec.signature_len() / 2;
    let [r, s] = <[UintRef<'_>; 2]>::from_der(signature).ok()?;
    let mut fixed = vec![0; half * 2];
    for (number, end) in [(r, half), (s, half * 2)] {
        let bytes = number.as_bytes();
        let start = end.checked_sub(bytes.len()).filter(|&start| start + half >= end)?;
        fixed.get_mut(start..end)?.copy_from_slice(bytes);
    }
    Some(fixed)
}

/// ECDSA `SEQUENCE { r INTEGER, s INTEGER }` from `r‖s`.
pub(crate) fn ecdsa_der_from_fixed(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(signature.len() / 2)?;
    [Uint::new(r).ok()?, Uint::new(s).ok()?].to_der().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_signatures_turn_from_der_to_fixed_and_back() {
        let mut fixed = vec![0; 64];
        fixed[31] = 1;
        fixed[32] = 0x80;
        let der = ecdsa_der_from_fixed(&fixed).unwrap();
        assert_eq!(der[..5], [0x30, 0x26, 0x02, 0x01, 0x01]);
        assert_eq!(ecdsa_fixed_from_der(KeySpec::Ec256, &der), Some(fixed));
    }

    #[test]
    fn ecdsa_numbers_larger_than_the_field_are_refused() {
        let der = ecdsa_der_from_fixed(&[0xff; 96]).unwrap();
        assert_eq!(ecdsa_fixed_from_der(KeySpec::Ec256, &der), None);
        assert!(ecdsa_fixed_from_der(KeySpec::Ec384, &der).is_some());
    }

    #[test]
    fn ecdsa_der_with_trailing_bytes_is_refused() {
        let mut der = ecdsa_der_from_fixed(&[1; 64]).unwrap();
        der.push(0);
        assert_eq!(ecdsa_fixed_from_der(KeySpec::Ec256, &der), None);
    }

    #[test]
    fn hex_is_lower_case() {
        assert_eq!(hex(&[0x00, 0xab, 0xff]), "00abff");
    }
}
