//! What OCSP responses come to for one certificate (RFC 6960, sections 3.2 and 4.2.2.2;
//! trust-store-trust-policy.md, "Revocation Checking with OCSP").

use time::UtcDateTime;

use super::{
    Attempt, Evidence, Method, OcspError, OcspEvidence, OcspResponse, RevocationAnswer,
    RevocationStatus, Source,
    entry::Entry,
    lists::Lists,
    ocsp::{ResponderId, SingleStatus},
    signed::{check_begun, check_current},
};
use crate::{
    crypto,
    x509::{Certificate, KeyUsage, Name, OCSP_SIGNING},
};

/// One certificate, and the OCSP responses that there are.
pub(super) struct Responses<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) issuer: &'a Certificate,
    pub(super) evidence: &'a Evidence,
    pub(super) at: UtcDateTime,
    /// Before this time the signature was made, and nobody doubts that. A key that was good until then does
    /// no harm.
    pub(super) signed_before: Option<UtcDateTime>,
}

/// A responder or a file says that the certificate is revoked, in a way that cannot be read. Why stands in the attempts.
pub(super) struct Unreadable;

/// What one response says.
struct Finding {
    source: Source,
    status: SingleStatus,
}

impl Responses<'_> {
    /// The verdict, where a responder has one; everything that gave none goes to `attempts`.
    ///
    /// # Errors
    /// [`Unreadable`]: no CRL may say otherwise.
    pub(super) fn judge(
        &self,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Option<RevocationStatus>, Unreadable> {
        let urls = match self.certificate.ocsp_urls() {
            Ok(urls) => urls,
            Err(error) => {
                attempts.push(Attempt::without_url(Method::Ocsp, error));
                return Ok(None);
            }
        };
        let fingerprint = self.certificate.fingerprint();
        let mut found = None;
        for url in &urls {
            let is_answer = |one: &&OcspEvidence| one.url == *url && one.certificate == fingerprint;
            let mut answers = self.evidence.ocsp.iter().filter(is_answer).peekable();
            if answers.peek().is_none() {
                attempts.push(Attempt::unasked(Method::Ocsp, url));
            }
            for answer in answers {
                match self.read(answer) {
                    Ok(finding) => found = Finding::newest(found, finding),
                    Err(why) => attempts.push(Attempt::new(Method::Ocsp, url, why)),
                }
            }
        }
        let Some(Finding { source, status }) = found else { return Ok(None) };
        let mut attempt = |why| attempts.push(Attempt::new(Method::Ocsp, &source.url, why));
        match status {
            SingleStatus::Unknown => {
                attempt(OcspError::UnknownCertificate);
                Ok(None)
            }
            SingleStatus::Unreadable => {
                attempt(OcspError::BadRevocation);
                Err(Unreadable)
            }
            SingleStatus::Good => {
                Ok(Some(RevocationStatus::Good { sources: vec![source], listed: None }))
            }
            SingleStatus::Revoked(entry) => Ok(Some(self.revoked(source, entry))),
        }
    }

    fn revoked(&self, source: Source, entry: Entry) -> RevocationStatus {
        match (self.signed_before, entry.invalidity_date) {
            (Some(signed_before), Some(invalid)) if signed_before < invalid => {
                let listed = Some(entry.listed_since(invalid));
                RevocationStatus::Good { sources: vec![source], listed }
            }
            _ => source.revoked(entry),
        }
    }

    fn read(&self, answer: &OcspEvidence) -> Result<Finding, super::AttemptError> {
        let bytes = answer.answer.as_ref().map_err(Clone::clone)?;
        let response = OcspResponse::parse(bytes.as_bytes())?;
        response.check_nonce(answer.nonce.as_deref())?;
        let single = response.answer(self.certificate, self.issuer)?;
        self.check_signature(bytes, &response)?;
        check_begun(single.this_update, self.at).map_err(OcspError::from)?;
        check_current(single.next_update, self.at).map_err(OcspError::from)?;
        let source = Source {
            method: Method::Ocsp,
            url: answer.url.clone(),
            fetched_at: answer.fetched_at,
            this_update: single.this_update,
            next_update: single.next_update,
        };
        Ok(Finding { source, status: single.status })
    }

    /// Shows that the issuer has signed, or a responder to whom it has delegated that.
    fn check_signature(
        &self,
        bytes: &RevocationAnswer,
        response: &OcspResponse<'_>,
    ) -> Result<(), OcspError> {
        let mut result = Err(OcspError::UnknownResponder { responder: response.responder.text() });
        if response.responder.is(self.issuer) {
            let key = self.issuer.public_key();
            result = bytes.verify(&response.signed, key).map_err(OcspError::from);
        }
        for certificate in response.certificates() {
            if result.is_err() && response.responder.is(&certificate) && certificate != *self.issuer
            {
                result = self.check_delegate(bytes, response, &certificate);
            }
        }
        result
    }

    fn check_delegate(
        &self,
        bytes: &RevocationAnswer,
        response: &OcspResponse<'_>,
        certificate: &Certificate,
    ) -> Result<(), OcspError> {
        let responder = || certificate.subject().clone();
        if certificate.issuer() != self.issuer.subject()
            || !certificate.is_signed_by(self.issuer.public_key())
        {
            let issuer = self.issuer.subject().clone();
            return Err(OcspError::ResponderOfAnother { responder: responder(), issuer });
        }
        if let Some(lacks) = lacking_purpose(certificate) {
            return Err(OcspError::ResponderPurpose { responder: responder(), lacks });
        }
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        if self.at < not_before || self.at > not_after {
            let (responder, at) = (responder(), self.at);
            return Err(OcspError::ResponderNotValid { responder, not_before, not_after, at });
        }
        bytes.verify(&response.signed, certificate.public_key())?;
        if certificate.has_ocsp_no_check() { Ok(()) } else { self.check_by_crl(certificate) }
    }

    /// Whether the responder's own certificate is good is asked of CRLs alone: one responder that vouches for
    /// another never ends.
    fn check_by_crl(&self, certificate: &Certificate) -> Result<(), OcspError> {
        let (issuer, evidence, at) = (self.issuer, self.evidence, self.at);
        let lists = Lists { certificate, issuer, evidence, at, signed_before: None };
        let responder = certificate.subject().clone();
        let mut attempts = Vec::new();
        match lists.judge(&mut attempts) {
            Some(RevocationStatus::Good { .. }) => Ok(()),
            Some(RevocationStatus::Revoked { .. }) => {
                Err(OcspError::ResponderRevoked { responder })
            }
            _ => Err(OcspError::ResponderUnchecked { responder, attempts }),
        }
    }
}

impl Finding {
    /// The newest counts; but what is revoked stays revoked, unless it is a hold that can be read.
    fn newest(known: Option<Self>, other: Self) -> Option<Self> {
        let Some(known) = known else { return Some(other) };
        let rank = |finding: &Self| {
            let is_final = match finding.status {
                SingleStatus::Revoked(entry) => entry.is_final(),
                status => status == SingleStatus::Unreadable,
            };
            (is_final, finding.source.this_update, finding.status)
        };
        Some(if rank(&other) > rank(&known) { other } else { known })
    }
}

/// What a certificate lacks for signing OCSP responses.
fn lacking_purpose(certificate: &Certificate) -> Option<&'static str> {
    let extensions = certificate.extensions();
    let purposes = extensions.extended_key_usage.as_ref().map(|usage| usage.purposes.as_slice());
    if !purposes.unwrap_or_default().iter().any(|purpose| purpose == OCSP_SIGNING) {
        return Some("id-kp-OCSPSigning");
    }
    let signs = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::NON_REPUDIATION;
    let usage = extensions.key_usage.as_ref();
    usage.is_some_and(|usage| !usage.has(signs)).then_some("digitalSignature")
}

impl ResponderId<'_> {
    fn text(&self) -> String {
        match self {
            Self::Name(name) => Name::from_parsed(name).to_string(),
            Self::Key(hash) => crypto::hex(hash),
        }
    }
}
