//! `cert request`

use crate::{
    cli::{
        Outcome,
        args::{self, KeyArgs, ToArgs},
        failure::{Exit, Failure},
        output::{self, ShellWord},
    },
    pki::{self, CertificateRequest, RsaPadding, UnnameableSubject},
    x509::Name,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    subject: SubjectArgs,
    /// How an RSA key signs the request; pkcs1 where the CA does not take PSS
    #[arg(long, value_enum, default_value_t = Padding::Pss)]
    rsa_padding: Padding,
    #[command(flatten)]
    to: ToArgs,
}

// The subject of a certificate.
#[derive(Debug, clap::Args)]
pub(super) struct SubjectArgs {
    /// Subject, such as "C=US, ST=WA, O=Acme, CN=release signing"
    #[arg(long, value_name = "DN", value_parser = args::subject)]
    subject: Name,
    /// Take a subject that no trust policy can name: without C, ST or O, or with an attribute twice
    #[arg(long)]
    allow_unnameable_subject: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Padding {
    Pss,
    Pkcs1,
}

impl SubjectArgs {
    /// The subject, once a trust policy can name it.
    pub(super) fn checked(&self) -> Result<&Name, Failure> {
        match pki::check_nameable(&self.subject) {
            Err(error) if !self.allow_unnameable_subject => {
                let change = match error {
                    UnnameableSubject::Missing { .. } => "add them to --subject",
                    _ => "write --subject without it",
                };
                let hint = format!("{change}, or pass --allow-unnameable-subject");
                Err(Failure::new(Exit::Usage, error).hint(hint))
            }
            _ => Ok(&self.subject),
        }
    }
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let subject = self.subject.checked()?;
        self.to.check()?;
        let key = self.key.open()?;
        let padding = match self.rsa_padding {
            Padding::Pss => RsaPadding::Pss,
            Padding::Pkcs1 => RsaPadding::Pkcs1,
        };
        let request = key.ask(|key| CertificateRequest::for_code_signing(key, subject, padding))?;
        self.to.write(request.to_pem()?.as_bytes())?;
        output::note(&format!(
            "next: have a CA issue a code-signing certificate for it, then\n  {}",
            self.key_add()
        ));
        output::line(&format!("wrote {} for {subject}", self.to.path.display()))
    }

    /// The command that gives the key to notation, with the settings that it was reached with.
    fn key_add(&self) -> String {
        let id = ShellWord(self.key.id.as_str());
        let mut command = format!("notation-kms key add NAME --id {id} --cert-chain CHAIN.pem");
        for (key, value) in &self.key.config {
            let setting = format!("{key}={value}");
            command.push_str(" \\\n    --plugin-config ");
            command.push_str(&ShellWord(&setting).to_string());
        }
        command
    }
}
