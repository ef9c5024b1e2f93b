//! The main job: keys of AWS KMS, certificates for them, and signatures through notation.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use der::{Encode as _, asn1::UintRef};
use notation_sdk::{
    algorithm::KeySpec,
    envelope::{Envelope, EnvelopeFormat},
    oci::SIGNATURE_MEDIA_TYPE,
};
use serde_json::{Value, json};

use crate::support::{
    command::{Finished, Run},
    fake_kms::{Behaviour, FakeKms},
    layout::Layout,
    ministack::Ministack,
    notation::{Artifact, Notation},
    openssl::{Authority, Openssl},
    registry::Registry,
};

const SUBJECT: &str = "C=US, ST=WA, O=Acme, CN=release";

/// Credentials that ministack takes, and no other source of them.
fn with_credentials(run: Run) -> Run {
    run.env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
}

fn kms(home: &Path, args: &[&str]) -> Run {
    with_credentials(Run::notation_kms().home(home)).args(args)
}

/// A key of KMS with a chain, as `generate-signature` is told of it.
struct Signing {
    id: String,
    spec: KeySpec,
    chain: PathBuf,
    endpoint: String,
}

impl Signing {
    /// A new key, and a chain that openssl's authority issued for it.
    fn new(kms: &Ministack, openssl: &Openssl, spec: KeySpec) -> Self {
        let id = kms.create_key(spec);
        let chain = chain_for(&format!("awskms:///{id}"), &kms.endpoint(), openssl);
        Self { id: format!("awskms:///{id}"), spec, chain, endpoint: kms.endpoint() }
    }

    fn request(&self, extra: &Value) -> Vec<u8> {
        let mut config = json!({ "cert-chain": self.chain, "aws-endpoint-url": self.endpoint });
        config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let request = json!({
            "contractVersion": "1.0",
            "keyId": self.id,
            "pluginConfig": config,
            "keySpec": self.spec.name(),
            "hashAlgorithm": self.spec.hash().name(),
            "payload": BASE64_STANDARD.encode("payload"),
        });
        request.to_string().into_bytes()
    }

    fn sign(&self, extra: &Value) -> Finished {
        let home = tempfile::tempdir().unwrap();
        kms(home.path(), &["generate-signature"]).stdin(self.request(extra)).finish()
    }

    /// Signs, and gives the code and the message of the refusal.
    #[track_caller]
    fn refusal(&self, extra: &Value) -> (String, String) {
        let finished = self.sign(extra).expect_status(1);
        assert_eq!(finished.stdout, "");
        let error: Value = serde_json::from_str(&finished.stderr).expect(&finished.stderr);
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        (text("errorCode"), text("errorMessage"))
    }
}

/// `cert request` by our executable, a certificate by openssl's authority.
fn chain_for(id: &str, endpoint: &str, openssl: &Openssl) -> PathBuf {
    let request = openssl.path("kms.csr");
    let config = format!("aws-endpoint-url={endpoint}");
    kms(openssl.path("").as_path(), &["cert", "request", "--force", "--id", id])
        .args(["--plugin-config", &config, "--subject", SUBJECT, "--to"])
        .arg(&request)
        .finish()
        .expect_status(0);
    openssl.run("req -in kms.csr -noout -verify").expect_status(0);
    Authority::new(openssl).issue(&request)
}

/// The envelopes of a layout's signatures.
fn envelopes(layout: &Layout) -> Vec<(EnvelopeFormat, Vec<u8>)> {
    let blob = |digest: &Value| {
        let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
        fs::read(layout.path().join("blobs/sha256").join(hex)).unwrap()
    };
    let index: Value =
        serde_json::from_slice(&fs::read(layout.path().join("index.json")).unwrap()).unwrap();
    let manifests = index["manifests"].as_array().unwrap().iter().map(|m| blob(&m["digest"]));
    manifests
        .map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap())
        .filter(|manifest| manifest["config"]["mediaType"] == SIGNATURE_MEDIA_TYPE)
        .map(|manifest| {
            let layer = &manifest["layers"][0];
            let format = EnvelopeFormat::from_media_type(layer["mediaType"].as_str().unwrap());
            (format.unwrap(), blob(&layer["digest"]))
        })
        .collect()
}

/// From nothing to a verified signature: key, request, certificate, `key add`, `notation sign --key`,
/// `notation verify`.
fn sign_and_verify(spec: KeySpec) {
    let (Some(ministack), Some(openssl), Some(notation)) =
        (Ministack::or_skip(), Openssl::or_skip(), Notation::or_skip())
    else {
        return;
    };
    let key = ministack.create_key(spec);
    let alias = format!("alias/release-{key}");
    ministack.create_alias(&alias, &key);
    let id = format!("awskms:///{alias}");
    let chain = chain_for(&id, &ministack.endpoint(), &openssl);
    notation.trust(&openssl.path("root.crt"));
    let config = format!("aws-endpoint-url={}", ministack.endpoint());
    kms(notation.home(), &["plugin", "install"]).finish().expect_status(0);
    kms(notation.home(), &["key", "add", "release", "--id", &id, "--plugin-config", &config])
        .arg("--cert-chain")
        .arg(&chain)
        .finish()
        .expect_status(0);
    kms(notation.home(), &["cert", "check"])
        .arg(&chain)
        .args(["--id", &id, "--plugin-config", &config])
        .finish()
        .expect_status(0);
    for format in ["jws", "cose"] {
        for mode in ["raw", "envelope"] {
            let layout = Layout::new(format!("{spec} {format} {mode}").as_bytes());
            let mode = format!("mode={mode}");
            let args = ["--key", "release", "--signature-format", format, "--plugin-config", &mode];
            with_credentials(notation.sign_command(Artifact::Layout(&layout), &args))
                .finish()
                .expect_status(0);
            notation.verify(Artifact::Layout(&layout), &[]).expect_status(0);
            let envelopes = envelopes(&layout);
            let [(found, envelope)] = envelopes.as_slice() else { panic!("{envelopes:?}") };
            assert_eq!(found.name(), format);
            let content = Envelope::parse(*found, envelope).unwrap().verify().unwrap();
            assert_eq!(content.payload().unwrap().target_artifact.digest.as_str(), layout.digest());
            assert_eq!(content.certificate_chain().leaf().public_key().key_spec(), Some(spec));
        }
    }
}

#[test]
fn notation_signs_with_an_rsa_2048_key_and_verifies() {
    sign_and_verify(KeySpec::Rsa2048);
}

#[test]
fn notation_signs_with_an_rsa_3072_key_and_verifies() {
    sign_and_verify(KeySpec::Rsa3072);
}

#[test]
fn notation_signs_with_an_rsa_4096_key_and_verifies() {
    sign_and_verify(KeySpec::Rsa4096);
}

#[test]
fn notation_signs_with_a_p256_key_and_verifies() {
    sign_and_verify(KeySpec::Ec256);
}

#[test]
fn notation_signs_with_a_p384_key_and_verifies() {
    sign_and_verify(KeySpec::Ec384);
}

#[test]
fn notation_signs_with_a_p521_key_and_verifies() {
    sign_and_verify(KeySpec::Ec521);
}

#[test]
fn notation_signs_in_a_registry_with_a_kms_key_and_verifies() {
    let (Some(ministack), Some(openssl), Some(notation), Some(registry)) =
        (Ministack::or_skip(), Openssl::or_skip(), Notation::or_skip(), Registry::or_skip())
    else {
        return;
    };
    let layout = Layout::new(b"in a registry");
    let Some(reference) = registry.push(&layout, "app") else { return };
    let signing = Signing::new(ministack, &openssl, KeySpec::Ec256);
    notation.trust(&openssl.path("root.crt"));
    kms(notation.home(), &["plugin", "install"]).finish().expect_status(0);
    let chain = format!("cert-chain={}", signing.chain.display());
    let endpoint = format!("aws-endpoint-url={}", signing.endpoint);
    let args = [
        "--plugin",
        "kms",
        "--id",
        &signing.id,
        "--plugin-config",
        &chain,
        "--plugin-config",
        &endpoint,
    ];
    with_credentials(notation.sign_command(Artifact::Registry(&reference), &args))
        .finish()
        .expect_status(0);
    notation.verify(Artifact::Registry(&reference), &[]).expect_status(0);
}

#[test]
fn openssl_verifies_a_raw_signature_of_every_key_spec() {
    let (Some(ministack), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else {
        return;
    };
    for spec in KeySpec::ALL {
        let signing = Signing::new(ministack, &openssl, spec);
        let finished = signing.sign(&json!({})).expect_status(0);
        let answer: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(answer["keyId"], signing.id.as_str());
        assert_eq!(answer["signingAlgorithm"], spec.plugin_algorithm());
        let raw = BASE64_STANDARD.decode(answer["signature"].as_str().unwrap()).unwrap();
        assert_eq!(raw.len(), spec.signature_len());
        // What openssl reads: RSA as it is, ECDSA as SEQUENCE { r INTEGER, s INTEGER }.
        let signature = if spec.is_rsa() {
            raw
        } else {
            let (r, s) = raw.split_at(raw.len() / 2);
            [r, s].map(|number| UintRef::new(number).unwrap()).to_der().unwrap()
        };
        let key = ministack.public_key(signing.id.strip_prefix("awskms:///").unwrap());
        assert!(openssl.verifies(spec, &key, b"payload", &signature), "{spec}");
        assert!(!openssl.verifies(spec, &key, b"another", &signature), "{spec}");
    }
}

#[test]
fn a_signature_costs_one_call_and_describing_a_key_none() {
    let (Some(ministack), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else {
        return;
    };
    let mut signing = Signing::new(ministack, &openssl, KeySpec::Ec256);
    let port = ministack.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = FakeKms::start(Behaviour::Forward(port));
    signing.endpoint = proxy.endpoint();
    let home = tempfile::tempdir().unwrap();
    for command in ["get-plugin-metadata", "describe-key"] {
        kms(home.path(), &[command]).stdin(signing.request(&json!({}))).finish().expect_status(0);
    }
    assert_eq!(proxy.actions(), Vec::<String>::new());
    signing.sign(&json!({})).expect_status(0);
    assert_eq!(proxy.actions(), ["sign"]);
    assert_eq!(proxy.waits().len(), 1);
}

#[test]
fn errors_of_kms_are_told_with_the_key_and_what_to_do() {
    let (Some(ministack), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else {
        return;
    };
    let mut signing = Signing::new(ministack, &openssl, KeySpec::Rsa2048);
    let good = signing.id.clone();
    let mut check = |id: String, code: &str, parts: &[&str]| {
        signing.id = id;
        let (found, message) = signing.refusal(&json!({}));
        assert_eq!(found, code, "{message}");
        for part in parts.iter().copied().chain([signing.id.as_str()]) {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
    };
    let validation = "VALIDATION_ERROR";
    let absent = "awskms:///11111111-2222-3333-4444-555555555555".to_owned();
    check(
        absent,
        validation,
        &["was not found", "check the reference, the account and the region"],
    );
    check("awskms:///alias/absent".to_owned(), validation, &["was not found"]);

    let disabled = ministack.create_key(KeySpec::Rsa2048);
    ministack.disable(&disabled);
    let enable = format!("aws kms enable-key --key-id {disabled}, or use another key");
    check(format!("awskms:///{disabled}"), validation, &["is disabled: enable it", &enable]);
    let alias = format!("alias/disabled-{disabled}");
    ministack.create_alias(&alias, &disabled);
    let enable = format!("enable-key --key-id $(aws kms describe-key --key-id {alias} --query");
    check(format!("awskms:///{alias}"), validation, &[&enable]);

    let pending = ministack.create_key(KeySpec::Rsa2048);
    ministack.schedule_deletion(&pending);
    check(
        format!("awskms:///{pending}"),
        validation,
        &["cannot be used in its state", "aws kms cancel-key-deletion"],
    );

    let encryption = json!({ "KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT" });
    let encryption = ministack.kms("CreateKey", &encryption).unwrap();
    let encryption = encryption["KeyMetadata"]["KeyId"].as_str().unwrap();
    check(
        format!("awskms:///{encryption}"),
        validation,
        &["cannot sign with RSASSA_PSS_SHA_256", "check that key"],
    );

    signing.id = good;
    signing.sign(&json!({})).expect_status(0);
}

#[test]
fn a_chain_of_another_key_is_refused_with_both_fingerprints() {
    let (Some(ministack), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else {
        return;
    };
    let mut signing = Signing::new(ministack, &openssl, KeySpec::Rsa2048);
    for spec in [KeySpec::Rsa2048, KeySpec::Ec384] {
        signing.id = format!("awskms:///{}", ministack.create_key(spec));
        let (code, message) = signing.refusal(&json!({}));
        assert_eq!(code, "VALIDATION_ERROR");
        assert!(message.contains("certificate chain does not belong to the key"), "{message}");
        assert_eq!(message.matches("(sha256:").count(), 2, "{message}");
    }
}

#[test]
fn answers_that_no_kms_should_give_are_errors_of_the_right_code() {
    let (Some(ministack), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else {
        return;
    };
    let mut signing = Signing::new(ministack, &openssl, KeySpec::Ec256);
    let error = |status: u16, code: &str| {
        Behaviour::Answer(
            status,
            json!({ "__type": code, "message": "words of the service" }).to_string(),
        )
    };
    let signed = |bytes: &[u8]| {
        let signature = BASE64_STANDARD.encode(bytes);
        Behaviour::Answer(200, json!({ "KeyId": "x", "Signature": signature }).to_string())
    };
    let cases = [
        (
            error(400, "AccessDeniedException"),
            "ACCESS_DENIED",
            "was denied: words of the service; the credentials need kms:Sign",
        ),
        (
            error(400, "ExpiredTokenException"),
            "ACCESS_DENIED",
            "no valid credentials: ExpiredTokenException",
        ),
        (error(400, "UnrecognizedClientException"), "ACCESS_DENIED", "no valid credentials"),
        (error(400, "InvalidKeyUsageException"), "VALIDATION_ERROR", "key of usage SIGN_VERIFY"),
        (error(400, "ThrottlingException"), "THROTTLED", "throttled"),
        (error(400, "LimitExceededException"), "THROTTLED", "throttled"),
        (error(500, "KMSInternalException"), "ERROR", "words of the service; try again"),
        (error(400, "ValidationException"), "VALIDATION_ERROR", "; check the key reference"),
        (error(403, "SomethingNew"), "ACCESS_DENIED", "the credentials need kms:Sign"),
        (Behaviour::Hang, "TIMEOUT", "timed out"),
        (Behaviour::HangUp, "ERROR", "could not be reached; check the network"),
        (
            Behaviour::Answer(403, "<html>".to_owned()),
            "ERROR",
            "HTTP status 403 and no error of KMS",
        ),
        (Behaviour::Answer(200, "<html>".to_owned()), "ERROR", "answered for key"),
        (Behaviour::Answer(502, "<html>".to_owned()), "ERROR", "HTTP status 502"),
        (signed(&[0x30, 0x80]), "ERROR", "no ECDSA signature in DER"),
    ];
    for (behaviour, code, part) in cases {
        let fake = FakeKms::start(behaviour.clone());
        signing.endpoint = fake.endpoint();
        let (found, message) = signing.refusal(&json!({ "timeout": "8s" }));
        assert_eq!(found, code, "{behaviour:?}: {message}");
        assert!(
            message.contains(part) && message.contains(&signing.id),
            "{behaviour:?}: {message}"
        );
    }
}

#[test]
fn a_signature_that_does_not_verify_is_blamed_on_whom_the_public_key_shows() {
    let (Some(ministack), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else {
        return;
    };
    let mut signing = Signing::new(ministack, &openssl, KeySpec::Ec256);
    let signature = BASE64_STANDARD.encode([0x30, 6, 2, 1, 1, 2, 1, 1]);
    let signed = json!({ "KeyId": "x", "Signature": signature }).to_string();
    let public_key = |id: &str| {
        let der = BASE64_STANDARD.encode(ministack.public_key(id));
        (200, json!({ "KeyId": "x", "PublicKey": der }).to_string())
    };
    let denied = json!({ "__type": "AccessDeniedException", "message": "no" }).to_string();
    let own = public_key(signing.id.strip_prefix("awskms:///").unwrap());
    let other = public_key(&ministack.create_key(KeySpec::Ec256));
    for ((status, body), code, parts) in [
        (own, "ERROR", &["key service answered with a signature that does not verify"][..]),
        (other, "VALIDATION_ERROR", &["certificate chain does not belong to the key"]),
        (
            (400, denied),
            "VALIDATION_ERROR",
            &[
                "certificate chain is probably of another key: the signature does not verify with the \
                 leaf certificate CN=release,O=Acme,ST=WA,C=US, for EC-256 (sha256:",
                "could not be read: access to key awskms:///",
                "need kms:GetPublicKey",
            ],
        ),
    ] {
        let answers = vec![("sign", 200, signed.clone()), ("getpublickey", status, body)];
        let fake = FakeKms::start(Behaviour::AnswerEach(answers));
        signing.endpoint = fake.endpoint();
        let (found, message) = signing.refusal(&json!({}));
        assert_eq!(found, code, "{message}");
        for part in parts {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
    }
}

#[test]
fn missing_credentials_and_a_missing_region_are_told() {
    let (Some(ministack), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else {
        return;
    };
    let signing = Signing::new(ministack, &openssl, KeySpec::Ec256);
    let home = tempfile::tempdir().unwrap();
    let without = |region: &str| {
        let finished = Run::notation_kms()
            .home(home.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .arg("generate-signature")
            .stdin(signing.request(&if region.is_empty() {
                json!({})
            } else {
                json!({ "aws-region": region })
            }))
            .finish()
            .expect_status(1);
        serde_json::from_str::<Value>(&finished.stderr).unwrap()
    };
    let error = without("us-east-1");
    assert_eq!(error["errorCode"], "ACCESS_DENIED");
    assert!(error["errorMessage"].as_str().unwrap().contains("no valid credentials"), "{error}");
    let error = without("");
    assert_eq!(error["errorCode"], "VALIDATION_ERROR");
    assert!(error["errorMessage"].as_str().unwrap().contains("aws-region"), "{error}");
}

#[test]
fn cert_check_compares_the_chain_with_the_key_of_the_service() {
    let (Some(ministack), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else {
        return;
    };
    let signing = Signing::new(ministack, &openssl, KeySpec::Ec256);
    let config = format!("aws-endpoint-url={}", signing.endpoint);
    let check = |id: &str| {
        kms(
            openssl.path("").as_path(),
            &["cert", "check", "--output", "json", "--plugin-config", &config],
        )
        .args(["--id", id])
        .arg(&signing.chain)
        .finish()
    };
    let report: Value = serde_json::from_str(&check(&signing.id).expect_status(0).stdout).unwrap();
    assert_eq!((&report["ok"], &report["problems"]), (&json!(true), &json!([])));
    let other = format!("awskms:///{}", ministack.create_key(KeySpec::Ec256));
    let report: Value = serde_json::from_str(&check(&other).expect_status(3).stdout).unwrap();
    assert_eq!(report["ok"], false);
    let message = report["problems"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("the leaf certificate is for EC-256 (sha256:"), "{message}");
}

#[test]
fn commands_for_people_exit_by_what_the_key_service_said() {
    let Some(ministack) = Ministack::or_skip() else { return };
    let home = tempfile::tempdir().unwrap();
    let request = |endpoint: &str, extra: &str| {
        kms(
            home.path(),
            &["cert", "request", "--id", "awskms:///alias/absent", "--subject", SUBJECT],
        )
        .args(["--to", "absent.csr", "--plugin-config", extra])
        .args(["--plugin-config", &format!("aws-endpoint-url={endpoint}")])
        .current_dir(home.path())
        .finish()
    };
    let absent = request(&ministack.endpoint(), "timeout=20s").expect_status(8);
    assert!(
        absent.stderr.starts_with("error: key awskms:///alias/absent was not found"),
        "{}",
        absent.stderr
    );
    let denied = json!({ "__type": "AccessDeniedException", "message": "no" }).to_string();
    let denied = FakeKms::start(Behaviour::Answer(400, denied));
    request(&denied.endpoint(), "timeout=20s").expect_status(7);
    let silent = FakeKms::start(Behaviour::Hang);
    let late = request(&silent.endpoint(), "timeout=1s").expect_status(6);
    assert!(late.stderr.contains("within 1 s"), "{}", late.stderr);
    assert!(!home.path().join("absent.csr").exists());
}

#[test]
fn the_timeout_is_the_commands_and_not_each_requests() {
    let Some(ministack) = Ministack::or_skip() else { return };
    let home = tempfile::tempdir().unwrap();
    let id = format!("awskms:///{}", ministack.create_key(KeySpec::Ec256));
    let port = ministack.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    let late = FakeKms::start(Behaviour::ForwardLate(port, Duration::from_millis(1200)));
    let endpoint = format!("aws-endpoint-url={}", late.endpoint());
    for words in [&["cert", "request"][..], &["cert", "self-sign", "--days", "1"]] {
        let ask = |timeout: &str| {
            kms(home.path(), words)
                .args(["--id", &id, "--subject", SUBJECT, "--to", "made", "--force"])
                .args(["--plugin-config", &endpoint, "--plugin-config", timeout])
                .current_dir(home.path())
                .finish()
        };
        let refused = ask("timeout=2s").expect_status(6);
        assert!(refused.stderr.contains("within 2 s"), "{}", refused.stderr);
        assert!(!home.path().join("made").exists());
        ask("timeout=30s").expect_status(0);
        fs::remove_file(home.path().join("made")).unwrap();
    }
}

#[test]
fn no_service_is_asked_for_what_could_not_be_written() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("made"), "precious").unwrap();
    let fake = FakeKms::start(Behaviour::HangUp);
    let endpoint = format!("aws-endpoint-url={}", fake.endpoint());
    for words in [&["cert", "request"][..], &["cert", "self-sign", "--days", "1"]] {
        let refused = kms(home.path(), words)
            .args(["--id", "awskms:///alias/x", "--subject", SUBJECT, "--to", "made"])
            .args(["--plugin-config", &endpoint])
            .current_dir(home.path())
            .finish()
            .expect_status(2);
        assert!(
            refused.stderr.starts_with("error: file made exists already"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(fake.actions(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(home.path().join("made")).unwrap(), "precious");
}

#[test]
fn a_key_that_signs_no_artifact_exits_alike_wherever_it_is() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let home = openssl.path("");
    openssl
        .run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out k1.key")
        .expect_status(0);
    openssl.run("pkey -in k1.key -pubout -outform DER -out k1.der").expect_status(0);
    let der = BASE64_STANDARD.encode(fs::read(openssl.path("k1.der")).unwrap());
    let answer = json!({ "KeyId": "x", "PublicKey": der }).to_string();
    let fake = FakeKms::start(Behaviour::Answer(200, answer));
    let endpoint = format!("aws-endpoint-url={}", fake.endpoint());
    let local = format!("file://{}", openssl.path("k1.key").display());
    let request = |id: &str| {
        kms(&home, &["cert", "request", "--id", id, "--subject", SUBJECT, "--to"])
            .arg(openssl.path("r.csr"))
    };
    request(&local).finish().expect_status(5);
    let service = request("awskms:///alias/x").args(["--plugin-config", &endpoint]).finish();
    let service = service.expect_status(5);
    assert!(service.stderr.contains("and must be RSA of 2048, 3072"), "{}", service.stderr);
}
