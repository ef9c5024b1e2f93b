//! `cert self-sign`

use std::path::PathBuf;

use super::request::SubjectArgs;
use crate::{
    cli::{
        Outcome,
        args::{self, KeyArgs},
        output,
    },
    config,
    pki::{CertificateTemplate, Issuer},
    x509::{CertificateChain, Rfc3339, to_pem},
};

/// Write a certificate that the key has issued to itself, for trials.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Days of validity from now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// Where the certificate goes
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Replace the file where it exists
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let subject = self.subject.checked()?;
        let key = self.key.open()?;
        let now = config::now();
        let validity = (now, now + time::Duration::days(self.days.into()));
        let template = CertificateTemplate::code_signing(subject.clone(), validity);
        let certificate = key.ask(|key| template.issue(key, Issuer::Itself))?;
        let until = Rfc3339(certificate.not_after());
        let chain = CertificateChain::from_ordered(vec![certificate])?;
        args::write_new(&self.to, to_pem(&chain).as_bytes(), 0o644, self.force)?;
        output::note(
            "warning: this certificate is SELF-SIGNED, for trials: nobody but its key vouches for it,\n\
             nobody can revoke it, and whoever trusts it trusts that one key until it expires",
        );
        output::line(&format!("wrote {} for {subject}, valid until {until}", self.to.display()))
    }
}
