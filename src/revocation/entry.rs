//! When and why a certificate was revoked, as an entry of a CRL says it, or an OCSP response.

use time::UtcDateTime;

use super::{Listed, RevocationReason, signed::Extension};
use crate::asn1::{self, Malformed, Reader, tag};

/// `id-ce-cRLReasons`, as DER holds its contents.
pub(super) const REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
/// `id-ce-invalidityDate`
pub(super) const INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 24];

/// One revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) revoked_at: UtcDateTime,
    pub(super) reason: RevocationReason,
    pub(super) invalidity_date: Option<UtcDateTime>,
}

impl Entry {
    /// Reads what follows the serial number in an entry of a CRL (RFC 5280, section 5.3).
    ///
    /// ```text
    /// revocationDate Time, crlEntryExtensions Extensions OPTIONAL
    /// ```
    pub(super) fn read(mut entry: Reader<'_>) -> Result<Self, Malformed> {
        let revoked_at = entry.time()?;
        let extensions = Extension::read_all(entry.optional(tag::SEQUENCE)?.unwrap_or_default())?;
        entry.finish()?;
        let reason = extensions.iter().find(|extension| extension.oid == REASON_CODE);
        let reason =
            reason.map_or(Ok(RevocationReason::Unspecified), |code| read_reason(code.value));
        Ok(Self { revoked_at, reason: reason?, invalidity_date: invalidity_date(&extensions)? })
    }

    /// Reads what an OCSP response says of a revoked certificate (RFC 6960, section 4.2.1).
    ///
    /// ```text
    /// RevokedInfo ::= SEQUENCE {
    ///     revocationTime GeneralizedTime, revocationReason [0] EXPLICIT CRLReason OPTIONAL }
    /// ```
    pub(super) fn read_revoked_info(contents: &[u8]) -> Result<Self, Malformed> {
        let mut info = Reader::new(contents);
        let revoked_at = asn1::generalized_time(info.expect(tag::GENERALIZED_TIME)?)?;
        let reason = info.optional(tag::constructed(0))?;
        let reason = reason.map_or(Ok(RevocationReason::Unspecified), read_reason);
        info.finish()?;
        Ok(Self { revoked_at, reason: reason?, invalidity_date: None })
    }

    /// How it is told where the signature was made before `invalidity_date`.
    pub(super) const fn listed_since(&self, invalidity_date: UtcDateTime) -> Listed {
        Listed { reason: self.reason, at: self.revoked_at, invalidity_date }
    }

    /// Whether it is never taken back.
    pub(super) const fn is_final(&self) -> bool {
        !matches!(self.reason, RevocationReason::CertificateHold | RevocationReason::RemoveFromCrl)
    }
}

/// `InvalidityDate ::= GeneralizedTime`, which may stand in an OCSP response too (RFC 6960, section 4.4.5).
pub(super) fn invalidity_date(
    extensions: &[Extension<'_>],
) -> Result<Option<UtcDateTime>, Malformed> {
    let date = extensions.iter().find(|extension| extension.oid == INVALIDITY_DATE);
    let time = date.map(|date| Reader::whole(date.value, tag::GENERALIZED_TIME)).transpose()?;
    time.map(asn1::generalized_time).transpose()
}

/// `CRLReason ::= ENUMERATED`. A number that means nothing here takes no revocation back.
fn read_reason(der: &[u8]) -> Result<RevocationReason, Malformed> {
    let reason = match Reader::whole(der, tag::ENUMERATED)? {
        [code] => RevocationReason::from_code(*code),
        _ => None,
    };
    Ok(reason.unwrap_or(RevocationReason::Unspecified))
}
