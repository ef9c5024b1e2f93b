//! Real registries, with the referrers API and without it: what is written is read back, by others too.

use std::{
    fs, io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use notation_sdk::{
    EnvelopeFormat, Payload, SignRequest, SignedAttributes,
    algorithm::KeySpec,
    http::Credential,
    keys::file::FileKey,
    oci::{
        CREATED_ANNOTATION, Descriptor, EMPTY_CONFIG, INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE,
        Manifest, SIGNATURE_MEDIA_TYPE, THUMBPRINT_ANNOTATION,
    },
    registry::{
        Content, Listing, Repository, RepositoryErrorKind, RepositoryFuture,
        remote::{RemoteOptions, RemoteRegistry, RemoteRepository},
    },
    revocation::Evidence,
    sign_envelope,
    testing::{TestPki, ready},
    trust::{OciPolicy, TrustAnchors},
    verify::{Accepted, Revocation, Verifier},
    x509::{CertificateChain, parse_bundle},
};
use serde_json::{Value, json};
use time::{Duration, UtcDateTime, macros::utc_datetime};
use zeroize::Zeroizing;

use crate::support::{
    fake_http::{Answer, FakeHttp},
    http,
    notation::{Artifact, Notation},
    openssl::{Authority, Openssl},
    quickstart::Quickstart,
    registry::{ReferrersRegistry, Registry},
};

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn insecure() -> RemoteOptions {
    let mut options = RemoteOptions::default();
    options.insecure = true;
    options
}

fn repository_with(host: &str, options: RemoteOptions) -> RemoteRepository {
    RemoteRepository::new(&format!("{host}/team/app").parse().unwrap(), options).unwrap()
}

fn repository(host: &str) -> RemoteRepository {
    repository_with(host, insecure())
}

/// Stores an artifact at the tag `v1`.
async fn push_artifact(repository: &RemoteRepository, content: &[u8]) -> Descriptor {
    let digest = repository.push_blob(content).await.unwrap();
    repository.push_blob(EMPTY_CONFIG).await.unwrap();
    let layer = Descriptor::new("text/plain", digest, content.len().try_into().unwrap());
    let manifest = serde_json::to_vec(&Manifest::artifact("test/thing", layer)).unwrap();
    repository.push_manifest(MANIFEST_MEDIA_TYPE, &manifest, Some("v1")).await.unwrap()
}

fn signature(pki: &TestPki, artifact: &Descriptor, format: EnvelopeFormat) -> (Manifest, Vec<u8>) {
    signature_at(&pki.leaf_key, &pki.chain, artifact, format, NOW)
}

fn signature_at(
    key: &FileKey,
    chain: &CertificateChain,
    artifact: &Descriptor,
    format: EnvelopeFormat,
    at: UtcDateTime,
) -> (Manifest, Vec<u8>) {
    let payload = Payload::new(artifact.clone()).to_json();
    let request = SignRequest::new(format, &payload, SignedAttributes::new(at));
    let envelope = ready(sign_envelope(key, chain, &request)).unwrap();
    let created = "2026-11-23T12:00:00Z";
    (Manifest::signature(artifact, format, &envelope, chain, created), envelope)
}

/// The bytes at a path of the registry, as anybody gets them.
fn get(port: u16, path: &str) -> Option<Value> {
    let accept = [("Accept", INDEX_MEDIA_TYPE)];
    let answer = http::request(port, "GET", &format!("/v2/team/app/{path}"), &accept, b"").unwrap();
    (answer.status == 200).then(|| serde_json::from_slice(&answer.body).unwrap())
}

fn tagged_index(port: u16, artifact: &Descriptor) -> Option<Value> {
    get(port, &format!("manifests/sha256-{}", artifact.digest.hex()))
}

/// Signs in every form and format, and verifies what was written by reading it back.
fn sign_and_verify(host: &str, options: impl Fn() -> RemoteOptions) -> Descriptor {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let repository = repository_with(host, options());
    wait(async {
        let artifact = push_artifact(&repository, b"content").await;
        for reference in ["v1", artifact.digest.as_str()] {
            assert_eq!(repository.resolve(reference).await.unwrap(), artifact);
        }
        assert!(repository.signatures(&artifact).await.unwrap().signatures.is_empty());

        let mut written = Vec::new();
        for format in [EnvelopeFormat::Jws, EnvelopeFormat::Cose] {
            let (manifest, envelope) = signature(&pki, &artifact, format);
            for manifest in [manifest.clone(), manifest.with_artifact_type()] {
                let pushed = repository.push_signature(&manifest, &envelope).await.unwrap();
                let bytes = repository.read(&pushed, Content::Manifest).await.unwrap();
                assert_eq!(serde_json::from_slice::<Manifest>(&bytes).unwrap(), manifest);
                let layer = &manifest.layers[0];
                assert_eq!(repository.read(layer, Content::Blob).await.unwrap(), envelope);
                written.push((pushed, manifest.annotations));
            }
        }
        let mut listed = repository.signatures(&artifact).await.unwrap().signatures;
        assert_eq!(listed.len(), 4);
        for (pushed, annotations) in written {
            let at = listed.iter().position(|listed| listed.digest == pushed.digest).unwrap();
            let listed = listed.swap_remove(at);
            assert_eq!((listed.size, &listed.annotations), (pushed.size, &annotations));
            assert_eq!(listed.artifact_type.as_deref(), Some(SIGNATURE_MEDIA_TYPE));

            verify(&repository, &artifact, listed, &pki.chain, NOW).await;
        }
        artifact
    })
}

/// Holds one of the signatures of an artifact against a policy that trusts the chain's root.
async fn verify(
    repository: &RemoteRepository,
    artifact: &Descriptor,
    listed: Descriptor,
    chain: &CertificateChain,
    at: UtcDateTime,
) {
    let mut anchors = TrustAnchors::new();
    anchors.insert("ca:test".parse().unwrap(), chain.root().clone());
    let policy = json!({"version": "1.0", "trustPolicies": [{
        "name": "test", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:test"], "trustedIdentities": ["*"],
    }]});
    let policy = OciPolicy::parse(policy.to_string().as_bytes()).unwrap().policy;
    let evidence = Evidence::new();
    let offline = Revocation::Offline(&evidence);
    let verifier = Verifier::new(&policy.statements[0].statement, &anchors, offline, at);
    let verified = verifier.verify(&One { repository, listed }, artifact).await.unwrap();
    assert!(matches!(verified.accepted, Accepted::Verified(_)), "{verified:?}");
}

/// A repository that lists one of its signatures.
#[derive(Debug)]
struct One<'a> {
    repository: &'a RemoteRepository,
    listed: Descriptor,
}

impl Repository for One<'_> {
    fn resolve<'a>(&'a self, reference: &'a str) -> RepositoryFuture<'a, Descriptor> {
        self.repository.resolve(reference)
    }

    fn read<'a>(
        &'a self,
        descriptor: &'a Descriptor,
        content: Content,
    ) -> RepositoryFuture<'a, Vec<u8>> {
        self.repository.read(descriptor, content)
    }

    fn signatures<'a>(&'a self, _subject: &'a Descriptor) -> RepositoryFuture<'a, Listing> {
        let mut listing = Listing::default();
        listing.signatures.push(self.listed.clone());
        Box::pin(async { Ok(listing) })
    }

    fn push_signature<'a>(
        &'a self,
        manifest: &'a Manifest,
        envelope: &'a [u8],
    ) -> RepositoryFuture<'a, Descriptor> {
        self.repository.push_signature(manifest, envelope)
    }
}

#[test]
fn signatures_are_listed_by_a_registry_with_the_referrers_api() {
    let registry = ReferrersRegistry::start();
    let artifact = sign_and_verify(&registry.host(), insecure);
    assert_eq!(tagged_index(registry.port(), &artifact), None);
    let listed = get(registry.port(), &format!("referrers/{}", artifact.digest)).unwrap();
    assert_eq!(listed["manifests"].as_array().unwrap().len(), 4);
}

#[test]
fn the_referrers_tag_is_written_too_where_it_is_asked_for() {
    let registry = ReferrersRegistry::start();
    let options = || {
        let mut options = insecure();
        options.force_referrers_tag = true;
        options
    };
    let artifact = sign_and_verify(&registry.host(), options);
    let index = tagged_index(registry.port(), &artifact).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 4);
}

#[test]
fn signatures_are_listed_at_the_referrers_tag_of_a_registry_without_that() {
    let Some(registry) = Registry::or_skip() else { return };
    let artifact = sign_and_verify(&registry.host(), insecure);
    let index = tagged_index(registry.port(), &artifact).unwrap();
    assert_eq!(index["mediaType"], INDEX_MEDIA_TYPE);
    for listed in index["manifests"].as_array().unwrap() {
        assert_eq!(listed["artifactType"], SIGNATURE_MEDIA_TYPE);
        assert!(listed["annotations"][THUMBPRINT_ANNOTATION].is_string());
        assert_eq!(listed["annotations"][CREATED_ANNOTATION], "2026-11-23T12:00:00Z");
    }
}

#[test]
fn notation_and_we_read_what_the_other_writes_and_list_it_together() {
    let (Some(notation), Some(openssl)) = (Notation::or_skip(), Openssl::or_skip()) else { return };
    let Some(without_api) = Registry::or_skip() else { return };
    let with_api = ReferrersRegistry::start();
    let authority = Authority::new(&openssl);
    notation.trust(&authority.root());
    let key_file = openssl.create_key("release", KeySpec::Ec256);
    let chain_file = authority.issue(&openssl.request("release", "release"));
    notation.add_local_key("release", &key_file, &chain_file);
    let key = FileKey::from_pem_file(&key_file).unwrap();
    let bundle = parse_bundle(&fs::read(chain_file).unwrap()).unwrap();
    let chain = CertificateChain::from_ordered(bundle).unwrap();
    let now = UtcDateTime::now();

    for host in [without_api.host(), with_api.host()] {
        let repository = repository(&host);
        for (format, name) in [(EnvelopeFormat::Jws, "jws"), (EnvelopeFormat::Cose, "cose")] {
            let artifact = wait(push_artifact(&repository, name.as_bytes()));
            let reference = format!("{}@{}", repository.name(), artifact.digest);
            let (manifest, envelope) = signature_at(&key, &chain, &artifact, format, now);
            let ours = wait(repository.push_signature(&manifest, &envelope)).unwrap();
            notation.verify(Artifact::Registry(&reference), &[]).expect_status(0);

            let words = ["--key", "release", "--signature-format", name];
            notation.sign(Artifact::Registry(&reference), &words).expect_status(0);
            let listed = wait(repository.signatures(&artifact)).unwrap().signatures;
            assert_eq!(listed.len(), 2);
            assert!(listed.iter().any(|listed| listed.digest == ours.digest));
            for listed in listed {
                assert!(listed.annotations.contains_key(THUMBPRINT_ANNOTATION));
                // Its signing time may be a second ahead.
                let later = now + Duration::minutes(1);
                wait(verify(&repository, &artifact, listed, &chain, later));
            }
        }
    }
}

#[test]
fn what_is_listed_already_stays_once_with_what_others_list() {
    let Some(registry) = Registry::or_skip() else { return };
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let repository = repository(&registry.host());
    wait(async {
        let artifact = push_artifact(&repository, b"content").await;
        // An SBOM, listed by somebody who says more than we know of.
        let digest = repository.push_blob(b"sbom").await.unwrap();
        let mut sbom = Manifest::artifact("test/sbom", Descriptor::new("text/plain", digest, 4));
        sbom.annotations.insert("test".to_owned(), "other".to_owned());
        let sbom = serde_json::to_vec(&sbom).unwrap();
        let sbom = repository.push_manifest(MANIFEST_MEDIA_TYPE, &sbom, None).await.unwrap();
        let entry = json!({ "mediaType": sbom.media_type, "digest": sbom.digest, "size": sbom.size,
            "artifactType": "test/sbom", "platform": {"os": "any", "architecture": "any"} });
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": [entry],
            "annotations": {"kept": "yes"} });
        let tag = format!("sha256-{}", artifact.digest.hex());
        let index = index.to_string();
        repository.push_manifest(INDEX_MEDIA_TYPE, index.as_bytes(), Some(&tag)).await.unwrap();

        let (manifest, envelope) = signature(&pki, &artifact, EnvelopeFormat::Jws);
        let pushed = repository.push_signature(&manifest, &envelope).await.unwrap();
        assert_eq!(repository.push_signature(&manifest, &envelope).await.unwrap(), pushed);
        let index = tagged_index(registry.port(), &artifact).unwrap();
        assert_eq!(index["manifests"][0], entry);
        assert_eq!(index["manifests"][1]["digest"], pushed.digest.as_str());
        assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
        assert_eq!(index["annotations"]["kept"], "yes");
        assert_eq!(repository.signatures(&artifact).await.unwrap().signatures.len(), 1);
    });
}

#[test]
fn writers_of_one_index_at_the_same_time_lose_nothing() {
    const WRITERS: usize = 6;
    let Some(registry) = Registry::or_skip() else { return };
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let artifact = wait(push_artifact(&repository(&registry.host()), b"content"));
    let start = Barrier::new(WRITERS);
    let write = || {
        let (manifest, envelope) = signature(&pki, &artifact, EnvelopeFormat::Jws);
        // Connections of its own, as another process has them.
        let repository = repository(&registry.host());
        start.wait();
        wait(repository.push_signature(&manifest, &envelope)).unwrap()
    };
    let pushed: Vec<Descriptor> = thread::scope(|scope| {
        #[expect(
            clippy::needless_collect,
            reason = "all are to be started before one is waited for"
        )]
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let listed = wait(repository(&registry.host()).signatures(&artifact)).unwrap().signatures;
    assert_eq!(listed.len(), WRITERS);
    for pushed in pushed {
        assert!(listed.iter().any(|listed| listed.digest == pushed.digest), "{pushed:?}");
    }
}

#[test]
fn a_tag_that_moves_leaves_what_was_resolved() {
    let registry = ReferrersRegistry::start();
    let repository = repository(&registry.host());
    wait(async {
        let first = push_artifact(&repository, b"first").await;
        let resolved = repository.resolve("v1").await.unwrap();
        let second = push_artifact(&repository, b"second").await;
        assert_ne!(first.digest, second.digest);
        let bytes = repository.read(&resolved, Content::Manifest).await.unwrap();
        assert!(first.digest.matches(&bytes));
    });
}

#[test]
fn what_is_not_there_is_told_with_the_registrys_own_words() {
    let Some(registry) = Registry::or_skip() else { return };
    let repository = repository(&registry.host());
    let name = repository.name();
    let missing = wait(repository.resolve("v1")).unwrap_err();
    assert_eq!(missing.kind(), RepositoryErrorKind::NotFound);
    assert_eq!(
        missing.to_string(),
        format!(
            "manifest v1 is not in {name}: HTTP status 404: MANIFEST_UNKNOWN: manifest unknown"
        )
    );
    let artifact = wait(push_artifact(&repository, b"content"));
    let blob = Descriptor::new("text/plain", artifact.digest, artifact.size);
    let missing = wait(repository.read(&blob, Content::Blob)).unwrap_err();
    assert_eq!(missing.kind(), RepositoryErrorKind::NotFound);
    assert!(missing.to_string().contains("BLOB_UNKNOWN: blob unknown to registry"), "{missing}");
    let bad = wait(repository.resolve("../v1")).unwrap_err();
    assert_eq!(bad.to_string(), "\"../v1\" is neither a tag nor a digest");
}

/// Makes `server.key` and `server.crt`, of which the second is trusted as it is.
fn server_certificate() -> Option<Openssl> {
    let openssl = Openssl::or_skip()?;
    openssl.create_key("server", KeySpec::Ec256);
    let make = "req -x509 -new -key server.key -days 2 -subj /CN=server-of-test -config extensions.cnf \
                -addext subjectAltName=IP:127.0.0.1 -out server.crt";
    openssl.run(make).expect_status(0);
    Some(openssl)
}

#[test]
fn a_registry_with_tls_sends_no_credential_to_a_token_service_without() {
    let Some(openssl) = server_certificate() else { return };
    let thief = FakeHttp::start(|_| Answer::new(200, r#"{"token":"x"}"#));
    let realm = format!("{}/token", thief.url());
    let Some(registry) = Registry::with_tokens_or_skip(&openssl.path(""), &realm) else { return };
    let mut options = RemoteOptions::default();
    options.root_certificates = vec![fs::read(openssl.path("server.crt")).unwrap()];
    options.credential = Some(Credential::Basic {
        username: Registry::USER.0.to_owned(),
        password: Zeroizing::new(Registry::USER.1.to_owned()),
    });
    let error = wait(repository_with(&registry.host(), options).resolve("v1")).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.ends_with("answered with a challenge whose realm leaves TLS"), "{cause}");
    assert_eq!(thief.requests().len(), 0);
}

#[test]
fn commands_show_a_client_certificate_and_say_what_a_connection_lacks() {
    let Some(openssl) = server_certificate() else { return };
    openssl.create_key("client", KeySpec::Ec256);
    let make = "req -x509 -new -key client.key -days 2 -subj /CN=client -config extensions.cnf \
                -addext extendedKeyUsage=clientAuth -out client.crt";
    openssl.run(make).expect_status(0);
    let encrypt = "pkcs8 -topk8 -in client.key -passout pass:hunter2 -out encrypted.key";
    openssl.run(encrypt).expect_status(0);
    let Some(registry) = Registry::with_client_certificate_or_skip(&openssl.path("")) else {
        return;
    };
    let quickstart = Quickstart::new();
    let there = format!("{}/local/quickstart:v1", registry.host());
    let file = |name: &str| openssl.path(name).display().to_string();
    let (ca, client, key) = (file("server.crt"), file("client.crt"), file("client.key"));
    let trusted = ["--ca-cert", &ca];
    let identified = [&trusted[..], &["--client-cert", &client, "--client-key", &key]].concat();
    let copy = ["copy", "layout:v1", &there, "--from-oci-layout", "--scope", Quickstart::SCOPE];
    quickstart.run(&[&copy[..], &identified].concat()).expect_status(0);
    quickstart.run(&[&["list", &there][..], &identified].concat()).expect_status(0);
    // Without it nobody comes in, and each reason is told.
    quickstart.run(&[&["list", &there][..], &trusted].concat()).expect_status(1);
    let stranger = quickstart.run(&["list", &there]).expect_status(1);
    assert!(stranger.stderr.contains("hint: --ca-cert FILE names"), "{}", stranger.stderr);
    let encrypted = file("encrypted.key");
    let words = [&["list", &there][..], &trusted, &["--client-cert", &client, "--client-key"]];
    let locked = quickstart.run(&[&words.concat()[..], &[&encrypted]].concat()).expect_status(2);
    assert!(locked.stderr.contains("encrypted.key is encrypted"), "{}", locked.stderr);
    let Some(plain) = Registry::or_skip() else { return };
    let there = format!("{}/local/quickstart:v1", plain.host());
    let plain = quickstart.run(&["list", &there]).expect_status(1);
    assert!(plain.stderr.contains("hint: nothing there speaks TLS"), "{}", plain.stderr);
    let unnamed = there.trim_end_matches(":v1");
    let unnamed = quickstart.run(&["list", unnamed]).expect_status(2);
    assert!(unnamed.stderr.contains("hint: add @DIGEST"), "{}", unnamed.stderr);
    let half = quickstart.run(&["list", "registry.example/a@sha256:00"]).expect_status(2);
    assert!(!half.stderr.contains("hint: "), "{}", half.stderr);
    let user = quickstart.command(&["list", &there, "--insecure-registry"]);
    let user = user.env("NOTATION_USERNAME", "me").finish();
    assert!(user.stderr.contains("NOTATION_USERNAME without NOTATION_PASSWORD"), "{user:?}");
    let help = quickstart.run(&["verify", "--help"]).expect_status(0);
    assert!(help.stdout.contains("4  unsigned: there is no signature at all"), "{}", help.stdout);
}

#[test]
fn a_registry_is_asked_with_a_password_by_a_trusted_connection() {
    let Some(openssl) = server_certificate() else { return };
    let Some(registry) = Registry::with_password_or_skip(&openssl.path("")) else { return };
    let options = |password: Option<&str>| {
        let mut options = RemoteOptions::default();
        options.root_certificates = vec![fs::read(openssl.path("server.crt")).unwrap()];
        options.credential = password.map(|password| Credential::Basic {
            username: Registry::USER.0.to_owned(),
            password: Zeroizing::new(password.to_owned()),
        });
        options
    };
    let good = || options(Some(Registry::USER.1));
    sign_and_verify(&registry.host(), good);

    for refused in [options(None), options(Some("hunter3"))] {
        let error = wait(repository_with(&registry.host(), refused).resolve("v1")).unwrap_err();
        assert_eq!(error.kind(), RepositoryErrorKind::Denied);
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    }
    let stranger = repository_with(&registry.host(), RemoteOptions::default());
    let error = wait(stranger.resolve("v1")).unwrap_err();
    assert_eq!(error.kind(), RepositoryErrorKind::Other);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("there is no trusted TLS connection to https://"), "{cause}");
}

/// Passes connections on to a port, and counts them.
fn counted(to: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::Relaxed);
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    (port, count)
}

#[test]
fn one_connection_carries_all_repositories_of_a_registry() {
    let Some(registry) = Registry::or_skip() else { return };
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let (port, count) = counted(registry.port());
    let reference = |path: &str| format!("127.0.0.1:{port}/{path}").parse().unwrap();
    let remote = RemoteRegistry::new(&reference("a"), insecure()).unwrap();
    wait(async {
        for path in ["team/app", "team/other", "a"] {
            let repository = remote.repository(&reference(path)).unwrap();
            let artifact = push_artifact(&repository, b"content").await;
            let (manifest, envelope) = signature(&pki, &artifact, EnvelopeFormat::Cose);
            repository.push_signature(&manifest, &envelope).await.unwrap();
            assert!(repository.resolve("v2").await.is_err());
            assert_eq!(repository.signatures(&artifact).await.unwrap().signatures.len(), 1);
        }
    });
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(remote.repository(&"other.example/a".parse().unwrap()).is_err());
}
