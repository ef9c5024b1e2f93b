//! Signing: what is refused before the key is asked, and what the key may not answer.

use notation_sdk::{
    CertificateChain, EnvelopeFormat, KeyError, Payload, SignError, SignRequest, SignedAttributes,
    SigningKey,
    algorithm::{HashAlgorithm, KeySpec, SignatureAlgorithm},
    envelope::{AttributeValue, ExtendedAttribute},
    keys::{KeyFuture, file::FileKey},
    oci::{Descriptor, Digest},
    pki::{CertificateTemplate, Extension},
    sign::sign_raw,
    sign_envelope,
    testing::{CountingKey, TestPki, name, ready, set_extension, validity},
    x509::PublicKey,
};
use time::{Duration, UtcDateTime, macros::utc_datetime};

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
const FORMATS: [EnvelopeFormat; 2] = [EnvelopeFormat::Jws, EnvelopeFormat::Cose];

fn key(spec: KeySpec) -> FileKey {
    FileKey::generate(spec).unwrap().1
}

fn payload() -> Vec<u8> {
    let digest = Digest::of(HashAlgorithm::Sha256, b"artifact");
    Payload::new(Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest, 8)).to_json()
}

/// The error and its causes, as the command line shows them.
fn text(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", text(cause)),
        None => error.to_string(),
    }
}

/// Signs in both formats, which fails alike; gives the error and shows that no signature was asked for.
#[track_caller]
fn refused_unasked(
    pki: TestPki,
    attributes: &SignedAttributes,
    payload: &[u8],
    format: EnvelopeFormat,
) -> String {
    let key = CountingKey::new(pki.leaf_key);
    let request = SignRequest::new(format, payload, attributes.clone());
    let error = ready(sign_envelope(&key, &pki.chain, &request)).unwrap_err();
    assert_eq!((key.signatures(), key.public_keys()), (0, 0), "{}", text(&error));
    text(&error)
}

/// Answers with what a closure makes of the right signature.
#[derive(Debug)]
struct Lying<K> {
    key: K,
    lie: fn(&mut Vec<u8>),
}

impl<K: SigningKey> SigningKey for Lying<K> {
    fn public_key(&self) -> KeyFuture<'_, PublicKey> {
        self.key.public_key()
    }

    fn sign<'a>(
        &'a self,
        algorithm: SignatureAlgorithm,
        digest: &'a [u8],
    ) -> KeyFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let mut signature = self.key.sign(algorithm, digest).await?;
            (self.lie)(&mut signature);
            Ok(signature)
        })
    }
}

fn identity(key: &PublicKey) -> String {
    format!("{key} (sha256:{})", key.fingerprint())
}

#[track_caller]
fn names_both_keys(key: &dyn SigningKey, chain: &CertificateChain) {
    let error = ready(sign_raw(key, chain, b"message")).unwrap_err();
    assert!(matches!(error, SignError::KeyMismatch { .. }), "{error:?}");
    let held = ready(key.public_key()).unwrap();
    let expected = format!(
        "certificate chain does not belong to the key: the leaf certificate CN=leaf,O=Test,ST=WA,C=US \
         is for {}, and the key is {}",
        identity(chain.leaf().public_key()),
        identity(&held)
    );
    assert_eq!(text(&error), expected);
}

#[test]
fn a_chain_of_another_key_is_refused_with_both_fingerprints() {
    for (held, certified) in [
        (KeySpec::Ec256, KeySpec::Ec256),
        (KeySpec::Rsa2048, KeySpec::Rsa2048),
        (KeySpec::Ec384, KeySpec::Rsa2048),
        (KeySpec::Rsa2048, KeySpec::Ec384),
        (KeySpec::Ec256, KeySpec::Ec521),
        (KeySpec::Rsa3072, KeySpec::Rsa2048),
    ] {
        let pki = TestPki::new(certified, NOW).unwrap();
        names_both_keys(&key(held), &pki.chain);
    }
}

#[test]
fn a_signature_of_the_wrong_length_is_refused_with_both_lengths() {
    for (spec, length) in [(KeySpec::Ec384, 96), (KeySpec::Rsa2048, 256)] {
        let pki = TestPki::new(spec, NOW).unwrap();
        let cut =
            Lying { key: pki.leaf_key, lie: |signature| signature.truncate(signature.len() - 1) };
        let error = ready(sign_raw(&cut, &pki.chain, b"message")).unwrap_err();
        assert_eq!(
            text(&error),
            format!(
                "key service answered with a signature of {} bytes, and {spec} has {length}",
                length - 1
            )
        );
        let longer = Lying { lie: |signature| signature.push(0), ..cut };
        let error = ready(sign_raw(&longer, &pki.chain, b"message")).unwrap_err();
        assert!(matches!(error, SignError::SignatureLength { actual, expected, .. }
            if actual == length + 1 && expected == length));
        let nothing = Lying { lie: Vec::clear, ..longer };
        let error = ready(sign_raw(&nothing, &pki.chain, b"message")).unwrap_err();
        assert!(matches!(error, SignError::SignatureLength { actual: 0, .. }));
    }
}

#[test]
fn a_wrong_signature_never_leaves() {
    for spec in [KeySpec::Ec256, KeySpec::Rsa2048] {
        let pki = TestPki::new(spec, NOW).unwrap();
        let lying = Lying { key: pki.leaf_key, lie: |signature| signature[40] ^= 1 };
        let wanted = format!(
            "key service answered with a signature that does not verify with the key itself, {}",
            identity(pki.chain.leaf().public_key())
        );
        let error = ready(sign_raw(&lying, &pki.chain, b"message")).unwrap_err();
        assert_eq!(text(&error), wanted);
        let payload = payload();
        for format in FORMATS {
            let request = SignRequest::new(format, &payload, SignedAttributes::new(NOW));
            let error = ready(sign_envelope(&lying, &pki.chain, &request)).unwrap_err();
            assert_eq!(text(&error), wanted);
        }
    }
}

#[test]
fn a_signature_over_another_message_never_leaves() {
    /// Signs zeros, whatever it is asked to sign.
    #[derive(Debug)]
    struct Deaf(FileKey);
    impl SigningKey for Deaf {
        fn public_key(&self) -> KeyFuture<'_, PublicKey> {
            self.0.public_key()
        }
        fn sign<'a>(
            &'a self,
            algorithm: SignatureAlgorithm,
            _: &'a [u8],
        ) -> KeyFuture<'a, Vec<u8>> {
            self.0.sign(algorithm, &[0; 32])
        }
    }
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let error = ready(sign_raw(&Deaf(pki.leaf_key), &pki.chain, b"message")).unwrap_err();
    assert!(matches!(error, SignError::BadSignature(_)), "{error:?}");
}

#[test]
fn a_key_that_fails_is_not_asked_again() {
    #[derive(Debug)]
    struct Failing;
    impl SigningKey for Failing {
        fn public_key(&self) -> KeyFuture<'_, PublicKey> {
            panic!("the public key tells nothing here")
        }
        fn sign<'a>(&'a self, _: SignatureAlgorithm, _: &'a [u8]) -> KeyFuture<'a, Vec<u8>> {
            Box::pin(std::future::ready(Err(KeyError::UnsupportedKey { path: "gone".into() })))
        }
    }
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let key = CountingKey::new(Failing);
    let error = ready(sign_raw(&key, &pki.chain, b"message")).unwrap_err();
    assert!(matches!(error, SignError::Key(KeyError::UnsupportedKey { .. })), "{error:?}");
    assert_eq!(key.signatures(), 1);
}

#[test]
fn certificates_that_are_not_valid_when_signing_are_refused_before_the_key_is_asked() {
    let (start, end) = validity(NOW);
    for (at, part) in [
        (end + Duration::seconds(1), "certificate CN=leaf,O=Test,ST=WA,C=US expired at 2027-11-23"),
        (start - Duration::seconds(1), "certificate CN=leaf,O=Test,ST=WA,C=US is not valid before"),
    ] {
        for format in FORMATS {
            let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
            let error = refused_unasked(pki, &SignedAttributes::new(at), &payload(), format);
            assert!(error.contains(part), "{error}");
        }
    }
    // The issuing CA ends before its leaf does.
    let leaf = CertificateTemplate::code_signing(name("leaf"), validity(NOW));
    let ended = |issuing: &mut CertificateTemplate| issuing.not_after = NOW - Duration::seconds(1);
    let pki = TestPki::with_templates(KeySpec::Ec256, NOW, ended, leaf).unwrap();
    let error = refused_unasked(pki, &SignedAttributes::new(NOW), &payload(), EnvelopeFormat::Jws);
    assert!(error.contains("certificate CN=issuing,O=Test,ST=WA,C=US expired at"), "{error}");
}

#[test]
fn chains_that_break_a_requirement_are_refused_before_the_key_is_asked() {
    let made = |change: fn(&mut CertificateTemplate)| {
        let mut leaf = CertificateTemplate::code_signing(name("leaf"), validity(NOW));
        change(&mut leaf);
        TestPki::with_templates(KeySpec::Ec256, NOW, |_| {}, leaf).unwrap()
    };
    let ca: fn(&mut CertificateTemplate) = |leaf| {
        set_extension(leaf, Extension::new("2.5.29.19", true, &[0x30, 3, 1, 1, 0xff]));
    };
    let server: fn(&mut CertificateTemplate) = |leaf| {
        let server_auth = [0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
        set_extension(leaf, Extension::new("2.5.29.37", false, &server_auth));
    };
    for (change, part) in
        [(ca, "of a leaf must have cA set to false"), (server, "must not have serverAuth")]
    {
        for format in FORMATS {
            let error =
                refused_unasked(made(change), &SignedAttributes::new(NOW), &payload(), format);
            assert!(error.contains(part), "{error}");
        }
        let TestPki { chain, leaf_key, .. } = made(change);
        let key = CountingKey::new(leaf_key);
        let error = ready(sign_raw(&key, &chain, b"message")).unwrap_err();
        assert!(text(&error).contains(part), "{error:?}");
        assert_eq!((key.signatures(), key.public_keys()), (0, 0));
    }
}

#[test]
fn a_chain_without_its_root_or_out_of_order_is_refused_before_the_key_is_asked() {
    for (order, part) in [
        (&[0, 1][..], "the certificate of CN=root,O=Test,ST=WA,C=US is missing"),
        (&[0, 2, 1], "but CN=root,O=Test,ST=WA,C=US follows it"),
        (&[1, 0, 2], "but CN=leaf,O=Test,ST=WA,C=US follows it"),
        (&[1, 2], "of a leaf must have cA set to false"),
    ] {
        let mut pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
        let certificates = order.iter().map(|&i: &usize| pki.chain.certificates()[i].clone());
        pki.chain = CertificateChain::from_ordered(certificates.collect()).unwrap();
        let error =
            refused_unasked(pki, &SignedAttributes::new(NOW), &payload(), EnvelopeFormat::Cose);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn payloads_and_attributes_that_no_verifier_takes_are_refused_before_the_key_is_asked() {
    let refused = |change: fn(&mut SignedAttributes), payload: &[u8], part: &str| {
        for format in FORMATS {
            let mut attributes = SignedAttributes::new(NOW);
            change(&mut attributes);
            let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
            let error = refused_unasked(pki, &attributes, payload, format);
            assert!(error.contains(part), "{error}");
        }
    };
    let good = payload();
    refused(|a| a.expiry = Some(NOW), &good, "is not after the signing time");
    refused(|_| {}, b"", "payload is not a JSON object");
    refused(|_| {}, b"{}", "payload is not a JSON object with the object targetArtifact");
    refused(|_| {}, &vec![b' '; 1024 * 1024 + 1], "over the limit of 1048576 bytes");
    refused(
        |a| a.extended.push(extended("com.example.unknown", AttributeValue::Null, true)),
        &good,
        "critical attribute \"com.example.unknown\" is unknown",
    );
    refused(
        |a| a.extended.push(extended("com.example.map", AttributeValue::Complex, false)),
        &good,
        "com.example.map is not a value of a primitive type",
    );
    refused(
        |a| a.extended.push(extended("IO.cncf.notary.expiry", AttributeValue::Null, false)),
        &good,
        "\"IO.cncf.notary.expiry\" has the name of a header that is not its own",
    );
    refused(
        |a| {
            let name = "io.cncf.notary.\u{17f}igningTime";
            a.extended.push(extended(name, AttributeValue::Null, false));
        },
        &good,
        "igningTime\" has the name of a header that is not its own",
    );
    refused(
        |a| a.extended = vec![extended("com.example.a", AttributeValue::Null, false); 2],
        &good,
        "\"com.example.a\" occurs twice",
    );
    refused(
        |a| a.extended = vec![extended("com.example.a", AttributeValue::Null, false); 65],
        &good,
        "more than 64 extended attributes",
    );
    refused(
        |a| a.verification_plugin = Some(" ".to_owned()),
        &good,
        "io.cncf.notary.verificationPlugin is not the name of a plugin",
    );
}

#[test]
fn what_jws_cannot_say_is_refused_before_the_key_is_asked() {
    for (attribute, part) in [
        (
            extended("alg", AttributeValue::Text("none".to_owned()), false),
            "\"alg\" has the name of a header",
        ),
        (
            extended("kid", AttributeValue::Text("1".to_owned()), true),
            "\"kid\" has the name of a header",
        ),
        (extended("com.example.a", AttributeValue::Number(f64::NAN), false), "a finite number"),
    ] {
        let mut attributes = SignedAttributes::new(NOW);
        // So that the critical one is not refused for want of a plugin.
        attributes.verification_plugin = Some("com.example.plugin".to_owned());
        attributes.extended.push(attribute);
        let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
        let error = refused_unasked(pki, &attributes, &payload(), EnvelopeFormat::Jws);
        assert!(error.contains(part), "{error}");
    }
}

fn extended(name: &str, value: AttributeValue, critical: bool) -> ExtendedAttribute {
    ExtendedAttribute::new(name, value, critical)
}
