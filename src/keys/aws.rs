//! Keys of AWS KMS.
//!
//! Nothing is loaded before the first request: credentials come from the SDK's default chain (environment,
//! profiles, SSO, web identity, process, container, instance), and only as much of it as is needed.

use std::{error::Error, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, sts::AssumeRoleProvider};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::{KeyError, KeyFuture, KeyOptions, KeyUri, Setting, SigningKey, uri::AwsKeyId};
use crate::{
    algorithm::{KeySpec, SignatureAlgorithm},
    crypto, limits,
    x509::PublicKey,
};

/// Plugin config keys of this provider.
pub(super) const SETTINGS: &[Setting] = &[
    Setting { name: PROFILE, purpose: "profile of the AWS configuration files" },
    Setting { name: REGION, purpose: "region of the key; that of an ARN wins" },
    Setting { name: ENDPOINT, purpose: "URL of another KMS endpoint, such as a VPC endpoint" },
    Setting { name: ROLE, purpose: "ARN of a role to assume before the key is used" },
    Setting { name: EXTERNAL_ID, purpose: "external id for assuming the role" },
];

const PROFILE: &str = "aws-profile";
const REGION: &str = "aws-region";
const ENDPOINT: &str = "aws-endpoint-url";
const ROLE: &str = "aws-role-arn";
const EXTERNAL_ID: &str = "aws-external-id";

const SESSION_NAME: &str = "notation-kms";

/// A key of AWS KMS, by id, ARN or alias.
#[derive(Debug)]
struct AwsKey {
    /// The reference, for messages.
    name: String,
    id: String,
    region: Option<String>,
    endpoint: Option<String>,
    profile: Option<String>,
    role: Option<String>,
    external_id: Option<String>,
    timeout: Duration,
}

pub(super) fn open(
    uri: &KeyUri,
    options: &KeyOptions<'_>,
) -> Result<Box<dyn SigningKey>, KeyError> {
    let name = uri.to_string();
    let key = AwsKeyId::of(uri)
        .map_err(|error| KeyError::Refused { key: name.clone(), reason: error.to_string() })?;
    let endpoint = options.setting(ENDPOINT).or_else(|| key.endpoint.as_deref().map(endpoint_url));
    if let Some(url) = &endpoint
        && !(url.starts_with("https://") || url.starts_with("http://"))
    {
        let expected = "must be a URL with http:// or https://";
        return Err(KeyError::BadSetting {
            key: name,
            setting: ENDPOINT,
            value: url.clone(),
            expected,
        });
    }
    Ok(Box::new(AwsKey {
        name,
        id: key.id,
        region: key.region.or_else(|| options.setting(REGION)),
        endpoint,
        profile: options.setting(PROFILE),
        role: options.setting(ROLE),
        external_id: options.setting(EXTERNAL_ID),
        timeout: options.timeout,
    }))
}

/// The endpoint of a reference: plain HTTP on this machine, where emulators listen, TLS elsewhere.
fn endpoint_url(host: &str) -> String {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let local = name == "localhost" || name == "[::1]" || name.starts_with("127.");
    format!("{}://{host}", if local { "http" } else { "https" })
}

impl SigningKey for AwsKey {
    fn public_key(&self) -> KeyFuture<'_, PublicKey> {
        Box::pin(self.within_deadline(self.fetch_public_key()))
    }

    fn sign<'a>(
        &'a self,
        algorithm: SignatureAlgorithm,
        digest: &'a [u8],
    ) -> KeyFuture<'a, Vec<u8>> {
        Box::pin(self.within_deadline(self.sign_digest(algorithm, digest)))
    }
}

impl AwsKey {
    async fn within_deadline<T>(
        &self,
        request: impl Future<Output = Result<T, KeyError>> + Send,
    ) -> Result<T, KeyError> {
        match tokio::time::timeout(self.timeout, request).await {
            Ok(answer) => answer,
            Err(_) => Err(KeyError::Timeout { key: self.name.clone(), after: self.timeout }),
        }
    }

    async fn fetch_public_key(&self) -> Result<PublicKey, KeyError> {
        let client = self.client().await?;
        let answer = client
            .get_public_key()
            .key_id(&self.id)
            .send()
            .await
            .map_err(|error| self.explain(error, "kms:GetPublicKey", "GetPublicKey"))?;
        let der = answer.public_key().ok_or_else(|| self.bad_answer("no public key"))?;
        PublicKey::from_spki_der(der.as_ref()).map_err(|error| self.bad_answer(error))
    }

    async fn sign_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let client = self.client().await?;
        let name = algorithm.aws_signing_algorithm();
        let answer = client
            .sign()
            .key_id(&self.id)
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::from(name))
            .message(Blob::new(digest))
            .send()
            .await
            .map_err(|error| self.explain(error, "kms:Sign", name))?;
        let signature = answer.signature().ok_or_else(|| self.bad_answer("no signature"))?.as_ref();
        match algorithm {
            SignatureAlgorithm::Ecdsa(hash) => {
                let spec =
                    KeySpec::ALL.into_iter().find(|spec| !spec.is_rsa() && spec.hash() == hash);
                let fixed = spec.and_then(|spec| crypto::ecdsa_fixed_from_der(spec, signature));
                fixed.ok_or_else(|| {
                    self.bad_answer(format!(
                        "{} bytes that are no ECDSA signature in DER",
                        signature.len()
                    ))
                })
            }
            _ => Ok(signature.to_vec()),
        }
    }

    async fn client(&self) -> Result<Client, KeyError> {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).retry_config(
            RetryConfig::standard()
                .with_max_attempts(limits::SERVICE_ATTEMPTS)
                .with_initial_backoff(limits::SERVICE_BACKOFF),
        );
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        let shared = loader.load().await;
        if shared.region().is_none() {
            return Err(KeyError::BadSetting {
                key: self.name.clone(),
                setting: REGION,
                value: String::new(),
                expected: "must name the key's region where neither the key reference, AWS_REGION nor the profile does",
            });
        }
        let mut config = aws_sdk_kms::config::Builder::from(&shared);
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        if let Some(role) = &self.role {
            config = config.credentials_provider(self.assume(role, &shared).await);
        }
        Ok(Client::from_conf(config.build()))
    }

    async fn assume(&self, role: &str, shared: &SdkConfig) -> AssumeRoleProvider {
        let mut provider =
            AssumeRoleProvider::builder(role).session_name(SESSION_NAME).configure(shared);
        if let Some(id) = &self.external_id {
            provider = provider.external_id(id);
        }
        provider.build().await
    }

    fn bad_answer(&self, what: impl ToString) -> KeyError {
        KeyError::BadAnswer { key: self.name.clone(), what: what.to_string() }
    }

    /// What the SDK's error means for the person who signs.
    fn explain<E>(
        &self,
        error: SdkError<E, HttpResponse>,
        needs: &'static str,
        algorithm: &str,
    ) -> KeyError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let key = self.name.clone();
        match &error {
            SdkError::ServiceError(service) => {
                let code = service.err().code().unwrap_or_default();
                let message = service.err().message().unwrap_or("no message");
                self.explain_code(code, message, service.raw().status().as_u16(), needs, algorithm)
            }
            SdkError::TimeoutError(_) => KeyError::Timeout { key, after: self.timeout },
            SdkError::ResponseError(_) => self.bad_answer("something that is no KMS answer"),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                KeyError::Timeout { key, after: self.timeout }
            }
            _ => self.explain_failure(error),
        }
    }

    /// Codes of KMS itself, of the request's signature, and of throttling.
    fn explain_code(
        &self,
        code: &str,
        message: &str,
        status: u16,
        needs: &'static str,
        algorithm: &str,
    ) -> KeyError {
        let (key, reason) = (self.name.clone(), message.to_owned());
        match code {
            "NotFoundException" => KeyError::NotFound { key, reason },
            "DisabledException" => KeyError::Disabled { key },
            "KMSInvalidStateException" => KeyError::WrongState { key, reason },
            // KMS uses one code for a key of another usage and for an algorithm that the key lacks.
            "InvalidKeyUsageException" if message.contains("lgorithm") => {
                KeyError::WrongAlgorithm { key, algorithm: algorithm.to_owned(), reason }
            }
            "InvalidKeyUsageException" => KeyError::WrongUsage { key, reason },
            "AccessDeniedException" | "AccessDenied" => {
                KeyError::AccessDenied { key, reason, needs }
            }
            "ExpiredTokenException"
            | "ExpiredToken"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException" => {
                let hint = "renew them, as with aws sso login, and check this machine's clock";
                KeyError::NoCredentials { key, reason: format!("{code}: {reason}"), hint }
            }
            "ThrottlingException"
            | "Throttling"
            | "LimitExceededException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded" => KeyError::Throttled { key, reason },
            "DependencyTimeoutException" => KeyError::Timeout { key, after: self.timeout },
            "ValidationException"
            | "UnsupportedOperationException"
            | "InvalidArnException"
            | "InvalidGrantTokenException" => {
                KeyError::Refused { key, reason: format!("{code}: {reason}") }
            }
            _ => self.explain_status(status, code, reason, needs),
        }
    }

    fn explain_status(
        &self,
        status: u16,
        code: &str,
        reason: String,
        needs: &'static str,
    ) -> KeyError {
        let key = self.name.clone();
        match (status, code) {
            (401 | 403, _) => KeyError::AccessDenied { key, reason, needs },
            (429, _) => KeyError::Throttled { key, reason },
            (_, "") => self.bad_answer(format!("HTTP status {status} and no error of KMS")),
            _ => KeyError::ServiceFault { key, reason: format!("{code}: {reason}") },
        }
    }

    /// No answer at all: no credentials, or no connection.
    fn explain_failure<E>(&self, error: SdkError<E, HttpResponse>) -> KeyError
    where
        E: Error + Send + Sync + 'static,
    {
        let key = self.name.clone();
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        let mut last = String::new();
        while let Some(current) = cause {
            if let Some(credentials) = current.downcast_ref::<CredentialsError>() {
                return self.explain_credentials(credentials);
            }
            last = current.to_string();
            cause = current.source();
        }
        match error {
            SdkError::ConstructionFailure(_) => KeyError::Refused { key, reason: last },
            other => KeyError::Unreachable { key, source: Box::new(other) },
        }
    }

    fn explain_credentials(&self, error: &CredentialsError) -> KeyError {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(current) = cause {
            reason = format!("{reason}: {current}");
            cause = current.source();
        }
        let hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, plugin config aws-profile, or run aws sso login";
        KeyError::NoCredentials { key: self.name.clone(), reason, hint }
    }
}
