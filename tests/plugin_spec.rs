//! `plugin-spec/`: the contract as data. Every golden request goes through the server side, and every
//! golden message through the JSON Schemas, which are those of the message types.
//!
//! Golden answers hold real signatures. RSASSA-PSS and ECDSA signatures differ each time, so the key of
//! these tests repeats the golden one; what it repeats is verified before it is answered.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

use aws_lc_rs::{digest, signature as raw};
use base64::{Engine, engine::general_purpose::STANDARD};
use notation_sdk::{
    algorithm::{HashAlgorithm, SignatureAlgorithm},
    envelope::{Envelope, EnvelopeFormat},
    keys::{self, KeyError, KeyFuture, KeyUri, SigningKey},
    plugin::{
        self, Command, DescribeKeyRequest, DescribeKeyResponse, ErrorResponse,
        GenerateEnvelopeRequest, GenerateEnvelopeResponse, GenerateSignatureRequest,
        GenerateSignatureResponse, Host, HostError, MetadataRequest, MetadataResponse,
    },
    x509::{PublicKey, parse_bundle},
};
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::Value;
use time::{UtcDateTime, macros::utc_datetime};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin-spec")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_TESTDATA").is_some()
}

/// Compares a file with what it should be, or writes it.
fn check_file(path: &Path, expected: &str) {
    let mut found = fs::read_to_string(path).unwrap_or_default();
    if updating() && found != expected {
        fs::write(path, expected).unwrap();
        expected.clone_into(&mut found);
    }
    assert_eq!(found, expected, "{} is not up to date: UPDATE_TESTDATA=1", path.display());
}

fn pretty(value: &impl serde::Serialize) -> String {
    format!("{:#}\n", serde_json::to_value(value).unwrap())
}

fn request_schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

fn response_schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// Every schema by its file's name.
fn schemas() -> BTreeMap<String, Value> {
    let pair = |command: Command, request: Schema, response: Schema| {
        let name = command.name();
        [
            (format!("{name}.request.json"), request.to_value()),
            (format!("{name}.response.json"), response.to_value()),
        ]
    };
    Command::ALL
        .into_iter()
        .flat_map(|command| match command {
            Command::GetPluginMetadata => pair(
                command,
                request_schema::<MetadataRequest>(),
                response_schema::<MetadataResponse>(),
            ),
            Command::DescribeKey => pair(
                command,
                request_schema::<DescribeKeyRequest>(),
                response_schema::<DescribeKeyResponse>(),
            ),
            Command::GenerateSignature => pair(
                command,
                request_schema::<GenerateSignatureRequest>(),
                response_schema::<GenerateSignatureResponse>(),
            ),
            Command::GenerateEnvelope => pair(
                command,
                request_schema::<GenerateEnvelopeRequest>(),
                response_schema::<GenerateEnvelopeResponse>(),
            ),
            other => panic!("no schema for {other:?}"),
        })
        .chain([("error.json".to_owned(), response_schema::<ErrorResponse>().to_value())])
        .collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Cases of a command: names of the files that end in `.request.json`.
fn cases(command: Command) -> Vec<String> {
    let names = names_in(&folder().join(command.name()));
    let case = |name: &String| name.strip_suffix(".request.json").map(ToOwned::to_owned);
    let cases: Vec<String> = names.iter().filter_map(case).collect();
    assert!(!cases.is_empty(), "{command:?} has no golden request");
    for name in names {
        let case = [".request.json", ".response.json", ".error.json"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        let known = case.is_some_and(|case| cases.iter().any(|known| known == case));
        assert!(known, "{}/{name} belongs to no golden request", command.name());
    }
    cases
}

#[test]
fn the_folder_holds_nothing_unknown() {
    let mut expected: Vec<String> = Command::ALL.map(|command| command.name().to_owned()).to_vec();
    expected.extend(["README.md", "keys", "schemas"].map(ToOwned::to_owned));
    expected.sort();
    assert_eq!(names_in(&folder()), expected);
    assert_eq!(names_in(&folder().join("schemas")), schemas().into_keys().collect::<Vec<_>>());
}

#[test]
fn the_schemas_are_those_of_the_message_types() {
    for (name, schema) in schemas() {
        check_file(&folder().join("schemas").join(name), &pretty(&schema));
    }
}

#[test]
fn the_readme_holds_the_tables_of_the_code() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for key in plugin::KEYS {
        let row =
            format!("| `{}` | {} | {} | {} |", key.name, key.values, key.default, key.purpose);
        assert!(readme.contains(&row), "README.md lacks {row}");
    }
    for provider in ["awskms:///alias/release", "file:///key.pem"] {
        for setting in keys::settings(&provider.parse().unwrap()).unwrap() {
            let row = format!("| `{}` | {} |", setting.name, setting.purpose);
            assert!(readme.contains(&row), "README.md lacks {row}");
        }
    }
    for command in Command::ALL {
        assert!(readme.contains(&format!("`{}`", command.name())), "README.md lacks {command:?}");
    }
}

#[test]
fn golden_requests_get_their_golden_answers() {
    update_first();
    play_golden_requests();
}

/// What is to be judged has to be written before, and once.
fn update_first() {
    static UPDATED: Once = Once::new();
    if updating() {
        UPDATED.call_once(play_golden_requests);
    }
}

fn play_golden_requests() {
    for command in Command::ALL {
        for case in cases(command) {
            let path =
                |kind: &str| folder().join(command.name()).join(format!("{case}.{kind}.json"));
            let request = fs::read(path("request")).unwrap();
            let (kind, answer) = answer(command, &request, &path("response"));
            let other = path(if kind == "error" { "response" } else { "error" });
            if updating() && other.exists() {
                fs::remove_file(&other).unwrap();
            }
            assert!(!other.exists(), "{} is there, but the answer is: {answer}", other.display());
            check_file(&path(kind), &answer);
        }
    }
}

/// The answer as one would see it on the standard streams.
fn answer(command: Command, request: &[u8], golden: &Path) -> (&'static str, String) {
    let golden = fs::read(golden).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let mut recorded = golden.as_ref().and_then(signature_in);
    loop {
        let host = GoldenHost { recorded: recorded.clone() };
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let arguments = [command.name().into()];
        let answered = plugin::serve(&arguments, request, &mut output, &mut errors, &host);
        // What was recorded for another payload or key is made anew.
        if !answered && recorded.is_some() && updating() {
            recorded = None;
            continue;
        }
        let (kind, one, other) =
            if answered { ("response", output, errors) } else { ("error", errors, output) };
        assert!(other.is_empty(), "{command:?} wrote to both streams");
        return (kind, pretty(&serde_json::from_slice::<Value>(&one).unwrap()));
    }
}

/// The signature of a golden response.
fn signature_in(response: &Value) -> Option<Vec<u8>> {
    let bytes = |member: &str| STANDARD.decode(response.get(member)?.as_str()?).ok();
    if let Some(signature) = bytes("signature") {
        return Some(signature);
    }
    let format = EnvelopeFormat::from_media_type(response["signatureEnvelopeType"].as_str()?)?;
    let envelope = Envelope::parse(format, &bytes("signatureEnvelope")?).unwrap();
    Some(envelope.dangerous_unverified().signature().to_vec())
}

#[test]
fn golden_messages_fit_their_schemas() {
    update_first();
    let validators: BTreeMap<String, jsonschema::Validator> = schemas()
        .into_iter()
        .map(|(name, schema)| (name, jsonschema::validator_for(&schema).unwrap()))
        .collect();
    for command in Command::ALL {
        for case in cases(command) {
            let read = |kind: &str| {
                fs::read(folder().join(format!("{}/{case}.{kind}.json", command.name())))
            };
            let check = |schema: &str, message: &[u8]| {
                let message: Value = serde_json::from_slice(message).unwrap();
                let result = validators[schema].validate(&message).map_err(|e| e.to_string());
                assert_eq!(result, Ok(()), "{}/{case} against {schema}", command.name());
            };
            match (read("response"), read("error")) {
                (Ok(response), Err(_)) => {
                    check(&format!("{}.response.json", command.name()), &response);
                    check(&format!("{}.request.json", command.name()), &read("request").unwrap());
                }
                (Err(_), Ok(error)) => check("error.json", &error),
                _ => panic!("{}/{case} needs one of a response and an error", command.name()),
            }
        }
    }
}

#[test]
fn the_schemas_and_the_reader_agree_on_every_golden_request() {
    let schemas = schemas();
    for command in Command::ALL {
        let schema = &schemas[&format!("{}.request.json", command.name())];
        let validator = jsonschema::validator_for(schema).unwrap();
        for case in cases(command).iter().filter(|case| !case.starts_with("duplicate-")) {
            let path = folder().join(format!("{}/{case}.request.json", command.name()));
            let request = fs::read(path).unwrap();
            let fits = serde_json::from_slice(&request).is_ok_and(|json| validator.is_valid(&json));
            assert_eq!(
                read_request(command, &request).is_some(),
                fits,
                "{}/{case}",
                command.name()
            );
        }
    }
}

#[test]
fn what_the_cli_sends_is_all_in_the_message_types() {
    let mut seen = 0;
    for command in Command::ALL {
        for case in cases(command).iter().filter(|case| case.starts_with("notation-")) {
            let path = folder().join(format!("{}/{case}.request.json", command.name()));
            let request = fs::read(path).unwrap();
            let sent: Value = serde_json::from_slice(&request).unwrap();
            assert_eq!(read_request(command, &request), Some(sent), "{}/{case}", command.name());
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} requests are the CLI's own");
}

/// A request through the message type and back.
fn read_request(command: Command, request: &[u8]) -> Option<Value> {
    fn json(request: Result<impl serde::Serialize, plugin::Fault>) -> Option<Value> {
        request.ok().map(|request| serde_json::to_value(request).unwrap())
    }
    match command {
        Command::GetPluginMetadata => json(MetadataRequest::from_json(request)),
        Command::DescribeKey => json(DescribeKeyRequest::from_json(request)),
        Command::GenerateSignature => json(GenerateSignatureRequest::from_json(request)),
        Command::GenerateEnvelope => json(GenerateEnvelopeRequest::from_json(request)),
        other => panic!("no request of {other:?}"),
    }
}

/// A machine at a fixed time, whose /etc/notation is `plugin-spec/keys`.
struct GoldenHost {
    recorded: Option<Vec<u8>>,
}

impl Host for GoldenHost {
    fn now(&self) -> UtcDateTime {
        utc_datetime!(2026-11-23 12:00:00.5)
    }

    fn read_chain(&self, path: &Path) -> Result<Vec<u8>, HostError> {
        let name = path.strip_prefix("/etc/notation")?;
        match fs::read(folder().join("keys").join(name)) {
            Ok(bytes) => Ok(bytes),
            Err(_) => Err(io::Error::from(io::ErrorKind::NotFound).into()),
        }
    }

    fn stored_chain(&self, key_id: &KeyUri) -> Result<Option<PathBuf>, HostError> {
        let known = key_id.as_str() == "awskms:///alias/release";
        Ok(known.then(|| "/etc/notation/ec-256.chain.pem".into()))
    }

    fn open_key(
        &self,
        key_id: &KeyUri,
        _config: &BTreeMap<String, String>,
        deadline: Duration,
    ) -> Result<Box<dyn SigningKey>, KeyError> {
        let recorded = self.recorded.clone();
        Ok(Box::new(GoldenKey { key: key_id.to_string(), recorded, deadline }))
    }
}

/// A key that does what its name says: `awskms:///alias/denied` denies.
#[derive(Debug)]
struct GoldenKey {
    key: String,
    recorded: Option<Vec<u8>>,
    deadline: Duration,
}

impl SigningKey for GoldenKey {
    fn public_key(&self) -> KeyFuture<'_, PublicKey> {
        let chain = if self.key.ends_with("/other") { "rsa-2048" } else { "ec-256" };
        let bundle = fs::read(folder().join(format!("keys/{chain}.chain.pem"))).unwrap();
        let leaf = parse_bundle(&bundle).unwrap().into_iter().find(|c| !c.is_ca()).unwrap();
        Box::pin(async move { Ok(leaf.public_key().clone()) })
    }

    fn sign<'a>(
        &'a self,
        algorithm: SignatureAlgorithm,
        digest: &'a [u8],
    ) -> KeyFuture<'a, Vec<u8>> {
        let (key, reason) = (self.key.clone(), "said the service".to_owned());
        let result = match self.key.rsplit('/').next().unwrap() {
            "missing" => Err(KeyError::NotFound { key, reason }),
            "denied" => Err(KeyError::AccessDenied { key, reason, needs: "kms:Sign" }),
            "throttled" => Err(KeyError::Throttled { key, reason }),
            "slow" => Err(KeyError::Timeout { key, after: self.deadline }),
            "stuck" => return Box::pin(std::future::pending()),
            "unavailable" => Err(KeyError::Unreachable {
                key,
                source: io::Error::from(io::ErrorKind::ConnectionRefused).into(),
            }),
            "other" => {
                let algorithm = algorithm.aws_signing_algorithm().to_owned();
                Err(KeyError::WrongAlgorithm { key, algorithm, reason })
            }
            "wrong-signature" => Ok(vec![1; 64]),
            "wrong-length" => Ok(vec![1; 63]),
            _ => Ok(self.recorded.clone().unwrap_or_else(|| sign_anew(algorithm, digest))),
        };
        Box::pin(async move { result })
    }
}

/// Signs with the keys of `plugin-spec/keys`, where there is no golden signature yet.
fn sign_anew(algorithm: SignatureAlgorithm, digest: &[u8]) -> Vec<u8> {
    assert!(updating(), "the golden signature is missing or of something else: UPDATE_TESTDATA=1");
    assert_eq!(algorithm.hash(), HashAlgorithm::Sha256);
    let pkcs8 = |name: &str| {
        let pem = fs::read_to_string(folder().join(format!("keys/{name}.key.pem"))).unwrap();
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(base64).unwrap()
    };
    let digest = digest::Digest::import_less_safe(digest, &digest::SHA256).unwrap();
    if let SignatureAlgorithm::Ecdsa(_) = algorithm {
        let curve = &raw::ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = raw::EcdsaKeyPair::from_pkcs8(curve, &pkcs8("ec-256")).unwrap();
        return key.sign_digest(&digest).unwrap().as_ref().to_vec();
    }
    let key = raw::RsaKeyPair::from_pkcs8(&pkcs8("rsa-2048")).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign_digest(&raw::RSA_PSS_SHA256, &digest, &mut signature).unwrap();
    signature
}
