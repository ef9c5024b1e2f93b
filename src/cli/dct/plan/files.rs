//! The files of a plan's folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{AUDIT, PLAN, STRICT, enforcement};
use crate::{
    cli::{Outcome, cert::folder_entries, output},
    config::Directories,
    crypto,
    dct::plan::{Plan, PlannedRepository},
    fs, limits,
    trust::{DirectoryTrustStore, OciPolicy, PolicyError, StoreType},
    x509::{Certificate, CertificateChain},
};

const MODE: u32 = 0o644;

/// Begins an identity that is not known yet.
const UNKNOWN: &str = "<subject of the certificate of key";

/// Writes them all; the plan last, as it is what the others are made of.
pub(super) fn write(
    folder: &Path,
    plan: &Plan,
    chains: &BTreeMap<String, CertificateChain>,
) -> Outcome {
    let store = plan.trust_store.as_str();
    for (file, level) in [(AUDIT, "audit"), (STRICT, "strict")] {
        write_beside(&folder.join(file), &pretty(&policy(plan, chains, level))?)?;
    }
    // A folder of configuration as notation has it, so that NOTATION_CONFIG can name it.
    let directories =
        Directories { config: folder.to_owned(), libexec: folder.to_owned(), cache: None };
    write_roots(&directories, store, &roots(chains.values()))?;
    let roots_of = |repository: Option<&PlannedRepository>| match repository {
        Some(one) => roots(one.keys().into_iter().filter_map(|key| chains.get(key))),
        None => roots(chains.values()),
    };
    let strict = policy(plan, chains, "strict");
    let settings = enforcement::Settings::new(plan, &roots_of, store, &strict);
    for (name, text) in settings.files()? {
        write_beside(&folder.join("enforcement").join(name), text.as_bytes())?;
    }
    write_beside(&folder.join("README.md"), guide(plan).as_bytes())?;
    fs::write_atomic(&folder.join(PLAN), &pretty(&serde_json::to_value(plan)?)?, MODE)?;
    Ok(())
}

/// Writes the trust store. A root that an earlier plan has put there and that no key has any more is removed, so that
/// nobody goes on trusting it; what somebody else has put there stays.
fn write_roots(directories: &Directories, store: &str, roots: &[&Certificate]) -> Outcome {
    let folder = directories.trust_store(store);
    let file =
        |root: &Certificate| OsString::from(format!("{}.pem", crypto::hex(&root.fingerprint())));
    let names: BTreeSet<OsString> = roots.iter().map(|root| file(root)).collect();
    let stores = DirectoryTrustStore::new(directories.trust_stores());
    for other in folder_entries(&stores.folder_of(StoreType::Ca))? {
        for file in folder_entries(&other)? {
            let name = file.file_name().unwrap_or_default().to_owned();
            let is_kept = other == folder && names.contains(&name);
            if !is_kept && is_fingerprint(&name) {
                fs::remove_if_there(&file)?;
                output::note(&format!(
                    "note: {} is removed: no key of the plan has it",
                    file.display()
                ));
            }
        }
    }
    for root in roots {
        fs::write_atomic(&folder.join(file(root)), root.to_pem().as_bytes(), MODE)?;
    }
    Ok(())
}

/// Whether a file has a name of ours.
fn is_fingerprint(name: &OsStr) -> bool {
    let stem = name.to_str().and_then(|name| name.strip_suffix(".pem"));
    stem.is_some_and(|stem| stem.len() == 64 && stem.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Writes a file. What somebody may have edited is kept beside it, as `NAME.1`, `NAME.2` and so on.
fn write_beside(path: &Path, bytes: &[u8]) -> Outcome {
    match fs::read_bounded(path, limits::PLAN_BYTES) {
        Ok(known) if known == bytes => return Ok(()),
        Ok(_) => {
            let kept = free_name(path);
            fs::rename(path, &kept)?;
            output::note(&format!(
                "note: {} is made anew, and what it was is {}",
                path.display(),
                kept.display()
            ));
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(fs::write_atomic(path, bytes, MODE)?)
}

fn free_name(path: &Path) -> PathBuf {
    let mut number = 1u32;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        let name = PathBuf::from(name);
        if name.symlink_metadata().is_err() {
            return name;
        }
        number = number.saturating_add(1);
    }
}

fn pretty(value: &Value) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

/// The roots of chains, each once.
fn roots<'a>(chains: impl Iterator<Item = &'a CertificateChain>) -> Vec<&'a Certificate> {
    let mut seen = BTreeSet::new();
    chains.map(CertificateChain::root).filter(|root| seen.insert(root.fingerprint())).collect()
}

/// What is wrong with the policies, but for the identities that are still to be found.
pub(super) fn problems(plan: &Plan, chains: &BTreeMap<String, CertificateChain>) -> Vec<String> {
    // Without anything to sign there is no statement, and nothing to enforce.
    if plan.used_keys().is_empty() {
        return Vec::new();
    }
    let policy = policy(plan, chains, "strict").to_string();
    match OciPolicy::parse(policy.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(PolicyError::Invalid(problems)) => problems
            .iter()
            .map(ToString::to_string)
            .filter(|problem| !problem.contains(UNKNOWN))
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// A statement a repository. An identity that is not known yet has a form that every reader refuses.
fn policy(plan: &Plan, chains: &BTreeMap<String, CertificateChain>, level: &str) -> Value {
    let identity = |key: &str| match chains.get(key) {
        Some(chain) => format!("x509.subject: {}", chain.leaf().subject()),
        None => format!("x509.subject: {UNKNOWN} {key}>"),
    };
    let statement = |repository: &PlannedRepository| {
        json!({
            "name": repository.statement,
            "registryScopes": [repository.place()],
            "signatureVerification": {"level": level},
            "trustStores": [format!("ca:{}", plan.trust_store)],
            "trustedIdentities": repository.keys().into_iter().map(identity).collect::<BTreeSet<_>>(),
        })
    };
    let repositories = plan.repositories.iter().filter(|one| !one.signatures.is_empty());
    json!({"version": "1.0", "trustPolicies": repositories.map(statement).collect::<Vec<_>>()})
}

fn guide(plan: &Plan) -> String {
    let mut text = "# From Content Trust to Notary Project signatures\n\n".to_owned();
    for (number, step) in (1..).zip(&plan.steps) {
        text.push_str(&format!("{number}. {step}\n"));
    }
    text.push_str("\n## What the trust in the old signatures hangs on\n\n");
    for PlannedRepository { gun, root, .. } in &plan.repositories {
        text.push_str(&format!("- {gun}: {root}\n"));
    }
    text.push_str("\n## What is not carried over\n\n");
    for line in &plan.not_carried {
        text.push_str(&format!("- {line}\n"));
    }
    for repository in &plan.repositories {
        for line in &repository.not_carried {
            text.push_str(&format!("- {}: {line}\n", repository.gun));
        }
    }
    text
}
