//! The index of an image layout. Its entries are read one by one: one that is no descriptor hides no other, and is
//! written again as it was.

use std::mem;

use serde_json::{Value, value::RawValue};

use super::layout::{INDEX, LayoutError, ref_name};
use crate::{
    json, limits,
    oci::{Descriptor, Index, Listed},
};

/// An index whose entries are as they are written.
pub(super) type LayoutIndex = Index<Box<RawValue>>;

/// What an index lists and is no descriptor.
#[derive(Debug)]
pub(super) struct OddEntry {
    /// Its digest, as it stands there, or its place.
    pub(super) name: String,
    pub(super) error: LayoutError,
    value: Option<Value>,
}

impl LayoutIndex {
    pub(super) const fn len(&self) -> usize {
        self.manifests.len()
    }

    /// The descriptors, and apart from them what is none.
    pub(super) fn entries(&self) -> (Vec<Descriptor>, Vec<OddEntry>) {
        let (mut descriptors, mut odd) = (Vec::new(), Vec::new());
        for (i, entry) in self.manifests.iter().enumerate() {
            match descriptor(entry) {
                Ok(descriptor) => descriptors.push(descriptor),
                Err(error) => odd.push(OddEntry::new(i, entry, error)),
            }
        }
        (descriptors, odd)
    }

    /// Lists a descriptor. Its tag, if it has one, is taken from what has it.
    pub(super) fn list(&mut self, listed: &Descriptor) -> Result<(), LayoutError> {
        let tag = ref_name(listed);
        let mut is_there = false;
        for entry in mem::take(&mut self.manifests) {
            match descriptor(&entry).ok() {
                Some(known) if tag.is_some() && ref_name(&known) == tag => continue,
                Some(known) if known.digest == listed.digest && ref_name(&known).is_none() => {
                    continue;
                }
                Some(known) if known.digest == listed.digest => is_there = true,
                _ => {}
            }
            self.manifests.push(entry);
        }
        if tag.is_some() || !is_there {
            let entry = serde_json::value::to_raw_value(&Listed::from(listed.clone()))
                .map_err(|error| LayoutError::Malformed(INDEX.to_owned(), error))?;
            self.manifests.push(entry);
        }
        Ok(())
    }
}

impl OddEntry {
    fn new(at: usize, entry: &RawValue, error: serde_json::Error) -> Self {
        let value = json::parse(entry.get().as_bytes()).ok();
        let digest = value.as_ref().and_then(|value| value.get("digest")?.as_str());
        let name = match digest {
            Some(digest) => digest.chars().take(limits::ODD_DIGEST_CHARS).collect(),
            None => format!("number {} in the index", at + 1),
        };
        let error = LayoutError::Malformed(format!("entry {} of {INDEX}", at + 1), error);
        Self { name, error, value }
    }

    /// Whether another reader may find that tag here.
    pub(super) fn may_have_tag(&self, tag: &str) -> bool {
        self.value.as_ref().is_none_or(|value| has_text(value, tag))
    }
}

fn has_text(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Array(values) => values.iter().any(|value| has_text(value, wanted)),
        Value::Object(members) => members.values().any(|value| has_text(value, wanted)),
        _ => false,
    }
}

fn descriptor(entry: &RawValue) -> Result<Descriptor, serde_json::Error> {
    serde_json::from_str(entry.get()).map(|listed: Listed| listed.descriptor)
}
