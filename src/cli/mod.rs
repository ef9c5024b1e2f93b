//! The executable: what people type, and what the notation CLI runs.

mod args;
mod artifact;
mod blob;
mod cert;
mod completions;
mod contents;
mod copy;
mod credentials;
mod dct;
mod envelope_report;
mod failure;
mod host;
mod inspect;
mod key;
mod list;
mod login;
mod logout;
mod man;
mod output;
mod plugin;
mod policy;
mod quickstart;
mod registry;
mod results;
mod revocation;
mod sign;
mod signing;
mod tree;
mod verdict;
mod verify;
mod version;

use std::{env, ffi::OsString, process::ExitCode, sync::OnceLock};

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::plugin::is_protocol_command;
use failure::{Exit, Failure};

/// Sign container images and files with the key service you already own, and make the certificates
/// for it. The notation CLI runs this same executable as its plugin `kms`.
#[derive(Debug, Parser)]
#[command(name = "notation-kms", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Quickstart(quickstart::Args),
    Sign(sign::Args),
    Verify(verify::Args),
    Inspect(inspect::Args),
    List(list::Args),
    Copy(copy::Args),
    #[command(subcommand)]
    Blob(blob::Command),
    #[command(subcommand)]
    Cert(cert::Command),
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Plugin(plugin::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Revocation(revocation::Command),
    #[command(subcommand)]
    Dct(dct::Command),
    Login(login::Args),
    Logout(logout::Args),
    Completions(completions::Args),
    Man(man::Args),
    Version(version::Args),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    // The notation CLI calls a plugin three times a signature, so nothing is parsed for it but this word.
    let command = arguments.get(1).and_then(|word| word.to_str());
    if command.is_some_and(is_protocol_command) {
        return host::serve(arguments.get(1..).unwrap_or_default());
    }
    let format = output::Format::wanted(&arguments);
    match Cli::try_parse_from(arguments) {
        Ok(cli) => cli.command.run(),
        Err(error) => output::usage(&error, format),
    }
}

impl Command {
    fn run(self) -> ExitCode {
        let format = self.format();
        let result = match self {
            Self::Quickstart(args) => args.run(),
            Self::Sign(args) => args.run(),
            Self::Verify(args) => args.run(),
            Self::Inspect(args) => args.run(),
            Self::List(args) => args.run(),
            Self::Copy(args) => args.run(),
            Self::Blob(command) => command.run(),
            Self::Cert(command) => command.run(),
            Self::Key(command) => command.run(),
            Self::Plugin(command) => command.run(),
            Self::Policy(command) => command.run(),
            Self::Revocation(command) => command.run(),
            Self::Dct(command) => command.run(),
            Self::Login(args) => args.run(),
            Self::Logout(args) => args.run(),
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(),
            Self::Version(args) => args.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => output::failure(format, &failure),
        }
    }

    /// The format in which errors are told.
    const fn format(&self) -> output::Format {
        match self {
            Self::Cert(command) => command.format(),
            Self::Key(command) => command.format(),
            Self::Policy(command) => command.format(),
            Self::Revocation(command) => command.format(),
            Self::Dct(command) => command.format(),
            Self::Version(args) => args.output.format,
            Self::Sign(args) => args.output.format,
            Self::Verify(args) => args.output.format,
            Self::Inspect(args) => args.output.format,
            Self::List(args) => args.output.format,
            Self::Copy(args) => args.output.format,
            Self::Login(args) => args.output.format,
            Self::Logout(args) => args.output.format,
            Self::Blob(command) => command.format(),
            Self::Quickstart(_) | Self::Plugin(_) | Self::Completions(_) | Self::Man(_) => {
                output::Format::Text
            }
        }
    }
}

/// What a command gives.
type Outcome = Result<(), Failure>;

/// Runs what reaches a service. All of a command runs on one runtime, to which its connections belong; nothing
/// ends it but the process, as that would wait for a name resolver that hangs.
fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.block_on(future));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Other, error))?;
    Ok(RUNTIME.get_or_init(|| runtime).block_on(future))
}
