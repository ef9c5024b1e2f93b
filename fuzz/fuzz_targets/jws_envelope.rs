//! A JWS envelope: reading and verifying never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::{Envelope, EnvelopeFormat};

fuzz_target!(|data: &[u8]| {
    if let Ok(envelope) = Envelope::parse(EnvelopeFormat::Jws, data) {
        let _ = envelope.verify().map(|content| content.payload().is_ok());
    }
});
