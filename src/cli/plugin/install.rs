//! `plugin install`

use std::{
    env,
    path::{Path, PathBuf},
};

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
    if !is_this_file(&executable, &target) {
        fs::copy_atomic(&executable, &target, MODE)?;
    }
    Ok(target)
}

/// Whether the target is the executable itself, run from where it is installed. A link to it is not: the
/// specification forbids plugins that are links, and a link ends with what it leads to.
fn is_this_file(executable: &Path, target: &Path) -> bool {
    if !target.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        return false;
    }
    match (executable.canonicalize(), target.canonicalize()) {
        (Ok(executable), Ok(target)) => executable == target,
        _ => false,
    }
}
