//! Timestamp tokens and answers that show no time, however well they are signed.

use std::error::Error;

use notation_sdk::{
    Certificate,
    algorithm::{
        HashAlgorithm::{Sha256, Sha384},
        KeySpec,
    },
    limits,
    pki::{CertificateTemplate, Extension, Issuer},
    testing::{name, ready, set_extension, validity},
    timestamp::{ResponseError, Timestamp, TimestampRequest, TimestampToken, TokenError},
};
use proptest::prelude::{any, prop_assert_eq, proptest};
use time::{UtcDateTime, macros::utc_datetime};

use crate::support::{
    der::{element, integer_of, octets, oid, sequence_of},
    forged_token::{
        CONTENT_TYPE, Change, Forgery, SHA1, SHA256, SIGNING_CERTIFICATE, TstInfo,
        algorithm_identifier, attribute, certificate_id, change, imprint, issuer_and_serial,
        sha256, signing_certificate_v2, time,
    },
    tsa::{EXTENDED_KEY_USAGE, TIME_STAMPING, Tsa, TsaPki, TsaSettings},
};

const MESSAGE: &[u8] = b"a signature";
const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
const GEN_TIME: &str = "20261123120000Z";
const KEY_USAGE: &str = "2.5.29.15";

fn pki() -> &'static TsaPki {
    static PKI: std::sync::OnceLock<TsaPki> = std::sync::OnceLock::new();
    PKI.get_or_init(|| TsaPki::new(KeySpec::Ec256, NOW))
}

fn forgery() -> Forgery<'static> {
    Forgery::new(pki(), MESSAGE, GEN_TIME)
}

fn verify(token: &[u8], roots: &[Certificate]) -> Result<Timestamp, TokenError> {
    TimestampToken::parse(token)?.verify(MESSAGE, roots)
}

/// The error and its causes, as the command line shows them.
fn text(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", text(cause)),
        None => error.to_string(),
    }
}

/// Holds each forgery against what is said of it.
#[track_caller]
fn refuses<'a>(changes: impl IntoIterator<Item = Change<'a>>) {
    assert!(verify(&forgery().token(), &pki().roots()).is_ok());
    for Change { what: expected, by } in changes {
        let mut forgery = forgery();
        by(&mut forgery);
        let refused = verify(&forgery.token(), &pki().roots()).expect_err(expected);
        let told = text(&refused);
        assert!(told.contains(expected), "{told:?} does not tell {expected:?}");
    }
}

#[test]
fn another_message_content_or_kind_is_refused() {
    let digest = sha256(MESSAGE);
    refuses([
        change("is not of this signature", |f| {
            f.tst_info.imprint = imprint(SHA256, &sha256(b"another signature"));
        }),
        change("is not of this signature", |f| f.tst_info.imprint = imprint(SHA256, &digest[1..])),
        change("is not of this signature", |f| f.tst_info.imprint = imprint(SHA256, b"")),
        change("messageImprint of the timestamp token has hash SHA-1", |f| {
            f.tst_info.imprint = imprint(SHA1, &[1; 20]);
        }),
        change("messageImprint of the timestamp token has hash MD5", |f| {
            f.tst_info.imprint = imprint("1.2.840.113549.2.5", &[1; 16]);
        }),
        change("messageImprint of the timestamp token has hash 2.16.840.1.101.3.4.2.8", |f| {
            f.tst_info.imprint = imprint("2.16.840.1.101.3.4.2.8", &[1; 32]);
        }),
        change("messageImprint of the timestamp token has hash", |f| {
            let with_parameters = sequence_of(&[&oid(SHA256), &integer_of(&[1])]);
            f.tst_info.imprint = sequence_of(&[&with_parameters, &octets(&digest)]);
        }),
        change("message-digest of the timestamp token is not the digest of its TSTInfo", |f| {
            f.message_digest = Some(octets(&sha256(b"")));
        }),
        change("message-digest of the timestamp token is malformed", |f| {
            f.message_digest = Some(integer_of(&[1]));
        }),
        change("message-digest 0 times", |f| f.message_digest = Some(Vec::new())),
        change("content-type 0 times", |f| f.content_type_attribute = Vec::new()),
        change("content-type 2 times", |f| {
            let again = f.content_type_attribute.clone();
            f.more_attributes.push(again);
        }),
        change("content-type 2 times", |f| {
            let kind = oid("1.2.840.113549.1.9.16.1.4");
            f.content_type_attribute = attribute(CONTENT_TYPE, &[&kind, &kind]);
        }),
        change("content-type of the timestamp token is not TSTInfo", |f| {
            f.content_type_attribute = attribute(CONTENT_TYPE, &[&oid("1.2.840.113549.1.7.1")]);
        }),
        change("holds content type 1.2.840.113549.1.7.1, which is not TSTInfo", |f| {
            f.content_type = oid("1.2.840.113549.1.7.1");
        }),
        change("has content type 1.2.840.113549.1.7.1, which is not SignedData", |f| {
            f.content_info_type = oid("1.2.840.113549.1.7.1");
        }),
        change("holds no TSTInfo", |f| f.content = Some(Vec::new())),
        change("SignedData of the timestamp token has version 1", |f| f.version = integer_of(&[1])),
    ]);
}

#[test]
fn a_tst_info_that_is_not_one_is_refused() {
    fn tst<'a>(what: &'a str, by: impl Fn(&mut TstInfo) + 'a) -> Change<'a> {
        change(what, move |f| by(&mut f.tst_info))
    }
    let extension = || sequence_of(&[&oid("1.2.3.4"), &[1, 1, 0xff], &octets(b"")]);
    refuses([
        change("TSTInfo of the timestamp token is malformed", |f| {
            f.content = Some(b"hello".to_vec());
        }),
        tst("TSTInfo of the timestamp token has version 2", |t| t.version = integer_of(&[2])),
        tst("TSTInfo of the timestamp token is malformed", |t| t.version = integer_of(&[0xff])),
        tst("TSTInfo of the timestamp token is malformed", |t| t.policy = Vec::new()),
        tst("TSTInfo of the timestamp token is malformed", |t| {
            t.policy = element(6, &[&[0x2a, 0x80]]);
        }),
        tst("TSTInfo of the timestamp token is malformed", |t| t.policy = octets(b"1")),
        tst("TSTInfo of the timestamp token is malformed", |t| t.serial_number = octets(b"1")),
        tst("TSTInfo of the timestamp token is malformed", |t| t.gen_time = Vec::new()),
        // UTCTime
        tst("TSTInfo of the timestamp token is malformed", |t| {
            t.gen_time = element(0x17, &[b"261123120000Z"]);
        }),
        tst("genTime \"20261123120000.50Z\" of TSTInfo", |t| {
            t.gen_time = time("20261123120000.50Z");
        }),
        tst("genTime \"20261123130000+0100\" of TSTInfo", |t| {
            t.gen_time = time("20261123130000+0100");
        }),
        tst("genTime \"202611231200\\u{1b}[\" of TSTInfo", |t| {
            t.gen_time = time("202611231200\x1b[");
        }),
        // Negative: the latest time would come before the earliest.
        tst("TSTInfo of the timestamp token is malformed", |t| {
            t.accuracy = sequence_of(&[&integer_of(&[0xff])]);
        }),
        tst("TSTInfo of the timestamp token is malformed", |t| {
            t.accuracy = sequence_of(&[&element(0x80, &[&[0xff]])]);
        }),
        tst("TSTInfo of the timestamp token is malformed", |t| {
            t.accuracy = sequence_of(&[&integer_of(&[1, 0, 0, 0, 0])]);
        }),
        tst("accuracy of TSTInfo has 1000 thousandths", |t| {
            t.accuracy = sequence_of(&[&element(0x80, &[&[3, 0xe8]])]);
        }),
        tst("accuracy of TSTInfo has 1000 thousandths", |t| {
            t.accuracy = sequence_of(&[&element(0x81, &[&[3, 0xe8]])]);
        }),
        tst("TSTInfo of the timestamp token is malformed", |t| {
            t.accuracy = sequence_of(&[&octets(b"1")]);
        }),
        tst("extension 1.2.3.4 of TSTInfo is critical", |t| {
            t.extensions = element(0xa1, &[&extension()]);
        }),
        tst("TSTInfo of the timestamp token is malformed", |t| t.extensions = octets(b"")),
    ]);
}

#[test]
fn an_accuracy_of_a_century_stays_within_the_calendar() {
    let at = utc_datetime!(9999-12-31 23:59:59);
    let pki = TsaPki::with_signer(KeySpec::Ec256, (NOW, at), |_| {});
    let mut forgery = Forgery::new(&pki, MESSAGE, "99991231235959Z");
    forgery.tst_info.accuracy = sequence_of(&[&integer_of(&[0, 0xff, 0xff, 0xff, 0xff])]);
    let timestamp = verify(&forgery.token(), &pki.roots()).unwrap();
    assert!(
        timestamp.earliest() < timestamp.gen_time() && timestamp.gen_time() <= timestamp.latest()
    );
    assert!(timestamp.check_within_validity(&pki.chain).is_err());
}

#[test]
fn a_signer_that_is_not_the_one_that_is_named_is_refused() {
    let [leaf, issuing, _] = pki().chain.certificates() else { panic!("three certificates") };
    let other = TsaPki::new(KeySpec::Ec256, NOW);
    let v1 = || {
        let id = sequence_of(&[&octets(&[1; 20])]);
        attribute(SIGNING_CERTIFICATE, &[&sequence_of(&[&sequence_of(&[&id])])])
    };
    let by_sha1 = || sequence_of(&[&algorithm_identifier(SHA1), &octets(&[1; 20])]);
    let named = |issuer: &[u8], serial: &[u8]| {
        let names = sequence_of(&[&element(0xa4, &[issuer])]);
        signing_certificate_v2(&[&certificate_id(
            leaf,
            &sequence_of(&[&names, &integer_of(serial)]),
        )])
    };
    let issuer = leaf.issuer().as_der();
    refuses([
        change("signing-certificate-v2 0 times", |f| f.signing_certificate = Vec::new()),
        // RFC 5816 has both; the specification asks for the second.
        change("signing-certificate-v2 0 times", |f| f.signing_certificate = v1()),
        change("signing-certificate-v2 2 times", |f| {
            let again = f.signing_certificate.clone();
            f.more_attributes.push(again);
        }),
        change("signing-certificate-v2 of the timestamp token has hash SHA-1", |f| {
            f.signing_certificate = signing_certificate_v2(&[&by_sha1()]);
        }),
        change("signing-certificate-v2 of the timestamp token is malformed", |f| {
            f.signing_certificate = signing_certificate_v2(&[]);
        }),
        change("certificate of the timestamp token's signer is not in the token", |f| {
            f.signing_certificate =
                signing_certificate_v2(&[&certificate_id(other.chain.leaf(), &[])]);
        }),
        change("certificate of the timestamp token's signer is not in the token", |f| {
            f.signing_certificate = signing_certificate_v2(&[
                &certificate_id(other.chain.leaf(), &[]),
                &certificate_id(leaf, &[]),
            ]);
        }),
        change("certificate of the timestamp token's signer is not in the token", |f| {
            f.certificates.clear();
        }),
        change("certificate of the timestamp token's signer is not in the token", |f| {
            drop(f.certificates.remove(0));
        }),
        change("sid of the timestamp token names another certificate than CN=TSA issuing", |f| {
            f.signing_certificate = signing_certificate_v2(&[&certificate_id(issuing, &[])]);
        }),
        change("sid of the timestamp token names another certificate than CN=TSA,", |f| {
            f.sid = issuer_and_serial(issuing);
        }),
        change("sid of the timestamp token names another certificate than CN=TSA,", |f| {
            f.signer_version = integer_of(&[3]);
            f.sid = element(0x80, &[&[7; 20]]);
        }),
        change("SignerInfo of the timestamp token has version 3, which does not fit", |f| {
            f.signer_version = integer_of(&[3]);
        }),
        change("SignerInfo of the timestamp token has version 1, which does not fit", |f| {
            f.sid = element(0x80, &[&[7; 20]]);
        }),
        change("signing-certificate-v2 of the timestamp token names another certificate", |f| {
            f.signing_certificate = named(issuer, &[1]);
        }),
        change("signing-certificate-v2 of the timestamp token names another certificate", |f| {
            f.signing_certificate = named(leaf.subject().as_der(), leaf.serial_number());
        }),
        change(
            "signature of the timestamp token does not verify with the key of CN=TSA issuing",
            |f| {
                f.sid = issuer_and_serial(issuing);
                f.signing_certificate = signing_certificate_v2(&[&certificate_id(issuing, &[])]);
            },
        ),
        change("has 0 signers, and must have one", |f| f.signers = 0),
        change("has 2 signers, and must have one", |f| f.signers = 2),
    ]);
}

#[test]
fn weak_and_wrong_algorithms_are_refused() {
    refuses([
        change("message-digest of the timestamp token has hash SHA-1", |f| {
            f.digest_algorithm = algorithm_identifier(SHA1);
        }),
        change("is signed by ECDSA with SHA-1, which is not supported", |f| {
            f.signature_algorithm = sequence_of(&[&oid("1.2.840.10045.4.1")]);
        }),
        change("is signed by RSA with SHA-1, which is not supported", |f| {
            f.signature_algorithm = algorithm_identifier("1.2.840.113549.1.1.5");
        }),
        change("is signed by 1.3.101.112, which is not supported", |f| {
            f.signature_algorithm = sequence_of(&[&oid("1.3.101.112")]);
        }),
        // PSS without parameters means SHA-1.
        change("is signed by 1.2.840.113549.1.1.10, which is not supported", |f| {
            f.signature_algorithm =
                sequence_of(&[&oid("1.2.840.113549.1.1.10"), &sequence_of(&[])]);
        }),
        change("signature of the timestamp token does not verify", |f| {
            f.signature_algorithm = algorithm_identifier("1.2.840.113549.1.1.1");
        }),
        change("signature of the timestamp token does not verify", |f| {
            f.signature_algorithm = sequence_of(&[&oid("1.2.840.10045.4.3.3")]);
        }),
    ]);
}

/// A key that is too short signs nothing, whoever issued a certificate for it.
#[test]
fn short_keys_are_refused() {
    let Some(openssl) = crate::support::openssl::Openssl::or_skip() else { return };
    openssl.run("genrsa -out short.key 1024").expect_status(0);
    openssl.run("rsa -in short.key -pubout -outform DER -out short.der").expect_status(0);
    let spki = std::fs::read(openssl.path("short.der")).unwrap();
    // The key is put in place of the signer's; nothing is verified by the CA before the key is looked at.
    let leaf = pki().chain.leaf();
    let own = leaf.public_key().as_spki_der();
    let with_short = replaced_key(leaf.as_der(), own, &spki);
    let short = Certificate::from_der(&with_short).unwrap();
    let mut forgery = forgery();
    forgery.certificates[0] = with_short;
    forgery.signing_certificate = signing_certificate_v2(&[&certificate_id(&short, &[])]);
    let refused = verify(&forgery.token(), &pki().roots()).unwrap_err();
    assert!(matches!(&refused, TokenError::UnsupportedKey { .. }), "{refused:?}");
    assert!(refused.to_string().contains("is signed by key RSA-1024 of CN=TSA,"), "{refused}");
}

/// A certificate with another public key, and lengths that fit.
fn replaced_key(certificate: &[u8], own: &[u8], other: &[u8]) -> Vec<u8> {
    let (_, body) = certificate.split_at(4);
    let tbs_length = usize::from(body[2]) << 8 | usize::from(body[3]);
    let (tbs, rest) = body[4..].split_at(tbs_length);
    let at = tbs.windows(own.len()).position(|bytes| bytes == own).unwrap();
    let tbs = [&tbs[..at], other, &tbs[at + own.len()..]].concat();
    sequence_of(&[&sequence_of(&[&tbs]), rest])
}

#[test]
fn a_certificate_that_is_not_for_timestamps_is_refused() {
    let code_signing: &[u8] = &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 3];
    let both = sequence_of(&[&TIME_STAMPING[2..], &code_signing[2..]]);
    type Change<'a> = Box<dyn FnOnce(&mut CertificateTemplate) + 'a>;
    let cases: [(&str, Change<'_>); 6] = [
        ("must be present", Box::new(|t| t.extensions.retain(|e| e.oid != EXTENDED_KEY_USAGE))),
        (
            "must be critical",
            Box::new(|t| {
                set_extension(t, Extension::new(EXTENDED_KEY_USAGE, false, &TIME_STAMPING));
            }),
        ),
        (
            "must have timeStamping alone",
            Box::new(|t| {
                set_extension(t, Extension::new(EXTENDED_KEY_USAGE, true, &both));
            }),
        ),
        (
            "must have timeStamping alone",
            Box::new(|t| {
                set_extension(t, Extension::new(EXTENDED_KEY_USAGE, true, code_signing));
            }),
        ),
        ("keyUsage must be present", Box::new(|t| t.extensions.retain(|e| e.oid != KEY_USAGE))),
        (
            "must not have keyAgreement",
            Box::new(|t| {
                set_extension(t, Extension::new(KEY_USAGE, true, &[3, 2, 3, 0b1000_1000]));
            }),
        ),
    ];
    for (expected, change) in cases {
        let pki = TsaPki::with_signer(KeySpec::Ec256, validity(NOW), change);
        let token = Forgery::new(&pki, MESSAGE, GEN_TIME).token();
        let refused = text(&verify(&token, &pki.roots()).expect_err(expected));
        assert!(refused.contains(expected), "{refused:?} does not tell {expected:?}");
    }
}

#[test]
fn a_chain_that_ends_elsewhere_or_was_not_valid_is_refused() {
    let other = TsaPki::new(KeySpec::Ec256, NOW);
    let token = forgery().token();
    let told = |token: &[u8], roots: &[Certificate]| text(&verify(token, roots).unwrap_err());

    // The other root has the same name.
    let refused = told(&token, &other.roots());
    assert!(
        refused.contains("lead to CN=TSA issuing,") && refused.contains("none of the 1 roots"),
        "{refused}"
    );
    assert!(told(&token, &[]).contains("none of the 0 roots"));

    // A root that only the token brings is trusted by nobody.
    let mut with_root = forgery();
    with_root.certificates.push(pki().chain.root().as_der().to_vec());
    let refused = told(&with_root.token(), &other.roots());
    assert!(refused.contains("lead to CN=TSA root,"), "{refused}");

    // Stores for timestamps hold roots: the issuing CA is none.
    let issuing = pki().chain.certificates()[1].clone();
    assert!(matches!(verify(&token, &[issuing]), Err(TokenError::NotAnchored { .. })));

    // Without the issuing CA there is no way up.
    let mut without = forgery();
    without.certificates.truncate(1);
    let refused = told(&without.token(), &pki().roots());
    assert!(refused.contains("lead to CN=TSA,"), "{refused}");

    for (expected, gen_time) in
        [("expired at", "20271228120000Z"), ("is not valid before", "20261121120000Z")]
    {
        let token = Forgery::new(pki(), MESSAGE, gen_time).token();
        let refused = told(&token, &pki().roots());
        assert!(refused.contains(expected), "{refused}");
    }
    // A tenth of a second after the last one.
    let last = pki().chain.leaf().not_after();
    assert_eq!(last, utc_datetime!(2027-11-23 12:00:00));
    let token = Forgery::new(pki(), MESSAGE, "20271123120000.1Z").token();
    assert!(told(&token, &pki().roots()).contains("expired at"));
    let token = Forgery::new(pki(), MESSAGE, "20271123120000Z").token();
    assert!(verify(&token, &pki().roots()).is_ok());
}

/// Certificates of one name that all issued each other: each is tried once.
#[test]
fn a_maze_of_certificates_costs_little() {
    let (from, to) = validity(NOW);
    let template = CertificateTemplate::ca(name("TSA issuing"), (from, to), 0);
    let maze: Vec<Vec<u8>> = (0..limits::TIMESTAMP_CERTIFICATES - 1)
        .map(|_| {
            let own = ready(template.issue(&pki().issuing_key, Issuer::Itself)).unwrap();
            own.as_der().to_vec()
        })
        .collect();
    let mut forgery = forgery();
    forgery.certificates.truncate(1);
    forgery.certificates.extend(maze);
    let start = std::time::Instant::now();
    let refused = verify(&forgery.token(), &pki().roots());
    assert!(matches!(refused, Err(TokenError::NotAnchored { .. })), "{refused:?}");
    assert!(start.elapsed() < std::time::Duration::from_secs(10));

    let another = forgery.certificates[1].clone();
    forgery.certificates.push(another);
    assert!(matches!(
        TimestampToken::parse(&forgery.token()),
        Err(TokenError::TooMany { part: "certificates", limit: limits::TIMESTAMP_CERTIFICATES })
    ));
}

#[test]
fn what_is_too_much_or_too_little_is_refused() {
    let token = forgery().token();
    for length in 0..token.len() {
        let refused = TimestampToken::parse(&token[..length]).unwrap_err();
        assert!(matches!(refused, TokenError::NotBer(_)), "{length}: {refused:?}");
    }
    for trailing in [&[0][..], &[0, 0], &token] {
        let mut forgery = forgery();
        forgery.trailing = trailing.to_vec();
        let refused = TimestampToken::parse(&forgery.token()).unwrap_err();
        assert_eq!(
            text(&refused),
            format!("timestamp token is not BER: {} bytes follow", trailing.len())
        );
    }
    let large = vec![0; limits::TIMESTAMP_BYTES + 1];
    assert_eq!(TimestampToken::parse(&large), Err(TokenError::TooLarge(large.len())));
    let mut crowded = forgery();
    crowded.more_attributes =
        (0..=limits::TIMESTAMP_ATTRIBUTES).map(|_| attribute("1.2.3", &[])).collect();
    assert!(matches!(
        TimestampToken::parse(&crowded.token()),
        Err(TokenError::TooMany { part: "signedAttrs", .. })
    ));
    let mut broken = forgery();
    broken.certificates.push(sequence_of(&[]));
    assert!(matches!(
        TimestampToken::parse(&broken.token()),
        Err(TokenError::Certificate { number: 3, .. })
    ));
}

/// Where the two readings of a changed token could differ, it is refused or says the same.
fn never_says_something_else(token: &[u8], pki: &TsaPki, step: usize) {
    let honest = verify(token, &pki.roots()).unwrap();
    let mut refused = 0;
    let mut tried = 0;
    for at in (0..token.len()).step_by(step) {
        for bit in 0..8 {
            let mut changed = token.to_vec();
            changed[at] ^= 1 << bit;
            tried += 1;
            match verify(&changed, &pki.roots()) {
                Ok(timestamp) => assert_eq!(timestamp, honest, "bit {bit} of byte {at}"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused * 100 > tried * 95, "{refused} of {tried}");
}

#[test]
fn a_changed_token_never_says_something_else() {
    never_says_something_else(&forgery().token(), pki(), 3);
    let Some(tsa) = Tsa::or_skip(&TsaSettings { key: KeySpec::Rsa2048, ..TsaSettings::default() })
    else {
        return;
    };
    never_says_something_else(&tsa.token(MESSAGE, "sha256"), &tsa.pki, 10);
}

#[test]
fn an_answer_to_another_request_is_refused() {
    let Some(tsa) = Tsa::or_skip(&TsaSettings::default()) else { return };
    let request = TimestampRequest::new(Sha256, MESSAGE);
    let answer = tsa.reply(request.as_der());
    assert!(request.read_response(&answer).is_ok());
    let again = TimestampRequest::new(Sha256, MESSAGE);
    assert_eq!(again.read_response(&answer), Err(ResponseError::OtherNonce));
    for other in [TimestampRequest::new(Sha256, b"x"), TimestampRequest::new(Sha384, MESSAGE)] {
        assert_eq!(other.read_response(&answer), Err(ResponseError::OtherImprint));
    }
    // A token without a nonce.
    assert_eq!(request.read_response(&forgery().response()), Err(ResponseError::OtherNonce));
}

#[test]
fn an_answer_without_a_token_says_why() {
    let request = TimestampRequest::new(Sha256, MESSAGE);
    let status = |parts: &[&[u8]]| sequence_of(&[&sequence_of(parts)]);
    let said = |text: &[&str]| {
        let strings: Vec<Vec<u8>> =
            text.iter().map(|text| element(0x0c, &[text.as_bytes()])).collect();
        sequence_of(&strings.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let failure = |bits: &[u8]| element(0x03, &[bits]);
    let cases = [
        (
            status(&[
                &integer_of(&[2]),
                &said(&["no", "way\x1b[31m\u{202e}"]),
                &failure(&[7, 0x80]),
            ]),
            "timestamp authority answers with a rejection: the hash algorithm is not supported: no; way\\u{1b}[31m\\u{202e}",
            false,
        ),
        (
            status(&[&integer_of(&[2]), &failure(&[6, 0, 0, 0, 0x40])]),
            "timestamp authority answers with a rejection: the authority has a system failure",
            true,
        ),
        (
            status(&[&integer_of(&[2]), &failure(&[1, 0, 2])]),
            "timestamp authority answers with a rejection: the authority's clock is not available",
            true,
        ),
        (
            status(&[&integer_of(&[3])]),
            "timestamp authority answers that the request has to wait",
            true,
        ),
        (status(&[&integer_of(&[5])]), "timestamp authority answers with status 5", false),
    ];
    for (answer, expected, is_temporary) in cases {
        let refused = request.read_response(&answer).unwrap_err();
        assert_eq!(refused.to_string(), expected);
        let ResponseError::Refused(refusal) = refused else { panic!("{refused:?}") };
        assert_eq!(refusal.is_temporary(), is_temporary, "{expected}");
    }
    assert_eq!(request.read_response(&status(&[&integer_of(&[0])])), Err(ResponseError::NoToken));
    for (answer, expected) in [
        (
            sequence_of(&[&sequence_of(&[&integer_of(&[0])]), &integer_of(&[1])]),
            "holds no token that can be used",
        ),
        (sequence_of(&[]), "timestamp response is malformed"),
        (sequence_of(&[&sequence_of(&[&octets(b"")])]), "timestamp response is malformed"),
        (b"<html>".to_vec(), "timestamp response is not BER"),
        (Vec::new(), "timestamp response is not BER"),
        (vec![0x30; limits::TIMESTAMP_BYTES + 1], "over the limit of 1048576 bytes"),
    ] {
        let refused = text(&request.read_response(&answer).unwrap_err());
        assert!(refused.contains(expected), "{refused}");
    }
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(token) = TimestampToken::parse(&bytes) {
            prop_assert_eq!(TimestampToken::parse(token.as_der()), Ok(token));
        }
    }

    #[test]
    fn a_token_in_pieces_is_read_without_harm(at in 0usize..1200, bytes in proptest::collection::vec(any::<u8>(), 1..20)) {
        let mut token = forgery().token();
        let at = at.min(token.len());
        let end = (at + bytes.len()).min(token.len());
        token.splice(at..end, bytes);
        let honest = verify(&forgery().token(), &pki().roots()).unwrap();
        if let Ok(timestamp) = verify(&token, &pki().roots()) {
            prop_assert_eq!(timestamp, honest);
        }
    }
}
