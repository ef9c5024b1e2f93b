//! What tests share: the real components that they run against, one file each.
//!
//! `X::or_skip()` gives a component or `None`, and then the test returns: it has been reported as
//! skipped, by name. Servers listen on free loopback ports and end with the test process.

pub(crate) mod command;
pub(crate) mod component;
pub(crate) mod der;
pub(crate) mod fake_ca;
pub(crate) mod fake_http;
pub(crate) mod fake_kms;
pub(crate) mod fake_registry;
pub(crate) mod forged_token;
pub(crate) mod http;
pub(crate) mod layout;
pub(crate) mod ministack;
pub(crate) mod multi_platform;
pub(crate) mod notary;
pub(crate) mod notation;
pub(crate) mod openbao;
pub(crate) mod openssl;
pub(crate) mod quickstart;
pub(crate) mod registry;
pub(crate) mod revocation;
pub(crate) mod revocation_fault;
pub(crate) mod server;
pub(crate) mod trust_data;
pub(crate) mod tsa;
