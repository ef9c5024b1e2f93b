//! Timestamp tokens with any part changed, signed all the same.

use aws_lc_rs::digest::{self, Algorithm};
use notation_sdk::{
    Certificate, SigningKey as _,
    algorithm::{
        HashAlgorithm::{Sha256, Sha384, Sha512},
        SignatureAlgorithm,
    },
    testing::ready,
};

use super::{
    der::{ecdsa, element, integer_of, octets, oid, sequence_of, set},
    tsa::TsaPki,
};

pub(crate) const SHA1: &str = "1.3.14.3.2.26";
pub(crate) const SHA256: &str = "2.16.840.1.101.3.4.2.1";
pub(crate) const SHA384: &str = "2.16.840.1.101.3.4.2.2";
pub(crate) const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
pub(crate) const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
pub(crate) const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.12";
pub(crate) const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";

/// The parts of a token, each in DER; what is empty is left out. As it is made, it is a good one.
pub(crate) struct Forgery<'a> {
    pki: &'a TsaPki,
    pub(crate) tst_info: TstInfo,
    /// `eContent`; what `tst_info` says, where there is none.
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) content_info_type: Vec<u8>,
    pub(crate) version: Vec<u8>,
    pub(crate) content_type: Vec<u8>,
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) signer_version: Vec<u8>,
    pub(crate) sid: Vec<u8>,
    pub(crate) digest_algorithm: Vec<u8>,
    /// The attribute content-type.
    pub(crate) content_type_attribute: Vec<u8>,
    /// The value of the attribute message-digest; the right one, where there is none.
    pub(crate) message_digest: Option<Vec<u8>>,
    /// The attribute signing-certificate-v2.
    pub(crate) signing_certificate: Vec<u8>,
    pub(crate) more_attributes: Vec<Vec<u8>>,
    pub(crate) algorithm: SignatureAlgorithm,
    /// Its identifier.
    pub(crate) signature_algorithm: Vec<u8>,
    /// How many times the signer is there.
    pub(crate) signers: usize,
    pub(crate) unsigned_attributes: Vec<u8>,
    /// What stands behind the last byte.
    pub(crate) trailing: Vec<u8>,
}

/// One change to a good token, with a word on it.
pub(crate) struct Change<'a> {
    pub(crate) what: &'a str,
    pub(crate) by: Box<dyn Fn(&mut Forgery<'_>) + 'a>,
}

/// The members of `TSTInfo`.
pub(crate) struct TstInfo {
    pub(crate) version: Vec<u8>,
    pub(crate) policy: Vec<u8>,
    pub(crate) imprint: Vec<u8>,
    pub(crate) serial_number: Vec<u8>,
    pub(crate) gen_time: Vec<u8>,
    pub(crate) accuracy: Vec<u8>,
    pub(crate) ordering: Vec<u8>,
    pub(crate) nonce: Vec<u8>,
    pub(crate) tsa: Vec<u8>,
    pub(crate) extensions: Vec<u8>,
}

pub(crate) fn change<'a>(what: &'a str, by: impl Fn(&mut Forgery<'_>) + 'a) -> Change<'a> {
    Change { what, by: Box::new(by) }
}

pub(crate) fn algorithm_identifier(dotted: &str) -> Vec<u8> {
    sequence_of(&[&oid(dotted), &[5, 0]])
}

pub(crate) fn imprint(dotted: &str, digest: &[u8]) -> Vec<u8> {
    sequence_of(&[&algorithm_identifier(dotted), &octets(digest)])
}

/// `GeneralizedTime`
pub(crate) fn time(text: &str) -> Vec<u8> {
    element(0x18, &[text.as_bytes()])
}

/// An attribute with those values.
pub(crate) fn attribute(dotted: &str, values: &[&[u8]]) -> Vec<u8> {
    sequence_of(&[&oid(dotted), &set(values)])
}

/// `ESSCertIDv2` by SHA-256, which is the default, with what may follow the hash.
pub(crate) fn certificate_id(certificate: &Certificate, more: &[u8]) -> Vec<u8> {
    sequence_of(&[&octets(&sha256(certificate.as_der())), more])
}

/// The attribute signing-certificate-v2 with those `ESSCertIDv2`.
pub(crate) fn signing_certificate_v2(ids: &[&[u8]]) -> Vec<u8> {
    attribute(SIGNING_CERTIFICATE_V2, &[&sequence_of(&[&sequence_of(ids)])])
}

/// `IssuerAndSerialNumber`
pub(crate) fn issuer_and_serial(certificate: &Certificate) -> Vec<u8> {
    sequence_of(&[certificate.issuer().as_der(), &integer_of(certificate.serial_number())])
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    hash(&digest::SHA256, bytes)
}

pub(crate) fn hash(algorithm: &'static Algorithm, bytes: &[u8]) -> Vec<u8> {
    digest::digest(algorithm, bytes).as_ref().to_vec()
}

impl<'a> Forgery<'a> {
    /// A token of `message` at that time, by an authority with an EC key.
    pub(crate) fn new(pki: &'a TsaPki, message: &[u8], gen_time: &str) -> Self {
        let certificate = pki.chain.leaf();
        let algorithm = SignatureAlgorithm::Ecdsa(Sha256);
        Self {
            pki,
            tst_info: TstInfo {
                version: integer_of(&[1]),
                policy: oid("1.2.3.4.1"),
                imprint: imprint(SHA256, &sha256(message)),
                serial_number: integer_of(&[7]),
                gen_time: time(gen_time),
                accuracy: Vec::new(),
                ordering: Vec::new(),
                nonce: Vec::new(),
                tsa: Vec::new(),
                extensions: Vec::new(),
            },
            content: None,
            content_info_type: oid(SIGNED_DATA),
            version: integer_of(&[3]),
            content_type: oid(TST_INFO),
            certificates: pki
                .chain
                .certificates()
                .iter()
                .take(2)
                .map(|c| c.as_der().to_vec())
                .collect(),
            signer_version: integer_of(&[1]),
            sid: issuer_and_serial(certificate),
            digest_algorithm: algorithm_identifier(SHA256),
            content_type_attribute: attribute(CONTENT_TYPE, &[&oid(TST_INFO)]),
            message_digest: None,
            signing_certificate: signing_certificate_v2(&[&certificate_id(certificate, &[])]),
            more_attributes: Vec::new(),
            algorithm,
            signature_algorithm: sequence_of(&[&oid("1.2.840.10045.4.3.2")]),
            signers: 1,
            unsigned_attributes: Vec::new(),
            trailing: Vec::new(),
        }
    }

    /// The token.
    pub(crate) fn token(&self) -> Vec<u8> {
        let content = self.content.clone().unwrap_or_else(|| self.tst_info.content());
        let encapsulated = match content.is_empty() {
            true => sequence_of(&[&self.content_type]),
            false => sequence_of(&[&self.content_type, &element(0xa0, &[&octets(&content)])]),
        };
        let certificates: Vec<&[u8]> = self.certificates.iter().map(Vec::as_slice).collect();
        let certificates = match certificates.is_empty() {
            true => Vec::new(),
            false => element(0xa0, &certificates),
        };
        let signer = self.signer(&content);
        let data = sequence_of(&[
            &self.version,
            &set(&[&self.digest_algorithm]),
            &encapsulated,
            &certificates,
            &element(0x31, &vec![signer.as_slice(); self.signers]),
        ]);
        let token = sequence_of(&[&self.content_info_type, &element(0xa0, &[&data])]);
        [token, self.trailing.clone()].concat()
    }

    /// `TimeStampResp` with the token.
    pub(crate) fn response(&self) -> Vec<u8> {
        sequence_of(&[&sequence_of(&[&integer_of(&[0])]), &self.token()])
    }

    fn signer(&self, content: &[u8]) -> Vec<u8> {
        let digest = self.message_digest.clone().unwrap_or_else(|| octets(&sha256(content)));
        let digest = match digest.is_empty() {
            true => Vec::new(),
            false => attribute(MESSAGE_DIGEST, &[&digest]),
        };
        let mut attributes: Vec<&[u8]> =
            vec![&self.content_type_attribute, &digest, &self.signing_certificate];
        attributes.extend(self.more_attributes.iter().map(Vec::as_slice));
        let signature = self.sign(&set(&attributes));
        sequence_of(&[
            &self.signer_version,
            &self.sid,
            &self.digest_algorithm,
            &element(0xa0, &attributes),
            &self.signature_algorithm,
            &octets(&signature),
            &self.unsigned_attributes,
        ])
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest = match self.algorithm.hash() {
            Sha256 => hash(&digest::SHA256, message),
            Sha384 => hash(&digest::SHA384, message),
            other => {
                assert_eq!(other, Sha512);
                hash(&digest::SHA512, message)
            }
        };
        let signature = ready(self.pki.signer_key.sign(self.algorithm, &digest)).unwrap();
        match self.algorithm {
            SignatureAlgorithm::Ecdsa(_) => ecdsa(&signature),
            _ => signature,
        }
    }
}

impl TstInfo {
    fn content(&self) -> Vec<u8> {
        sequence_of(&[
            &self.version,
            &self.policy,
            &self.imprint,
            &self.serial_number,
            &self.gen_time,
            &self.accuracy,
            &self.ordering,
            &self.nonce,
            &self.tsa,
            &self.extensions,
        ])
    }
}
