//! Certificates out of files: PEM, DER, and PKCS#7 bundles in either.

use x509_parser::{
    asn1_rs::{Any, Class, FromDer, Tag},
    pem::Pem,
};

use super::{Certificate, CertificateChain, CertificateError};
use crate::limits;

/// Why a file holds no certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// More bytes than a certificate file may have.
    #[error("certificate file of {0} bytes is over the limit of {limit} bytes", limit = limits::CERTIFICATE_FILE_BYTES)]
    TooLarge(usize),
    /// More certificates than a bundle may have.
    #[error("more than {limit} certificates", limit = limits::BUNDLE_CERTIFICATES)]
    TooManyCertificates,
    /// Neither PEM nor DER.
    #[error("neither PEM nor DER certificates, nor a PKCS#7 bundle")]
    UnknownFormat,
    /// No certificate.
    #[error("no certificate")]
    NoCertificate,
    /// A private key in a file that is copied and sent around.
    #[error("private key ({0:?}) among the certificates: keep it in a file of its own")]
    PrivateKey(String),
    /// A PEM block of another kind.
    #[error("PEM block {0:?} is not a certificate")]
    UnexpectedBlock(String),
    /// A broken PEM block.
    #[error("PEM block {number} is broken")]
    BrokenPem {
        /// Counted from one.
        number: usize,
    },
    /// A PEM block that does not begin at the start of a line (RFC 7468, section 2).
    #[error(
        "{blocks} PEM blocks, but {read} begin at the start of a line: put each on lines of its own"
    )]
    HiddenBlock {
        /// How many there are.
        blocks: usize,
        /// How many can be read.
        read: usize,
    },
    /// A broken PKCS#7 bundle.
    #[error("PKCS#7 bundle is not DER SignedData with certificates (RFC 5652, section 5.1)")]
    BrokenPkcs7,
    /// A certificate of the bundle is broken.
    #[error("certificate {number} of the file cannot be read")]
    Certificate {
        /// Counted from one.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: CertificateError,
    },
}

const PEM_BEGIN: &[u8] = b"-----BEGIN ";

/// Reads the certificates of a file, in its order: PEM blocks, DER certificates one behind the other,
/// or a PKCS#7 bundle in PEM or DER.
///
/// # Errors
/// [`BundleError`], where any part of the file is something else.
pub fn parse_bundle(bytes: &[u8]) -> Result<Vec<Certificate>, BundleError> {
    if bytes.len() > limits::CERTIFICATE_FILE_BYTES {
        return Err(BundleError::TooLarge(bytes.len()));
    }
    let encoded = match bytes.windows(PEM_BEGIN.len()).filter(|w| *w == PEM_BEGIN).count() {
        0 => from_der(bytes)?,
        blocks => from_pem(bytes, blocks)?,
    };
    match encoded.len() {
        0 => return Err(BundleError::NoCertificate),
        n if n > limits::BUNDLE_CERTIFICATES => return Err(BundleError::TooManyCertificates),
        _ => {}
    }
    let parse = |(i, der): (usize, &Vec<u8>)| {
        Certificate::from_der(der)
            .map_err(|source| BundleError::Certificate { number: i + 1, source })
    };
    encoded.iter().enumerate().map(parse).collect()
}

/// The chain as PEM, leaf first.
#[must_use]
pub fn to_pem(chain: &CertificateChain) -> String {
    chain.certificates().iter().map(Certificate::to_pem).collect()
}

impl Certificate {
    /// The certificate as PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
        let encoded = BASE64_STANDARD.encode(self.as_der());
        // RFC 7468, section 2: lines of 64 characters.
        for (i, c) in encoded.chars().enumerate() {
            if i > 0 && i % 64 == 0 {
                text.push('\n');
            }
            text.push(c);
        }
        text.push_str("\n-----END CERTIFICATE-----\n");
        text
    }
}

/// Reads that many blocks. The parser passes over one that does not begin its line, after a byte order
/// mark for example, and a chain would lose a certificate.
fn from_pem(bytes: &[u8], blocks: usize) -> Result<Vec<Vec<u8>>, BundleError> {
    let mut encoded = Vec::new();
    let mut read = 0;
    for (i, block) in Pem::iter_from_buffer(bytes).enumerate() {
        read = i + 1;
        let block = block.map_err(|_| BundleError::BrokenPem { number: i + 1 })?;
        match block.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => encoded.push(block.contents),
            "PKCS7" | "CMS" => encoded.extend(from_pkcs7(&block.contents)?),
            label if label.ends_with("PRIVATE KEY") => {
                return Err(BundleError::PrivateKey(label.to_owned()));
            }
            _ => return Err(BundleError::UnexpectedBlock(block.label)),
        }
        if encoded.len() > limits::BUNDLE_CERTIFICATES {
            return Err(BundleError::TooManyCertificates);
        }
    }
    if read == blocks { Ok(encoded) } else { Err(BundleError::HiddenBlock { blocks, read }) }
}

fn from_der(bytes: &[u8]) -> Result<Vec<Vec<u8>>, BundleError> {
    let (_, outer) = Any::from_der(bytes).map_err(|_| BundleError::UnknownFormat)?;
    // ContentInfo begins with an object identifier, a certificate with a SEQUENCE.
    match Any::from_der(outer.data) {
        Ok((_, first)) if first.tag() == Tag::Oid => from_pkcs7(bytes),
        Ok(_) => elements(bytes).ok_or(BundleError::UnknownFormat),
        Err(_) => Err(BundleError::UnknownFormat),
    }
}

/// ```text
/// ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT SignedData }
/// SignedData  ::= SEQUENCE { version, digestAlgorithms, encapContentInfo,
///                            certificates [0] IMPLICIT SET OF CertificateChoices OPTIONAL, … }
/// ```
fn from_pkcs7(der: &[u8]) -> Result<Vec<Vec<u8>>, BundleError> {
    read_pkcs7(der).ok_or(BundleError::BrokenPkcs7)
}

fn read_pkcs7(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
    let ([], content_info) = Any::from_der(der).ok()? else { return None };
    let (rest, kind) = Any::from_der(content_info.data).ok()?;
    if kind.as_oid().ok()?.to_id_string() != SIGNED_DATA {
        return None;
    }
    let (_, content) = Any::from_der(rest).ok()?;
    let (_, signed_data) = Any::from_der(content.data).ok()?;
    let (mut rest, _version) = Any::from_der(signed_data.data).ok()?;
    for _algorithms_then_content in 0..2 {
        (rest, _) = Any::from_der(rest).ok()?;
    }
    let (_, certificates) = Any::from_der(rest).ok()?;
    let is_certificates =
        certificates.class() == Class::ContextSpecific && certificates.tag() == Tag(0);
    if is_certificates { elements(certificates.data) } else { Some(Vec::new()) }
}

/// The DER elements that stand one behind the other in `bytes`, each with its header.
fn elements(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() && found.len() <= limits::BUNDLE_CERTIFICATES {
        let (rest, _) = Any::from_der(bytes).ok()?;
        found.push(bytes.get(..bytes.len() - rest.len())?.to_vec());
        bytes = rest;
    }
    Some(found)
}
