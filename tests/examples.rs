//! The examples, run as their own documentation says, over a quickstart's folder.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::command::{Finished, Run};

/// `cargo run --example NAME -- ARGUMENTS`, in the test's folder.
fn example(name: &str, arguments: &[&str]) -> Run {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let words = ["run", "--quiet", "--locked", "--all-features", "--manifest-path", manifest];
    let run = Run::new(env!("CARGO")).args(words).args(["--example", name, "--"]).args(arguments);
    // Where cargo and its caches are; the rest of the environment stays out.
    let kept = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"];
    let kept = kept.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let run = kept.fold(run, |run, (name, value)| run.env(name, value));
    run.timeout(std::time::Duration::from_secs(600))
}

struct Quickstart {
    folder: TempDir,
    digest: String,
}

impl Quickstart {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let run = Run::notation_kms().home(folder.path()).current_dir(folder.path());
        let made = run.args(["quickstart", "--to", "qs"]).finish().expect_status(0);
        let start = made.stdout.find("sha256:").unwrap();
        Self { digest: made.stdout[start..start + 71].to_owned(), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("qs").join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn an_artifact_is_signed_and_verified_by_the_examples() {
    let quickstart = Quickstart::new();
    let (layout, chain) = (quickstart.path("layout"), quickstart.path("keys/chain.pem"));
    let key = quickstart.path("keys/signing.key.pem");
    let signed = example("sign", &[text(&layout), "v1", text(&key), text(&chain)]);
    let signed = signed.finish().expect_status(0);
    assert!(signed.stdout.starts_with(&format!("signed {}: sha256:", quickstart.digest)));
    let policy = quickstart.path("config/notation/trustpolicy.json");
    let stores = quickstart.path("config/notation/truststore");
    let verify = |repository: &str| -> Finished {
        let digest = quickstart.digest.as_str();
        let words = [text(&layout), digest, text(&policy), text(&stores), repository];
        example("verify", &words).finish()
    };
    let verified = verify("local/quickstart").expect_status(0);
    assert!(verified.stdout.starts_with("signed by CN=Quickstart signer,"), "{}", verified.stdout);
    verify("local/other").expect_status(1);
}

#[test]
fn containerd_is_told_to_pull_what_is_signed_and_nothing_else() {
    let quickstart = Quickstart::new();
    let manifest = quickstart.path("layout/blobs").join(quickstart.digest.replace(':', "/"));
    let size = std::fs::metadata(manifest).unwrap().len();
    let ask = |name: &str, digest: &str, layout: &str| {
        let descriptor = serde_json::json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
        });
        let kind = "application/vnd.oci.descriptor.v1+json";
        let words = ["-name", name, "-digest", digest, "-stdin-media-type", kind];
        example("containerd_verifier", &words)
            .env("NOTATION_CONFIG", quickstart.path("config/notation"))
            .env("NOTATION_LAYOUT", quickstart.path(layout))
            .stdin(descriptor.to_string())
            .finish()
    };
    let pulled = ask("local/quickstart:v1", &quickstart.digest, "layout").expect_status(0);
    assert!(pulled.stdout.starts_with("signed by CN=Quickstart signer,"), "{}", pulled.stdout);
    let policy = quickstart.path("config/notation/trustpolicy.json");
    let strict = std::fs::read_to_string(&policy).unwrap();
    let skip = r#"{"version": "1.0", "trustPolicies": [{"name": "skip", "registryScopes": ["local/quickstart"],
        "signatureVerification": {"level": "skip"}}]}"#;
    let other = format!("sha256:{}", "0".repeat(64));
    let in_force = policy.with_file_name("trustpolicy.oci.json");
    std::fs::write(&in_force, &strict).unwrap();
    std::fs::write(&policy, skip).unwrap();
    let strictly = ask("local/quickstart:v1", &other, "layout").expect_status(1);
    assert!(strictly.stdout.contains("is unsigned"), "{}", strictly.stdout);
    std::fs::write(&in_force, strict.replace("\"version\"", "\"more\": 1, \"version\"")).unwrap();
    let misspelt = ask("local/quickstart:v1", &quickstart.digest, "layout").expect_status(1);
    assert!(misspelt.stdout.contains("member \"more\" is not known"), "{}", misspelt.stdout);
    std::fs::remove_file(&in_force).unwrap();
    std::fs::write(&policy, strict).unwrap();
    let blocked = ask("local/quickstart:v1", &other, "layout").expect_status(1);
    assert!(blocked.stdout.contains(&format!("{other} is unsigned")), "{}", blocked.stdout);
    let unknown = ask("local/unknown:v1", &quickstart.digest, "layout").expect_status(1);
    assert!(unknown.stdout.contains("no statement of the trust policy"), "{}", unknown.stdout);
    let missing = ask("local/quickstart:v1", &quickstart.digest, "nothing").expect_status(1);
    assert!(missing.stdout.contains("there is no image layout"), "{}", missing.stdout);
}
