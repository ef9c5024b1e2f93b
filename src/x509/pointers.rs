//! Where certificates and CRLs say that revocation is published: OCSP responders and CRL distribution
//! points (RFC 5280, sections 4.2.1.13, 4.2.1.15 and 4.2.2.1).
//!
//! The extensions are read when they are asked for. One that is broken is an error then, never an absent one.

use crate::{
    asn1::{Malformed, Reader, tag},
    limits,
};

/// The extensions as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pointers {
    pub(crate) crl_distribution_points: Option<Vec<u8>>,
    pub(crate) freshest_crl: Option<Vec<u8>>,
    pub(crate) authority_information: Option<Vec<u8>>,
}

/// One distribution point: a CRL, and the places that it can be had from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionPoint {
    uris: Vec<String>,
    pub(crate) name: Option<PointName>,
    /// The reasons that its CRL covers; `None`: all.
    pub(crate) reasons: Option<Reasons>,
    /// Whether another than the certificate's issuer signs its CRL: each name in DER.
    pub(crate) crl_issuer: Option<Vec<Vec<u8>>>,
}

/// The name of a distribution point, in DER. Names are compared, not understood.
///
/// ```text
/// DistributionPointName ::= CHOICE {
///     fullName [0] GeneralNames, nameRelativeToCRLIssuer [1] RelativeDistinguishedName }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PointName {
    Full(Vec<Vec<u8>>),
    Relative(Vec<u8>),
}

/// Reasons for revocation as a set: bit 1 is `keyCompromise`, bit 8 `aACompromise` (RFC 5280, section
/// 4.2.1.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reasons(u16);

/// Why an extension does not tell where revocation is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointerError {
    /// The extension is broken.
    #[error("extension {extension} is not valid DER")]
    Malformed {
        /// Its name in RFC 5280.
        extension: &'static str,
    },
    /// The extension names nothing.
    #[error("extension {extension} names no URL")]
    Empty {
        /// Its name in RFC 5280.
        extension: &'static str,
    },
    /// The extension sends to more places than anybody should ask.
    #[error("extension {extension} names over {limit} URLs", limit = limits::REVOCATION_URLS)]
    TooMany {
        /// Its name in RFC 5280.
        extension: &'static str,
    },
}

const AUTHORITY_INFORMATION: &str = "authorityInfoAccess";
const CRL_DISTRIBUTION_POINTS: &str = "cRLDistributionPoints";
const FRESHEST_CRL: &str = "freshestCRL";

/// `id-ad-ocsp`, in DER.
const ID_AD_OCSP: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1];

impl Pointers {
    /// Whether there is anything to ask, or it cannot be told.
    pub(crate) fn is_any(&self) -> bool {
        self.crl_distribution_points.is_some() || !matches!(self.ocsp_urls().as_deref(), Ok([]))
    }

    /// The responders' URLs; none where the certificate names no responder.
    ///
    /// ```text
    /// AuthorityInfoAccessSyntax ::= SEQUENCE OF SEQUENCE {
    ///     accessMethod OBJECT IDENTIFIER, accessLocation GeneralName }
    /// ```
    pub(crate) fn ocsp_urls(&self) -> Result<Vec<String>, PointerError> {
        let extension = AUTHORITY_INFORMATION;
        let Some(value) = &self.authority_information else { return Ok(Vec::new()) };
        match read_responders(value) {
            Ok((0, _)) => Ok(Vec::new()),
            Ok((_, urls)) if urls.is_empty() => Err(PointerError::Empty { extension }),
            Ok((_, urls)) => at_most(urls.len(), extension).map(|()| urls),
            // A broken extension that says nothing of a responder refuses nothing.
            Err(Malformed) if !value.windows(ID_AD_OCSP.len()).any(|part| part == ID_AD_OCSP) => {
                Ok(Vec::new())
            }
            Err(Malformed) => Err(PointerError::Malformed { extension }),
        }
    }

    pub(crate) fn crl_distribution_points(&self) -> Result<Vec<DistributionPoint>, PointerError> {
        read_all(self.crl_distribution_points.as_deref(), CRL_DISTRIBUTION_POINTS)
    }

    pub(crate) fn freshest_crl(&self) -> Result<Vec<DistributionPoint>, PointerError> {
        read_all(self.freshest_crl.as_deref(), FRESHEST_CRL)
    }
}

impl DistributionPoint {
    /// The URIs of its CRL, which are alternatives: `http`, `https`, `ldap`, and any other scheme. What is no
    /// printable ASCII is percent-encoded.
    #[must_use]
    pub fn uris(&self) -> &[String] {
        &self.uris
    }

    /// Reads the points of a `freshestCRL` extension, which a CRL has too.
    pub(crate) fn read_freshest(value: Option<&[u8]>) -> Result<Vec<Self>, PointerError> {
        read_all(value, FRESHEST_CRL)
    }

    /// ```text
    /// DistributionPoint ::= SEQUENCE {
    ///     distributionPoint [0] DistributionPointName OPTIONAL,
    ///     reasons [1] ReasonFlags OPTIONAL, cRLIssuer [2] GeneralNames OPTIONAL }
    /// ```
    fn read(mut der: Reader<'_>) -> Result<Self, Malformed> {
        let name = der.optional(tag::constructed(0))?.map(PointName::read).transpose()?;
        let reasons = der.optional(tag::primitive(1))?.map(Reasons::read).transpose()?;
        let crl_issuer = der.optional(tag::constructed(2))?.map(general_names).transpose()?;
        der.finish()?;
        let uris = match &name {
            Some(PointName::Full(names)) => names.iter().filter_map(|name| uri(name)).collect(),
            _ => Vec::new(),
        };
        Ok(Self { uris, name, reasons, crl_issuer })
    }
}

impl PointName {
    /// Reads what stands within the `[0]` of a distribution point.
    pub(crate) fn read(contents: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(contents);
        let name = match reader.optional(tag::constructed(0))? {
            Some(names) => Self::Full(general_names(names)?),
            None => Self::Relative(reader.expect(tag::constructed(1))?.to_vec()),
        };
        reader.finish()?;
        Ok(name)
    }

    /// Whether both name the same place: by one name in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Full(ours), Self::Full(theirs)) => ours.iter().any(|name| theirs.contains(name)),
            (Self::Relative(ours), Self::Relative(theirs)) => ours == theirs,
            _ => false,
        }
    }
}

impl Reasons {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(0b1_1111_1110);

    /// Reads the contents of a `BIT STRING`, whose first bit is the highest of its first byte.
    pub(crate) fn read(contents: &[u8]) -> Result<Self, Malformed> {
        let [0..8, bits @ ..] = contents else { return Err(Malformed) };
        let (first, second) = match bits {
            [first] => (*first, 0),
            [first, second] => (*first, *second),
            _ => return Err(Malformed),
        };
        let bits = u16::from(first.reverse_bits()) | u16::from(second.reverse_bits()) << 8;
        Ok(Self(bits & Self::ALL.0))
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

fn read_all(
    value: Option<&[u8]>,
    extension: &'static str,
) -> Result<Vec<DistributionPoint>, PointerError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    if value.len() > limits::CERTIFICATE_BYTES {
        return Err(PointerError::TooMany { extension });
    }
    let points = read_points(value).map_err(|Malformed| PointerError::Malformed { extension })?;
    if points.is_empty() {
        return Err(PointerError::Empty { extension });
    }
    at_most(points.iter().map(|point| point.uris.len().max(1)).sum(), extension)?;
    Ok(points)
}

fn at_most(urls: usize, extension: &'static str) -> Result<(), PointerError> {
    if urls > limits::REVOCATION_URLS { Err(PointerError::TooMany { extension }) } else { Ok(()) }
}

/// `CRLDistributionPoints ::= SEQUENCE OF DistributionPoint`
fn read_points(value: &[u8]) -> Result<Vec<DistributionPoint>, Malformed> {
    let mut reader = Reader::new(Reader::whole(value, tag::SEQUENCE)?);
    let mut points = Vec::new();
    while !reader.is_empty() {
        points.push(DistributionPoint::read(reader.sequence()?)?);
    }
    Ok(points)
}

/// How many responders there are, and the URLs among them.
fn read_responders(value: &[u8]) -> Result<(usize, Vec<String>), Malformed> {
    let mut reader = Reader::new(Reader::whole(value, tag::SEQUENCE)?);
    let (mut responders, mut urls) = (0, Vec::new());
    while !reader.is_empty() {
        let mut description = reader.sequence()?;
        let method = description.expect_der(tag::OID)?;
        let location = description.element()?.der;
        description.finish()?;
        if method == ID_AD_OCSP {
            responders += 1;
            urls.extend(uri(location));
        }
    }
    Ok((responders, urls))
}

/// `GeneralNames ::= SEQUENCE SIZE (1..MAX) OF GeneralName`, each in DER.
fn general_names(contents: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut reader = Reader::new(contents);
    let mut names = Vec::new();
    while !reader.is_empty() {
        names.push(reader.element()?.der.to_vec());
    }
    if names.is_empty() { Err(Malformed) } else { Ok(names) }
}

/// The URI of a `GeneralName`, where it is one: `uniformResourceIdentifier [6] IA5String`.
fn uri(name: &[u8]) -> Option<String> {
    let bytes = Reader::whole(name, tag::primitive(6)).ok()?;
    let mut uri = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'!'..=b'~' => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(uri)
}
