//! What went wrong, as a person and as a script are told: an error with its causes, a hint, an exit code.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::json;

use super::credentials::CredentialsError;
use crate::{
    config::{KeyNameError, NoConfigurationFolder, SigningKeysError},
    dct::{
        ArchiveError,
        client::{ClientError, ClientErrorKind},
    },
    http::HttpError,
    keys::{KeyError, KeyErrorKind},
    pki::PkiError,
    registry::RepositoryError,
    sign::SignError,
    text::within_line,
    timestamp::authority::{AuthorityError, AuthorityErrorKind},
    x509::BundleError,
};

/// Exit codes; README.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// Anything not listed: the disk, a defect.
    Other = 1,
    /// The command line or an input file is wrong.
    Usage = 2,
    /// The check that was asked for failed.
    Rejected = 3,
    /// There is no signature at all.
    Unsigned = 4,
    /// Something that has to be configured is not.
    NotConfigured = 5,
    /// A service could not be reached in time; trying again may help.
    Unavailable = 6,
    /// Credentials were refused.
    Denied = 7,
    /// No such key, no trust data.
    NotFound = 8,
    /// Some of many failed.
    Partial = 9,
}

impl Exit {
    /// Of two that hold, the one that a script has to act on first.
    pub(super) fn first(self, other: Self) -> Self {
        const ORDER: [Exit; 8] = [
            Exit::Usage,
            Exit::NotConfigured,
            Exit::Denied,
            Exit::NotFound,
            Exit::Unavailable,
            Exit::Other,
            Exit::Rejected,
            Exit::Unsigned,
        ];
        ORDER.into_iter().find(|exit| [self, other].contains(exit)).unwrap_or(self)
    }
}

/// What to do where a registry refuses.
const LOG_IN: &str = "`notation-kms login` keeps a user and a password for a registry, and NOTATION_USERNAME and \
     NOTATION_PASSWORD give them; does that user have the right?";

const CA_CERT: &str = "--ca-cert FILE names the certificate of the registry's CA";
const PLAIN_HTTP: &str = "nothing there speaks TLS: is the port right? --insecure-registry asks by plain HTTP, for tests";

/// A failed command.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
    silent: bool,
}

impl From<Exit> for ExitCode {
    #[expect(
        clippy::as_conversions,
        reason = "the discriminants are the exit codes, all below 256"
    )]
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Failure {
    pub(super) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hint: None, silent: false }
    }

    pub(super) fn message(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, error: anyhow::Error::msg(message.into()), hint: None, silent: false }
    }

    /// A failure that the data printed so far tells already.
    pub(super) fn silent(exit: Exit, message: impl Into<String>) -> Self {
        Self { silent: true, ..Self::message(exit, message) }
    }

    /// The same failure, told already by the data printed so far.
    pub(super) fn silenced(self) -> Self {
        Self { silent: true, ..self }
    }

    /// The same failure below a sentence that says what was being done.
    pub(super) fn context(mut self, message: impl Into<String>) -> Self {
        self.error = self.error.context(message.into());
        self
    }

    /// What to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same without what there is to do about it.
    pub(super) fn without_hint(self) -> Self {
        Self { hint: None, ..self }
    }

    pub(super) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The error, or one that caused it, if it is of that type.
    pub(super) fn cause<E: std::error::Error + Send + Sync + 'static>(&self) -> Option<&E> {
        self.error.chain().find_map(|cause| cause.downcast_ref())
    }

    /// Whether the data printed so far tells it already.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// The error, its causes and the hint, for a person.
    pub(super) fn text(&self) -> String {
        let mut causes = self.causes().into_iter();
        let mut text = format!("error: {}\n", causes.next().unwrap_or_default());
        for cause in causes {
            let _ = writeln!(text, "  caused by: {cause}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "\nhint: {}", within_line(hint));
        }
        text
    }

    /// The error and its causes, `error: cause: cause`.
    pub(super) fn one_line(&self) -> String {
        self.causes().join(": ")
    }

    /// The error, its causes and the hint, for a script.
    pub(super) fn json(&self) -> serde_json::Value {
        let causes = self.causes();
        let (message, causes) =
            causes.split_first().map_or_else(Default::default, |(m, c)| (m.clone(), c.to_vec()));
        #[expect(clippy::as_conversions, reason = "the discriminants are the exit codes")]
        let exit = self.exit as u8;
        json!({"error": {"message": message, "causes": causes, "hint": self.hint, "exitCode": exit}})
    }

    /// Each level once: a transparent error says what its source says. Each is one line, whatever it quotes.
    fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> =
            self.error.chain().map(|error| within_line(&error.to_string())).collect();
        causes.dedup();
        causes
    }
}

/// Anything else that fails is judged by its kind.
impl<E> From<E> for Failure
where
    E: std::error::Error + Send + Sync + 'static,
{
    fn from(error: E) -> Self {
        let error = anyhow::Error::new(error);
        let exit = classify(&error);
        let hint = registry_hint(&error, exit).map(ToOwned::to_owned);
        Self { exit, error, hint, silent: false }
    }
}

/// What to do where a registry cannot be asked.
fn registry_hint(error: &anyhow::Error, exit: Exit) -> Option<&'static str> {
    error.chain().find(|cause| cause.is::<RepositoryError>())?;
    let tls = |cause: &&(dyn std::error::Error + 'static)| {
        matches!(cause.downcast_ref(), Some(HttpError::Tls { .. }))
    };
    if error.chain().any(|cause| tls(&cause)) {
        // The kinds of rustls's errors, which it tells by their names.
        let why = error.chain().last().map(ToString::to_string).unwrap_or_default();
        return match () {
            () if why.contains("UnknownIssuer") => Some(CA_CERT),
            () if why.contains("InvalidContentType") => Some(PLAIN_HTTP),
            () => None,
        };
    }
    (exit == Exit::Denied).then_some(LOG_IN)
}

fn classify(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(key) = key_error(cause) {
            return match key.kind() {
                KeyErrorKind::Denied => Exit::Denied,
                KeyErrorKind::Throttled | KeyErrorKind::Timeout | KeyErrorKind::Unavailable => {
                    Exit::Unavailable
                }
                KeyErrorKind::NotFound => Exit::NotFound,
                _ => Exit::NotConfigured,
            };
        }
        if let Some(SignError::KeyMismatch { .. } | SignError::KeyUnknown { .. }) =
            cause.downcast_ref::<SignError>()
        {
            return Exit::NotConfigured;
        }
        if let Some(pki) = cause.downcast_ref::<PkiError>() {
            return match pki {
                PkiError::NotRsa(_) | PkiError::BadValidity { .. } => Exit::Usage,
                PkiError::KeyUnsupported(_) => Exit::NotConfigured,
                _ => Exit::Other,
            };
        }
        if let Some(client) = cause.downcast_ref::<ClientError>() {
            return match client.kind() {
                ClientErrorKind::Denied => Exit::Denied,
                ClientErrorKind::Unavailable => Exit::Unavailable,
                _ => Exit::Other,
            };
        }
        if let Some(authority) = cause.downcast_ref::<AuthorityError>() {
            return match authority.kind() {
                AuthorityErrorKind::Unavailable => Exit::Unavailable,
                AuthorityErrorKind::Denied => Exit::Denied,
                _ => Exit::Other,
            };
        }
        if let Some(repository) = cause.downcast_ref::<RepositoryError>() {
            return repository.kind().into();
        }
        match cause.downcast_ref() {
            Some(ArchiveError::ForeignFolder(_) | ArchiveError::InUse(_)) => return Exit::Usage,
            Some(error) if error.is_tampering() => return Exit::Rejected,
            _ => {}
        }
        if let Some(credentials) = cause.downcast_ref::<CredentialsError>() {
            return credentials.exit();
        }
        if cause.is::<NoConfigurationFolder>() {
            return Exit::NotConfigured;
        }
        if let Some(keys) = cause.downcast_ref::<SigningKeysError>() {
            return match keys {
                SigningKeysError::Exists(_) => Exit::Usage,
                SigningKeysError::File(_) => Exit::Other,
                _ => Exit::NotConfigured,
            };
        }
        if cause.is::<BundleError>() || cause.is::<KeyNameError>() {
            return Exit::Usage;
        }
    }
    Exit::Other
}

/// The key's own error, also where another error only passes it on.
fn key_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a KeyError> {
    match (cause.downcast_ref(), cause.downcast_ref()) {
        (Some(PkiError::Key(key)), _) | (_, Some(SignError::Key(key))) => Some(key),
        _ => cause.downcast_ref(),
    }
}
