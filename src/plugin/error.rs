//! What goes wrong in a plugin command, and the error that the contract wants for it.

use std::{collections::BTreeMap, error::Error, fmt, io, path::PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use time::UtcDateTime;

use super::{CONTRACT_VERSION, ConfigError, HostError};
use crate::{
    algorithm::{HashAlgorithm, KeySpec},
    keys::{KeyError, KeyErrorKind, KeyUriError},
    limits,
    sign::SignError,
    timestamp::authority::{AuthorityError, AuthorityErrorKind},
    x509::{BundleError, ChainError, Name, Rfc3339},
};

/// Error codes of the contract (plugin-extensibility.md, "Error codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request, the plugin config, the certificate chain or the key id is wrong.
    ValidationError,
    /// The request is of another major version of the contract.
    UnsupportedContractVersion,
    /// The key service denied the request, or there are no credentials.
    AccessDenied,
    /// The key service did not answer in time.
    Timeout,
    /// The key service asked for fewer requests.
    Throttled,
    /// Anything else.
    Error,
}

/// The JSON that a failed command writes to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The code.
    pub error_code: ErrorCode,
    /// The error and its causes in one line, all that the notation CLI shows of it.
    #[schemars(length(min = 1))]
    pub error_message: String,
    /// `key`: the key id of the request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub error_metadata: BTreeMap<String, String>,
}

/// A command that failed.
#[derive(Debug)]
pub struct PluginError {
    fault: Box<Fault>,
    key_id: Option<String>,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Arguments behind the command.
    #[error(
        "{command} takes no arguments but got {argument:?}: its request is JSON on standard input"
    )]
    BadCommandLine {
        /// The command.
        command: &'static str,
        /// The first argument behind it.
        argument: String,
    },
    /// A command that the contract does not have, or not yet.
    #[error("command {0:?} is none that this plugin has")]
    UnknownCommand(String),
    /// Standard input ended with an error.
    #[error("request cannot be read from standard input")]
    RequestUnreadable(#[source] io::Error),
    /// More bytes than a request may have.
    #[error("request is over the limit of {limit} bytes", limit = limits::PLUGIN_REQUEST_BYTES)]
    RequestTooLarge,
    /// The request is not one JSON text, or has a member twice.
    #[error("request is not valid JSON")]
    MalformedRequest(#[source] serde_json::Error),
    /// A required member is missing, null or empty.
    #[error("{0} is missing or empty")]
    Missing(&'static str),
    /// A member is of another type.
    #[error("{member} is not {expected}")]
    WrongType {
        /// The member.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A member has a value that this plugin does not know.
    #[error("{member} {value:?} is not supported: expected {expected}")]
    BadValue {
        /// The member.
        member: &'static str,
        /// Its value.
        value: String,
        /// The values that are known.
        expected: String,
    },
    /// A member is not base64.
    #[error("{member} is not base64 with padding (RFC 4648, section 4)")]
    BadBase64 {
        /// The member.
        member: &'static str,
        /// What is wrong.
        source: base64::DecodeError,
    },
    /// Another major version of the contract.
    #[error("contract version {0:?} is not supported, only {CONTRACT_VERSION}")]
    UnsupportedContractVersion(String),
    /// An expiry that no time can hold.
    #[error("expiryDurationInSeconds {0} is over the limit of {limit}", limit = limits::EXPIRY_SECONDS)]
    ExpiryTooLong(u64),
    /// The key id is wrong.
    #[error(transparent)]
    KeyUri(#[from] KeyUriError),
    /// The plugin config is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No certificate chain is configured.
    #[error(
        "no certificate chain is known for key {0}: set plugin config cert-chain, or store the chain \
         with notation-kms key add NAME --id {0} --cert-chain FILE"
    )]
    NoChain(String),
    /// The stored signing keys could not be searched for the chain.
    #[error("stored certificate chain cannot be looked up")]
    ChainLookup(#[source] HostError),
    /// The file of the chain cannot be read.
    #[error("certificate chain {} cannot be read", path.display())]
    ChainUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: HostError,
    },
    /// The file of the chain holds something else.
    #[error("certificate chain {} cannot be read", path.display())]
    ChainMalformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BundleError,
    },
    /// The timestamp authority cannot be asked.
    #[error(transparent)]
    TimestampAuthority(#[from] AuthorityError),
    /// Notation itself timestamps what is signed raw.
    #[error(
        "plugin config timestamp-url has no effect without mode=envelope: notation sign --timestamp-url \
         timestamps raw signatures"
    )]
    TimestampNeedsEnvelope,
    /// The chain cannot be used for signing now.
    #[error("certificate chain {} cannot be used for signing", path.display())]
    Chain {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ChainError,
    },
    /// A certificate ends sooner than plugin config `min-validity` allows.
    #[error(
        "certificate {subject} ends at {not_after}, sooner than plugin config min-validity allows, \
         {least}", not_after = Rfc3339(*not_after), least = Rfc3339(*least)
    )]
    EndsTooSoon {
        /// The certificate's subject.
        subject: Name,
        /// When it ends.
        not_after: UtcDateTime,
        /// When it would have to end at the earliest.
        least: UtcDateTime,
    },
    /// The leaf's key is of another kind than the request says.
    #[error("keySpec is {requested}, but the key of the leaf certificate {subject} is {leaf}")]
    KeySpecMismatch {
        /// As in the request.
        requested: KeySpec,
        /// The leaf's.
        leaf: KeySpec,
        /// The leaf's subject.
        subject: Name,
    },
    /// The hash does not go with the key.
    #[error("hashAlgorithm is {requested}, but {key_spec} signs {expected}")]
    HashMismatch {
        /// As in the request.
        requested: HashAlgorithm,
        /// The key spec.
        key_spec: KeySpec,
        /// The hash that goes with it.
        expected: HashAlgorithm,
    },
    /// The key refused, or could not be reached; the text says denied, throttled or timed out.
    #[error(transparent)]
    Key(KeyError),
    /// Nothing that may leave was signed.
    #[error(transparent)]
    Sign(SignError),
    /// The asynchronous runtime did not start.
    #[error("asynchronous runtime does not start")]
    Runtime(#[source] io::Error),
    /// The answer did not arrive.
    #[error("answer cannot be written to standard output")]
    OutputClosed(#[source] io::Error),
    /// A defect of this program.
    #[error("defect in {name} {version}: {0}", name = env!("CARGO_PKG_NAME"), version = env!("CARGO_PKG_VERSION"))]
    Panic(String),
}

impl Fault {
    /// The contract's code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnsupportedContractVersion(_) => ErrorCode::UnsupportedContractVersion,
            Self::Key(key) => key_code(key.kind()),
            Self::Sign(SignError::NoTimestamp(source)) => match source.downcast_ref() {
                Some(AuthorityError::Timeout { .. }) => ErrorCode::Timeout,
                Some(error) if error.kind() == AuthorityErrorKind::Denied => {
                    ErrorCode::AccessDenied
                }
                _ => ErrorCode::Error,
            },
            Self::Sign(SignError::BadTimestamp(_)) => ErrorCode::Error,
            // The service's answer is wrong, not the request.
            Self::Sign(SignError::SignatureLength { .. } | SignError::BadSignature(_))
            | Self::RequestUnreadable(_)
            | Self::Runtime(_)
            | Self::OutputClosed(_)
            | Self::Panic(_) => ErrorCode::Error,
            _ => ErrorCode::ValidationError,
        }
    }

    /// The fault about a key.
    pub(super) fn of_key(self, key_id: &str) -> PluginError {
        PluginError { fault: Box::new(self), key_id: Some(key_id.to_owned()) }
    }
}

fn key_code(kind: KeyErrorKind) -> ErrorCode {
    match kind {
        KeyErrorKind::Invalid | KeyErrorKind::NotFound => ErrorCode::ValidationError,
        KeyErrorKind::Denied => ErrorCode::AccessDenied,
        KeyErrorKind::Throttled => ErrorCode::Throttled,
        KeyErrorKind::Timeout => ErrorCode::Timeout,
        _ => ErrorCode::Error,
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<SignError> for Fault {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Key(error) => Self::Key(error),
            other => Self::Sign(other),
        }
    }
}

impl PluginError {
    /// Why the command failed.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// The error as the contract wants it.
    #[must_use]
    pub fn response(&self) -> ErrorResponse {
        let key = self.key_id.as_deref().map(cut);
        let message = one_line(self.fault.as_ref());
        // The library signs with a key that it has no name for; people see nothing but this text.
        let error_message = match (&key, self.fault.as_ref()) {
            (Some(key), Fault::Sign(_)) => format!("key {key}: {message}"),
            _ => message,
        };
        ErrorResponse {
            error_code: self.fault.code(),
            error_message,
            error_metadata: key.map(|key| ("key".to_owned(), key)).into_iter().collect(),
        }
    }
}

impl From<Fault> for PluginError {
    fn from(fault: Fault) -> Self {
        Self { fault: Box::new(fault), key_id: None }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl Error for PluginError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

/// The error and its causes, `error: cause: cause`.
fn one_line(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = error.source();
    }
    cut(&texts.join(": ")).replace(char::is_control, " ")
}

/// A text with at most [`limits::PLUGIN_ERROR_CHARS`], as it may hold values of the request.
fn cut(text: &str) -> String {
    match text.char_indices().nth(limits::PLUGIN_ERROR_CHARS) {
        Some((end, _)) => format!("{}… (cut)", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
