//! Whole processes, as the notation CLI runs them: start-up beside a program that prints one line, and
//! the time of a signature that is our own: wall time minus what the key service took.

#![expect(clippy::indexing_slicing, clippy::print_stdout, reason = "a bench prints its figures")]

#[expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the tests' own support, of which this takes a part"
)]
#[path = "../tests/support/mod.rs"]
mod support;

mod measure;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use measure::{compiled, in_turns, installed, median, millis};
use notation_sdk::algorithm::KeySpec;
use support::{
    component::Component,
    fake_kms::{Behaviour, FakeKms},
    ministack::Ministack,
};

const STARTS: usize = 300;
const SIGNATURES: usize = 30;
const VERIFICATIONS: usize = 100;
const HASHES: usize = 11;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let executable = measure::executable(folder.path());
    start_up(&executable, folder.path());
    match Ministack::or_skip() {
        Some(kms) => signature(kms, &executable, folder.path()),
        None => println!("generate-signature: skipped, as there is no ministack"),
    }
    let measure = measure::program(folder.path());
    match Component::Notation.or_skip() {
        Some(notation) => {
            let notation = installed(folder.path(), &notation);
            verification(&measure, [&executable, &notation], folder.path());
        }
        None => println!("verify: skipped, as there is no notation"),
    }
    match Component::Openssl.or_skip() {
        Some(openssl) => hashing(&measure, [&executable, &openssl], folder.path()),
        None => println!("blob verify: skipped, as there is no openssl"),
    }
}

/// `verify --oci-layout` beside notation's, on one layout and one configuration.
fn verification(measure: &Path, [executable, notation]: [&Path; 2], folder: &Path) {
    let made = Command::new(executable)
        .args(["quickstart", "--to"])
        .arg(folder.join("quickstart"))
        .stdout(Stdio::null())
        .status();
    assert!(made.expect("it starts").success());
    let program = |program: &Path| {
        let mut command = Command::new(program);
        let layout = folder.join("quickstart/layout").display().to_string();
        command.args(["verify", "--oci-layout", "--scope", "local/quickstart"]);
        command.arg(format!("{layout}:v1")).env("NOTATION_EXPERIMENTAL", "1");
        command.env("XDG_CONFIG_HOME", folder.join("quickstart/config"));
        command
    };
    let (mut ours, mut theirs) = (program(executable), program(notation));
    let [ours, theirs] = in_turns(measure, VERIFICATIONS, [&mut ours, &mut theirs]);
    println!(
        "verify --oci-layout: {:.2} ms and {:.1} MiB, notation: {:.2} ms and {:.1} MiB, ratios {:.2} and {:.2} (target 0.5)",
        ours.0,
        ours.1,
        theirs.0,
        theirs.1,
        ours.0 / theirs.0,
        ours.1 / theirs.1
    );
}

/// `blob verify` of a large file beside `openssl dgst` of the same.
fn hashing(measure: &Path, [executable, openssl]: [&Path; 2], folder: &Path) {
    let file = folder.join("large");
    fs::File::create(&file).expect("a file").set_len(1 << 30).expect("1 GiB");
    let configuration = folder.join("quickstart/config");
    let policy = serde_json::json!({"version": "1.0", "trustPolicies": [{
        "name": "files", "globalPolicy": true, "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:quickstart"], "trustedIdentities": ["*"],
    }]});
    let path = configuration.join("notation/trustpolicy.blob.json");
    fs::write(path, policy.to_string()).expect("a policy");
    let ours = |words: &[&str]| {
        let mut command = Command::new(executable);
        command.arg("blob").args(words).arg(&file).env("XDG_CONFIG_HOME", &configuration);
        command
    };
    let signed = ours(&["sign"]).stdout(Stdio::null()).status();
    assert!(signed.expect("it starts").success());
    let signature = folder.join("large.jws.sig").display().to_string();
    let mut theirs = Command::new(openssl);
    theirs.args(["dgst", "-sha256"]).arg(&file);
    let mut ours = ours(&["verify", "--signature", &signature]);
    let [ours, theirs] = in_turns(measure, HASHES, [&mut ours, &mut theirs]);
    println!(
        "blob verify of 1 GiB: {:.0} ms, openssl dgst: {:.0} ms, ratio {:.2} (target 1.1)",
        ours.0,
        theirs.0,
        ours.0 / theirs.0
    );
}

/// Runs a program, and gives the time from its start to its end.
fn timed(program: &Path, word: &str, request: &[u8], home: &Path) -> Duration {
    let mut command = Command::new(program);
    command.arg(word).env_clear().env("HOME", home).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // The floor reads nothing, and may be gone.
    let _ = stdin.write_all(request);
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let elapsed = start.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    elapsed
}

fn start_up(executable: &Path, folder: &Path) {
    let floor = compiled(folder, "floor", "fn main() { println!(\"{{}}\"); }");
    let floor = installed(folder, &floor);
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        floors.push(timed(&floor, "", b"{}", folder));
        ours.push(timed(executable, "get-plugin-metadata", b"{}", folder));
    }
    let (floor, ours) = (median(&mut floors), median(&mut ours));
    println!(
        "get-plugin-metadata: {:.2} ms, a program that prints one line: {:.2} ms, ratio {:.2} (target 2)",
        millis(ours),
        millis(floor),
        ours.as_secs_f64() / floor.as_secs_f64()
    );
}

fn signature(kms: &Ministack, executable: &Path, folder: &Path) {
    let port =
        kms.endpoint().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let proxy = FakeKms::start(Behaviour::Forward(port));
    for spec in [KeySpec::Ec256, KeySpec::Rsa2048] {
        let request = request(kms, &proxy, spec, [executable, folder]);
        let mut own = Vec::new();
        for _ in 0..SIGNATURES {
            let before = proxy.waits().len();
            let wall = timed(executable, "generate-signature", &request, folder);
            let waits = proxy.waits();
            assert_eq!(waits.len(), before + 1, "one signature is one call");
            own.push(wall.saturating_sub(waits[before]));
        }
        let own = median(&mut own);
        println!("generate-signature, {spec}: {:.2} ms of our own time (target 10)", millis(own));
    }
}

/// A request for a key of the KMS, with a self-signed certificate for it.
fn request(
    kms: &Ministack,
    proxy: &FakeKms,
    spec: KeySpec,
    [executable, folder]: [&Path; 2],
) -> Vec<u8> {
    let id = format!("awskms:///{}", kms.create_key(spec));
    let chain_path = self_signed(executable, &id, &kms.endpoint(), folder);
    serde_json::json!({
        "contractVersion": "1.0",
        "keyId": id,
        "keySpec": spec.name(),
        "hashAlgorithm": spec.hash().name(),
        "payload": "cGF5bG9hZA==",
        "pluginConfig": {"cert-chain": chain_path, "aws-endpoint-url": proxy.endpoint()},
    })
    .to_string()
    .into_bytes()
}

fn self_signed(executable: &Path, id: &str, endpoint: &str, folder: &Path) -> PathBuf {
    let path = folder.join("chain.pem");
    let _ = fs::remove_file(&path);
    let made = Command::new(executable)
        .args([
            "cert",
            "self-sign",
            "--id",
            id,
            "--subject",
            "C=US, ST=WA, O=Acme, CN=bench",
            "--days",
            "1",
        ])
        .args(["--plugin-config", &format!("aws-endpoint-url={endpoint}"), "--to"])
        .arg(&path)
        .envs([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status();
    assert!(made.expect("it starts").success());
    path
}
