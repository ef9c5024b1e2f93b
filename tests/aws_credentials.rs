//! Where the credentials for a key of AWS KMS come from, and what is said when they do not come.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use notation_sdk::algorithm::KeySpec;
use serde_json::{Value, json};

use crate::support::{
    command::{Finished, Run},
    fake_kms::{Behaviour, FakeKms},
    ministack::Ministack,
};

const ROLE: &str = "arn:aws:iam::000000000000:role/signer";
const SECRET: &str = "hunter2hunter2";

/// Profiles, none of which but `whole` has a region.
const PROFILES: &str = "\
[profile whole]
aws_access_key_id = test
aws_secret_access_key = hunter2hunter2
region = us-east-1
[profile base]
aws_access_key_id = test
aws_secret_access_key = hunter2hunter2
[profile role]
role_arn = arn:aws:iam::000000000000:role/signer
source_profile = base
[profile garbage]
credential_process = echo '{\"Version\": 1, \"SecretAccessKey\": \"hunter2hunter2\"}'
[profile slow]
credential_process = sleep 30
";

/// A key with a certificate, and a home folder with [`PROFILES`] and no credentials beside them.
struct Signer {
    home: tempfile::TempDir,
    id: String,
    chain: PathBuf,
    endpoint: String,
}

impl Signer {
    fn or_skip() -> Option<Self> {
        let kms = Ministack::or_skip()?;
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".aws")).unwrap();
        fs::write(home.path().join(".aws/config"), PROFILES).unwrap();
        let id = format!("awskms:///{}", kms.create_key(KeySpec::Ec256));
        let chain = home.path().join("chain.pem");
        let signer = Self { home, id, chain, endpoint: kms.endpoint() };
        let endpoint = format!("aws-endpoint-url={}", signer.endpoint);
        let args = ["--plugin-config", &endpoint, "--plugin-config", "aws-profile=whole"];
        run(signer.home.path())
            .args([
                "cert",
                "self-sign",
                "--id",
                &signer.id,
                "--subject",
                "C=US, ST=WA, O=Acme, CN=r",
            ])
            .args(["--days", "2", "--to"])
            .arg(&signer.chain)
            .args(args)
            .finish()
            .expect_status(0);
        Some(signer)
    }

    fn sign(&self, config: &Value, environment: &[(&str, &str)]) -> Finished {
        let mut all = json!({ "cert-chain": self.chain, "aws-endpoint-url": self.endpoint });
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let request = json!({
            "contractVersion": "1.0",
            "keyId": self.id,
            "pluginConfig": all,
            "keySpec": KeySpec::Ec256.name(),
            "hashAlgorithm": KeySpec::Ec256.hash().name(),
            "payload": BASE64_STANDARD.encode("payload"),
        });
        let run = environment.iter().fold(run(self.home.path()), |run, (k, v)| run.env(k, v));
        run.arg("generate-signature").stdin(request.to_string().into_bytes()).finish()
    }

    /// The code and the message of the refusal, which names the key and no secret.
    #[track_caller]
    fn refusal(&self, config: &Value, environment: &[(&str, &str)]) -> (String, String) {
        let stderr = self.sign(config, environment).expect_status(1).stderr;
        assert!(stderr.contains(&self.id) && !stderr.contains(SECRET), "{stderr}");
        let error: Value = serde_json::from_str(&stderr).unwrap();
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        (text("errorCode"), text("errorMessage"))
    }
}

fn run(home: &Path) -> Run {
    Run::notation_kms().home(home).env("AWS_EC2_METADATA_DISABLED", "true")
}

#[test]
fn a_profile_named_for_the_key_goes_before_credentials_of_the_environment() {
    let Some(signer) = Signer::or_skip() else { return };
    let environment = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "us-east-1"),
    ];
    signer.sign(&json!({}), &environment).expect_status(0);
    signer.sign(&json!({ "aws-profile": "whole" }), &[]).expect_status(0);
    let (code, message) = signer.refusal(&json!({ "aws-profile": "absent" }), &environment);
    assert_eq!(code, "ACCESS_DENIED");
    assert!(message.contains("profile `absent` was not defined"), "{message}");
}

#[test]
fn a_role_is_assumed_from_a_profile_or_from_a_setting() {
    let Some(signer) = Signer::or_skip() else { return };
    let sts = ("AWS_ENDPOINT_URL_STS", signer.endpoint.as_str());
    let by_profile = json!({ "aws-profile": "role" });
    signer.sign(&by_profile, &[sts, ("AWS_REGION", "us-east-1")]).expect_status(0);
    let with_region = json!({ "aws-profile": "role", "aws-region": "us-east-1" });
    signer.sign(&with_region, &[sts]).expect_status(0);
    let by_setting =
        json!({ "aws-profile": "whole", "aws-role-arn": ROLE, "aws-external-id": "x" });
    signer.sign(&by_setting, &[sts]).expect_status(0);
}

#[test]
fn a_service_that_gives_no_credentials_is_told_apart_from_one_that_denies_them() {
    let Some(signer) = Signer::or_skip() else { return };
    let answer = |status: u16, code: &str| {
        let error = format!("<Error><Code>{code}</Code><Message>words of STS</Message></Error>");
        Behaviour::Answer(status, format!("<ErrorResponse>{error}</ErrorResponse>"))
    };
    let cases = [
        (
            answer(403, "AccessDenied"),
            "ACCESS_DENIED",
            "was denied, as there are no valid credentials: AccessDenied: words of STS",
        ),
        (answer(403, "ExpiredToken"), "ACCESS_DENIED", "ExpiredToken: words of STS"),
        (answer(400, "Throttling"), "THROTTLED", "throttled the requests"),
        (answer(500, "InternalFailure"), "ERROR", "could not be fetched: InternalFailure"),
        (Behaviour::HangUp, "ERROR", "could not be fetched"),
        (Behaviour::Hang, "TIMEOUT", "timed out"),
    ];
    for (behaviour, code, part) in cases {
        let sts = FakeKms::start(behaviour.clone());
        let config = json!({ "aws-profile": "whole", "aws-role-arn": ROLE, "timeout": "8s" });
        let (found, message) =
            signer.refusal(&config, &[("AWS_ENDPOINT_URL_STS", &sts.endpoint())]);
        assert_eq!(found, code, "{behaviour:?}: {message}");
        assert!(message.contains(part), "{behaviour:?}: {message}");
    }
}

#[test]
fn a_process_that_gives_no_credentials_is_told_without_what_it_printed() {
    let Some(signer) = Signer::or_skip() else { return };
    let profile =
        |name: &str| json!({ "aws-profile": name, "aws-region": "us-east-1", "timeout": "2s" });
    let (code, message) = signer.refusal(&profile("garbage"), &[]);
    assert_eq!(code, "ACCESS_DENIED");
    assert!(message.contains("`AccessKeyId` in response but it was missing"), "{message}");
    let (code, message) = signer.refusal(&profile("slow"), &[]);
    assert_eq!(code, "TIMEOUT");
    assert!(message.contains("no answer for key"), "{message}");
}

#[test]
fn settings_and_endpoints_that_make_no_sense_are_refused_before_anything_is_sent() {
    let Some(mut signer) = Signer::or_skip() else { return };
    let (code, message) = signer.refusal(&json!({ "aws-external-id": "x" }), &[]);
    assert_eq!(code, "VALIDATION_ERROR");
    assert!(message.ends_with("has no use without aws-role-arn"), "{message}");
    signer.endpoint = "http://user:word@127.0.0.1".to_owned();
    let (code, message) = signer.refusal(&json!({}), &[]);
    assert_eq!(code, "VALIDATION_ERROR");
    assert!(message.contains("must be http:// or https://, a host"), "{message}");
}
