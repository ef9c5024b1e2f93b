//! `completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Outcome, output};

/// clap_complete 4.6.11 writes the hyphen of a program's name in two ways, after which bash knows no command below
/// the first level.
const MISNAMED: (&str, &str) = ("notation__subcmd__kms", "notation__kms");

/// Print a script that completes commands and options in a shell.
///
/// bash: `notation-kms completions bash > ~/.local/share/bash-completion/completions/notation-kms`;
/// zsh: `notation-kms completions zsh > "${fpath[1]}/_notation-kms"`;
/// fish: `notation-kms completions fish > ~/.config/fish/completions/notation-kms.fish`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let mut command = Cli::command();
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        if self.shell == Shell::Bash {
            let text = String::from_utf8_lossy(&script);
            script = text.replace(MISNAMED.0, MISNAMED.1).into_bytes();
        }
        output::document(&script)
    }
}
