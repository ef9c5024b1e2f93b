//! Signatures with a timestamp: made by `sign`, and good for longer than their certificates.

use std::fs;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use notation_sdk::{
    algorithm::KeySpec, envelope::Envelope, testing::validity, timestamp::TimestampToken,
};
use serde_json::json;
use time::{Duration, UtcDateTime};

use super::{Desk, json_of, rfc3339};
use crate::support::{
    fake_ca::{CRL, FakeCa, Pointers},
    fake_http::{Answer, FakeHttp},
    revocation::TestCrl,
    tsa::{Tsa, TsaPki, TsaServer, TsaSettings},
};

/// A key whose certificate is good for a day and names nobody to ask, and an authority that is trusted.
struct Scene {
    desk: Desk,
    tsa: TsaServer,
}

impl Scene {
    fn or_skip() -> Option<Self> {
        TsaServer::or_skip(&TsaSettings::default()).map(Self::new)
    }

    fn new(tsa: TsaServer) -> Self {
        let nobody = Pointers::default();
        let desk = Desk::unsigned(FakeCa::with(nobody, nobody, Duration::DAY));
        desk.trust("tsa/times", tsa.tsa.pki.chain.root());
        let scene = Self { desk, tsa };
        scene.policy("strict", "always");
        scene
    }

    fn policy(&self, level: &str, verify_timestamp: &str) {
        let verification = json!({ "level": level, "verifyTimestamp": verify_timestamp });
        self.desk.policy_of(&verification, &["ca:test", "tsa:times"]);
    }

    /// The options of `sign` for the authority.
    fn options(&self) -> [String; 4] {
        let root = self.tsa.tsa.root().display().to_string();
        ["--timestamp-url".into(), self.tsa.url(), "--timestamp-root-cert".into(), root]
    }

    fn sign(&self, format: &str) {
        let options = self.options();
        let options = options.iter().map(String::as_str);
        let words: Vec<_> = options.chain(["--signature-format", format]).collect();
        self.desk.sign(&words).expect_status(0);
    }
}

#[test]
fn a_signature_is_timestamped_in_both_formats_and_its_time_is_told() {
    for format in ["jws", "cose"] {
        let Some(scene) = Scene::or_skip() else { return };
        let before = UtcDateTime::now() - Duration::seconds(3);
        scene.sign(format);
        assert_eq!(scene.tsa.requests(), 1);
        let verified = scene.desk.verify(&[]).expect_status(0);
        assert!(verified.stdout.contains("\n  timestamp: "), "{}", verified.stdout);
        assert!(
            verified.stdout.contains("Z, by CN=TSA,O=Test,ST=WA,C=US\n"),
            "{}",
            verified.stdout
        );
        let (report, _) = scene.desk.report(&[]);
        let timestamp = &report["signatures"][0]["outcome"]["timestamp"];
        let time = |name: &str| {
            let text = timestamp[name].as_str().unwrap();
            UtcDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
        };
        // The authority's accuracy is a second and a half.
        assert!(time("earliest") >= before && time("latest") > time("earliest"), "{timestamp:#}");
        assert_eq!(timestamp["authority"], "CN=TSA,O=Test,ST=WA,C=US");
        let layout = scene.desk.layout.reference();
        let inspect = ["inspect", "--oci-layout", &layout];
        let text = scene.desk.run(&inspect).expect_status(0).stdout;
        let claimed = json_of(&scene.desk.run(&[&inspect[..], &["-o", "json"]].concat()));
        let claimed = &claimed["signatures"][0]["unsignedAttributes"]["timestamp"];
        for name in ["earliest", "latest"] {
            assert_eq!(claimed[name], timestamp[name]);
            assert!(text.contains(claimed[name].as_str().unwrap()), "{text}");
        }
        assert_eq!(claimed["certificates"][0]["subject"], "CN=TSA,O=Test,ST=WA,C=US");
        assert!(text.contains("timestamp signature\n"), "{text}");
        // Where no store of timestamping authorities is trusted, nobody looks at it.
        scene.desk.policy("strict");
        assert!(!scene.desk.verify(&[]).expect_status(0).stdout.contains("timestamp: "));
    }
}

#[test]
fn a_time_at_which_a_signature_was_not_made_yet_is_told() {
    let Some(scene) = Scene::or_skip() else { return };
    scene.sign("jws");
    let before = rfc3339(scene.desk.ca.at - Duration::minutes(30));
    let judged = scene.desk.verify(&["--at", &before]).expect_status(0);
    for who in ["signature", "timestamp"] {
        let told = format!("warning: the {who} says that it is of ");
        assert!(judged.stderr.contains(&told), "{}", judged.stderr);
    }
    assert_eq!(judged.stderr.matches(&format!("was not made yet at {before}\n")).count(), 2);
    let now = scene.desk.verify(&[]).expect_status(0);
    assert_eq!(now.stderr, "");
}

#[test]
fn a_timestamped_signature_outlives_its_certificate_and_another_does_not() {
    let (Some(kept), Some(lost)) = (Scene::or_skip(), Scene::or_skip()) else { return };
    kept.sign("jws");
    lost.desk.sign(&[]).expect_status(0);
    let later = rfc3339(kept.desk.ca.at + Duration::days(30));
    for verify_timestamp in ["always", "afterCertExpiry"] {
        kept.policy("strict", verify_timestamp);
        lost.policy("strict", verify_timestamp);
        kept.desk.verify(&["--at", &later]).expect_status(0);
        let refused = lost.desk.verify(&["--at", &later]).expect_status(3);
        assert!(
            refused.stdout.contains("authentic timestamp failed: signature has no timestamp"),
            "{}",
            refused.stdout
        );
    }
    // As long as the certificate is valid, only the former asks for a timestamp.
    lost.policy("strict", "afterCertExpiry");
    lost.desk.verify(&[]).expect_status(0);
    lost.policy("strict", "always");
    lost.desk.verify(&[]).expect_status(3);
    lost.policy("audit", "always");
    lost.desk.verify(&["--at", &later]).expect_status(0);
    // Without a store for it, the timestamp does not help.
    kept.desk.policy("strict");
    let refused = kept.desk.verify(&["--at", &later]).expect_status(3);
    assert!(
        refused.stdout.contains("authentic timestamp failed: certificate CN=leaf,"),
        "{}",
        refused.stdout
    );
    kept.desk.policy("permissive");
    let logged = kept.desk.verify(&["--at", &later]).expect_status(0).stdout;
    assert!(logged.contains("authentic timestamp failed, and is only logged"), "{logged}");
}

#[test]
fn a_timestamp_of_an_authority_that_nobody_trusts_does_not_help() {
    let (Some(scene), Some(other)) = (Scene::or_skip(), Scene::or_skip()) else { return };
    scene.sign("cose");
    scene.desk.trust("tsa/times", other.tsa.tsa.pki.chain.root());
    let later = rfc3339(scene.desk.ca.at + Duration::days(30));
    let refused = scene.desk.verify(&["--at", &later]).expect_status(3);
    assert!(refused.stdout.contains("authentic timestamp failed: "), "{}", refused.stdout);
}

#[test]
fn nothing_is_stored_where_the_timestamp_cannot_be_had() {
    let Some(scene) = Scene::or_skip() else { return };
    let root = scene.tsa.tsa.root().display().to_string();
    let gone = FakeHttp::start(|_| Answer::new(503, "busy"));
    let stranger = Scene::or_skip().unwrap();
    let (strange_root, ours) = (stranger.tsa.tsa.root().display().to_string(), scene.tsa.url());
    for (url, root, status) in [
        ("http://127.0.0.1:1/".to_owned(), &root, 6),
        (gone.url(), &root, 6),
        ("ftp://tsa.example/".to_owned(), &root, 2),
        (ours, &strange_root, 1),
    ] {
        let words = ["--timestamp-url", &url, "--timestamp-root-cert", root];
        scene.desk.sign(&words).expect_status(status);
        let layout = scene.desk.layout.reference();
        let listed = scene.desk.run(&["list", "--oci-layout", &layout, "-o", "json"]);
        let listed = json_of(&listed.expect_status(0));
        assert_eq!(listed["signatures"], json!([]), "{url}");
    }
    scene.desk.sign(&["--timestamp-url", "http://127.0.0.1:1/"]).expect_status(2);
    scene.desk.sign(&["--timestamp-root-cert", &root]).expect_status(2);
}

/// An authority whose certificate names a CRL of a server.
fn revocable(names: &FakeCa) -> Option<TsaServer> {
    let settings = TsaSettings::default();
    let pki = TsaPki::with_signer(KeySpec::Ec256, validity(names.at), |signer| {
        Pointers { ocsp: &[], crl: &[&[&names.url("/tsa.crl")]] }.name_in(signer, "");
    });
    Tsa::with_pki(&settings, pki).map(Tsa::serve)
}

#[test]
fn a_revoked_authority_is_refused_or_logged_as_the_level_has_it_for_timestamps() {
    let server = FakeCa::new();
    let Some(tsa) = revocable(&server) else { return };
    let scene = Scene::new(tsa);
    scene.sign("jws");
    let pki = &scene.tsa.tsa.pki;
    let [signer, issuing, _] = pki.chain.certificates() else { panic!("three certificates") };
    let list = TestCrl::new(issuing, server.at);
    let put =
        |list: &TestCrl| server.put("/tsa.crl", Answer::new(200, list.sign(&pki.issuing_key)));
    let verify = || scene.desk.verify(&["--no-revocation-cache"]);

    put(&list);
    let verified = verify().expect_status(0).stdout;
    assert!(verified.contains("\n  revocation: good: CN=TSA,O=Test,"), "{verified}");
    put(&list.clone().revoke(signer, Some(1)));
    let refused = verify().expect_status(3).stdout;
    assert!(
        refused.contains(
            "authentic timestamp failed: certificate CN=TSA,O=Test,ST=WA,C=US was revoked"
        ),
        "{refused}"
    );
    // Collected beforehand, its revocation is known where nobody can be asked.
    put(&list);
    let layout = scene.desk.layout.reference();
    let fetch = ["revocation", "fetch", "--oci-layout", &layout, "--to", "evidence.json"];
    let fetched = scene.desk.run(&fetch).expect_status(0).stdout;
    assert_eq!(fetched, "evidence.json: 1 CRLs and 0 OCSP responses\n");
    scene.desk.verify(&["--offline"]).expect_status(6);
    scene.desk.verify(&["--offline", "--evidence", "evidence.json"]).expect_status(0);
    server.put("/tsa.crl", Answer::new(503, ""));
    verify().expect_status(6);
    for level in ["permissive", "audit"] {
        scene.policy(level, "always");
        let logged = verify().expect_status(0).stdout;
        assert!(logged.contains("authentic timestamp failed, and is only logged: "), "{logged}");
    }
    // It is asked about where its timestamp is needed, and only there.
    scene.policy("strict", "afterCertExpiry");
    verify().expect_status(0);
}

#[test]
fn a_signature_that_was_made_before_the_key_was_lost_stays_good_by_its_timestamp() {
    let Some(tsa) = TsaServer::or_skip(&TsaSettings::default()) else { return };
    let mut scene = Scene::new(tsa);
    scene.desk = Desk::unsigned(FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] }));
    scene.desk.trust("tsa/times", scene.tsa.tsa.pki.chain.root());
    scene.policy("strict", "always");
    scene.sign("jws");
    let ca = &scene.desk.ca;
    let list = |since| {
        let crl = TestCrl { this_update: ca.at, ..ca.crl() };
        ca.put_crl(CRL, &crl.revoke_since(ca.leaf(), 1, since));
    };
    let verify = || scene.desk.verify(&["--no-revocation-cache"]);
    list(ca.at + Duration::hours(1));
    let verified = verify().expect_status(0).stdout;
    let since = rfc3339(ca.at + Duration::hours(1));
    let told = format!(
        "revocation: good: CN=leaf,O=Test,ST=WA,C=US, listed as revoked (keyCompromise) at {}, \
         not to be relied on since {since}, and signed before\n",
        rfc3339(ca.at - Duration::DAY)
    );
    assert!(verified.contains(&told), "{verified}");
    let (report, _) = scene.desk.report(&["--no-revocation-cache"]);
    let leaf = &report["signatures"][0]["outcome"]["revocation"][0];
    assert_eq!((&leaf["status"], &leaf["reason"]), (&json!("good"), &json!("keyCompromise")));
    assert_eq!((&leaf["invalidityDate"], leaf["revokedAt"].is_string()), (&json!(since), true));
    list(ca.at - Duration::hours(1));
    verify().expect_status(3);
    ca.put_crl(CRL, &ca.crl().revoke(ca.leaf(), Some(1)));
    verify().expect_status(3);
    // Without the timestamp nobody can tell when it was made.
    list(ca.at + Duration::hours(1));
    scene.desk.policy("strict");
    verify().expect_status(3);
}

/// Shows that an envelope has a timestamp of the authority.
#[track_caller]
fn assert_timestamped(scene: &Scene, envelope: &[u8]) {
    let envelope = Envelope::parse_any(envelope).unwrap();
    let content = envelope.dangerous_unverified();
    let token = content.unsigned_attributes().timestamp.as_deref().unwrap();
    let token = TimestampToken::parse(token).unwrap();
    token.verify(content.signature(), &scene.tsa.tsa.pki.roots()).unwrap();
}

#[test]
fn a_file_s_signature_is_timestamped() {
    let Some(scene) = Scene::or_skip() else { return };
    let id = format!("file://{}", scene.desk.path("signing.key").display());
    scene.desk.write("tool", b"content");
    let words = ["blob", "sign", "tool", "--id", &id, "--cert-chain", "chain.pem"];
    let options = scene.options();
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    scene.desk.run(&[&words[..], &options].concat()).expect_status(0);
    assert_timestamped(&scene, &fs::read(scene.desk.path("tool.jws.sig")).unwrap());
    // Nothing is written where there is no timestamp.
    fs::remove_file(scene.desk.path("tool.jws.sig")).unwrap();
    let gone = ["--timestamp-url", "http://127.0.0.1:1/", options[2], options[3]];
    scene.desk.run(&[&words[..], &gone].concat()).expect_status(6);
    assert!(!scene.desk.path("tool.jws.sig").exists());
}

#[test]
fn an_authority_is_asked_by_the_proxy_that_the_environment_names() {
    let Some(scene) = Scene::or_skip() else { return };
    let id = format!("file://{}", scene.desk.path("signing.key").display());
    let (layout, root) =
        (scene.desk.layout.reference(), scene.tsa.tsa.root().display().to_string());
    let words = ["sign", "--oci-layout", &layout, "--id", &id, "--cert-chain", "chain.pem"];
    let timestamp = ["--timestamp-root-cert", &root, "--timestamp-url", "http://tsa.invalid/"];
    let sign = |excepted: &str| {
        let run = scene.desk.command(&[&words[..], &timestamp].concat());
        run.env("HTTP_PROXY", scene.tsa.url()).env("NO_PROXY", excepted).finish()
    };
    sign("tsa.invalid").expect_status(6);
    assert_eq!(scene.tsa.requests(), 0);
    sign("").expect_status(0);
    assert_eq!(scene.tsa.requests(), 1);
    scene.desk.verify(&[]).expect_status(0);
}

#[test]
fn the_plugin_timestamps_its_envelopes() {
    let Some(scene) = Scene::or_skip() else { return };
    let text = |name: &str| scene.desk.path(name).display().to_string();
    let payload = json!({ "targetArtifact": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": scene.desk.layout.digest(), "size": 397,
    } });
    let request = json!({
        "contractVersion": "1.0",
        "keyId": format!("file://{}", text("signing.key")),
        "payloadType": "application/vnd.cncf.notary.payload.v1+json",
        "signatureEnvelopeType": "application/jose+json",
        "payload": BASE64_STANDARD.encode(payload.to_string()),
        "pluginConfig": {
            "mode": "envelope", "cert-chain": text("chain.pem"), "timestamp-url": scene.tsa.url(),
            "timestamp-root-cert": scene.tsa.tsa.root().display().to_string(),
        },
    });
    let run = scene.desk.command(&["generate-envelope"]).stdin(request.to_string());
    let response = json_of(&run.finish().expect_status(0));
    let envelope = response["signatureEnvelope"].as_str().unwrap();
    assert_timestamped(&scene, &BASE64_STANDARD.decode(envelope).unwrap());
    assert_eq!(scene.tsa.requests(), 1);
}
