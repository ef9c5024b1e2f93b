//! A reference of a key comes back as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::KeyUri;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = text.parse::<KeyUri>() {
        assert_eq!(uri.as_str(), text);
    }
});
