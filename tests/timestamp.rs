//! Timestamps: tokens that openssl makes are verified, and what else is legal in one.

use std::time::Duration;

use notation_sdk::{
    algorithm::{
        HashAlgorithm::{Sha256, Sha384, Sha512},
        KeySpec, SignatureAlgorithm,
    },
    pki::{CertificateTemplate, Issuer},
    testing::{TestPki, name, ready},
    timestamp::{Timestamp, TimestampRequest, TimestampToken, TokenError},
    x509::ChainError,
};
use time::{UtcDateTime, macros::utc_datetime};

use crate::support::{
    der::{element, integer_of, octets, oid, sequence_of},
    forged_token::{
        Change, Forgery, SHA384, SIGNING_CERTIFICATE, algorithm_identifier, attribute,
        certificate_id, change, hash, signing_certificate_v2,
    },
    tsa::{Tsa, TsaPki, TsaSettings},
};

const MESSAGE: &[u8] = b"a signature";
const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
const GEN_TIME: &str = "20261123120000Z";

fn pki() -> &'static TsaPki {
    static PKI: std::sync::OnceLock<TsaPki> = std::sync::OnceLock::new();
    PKI.get_or_init(|| TsaPki::new(KeySpec::Ec256, NOW))
}

fn forgery() -> Forgery<'static> {
    Forgery::new(pki(), MESSAGE, GEN_TIME)
}

/// What a forgery shows that is to be legal.
fn verified(forgery: &Forgery<'_>) -> Timestamp {
    let token = TimestampToken::parse(&forgery.token()).unwrap();
    token.verify(MESSAGE, &pki().roots()).unwrap()
}

/// All of its lengths indefinite, and its octet strings in parts, down to what is hashed or signed.
fn to_ber(der: &[u8], depth: usize) -> Vec<u8> {
    let mut ber = Vec::new();
    let mut rest = der;
    while let [tag, first, ..] = rest {
        let (header, length) = match first {
            0..=0x7f => (2, usize::from(*first)),
            0x81 => (3, usize::from(rest[2])),
            _ => (4, usize::from(rest[2]) << 8 | usize::from(rest[3])),
        };
        let contents = &rest[header..header + length];
        match tag {
            // Certificates and signed attributes stay: the one that holds [0] in [0] in a SEQUENCE.
            _ if depth == 0 => ber.extend(&rest[..header + length]),
            0x04 => {
                ber.extend([0x24, 0x80]);
                for part in contents.chunks(100) {
                    ber.extend(octets(part));
                }
                ber.extend([0, 0]);
            }
            tag if tag & 0x20 != 0 => {
                ber.extend([*tag, 0x80]);
                ber.extend(to_ber(contents, depth - 1));
                ber.extend([0, 0]);
            }
            _ => ber.extend(&rest[..header + length]),
        }
        rest = &rest[header + length..];
    }
    ber
}

#[test]
fn tokens_of_every_key_and_hash_are_verified() {
    let cases = [
        (KeySpec::Rsa2048, "sha256"),
        (KeySpec::Rsa3072, "sha384"),
        (KeySpec::Rsa4096, "sha512"),
        (KeySpec::Ec256, "sha256"),
        (KeySpec::Ec384, "sha384"),
        (KeySpec::Ec521, "sha512"),
        (KeySpec::Ec256, "sha512"),
    ];
    for (key, digest) in cases {
        let settings = TsaSettings { key, digest, ..TsaSettings::default() };
        let Some(tsa) = Tsa::or_skip(&settings) else { return };
        let before = UtcDateTime::now() - Duration::from_secs(1);
        let bytes = tsa.token(MESSAGE, digest);
        let token = TimestampToken::parse(&bytes).unwrap();
        assert_eq!(token.as_der(), bytes, "{key} {digest}");
        assert_eq!(token.certificates().len(), 2, "{key} {digest}");
        let timestamp = token.verify(MESSAGE, &tsa.pki.roots()).unwrap();
        assert_eq!(timestamp.certificate_chain(), &tsa.pki.chain);
        assert_eq!(timestamp.policy(), "1.2.3.4.1");
        assert_eq!(timestamp.serial_number(), [1]);
        assert_eq!(timestamp.accuracy(), Duration::from_millis(1500));
        assert_eq!(timestamp.earliest(), timestamp.gen_time() - timestamp.accuracy());
        assert_eq!(timestamp.latest(), timestamp.gen_time() + timestamp.accuracy());
        assert!(before <= timestamp.gen_time() && timestamp.gen_time() <= UtcDateTime::now());
        assert_eq!(token.dangerous_claimed_range(), (timestamp.earliest(), timestamp.latest()));
        assert!(tsa.verifies(&bytes, MESSAGE), "{key} {digest}");
    }
}

#[test]
fn a_time_may_have_a_fraction_and_no_accuracy() {
    let settings = TsaSettings { places: 6, accuracy: "", ..TsaSettings::default() };
    let Some(tsa) = Tsa::or_skip(&settings) else { return };
    // One time in a million has no fraction.
    let mut fractions = 0;
    for _ in 0..3 {
        let token = TimestampToken::parse(&tsa.token(MESSAGE, "sha256")).unwrap();
        let timestamp = token.verify(MESSAGE, &tsa.pki.roots()).unwrap();
        fractions += timestamp.gen_time().microsecond();
        assert_eq!(timestamp.accuracy(), Duration::ZERO);
        assert_eq!(timestamp.earliest(), timestamp.latest());
    }
    assert!(fractions > 0);
}

#[test]
fn the_baseline_policy_without_accuracy_means_a_second() {
    let baseline = "0.4.0.2023.1.1";
    for (policy, accuracy, expected) in [
        (baseline, "", Duration::from_secs(1)),
        (baseline, "millisecs:20, microsecs:5", Duration::from_micros(20_005)),
        ("1.2.3.4.1", "", Duration::ZERO),
        ("1.2.3.4.1", "secs:90", Duration::from_secs(90)),
    ] {
        let settings = TsaSettings { policy, accuracy, ..TsaSettings::default() };
        let Some(tsa) = Tsa::or_skip(&settings) else { return };
        let token = TimestampToken::parse(&tsa.token(MESSAGE, "sha256")).unwrap();
        let timestamp = token.verify(MESSAGE, &tsa.pki.roots()).unwrap();
        assert_eq!((timestamp.policy(), timestamp.accuracy()), (policy, expected), "{accuracy}");
    }
    // An accuracy that is there and empty says zero (RFC 3161, section 2.4.2).
    let mut forgery = forgery();
    forgery.tst_info.policy = oid(baseline);
    forgery.tst_info.accuracy = sequence_of(&[]);
    assert_eq!(verified(&forgery).accuracy(), Duration::ZERO);
}

#[test]
fn a_token_in_ber_is_the_one_in_der() {
    let der = forgery().token();
    // The set of certificates, and the attributes within the signer, begin at depth 5.
    for depth in 1..=5 {
        let ber = to_ber(&der, depth);
        assert_ne!(ber, der);
        let token = TimestampToken::parse(&ber).unwrap();
        assert_eq!(token.as_der(), der, "{depth}");
        assert!(token.verify(MESSAGE, &pki().roots()).is_ok(), "{depth}");
    }
    let Some(tsa) = Tsa::or_skip(&TsaSettings::default()) else { return };
    let der = tsa.token(MESSAGE, "sha256");
    let ber = to_ber(&der, 5);
    assert!(tsa.verifies(&ber, MESSAGE), "openssl reads this BER");
    let token = TimestampToken::parse(&ber).unwrap();
    assert_eq!(token.as_der(), der);
    assert!(token.verify(MESSAGE, &tsa.pki.roots()).is_ok());
}

#[test]
fn openssl_answers_our_requests() {
    let Some(tsa) = Tsa::or_skip(&TsaSettings::default()) else { return };
    for hash in [Sha256, Sha384, Sha512] {
        let request = TimestampRequest::new(hash, MESSAGE);
        let token = request.read_response(&tsa.reply(request.as_der())).unwrap();
        let timestamp = token.verify(MESSAGE, &tsa.pki.roots()).unwrap();
        assert_eq!(timestamp.certificate_chain(), &tsa.pki.chain, "{hash}");
        assert!(tsa.verifies(token.as_der(), MESSAGE), "{hash}");
    }
    let one = TimestampRequest::new(Sha256, MESSAGE);
    assert_ne!(one.as_der(), TimestampRequest::new(Sha256, MESSAGE).as_der(), "a nonce each");
}

#[test]
fn what_is_legal_and_rare_is_verified() {
    let leaf = pki().chain.leaf();
    let v1 = sequence_of(&[&sequence_of(&[&sequence_of(&[&octets(&[1; 20])])])]);
    let by_sha384 = sequence_of(&[
        &algorithm_identifier(SHA384),
        &octets(&hash(&aws_lc_rs::digest::SHA384, leaf.as_der())),
    ]);
    let issuer_serial = sequence_of(&[
        &sequence_of(&[&element(0xa4, &[leaf.issuer().as_der()])]),
        &integer_of(leaf.serial_number()),
    ]);
    let identifier = {
        // The subject key identifier stands behind its object identifier.
        let der = leaf.as_der();
        let at = der.windows(5).position(|bytes| bytes == [6, 3, 0x55, 0x1d, 0x0e]).unwrap();
        der[at + 9..at + 29].to_vec()
    };
    let changes = [
        change("nothing", |_| {}),
        change("signing-certificate beside v2", |f| {
            f.more_attributes.push(attribute(SIGNING_CERTIFICATE, &[&v1]));
        }),
        change("attributes that nobody knows", |f| {
            f.more_attributes.push(attribute("1.2.3.4", &[]));
            // 2.25 with a UUID
            let uuid = [&[0x69, 0x83][..], &[0xff; 17], &[0x7f]].concat();
            f.more_attributes.push(sequence_of(&[&element(6, &[&uuid]), &element(0x31, &[])]));
        }),
        change("certificate by SHA-384", |f| {
            f.signing_certificate = signing_certificate_v2(&[&by_sha384]);
        }),
        change("certificate by issuer too", |f| {
            f.signing_certificate =
                signing_certificate_v2(&[&certificate_id(leaf, &issuer_serial)]);
        }),
        change("certificate of the CA behind it", |f| {
            let ids =
                [certificate_id(leaf, &[]), certificate_id(&pki().chain.certificates()[1], &[])];
            f.signing_certificate = signing_certificate_v2(&[&ids[0], &ids[1]]);
        }),
        change("signer by key identifier", |f| {
            f.signer_version = integer_of(&[3]);
            f.sid = element(0x80, &[&identifier]);
        }),
        change("certificates with the root, and twice", |f| {
            f.certificates = [f.certificates.clone(), f.certificates.clone()].concat();
            f.certificates.push(pki().chain.root().as_der().to_vec());
        }),
        change("an attribute certificate", |f| {
            f.version = integer_of(&[4]);
            f.certificates.push(element(0xa2, &[&sequence_of(&[])]));
        }),
        change("digest algorithm without NULL", |f| {
            f.digest_algorithm = sequence_of(&[&oid("2.16.840.1.101.3.4.2.1")]);
        }),
        change("ordering that is false", |f| f.tst_info.ordering = vec![1, 1, 0]),
        change("a negative nonce", |f| f.tst_info.nonce = integer_of(&[0x80])),
        change("a name of the authority", |f| {
            let name = element(0xa4, &[leaf.subject().as_der()]);
            f.tst_info.tsa = element(0xa0, &[&name]);
        }),
        change("extensions that are not critical", |f| {
            let extension = sequence_of(&[&oid("1.3.6.1.5.5.7.1.3"), &octets(&[5, 0])]);
            f.tst_info.extensions = element(0xa1, &[&extension]);
        }),
        change("an unsigned attribute", |f| {
            f.unsigned_attributes = element(0xa1, &[&attribute("1.2.3.4", &[&[5, 0]])]);
        }),
        change("everything behind the time", |f| {
            f.tst_info.accuracy =
                sequence_of(&[&integer_of(&[2]), &element(0x80, &[&[3]]), &element(0x81, &[&[4]])]);
            f.tst_info.ordering = vec![1, 1, 0xff];
            f.tst_info.nonce = integer_of(&[9]);
        }),
    ];
    for Change { what, by } in changes {
        let mut forgery = forgery();
        by(&mut forgery);
        let token =
            TimestampToken::parse(&forgery.token()).unwrap_or_else(|e| panic!("{what}: {e:?}"));
        let timestamp = token.verify(MESSAGE, &pki().roots());
        let timestamp = timestamp.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        assert_eq!(timestamp.gen_time(), NOW, "{what}");
        assert_eq!(timestamp.certificate_chain(), &pki().chain, "{what}");
    }
}

#[test]
fn rsa_signatures_are_verified_by_every_name_of_their_algorithm() {
    let pki = TsaPki::new(KeySpec::Rsa2048, NOW);
    let pss = |hash: &str, salt: u8| {
        let hash = algorithm_identifier(hash);
        let mask = sequence_of(&[&oid("1.2.840.113549.1.1.8"), &hash]);
        let parameters = sequence_of(&[
            &element(0xa0, &[&hash]),
            &element(0xa1, &[&mask]),
            &element(0xa2, &[&integer_of(&[salt])]),
        ]);
        sequence_of(&[&oid("1.2.840.113549.1.1.10"), &parameters])
    };
    for (algorithm, identifier) in [
        (SignatureAlgorithm::RsaPkcs1(Sha256), algorithm_identifier("1.2.840.113549.1.1.1")),
        (SignatureAlgorithm::RsaPkcs1(Sha256), algorithm_identifier("1.2.840.113549.1.1.11")),
        // Another hash than the one of message-digest.
        (SignatureAlgorithm::RsaPkcs1(Sha512), algorithm_identifier("1.2.840.113549.1.1.13")),
        (SignatureAlgorithm::RsaPss(Sha256), pss("2.16.840.1.101.3.4.2.1", 32)),
        (SignatureAlgorithm::RsaPss(Sha384), pss(SHA384, 48)),
    ] {
        let mut forgery = Forgery::new(&pki, MESSAGE, GEN_TIME);
        (forgery.algorithm, forgery.signature_algorithm) = (algorithm, identifier);
        let token = TimestampToken::parse(&forgery.token()).unwrap();
        assert!(token.verify(MESSAGE, &pki.roots()).is_ok(), "{algorithm:?}");
    }
}

#[test]
fn the_whole_range_has_to_be_within_the_validity_of_the_whole_chain() {
    let signing = TestPki::new(KeySpec::Ec256, NOW).unwrap().chain;
    let (first, last) = (signing.leaf().not_before(), signing.leaf().not_after());
    let at = |time: UtcDateTime, places: &str| {
        let (date, clock) = (time.date(), time.time());
        format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}{places}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            clock.hour(),
            clock.minute(),
            clock.second()
        )
    };
    let second = Duration::from_secs(1);
    let wide =
        TsaPki::with_signer(KeySpec::Ec256, (first - 99 * second, last + 99 * second), |_| {});
    for (gen_time, expected) in [
        (at(first + second, ""), "within"),
        (at(first, ""), "before"),
        (at(first, ".999"), "before"),
        (at(last - second, ""), "within"),
        (at(last - second, ".001"), "after"),
        (at(last, ""), "after"),
        (at(NOW, ".5"), "within"),
    ] {
        let mut forgery = Forgery::new(&wide, MESSAGE, &gen_time);
        forgery.tst_info.accuracy = sequence_of(&[&integer_of(&[1])]);
        let token = TimestampToken::parse(&forgery.token()).unwrap();
        let timestamp = token.verify(MESSAGE, &wide.roots()).unwrap();
        let found = match timestamp.check_within_validity(&signing) {
            Ok(()) => "within",
            Err(ChainError::NotYetValid { .. }) => "before",
            Err(ChainError::Expired { .. }) => "after",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, expected, "{gen_time}");
    }
}

#[test]
fn a_token_outlives_the_certificates_of_its_authority() {
    // The certificates ended long ago, and nobody asks what time it is.
    let long_ago = utc_datetime!(2001-02-03 04:05:06);
    let pki = TsaPki::new(KeySpec::Ec256, long_ago);
    let token = Forgery::new(&pki, MESSAGE, "20010203040506Z").token();
    let token = TimestampToken::parse(&token).unwrap();
    assert_eq!(token.verify(MESSAGE, &pki.roots()).unwrap().gen_time(), long_ago);
}

#[test]
fn a_self_signed_authority_is_its_own_root() {
    let pki = TsaPki::self_signed(NOW);
    let mut forgery = Forgery::new(&pki, MESSAGE, GEN_TIME);
    forgery.certificates = vec![pki.chain.leaf().as_der().to_vec()];
    let token = TimestampToken::parse(&forgery.token()).unwrap();
    assert_eq!(token.verify(MESSAGE, &pki.roots()).unwrap().certificate_chain(), &pki.chain);
}

/// A root that was renewed, and one that signed it crosswise: the way that was valid is taken.
#[test]
fn of_several_ways_up_the_one_that_was_valid_is_taken() {
    let pki = pki();
    let renewed = |from: UtcDateTime, to: UtcDateTime, path_length| {
        let template = CertificateTemplate::ca(name("TSA root"), (from, to), path_length);
        ready(template.issue(&pki.root_key, Issuer::Itself)).unwrap()
    };
    let day = Duration::from_secs(86_400);
    let past = renewed(NOW - 20 * day, NOW - 10 * day, 1);
    let future = renewed(NOW + 500 * day, NOW + 5000 * day, 1);
    let too_short = renewed(NOW - day, NOW + 9 * day, 0);
    let root = pki.chain.root().clone();
    let token = TimestampToken::parse(&forgery().token()).unwrap();
    for roots in [
        vec![past.clone(), future.clone(), root.clone()],
        vec![root.clone(), future.clone(), past.clone()],
    ] {
        let timestamp = token.verify(MESSAGE, &roots).unwrap();
        assert_eq!(timestamp.certificate_chain().root(), &root);
    }
    for roots in [vec![past], vec![future], vec![too_short]] {
        assert!(token.verify(MESSAGE, &roots).is_err(), "{roots:?}");
    }

    // The token brings the CA's certificate by another root, too, which has ended.
    let template = CertificateTemplate::ca(name("TSA old root"), (NOW - 20 * day, NOW - day), 1);
    let old_root = ready(template.issue(&pki.root_key, Issuer::Itself)).unwrap();
    let template = CertificateTemplate::ca(name("TSA issuing"), (NOW - day, NOW + 900 * day), 0);
    let old_issuing =
        ready(template.issue(&pki.issuing_key, Issuer::Ca(&old_root, &pki.root_key))).unwrap();
    let mut forgery = forgery();
    forgery.certificates.insert(0, old_issuing.as_der().to_vec());
    let token = TimestampToken::parse(&forgery.token()).unwrap();
    let timestamp = token.verify(MESSAGE, &[old_root.clone(), root]).unwrap();
    assert_eq!(timestamp.certificate_chain(), &pki.chain);
    assert!(matches!(token.verify(MESSAGE, &[old_root]), Err(TokenError::Chain(_))));
}
