//! Who asks a registry: what the environment says, and what docker and podman have stored.

use std::path::Path;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use zeroize::Zeroizing;

use super::output;
use crate::{config, fs, http::Credential, limits};

/// The variables that the notation CLI reads.
const USERNAME: &str = "NOTATION_USERNAME";
const PASSWORD: &str = "NOTATION_PASSWORD";

/// For a registry: from the environment, else what docker has stored, else what podman has.
pub(super) fn of_registry(registry: &str) -> Option<Credential> {
    if let (Some(username), Some(password)) =
        (config::variable(USERNAME), config::variable(PASSWORD))
    {
        return Some(Credential::Basic { username, password: Zeroizing::new(password) });
    }
    of_docker(registry).or_else(|| read(&config::podman_credentials()?, registry))
}

/// What docker has stored for a registry, itself or through a credential helper.
pub(super) fn of_docker(registry: &str) -> Option<Credential> {
    read(&config::docker_folder()?.join("config.json"), registry)
}

fn read(file: &Path, registry: &str) -> Option<Credential> {
    let bytes = match fs::read_bounded(file, limits::CONFIG_FILE_BYTES) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.is_not_found() => return None,
        Err(error) => return no_credential(registry, &error.to_string()),
    };
    match docker_credential::get_credential_from_reader(bytes.as_slice(), registry) {
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Some(Credential::Basic { username, password: Zeroizing::new(password) })
        }
        Ok(DockerCredential::IdentityToken(token)) => {
            Some(Credential::IdentityToken(Zeroizing::new(token)))
        }
        Err(CredentialRetrievalError::NoCredentialConfigured) => None,
        // Helpers that have nothing say so and fail; what else they print could be a secret.
        Err(CredentialRetrievalError::HelperFailure { stdout, .. })
            if stdout.contains("credentials not found") =>
        {
            None
        }
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
            no_credential(registry, &format!("{helper} failed"))
        }
        Err(error) => no_credential(registry, &error.to_string()),
    }
}

/// Going on without is what docker does too; the server's refusal would then be a riddle.
fn no_credential(registry: &str, why: &str) -> Option<Credential> {
    output::note(&format!("warning: no credentials for {registry}: {why}"));
    None
}
