//! A manifest or an index of an image layout: reading never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::oci::Manifest;

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(data) {
        let _ = manifest.is_signature();
    }
});
