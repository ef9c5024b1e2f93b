//! Timestamps (RFC 3161, RFC 5816): tokens that show that a signature existed at a time, and the authorities
//! that make them.
//!
//! [`TimestampToken::verify`] is a pure function of the token, the message and the trusted roots: it asks
//! nobody, and does not know what time it is. Revocation of the authority's certificates, and the terms on
//! which a trust policy wants a timestamp, are for others to judge.

#[cfg(feature = "net")]
pub mod authority;
mod ber;
mod cms;
mod error;
mod info;
mod path;
mod request;
mod source;
mod token;

pub use ber::BerError;
pub use error::TokenError;
pub use request::{Refusal, ResponseError, TimestampRequest};
pub use source::{TimestampFuture, TimestampSource, TimestampSourceError};
pub use token::{Timestamp, TimestampToken};
