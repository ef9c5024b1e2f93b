//! `revocation check` and `fetch`, and verification by what they have collected.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration as StdDuration, SystemTime},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use time::{Duration, UtcDateTime};

use super::{Desk, json_of, rfc3339};
use crate::support::{
    fake_ca::{CRL, FakeCa, OCSP, Pointers},
    fake_http::Answer,
    revocation::TestCrl,
};

/// A signed layout, with a CA that answers by both.
fn both() -> Desk {
    let ca = FakeCa::new();
    ca.put_ocsp(OCSP, &ca.good());
    ca.put_crl(CRL, &ca.crl());
    Desk::new(ca)
}

/// The same, with a CRL alone.
fn crl_only() -> Desk {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] });
    ca.put_crl(CRL, &ca.crl());
    Desk::new(ca)
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n", BASE64_STANDARD.encode(der))
}

/// Has a file look as if it was written so long before now.
fn age(path: &Path, age: StdDuration) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

const HOUR: StdDuration = StdDuration::from_secs(3600);

#[test]
fn a_chain_is_checked_certificate_by_certificate() {
    let desk = both();
    let check = |more: &[&str]| {
        desk.run(&[&["revocation", "check", "chain.pem", "--no-revocation-cache"], more].concat())
    };
    let good = check(&[]).expect_status(0).stdout;
    let expected = format!(
        "good: CN=leaf,O=Test,ST=WA,C=US\n  OCSP {}, of {}\n\
         not asked about: CN=issuing,O=Test,ST=WA,C=US, as it names neither an OCSP responder nor a CRL\n\
         not asked about: CN=root,O=Test,ST=WA,C=US, as it is the root\n",
        desk.ca.url(OCSP),
        rfc3339(desk.ca.good().this_update)
    );
    assert_eq!(good, expected);

    desk.ca.put_ocsp(OCSP, &desk.ca.good().revoked(Some(1)));
    let revoked = check(&[]).expect_status(3);
    assert!(revoked.stdout.starts_with("revoked: CN=leaf,"), "{}", revoked.stdout);
    assert_eq!(revoked.stderr, "");
    let report = json_of(&check(&["-o", "json"]).expect_status(3));
    let statuses: Vec<_> =
        report["certificates"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, ["revoked", "notApplicable", "notApplicable"]);
    assert!(report["at"].is_string());

    desk.ca.put(OCSP, Answer::new(503, ""));
    desk.ca.put(CRL, Answer::new(200, "<html>"));
    let unknown = check(&[]).expect_status(3).stdout;
    let told = format!(
        "unknown: CN=leaf,O=Test,ST=WA,C=US\n  OCSP {0}: answered with status 503: {0}\n  CRL {1}: CRL is not valid DER",
        desk.ca.url(OCSP),
        desk.ca.url(CRL)
    );
    assert!(unknown.starts_with(&told), "{unknown}");
    desk.ca.put(CRL, Answer::new(503, ""));
    check(&[]).expect_status(6);
    let report = json_of(&check(&["-o", "json"]).expect_status(6));
    assert_eq!(report["certificates"][0]["attempts"].as_array().unwrap().len(), 2);
}

#[test]
fn a_file_that_is_no_chain_is_a_wrong_input() {
    let desk = both();
    desk.write("broken.pem", b"nothing");
    for file in ["broken.pem", "none.pem", "signing.key"] {
        for command in [&["check", file][..], &["fetch", file, "--to", "evidence.json"]] {
            desk.run(&[&["revocation"], command].concat()).expect_status(2);
        }
    }
    assert!(!desk.path("evidence.json").exists());
}

#[test]
fn what_was_fetched_is_enough_where_nobody_can_be_asked() {
    let mut desk = both();
    let fetch = ["revocation", "fetch", "chain.pem", "--to", "evidence.json"];
    let fetched = desk.run(&fetch).expect_status(0);
    assert_eq!(fetched.stdout, "evidence.json: 0 CRLs and 1 OCSP responses\n");
    let again = desk.run(&fetch).expect_status(2);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    let url = desk.ca.url(OCSP);
    desk.ca.stop();
    assert!(!desk.path("cache").exists(), "what is collected is for the file alone");

    let offline = desk.verify(&["--offline"]).expect_status(6);
    assert!(
        offline.stdout.contains(&format!("OCSP {url}: not in the evidence")),
        "{}",
        offline.stdout
    );
    desk.verify(&[]).expect_status(6);
    for more in [&["--offline"][..], &[]] {
        let words = [&["--evidence", "evidence.json"], more].concat();
        let verified = desk.verify(&words).expect_status(0);
        assert!(verified.stdout.contains(&format!("OCSP {url}, of ")), "{}", verified.stdout);
    }
    desk.run(&["revocation", "check", "chain.pem", "--offline", "--evidence", "evidence.json"])
        .expect_status(0);
    assert!(!desk.path("cache").exists());
}

#[test]
fn what_an_artifacts_signers_name_is_fetched_for_it() {
    let mut desk = both();
    desk.sign(&["--force"]).expect_status(0);
    let layout = desk.layout.reference();
    let fetch = ["revocation", "fetch", "--oci-layout", &layout, "--to", "evidence.json"];
    let fetched = desk.run(&fetch).expect_status(0);
    assert_eq!(fetched.stdout, "evidence.json: 0 CRLs and 1 OCSP responses\n");
    let one = [&fetch[..], &["--force", "--max-signatures", "1"]].concat();
    let cut = desk.run(&one).expect_status(0).stderr;
    assert!(
        cut.contains("warning: signatures that are not looked at: 1, as --max-signatures is 1"),
        "{cut}"
    );
    desk.ca.stop();
    desk.verify(&["--offline", "--evidence", "evidence.json"]).expect_status(0);
    desk.run(&["revocation", "fetch", "none.pem", "--to", "other.json"]).expect_status(2);
}

#[test]
fn nobody_is_asked_about_a_stranger_s_certificates() {
    let desk = both();
    desk.sign(&[]).expect_status(0);
    fs::remove_dir_all(desk.path("config/notation/truststore")).unwrap();
    let layout = desk.layout.reference();
    let fetch = ["revocation", "fetch", "--oci-layout", &layout, "--to", "evidence.json"];
    let refused = desk.run(&fetch).expect_status(5);
    assert!(refused.stderr.contains("its root is in no trust store"), "{}", refused.stderr);
    assert_eq!(desk.ca.asked(), Vec::<String>::new());
    assert!(!desk.path("evidence.json").exists());
}

#[test]
fn a_record_is_evidence_too() {
    let mut desk = both();
    desk.sign(&[]).expect_status(0);
    desk.verify(&["--no-revocation-cache", "--record", "record.json"]).expect_status(0);
    desk.ca.stop();
    desk.verify(&["--no-revocation-cache", "--offline"]).expect_status(6);
    desk.verify(&["--offline", "--evidence", "record.json"]).expect_status(0);
}

#[test]
fn what_could_not_be_fetched_is_told_and_kept_too() {
    let desk = both();
    desk.ca.put(OCSP, Answer::new(503, ""));
    let words = ["revocation", "fetch", "chain.pem", "--to", "evidence.json"];
    let partial = desk.run(&words).expect_status(9);
    let told = format!(
        "no answer: OCSP {0}: answered with status 503: {0}\nevidence.json: 1 CRLs and 0 OCSP responses\n",
        desk.ca.url(OCSP)
    );
    assert_eq!(partial.stdout, told);
    let asked = desk.ca.asked().len();
    let verified = desk.verify(&["--offline", "--evidence", "evidence.json"]).expect_status(0);
    assert!(verified.stdout.contains("answered with status 503"), "{}", verified.stdout);
    let report =
        json_of(&desk.run(&[&words[..], &["--force", "-o", "json"]].concat()).expect_status(9));
    assert_eq!((&report["crls"], &report["ocsp"]), (&json!(1), &json!(0)));
    assert_eq!(report["failures"].as_array().unwrap().len(), 1);
    assert_eq!(desk.ca.asked()[asked..], [OCSP, CRL]);
}

#[test]
fn a_revocation_that_was_fetched_is_one() {
    let mut desk = crl_only();
    desk.ca.put_crl(CRL, &desk.ca.crl().revoke(desk.ca.leaf(), Some(1)));
    desk.run(&["revocation", "fetch", "chain.pem", "--to", "evidence.json"]).expect_status(0);
    desk.ca.stop();
    desk.verify(&["--offline", "--evidence", "evidence.json"]).expect_status(3);
}

#[test]
fn a_crl_at_hand_hides_no_revocation_that_the_responder_knows() {
    let desk = both();
    desk.write("old.crl", &desk.ca.crl().sign(&desk.ca.pki.issuing_key));
    desk.ca.put_ocsp(OCSP, &desk.ca.good().revoked(Some(1)));
    let evidence = ["--evidence", "old.crl", "--no-revocation-cache"];
    desk.verify(&evidence).expect_status(3);
    desk.verify(&["--evidence", "old.crl", "--offline"]).expect_status(0);
}

#[test]
fn a_crl_at_hand_hides_no_revocation_that_the_certificate_s_own_crl_tells() {
    let desk = crl_only();
    desk.write("old.crl", &desk.ca.crl().sign(&desk.ca.pki.issuing_key));
    desk.ca.put_crl(CRL, &desk.ca.crl().revoke(desk.ca.leaf(), Some(1)));
    let evidence = ["--evidence", "old.crl", "--no-revocation-cache"];
    desk.verify(&evidence).expect_status(3);
    assert_eq!(desk.ca.asked(), [CRL]);
    desk.ca.put(CRL, Answer::new(503, ""));
    let verified = desk.verify(&evidence).expect_status(0).stdout;
    assert!(verified.contains("CRL old.crl, of "), "{verified}");
}

#[test]
fn what_was_asked_in_vain_when_evidence_was_collected_is_asked_again() {
    let desk = both();
    desk.ca.put(OCSP, Answer::new(503, ""));
    desk.run(&["revocation", "fetch", "chain.pem", "--to", "evidence.json"]).expect_status(9);
    desk.ca.put_ocsp(OCSP, &desk.ca.good().revoked(Some(1)));
    desk.verify(&["--evidence", "evidence.json", "--offline"]).expect_status(0);
    desk.verify(&["--evidence", "evidence.json", "--no-revocation-cache"]).expect_status(3);
}

#[test]
fn every_crl_of_a_pem_file_counts_and_nothing_else_may_stand_there() {
    let desk = crl_only();
    let (issuing, root) = (&desk.ca.pki.issuing_key, &desk.ca.pki.root_key);
    let of_root = pem(&TestCrl::new(desk.ca.pki.chain.root(), desk.ca.at).sign(root));
    let of_issuing = pem(&desk.ca.crl().revoke(desk.ca.leaf(), Some(1)).sign(issuing));
    let verify = |text: &str| {
        desk.write("crls.pem", text.as_bytes());
        desk.verify(&["--offline", "--evidence", "crls.pem"])
    };
    let both = format!("the root's\n{of_root}ours\n{of_issuing}");
    assert!(verify(&both).expect_status(3).stdout.contains("was revoked at"));
    let marked = format!("\u{feff}{of_root}{of_issuing}");
    assert!(verify(&marked).expect_status(3).stdout.contains("was revoked at"));
    for (text, why) in [
        (both.replacen("X509 CRL", "CERTIFICATE", 2), "PEM block \"CERTIFICATE\" stands where"),
        (both.replacen("X509 CRL", "CERTIFICATE", 4), "PEM block \"CERTIFICATE\" stands where"),
        (format!("{of_root}-----BEGIN X509 CRL-----\n"), "PEM block of a CRL is broken"),
        (format!("{of_root}{}", pem(b"nothing")), "CRL is not valid DER"),
        (String::new(), "CRL is not valid DER"),
    ] {
        let refused = verify(&text).expect_status(2).stderr;
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn what_is_collected_is_asked_for_anew() {
    let desk = both();
    desk.verify(&[]).expect_status(0);
    let asked = desk.ca.asked().len();
    for file in ["one.json", "two.json"] {
        desk.run(&["revocation", "fetch", "chain.pem", "--to", file]).expect_status(0);
    }
    assert_eq!(desk.ca.asked().len(), asked + 2, "a cached answer is not of today");
}

#[test]
fn the_last_times_that_there_are_do_not_stop_the_judge() {
    let desk = both();
    desk.write("old.crl", &desk.ca.crl().sign(&desk.ca.pki.issuing_key));
    for at in ["9999-12-31T23:58:00Z", "9999-12-31T23:59:59Z"] {
        desk.verify(&["--evidence", "old.crl", "--offline", "--at", at]).expect_status(3);
    }
}

#[test]
fn a_folder_of_crls_is_evidence() {
    let desk = crl_only();
    let (issuing, root) = (&desk.ca.pki.issuing_key, &desk.ca.pki.root_key);
    let of_root = TestCrl::new(desk.ca.pki.chain.root(), desk.ca.at).sign(root);
    let good = desk.ca.crl().sign(issuing);
    let verify = || desk.verify(&["--offline", "--evidence", "crls"]);
    desk.write("crls/root.crl", &of_root);
    desk.write("crls/.hidden", b"nothing");
    fs::create_dir(desk.path("crls/folder")).unwrap();
    verify().expect_status(6);
    for bytes in [good.clone(), pem(&good).into_bytes()] {
        desk.write("crls/issuing.crl", &bytes);
        let verified = verify().expect_status(0);
        assert!(verified.stdout.contains("CRL crls/issuing.crl, of "), "{}", verified.stdout);
    }
    let revoking = desk.ca.crl().revoke(desk.ca.leaf(), Some(1)).sign(issuing);
    desk.write("crls/newer.pem", pem(&revoking).as_bytes());
    verify().expect_status(3);
    // What is there for people is passed over, and told.
    let names = ["README", "readme.md", "NOTES.MD", "about.txt"];
    names.iter().for_each(|name| desk.write(&format!("crls/{name}"), b"nothing"));
    let told = verify().expect_status(3).stderr;
    for name in names {
        let warning =
            format!("warning: crls/{name} is passed over: by its name, it is no evidence\n");
        assert!(told.contains(&warning), "{told}");
    }
    desk.write("crls/newer.pem", b"nothing");
    let refused = verify().expect_status(2);
    assert!(refused.stderr.contains("crls/newer.pem is no evidence"), "{}", refused.stderr);
    desk.verify(&["--offline", "--evidence", "none"]).expect_status(2);
    assert_eq!(desk.ca.asked().len(), 0);
}

#[test]
fn evidence_of_a_stranger_proves_nothing() {
    let (desk, stranger) = (crl_only(), crl_only());
    desk.write("crls/stranger.crl", &stranger.ca.crl().sign(&stranger.ca.pki.issuing_key));
    let rejected = desk.verify(&["--offline", "--evidence", "crls"]).expect_status(3);
    assert!(
        rejected.stdout.contains("signature does not verify with the key of its signer"),
        "{}",
        rejected.stdout
    );
}

#[test]
fn evidence_that_is_too_old_does_not_count_and_that_is_said() {
    let desk = crl_only();
    desk.write("issuing.crl", &desk.ca.crl().sign(&desk.ca.pki.issuing_key));
    age(&desk.path("issuing.crl"), HOUR * 2);
    let verify = |age: &str| {
        desk.verify(&["--offline", "--evidence", "issuing.crl", "--max-evidence-age", age])
    };
    verify("3h").expect_status(0);
    let old = verify("1h").expect_status(6);
    let written = rfc3339(
        UtcDateTime::from(fs::metadata(desk.path("issuing.crl")).unwrap().modified().unwrap())
            .replace_nanosecond(0)
            .unwrap(),
    );
    let told = format!("it is of {written}, over 1h old or from the future");
    assert!(
        old.stderr.contains(&format!(
            "warning: evidence of issuing.crl does not count, but for what it revokes: {told}\n"
        )),
        "{}",
        old.stderr
    );
    let attempt = format!("\n    CRL issuing.crl: evidence does not count: {told}");
    assert!(old.stdout.contains(&attempt), "{}", old.stdout);
    // Its age is what it was at the time of the verdict.
    let at = rfc3339(desk.ca.at - Duration::hours(1));
    let words = ["--evidence", "issuing.crl", "--max-evidence-age", "90m", "--at", &at];
    let then = desk.verify(&[&words[..], &["--offline"]].concat()).expect_status(0).stdout;
    let of = rfc3339(desk.ca.crl().this_update);
    assert!(then.ends_with(&format!("CRL issuing.crl, of {of}, fetched {written}\n")), "{then}");
    desk.verify(&["--offline", "--max-evidence-age", "1h"]).expect_status(2);

    // What it revokes stays revoked, and the record of that gives the same again.
    let revoking = desk.ca.crl().revoke(desk.ca.leaf(), Some(1));
    desk.write("revoking.crl", &revoking.sign(&desk.ca.pki.issuing_key));
    age(&desk.path("revoking.crl"), HOUR * 5);
    let words = ["--evidence", "revoking.crl", "--max-evidence-age", "1h30m"];
    let revoked = desk.verify(&[&words[..], &["--record", "verdict.json"]].concat());
    let revoked = revoked.expect_status(3);
    assert!(revoked.stderr.contains(", over 1h30m old "), "{}", revoked.stderr);
    assert!(revoked.stdout.contains("CRL revoking.crl, of "), "{}", revoked.stdout);
    let again = desk.run(&["verify", "--replay", "verdict.json"]).expect_status(3);
    assert_eq!(again.stdout, revoked.stdout);

    // What was fetched is as old as its answers, whatever the file's time.
    desk.run(&["revocation", "fetch", "chain.pem", "--to", "evidence.json"]).expect_status(0);
    let verify =
        || desk.verify(&["--offline", "--evidence", "evidence.json", "--max-evidence-age", "1h"]);
    verify().expect_status(0);
    let mut document: Value =
        serde_json::from_slice(&fs::read(desk.path("evidence.json")).unwrap()).unwrap();
    document["crls"][0]["fetchedAt"] = rfc3339(desk.ca.at - Duration::hours(2)).into();
    desk.write("evidence.json", document.to_string().as_bytes());
    let old = verify().expect_status(6).stdout;
    let told = format!("CRL {}: evidence does not count: it is of ", desk.ca.url(CRL));
    assert!(old.contains(&told), "{old}");
    // Where somebody can be asked, it is no reason not to.
    let online = ["--evidence", "evidence.json", "--max-evidence-age", "1h"];
    desk.verify(&online).expect_status(0);
}

#[test]
fn evidence_that_does_not_hold_any_more_is_asked_for_again_where_somebody_can_be_asked() {
    let desk = both();
    let expired = TestCrl { next_update: Some(desk.ca.at - Duration::SECOND), ..desk.ca.crl() };
    desk.ca.put(OCSP, Answer::new(503, ""));
    desk.ca.put_crl(CRL, &expired);
    let fetch = ["revocation", "fetch", "chain.pem", "--to", "evidence.json"];
    desk.run(&fetch).expect_status(9);
    let with_evidence = ["--evidence", "evidence.json"];
    let offline = desk.verify(&[&with_evidence[..], &["--offline"]].concat()).expect_status(3);
    assert!(offline.stdout.contains("it expired at "), "{}", offline.stdout);
    desk.ca.put_crl(CRL, &desk.ca.crl());
    let verified = desk.verify(&with_evidence).expect_status(0);
    assert!(
        verified.stdout.contains(&format!("CRL {}, of ", desk.ca.url(CRL))),
        "{}",
        verified.stdout
    );
    desk.ca.put_ocsp(OCSP, &desk.ca.good());
    let verified = desk.verify(&[&with_evidence[..], &["--no-revocation-cache"]].concat());
    assert!(verified.expect_status(0).stdout.contains(&format!("OCSP {}, of ", desk.ca.url(OCSP))));
}

#[test]
fn a_verdict_as_of_another_time_says_so_and_needs_evidence_of_that_time() {
    let desk = crl_only();
    let (next_week, last_week) = (desk.ca.at + Duration::days(7), desk.ca.at - Duration::days(7));
    let at = rfc3339(next_week);
    let expired = desk.verify(&["--at", &at]).expect_status(3);
    assert!(expired.stdout.contains("it expired at "), "{}", expired.stdout);
    assert!(
        expired.stdout.contains(&format!(", by statement \"test\", as of {at}\n")),
        "{}",
        expired.stdout
    );
    let of_then = TestCrl {
        this_update: next_week - Duration::DAY,
        next_update: Some(next_week + Duration::DAY),
        ..desk.ca.crl()
    };
    desk.write("then.crl", &of_then.sign(&desk.ca.pki.issuing_key));
    let words = ["--offline", "--evidence", "then.crl", "--at", &at];
    desk.verify(&words).expect_status(0);
    let (report, status) = desk.report(&words);
    assert_eq!((status, &report["at"], &report["atGiven"]), (Some(0), &json!(at), &json!(true)));
    desk.verify(&["--at", "yesterday"]).expect_status(2);
    // Before the certificates were valid.
    let before = desk.verify(&["--offline", "--at", &rfc3339(last_week)]).expect_status(3);
    assert!(before.stdout.contains("authentic timestamp failed: "), "{}", before.stdout);
}

#[test]
fn what_evidence_says_makes_no_line_of_a_report() {
    let desk = both();
    desk.run(&["revocation", "fetch", "chain.pem", "--to", "evidence.json"]).expect_status(0);
    let mut document: Value =
        serde_json::from_slice(&fs::read(desk.path("evidence.json")).unwrap()).unwrap();
    let forged = "x\nverified: forged\r\u{2028}";
    let answer = document["ocsp"][0].as_object_mut().unwrap();
    answer.remove("der");
    answer.insert("failure".to_owned(), json!({"kind": "unreadable", "message": forged}));
    let mut elsewhere = document["ocsp"][0].clone();
    elsewhere["url"] = forged.into();
    document["ocsp"].as_array_mut().unwrap().push(elsewhere);
    desk.write("evidence.json", document.to_string().as_bytes());
    let verified = desk.verify(&["--offline", "--evidence", "evidence.json"]);
    assert_ne!(verified.status, Some(0));
    assert!(
        verified.stdout.contains("x\\u{a}verified: forged\\u{d}\\u{2028}"),
        "{}",
        verified.stdout
    );
    assert!(!verified.stdout.contains("\nverified: "), "{}", verified.stdout);
    assert!(verified.stdout.contains("\nrejected: "), "{}", verified.stdout);
}
