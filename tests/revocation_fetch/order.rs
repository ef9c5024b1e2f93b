//! Who is asked, how, and in which order.

use std::{
    fs,
    time::{Duration, Instant},
};

use notation_sdk::{
    Envelope, EnvelopeFormat, Payload, SignRequest, SignedAttributes,
    algorithm::HashAlgorithm,
    keys::file::FileKey,
    oci::{Descriptor, Digest},
    revocation::{
        CrlEvidence, Evidence, OcspEvidence, RevocationSource as _, RevocationStatus, SigningTime,
        fetch::{AddressRules, FetchOptions},
        judge, ocsp_request,
    },
    sign_envelope,
    testing::ready,
    trust::{OciPolicy, TrustAnchors},
    verify::{Accepted, Artifact, Revocation, Verifier},
};
use serde_json::json;
use tempfile::TempDir;

use super::{PATIENT, block_on, fetcher, fresh, judged, leaf, sources, told, unknown, within};
use crate::support::{
    der::{distribution_point, implicit, sequence},
    fake_ca::{CRL, FakeCa, OCSP, Pointers},
    fake_http::Answer,
    revocation::{TestAnswer, TestOcsp},
};

const DELTA: &str = "/delta.crl";
const LDAP: &str = "ldap:///CN=CA?certificateRevocationList?base";

#[test]
fn a_responder_gets_the_request_by_post_and_a_crl_is_got() {
    let ca = FakeCa::new();
    ca.put_crl(CRL, &ca.crl());
    assert_eq!(sources(&ca, &fresh(&ca)), [CRL]);
    let [ocsp, crl] = ca.requests().try_into().unwrap();
    assert_eq!((ocsp.method.as_str(), ocsp.target.as_str()), ("POST", OCSP));
    assert_eq!(ocsp.bytes, ocsp_request(ca.leaf(), ca.issuing(), None));
    assert_eq!(ocsp.header("content-type"), Some("application/ocsp-request"));
    assert_eq!(ocsp.header("accept"), Some("application/ocsp-response"));
    assert_eq!((crl.method.as_str(), crl.target.as_str()), ("GET", CRL));
    assert!(crl.header("user-agent").unwrap().starts_with("notation-sdk/"));
}

#[test]
fn the_certificates_of_a_chain_are_asked_about_at_the_same_time() {
    let slow = Duration::from_secs(2);
    let issuing = Pointers { ocsp: &["/root"], crl: &[] };
    let leaf = Pointers { ocsp: &[OCSP], crl: &[] };
    let ca = FakeCa::with(leaf, issuing, time::Duration::days(1));
    let root = ca.pki.chain.root();
    let of_issuing = TestAnswer::good(ca.issuing(), root, ca.at);
    let of_issuing = TestOcsp::new(root, ca.at).answer(&of_issuing).sign(&ca.pki.root_key);
    ca.put("/root", Answer::new(200, of_issuing).after(slow));
    ca.put(OCSP, Answer::new(200, ca.response(&ca.good())).after(slow));
    let start = Instant::now();
    let verdicts = judged(&fetcher(within(PATIENT)), &ca);
    assert!(start.elapsed() >= slow && start.elapsed() < slow * 2, "{:?}", start.elapsed());
    assert_eq!(sources(&ca, &verdicts[0]), [OCSP]);
    assert_eq!(sources(&ca, &verdicts[1]), ["/root"]);
}

#[test]
fn the_next_url_is_asked_where_one_has_failed_and_not_before() {
    let ocsp = Pointers { ocsp: &["/a", "/b"], crl: &[] };
    let crl = Pointers { ocsp: &[], crl: &[&["/a", "/b"]] };
    for (pointers, is_ocsp) in [(ocsp, true), (crl, false)] {
        let ca = FakeCa::with_leaf(pointers);
        let put = |path| match is_ocsp {
            true => ca.put_ocsp(path, &ca.good()),
            false => ca.put_crl(path, &ca.crl()),
        };
        put("/b");
        let judged = fresh(&ca);
        assert_eq!(
            (sources(&ca, &judged), ca.asked()),
            (vec!["/b".into()], ["/a", "/b"].map(String::from).to_vec())
        );
        let [told] = told(&judged.passed_over).try_into().unwrap();
        assert!(told.contains(&format!("{}: answered with status 404", ca.url("/a"))), "{told}");
        put("/a");
        assert_eq!(sources(&ca, &fresh(&ca)), ["/a"]);
        assert_eq!(ca.asked(), ["/a", "/b", "/a"]);
    }
}

#[test]
fn every_distribution_point_is_asked_until_all_reasons_are_covered() {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&["/some"], &["/others"]] });
    let users = [implicit(1, &[0xff])];
    ca.put_crl("/some", &ca.crl().scope(&users));
    assert_eq!(
        (sources(&ca, &fresh(&ca)), ca.asked()),
        (vec!["/some".into()], vec!["/some".into()])
    );
    // keyCompromise alone, and everything but that.
    let only = |bits: [u8; 3]| [implicit(3, &bits)];
    ca.put_crl("/some", &ca.crl().scope(&only([7, 0b0100_0000, 0])));
    ca.put_crl("/others", &ca.crl().scope(&only([7, 0b0011_1111, 0b1000_0000])));
    assert_eq!(sources(&ca, &fresh(&ca)), ["/some", "/others"]);
    ca.put("/others", Answer::new(503, ""));
    assert_eq!(unknown(&fresh(&ca)).len(), 2);
}

#[test]
fn urls_that_are_not_http_are_passed_over_and_the_others_are_asked() {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[LDAP], crl: &[&[LDAP, CRL]] });
    ca.put_crl(CRL, &ca.crl());
    let judged = fresh(&ca);
    assert_eq!((sources(&ca, &judged), ca.asked()), (vec![CRL.into()], vec![CRL.into()]));
    let passed_over = "URL is neither http nor https, and is passed over";
    let expected = [format!("OCSP {LDAP}: {passed_over}"), format!("CRL {LDAP}: {passed_over}")];
    assert_eq!(told(&judged.passed_over), expected);
}

#[test]
fn a_delta_crl_is_fetched_with_the_crl_that_names_it() {
    let ca = with_delta(&["/absent.crl", DELTA]);
    ca.put_crl(DELTA, &ca.crl().number(11).delta_to(10));
    assert_eq!(sources(&ca, &fresh(&ca)), [CRL, DELTA]);
    assert_eq!(ca.asked(), [CRL, "/absent.crl", DELTA]);
    ca.put_crl(DELTA, &ca.crl().number(11).delta_to(10).revoke(ca.leaf(), Some(1)));
    let judged = fresh(&ca);
    assert!(matches!(judged.status, RevocationStatus::Revoked { .. }), "{judged:#?}");
    ca.put(DELTA, Answer::new(503, ""));
    assert!(unknown(&fresh(&ca)).iter().any(|told| told.starts_with("delta CRL ")));
}

/// A leaf that names one CRL, number 10, which names delta CRLs at these places.
fn with_delta(places: &[&str]) -> FakeCa {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] });
    let urls: Vec<_> = places.iter().map(|path| ca.url(path)).collect();
    let urls: Vec<_> = urls.iter().map(String::as_str).collect();
    let freshest = sequence(&[distribution_point(&urls, &[])]);
    ca.put_crl(CRL, &ca.crl().number(10).extension("2.5.29.46", false, &freshest));
    ca
}

#[test]
fn the_crl_of_a_delegated_responder_is_fetched_where_it_is_needed() {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[OCSP], crl: &[] });
    let (responder, key) = ca.responder("/responders.crl");
    let response = TestOcsp::new(&responder, ca.at).answer(&ca.good()).with(&responder);
    ca.put(OCSP, Answer::new(200, response.sign(&key)));
    ca.put_crl("/responders.crl", &ca.crl());
    assert_eq!(sources(&ca, &fresh(&ca)), [OCSP]);
    assert_eq!(ca.asked(), [OCSP, "/responders.crl"]);
    ca.put_crl("/responders.crl", &ca.crl().revoke(&responder, Some(1)));
    let [told] = unknown(&fresh(&ca)).try_into().unwrap();
    assert!(told.ends_with("is revoked"), "{told}");
}

#[test]
fn nobody_is_asked_where_the_evidence_at_hand_is_enough() {
    let ca = FakeCa::new();
    let known = ca.response(&ca.good());
    let mut evidence = Evidence::new();
    let leaf = ca.leaf().fingerprint();
    evidence.ocsp.push(OcspEvidence::new(ca.url(OCSP), ca.at, leaf, Ok(known)));
    let before = evidence.clone();
    let fetcher = fetcher(within(PATIENT));
    block_on(fetcher.collect(&ca.pki.chain, &mut evidence, ca.at));
    assert_eq!((evidence, ca.asked().len()), (before, 0));
}

#[test]
fn a_crl_that_is_at_hand_does_not_take_the_place_of_the_responder() {
    let ca = FakeCa::new();
    // It may be there for another certificate, and is older than the revocation.
    let old = ca.crl().sign(&ca.pki.issuing_key);
    ca.put_ocsp(OCSP, &ca.good().revoked(Some(1)));
    let mut evidence = Evidence::new();
    evidence.crls.push(CrlEvidence::new(ca.url(CRL), ca.at, Ok(old)));
    let fetcher = fetcher(within(PATIENT));
    block_on(fetcher.collect(&ca.pki.chain, &mut evidence, ca.at));
    assert_eq!(ca.asked(), [OCSP]);
    let judged = judge(&ca.pki.chain, &evidence, ca.at, SigningTime::Unknown);
    assert!(matches!(judged[0].status, RevocationStatus::Revoked { .. }), "{:?}", judged[0]);
}

#[test]
fn who_asks_for_the_same_at_the_same_time_gets_the_same_answer() {
    let ca = FakeCa::new();
    ca.put(OCSP, Answer::new(503, "").after(Duration::from_millis(300)));
    let crl = ca.crl().sign(&ca.pki.issuing_key);
    ca.put(CRL, Answer::new(200, crl).after(Duration::from_millis(300)));
    let fetcher = fetcher(within(PATIENT));
    let mut known = vec![Evidence::new(); 10];
    let all = known.iter_mut().map(|known| fetcher.collect(&ca.pki.chain, known, ca.at));
    block_on(futures_util::future::join_all(all));
    assert_eq!(ca.asked(), [OCSP, CRL]);
    assert!(known.iter().all(|evidence| evidence.crls[0].answer.is_ok()));
    assert!(known.iter().all(|evidence| evidence.ocsp[0].answer.is_err()));
}

#[test]
fn whoever_gives_up_does_not_leave_the_others_waiting() {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] });
    let crl = ca.crl().sign(&ca.pki.issuing_key);
    ca.put(CRL, Answer::new(200, crl).after(Duration::from_millis(300)));
    let fetcher = fetcher(within(PATIENT));
    let (mut given_up, mut patient) = (Evidence::new(), Evidence::new());
    block_on(async {
        let first = fetcher.collect(&ca.pki.chain, &mut given_up, ca.at);
        let first = tokio::time::timeout(Duration::from_millis(100), first);
        let second = fetcher.collect(&ca.pki.chain, &mut patient, ca.at);
        assert!(futures_util::future::join(first, second).await.0.is_err());
    });
    assert!(given_up.crls.is_empty() && patient.crls[0].answer.is_ok());
    assert_eq!(ca.asked(), [CRL, CRL]);
}

fn allowing(addresses: AddressRules) -> FetchOptions {
    let mut options = within(PATIENT);
    options.addresses = addresses;
    options
}

#[test]
fn a_server_for_strangers_asks_no_address_that_is_not_public() {
    let by_address = FakeCa::new();
    let port = by_address.url("").rsplit(':').next().unwrap().to_owned();
    let local = format!("http://localhost:{port}{OCSP}");
    let by_name = FakeCa::with_leaf(Pointers { ocsp: &[&local], crl: &[] });
    for ca in [&by_address, &by_name] {
        let judged = leaf(&fetcher(allowing(AddressRules::PublicOnly)), ca);
        for told in unknown(&judged) {
            assert!(
                told.contains("address is not allowed: ") && told.ends_with("which is not public"),
                "{told}"
            );
        }
        assert!(!judged.status.is_unreachable());
    }
    assert_eq!(by_address.asked().len(), 0);
}

#[test]
fn a_list_of_hosts_holds_after_a_redirect_too() {
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[OCSP], crl: &[] });
    let listed = || fetcher(allowing(AddressRules::Hosts(vec!["127.0.0.1".to_owned()])));
    ca.put("/moved", Answer::new(200, ca.response(&ca.good())));
    for target in ["/moved", &ca.url("/moved"), &ca.url("/twice")] {
        ca.put(OCSP, Answer::to(target));
        ca.put("/twice", Answer::to("/moved"));
        assert_eq!(sources(&ca, &leaf(&listed(), &ca)), [OCSP], "{target}");
    }
    // The question goes along.
    assert!(
        ca.requests().iter().all(|request| request.method == "POST" && !request.bytes.is_empty())
    );
    let before = ca.asked().len();
    ca.put(OCSP, Answer::to(&ca.url("/moved").replace("127.0.0.1", "localhost")));
    let [told] = unknown(&leaf(&listed(), &ca)).try_into().unwrap();
    assert!(told.ends_with("localhost is none of the hosts that may be asked"), "{told}");
    assert_eq!(ca.asked().len(), before + 1);
    for (target, expected) in [
        ("ftp://127.0.0.1/x", "ftp: only http and https are asked"),
        ("http://[bad", "redirect to no URL"),
    ] {
        ca.put(OCSP, Answer::to(target));
        let [told] = unknown(&leaf(&listed(), &ca)).try_into().unwrap();
        assert!(told.ends_with(expected), "{told}");
    }
}

#[test]
fn nobody_is_asked_any_more_when_an_artifact_has_cost_its_time() {
    let places = ["/a", "/b", "/c", "/d", "/e"];
    let ca = FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&places] });
    for path in places {
        ca.put(path, Answer::new(200, "").after(PATIENT));
    }
    let mut options = within(Duration::from_millis(400));
    options.artifact_timeout = Duration::from_millis(600);
    let fetcher = fetcher(options);
    let mut evidence = Evidence::new();
    block_on(fetcher.collect(&ca.pki.chain, &mut evidence, ca.at));
    assert_eq!(ca.asked(), ["/a", "/b"]);
    let judged = judge(&ca.pki.chain, &evidence, ca.at, SigningTime::Unknown).remove(0);
    let told = unknown(&judged);
    assert!(told[1].ends_with("gave no answer in time: over 400ms"), "{told:?}");
    for told in &told[2..] {
        let expected = "not asked any more, after 600ms of asking for one artifact";
        assert!(told.ends_with(expected), "{told}");
    }
    assert!(judged.status.is_unreachable() && told.len() == 5);
    // Another chain of the same signature gets no time of its own; the next artifact does.
    let (other, _) = ca.issue("other", Pointers { ocsp: &[OCSP], crl: &[] });
    block_on(fetcher.collect(&other, &mut evidence.clone(), ca.at));
    assert_eq!(ca.asked().len(), 2);
    block_on(fetcher.collect(&other, &mut Evidence::new(), ca.at));
    assert_eq!(ca.asked(), ["/a", "/b", OCSP]);
    // The next signature has the time for one OCSP response and one CRL.
    evidence.next_signature();
    let places = ["/f", "/g", "/h", "/i"];
    let (slow, _) = ca.issue("slow", Pointers { ocsp: &[], crl: &[&places] });
    for path in places {
        ca.put(path, Answer::new(200, "").after(PATIENT));
    }
    block_on(fetcher.collect(&slow, &mut evidence, ca.at));
    assert_eq!(ca.asked()[3..], ["/f", "/g"]);
}

#[test]
fn a_signature_whose_servers_are_slow_hides_no_good_one_behind_it() {
    let ca = FakeCa::new();
    let places = ["/a", "/b", "/c", "/d", "/e"];
    for path in places {
        ca.put(path, Answer::new(503, "").after(PATIENT));
    }
    ca.put_crl(CRL, &ca.crl());
    let mut anchors = TrustAnchors::new();
    anchors.insert("ca:test".parse().unwrap(), ca.pki.chain.root().clone());
    let policy = json!({"version": "1.0", "trustPolicies": [{
        "name": "test", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:test"], "trustedIdentities": ["*"],
    }]});
    let policy = OciPolicy::parse(policy.to_string().as_bytes()).unwrap().policy;
    let mut options = within(Duration::from_millis(400));
    options.artifact_timeout = Duration::from_millis(500);
    let fetcher = fetcher(options);
    let revocation = Revocation::Fetch(&fetcher);
    let verifier = Verifier::new(&policy.statements[0].statement, &anchors, revocation, ca.at);
    let digest = Digest::of(HashAlgorithm::Sha256, b"artifact");
    let artifact = Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest, 8);
    let (home, mut evidence) = (TempDir::new().unwrap(), Evidence::new());
    let mut verify = |subject: &str, crl: &[&str]| {
        let (chain, pem) = ca.issue(subject, Pointers { ocsp: &[], crl: &[crl] });
        let file = home.path().join(subject);
        fs::write(&file, pem).unwrap();
        let key = FileKey::from_pem_file(&file).unwrap();
        let payload = Payload::new(artifact.clone()).to_json();
        let attributes = SignedAttributes::new(ca.at);
        let request = SignRequest::new(EnvelopeFormat::Jws, &payload, attributes);
        let envelope = ready(sign_envelope(&key, &chain, &request)).unwrap();
        let envelope = Envelope::parse(EnvelopeFormat::Jws, &envelope).unwrap();
        block_on(verifier.evaluate(&envelope, &Artifact::oci(&artifact), &mut evidence))
    };
    verify("slow", &places).unwrap_err();
    let good = verify("good", &[CRL]).unwrap();
    assert!(matches!(good, Accepted::Verified(_)), "{good:?}");
    assert_eq!(ca.asked(), ["/a", "/b", CRL]);
}
