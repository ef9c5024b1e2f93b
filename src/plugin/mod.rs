//! The Notation plugin `kms`: the server side of plugin-extensibility.md.
//!
//! The notation CLI runs the executable with a command as its only argument and a JSON request on
//! standard input. [`answer`] is that contract as a function, [`serve`] the process around it on any streams. Nothing
//! here prompts, and only the two commands that sign reach for a key.
//!
//! `plugin-spec/` holds the contract as data: JSON Schemas of these types and golden messages.

mod answer;
mod chain;
mod config;
mod error;
mod fields;
mod message;
mod serve;
mod timestamp;

pub use answer::{Host, HostError, answer};
pub use chain::signing_chain;
pub use config::{
    CERT_CHAIN, Config, ConfigError, ConfigKey, KEYS, Mode, TIMESTAMP_ROOT, TIMESTAMP_URL,
    check_config,
};
pub use error::{ErrorCode, ErrorResponse, Fault, PluginError};
pub use message::{
    Capability, Command, DescribeKeyRequest, DescribeKeyResponse, GenerateEnvelopeRequest,
    GenerateEnvelopeResponse, GenerateSignatureRequest, GenerateSignatureResponse, MetadataRequest,
    MetadataResponse, Response,
};
pub use serve::{is_protocol_command, serve, silence_panics};
pub use timestamp::ConfiguredTimestamping;

/// The plugin's name, which is also that of its folder and the end of its executable's name
/// (plugin-extensibility.md, "Package and release a plugin").
pub const NAME: &str = "kms";

/// The version of the contract that the plugin speaks, one for the major version
/// (plugin-extensibility.md, "Requirements").
pub const CONTRACT_VERSION: &str = "1.0";

/// How this program names itself in the envelopes that it makes.
pub const SIGNING_AGENT: &str = concat!("notation-kms/", env!("CARGO_PKG_VERSION"));
