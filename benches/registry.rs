//! `verify` and `sign` over registries on this machine, as processes beside notation on the same repository, and many
//! verifications in one process.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench reads files and the clock, and prints its figures"
)]

#[expect(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the tests' own support, of which this takes a part"
)]
#[path = "../tests/support/mod.rs"]
mod support;

mod measure;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use measure::{in_turns, installed, median, millis};
use notation_sdk::{
    oci::{
        Digest, EMPTY_CONFIG, EMPTY_MEDIA_TYPE, INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, Reference,
    },
    registry::{
        Repository,
        remote::{RemoteError, RemoteOptions, RemoteRepository},
    },
    revocation::Evidence,
    trust::{DirectoryTrustStore, OciPolicy},
    verify::{Revocation, Verifier},
};
use serde_json::json;
use support::{
    component::Component,
    layout::Layout,
    quickstart::Quickstart,
    registry::{Reached, ReferrersRegistry, Registry},
};
use time::UtcDateTime;

const VERIFICATIONS: usize = 60;
const SIGNATURES: usize = 30;
const MANY: usize = 100;
const MANY_RUNS: usize = 7;

fn main() {
    let Some(notation) = Component::Notation.or_skip() else {
        println!("registries: skipped, as there is no notation");
        return;
    };
    let bench = Bench::new(&notation);
    match Registry::or_skip() {
        Some(registry) => {
            let name = "docker-registry, referrers tag";
            if let Some(signed) = bench.run(name, &registry.host()) {
                answers(name, &signed);
            }
        }
        None => println!("docker-registry: skipped, as it is not there"),
    }
    bench.run("ferro-oci-server, referrers API", &ReferrersRegistry::start().host());
}

/// A key and a policy that both programs read.
struct Bench {
    executable: PathBuf,
    notation: PathBuf,
    quickstart: Quickstart,
    measure: PathBuf,
}

impl Bench {
    fn new(notation: &Path) -> Self {
        let quickstart = Quickstart::new();
        quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
        let file = |name: &str| quickstart.path(&format!("keys/{name}"));
        let key = json!({"name": "bench", "keyPath": file("signing.key.pem"), "certPath": file("chain.pem")});
        let keys = json!({"default": "bench", "keys": [key]});
        quickstart.write("config/notation/signingkeys.json", keys.to_string());
        let folder = quickstart.path("");
        let measure = measure::program(&folder);
        let (executable, notation) = (measure::executable(&folder), installed(&folder, notation));
        Self { executable, notation, quickstart, measure }
    }

    /// Gives what was signed.
    fn run(&self, name: &str, host: &str) -> Option<Reference> {
        let push = |content: &str| {
            let layout = Layout::new(content.as_bytes());
            Reached::plainly(host.to_owned()).push(&layout, "team/app")
        };
        let (Some(verified), Some(signed)) = (push("verified"), push("signed")) else {
            println!("{name}: skipped, as there is no skopeo");
            return None;
        };
        let output = self.command(&self.executable, &["sign", &verified]).output();
        assert!(output.expect("it starts").status.success());
        self.compare(name, "verify", VERIFICATIONS, [&["verify", &verified]; 2]);
        let ours = ["sign", "--force", &signed];
        self.compare(name, "sign", SIGNATURES, [&ours, &["sign", &signed]]);
        self.many(name, &verified);
        self.in_one_process(name, &verified.parse().expect("a reference"));
        signed.parse().ok()
    }

    fn command(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).arg("--insecure-registry");
        // The peer takes the key by its name only.
        if words[0] == "sign" {
            command.args(["--key", "bench"]);
        }
        command.env("XDG_CONFIG_HOME", self.quickstart.path("config"));
        command
    }

    fn compare(&self, name: &str, verb: &str, runs: usize, words: [&[&str]; 2]) {
        let mut ours = self.command(&self.executable, words[0]);
        let mut theirs = self.command(&self.notation, words[1]);
        let [ours, theirs] = in_turns(&self.measure, runs, [&mut ours, &mut theirs]);
        println!(
            "{verb}, {name}: {:.1} ms and {:.1} MiB, notation: {:.1} ms and {:.1} MiB, ratios {:.2} and {:.2} (target 0.5)",
            ours.0,
            ours.1,
            theirs.0,
            theirs.1,
            ours.0 / theirs.0,
            ours.1 / theirs.1
        );
    }

    /// One command about many references beside as many commands of notation, of which one is measured.
    fn many(&self, name: &str, reference: &str) {
        let words = [&["verify"][..], &[reference; MANY]].concat();
        let mut ours = self.command(&self.executable, &words);
        let mut theirs = self.command(&self.notation, &["verify", reference]);
        let [ours, theirs] = in_turns(&self.measure, MANY_RUNS, [&mut ours, &mut theirs]);
        let loop_of_theirs = 100.0 * theirs.0;
        println!(
            "verify of {MANY} references, {name}: {:.1} ms, notation {MANY} times: {loop_of_theirs:.0} ms, {:.0} times faster (target 10)",
            ours.0,
            loop_of_theirs / ours.0
        );
    }

    /// Verifications one after the other through the library, on one registry.
    fn in_one_process(&self, name: &str, reference: &Reference) {
        let (repository, digest) = opened(reference);
        let file = self.quickstart.path("config/notation/trustpolicy.json");
        let policy = OciPolicy::parse(&fs::read(file).expect("a file")).expect("a policy");
        let statement = &policy.policy.statements[0].statement;
        let store = DirectoryTrustStore::new(self.quickstart.path("config/notation/truststore"));
        let anchors = store.read(statement.trust_stores()).expect("anchors").anchors;
        let evidence = Evidence::new();
        let revocation = Revocation::Offline(&evidence);
        let verifier = Verifier::new(statement, &anchors, revocation, UtcDateTime::now());
        let start = Instant::now();
        wait(async {
            for _ in 0..MANY {
                let artifact = repository.resolve(digest).await.expect("an artifact");
                verifier.verify(&repository, &artifact).await.expect("it is signed");
            }
        });
        println!("{MANY} verifications in one process, {name}: {:.1} ms", millis(start.elapsed()));
    }
}

/// What `sign` asks a registry without the referrers API, through the library and on an open connection: a part of the
/// command that no program can make shorter.
fn answers(name: &str, reference: &Reference) {
    let (repository, digest) = opened(reference);
    let mut times = Vec::new();
    wait(async {
        let config = repository.push_blob(EMPTY_CONFIG).await.expect("it is taken");
        for number in 0..SIGNATURES {
            let start = Instant::now();
            sign_at_the_tag(&repository, digest, &config, number).await.expect("answers");
            times.push(start.elapsed());
        }
    });
    println!("answers to what sign asks, {name}: {:.1} ms", millis(median(&mut times)));
}

/// The requests of a signature, which is listed at a tag, but for the one that finds no list of referrers.
async fn sign_at_the_tag(
    repository: &RemoteRepository,
    artifact: &str,
    config: &Digest,
    number: usize,
) -> Result<(), RemoteError> {
    repository.resolve_by_content(artifact).await?;
    repository.has_blob(config).await?;
    let envelope = format!("{number} {:2500}", "");
    let layer = repository.push_blob(envelope.as_bytes()).await?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPE,
        "config": {"mediaType": EMPTY_MEDIA_TYPE, "digest": config, "size": 2},
        "layers": [{"mediaType": "text/plain", "digest": layer, "size": envelope.len()}],
    });
    let pushed = repository
        .push_manifest(MANIFEST_MEDIA_TYPE, manifest.to_string().as_bytes(), None)
        .await?;
    let _ = repository.resolve_by_content("index").await;
    let index = json!({"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": [pushed]});
    repository.push_manifest(INDEX_MEDIA_TYPE, index.to_string().as_bytes(), Some("index")).await?;
    repository.resolve_by_content("index").await?;
    Ok(())
}

/// The repository of an artifact, and the artifact's digest.
fn opened(reference: &Reference) -> (RemoteRepository, &str) {
    let mut options = RemoteOptions::default();
    options.insecure = true;
    let repository = RemoteRepository::new(reference, options).expect("a repository");
    (repository, reference.digest().expect("a digest").as_str())
}

fn wait<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}
