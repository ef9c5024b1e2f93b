//! A payload: what reads, writes to something that reads alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::Payload;

fuzz_target!(|data: &[u8]| {
    if let Ok(payload) = Payload::from_json(data) {
        assert_eq!(
            Payload::from_json(&payload.to_json()).expect("what was written is read"),
            payload
        );
    }
});
