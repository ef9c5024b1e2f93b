//! The integration tests: one binary, one file a topic, on shared support.

#![expect(clippy::disallowed_methods, reason = "tests read files and variables of their own")]

// Every item here is test code; the attribute lets clippy.toml's exemptions for tests reach helpers too.
#[cfg(test)]
mod aws_credentials;
#[cfg(test)]
mod aws_kms;
#[cfg(test)]
mod broken_chains;
#[cfg(test)]
mod cert_stores;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod ci_recipes;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod components;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod copy;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod dct_archive;
#[cfg(test)]
mod dct_audit;
#[cfg(test)]
mod dct_client;
#[cfg(test)]
mod dct_export;
#[cfg(test)]
mod dct_judging;
#[cfg(test)]
mod dct_migration;
#[cfg(test)]
mod dct_server;
#[cfg(test)]
mod documentation;
#[cfg(test)]
mod enterprise_ca;
#[cfg(test)]
mod envelopes;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod hostile_certificates;
#[cfg(test)]
mod hostile_envelopes;
#[cfg(test)]
mod hostile_registries;
#[cfg(test)]
mod hostile_timestamps;
#[cfg(test)]
mod interop;
#[cfg(test)]
mod interop_verdicts;
#[cfg(test)]
mod json_forms;
#[cfg(test)]
mod layout_tars;
#[cfg(test)]
mod layouts;
#[cfg(test)]
mod many_artifacts;
#[cfg(test)]
mod pki;
#[cfg(test)]
mod plugin_spec;
#[cfg(test)]
mod policy_commands;
#[cfg(test)]
mod registries;
#[cfg(test)]
mod registry_commands;
#[cfg(test)]
mod registry_faults;
#[cfg(test)]
mod registry_matrix;
#[cfg(test)]
mod registry_quirks;
#[cfg(test)]
mod registry_requests;
#[cfg(test)]
mod registry_writers;
#[cfg(test)]
mod release;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod revocation_command;
#[cfg(test)]
mod revocation_fetch;
#[cfg(test)]
mod shell_help;
#[cfg(test)]
mod sign_command;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod structure;
#[cfg(test)]
mod support;
#[cfg(test)]
mod timestamp;
#[cfg(test)]
mod timestamp_authority;
#[cfg(test)]
mod trust_policy;
#[cfg(test)]
mod trust_store;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod verify_command;
