//! A registry that serves an image layout, and lies about it as a test says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use notation_sdk::{
    algorithm::HashAlgorithm,
    oci::{Digest, INDEX_MEDIA_TYPE},
};
use serde_json::{Value, json};

use super::fake_http::{Answer, FakeHttp, Request};

/// A server that ends with its value. Any repository has what the layout has, and what is written goes there.
#[derive(Debug)]
pub(crate) struct FakeRegistry {
    server: FakeHttp,
}

/// What an honest registry would know.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    layout: PathBuf,
}

impl FakeRegistry {
    /// An honest one, with the referrers API, but for the answers that `lie` gives.
    pub(crate) fn start(
        layout: &Path,
        lie: impl Fn(&Request, &Served) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let served = Served { layout: layout.to_owned() };
        let answer = move |request: &Request| {
            let answer = lie(request, &served).unwrap_or_else(|| served.answer(request));
            if request.method == "HEAD" { answer.without_body() } else { answer }
        };
        Self { server: FakeHttp::keeping_connections(answer) }
    }

    /// Host and port, as references have them.
    pub(crate) fn host(&self) -> String {
        self.server.url().trim_start_matches("http://").to_owned()
    }

    /// What came so far, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }

    /// How often a client has connected.
    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Methods and paths of what came so far, by what they ask for.
    pub(crate) fn steps(&self) -> Vec<String> {
        self.requests()
            .iter()
            .map(|request| format!("{} {}", request.method, kind(request)))
            .collect()
    }
}

impl Served {
    /// The honest answer.
    pub(crate) fn answer(&self, request: &Request) -> Answer {
        let (_, reference) = request.target.rsplit_once('/').unwrap();
        let reference = reference.split('?').next().unwrap();
        match (request.method.as_str(), kind(request)) {
            ("GET" | "HEAD", "manifest") => self.manifest(reference, None),
            ("GET" | "HEAD", "blob") => match self.bytes(reference) {
                Some(bytes) => Answer::new(200, bytes),
                None => unknown("BLOB_UNKNOWN"),
            },
            ("GET", "referrers") => Answer::new(200, self.referrers(reference).to_string())
                .header("Content-Type", INDEX_MEDIA_TYPE)
                .header("OCI-Filters-Applied", "artifactType"),
            ("POST", "upload") => Answer::new(202, "").header("Location", &request.target),
            ("PUT", "upload") => {
                self.put(&request.bytes);
                Answer::new(201, "")
            }
            ("PUT", "manifest") => self.take(request),
            _ => Answer::new(405, ""),
        }
    }

    /// The manifest that is asked for, as one of another type.
    pub(crate) fn manifest_as(&self, request: &Request, media_type: &str) -> Answer {
        let (_, reference) = request.target.rsplit_once('/').unwrap();
        self.manifest(reference, Some(media_type))
    }

    /// The bytes of a manifest or a blob.
    pub(crate) fn bytes(&self, digest: &str) -> Option<Vec<u8>> {
        let name = digest.strip_prefix("sha256:")?;
        fs::read(self.layout.join("blobs/sha256").join(name)).ok()
    }

    /// The index of what refers to an artifact, as the referrers API gives it.
    pub(crate) fn referrers(&self, subject: &str) -> Value {
        let mut listed: Vec<Value> = Vec::new();
        for file in fs::read_dir(self.layout.join("blobs/sha256")).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) else { continue };
            if manifest["subject"]["digest"] != subject {
                continue;
            }
            let own = manifest["artifactType"].as_str();
            let artifact_type = own.or_else(|| manifest["config"]["mediaType"].as_str());
            listed.push(json!({
                "mediaType": manifest["mediaType"], "digest": digest(&bytes), "size": bytes.len(),
                "artifactType": artifact_type, "annotations": manifest["annotations"],
            }));
        }
        listed.sort_by_key(|listed| listed["digest"].to_string());
        json!({"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": listed})
    }

    /// A manifest by its tag or its digest.
    fn manifest(&self, reference: &str, media_type: Option<&str>) -> Answer {
        let tag = fs::read_to_string(self.layout.join(format!("{reference}.tag")));
        let digest = match (reference.starts_with("sha256:"), tag) {
            (true, _) => reference.to_owned(),
            (false, Ok(digest)) => digest,
            (false, Err(_)) => self.listed_at(reference).unwrap_or_default(),
        };
        let Some(bytes) = self.bytes(&digest) else { return unknown("MANIFEST_UNKNOWN") };
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        let own = manifest["mediaType"].as_str().unwrap();
        Answer::new(200, bytes)
            .header("Content-Type", media_type.unwrap_or(own))
            .header("Docker-Content-Digest", &digest)
    }

    /// The digest of a tag in the layout's index.
    fn listed_at(&self, tag: &str) -> Option<String> {
        let index = fs::read(self.layout.join("index.json")).unwrap();
        let index: Value = serde_json::from_slice(&index).unwrap();
        let name = "org.opencontainers.image.ref.name";
        let listed = index["manifests"].as_array().unwrap().iter();
        let mut named = listed.filter(|listed| listed["annotations"][name] == tag);
        Some(named.next()?["digest"].as_str().unwrap().to_owned())
    }

    fn take(&self, request: &Request) -> Answer {
        let answer = self.take_unlisted(request);
        let manifest: Value = serde_json::from_slice(&request.bytes).unwrap();
        match manifest["subject"]["digest"].as_str() {
            Some(subject) => answer.header("OCI-Subject", subject),
            None => answer,
        }
    }

    /// Takes a manifest, and does not say that it lists it.
    pub(crate) fn take_unlisted(&self, request: &Request) -> Answer {
        let digest = self.put(&request.bytes);
        let (_, reference) = request.target.rsplit_once('/').unwrap();
        if !reference.starts_with("sha256:") {
            fs::write(self.layout.join(format!("{reference}.tag")), digest.as_str()).unwrap();
        }
        Answer::new(201, "").header("Docker-Content-Digest", digest.as_str())
    }

    fn put(&self, bytes: &[u8]) -> Digest {
        let digest = digest(bytes);
        fs::write(self.layout.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        digest
    }
}

/// What a request is about.
pub(crate) fn kind(request: &Request) -> &'static str {
    let path = request.target.split('?').next().unwrap();
    let kinds = [
        ("/manifests/", "manifest"),
        ("/blobs/uploads/", "upload"),
        ("/blobs/", "blob"),
        ("/referrers/", "referrers"),
        ("/token", "token"),
    ];
    kinds.into_iter().find(|(part, _)| path.contains(part)).map_or("other", |(_, kind)| kind)
}

/// The registry API's error of that code.
pub(crate) fn unknown(code: &str) -> Answer {
    Answer::new(404, json!({"errors": [{"code": code, "message": "unknown"}]}).to_string())
        .header("Content-Type", "application/json")
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, bytes)
}
