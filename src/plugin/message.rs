//! Requests and responses of the contract, as they stand on the wire
//! (plugin-extensibility.md, "Plugin contract").
//!
//! Requests are read by [`Fields`], so that an error names the member. Members that a later minor
//! version may add are ignored.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::{Fault, fields::Fields};
use crate::{
    algorithm::{HashAlgorithm, KeySpec},
    envelope::{EnvelopeFormat, PAYLOAD_MEDIA_TYPE},
    limits,
};

const HASHES: [HashAlgorithm; 3] =
    [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];

const FORMATS: [EnvelopeFormat; 2] = [EnvelopeFormat::Jws, EnvelopeFormat::Cose];

/// A command of the contract: the executable's only argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// `get-plugin-metadata`
    GetPluginMetadata,
    /// `describe-key`
    DescribeKey,
    /// `generate-signature`
    GenerateSignature,
    /// `generate-envelope`
    GenerateEnvelope,
}

/// What a plugin can do (plugin-extensibility.md, "Plugin metadata").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub enum Capability {
    /// `describe-key` and `generate-signature`.
    #[serde(rename = "SIGNATURE_GENERATOR.RAW")]
    SignatureGeneratorRaw,
    /// `generate-envelope` for OCI artifacts.
    #[serde(rename = "SIGNATURE_GENERATOR.ENVELOPE")]
    SignatureGeneratorEnvelope,
    /// `describe-key` and `generate-envelope` for blobs.
    #[serde(rename = "SIGNATURE_GENERATOR.ENVELOPE_FOR_BLOB")]
    SignatureGeneratorEnvelopeForBlob,
}

/// Request of `get-plugin-metadata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MetadataRequest {
    /// Version of the contract, `1.x`. May be missing, as what is asked is which versions there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "contract_version_schema")]
    pub contract_version: Option<String>,
    /// Plugin config; `notation plugin list` and `plugin install` send none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub plugin_config: BTreeMap<String, String>,
}

/// Response of `get-plugin-metadata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct MetadataResponse {
    /// The plugin's name, `kms`.
    pub name: String,
    /// What it does, in a line.
    pub description: String,
    /// Its version, SemVer without `v`.
    pub version: String,
    /// Where its documentation is.
    pub url: String,
    /// One contract version a major version.
    #[schemars(length(min = 1))]
    pub supported_contract_versions: Vec<String>,
    /// What it can do.
    #[schemars(length(min = 1))]
    pub capabilities: Vec<Capability>,
}

/// Request of `describe-key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DescribeKeyRequest {
    /// Version of the contract, `1.x`.
    #[schemars(schema_with = "contract_version_schema")]
    pub contract_version: String,
    /// The key's id.
    #[schemars(length(min = 1))]
    pub key_id: String,
    /// Plugin config.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub plugin_config: BTreeMap<String, String>,
}

/// Response of `describe-key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct DescribeKeyResponse {
    /// The key id of the request, byte for byte.
    #[schemars(length(min = 1))]
    pub key_id: String,
    /// The key spec of the leaf certificate.
    #[serde(serialize_with = "name")]
    #[schemars(schema_with = "key_spec_schema")]
    pub key_spec: KeySpec,
}

/// Request of `generate-signature`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GenerateSignatureRequest {
    /// Version of the contract, `1.x`.
    #[schemars(schema_with = "contract_version_schema")]
    pub contract_version: String,
    /// The key's id.
    #[schemars(length(min = 1))]
    pub key_id: String,
    /// The key spec that `describe-key` answered.
    #[serde(serialize_with = "name")]
    #[schemars(schema_with = "key_spec_schema")]
    pub key_spec: KeySpec,
    /// The hash that goes with the key spec.
    #[serde(serialize_with = "name")]
    #[schemars(schema_with = "hash_schema")]
    pub hash_algorithm: HashAlgorithm,
    /// The bytes to hash and sign; base64 on the wire.
    #[serde(serialize_with = "base64")]
    #[schemars(schema_with = "base64_schema")]
    pub payload: Vec<u8>,
    /// Plugin config.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub plugin_config: BTreeMap<String, String>,
}

/// Response of `generate-signature`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct GenerateSignatureResponse {
    /// The key id of the request, byte for byte.
    #[schemars(length(min = 1))]
    pub key_id: String,
    /// RSASSA-PSS, or ECDSA as r‖s; base64 on the wire.
    #[serde(serialize_with = "base64")]
    #[schemars(schema_with = "base64_schema")]
    pub signature: Vec<u8>,
    /// `RSASSA-PSS-SHA-256` … `ECDSA-SHA-512`; held here as the key spec that it belongs to.
    #[serde(serialize_with = "plugin_algorithm")]
    #[schemars(schema_with = "plugin_algorithm_schema")]
    pub signing_algorithm: KeySpec,
    /// DER certificates, leaf first, root last; base64 each on the wire.
    #[serde(serialize_with = "base64_list")]
    #[schemars(schema_with = "certificate_chain_schema")]
    pub certificate_chain: Vec<Vec<u8>>,
}

/// Request of `generate-envelope`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GenerateEnvelopeRequest {
    /// Version of the contract, `1.x`.
    #[schemars(schema_with = "contract_version_schema")]
    pub contract_version: String,
    /// The key's id.
    #[schemars(length(min = 1))]
    pub key_id: String,
    /// `application/vnd.cncf.notary.payload.v1+json`
    #[schemars(schema_with = "payload_type_schema")]
    pub payload_type: String,
    /// `application/jose+json` or `application/cose`
    #[serde(serialize_with = "media_type")]
    #[schemars(schema_with = "envelope_type_schema")]
    pub signature_envelope_type: EnvelopeFormat,
    /// The payload, kept byte for byte; base64 on the wire.
    #[serde(serialize_with = "base64")]
    #[schemars(schema_with = "base64_schema")]
    pub payload: Vec<u8>,
    /// Seconds from signing to expiry; none where it is missing or 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "expiry_schema")]
    pub expiry_duration_in_seconds: Option<u64>,
    /// Plugin config.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub plugin_config: BTreeMap<String, String>,
}

/// Response of `generate-envelope`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct GenerateEnvelopeResponse {
    /// The envelope; base64 on the wire.
    #[serde(serialize_with = "base64")]
    #[schemars(schema_with = "base64_schema")]
    pub signature_envelope: Vec<u8>,
    /// The type that the request asked for.
    #[serde(serialize_with = "media_type")]
    #[schemars(schema_with = "envelope_type_schema")]
    pub signature_envelope_type: EnvelopeFormat,
    /// Annotations for the signature's manifest: none.
    pub annotations: BTreeMap<String, String>,
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Response {
    /// Of `get-plugin-metadata`.
    Metadata(MetadataResponse),
    /// Of `describe-key`.
    DescribeKey(DescribeKeyResponse),
    /// Of `generate-signature`.
    GenerateSignature(GenerateSignatureResponse),
    /// Of `generate-envelope`.
    GenerateEnvelope(GenerateEnvelopeResponse),
}

impl Command {
    /// All commands.
    pub const ALL: [Self; 4] = [
        Self::GetPluginMetadata,
        Self::DescribeKey,
        Self::GenerateSignature,
        Self::GenerateEnvelope,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetPluginMetadata => "get-plugin-metadata",
            Self::DescribeKey => "describe-key",
            Self::GenerateSignature => "generate-signature",
            Self::GenerateEnvelope => "generate-envelope",
        }
    }

    /// The command of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.name() == name)
    }
}

impl MetadataRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Fault`], which names the member.
    pub fn from_json(json: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields::parse(json)?;
        let has_version = fields.has("contractVersion");
        Ok(Self {
            contract_version: has_version.then(|| fields.contract_version()).transpose()?,
            plugin_config: fields.plugin_config()?,
        })
    }
}

impl DescribeKeyRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Fault`], which names the member.
    pub fn from_json(json: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields::parse(json)?;
        Ok(Self {
            contract_version: fields.contract_version()?,
            key_id: fields.text("keyId")?,
            plugin_config: fields.plugin_config()?,
        })
    }
}

impl GenerateSignatureRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Fault`], which names the member.
    pub fn from_json(json: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields::parse(json)?;
        Ok(Self {
            contract_version: fields.contract_version()?,
            key_id: fields.text("keyId")?,
            key_spec: fields.one_of("keySpec", KeySpec::ALL, KeySpec::name)?,
            hash_algorithm: fields.one_of("hashAlgorithm", HASHES, HashAlgorithm::name)?,
            payload: fields.base64("payload")?,
            plugin_config: fields.plugin_config()?,
        })
    }
}

impl GenerateEnvelopeRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Fault`], which names the member.
    pub fn from_json(json: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields::parse(json)?;
        Ok(Self {
            contract_version: fields.contract_version()?,
            key_id: fields.text("keyId")?,
            payload_type: fields.one_of("payloadType", [PAYLOAD_MEDIA_TYPE], |t| t)?.to_owned(),
            signature_envelope_type: fields.one_of(
                "signatureEnvelopeType",
                FORMATS,
                EnvelopeFormat::media_type,
            )?,
            payload: fields.base64("payload")?,
            expiry_duration_in_seconds: fields.seconds("expiryDurationInSeconds")?,
            plugin_config: fields.plugin_config()?,
        })
    }
}

fn name<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

fn plugin_algorithm<S: Serializer>(spec: &KeySpec, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(spec.plugin_algorithm())
}

fn media_type<S: Serializer>(format: &EnvelopeFormat, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(format.media_type())
}

fn base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn base64_list<S: Serializer>(list: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(|bytes| STANDARD.encode(bytes)))
}

fn contract_version_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^1\\.(0|[1-9][0-9]*)$" })
}

fn key_spec_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": KeySpec::ALL.map(KeySpec::name) })
}

fn hash_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": HASHES.map(HashAlgorithm::name) })
}

fn plugin_algorithm_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": KeySpec::ALL.map(KeySpec::plugin_algorithm) })
}

fn payload_type_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": PAYLOAD_MEDIA_TYPE })
}

fn envelope_type_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": FORMATS.map(EnvelopeFormat::media_type) })
}

fn expiry_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": limits::EXPIRY_SECONDS })
}

fn base64_schema(_: &mut SchemaGenerator) -> Schema {
    const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";
    json_schema!({ "type": "string", "contentEncoding": "base64", "pattern": BASE64, "minLength": 4 })
}

fn certificate_chain_schema(generator: &mut SchemaGenerator) -> Schema {
    let certificate = base64_schema(generator);
    json_schema!({ "type": "array", "items": certificate, "minItems": 1, "maxItems": limits::CHAIN_CERTIFICATES })
}
