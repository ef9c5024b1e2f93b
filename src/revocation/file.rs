//! Evidence as a document, to be kept and used again where nobody can be asked.
//!
//! ```text
//! { "version": 1,
//!   "crls": [ { "url": TEXT, "isFile": true?, "fetchedAt": TIME, "der": BASE64 } | { …, "failure": FAILURE }
//!             | { …, "der": BASE64, "failure": FAILURE, which is tooOld } ],
//!   "ocsp": [ { "url": TEXT, "fetchedAt": TIME, "certificate": HEX, "nonce": BASE64?, "der": BASE64 } | … ] }
//! FAILURE = { "kind": unreachable | timeout | status | tooLarge | notAllowed | unreadable | tooOld, "status": NUMBER?,
//!             "message": TEXT }
//! ```

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{UtcDateTime, format_description::well_known::Rfc3339 as Rfc3339Format};
use x509_parser::pem::Pem;

use super::{
    Crl, CrlError, CrlEvidence, Evidence, FetchFailure, FetchFailureKind as Kind, OcspEvidence,
    RevocationAnswer,
};
use crate::{crypto, x509::Rfc3339};

const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    crls: Vec<Answer>,
    ocsp: Vec<Answer>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Answer {
    url: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_file: bool,
    fetched_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    der: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    message: String,
}

/// What editors put before text in UTF-8, and DER never begins with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The DER of each CRL in a file: one in DER, or any number in PEM with the label `X509 CRL` (RFC 7468, section 6).
///
/// # Errors
/// [`CrlFileError`]. What cannot be read is not left out: nobody would miss it.
pub fn crls_of_file(file: Vec<u8>) -> Result<Vec<Vec<u8>>, CrlFileError> {
    let Err(not_der) = Crl::parse(&file) else { return Ok(vec![file]) };
    let mut crls = Vec::new();
    for block in Pem::iter_from_buffer(file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&file)) {
        let block = block.map_err(|_| CrlFileError::BrokenBlock)?;
        if block.label != "X509 CRL" {
            return Err(CrlFileError::OtherBlock(block.label));
        }
        Crl::parse(&block.contents)?;
        crls.push(block.contents);
    }
    if crls.is_empty() { Err(not_der.into()) } else { Ok(crls) }
}

/// Why a file is none of CRLs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrlFileError {
    /// It is no CRL, or holds a block that is none.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// A PEM block of something else.
    #[error("PEM block {0:?} stands where only CRLs belong")]
    OtherBlock(String),
    /// A PEM block without an end, or whose contents are no base64.
    #[error("PEM block of a CRL is broken")]
    BrokenBlock,
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let crls = self.crls.iter().map(|crl| {
            let answer = Answer::new(&crl.url, crl.fetched_at, &crl.answer);
            let failure = crl.too_old.as_ref().map(Failure::new).or(answer.failure);
            Answer { is_file: crl.is_file, failure, ..answer }
        });
        let ocsp = self.ocsp.iter().map(|response| Answer {
            certificate: Some(crypto::hex(&response.certificate)),
            nonce: response.nonce.as_ref().map(|nonce| STANDARD.encode(nonce)),
            ..Answer::new(&response.url, response.fetched_at, &response.answer)
        });
        let (crls, ocsp) = (crls.collect(), ocsp.collect());
        Document { version: VERSION, crls, ocsp }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Evidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        if document.version != VERSION {
            let text =
                format!("evidence has version {}, and is read in version 1", document.version);
            return Err(D::Error::custom(text));
        }
        let mut evidence = Self::new();
        for mut crl in document.crls {
            let (fetched_at, too_old) = (crl.fetched_at()?, crl.take_too_old()?);
            let answer = crl.answer()?;
            let mut one = CrlEvidence::new(crl.url, fetched_at, answer);
            (one.is_file, one.too_old) = (crl.is_file, too_old);
            evidence.crls.push(one);
        }
        for response in document.ocsp {
            if response.is_file {
                return Err(D::Error::custom("an OCSP response is of a responder, and no file"));
            }
            let (fetched_at, answer) = (response.fetched_at()?, response.answer()?);
            let text = response.certificate.as_deref().unwrap_or_default();
            let certificate = fingerprint(text)
                .ok_or_else(|| D::Error::custom("certificate is not 64 hex digits"))?;
            let nonce = response.nonce.as_ref().map(|nonce| STANDARD.decode(nonce)).transpose();
            let nonce = nonce.map_err(|_| D::Error::custom("nonce is not base64"))?;
            let mut one = OcspEvidence::new(response.url, fetched_at, certificate, answer);
            one.nonce = nonce;
            evidence.ocsp.push(one);
        }
        Ok(evidence)
    }
}

impl Answer {
    fn new(
        url: &str,
        fetched_at: UtcDateTime,
        answer: &Result<RevocationAnswer, FetchFailure>,
    ) -> Self {
        let (der, failure) = match answer {
            Ok(answer) => (Some(STANDARD.encode(answer.as_bytes())), None),
            Err(failure) => (None, Some(Failure::new(failure))),
        };
        let fetched_at = Rfc3339(fetched_at).to_string();
        Self {
            url: url.to_owned(),
            is_file: false,
            fetched_at,
            certificate: None,
            nonce: None,
            der,
            failure,
        }
    }

    fn fetched_at<E: serde::de::Error>(&self) -> Result<UtcDateTime, E> {
        UtcDateTime::parse(&self.fetched_at, &Rfc3339Format)
            .map_err(|_| E::custom(format!("fetchedAt {:?} is no time", self.fetched_at)))
    }

    /// Why an answer that is there does not count.
    fn take_too_old<E: serde::de::Error>(&mut self) -> Result<Option<FetchFailure>, E> {
        let is_too_old = |failure: &Failure| failure.kind == "tooOld";
        let has_answer = self.der.is_some();
        let failure = self.failure.take_if(|failure| has_answer && is_too_old(failure));
        failure.map(|failure| failure.read()).transpose()
    }

    fn answer<E: serde::de::Error>(&self) -> Result<Result<Vec<u8>, FetchFailure>, E> {
        match (&self.der, &self.failure) {
            (Some(der), None) => {
                STANDARD.decode(der).map(Ok).map_err(|_| E::custom("der is not base64"))
            }
            (None, Some(failure)) => Ok(Err(failure.read()?)),
            _ => Err(E::custom("an answer has either der or failure")),
        }
    }
}

impl Failure {
    fn new(failure: &FetchFailure) -> Self {
        let (kind, status) = match failure.kind {
            Kind::Unreachable => ("unreachable", None),
            Kind::Timeout => ("timeout", None),
            Kind::Status(status) => ("status", Some(status)),
            Kind::TooLarge => ("tooLarge", None),
            Kind::NotAllowed => ("notAllowed", None),
            Kind::Unreadable => ("unreadable", None),
            Kind::TooOld => ("tooOld", None),
        };
        Self { kind: kind.to_owned(), status, message: failure.message.clone() }
    }

    fn read<E: serde::de::Error>(&self) -> Result<FetchFailure, E> {
        let kind = match (self.kind.as_str(), self.status) {
            ("unreachable", None) => Kind::Unreachable,
            ("timeout", None) => Kind::Timeout,
            ("status", Some(status)) => Kind::Status(status),
            ("tooLarge", None) => Kind::TooLarge,
            ("notAllowed", None) => Kind::NotAllowed,
            ("unreadable", None) => Kind::Unreadable,
            ("tooOld", None) => Kind::TooOld,
            _ => return Err(E::custom(format!("failure {:?} is not known", self.kind))),
        };
        Ok(FetchFailure::new(kind, self.message.as_str()))
    }
}

fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2).map(|pair| match pair {
        [high, low] => high << 4 | low,
        _ => 0,
    });
    pairs.collect::<Vec<u8>>().try_into().ok().filter(|_| digits.len() == 64)
}

#[cfg(test)]
mod tests {
    use time::macros::utc_datetime;

    use super::*;

    #[test]
    fn evidence_is_read_as_it_was_written() {
        let at = utc_datetime!(2026-11-23 12:00:00);
        let mut evidence = Evidence::new();
        for kind in [
            Kind::Unreachable,
            Kind::Timeout,
            Kind::Status(503),
            Kind::TooLarge,
            Kind::NotAllowed,
            Kind::Unreadable,
            Kind::TooOld,
        ] {
            let failure = FetchFailure::new(kind, "what was seen");
            evidence.crls.push(CrlEvidence::new("http://a/", at, Err(failure)));
        }
        evidence.crls.push(CrlEvidence::new("http://b/", at, Ok(vec![1, 2])));
        let mut old = CrlEvidence::of_file("b.crl", at, vec![1, 2]);
        old.too_old = Some(FetchFailure::new(Kind::TooOld, "of last year"));
        evidence.crls.push(CrlEvidence::of_file("b.crl", at, vec![1, 2]));
        evidence.crls.push(old);
        let mut response = OcspEvidence::new("http://c/", at, [0xa5; 32], Ok(vec![3]));
        response.nonce = Some(vec![4; 32]);
        evidence.ocsp.push(response);
        let json = serde_json::to_string(&evidence).unwrap();
        assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), evidence);
    }

    #[test]
    fn what_is_no_evidence_is_refused() {
        let answer = r#"{"url": "u", "fetchedAt": "2026-11-23T12:00:00Z", "der": "AA=="}"#;
        let read = |crls: &str, version: u32| {
            let text = format!(r#"{{"version": {version}, "crls": [{crls}], "ocsp": []}}"#);
            serde_json::from_str::<Evidence>(&text).map_err(|error| error.to_string())
        };
        assert!(read(answer, 1).is_ok());
        assert!(read(answer, 2).unwrap_err().contains("version 2"));
        let changed = |from: &str, to: &str| read(&answer.replace(from, to), 1).unwrap_err();
        assert!(changed("AA==", "A").contains("der is not base64"));
        assert!(changed("T12:00:00Z", "").contains("is no time"));
        assert!(changed(r#""der": "AA==""#, r#""x": 1"#).contains("unknown field"));
        assert!(changed(r#", "der": "AA==""#, "").contains("either der or failure"));
        let both = r#""der": "AA==", "failure": {"kind": "timeout", "message": ""}"#;
        assert!(changed(r#""der": "AA==""#, both).contains("either der or failure"));
        let failure = r#""failure": {"kind": "other", "message": ""}"#;
        assert!(changed(r#""der": "AA==""#, failure).contains("\"other\" is not known"));
    }
}
