//! Trusted identities: whose signatures count (trust-store-trust-policy.md, "Trusted Identities
//! Constraints").

use std::{collections::BTreeMap, fmt};

use crate::x509::{AttributeText, Name, NameError, parse_text};

/// Whose signatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustedIdentities {
    /// `*`: anybody with a certificate that leads to the trust stores.
    Any,
    /// One of these.
    Listed(Vec<TrustedIdentity>),
}

/// One entry of `trustedIdentities`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustedIdentity {
    /// `x509.subject:` and attributes that the subject of the signing certificate has to have.
    Subject(SubjectIdentity),
    /// Another prefix: valid, and for a verification plugin. By itself it matches nobody.
    Foreign(String),
}

/// Attributes of a subject, each type once, with C, ST and O among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectIdentity {
    text: String,
    attributes: BTreeMap<String, AttributeText>,
}

/// Why text is not a trusted identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// No `PREFIX:`.
    #[error(
        "{0:?} has no prefix: write x509.subject: and attributes, such as x509.subject: C=US, ST=WA, O=Acme"
    )]
    NoPrefix(String),
    /// Nothing after the prefix.
    #[error("{0:?} has nothing after its prefix")]
    NoValue(String),
    /// Not the text of a distinguished name.
    #[error("{text:?} is not a list of attributes")]
    BadName {
        /// The text.
        text: String,
        /// Why.
        #[source]
        source: NameError,
    },
    /// `CN=a+OU=b`.
    #[error(
        "{0:?} has several attributes in one part, joined by '+': no subject is matched by that"
    )]
    MultiValued(String),
    /// A type twice.
    #[error("{text:?} has {kind} twice: a subject is matched by one value a type")]
    Repeated {
        /// The text.
        text: String,
        /// The attribute's type.
        kind: String,
    },
    /// One of the three that every identity has to name.
    #[error("{text:?} has no {kind}: C, ST (or S) and O are mandatory")]
    Missing {
        /// The text.
        text: String,
        /// The attribute's type.
        kind: &'static str,
    },
}

const SUBJECT_PREFIX: &str = "x509.subject";
const MANDATORY: [&str; 3] = ["C", "ST", "O"];

impl TrustedIdentity {
    /// Parses one entry that is not `*`.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let (prefix, value) =
            text.split_once(':').ok_or_else(|| IdentityError::NoPrefix(text.to_owned()))?;
        if value.trim().is_empty() {
            return Err(IdentityError::NoValue(text.to_owned()));
        }
        if prefix == SUBJECT_PREFIX {
            SubjectIdentity::parse(text, value).map(Self::Subject)
        } else {
            Ok(Self::Foreign(text.to_owned()))
        }
    }
}

impl SubjectIdentity {
    fn parse(text: &str, value: &str) -> Result<Self, IdentityError> {
        let owned = || text.to_owned();
        let parts =
            parse_text(value).map_err(|source| IdentityError::BadName { text: owned(), source })?;
        let mut attributes = BTreeMap::new();
        for part in parts {
            let [(kind, value)] =
                <[_; 1]>::try_from(part).map_err(|_| IdentityError::MultiValued(owned()))?;
            if attributes.insert(kind.clone(), value).is_some() {
                return Err(IdentityError::Repeated { text: owned(), kind });
            }
        }
        match MANDATORY.into_iter().find(|kind| !attributes.contains_key(*kind)) {
            Some(kind) => Err(IdentityError::Missing { text: owned(), kind }),
            None => Ok(Self { text: owned(), attributes }),
        }
    }

    /// Whether a subject has all of these attributes. One with an attribute twice, or several in a part, is
    /// matched by nothing: which of its values counts would be a guess.
    #[must_use]
    pub fn matches(&self, subject: &Name) -> bool {
        let attributes = subject.attributes();
        let mut kinds: Vec<&str> =
            attributes.iter().map(|attribute| attribute.kind.as_str()).collect();
        kinds.sort_unstable();
        if subject.is_multi_valued() || kinds.windows(2).any(|pair| pair.first() == pair.last()) {
            return false;
        }
        self.attributes
            .iter()
            .all(|(kind, text)| attributes.iter().any(|attribute| attribute.is(kind, text)))
    }

    /// Whether a subject can have the attributes of both: no type has one value here and another there.
    /// The notation CLI sees an overlap only where one says all that the other says.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let differs = |(kind, text): (&String, &AttributeText)| {
            other.attributes.get(kind).is_some_and(|other| other != text)
        };
        !self.attributes.iter().any(differs)
    }
}

impl TrustedIdentities {
    /// Whether the subject of a signing certificate is one of these.
    #[must_use]
    pub fn match_subject(&self, subject: &Name) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(identities) => identities.iter().any(|identity| match identity {
                TrustedIdentity::Subject(identity) => identity.matches(subject),
                TrustedIdentity::Foreign(_) => false,
            }),
        }
    }
}

/// As the policy writes it.
impl fmt::Display for TrustedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject(SubjectIdentity { text, .. }) | Self::Foreign(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(text: &str) -> SubjectIdentity {
        match TrustedIdentity::parse(text).unwrap() {
            TrustedIdentity::Subject(identity) => identity,
            TrustedIdentity::Foreign(_) => panic!("{text}"),
        }
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn an_identity_matches_subjects_that_have_all_of_its_attributes() {
        let acme = identity("x509.subject: C=US, ST=WA, O=Acme\\, Inc., CN=release");
        assert!(acme.matches(&name("CN=release,OU=ci,O=Acme\\, Inc.,ST=WA,C=US")));
        assert!(identity("x509.subject:S=WA,O=Acme,C=US").matches(&name("O=Acme,ST=WA,C=US")));
        for other in [
            "CN=Release,O=Acme\\, Inc.,ST=WA,C=US",
            "O=Acme\\, Inc.,ST=WA,C=US",
            "CN=release,O=Acme,ST=WA,C=US",
        ] {
            assert!(!acme.matches(&name(other)), "{other}");
        }
    }

    #[test]
    fn a_subject_that_can_be_read_in_two_ways_is_matched_by_nothing() {
        let acme = identity("x509.subject: C=US, ST=WA, O=Acme");
        for subject in
            ["OU=a,OU=b,O=Acme,ST=WA,C=US", "O=Acme+OU=a,ST=WA,C=US", "O=Other,O=Acme,ST=WA,C=US"]
        {
            assert!(!acme.matches(&name(subject)), "{subject}");
        }
    }

    #[test]
    fn faults_of_an_identity_are_told_one_by_one() {
        for (text, told) in [
            ("CN=a", "has no prefix"),
            ("x509.subject: ", "has nothing after its prefix"),
            ("x509.subject: C", "is not a list of attributes"),
            ("x509.subject: C=US,ST=WA,O=a;b", "is not a list of attributes"),
            ("x509.subject: C=US, ST=WA", "has no O: C, ST (or S) and O are mandatory"),
            ("x509.subject: C=US, O=a", "has no ST: "),
            ("x509.subject: C=US, ST=WA, S=WA, O=a", "has ST twice"),
            ("x509.subject: C=US, ST=WA, O=a+OU=b", "joined by '+'"),
        ] {
            let error = TrustedIdentity::parse(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        assert!(matches!(TrustedIdentity::parse("did: web:acme"), Ok(TrustedIdentity::Foreign(_))));
    }

    #[test]
    fn identities_overlap_where_one_subject_can_have_the_attributes_of_both() {
        let base = "x509.subject: C=US,ST=WA,O=a";
        let with = |more: &str| identity(&format!("{base}{more}"));
        for (one, other, overlap) in [
            ("", "", true),
            ("", ",OU=b", true),
            (",CN=c", ",OU=b", true),
            (",OU=c", ",OU=b", false),
            (",OU=c,CN=x", ",OU=b,CN=x", false),
        ] {
            assert_eq!(with(one).overlaps(&with(other)), overlap, "{one} {other}");
            assert_eq!(with(other).overlaps(&with(one)), overlap, "{one} {other}");
        }
    }
}
