//! `cert self-sign`

use super::request::SubjectArgs;
use crate::{
    cli::{
        Outcome,
        args::{KeyArgs, ToArgs},
        output,
    },
    config,
    pki::{CertificateTemplate, Issuer},
    x509::{CertificateChain, Rfc3339, to_pem},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Days of validity from now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    #[command(flatten)]
    to: ToArgs,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let subject = self.subject.checked()?;
        self.to.check()?;
        let key = self.key.open()?;
        let now = config::now();
        let validity = (now, now + time::Duration::days(self.days.into()));
        let template = CertificateTemplate::code_signing(subject.clone(), validity);
        let certificate = key.ask(|key| template.issue(key, Issuer::Itself))?;
        let until = Rfc3339(certificate.not_after());
        let chain = CertificateChain::from_ordered(vec![certificate])?;
        self.to.write(to_pem(&chain).as_bytes())?;
        output::note(
            "warning: this certificate is SELF-SIGNED, for trials: nobody but its key vouches for it,\n\
             nobody can revoke it, and whoever trusts it trusts that one key until it expires",
        );
        output::line(&format!(
            "wrote {} for {subject}, valid until {until}",
            self.to.path.display()
        ))
    }
}
