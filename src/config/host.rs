//! Where docker, notary and shells keep settings on this machine.

use std::{env, path::PathBuf};

use super::{absolute, docker_folder, user_config};

/// Environment variables whose name begins with one of `prefixes`, in order. Values that are not UTF-8 are
/// replaced in part.
#[must_use]
pub(crate) fn variables_like(prefixes: &[&str]) -> Vec<(String, String)> {
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    let all = env::vars_os().map(|(name, value)| (text(name), text(value)));
    let mut found: Vec<_> =
        all.filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix))).collect();
    found.sort();
    found
}

/// The folders of trust data and keys: docker's, and that of notary's own client.
#[must_use]
pub(crate) fn trust_folders() -> Vec<PathBuf> {
    let docker = docker_folder().map(|folder| folder.join("trust"));
    let notary = absolute("HOME").map(|home| home.join(".notary"));
    docker.into_iter().chain(notary).collect()
}

/// Settings of docker's client and daemon, whether they are there or not.
#[must_use]
pub(crate) fn docker_settings() -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Some(folder) = docker_folder() {
        // Docker Desktop keeps the daemon's beside the client's.
        files.extend([folder.join("config.json"), folder.join("daemon.json")]);
    }
    // A daemon without root.
    files.extend(user_config().map(|folder| folder.join("docker").join("daemon.json")));
    files.push(PathBuf::from("/etc/docker/daemon.json"));
    files.extend(absolute("ProgramData").map(|data| data.join("docker/config/daemon.json")));
    files.extend(absolute("HOME").map(|home| home.join(".notary").join("config.json")));
    files
}

/// What sets variables when somebody logs in, whether it is there or not.
#[must_use]
pub(crate) fn shell_profiles() -> Vec<PathBuf> {
    const IN_HOME: [&str; 10] = [
        ".profile",
        ".bash_profile",
        ".bashrc",
        ".zshenv",
        ".zprofile",
        ".zshrc",
        ".kshrc",
        ".cshrc",
        ".config/fish/config.fish",
        ".config/environment.d",
    ];
    const FOR_ALL: [&str; 5] =
        ["/etc/environment", "/etc/profile", "/etc/profile.d", "/etc/bash.bashrc", "/etc/bashrc"];
    let home = absolute("HOME").into_iter();
    let in_home = home.flat_map(|home| IN_HOME.map(|file| home.join(file)));
    in_home.chain(FOR_ALL.map(PathBuf::from)).collect()
}
