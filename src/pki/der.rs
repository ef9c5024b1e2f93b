//! DER of what certificates and requests have in common.

use der::{
    Any, Decode, Encode,
    asn1::{BitString, ObjectIdentifier, OctetString},
};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::{ext, name::RdnSequence};

use super::Extension;
use crate::{
    algorithm::{HashAlgorithm, SignatureAlgorithm, oid},
    x509::{Name, PublicKey},
};

pub(super) fn name(name: &Name) -> Result<RdnSequence, der::Error> {
    RdnSequence::from_der(name.as_der())
}

pub(super) fn public_key(key: &PublicKey) -> Result<SubjectPublicKeyInfoOwned, der::Error> {
    SubjectPublicKeyInfoOwned::from_der(key.as_spki_der())
}

pub(super) fn bit_string(bytes: &[u8]) -> Result<BitString, der::Error> {
    BitString::from_bytes(bytes)
}

pub(super) fn extension(extension: &Extension) -> Result<ext::Extension, der::Error> {
    Ok(ext::Extension {
        extn_id: ObjectIdentifier::new(&extension.oid)?,
        critical: extension.critical,
        extn_value: OctetString::new(extension.value.as_slice())?,
    })
}

/// The algorithm identifier of a signature (RFC 4055, section 3.1 and 5; RFC 5758, section 3.2).
pub(super) fn signature_algorithm(
    algorithm: SignatureAlgorithm,
) -> Result<AlgorithmIdentifierOwned, der::Error> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};
    let (oid, parameters) = match algorithm {
        RsaPss(hash) => (oid::RSASSA_PSS, Some(pss_parameters(hash)?)),
        RsaPkcs1(Sha256) => (oid::SHA256_WITH_RSA, Some(Any::null())),
        RsaPkcs1(Sha384) => (oid::SHA384_WITH_RSA, Some(Any::null())),
        RsaPkcs1(Sha512) => (oid::SHA512_WITH_RSA, Some(Any::null())),
        Ecdsa(Sha256) => (oid::ECDSA_WITH_SHA256, None),
        Ecdsa(Sha384) => (oid::ECDSA_WITH_SHA384, None),
        Ecdsa(Sha512) => (oid::ECDSA_WITH_SHA512, None),
    };
    Ok(AlgorithmIdentifierOwned { oid, parameters })
}

/// ```text
/// RSASSA-PSS-params ::= SEQUENCE {
///     hashAlgorithm [0] HashAlgorithm, maskGenAlgorithm [1] MaskGenAlgorithm, saltLength [2] INTEGER }
/// ```
fn pss_parameters(hash: HashAlgorithm) -> Result<Any, der::Error> {
    use der::{TagMode::Explicit, TagNumber, asn1::ContextSpecific};
    let hash_identifier =
        AlgorithmIdentifierOwned { oid: hash.oid(), parameters: Some(Any::null()) };
    let mask = AlgorithmIdentifierOwned {
        oid: oid::MGF1,
        parameters: Some(Any::encode_from(&hash_identifier)?),
    };
    let salt = u8::try_from(hash.digest_len()).map_err(|_| der::ErrorKind::Overflow)?;
    let mut contents = Vec::new();
    let (n0, n1, n2) = (TagNumber::N0, TagNumber::N1, TagNumber::N2);
    ContextSpecific { tag_number: n0, tag_mode: Explicit, value: hash_identifier }
        .encode_to_vec(&mut contents)?;
    ContextSpecific { tag_number: n1, tag_mode: Explicit, value: mask }
        .encode_to_vec(&mut contents)?;
    ContextSpecific { tag_number: n2, tag_mode: Explicit, value: salt }
        .encode_to_vec(&mut contents)?;
    Any::new(der::Tag::Sequence, contents)
}
