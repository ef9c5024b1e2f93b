//! Answers on disk, shared by processes and with the notation CLI: CRLs as it keeps them, OCSP responses in a
//! folder of their own.
//!
//! What is read from here is a stranger's word as much as what comes over the network: whoever judges it checks
//! signature, issuer and times. A file is whole or not there, as it is put in place by rename.

use std::{
    fs as std_fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use crate::{crypto, fs, limits};

/// What the notation CLI's own files have.
const FILE_MODE: u32 = 0o600;

/// A folder of answers.
#[derive(Debug, Clone)]
pub struct RevocationCache {
    root: PathBuf,
}

/// A CRL as it was fetched, and the delta CRL that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedCrl {
    /// DER.
    pub base: Vec<u8>,
    /// DER.
    pub delta: Option<Vec<u8>>,
    /// When the file was written.
    pub fetched_at: UtcDateTime,
}

/// The file of the notation CLI (notation-go, `verifier/crl`): `{"baseCRL": …, "deltaCRL": …}`.
#[derive(Serialize, Deserialize)]
struct CrlFile {
    #[serde(rename = "baseCRL")]
    base: String,
    #[serde(rename = "deltaCRL", default, skip_serializing_if = "Option::is_none")]
    delta: Option<String>,
}

impl RevocationCache {
    /// The cache in notation's cache folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The CRL of a URL; `None` where there is none that can be read.
    #[must_use]
    pub fn crl(&self, url: &str) -> Option<CachedCrl> {
        let path = self.crl_path(url);
        let bytes = fs::read_regular(&path, limits::CRL_FILE_BYTES).ok()?;
        let file: CrlFile = serde_json::from_slice(&bytes).ok()?;
        let delta = file.delta.map(|delta| STANDARD.decode(delta)).transpose().ok()?;
        let base = STANDARD.decode(file.base).ok()?;
        Some(CachedCrl { base, delta, fetched_at: written_at(&path)? })
    }

    /// Keeps a CRL, with its delta where it has one. A disk that is full is no failure: the answer is at hand.
    pub fn keep_crl(&self, url: &str, base: &[u8], delta: Option<&[u8]>) {
        let file = CrlFile {
            base: STANDARD.encode(base),
            delta: delta.map(|delta| STANDARD.encode(delta)),
        };
        if let Ok(bytes) = serde_json::to_vec(&file) {
            self.keep(&self.crl_path(url), &bytes);
        }
    }

    /// The response to a request, and when it was fetched.
    #[must_use]
    pub fn ocsp(&self, url: &str, request: &[u8]) -> Option<(Vec<u8>, UtcDateTime)> {
        let path = self.ocsp_path(url, request);
        let bytes = fs::read_regular(&path, limits::OCSP_RESPONSE_BYTES).ok()?;
        Some((bytes, written_at(&path)?))
    }

    /// Keeps the response to a request.
    pub fn keep_ocsp(&self, url: &str, request: &[u8], response: &[u8]) {
        self.keep(&self.ocsp_path(url, request), response);
    }

    fn crl_path(&self, url: &str) -> PathBuf {
        self.root.join("crl").join(crypto::hex(&crypto::sha256(url.as_bytes())))
    }

    fn ocsp_path(&self, url: &str, request: &[u8]) -> PathBuf {
        let mut key = url.as_bytes().to_vec();
        key.push(0);
        key.extend_from_slice(request);
        self.root.join("ocsp").join(crypto::hex(&crypto::sha256(&key)))
    }

    fn keep(&self, path: &Path, bytes: &[u8]) {
        if fs::write_atomic(path, bytes, FILE_MODE).is_ok()
            && let Some(folder) = path.parent()
        {
            make_room(folder, limits::CACHE_BYTES, path);
        }
    }
}

fn written_at(path: &Path) -> Option<UtcDateTime> {
    let since = std_fs::metadata(path).ok()?.modified().ok()?;
    let since = since.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    UtcDateTime::from_unix_timestamp(i64::try_from(since.as_secs()).ok()?).ok()
}

/// Removes the oldest files of a folder, but for the one just written, until the rest fits.
fn make_room(folder: &Path, room: u64, newest: &Path) {
    let Ok(entries) = std_fs::read_dir(folder) else { return };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let metadata = entry.metadata().ok()?;
            metadata.is_file().then_some(())?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    files.sort();
    for (_, size, path) in files {
        if total <= room {
            return;
        }
        if path != newest && std_fs::remove_file(&path).is_ok() {
            total = total.saturating_sub(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crls_are_kept_as_the_notation_cli_keeps_them() {
        let folder = tempfile::tempdir().unwrap();
        let cache = RevocationCache::new(folder.path());
        let url = "http://localhost/crl";
        assert_eq!(cache.crl(url), None);
        cache.keep_crl(url, b"base", None);
        let path = folder.path().join("crl").join(crypto::hex(&crypto::sha256(url.as_bytes())));
        let text = String::from_utf8(fs::read_bounded(&path, 1024).unwrap()).unwrap();
        assert_eq!(text, r#"{"baseCRL":"YmFzZQ=="}"#);
        cache.keep_crl(url, b"base", Some(b"delta"));
        let kept = cache.crl(url).unwrap();
        assert_eq!(
            (kept.base.as_slice(), kept.delta.as_deref()),
            (&b"base"[..], Some(&b"delta"[..]))
        );
        for broken in ["", "{", r#"{"baseCRL":"*"}"#, r#"{"deltaCRL":"YQ=="}"#] {
            std_fs::write(&path, broken).unwrap();
            assert_eq!(cache.crl(url), None, "{broken:?}");
        }
    }

    #[test]
    fn responses_are_kept_by_url_and_request() {
        let folder = tempfile::tempdir().unwrap();
        let cache = RevocationCache::new(folder.path());
        cache.keep_ocsp("http://a/", b"one", b"response");
        assert_eq!(cache.ocsp("http://a/", b"one").unwrap().0, b"response");
        assert!(cache.ocsp("http://a/", b"two").is_none());
        assert!(cache.ocsp("http://b/", b"one").is_none());
    }

    #[test]
    fn the_oldest_answers_make_room() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in [(30, "old"), (20, "middle"), (10, "new")] {
            let path = folder.path().join(name);
            std_fs::write(&path, [0; 10]).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 - age);
            std_fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        }
        make_room(folder.path(), 20, &folder.path().join("new"));
        assert!(!folder.path().join("old").exists() && folder.path().join("middle").exists());
        make_room(folder.path(), 0, &folder.path().join("new"));
        assert!(folder.path().join("new").exists() && !folder.path().join("middle").exists());
    }
}
