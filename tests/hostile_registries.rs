//! Registries that are broken, overloaded, odd or hostile: what is believed of them, and how they are told.

use std::{
    error::Error,
    iter, slice,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use notation_sdk::{
    EnvelopeFormat,
    algorithm::{HashAlgorithm, KeySpec},
    http::Credential,
    limits,
    oci::{
        Descriptor, Digest, EMPTY_MEDIA_TYPE, INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Manifest,
        SIGNATURE_MEDIA_TYPE,
    },
    registry::{
        Content, Repository, RepositoryError, RepositoryErrorKind,
        remote::{RemoteError, RemoteOptions, RemoteRepository},
    },
    testing::TestPki,
};
use serde_json::{Value, json};
use time::{UtcDateTime, macros::utc_datetime};
use zeroize::Zeroizing;

use crate::support::fake_http::{Answer, FakeHttp, Request};

const NOW: UtcDateTime = utc_datetime!(2026-11-23 12:00:00);
const SECRET: &str = "hunter2+/hunter2";
/// `me:` and [`SECRET`].
const BASIC: &str = "Basic bWU6aHVudGVyMisvaHVudGVyMg==";
const ENVELOPE: &[u8] = b"not really an envelope";

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The registry, as references name it.
fn host(server: &FakeHttp) -> String {
    server.url().trim_start_matches("http://").to_owned()
}

fn repository_with(server: &FakeHttp, change: impl FnOnce(&mut RemoteOptions)) -> RemoteRepository {
    let mut options = RemoteOptions::default();
    options.insecure = true;
    change(&mut options);
    let reference = format!("{}/team/app", host(server)).parse().unwrap();
    RemoteRepository::new(&reference, options).unwrap()
}

fn repository(server: &FakeHttp) -> RemoteRepository {
    repository_with(server, |_| {})
}

fn as_user(options: &mut RemoteOptions) {
    options.credential = Some(Credential::Basic {
        username: "me".to_owned(),
        password: Zeroizing::new(SECRET.to_owned()),
    });
}

/// Its kind, and its text with those of its causes, the server called `URL` and `HOST`.
#[track_caller]
fn told<T>(server: &FakeHttp, result: Result<T, RepositoryError>) -> (RepositoryErrorKind, String) {
    let Err(error) = result else { panic!("no error") };
    let mut text = error.to_string();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        text.push_str(&format!(": {cause}"));
    }
    assert!(!text.contains("hunter2") && !text.contains("t0ken"), "{text}");
    (error.kind(), text.replace(&server.url(), "URL").replace(&host(server), "HOST"))
}

fn digest(bytes: impl AsRef<[u8]>) -> Digest {
    Digest::of(HashAlgorithm::Sha256, bytes.as_ref())
}

fn describe(media_type: &str, bytes: impl AsRef<[u8]>) -> Descriptor {
    let size = bytes.as_ref().len().try_into().unwrap();
    Descriptor::new(media_type, digest(bytes), size)
}

/// What all signatures here are of.
fn artifact() -> Descriptor {
    describe(MANIFEST_MEDIA_TYPE, r#"{"schemaVersion":2}"#)
}

/// A signature manifest that nobody signed.
fn signature(subject: &Descriptor) -> Manifest {
    let pki = TestPki::new(KeySpec::Ec256, NOW).unwrap();
    let created = "2026-11-23T12:00:00Z";
    Manifest::signature(subject, EnvelopeFormat::Jws, ENVELOPE, &pki.chain, created)
}

fn index(manifests: &[Value]) -> String {
    json!({ "schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": manifests }).to_string()
}

/// An entry of an index, as a registry has it that copies type and annotations.
fn entry(bytes: &str, artifact_type: &str) -> Value {
    json!({ "mediaType": MANIFEST_MEDIA_TYPE, "digest": digest(bytes), "size": bytes.len(),
        "artifactType": artifact_type, "annotations": {"a": "b"} })
}

fn referrers(index: impl Into<Vec<u8>>) -> Answer {
    Answer::new(200, index).header("Content-Type", INDEX_MEDIA_TYPE)
}

fn manifest(bytes: impl Into<Vec<u8>>) -> Answer {
    Answer::new(200, bytes).header("Content-Type", MANIFEST_MEDIA_TYPE)
}

fn unknown() -> Answer {
    let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
    Answer::new(404, body)
}

fn challenge(scheme_and_parameters: &str) -> Answer {
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    Answer::new(401, body).header("WWW-Authenticate", scheme_and_parameters)
}

/// Digests of what is listed, in order.
fn listed(repository: &RemoteRepository) -> Result<Vec<Digest>, RepositoryError> {
    let listing = wait(repository.signatures(&artifact()))?;
    assert!(listing.unreadable.is_empty(), "{listing:?}");
    Ok(listing.signatures.into_iter().map(|listed| listed.digest).collect())
}

#[test]
fn a_manifest_is_read_where_the_registry_does_not_say_what_it_is() {
    const BYTES: &str =
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;
    let full = || manifest(BYTES).header("Docker-Content-Digest", digest(BYTES).as_str());
    let parameters = format!("{MANIFEST_MEDIA_TYPE}; charset=utf-8");
    for (head, reads) in [
        (full(), false),
        (manifest(BYTES), true),
        (manifest(BYTES).header("Docker-Content-Digest", "md5:00"), true),
        (Answer::new(200, BYTES).header("Docker-Content-Digest", digest(BYTES).as_str()), true),
        (Answer::new(405, ""), true),
        (Answer::new(404, ""), true),
    ] {
        let body = Answer::new(200, BYTES).header("Content-Type", &parameters);
        let server = FakeHttp::start(move |request| match request.method.as_str() {
            "HEAD" => head.clone(),
            _ => body.clone(),
        });
        let resolved = wait(repository(&server).resolve("v1")).unwrap();
        assert_eq!(resolved, describe(MANIFEST_MEDIA_TYPE, BYTES));
        let methods = server.requests().into_iter().map(|request| request.method);
        assert_eq!(methods.count(), 1 + usize::from(reads));
        for request in server.requests() {
            assert_eq!(request.target, "/v2/team/app/manifests/v1");
            assert!(request.header("accept").unwrap().contains(INDEX_MEDIA_TYPE));
            let agent = request.header("user-agent").unwrap();
            assert!(agent.starts_with("notation-kms/") && agent.ends_with(" notation"), "{agent}");
        }
    }
    // What is known to have another digest is read, and then refused.
    let server = FakeHttp::start(move |_| full());
    let other = digest("other");
    let (kind, text) = told(&server, wait(repository(&server).resolve(other.as_str())));
    assert_eq!(kind, RepositoryErrorKind::BadContent);
    assert_eq!(text, format!("HOST/team/app gave bytes for {other} that do not have that digest"));
}

#[test]
fn what_is_no_manifest_is_not_resolved() {
    let html = || Answer::new(200, "<html>").header("Content-Type", "text/html");
    let big = limits::MANIFEST_BYTES + 1;
    for (answer, kind, expected) in [
        (
            html(),
            RepositoryErrorKind::BadContent,
            "manifest v1 of HOST/team/app is not the JSON it should be, at line 1, column 1",
        ),
        (
            Answer::new(200, "{}"),
            RepositoryErrorKind::BadContent,
            "HOST/team/app answered with a manifest of no media type",
        ),
        (
            Answer::new(200, "{}").header("Content-Type", "no type"),
            RepositoryErrorKind::BadContent,
            "HOST/team/app answered with a manifest of no media type",
        ),
        (
            manifest(r#"{"mediaType":"test/other"}"#),
            RepositoryErrorKind::BadContent,
            "HOST/team/app answered with a manifest that is \"test/other\", and said that it is \
             \"application/vnd.oci.image.manifest.v1+json\"",
        ),
        (
            manifest("{}").of_length(big),
            RepositoryErrorKind::BadContent,
            "HOST/team/app does not give manifest v1: URL/v2/team/app/manifests/v1 is over the limit of \
             4194304 bytes",
        ),
        (
            Answer::new(400, r#"{"errors":[{"code":"NAME_INVALID","message":"no\u001b[31m"}]}"#),
            RepositoryErrorKind::Other,
            "HOST/team/app does not give manifest v1: URL/v2/team/app/manifests/v1 answered with HTTP status \
             400: NAME_INVALID: no\\u{1b}[31m",
        ),
        (
            Answer::new(403, r#"{"errors":[{"code":"DENIED","message":"not yours"}]}"#),
            RepositoryErrorKind::Denied,
            "HOST/team/app does not give manifest v1: access to URL/v2/team/app/manifests/v1 was denied \
             without a credential: HTTP status 403: DENIED: not yours",
        ),
        (
            unknown(),
            RepositoryErrorKind::NotFound,
            "manifest v1 is not in HOST/team/app: HTTP status 404: MANIFEST_UNKNOWN: manifest unknown",
        ),
    ] {
        let server = FakeHttp::start(move |request| match request.method.as_str() {
            "HEAD" => answer.clone().without_body(),
            _ => answer.clone(),
        });
        let result = wait(repository(&server).resolve("v1"));
        assert_eq!(told(&server, result), (kind, expected.to_owned()));
    }
    let lying = digest("other");
    let server = FakeHttp::start(move |request| match request.method.as_str() {
        "HEAD" => Answer::new(200, ""),
        _ => manifest("{}").header("Docker-Content-Digest", lying.as_str()),
    });
    let (kind, text) = told(&server, wait(repository(&server).resolve("v1")));
    assert_eq!(kind, RepositoryErrorKind::BadContent);
    assert!(text.ends_with("that do not have that digest"), "{text}");
}

#[test]
fn what_is_resolved_by_its_content_has_the_digest_of_its_bytes() {
    let bytes = r#"{"schemaVersion":2}"#;
    let own = digest(bytes);
    let server = FakeHttp::start(move |request| {
        assert_eq!(request.method, "GET");
        manifest(bytes)
    });
    let repository = repository(&server);
    for reference in ["v1", own.as_str()] {
        let resolved = wait(repository.resolve_by_content(reference)).unwrap();
        assert_eq!((&resolved.digest, resolved.size), (&own, 19));
        assert_eq!(resolved.media_type, MANIFEST_MEDIA_TYPE);
    }
    let other = wait(repository.resolve_by_content(digest("other").as_str())).unwrap_err();
    assert_eq!(other.kind(), RepositoryErrorKind::BadContent, "{other}");
    let neither = wait(repository.resolve_by_content("v1:")).unwrap_err();
    assert!(matches!(neither, RemoteError::BadReference(_)), "{neither}");
    let lying = digest("other");
    let server =
        FakeHttp::start(move |_| manifest(bytes).header("Docker-Content-Digest", lying.as_str()));
    let lied = wait(self::repository(&server).resolve_by_content("v1")).unwrap_err();
    assert_eq!(lied.kind(), RepositoryErrorKind::BadContent, "{lied}");
}

#[test]
fn only_the_bytes_of_the_descriptor_are_given() {
    let blob = describe("text/plain", "content");
    let digest = &blob.digest;
    for (answer, expected) in [
        (Answer::new(200, "content"), None),
        (
            Answer::new(200, "c0ntent"),
            Some(format!("HOST/team/app gave bytes for {digest} that do not have that digest")),
        ),
        (
            Answer::new(200, "conten"),
            Some(format!("HOST/team/app gave 6 bytes for {digest}, and its descriptor says 7")),
        ),
        (
            Answer::new(200, "content!"),
            Some(format!(
                "HOST/team/app does not give blob {digest}: URL/v2/team/app/blobs/{digest} is over the limit \
                 of 7 bytes"
            )),
        ),
        (
            Answer::new(200, "content").without_end(Duration::from_millis(1)),
            Some(format!(
                "HOST/team/app does not give blob {digest}: URL/v2/team/app/blobs/{digest} is over the limit \
                 of 7 bytes"
            )),
        ),
    ] {
        let server = FakeHttp::start(move |_| answer.clone());
        let read = wait(repository(&server).read(&blob, Content::Blob));
        match expected {
            None => assert_eq!(read.unwrap(), b"content"),
            Some(expected) => {
                assert_eq!(told(&server, read), (RepositoryErrorKind::BadContent, expected));
            }
        }
        assert_eq!(server.requests().len(), 1);
    }
    // What is too large is not even asked for.
    let server = FakeHttp::start(|_| Answer::new(200, ""));
    let huge = Descriptor::new(MANIFEST_MEDIA_TYPE, digest.clone(), u64::MAX);
    let read = wait(repository(&server).read(&huge, Content::Manifest));
    let expected = format!(
        "manifest {digest} of 18446744073709551615 bytes is over the limit of 4194304 bytes"
    );
    assert_eq!(told(&server, read), (RepositoryErrorKind::BadContent, expected));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_registry_that_fails_is_asked_again_and_then_told_as_unavailable() {
    for answer in [
        Answer::new(500, ""),
        Answer::new(503, ""),
        Answer::new(429, ""),
        Answer::hang_up(),
        Answer::new(200, "{").of_length(2),
    ] {
        let server = FakeHttp::start(move |request| match request.number {
            0 => answer.clone(),
            _ => manifest("{}").header("Docker-Content-Digest", digest("{}").as_str()),
        });
        let descriptor = describe(MANIFEST_MEDIA_TYPE, "{}");
        let read = wait(repository(&server).read(&descriptor, Content::Manifest));
        assert_eq!(read.unwrap(), b"{}");
        assert_eq!(server.requests().len(), 2);
    }
    let blob = describe("text/plain", "content");
    let start = format!("HOST/team/app does not give blob {}: ", blob.digest);
    let url = format!("URL/v2/team/app/blobs/{}", blob.digest);
    for (answer, expected) in [
        (
            Answer::new(500, r#"{"errors":[{"code":"UNKNOWN","message":"disk"}]}"#),
            format!("{start}{url} is unavailable after 5 tries: HTTP status 500: UNKNOWN: disk"),
        ),
        (Answer::hang_up(), format!("{start}{url} gave no whole answer in 5 tries: ")),
        (
            Answer::new(200, "cont").of_length(7),
            format!("{start}{url} gave no whole answer in 5 tries: "),
        ),
    ] {
        let server = FakeHttp::start(move |_| answer.clone());
        let (kind, text) = told(&server, wait(repository(&server).read(&blob, Content::Blob)));
        assert_eq!(kind, RepositoryErrorKind::Unavailable);
        assert!(text.starts_with(&expected), "{text}");
        assert_eq!(server.requests().len(), 5);
    }
}

#[test]
fn a_registry_is_waited_for_as_long_as_it_asks_within_the_deadline() {
    let blob = describe("text/plain", "content");
    let server = FakeHttp::start(|request| match request.number {
        0 => Answer::new(429, "").header("Retry-After", "1"),
        _ => Answer::new(200, "content"),
    });
    let start = Instant::now();
    wait(repository(&server).read(&blob, Content::Blob)).unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());

    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
    let server = FakeHttp::start(move |_| Answer::new(429, body).header("Retry-After", "20"));
    // A pause that would end after the deadline is not begun.
    let hasty = repository_with(&server, |options| options.deadline = Duration::from_secs(15));
    let start = Instant::now();
    let (kind, text) = told(&server, wait(hasty.read(&blob, Content::Blob)));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(kind, RepositoryErrorKind::Unavailable);
    let end =
        "asks to wait 20 s, over the limit of 15 s: HTTP status 429: TOOMANYREQUESTS: slow down";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn a_registry_that_asks_for_too_much_patience_is_told_at_once_and_with_its_words() {
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
    let server = FakeHttp::start(move |request| {
        let busy = Answer::new(429, body).header("Retry-After", "3600");
        if request.method == "HEAD" { busy.without_body() } else { busy }
    });
    let (kind, text) = told(&server, wait(repository(&server).resolve("v1")));
    assert_eq!(kind, RepositoryErrorKind::Unavailable);
    let end = "/manifests/v1 asks to wait 3600 s, over the limit of 180 s: HTTP status 429: \
               TOOMANYREQUESTS: slow down";
    assert!(text.ends_with(end), "{text}");
    let methods: Vec<_> = server.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["HEAD", "GET"]);
    // One that refuses HEAD alone has no words about it.
    let server = FakeHttp::start(move |request| match request.method.as_str() {
        "HEAD" => Answer::new(429, "").header("Retry-After", "3600").without_body(),
        _ => manifest("{}"),
    });
    let (_, text) = told(&server, wait(repository(&server).resolve("v1")));
    assert!(text.ends_with("HEAD is answered so, and GET with HTTP status 200"), "{text}");
}

#[test]
fn a_pause_of_a_registry_is_told_while_it_lasts() {
    static PAUSES: Mutex<Vec<(u16, u64)>> = Mutex::new(Vec::new());
    let server = FakeHttp::start(|request| match request.number {
        0 => Answer::new(503, "").header("Retry-After", "1"),
        _ => Answer::new(200, "content"),
    });
    let telling = repository_with(&server, |options| {
        options.on_pause = Some(|status, pause| {
            PAUSES.lock().unwrap().push((status, pause.as_secs()));
        });
    });
    wait(telling.read(&describe("text/plain", "content"), Content::Blob)).unwrap();
    assert_eq!(*PAUSES.lock().unwrap(), [(503, 1), (503, 0)]);
}

#[test]
fn a_status_that_may_pass_is_unavailable_and_tried_again_where_that_can_help() {
    let blob = describe("text/plain", "content");
    for (status, tries) in [(408, 5), (500, 5), (501, 1), (505, 1), (507, 5)] {
        let server = FakeHttp::start(move |_| Answer::new(status, "").header("Retry-After", "0"));
        let (kind, text) = told(&server, wait(repository(&server).read(&blob, Content::Blob)));
        assert_eq!(kind, RepositoryErrorKind::Unavailable, "{text}");
        assert_eq!(server.requests().len(), tries, "{status}");
    }
}

#[test]
fn a_list_that_does_not_end_in_time_is_given_up() {
    let server = FakeHttp::start(|request| {
        let link = format!("<?n={}>; rel=\"next\"", request.number);
        referrers(index(&[])).header("Link", &link).after(Duration::from_millis(50))
    });
    let hasty = repository_with(&server, |options| options.listing = Duration::from_millis(400));
    let (kind, text) = told(&server, wait(hasty.signatures(&artifact())));
    assert_eq!(kind, RepositoryErrorKind::Unavailable);
    let expected =
        format!("HOST/team/app does not list what refers to {} within 0.4 s", artifact().digest);
    assert_eq!(text, expected);
    assert!(server.requests().len() <= 9, "{:?}", server.targets());
}

#[test]
fn a_registry_that_says_nothing_or_does_not_end_is_not_waited_for_for_ever() {
    let blob = describe("text/plain", "content");
    for (answer, expected) in [
        (Answer::silence(), "within 0.1 s"),
        (Answer::new(200, "cont").of_length(7).and_hangs(), "within 0.1 s"),
    ] {
        let server = FakeHttp::start(move |_| answer.clone());
        let hasty =
            repository_with(&server, |options| options.timeout = Duration::from_millis(100));
        let (kind, text) = told(&server, wait(hasty.read(&blob, Content::Blob)));
        assert_eq!(kind, RepositoryErrorKind::Unavailable);
        assert!(text.ends_with(expected), "{text}");
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn credentials_stay_with_the_registry() {
    // A store of blobs, which would like to have credentials.
    let store = FakeHttp::start(|request| match request.target.as_str() {
        "/blob?sig=1" => Answer::new(200, "content"),
        "/upload?sig=1&digest=sha256%3Aed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73" => {
            Answer::new(201, "")
        }
        _ => challenge("Basic"),
    });
    let away = store.url();
    let server = FakeHttp::start(move |request| match request.header("authorization") {
        None => challenge("Basic realm=\"test\""),
        Some(_) if request.method == "POST" => {
            Answer::new(202, "").header("Location", &format!("{away}/upload?sig=1"))
        }
        Some(_) if request.target.contains("/manifests/") => Answer::to(&format!("{away}/ask")),
        Some(_) => Answer::new(307, "").header("Location", &format!("{away}/blob?sig=1")),
    });
    let repository = repository_with(&server, as_user);
    let blob = describe("text/plain", "content");
    wait(async {
        assert_eq!(repository.read(&blob, Content::Blob).await.unwrap(), b"content");
        assert_eq!(repository.push_blob(b"content").await.unwrap(), blob.digest);
    });
    let (kind, text) = told(&server, wait(repository.resolve("v1")));
    assert_eq!(kind, RepositoryErrorKind::Denied);
    assert!(text.contains(&format!("access to {}/ask was denied", store.url())), "{text}");

    let sent = server.requests();
    // Basic is sent once it was asked for, whatever the request.
    assert_eq!(sent[0].header("authorization"), None);
    assert!(sent[1..].iter().all(|request| request.header("authorization") == Some(BASIC)));
    assert!(store.requests().iter().all(|request| request.header("authorization").is_none()));
    let put = store.requests().into_iter().find(|request| request.method == "PUT").unwrap();
    assert_eq!(
        (put.body.as_str(), put.header("content-type")),
        ("content", Some("application/octet-stream"))
    );
}

#[test]
fn a_secret_is_not_told_in_part_where_what_a_registry_said_is_cut() {
    let blob = describe("text/plain", "content");
    for shown in [1000, 1020, 1024, limits::READ_ERROR_BODY_BYTES - 20] {
        let server = FakeHttp::start(move |request| match request.header("authorization") {
            None => challenge("Basic realm=\"test\""),
            Some(sent) => {
                let secret = sent.trim_start_matches("Basic ");
                Answer::new(403, format!("{}{secret}{SECRET}", "x".repeat(shown)))
            }
        });
        let (_, text) =
            told(&server, wait(repository_with(&server, as_user).read(&blob, Content::Blob)));
        let known = BASIC.trim_start_matches("Basic ");
        assert!(!text.contains(&known[..4]) && !text.contains(&SECRET[..4]), "{shown}: {text}");
        assert!(text.len() < 1024 + 300, "{}", text.len());
    }
}

#[test]
fn what_is_written_is_not_redirected_as_something_else() {
    let store = FakeHttp::start(|_| Answer::new(201, ""));
    let away = store.url();
    for (status, follows) in [(302, false), (307, true)] {
        let to = format!("{away}/{status}");
        let server = FakeHttp::start(move |_| Answer::new(status, "").header("Location", &to));
        let pushed =
            wait(repository(&server).push_manifest(MANIFEST_MEDIA_TYPE, b"{}", Some("v1")));
        assert_eq!(pushed.is_ok(), follows, "{pushed:?}");
    }
    let asked = store.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].method.as_str(), asked[0].body.as_str()), ("PUT", "{}"));
}

/// A registry that is its own token service and gives a new token each time, which is good for so many requests.
fn with_tokens(
    lifetime: usize,
    answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> FakeHttp {
    let used = Mutex::new((0, 0));
    FakeHttp::start(move |request| {
        let (token, uses) = &mut *used.lock().unwrap();
        if request.target.starts_with("/token") {
            (*token, *uses) = (*token + 1, 0);
            return Answer::new(200, format!(r#"{{"token":"t0ken-{token}"}}"#));
        }
        *uses += 1;
        let good = format!("Bearer t0ken-{token}");
        if *uses <= lifetime && request.header("authorization") == Some(&good) {
            return answer(request);
        }
        challenge(&format!(r#"Bearer realm="{}/token",service="test""#, request.url()))
    })
}

#[test]
fn a_token_is_fetched_once_and_again_when_it_has_run_out() {
    let server = with_tokens(3, |_| Answer::new(200, "content"));
    let repository = repository_with(&server, as_user);
    let blob = describe("text/plain", "content");
    wait(async {
        for _ in 0..6 {
            repository.read(&blob, Content::Blob).await.unwrap();
        }
    });
    let targets = server.targets();
    let tokens: Vec<_> = targets.iter().filter(|target| target.starts_with("/token")).collect();
    let expected = "/token?service=test&scope=repository%3Ateam%2Fapp%3Apull&account=me";
    assert_eq!(tokens, [expected; 2]);
    assert_eq!(targets.len(), 6 + 2 + 2);
}

#[test]
fn a_token_to_push_is_another_one() {
    let server = FakeHttp::start(|request| {
        let url = request.url();
        match (request.target.split('?').next().unwrap(), request.header("authorization")) {
            ("/token", Some(BASIC)) if request.target.contains("pull%2Cpush") => {
                Answer::new(200, r#"{"token":"t0ken-push"}"#)
            }
            ("/token", Some(BASIC)) => Answer::new(200, r#"{"token":"t0ken-pull"}"#),
            (_, Some("Bearer t0ken-pull")) if request.method == "GET" => {
                Answer::new(200, "content")
            }
            (_, Some("Bearer t0ken-push")) => Answer::new(201, ""),
            _ => challenge(&format!(r#"Bearer realm="{url}/token""#)),
        }
    });
    let repository = repository_with(&server, as_user);
    wait(async {
        let blob = describe("text/plain", "content");
        repository.read(&blob, Content::Blob).await.unwrap();
        repository.push_blob(b"content").await.unwrap();
        repository.read(&blob, Content::Blob).await.unwrap();
    });
    assert_eq!(server.requests().len(), 3 + 3 + 1);
}

#[test]
fn referrers_are_read_page_by_page_and_each_once() {
    let [one, two, three] = ["1", "2", "3"].map(|bytes| entry(bytes, SIGNATURE_MEDIA_TYPE));
    let server = FakeHttp::start(move |request| {
        let next = |page: u32| format!(r#"<{}&page={page}>; rel="next""#, "?artifactType=x");
        match request.target.rsplit_once("page=").map_or("1", |(_, page)| page) {
            "1" => {
                referrers(index(&[one.clone(), entry("x", "test/sbom")])).header("Link", &next(2))
            }
            "2" => referrers(index(&[two.clone(), one.clone()])).header("Link", &next(3)),
            _ => referrers(index(slice::from_ref(&three))),
        }
    });
    let found = listed(&repository(&server)).unwrap();
    assert_eq!(found, ["1", "2", "3"].map(digest));
    let first = format!(
        "/v2/team/app/referrers/{}?artifactType=application%2Fvnd.cncf.notary.signature",
        artifact().digest
    );
    assert_eq!(server.targets()[0], first);
    assert_eq!(server.targets().len(), 3);
}

#[test]
fn pages_that_lead_astray_are_not_followed() {
    let gave_before = "answered with a next page that it gave before";
    let elsewhere = "answered with a next page elsewhere, https://registry.example/v2/x";
    type Link = fn(&Request) -> String;
    let links: [(Link, &str, usize); 4] = [
        (|request| request.target.clone(), gave_before, 1),
        (|request| format!("?n={}", (request.number + 1) % 3), gave_before, 4),
        (|_| "https://registry.example/v2/x?sig=hunter2".to_owned(), elsewhere, 1),
        (|_| "http://[".to_owned(), "answered with a next page that is no URL", 1),
    ];
    for (link, expected, requests) in links {
        let server = FakeHttp::start(move |request| {
            referrers(index(&[])).header("Link", &format!("<{}>; rel=\"next\"", link(request)))
        });
        let (kind, text) = told(&server, listed(&repository(&server)));
        assert_eq!(kind, RepositoryErrorKind::BadContent);
        assert!(text.ends_with(expected), "{text}");
        assert_eq!(server.requests().len(), requests);
    }
    let server = FakeHttp::start(|request| {
        let link = format!("<?n={}>; rel=\"next\"", request.number);
        referrers(index(&[])).header("Link", &link)
    });
    let expected = "HOST/team/app lists more than the limit of 1000 pages of referrers".to_owned();
    assert_eq!(
        told(&server, listed(&repository(&server))),
        (RepositoryErrorKind::BadContent, expected)
    );
}

#[test]
fn ten_thousand_referrers_are_listed_and_a_million_refused() {
    let flood = |count: usize| {
        let one = |n: usize| entry(&n.to_string(), SIGNATURE_MEDIA_TYPE);
        let page: Vec<Value> = (0..count.min(10_000)).map(one).collect();
        let page = index(&page);
        FakeHttp::start(move |request| {
            let is_last = request.number + 1 == count / 10_000;
            let page = referrers(page.clone());
            let link = format!("<?n={}>; rel=\"next\"", request.number);
            if is_last { page } else { page.header("Link", &link) }
        })
    };
    assert_eq!(listed(&repository(&flood(10_000))).unwrap().len(), 10_000);
    let server = flood(1_000_000);
    let (kind, text) = told(&server, listed(&repository(&server)));
    assert_eq!(kind, RepositoryErrorKind::BadContent);
    assert!(text.starts_with("HOST/team/app lists more than the limit of "), "{text}");
    assert!(server.requests().len() <= 5);

    let server = FakeHttp::start(|_| referrers("{").of_length(limits::REFERRERS_PAGE_BYTES + 1));
    let (kind, text) = told(&server, listed(&repository(&server)));
    assert_eq!(kind, RepositoryErrorKind::BadContent);
    assert!(text.ends_with("is over the limit of 4194304 bytes"), "{text}");
}

/// A registry without the referrers API, and what stands at the referrers tag.
fn without_api(api: Answer, tagged: Answer) -> FakeHttp {
    let path = format!("/v2/team/app/manifests/sha256-{}", artifact().digest.hex());
    FakeHttp::start(move |request| match request.target.as_str() {
        target if target.contains("/referrers/") => api.clone(),
        target if target == path => tagged.clone(),
        _ => unknown(),
    })
}

#[test]
fn where_there_is_no_referrers_api_the_referrers_tag_is_read() {
    let page = "<html>we moved</html>";
    for api in [
        Answer::new(404, ""),
        Answer::new(
            400,
            r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}"#,
        ),
        Answer::new(405, ""),
        Answer::new(501, ""),
        Answer::new(200, page).header("Content-Type", "text/html"),
        Answer::new(200, page),
    ] {
        let tagged = referrers(index(&[entry("1", SIGNATURE_MEDIA_TYPE), entry("2", "test/sbom")]));
        let server = without_api(api.clone(), tagged);
        assert_eq!(listed(&repository(&server)).unwrap(), [digest("1")]);
        assert_eq!(server.requests().len(), 2);
        let server = without_api(api, unknown());
        assert_eq!(listed(&repository(&server)).unwrap(), []);
    }
    for (api, kind) in [
        (Answer::new(403, ""), RepositoryErrorKind::Denied),
        (Answer::new(503, ""), RepositoryErrorKind::Unavailable),
        (Answer::new(410, ""), RepositoryErrorKind::Other),
        (referrers("<html>"), RepositoryErrorKind::BadContent),
        (referrers(r#"{"manifests":[{"digest":"hunter2"}]}"#), RepositoryErrorKind::BadContent),
    ] {
        let server = without_api(api, unknown());
        assert_eq!(told(&server, listed(&repository(&server))).0, kind);
    }
}

#[test]
fn what_stands_at_the_referrers_tag_is_believed_only_if_it_is_an_index_of_referrers() {
    const SUBJECT: &str = r#"{"schemaVersion":2}"#;
    assert_eq!(digest(SUBJECT), artifact().digest);
    let nothing: [Answer; 3] = [
        // GitLab gives the artifact itself, as if it had been asked by its digest.
        referrers(SUBJECT),
        manifest(r#"{"schemaVersion":2,"config":{}}"#),
        // An index that contains an index, and that might be itself.
        referrers(index(&[
            json!({ "mediaType": INDEX_MEDIA_TYPE, "digest": digest("x"), "size": 1,
            "artifactType": SIGNATURE_MEDIA_TYPE }),
        ])),
    ];
    for tagged in nothing {
        let server = without_api(Answer::new(404, ""), tagged);
        assert_eq!(listed(&repository(&server)).unwrap(), []);
        assert_eq!(server.requests().len(), 2);
    }
    for (tagged, expected) in [
        (Answer::new(200, "<html>"), "is not the JSON it should be, at line 1, column 1"),
        (referrers(r#"{"manifests":{}}"#), "is not the JSON it should be, at line 1, column 13"),
        (referrers("{}").of_length(5_000_000), "is over the limit of 4194304 bytes"),
    ] {
        let server = without_api(Answer::new(404, ""), tagged);
        let (kind, text) = told(&server, listed(&repository(&server)));
        assert_eq!(kind, RepositoryErrorKind::BadContent);
        assert!(text.ends_with(expected), "{text}");
    }
}

#[test]
fn a_registry_that_says_that_it_lists_and_has_no_list_is_not_believed() {
    let store = Store::default();
    let (artifact, kept) = (artifact(), store.clone());
    let subject = artifact.digest.to_string();
    let server = FakeHttp::start(move |request| {
        let answer = kept.answer(request);
        if request.method == "PUT" { answer.header("OCI-Subject", &subject) } else { answer }
    });
    let repository = repository(&server);
    assert_eq!(listed(&repository).unwrap(), []);
    let pushed = wait(repository.push_signature(&signature(&artifact), ENVELOPE)).unwrap();
    assert_eq!(store.tagged().unwrap()["manifests"][0]["digest"], pushed.digest.as_str());
    assert_eq!(listed(&repository).unwrap(), [pushed.digest]);
}

#[test]
fn what_is_listed_without_a_type_is_looked_into() {
    let signature = serde_json::to_string(&signature(&artifact())).unwrap();
    let other = serde_json::to_string(&self::signature(&describe("test/x", "x"))).unwrap();
    let sbom = Manifest::artifact("test/sbom", describe("test/x", "x"));
    let sbom = serde_json::to_string(&sbom).unwrap();
    let bytes = [signature.clone(), other.clone(), sbom.clone()];
    let bare = |bytes: &str| json!({ "mediaType": MANIFEST_MEDIA_TYPE, "digest": digest(bytes), "size": bytes.len() });
    let mut plain = bare(&signature);
    plain["artifactType"] = json!(SIGNATURE_MEDIA_TYPE);
    for listing in [
        vec![bare(&signature), bare(&other), bare(&sbom)],
        // The type of the config, as some registries have it.
        vec![entry(&signature, EMPTY_MEDIA_TYPE), entry(&sbom, EMPTY_MEDIA_TYPE)],
        vec![entry(&signature, ""), entry("x", "test/sbom")],
        vec![plain],
    ] {
        let (page, bytes) = (index(&listing), bytes.clone());
        let server = FakeHttp::start(move |request| {
            let asked = bytes.iter().find(|bytes| request.target.ends_with(digest(bytes).as_str()));
            match asked {
                _ if request.target.contains("/referrers/") => referrers(page.clone()),
                Some(bytes) => manifest(bytes.clone()),
                None => unknown(),
            }
        });
        let found = wait(repository(&server).signatures(&artifact())).unwrap();
        assert!(found.unreadable.is_empty(), "{found:?}");
        let [listed] = found.signatures.as_slice() else { panic!("{found:?}") };
        assert_eq!(listed.digest, digest(&signature));
        assert_eq!(listed.artifact_type.as_deref(), Some(SIGNATURE_MEDIA_TYPE));
        assert!(listed.annotations.contains_key("io.cncf.notary.x509chain.thumbprint#S256"));
    }
}

#[test]
fn what_cannot_be_looked_into_is_told_and_hides_nothing() {
    let signature = serde_json::to_string(&signature(&artifact())).unwrap();
    let listing = [
        entry("gone", ""),
        entry("no manifest", ""),
        entry(&signature, SIGNATURE_MEDIA_TYPE),
        json!({ "mediaType": MANIFEST_MEDIA_TYPE, "digest": digest("x"), "size": 1_u64 << 40 }),
    ];
    let page = index(&listing);
    let server = FakeHttp::start(move |request| match request.target.as_str() {
        target if target.contains("/referrers/") => referrers(page.clone()),
        target if target.ends_with(digest("no manifest").as_str()) => manifest("no manifest"),
        _ => unknown(),
    });
    let found = wait(repository(&server).signatures(&artifact())).unwrap();
    assert_eq!(found.signatures.len(), 1);
    let told: Vec<_> = found.unreadable.iter().map(|it| it.error.to_string()).collect();
    assert_eq!(told.len(), 3);
    assert!(told[0].ends_with("MANIFEST_UNKNOWN: manifest unknown"), "{told:?}");
    assert!(told[1].ends_with("is not the JSON it should be, at line 1, column 2"), "{told:?}");
    assert!(told[2].ends_with("is over the limit of 4194304 bytes"), "{told:?}");
}

#[test]
fn an_entry_that_leads_to_no_manifest_is_told_and_hides_nothing() {
    let manifest = serde_json::to_string(&signature(&artifact())).unwrap();
    let mut null = entry(&manifest, SIGNATURE_MEDIA_TYPE);
    null["annotations"] = json!(null);
    let mut unknown_hash = entry("2", SIGNATURE_MEDIA_TYPE);
    unknown_hash["digest"] = json!("blake3:00");
    let mut negative = entry("3", "");
    negative["size"] = json!(-1);
    let mut other = entry("4", "test/sbom");
    other["digest"] = json!("blake3:00");
    let signed = entry("5", SIGNATURE_MEDIA_TYPE);
    let listing = [null, unknown_hash.clone(), negative, other, signed];
    for (listing, signatures, odd) in [(&listing[..], 2, 2), (&[unknown_hash], 0, 1)] {
        let (page, manifest) = (index(listing), manifest.clone());
        let server = FakeHttp::start(move |request| match request.target.as_str() {
            target if target.contains("/referrers/") => referrers(page.clone()),
            target if target.ends_with(digest(&manifest).as_str()) => {
                self::manifest(manifest.clone())
            }
            _ => unknown(),
        });
        let found = wait(repository(&server).signatures(&artifact())).unwrap();
        assert_eq!(found.signatures.len(), signatures, "{found:?}");
        let told: Vec<String> = found.unreadable.iter().map(|it| it.error.to_string()).collect();
        assert!(told[0].ends_with("list with digest \"blake3:00\" and size 1"), "{told:?}");
        assert_eq!(told.len(), odd, "{told:?}");
    }
    // As Go writes an empty list.
    let server = FakeHttp::start(|_| referrers(r#"{"schemaVersion": 2, "manifests": null}"#));
    assert_eq!(listed(&repository(&server)).unwrap(), []);
}

#[test]
fn nobody_is_made_to_look_into_everything() {
    let bare = |n: usize| {
        let bytes = n.to_string();
        json!({ "mediaType": MANIFEST_MEDIA_TYPE, "digest": digest(&bytes), "size": bytes.len() })
    };
    let page = index(&(0..=limits::OPENED_REFERRERS).map(bare).collect::<Vec<_>>());
    let server = FakeHttp::start(move |request| match request.target.contains("/referrers/") {
        true => referrers(page.clone()),
        false => unknown(),
    });
    let found = wait(repository(&server).signatures(&artifact())).unwrap();
    let last = found.unreadable.iter().map(|it| it.error.to_string());
    let over =
        last.filter(|told| told.ends_with("more than the limit of 1000 referrers of no type"));
    assert_eq!(over.count(), 1);
    assert_eq!(server.requests().len(), 1 + limits::OPENED_REFERRERS);
    // What says that it is a signature is listed, opened or not, and so is the good one in front of it.
    let said = |n: usize| {
        let mut listed = bare(n);
        listed["artifactType"] = json!(SIGNATURE_MEDIA_TYPE);
        listed
    };
    let mut good = said(100_000);
    good["annotations"] = json!({"org.opencontainers.image.created": "2026-11-23T12:00:00Z"});
    let flood = (0..=limits::OPENED_REFERRERS).map(said);
    let page = index(&[good.clone()].into_iter().chain(flood).collect::<Vec<_>>());
    let server = FakeHttp::start(move |request| match request.target.contains("/referrers/") {
        true => referrers(page.clone()),
        false => unknown(),
    });
    let found = wait(repository(&server).signatures(&artifact())).unwrap();
    assert_eq!(found.signatures[0].digest.as_str(), good["digest"]);
    assert_eq!(found.signatures.len(), 2, "the one in front, and the one that was not opened");
    // A registry that has gone away is not asked for each.
    let page = index(&[bare(1), bare(2)]);
    let server = FakeHttp::start(move |request| match request.target.contains("/referrers/") {
        true => referrers(page.clone()),
        false => Answer::new(503, ""),
    });
    let (kind, _) = told(&server, wait(repository(&server).signatures(&artifact())));
    assert_eq!(kind, RepositoryErrorKind::Unavailable);
    // The second was on its way with the first.
    assert!((1 + 5..=1 + 2 * 5).contains(&server.requests().len()), "{:?}", server.targets());
}

#[test]
fn a_registry_that_filters_by_wrong_types_is_asked_without_a_filter() {
    let signature = serde_json::to_string(&signature(&artifact())).unwrap();
    let filtered = || referrers(index(&[])).header("OCI-Filters-Applied", "x, artifactType");
    let page = index(&[entry(&signature, EMPTY_MEDIA_TYPE), entry("x", "test/sbom")]);
    let expected = [digest(&signature)];
    let server = FakeHttp::start(move |request| match request.target.as_str() {
        target if target.contains("?artifactType=") => filtered(),
        target if target.contains("/referrers/") => referrers(page.clone()),
        _ => manifest(signature.clone()),
    });
    assert_eq!(listed(&repository(&server)).unwrap(), expected);
    assert_eq!(server.requests().len(), 3);
    // Nothing is nothing where neither a list without a filter nor the tag has something.
    let server = FakeHttp::start(|_| referrers(index(&[])));
    assert_eq!(listed(&repository(&server)).unwrap(), []);
    assert_eq!(server.requests().len(), 3);
    let sbom = index(&[entry("x", "test/sbom")]);
    let server = FakeHttp::start(move |request| match request.target.contains("/referrers/") {
        true => referrers(sbom.clone()),
        false => Answer::new(400, ""),
    });
    let found = wait(repository(&server).signatures(&artifact())).unwrap();
    assert!(found.signatures.is_empty());
    let [unread] = found.unreadable.as_slice() else { panic!("{found:?}") };
    assert!(unread.digest.is_none(), "the referrers tag, at which nobody knows what stands");
    assert_eq!(server.requests().len(), 2);
}

/// A registry that takes everything, and whose manifests stay at their tags.
#[derive(Clone, Default)]
struct Store {
    tags: Arc<Mutex<Vec<(String, String)>>>,
    /// What others put in the place of each index that is written, so many times.
    overwrites: Arc<AtomicUsize>,
}

impl Store {
    fn answer(&self, request: &Request) -> Answer {
        let mut tags = self.tags.lock().unwrap();
        match (request.method.as_str(), request.target.rsplit_once("/manifests/")) {
            ("POST", _) => Answer::new(202, "").header("Location", "/v2/upload?state=a%2Fb"),
            ("PUT", None) => Answer::new(201, ""),
            ("PUT", Some((_, reference))) => {
                tags.retain(|(known, _)| known != reference);
                let others = self.overwrites.load(Ordering::Relaxed);
                let is_lost = others > 0 && reference.starts_with("sha256-");
                if is_lost {
                    self.overwrites.store(others - 1, Ordering::Relaxed);
                }
                let written = if is_lost {
                    index(&[entry(&others.to_string(), "test/other")])
                } else {
                    request.body.clone()
                };
                tags.push((reference.to_owned(), written));
                Answer::new(201, "")
            }
            ("GET", Some((_, reference))) => {
                let found = tags.iter().find(|(known, _)| known == reference);
                found.map_or_else(unknown, |(_, bytes)| referrers(bytes.clone()))
            }
            _ => unknown(),
        }
    }

    fn tagged(&self) -> Option<Value> {
        let tags = self.tags.lock().unwrap();
        let (_, index) = tags.iter().find(|(reference, _)| reference.starts_with("sha256-"))?;
        Some(serde_json::from_str(index).unwrap())
    }
}

#[test]
fn a_signature_is_written_blobs_first_and_listed_unless_the_registry_does() {
    let artifact = artifact();
    let manifest = signature(&artifact);
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let pushed = describe(MANIFEST_MEDIA_TYPE, &bytes);
    for (subject, lists) in [
        (Some(artifact.digest.as_str().to_owned()), false),
        // It has understood something else.
        (Some(digest("other").as_str().to_owned()), true),
        (None, true),
    ] {
        let store = Store::default();
        let served = store.clone();
        let server = FakeHttp::start(move |request| {
            let answer = served.answer(request);
            subject.iter().fold(answer, |answer, subject| answer.header("OCI-Subject", subject))
        });
        let written = wait(repository(&server).push_signature(&manifest, ENVELOPE)).unwrap();
        assert_eq!(written, pushed);
        assert_eq!(store.tagged().is_some(), lists);
        let asked = server.requests();
        let steps: Vec<_> =
            asked.iter().map(|it| (it.method.as_str(), it.target.as_str())).collect();
        let put = |bytes: &[u8]| {
            format!("/v2/upload?state=a%2Fb&digest={}", digest(bytes).as_str().replace(':', "%3A"))
        };
        let (config, envelope) = (put(b"{}"), put(ENVELOPE));
        let at = format!("/v2/team/app/manifests/{}", pushed.digest);
        let head = format!("/v2/team/app/blobs/{}", digest("{}"));
        let expected = [
            ("HEAD", head.as_str()),
            ("POST", "/v2/team/app/blobs/uploads/"),
            ("PUT", &config),
            ("POST", "/v2/team/app/blobs/uploads/"),
            ("PUT", &envelope),
            ("PUT", &at),
        ];
        assert_eq!(steps[..6], expected);
        assert_eq!(asked[5].header("content-type"), Some(MANIFEST_MEDIA_TYPE));
        // The referrers API is asked, and the index read, written, and read again.
        assert_eq!(steps.len(), if lists { 10 } else { 6 });
    }
}

#[test]
fn what_the_referrers_api_lists_without_a_word_is_listed_nowhere_else() {
    let manifest = signature(&artifact());
    let pushed = describe(MANIFEST_MEDIA_TYPE, serde_json::to_vec(&manifest).unwrap());
    for (listed, is_tagged) in [(json!([pushed]), false), (json!([]), true)] {
        let store = Store::default();
        let served = store.clone();
        let server = FakeHttp::start(move |request| {
            if !request.target.contains("/referrers/") {
                return served.answer(request);
            }
            let index = json!({"schemaVersion": 2, "manifests": listed}).to_string();
            Answer::new(200, index).header("Content-Type", INDEX_MEDIA_TYPE)
        });
        wait(repository(&server).push_signature(&manifest, ENVELOPE)).unwrap();
        assert_eq!(store.tagged().is_some(), is_tagged);
    }
}

#[test]
fn an_index_that_others_replace_is_written_again() {
    let manifest = signature(&artifact());
    let store = Store::default();
    store.overwrites.store(2, Ordering::Relaxed);
    let served = store.clone();
    let server = FakeHttp::start(move |request| served.answer(request));
    let pushed = wait(repository(&server).push_signature(&manifest, ENVELOPE)).unwrap();
    let entries = store.tagged().unwrap()["manifests"].clone();
    // What the other has written last is still there.
    assert_eq!(entries[0]["artifactType"], "test/other");
    assert_eq!(entries[1]["digest"], pushed.digest.as_str());
    assert_eq!(entries[1]["artifactType"], SIGNATURE_MEDIA_TYPE);

    let store = Store::default();
    store.overwrites.store(usize::MAX, Ordering::Relaxed);
    let server = FakeHttp::start(move |request| store.answer(request));
    let (kind, text) = told(&server, wait(repository(&server).push_signature(&manifest, ENVELOPE)));
    assert_eq!(kind, RepositoryErrorKind::Unavailable);
    let expected = format!(
        "index of referrers at tag sha256-{} of HOST/team/app lost {} each of 16 times: others write it",
        artifact().digest.hex(),
        pushed.digest
    );
    assert_eq!(text, expected);
}

#[test]
fn an_index_is_not_written_twice_from_one_reading() {
    let manifest = signature(&artifact());
    let store = Store::default();
    let (served, refused) = (store.clone(), AtomicUsize::new(0));
    let server = FakeHttp::start(move |request| {
        let is_index = request.method == "PUT" && request.target.contains("/manifests/sha256-");
        match is_index && refused.fetch_add(1, Ordering::Relaxed) < 2 {
            true => Answer::new(503, ""),
            false => served.answer(request),
        }
    });
    wait(repository(&server).push_signature(&manifest, ENVELOPE)).unwrap();
    assert_eq!(store.tagged().unwrap()["manifests"].as_array().unwrap().len(), 1);
    let at_tag: Vec<_> = server
        .requests()
        .into_iter()
        .filter(|request| request.target.contains("/manifests/sha256-"))
        .map(|request| request.method)
        .collect();
    assert_eq!(at_tag, ["GET", "PUT", "GET", "PUT", "GET", "PUT", "GET"]);
}

#[test]
fn what_is_no_index_is_not_overwritten() {
    let manifest = signature(&artifact());
    let store = Store::default();
    let server = FakeHttp::start(move |request| {
        match request.method == "GET" && request.target.contains("/manifests/sha256-") {
            true => self::manifest(r#"{"schemaVersion": 2}"#),
            false => store.answer(request),
        }
    });
    let (kind, text) = told(&server, wait(repository(&server).push_signature(&manifest, ENVELOPE)));
    assert_eq!(kind, RepositoryErrorKind::BadContent);
    let expected = "HOST/team/app holds application/vnd.oci.image.manifest.v1+json, and not the index of \
                    referrers";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn an_upload_that_is_over_is_begun_again() {
    let puts = AtomicUsize::new(0);
    let server = FakeHttp::start(move |request| match request.method.as_str() {
        "POST" => Answer::new(202, "").header("Location", "/v2/upload"),
        _ => match puts.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::hang_up(),
            1 => Answer::new(404, r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#),
            _ => Answer::new(201, ""),
        },
    });
    wait(repository(&server).push_blob(b"content")).unwrap();
    let methods: Vec<_> = server.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "PUT", "PUT", "POST", "PUT"]);
}

#[test]
fn what_a_registry_does_not_take_is_told() {
    let blob = digest("content");
    for (begun, put, kind, expected) in [
        (
            Answer::new(202, ""),
            None,
            RepositoryErrorKind::BadContent,
            "HOST/team/app answered with no place to upload a blob to".to_owned(),
        ),
        (
            Answer::new(202, "").header("Location", "file:///etc/passwd"),
            None,
            RepositoryErrorKind::Other,
            format!(
                "HOST/team/app does not take blob {blob}: URL/v2/team/app/blobs/uploads/ redirects to \
                 \"file:///etc/passwd\", which is not https://, or has a user"
            ),
        ),
        (
            Answer::new(405, r#"{"errors":[{"code":"UNSUPPORTED","message":"read only"}]}"#),
            None,
            RepositoryErrorKind::Other,
            format!(
                "HOST/team/app does not take blob {blob}: URL/v2/team/app/blobs/uploads/ answered with HTTP \
                 status 405: UNSUPPORTED: read only"
            ),
        ),
        (
            Answer::new(202, "").header("Location", "/v2/upload"),
            Some(Answer::new(413, "")),
            RepositoryErrorKind::Other,
            format!(
                "HOST/team/app does not take blob {blob}: URL/v2/upload answered with HTTP status 413: no \
                 reason given"
            ),
        ),
    ] {
        let server = FakeHttp::start(move |request| match (&put, request.method.as_str()) {
            (Some(put), "PUT") => put.clone(),
            _ => begun.clone(),
        });
        let result = wait(repository(&server).push_blob(b"content")).map_err(Into::into);
        assert_eq!(told(&server, result), (kind, expected));
    }
    let server = FakeHttp::start(|_| {
        Answer::new(404, r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}"#)
    });
    let result = wait(repository(&server).push_manifest(MANIFEST_MEDIA_TYPE, b"{}", Some("v1")));
    let (kind, text) = told(&server, result.map_err(Into::into));
    assert_eq!(kind, RepositoryErrorKind::NotFound);
    assert!(text.ends_with("HTTP status 404: NAME_UNKNOWN: no such repository"), "{text}");
}
