//! CMS as timestamp tokens use it: `SignedData` (RFC 5652, section 5) with one signer, whose certificate the
//! signed attribute signing-certificate-v2 names (RFC 5035, RFC 5816).
//!
//! Sets are read as they stand and their elements are counted, so that none costs quadratic time.

use der::{
    Decode, Encode, Reader, Sequence, SliceReader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier, OctetStringRef},
};
use spki::AlgorithmIdentifierRef;

use super::{TokenError, ber::der_element};
use crate::{
    algorithm::{HashAlgorithm, SignatureAlgorithm, oid},
    limits,
    x509::{Certificate, CertificateSignature},
};

const ID_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const ID_TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const ID_CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const ID_MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const ID_SIGNING_CERTIFICATE_V2: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// What a token holds. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedData {
    /// `TSTInfo` in DER.
    pub(super) content: Vec<u8>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) signer: SignerInfo,
}

/// Who signed, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignerInfo {
    pub(super) identifier: SignerIdentifier,
    /// The hash of the attribute message-digest.
    pub(super) hash: HashAlgorithm,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) signature: Vec<u8>,
    pub(super) attributes: SignedAttributes,
}

/// How the signer's certificate is named, outside of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SignerIdentifier {
    IssuerAndSerialNumber { issuer: Vec<u8>, serial_number: Vec<u8> },
    SubjectKeyIdentifier(Vec<u8>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedAttributes {
    /// What is signed: the attributes as a DER `SET OF` (RFC 5652, section 5.4).
    pub(super) signed: Vec<u8>,
    pub(super) message_digest: Vec<u8>,
    pub(super) certificate: CertificateId,
}

/// The first certificate of signing-certificate-v2, which is the signer's (RFC 5035, section 3). Those after
/// it limit certificates of attributes, of which there are none here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CertificateId {
    pub(super) hash: HashAlgorithm,
    pub(super) digest: Vec<u8>,
    /// DER of the issuer's name and the serial number, where they are given.
    pub(super) issuer_serial: Option<(Vec<u8>, Vec<u8>)>,
}

/// ```text
/// ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }
/// ```
#[derive(Sequence)]
struct EncodedContentInfo<'a> {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: AnyRef<'a>,
}

/// ```text
/// SignedData ::= SEQUENCE {
///     version          INTEGER,
///     digestAlgorithms SET OF AlgorithmIdentifier,
///     encapContentInfo EncapsulatedContentInfo,
///     certificates [0] IMPLICIT SET OF CertificateChoices OPTIONAL,
///     crls         [1] IMPLICIT SET OF RevocationInfoChoice OPTIONAL,
///     signerInfos      SET OF SignerInfo }
/// ```
#[derive(Sequence)]
struct EncodedSignedData<'a> {
    version: u8,
    digest_algorithms: AnyRef<'a>,
    content: EncodedContent<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<AnyRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    crls: Option<AnyRef<'a>>,
    signer_infos: AnyRef<'a>,
}

/// ```text
/// EncapsulatedContentInfo ::= SEQUENCE {
///     eContentType OBJECT IDENTIFIER, eContent [0] EXPLICIT OCTET STRING OPTIONAL }
/// ```
#[derive(Sequence)]
struct EncodedContent<'a> {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    content: Option<OctetStringRef<'a>>,
}

/// ```text
/// SignerInfo ::= SEQUENCE {
///     version            INTEGER,
///     sid                CHOICE { IssuerAndSerialNumber, [0] IMPLICIT SubjectKeyIdentifier },
///     digestAlgorithm    AlgorithmIdentifier,
///     signedAttrs    [0] IMPLICIT SET OF Attribute OPTIONAL,
///     signatureAlgorithm AlgorithmIdentifier,
///     signature          OCTET STRING,
///     unsignedAttrs  [1] IMPLICIT SET OF Attribute OPTIONAL }
/// ```
#[derive(Sequence)]
struct EncodedSignerInfo<'a> {
    version: u8,
    identifier: AnyRef<'a>,
    digest_algorithm: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    signed_attributes: Option<AnyRef<'a>>,
    signature_algorithm: AlgorithmIdentifierRef<'a>,
    signature: OctetStringRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    unsigned_attributes: Option<AnyRef<'a>>,
}

/// ```text
/// IssuerAndSerialNumber ::= SEQUENCE { issuer Name, serialNumber INTEGER }
/// IssuerSerial          ::= SEQUENCE { issuer GeneralNames, serialNumber INTEGER }
/// ```
#[derive(Sequence)]
struct EncodedIssuerSerial<'a> {
    issuer: AnyRef<'a>,
    serial_number: AnyRef<'a>,
}

/// ```text
/// Attribute ::= SEQUENCE { attrType OBJECT IDENTIFIER, attrValues SET OF ANY }
/// ```
#[derive(Sequence)]
struct EncodedAttribute<'a> {
    /// Not parsed: an attribute that is passed over may have any.
    kind: AnyRef<'a>,
    values: AnyRef<'a>,
}

/// ```text
/// SigningCertificateV2 ::= SEQUENCE {
///     certs SEQUENCE OF ESSCertIDv2, policies SEQUENCE OF PolicyInformation OPTIONAL }
/// ```
#[derive(Sequence)]
struct EncodedSigningCertificate<'a> {
    certificates: AnyRef<'a>,
    policies: Option<AnyRef<'a>>,
}

/// ```text
/// ESSCertIDv2 ::= SEQUENCE {
///     hashAlgorithm AlgorithmIdentifier DEFAULT { algorithm id-sha256 },
///     certHash      OCTET STRING,
///     issuerSerial  IssuerSerial OPTIONAL }
/// ```
#[derive(Sequence)]
struct EncodedCertificateId<'a> {
    hash_algorithm: Option<AlgorithmIdentifierRef<'a>>,
    digest: OctetStringRef<'a>,
    issuer_serial: Option<EncodedIssuerSerial<'a>>,
}

impl SignedData {
    /// Reads a `ContentInfo` in DER.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, TokenError> {
        let info =
            EncodedContentInfo::from_der(der).map_err(TokenError::malformed("ContentInfo"))?;
        if info.content_type != ID_SIGNED_DATA {
            return Err(TokenError::NotSignedData(info.content_type.to_string()));
        }
        let data: EncodedSignedData<'_> =
            info.content.decode_as().map_err(TokenError::malformed("SignedData"))?;
        // 3 is what the kind of content asks for; 4 and 5 tell of certificates and CRLs in other formats.
        if !(3..=5).contains(&data.version) {
            return Err(TokenError::Version { part: "SignedData", version: data.version });
        }
        if data.content.content_type != ID_TST_INFO {
            return Err(TokenError::NotTstInfo(data.content.content_type.to_string()));
        }
        let content = data.content.content.ok_or(TokenError::NoContent)?;
        Ok(Self {
            content: content.as_bytes().to_vec(),
            certificates: certificates(data.certificates)?,
            signer: signer(data.signer_infos)?,
        })
    }
}

/// Certificates in other formats than X.509 are passed over.
fn certificates(set: Option<AnyRef<'_>>) -> Result<Vec<Certificate>, TokenError> {
    let encoded = match set {
        Some(set) => elements("certificates", set, limits::TIMESTAMP_CERTIFICATES)?,
        None => Vec::new(),
    };
    let mut certificates = Vec::with_capacity(encoded.len());
    for (number, der) in (1..).zip(encoded) {
        if der.first() == Some(&SEQUENCE) {
            let certificate = Certificate::from_der(der)
                .map_err(|source| TokenError::Certificate { number, source })?;
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}

fn signer(set: AnyRef<'_>) -> Result<SignerInfo, TokenError> {
    const PART: &str = "SignerInfo";
    expect(Tag::Set, set, "signerInfos")?;
    let signers = elements("signerInfos", set, limits::TIMESTAMP_ATTRIBUTES)?;
    let [signer] = signers.as_slice() else { return Err(TokenError::Signers(signers.len())) };
    let signer = EncodedSignerInfo::from_der(signer).map_err(TokenError::malformed(PART))?;
    let hash = hash(signer.digest_algorithm, "message-digest")?;
    let attributes = signer.signed_attributes.map(AnyRef::value).unwrap_or_default();
    Ok(SignerInfo {
        identifier: SignerIdentifier::read(signer.version, signer.identifier)?,
        hash,
        algorithm: signature_algorithm(signer.signature_algorithm, hash)?,
        signature: signer.signature.as_bytes().to_vec(),
        attributes: SignedAttributes::read(attributes)?,
    })
}

impl SignerIdentifier {
    fn read(version: u8, identifier: AnyRef<'_>) -> Result<Self, TokenError> {
        let malformed = TokenError::malformed("sid");
        match (version, identifier.tag()) {
            (1, Tag::Sequence) => {
                let named: EncodedIssuerSerial<'_> = identifier.decode_as().map_err(&malformed)?;
                Ok(Self::IssuerAndSerialNumber {
                    issuer: named.issuer.to_der().map_err(&malformed)?,
                    serial_number: integer(named.serial_number, "sid")?,
                })
            }
            (3, Tag::ContextSpecific { number: der::TagNumber::N0, constructed: false }) => {
                Ok(Self::SubjectKeyIdentifier(identifier.value().to_vec()))
            }
            _ => Err(TokenError::SignerVersion(version)),
        }
    }

    /// Whether that certificate is the one that is named.
    pub(super) fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerialNumber { issuer, serial_number } => {
                certificate.issuer().as_der() == issuer
                    && certificate.serial_number() == serial_number
            }
            // Looked for by its bytes: the extension decides nothing, as signing-certificate-v2 names the
            // certificate by its hash.
            Self::SubjectKeyIdentifier(identifier) => {
                let value = der_element(OCTET_STRING, &der_element(OCTET_STRING, identifier));
                let extension = [SUBJECT_KEY_IDENTIFIER, &value].concat();
                certificate.as_der().windows(extension.len()).any(|bytes| bytes == extension)
            }
        }
    }
}

/// `id-ce-subjectKeyIdentifier` (RFC 5280, section 4.2.1.2), in DER.
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[6, 3, 0x55, 0x1d, 0x0e];

impl SignedAttributes {
    /// Reads the contents of `signedAttrs`. Attributes that are not asked for are passed over.
    fn read(contents: &[u8]) -> Result<Self, TokenError> {
        const PART: &str = "signedAttrs";
        let mut encoded = slices(PART, contents, limits::TIMESTAMP_ATTRIBUTES)?;
        let attributes = encoded
            .iter()
            .map(|der| EncodedAttribute::from_der(der).map_err(TokenError::malformed(PART)))
            .collect::<Result<Vec<_>, _>>()?;
        let kind = single(&attributes, "content-type", ID_CONTENT_TYPE)?;
        if kind.decode_as::<ObjectIdentifier>() != Ok(ID_TST_INFO) {
            return Err(TokenError::OtherContentType);
        }
        let message_digest: OctetStringRef<'_> =
            single(&attributes, "message-digest", ID_MESSAGE_DIGEST)?
                .decode_as()
                .map_err(TokenError::malformed("message-digest"))?;
        let certificate = single(&attributes, "signing-certificate-v2", ID_SIGNING_CERTIFICATE_V2)?;
        // DER has the elements of a set in the order of their bytes.
        encoded.sort_unstable();
        Ok(Self {
            signed: der_element(SET, &encoded.concat()),
            message_digest: message_digest.as_bytes().to_vec(),
            certificate: CertificateId::read(certificate)?,
        })
    }
}

impl CertificateId {
    fn read(signing_certificate: AnyRef<'_>) -> Result<Self, TokenError> {
        const PART: &str = "signing-certificate-v2";
        let malformed = TokenError::malformed(PART);
        let attribute: EncodedSigningCertificate<'_> =
            signing_certificate.decode_as().map_err(&malformed)?;
        expect(Tag::Sequence, attribute.certificates, PART)?;
        let mut certificates =
            SliceReader::new(attribute.certificates.value()).map_err(&malformed)?;
        let first = EncodedCertificateId::decode(&mut certificates).map_err(&malformed)?;
        let issuer_serial = match first.issuer_serial {
            None => None,
            Some(named) => {
                Some((directory_name(named.issuer)?, integer(named.serial_number, PART)?))
            }
        };
        Ok(Self {
            hash: match first.hash_algorithm {
                Some(algorithm) => hash(algorithm, PART)?,
                None => HashAlgorithm::Sha256,
            },
            digest: first.digest.as_bytes().to_vec(),
            issuer_serial,
        })
    }
}

/// The one name of `GeneralNames`, which has to be a directory's (RFC 5035, section 4).
fn directory_name(names: AnyRef<'_>) -> Result<Vec<u8>, TokenError> {
    let malformed = TokenError::malformed("signing-certificate-v2");
    let name = expect(Tag::Sequence, names, "signing-certificate-v2")
        .and_then(|()| AnyRef::from_der(names.value()).map_err(&malformed))?;
    let tag = Tag::ContextSpecific { number: der::TagNumber::N4, constructed: true };
    expect(tag, name, "signing-certificate-v2")?;
    Ok(name.value().to_vec())
}

/// The only value of the attribute that has to be there once.
fn single<'a>(
    attributes: &[EncodedAttribute<'a>],
    name: &'static str,
    kind: ObjectIdentifier,
) -> Result<AnyRef<'a>, TokenError> {
    let has_kind = |attribute: &&EncodedAttribute<'_>| {
        attribute.kind.tag() == Tag::ObjectIdentifier && attribute.kind.value() == kind.as_bytes()
    };
    let mut values = Vec::new();
    for attribute in attributes.iter().filter(has_kind) {
        expect(Tag::Set, attribute.values, name)?;
        values.extend(elements(name, attribute.values, limits::TIMESTAMP_ATTRIBUTES)?);
    }
    match values.as_slice() {
        [value] => AnyRef::from_der(value).map_err(TokenError::malformed(name)),
        _ => Err(TokenError::Attribute { name, times: values.len() }),
    }
}

/// A hash of the SHA-2 family, whose identifier has no parameters or NULL (RFC 5754, section 2).
pub(super) fn hash(
    identifier: AlgorithmIdentifierRef<'_>,
    part: &'static str,
) -> Result<HashAlgorithm, TokenError> {
    let is_plain = identifier.parameters.is_none_or(AnyRef::is_null);
    HashAlgorithm::from_oid(identifier.oid.as_bytes()).filter(|_| is_plain).ok_or_else(|| {
        TokenError::UnsupportedHash { part, algorithm: oid::describe(identifier.oid) }
    })
}

/// The algorithm of the signature. `rsaEncryption` leaves the hash to the digest algorithm (RFC 3370, section
/// 3.2).
fn signature_algorithm(
    identifier: AlgorithmIdentifierRef<'_>,
    hash: HashAlgorithm,
) -> Result<SignatureAlgorithm, TokenError> {
    if identifier.oid == oid::RSA_ENCRYPTION {
        return Ok(SignatureAlgorithm::RsaPkcs1(hash));
    }
    let der = identifier.to_der().map_err(TokenError::malformed("signatureAlgorithm"))?;
    match CertificateSignature::from_identifier_der(&der) {
        Some(CertificateSignature::Known(algorithm)) => Ok(algorithm),
        _ => Err(TokenError::UnsupportedSignature { algorithm: oid::describe(identifier.oid) }),
    }
}

/// The contents of an `INTEGER`.
pub(super) fn integer(value: AnyRef<'_>, part: &'static str) -> Result<Vec<u8>, TokenError> {
    expect(Tag::Integer, value, part)?;
    Ok(value.value().to_vec())
}

/// Shows that a value has the tag that it has to have.
fn expect(tag: Tag, value: AnyRef<'_>, part: &'static str) -> Result<(), TokenError> {
    value.tag().assert_eq(tag).map(|_| ()).map_err(TokenError::malformed(part))
}

/// The elements of a set, each with its header.
fn elements<'a>(
    part: &'static str,
    set: AnyRef<'a>,
    limit: usize,
) -> Result<Vec<&'a [u8]>, TokenError> {
    slices(part, set.value(), limit)
}

fn slices<'a>(
    part: &'static str,
    contents: &'a [u8],
    limit: usize,
) -> Result<Vec<&'a [u8]>, TokenError> {
    let malformed = TokenError::malformed(part);
    let mut reader = SliceReader::new(contents).map_err(&malformed)?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        if found.len() == limit {
            return Err(TokenError::TooMany { part, limit });
        }
        found.push(reader.tlv_bytes().map_err(&malformed)?);
    }
    Ok(found)
}
