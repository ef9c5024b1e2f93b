//! Registry scopes: which repositories a statement is for
//! (trust-store-trust-policy.md, "OCI Trust Policy Constraints").

use std::{fmt, str::FromStr};

use crate::oci::Reference;

/// A repository, fully qualified: `registry.example/team/app`, without tag and digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistryScope(String);

/// Not the fully qualified name of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a fully qualified repository, such as registry.example/team/app: no scheme, no tag, no \
     wildcard, lower case after the registry"
)]
pub struct ScopeError(String);

impl RegistryScope {
    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryScope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text.parse::<Reference>() {
            Ok(name) if name.tag().is_none() && name.digest().is_none() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ScopeError(text.to_owned())),
        }
    }
}

impl fmt::Display for RegistryScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_fully_qualified_repositories() {
        for good in
            ["local/app", "registry.example:5000/a/b-c/d_e__f.g", "127.0.0.1/a---b", "Registry/a"]
        {
            assert!(good.parse::<RegistryScope>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "app",
            "/app",
            "registry.example/",
            "registry.example/a:1",
            "registry.example/a@sha256:0",
            "https://registry.example/a",
            "registry.example/A",
            "registry.example/*",
            "*",
            "registry.example//a",
            "registry.example/a/",
            "registry.example/-a",
            "registry.example/a..b",
            "registry.example/a___b",
            "registry.example:/a",
            "-registry/a",
            "registry.example/a b",
        ] {
            assert!(bad.parse::<RegistryScope>().is_err(), "{bad}");
        }
    }
}
