//! Trust policies: what a verifier wants of signatures (trust-store-trust-policy.md).
//!
//! Values only, but for [`DirectoryTrustStore`] and [`PolicyFile`], which read folders into them: nothing else here
//! reads a file, a clock or the network.

mod identity;
mod level;
mod policy;
mod policy_file;
mod policy_reader;
mod scope;
mod store;

pub use identity::{IdentityError, SubjectIdentity, TrustedIdentities, TrustedIdentity};
pub use level::{Action, Checks, Level, RevocationAction, VerifyTimestamp};
pub use policy::{
    BlobPolicy, BlobStatement, Constraint, OciPolicy, OciStatement, Parsed, PolicyError, Problem,
    Requirements, Scopes, Statement, StoreType, TrustStore, Verification,
};
pub use policy_file::{PolicyFile, PolicyKind};
pub use scope::{RegistryScope, ScopeError};
pub use store::{DirectoryTrustStore, ReadAnchors, StoreError, TrustAnchors};
