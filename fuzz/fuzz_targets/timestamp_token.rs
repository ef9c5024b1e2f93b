//! A timestamp token and an answer that holds one: what reads reads again from its DER, and no bytes verify
//! without a root.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::{
    algorithm::HashAlgorithm,
    timestamp::{TimestampRequest, TimestampToken},
};

fuzz_target!(|data: &[u8]| {
    if let Ok(token) = TimestampToken::parse(data) {
        assert_eq!(TimestampToken::parse(token.as_der()).as_ref(), Ok(&token));
        let (earliest, latest) = token.dangerous_claimed_range();
        assert!(earliest <= latest);
        assert!(token.verify(b"message", &[]).is_err());
        // The path is looked for, too.
        let _ = token.verify(b"message", token.certificates());
    }
    let request = TimestampRequest::new(HashAlgorithm::Sha256, b"message");
    let _ = request.read_response(data).map_err(|error| error.to_string());
});
