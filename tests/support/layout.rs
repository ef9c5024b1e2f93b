//! An OCI image layout with one small artifact, for tests to sign.

use std::{fs, path::Path};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A layout in a folder of its own.
#[derive(Debug)]
pub(crate) struct Layout {
    folder: TempDir,
    digest: String,
}

impl Layout {
    /// The artifact's tag.
    pub(crate) const TAG: &str = "v1";

    /// Packs `content` as an artifact of one layer.
    pub(crate) fn new(content: &[u8]) -> Self {
        let folder = TempDir::new().unwrap();
        let blobs = folder.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let config = put(&blobs, "application/vnd.oci.image.config.v1+json", b"{}");
        let layer = put(&blobs, "application/vnd.oci.image.layer.v1.tar", content);
        let manifest_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({ "schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": [layer] });
        let mut manifest = put(&blobs, manifest_type, manifest.to_string().as_bytes());

        let digest = manifest["digest"].as_str().unwrap().to_owned();
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": Self::TAG });
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
        fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self { folder, digest }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The manifest's digest, `sha256:…`.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// `FOLDER@DIGEST`, as `--oci-layout` takes it.
    pub(crate) fn reference(&self) -> String {
        format!("{}@{}", self.path().display(), self.digest)
    }
}

/// Stores a blob and gives its descriptor.
fn put(blobs: &Path, media_type: &str, content: &[u8]) -> Value {
    let hex: String =
        digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(blobs.join(&hex), content).unwrap();
    json!({ "mediaType": media_type, "digest": format!("sha256:{hex}"), "size": content.len() })
}
