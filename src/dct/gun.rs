//! Globally unique names (GUNs): the name under which a repository's trust data stands.

use std::{fmt, str::FromStr};

/// A GUN, such as `docker.io/library/alpine` or `registry.example.com:5000/team/app`: no scheme, no tag.
///
/// It is fit to be a path below a folder and within a URL: no part that is empty, begins with a dot, or is `_trust`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gun(String);

/// Why text is not a GUN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GunError {
    /// Empty, too long, or with characters that no registry has in names.
    #[error(
        "{0:?} is no repository name: letters, digits and . _ - : / only, at most {MAX_BYTES} bytes"
    )]
    BadCharacters(String),
    /// A part between slashes that is empty or has a meaning of its own.
    #[error("{name:?} is no repository name: it has the part {part:?}")]
    BadPart {
        /// What was given.
        name: String,
        /// The part.
        part: String,
    },
    /// Trust data belongs to a repository, not to one of its tags.
    #[error("{name:?} names an image: trust data belongs to the repository {repository:?}")]
    TagOrDigest {
        /// What was given.
        name: String,
        /// The same without tag and digest.
        repository: String,
    },
    /// A repository name that docker refuses.
    #[error("{0:?} is no image name: the part after the registry is in lower case")]
    UpperCase(String),
}

/// What servers hold a name in.
const MAX_BYTES: usize = 255;

/// Docker's name for its registry in GUNs.
const DOCKER_HUB: &str = "docker.io";

impl Gun {
    /// A repository as people name it, in full: `alpine` is `docker.io/library/alpine`.
    ///
    /// # Errors
    /// [`GunError`]; [`GunError::TagOrDigest`] where it has a tag or a digest.
    pub fn from_repository(name: &str) -> Result<Self, GunError> {
        let (repository, rest) = split_reference(name);
        if !rest.is_empty() {
            let repository = repository.to_owned();
            return Err(GunError::TagOrDigest { name: name.to_owned(), repository });
        }
        Self::normalized(repository)
    }

    /// The repository of an image reference: tag and digest are left out, and so is the scheme that
    /// container runtimes put before one (`docker-pullable://`).
    ///
    /// # Errors
    /// [`GunError`].
    pub fn from_image(reference: &str) -> Result<Self, GunError> {
        let name = reference.split_once("://").map_or(reference, |(_, name)| name);
        Self::normalized(split_reference(name).0)
    }

    fn normalized(name: &str) -> Result<Self, GunError> {
        let (domain, path) = match name.split_once('/') {
            Some((first, rest)) if is_domain(first) => (first, rest),
            _ => (DOCKER_HUB, name),
        };
        if path.contains(|c: char| c.is_ascii_uppercase()) {
            return Err(GunError::UpperCase(name.to_owned()));
        }
        if domain != DOCKER_HUB && domain != "index.docker.io" {
            return format!("{domain}/{path}").parse();
        }
        let library = if path.contains('/') { "" } else { "library/" };
        format!("{DOCKER_HUB}/{library}{path}").parse()
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host, and port if any, of the registry that the name begins with.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.0.split_once('/').map_or(self.as_str(), |(host, _)| host)
    }

    /// Whether the repository is Docker Hub's.
    #[must_use]
    pub fn is_on_docker_hub(&self) -> bool {
        self.registry() == DOCKER_HUB
    }
}

/// Splits `name[:tag][@digest]` behind the name.
fn split_reference(text: &str) -> (&str, &str) {
    let end = text.find('@').unwrap_or(text.len());
    let last = text.get(..end).and_then(|name| name.rfind('/')).map_or(0, |slash| slash + 1);
    let colon = text.get(last..end).and_then(|part| part.find(':')).map(|colon| last + colon);
    // A host with a port and nothing behind it has no slash: then this is a tag, as docker reads it too.
    text.split_at(colon.unwrap_or(end))
}

/// Whether the first part of a name is a registry, by docker's rule.
fn is_domain(part: &str) -> bool {
    part.contains(['.', ':'])
        || part == "localhost"
        || part.contains(|c: char| c.is_ascii_uppercase())
}

/// A GUN exactly as a server holds it.
impl FromStr for Gun {
    type Err = GunError;

    fn from_str(text: &str) -> Result<Self, GunError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
        if text.is_empty() || text.len() > MAX_BYTES || !text.chars().all(fits) {
            return Err(GunError::BadCharacters(text.to_owned()));
        }
        let bad = text.split('/').find(|part| {
            // No registry has names that begin with a dot, and in folders they are hidden.
            part.is_empty() || part.starts_with('.') || *part == "_trust"
        });
        match bad {
            Some(part) => Err(GunError::BadPart { name: text.to_owned(), part: part.to_owned() }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Gun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_named_in_full() {
        for (name, gun) in [
            ("alpine", "docker.io/library/alpine"),
            ("acme/app", "docker.io/acme/app"),
            ("docker.io/alpine", "docker.io/library/alpine"),
            ("index.docker.io/acme/app", "docker.io/acme/app"),
            ("localhost/app", "localhost/app"),
            ("registry.example:5000/a/b", "registry.example:5000/a/b"),
        ] {
            assert_eq!(Gun::from_repository(name).unwrap().as_str(), gun);
        }
    }

    #[test]
    fn a_repository_with_a_tag_or_a_digest_is_refused_and_told_without() {
        for name in ["acme/app:1.0", "acme/app@sha256:00", "acme/app:1.0@sha256:00"] {
            let error = Gun::from_repository(name).unwrap_err();
            assert!(
                matches!(&error, GunError::TagOrDigest { repository, .. } if repository == "acme/app"),
                "{error}"
            );
        }
    }

    #[test]
    fn images_lose_their_tag_and_digest() {
        for image in [
            "registry.example:5000/a/b",
            "registry.example:5000/a/b:1",
            "registry.example:5000/a/b:1@sha256:00",
            "docker-pullable://registry.example:5000/a/b@sha256:00",
        ] {
            assert_eq!(Gun::from_image(image).unwrap().as_str(), "registry.example:5000/a/b");
        }
    }

    #[test]
    fn names_that_leave_their_folder_are_refused() {
        for name in [
            "",
            "a//b",
            "/a",
            "a/",
            "a/../b",
            "a/./b",
            "a/_trust/b",
            ".a/b",
            "a b",
            "a\\b",
            "a\n",
            "a%2fb",
        ] {
            assert!(name.parse::<Gun>().is_err(), "{name:?}");
        }
        assert!("x".repeat(256).parse::<Gun>().is_err());
        assert_eq!(Gun::from_repository("Acme/app").unwrap().registry(), "Acme");
        assert!(matches!(Gun::from_repository("acme/App"), Err(GunError::UpperCase(_))));
    }
}
