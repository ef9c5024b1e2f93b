//! What `verify` makes of each status of a certificate, at each level.

use std::{fs, thread};

use notation_sdk::revocation::Method::{self, Crl, Ocsp};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::{Duration, UtcDateTime};

use super::{Desk, SCOPE, rfc3339};
use crate::{
    documentation::{install, shell},
    support::{
        fake_ca::{CRL, FakeCa, OCSP, Pointers},
        fake_http::{Answer, FakeHttp},
        revocation::{TestCrl, entry},
        revocation_fault::Fault,
    },
};

/// A signed layout, with a CA that answers by both.
fn good() -> Desk {
    let ca = FakeCa::new();
    ca.put_ocsp(OCSP, &ca.good());
    ca.put_crl(CRL, &ca.crl());
    Desk::new(ca)
}

#[test]
fn a_good_certificate_is_verified_and_its_source_is_told() {
    let desk = good();
    let verified = desk.verify(&[]).expect_status(0);
    let (url, of) = (desk.ca.url(OCSP), rfc3339(desk.ca.good().this_update));
    let told = format!(
        ", by statement \"test\"\n  revocation: good: CN=leaf,O=Test,ST=WA,C=US\n    OCSP {url}, of {of}\n"
    );
    assert!(verified.stdout.ends_with(&told), "{}", verified.stdout);
    let (report, status) = desk.report(&[]);
    assert_eq!((status, &report["atGiven"]), (Some(0), &json!(false)));
    let [leaf, issuing, root] =
        &report["signatures"][0]["outcome"]["revocation"].as_array().unwrap()[..]
    else {
        panic!("{report:#}")
    };
    assert_eq!((&leaf["status"], &leaf["attempts"]), (&json!("good"), &json!([])));
    let [source] = &leaf["sources"].as_array().unwrap()[..] else { panic!("{report:#}") };
    assert_eq!((&source["method"], &source["url"]), (&json!("OCSP"), &json!(url)));
    assert_eq!(source["thisUpdate"], of);
    assert_eq!(source["nextUpdate"], rfc3339(desk.ca.good().next_update.unwrap()));
    assert!(source["fetchedAt"].as_str().unwrap() >= rfc3339(desk.ca.at).as_str());
    assert_eq!(issuing["notApplicable"], "it names neither an OCSP responder nor a CRL");
    assert_eq!(root["notApplicable"], "it is the root");
}

#[test]
fn a_revoked_certificate_is_refused_where_revocation_is_enforced_and_logged_elsewhere() {
    let desk = good();
    desk.ca.put_ocsp(OCSP, &desk.ca.good().revoked(Some(1)));
    let rejected = desk.verify(&[]).expect_status(3);
    let told = format!("(keyCompromise), says OCSP {}", desk.ca.url(OCSP));
    let reason = "revocation failed: certificate CN=leaf,O=Test,ST=WA,C=US was revoked at ";
    let stdout = &rejected.stdout;
    assert!(stdout.contains(reason) && stdout.contains(&told), "{stdout}");
    let (report, _) = desk.report(&[]);
    let leaf = &report["signatures"][0]["outcome"]["revocation"][0];
    assert_eq!((&leaf["status"], &leaf["reason"]), (&json!("revoked"), &json!("keyCompromise")));
    assert!(leaf["revokedAt"].is_string() && leaf["sources"][0]["url"] == desk.ca.url(OCSP));
    for level in ["permissive", "audit"] {
        desk.policy(level);
        let accepted = desk.verify(&[]).expect_status(0);
        assert!(accepted.stdout.contains("revocation failed, and is only logged: "), "{level}");
        assert!(accepted.stdout.contains("accepted with failures, the signer is not proved"));
        assert_eq!(desk.report(&[]).0["result"], "withFailures");
    }
}

#[test]
fn a_revocation_by_crl_alone_is_found() {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] });
    ca.put_crl(CRL, &ca.crl().revoke(ca.leaf(), Some(4)));
    let desk = Desk::new(ca);
    let rejected = desk.verify(&[]).expect_status(3);
    assert!(rejected.stdout.contains("superseded"), "{}", rejected.stdout);
    assert!(rejected.stdout.contains(&format!("CRL {}", desk.ca.url(CRL))), "{}", rejected.stdout);
}

/// Every fault of one source and no other, at each level.
fn faults(method: Method) {
    thread::scope(|scope| {
        for fault in Fault::ALL {
            scope.spawn(move || {
                let desk = Desk::new(fault.ca(method, method == Ocsp, method == Crl));
                let timeout = if fault.is_slow() { "1s" } else { "30s" };
                let more =
                    ["--no-revocation-cache", "--ocsp-timeout", timeout, "--crl-timeout", timeout];
                let expected = if fault.is_unreachable() { 6 } else { 3 };
                let rejected = desk.verify(&more);
                let told = format!("{fault:?} of {method}: {}", rejected.stdout);
                assert_eq!(rejected.status, Some(expected), "{told}");
                assert!(rejected.stdout.contains(fault.told(method)), "{told}");
                assert!(rejected.stdout.contains(&format!("{method} http://")), "{told}");
                for level in ["permissive", "audit"] {
                    desk.policy(level);
                    let logged = desk.verify(&more).expect_status(0).stdout;
                    assert!(logged.contains("revocation failed, and is only logged: "), "{told}");
                    assert!(logged.contains(fault.told(method)), "{level}: {told}");
                }
            });
        }
    });
}

#[test]
fn a_responder_with_a_fault_fails_the_strict_and_is_logged_by_the_others() {
    faults(Ocsp);
}

#[test]
fn a_distribution_point_with_a_fault_fails_the_strict_and_is_logged_by_the_others() {
    faults(Crl);
}

#[test]
fn a_fault_of_the_responder_fails_nobody_where_the_crl_is_there() {
    thread::scope(|scope| {
        for fault in Fault::ALL.into_iter().filter(|fault| !fault.is_slow()) {
            scope.spawn(move || {
                let desk = Desk::new(fault.ca(Ocsp, true, true));
                let verified = desk.verify(&[]).expect_status(0).stdout;
                assert!(verified.contains(&format!("CRL {}, of ", desk.ca.url(CRL))), "{verified}");
                assert!(verified.contains(fault.told(Ocsp)), "{fault:?}: {verified}");
            });
        }
    });
}

#[test]
fn nobody_is_asked_where_revocation_is_skipped_or_the_signature_is_refused_before() {
    let desk = good();
    desk.policy_of(&json!({"level": "strict", "override": {"revocation": "skip"}}), &["ca:test"]);
    desk.verify(&[]).expect_status(0);
    desk.policy_of(&json!({"level": "strict"}), &["ca:other"]);
    desk.trust("ca/other", FakeCa::new().pki.chain.root());
    desk.verify(&[]).expect_status(3);
    assert_eq!(desk.ca.asked().len(), 0);
}

#[test]
fn answers_are_kept_for_the_next_run_unless_the_cache_is_left_out() {
    let desk = good();
    let folder = desk.path("cache/notation");
    desk.verify(&["--no-revocation-cache"]).expect_status(0);
    assert!(!folder.exists());
    desk.verify(&[]).expect_status(0);
    desk.verify(&[]).expect_status(0);
    assert_eq!(desk.ca.asked(), [OCSP, OCSP]);
    assert_eq!(fs::read_dir(folder.join("ocsp")).unwrap().count(), 1);
    // A revocation shows to whoever does not take what was kept.
    desk.ca.put_ocsp(OCSP, &desk.ca.good().revoked(Some(1)));
    desk.verify(&[]).expect_status(0);
    desk.verify(&["--no-revocation-cache"]).expect_status(3);
}

#[test]
fn the_proxy_that_the_environment_names_is_asked_for_the_ca_s_names() {
    let (ocsp, crl) = ("http://ocsp.ca.invalid/", "http://crl.ca.invalid/issuing.crl");
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[ocsp], crl: &[&[crl]] });
    let list = ca.crl().sign(&ca.pki.issuing_key);
    let proxy = FakeHttp::start(move |request| match request.target.as_str() {
        "http://crl.ca.invalid/issuing.crl" => Answer::new(200, list.clone()),
        _ => Answer::new(502, "no such host"),
    });
    let desk = Desk::new(ca);
    let verify = |excepted: &str| {
        let run = desk.verify_command(&["--no-revocation-cache"]);
        run.env("HTTP_PROXY", proxy.url()).env("NO_PROXY", excepted).finish()
    };
    verify("").expect_status(0);
    assert_eq!(proxy.targets(), [ocsp, crl]);
    verify("ca.invalid").expect_status(6);
    assert_eq!(proxy.targets().len(), 2);
}

#[test]
fn a_server_is_not_asked_again_for_every_signature_of_an_artifact() {
    let desk = Desk::new(FakeCa::new());
    for _ in 0..3 {
        desk.sign(&["--force"]).expect_status(0);
    }
    desk.ca.put(OCSP, Answer::new(503, ""));
    let rejected = desk.verify(&[]).expect_status(3);
    assert_eq!(rejected.stdout.matches("revocation failed: ").count(), 4, "{}", rejected.stdout);
    assert_eq!(desk.ca.asked(), [OCSP, CRL]);
}

#[test]
fn a_cache_that_cannot_be_written_fails_nothing() {
    let (desk, file) = (good(), TempDir::new().unwrap());
    let path = file.path().join("file");
    fs::write(&path, "").unwrap();
    desk.verify_command(&[]).env("XDG_CACHE_HOME", path).finish().expect_status(0);
}

#[test]
fn a_signature_of_somebody_else_brings_no_crl_that_vouches_for_a_revoked_certificate() {
    let desk = Desk::unsigned(FakeCa::new());
    desk.sign_as("a", &["/a.crl"], &["-m", "build=1"]);
    let revoked = desk.sign_as("b", &["/b.crl"], &["-m", "build=7"]);
    let ca = &desk.ca;
    ca.put_crl("/a.crl", &ca.crl().number(1));
    ca.put_crl("/b.crl", &ca.crl().number(2).revoke(&revoked, Some(1)));
    let refused = desk.verify(&["--no-revocation-cache", "-m", "build=7"]).expect_status(3);
    assert!(refused.stdout.contains("CN=b,O=Test,ST=WA,C=US was revoked at"), "{}", refused.stdout);
    assert_eq!(ca.asked(), ["/a.crl", "/b.crl"]);
}

/// Records a verdict, which a replay has to give again, byte for byte.
fn assert_replayed(desk: &Desk, more: &[&str], status: i32) -> String {
    let replay = ["verify", "--replay", "record.json"];
    let format = ["-o", "json"];
    let words = [more, &["--no-revocation-cache", "--record", "record.json"]].concat();
    let text = desk.verify(&words).expect_status(status).stdout;
    assert_eq!(desk.run(&replay).expect_status(status).stdout, text);
    fs::remove_file(desk.path("record.json")).unwrap();
    let json = desk.verify(&[&words[..], &format].concat()).expect_status(status).stdout;
    assert_eq!(desk.run(&[&replay[..], &format].concat()).expect_status(status).stdout, json);
    text
}

#[test]
fn a_replay_knows_of_each_signature_what_was_known_when_it_was_judged() {
    let desk = Desk::unsigned(FakeCa::new());
    let ca = &desk.ca;
    desk.sign_as("a", &["/a.crl"], &[]);
    desk.sign_as("b", &["/b.crl"], &[]);
    ca.put("/a.crl", Answer::new(503, ""));
    ca.put_crl("/b.crl", &ca.crl());
    let text = assert_replayed(&desk, &[], 0);
    assert!(text.contains("signed by CN=b,"), "{text}");
    // What is found out about the second would refuse the first for another reason.
    let desk = Desk::unsigned(FakeCa::new());
    let ca = &desk.ca;
    let first = desk.sign_as("a", &["/a.crl", "/b.crl"], &["-m", "build=1"]);
    desk.sign_as("b", &["/b.crl"], &["-m", "build=7"]);
    ca.put_crl("/a.crl", &ca.crl());
    ca.put_crl("/b.crl", &ca.crl().revoke(&first, Some(1)));
    let text = assert_replayed(&desk, &["-m", "build=7"], 0);
    assert!(text.contains("user metadata failed") && text.contains("signed by CN=b,"), "{text}");
}

#[test]
fn an_answer_that_came_after_the_command_was_begun_is_not_of_the_future() {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] });
    let desk = Desk::new(ca);
    install(desk.home.path());
    let begun = UtcDateTime::now().replace_nanosecond(0).unwrap();
    // A clock may be five minutes ahead.
    let this_update = begun + Duration::minutes(5) + Duration::seconds(2);
    let next_update = Some(this_update + Duration::DAY);
    desk.ca.put_crl(CRL, &TestCrl { this_update, next_update, ..desk.ca.crl() });
    let script = format!(
        "export XDG_CONFIG_HOME=\"$PWD/config\"\ntar -C '{}' -cf app.tar .\n\
         (sleep 3; cat app.tar) | notation-kms verify --oci-layout - --scope {SCOPE}",
        desk.layout.path().display()
    );
    shell(desk.home.path(), &script).expect_status(0);
}

#[test]
fn a_kill_at_any_moment_leaves_a_cache_that_the_next_run_can_use() {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] });
    // Large enough that writing it takes a while.
    let others = (0..40_000).map(|_| entry(&[1, 2, 3, 4], ca.at - Duration::DAY, &[]));
    ca.put_crl(CRL, &TestCrl { entries: others.collect(), ..ca.crl() });
    let desk = Desk::new(ca);
    install(desk.home.path());
    let layout = desk.layout.reference();
    let folder = desk.path("cache/notation/crl");
    for hundredths in 0..30 {
        let script = format!(
            "export XDG_CONFIG_HOME=\"$PWD/config\" XDG_CACHE_HOME=\"$PWD/cache\"\n\
             notation-kms verify --oci-layout '{layout}' --scope {SCOPE} &\n\
             sleep 0.{hundredths:02}; kill -9 $! || true; wait || true"
        );
        shell(desk.home.path(), &script).expect_status(0);
        for file in fs::read_dir(&folder).into_iter().flatten().map(Result::unwrap) {
            let name = file.file_name().into_string().unwrap();
            let is_whole = serde_json::from_slice::<Value>(&fs::read(file.path()).unwrap()).is_ok();
            assert!(is_whole || name.len() != 64, "{name} after 0.{hundredths:02} s");
        }
        desk.verify(&[]).expect_status(0);
        fs::remove_dir_all(&folder).unwrap();
    }
}
