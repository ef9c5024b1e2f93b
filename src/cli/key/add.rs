//! `key add`

use std::path::PathBuf;

use crate::{
    cli::{
        Outcome,
        args::{self, KeyArgs},
        failure::{Exit, Failure},
        output::{self, ShellWord},
    },
    config::{self, Directories, KeyEntry, KeyName, SigningKeys},
    plugin::{self, CERT_CHAIN},
    x509::{CertificateChain, Purpose, Rfc3339},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name for the key
    name: KeyName,
    #[command(flatten)]
    key: KeyArgs,
    /// Certificates of the key: leaf, issuers and root, in any order, as PEM, DER or PKCS#7
    #[arg(long, value_name = "FILE")]
    cert_chain: PathBuf,
    /// Make this the key that `notation sign` takes without --key
    #[arg(long)]
    default: bool,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let plugin_config = self.key.stored_config()?;
        let chain = usable_chain(&self.cert_chain)?;
        let directories = Directories::from_environment()?;
        let mut keys = SigningKeys::load(&directories.signing_keys())?;
        keys.add(KeyEntry::new(
            self.name.as_str(),
            self.key.id.as_str(),
            plugin::NAME,
            plugin_config,
        ))
        .map_err(|error| {
            Failure::from(error).hint(format!("notation-kms key update {}", self.name))
        })?;
        let copy = super::keep_chain(&directories, &self.name, &chain)?;
        let key = keys.find_mut(self.name.as_str())?;
        key.plugin_config.insert(CERT_CHAIN.to_owned(), copy);
        if self.default || keys.keys.len() == 1 {
            keys.default = Some(self.name.to_string());
        }
        keys.save(&directories.signing_keys())?;
        let leaf = chain.leaf();
        output::line(&format!(
            "added {} for {} ({}), valid until {}",
            self.name,
            leaf.subject(),
            leaf.public_key(),
            Rfc3339(leaf.not_after())
        ))
    }
}

/// Reads a chain, puts it in order, and shows that it can be signed with today.
pub(super) fn usable_chain(path: &std::path::Path) -> Result<CertificateChain, Failure> {
    let unusable = |failure: Failure| {
        let path_text = path.display().to_string();
        let check = format!("notation-kms cert check {}", ShellWord(&path_text));
        failure.context(format!("{} cannot be used for signing", path.display())).hint(check)
    };
    let repaired = args::read_chain(path)?;
    for certificate in &repaired.unused {
        output::note(&format!(
            "note: certificate {} is not needed, and left out",
            certificate.subject()
        ));
    }
    let chain = repaired.chain;
    chain
        .verify(Purpose::CodeSigning)
        .map_err(|error| unusable(Failure::new(Exit::Usage, error)))?;
    chain
        .check_validity(config::now())
        .map_err(|error| unusable(Failure::new(Exit::Usage, error)))?;
    Ok(chain)
}
