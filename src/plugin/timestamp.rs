//! The timestamp authority that plugin config names.

use super::{Config, Fault, Host};
use crate::{
    sign::Timestamping,
    timestamp::authority::TimestampAuthority,
    x509::{Certificate, parse_bundle},
};

/// An authority, and the roots that its certificates have to lead to. Nothing is asked yet.
#[derive(Debug)]
pub struct ConfiguredTimestamping {
    authority: TimestampAuthority,
    roots: Vec<Certificate>,
}

impl ConfiguredTimestamping {
    /// What plugin config names; `None` where it names nothing.
    ///
    /// # Errors
    /// [`Fault`], where the URL or the file of roots cannot be used.
    pub fn open(config: &Config, host: &dyn Host) -> Result<Option<Self>, Fault> {
        let Some((url, path)) = &config.timestamp else { return Ok(None) };
        let authority = TimestampAuthority::new(url)?;
        let bytes = host
            .read_chain(path)
            .map_err(|source| Fault::ChainUnreadable { path: path.clone(), source })?;
        let roots = parse_bundle(&bytes)
            .map_err(|source| Fault::ChainMalformed { path: path.clone(), source })?;
        Ok(Some(Self { authority, roots }))
    }

    /// For a request to sign.
    #[must_use]
    pub fn timestamping(&self) -> Timestamping<'_> {
        Timestamping::new(&self.authority, &self.roots)
    }
}
