//! Trust data of Docker Content Trust, made from nothing, so that each fault can be put into it alone.
//!
//! Ids, hashes and canonical JSON are made here on their own, not with the library that is tested.

use std::{collections::BTreeMap, fs, path::Path, rc::Rc};

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{
        self as raw, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use notation_sdk::{
    algorithm::KeySpec,
    dct::TrustData,
    keys::{SigningKey as _, file::FileKey},
    pki::{CertificateTemplate, Issuer},
    testing::ready,
    x509::Certificate,
};
use pkcs8::SecretDocument;
use serde_json::{Map, Value, json};
use time::{Duration, UtcDateTime, macros::utc_datetime};

/// The time at which everything made here is good.
pub(crate) const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
/// The repository that everything made here is for.
pub(crate) const GUN: &str = "registry.example.test/acme/app";
/// When everything made here expires.
pub(crate) const EXPIRES: &str = "2046-11-22T09:00:21.93056671Z";

/// A key with its private part.
pub(crate) struct TrustKey {
    key_type: &'static str,
    public: Vec<u8>,
    secret: Secret,
}

enum Secret {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl TrustKey {
    pub(crate) fn ecdsa() -> Rc<Self> {
        let (_, public, secret) = generate(KeySpec::Ec256);
        Rc::new(Self { key_type: "ecdsa", public, secret })
    }

    pub(crate) fn rsa() -> Rc<Self> {
        let (_, public, secret) = generate(KeySpec::Rsa2048);
        Rc::new(Self { key_type: "rsa", public, secret })
    }

    pub(crate) fn ed25519() -> Rc<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        Rc::new(Self { key_type: "ed25519", public, secret: Secret::Ed25519(pair) })
    }

    /// A key with a certificate of its own, as docker makes root keys.
    pub(crate) fn certified(spec: KeySpec, common_name: &str) -> Rc<Self> {
        Self::certified_by(spec, common_name, NOW, None)
    }

    /// The same, valid for the twenty years from `at`, from a CA if one is given.
    pub(crate) fn certified_by(
        spec: KeySpec,
        common_name: &str,
        at: UtcDateTime,
        ca: Option<&TestCa>,
    ) -> Rc<Self> {
        let (key, _, secret) = generate(spec);
        let subject = format!("CN={common_name}").parse().unwrap();
        let validity = (at - Duration::days(1), at + Duration::days(7300));
        let template = CertificateTemplate::code_signing(subject, validity);
        let issuer = ca.map_or(Issuer::Itself, |ca| Issuer::Ca(&ca.certificate, &ca.key));
        let certificate = ready(template.issue(&key, issuer)).unwrap();
        let key_type = if spec.is_rsa() { "rsa-x509" } else { "ecdsa-x509" };
        Rc::new(Self { key_type, public: pem(&certificate).into_bytes(), secret })
    }

    /// The same key without its certificate.
    pub(crate) fn bare(key: &Rc<Self>) -> Value {
        let certificate = Certificate::from_der(&der_of(&key.public)).unwrap();
        let public = BASE64_STANDARD.encode(certificate.public_key().as_spki_der());
        let key_type = key.key_type.trim_end_matches("-x509");
        json!({"keytype": key_type, "keyval": {"private": null, "public": public}})
    }

    /// The key's certificate in PEM.
    pub(crate) fn certificate_pem(&self) -> &[u8] {
        &self.public
    }

    pub(crate) fn entry(&self) -> Value {
        let public = BASE64_STANDARD.encode(&self.public);
        json!({"keytype": self.key_type, "keyval": {"private": null, "public": public}})
    }

    pub(crate) fn id(&self) -> String {
        id_of(&self.entry())
    }

    /// The method that goes with the key; for RSA there is another.
    const fn method(&self) -> &'static str {
        match self.secret {
            Secret::Ecdsa(_) => "ecdsa",
            Secret::Rsa(_) => "rsapss",
            Secret::Ed25519(_) => "eddsa",
        }
    }

    /// One entry of `signatures`.
    pub(crate) fn sign(&self, method: &str, signed: &Value) -> Value {
        let (random, message) = (SystemRandom::new(), canonical(signed));
        let signature = match &self.secret {
            Secret::Ecdsa(pair) => pair.sign(&random, &message).unwrap().as_ref().to_vec(),
            Secret::Ed25519(pair) => pair.sign(&message).as_ref().to_vec(),
            Secret::Rsa(pair) => {
                let padding: &dyn raw::RsaEncoding = match method.to_lowercase().as_str() {
                    "rsapkcs1v15" => &raw::RSA_PKCS1_SHA256,
                    _ => &raw::RSA_PSS_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, &message, &mut signature).unwrap();
                signature
            }
        };
        json!({"keyid": self.id(), "method": method, "sig": BASE64_STANDARD.encode(signature)})
    }
}

/// A CA for root certificates.
pub(crate) struct TestCa {
    key: FileKey,
    pub(crate) certificate: Certificate,
}

impl TestCa {
    pub(crate) fn new() -> Self {
        Self::until(7300)
    }

    /// One that ends so many days from now.
    pub(crate) fn until(days: i64) -> Self {
        let (key, _, _) = generate(KeySpec::Ec256);
        let validity = (NOW - Duration::days(100), NOW + Duration::days(days));
        let template = CertificateTemplate::ca("CN=Root CA".parse().unwrap(), validity, 1);
        let certificate = ready(template.issue(&key, Issuer::Itself)).unwrap();
        Self { key, certificate }
    }
}

/// A repository whose files can be changed before they are signed.
pub(crate) struct TrustRepository {
    /// `signed` of each file, by role.
    pub(crate) signed: BTreeMap<String, Value>,
    /// Who signs each file.
    pub(crate) signers: BTreeMap<String, Vec<Rc<TrustKey>>>,
    /// Versions of the root before the current one, whole.
    pub(crate) older_roots: BTreeMap<u64, Vec<u8>>,
}

impl TrustRepository {
    /// A root with a certificate for [`GUN`], delegations to releases and two signers: tag `1.0` is
    /// released by alice and bob, `1.1` by alice, `0.9` by the repository's own key alone, and `edge` is
    /// one digest in the releases and another in the targets.
    pub(crate) fn new() -> Self {
        Self::with_root_key(&TrustKey::certified(KeySpec::Ec256, GUN))
    }

    pub(crate) fn with_root_key(root_key: &Rc<TrustKey>) -> Self {
        let (targets, alice, bob) = (TrustKey::ecdsa(), TrustKey::ecdsa(), TrustKey::rsa());
        let (snapshot, timestamp) = (TrustKey::ed25519(), TrustKey::ed25519());
        let mut repository = Self {
            signed: BTreeMap::new(),
            signers: BTreeMap::new(),
            older_roots: BTreeMap::new(),
        };
        let mut add = |role: &str, signed: Value, signers: &[&Rc<TrustKey>]| {
            repository.signed.insert(role.to_owned(), signed);
            let signers = signers.iter().map(|key| Rc::clone(key)).collect();
            repository.signers.insert(role.to_owned(), signers);
        };
        let roles = [
            ("root", root_key),
            ("targets", &targets),
            ("snapshot", &snapshot),
            ("timestamp", &timestamp),
        ];
        let root = json!({
            "_type": "Root", "consistent_snapshot": false, "expires": EXPIRES, "version": 1,
            "keys": keys(&roles.map(|(_, key)| key)),
            "roles": Value::from_iter(roles.map(|(role, key)| (role, role_keys(&[key], 1)))),
        });
        add("root", root, &[root_key]);
        let delegation = |name: &str, keys: &[&Rc<TrustKey>]| {
            let mut role = role_keys(keys, 1);
            role["name"] = name.into();
            role["paths"] = json!([""]);
            role
        };
        let delegations = json!({
            "keys": keys(&[&alice, &bob]),
            "roles": [
                delegation("targets/alice", &[&alice]),
                delegation("targets/bob", &[&bob]),
                delegation("targets/releases", &[&alice, &bob]),
            ],
        });
        add("targets", targets_file(&[("0.9", 9), ("edge", 1)], delegations), &[&targets]);
        let none = || json!({"keys": {}, "roles": []});
        add("targets/alice", targets_file(&[("1.0", 10), ("1.1", 11)], none()), &[&alice]);
        add("targets/bob", targets_file(&[("1.0", 10)], none()), &[&bob]);
        let released = [("1.0", 10), ("1.1", 11), ("edge", 2)];
        add("targets/releases", targets_file(&released, none()), &[&alice]);
        let listing =
            |kind: &str| json!({"_type": kind, "expires": EXPIRES, "version": 1, "meta": {}});
        add("snapshot", listing("Snapshot"), &[&snapshot]);
        add("timestamp", listing("Timestamp"), &[&timestamp]);
        repository
    }

    /// `signed` of a role.
    pub(crate) fn role(&mut self, role: &str) -> &mut Value {
        self.signed.get_mut(role).unwrap()
    }

    /// The first signer of a role.
    pub(crate) fn signer(&self, role: &str) -> Rc<TrustKey> {
        Rc::clone(&self.signers[role][0])
    }

    /// Adds a delegation below `parent`, with a file of its own.
    pub(crate) fn delegate(
        &mut self,
        parent: &str,
        name: &str,
        paths: &[&str],
        tags: &[(&str, u8)],
    ) -> Rc<TrustKey> {
        let key = TrustKey::ecdsa();
        let delegations = &mut self.role(parent)["delegations"];
        delegations["keys"][key.id()] = key.entry();
        let mut role = role_keys(&[&key], 1);
        role["name"] = name.into();
        role["paths"] = json!(paths);
        delegations["roles"].as_array_mut().unwrap().push(role);
        let file = targets_file(tags, json!({"keys": {}, "roles": []}));
        self.signed.insert(name.to_owned(), file);
        self.signers.insert(name.to_owned(), vec![Rc::clone(&key)]);
        key
    }

    /// Makes the current root an older one, and the next one with a new key, signed by both.
    pub(crate) fn rotate_root(&mut self) -> Rc<TrustKey> {
        let (old, new) = (self.signer("root"), TrustKey::certified(KeySpec::Ec256, GUN));
        let version = self.signed["root"]["version"].as_u64().unwrap();
        self.older_roots.insert(version, self.file("root"));
        let root = self.role("root");
        root["version"] = (version + 1).into();
        root["keys"].as_object_mut().unwrap().remove(&old.id());
        root["keys"][new.id()] = new.entry();
        root["roles"]["root"] = role_keys(&[&new], 1);
        self.signers.insert("root".to_owned(), vec![Rc::clone(&new), old]);
        new
    }

    /// A role's file, signed.
    pub(crate) fn file(&self, role: &str) -> Vec<u8> {
        let signed = &self.signed[role];
        let signatures = self.signers[role].iter().map(|key| key.sign(key.method(), signed));
        canonical(&json!({"signed": signed, "signatures": Value::from_iter(signatures)}))
    }

    /// All files, each listed by the one that has to.
    pub(crate) fn build(&mut self) -> TrustData {
        self.build_with(|_| {})
    }

    /// The same, with files changed after they are signed, and before they are listed.
    pub(crate) fn build_with(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>),
    ) -> TrustData {
        let listed = |role: &&String| *role != "snapshot" && *role != "timestamp";
        let mut files: BTreeMap<String, Vec<u8>> =
            self.signed.keys().filter(listed).map(|role| (role.clone(), self.file(role))).collect();
        change(&mut files);
        self.role("snapshot")["meta"] =
            Value::from_iter(files.iter().map(|(role, file)| (role.clone(), meta(file))));
        files.insert("snapshot".to_owned(), self.file("snapshot"));
        self.role("timestamp")["meta"] = json!({"snapshot": meta(&files["snapshot"])});
        files.insert("timestamp".to_owned(), self.file("timestamp"));
        let mut data = TrustData::new();
        for (role, file) in files {
            data.insert(format!("{role}.json"), file);
        }
        for (version, file) in &self.older_roots {
            data.insert(format!("{version}.root.json"), file.clone());
        }
        data
    }
}

/// Writes files as a server has them into a folder.
pub(crate) fn write(data: &TrustData, folder: &Path) {
    for (name, bytes) in data.files() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// SHA-256 digest of a made-up image, as inspect shows it.
pub(crate) fn digest_of(image: u8) -> String {
    format!("sha256:{}", hex(sha256(&[image]).as_ref()))
}

/// `keys` of root and targets files.
fn keys(keys: &[&Rc<TrustKey>]) -> Value {
    Value::from_iter(keys.iter().map(|key| (key.id(), key.entry())))
}

/// `keyids` and `threshold`.
pub(crate) fn role_keys(keys: &[&Rc<TrustKey>], threshold: i64) -> Value {
    json!({"keyids": Value::from_iter(keys.iter().map(|key| key.id())), "threshold": threshold})
}

fn targets_file(tags: &[(&str, u8)], delegations: Value) -> Value {
    let target = |image: u8| {
        let hash = BASE64_STANDARD.encode(sha256(&[image]).as_ref());
        json!({"hashes": {"sha256": hash}, "length": 1000 + u64::from(image)})
    };
    let targets: Map<String, Value> =
        tags.iter().map(|(tag, image)| ((*tag).to_owned(), target(*image))).collect();
    json!({"_type": "Targets", "delegations": delegations, "expires": EXPIRES, "targets": targets, "version": 1})
}

/// Length and hashes of a file, as snapshots list them.
pub(crate) fn meta(file: &[u8]) -> Value {
    let hash = |algorithm| BASE64_STANDARD.encode(digest::digest(algorithm, file).as_ref());
    json!({"hashes": {"sha256": hash(&digest::SHA256), "sha512": hash(&digest::SHA512)}, "length": file.len()})
}

/// The id of a key, listed as `entry`.
pub(crate) fn id_of(entry: &Value) -> String {
    hex(sha256(&canonical(entry)).as_ref())
}

/// For what is made here, which is plain ASCII, compact JSON with sorted members is canonical.
fn canonical(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn generate(spec: KeySpec) -> (FileKey, Vec<u8>, Secret) {
    let (text, key) = FileKey::generate(spec).unwrap();
    let public = ready(key.public_key()).unwrap().as_spki_der().to_vec();
    let (_, document) = SecretDocument::from_pem(&text).unwrap();
    let secret = if spec.is_rsa() {
        Secret::Rsa(RsaKeyPair::from_pkcs8(document.as_bytes()).unwrap())
    } else {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        Secret::Ecdsa(EcdsaKeyPair::from_pkcs8(algorithm, document.as_bytes()).unwrap())
    };
    (key, public, secret)
}

fn pem(certificate: &Certificate) -> String {
    let text = BASE64_STANDARD.encode(certificate.as_der());
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn der_of(pem: &[u8]) -> Vec<u8> {
    let text: String =
        str::from_utf8(pem).unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    BASE64_STANDARD.decode(text).unwrap()
}
