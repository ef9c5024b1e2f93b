//! References to artifacts in registries: `registry/repository[:tag][@digest]`.
//!
//! The registry is always named: nothing is taken to be on Docker Hub
//! (OCI distribution specification 1.1, "Pulling manifests").

use std::{fmt, net::Ipv6Addr, str::FromStr};

use super::{Digest, DigestError};
use crate::limits;

/// A reference. Where it has both a tag and a digest, the digest says what is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Which part of a reference is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// No slash, as in `alpine:3`.
    #[error(
        "{0:?} names no registry: a reference is REGISTRY/REPOSITORY, and :TAG or @DIGEST, as in \
         registry.example/team/app:1.0"
    )]
    NoRegistry(String),
    /// As in `https://registry.example/app`.
    #[error(
        "{0:?} has a scheme: a reference begins with the registry, as in registry.example/team/app"
    )]
    Scheme(String),
    /// A host that is none.
    #[error("registry {0:?} is not a host name or address, with a port or without")]
    BadRegistry(String),
    /// A repository that is none.
    #[error(
        "repository {repository:?} has the part {part:?}: a part has lower-case letters and digits, between \
         them one \".\", one or two \"_\", or any number of \"-\""
    )]
    BadRepository {
        /// All parts.
        repository: String,
        /// The one that is wrong.
        part: String,
    },
    /// A name that registries do not hold.
    #[error(
        "repository name of {length} bytes is over the limit of {limit} bytes",
        limit = limits::REPOSITORY_NAME_BYTES
    )]
    LongRepository {
        /// Its bytes.
        length: usize,
    },
    /// A tag that is none.
    #[error(
        "tag {0:?} is not 1 to {limit} letters, digits, \"_\", \".\" and \"-\", of which the first is no \".\" \
         or \"-\"",
        limit = limits::TAG_BYTES
    )]
    BadTag(String),
    /// What follows the `@`.
    #[error("digest {digest:?} cannot be read")]
    BadDigest {
        /// What was given.
        digest: String,
        /// Why.
        #[source]
        source: DigestError,
    },
}

impl Reference {
    /// Whether text is a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
    #[must_use]
    pub fn is_tag(text: &str) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        (1..=limits::TAG_BYTES).contains(&text.len())
            && text.chars().all(fits)
            && !text.starts_with(['.', '-'])
    }

    /// Host, and port if any.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository within the registry, `team/app`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What is asked for in the repository: the digest, else the tag.
    #[must_use]
    pub fn tag_or_digest(&self) -> Option<&str> {
        self.digest.as_ref().map(Digest::as_str).or_else(|| self.tag())
    }

    /// Registry and repository, as registry scopes of trust policies have them.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same artifact by its digest.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.contains("://") {
            return Err(ReferenceError::Scheme(text.to_owned()));
        }
        let (registry, path) =
            text.split_once('/').ok_or_else(|| ReferenceError::NoRegistry(text.to_owned()))?;
        if !is_registry(registry) {
            return Err(ReferenceError::BadRegistry(registry.to_owned()));
        }
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(digest)),
            None => (path, None),
        };
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        check_repository(repository)?;
        if let Some(tag) = tag.filter(|tag| !Self::is_tag(tag)) {
            return Err(ReferenceError::BadTag(tag.to_owned()));
        }
        let bad =
            |source, text: &str| ReferenceError::BadDigest { digest: text.to_owned(), source };
        let parsed = |text: &str| text.parse().map_err(|source| bad(source, text));
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(ToOwned::to_owned),
            digest: digest.map(parsed).transpose()?,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

fn check_repository(repository: &str) -> Result<(), ReferenceError> {
    if repository.len() > limits::REPOSITORY_NAME_BYTES {
        return Err(ReferenceError::LongRepository { length: repository.len() });
    }
    match repository.split('/').find(|part| !is_path_component(part)) {
        None => Ok(()),
        Some(part) => {
            let (repository, part) = (repository.to_owned(), part.to_owned());
            Err(ReferenceError::BadRepository { repository, part })
        }
    }
}

/// `host[:port]`, where the host is a name, or an address, that of version 6 in brackets.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_label = |label: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty()
            && label.chars().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_port =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.len() <= limits::HOST_BYTES && host.split('.').all(is_label),
    };
    is_host && port.is_none_or(is_port)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut rest = text;
    loop {
        let after = rest.trim_start_matches(is_word);
        if after.len() == rest.len() {
            return false;
        }
        if after.is_empty() {
            return true;
        }
        rest = after.trim_start_matches(|c| !is_word(c));
        let joint = after.strip_suffix(rest).unwrap_or_default();
        if !matches!(joint, "." | "_" | "__") && joint.contains(|c| c != '-') {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn references_are_read_part_by_part() {
        for (text, registry, repository, tag, digest) in [
            ("localhost:5000/app", "localhost:5000", "app", None, None),
            ("registry.example/team/app:1.0", "registry.example", "team/app", Some("1.0"), None),
            ("127.0.0.1:1/a/b-c/d_e__f.g---h", "127.0.0.1:1", "a/b-c/d_e__f.g---h", None, None),
            ("[::1]:5000/a:_-", "[::1]:5000", "a", Some("_-"), None),
            ("[fe80::1]/a", "[fe80::1]", "a", None, None),
            ("library/alpine", "library", "alpine", None, None),
            (&format!("r.example/a@{DIGEST}"), "r.example", "a", None, Some(DIGEST)),
            (
                &format!("r.example:1/a/b:v1@{DIGEST}"),
                "r.example:1",
                "a/b",
                Some("v1"),
                Some(DIGEST),
            ),
        ] {
            let reference: Reference = text.parse().unwrap();
            let parts = (reference.registry(), reference.repository(), reference.tag());
            assert_eq!(parts, (registry, repository, tag));
            assert_eq!(reference.digest().map(Digest::as_str), digest);
            assert_eq!(reference.tag_or_digest(), digest.or(tag));
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.name(), format!("{registry}/{repository}"));
        }
        let tagged: Reference = "r.example/a:v1".parse().unwrap();
        assert_eq!(
            tagged.with_digest(DIGEST.parse().unwrap()).to_string(),
            format!("r.example/a@{DIGEST}")
        );
    }

    #[test]
    fn an_error_names_the_part_that_is_wrong() {
        let long = "x".repeat(256);
        for (text, part) in [
            ("", "names no registry"),
            ("alpine", "names no registry"),
            ("alpine:3", "names no registry"),
            ("localhost:5000", "names no registry"),
            ("https://registry.example/a", "has a scheme"),
            ("/a", "registry \"\""),
            ("-r/a", "registry \"-r\""),
            ("r_r/a", "registry \"r_r\""),
            ("r..example/a", "registry \"r..example\""),
            ("me@r/a", "registry \"me@r\""),
            ("r:/a", "registry \"r:\""),
            ("r:+1/a", "registry \"r:+1\""),
            ("r:65536/a", "registry \"r:65536\""),
            ("[::1/a", "registry \"[::1\""),
            ("[r]/a", "registry \"[r]\""),
            ("[::1]x/a", "registry \"[::1]x\""),
            (&format!("{long}/a"), "registry \"xxx"),
            ("r/", "repository \"\" has the part \"\""),
            ("r/:1", "repository \"\""),
            ("r/a/B:1", "repository \"a/B\" has the part \"B\""),
            ("r/a//b", "has the part \"\""),
            ("r/a/", "has the part \"\""),
            ("r/..", "has the part \"..\""),
            ("r/a..b", "has the part \"a..b\""),
            ("r/a___b", "has the part \"a___b\""),
            ("r/a-_b", "has the part \"a-_b\""),
            ("r/-a", "has the part \"-a\""),
            ("r/a.", "has the part \"a.\""),
            ("r/a b", "has the part \"a b\""),
            ("r/ä", "has the part \"ä\""),
            (&format!("r/{long}"), "256 bytes is over the limit of 255"),
            ("r/a:", "tag \"\""),
            ("r/a:.b", "tag \".b\""),
            ("r/a:b/c", "tag \"b/c\""),
            ("r/a:1:2", "tag \"1:2\""),
            (&format!("r/a:{}", "x".repeat(129)), "tag \"xxx"),
            ("r/a@", "digest \"\""),
            ("r/a@sha256:00", "digest \"sha256:00\""),
            ("r/a:1@md5:00", "digest \"md5:00\""),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
