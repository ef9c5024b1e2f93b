//! A trust policy for artifacts, and one for files: reading never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::trust::{BlobPolicy, OciPolicy};

fuzz_target!(|data: &[u8]| {
    let _ = OciPolicy::parse(data);
    let _ = BlobPolicy::parse(data);
});
