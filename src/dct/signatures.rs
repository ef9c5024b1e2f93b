//! Whether enough keys have signed a file.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Fault, Key, Role,
    key::{Signature, SignatureFault},
    metadata::{Metadata, RoleKeys, Root},
};

/// The keys that may speak for a role.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authority<'a> {
    pub(super) role: &'a RoleKeys,
    /// By the id under which they are listed.
    pub(super) keys: &'a BTreeMap<String, Key>,
}

impl Root {
    /// Who speaks for one of the base roles.
    pub(super) fn authority(&self, role: &Role) -> Option<Authority<'_>> {
        Some(Authority { role: self.roles.get(role.as_str())?, keys: &self.keys })
    }
}

/// What the signatures of a file come to.
#[derive(Debug, Default)]
pub(super) struct Signers {
    /// Listed ids of the role's keys whose signature verifies.
    pub(super) key_ids: BTreeSet<String>,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Authority<'a> {
    /// The role's keys that are there, in the order of the role's list.
    pub(super) fn listed(self) -> impl Iterator<Item = (&'a str, &'a Key)> {
        self.role.keyids.iter().filter_map(move |id| Some((id.as_str(), self.keys.get(id)?)))
    }

    /// Counts the signatures of a file: one a key, whatever it is listed as.
    pub(super) fn check<T>(self, file: &Metadata<T>) -> Signers {
        self.check_without(file, &BTreeSet::new())
    }

    /// The same, where some of the keys do not count.
    pub(super) fn check_without<T>(
        self,
        file: &Metadata<T>,
        excluded: &BTreeSet<String>,
    ) -> Signers {
        let mut signers = Signers { faults: self.faults(), ..Signers::default() };
        let mut distinct = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut refused = Vec::new();
        for signature in &file.signatures {
            let id = &signature.keyid;
            if !seen.insert(id) {
                signers.faults.push(Fault::DuplicateSignature(id.clone()));
                continue;
            }
            match self.verify(file, signature, excluded) {
                Ok(key) => {
                    distinct.insert(key.identity());
                    signers.key_ids.insert(id.clone());
                }
                Err(fault) => refused.push((id, fault)),
            }
        }
        let (valid, threshold) = (distinct.len(), self.role.threshold);
        if i64::try_from(valid).is_ok_and(|valid| valid < threshold) {
            signers.faults.push(shortfall(valid, threshold, &refused));
        }
        signers
    }

    fn verify<T>(
        self,
        file: &Metadata<T>,
        signature: &Signature,
        excluded: &BTreeSet<String>,
    ) -> Result<&'a Key, SignatureFault> {
        let id = &signature.keyid;
        let is_listed = self.role.keyids.contains(id) && !excluded.contains(id);
        let key = self.keys.get(id).filter(|key| is_listed && key.id() == id);
        let key = key.ok_or(SignatureFault::UnknownKey)?;
        key.verify(&file.canonical, signature)?;
        Ok(key)
    }

    /// What is wrong with the lists of keys themselves.
    fn faults(self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.role.threshold < 1 {
            faults.push(Fault::BadThreshold(self.role.threshold));
        }
        let mut seen = BTreeSet::new();
        for id in &self.role.keyids {
            if !seen.insert(id) {
                faults.push(Fault::DuplicateKeyId(id.clone()));
            }
            match self.keys.get(id) {
                None => faults.push(Fault::UnknownKey(id.clone())),
                Some(key) if key.id() != id => faults.push(Fault::KeyIdMismatch {
                    listed: id.clone(),
                    computed: key.id().to_owned(),
                }),
                Some(_) => {}
            }
        }
        faults
    }
}

fn shortfall(valid: usize, threshold: i64, refused: &[(&String, SignatureFault)]) -> Fault {
    let wrong = refused.iter().find(|(_, fault)| *fault == SignatureFault::Wrong);
    match wrong {
        Some((key, _)) => Fault::WrongSignature { key: (*key).clone(), valid, threshold },
        None => {
            let reasons = refused.iter().map(|(key, fault)| format!("key {key}: {fault}"));
            Fault::BelowThreshold { valid, threshold, reasons: reasons.collect() }
        }
    }
}
