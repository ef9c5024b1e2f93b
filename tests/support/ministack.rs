//! The AWS KMS API, as ministack serves it.

use std::{path::Path, process::Command, sync::OnceLock};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use notation_sdk::algorithm::KeySpec;
use serde_json::{Value, json};

use super::{component::Component, http, server::Server};

/// One server, with keys in memory.
#[derive(Debug)]
pub(crate) struct Ministack {
    server: Server,
}

impl Ministack {
    /// The server of this test process. Tests share it, so each makes keys of its own.
    pub(crate) fn or_skip() -> Option<&'static Self> {
        static SHARED: OnceLock<Ministack> = OnceLock::new();
        let program = Component::Ministack.or_skip()?;
        Some(SHARED.get_or_init(|| Self::start(&program)))
    }

    fn start(program: &Path) -> Self {
        let command = |port: u16| {
            let mut command = Command::new(program);
            command
                .env("GATEWAY_PORT", port.to_string())
                // Without these it listens on every interface, and for devices on port 8883 too.
                .envs([("BIND_HOST", "127.0.0.1"), ("MINISTACK_HOST", "127.0.0.1")])
                .envs([("SERVICES", "kms,sts"), ("IOT_MTLS_ENABLED", "false")]);
            command
        };
        let server = Server::start(command, |port| {
            call(port, "ListKeys", &json!({})).is_some_and(|answer| answer.is_ok())
        });
        Self { server }
    }

    /// What `aws-endpoint-url` takes.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// Calls the KMS API; `Err` holds the service's error as it came.
    ///
    /// # Errors
    /// What the service refuses.
    pub(crate) fn kms(&self, action: &str, request: &Value) -> Result<Value, Value> {
        call(self.server.port(), action, request)
            .expect("ministack ended or does not answer in JSON")
    }

    /// Makes a signing key and gives its id.
    pub(crate) fn create_key(&self, spec: KeySpec) -> String {
        let request = json!({ "KeySpec": spec.aws_key_spec(), "KeyUsage": "SIGN_VERIFY" });
        let answer = self.kms("CreateKey", &request).unwrap();
        answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
    }

    /// Makes an alias, `alias/…`.
    pub(crate) fn create_alias(&self, alias: &str, key: &str) {
        self.kms("CreateAlias", &json!({ "AliasName": alias, "TargetKeyId": key })).unwrap();
    }

    pub(crate) fn disable(&self, key: &str) {
        self.kms("DisableKey", &json!({ "KeyId": key })).unwrap();
    }

    pub(crate) fn schedule_deletion(&self, key: &str) {
        self.kms("ScheduleKeyDeletion", &json!({ "KeyId": key, "PendingWindowInDays": 7 }))
            .unwrap();
    }

    /// The public key, as a DER SubjectPublicKeyInfo.
    pub(crate) fn public_key(&self, key: &str) -> Vec<u8> {
        let answer = self.kms("GetPublicKey", &json!({ "KeyId": key })).unwrap();
        BASE64_STANDARD.decode(answer["PublicKey"].as_str().unwrap()).unwrap()
    }
}

/// `None` where there is no server yet.
fn call(port: u16, action: &str, request: &Value) -> Option<Result<Value, Value>> {
    // ministack reads the region out of the credential, and checks no signature.
    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
        Credential=test/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=00";
    let headers = [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", &format!("TrentService.{action}")),
        ("Authorization", AUTHORIZATION),
    ];
    let response =
        http::request(port, "POST", "/", &headers, request.to_string().as_bytes()).ok()?;
    // Some actions answer with no body at all.
    let body = if response.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&response.body).ok()?
    };
    Some(if response.status == 200 { Ok(body) } else { Err(body) })
}
