//! `man`

use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::{Cli, Outcome, output};
use crate::fs;

/// Anybody may read what a manual says.
const FILE_MODE: u32 = 0o644;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to write one page a command to, such as ~/.local/share/man/man1; it is made where there is none
    #[arg(long = "to", value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let Some(folder) = &self.folder else { return output::document(&rendered(&command)?.1) };
        let mut left = vec![&command];
        let mut written = 0u32;
        while let Some(command) = left.pop() {
            let (name, page) = rendered(command)?;
            fs::write_atomic(&folder.join(name), &page, FILE_MODE)?;
            written = written.saturating_add(1);
            left.extend(command.get_subcommands().filter(|command| !command.is_hide_set()));
        }
        output::line(&format!("wrote {written} pages to {}", folder.display()))
    }
}

/// Its file's name, and the page.
fn rendered(command: &clap::Command) -> std::io::Result<(String, Vec<u8>)> {
    let source = concat!("notation-kms ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source).manual("Notation KMS");
    let mut page = Vec::new();
    man.render(&mut page)?;
    Ok((man.get_filename(), page))
}
