//! Records of verifications and evidence of revocation: reading never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::{revocation::Evidence, verify::Record};

fuzz_target!(|bytes: &[u8]| {
    let _ = serde_json::from_slice::<Evidence>(bytes);
    if let Ok(record) = Record::from_json(bytes) {
        assert!(record.at().is_ok() && record.anchors().is_ok());
    }
});
