//! Notation's own files in the folder of a quickstart: trust store, trust policy, key, plugin. What is
//! there already is kept, so that it can be tried out with changes.

use std::path::{Path, PathBuf};

use super::{NAME, SCOPE, SUBJECT, Step, hierarchy::Hierarchy};
use crate::{
    cli::{args, failure::Failure, plugin},
    config::{Directories, KeyEntry, SigningKeys},
    fs::{self, FileError},
    keys::KeyUri,
    plugin::CERT_CHAIN,
    x509::{Certificate, CertificateChain, to_pem},
};

/// Writes what is not there yet; the plugin is always this executable.
pub(super) fn write(
    directories: &Directories,
    hierarchy: &Hierarchy,
) -> Result<[(&'static str, Step); 4], Failure> {
    let root = hierarchy.chain.root();
    let alone = CertificateChain::from_ordered(vec![root.clone()])?;
    let store = write_absent(&anchor_path(directories, root), &to_pem(&alone), 0o644)?;
    let policy = write_absent(&directories.trust_policy(), &trust_policy(), 0o600)?;
    let key = add_key(directories, hierarchy)?;
    plugin::install(directories)?;
    Ok([("trust store", store), ("trust policy", policy), ("key", key), ("plugin", Step::Made)])
}

/// The file of a root in the trust store: one for each root, so that what an earlier one vouched for stays
/// good.
pub(super) fn anchor_path(directories: &Directories, root: &Certificate) -> PathBuf {
    let name = crate::crypto::hex(&root.fingerprint());
    directories.trust_store(NAME).join(format!("{name}.pem"))
}

fn write_absent(path: &Path, text: &str, mode: u32) -> Result<Step, FileError> {
    match fs::write_new(path, text.as_bytes(), mode) {
        Ok(()) => Ok(Step::Made),
        Err(error) if error.is_already_there() => Ok(Step::Kept),
        Err(error) => Err(error),
    }
}

fn trust_policy() -> String {
    let policy = serde_json::json!({"version": "1.0", "trustPolicies": [{
        "name": NAME,
        "registryScopes": [SCOPE],
        "signatureVerification": {"level": "strict"},
        "trustStores": [format!("ca:{NAME}")],
        "trustedIdentities": [format!("x509.subject: {SUBJECT}")],
    }]});
    format!("{policy:#}\n")
}

fn add_key(directories: &Directories, hierarchy: &Hierarchy) -> Result<Step, Failure> {
    let mut keys = SigningKeys::load(&directories.signing_keys())?;
    if keys.find(NAME).is_ok() {
        return Ok(Step::Kept);
    }
    let id = KeyUri::from_file_path(&hierarchy.key_path())?;
    let chain = args::text_of(&hierarchy.chain_path())?;
    let config = [(CERT_CHAIN.to_owned(), chain)].into();
    keys.add(KeyEntry::new(NAME, id.as_str(), crate::plugin::NAME, config))?;
    keys.default.get_or_insert_with(|| NAME.to_owned());
    keys.save(&directories.signing_keys())?;
    Ok(Step::Made)
}
