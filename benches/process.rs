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

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use notation_sdk::algorithm::KeySpec;
use support::{
    fake_kms::{Behaviour, FakeKms},
    ministack::Ministack,
};

const EXECUTABLE: &str = env!("CARGO_BIN_EXE_notation-kms");
const STARTS: usize = 300;
const SIGNATURES: usize = 30;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    start_up(folder.path());
    match Ministack::or_skip() {
        Some(kms) => signature(kms, folder.path()),
        None => println!("generate-signature: skipped, as there is no ministack"),
    }
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

fn start_up(folder: &Path) {
    let source = folder.join("floor.rs");
    fs::write(&source, "fn main() { println!(\"{{}}\"); }").expect("a file");
    let floor = folder.join("floor");
    let compiled = Command::new("rustc").arg("-O").arg("-o").arg(&floor).arg(&source).status();
    assert!(compiled.expect("rustc starts").success());
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        floors.push(timed(&floor, "", b"{}", folder));
        ours.push(timed(Path::new(EXECUTABLE), "get-plugin-metadata", b"{}", folder));
    }
    let (floor, ours) = (median(&mut floors), median(&mut ours));
    println!(
        "get-plugin-metadata: {:.2} ms, a program that prints one line: {:.2} ms, ratio {:.2} (target 2)",
        millis(ours),
        millis(floor),
        ours.as_secs_f64() / floor.as_secs_f64()
    );
}

fn signature(kms: &Ministack, folder: &Path) {
    let port =
        kms.endpoint().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let proxy = FakeKms::start(Behaviour::Forward(port));
    for spec in [KeySpec::Ec256, KeySpec::Rsa2048] {
        let request = request(kms, &proxy, spec, folder);
        let mut own = Vec::new();
        for _ in 0..SIGNATURES {
            let before = proxy.waits().len();
            let wall = timed(Path::new(EXECUTABLE), "generate-signature", &request, folder);
            let waits = proxy.waits();
            assert_eq!(waits.len(), before + 1, "one signature is one call");
            own.push(wall.saturating_sub(waits[before]));
        }
        let own = median(&mut own);
        println!("generate-signature, {spec}: {:.2} ms of our own time (target 10)", millis(own));
    }
}

/// A request for a key of the KMS, with a self-signed certificate for it.
fn request(kms: &Ministack, proxy: &FakeKms, spec: KeySpec, folder: &Path) -> Vec<u8> {
    let id = format!("awskms:///{}", kms.create_key(spec));
    let chain_path = self_signed(&id, &kms.endpoint(), folder);
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

fn self_signed(id: &str, endpoint: &str, folder: &Path) -> PathBuf {
    let path = folder.join("chain.pem");
    let _ = fs::remove_file(&path);
    let made = Command::new(EXECUTABLE)
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

fn median(values: &mut [Duration]) -> Duration {
    values.sort();
    values[values.len() / 2]
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
