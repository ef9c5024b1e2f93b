//! Who gives timestamps.

use std::{error::Error, fmt, pin::Pin};

use super::TimestampToken;
use crate::algorithm::HashAlgorithm;

/// What a [`TimestampSource`] says where it cannot.
pub type TimestampSourceError = Box<dyn Error + Send + Sync>;

/// A token, when it comes.
pub type TimestampFuture<'a> =
    Pin<Box<dyn Future<Output = Result<TimestampToken, TimestampSourceError>> + Send + 'a>>;

/// Who gives timestamps: an authority on the network, or whatever else does. Nobody trusts the token before it is
/// [verified](TimestampToken::verify).
pub trait TimestampSource: fmt::Debug + Send + Sync {
    /// A token over `message`, whose digest is by `hash`.
    fn timestamp<'a>(&'a self, hash: HashAlgorithm, message: &'a [u8]) -> TimestampFuture<'a>;
}
