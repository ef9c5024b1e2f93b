//! An index of several platforms, with an index within it.

use std::fs;

use notation_sdk::{
    algorithm::HashAlgorithm,
    oci::{Descriptor, Digest, INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest},
    registry::layout::ImageLayout,
};
use serde_json::{Value, json};

use super::{http, quickstart::Quickstart};

/// The platforms, whose names are their layers.
const PLATFORMS: [&str; 3] = ["amd64", "arm64", "riscv64"];

/// In quickstart's layout, at the tag `multi`: two platforms, and a third in an index of its own. None is signed.
pub(crate) struct MultiPlatform {
    pub(crate) quickstart: Quickstart,
    pub(crate) platforms: [Descriptor; 3],
    pub(crate) nested: Descriptor,
    pub(crate) index: Descriptor,
}

impl MultiPlatform {
    pub(crate) fn new() -> Self {
        let quickstart = Quickstart::new();
        let layout = ImageLayout::open(quickstart.path("layout")).unwrap();
        let platforms = PLATFORMS.map(|platform| {
            let layer = layout.push_blob("application/octet-stream", platform.as_bytes()).unwrap();
            let manifest = Manifest::artifact("application/vnd.example", layer);
            let bytes = serde_json::to_vec(&manifest).unwrap();
            layout.push_blob(MANIFEST_MEDIA_TYPE, &bytes).unwrap()
        });
        let index_of = |listed: &[&Descriptor]| {
            let index =
                json!({"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": listed});
            layout.push_blob(INDEX_MEDIA_TYPE, index.to_string().as_bytes()).unwrap()
        };
        let nested = index_of(&[&platforms[2]]);
        // One platform is listed twice.
        let index = index_of(&[&platforms[0], &platforms[1], &nested, &platforms[0]]);
        let path = quickstart.path("layout/index.json");
        let mut top: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let mut listed = serde_json::to_value(&index).unwrap();
        listed["annotations"] = json!({"org.opencontainers.image.ref.name": "multi"});
        top["manifests"].as_array_mut().unwrap().push(listed);
        fs::write(path, top.to_string()).unwrap();
        Self { quickstart, platforms, nested, index }
    }

    /// Everything, what is listed before what lists it.
    pub(crate) fn digests(&self) -> Vec<String> {
        let [amd64, arm64, riscv64] = &self.platforms;
        let all = [amd64, arm64, riscv64, &self.nested, &self.index];
        all.map(|one| one.digest.to_string()).to_vec()
    }

    /// Brings all of it into a registry, which skopeo does not do with nested indexes.
    pub(crate) fn push(&self, port: u16, repository: &str, tag: &str) {
        for blob in [&["{}"][..], &PLATFORMS].concat() {
            upload(port, repository, blob.as_bytes());
        }
        for manifest in self.platforms.iter().chain([&self.nested, &self.index]) {
            let bytes = fs::read(self.quickstart.blob(manifest.digest.as_str())).unwrap();
            let name = if *manifest == self.index { tag } else { manifest.digest.as_str() };
            let path = format!("/v2/{repository}/manifests/{name}");
            let headers = [("Content-Type", manifest.media_type.as_str())];
            let put = http::request(port, "PUT", &path, &headers, &bytes).unwrap();
            assert_eq!(put.status, 201, "{path}");
        }
    }
}

pub(crate) fn upload(port: u16, repository: &str, blob: &[u8]) {
    let uploads = format!("/v2/{repository}/blobs/uploads/");
    let begun = http::request(port, "POST", &uploads, &[], b"").unwrap();
    let location = begun.header("location").unwrap();
    let path = location.strip_prefix(&format!("http://127.0.0.1:{port}")).unwrap_or(location);
    let separator = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{separator}digest={}", Digest::of(HashAlgorithm::Sha256, blob));
    let headers = [("Content-Type", "application/octet-stream")];
    let put = http::request(port, "PUT", &path, &headers, blob).unwrap();
    assert_eq!(put.status, 201, "{path}");
}
