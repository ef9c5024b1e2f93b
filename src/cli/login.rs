//! `login`

use std::{
    fmt,
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use serde::Serialize;

use super::{
    Outcome,
    args::OutputArgs,
    block_on,
    credentials::{self, Keeper, USERNAME},
    failure::{Exit, Failure},
    output,
    registry::{RegistryArgs, username},
};
use crate::{
    config,
    http::Credential,
    oci::{Reference, ReferenceError},
    registry::{RepositoryError, remote::RemoteRegistry},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The registry: HOST or HOST:PORT
    #[arg(value_name = "REGISTRY")]
    name: String,
    /// Where no credential helper is set, keep the password in docker's config.json, where everybody who can read the
    /// file can read it
    #[arg(long)]
    plain_text: bool,
    /// What other programs take, only to say why it is not taken here.
    #[arg(long, short, hide = true, num_args(0..=1), value_name = "PASSWORD")]
    password: Option<Option<String>>,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// What is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    registry: String,
    /// `null`: an identity token, which tells by itself whose it is.
    username: Option<String>,
    /// Whether the registry wanted to know who asks.
    checked: bool,
    /// The program that keeps the password; `null`: the file does.
    helper: Option<String>,
    file: PathBuf,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        if self.password.is_some() {
            let message = "a password is no argument: everybody on this machine could read it, and shells keep it";
            return Err(Failure::message(Exit::Usage, message)
                .hint("--password-stdin reads it from standard input"));
        }
        let reference = reference(&self.name)?;
        let keeper = Keeper::of_registry(&self.name)?;
        if keeper.helper.is_none() && !self.plain_text {
            return Err(self.no_helper(&keeper));
        }
        let credential = self.credential()?;
        let username = match &credential {
            Credential::Basic { username, .. } => Some(username.clone()),
            Credential::IdentityToken(_) => None,
        };
        let options = self.registry.options_as(Some(credential.clone()))?;
        let registry = RemoteRegistry::new(&reference, options)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let checked = block_on(registry.check_credential())?.map_err(|error| {
            match Failure::from(RepositoryError::from(error)) {
                // To log in is what was tried.
                failure if failure.exit() == Exit::Denied => failure.without_hint(),
                failure => failure,
            }
        })?;
        if !checked {
            let text = format!(
                "warning: {} let anybody in: nothing says that the password is right",
                self.name
            );
            output::note(&text);
        }
        keeper.keep(&credential)?;
        for place in credentials::elsewhere(&self.name) {
            output::note(&format!("warning: {place} has credentials for {} too", self.name));
        }
        let report = Report {
            registry: self.name.clone(),
            username,
            checked,
            helper: keeper.helper.as_ref().map(|helper| helper.name().to_owned()),
            file: keeper.path().clone(),
        };
        output::data(self.output.format, &report)
    }

    fn credential(&self) -> Result<Credential, Failure> {
        if let Some(credential) = self.registry.given(&self.name)? {
            return Ok(credential);
        }
        if !io::stdin().is_terminal() {
            let message = "nobody is there to be asked who logs in";
            return Err(Failure::message(Exit::Usage, message).hint(
                "--username USER --password-stdin, or NOTATION_USERNAME and NOTATION_PASSWORD",
            ));
        }
        let user = match config::variable(USERNAME) {
            Some(user) => user,
            None => output::ask("Username: ")?,
        };
        let user = username(&user).map_err(|message| Failure::message(Exit::Usage, message))?;
        self.registry.user(user)
    }

    fn no_helper(&self, keeper: &Keeper) -> Failure {
        let file = keeper.path().display();
        let message = format!("{file} names no credential helper that could keep the password");
        Failure::message(Exit::Usage, message).hint(
            "set \"credsStore\" there to what follows docker-credential- in the name of an installed helper, such as \
             pass, secretservice or osxkeychain; --plain-text keeps the password in the file as it is",
        )
    }
}

/// A registry alone, as the reference of something in it.
pub(super) fn reference(registry: &str) -> Result<Reference, Failure> {
    let usage = |error: ReferenceError| Failure::new(Exit::Usage, error);
    if registry.contains("://") {
        let message = format!("{registry:?} has a scheme: a registry is HOST or HOST:PORT");
        return Err(Failure::message(Exit::Usage, message));
    }
    if registry.contains('/') {
        return Err(usage(ReferenceError::BadRegistry(registry.to_owned())));
    }
    format!("{registry}/any").parse().map_err(usage)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "logged in to {}", self.registry)?;
        if let Some(username) = &self.username {
            write!(f, " as {username}")?;
        }
        match &self.helper {
            Some(helper) => write!(f, "; {helper} keeps the password"),
            None => write!(f, "; the password stands in {}", self.file.display()),
        }
    }
}
