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

// A command is described here, as its arguments are built only where it is the one that is asked for: to build all of them
// takes as long as a verification.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Command {
    /// Sign and verify something real, with a local key and no account anywhere.
    ///
    /// Makes a root, an issuing CA, a code-signing certificate, a trust store and a strict trust policy,
    /// packs FILE as an OCI artifact, signs it, verifies it, and prints the commands that show, sign and
    /// verify the same with the notation CLI, and those that go the whole way with a key of AWS KMS.
    Quickstart(quickstart::Args),
    /// Sign artifacts with the key service that holds your key.
    ///
    /// Each signature is verified before it is stored, and stored beside its artifact, where the notation CLI finds it
    /// too. What carries such a signature by the same certificate already is left alone: one of the same metadata and format,
    /// with a timestamp that holds where one is asked for, and good for no longer than --expiry says and half as long at
    /// least.
    Sign(sign::Args),
    /// Verify the signatures of artifacts under the trust policy.
    Verify(verify::Args),
    /// Show what stands in the signatures of an artifact. No trust policy is asked: nothing of it is proved.
    Inspect(inspect::Args),
    /// List the signatures of an artifact. None of them is verified.
    ///
    /// With --signed-by, find what a certificate has signed: in one artifact, or in everything that a repository's tags or
    /// an image layout lead to. What has no tag in a registry is not found.
    #[command(visible_alias = "ls")]
    List(list::Args),
    /// Copy an artifact with its signatures, between registries and image layouts.
    ///
    /// The artifact is verified under the trust policy before anything is written, and once more where it was copied to.
    /// Everything that an index lists is copied too, with its signatures. What else refers to the artifact is not. The tag is
    /// set last, on what was accepted there. Both are judged as the repository of the source, or that of --scope.
    Copy(copy::Args),
    /// Sign files, and verify and show their signatures, which are files too.
    #[command(subcommand)]
    Blob(blob::Command),
    /// Make and check certificates for keys that never leave their service, and keep those that are trusted.
    #[command(subcommand)]
    Cert(cert::Command),
    /// Name keys of a key service for the notation CLI (signingkeys.json).
    #[command(subcommand)]
    Key(key::Command),
    /// Install this executable as a Notation plugin.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Write, check, explain and install trust policies (trustpolicy.json).
    #[command(subcommand)]
    Policy(policy::Command),
    /// Ask whether certificates are revoked, and collect the answers for where nobody can be asked.
    #[command(subcommand)]
    Revocation(revocation::Command),
    /// Leave Docker Content Trust (notary v1): find it, keep its data, plan, and sign again.
    #[command(subcommand)]
    Dct(dct::Command),
    /// Log in to a registry: check user and password there, and keep them where docker and notation find them.
    ///
    /// Docker's configuration says which credential helper keeps the password. The password is asked for, or read from
    /// standard input, and is never an argument.
    Login(login::Args),
    /// Forget user and password of a registry, under every name that docker has given it.
    ///
    /// A registry that nothing is known of is no failure, as it is none for docker.
    Logout(logout::Args),
    /// Print a script that completes commands and options in a shell.
    ///
    /// bash: `notation-kms completions bash > ~/.local/share/bash-completion/completions/notation-kms`;
    /// zsh: `notation-kms completions zsh > "${fpath[1]}/_notation-kms"`;
    /// fish: `notation-kms completions fish > ~/.config/fish/completions/notation-kms.fish`
    Completions(completions::Args),
    /// Print the manual page, or write the pages of all commands.
    Man(man::Args),
    /// Print the version of this executable and of the plugin contract that it speaks.
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
