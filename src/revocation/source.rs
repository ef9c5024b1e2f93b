//! Who can be asked about revocation.

use std::{fmt, pin::Pin};

use time::UtcDateTime;

use super::Evidence;
use crate::x509::CertificateChain;

/// Who can be asked about revocation: servers ([`fetch`](crate::revocation)), or whatever else knows.
pub trait RevocationSource: fmt::Debug + Send + Sync {
    /// Adds what can be found out about a chain to what is known already, at the end. What cannot is evidence too.
    fn collect<'a>(
        &'a self,
        chain: &'a CertificateChain,
        evidence: &'a mut Evidence,
        at: UtcDateTime,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}
