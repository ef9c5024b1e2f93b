//! One certificate (RFC 5280, section 4): what chains, profiles and policies need of it.

use std::fmt;

use der::asn1::ObjectIdentifier;
use time::UtcDateTime;
use x509_parser::{
    asn1_rs::{Any, Class, FromDer as _, Oid, Tag},
    certificate::X509CertificateParser,
    extensions,
    nom::Parser,
    prelude::X509Certificate,
    signature_algorithm::RsaSsaPssParams,
    x509::AlgorithmIdentifier,
};

use super::{DistributionPoint, Name, PointerError, PublicKey, PublicKeyError, pointers::Pointers};
use crate::{
    algorithm::{
        HashAlgorithm::{self, Sha256, Sha384, Sha512},
        SignatureAlgorithm::{self, Ecdsa, RsaPkcs1, RsaPss},
        oid,
    },
    crypto, limits,
};

/// A parsed certificate. It owns its bytes, which are kept as they came.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: std::ops::Range<usize>,
    signature: Vec<u8>,
    signature_algorithm: CertificateSignature,
    serial_number: Vec<u8>,
    subject: Name,
    issuer: Name,
    not_before: UtcDateTime,
    not_after: UtcDateTime,
    public_key: PublicKey,
    extensions: Extensions,
}

/// The algorithm that a certificate says it is signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CertificateSignature {
    Known(SignatureAlgorithm),
    Sha1,
    Unknown(String),
}

/// The three extensions that the signature specification honours, and no other
/// (signature-specification.md, "Certificate Requirements", "Other requirements"); and those that say how to
/// ask about revocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) extended_key_usage: Option<ExtendedKeyUsage>,
    pub(crate) pointers: Pointers,
    /// `id-pkix-ocsp-nocheck` (RFC 6960, section 4.2.2.2.1).
    pub(crate) ocsp_no_check: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BasicConstraints {
    pub(crate) critical: bool,
    pub(crate) ca: bool,
    pub(crate) path_length: Option<u32>,
}

/// Bits as RFC 5280, section 4.2.1.3 numbers them: bit 0 is `digitalSignature`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyUsage {
    pub(crate) critical: bool,
    pub(crate) bits: u16,
}

impl KeyUsage {
    pub(crate) const DIGITAL_SIGNATURE: u16 = 1;
    pub(crate) const NON_REPUDIATION: u16 = 1 << 1;
    pub(crate) const KEY_CERT_SIGN: u16 = 1 << 5;
    pub(crate) const CRL_SIGN: u16 = 1 << 6;

    /// Whether one of these bits is set.
    pub(crate) const fn has(&self, bits: u16) -> bool {
        self.bits & bits != 0
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExtendedKeyUsage {
    pub(crate) critical: bool,
    /// Purposes in dotted decimal.
    pub(crate) purposes: Vec<String>,
}

/// Why bytes are not a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// More bytes than a certificate may have.
    #[error("certificate of {0} bytes is over the limit of {limit} bytes", limit = limits::CERTIFICATE_BYTES)]
    TooLarge(usize),
    /// The bytes are not one DER certificate.
    #[error("certificate is not valid DER")]
    Malformed,
    /// Bytes follow the certificate.
    #[error("{0} bytes follow the certificate")]
    TrailingBytes(usize),
    /// An extension occurs twice (RFC 5280, section 4.2), or an honoured one is not valid DER.
    #[error("certificate {subject}: extension {extension} is {fault}")]
    BadExtension {
        /// The certificate's subject.
        subject: Name,
        /// The extension's object identifier.
        extension: String,
        /// `repeated` or `not valid DER`.
        fault: &'static str,
    },
    /// The two signature algorithm fields differ (RFC 5280, section 4.1.1.2).
    #[error(
        "certificate {subject}: signature algorithms inside and outside of the signed part differ"
    )]
    AlgorithmMismatch {
        /// The certificate's subject.
        subject: Name,
    },
    /// A time that no calendar has.
    #[error("certificate {subject}: validity is not a pair of times")]
    BadValidity {
        /// The certificate's subject.
        subject: Name,
    },
    /// The public key is broken.
    #[error("certificate {subject}: public key cannot be used")]
    BadPublicKey {
        /// The certificate's subject.
        subject: Name,
        /// What is wrong with the key.
        #[source]
        source: PublicKeyError,
    },
}

impl Certificate {
    /// Parses one DER certificate.
    ///
    /// # Errors
    /// [`CertificateError`], where the bytes are not exactly one certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > limits::CERTIFICATE_BYTES {
            return Err(CertificateError::TooLarge(der.len()));
        }
        // Extensions that are not honoured are not looked into, so a broken one refuses nothing.
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (rest, parsed) = parser.parse(der).map_err(|_| CertificateError::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateError::TrailingBytes(rest.len()));
        }
        Self::from_parsed(der, &parsed)
    }

    fn from_parsed(der: &[u8], parsed: &X509Certificate<'_>) -> Result<Self, CertificateError> {
        let subject = Name::from_parsed(parsed.subject().as_raw());
        // Bits that nobody reads could be changed without breaking the signature.
        let bits = [&parsed.signature_value, &parsed.public_key().subject_public_key];
        if bits.iter().any(|bits| bits.unused_bits != 0) {
            return Err(CertificateError::Malformed);
        }
        let Some(parts) = Parts::of(der) else { return Err(CertificateError::Malformed) };
        if parts.outer_algorithm != parts.inner_algorithm {
            return Err(CertificateError::AlgorithmMismatch { subject });
        }
        let public_key = match PublicKey::from_parsed(parsed.public_key()) {
            Ok(key) => key,
            Err(source) => return Err(CertificateError::BadPublicKey { subject, source }),
        };
        let times = (to_utc(parsed.validity().not_before), to_utc(parsed.validity().not_after));
        let (Some(not_before), Some(not_after)) = times else {
            return Err(CertificateError::BadValidity { subject });
        };
        Ok(Self {
            tbs: parts.tbs,
            der: der.to_vec(),
            signature: parsed.signature_value.data.to_vec(),
            signature_algorithm: certificate_signature(&parsed.signature_algorithm),
            serial_number: parsed.raw_serial().to_vec(),
            issuer: Name::from_parsed(parsed.issuer().as_raw()),
            not_before,
            not_after,
            public_key,
            extensions: Extensions::read(parsed, &subject)?,
            subject,
        })
    }

    /// The certificate in DER.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The subject.
    #[must_use]
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// The issuer.
    #[must_use]
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// The serial number: big-endian, as the DER `INTEGER` holds it.
    #[must_use]
    pub fn serial_number(&self) -> &[u8] {
        &self.serial_number
    }

    /// The first second of validity.
    #[must_use]
    pub const fn not_before(&self) -> UtcDateTime {
        self.not_before
    }

    /// The last second of validity.
    #[must_use]
    pub const fn not_after(&self) -> UtcDateTime {
        self.not_after
    }

    /// The subject's public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// SHA-256 over the DER.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        crypto::sha256(&self.der)
    }

    /// Whether issuer and subject are the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether the certificate is issued and signed by itself.
    #[must_use]
    pub fn is_self_signed(&self) -> bool {
        self.is_self_issued() && self.is_signed_by(&self.public_key)
    }

    /// Whether the certificate is signed with SHA-1, which nothing is to be trusted for.
    pub(crate) const fn is_signed_with_sha1(&self) -> bool {
        matches!(self.signature_algorithm, CertificateSignature::Sha1)
    }

    /// Whether the basic constraints say that this is a CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.extensions.basic_constraints.as_ref().is_some_and(|constraints| constraints.ca)
    }

    /// Whether the certificate says where its revocation is published: CRLs, or an OCSP responder.
    #[must_use]
    pub fn names_revocation(&self) -> bool {
        self.extensions.pointers.is_any()
    }

    /// The URLs of the OCSP responders to ask about this certificate, in its order (RFC 5280, section
    /// 4.2.2.1); none where it names no responder. What is no printable ASCII is percent-encoded.
    ///
    /// # Errors
    /// [`PointerError`], where the extension is broken, or names a responder without a URL.
    pub fn ocsp_urls(&self) -> Result<Vec<String>, PointerError> {
        self.extensions.pointers.ocsp_urls()
    }

    /// The distribution points of the CRLs that cover this certificate (RFC 5280, section 4.2.1.13); none
    /// where it names no CRL. The URIs of one are alternatives.
    ///
    /// # Errors
    /// [`PointerError`], where the extension is broken or empty.
    pub fn crl_distribution_points(&self) -> Result<Vec<DistributionPoint>, PointerError> {
        self.extensions.pointers.crl_distribution_points()
    }

    /// The distribution points of delta CRLs to the CRLs that cover this certificate (RFC 5280, section
    /// 4.2.1.15).
    ///
    /// # Errors
    /// [`PointerError`], where the extension is broken or empty.
    pub fn freshest_crl(&self) -> Result<Vec<DistributionPoint>, PointerError> {
        self.extensions.pointers.freshest_crl()
    }

    /// Whether this is an OCSP responder's certificate that its CA wants nobody to ask about
    /// (`id-pkix-ocsp-nocheck`, RFC 6960, section 4.2.2.2.1).
    #[must_use]
    pub const fn has_ocsp_no_check(&self) -> bool {
        self.extensions.ocsp_no_check
    }

    pub(crate) const fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    pub(crate) const fn signature_algorithm(&self) -> &CertificateSignature {
        &self.signature_algorithm
    }

    /// Whether `issuer`'s key verifies this certificate's signature.
    pub(crate) fn is_signed_by(&self, issuer: &PublicKey) -> bool {
        let CertificateSignature::Known(algorithm) = self.signature_algorithm else { return false };
        let Some(signed) = self.der.get(self.tbs.clone()) else { return false };
        crypto::verify_x509(algorithm, issuer, signed, &self.signature).is_ok()
    }
}

impl CertificateSignature {
    /// What a DER `AlgorithmIdentifier` says; `None` where the bytes are none.
    pub(crate) fn from_identifier_der(der: &[u8]) -> Option<Self> {
        match AlgorithmIdentifier::from_der(der) {
            Ok(([], identifier)) => Some(certificate_signature(&identifier)),
            _ => None,
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, sha256:{})", self.subject, crypto::hex(&self.fingerprint()))
    }
}

impl Extensions {
    fn read(parsed: &X509Certificate<'_>, subject: &Name) -> Result<Self, CertificateError> {
        let mut read = Self::default();
        let mut seen: Vec<&Oid<'_>> = Vec::with_capacity(parsed.extensions().len());
        for extension in parsed.extensions() {
            let bad = |fault| CertificateError::BadExtension {
                subject: subject.clone(),
                extension: extension.oid.to_id_string(),
                fault,
            };
            if seen.contains(&&extension.oid) {
                return Err(bad("repeated"));
            }
            seen.push(&extension.oid);
            read.take(extension).map_err(|()| bad("not valid DER"))?;
        }
        Ok(read)
    }

    fn take(&mut self, extension: &extensions::X509Extension<'_>) -> Result<(), ()> {
        use x509_parser::oid_registry::{
            OID_PKIX_AUTHORITY_INFO_ACCESS, OID_X509_EXT_BASIC_CONSTRAINTS,
            OID_X509_EXT_CRL_DISTRIBUTION_POINTS, OID_X509_EXT_EXTENDED_KEY_USAGE,
            OID_X509_EXT_FRESHEST_CRL, OID_X509_EXT_KEY_USAGE,
        };
        let critical = extension.critical;
        if extension.oid == OID_X509_EXT_BASIC_CONSTRAINTS {
            let value: extensions::BasicConstraints = whole(extension.value)?;
            let path_length = value.path_len_constraint;
            self.basic_constraints = Some(BasicConstraints { critical, ca: value.ca, path_length });
        } else if extension.oid == OID_X509_EXT_KEY_USAGE {
            let value: extensions::KeyUsage = whole(extension.value)?;
            self.key_usage = Some(KeyUsage { critical, bits: value.flags });
        } else if extension.oid == OID_X509_EXT_EXTENDED_KEY_USAGE {
            let purposes: Vec<Any<'_>> = whole(extension.value)?;
            let purposes = purposes.iter().map(purpose).collect::<Result<_, _>>()?;
            self.extended_key_usage = Some(ExtendedKeyUsage { critical, purposes });
        } else if extension.oid == OID_X509_EXT_CRL_DISTRIBUTION_POINTS {
            self.pointers.crl_distribution_points = Some(extension.value.to_vec());
        } else if extension.oid == OID_X509_EXT_FRESHEST_CRL {
            self.pointers.freshest_crl = Some(extension.value.to_vec());
        } else if extension.oid == OID_PKIX_AUTHORITY_INFO_ACCESS {
            self.pointers.authority_information = Some(extension.value.to_vec());
        } else if extension.oid.as_bytes() == OCSP_NO_CHECK.as_bytes() {
            self.ocsp_no_check = true;
        }
        Ok(())
    }
}

const OCSP_NO_CHECK: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.5");

/// The parser would take the contents of any element for an object identifier.
fn purpose(any: &Any<'_>) -> Result<String, ()> {
    if any.class() != Class::Universal || any.tag() != Tag::Oid {
        return Err(());
    }
    any.as_oid().map(|oid| oid.to_id_string()).map_err(|_| ())
}

/// Parses a value that must fill its bytes.
fn whole<'a, T, E: 'a>(der: &'a [u8]) -> Result<T, ()>
where
    T: x509_parser::asn1_rs::FromDer<'a, E>,
{
    match T::from_der(der) {
        Ok(([], value)) => Ok(value),
        _ => Err(()),
    }
}

/// The parts of a certificate as bytes. What stands outside of the signed part is not protected by the
/// signature, so it has to be exactly what the signed part implies.
///
/// ```text
/// Certificate    ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING }
/// TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature AlgorithmIdentifier, … }
/// ```
struct Parts<'a> {
    tbs: std::ops::Range<usize>,
    outer_algorithm: &'a [u8],
    inner_algorithm: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(der: &'a [u8]) -> Option<Self> {
        let (certificate, []) = element(der, Tag::Sequence)? else { return None };
        let (tbs, rest) = element(certificate, Tag::Sequence)?;
        let start = der.len() - certificate.len();
        let end = der.len() - rest.len();
        let (_, after) = element(rest, Tag::Sequence)?;
        let outer_algorithm = rest.get(..rest.len() - after.len())?;
        let (_, []) = element(after, Tag::BitString)? else { return None };
        let (after_version, version) = Any::from_der(tbs).ok()?;
        let serial = if version.class() == Class::ContextSpecific { after_version } else { tbs };
        let (_, algorithm) = element(serial, Tag::Integer)?;
        let (_, after) = element(algorithm, Tag::Sequence)?;
        let inner_algorithm = algorithm.get(..algorithm.len() - after.len())?;
        Some(Self { tbs: start..end, outer_algorithm, inner_algorithm })
    }
}

/// The contents of the DER element of that tag, and what follows it. The parser takes lengths in more
/// bytes than they need, which outside of the signed part would give one certificate many encodings.
fn element(bytes: &[u8], tag: Tag) -> Option<(&[u8], &[u8])> {
    let (rest, any) = Any::from_der(bytes).ok()?;
    let constructed = tag == Tag::Sequence;
    let header = bytes.len() - rest.len() - any.data.len();
    let shortest = match any.data.len() {
        0..0x80 => 2,
        0x80..0x100 => 3,
        0x100..0x1_0000 => 4,
        _ => 5,
    };
    let fits = header == shortest
        && any.class() == Class::Universal
        && any.tag() == tag
        && any.header.is_constructed() == constructed;
    fits.then_some((any.data, rest))
}

fn to_utc(time: x509_parser::time::ASN1Time) -> Option<UtcDateTime> {
    UtcDateTime::from_unix_timestamp(time.timestamp()).ok()
}

impl CertificateSignature {
    /// Reads a DER `AlgorithmIdentifier`.
    pub(crate) fn from_der(identifier: &[u8]) -> Option<Self> {
        match AlgorithmIdentifier::from_der(identifier) {
            Ok(([], identifier)) => Some(certificate_signature(&identifier)),
            _ => None,
        }
    }
}

fn certificate_signature(identifier: &AlgorithmIdentifier<'_>) -> CertificateSignature {
    const KNOWN: [(ObjectIdentifier, CertificateSignature); 8] = [
        (oid::SHA256_WITH_RSA, CertificateSignature::Known(RsaPkcs1(Sha256))),
        (oid::SHA384_WITH_RSA, CertificateSignature::Known(RsaPkcs1(Sha384))),
        (oid::SHA512_WITH_RSA, CertificateSignature::Known(RsaPkcs1(Sha512))),
        (oid::ECDSA_WITH_SHA256, CertificateSignature::Known(Ecdsa(Sha256))),
        (oid::ECDSA_WITH_SHA384, CertificateSignature::Known(Ecdsa(Sha384))),
        (oid::ECDSA_WITH_SHA512, CertificateSignature::Known(Ecdsa(Sha512))),
        (oid::SHA1_WITH_RSA, CertificateSignature::Sha1),
        (oid::ECDSA_WITH_SHA1, CertificateSignature::Sha1),
    ];
    let algorithm = &identifier.algorithm;
    let known = KNOWN.into_iter().find(|(oid, _)| oid.as_bytes() == algorithm.as_bytes());
    let is_pss = algorithm.as_bytes() == oid::RSASSA_PSS.as_bytes();
    known
        .map(|(_, signature)| signature)
        .or_else(|| pss_signature(identifier).filter(|_| is_pss))
        .unwrap_or_else(|| CertificateSignature::Unknown(algorithm.to_id_string()))
}

/// RSASSA-PSS with one hash for both uses and a salt as long as the digest; SHA-1 is PSS's default.
fn pss_signature(identifier: &AlgorithmIdentifier<'_>) -> Option<CertificateSignature> {
    let parameters = RsaSsaPssParams::try_from(identifier.parameters.as_ref()?).ok()?;
    let hash = parameters.hash_algorithm_oid().as_bytes();
    if hash == oid::SHA1.as_bytes() {
        return Some(CertificateSignature::Sha1);
    }
    let hash = HashAlgorithm::from_oid(hash)?;
    let mask = parameters.mask_gen_algorithm().ok()?;
    let agrees = mask.mgf.as_bytes() == oid::MGF1.as_bytes()
        && mask.hash.as_bytes() == hash.oid().as_bytes()
        && usize::try_from(parameters.salt_length()) == Ok(hash.digest_len());
    agrees.then_some(CertificateSignature::Known(RsaPss(hash)))
}
