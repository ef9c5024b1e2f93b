//! `dct plan`, `dct migrate` and `dct status`: from an archive of trust data to signatures that a policy accepts.

mod enforcement;
mod interrupted;
mod migrating;
mod planning;
mod whole;

use std::fs;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use notation_sdk::{algorithm::HashAlgorithm, oci::Digest};
use serde_json::{Map, Value, json};

use crate::support::{
    command::Finished,
    fake_http::{Answer, FakeHttp, Request},
    http,
    multi_platform::{MultiPlatform, upload},
    registry::Registry,
    trust_data::{self, GUN, TrustRepository},
};

/// An edit of a plan.
type Change<'a> = &'a dyn Fn(&mut Value);

/// A registry with images that Content Trust has released, the archive of that, and quickstart's key.
struct World {
    registry: Registry,
    multi: MultiPlatform,
}

impl World {
    const REPOSITORY: &str = "acme/app";

    /// The index has two tags, and each of `images` one.
    fn or_skip(images: &[&str]) -> Option<Self> {
        let world = Self { registry: Registry::or_skip()?, multi: MultiPlatform::new() };
        world.multi.push(world.registry.port(), Self::REPOSITORY, "1.0");
        let index = &world.multi.index;
        let target = |digest: &str, size: u64| {
            let bytes: Vec<u8> = (0..32)
                .map(|i| u8::from_str_radix(&digest["sha256:".len()..][2 * i..][..2], 16).unwrap())
                .collect();
            json!({"hashes": {"sha256": BASE64_STANDARD.encode(bytes)}, "length": size})
        };
        let of_index = target(index.digest.as_str(), index.size);
        let mut targets = Map::new();
        targets.insert("1.0".to_owned(), of_index.clone());
        targets.insert("latest".to_owned(), of_index);
        for image in images {
            let (digest, size) = world.put_image(image);
            targets.insert((*image).to_owned(), target(digest.as_str(), size));
        }
        let mut repository = TrustRepository::new();
        for role in ["targets", "targets/alice", "targets/bob", "targets/releases"] {
            repository.role(role)["targets"] = json!({});
        }
        repository.role("targets/releases")["targets"] = Value::Object(targets.clone());
        repository.role("targets/alice")["targets"] = Value::Object(targets);
        trust_data::write(&repository.build(), &world.multi.quickstart.path(&format!("raw/{GUN}")));
        let export = ["export", "--from-raw", "raw", "--to", "archive"];
        world.dct(&export).expect_status(0);
        Some(world)
    }

    /// An image with its name as its layer.
    fn put_image(&self, name: &str) -> (Digest, u64) {
        let layer = Digest::of(HashAlgorithm::Sha256, name.as_bytes());
        upload(self.registry.port(), Self::REPOSITORY, name.as_bytes());
        let config = Digest::of(HashAlgorithm::Sha256, b"{}");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": "application/octet-stream", "digest": layer, "size": name.len()}],
        });
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::of(HashAlgorithm::Sha256, &bytes);
        let path = format!("/v2/{}/manifests/{digest}", Self::REPOSITORY);
        let headers = [("Content-Type", media_type)];
        let put = http::request(self.registry.port(), "PUT", &path, &headers, &bytes).unwrap();
        assert_eq!(put.status, 201);
        (digest, u64::try_from(bytes.len()).unwrap())
    }

    fn delete(&self, digest: &str) {
        let path = format!("/v2/{}/manifests/{digest}", Self::REPOSITORY);
        let deleted = http::request(self.registry.port(), "DELETE", &path, &[], b"").unwrap();
        assert_eq!(deleted.status, 202);
    }

    fn repository(&self) -> String {
        format!("{}/{}", self.registry.host(), Self::REPOSITORY)
    }

    fn dct(&self, words: &[&str]) -> Finished {
        self.multi.quickstart.run(&[&["dct"], words].concat())
    }

    fn plan(&self, more: &[&str]) -> Finished {
        let words = ["plan", "archive", "--to", "plan", "--insecure-registry"];
        self.dct(&[&words, more].concat())
    }

    fn migrate(&self, more: &[&str]) -> Finished {
        let words = ["migrate", "plan/plan.json", "--insecure-registry", "-o", "json"];
        self.dct(&[&words, more].concat())
    }

    fn status(&self) -> Finished {
        let plan = ["--plan", "plan/plan.json", "--insecure-registry", "-o", "json"];
        self.dct(&[&["status", "archive"][..], &plan].concat())
    }

    fn read_plan(&self) -> Value {
        json_of_file(&self.multi.quickstart.path("plan/plan.json"))
    }

    fn edit_plan(&self, change: impl FnOnce(&mut Value)) {
        let mut plan = self.read_plan();
        change(&mut plan);
        self.multi.quickstart.write("plan/plan.json", plan.to_string());
    }

    /// A plan whose images are in the registry, with quickstart's key.
    fn planned(&self) {
        self.plan(&["--offline", "--key", "quickstart"]).expect_status(0);
        let repository = self.repository();
        self.edit_plan(|plan| plan["repositories"][0]["repository"] = json!(repository));
        self.plan(&["--key", "quickstart"]).expect_status(0);
    }

    /// How many signatures a digest has.
    fn signatures(&self, digest: &str) -> usize {
        self.manifests(digest).len()
    }

    /// The manifests of a digest's signatures.
    fn manifests(&self, digest: &str) -> Vec<String> {
        let reference = format!("{}@{digest}", self.repository());
        let words = ["list", &reference, "--insecure-registry", "-o", "json"];
        let listed = json_of(&self.multi.quickstart.run(&words).expect_status(0));
        let listed = listed["signatures"].as_array().unwrap().iter();
        listed.map(|row| row["manifest"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether the registry has a manifest.
    fn has(&self, digest: &str) -> bool {
        let path = format!("/v2/{}/manifests/{digest}", Self::REPOSITORY);
        let accept = [("Accept", "application/vnd.oci.image.manifest.v1+json")];
        http::request(self.registry.port(), "GET", &path, &accept, b"").unwrap().status == 200
    }

    /// A server in front of the registry, which answers what `lie` does not. The plan is moved there.
    fn behind(&self, lie: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) -> FakeHttp {
        let port = self.registry.port();
        let server = FakeHttp::start(move |request| {
            lie(request).unwrap_or_else(|| {
                let kept = ["accept", "content-type"];
                let headers = kept.iter().filter_map(|name| Some((*name, request.header(name)?)));
                let headers: Vec<(&str, &str)> = headers.collect();
                // The length of what is not sent is that of what would be.
                let is_head = request.method == "HEAD";
                let method = if is_head { "GET" } else { &request.method };
                let target = &request.target;
                let answer = http::request(port, method, target, &headers, &request.bytes).unwrap();
                let told = ["Content-Type", "Location", "Docker-Content-Digest"];
                let body = answer.body.clone();
                let answer = told.into_iter().fold(Answer::new(answer.status, body), |to, name| {
                    answer.header(name).into_iter().fold(to, |to, value| to.header(name, value))
                });
                if is_head { answer.without_body() } else { answer }
            })
        });
        let repository = format!("{}/{}", &server.url()["http://".len()..], Self::REPOSITORY);
        self.edit_plan(|plan| plan["repositories"][0]["repository"] = json!(repository));
        self.plan(&["--offline"]).expect_status(0);
        server
    }
}

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{finished:?}"))
}

/// What was counted at all.
fn nonzero(counts: &Value) -> Value {
    let counts = counts.as_object().unwrap().iter().filter(|(_, count)| **count != json!(0));
    counts.map(|(name, count)| (name.clone(), count.clone())).collect::<Map<_, _>>().into()
}

fn json_of_file(path: &std::path::Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn digests(plan: &Value) -> Vec<String> {
    let signatures = plan["repositories"][0]["signatures"].as_array().unwrap().iter();
    signatures.map(|signature| signature["digest"].as_str().unwrap().to_owned()).collect()
}

/// What a report says was pushed.
fn pushed(report: &Value) -> Vec<String> {
    let pushed = report["pushed"].as_array().unwrap().iter();
    pushed.map(|one| one["manifest"].as_str().unwrap().to_owned()).collect()
}
