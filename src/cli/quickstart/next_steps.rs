//! What a person does next: the same with the notation CLI, and with a key service.

use std::{env, fmt, path::Path};

use super::{NAME, SCOPE};
use crate::{cli::output::ShellWord, oci::Descriptor};

/// The commands, to be copied into a shell.
pub(super) struct NextSteps<'a> {
    /// The folder of the quickstart.
    pub(super) root: &'a Path,
    /// What was signed.
    pub(super) artifact: &'a Descriptor,
}

impl fmt::Display for NextSteps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |name: &str| self.root.join(name).display().to_string();
        let (config, layout) = (path("config"), path("layout"));
        let artifact = format!("{layout}@{}", self.artifact.digest);
        let (config, artifact) = (ShellWord(&config), ShellWord(&artifact));
        // After cargo run it is not on the search path.
        let this = env::current_exe()
            .map_or_else(|_| "notation-kms".to_owned(), |path| path.display().to_string());
        let this = ShellWord(&this);
        write!(
            f,
            "\nThe same with the notation CLI, in this folder's configuration:\n\n  \
             export XDG_CONFIG_HOME={config} NOTATION_EXPERIMENTAL=1\n  \
             notation plugin list\n  \
             notation key list\n  \
             notation cert list\n  \
             notation policy show\n  \
             notation sign --oci-layout {artifact} --key {NAME}\n  \
             notation verify --oci-layout {artifact} --scope {SCOPE}\n\n\
             With a key of AWS KMS, in another shell and your own configuration:\n\n  \
             {this} plugin install\n  \
             {this} cert request --id awskms:///alias/release \\\n    \
             --subject \"C=US, ST=WA, O=Acme, CN=release signing\" --to release.csr\n  \
             # your CA issues a code-signing certificate for release.csr: chain.pem, up to root.pem\n  \
             {this} key add release --id awskms:///alias/release --cert-chain chain.pem\n  \
             notation sign --key release registry.example/app@sha256:...\n  \
             # whoever verifies trusts root.pem, and names the subject in trustpolicy.json\n  \
             notation cert add --type ca --store acme root.pem\n  \
             notation policy import trustpolicy.json\n  \
             notation verify registry.example/app@sha256:..."
        )
    }
}
