//! Trust data of Docker Content Trust, one file a line: `NAME SPACE CONTENT`. Judging never panics, and bytes
//! that nobody signed are never released.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use notation_sdk::dct::{Gun, RepositoryRecord, Terms, TrustData, judge};
use time::UtcDateTime;

fuzz_target!(|input: &[u8]| {
    let mut data = TrustData::new();
    for line in input.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b' ');
        if let (Some(name), Some(content)) = (parts.next(), parts.next()) {
            data.insert(String::from_utf8_lossy(name), content.to_vec());
        }
    }
    let gun: Gun = "registry.example/app".parse().expect("a repository");
    let terms = Terms { pins: &[], seen: &BTreeMap::new(), at: UtcDateTime::UNIX_EPOCH };
    let judgement = judge(&gun, &data, &terms);
    assert!(judgement.released(true).tags.is_empty());
    let _ = serde_json::to_string(&RepositoryRecord::new(&judgement, true));
});
