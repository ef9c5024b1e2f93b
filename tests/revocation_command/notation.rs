//! What notation makes of our timestamps and our cache, and we of its.

use std::fs;

use serde_json::json;
use time::Duration;

use super::{Desk, SCOPE, rfc3339};
use crate::support::{
    command::Finished,
    der::{distribution_point, sequence},
    fake_ca::{CRL, FakeCa, OCSP, Pointers},
    fake_http::Answer,
    notation::{Artifact, Notation},
    tsa::{TsaServer, TsaSettings},
};

/// notation with the key of a desk, and with its trust.
struct Both {
    desk: Desk,
    notation: Notation,
}

impl Both {
    fn or_skip(ca: FakeCa) -> Option<Self> {
        let (notation, desk) = (Notation::or_skip()?, Desk::unsigned(ca));
        notation.add_local_key("ours", &desk.path("signing.key"), &desk.path("chain.pem"));
        let both = Self { desk, notation };
        both.share("truststore/x509/ca/test/root.pem");
        both.share("trustpolicy.json");
        Some(both)
    }

    /// Gives notation a file of the desk's configuration.
    fn share(&self, name: &str) {
        let to = self.notation.configuration().join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(self.desk.path("config/notation").join(name), to).unwrap();
    }

    fn theirs(&self) -> Finished {
        self.notation.verify(Artifact::Layout(&self.desk.layout), &[])
    }

    /// Ours, with notation's configuration and caches.
    fn ours(&self) -> Finished {
        let layout = self.desk.layout.reference();
        let words = ["verify", "--oci-layout", &layout, "--scope", SCOPE];
        self.desk.command(&words).home(self.notation.home()).finish()
    }
}

#[test]
fn notation_verifies_our_timestamps_and_we_verify_its() {
    for format in ["jws", "cose"] {
        for is_ours in [true, false] {
            let Some(tsa) = TsaServer::or_skip(&TsaSettings::default()) else { return };
            let nobody = Pointers::default();
            let ca = FakeCa::with(nobody, nobody, Duration::DAY);
            let Some(both) = Both::or_skip(ca) else { return };
            both.desk.trust("tsa/times", tsa.tsa.pki.chain.root());
            let verification = json!({ "level": "strict", "verifyTimestamp": "always" });
            both.desk.policy_of(&verification, &["ca:test", "tsa:times"]);
            both.share("truststore/x509/tsa/times/root.pem");
            both.share("trustpolicy.json");
            let (url, root) = (tsa.url(), tsa.tsa.root().display().to_string());
            let options = [
                "--signature-format",
                format,
                "--timestamp-url",
                &url,
                "--timestamp-root-cert",
                &root,
            ];
            if is_ours {
                both.desk.sign(&options).expect_status(0);
            } else {
                let words = [&["--key", "ours"][..], &options].concat();
                both.notation.sign(Artifact::Layout(&both.desk.layout), &words).expect_status(0);
            }
            both.theirs().expect_status(0);
            let verified = both.ours().expect_status(0).stdout;
            assert!(verified.contains("\n  timestamp: "), "{format}: {verified}");
            let later = rfc3339(both.desk.ca.at + Duration::days(30));
            both.desk.verify(&["--at", &later]).expect_status(0);
        }
    }
}

/// Whichever program asks first, the other takes the CRL from where it was kept.
fn share_a_cache(ours_first: bool, has_delta: bool) {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] });
    let mut list = ca.crl().number(10);
    if has_delta {
        let freshest = sequence(&[distribution_point(&[&ca.url("/delta.crl")], &[])]);
        list = list.extension("2.5.29.46", false, &freshest);
        ca.put_crl("/delta.crl", &ca.crl().number(11).delta_to(10));
    }
    ca.put_crl(CRL, &list);
    let Some(both) = Both::or_skip(ca) else { return };
    both.desk.sign(&[]).expect_status(0);
    let first = if ours_first { both.ours() } else { both.theirs() };
    first.expect_status(0);
    let asked = if has_delta { &[CRL, "/delta.crl"][..] } else { &[CRL] };
    assert_eq!(both.desk.ca.asked(), asked);
    both.desk.ca.put(CRL, Answer::new(503, ""));
    both.desk.ca.put("/delta.crl", Answer::new(503, ""));
    both.theirs().expect_status(0);
    both.ours().expect_status(0);
    assert_eq!(both.desk.ca.asked(), asked, "ours first: {ours_first}, delta: {has_delta}");
}

#[test]
fn notation_takes_crls_from_the_cache_that_we_have_filled() {
    share_a_cache(true, false);
    share_a_cache(true, true);
}

#[test]
fn we_take_crls_from_the_cache_that_notation_has_filled() {
    share_a_cache(false, false);
    share_a_cache(false, true);
}

#[test]
fn notation_and_we_come_to_the_same_verdict_by_the_same_answers() {
    let ca = FakeCa::new();
    let (good, revoked) = (ca.response(&ca.good()), ca.response(&ca.good().revoked(Some(1))));
    let crl = |revokes: bool| {
        let list = if revokes {
            ca.crl().number(1).revoke(ca.leaf(), Some(1))
        } else {
            ca.crl().number(1)
        };
        Answer::new(200, list.sign(&ca.pki.issuing_key))
    };
    let ocsp =
        |der: &[u8]| Answer::new(200, der).header("Content-Type", "application/ocsp-response");
    let down = || Answer::new(503, "");
    let cases = [
        (ocsp(&good), down(), 0),
        (ocsp(&revoked), crl(false), 3),
        (down(), crl(false), 0),
        (down(), crl(true), 3),
        (ocsp(b"<html>"), crl(false), 0),
        (down(), down(), 6),
    ];
    let Some(both) = Both::or_skip(ca) else { return };
    both.desk.sign(&[]).expect_status(0);
    for (number, (ocsp, crl, status)) in cases.into_iter().enumerate() {
        both.desk.ca.put(OCSP, ocsp);
        both.desk.ca.put(CRL, crl);
        let cache = both.notation.home().join("cache");
        let forget = || drop(fs::remove_dir_all(&cache));
        forget();
        assert_eq!(both.ours().status, Some(status), "case {number}");
        forget();
        assert_eq!(both.theirs().status == Some(0), status == 0, "case {number}");
    }
}
