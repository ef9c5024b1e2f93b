//! Certificate revocation lists (RFC 5280, section 5), read in place: nothing is copied, and looking a
//! certificate up walks the bytes that came.

use time::UtcDateTime;

use super::{
    CrlError,
    entry::{Entry, INVALIDITY_DATE, REASON_CODE},
    scope::Scope,
    signed::{self, Extension, Signed},
};
use crate::{
    asn1::{self, Malformed, Reader, tag},
    crypto, limits,
    x509::{Certificate, DistributionPoint, KeyUsage, Name, PointerError},
};

/// A CRL whose structure is known to be right, down to the last entry. Who signed it is not.
#[derive(Debug, Clone)]
pub struct Crl<'a> {
    signed: Signed<'a>,
    issuer: &'a [u8],
    this_update: UtcDateTime,
    next_update: Option<UtcDateTime>,
    /// The contents of `revokedCertificates`.
    entries: &'a [u8],
    extensions: Extensions<'a>,
    facts: EntryFacts<'a>,
}

/// The extensions of a CRL (RFC 5280, section 5.2).
#[derive(Debug, Clone, Default)]
struct Extensions<'a> {
    number: Option<Number<'a>>,
    /// The number of the CRL that a delta CRL builds on.
    base_number: Option<Number<'a>>,
    authority_key: Option<&'a [u8]>,
    scope: Option<(&'a [u8], Scope)>,
    freshest_crl: Option<&'a [u8]>,
    unknown_critical: Option<&'a [u8]>,
}

/// What is to be known of all entries before one of them counts (RFC 5280, section 5.3).
#[derive(Debug, Clone, Copy, Default)]
struct EntryFacts<'a> {
    count: usize,
    /// An entry is about a certificate of another issuer.
    is_indirect: bool,
    unknown_critical: Option<&'a [u8]>,
}

/// The number of a CRL, of any size: the length of its bytes, and the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Number<'a>(usize, &'a [u8]);

/// Object identifiers of extensions, as DER holds their contents.
mod oid {
    pub(super) const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
    pub(super) const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
    pub(super) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
    pub(super) const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];
    pub(super) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
    pub(super) const FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];
}

impl<'a> Crl<'a> {
    /// Parses one DER `CertificateList`, all of it.
    ///
    /// ```text
    /// CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signatureValue BIT STRING }
    /// TBSCertList ::= SEQUENCE {
    ///     version INTEGER OPTIONAL, signature, issuer, thisUpdate, nextUpdate OPTIONAL,
    ///     revokedCertificates SEQUENCE OF … OPTIONAL, crlExtensions [0] EXPLICIT Extensions OPTIONAL }
    /// ```
    ///
    /// # Errors
    /// [`CrlError`], where the bytes are not exactly one CRL, or pass a bound.
    pub fn parse(der: &'a [u8]) -> Result<Self, CrlError> {
        if der.len() > limits::CRL_BYTES {
            return Err(CrlError::TooLarge(der.len()));
        }
        let mut list = Reader::new(Reader::whole(der, tag::SEQUENCE)?);
        let message = list.expect_der(tag::SEQUENCE)?;
        let algorithm = list.expect_der(tag::SEQUENCE)?;
        let signature = list.octets_of_bits()?;
        list.finish()?;
        let mut tbs = Reader::new(Reader::whole(message, tag::SEQUENCE)?);
        if !matches!(tbs.optional(tag::INTEGER)?, None | Some([1])) {
            return Err(CrlError::Malformed);
        }
        if tbs.expect_der(tag::SEQUENCE)? != algorithm {
            return Err(CrlError::AlgorithmMismatch);
        }
        let issuer = tbs.expect_der(tag::SEQUENCE)?;
        let (this_update, next_update) = (tbs.time()?, tbs.optional_time()?);
        let entries = tbs.optional(tag::SEQUENCE)?.unwrap_or_default();
        let extensions = match tbs.optional(tag::constructed(0))? {
            Some(extensions) => {
                Extensions::read(bounded(Reader::whole(extensions, tag::SEQUENCE)?)?)?
            }
            None => Extensions::default(),
        };
        tbs.finish()?;
        let facts = EntryFacts::read(entries)?;
        let signed = Signed { message, algorithm, signature };
        Ok(Self { signed, issuer, this_update, next_update, entries, extensions, facts })
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> Name {
        Name::from_parsed(self.issuer)
    }

    /// From when on the CRL holds.
    #[must_use]
    pub const fn this_update(&self) -> UtcDateTime {
        self.this_update
    }

    /// When a newer one is there at the latest.
    #[must_use]
    pub const fn next_update(&self) -> Option<UtcDateTime> {
        self.next_update
    }

    /// How many entries there are.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.facts.count
    }

    /// Whether this is a delta CRL, which says nothing alone.
    #[must_use]
    pub const fn is_delta(&self) -> bool {
        self.extensions.base_number.is_some()
    }

    /// The distribution points of the delta CRL that belongs to this CRL (RFC 5280, section 5.2.6).
    ///
    /// # Errors
    /// [`PointerError`], where the extension is broken or empty.
    pub fn freshest_crl(&self) -> Result<Vec<DistributionPoint>, PointerError> {
        DistributionPoint::read_freshest(self.extensions.freshest_crl)
    }

    /// Shows that the CRL is of this issuer, and says nothing that is not understood here.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn verify(&self, issuer: &Certificate) -> Result<(), CrlError> {
        self.check_issuer(issuer)?;
        Ok(self.signed.verify(issuer.public_key())?)
    }

    /// All of that but the signature.
    pub(super) fn check_issuer(&self, issuer: &Certificate) -> Result<(), CrlError> {
        if self.is_indirect() {
            return Err(CrlError::Indirect);
        }
        if !self.is_of(issuer) {
            let expected = issuer.subject().clone();
            return Err(CrlError::OtherIssuer { issuer: self.issuer(), expected });
        }
        let unknown = [
            (self.extensions.unknown_critical, "CRL"),
            (self.facts.unknown_critical, "CRL's entries"),
        ];
        if let Some((Some(extension), place)) = unknown.into_iter().find(|(oid, _)| oid.is_some()) {
            return Err(CrlError::UnknownCritical { extension: signed::dotted(extension), place });
        }
        let usage = issuer.extensions().key_usage.as_ref();
        if usage.is_some_and(|usage| !usage.has(KeyUsage::CRL_SIGN)) {
            return Err(CrlError::IssuerMayNotSign { issuer: issuer.subject().clone() });
        }
        Ok(())
    }

    pub(super) const fn signed(&self) -> &Signed<'a> {
        &self.signed
    }

    /// Whether the issuer's name is that of the CRL.
    pub(super) fn is_of(&self, issuer: &Certificate) -> bool {
        self.issuer == issuer.subject().as_der()
    }

    fn is_indirect(&self) -> bool {
        let scope = self.extensions.scope.as_ref();
        self.facts.is_indirect || scope.is_some_and(|(_, scope)| scope.is_indirect)
    }

    /// The certificates that the CRL is about.
    pub(super) fn scope(&self) -> Scope {
        self.extensions.scope.as_ref().map(|(_, scope)| scope.clone()).unwrap_or_default()
    }

    /// The entries of a serial number, each an error where it cannot be read; more than one where somebody was
    /// careless.
    pub(super) fn entries_of(
        &self,
        certificate: &Certificate,
    ) -> Result<Vec<Result<Entry, Malformed>>, CrlError> {
        let serial = asn1::serial_number(certificate.serial_number());
        let mut entries = Reader::new(self.entries);
        let mut found = Vec::new();
        while !entries.is_empty() {
            let mut entry = entries.sequence()?;
            if asn1::serial_number(entry.expect(tag::INTEGER)?) == serial {
                found.push(Entry::read(entry));
            }
        }
        Ok(found)
    }

    /// Shows that `delta` brings this CRL up to date (RFC 5280, section 5.2.4).
    pub(super) fn check_delta(&self, delta: &Crl<'_>) -> Result<(), CrlError> {
        let needed = delta.extensions.base_number.ok_or(CrlError::NotDelta)?;
        let base = self.extensions.number.ok_or(CrlError::NoNumber)?;
        let number = delta.extensions.number.ok_or(CrlError::NoNumber)?;
        if needed > base {
            let (needed, base) = (needed.to_hex(), base.to_hex());
            return Err(CrlError::DeltaOfNewer { needed, base });
        }
        // Both of one number were issued together.
        if number < base {
            let (delta, base) = (number.to_hex(), base.to_hex());
            return Err(CrlError::DeltaOlder { delta, base });
        }
        let scope = |crl: &Crl<'_>| crl.extensions.scope.as_ref().map(|(der, _)| der.to_vec());
        if scope(self) != scope(delta) {
            return Err(CrlError::DeltaOfAnother { extension: "issuingDistributionPoint" });
        }
        if self.extensions.authority_key != delta.extensions.authority_key {
            return Err(CrlError::DeltaOfAnother { extension: "authorityKeyIdentifier" });
        }
        Ok(())
    }

    /// Whether the number is higher than the other's.
    pub(super) fn is_newer_than(&self, other: &Crl<'_>) -> bool {
        self.extensions.number > other.extensions.number
    }
}

impl<'a> Extensions<'a> {
    fn read(contents: &'a [u8]) -> Result<Self, CrlError> {
        let mut read = Self::default();
        for extension in Extension::read_all(contents)? {
            let value = extension.value;
            match extension.oid {
                oid::CRL_NUMBER => read.number = Some(Number::read(value)?),
                oid::DELTA_CRL_INDICATOR => read.base_number = Some(Number::read(value)?),
                oid::AUTHORITY_KEY_IDENTIFIER => read.authority_key = Some(value),
                oid::FRESHEST_CRL => read.freshest_crl = Some(value),
                oid::ISSUING_DISTRIBUTION_POINT => read.scope = Some((value, Scope::read(value)?)),
                unknown if extension.critical => read.unknown_critical = Some(unknown),
                _ => {}
            }
        }
        Ok(read)
    }
}

impl<'a> EntryFacts<'a> {
    /// Walks all entries.
    ///
    /// ```text
    /// SEQUENCE { userCertificate INTEGER, revocationDate Time, crlEntryExtensions Extensions OPTIONAL }
    /// ```
    fn read(entries: &'a [u8]) -> Result<Self, CrlError> {
        let mut facts = Self::default();
        let mut entries = Reader::new(entries);
        while !entries.is_empty() {
            let mut entry = entries.sequence()?;
            entry.integer()?;
            let revoked_at = entry.element()?.tag;
            if !matches!(revoked_at, tag::UTC_TIME | tag::GENERALIZED_TIME) {
                return Err(CrlError::Malformed);
            }
            if let Some(extensions) = entry.optional(tag::SEQUENCE)? {
                facts.take(bounded(extensions)?)?;
            }
            entry.finish()?;
            facts.count += 1;
        }
        Ok(facts)
    }

    fn take(&mut self, extensions: &'a [u8]) -> Result<(), Malformed> {
        let mut extensions = Reader::new(extensions);
        while !extensions.is_empty() {
            let extension = Extension::read(&mut extensions)?;
            match extension.oid {
                REASON_CODE | INVALIDITY_DATE => {}
                oid::CERTIFICATE_ISSUER => self.is_indirect = true,
                unknown if extension.critical => self.unknown_critical = Some(unknown),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> Number<'a> {
    fn read(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        let number = match reader.integer()? {
            [sign, ..] if *sign >= 0x80 => return Err(Malformed),
            [0, bytes @ ..] if !bytes.is_empty() => bytes,
            bytes => bytes,
        };
        reader.finish()?;
        Ok(Self(number.len(), number))
    }

    fn to_hex(self) -> String {
        crypto::hex(self.1)
    }
}

impl From<Malformed> for CrlError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

fn bounded(extensions: &[u8]) -> Result<&[u8], CrlError> {
    if extensions.len() > limits::CRL_EXTENSION_BYTES {
        return Err(CrlError::ExtensionsTooLarge(extensions.len()));
    }
    Ok(extensions)
}
