//! Trust stores: what is read of a folder, what is passed over, and what is refused.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use notation_sdk::{
    algorithm::KeySpec,
    testing::TestPki,
    trust::{DirectoryTrustStore, ReadAnchors, StoreError, TrustStore},
    x509::{Certificate, CertificateChain, to_pem},
};
use tempfile::TempDir;
use time::macros::utc_datetime;

struct Folder {
    root: TempDir,
    chain: CertificateChain,
}

impl Folder {
    /// An empty store `ca:acme`, and a chain to put into it.
    fn new() -> Self {
        let pki = TestPki::new(KeySpec::Ec256, utc_datetime!(2026-11-23 12:00:00)).unwrap();
        let folder = Self { root: TempDir::new().unwrap(), chain: pki.chain };
        fs::create_dir_all(folder.store()).unwrap();
        folder
    }

    fn store(&self) -> PathBuf {
        self.root.path().join("x509/ca/acme")
    }

    fn root_certificate(&self) -> &Certificate {
        &self.chain.certificates()[2]
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.store().join(name), bytes).unwrap();
    }

    fn read(&self, store: &str) -> Result<ReadAnchors, StoreError> {
        DirectoryTrustStore::new(self.root.path()).read([&named(store)])
    }

    /// What reading `ca:acme` is refused with.
    fn refusal(&self) -> String {
        let error = self.read("ca:acme").unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error} {source}")
    }
}

fn named(store: &str) -> TrustStore {
    store.parse().unwrap()
}

fn pem(certificate: &Certificate) -> String {
    to_pem(&CertificateChain::from_ordered(vec![certificate.clone()]).unwrap())
}

#[test]
fn files_in_pem_and_der_are_read_and_all_else_is_passed_over() {
    let folder = Folder::new();
    let [_, issuing, root] = folder.chain.certificates() else { panic!() };
    folder.write("both.pem", format!("{}{}", pem(root), pem(issuing)).as_bytes());
    folder.write("root.CRT", root.as_der());
    folder.write("root.cer", root.as_der());
    folder.write("README", b"ours");
    fs::create_dir(folder.store().join("old")).unwrap();
    folder.write("old/leaf.pem", b"nothing");
    let read = folder.read("ca:acme").unwrap();
    let certificates = read.anchors.certificates(&named("ca:acme"));
    assert_eq!(certificates, [root, issuing, root, root].map(Clone::clone));
    assert!(read.anchors.certificates(&named("tsa:acme")).is_empty());
    let passed: Vec<&str> =
        read.warnings.iter().filter_map(|line| Path::new(line).file_name()?.to_str()).collect();
    assert_eq!(passed, ["README is passed over", "old is passed over"]);
}

#[test]
fn a_store_that_is_missing_or_empty_is_refused() {
    let folder = Folder::new();
    assert!(folder.refusal().starts_with("trust store ca:acme is empty: "));
    let error = folder.read("ca:other").unwrap_err().to_string();
    assert!(error.starts_with("trust store ca:other is missing: there is no folder "), "{error}");
    assert!(folder.read("tsa:acme").is_err());
}

#[test]
fn certificates_that_are_no_anchors_are_refused() {
    let folder = Folder::new();
    let [leaf, issuing, root] = folder.chain.certificates() else { panic!() };
    folder.write("leaf.pem", pem(leaf).as_bytes());
    assert!(
        folder
            .refusal()
            .contains("certificate CN=leaf,O=Test,ST=WA,C=US is neither a CA's nor self-signed")
    );
    fs::rename(folder.root.path().join("x509/ca"), folder.root.path().join("x509/tsa")).unwrap();
    let tsa = folder.root.path().join("x509/tsa/acme");
    fs::write(tsa.join("leaf.pem"), pem(issuing)).unwrap();
    let error = folder.read("tsa:acme").unwrap_err().to_string();
    assert!(error.ends_with("certificate CN=issuing,O=Test,ST=WA,C=US is no root"), "{error}");
    fs::write(tsa.join("leaf.pem"), pem(root)).unwrap();
    assert_eq!(folder.read("tsa:acme").unwrap().anchors.certificates(&named("tsa:acme")).len(), 1);
}

#[test]
fn a_broken_file_makes_the_whole_store_unusable() {
    let folder = Folder::new();
    folder.write("a.pem", pem(folder.root_certificate()).as_bytes());
    folder.write("b.pem", b"-----BEGIN CERTIFICATE-----\n");
    assert!(
        folder.refusal().contains("b.pem holds no certificates PEM block 1 is broken"),
        "{}",
        folder.refusal()
    );
    folder.write("b.pem", &vec![b'x'; 7 * 1024 * 1024]);
    assert!(folder.refusal().contains("b.pem is over the limit of 6291456 bytes"));
}

#[test]
fn links_are_refused() {
    let folder = Folder::new();
    fs::write(folder.root.path().join("root.pem"), pem(folder.root_certificate())).unwrap();
    symlink(folder.root.path().join("root.pem"), folder.store().join("root.pem")).unwrap();
    assert!(
        folder.refusal().contains("root.pem is a symbolic link, which trust stores must not hold")
    );
    symlink(folder.store(), folder.root.path().join("x509/ca/linked")).unwrap();
    let error = folder.read("ca:linked").unwrap_err().to_string();
    assert!(error.contains("linked is a symbolic link"), "{error}");
}

#[test]
fn links_above_a_store_are_refused_too() {
    for place in ["x509", "x509/ca"] {
        let folder = Folder::new();
        folder.write("root.pem", pem(folder.root_certificate()).as_bytes());
        assert!(folder.read("ca:acme").is_ok());
        let outside = TempDir::new().unwrap();
        fs::rename(folder.root.path().join(place), outside.path().join("moved")).unwrap();
        symlink(outside.path().join("moved"), folder.root.path().join(place)).unwrap();
        let told = format!("{place} is a symbolic link, which trust stores must not hold");
        assert!(folder.refusal().contains(&told), "{}", folder.refusal());
        let store = DirectoryTrustStore::new(folder.root.path()).follow_links();
        let error = store.read([&named("ca:acme")]).unwrap_err().to_string();
        assert!(error.ends_with("out of the trust store"), "{error}");
    }
    // Where the folder of all stores is, is for whoever names it.
    let folder = Folder::new();
    folder.write("root.pem", pem(folder.root_certificate()).as_bytes());
    let other = TempDir::new().unwrap();
    symlink(folder.root.path(), other.path().join("truststore")).unwrap();
    let store = DirectoryTrustStore::new(other.path().join("truststore"));
    assert!(store.read([&named("ca:acme")]).is_ok());
}

#[test]
fn a_pipe_in_a_store_is_not_waited_for() {
    let folder = Folder::new();
    folder.write("root.pem", pem(folder.root_certificate()).as_bytes());
    let made = std::process::Command::new("mkfifo").arg(folder.store().join("p.pem")).status();
    assert!(made.unwrap().success());
    assert!(folder.refusal().contains("p.pem is not a regular file"), "{}", folder.refusal());
}

#[test]
fn links_of_a_mounted_configuration_are_followed_where_that_is_asked_for() {
    let folder = Folder::new();
    let version = folder.store().join("..2026_11_23");
    fs::create_dir(&version).unwrap();
    fs::write(version.join("root.pem"), pem(folder.root_certificate())).unwrap();
    symlink("..2026_11_23", folder.store().join("..data")).unwrap();
    symlink("..data/root.pem", folder.store().join("root.pem")).unwrap();
    assert!(folder.refusal().contains("is a symbolic link"));
    let store = DirectoryTrustStore::new(folder.root.path()).follow_links();
    let read = store.read([&named("ca:acme"), &named("ca:acme")]).unwrap();
    assert_eq!(read.anchors.certificates(&named("ca:acme")).len(), 1);
    assert!(read.warnings.is_empty(), "{:?}", read.warnings);

    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("evil.pem"), pem(folder.root_certificate())).unwrap();
    symlink(outside.path().join("evil.pem"), folder.store().join("evil.pem")).unwrap();
    let error = store.read([&named("ca:acme")]).unwrap_err().to_string();
    assert!(
        error.contains("evil.pem leads to ") && error.ends_with("out of the trust store"),
        "{error}"
    );
}
