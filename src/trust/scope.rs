//! Registry scopes: which repositories a statement is for
//! (trust-store-trust-policy.md, "OCI Trust Policy Constraints").

use std::{fmt, str::FromStr};

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
        let (registry, repository) =
            text.split_once('/').ok_or_else(|| ScopeError(text.to_owned()))?;
        if is_registry(registry) && repository.split('/').all(is_path_component) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ScopeError(text.to_owned()))
        }
    }
}

/// Host names and addresses of version 4, with a port or without, as image references have them.
fn is_registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let is_label = |label: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty()
            && label.chars().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.split('.').all(is_label) && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
}

/// Letters and digits, joined by one `.`, one or two `_`, or any number of `-` (distribution
/// specification, "Pulling manifests").
fn is_path_component(text: &str) -> bool {
    let mut rest = text;
    loop {
        let run = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if run.len() == rest.len() {
            return false;
        }
        if run.is_empty() {
            return true;
        }
        let after = run.trim_start_matches(['.', '_', '-']);
        let joint = run.get(..run.len() - after.len()).unwrap_or_default();
        if !matches!(joint, "." | "_" | "__") && (joint.is_empty() || joint.contains(['.', '_'])) {
            return false;
        }
        rest = after;
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
