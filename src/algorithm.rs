//! The algorithms of the Notary Project signature specification ("Signature Algorithm Requirements").
//!
//! One table holds the six key specs and every name that a key spec or its signature algorithm goes
//! by: in JWS, COSE, the plugin contract and AWS KMS. Nothing outside this file names an algorithm.

use std::fmt;

use der::asn1::ObjectIdentifier;

/// Type and size of a signing key. It alone decides the signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeySpec {
    /// RSA, 2048 bits: RSASSA-PSS with SHA-256.
    Rsa2048,
    /// RSA, 3072 bits: RSASSA-PSS with SHA-384.
    Rsa3072,
    /// RSA, 4096 bits: RSASSA-PSS with SHA-512.
    Rsa4096,
    /// EC on secp256r1: ECDSA with SHA-256.
    Ec256,
    /// EC on secp384r1: ECDSA with SHA-384.
    Ec384,
    /// EC on secp521r1: ECDSA with SHA-512.
    Ec521,
}

/// A hash function of the SHA-2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// A hash by which names and keys are told apart, where nothing is trusted for it. SHA-1 still does that in OCSP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentifierHash {
    Sha1,
    Sha2(HashAlgorithm),
}

/// How a key signs a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS, MGF1 with the same hash, salt as long as the digest (RFC 8017, section 8.1).
    RsaPss(HashAlgorithm),
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2). Certificates and certificate requests only: no
    /// signature envelope has it.
    RsaPkcs1(HashAlgorithm),
    /// ECDSA (FIPS 186-5).
    Ecdsa(HashAlgorithm),
}

/// One line of the table.
struct Row {
    spec: KeySpec,
    plugin: &'static str,
    plugin_algorithm: &'static str,
    jws: &'static str,
    cose: i64,
    algorithm: SignatureAlgorithm,
    aws: &'static str,
    bits: usize,
}

use HashAlgorithm::{Sha256, Sha384, Sha512};
use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};

#[rustfmt::skip]
static TABLE: [Row; 6] = [
    Row { spec: KeySpec::Rsa2048, plugin: "RSA-2048", plugin_algorithm: "RSASSA-PSS-SHA-256", jws: "PS256", cose: -37, algorithm: RsaPss(Sha256), aws: "RSA_2048",      bits: 2048 },
    Row { spec: KeySpec::Rsa3072, plugin: "RSA-3072", plugin_algorithm: "RSASSA-PSS-SHA-384", jws: "PS384", cose: -38, algorithm: RsaPss(Sha384), aws: "RSA_3072",      bits: 3072 },
    Row { spec: KeySpec::Rsa4096, plugin: "RSA-4096", plugin_algorithm: "RSASSA-PSS-SHA-512", jws: "PS512", cose: -39, algorithm: RsaPss(Sha512), aws: "RSA_4096",      bits: 4096 },
    Row { spec: KeySpec::Ec256,   plugin: "EC-256",   plugin_algorithm: "ECDSA-SHA-256",      jws: "ES256", cose: -7,  algorithm: Ecdsa(Sha256),  aws: "ECC_NIST_P256", bits: 256 },
    Row { spec: KeySpec::Ec384,   plugin: "EC-384",   plugin_algorithm: "ECDSA-SHA-384",      jws: "ES384", cose: -35, algorithm: Ecdsa(Sha384),  aws: "ECC_NIST_P384", bits: 384 },
    Row { spec: KeySpec::Ec521,   plugin: "EC-521",   plugin_algorithm: "ECDSA-SHA-512",      jws: "ES512", cose: -36, algorithm: Ecdsa(Sha512),  aws: "ECC_NIST_P521", bits: 521 },
];

impl KeySpec {
    /// All key specs, in the specification's order.
    pub const ALL: [Self; 6] =
        [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096, Self::Ec256, Self::Ec384, Self::Ec521];

    const fn row(self) -> &'static Row {
        match self {
            Self::Rsa2048 => &TABLE[0],
            Self::Rsa3072 => &TABLE[1],
            Self::Rsa4096 => &TABLE[2],
            Self::Ec256 => &TABLE[3],
            Self::Ec384 => &TABLE[4],
            Self::Ec521 => &TABLE[5],
        }
    }

    fn find(matches: impl Fn(&Row) -> bool) -> Option<Self> {
        TABLE.iter().find(|row| matches(row)).map(|row| row.spec)
    }

    /// The name in the plugin contract: `RSA-2048` … `EC-521`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().plugin
    }

    /// The key spec of that name in the plugin contract.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::find(|row| row.plugin == name)
    }

    /// The RSA key of that many bits of modulus.
    #[must_use]
    pub fn from_rsa_bits(bits: usize) -> Option<Self> {
        Self::find(|row| row.bits == bits && matches!(row.algorithm, RsaPss(_)))
    }

    /// Bits of the RSA modulus or of the EC field.
    #[must_use]
    pub const fn bits(self) -> usize {
        self.row().bits
    }

    /// Whether this is an RSA key.
    #[must_use]
    pub const fn is_rsa(self) -> bool {
        matches!(self.row().algorithm, RsaPss(_))
    }

    /// The signature algorithm of envelopes signed by such a key.
    #[must_use]
    pub const fn signature_algorithm(self) -> SignatureAlgorithm {
        self.row().algorithm
    }

    /// The hash that goes with the key.
    #[must_use]
    pub const fn hash(self) -> HashAlgorithm {
        self.row().algorithm.hash()
    }

    /// The signature algorithm's name in the plugin contract: `RSASSA-PSS-SHA-256` … `ECDSA-SHA-512`.
    #[must_use]
    pub const fn plugin_algorithm(self) -> &'static str {
        self.row().plugin_algorithm
    }

    /// The `alg` header of a JWS envelope: `PS256` … `ES512`.
    #[must_use]
    pub const fn jws_algorithm(self) -> &'static str {
        self.row().jws
    }

    /// The `alg` header parameter of a COSE envelope: -37 … -36.
    #[must_use]
    pub const fn cose_algorithm(self) -> i64 {
        self.row().cose
    }

    /// The key spec whose JWS `alg` that is.
    #[must_use]
    pub fn from_jws_algorithm(name: &str) -> Option<Self> {
        Self::find(|row| row.jws == name)
    }

    /// The key spec whose COSE `alg` that is.
    #[must_use]
    pub fn from_cose_algorithm(value: i64) -> Option<Self> {
        Self::find(|row| row.cose == value)
    }

    /// The `KeySpec` of AWS KMS: `RSA_2048` … `ECC_NIST_P521`.
    #[must_use]
    pub const fn aws_key_spec(self) -> &'static str {
        self.row().aws
    }

    /// The key spec of that AWS KMS `KeySpec`.
    #[must_use]
    pub fn from_aws_key_spec(name: &str) -> Option<Self> {
        Self::find(|row| row.aws == name)
    }

    /// Bytes of a signature as envelopes hold it: the RSA modulus, or r‖s.
    #[must_use]
    pub const fn signature_len(self) -> usize {
        if self.is_rsa() { self.bits() / 8 } else { self.bits().div_ceil(8) * 2 }
    }
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl HashAlgorithm {
    /// The name in the plugin contract: `SHA-256`, `SHA-384` or `SHA-512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Sha256 => "SHA-256",
            Sha384 => "SHA-384",
            Sha512 => "SHA-512",
        }
    }

    /// The prefix of an OCI digest: `sha256`, `sha384` or `sha512`.
    #[must_use]
    pub const fn digest_prefix(self) -> &'static str {
        match self {
            Sha256 => "sha256",
            Sha384 => "sha384",
            Sha512 => "sha512",
        }
    }

    /// The hash of that OCI digest prefix.
    #[must_use]
    pub fn from_digest_prefix(prefix: &str) -> Option<Self> {
        [Sha256, Sha384, Sha512].into_iter().find(|hash| hash.digest_prefix() == prefix)
    }

    /// Bytes of a digest.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Sha256 => 32,
            Sha384 => 48,
            Sha512 => 64,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl SignatureAlgorithm {
    /// The hash that is signed.
    #[must_use]
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            RsaPss(hash) | RsaPkcs1(hash) | Ecdsa(hash) => hash,
        }
    }

    /// The `SigningAlgorithm` of AWS KMS.
    #[must_use]
    pub const fn aws_signing_algorithm(self) -> &'static str {
        match self {
            RsaPss(Sha256) => "RSASSA_PSS_SHA_256",
            RsaPss(Sha384) => "RSASSA_PSS_SHA_384",
            RsaPss(Sha512) => "RSASSA_PSS_SHA_512",
            RsaPkcs1(Sha256) => "RSASSA_PKCS1_V1_5_SHA_256",
            RsaPkcs1(Sha384) => "RSASSA_PKCS1_V1_5_SHA_384",
            RsaPkcs1(Sha512) => "RSASSA_PKCS1_V1_5_SHA_512",
            Ecdsa(Sha256) => "ECDSA_SHA_256",
            Ecdsa(Sha384) => "ECDSA_SHA_384",
            Ecdsa(Sha512) => "ECDSA_SHA_512",
        }
    }
}

/// Object identifiers of keys and certificate signatures (RFC 5912, RFC 8017, RFC 5758).
pub(crate) mod oid {
    use der::asn1::ObjectIdentifier as Oid;

    pub(crate) const RSA_ENCRYPTION: Oid = Oid::new_unwrap("1.2.840.113549.1.1.1");
    pub(crate) const RSASSA_PSS: Oid = Oid::new_unwrap("1.2.840.113549.1.1.10");
    pub(crate) const MGF1: Oid = Oid::new_unwrap("1.2.840.113549.1.1.8");
    pub(crate) const SHA1_WITH_RSA: Oid = Oid::new_unwrap("1.2.840.113549.1.1.5");
    pub(crate) const SHA256_WITH_RSA: Oid = Oid::new_unwrap("1.2.840.113549.1.1.11");
    pub(crate) const SHA384_WITH_RSA: Oid = Oid::new_unwrap("1.2.840.113549.1.1.12");
    pub(crate) const SHA512_WITH_RSA: Oid = Oid::new_unwrap("1.2.840.113549.1.1.13");
    pub(crate) const ECDSA_WITH_SHA1: Oid = Oid::new_unwrap("1.2.840.10045.4.1");
    pub(crate) const ECDSA_WITH_SHA256: Oid = Oid::new_unwrap("1.2.840.10045.4.3.2");
    pub(crate) const ECDSA_WITH_SHA384: Oid = Oid::new_unwrap("1.2.840.10045.4.3.3");
    pub(crate) const ECDSA_WITH_SHA512: Oid = Oid::new_unwrap("1.2.840.10045.4.3.4");
    pub(crate) const EC_PUBLIC_KEY: Oid = Oid::new_unwrap("1.2.840.10045.2.1");
    pub(crate) const SECP256R1: Oid = Oid::new_unwrap("1.2.840.10045.3.1.7");
    pub(crate) const SECP384R1: Oid = Oid::new_unwrap("1.3.132.0.34");
    pub(crate) const SECP521R1: Oid = Oid::new_unwrap("1.3.132.0.35");
    pub(crate) const SHA1: Oid = Oid::new_unwrap("1.3.14.3.2.26");
    pub(crate) const SHA256: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.2.1");
    pub(crate) const SHA384: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.2.2");
    pub(crate) const SHA512: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.2.3");

    /// The name of an algorithm that is refused, where people know it by one; else dotted decimal.
    pub(crate) fn describe(oid: Oid) -> String {
        const MD5: Oid = Oid::new_unwrap("1.2.840.113549.2.5");
        match oid {
            SHA1 => "SHA-1".to_owned(),
            MD5 => "MD5".to_owned(),
            SHA1_WITH_RSA => "RSA with SHA-1".to_owned(),
            ECDSA_WITH_SHA1 => "ECDSA with SHA-1".to_owned(),
            _ => oid.to_string(),
        }
    }
}

impl KeySpec {
    /// The EC key spec of a named curve's object identifier, as DER holds it.
    pub(crate) fn from_curve_oid(curve: &[u8]) -> Option<Self> {
        let curves = [
            (oid::SECP256R1, Self::Ec256),
            (oid::SECP384R1, Self::Ec384),
            (oid::SECP521R1, Self::Ec521),
        ];
        curves.into_iter().find(|(oid, _)| oid.as_bytes() == curve).map(|(_, spec)| spec)
    }
}

impl HashAlgorithm {
    /// The hash's own object identifier.
    pub(crate) const fn oid(self) -> ObjectIdentifier {
        match self {
            Sha256 => oid::SHA256,
            Sha384 => oid::SHA384,
            Sha512 => oid::SHA512,
        }
    }

    pub(crate) fn from_oid(oid: &[u8]) -> Option<Self> {
        [Sha256, Sha384, Sha512].into_iter().find(|hash| hash.oid().as_bytes() == oid)
    }
}

impl IdentifierHash {
    pub(crate) fn from_oid(oid: &[u8]) -> Option<Self> {
        let is_sha1 = oid == oid::SHA1.as_bytes();
        if is_sha1 { Some(Self::Sha1) } else { HashAlgorithm::from_oid(oid).map(Self::Sha2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_key_spec() {
        for spec in KeySpec::ALL {
            assert_eq!(spec.row().spec, spec);
            assert_eq!(KeySpec::from_name(spec.name()), Some(spec));
            assert_eq!(KeySpec::from_jws_algorithm(spec.jws_algorithm()), Some(spec));
            assert_eq!(KeySpec::from_cose_algorithm(spec.cose_algorithm()), Some(spec));
            assert_eq!(KeySpec::from_aws_key_spec(spec.aws_key_spec()), Some(spec));
        }
        assert_eq!(KeySpec::from_name("rsa-2048"), None);
        assert_eq!(KeySpec::from_jws_algorithm("none"), None);
        assert_eq!(KeySpec::from_rsa_bits(256), None);
    }

    #[test]
    fn signature_lengths_are_those_of_rfc_7518() {
        let lengths = KeySpec::ALL.map(KeySpec::signature_len);
        assert_eq!(lengths, [256, 384, 512, 64, 96, 132]);
    }
}
