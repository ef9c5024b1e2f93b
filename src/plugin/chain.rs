//! The certificate chain of a key: found, put in order and checked before any service is asked.

use time::UtcDateTime;

use super::{Config, Fault, Host};
use crate::{
    algorithm::KeySpec,
    keys::KeyUri,
    x509::{Certificate, CertificateChain, ChainError, Purpose, parse_bundle},
};

/// The chain that signs, and the key spec of its leaf.
pub(super) struct SigningChain {
    pub(super) chain: CertificateChain,
    pub(super) key_spec: KeySpec,
}

/// The chain that a key signs with, put in order and held against the certificate requirements, the host's time
/// and `min-validity`.
///
/// # Errors
/// [`Fault`]; no service is asked.
pub fn signing_chain(
    key_id: &KeyUri,
    config: &Config,
    host: &dyn Host,
) -> Result<CertificateChain, Fault> {
    Ok(SigningChain::load(key_id, config, host)?.chain)
}

impl SigningChain {
    /// Reads the chain that plugin config `cert-chain` names, or else the one that `key add` stored,
    /// puts it in order, and holds it against the certificate requirements, the time, and
    /// `min-validity`.
    pub(super) fn load(key_id: &KeyUri, config: &Config, host: &dyn Host) -> Result<Self, Fault> {
        let path = match &config.cert_chain {
            Some(path) => path.clone(),
            None => host
                .stored_chain(key_id)
                .map_err(Fault::ChainLookup)?
                .ok_or_else(|| Fault::NoChain(key_id.to_string()))?,
        };
        let bytes = host
            .read_chain(&path)
            .map_err(|source| Fault::ChainUnreadable { path: path.clone(), source })?;
        let bundle = parse_bundle(&bytes)
            .map_err(|source| Fault::ChainMalformed { path: path.clone(), source })?;
        let now = host.now();
        let chain = usable_chain(bundle, now)
            .map_err(|source| Fault::Chain { path: path.clone(), source })?;
        check_ending(&chain, now, config)?;
        // The certificate requirements leave no leaf without a key spec.
        let key_spec = chain.leaf().public_key().key_spec();
        let key_spec = key_spec.ok_or(Fault::Chain { path, source: ChainError::Empty })?;
        Ok(Self { chain, key_spec })
    }
}

fn usable_chain(
    bundle: Vec<Certificate>,
    now: UtcDateTime,
) -> Result<CertificateChain, ChainError> {
    let chain = CertificateChain::repair(bundle)?.chain;
    chain.verify(Purpose::CodeSigning)?;
    chain.check_validity(now)?;
    Ok(chain)
}

fn check_ending(chain: &CertificateChain, now: UtcDateTime, config: &Config) -> Result<(), Fault> {
    let least = time::Duration::try_from(config.min_validity)
        .ok()
        .and_then(|min_validity| now.checked_add(min_validity))
        .unwrap_or(UtcDateTime::MAX);
    let ending = chain.first_to_expire();
    if ending.not_after() < least {
        let (subject, not_after) = (ending.subject().clone(), ending.not_after());
        return Err(Fault::EndsTooSoon { subject, not_after, least });
    }
    Ok(())
}
