//! A file of certificates in any form, and the repair of its chain.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::{CertificateChain, x509::parse_bundle};

fuzz_target!(|data: &[u8]| {
    if let Ok(bundle) = parse_bundle(data) {
        let _ = CertificateChain::repair(bundle);
    }
});
