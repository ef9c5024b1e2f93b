//! OCSP on the wire (RFC 6960, section 4): the request, and the basic response, read in place.

use time::UtcDateTime;

use super::{
    OcspError, ResponseStatus,
    entry::{Entry, INVALIDITY_DATE, invalidity_date},
    signed::{self, Extension, Signed},
};
use crate::{
    algorithm::{IdentifierHash, oid::SHA1},
    asn1::{self, Malformed, Reader, encode, tag},
    crypto, limits,
    x509::Certificate,
};

/// A basic OCSP response whose structure is known to be right. Who signed it is not.
#[derive(Debug, Clone)]
pub struct OcspResponse<'a> {
    pub(super) signed: Signed<'a>,
    pub(super) responder: ResponderId<'a>,
    /// Each in DER, and not looked into.
    certificates: Vec<&'a [u8]>,
    answers: Vec<SingleResponse<'a>>,
    nonce: Option<&'a [u8]>,
    unknown_critical: Option<&'a [u8]>,
}

/// Who signed the response.
#[derive(Debug, Clone, Copy)]
pub(super) enum ResponderId<'a> {
    /// `Name`, in DER.
    Name(&'a [u8]),
    /// SHA-1 over the bits of the key.
    Key(&'a [u8]),
}

/// The answer about one certificate.
#[derive(Debug, Clone)]
pub(super) struct SingleResponse<'a> {
    certificate: CertificateId<'a>,
    pub(super) status: SingleStatus,
    pub(super) this_update: UtcDateTime,
    pub(super) next_update: Option<UtcDateTime>,
    unknown_critical: Option<&'a [u8]>,
}

/// The newest word about one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SingleStatus {
    Good,
    Unknown,
    /// It is revoked, and nobody can tell how.
    Unreadable,
    Revoked(Entry),
}

/// ```text
/// CertID ::= SEQUENCE { hashAlgorithm AlgorithmIdentifier, issuerNameHash OCTET STRING,
///                       issuerKeyHash OCTET STRING, serialNumber INTEGER }
/// ```
#[derive(Debug, Clone, Copy)]
struct CertificateId<'a> {
    hash: &'a [u8],
    issuer_name: &'a [u8],
    issuer_key: &'a [u8],
    serial_number: &'a [u8],
}

/// `id-pkix-ocsp-basic`, as DER holds its contents.
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
/// `id-pkix-ocsp-nonce`
const NONCE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2];

/// The DER of an `OCSPRequest` about one certificate. Name and key of the issuer are hashed by SHA-1, which is
/// the hash that large CAs answer; nothing rests on it, as the response is signed.
///
/// ```text
/// OCSPRequest ::= SEQUENCE { tbsRequest SEQUENCE {
///     requestList SEQUENCE OF SEQUENCE { reqCert CertID },
///     requestExtensions [2] EXPLICIT Extensions OPTIONAL } }
/// ```
///
/// A nonce should have 32 bytes (RFC 9654, section 2.1). One that is sent has to come back, see
/// [`OcspEvidence::nonce`](super::OcspEvidence::nonce).
#[must_use]
pub fn ocsp_request(
    certificate: &Certificate,
    issuer: &Certificate,
    nonce: Option<&[u8]>,
) -> Vec<u8> {
    let hash = |data: &[u8]| crypto::identifier(IdentifierHash::Sha1, data);
    let algorithm = [encode(tag::OID, &[SHA1.as_bytes()]), encode(tag::NULL, &[])].concat();
    let id = [
        encode(tag::SEQUENCE, &[&algorithm]),
        encode(tag::OCTET_STRING, &[&hash(issuer.subject().as_der())]),
        encode(tag::OCTET_STRING, &[&hash(issuer.public_key().key_bytes())]),
        encode(tag::INTEGER, &[certificate.serial_number()]),
    ];
    let request = encode(tag::SEQUENCE, &[&encode(tag::SEQUENCE, &[&id.concat()])]);
    let list = encode(tag::SEQUENCE, &[&request]);
    let extensions = nonce.map(|nonce| {
        let value = encode(tag::OCTET_STRING, &[&encode(tag::OCTET_STRING, &[nonce])]);
        let extension = encode(tag::SEQUENCE, &[&encode(tag::OID, &[NONCE]), &value]);
        encode(tag::constructed(2), &[&encode(tag::SEQUENCE, &[&extension])])
    });
    encode(tag::SEQUENCE, &[&encode(tag::SEQUENCE, &[&list, &extensions.unwrap_or_default()])])
}

impl<'a> OcspResponse<'a> {
    /// Parses one DER `OCSPResponse`.
    ///
    /// ```text
    /// OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED,
    ///     responseBytes [0] EXPLICIT SEQUENCE { responseType, response OCTET STRING } OPTIONAL }
    /// BasicOCSPResponse ::= SEQUENCE { tbsResponseData, signatureAlgorithm, signature BIT STRING,
    ///     certs [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
    /// ```
    ///
    /// # Errors
    /// [`OcspError`], where the bytes are not exactly one basic response, or pass a bound.
    pub fn parse(der: &'a [u8]) -> Result<Self, OcspError> {
        if der.len() > limits::OCSP_RESPONSE_BYTES {
            return Err(OcspError::TooLarge(der.len()));
        }
        let mut outer = Reader::new(Reader::whole(der, tag::SEQUENCE)?);
        let status = outer.small(tag::ENUMERATED)?;
        if status != 0 {
            return Err(OcspError::Status(ResponseStatus::from_code(status)));
        }
        let bytes = outer.expect(tag::constructed(0))?;
        outer.finish()?;
        let mut bytes = Reader::new(Reader::whole(bytes, tag::SEQUENCE)?);
        let response_type = bytes.expect(tag::OID)?;
        if response_type != BASIC {
            let response_type = signed::dotted(response_type);
            return Err(OcspError::OtherType { response_type });
        }
        let basic = bytes.expect(tag::OCTET_STRING)?;
        bytes.finish()?;
        Ok(Self::parse_basic(basic)?)
    }

    /// ```text
    /// ResponseData ::= SEQUENCE { version [0] EXPLICIT INTEGER DEFAULT v1, responderID,
    ///     producedAt GeneralizedTime, responses SEQUENCE OF SingleResponse,
    ///     responseExtensions [1] EXPLICIT Extensions OPTIONAL }
    /// ```
    fn parse_basic(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut basic = Reader::new(Reader::whole(der, tag::SEQUENCE)?);
        let message = basic.expect_der(tag::SEQUENCE)?;
        let algorithm = basic.expect_der(tag::SEQUENCE)?;
        let signature = basic.octets_of_bits()?;
        let certificates = basic.optional(tag::constructed(0))?;
        basic.finish()?;
        let mut data = Reader::new(Reader::whole(message, tag::SEQUENCE)?);
        if let Some(version) = data.optional(tag::constructed(0))?
            && version != [tag::INTEGER, 1, 0]
        {
            return Err(Malformed);
        }
        let responder = ResponderId::read(&mut data)?;
        asn1::generalized_time(data.expect(tag::GENERALIZED_TIME)?)?;
        let mut responses = data.sequence()?;
        let mut answers = Vec::new();
        while !responses.is_empty() {
            answers.push(SingleResponse::read(responses.sequence()?)?);
        }
        let extensions = extensions(&mut data)?;
        data.finish()?;
        let nonce = extensions.iter().find(|extension| extension.oid == NONCE);
        Ok(Self {
            signed: Signed { message, algorithm, signature },
            responder,
            certificates: read_certificates(certificates)?,
            answers,
            nonce: nonce.map(|nonce| Reader::whole(nonce.value, tag::OCTET_STRING)).transpose()?,
            unknown_critical: unknown_critical(&extensions, NONCE),
        })
    }

    /// The certificates that came with the response, as far as they can be read. That of the responder may
    /// name CRLs, which are needed where it [has no
    /// nocheck](Certificate::has_ocsp_no_check).
    #[must_use]
    pub fn certificates(&self) -> Vec<Certificate> {
        self.certificates.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
    }

    /// When newer answers are there at the latest: the first `nextUpdate`, if all have one.
    #[must_use]
    pub fn next_update(&self) -> Option<UtcDateTime> {
        let all = self.answers.iter().map(|answer| answer.next_update);
        all.collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// The answer about a certificate; the worst, where somebody was careless. None counts, where one says
    /// something that is not understood here.
    pub(super) fn answer(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
    ) -> Result<&SingleResponse<'a>, OcspError> {
        let mine = || self.answers.iter().filter(|one| one.certificate.is(certificate, issuer));
        let unknown = mine().find_map(|answer| answer.unknown_critical).or(self.unknown_critical);
        if let Some(extension) = unknown {
            return Err(OcspError::UnknownCritical { extension: signed::dotted(extension) });
        }
        mine().max_by_key(|answer| answer.status).ok_or(OcspError::OtherCertificate)
    }

    /// Shows that the response is to the request of that nonce.
    pub(super) fn check_nonce(&self, sent: Option<&[u8]>) -> Result<(), OcspError> {
        match (sent, self.nonce) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(OcspError::NonceMissing),
            (Some(sent), Some(nonce)) if sent == nonce => Ok(()),
            (Some(_), Some(_)) => Err(OcspError::NonceDiffers),
        }
    }
}

impl<'a> ResponderId<'a> {
    /// `ResponderID ::= CHOICE { byName [1] Name, byKey [2] OCTET STRING }`, both tagged around.
    fn read(data: &mut Reader<'a>) -> Result<Self, Malformed> {
        if let Some(name) = data.optional(tag::constructed(1))? {
            Reader::whole(name, tag::SEQUENCE)?;
            return Ok(Self::Name(name));
        }
        let key = data.expect(tag::constructed(2))?;
        Ok(Self::Key(Reader::whole(key, tag::OCTET_STRING)?))
    }

    /// Whether this is the certificate's subject.
    pub(super) fn is(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Name(name) => certificate.subject().as_der() == *name,
            Self::Key(hash) => {
                let key = certificate.public_key().key_bytes();
                crypto::identifier(IdentifierHash::Sha1, key) == *hash
            }
        }
    }
}

impl<'a> SingleResponse<'a> {
    /// ```text
    /// SingleResponse ::= SEQUENCE { certID, certStatus CHOICE {
    ///         good [0] NULL, revoked [1] RevokedInfo, unknown [2] NULL },
    ///     thisUpdate GeneralizedTime, nextUpdate [0] EXPLICIT GeneralizedTime OPTIONAL,
    ///     singleExtensions [1] EXPLICIT Extensions OPTIONAL }
    /// ```
    fn read(mut reader: Reader<'a>) -> Result<Self, Malformed> {
        const GOOD: u8 = tag::primitive(0);
        const REVOKED: u8 = tag::constructed(1);
        const UNKNOWN: u8 = tag::primitive(2);
        let certificate = CertificateId::read(reader.sequence()?)?;
        let status = reader.element()?;
        let mut status = match (status.tag, status.contents) {
            (GOOD, []) => SingleStatus::Good,
            (UNKNOWN, []) => SingleStatus::Unknown,
            (REVOKED, info) => Entry::read_revoked_info(info)
                .map_or(SingleStatus::Unreadable, SingleStatus::Revoked),
            _ => return Err(Malformed),
        };
        let this_update = asn1::generalized_time(reader.expect(tag::GENERALIZED_TIME)?)?;
        let next_update = reader.optional(tag::constructed(0))?;
        let next_update =
            next_update.map(|time| Reader::whole(time, tag::GENERALIZED_TIME)).transpose()?;
        let next_update = next_update.map(asn1::generalized_time).transpose()?;
        if next_update.is_some_and(|next_update| next_update < this_update) {
            return Err(Malformed);
        }
        let extensions = extensions(&mut reader)?;
        reader.finish()?;
        if let SingleStatus::Revoked(entry) = &mut status {
            match invalidity_date(&extensions) {
                Ok(date) => entry.invalidity_date = date,
                Err(Malformed) => status = SingleStatus::Unreadable,
            }
        }
        let unknown_critical = unknown_critical(&extensions, INVALIDITY_DATE);
        Ok(Self { certificate, status, this_update, next_update, unknown_critical })
    }
}

impl<'a> CertificateId<'a> {
    fn read(mut reader: Reader<'a>) -> Result<Self, Malformed> {
        let hash = reader.sequence()?.expect(tag::OID)?;
        let issuer_name = reader.expect(tag::OCTET_STRING)?;
        let issuer_key = reader.expect(tag::OCTET_STRING)?;
        let serial_number = reader.integer()?;
        reader.finish()?;
        Ok(Self { hash, issuer_name, issuer_key, serial_number })
    }

    /// Whether this is that certificate of that issuer.
    fn is(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        let serial = asn1::serial_number(certificate.serial_number());
        let Some(hash) = IdentifierHash::from_oid(self.hash) else { return false };
        asn1::serial_number(self.serial_number) == serial
            && crypto::identifier(hash, issuer.subject().as_der()) == self.issuer_name
            && crypto::identifier(hash, issuer.public_key().key_bytes()) == self.issuer_key
    }
}

impl From<Malformed> for OcspError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

/// `[1] EXPLICIT Extensions OPTIONAL`, at the end of a structure.
fn extensions<'a>(reader: &mut Reader<'a>) -> Result<Vec<Extension<'a>>, Malformed> {
    match reader.optional(tag::constructed(1))? {
        Some(extensions) => Extension::read_all(Reader::whole(extensions, tag::SEQUENCE)?),
        None => Ok(Vec::new()),
    }
}

fn unknown_critical<'a>(extensions: &[Extension<'a>], known: &[u8]) -> Option<&'a [u8]> {
    let unknown = extensions.iter().find(|other| other.critical && other.oid != known);
    unknown.map(|extension| extension.oid)
}

fn read_certificates(contents: Option<&[u8]>) -> Result<Vec<&[u8]>, Malformed> {
    let Some(contents) = contents else { return Ok(Vec::new()) };
    let mut list = Reader::new(Reader::whole(contents, tag::SEQUENCE)?);
    let mut certificates = Vec::new();
    while !list.is_empty() {
        let der = list.expect_der(tag::SEQUENCE)?;
        // Those that are left out are missed only where the responder is among them, and then it is unknown.
        if certificates.len() < limits::OCSP_CERTIFICATES {
            certificates.push(der);
        }
    }
    Ok(certificates)
}
