//! `plugin install`

use std::{env, path::PathBuf};

use crate::{
    cli::{
        Outcome,
        failure::{Exit, Failure},
        output,
    },
    config::Directories,
    fs, plugin,
};

/// A plugin is a regular file that may be executed (plugin-extensibility.md, "Plugin installation path").
const MODE: u32 = 0o755;

/// Put a copy of this executable where the notation CLI looks for the plugin "kms".
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "every command runs alike")]
    pub(super) fn run(&self) -> Outcome {
        let path = install(&Directories::from_environment()?)?;
        output::line(&format!(
            "installed {} {} at {}",
            plugin::NAME,
            env!("CARGO_PKG_VERSION"),
            path.display()
        ))
    }
}

/// Copies this executable into the plugin folder, by rename, so that a notation that runs at the moment
/// sees the old or the new file.
pub(in crate::cli) fn install(directories: &Directories) -> Result<PathBuf, Failure> {
    let other = |error: std::io::Error| Failure::new(Exit::Other, error);
    let executable = env::current_exe()
        .map_err(|error| other(error).context("this executable's own path is not known"))?;
    let target = directories.plugin(plugin::NAME);
    let same = |a: &std::path::Path, b: &std::path::Path| {
        Some(a.canonicalize().ok()? == b.canonicalize().ok()?)
    };
    if same(&executable, &target) != Some(true) {
        fs::copy_atomic(&executable, &target, MODE)?;
    }
    Ok(target)
}
