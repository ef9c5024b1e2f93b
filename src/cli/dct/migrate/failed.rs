//! What has failed for more than one digest, and is not asked again.

use super::report::{Fate, Row};
use crate::{
    cli::{
        Outcome,
        failure::{Exit, Failure},
    },
    http::HttpError,
    sign::SignError,
};

/// Something that has failed, and is not asked again.
#[derive(Debug)]
pub(super) struct Failed {
    what: &'static str,
    exit: Exit,
    /// Why, until a row has told it.
    reason: Option<String>,
}

impl Failed {
    /// A key that has not answered, which no row tells yet.
    pub(super) fn key(failure: &Failure) -> Self {
        let reason = Some(failure.one_line());
        Self { what: "the key", exit: failure.exit(), reason }
    }

    /// What a key has not signed, its row tells.
    pub(super) fn signing(failure: &Failure) -> Self {
        let what = match failure.cause() {
            Some(SignError::NoTimestamp(_) | SignError::BadTimestamp(_)) => {
                "the timestamp authority"
            }
            _ => "the key",
        };
        Self { what, exit: failure.exit(), reason: None }
    }

    /// The repository, where a failure is not that of one digest, which its row tells.
    pub(super) fn repository(failure: &Failure) -> Option<Self> {
        let is_of_all = failure.cause().is_some_and(is_of_all);
        is_of_all.then(|| Self { what: "the repository", exit: failure.exit(), reason: None })
    }

    /// What has failed is not tried again.
    pub(super) fn not_again(failed: Option<&mut Self>, row: &mut Row) -> Outcome {
        let Some(Self { what, exit, reason }) = failed else { return Ok(()) };
        row.result = Fate::NotTried;
        let reason = reason.take().map(|reason| format!(": {reason}")).unwrap_or_default();
        Err(Failure::message(*exit, format!("{what} has failed before{reason}")))
    }
}

/// Whether a registry would refuse the next digest as well. One manifest, tag or list that it does not give or take says
/// nothing of another one, and would keep all that come after it from ever being signed.
fn is_of_all(error: &HttpError) -> bool {
    match error {
        HttpError::Setup { .. }
        | HttpError::Tls { .. }
        | HttpError::Unreachable { .. }
        | HttpError::Timeout { .. }
        | HttpError::AsksToWait { .. }
        | HttpError::Unavailable { status: 408 | 429, .. }
        // Wrong passwords that are sent time and again lock an account.
        | HttpError::Denied { status: 401, .. } => true,
        HttpError::Denied { url, .. }
        | HttpError::Status { url, .. }
        | HttpError::Unavailable { url, .. } => !is_of_a_digest(url),
        _ => false,
    }
}

/// Whether a URL is that of a manifest, a tag, or a list of referrers, and not that of a token service or an upload.
fn is_of_a_digest(url: &str) -> bool {
    ["/manifests/", "/referrers/"].iter().any(|part| url.contains(part))
}
