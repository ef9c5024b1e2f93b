//! What can go wrong with stored credentials. No text shows one.

use std::{io, time::Duration};

use crate::{cli::failure::Exit, fs::FileError, limits};

/// Why credentials cannot be read, kept or forgotten.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum CredentialsError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not an object in JSON, or one with a member twice. What stands there could be a secret.
    #[error("{place} is not the JSON of docker's configuration, at line {line}, column {column}")]
    Malformed {
        /// The file, or the variable.
        place: String,
        line: usize,
        column: usize,
    },
    /// A member of another form than docker writes.
    #[error("{member} of {place} is not what docker writes there")]
    BadMember {
        /// The file, or the variable.
        place: String,
        member: String,
    },
    /// No folder to keep a file in.
    #[error("no folder for docker's configuration: neither DOCKER_CONFIG nor HOME is set")]
    NoFolder,
    /// A name that leads elsewhere.
    #[error(
        "credential helper {0:?} has a name of other characters than letters, digits, \"-\", \"_\" and \".\""
    )]
    BadHelper(String),
    /// A helper that is configured and not there.
    #[error("{program} cannot be started")]
    HelperMissing {
        program: String,
        #[source]
        source: io::Error,
    },
    /// A helper that waits for something.
    #[error("{program} {action} took longer than {} s", after.as_secs_f32())]
    HelperHangs { program: String, action: &'static str, after: Duration },
    /// A helper that does not stop.
    #[error("{program} {action} prints over the limit of {limit} bytes", limit = limits::HELPER_BYTES)]
    HelperTooLong { program: String, action: &'static str },
    /// What it says, where that is no secret.
    #[error("{program} {action} failed: {reason}")]
    HelperFailed { program: String, action: &'static str, reason: String },
    /// An answer without a user or a secret.
    #[error("{program} get printed something else than a user and a secret")]
    HelperMalformed { program: String },
}

impl CredentialsError {
    pub(in crate::cli) const fn exit(&self) -> Exit {
        match self {
            Self::Malformed { .. }
            | Self::BadMember { .. }
            | Self::NoFolder
            | Self::BadHelper(_)
            | Self::HelperMissing { .. } => Exit::NotConfigured,
            Self::HelperHangs { .. } => Exit::Unavailable,
            _ => Exit::Other,
        }
    }
}
