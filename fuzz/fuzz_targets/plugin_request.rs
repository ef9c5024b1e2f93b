//! Requests of every plugin command: reading never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::plugin::{
    DescribeKeyRequest, GenerateEnvelopeRequest, GenerateSignatureRequest, MetadataRequest,
};

fuzz_target!(|data: &[u8]| {
    let _ = MetadataRequest::from_json(data);
    let _ = DescribeKeyRequest::from_json(data);
    let _ = GenerateSignatureRequest::from_json(data);
    let _ = GenerateEnvelopeRequest::from_json(data);
});
