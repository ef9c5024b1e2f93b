//! The contract as a function: a command and a request in, a response or an error out.

use std::{
    collections::BTreeMap,
    error::Error,
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use time::UtcDateTime;

use super::{
    CONTRACT_VERSION, Command, Config, ConfiguredTimestamping, DescribeKeyRequest,
    DescribeKeyResponse, Fault, GenerateEnvelopeRequest, GenerateEnvelopeResponse,
    GenerateSignatureRequest, GenerateSignatureResponse, MetadataRequest, MetadataResponse, Mode,
    NAME, PluginError, Response, SIGNING_AGENT, chain::SigningChain,
};
use crate::{
    envelope::SignedAttributes,
    keys::{KeyError, KeyUri, SigningKey},
    sign::{self, SignError, SignRequest},
};

/// What a [`Host`] says where it cannot.
pub type HostError = Box<dyn Error + Send + Sync>;

/// The machine that a command runs on: the clock, the disk, and the keys.
pub trait Host {
    /// The time.
    fn now(&self) -> UtcDateTime;

    /// The bytes of a file of certificates; it should read no more than
    /// [`limits::CERTIFICATE_FILE_BYTES`](crate::limits::CERTIFICATE_FILE_BYTES), and wait for nothing.
    ///
    /// # Errors
    /// Where the file cannot be read.
    fn read_chain(&self, path: &Path) -> Result<Vec<u8>, HostError>;

    /// The file of the chain that `key add` stored for a key id, where there is one.
    ///
    /// # Errors
    /// Where the stored keys cannot be read, or have several chains for the key id.
    fn stored_chain(&self, key_id: &KeyUri) -> Result<Option<PathBuf>, HostError>;

    /// Opens a key; `config` holds the provider's keys alone, and calls to the service end by
    /// `deadline`. Called inside the runtime.
    ///
    /// # Errors
    /// [`KeyError`], where the key cannot be opened.
    fn open_key(
        &self,
        key_id: &KeyUri,
        config: &BTreeMap<String, String>,
        deadline: Duration,
    ) -> Result<Box<dyn SigningKey>, KeyError>;
}

/// Answers one request.
///
/// `get-plugin-metadata` and `describe-key` start no runtime and ask no service. The commands that sign
/// start a runtime of their own, so this must not be called inside one.
///
/// # Errors
/// [`PluginError`], whose [`response`](PluginError::response) is the error of the contract.
pub fn answer(command: Command, request: &[u8], host: &dyn Host) -> Result<Response, PluginError> {
    match command {
        Command::GetPluginMetadata => {
            let request = MetadataRequest::from_json(request)?;
            Ok(Response::Metadata(metadata(&request)))
        }
        Command::DescribeKey => {
            let request = DescribeKeyRequest::from_json(request)?;
            let response = describe_key(&request, host).map_err(|f| f.of_key(&request.key_id))?;
            Ok(Response::DescribeKey(response))
        }
        Command::GenerateSignature => {
            let request = GenerateSignatureRequest::from_json(request)?;
            let response =
                generate_signature(&request, host).map_err(|f| f.of_key(&request.key_id))?;
            Ok(Response::GenerateSignature(response))
        }
        Command::GenerateEnvelope => {
            let request = GenerateEnvelopeRequest::from_json(request)?;
            let response =
                generate_envelope(&request, host).map_err(|f| f.of_key(&request.key_id))?;
            Ok(Response::GenerateEnvelope(response))
        }
    }
}

fn metadata(request: &MetadataRequest) -> MetadataResponse {
    MetadataResponse {
        name: NAME.to_owned(),
        description: "Signs with keys that stay in a key management service".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        url: env!("CARGO_PKG_REPOSITORY").to_owned(),
        supported_contract_versions: vec![CONTRACT_VERSION.to_owned()],
        capabilities: Mode::of(&request.plugin_config).capabilities(),
    }
}

fn describe_key(
    request: &DescribeKeyRequest,
    host: &dyn Host,
) -> Result<DescribeKeyResponse, Fault> {
    let key_id: KeyUri = request.key_id.parse()?;
    let config = Config::parse(&key_id, &request.plugin_config)?;
    let SigningChain { key_spec, .. } = SigningChain::load(&key_id, &config, host)?;
    Ok(DescribeKeyResponse { key_id: request.key_id.clone(), key_spec })
}

fn generate_signature(
    request: &GenerateSignatureRequest,
    host: &dyn Host,
) -> Result<GenerateSignatureResponse, Fault> {
    let key_id: KeyUri = request.key_id.parse()?;
    let config = Config::parse(&key_id, &request.plugin_config)?;
    if config.timestamp.is_some() {
        return Err(Fault::TimestampNeedsEnvelope);
    }
    let SigningChain { chain, key_spec } = SigningChain::load(&key_id, &config, host)?;
    if request.key_spec != key_spec {
        let subject = chain.leaf().subject().clone();
        return Err(Fault::KeySpecMismatch {
            requested: request.key_spec,
            leaf: key_spec,
            subject,
        });
    }
    if request.hash_algorithm != key_spec.hash() {
        let (requested, expected) = (request.hash_algorithm, key_spec.hash());
        return Err(Fault::HashMismatch { requested, key_spec, expected });
    }
    let signature = within(&key_id, config.timeout, async {
        let key = host.open_key(&key_id, &config.provider, config.timeout)?;
        sign::sign_raw(key.as_ref(), &chain, &request.payload).await
    })?;
    Ok(GenerateSignatureResponse {
        key_id: request.key_id.clone(),
        signature,
        signing_algorithm: key_spec,
        certificate_chain: chain.certificates().iter().map(|c| c.as_der().to_vec()).collect(),
    })
}

fn generate_envelope(
    request: &GenerateEnvelopeRequest,
    host: &dyn Host,
) -> Result<GenerateEnvelopeResponse, Fault> {
    let key_id: KeyUri = request.key_id.parse()?;
    let config = Config::parse(&key_id, &request.plugin_config)?;
    let SigningChain { chain, .. } = SigningChain::load(&key_id, &config, host)?;
    let format = request.signature_envelope_type;
    let mut attributes = SignedAttributes::new(host.now());
    if let Some(seconds) = request.expiry_duration_in_seconds {
        let duration = time::Duration::try_from(Duration::from_secs(seconds)).ok();
        let expiry = duration.and_then(|d| attributes.signing_time.checked_add(d));
        attributes.expiry = Some(expiry.ok_or(Fault::ExpiryTooLong(seconds))?);
    }
    let mut sign = SignRequest::new(format, &request.payload, attributes);
    sign.signing_agent = Some(SIGNING_AGENT.to_owned());
    let timestamping = ConfiguredTimestamping::open(&config, host)?;
    sign.timestamping = timestamping.as_ref().map(ConfiguredTimestamping::timestamping);
    let signature_envelope = within(&key_id, config.timeout, async {
        let key = host.open_key(&key_id, &config.provider, config.timeout)?;
        sign::sign_envelope(key.as_ref(), &chain, &sign).await
    })?;
    Ok(GenerateEnvelopeResponse {
        signature_envelope,
        signature_envelope_type: format,
        annotations: BTreeMap::new(),
    })
}

/// Runs what asks a service, within the command's time, on a runtime of this thread.
fn within<T>(
    key_id: &KeyUri,
    timeout: Duration,
    work: impl Future<Output = Result<T, SignError>>,
) -> Result<T, Fault> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(Fault::Runtime)?;
    let result = runtime.block_on(async {
        let timed_out = |_| KeyError::Timeout { key: key_id.to_string(), after: timeout };
        Ok(tokio::time::timeout(timeout, work).await.map_err(timed_out)??)
    });
    // Dropping it would wait for a name resolver that hangs, past the deadline.
    runtime.shutdown_background();
    result
}
