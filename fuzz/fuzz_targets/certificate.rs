//! A certificate: what reads is the bytes that came, and every name prints.

#![no_main]

use libfuzzer_sys::fuzz_target;
use notation_sdk::{Certificate, CertificateChain, x509::Purpose};

fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = Certificate::from_der(data) {
        assert_eq!(certificate.as_der(), data);
        let _ = certificate.subject().to_string();
        if let Ok(chain) = CertificateChain::from_ordered(vec![certificate]) {
            let _ = chain.verify(Purpose::CodeSigning);
            let _ = chain.verify(Purpose::Timestamping);
        }
    }
});
