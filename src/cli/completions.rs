//! `completions`

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Outcome, output};

/// clap_complete 4.6.11 writes the hyphen of a program's name in two ways, after which bash knows no command below
/// the first level.
const MISNAMED: (&str, &str) = ("notation__subcmd__kms", "notation__kms");

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
