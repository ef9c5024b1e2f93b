//! An image layout in a tar: reading never panics, and gives only what has the digest that was asked for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::{oci::Descriptor, registry::layout::ImageLayout};

fuzz_target!(|bytes: &[u8]| {
    let Ok(layout) = ImageLayout::from_tar("fuzz", bytes) else { return };
    let artifact: Option<Descriptor> = layout.only_artifact().ok();
    let artifact = artifact.or_else(|| layout.resolve("v1").ok());
    if let Some(artifact) = artifact {
        // What is read has the digest that was asked for, whatever the tar says.
        if let Ok(bytes) = layout.read(&artifact) {
            assert!(artifact.digest.matches(&bytes));
        }
        let _ = layout.list_signatures(&artifact);
    }
});
