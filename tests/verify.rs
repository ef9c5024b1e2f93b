//! Verification under a trust policy, with a clock of its own: what each level and override makes of each
//! check that fails.

use notation_sdk::{
    Envelope, EnvelopeFormat, Payload, SignRequest, SignedAttributes, SigningScheme,
    algorithm::{HashAlgorithm, KeySpec},
    envelope::{AttributeValue, ExtendedAttribute},
    oci::{Descriptor, Digest, Manifest},
    pki::{CertificateTemplate, Extension},
    registry::{Content, Repository as _},
    revocation::{CrlEvidence, Evidence},
    sign_envelope,
    testing::{
        TestPki, TestRepository, TestRevocationSource, name, ready, set_extension, validity,
    },
    trust::{OciPolicy, Statement, TrustAnchors},
    verify::{
        Accepted, Artifact, Check, CheckVerdict, Rejected, Revocation, Verifier, VerifyError,
        evaluate,
    },
};
use serde_json::{Value, json};
use time::{Duration, UtcDateTime, macros::utc_datetime};

use crate::support::{
    der::{distribution_point, sequence},
    revocation::TestCrl,
};

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
const IDENTITY: &str = "x509.subject: C=US, ST=WA, O=Test, CN=leaf";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
const AUTHORITY_INFORMATION: &str = "1.3.6.1.5.5.7.1.1";

/// A signature and all that it is held against; each test changes what it is about.
struct Scene {
    pki: TestPki,
    attributes: SignedAttributes,
    descriptor: Descriptor,
    artifact: Artifact,
    anchors: TrustAnchors,
    evidence: Evidence,
    statement: Value,
    at: UtcDateTime,
}

fn descriptor() -> Descriptor {
    let digest = Digest::of(HashAlgorithm::Sha256, b"artifact");
    Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest, 8)
}

impl Scene {
    /// One in which every check passes.
    fn new() -> Self {
        Self::with(TestPki::new(KeySpec::Ec256, NOW).unwrap())
    }

    fn with(pki: TestPki) -> Self {
        let mut anchors = TrustAnchors::new();
        anchors.insert("ca:acme".parse().unwrap(), pki.chain.root().clone());
        let statement = json!({
            "name": "acme", "registryScopes": ["a/b"], "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:acme"], "trustedIdentities": [IDENTITY],
        });
        let (descriptor, artifact) = (descriptor(), Artifact::oci(&descriptor()));
        let attributes = SignedAttributes::new(NOW);
        let evidence = Evidence::new();
        Self { pki, attributes, descriptor, artifact, anchors, evidence, statement, at: NOW }
    }

    /// With an extension in the leaf.
    fn with_extension(oid: &str, value: &[u8]) -> Self {
        let mut leaf = CertificateTemplate::code_signing(name("leaf"), validity(NOW));
        set_extension(&mut leaf, Extension::new(oid, false, value));
        Self::with(TestPki::with_templates(KeySpec::Ec256, NOW, |_| {}, leaf).unwrap())
    }

    fn level(mut self, verification: Value) -> Self {
        self.statement["signatureVerification"] = verification;
        self
    }

    fn statement(&self) -> Statement {
        let document = json!({"version": "1.0", "trustPolicies": [self.statement]});
        let policy = OciPolicy::parse(document.to_string().as_bytes()).unwrap().policy;
        policy.statements.into_iter().next().unwrap().statement
    }

    fn envelope(&self, format: EnvelopeFormat) -> Vec<u8> {
        let payload = Payload::new(self.descriptor.clone()).to_json();
        let request = SignRequest::new(format, &payload, self.attributes.clone());
        ready(sign_envelope(&self.pki.leaf_key, &self.pki.chain, &request)).unwrap()
    }

    /// Evaluates in both formats, which come to the same.
    fn evaluate(&self) -> Result<Accepted, Rejected> {
        let [jws, cose] = [EnvelopeFormat::Jws, EnvelopeFormat::Cose].map(|format| {
            let envelope = Envelope::parse(format, &self.envelope(format)).unwrap();
            let statement = self.statement();
            evaluate(&envelope, &self.artifact, &statement, &self.anchors, &self.evidence, self.at)
        });
        assert_eq!(jws.is_ok(), cose.is_ok());
        jws
    }

    fn verdicts(&self) -> Vec<(Check, &'static str)> {
        let result = self.evaluate();
        let outcome = match &result {
            Ok(accepted) => accepted.outcome(),
            Err(rejected) => &rejected.outcome,
        };
        let verdict = |verdict: &CheckVerdict| match verdict {
            CheckVerdict::Passed => "passed",
            CheckVerdict::FailedEnforced(_) => "enforced",
            CheckVerdict::FailedLogged(_) => "logged",
            CheckVerdict::Skipped(_) => "skipped",
            _ => "unknown",
        };
        outcome.checks.iter().map(|result| (result.check, verdict(&result.verdict))).collect()
    }

    /// The check that refuses it, and why.
    #[track_caller]
    fn refusal(&self) -> (Check, String) {
        let rejected = match self.evaluate() {
            Err(rejected) => rejected,
            Ok(accepted) => panic!("{accepted:?}"),
        };
        let (check, error) = rejected.outcome.refusal().unwrap();
        (check, error.to_string())
    }
}

/// Scenes in which exactly that check fails, of those that a policy can choose.
fn failing() -> [(Check, &'static str, Scene); 4] {
    let mut unanchored = Scene::new();
    unanchored.anchors = TrustAnchors::new();
    let mut expired = Scene::new();
    expired.attributes.expiry = Some(NOW + Duration::hours(1));
    expired.at = NOW + Duration::hours(1);
    let mut late = Scene::new();
    late.at = NOW + Duration::days(366);
    let revocable = Scene::with_extension(CRL_DISTRIBUTION_POINTS, &[0x30, 0]);
    [
        (Check::Authenticity, "authenticity", unanchored),
        (Check::Expiry, "expiry", expired),
        (Check::AuthenticTimestamp, "authenticTimestamp", late),
        (Check::Revocation, "revocation", revocable),
    ]
}

#[test]
fn a_signature_whose_every_check_passes_is_verified() {
    for spec in KeySpec::ALL {
        let scene = Scene::with(TestPki::new(spec, NOW).unwrap());
        let accepted = scene.evaluate().unwrap();
        let Accepted::Verified(verified) = &accepted else { panic!("{accepted:?}") };
        assert_eq!(verified.signer().subject(), &name("leaf"));
        assert_eq!(accepted.signer().unwrap().subject(), &name("leaf"));
        assert_eq!(verified.outcome.statement, "acme");
    }
    let order = [
        Check::Integrity,
        Check::Authenticity,
        Check::Expiry,
        Check::AuthenticTimestamp,
        Check::Revocation,
        Check::VerificationPlugin,
        Check::UserMetadata,
    ];
    assert_eq!(Scene::new().verdicts(), order.map(|check| (check, "passed")));
}

#[test]
fn every_level_does_with_every_check_what_the_table_says() {
    let table = [
        ("strict", ["enforced", "enforced", "enforced", "enforced"]),
        ("permissive", ["enforced", "logged", "logged", "logged"]),
        ("audit", ["logged", "logged", "logged", "logged"]),
    ];
    for (level, row) in table {
        for ((check, _, scene), expected) in failing().into_iter().zip(row) {
            let scene = scene.level(json!({"level": level}));
            let failed: Vec<_> =
                scene.verdicts().into_iter().filter(|(_, verdict)| *verdict != "passed").collect();
            assert_eq!(failed, [(check, expected)], "{level}, {check}");
            match scene.evaluate() {
                Ok(Accepted::WithFailures(claimed)) => {
                    assert_eq!(expected, "logged", "{level}, {check}");
                    assert_eq!(claimed.claimed_signer(), &name("leaf"));
                }
                Ok(other) => panic!("{level}, {check}: {other:?}"),
                Err(_) => assert_eq!(expected, "enforced", "{level}, {check}"),
            }
        }
    }
}

#[test]
fn every_override_holds() {
    for level in ["strict", "permissive", "audit"] {
        for (action, expected) in [("log", "logged"), ("enforce", "enforced")] {
            for (check, name, scene) in failing() {
                let scene = scene.level(json!({"level": level, "override": {name: action}}));
                assert!(scene.verdicts().contains(&(check, expected)), "{level}, {name}: {action}");
                assert_eq!(scene.evaluate().is_ok(), action == "log", "{level}, {name}: {action}");
            }
        }
        let (_, _, revocable) = failing().into_iter().last().unwrap();
        let skipped = revocable.level(json!({"level": level, "override": {"revocation": "skip"}}));
        assert!(skipped.verdicts().contains(&(Check::Revocation, "skipped")), "{level}");
        assert!(matches!(skipped.evaluate(), Ok(Accepted::Verified(_))), "{level}");
    }
}

#[test]
fn an_artifact_in_memory_is_verified_by_what_a_source_knows() {
    let url = "http://crl.example/ca.crl";
    let mut leaf = CertificateTemplate::code_signing(name("leaf"), validity(NOW));
    set_extension(
        &mut leaf,
        Extension::new(
            CRL_DISTRIBUTION_POINTS,
            false,
            &sequence(&[distribution_point(&[url], &[])]),
        ),
    );
    let scene = Scene::with(TestPki::with_templates(KeySpec::Ec256, NOW, |_| {}, leaf).unwrap());
    let repository = TestRepository::new();
    let layer = repository.push_blob("text/plain", b"content");
    let artifact = repository.push_manifest(&Manifest::artifact("test/thing", layer), "v1");
    let statement = scene.statement();
    let verify = |source: &TestRevocationSource| {
        let revocation = Revocation::Fetch(source);
        let verifier = Verifier::new(&statement, &scene.anchors, revocation, NOW);
        let resolved = ready(repository.resolve("v1")).unwrap();
        assert_eq!(resolved, artifact);
        ready(verifier.verify(&repository, &resolved))
    };
    let ignorant = TestRevocationSource::new(Evidence::new());
    assert!(matches!(verify(&ignorant), Err(VerifyError::Unsigned(_))));
    assert_eq!(ignorant.asked(), 0);

    let payload = Payload::new(artifact.clone()).to_json();
    let request = SignRequest::new(EnvelopeFormat::Jws, &payload, scene.attributes.clone());
    let envelope = ready(sign_envelope(&scene.pki.leaf_key, &scene.pki.chain, &request)).unwrap();
    let made = "2026-11-23T12:00:00Z";
    let manifest =
        Manifest::signature(&artifact, EnvelopeFormat::Jws, &envelope, &scene.pki.chain, made);
    ready(repository.push_signature(&manifest, &envelope)).unwrap();
    assert!(matches!(verify(&ignorant), Err(VerifyError::Rejected(_))));
    assert_eq!(ignorant.asked(), 1);
    let mut evidence = Evidence::new();
    let crl = TestCrl::new(&scene.pki.chain.certificates()[1], NOW).sign(&scene.pki.issuing_key);
    evidence.crls.push(CrlEvidence::new(url, NOW, Ok(crl)));
    let verified = verify(&TestRevocationSource::new(evidence)).unwrap();
    assert!(matches!(verified.accepted, Accepted::Verified(_)), "{verified:?}");
    assert!(ready(repository.resolve("v2")).is_err());
    let mut other = artifact.clone();
    other.size += 1;
    assert!(ready(repository.read(&other, Content::Manifest)).is_err());
}

#[test]
fn skip_looks_at_nothing_and_says_so() {
    let mut scene = Scene::new().level(json!({"level": "skip"}));
    let members = scene.statement.as_object_mut().unwrap();
    members.remove("trustStores");
    members.remove("trustedIdentities");
    scene.artifact.size = 9;
    let accepted = scene.evaluate().unwrap();
    assert!(matches!(accepted, Accepted::Skipped(_)));
    assert!(accepted.signer().is_none());
    assert_eq!(scene.verdicts(), [(Check::Integrity, "skipped")]);
}

#[test]
fn integrity_is_enforced_at_every_level() {
    for level in ["strict", "permissive", "audit"] {
        let level = json!({"level": level});
        let mut other = Scene::new().level(level.clone());
        other.artifact.digest = Digest::of(HashAlgorithm::Sha256, b"other");
        let (check, told) = other.refusal();
        assert_eq!(check, Check::Integrity);
        assert!(
            told.starts_with("signature is about sha256:")
                && told.contains(", and the artifact is sha256:"),
            "{told}"
        );
        let mut other = Scene::new().level(level.clone());
        other.artifact.size = 9;
        assert_eq!(other.refusal().1, "signature is about 8 bytes, and the artifact has 9");
        let mut other = Scene::new().level(level.clone());
        other.artifact.media_type = Some("application/json".to_owned());
        assert!(other.refusal().1.contains("media type"));

        let scene = Scene::new().level(level.clone());
        let mut bytes = scene.envelope(EnvelopeFormat::Cose);
        *bytes.last_mut().unwrap() ^= 1;
        let envelope = Envelope::parse(EnvelopeFormat::Cose, &bytes).unwrap();
        let rejected = evaluate(
            &envelope,
            &scene.artifact,
            &scene.statement(),
            &scene.anchors,
            &scene.evidence,
            NOW,
        )
        .unwrap_err();
        let (check, error) = rejected.outcome.refusal().unwrap();
        assert_eq!((check, rejected.outcome.checks.len()), (Check::Integrity, 1));
        assert!(error.to_string().contains("does not verify"), "{error}");
        assert_eq!(rejected.to_string(), "signature is refused: integrity");
    }
}

#[test]
fn trust_comes_from_a_store_of_the_schemes_type_that_the_statement_names() {
    let mut scene = Scene::new();
    scene.anchors = TrustAnchors::new();
    scene.anchors.insert("ca:other".parse().unwrap(), scene.pki.chain.root().clone());
    let empty = "trust store ca:acme of the statement holds no certificate";
    assert_eq!(scene.refusal(), (Check::Authenticity, empty.to_owned()));
    let other = TestPki::new(KeySpec::Ec256, NOW).unwrap().chain.root().clone();
    scene.anchors.insert("ca:acme".parse().unwrap(), other);
    let told = "certificate chain of CN=leaf,O=Test,ST=WA,C=US leads to CN=root,O=Test,ST=WA,C=US, which is in none of the statement's ca stores";
    assert_eq!(scene.refusal(), (Check::Authenticity, told.to_owned()));
    // One store that is not there fails it, whatever stands in the other.
    scene.statement["trustStores"] = json!(["ca:acme", "ca:gone"]);
    scene.anchors.insert("ca:acme".parse().unwrap(), scene.pki.chain.root().clone());
    let gone = "trust store ca:gone of the statement holds no certificate";
    assert_eq!(scene.refusal(), (Check::Authenticity, gone.to_owned()));
    scene.statement["trustStores"] = json!(["ca:acme"]);
    // An intermediate, or the leaf itself, is an anchor as well.
    for certificate in scene.pki.chain.certificates() {
        scene.anchors = TrustAnchors::new();
        scene.anchors.insert("ca:acme".parse().unwrap(), certificate.clone());
        assert!(scene.evaluate().is_ok());
    }
    // Of the same name, but another certificate.
    scene.anchors = TrustAnchors::new();
    scene.anchors.insert(
        "ca:acme".parse().unwrap(),
        TestPki::new(KeySpec::Ec256, NOW).unwrap().chain.root().clone(),
    );
    assert_eq!(scene.refusal().0, Check::Authenticity);
}

#[test]
fn identities_are_those_of_the_statement() {
    let mut scene = Scene::new();
    scene.statement["trustedIdentities"] = json!(["x509.subject: C=US, ST=WA, O=Test, CN=other"]);
    let told = "CN=leaf,O=Test,ST=WA,C=US is none of the statement's trusted identities";
    assert_eq!(scene.refusal(), (Check::Authenticity, told.to_owned()));
    scene.statement["trustedIdentities"] = json!(["did: web:acme"]);
    assert_eq!(scene.refusal().0, Check::Authenticity);
    scene.statement["trustedIdentities"] = json!(["*"]);
    assert!(scene.evaluate().is_ok());
}

#[test]
fn an_expiry_is_passed_from_its_second_on() {
    let mut scene = Scene::new();
    scene.attributes.expiry = Some(NOW + Duration::hours(1));
    scene.at = NOW + Duration::seconds(3599);
    assert!(scene.evaluate().is_ok());
    scene.at = NOW + Duration::seconds(3600);
    let told = "signature expired at 2026-11-23T13:00:00Z, and it is 2026-11-23T13:00:00Z";
    assert_eq!(scene.refusal(), (Check::Expiry, told.to_owned()));
}

#[test]
fn without_a_timestamp_the_certificates_have_to_be_valid_now() {
    let mut scene = Scene::new();
    scene.at = NOW - Duration::days(2);
    assert_eq!(scene.refusal().0, Check::AuthenticTimestamp);
    scene.at = scene.pki.chain.leaf().not_after();
    assert!(scene.evaluate().is_ok());
    scene.at += Duration::seconds(1);
    assert!(scene.refusal().1.contains("expired at"), "{:?}", scene.refusal());
}

#[test]
fn a_timestamp_that_is_asked_for_is_never_passed_unjudged() {
    let mut scene = Scene::new();
    scene.statement["trustStores"] = json!(["ca:acme", "tsa:times"]);
    let told = "signature has no timestamp, and the statement names a tsa store";
    assert_eq!(scene.refusal(), (Check::AuthenticTimestamp, told.to_owned()));
    let after = json!({"level": "strict", "verifyTimestamp": "afterCertExpiry"});
    let mut scene = scene.level(after);
    assert!(scene.evaluate().is_ok());
    scene.at = NOW + Duration::days(366);
    assert_eq!(scene.refusal(), (Check::AuthenticTimestamp, told.to_owned()));
}

#[test]
fn a_signing_authoritys_time_is_what_certificates_have_to_be_valid_at() {
    let mut scene = Scene::new();
    scene.attributes.signing_scheme = SigningScheme::X509SigningAuthority;
    let told = "signing scheme notary.x509.signingAuthority is judged by trust stores of type signingAuthority, and the statement names none";
    assert_eq!(scene.refusal(), (Check::Authenticity, told.to_owned()));
    scene.statement["trustStores"] = json!(["signingAuthority:acme", "tsa:times"]);
    scene.anchors.insert("signingAuthority:acme".parse().unwrap(), scene.pki.chain.root().clone());
    // Long after the certificates have expired, and without a timestamp.
    scene.at = NOW + Duration::days(3000);
    assert!(matches!(scene.evaluate(), Ok(Accepted::Verified(_))));
}

#[test]
fn revocation_that_is_published_is_never_passed_unjudged() {
    // DER of a distribution point and of a responder, both at "http://x/".
    let crl = b"\x30\x11\x30\x0f\xa0\x0d\xa0\x0b\x86\x09http://x/";
    let ocsp = b"\x30\x17\x30\x15\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x09http://x/";
    let told = |method: &str| {
        format!(
            "nobody can tell whether certificate CN=leaf,O=Test,ST=WA,C=US is revoked: {method} http://x/: not in the evidence"
        )
    };
    for (oid, value, method) in
        [(CRL_DISTRIBUTION_POINTS, &crl[..], "CRL"), (AUTHORITY_INFORMATION, ocsp, "OCSP")]
    {
        let scene = Scene::with_extension(oid, value);
        assert_eq!(scene.refusal(), (Check::Revocation, told(method)));
        let (_, rejected) = (scene.refusal(), scene.evaluate().unwrap_err());
        assert!(rejected.is_unavailable(), "trying again may help");
    }
    // An extension that cannot be read is not an absent one.
    let broken = Scene::with_extension(CRL_DISTRIBUTION_POINTS, &[0x30, 0]);
    let (check, told) = broken.refusal();
    assert_eq!(check, Check::Revocation);
    assert!(told.contains("is revoked: CRL without a URL: extension"), "{told}");
    assert!(!broken.evaluate().unwrap_err().is_unavailable());
    // A place to fetch issuers from is none to ask about revocation.
    let mut issuers = *ocsp;
    issuers[13] = 2;
    assert!(Scene::with_extension(AUTHORITY_INFORMATION, &issuers).evaluate().is_ok());
}

#[test]
fn a_signature_that_names_a_verification_plugin_is_refused_at_every_level() {
    for level in ["strict", "permissive", "audit"] {
        let mut scene = Scene::new().level(json!({"level": level}));
        scene.attributes.verification_plugin = Some("acme".to_owned());
        scene.attributes.extended =
            vec![ExtendedAttribute::new("acme.rule", AttributeValue::Boolean(true), true)];
        let told = "signature names the verification plugin \"acme\", and this version runs none";
        assert_eq!(scene.refusal(), (Check::VerificationPlugin, told.to_owned()));
    }
}

#[test]
fn metadata_that_is_asked_for_has_to_be_signed() {
    let mut scene = Scene::new().level(json!({"level": "audit"}));
    scene.descriptor.annotations.insert("build".to_owned(), "7".to_owned());
    assert!(scene.evaluate().is_ok());
    scene.artifact.user_metadata.insert("build".to_owned(), "7".to_owned());
    assert!(scene.evaluate().is_ok());
    scene.artifact.user_metadata.insert("build".to_owned(), "8".to_owned());
    let told = "user metadata \"build\" is \"7\" in the signature, and \"8\" is asked for";
    assert_eq!(scene.refusal(), (Check::UserMetadata, told.to_owned()));
    scene.artifact.user_metadata.insert("branch".to_owned(), "main".to_owned());
    assert_eq!(scene.refusal().1, "user metadata \"branch\" is not in the signature");
}

#[test]
fn outcomes_are_serialised_whole() {
    let mut scene = Scene::new()
        .level(json!({"level": "strict", "override": {"expiry": "log", "revocation": "skip"}}));
    scene.attributes.expiry = Some(NOW + Duration::seconds(1));
    scene.at = NOW + Duration::seconds(2);
    let accepted = scene.evaluate().unwrap();
    let expected = json!({
        "statement": "acme",
        "at": "2026-11-23T12:00:02Z",
        "checks": [
            {"check": "integrity", "verdict": "passed", "reason": null},
            {"check": "authenticity", "verdict": "passed", "reason": null},
            {"check": "expiry", "verdict": "failedLogged", "reason": "signature expired at 2026-11-23T12:00:01Z, and it is 2026-11-23T12:00:02Z"},
            {"check": "authenticTimestamp", "verdict": "passed", "reason": null},
            {"check": "revocation", "verdict": "skipped", "reason": "the policy skips it"},
            {"check": "verificationPlugin", "verdict": "passed", "reason": null},
            {"check": "userMetadata", "verdict": "passed", "reason": null},
        ],
        "timestamp": null,
        "revocation": [],
    });
    assert_eq!(serde_json::to_value(accepted.outcome()).unwrap(), expected);
}
