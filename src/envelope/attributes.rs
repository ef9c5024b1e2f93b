//! Signed and unsigned attributes, as both envelope formats carry them, and the rules on critical ones
//! (signature-specification.md, "Signed Attributes").

use time::UtcDateTime;

use super::EnvelopeError;
use crate::{json, limits};

/// Names of the headers, the same in JWS and COSE.
pub(crate) mod header {
    pub(crate) const SIGNING_SCHEME: &str = "io.cncf.notary.signingScheme";
    pub(crate) const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
    pub(crate) const AUTHENTIC_SIGNING_TIME: &str = "io.cncf.notary.authenticSigningTime";
    pub(crate) const EXPIRY: &str = "io.cncf.notary.expiry";
    pub(crate) const VERIFICATION_PLUGIN: &str = "io.cncf.notary.verificationPlugin";
    pub(crate) const VERIFICATION_PLUGIN_MIN_VERSION: &str =
        "io.cncf.notary.verificationPluginMinVersion";
    pub(crate) const SIGNING_AGENT: &str = "io.cncf.notary.signingAgent";
    pub(crate) const TIMESTAMP: &str = "io.cncf.notary.timestampSignature";
}

/// Who vouches for the signing time (signing-scheme.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningScheme {
    /// `notary.x509`: the signing time is the signer's claim.
    X509,
    /// `notary.x509.signingAuthority`: the signing time is a signing authority's word.
    X509SigningAuthority,
}

/// Attributes that the signature covers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SignedAttributes {
    /// The signing scheme.
    pub signing_scheme: SigningScheme,
    /// When the signature was made. Authentic only under [`SigningScheme::X509SigningAuthority`].
    pub signing_time: UtcDateTime,
    /// From this second on the signer no longer recommends the artifact.
    pub expiry: Option<UtcDateTime>,
    /// Name of the plugin that has to take part in verification.
    pub verification_plugin: Option<String>,
    /// The least version of that plugin.
    pub verification_plugin_min_version: Option<String>,
    /// Everything else in the protected header, in its order.
    pub extended: Vec<ExtendedAttribute>,
}

/// A signed attribute that the specification does not define.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExtendedAttribute {
    /// The header's name; an integer label of COSE in decimal.
    pub name: String,
    /// The value.
    pub value: AttributeValue,
    /// Whether a verifier has to understand it.
    pub critical: bool,
}

/// A value of an extended attribute.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// JSON or CBOR null.
    Null,
    /// An array, a map, bytes or a tag: nothing that may be handed to a plugin.
    Complex,
}

/// Attributes that the signature does not cover.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnsignedAttributes {
    /// The program that signed, for diagnosis only.
    pub signing_agent: Option<String>,
    /// An RFC 3161 `TimeStampToken` over the signature, in DER.
    pub timestamp: Option<Vec<u8>>,
}

impl SigningScheme {
    /// The name that stands in signatures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X509 => "notary.x509",
            Self::X509SigningAuthority => "notary.x509.signingAuthority",
        }
    }

    /// The scheme of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::X509, Self::X509SigningAuthority].into_iter().find(|scheme| scheme.name() == name)
    }

    /// The header that holds this scheme's signing time.
    pub(crate) const fn time_header(self) -> &'static str {
        match self {
            Self::X509 => header::SIGNING_TIME,
            Self::X509SigningAuthority => header::AUTHENTIC_SIGNING_TIME,
        }
    }
}

impl ExtendedAttribute {
    /// An attribute of that name. One that is critical needs a verification plugin that processes it.
    #[must_use]
    pub fn new(name: impl Into<String>, value: AttributeValue, critical: bool) -> Self {
        Self { name: name.into(), value, critical }
    }
}

impl SignedAttributes {
    /// Attributes under `notary.x509`, with nothing optional. Times are cut to the second.
    #[must_use]
    pub fn new(signing_time: UtcDateTime) -> Self {
        Self {
            signing_scheme: SigningScheme::X509,
            signing_time: whole_seconds(signing_time),
            expiry: None,
            verification_plugin: None,
            verification_plugin_min_version: None,
            extended: Vec::new(),
        }
    }

    /// The same as a signature holds them, with times cut to the second.
    pub(crate) fn in_whole_seconds(&self) -> Self {
        let mut cut = self.clone();
        cut.signing_time = whole_seconds(cut.signing_time);
        cut.expiry = cut.expiry.map(whole_seconds);
        cut
    }

    /// Names that have to be listed as critical for these attributes.
    pub(crate) fn critical(&self) -> Vec<&str> {
        let scheme = [Some(header::SIGNING_SCHEME), None];
        let time = (self.signing_scheme == SigningScheme::X509SigningAuthority)
            .then_some(header::AUTHENTIC_SIGNING_TIME);
        let standard = [
            time,
            self.expiry.map(|_| header::EXPIRY),
            self.verification_plugin.as_ref().map(|_| header::VERIFICATION_PLUGIN),
            self.verification_plugin_min_version
                .as_ref()
                .map(|_| header::VERIFICATION_PLUGIN_MIN_VERSION),
        ];
        let extended = self.extended.iter().filter(|a| a.critical).map(|a| a.name.as_str());
        scheme.into_iter().chain(standard).flatten().chain(extended).collect()
    }

    /// Shows, before anything is signed, that extended attributes can be told from the headers of the
    /// specification, those of the format (`own`), and each other.
    pub(super) fn check_extended(&self, own: &[&str]) -> Result<(), EnvelopeError> {
        if self.extended.len() > limits::EXTENDED_ATTRIBUTES {
            return Err(EnvelopeError::TooManyAttributes);
        }
        let reserved = |name: &str| {
            own.iter().chain(&KNOWN).any(|known| json::fold(known) == json::fold(name))
        };
        for (i, ExtendedAttribute { name, .. }) in self.extended.iter().enumerate() {
            if reserved(name) {
                return Err(EnvelopeError::Reserved(name.clone()));
            }
            if self.extended.iter().take(i).any(|earlier| earlier.name == *name) {
                return Err(EnvelopeError::Repeated(name.clone()));
            }
        }
        Ok(())
    }

    /// The rules that hold for every signature, whatever its format.
    pub(crate) fn check(&self) -> Result<(), EnvelopeError> {
        if let Some(expiry) = self.expiry
            && expiry <= self.signing_time
        {
            let signing_time = self.signing_time;
            return Err(EnvelopeError::ExpiryBeforeSigning { expiry, signing_time });
        }
        // A blank name is no plugin, and must not stand in for one that processes attributes.
        if self.verification_plugin.as_ref().is_some_and(|name| name.trim().is_empty()) {
            return Err(EnvelopeError::BadHeader {
                header: header::VERIFICATION_PLUGIN.to_owned(),
                expected: "the name of a plugin",
            });
        }
        if self.verification_plugin.is_none() && self.verification_plugin_min_version.is_some() {
            return Err(EnvelopeError::MinVersionWithoutPlugin);
        }
        // With a verification plugin named, unknown critical attributes are the plugin's to process.
        if self.verification_plugin.is_none()
            && let Some(unknown) = self.extended.iter().find(|attribute| attribute.critical)
        {
            return Err(EnvelopeError::UnknownCritical(unknown.name.clone()));
        }
        Ok(())
    }
}

impl UnsignedAttributes {
    pub(crate) const fn with_agent(signing_agent: Option<String>) -> Self {
        Self { signing_agent, timestamp: None }
    }
}

/// Signatures hold whole seconds.
pub(crate) fn whole_seconds(time: UtcDateTime) -> UtcDateTime {
    time.replace_nanosecond(0).unwrap_or(time)
}

/// Collects protected headers one by one, whatever the format, and then judges them together.
#[derive(Debug, Default)]
pub(super) struct Collector {
    pub(super) scheme: Option<SigningScheme>,
    pub(super) signing_time: Option<UtcDateTime>,
    pub(super) authentic_signing_time: Option<UtcDateTime>,
    pub(super) expiry: Option<UtcDateTime>,
    pub(super) verification_plugin: Option<String>,
    pub(super) verification_plugin_min_version: Option<String>,
    pub(super) extended: Vec<(String, AttributeValue)>,
}

/// Headers that must not be taken for extended attributes.
pub(super) const KNOWN: [&str; 8] = [
    header::SIGNING_SCHEME,
    header::SIGNING_TIME,
    header::AUTHENTIC_SIGNING_TIME,
    header::EXPIRY,
    header::VERIFICATION_PLUGIN,
    header::VERIFICATION_PLUGIN_MIN_VERSION,
    header::SIGNING_AGENT,
    header::TIMESTAMP,
];

impl Collector {
    /// Adds a header that the specification does not define.
    pub(super) fn extend(
        &mut self,
        name: String,
        value: AttributeValue,
    ) -> Result<(), EnvelopeError> {
        if self.extended.len() >= limits::EXTENDED_ATTRIBUTES {
            return Err(EnvelopeError::TooManyAttributes);
        }
        self.extended.push((name, value));
        Ok(())
    }

    /// Gives the attributes, where every header that has to be there is, every one that has to be
    /// critical is, and `critical` lists nothing that is not there.
    pub(super) fn finish(self, critical: &[String]) -> Result<SignedAttributes, EnvelopeError> {
        let scheme = self.scheme.ok_or(EnvelopeError::Missing(header::SIGNING_SCHEME))?;
        let (mine, other, other_name) = match scheme {
            SigningScheme::X509 => {
                (self.signing_time, self.authentic_signing_time, header::AUTHENTIC_SIGNING_TIME)
            }
            SigningScheme::X509SigningAuthority => {
                (self.authentic_signing_time, self.signing_time, header::SIGNING_TIME)
            }
        };
        if other.is_some() {
            return Err(EnvelopeError::NotOfScheme { header: other_name, scheme: scheme.name() });
        }
        let is_critical = |name: &str| critical.iter().any(|listed| listed == name);
        let extended = self.extended.into_iter().map(|(name, value)| {
            let critical = is_critical(&name);
            ExtendedAttribute { name, value, critical }
        });
        let attributes = SignedAttributes {
            signing_scheme: scheme,
            signing_time: mine.ok_or_else(|| EnvelopeError::Missing(scheme.time_header()))?,
            expiry: self.expiry,
            verification_plugin: self.verification_plugin,
            verification_plugin_min_version: self.verification_plugin_min_version,
            extended: extended.collect(),
        };
        attributes.check_critical(critical)?;
        Ok(attributes)
    }
}

impl SignedAttributes {
    fn check_critical(&self, listed: &[String]) -> Result<(), EnvelopeError> {
        let wanted = self.critical();
        if let Some(missing) = wanted.iter().find(|name| !listed.iter().any(|l| l == *name)) {
            return Err(EnvelopeError::NotCritical((*missing).to_owned()));
        }
        // The scheme's own signing time is known, and may be listed though it need not be.
        let known =
            |name: &str| wanted.contains(&name) || name == self.signing_scheme.time_header();
        match listed.iter().find(|name| !known(name)) {
            Some(absent) => Err(EnvelopeError::CriticalAbsent(absent.clone())),
            None => Ok(()),
        }
    }
}
