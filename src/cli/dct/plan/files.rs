//! The files of a plan's folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::{Value, json};

use super::{AUDIT, PLAN, STRICT, enforcement};
use crate::{
    cli::{Outcome, output},
    config::Directories,
    crypto,
    dct::plan::{Plan, PlannedRepository},
    fs, limits,
    x509::{Certificate, CertificateChain},
};

const MODE: u32 = 0o644;

/// Writes them all; the plan last, as it is what the others are made of.
pub(super) fn write(
    folder: &Path,
    plan: &Plan,
    chains: &BTreeMap<String, CertificateChain>,
    store: &str,
) -> Outcome {
    for (file, level) in [(AUDIT, "audit"), (STRICT, "strict")] {
        write_beside(&folder.join(file), &pretty(&policy(plan, chains, store, level))?)?;
    }
    // A folder of configuration as notation has it, so that NOTATION_CONFIG can name it.
    let directories =
        Directories { config: folder.to_owned(), libexec: folder.to_owned(), cache: None };
    for root in roots(chains.values()) {
        let name = format!("{}.pem", crypto::hex(&root.fingerprint()));
        let pem = root.to_pem();
        fs::write_atomic(&directories.trust_store(store).join(name), pem.as_bytes(), MODE)?;
    }
    let roots_of = |repository: Option<&PlannedRepository>| match repository {
        Some(one) => roots(one.keys().into_iter().filter_map(|key| chains.get(key))),
        None => roots(chains.values()),
    };
    let strict = policy(plan, chains, store, "strict");
    let settings = enforcement::Settings::new(plan, &roots_of, store, &strict);
    for (name, text) in settings.files()? {
        write_beside(&folder.join("enforcement").join(name), text.as_bytes())?;
    }
    fs::write_atomic(&folder.join("README.md"), guide(plan).as_bytes(), MODE)?;
    fs::write_atomic(&folder.join(PLAN), &pretty(&serde_json::to_value(plan)?)?, MODE)?;
    Ok(())
}

/// Writes a file. What somebody may have edited is kept beside it, as `NAME.1`.
fn write_beside(path: &Path, bytes: &[u8]) -> Outcome {
    match fs::read_bounded(path, limits::PLAN_BYTES) {
        Ok(known) if known == bytes => return Ok(()),
        Ok(_) => {
            let mut kept = path.as_os_str().to_owned();
            kept.push(".1");
            fs::rename(path, Path::new(&kept))?;
            output::note(&format!(
                "note: {} is made anew, and what it was is {}",
                path.display(),
                Path::new(&kept).display()
            ));
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(fs::write_atomic(path, bytes, MODE)?)
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

/// A statement a repository. An identity that is not known yet has a form that every reader refuses.
fn policy(
    plan: &Plan,
    chains: &BTreeMap<String, CertificateChain>,
    store: &str,
    level: &str,
) -> Value {
    let identity = |key: &str| match chains.get(key) {
        Some(chain) => format!("x509.subject: {}", chain.leaf().subject()),
        None => format!("x509.subject: <subject of the certificate of key {key}>"),
    };
    let statement = |repository: &PlannedRepository| {
        json!({
            "name": repository.statement,
            "registryScopes": [repository.repository],
            "signatureVerification": {"level": level},
            "trustStores": [format!("ca:{store}")],
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
