//! How registries are reached.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{self, Read as _},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use zeroize::Zeroizing;

use super::{
    artifact::Artifacts,
    credentials::{self, PASSWORD, USERNAME},
    failure::{Exit, Failure},
    host::Secrets,
    output,
};
use crate::{
    config, fs,
    http::Credential,
    keys::Secrets as _,
    limits,
    oci::Reference,
    plugin::SIGNING_AGENT,
    registry::remote::{RemoteError, RemoteOptions, RemoteRegistry, RemoteRepository},
};

// How the registry is reached
#[derive(Debug, clap::Args)]
pub(super) struct RegistryArgs {
    /// Ask the registry by plain HTTP, for tests only
    #[arg(long)]
    insecure_registry: bool,
    /// Certificates to trust beside the system's, PEM; may be repeated
    #[arg(long, value_name = "FILE")]
    ca_cert: Vec<PathBuf>,
    /// Client certificate for the registry, PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Private key of the client certificate, PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// User of the registry, whose password is $NOTATION_PASSWORD, or asked for
    #[arg(long, short = 'u', value_name = "USER", value_parser = username)]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Seconds to wait for a registry that does not answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// What the command line or the environment gives, and the first registry that is asked, whose it is.
    #[arg(skip)]
    given: RefCell<Option<(String, Credential)>>,
}

/// The registries of a command. Each is logged in to once, and its connections serve all its repositories.
#[derive(Debug, Clone)]
pub(super) struct Registries<'a> {
    args: &'a RegistryArgs,
    force_referrers_tag: bool,
    known: Rc<RefCell<BTreeMap<String, RemoteRegistry>>>,
}

impl<'a> Registries<'a> {
    pub(super) fn new(args: &'a RegistryArgs, force_referrers_tag: bool) -> Self {
        Self { args, force_referrers_tag, known: Rc::default() }
    }

    /// What references name: artifacts of these registries, or of image layouts.
    pub(super) fn artifacts(&self, in_layouts: bool) -> Artifacts<'a> {
        Artifacts { in_layouts, registries: self.clone() }
    }

    /// The repository of a reference. Nothing is asked yet.
    pub(super) fn repository(&self, reference: &Reference) -> Result<RemoteRepository, Failure> {
        let usage = |error: RemoteError| Failure::new(Exit::Usage, error);
        let mut known = self.known.borrow_mut();
        let registry = match known.get(reference.registry()) {
            Some(registry) => registry,
            None => {
                let options = self.args.options(reference, self.force_referrers_tag)?;
                let registry = RemoteRegistry::new(reference, options).map_err(usage)?;
                known.entry(reference.registry().to_owned()).or_insert(registry)
            }
        };
        registry.repository(reference).map_err(usage)
    }
}

impl RegistryArgs {
    /// What has no meaning where no registry is asked.
    pub(super) const ALL: [&str; 7] = [
        "insecure_registry",
        "ca_cert",
        "client_cert",
        "client_key",
        "username",
        "password_stdin",
        "timeout",
    ];

    /// How a registry is reached by whoever the command line, the environment or a store says.
    fn options(
        &self,
        reference: &Reference,
        force_referrers_tag: bool,
    ) -> Result<RemoteOptions, Failure> {
        let registry = reference.registry();
        let credential = match self.given(registry)? {
            Some(credential) => Some(credential),
            None => {
                if config::variable(USERNAME).is_some() && config::variable(PASSWORD).is_none() {
                    output::note(&format!("note: {USERNAME} without {PASSWORD} is not looked at"));
                }
                credentials::of_registry(registry)
            }
        };
        Ok(RemoteOptions { force_referrers_tag, ..self.options_as(credential)? })
    }

    /// How a registry is reached.
    pub(super) fn options_as(
        &self,
        credential: Option<Credential>,
    ) -> Result<RemoteOptions, Failure> {
        let mut options = RemoteOptions {
            insecure: self.insecure_registry,
            user_agent: format!("{SIGNING_AGENT} notation"),
            credential,
            on_pause: Some(tell_pause),
            timeout: Duration::from_secs(self.timeout),
            ..RemoteOptions::default()
        };
        for path in &self.ca_cert {
            let pem = fs::read_bounded(path, limits::CERTIFICATE_FILE_BYTES)
                .map_err(|error| Failure::new(Exit::Usage, error))?;
            options.root_certificates.push(pem);
        }
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            let usage = |error| Failure::new(Exit::Usage, error);
            let certificate =
                fs::read_bounded(certificate, limits::CERTIFICATE_FILE_BYTES).map_err(usage)?;
            let mut pem = Zeroizing::new(certificate);
            pem.push(b'\n');
            let secret = fs::read_secret(key, limits::KEY_FILE_BYTES).map_err(usage)?;
            if secret.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) {
                let message = format!("client key {} is encrypted", key.display());
                return Err(Failure::message(Exit::Usage, message).hint(
                    "`openssl pkey` writes it without a passphrase; let nobody else read that file",
                ));
            }
            pem.extend_from_slice(&secret);
            options.identity = Some(pem);
        }
        Ok(options)
    }

    /// Who is said to ask: by the command line, else by the environment. Neither names a registry, so that it is the
    /// first one that is asked, and no other is sent its password.
    pub(super) fn given(&self, registry: &str) -> Result<Option<Credential>, Failure> {
        if let Some((owner, credential)) = self.given.borrow().as_ref() {
            if owner == registry {
                return Ok(Some(credential.clone()));
            }
            if self.username.is_some() {
                let message =
                    format!("--username is for {owner}, and {registry} is another registry");
                return Err(Failure::message(Exit::Usage, message)
                    .hint("log in to both with `notation-kms login`"));
            }
            output::note(&format!("note: {PASSWORD} is for {owner}, and not sent to {registry}"));
            return Ok(None);
        }
        let credential = match &self.username {
            Some(username) => Some(self.user(username.clone())?),
            None => credentials::of_environment(),
        };
        *self.given.borrow_mut() =
            credential.clone().map(|credential| (registry.to_owned(), credential));
        Ok(credential)
    }

    /// A user with the password from standard input, the environment, or a person.
    pub(super) fn user(&self, username: String) -> Result<Credential, Failure> {
        let password = if self.password_stdin {
            Some(piped_password()?)
        } else {
            let typed = || Secrets { may_prompt: true }.prompt("Password: ");
            config::variable(PASSWORD).or_else(typed).map(Zeroizing::new)
        };
        let password = password.filter(|password| !password.is_empty()).ok_or_else(|| {
            Failure::message(Exit::Usage, format!("there is no password of {username}"))
                .hint(format!("pipe it in with --password-stdin, or set {PASSWORD}"))
        })?;
        Ok(Credential::Basic { username, password })
    }
}

/// What stands in the PEM of a key with a passphrase, of either form.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// Says on a terminal why nothing happens.
fn tell_pause(status: u16, pause: Duration) {
    let progress = output::Progress::new();
    match pause.as_secs() {
        0 => progress.clear(),
        seconds => progress.show(&format!("waiting {seconds} s: the registry says {status}")),
    }
}

/// A user's name, which a colon would end (RFC 7617, section 2).
pub(super) fn username(text: &str) -> Result<String, String> {
    let is_user = !text.is_empty() && !text.contains(':') && !text.contains(char::is_control);
    if is_user { Ok(text.to_owned()) } else { Err("expected a user, without a colon".to_owned()) }
}

/// All of standard input but for the end of its line.
fn piped_password() -> Result<Zeroizing<String>, Failure> {
    let usage = |message: String| Failure::message(Exit::Usage, message);
    let limit = limits::PASSWORD_BYTES;
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.saturating_add(3)));
    let room = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(3);
    io::stdin().lock().take(room).read_to_end(&mut bytes)?;
    let text = str::from_utf8(&bytes).map_err(|_| usage("password is not UTF-8".to_owned()))?;
    let ends = ["\r\n", "\n", "\r"];
    let password = ends.iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
    if password.len() > limit {
        return Err(usage(format!("password is over the limit of {limit} bytes")));
    }
    Ok(Zeroizing::new(password.to_owned()))
}
