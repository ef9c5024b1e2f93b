//! What a registry is called by those who keep its credentials.

/// What docker calls Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// Docker Hub's hosts.
const DOCKER_HUB_HOSTS: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// A registry, by host and port, or as docker calls it.
#[derive(Debug, Clone)]
pub(super) struct Name {
    host: String,
    key: String,
}

impl Name {
    pub(super) fn new(registry: &str) -> Self {
        let host = host_of(registry).to_ascii_lowercase();
        if DOCKER_HUB_HOSTS.contains(&host.as_str()) {
            return Self { host: "docker.io".to_owned(), key: DOCKER_HUB.to_owned() };
        }
        Self { key: host.clone(), host }
    }

    /// As people call it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// What credentials are stored under today.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What credential helpers may know it by, the most likely first.
    pub(super) fn helper_keys(&self) -> impl Iterator<Item = &str> {
        let host = (self.host != self.key).then_some(self.host.as_str());
        [self.key.as_str()].into_iter().chain(host)
    }

    /// The same, with what docker called it earlier.
    pub(super) fn all_keys(&self) -> Vec<String> {
        let urls = ["http", "https"].map(|scheme| format!("{scheme}://{}", self.host));
        self.helper_keys().map(ToOwned::to_owned).chain(urls).collect()
    }

    /// Whether a key of a file is of this registry: its host, or a URL as docker wrote it once. One of a
    /// repository, as podman writes it, is not.
    pub(super) fn is(&self, key: &str) -> bool {
        let host = host_of(key);
        let is_hub = || DOCKER_HUB_HOSTS.iter().any(|known| host.eq_ignore_ascii_case(known));
        host.eq_ignore_ascii_case(&self.host) || (self.key == DOCKER_HUB && is_hub())
    }
}

/// A key without its scheme, and without the path that belongs to a URL or to an API.
fn host_of(key: &str) -> &str {
    let stripped = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    match stripped.unwrap_or(key).split_once('/') {
        Some((host, path)) if stripped.is_some() || is_api(path) => host,
        Some(_) => key,
        None => stripped.unwrap_or(key),
    }
}

fn is_api(path: &str) -> bool {
    ["", "v1", "v1/", "v2", "v2/"].contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_known_by_every_name_that_docker_has_given_it() {
        for (registry, key, expected) in [
            ("registry.example", "registry.example", true),
            ("registry.example", "https://registry.example", true),
            ("registry.example", "http://registry.example/v1/", true),
            ("registry.example", "registry.example/v2/", true),
            ("registry.example", "Registry.Example", true),
            ("registry.example", "registry.example:5000", false),
            ("registry.example:5000", "https://registry.example:5000/v2/", true),
            ("registry.example", "registry.example/team", false),
            ("registry.example", "registry.example.evil.example", false),
            ("registry.example", "https://evil.example/registry.example", false),
            ("docker.io", "https://index.docker.io/v1/", true),
            ("docker.io", "docker.io", true),
            ("registry-1.docker.io", "https://index.docker.io/v1/", true),
            ("https://index.docker.io/v1/", "index.docker.io", true),
            ("registry.example", "https://index.docker.io/v1/", false),
            ("docker.io", "", false),
        ] {
            assert_eq!(Name::new(registry).is(key), expected, "{registry} {key}");
        }
        assert_eq!(Name::new("docker.io").key(), "https://index.docker.io/v1/");
        assert_eq!(Name::new("[::1]:5000").key(), "[::1]:5000");
    }
}
