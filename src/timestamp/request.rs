//! What an authority is asked, and what it answers (RFC 3161, section 2.4).

use std::fmt;

use der::{
    Decode, Encode, Sequence,
    asn1::{AnyRef, BitStringRef, Utf8StringRef},
};

use super::{
    BerError, TimestampToken, TokenError,
    ber::{self, der_element},
    info::Imprint,
};
use crate::{algorithm::HashAlgorithm, crypto, limits, text::is_invisible};

/// A request for a timestamp, with certificates, and with a number by which the answer to it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRequest {
    imprint: Imprint,
    nonce: [u8; 8],
    der: Vec<u8>,
}

/// Why an answer holds no timestamp for a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// More bytes than an answer may have.
    #[error("timestamp response of {0} bytes is over the limit of {limit} bytes", limit = limits::TIMESTAMP_BYTES)]
    TooLarge(usize),
    /// The bytes are not one BER element.
    #[error("timestamp response is not BER")]
    NotBer(#[source] BerError),
    /// Another element than a `TimeStampResp`.
    #[error("timestamp response is malformed")]
    Malformed(#[source] der::Error),
    /// The authority says no.
    #[error("timestamp authority answers {0}")]
    Refused(Refusal),
    /// The authority says yes, and gives nothing.
    #[error("timestamp response is granted, but holds no token")]
    NoToken,
    /// A token that cannot be read.
    #[error("timestamp response holds no token that can be used")]
    Token(#[from] TokenError),
    /// A token of another message than the request's.
    #[error("timestamp response is to another request: its message imprint is of something else")]
    OtherImprint,
    /// A token that was made before, or for somebody else.
    #[error("timestamp response is to another request: its nonce is not the one that was sent")]
    OtherNonce,
}

/// What an authority says that gives no token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// `PKIStatus`: 2 is a rejection, 3 asks to wait.
    pub status: u8,
    /// What `PKIFailureInfo` tells, in words.
    pub failures: Vec<&'static str>,
    /// `PKIFreeText`, in one line.
    pub said: String,
}

/// ```text
/// TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo OPTIONAL }
/// ```
#[derive(Sequence)]
struct EncodedResponse<'a> {
    status: EncodedStatus<'a>,
    token: Option<AnyRef<'a>>,
}

/// ```text
/// PKIStatusInfo ::= SEQUENCE {
///     status       INTEGER,
///     statusString SEQUENCE OF UTF8String OPTIONAL,
///     failInfo     BIT STRING OPTIONAL }
/// ```
#[derive(Sequence)]
struct EncodedStatus<'a> {
    status: u8,
    said: Option<Vec<Utf8StringRef<'a>>>,
    failures: Option<BitStringRef<'a>>,
}

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const NULL: [u8; 2] = [0x05, 0];
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const TRUE: [u8; 3] = [0x01, 1, 0xff];

const GRANTED: u8 = 0;
const GRANTED_WITH_MODS: u8 = 1;
const REJECTION: u8 = 2;
const WAITING: u8 = 3;

/// `PKIFailureInfo`, by its bits.
const FAILURES: [(usize, &str); 8] = [
    (0, "the hash algorithm is not supported"),
    (2, "the request is not permitted or not supported"),
    (5, "the request has the wrong format"),
    (14, CLOCK_NOT_AVAILABLE),
    (15, "the policy is not supported"),
    (16, "an extension is not supported"),
    (17, "additional information is not understood or not available"),
    (25, SYSTEM_FAILURE),
];
const CLOCK_NOT_AVAILABLE: &str = "the authority's clock is not available";
const SYSTEM_FAILURE: &str = "the authority has a system failure";

impl TimestampRequest {
    /// Asks for a timestamp of `message`, of which the authority learns nothing but the digest.
    #[must_use]
    pub fn new(hash: HashAlgorithm, message: &[u8]) -> Self {
        let mut nonce: [u8; 8] = crypto::random();
        // Positive, and never with a leading zero byte.
        nonce[0] = nonce[0] & 0x7f | 0x40;
        let imprint = Imprint::of(hash, message);
        Self { der: encode(&imprint, &nonce), imprint, nonce }
    }

    /// The `TimeStampReq` in DER.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Reads a `TimeStampResp` in DER or BER, and shows that its token is of this request's message and nonce.
    /// Who signed it is for [`TimestampToken::verify`].
    ///
    /// # Errors
    /// [`ResponseError`].
    pub fn read_response(&self, response: &[u8]) -> Result<TimestampToken, ResponseError> {
        if response.len() > limits::TIMESTAMP_BYTES {
            return Err(ResponseError::TooLarge(response.len()));
        }
        let der = ber::to_der(response).map_err(ResponseError::NotBer)?;
        let response = EncodedResponse::from_der(&der).map_err(ResponseError::Malformed)?;
        if !matches!(response.status.status, GRANTED | GRANTED_WITH_MODS) {
            return Err(ResponseError::Refused(Refusal::of(&response.status)));
        }
        let token = response.token.ok_or(ResponseError::NoToken)?;
        let token = token.to_der().map_err(ResponseError::Malformed)?;
        let token = TimestampToken::parse(&token)?;
        if token.info().imprint != self.imprint {
            return Err(ResponseError::OtherImprint);
        }
        if token.info().nonce.as_deref() != Some(&self.nonce) {
            return Err(ResponseError::OtherNonce);
        }
        Ok(token)
    }
}

/// ```text
/// TimeStampReq ::= SEQUENCE {
///     version        INTEGER { v1(1) },
///     messageImprint MessageImprint,
///     reqPolicy      OBJECT IDENTIFIER OPTIONAL,
///     nonce          INTEGER OPTIONAL,
///     certReq        BOOLEAN DEFAULT FALSE,
///     extensions [0] IMPLICIT SEQUENCE OF Extension OPTIONAL }
/// ```
fn encode(imprint: &Imprint, nonce: &[u8]) -> Vec<u8> {
    let sequence = |parts: &[&[u8]]| der_element(SEQUENCE, &parts.concat());
    let hash = der_element(OBJECT_IDENTIFIER, imprint.hash.oid().as_bytes());
    let imprint =
        sequence(&[&sequence(&[&hash, &NULL]), &der_element(OCTET_STRING, &imprint.digest)]);
    sequence(&[&der_element(INTEGER, &[1]), &imprint, &der_element(INTEGER, nonce), &TRUE])
}

impl Refusal {
    fn of(status: &EncodedStatus<'_>) -> Self {
        let bits: Vec<bool> =
            status.failures.iter().flat_map(|bits| bits.bits()).take(32).collect();
        let failures = FAILURES.iter().filter(|(bit, _)| bits.get(*bit) == Some(&true));
        let said = status.said.iter().flatten().map(|text| text.as_str()).collect::<Vec<_>>();
        let escape = |c: char| match c {
            c if c.is_control() || is_invisible(c) => c.escape_default().to_string(),
            c => c.to_string(),
        };
        Self {
            status: status.status,
            failures: failures.map(|(_, words)| *words).collect(),
            said: said.join("; ").chars().take(limits::ERROR_BODY_BYTES).map(escape).collect(),
        }
    }

    /// Whether the authority could give a token another time.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.status == WAITING
            || self
                .failures
                .iter()
                .any(|words| [CLOCK_NOT_AVAILABLE, SYSTEM_FAILURE].contains(words))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            REJECTION => f.write_str("with a rejection")?,
            WAITING => f.write_str("that the request has to wait")?,
            status => write!(f, "with status {status}")?,
        }
        for failure in &self.failures {
            write!(f, ": {failure}")?;
        }
        if self.said.is_empty() { Ok(()) } else { write!(f, ": {}", self.said) }
    }
}
