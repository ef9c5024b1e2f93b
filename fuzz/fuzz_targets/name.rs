//! A distinguished name: text that reads gives DER that reads, to the same text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::x509::Name;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(name) = text.parse::<Name>() {
        let again = Name::from_der(name.as_der()).expect("what was written is read");
        assert_eq!(again, name);
        assert_eq!(
            again.to_string().parse::<Name>().map(|name| name.to_string()),
            Ok(name.to_string())
        );
    }
    let _ = Name::from_der(data).map(|name| name.to_string());
});
