//! Trust policies: what a verifier wants of signatures (trust-store-trust-policy.md).
//!
//! Values only: nothing here reads a file, a clock or the network.

mod identity;
mod level;
mod policy;
mod scope;

pub use identity::{IdentityError, SubjectIdentity, TrustedIdentities, TrustedIdentity};
pub use level::{Action, Checks, Level, RevocationAction, VerifyTimestamp};
pub use policy::{
    BlobPolicy, BlobStatement, Constraint, OciPolicy, OciStatement, Parsed, PolicyError, Problem,
    Requirements, Scopes, Statement, StoreType, TrustStore, Verification,
};
pub use scope::{RegistryScope, ScopeError};
