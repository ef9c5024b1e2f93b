//! The whole way, with real parts: a notary server and its signer, a registry, keys of a key service, a CA, notation.

use std::fs;

use notation_sdk::algorithm::KeySpec;
use serde_json::{Value, json};

use super::{World, digests, json_of, json_of_file, nonzero, pushed};
use crate::support::{
    command::{Finished, Run},
    component::Component,
    fake_kms::{Behaviour, FakeKms},
    ministack::Ministack,
    multi_platform::MultiPlatform,
    notary::{Notary, TrustService},
    notation::Notation,
    openssl::{Authority, Openssl},
    registry::Registry,
};

const CREDENTIALS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// A team that has released an index of several platforms with Content Trust, and has a CA.
struct Team {
    notary: Notary,
    registry: Registry,
    multi: MultiPlatform,
    kms: &'static Ministack,
    openssl: Openssl,
}

impl Team {
    fn or_skip() -> Option<Self> {
        Some(Self {
            notary: Notary::or_skip(TrustService::Signer)?,
            registry: Registry::or_skip()?,
            kms: Ministack::or_skip()?,
            openssl: Openssl::or_skip()?,
            multi: MultiPlatform::new(),
        })
    }

    fn gun(&self) -> String {
        format!("{}/acme/app", self.registry.host())
    }

    fn run(&self, words: &[&str]) -> Finished {
        kms_command(&self.multi, words).finish()
    }

    /// A key of the service with a certificate of the CA, in `key add` as `release`.
    fn add_key(&self) {
        let id = format!("awskms:///{}", self.kms.create_key(KeySpec::Ec256));
        let config = format!("aws-endpoint-url={}", self.kms.endpoint());
        let chain = certify(&self.multi, &self.openssl, &id, &config);
        let add = ["key", "add", "release", "--id", &id, "--plugin-config", &config];
        self.run(&[&add[..], &["--cert-chain", &chain]].concat()).expect_status(0);
    }

    /// Plans, signs and asks for the coverage, from the archive alone. Gives the report of the migration.
    fn leave(&self, plan: &str) -> Value {
        let file = format!("{plan}/plan.json");
        let planned =
            ["dct", "plan", "archive", "--to", plan, "--key", "release", "--insecure-registry"];
        let planned = self.run(&[&planned[..], &["-o", "json"]].concat()).expect_status(0);
        assert_eq!(nonzero(&json_of(&planned)["registry"]), json!({"present": 1}));
        let status =
            ["dct", "status", "archive", "--plan", &file, "--insecure-registry", "-o", "json"];
        self.run(&status).expect_status(4);
        let migrate = ["dct", "migrate", &file, "--insecure-registry", "-o", "json"];
        let report = json_of(&self.run(&migrate).expect_status(0));
        assert_eq!(nonzero(&report["counts"]), json!({"signed": 1}));
        let covered = json_of(&self.run(&status).expect_status(0));
        assert_eq!(covered["digests"][0]["signer"], "CN=release,O=Acme,ST=WA,C=US");
        report
    }

    /// Enforces a plan's policy, and lets notation verify by it.
    fn enforce(&self, plan: &str) {
        let store = self.multi.quickstart.path(&format!("{plan}/truststore/x509/ca/release"));
        let root = fs::read_dir(store).unwrap().next().unwrap().unwrap().path();
        let add = ["cert", "add", "--type", "ca", "--store", "release", root.to_str().unwrap()];
        // The second time it is there already.
        self.run(&add);
        let policy = format!("{plan}/trustpolicy.strict.json");
        self.run(&["policy", "import", &policy, "--force"]).expect_status(0);
        let reference = format!("{}@{}", self.gun(), self.multi.index.digest);
        let tags = ["--user-metadata", "dct.tags=1.0,latest"];
        let verify = ["verify", &reference, "--insecure-registry"];
        self.run(&[&verify[..], &tags].concat()).expect_status(0);
        if let Some(notation) = Notation::or_skip() {
            let verify = notation.command(["verify", "--insecure-registry", &reference]);
            let home = self.multi.quickstart.path("config");
            verify.env("XDG_CONFIG_HOME", home).finish().expect_status(0);
        }
    }
}

fn kms_command(multi: &MultiPlatform, words: &[&str]) -> Run {
    let run = multi.quickstart.command(words);
    CREDENTIALS.into_iter().fold(run, |run, (name, value)| run.env(name, value))
}

/// Makes a request for a key and lets openssl's CA issue the certificate. Gives the chain's file.
fn certify(multi: &MultiPlatform, openssl: &Openssl, id: &str, config: &str) -> String {
    let request = openssl.path("release.csr");
    let words = ["cert", "request", "--id", id, "--plugin-config", config, "--subject"];
    let more = ["C=US, ST=WA, O=Acme, CN=release", "--to", request.to_str().unwrap()];
    kms_command(multi, &[&words[..], &more].concat()).finish().expect_status(0);
    Authority::new(openssl).issue(&request).to_str().unwrap().to_owned()
}

#[test]
fn a_team_leaves_content_trust_and_again_when_its_server_is_gone() {
    let Some(mut team) = Team::or_skip() else { return };
    let (gun, index) = (team.gun(), team.multi.index.clone());
    team.multi.push(team.registry.port(), "acme/app", "1.0");
    let tags = ["1.0", "latest"];
    team.notary.publish_images(&gun, &tags.map(|tag| (tag, index.digest.hex(), index.size)));
    team.add_key();
    let ca = team.notary.ca();
    let export = ["dct", "export", &gun, "--server", team.notary.url(), "--ca-cert"];
    team.run(&[&export[..], &[ca.to_str().unwrap(), "--to", "archive"]].concat()).expect_status(0);
    let quickstart = &team.multi.quickstart;
    fs::create_dir(quickstart.path("ci")).unwrap();
    quickstart.write("ci/.gitlab-ci.yml", "variables:\n  DOCKER_CONTENT_TRUST: \"1\"\n");
    let audit = team.run(&["dct", "audit", "ci", "-o", "json"]).expect_status(3);
    assert_eq!(json_of(&audit)["findings"][0]["rule"], "DCT001");

    let first = team.leave("plan");
    team.enforce("plan");

    // All that was stored is removed again, as the page says, and the server is gone.
    let Some(oras) = Component::Oras.or_skip() else { return };
    for manifest in pushed(&first) {
        let home = quickstart.path("");
        let delete = Run::new(&oras).env("HOME", home).args(["manifest", "delete", "--force"]);
        let reference = format!("{gun}@{manifest}");
        delete.args(["--plain-http", &reference]).finish().expect_status(0);
    }
    team.notary.stop();
    let second = team.leave("again");
    assert_ne!(pushed(&first), pushed(&second));
    team.enforce("again");
}

#[test]
fn a_key_service_that_denies_half_way_keeps_what_is_signed_and_is_gone_on_with() {
    let Some(world) = World::or_skip(&["2.0", "3.0"]) else { return };
    let (Some(kms), Some(openssl)) = (Ministack::or_skip(), Openssl::or_skip()) else { return };
    let port = kms.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    let id = format!("awskms:///{}", kms.create_key(KeySpec::Ec256));
    let endpoint = |url: &str| format!("aws-endpoint-url={url}");
    let chain = certify(&world.multi, &openssl, &id, &endpoint(&kms.endpoint()));
    world.plan(&["--offline"]).expect_status(0);
    let repository = world.repository();
    let service = FakeKms::start(Behaviour::Deny(port, 1));
    let key = |url: String| {
        json!({
            "name": null, "id": id, "certChain": chain, "pluginConfig": {"aws-endpoint-url": url},
        })
    };
    world.edit_plan(|plan| {
        plan["repositories"][0]["repository"] = json!(repository);
        plan["keys"]["alice"] = key(service.endpoint());
    });
    world.plan(&[]).expect_status(0);
    let words = ["dct", "migrate", "plan/plan.json", "--insecure-registry", "-o", "json"];
    let migrate = || kms_command(&world.multi, &words).finish();
    let report = json_of(&migrate().expect_status(9));
    let counts = json!({"signed": 1, "failed": 1, "notTried": 1});
    assert_eq!(nonzero(&report["counts"]), counts, "{report:#}");
    let told = report["signatures"][1]["error"].as_str().unwrap();
    assert!(told.contains("no more") || told.contains("denied"), "{told}");
    let kept = world.multi.quickstart.path("plan/migration-report.json");
    assert_eq!(json_of_file(&kept), report);
    assert_eq!(service.actions().iter().filter(|action| *action == "sign").count(), 2);

    world.edit_plan(|plan| plan["keys"]["alice"] = key(kms.endpoint()));
    let report = json_of(&migrate().expect_status(0));
    assert_eq!(nonzero(&report["counts"]), json!({"skipped": 1, "signed": 2}), "{report:#}");
    for digest in digests(&world.read_plan()) {
        assert_eq!(world.signatures(&digest), 1, "{digest}");
    }
    assert_eq!(pushed(&report).len(), 3);
}
