//! Keys of AWS KMS.
//!
//! Nothing is loaded before the first request: credentials come from the SDK's default chain (environment,
//! profiles, SSO, web identity, process, container, instance), and only as much of it as is needed.

use std::{error::Error, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, identity::IdentityCache,
    profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig, retry::RetryConfig,
    sts::AssumeRoleProvider,
};
use aws_credential_types::provider::{SharedCredentialsProvider, error::CredentialsError};
use aws_sdk_kms::{
    Client,
    error::{ErrorMetadata, ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::ConnectorError};
use tokio::sync::OnceCell;

use super::{
    KeyError, KeyFuture, KeyOptions, KeyUri, Setting, SigningKey,
    uri::{AwsKeyId, is_endpoint, without_user},
};
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
    client: OnceCell<Client>,
}

pub(super) fn open(
    uri: &KeyUri,
    options: &KeyOptions<'_>,
) -> Result<Box<dyn SigningKey>, KeyError> {
    let key = AwsKeyId::of(uri).map_err(|source| KeyError::Reference { source })?;
    check_settings(uri, options)?;
    Ok(Box::new(AwsKey {
        name: uri.to_string(),
        id: key.id,
        region: key.region.or_else(|| options.setting(REGION)),
        endpoint: options.setting(ENDPOINT).or_else(|| key.endpoint.as_deref().map(endpoint_url)),
        profile: options.setting(PROFILE),
        role: options.setting(ROLE),
        external_id: options.setting(EXTERNAL_ID),
        timeout: options.timeout,
        client: OnceCell::new(),
    }))
}

/// Refuses what the SDK would pass over, or would refuse only when a request is on its way.
fn check_settings(uri: &KeyUri, options: &KeyOptions<'_>) -> Result<(), KeyError> {
    let bad = |setting, value, expected| {
        Err(KeyError::BadSetting { key: uri.to_string(), setting, value, expected })
    };
    if let Some(url) = options.setting(ENDPOINT)
        && !is_endpoint_url(&url)
    {
        return bad(
            ENDPOINT,
            without_user(&url),
            "must be http:// or https://, a host, and maybe a port and a path",
        );
    }
    match (options.setting(ROLE), options.setting(EXTERNAL_ID)) {
        (Some(role), _) if !role.starts_with("arn:") => {
            bad(ROLE, role, "must be arn:aws:iam::ACCOUNT:role/NAME")
        }
        (None, Some(id)) => bad(EXTERNAL_ID, id, "has no use without aws-role-arn"),
        _ => Ok(()),
    }
}

fn is_endpoint_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        is_endpoint(host) && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b))
    })
}

/// The endpoint of a reference: plain HTTP on this machine, where emulators listen, TLS elsewhere.
fn endpoint_url(host: &str) -> String {
    let name = host.split(':').next().unwrap_or(host);
    let local = name == "localhost" || name.starts_with("127.") || host.starts_with("[::1]");
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
            _ => {
                let rsa = KeySpec::ALL.into_iter().filter(|spec| spec.is_rsa());
                if rsa.map(KeySpec::signature_len).any(|length| length == signature.len()) {
                    return Ok(signature.to_vec());
                }
                let length = signature.len();
                Err(self.bad_answer(format!("{length} bytes that are no RSA signature")))
            }
        }
    }

    /// The client, made once: credentials that cost a call are fetched once.
    async fn client(&self) -> Result<&Client, KeyError> {
        self.client.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Client, KeyError> {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).retry_config(
            RetryConfig::standard()
                .with_max_attempts(limits::SERVICE_ATTEMPTS)
                .with_initial_backoff(limits::SERVICE_BACKOFF),
        );
        // The deadline of the request is the only one: a provider that asks a person may be slow.
        loader = loader.identity_cache(IdentityCache::lazy().load_timeout(self.timeout).build());
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        let shared = loader.load().await;
        if shared.region().is_none() {
            return Err(KeyError::NoRegion { key: self.name.clone() });
        }
        let shared = match &self.profile {
            Some(profile) => Self::with_profile(shared, profile),
            None => shared,
        };
        let mut config = aws_sdk_kms::config::Builder::from(&shared);
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        if let Some(role) = &self.role {
            config = config.credentials_provider(self.assume(role, &shared).await);
        }
        Ok(Client::from_conf(config.build()))
    }

    /// A profile that was named for this key goes before credentials that happen to be in the
    /// environment, as with `aws --profile`; the SDK's default chain has it the other way round.
    fn with_profile(shared: SdkConfig, profile: &str) -> SdkConfig {
        let config = ProviderConfig::without_region()
            .with_region(shared.region().cloned())
            .with_use_fips(shared.use_fips())
            .with_use_dual_stack(shared.use_dual_stack());
        let provider =
            ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile);
        shared
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(provider.build()))
            .build()
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
            SdkError::TimeoutError(_) => {
                KeyError::ServiceTimeout { key, reason: innermost(&error) }
            }
            SdkError::ResponseError(_) => self.bad_answer("something that is no KMS answer"),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                KeyError::ServiceTimeout { key, reason: innermost(&error) }
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
            "DisabledException" => KeyError::Disabled { key, enable: self.enable_id() },
            "KMSInvalidStateException" => KeyError::WrongState { key, reason },
            // KMS uses one code for a key of another usage and for an algorithm that the key lacks.
            "InvalidKeyUsageException" if message.contains("lgorithm") => {
                KeyError::WrongAlgorithm { key, algorithm: algorithm.to_owned(), reason }
            }
            // A symmetric key has no signing at all, which KMS tells by another code.
            "InvalidKeyUsageException" | "UnsupportedOperationException" => {
                KeyError::WrongUsage { key, reason }
            }
            "AccessDeniedException" | "AccessDenied" | "NotAuthorized" => {
                KeyError::AccessDenied { key, reason, needs }
            }
            "ExpiredTokenException"
            | "ExpiredToken"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "SignatureDoesNotMatch"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "AuthFailure"
            | "InvalidToken"
            | "OptInRequired"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException" => {
                let hint = "renew them, as with aws sso login, and check this machine's clock";
                KeyError::NoCredentials { key, reason: format!("{code}: {reason}"), hint }
            }
            _ if is_throttling(code) => KeyError::Throttled { key, reason },
            "DependencyTimeoutException" | "RequestTimeout" | "RequestTimeoutException" => {
                KeyError::ServiceTimeout { key, reason }
            }
            "ValidationException" | "InvalidArnException" | "InvalidGrantTokenException" => {
                KeyError::Refused { key, reason: format!("{code}: {reason}") }
            }
            _ => self.explain_status(status, code, reason, needs),
        }
    }

    /// `EnableKey` takes a key id or an ARN of a key, and no alias.
    fn enable_id(&self) -> String {
        let id = &self.id;
        if id.starts_with("alias/") || id.contains(":alias/") {
            return format!(
                "$(aws kms describe-key --key-id {id} --query KeyMetadata.KeyId --output text)"
            );
        }
        id.clone()
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
            // A proxy refuses too, and then no permission of the key helps.
            (401 | 403, code) if !code.is_empty() => KeyError::AccessDenied { key, reason, needs },
            (429, _) => KeyError::Throttled { key, reason },
            (200..=299, _) => self.bad_answer("a body that KMS does not send"),
            (_, "") => self.bad_answer(format!("HTTP status {status} and no error of KMS")),
            _ => KeyError::ServiceFault { key, reason: format!("{code}: {reason}") },
        }
    }

    /// No answer at all: no credentials, or no connection.
    fn explain_failure<E>(&self, error: SdkError<E, HttpResponse>) -> KeyError
    where
        E: Error + Send + Sync + 'static,
    {
        let credentials = causes(&error).find_map(|cause| cause.downcast_ref::<CredentialsError>());
        if let Some(credentials) = credentials {
            return self.explain_credentials(credentials);
        }
        let key = self.name.clone();
        match error {
            SdkError::ConstructionFailure(_) => {
                KeyError::Refused { key, reason: innermost(&error) }
            }
            other => KeyError::Unreachable { key, source: Box::new(other) },
        }
    }

    /// The services that give credentials (STS, SSO) are throttled and fail like any other, and then it
    /// would be wrong to say that access was denied.
    fn explain_credentials(&self, error: &CredentialsError) -> KeyError {
        let key = self.name.clone();
        let answer = causes(error).find_map(|cause| cause.downcast_ref::<ErrorMetadata>());
        let code = answer.and_then(ErrorMetadata::code).unwrap_or_default();
        let reason = match answer.and_then(ErrorMetadata::message) {
            Some(message) => format!("{code}: {message}"),
            None => causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": "),
        };
        let connection = causes(error).find_map(|cause| cause.downcast_ref::<ConnectorError>());
        match error {
            CredentialsError::ProviderTimedOut(_) => KeyError::ServiceTimeout { key, reason },
            CredentialsError::ProviderError(_)
                if connection.is_some_and(ConnectorError::is_timeout) =>
            {
                KeyError::ServiceTimeout { key, reason }
            }
            CredentialsError::ProviderError(_) if is_throttling(code) => {
                KeyError::Throttled { key, reason }
            }
            CredentialsError::ProviderError(_)
                if connection.is_some_and(|error| !error.is_user())
                    || SERVER_FAULTS.contains(&code) =>
            {
                KeyError::CredentialsUnreachable { key, reason }
            }
            _ => {
                let hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, plugin config aws-profile, or run aws sso login";
                KeyError::NoCredentials { key, reason, hint }
            }
        }
    }
}

/// Codes of a service that failed by itself.
const SERVER_FAULTS: [&str; 4] =
    ["InternalFailure", "InternalError", "ServiceUnavailable", "ServiceUnavailableException"];

/// The codes that the SDK retries as throttling, and those of quotas.
fn is_throttling(code: &str) -> bool {
    code.starts_with("Throttl")
        || code.starts_with("RequestThrottled")
        || [
            "LimitExceededException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "BandwidthLimitExceeded",
            "PriorRequestNotComplete",
            "SlowDown",
        ]
        .contains(&code)
}

/// An error and what is below it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::keys::{self, KeyErrorKind};

    struct Nobody;

    impl keys::Secrets for Nobody {
        fn variable(&self, _name: &str) -> Option<String> {
            None
        }

        fn prompt(&self, _question: &str) -> Option<String> {
            None
        }
    }

    fn refusal(config: &[(&str, &str)]) -> Option<String> {
        let config: BTreeMap<String, String> =
            config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let uri = "awskms:///alias/release".parse().unwrap();
        let opened = keys::open(&uri, &KeyOptions::new(&config, Duration::from_secs(1), &Nobody));
        opened.err().map(|error| {
            assert_eq!(error.kind(), KeyErrorKind::Invalid);
            error.to_string()
        })
    }

    #[test]
    fn an_endpoint_that_is_no_url_of_a_host_is_refused_before_anything_is_sent() {
        for good in ["https://kms.example", "http://127.0.0.1:4566/", "http://[::1]:1/a/b"] {
            assert_eq!(refusal(&[(ENDPOINT, good)]), None);
        }
        for bad in [
            "",
            "kms.example",
            "http://",
            "https://a b",
            "http://u:p@h",
            "http://h:x",
            "http://h/?q",
        ] {
            let told = without_user(bad);
            assert_eq!(
                refusal(&[(ENDPOINT, bad)]).unwrap(),
                format!(
                    "key awskms:///alias/release: setting aws-endpoint-url is {told:?}, and must be \
                     http:// or https://, a host, and maybe a port and a path"
                )
            );
        }
    }

    #[test]
    fn settings_of_a_role_are_checked_together() {
        let role = "arn:aws-cn:iam::111122223333:role/signer";
        assert_eq!(refusal(&[(ROLE, role), (EXTERNAL_ID, "x")]), None);
        assert!(refusal(&[(EXTERNAL_ID, "x")]).unwrap().ends_with("no use without aws-role-arn"));
        assert!(
            refusal(&[(ROLE, "signer")]).unwrap().contains("setting aws-role-arn is \"signer\"")
        );
    }

    #[test]
    fn only_endpoints_on_this_machine_are_asked_without_tls() {
        for (host, url) in [
            ("localhost:4566", "http://localhost:4566"),
            ("127.0.0.1", "http://127.0.0.1"),
            ("[::1]", "http://[::1]"),
            ("[::1]:4566", "http://[::1]:4566"),
            ("localhost.example:1", "https://localhost.example:1"),
            ("[2001:db8::1]", "https://[2001:db8::1]"),
        ] {
            assert_eq!(endpoint_url(host), url);
        }
    }
}
