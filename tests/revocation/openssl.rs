//! CRLs and OCSP responses that openssl makes, as a CA that somebody runs would; and what openssl makes of
//! ours.

use std::{fs, path::Path};

use notation_sdk::{
    Certificate, CertificateChain,
    algorithm::KeySpec,
    revocation::{
        CrlEvidence, Evidence, OcspEvidence, RevocationReason, RevocationStatus, SigningTime,
        judge, ocsp_request,
    },
    x509::{parse_bundle, to_pem},
};
use time::{Duration, UtcDateTime};

use super::{CRL_URL, FRESHEST_CRL, NOW, OCSP_URL, Scene, crl_at, text};
use crate::support::{
    openssl::{Authority, Openssl},
    revocation::TestCrl,
};

const CONFIGURATION: &str = "\
[ca]
default_ca=issuing
[issuing]
database=index.txt
crlnumber=crlnumber
default_md=sha384
default_crl_days=1
crl_extensions=crl
[crl]
authorityKeyIdentifier=keyid
[leaf]
keyUsage=critical,digitalSignature
authorityInfoAccess=OCSP;URI:http://ocsp.test/
crlDistributionPoints=URI:http://crl.test/issuing.crl
[responder]
keyUsage=critical,digitalSignature
extendedKeyUsage=OCSPSigning
noCheck=ignored
[checked]
keyUsage=critical,digitalSignature
extendedKeyUsage=OCSPSigning
crlDistributionPoints=URI:http://crl.test/issuing.crl
";

/// A CA of openssl that has issued one leaf, and answers by CRL and by OCSP.
struct Ca<'a> {
    openssl: &'a Openssl,
    /// The name of the CA's certificate and key.
    issuer: &'static str,
    chain: CertificateChain,
}

impl<'a> Ca<'a> {
    fn new(openssl: &'a Openssl) -> Self {
        Authority::new(openssl);
        Self::of(openssl, "issuing", &["issuing", "root"])
    }

    /// A root that issues leaves itself.
    fn root(openssl: &'a Openssl, spec: KeySpec) -> Self {
        openssl.create_key("root", spec);
        openssl
            .run("req -x509 -new -key root.key -days 9 -subj /CN=Root -config extensions.cnf -extensions root -out root.crt")
            .expect_status(0);
        Self::of(openssl, "root", &["root"])
    }

    fn of(openssl: &'a Openssl, issuer: &'static str, above: &[&str]) -> Self {
        fs::write(openssl.path("ca.cnf"), CONFIGURATION).unwrap();
        fs::write(openssl.path("index.txt"), "").unwrap();
        fs::write(openssl.path("crlnumber"), "01\n").unwrap();
        let leaf = issue(openssl, issuer, "leaf", "leaf");
        let above = above.iter().map(|name| read(&openssl.path(&format!("{name}.crt"))));
        let chain = CertificateChain::from_ordered([leaf].into_iter().chain(above).collect());
        let ca = Self { openssl, issuer, chain: chain.unwrap() };
        ca.ca("-valid leaf.crt");
        ca
    }

    fn ca(&self, words: &str) {
        let issuer = self.issuer;
        let ca = format!("ca -config ca.cnf -cert {issuer}.crt -keyfile {issuer}.key {words}");
        self.openssl.run(&ca).expect_status(0);
    }

    fn crl(&self, options: &str) -> Vec<u8> {
        self.ca(&format!("-gencrl -out crl.pem{options}"));
        self.openssl.run("crl -in crl.pem -outform DER -out crl.der").expect_status(0);
        fs::read(self.openssl.path("crl.der")).unwrap()
    }

    /// Issues a responder's certificate of that section of the configuration.
    fn responder(&self, section: &str) -> &'static str {
        issue(self.openssl, self.issuer, "responder", section);
        "responder"
    }

    /// The answer to our own request.
    fn ocsp(&self, signer: &str, nonce: Option<&[u8]>, options: &str) -> OcspEvidence {
        let [leaf, issuer, ..] = self.chain.certificates() else { panic!() };
        fs::write(self.openssl.path("request.der"), ocsp_request(leaf, issuer, nonce)).unwrap();
        let ca = self.issuer;
        let respond = format!(
            "ocsp -index index.txt -CA {ca}.crt -rsigner {signer}.crt -rkey {signer}.key -ndays 1 \
             -reqin request.der -respout response.der{options}"
        );
        self.openssl.run(&respond).expect_status(0);
        let response = fs::read(self.openssl.path("response.der")).unwrap();
        let mut answer =
            OcspEvidence::new(OCSP_URL, UtcDateTime::now(), leaf.fingerprint(), Ok(response));
        answer.nonce = nonce.map(<[u8]>::to_vec);
        answer
    }

    fn judge(&self, evidence: &Evidence, signing_time: SigningTime) -> RevocationStatus {
        let judged = judge(&self.chain, evidence, UtcDateTime::now(), signing_time);
        judged.into_iter().next().unwrap().status
    }

    fn by_crl(&self, crl: Vec<u8>) -> RevocationStatus {
        self.judge(&evidence(Some(crl), None), SigningTime::Unknown)
    }

    fn by_ocsp(&self, answer: OcspEvidence) -> RevocationStatus {
        self.judge(&evidence(None, Some(answer)), SigningTime::Unknown)
    }
}

/// Issues a certificate for a new key, `NAME.crt`, with a section of the configuration.
fn issue(openssl: &Openssl, issuer: &str, name: &str, section: &str) -> Certificate {
    openssl.create_key(name, KeySpec::Ec256);
    openssl.request(name, name);
    openssl
        .run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.crt -CAkey {issuer}.key -CAcreateserial -days 9 \
             -extfile ca.cnf -extensions {section} -out {name}.crt"
        ))
        .expect_status(0);
    read(&openssl.path(&format!("{name}.crt")))
}

fn read(path: &Path) -> Certificate {
    parse_bundle(&fs::read(path).unwrap()).unwrap().remove(0)
}

fn evidence(crl: Option<Vec<u8>>, ocsp: Option<OcspEvidence>) -> Evidence {
    let mut evidence = Evidence::new();
    evidence.crls.extend(crl.map(|der| CrlEvidence::new(CRL_URL, UtcDateTime::now(), Ok(der))));
    evidence.ocsp.extend(ocsp);
    evidence
}

#[track_caller]
fn assert_good(status: &RevocationStatus) {
    assert!(matches!(status, RevocationStatus::Good { .. }), "{status:#?}");
}

#[track_caller]
fn assert_revoked(status: &RevocationStatus, wanted: RevocationReason) {
    let RevocationStatus::Revoked { reason, .. } = status else { panic!("{status:#?}") };
    assert_eq!(*reason, wanted);
}

/// That a source was of no use for this reason.
#[track_caller]
fn assert_unknown(status: &RevocationStatus, told: &str) {
    let RevocationStatus::Unknown { attempts } = status else { panic!("{status:#?}") };
    assert!(attempts.iter().any(|one| text(one).contains(told)), "{attempts:#?}");
}

#[test]
fn a_revocation_shows_in_the_next_crl_of_openssl() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let ca = Ca::new(&openssl);
    assert_good(&ca.by_crl(ca.crl("")));
    ca.ca("-revoke leaf.crt -crl_compromise 20260102030405Z");
    let crl = ca.crl("");
    assert_revoked(&ca.by_crl(crl.clone()), RevocationReason::KeyCompromise);
    let evidence = evidence(Some(crl), None);
    let since = time::macros::utc_datetime!(2026-01-02 03:04:05);
    let before = SigningTime::Timestamped { latest: since - Duration::seconds(1) };
    let RevocationStatus::Good { listed, .. } = ca.judge(&evidence, before) else { panic!() };
    assert_eq!(listed.unwrap().invalidity_date, since);
    let after = SigningTime::Timestamped { latest: since };
    assert_revoked(&ca.judge(&evidence, after), RevocationReason::KeyCompromise);
}

#[test]
fn a_hold_and_an_end_of_openssl_are_read() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let ca = Ca::new(&openssl);
    let times = " -crl_lastupdate 20260101000000Z -crl_nextupdate 20260102000000Z";
    assert_unknown(&ca.by_crl(ca.crl(times)), "it expired at 2026-01-02T00:00:00Z");
    ca.ca("-revoke leaf.crt -crl_hold holdInstructionReject");
    assert_revoked(&ca.by_crl(ca.crl("")), RevocationReason::CertificateHold);
    assert_unknown(&ca.by_crl(ca.crl(times)), "it expired at 2026-01-02T00:00:00Z");
}

#[test]
fn crls_are_read_by_each_algorithm_of_the_table_and_none_by_sha_1() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let ca = Ca::root(&openssl, KeySpec::Rsa2048);
    let pss = " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    for options in [" -md sha256", " -md sha384", " -md sha512"] {
        assert_good(&ca.by_crl(ca.crl(options)));
        assert_good(&ca.by_crl(ca.crl(&format!("{options}{pss}"))));
    }
    assert_unknown(&ca.by_crl(ca.crl(" -md sha1")), "signature uses SHA-1");
    let long = " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max";
    let told = "signature algorithm 1.2.840.113549.1.1.10 is not supported";
    assert_unknown(&ca.by_crl(ca.crl(long)), told);
}

#[test]
fn a_responder_of_openssl_answers_our_request() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let ca = Ca::new(&openssl);
    let delegated = ca.responder("responder");
    for signer in [delegated, "issuing"] {
        assert_good(&ca.by_ocsp(ca.ocsp(signer, None, "")));
        assert_good(&ca.by_ocsp(ca.ocsp(signer, None, " -resp_key_id")));
        assert_good(&ca.by_ocsp(ca.ocsp(signer, Some(&[7; 32]), "")));
        let bad = ca.by_ocsp(ca.ocsp(signer, None, " -badsig"));
        assert_unknown(&bad, "signature does not verify with the key of its signer");
    }
    // The answer to another request.
    let mut replayed = ca.ocsp(delegated, Some(&[7; 32]), "");
    replayed.nonce = Some(vec![8; 32]);
    assert_unknown(&ca.by_ocsp(replayed), "another nonce than was sent");
    let no_certificate = ca.ocsp(delegated, None, " -resp_no_certs");
    assert_unknown(&ca.by_ocsp(no_certificate), "is neither the issuer nor among the certificates");
    ca.ca("-revoke leaf.crt -crl_reason superseded");
    assert_revoked(&ca.by_ocsp(ca.ocsp(delegated, None, "")), RevocationReason::Superseded);
    fs::write(openssl.path("index.txt"), "").unwrap();
    let unknown = ca.by_ocsp(ca.ocsp(delegated, None, ""));
    assert_unknown(&unknown, "responder does not know the certificate");
}

#[test]
fn a_responder_of_openssl_without_nocheck_is_looked_for_in_its_crl() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let ca = Ca::new(&openssl);
    let responder = ca.responder("checked");
    let answer = ca.ocsp(responder, None, "");
    let told = "has no id-pkix-ocsp-nocheck, and no CRL says that it is good";
    assert_unknown(&ca.by_ocsp(answer.clone()), told);
    let all = evidence(Some(ca.crl("")), Some(answer.clone()));
    assert_good(&ca.judge(&all, SigningTime::Unknown));
    ca.ca("-revoke responder.crt");
    let all = evidence(Some(ca.crl("")), Some(answer));
    // The CRL has the leaf's own verdict too.
    let judged = judge(&ca.chain, &all, UtcDateTime::now(), SigningTime::Unknown);
    assert_good(&judged[0].status);
    assert!(text(&judged[0].passed_over[0]).ends_with("is revoked"));
}

#[test]
fn openssl_comes_to_the_same_by_crls_of_ours() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let delta_url = "http://crl.test/delta.crl";
    type Change = fn(&Scene, TestCrl) -> TestCrl;
    let same: Change = |_, crl| crl;
    let held: Change = |scene, crl| crl.revoke(scene.leaf(), Some(6));
    let removed: Change = |scene, crl| crl.revoke(scene.leaf(), Some(8));
    let compromised: Change = |scene, crl| crl.revoke(scene.leaf(), Some(1));
    let cases = [
        (same, same, true),
        (held, same, false),
        (compromised, same, false),
        (same, held, false),
        (same, compromised, false),
        (held, removed, true),
        (same, removed, true),
    ];
    for (change_base, change_delta, good) in cases {
        let scene = Scene::crl();
        let freshest = crl_at(&[delta_url]).1;
        let base = scene.empty().number(10).extension(FRESHEST_CRL, false, &freshest);
        let base = change_base(&scene, base);
        let delta = change_delta(&scene, scene.empty().number(12).delta_to(9));
        for (name, crl) in [("base", &base), ("delta", &delta)] {
            let der = crl.sign(&scene.pki.issuing_key);
            fs::write(openssl.path(&format!("{name}.der")), der).unwrap();
            openssl
                .run(&format!("crl -inform DER -in {name}.der -out {name}.pem"))
                .expect_status(0);
        }
        let certificates = scene.pki.chain.certificates().iter();
        for (certificate, file) in certificates.zip(["leaf", "issuing", "root"]) {
            let chain = CertificateChain::from_ordered(vec![certificate.clone()]).unwrap();
            fs::write(openssl.path(file), to_pem(&chain)).unwrap();
        }
        let verify = format!(
            "verify -attime {} -crl_check -use_deltas -extended_crl -CRLfile base.pem -CRLfile delta.pem \
             -CAfile root -untrusted issuing leaf",
            NOW.unix_timestamp()
        );
        let finished = openssl.run(&verify);
        assert_eq!(finished.status == Some(0), good, "{finished:?}");
        let scene = scene.with_crl(&base).with_crl_at(delta_url, &delta);
        assert_eq!(scene.status().is_accepted(), good);
    }
}
