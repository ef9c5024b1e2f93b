//! What registries do that people have: a fake server for each, since none of them can be run in a test.

use notation_sdk::{
    oci::{EMPTY_MEDIA_TYPE, INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE},
    registry::layout::ImageLayout,
};
use serde_json::{Value, json};

use crate::support::{
    command::Finished,
    fake_http::{Answer, FakeHttp, Request},
    fake_registry::{FakeRegistry, Served, kind},
    quickstart::Quickstart,
};

/// What quickstart has signed, in a registry; every repository is judged by its policy.
struct Scene {
    quickstart: Quickstart,
    artifact: String,
}

impl Scene {
    fn new() -> Self {
        let quickstart = Quickstart::new();
        quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
        let layout = ImageLayout::open(quickstart.path("layout")).unwrap();
        let artifact = layout.resolve("v1").unwrap().digest.to_string();
        Self { quickstart, artifact }
    }

    fn registry(
        &self,
        lie: impl Fn(&Request, &Served) -> Option<Answer> + Send + Sync + 'static,
    ) -> FakeRegistry {
        FakeRegistry::start(&self.quickstart.path("layout"), lie)
    }

    fn run(&self, registry: &FakeRegistry, words: &[&str]) -> Finished {
        let reference = format!("{}/team/app@{}", registry.host(), self.artifact);
        self.quickstart.run(&[words, &[&reference, "--insecure-registry"]].concat())
    }

    /// Signs once more, and verifies in another process, which finds both signatures.
    fn signs_and_verifies(&self, registry: &FakeRegistry) {
        self.run(registry, &["verify"]).expect_status(0);
        self.run(registry, &["sign", "--force"]).expect_status(0);
        self.run(registry, &["verify"]).expect_status(0);
        let listed = self.run(registry, &["list", "-o", "json"]).expect_status(0);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(listed["signatures"].as_array().unwrap().len(), 2, "{listed:#}");
    }
}

fn index(index: &Value) -> Answer {
    Answer::new(200, index.to_string()).header("Content-Type", INDEX_MEDIA_TYPE)
}

/// What refers to the artifact of a request for the list of it.
fn referrers(request: &Request, served: &Served) -> Value {
    let (_, digest) = request.target.rsplit_once('/').unwrap();
    served.referrers(digest.split('?').next().unwrap())
}

/// The index at the referrers tag, which the registry has taken or was given with the layout.
fn tagged(request: &Request, served: &Served) -> Option<Answer> {
    let subject = request.target.rsplit_once("/sha256-")?.1;
    let listed = served.referrers(&format!("sha256:{subject}"));
    (request.method == "GET").then(|| index(&listed))
}

/// A registry that does not know the referrers API, and says so in this way.
fn without_api(scene: &Scene, says: impl Fn() -> Answer + Send + Sync + 'static) -> FakeRegistry {
    scene.registry(move |request, served| match kind(request) {
        "referrers" => Some(says()),
        "manifest" if request.method == "PUT" => Some(served.take_unlisted(request)),
        _ => tagged(request, served),
    })
}

#[test]
fn ghcr_lists_signatures_as_something_else_and_each_candidate_is_opened() {
    let scene = Scene::new();
    let registry = scene.registry(|request, served| {
        (kind(request) == "referrers").then(|| {
            let mut listed = referrers(request, served);
            for listed in listed["manifests"].as_array_mut().unwrap() {
                listed["artifactType"] = json!(EMPTY_MEDIA_TYPE);
                listed.as_object_mut().unwrap().remove("annotations");
            }
            // Filtered by those types, there are none.
            if request.target.contains("artifactType=") {
                listed["manifests"] = json!([]);
            }
            index(&listed)
        })
    });
    scene.signs_and_verifies(&registry);
}

#[test]
fn ghcr_redirects_to_a_web_site_that_refuses_and_the_referrers_tag_is_read() {
    for status in [403, 404, 422, 429] {
        let scene = Scene::new();
        let site = FakeHttp::start(move |_| Answer::new(status, "<html>"));
        let url = format!("{}/-/v2/packages/container", site.url());
        let registry = without_api(&scene, move || Answer::new(303, "").header("Location", &url));
        scene.signs_and_verifies(&registry);
        assert!(site.requests().iter().all(|request| request.header("authorization").is_none()));
        // Asked once for each list, as no web site is worth waiting for.
        assert!(site.requests().len() <= 6, "{:?}", site.targets());
    }
}

#[test]
fn quay_refuses_the_referrers_api_with_400_and_the_referrers_tag_is_read() {
    let scene = Scene::new();
    let says = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}"#;
    scene.signs_and_verifies(&without_api(&scene, move || Answer::new(400, says)));
}

#[test]
fn google_lists_what_it_took_by_another_type_and_says_nothing_of_a_filter() {
    let scene = Scene::new();
    let registry = scene.registry(|request, served| {
        (kind(request) == "referrers").then(|| {
            let mut listed = referrers(request, served);
            for listed in listed["manifests"].as_array_mut().unwrap() {
                listed.as_object_mut().unwrap().remove("artifactType");
            }
            if request.target.contains("artifactType=") {
                listed["manifests"] = json!([]);
            }
            index(&listed)
        })
    });
    scene.signs_and_verifies(&registry);
}

#[test]
fn gitlab_takes_the_referrers_tag_for_the_digest_of_the_artifact_itself() {
    let scene = Scene::new();
    // It lists nothing, as it gives the artifact where the index should be.
    let registry = scene.registry(|request, served| {
        if kind(request) == "referrers" {
            return Some(Answer::new(404, ""));
        }
        let subject = request.target.rsplit_once("/sha256-")?.1;
        let bytes = served.bytes(&format!("sha256:{subject}"))?;
        Some(Answer::new(200, bytes).header("Content-Type", MANIFEST_MEDIA_TYPE))
    });
    scene.run(&registry, &["verify"]).expect_status(4);
}

#[test]
fn harbor_gives_unsigned_artifacts_to_clients_of_notation_alone() {
    let scene = Scene::new();
    let policy =
        r#"{"errors":[{"code":"PROJECTPOLICYVIOLATION","message":"The image is not signed."}]}"#;
    let registry = scene.registry(move |request, _| {
        let is_notation = request.header("user-agent").is_some_and(|it| it.contains("notation"));
        (kind(request) == "manifest" && !is_notation).then(|| Answer::new(412, policy))
    });
    scene.signs_and_verifies(&registry);
    // To those who may not push, it refuses all the same, and its words are told.
    let registry = scene.registry(move |request, _| {
        (kind(request) == "manifest").then(|| Answer::new(412, policy))
    });
    let refused = scene.run(&registry, &["verify"]).expect_status(1);
    let told = "HTTP status 412: PROJECTPOLICYVIOLATION: The image is not signed.";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
}

#[test]
fn a_proxy_that_passes_on_manifests_and_no_lists_has_what_stands_at_the_referrers_tag() {
    let scene = Scene::new();
    let registry = scene.registry(|request, served| match kind(request) {
        "referrers" => Some(index(&json!({"schemaVersion": 2, "manifests": []}))),
        _ => tagged(request, served),
    });
    scene.run(&registry, &["verify"]).expect_status(0);
}
