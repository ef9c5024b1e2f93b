//! What a CRL is about: the extension issuingDistributionPoint (RFC 5280, section 5.2.5).

use super::CrlError;
use crate::{
    asn1::{Malformed, Reader, tag},
    x509::{Certificate, DistributionPoint, PointName, Reasons},
};

/// The certificates that a CRL is about. By default, all of its issuer, for all reasons.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    point: Option<PointName>,
    only_users: bool,
    only_cas: bool,
    only_attributes: bool,
    reasons: Option<Reasons>,
    pub(super) is_indirect: bool,
}

impl Scope {
    /// ```text
    /// IssuingDistributionPoint ::= SEQUENCE {
    ///     distributionPoint [0] DistributionPointName OPTIONAL,
    ///     onlyContainsUserCerts [1] BOOLEAN DEFAULT FALSE, onlyContainsCACerts [2] BOOLEAN DEFAULT FALSE,
    ///     onlySomeReasons [3] ReasonFlags OPTIONAL, indirectCRL [4] BOOLEAN DEFAULT FALSE,
    ///     onlyContainsAttributeCerts [5] BOOLEAN DEFAULT FALSE }
    /// ```
    pub(super) fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(Reader::whole(value, tag::SEQUENCE)?);
        let point = reader.optional(tag::constructed(0))?.map(PointName::read).transpose()?;
        let only_users = flag(&mut reader, 1)?;
        let only_cas = flag(&mut reader, 2)?;
        let reasons = reader.optional(tag::primitive(3))?.map(Reasons::read).transpose()?;
        let is_indirect = flag(&mut reader, 4)?;
        let only_attributes = flag(&mut reader, 5)?;
        reader.finish()?;
        Ok(Self { point, only_users, only_cas, only_attributes, reasons, is_indirect })
    }

    /// The reasons that the CRL covers for a certificate that names it at `point` (RFC 5280, section 6.3.3,
    /// steps b and d).
    pub(super) fn reasons_for(
        &self,
        certificate: &Certificate,
        point: &DistributionPoint,
    ) -> Result<Reasons, CrlError> {
        if let Some(ours) = &self.point
            && !point.name.as_ref().is_some_and(|theirs| theirs.meets(ours))
        {
            return Err(CrlError::OtherDistributionPoint);
        }
        self.check_kind(certificate)?;
        let all = Reasons::ALL;
        Ok(self.reasons.unwrap_or(all).and(point.reasons.unwrap_or(all)))
    }

    /// Shows that the CRL is about certificates of that kind.
    pub(super) fn check_kind(&self, certificate: &Certificate) -> Result<(), CrlError> {
        let only = match certificate.is_ca() {
            _ if self.only_attributes => "attribute certificates",
            true if self.only_users => "certificates of users",
            false if self.only_cas => "certificates of CAs",
            _ => return Ok(()),
        };
        Err(CrlError::OutOfScope { only })
    }
}

fn flag(reader: &mut Reader<'_>, number: u8) -> Result<bool, Malformed> {
    match reader.optional(tag::primitive(number))? {
        None | Some([0]) => Ok(false),
        Some([0xff]) => Ok(true),
        Some(_) => Err(Malformed),
    }
}
