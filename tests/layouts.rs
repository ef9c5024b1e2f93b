//! Image layouts in folders and tars, and verification over them: what is broken, hostile or too much.

use std::{fs, io::Write, path::Path};

use notation_sdk::{
    EnvelopeFormat, Payload, SignRequest, SignedAttributes,
    algorithm::{HashAlgorithm, KeySpec},
    limits,
    oci::{
        Descriptor, Digest, EMPTY_CONFIG, EMPTY_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest,
        SIGNATURE_MEDIA_TYPE, THUMBPRINT_ANNOTATION,
    },
    registry::{
        Content, Listing, Repository, RepositoryErrorKind, RepositoryFuture,
        layout::{ImageLayout, LayoutError},
    },
    revocation::Evidence,
    sign_envelope,
    testing::{TestPki, ready},
    trust::{OciPolicy, Statement, TrustAnchors},
    verify::{Accepted, AcceptedArtifact, Refusal, Revocation, Verifier, VerifyError},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::{UtcDateTime, macros::utc_datetime};

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
pub(crate) const TAG: &str = "v1";

/// An artifact in a layout, and whom its verifier trusts.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) layout: ImageLayout,
    pub(crate) artifact: Descriptor,
    pki: TestPki,
    anchors: TrustAnchors,
    evidence: Evidence,
    statement: Statement,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let layout = ImageLayout::open_or_create(folder.path()).unwrap();
        let layer = layout.push_blob("text/plain", b"content").unwrap();
        layout.push_blob(EMPTY_MEDIA_TYPE, EMPTY_CONFIG).unwrap();
        let artifact =
            layout.push_manifest(&Manifest::artifact("test/thing", layer), Some(TAG)).unwrap();
        let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
        let mut anchors = TrustAnchors::new();
        anchors.insert("ca:test".parse().unwrap(), pki.chain.root().clone());
        let policy = json!({"version": "1.0", "trustPolicies": [{
            "name": "test", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:test"], "trustedIdentities": ["*"],
        }]});
        let policy = OciPolicy::parse(policy.to_string().as_bytes()).unwrap().policy;
        let statement = policy.statements[0].statement.clone();
        let evidence = Evidence::new();
        Self { folder, layout, artifact, pki, anchors, evidence, statement }
    }

    fn envelope(&self, pki: &TestPki) -> Vec<u8> {
        let payload = Payload::new(self.artifact.clone()).to_json();
        let request = SignRequest::new(EnvelopeFormat::Jws, &payload, SignedAttributes::new(NOW));
        ready(sign_envelope(&pki.leaf_key, &pki.chain, &request)).unwrap()
    }

    fn manifest(&self, pki: &TestPki, envelope: &[u8]) -> Manifest {
        Manifest::signature(
            &self.artifact,
            EnvelopeFormat::Jws,
            envelope,
            &pki.chain,
            "2026-11-23T12:00:00Z",
        )
    }

    /// Signs, and gives the signature manifest's descriptor.
    fn sign_as(&self, pki: &TestPki) -> Descriptor {
        let envelope = self.envelope(pki);
        let manifest = self.manifest(pki, &envelope);
        ready(self.layout.push_signature(&manifest, &envelope)).unwrap()
    }

    pub(crate) fn sign(&self) -> Descriptor {
        self.sign_as(&self.pki)
    }

    fn verifier(&self) -> Verifier<'_> {
        Verifier::new(&self.statement, &self.anchors, Revocation::Offline(&self.evidence), NOW)
    }

    pub(crate) fn verify_in(
        &self,
        repository: &dyn Repository,
    ) -> Result<AcceptedArtifact, VerifyError> {
        ready(self.verifier().verify(repository, &self.artifact))
    }

    fn verify(&self) -> Result<AcceptedArtifact, VerifyError> {
        self.verify_in(&self.layout)
    }

    fn blob(&self, descriptor: &Descriptor) -> std::path::PathBuf {
        self.folder.path().join("blobs/sha256").join(descriptor.digest.hex())
    }

    /// The layout's files in a tar, in the order of their names, after `change` has its way with it.
    pub(crate) fn tar(&self, change: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        change(&mut tar);
        tar.append_dir_all(".", self.folder.path()).unwrap();
        tar.into_inner().unwrap()
    }
}

#[track_caller]
pub(crate) fn accepted(verified: Result<AcceptedArtifact, VerifyError>) -> AcceptedArtifact {
    let verified = verified.unwrap();
    assert!(matches!(verified.accepted, Accepted::Verified(_)), "{verified:?}");
    verified
}

/// An error and its causes.
pub(crate) fn text(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", text(source)),
        None => error.to_string(),
    }
}

fn refusals(error: &VerifyError) -> Vec<String> {
    match error {
        VerifyError::Rejected(tried) => tried.refused.iter().map(|r| text(&r.refusal)).collect(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn size_of(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap()
}

/// An entry with a header of one's own.
pub(crate) fn append(
    tar: &mut tar::Builder<Vec<u8>>,
    name: &[u8],
    kind: tar::EntryType,
    size: u64,
    data: &[u8],
) {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    let out = tar.get_mut();
    out.write_all(header.as_bytes()).unwrap();
    out.write_all(data).unwrap();
    out.write_all(&vec![0; data.len().next_multiple_of(512) - data.len()]).unwrap();
}

pub(crate) fn file(tar: &mut tar::Builder<Vec<u8>>, name: &str, data: &[u8]) {
    append(tar, name.as_bytes(), tar::EntryType::Regular, size_of(data), data);
}

/// Why a tar is refused, however it is read.
#[track_caller]
pub(crate) fn tar_refusal(
    scene: &Scene,
    change: impl FnOnce(&mut tar::Builder<Vec<u8>>),
) -> String {
    let bytes = scene.tar(change);
    let piped = ImageLayout::from_tar("stdin", bytes.as_slice()).unwrap_err();
    let path = scene.folder.path().with_extension("tar");
    fs::write(&path, bytes).unwrap();
    let opened = ImageLayout::open(&path).unwrap_err();
    fs::remove_file(&path).unwrap();
    assert_eq!(
        text(&piped).replace("stdin", ""),
        text(&opened).replace(&*path.to_string_lossy(), "")
    );
    text(&piped)
}

#[test]
fn folder_tar_and_pipe_give_the_same_verdict() {
    let scene = Scene::new();
    scene.sign();
    accepted(scene.verify());
    let bytes = scene.tar(|_| ());
    let piped = ImageLayout::from_tar("stdin", bytes.as_slice()).unwrap();
    assert_eq!(piped.resolve(TAG).unwrap(), scene.artifact);
    assert_eq!(piped.only_artifact().unwrap(), scene.artifact);
    accepted(scene.verify_in(&piped));
    let path = scene.folder.path().with_extension("tar");
    fs::write(&path, bytes).unwrap();
    let opened = ImageLayout::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    accepted(scene.verify_in(&opened));
    let error = ready(opened.push_signature(&scene.manifest(&scene.pki, b""), b"")).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::ReadOnly);
    assert!(error.to_string().contains("is a tar, and only image layouts in folders are written"));
}

#[test]
fn both_forms_of_signature_manifests_are_read() {
    let scene = Scene::new();
    let envelope = scene.envelope(&scene.pki);
    let manifest = scene.manifest(&scene.pki, &envelope).with_artifact_type();
    assert_eq!(manifest.config.media_type, EMPTY_MEDIA_TYPE);
    assert_eq!(manifest.artifact_type.as_deref(), Some(SIGNATURE_MEDIA_TYPE));
    ready(scene.layout.push_signature(&manifest, &envelope)).unwrap();
    accepted(scene.verify());
}

#[test]
fn a_tar_that_is_hostile_is_refused_with_the_entry() {
    let scene = Scene::new();
    scene.sign();
    let regular = tar::EntryType::Regular;
    type Change = Box<dyn FnOnce(&mut tar::Builder<Vec<u8>>)>;
    let cases: [(&str, Change); 12] = [
        ("\"/index.json\" is an absolute path", Box::new(|tar| file(tar, "/index.json", b"{}"))),
        (
            "\"blobs/../index.json\" is an absolute path, or leads out of the tar",
            Box::new(|tar| file(tar, "blobs/../index.json", b"{}")),
        ),
        (
            "\"blobs/sha256/00\" is neither a regular file nor a folder",
            Box::new(|tar| append(tar, b"blobs/sha256/00", tar::EntryType::Symlink, 0, b"")),
        ),
        (
            "\"index.json\" is neither a regular file nor a folder",
            Box::new(|tar| append(tar, b"index.json", tar::EntryType::Link, 0, b"")),
        ),
        ("\"index.json\" is there twice", Box::new(|tar| file(tar, "index.json", b"{}"))),
        ("\"index.json\" is there twice", Box::new(|tar| file(tar, "././index.json", b"{}"))),
        ("\"index.json\" is there twice", Box::new(|tar| file(tar, ".//index.json", b"{}"))),
        (
            "\"index.json/\" is neither a regular file nor a folder",
            Box::new(|tar| file(tar, "index.json/", b"{}")),
        ),
        (
            "extended header of 10737418240 bytes, over the limit of 65536 bytes",
            Box::new(|tar| append(tar, b"x", tar::EntryType::XHeader, 10 << 30, b"")),
        ),
        (
            "extended header of 10737418240 bytes",
            Box::new(|tar| append(tar, b"L", tar::EntryType::GNULongName, 10 << 30, b"")),
        ),
        (
            "has its size in an extended header",
            Box::new(|tar| {
                let record = b"20 size=99999999999\n";
                append(tar, b"x", tar::EntryType::XHeader, 20, record);
            }),
        ),
        (
            "tar entry \"index.json\" of 17825792 bytes is over the limit of 16777216 bytes",
            Box::new(move |tar| {
                append(tar, b"index.json", regular, 17 << 20, &vec![b' '; 17 << 20]);
            }),
        ),
    ];
    for (expected, change) in cases {
        let told = match expected {
            // The layout's own index would be the second of that name.
            _ if expected.contains("over the limit of 16777216") => {
                fs::remove_file(scene.folder.path().join("index.json")).unwrap();
                let layout = ImageLayout::from_tar("stdin", scene.tar(change).as_slice()).unwrap();
                text(&layout.resolve(TAG).unwrap_err())
            }
            _ => tar_refusal(&scene, change),
        };
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn what_is_listed_many_times_is_read_once() {
    let scene = Scene::new();
    let signature = scene.sign();
    let path = scene.folder.path().join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let again = json!({
        "mediaType": MANIFEST_MEDIA_TYPE, "digest": signature.digest, "size": signature.size,
    });
    let listed = index["manifests"].as_array_mut().unwrap();
    listed.extend(std::iter::repeat_n(again, 1000));
    fs::write(&path, index.to_string()).unwrap();
    let found = scene.layout.list_signatures(&scene.artifact).unwrap();
    assert_eq!((found.signatures.len(), found.unreadable.len()), (1, 0));
    accepted(scene.verify());
}

#[test]
fn an_index_with_two_readings_is_refused() {
    let scene = Scene::new();
    scene.sign();
    let path = scene.folder.path().join("index.json");
    let good = fs::read_to_string(&path).unwrap();
    for (from, to, member) in [
        ("{\"schemaVersion\"", "{\"Manifests\":[],\"schemaVersion\"", "Manifests"),
        ("{\"schemaVersion\"", "{\"manife\u{17f}ts\":[],\"schemaVersion\"", "manife\u{17f}ts"),
        ("\"digest\":", "\"DIGEST\":\"x\",\"digest\":", "DIGEST"),
    ] {
        assert!(good.contains(from), "{good}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let told = text(&scene.layout.resolve(TAG).unwrap_err());
        let expected = format!("member \"{member}\" differs from a known one in case only");
        assert!(told.contains(&expected), "{told}");
    }
}

#[test]
fn a_pipe_in_place_of_a_file_is_not_waited_for() {
    let scene = Scene::new();
    let path = scene.folder.path().join("index.json");
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let told = text(&scene.layout.resolve(TAG).unwrap_err());
    assert!(told.contains("is not a regular file"), "{told}");
}

#[test]
fn a_tar_that_ends_early_holds_no_more_than_it_shows() {
    let scene = Scene::new();
    scene.sign();
    let bytes = scene.tar(|_| ());
    let mut verified = 0;
    for end in (0..bytes.len()).step_by(97) {
        let Ok(layout) = ImageLayout::from_tar("stdin", &bytes[..end]) else { continue };
        let Ok(artifact) = layout.resolve(TAG) else { continue };
        assert_eq!(artifact, scene.artifact);
        verified += usize::from(scene.verify_in(&layout).is_ok());
    }
    assert!(verified > 0, "the whole tar, less its padding, is enough");
    let entry = |tar: &mut tar::Builder<Vec<u8>>| {
        append(tar, b"blobs/sha256/00", tar::EntryType::Regular, 10 << 30, b"short");
    };
    let bytes = scene.tar(entry);
    let piped = text(&ImageLayout::from_tar("stdin", bytes.as_slice()).unwrap_err());
    assert!(piped.contains("unexpected EOF"), "{piped}");
    let path = scene.folder.path().with_extension("tar");
    fs::write(&path, bytes).unwrap();
    let opened = text(&ImageLayout::open(&path).unwrap_err());
    fs::remove_file(&path).unwrap();
    assert!(opened.contains("\"blobs/sha256/00\" has"), "{opened}");
    assert!(opened.ends_with("and its header says 10737418240"), "{opened}");
}

#[test]
fn long_names_are_read_in_both_their_forms() {
    let scene = Scene::new();
    scene.sign();
    let name = format!("blobs/sha512/{}", "0".repeat(128));
    let pax = format!("{} path={name}\n", name.len() + 10);
    let bytes = scene.tar(|tar| {
        append(tar, b"x", tar::EntryType::XHeader, size_of(pax.as_bytes()), pax.as_bytes());
        file(tar, "cut", b"one");
    });
    accepted(scene.verify_in(&ImageLayout::from_tar("stdin", bytes.as_slice()).unwrap()));
    let twice = tar_refusal(&scene, |tar| {
        append(tar, b"x", tar::EntryType::XHeader, size_of(pax.as_bytes()), pax.as_bytes());
        file(tar, "cut", b"one");
        let long = name.as_bytes();
        append(tar, b"L", tar::EntryType::GNULongName, size_of(long), long);
        file(tar, "other", b"two");
    });
    assert!(twice.contains(&format!("{name:?} is there twice")), "{twice}");
}

#[test]
fn a_broken_signature_is_told_and_hides_no_good_one() {
    type Break = fn(&Scene, &Descriptor);
    let envelope_of = |scene: &Scene, listed: &Descriptor| -> Descriptor {
        let manifest: Manifest =
            serde_json::from_slice(&scene.layout.read(listed).unwrap()).unwrap();
        manifest.layers[0].clone()
    };
    let cases: [(&str, Break); 5] = [
        ("is missing in", |scene, blob| fs::remove_file(scene.blob(blob)).unwrap()),
        ("has 1 bytes, and its descriptor says", |scene, blob| {
            fs::write(scene.blob(blob), b"{").unwrap();
        }),
        ("does not have that digest", |scene, blob| {
            let size = usize::try_from(blob.size).unwrap();
            fs::write(scene.blob(blob), vec![b' '; size]).unwrap();
        }),
        ("is over the limit of 4194304 bytes", |scene, blob| {
            fs::write(scene.blob(blob), vec![b' '; limits::MANIFEST_BYTES + 1]).unwrap();
        }),
        ("is not a regular file", |scene, blob| {
            fs::remove_file(scene.blob(blob)).unwrap();
            fs::create_dir(scene.blob(blob)).unwrap();
        }),
    ];
    for (expected, breaks) in cases {
        let scene = Scene::new();
        let broken = scene.sign();
        breaks(&scene, &envelope_of(&scene, &broken));
        let error = scene.verify().unwrap_err();
        let told = refusals(&error);
        assert!(told[0].contains(expected) || told[0].contains("cannot be read"), "{told:?}");
        if expected != "is not a regular file" {
            assert!(told[0].contains(expected), "{told:?}");
        }
        let good = scene.sign_later();
        let verified = accepted(scene.verify());
        assert_eq!(verified.signature.unwrap().manifest, good.digest);
        assert_eq!(verified.tried.refused.len(), 1);
    }
}

impl Scene {
    /// Signs again, into a manifest of another digest.
    fn sign_later(&self) -> Descriptor {
        let envelope = self.envelope(&self.pki);
        let mut manifest = self.manifest(&self.pki, &envelope);
        manifest.annotations.insert("later".to_owned(), "yes".to_owned());
        ready(self.layout.push_signature(&manifest, &envelope)).unwrap()
    }
}

#[test]
fn a_manifest_that_cannot_be_read_is_told_and_may_be_a_signature() {
    let scene = Scene::new();
    let signature = scene.sign();
    fs::write(scene.blob(&signature), b"{}").unwrap();
    let VerifyError::Rejected(tried) = scene.verify().unwrap_err() else { panic!("unsigned") };
    assert!(tried.refused.is_empty());
    assert_eq!(tried.unreadable[0].digest.as_deref(), Some(signature.digest.as_str()));
    assert!(tried.unreadable[0].error.to_string().contains("has 2 bytes, and its descriptor says"));
    scene.sign_later();
    accepted(scene.verify());
}

#[test]
fn what_is_no_signature_of_the_artifact_hinders_nobody_from_calling_it_unsigned() {
    let scene = Scene::new();
    let path = scene.folder.path().join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // Go writes null for what is not there.
    let config = json!({"mediaType": "x", "digest": scene.artifact.digest, "size": 2});
    let image = json!({"schemaVersion": 2, "config": config, "layers": null, "annotations": null});
    let image = image.to_string();
    let listed = Descriptor::new(
        MANIFEST_MEDIA_TYPE,
        Digest::of(HashAlgorithm::Sha256, image.as_bytes()),
        image.len().try_into().unwrap(),
    );
    fs::write(scene.blob(&listed), image).unwrap();
    index["manifests"].as_array_mut().unwrap().push(serde_json::to_value(&listed).unwrap());
    fs::write(&path, index.to_string()).unwrap();
    // Nor is the artifact a signature of itself.
    fs::write(scene.blob(&scene.artifact), b"{}").unwrap();
    let VerifyError::Unsigned(tried) = scene.verify().unwrap_err() else { panic!("rejected") };
    assert!(tried.unreadable.is_empty(), "{:?}", tried.unreadable);

    fs::write(&path, r#"{"schemaVersion": 2, "manifests": null}"#).unwrap();
    assert!(matches!(scene.verify(), Err(VerifyError::Unsigned(_))));
}

#[test]
fn an_envelope_that_many_manifests_name_is_tried_once_and_another_size_is_another() {
    let scene = Scene::new();
    let stranger = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let envelope = scene.envelope(&stranger);
    for n in 0..20 {
        let mut manifest = scene.manifest(&scene.pki, &envelope);
        manifest.annotations.insert("n".to_owned(), n.to_string());
        ready(scene.layout.push_signature(&manifest, &envelope)).unwrap();
    }
    // A manifest that gives the good envelope a wrong size comes before it, and does not stand for it.
    let good = scene.envelope(&scene.pki);
    let mut manifest = scene.manifest(&scene.pki, &good);
    manifest.layers[0].size += 1;
    ready(scene.layout.push_signature(&manifest, &good)).unwrap();
    let verify = || {
        let mut verifier = scene.verifier();
        verifier.max_signatures = 3;
        ready(verifier.verify(&scene.layout, &scene.artifact))
    };
    let VerifyError::Rejected(tried) = verify().unwrap_err() else { panic!("unsigned") };
    assert_eq!((tried.refused.len(), tried.untried), (2, 0));
    scene.sign();
    assert_eq!(accepted(verify()).tried.refused.len(), 2);
}

#[test]
fn an_entry_that_is_no_descriptor_is_told_and_hides_nothing() {
    let scene = Scene::new();
    let signature = scene.sign();
    let path = scene.folder.path().join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let blake = format!("blake3:{}", "0".repeat(64));
    let odd = [
        (
            json!({"mediaType": "x", "digest": blake, "size": 1}),
            blake.as_str(),
            "\"blake3\" is none of",
        ),
        (
            json!({"mediaType": "x", "digest": signature.digest}),
            signature.digest.as_str(),
            "`size`",
        ),
        (json!([]), "number 5 in the index", "invalid type: sequence"),
    ];
    let listed = index["manifests"].as_array_mut().unwrap();
    listed[0]["annotations"]["other"] = json!("kept");
    listed[1]["annotations"] = Value::Null;
    listed.extend(odd.iter().map(|(entry, ..)| entry.clone()));
    fs::write(&path, index.to_string()).unwrap();

    assert_eq!(scene.layout.resolve(TAG).unwrap(), scene.artifact);
    accepted(scene.verify());
    let listing = scene.layout.list_signatures(&scene.artifact).unwrap();
    assert_eq!(listing.signatures.len(), 1);
    for (unreadable, (_, digest, told)) in listing.unreadable.iter().zip(&odd) {
        assert_eq!(unreadable.digest.as_deref(), Some(*digest));
        assert!(text(&unreadable.error).contains(told), "{}", text(&unreadable.error));
    }
    assert_eq!(listing.unreadable.len(), odd.len());
    let error = scene.layout.only_artifact().unwrap_err();
    assert!(error.to_string().contains("holds 4 artifacts"), "{error}");

    scene.sign_later();
    let written: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (i, entry) in index["manifests"].as_array().unwrap().iter().enumerate() {
        assert_eq!(written["manifests"][i], *entry, "what is not known is kept");
    }
}

#[test]
fn a_tag_that_another_reader_may_find_elsewhere_is_not_guessed_at() {
    let scene = Scene::new();
    let path = scene.folder.path().join("index.json");
    let good: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let blake = format!("blake3:{}", "0".repeat(64));
    for odd in [
        json!({"digest": blake, "annotations": {"org.opencontainers.image.ref.name": TAG}})
            .to_string(),
        json!({"digest": blake, "Annotations": {"org.opencontainers.image.ref.name": TAG}})
            .to_string(),
        r#"{"annotations": {}, "annotations": {"x": "v2"}}"#.to_owned(),
    ] {
        let mut index = good.to_string();
        let end = index.rfind(']').unwrap();
        index.insert_str(end, &format!(",{odd}"));
        fs::write(&path, index).unwrap();
        let error = scene.layout.resolve(TAG).unwrap_err();
        assert!(matches!(error, LayoutError::Ambiguous { count: 2, .. }), "{odd}: {error:?}");
    }
}

/// A repository that lists what it should not.
#[derive(Debug)]
struct Liar<'a> {
    layout: &'a ImageLayout,
    lists: Vec<Descriptor>,
}

impl Repository for Liar<'_> {
    fn resolve<'a>(&'a self, reference: &'a str) -> RepositoryFuture<'a, Descriptor> {
        Repository::resolve(self.layout, reference)
    }

    fn read<'a>(
        &'a self,
        descriptor: &'a Descriptor,
        content: Content,
    ) -> RepositoryFuture<'a, Vec<u8>> {
        Repository::read(self.layout, descriptor, content)
    }

    fn signatures<'a>(&'a self, _subject: &'a Descriptor) -> RepositoryFuture<'a, Listing> {
        let mut listing = Listing::default();
        listing.signatures.clone_from(&self.lists);
        Box::pin(std::future::ready(Ok(listing)))
    }

    fn push_signature<'a>(
        &'a self,
        manifest: &'a Manifest,
        envelope: &'a [u8],
    ) -> RepositoryFuture<'a, Descriptor> {
        self.layout.push_signature(manifest, envelope)
    }
}

#[test]
fn what_is_listed_and_is_about_something_else_is_refused() {
    let scene = Scene::new();
    let good = scene.sign();
    let mut other = Scene::new();
    other.layout = scene.layout.clone();
    other.artifact = scene.layout.push_blob(MANIFEST_MEDIA_TYPE, b"{}").unwrap();
    let elsewhere = other.sign();
    let no_signature = scene.artifact.clone();
    let lists = vec![elsewhere, no_signature];
    let error = scene.verify_in(&Liar { layout: &scene.layout, lists: lists.clone() }).unwrap_err();
    let told = refusals(&error);
    let expected = format!(
        "listed as a signature of {}, and is one of {}",
        scene.artifact.digest, other.artifact.digest
    );
    assert!(told[0].contains(&expected), "{told:?}");
    assert!(told[1].contains("and is no signature"), "{told:?}");
    let with_good = Liar { layout: &scene.layout, lists: [lists, vec![good]].concat() };
    accepted(scene.verify_in(&with_good));

    // A signature of another artifact, under a manifest that says it is of this one.
    let envelope = other.envelope(&scene.pki);
    let manifest = scene.manifest(&scene.pki, &envelope);
    let lie = ready(scene.layout.push_signature(&manifest, &envelope)).unwrap();
    let error = scene.verify_in(&Liar { layout: &scene.layout, lists: vec![lie] }).unwrap_err();
    let VerifyError::Rejected(tried) = error else { panic!("{error:?}") };
    assert!(matches!(tried.refused[0].refusal, Refusal::Rejected(_)));
    assert!(text(&tried.refused[0].refusal).contains("signature is about sha256:"));
}

#[test]
fn a_flood_of_ten_thousand_signatures_hides_no_good_one_and_is_cut() {
    let scene = Scene::new();
    let stranger = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let envelope = scene.envelope(&stranger);
    let mut manifest = scene.manifest(&stranger, &envelope);
    scene.layout.push_blob("application/jose+json", &envelope).unwrap();
    let mut index: Value =
        serde_json::from_slice(&fs::read(scene.folder.path().join("index.json")).unwrap()).unwrap();
    for i in 0..10_000 {
        manifest.annotations.insert("n".to_owned(), i.to_string());
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let blob = Descriptor::new(
            MANIFEST_MEDIA_TYPE,
            Digest::of(HashAlgorithm::Sha256, &bytes),
            size_of(&bytes),
        );
        fs::write(scene.blob(&blob), bytes).unwrap();
        index["manifests"].as_array_mut().unwrap().push(serde_json::to_value(blob).unwrap());
    }
    fs::write(scene.folder.path().join("index.json"), index.to_string()).unwrap();
    let VerifyError::Rejected(tried) = scene.verify().unwrap_err() else { panic!("unsigned") };
    let read = limits::SIGNATURES * limits::REPEATED_SIGNATURES;
    assert_eq!((tried.refused.len(), tried.untried), (1, 10_000 - read), "one envelope in all");

    let good = scene.sign();
    let verified = accepted(scene.verify());
    assert_eq!(verified.signature.unwrap().manifest, good.digest);
    assert!(
        verified.tried.refused.is_empty(),
        "the one that names a trusted certificate comes first"
    );
}

#[test]
fn thumbprints_order_the_tries_and_decide_nothing() {
    let scene = Scene::new();
    let envelope = scene.envelope(&scene.pki);
    let stranger = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    for annotation in [Some("[]"), Some("not JSON"), Some("[\"00\"]"), None, Some("theirs")] {
        let mut manifest = scene.manifest(&stranger, &envelope);
        match annotation {
            Some("theirs") => {}
            Some(text) => {
                manifest.annotations.insert(THUMBPRINT_ANNOTATION.to_owned(), text.to_owned());
            }
            None => drop(manifest.annotations.remove(THUMBPRINT_ANNOTATION)),
        }
        let lie = ready(scene.layout.push_signature(&manifest, &envelope)).unwrap();
        accepted(scene.verify_in(&Liar { layout: &scene.layout, lists: vec![lie] }));
    }
}

#[test]
fn a_digest_is_found_in_an_index_within_the_index() {
    let scene = Scene::new();
    let inner = json!({"schemaVersion": 2, "manifests": [scene.artifact]});
    let index_type = "application/vnd.oci.image.index.v1+json";
    let inner = scene.layout.push_blob(index_type, inner.to_string().as_bytes()).unwrap();
    let index = json!({"schemaVersion": 2, "x": 1, "manifests": [
        {"mediaType": index_type, "digest": inner.digest, "size": inner.size,
         "platform": {"os": "linux", "architecture": "arm64"},
         "annotations": {"org.opencontainers.image.ref.name": "multi"}},
    ]});
    let path = scene.folder.path().join("index.json");
    fs::write(&path, index.to_string()).unwrap();
    assert_eq!(scene.layout.resolve(scene.artifact.digest.as_str()).unwrap(), scene.artifact);
    assert_eq!(scene.layout.resolve("multi").unwrap().digest, inner.digest);
    assert!(matches!(scene.layout.resolve("v1"), Err(LayoutError::NotFound { .. })));
    scene.sign();
    accepted(scene.verify());
    let written: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(written["manifests"][0], index["manifests"][0], "what is not known is kept");
    assert_eq!(written["x"], 1);
    assert_eq!(scene.layout.only_artifact().unwrap().digest, inner.digest);
}

#[test]
fn a_tag_that_looks_like_a_digest_stands_for_none() {
    let scene = Scene::new();
    let other = Descriptor::new(MANIFEST_MEDIA_TYPE, scene.artifact.digest.clone(), 2);
    for tag in [other.digest.as_str().to_uppercase(), other.digest.as_str()[..15].to_owned()] {
        scene.layout.list_manifest(&scene.artifact, Some(&tag)).unwrap();
        let error = scene.layout.resolve(&tag).unwrap_err();
        assert!(matches!(error, LayoutError::NotADigest(_)), "{error:?}");
    }
}

#[test]
fn a_tag_of_two_manifests_and_a_layout_of_two_artifacts_are_not_guessed_at() {
    let scene = Scene::new();
    let layer = scene.layout.push_blob("text/plain", b"other").unwrap();
    let other = scene.layout.push_manifest(&Manifest::artifact("t/t", layer), None).unwrap();
    let error = scene.layout.only_artifact().unwrap_err();
    assert!(error.to_string().ends_with("holds 2 artifacts, and none of them is named"), "{error}");
    let path = scene.folder.path().join("index.json");
    let index = fs::read_to_string(&path).unwrap();
    let digest = other.digest.as_str();
    let tagged = format!(
        r#""digest":"{digest}","size":{},"annotations":{{"org.opencontainers.image.ref.name":"v1"}}"#,
        other.size
    );
    let twice = index.replace(&format!(r#""digest":"{digest}","size":{}"#, other.size), &tagged);
    assert_ne!(index, twice);
    fs::write(&path, twice).unwrap();
    let error = scene.layout.resolve(TAG).unwrap_err();
    assert!(error.to_string().starts_with("tag \"v1\" stands for 2 manifests"), "{error}");
}

#[test]
fn a_manifest_keeps_its_tags_and_a_tag_moves() {
    let scene = Scene::new();
    let layer = scene.layout.push_blob("text/plain", b"content").unwrap();
    let manifest = Manifest::artifact("test/thing", layer);
    let again = scene.layout.push_manifest(&manifest, None).unwrap();
    assert_eq!(again, scene.artifact);
    assert_eq!(scene.layout.resolve(TAG).unwrap(), scene.artifact);
    scene.layout.push_manifest(&manifest, Some("v2")).unwrap();
    assert_eq!(scene.layout.resolve(TAG).unwrap(), scene.layout.resolve("v2").unwrap());
    let layer = scene.layout.push_blob("text/plain", b"new").unwrap();
    let moved = scene.layout.push_manifest(&Manifest::artifact("t/t", layer), Some(TAG)).unwrap();
    assert_eq!(scene.layout.resolve(TAG).unwrap(), moved);
    assert_eq!(scene.layout.resolve("v2").unwrap(), scene.artifact);
}

#[test]
fn two_writers_at_once_lose_no_signature() {
    let scene = Scene::new();
    let root: &Path = scene.folder.path();
    std::thread::scope(|threads| {
        for writer in 0..4 {
            let (scene, root) = (&scene, root);
            threads.spawn(move || {
                let layout = ImageLayout::open(root).unwrap();
                let envelope = scene.envelope(&scene.pki);
                for n in 0..10 {
                    let mut manifest = scene.manifest(&scene.pki, &envelope);
                    manifest.annotations.insert("n".to_owned(), format!("{writer}.{n}"));
                    ready(layout.push_signature(&manifest, &envelope)).unwrap();
                }
            });
        }
    });
    assert_eq!(scene.layout.list_signatures(&scene.artifact).unwrap().signatures.len(), 40);
}
