//! What a registry is asked, how often, and over how many connections.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use notation_sdk::{
    limits,
    oci::{
        CREATED_ANNOTATION, Descriptor, Digest, INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE,
        SIGNATURE_MEDIA_TYPE,
    },
    registry::{
        Repository,
        layout::ImageLayout,
        remote::{RemoteOptions, RemoteRegistry, RemoteRepository},
    },
};
use serde_json::json;

use crate::support::{
    command::Finished,
    fake_http::{Answer, Request},
    fake_registry::{FakeRegistry, Served, digest, kind, unknown},
    quickstart::Quickstart,
};

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn remote(registry: &FakeRegistry) -> RemoteRegistry {
    let mut options = RemoteOptions::default();
    options.insecure = true;
    RemoteRegistry::new(&format!("{}/any", registry.host()).parse().unwrap(), options).unwrap()
}

fn repository(remote: &RemoteRegistry, path: &str) -> RemoteRepository {
    remote.repository(&format!("{}/{path}", remote.name()).parse().unwrap()).unwrap()
}

/// What quickstart has signed.
fn artifact(quickstart: &Quickstart) -> Descriptor {
    let layout = ImageLayout::open(quickstart.path("layout")).unwrap();
    layout.resolve("v1").unwrap()
}

/// Asks for a token, and gives it to whoever has the password.
fn with_tokens(request: &Request) -> Option<Answer> {
    let scope = request.target.split("scope=").nth(1).and_then(|scope| scope.split('&').next());
    let authorization = request.header("authorization");
    match (scope, authorization) {
        (Some(scope), Some(basic)) if basic.starts_with("Basic ") => {
            Some(Answer::new(200, json!({"token": scope}).to_string()))
        }
        (None, Some(bearer)) if bearer.starts_with("Bearer ") => None,
        _ => {
            let realm = format!(r#"Bearer realm="{}/token",service="test""#, request.url());
            Some(Answer::new(401, "").header("WWW-Authenticate", &realm))
        }
    }
}

/// Has no referrers API.
fn without_api(request: &Request, served: &Served) -> Option<Answer> {
    let (_, reference) = request.target.rsplit_once('/').unwrap();
    match (kind(request), reference.strip_prefix("sha256-")) {
        ("referrers", _) => Some(Answer::new(404, "404 page not found\n")),
        ("manifest", Some(subject)) if request.method == "GET" => {
            let index = served.referrers(&format!("sha256:{subject}")).to_string();
            Some(Answer::new(200, index).header("Content-Type", INDEX_MEDIA_TYPE))
        }
        _ => None,
    }
}

/// A command about the registry, as a user of it.
fn run(quickstart: &Quickstart, words: &[&str]) -> Finished {
    quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
    let command = quickstart.command(&[words, &["--insecure-registry"]].concat());
    command.env("NOTATION_USERNAME", "me").env("NOTATION_PASSWORD", "hunter2").finish()
}

#[test]
fn one_verification_is_four_requests_on_one_connection_beside_one_for_a_token() {
    let quickstart = Quickstart::new();
    let layout = quickstart.path("layout");
    let registry = FakeRegistry::start(&layout, |request, _| with_tokens(request));
    let reference = format!("{}/team/app:v1", registry.host());
    run(&quickstart, &["verify", &reference]).expect_status(0);
    let expected = [
        // Which is refused, and tells where the token is.
        "HEAD manifest",
        "GET token",
        // What the tag is, and the list of its signatures.
        "HEAD manifest",
        "GET referrers",
        // The signature's manifest, and its envelope.
        "GET manifest",
        "GET blob",
    ];
    assert_eq!(registry.steps(), expected);
    assert_eq!(registry.connections(), 1);

    // Of those without the referrers API, one asks for it, and for the tag instead.
    let registry = FakeRegistry::start(&layout, without_api);
    let reference = format!("{}/team/app:v1", registry.host());
    run(&quickstart, &["verify", &reference]).expect_status(0);
    assert_eq!(registry.steps().len(), 5, "{:?}", registry.steps());
    assert_eq!(registry.connections(), 1);
}

#[test]
fn who_asks_nobody_by_tls_reads_no_root_certificates() {
    let quickstart = Quickstart::new();
    quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
    let registry = FakeRegistry::start(&quickstart.path("layout"), |_, _| None);
    let reference = format!("{}/team/app:v1", registry.host());
    for verb in ["verify", "list", "inspect"] {
        let command = quickstart.command(&[verb, &reference, "--insecure-registry"]);
        // Reading some hundred files takes longer than the rest. Here there are none, which would be an error.
        let command =
            command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
        command.finish().expect_status(0);
    }
}

#[test]
fn what_each_command_asks_is_what_it_needs() {
    let quickstart = Quickstart::new();
    let asked = |words: &[&str]| {
        let registry = FakeRegistry::start(&quickstart.path("layout"), |_, _| None);
        let reference = format!("{}/team/app:v1", registry.host());
        run(&quickstart, &[words, &[&reference]].concat()).expect_status(0);
        assert_eq!(registry.connections(), 1);
        registry.steps()
    };
    let found = ["HEAD manifest", "GET referrers"];
    let signature = ["GET manifest", "GET blob"];
    assert_eq!(asked(&["list"]), found);
    assert_eq!(asked(&["inspect"]), [found, signature].concat());
    // The signature that is there is looked at, and found to be by the same certificate.
    let already = ["GET manifest", "GET referrers", "GET manifest", "GET blob"];
    assert_eq!(asked(&["sign"]), already);
    let written = ["HEAD blob", "POST upload", "PUT upload", "PUT manifest"];
    let signed = [&["GET manifest"][..], &written].concat();
    assert_eq!(asked(&["sign", "--force"]), signed);
    // The index at the referrers tag is read, written, and read again.
    let tag = ["GET manifest", "PUT manifest", "GET manifest"];
    let forced = [&signed[..], &tag].concat();
    assert_eq!(asked(&["sign", "--force", "--force-referrers-tag"]), forced);
}

#[test]
fn many_verifications_in_one_repository_take_one_token_and_few_connections() {
    const ARTIFACTS: usize = 40;
    let quickstart = Quickstart::new();
    let layout = quickstart.path("layout");
    let registry = FakeRegistry::start(&layout, |request, _| with_tokens(request));
    let reference = format!("{}/team/app:v1", registry.host());
    let words = [&["verify"][..], &[reference.as_str(); ARTIFACTS]].concat();
    run(&quickstart, &words).expect_status(0);
    let steps = registry.steps();
    assert_eq!(steps.iter().filter(|step| *step == "GET token").count(), 1);
    // Those that began at the same time were all refused once.
    let refused = steps.len() - 1 - 4 * ARTIFACTS;
    assert!((1..=limits::ARTIFACTS_AT_A_TIME).contains(&refused), "{refused}");
    let connections = registry.connections();
    assert!(connections <= limits::ARTIFACTS_AT_A_TIME, "{connections}");
}

#[test]
fn a_registry_without_the_referrers_api_is_asked_for_it_once_a_repository() {
    let quickstart = Quickstart::new();
    let registry = FakeRegistry::start(&quickstart.path("layout"), without_api);
    let remote = remote(&registry);
    wait(async {
        for path in ["team/app", "team/app", "team/other", "team/app"] {
            let repository = repository(&remote, path);
            let artifact = repository.resolve("v1").await.unwrap();
            assert_eq!(repository.signatures(&artifact).await.unwrap().signatures.len(), 1);
        }
    });
    let steps = registry.steps();
    assert_eq!(steps.iter().filter(|step| *step == "GET referrers").count(), 2, "{steps:?}");
    assert_eq!(steps.iter().filter(|step| *step == "GET manifest").count(), 4, "{steps:?}");
    assert_eq!(registry.connections(), 1);
}

#[test]
fn a_repository_that_is_not_there_yet_tells_nothing_of_the_referrers_api() {
    let quickstart = Quickstart::new();
    let is_there = Arc::new(Mutex::new(false));
    let asked = Arc::clone(&is_there);
    let registry = FakeRegistry::start(&quickstart.path("layout"), move |_, _| {
        (!*asked.lock().unwrap()).then(|| unknown("NAME_UNKNOWN"))
    });
    let remote = remote(&registry);
    let repository = repository(&remote, "team/app");
    let artifact = artifact(&quickstart);
    wait(async {
        assert_eq!(repository.signatures(&artifact).await.unwrap().signatures.len(), 0);
        *is_there.lock().unwrap() = true;
        assert_eq!(repository.signatures(&artifact).await.unwrap().signatures.len(), 1);
    });
}

#[test]
fn candidates_are_opened_a_few_at_a_time_and_stay_in_order() {
    const CANDIDATES: usize = 50;
    let quickstart = Quickstart::new();
    let artifact = artifact(&quickstart);
    let manifest = |n: usize| {
        let config = json!({"mediaType": SIGNATURE_MEDIA_TYPE, "digest": digest(b"{}"), "size": 2});
        let annotations = json!({CREATED_ANNOTATION: n.to_string()});
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPE, "config": config,
            "layers": [], "subject": artifact, "annotations": annotations});
        manifest.to_string()
    };
    let manifests: Vec<String> = (0..CANDIDATES).map(manifest).collect();
    let digests: Vec<Digest> = manifests.iter().map(|it| digest(it.as_bytes())).collect();
    let listed = manifests.iter().zip(&digests).map(|(manifest, digest)| {
        json!({"mediaType": MANIFEST_MEDIA_TYPE, "digest": digest, "size": manifest.len()})
    });
    let index = json!({"schemaVersion": 2, "manifests": listed.collect::<Vec<_>>()}).to_string();
    // Under way now, and at most.
    let under_way = Arc::new(Mutex::new((0, 0)));
    let counted = Arc::clone(&under_way);
    let registry = FakeRegistry::start(&quickstart.path("layout"), move |request, _| {
        if kind(request) == "referrers" {
            return Some(Answer::new(200, index.clone()).header("Content-Type", INDEX_MEDIA_TYPE));
        }
        let at = digests.iter().position(|digest| request.target.ends_with(digest.as_str()))?;
        {
            let (now, most) = &mut *counted.lock().unwrap();
            *now += 1;
            *most = (*most).max(*now);
        }
        // Every other one takes longer.
        thread::sleep(Duration::from_millis(if at % 2 == 0 { 20 } else { 5 }));
        counted.lock().unwrap().0 -= 1;
        Some(Answer::new(200, manifests[at].clone()).header("Content-Type", MANIFEST_MEDIA_TYPE))
    });
    let listing = wait(repository(&remote(&registry), "team/app").signatures(&artifact)).unwrap();
    assert!(listing.unreadable.is_empty(), "{listing:?}");
    let order = listing.signatures.iter().map(|it| it.annotations[CREATED_ANNOTATION].clone());
    assert!(order.eq((0..CANDIDATES).map(|n| n.to_string())), "{listing:?}");
    let most = under_way.lock().unwrap().1;
    assert!((2..=limits::OPENED_AT_A_TIME).contains(&most), "{most} at a time");
    assert!(registry.connections() <= limits::OPENED_AT_A_TIME, "{}", registry.connections());
}
