//! A registry without the referrers API: Debian's docker-registry 2.8.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::{command::Run, component::Component, http, layout::Layout, server::Server};

/// An empty registry on plain HTTP, which keeps everything in memory.
#[derive(Debug)]
pub(crate) struct Registry {
    server: Server,
    _configuration: TempDir,
}

impl Registry {
    /// A registry for one test.
    pub(crate) fn or_skip() -> Option<Self> {
        let program = Component::DockerRegistry.or_skip()?;
        let configuration = TempDir::new().unwrap();
        let path = configuration.path().join("registry.yml");
        let command = |port: u16| {
            let yaml = format!(
                "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
                 storage: {{inmemory: {{}}, delete: {{enabled: true}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
            );
            fs::write(&path, yaml).unwrap();
            let mut command = Command::new(program);
            command.arg("serve").arg(&path);
            command
        };
        let is_ready = |port| {
            http::request(port, "GET", "/v2/", &[], b"").is_ok_and(|answer| answer.status == 200)
        };
        Some(Self { server: Server::start(command, is_ready), _configuration: configuration })
    }

    /// Host and port, as references have them.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    /// Copies an artifact in, and gives its reference by digest; `None` where skopeo is not there.
    pub(crate) fn push(&self, layout: &Layout, repository: &str) -> Option<String> {
        let name = format!("{}/{repository}", self.host());
        Run::new(Component::Skopeo.or_skip()?)
            .args(["--insecure-policy", "copy", "--preserve-digests", "--dest-tls-verify=false"])
            .arg(format!("oci:{}:{}", layout.path().display(), Layout::TAG))
            .arg(format!("docker://{name}:{}", Layout::TAG))
            .finish()
            .expect_status(0);
        Some(format!("{name}@{}", layout.digest()))
    }
}
