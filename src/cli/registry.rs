//! How registries are reached.

use std::{cell::RefCell, collections::BTreeMap, path::PathBuf, rc::Rc};

use zeroize::Zeroizing;

use super::{
    artifact::Artifacts,
    credentials,
    failure::{Exit, Failure},
};
use crate::{
    fs, limits,
    oci::Reference,
    plugin::SIGNING_AGENT,
    registry::remote::{RemoteError, RemoteOptions, RemoteRegistry, RemoteRepository},
};

/// How the registry is reached
#[derive(Debug, clap::Args)]
pub(super) struct RegistryArgs {
    /// Ask the registry by plain HTTP, for tests only
    #[arg(long)]
    insecure_registry: bool,
    /// Certificates to trust beside the system's, PEM; may be repeated
    #[arg(long, value_name = "FILE")]
    ca_cert: Vec<PathBuf>,
    /// Client certificate for the registry, PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Private key of the client certificate, PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

/// The registries of a command. Each is logged in to once, and its connections serve all its repositories.
#[derive(Debug, Clone)]
pub(super) struct Registries<'a> {
    args: &'a RegistryArgs,
    force_referrers_tag: bool,
    known: Rc<RefCell<BTreeMap<String, RemoteRegistry>>>,
}

impl<'a> Registries<'a> {
    pub(super) fn new(args: &'a RegistryArgs, force_referrers_tag: bool) -> Self {
        Self { args, force_referrers_tag, known: Rc::default() }
    }

    /// What references name: artifacts of these registries, or of image layouts.
    pub(super) fn artifacts(&self, in_layouts: bool) -> Artifacts<'a> {
        Artifacts { in_layouts, registries: self.clone() }
    }

    /// The repository of a reference. Nothing is asked yet.
    pub(super) fn repository(&self, reference: &Reference) -> Result<RemoteRepository, Failure> {
        let usage = |error: RemoteError| Failure::new(Exit::Usage, error);
        let mut known = self.known.borrow_mut();
        let registry = match known.get(reference.registry()) {
            Some(registry) => registry,
            None => {
                let options = self.args.options(reference, self.force_referrers_tag)?;
                let registry = RemoteRegistry::new(reference, options).map_err(usage)?;
                known.entry(reference.registry().to_owned()).or_insert(registry)
            }
        };
        registry.repository(reference).map_err(usage)
    }
}

impl RegistryArgs {
    /// What has no meaning where no registry is asked.
    pub(super) const ALL: [&str; 4] = ["insecure_registry", "ca_cert", "client_cert", "client_key"];

    fn options(
        &self,
        reference: &Reference,
        force_referrers_tag: bool,
    ) -> Result<RemoteOptions, Failure> {
        let mut options = RemoteOptions {
            insecure: self.insecure_registry,
            force_referrers_tag,
            user_agent: format!("{SIGNING_AGENT} notation"),
            credential: credentials::of_registry(reference.registry()),
            ..RemoteOptions::default()
        };
        for path in &self.ca_cert {
            let pem = fs::read_bounded(path, limits::CERTIFICATE_FILE_BYTES)
                .map_err(|error| Failure::new(Exit::Usage, error))?;
            options.root_certificates.push(pem);
        }
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            let usage = |error| Failure::new(Exit::Usage, error);
            let certificate =
                fs::read_bounded(certificate, limits::CERTIFICATE_FILE_BYTES).map_err(usage)?;
            let mut pem = Zeroizing::new(certificate);
            pem.push(b'\n');
            pem.extend_from_slice(&fs::read_secret(key, limits::KEY_FILE_BYTES).map_err(usage)?);
            options.identity = Some(pem);
        }
        Ok(options)
    }
}
