//! `sign`, `list`, `inspect` and `blob`: what they write is verified by notation, and the other way round.

use std::{fs, path::Path};

use notation_sdk::algorithm::KeySpec;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    command::{Finished, Run},
    layout::Layout,
    notation::{Artifact, Notation},
    openssl::{Authority, Openssl},
};

/// A quickstart's folder: a key, its chain, a trust store and a policy.
struct Setup {
    folder: TempDir,
}

impl Setup {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let run = Run::notation_kms().home(folder.path()).current_dir(folder.path());
        run.args(["quickstart", "--to", "qs"]).finish().expect_status(0);
        let setup = Self { folder };
        setup.policy(&json!([{
            "name": "files", "globalPolicy": true, "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:quickstart"], "trustedIdentities": ["*"],
        }]));
        setup
    }

    /// Writes the policy for files.
    fn policy(&self, statements: &Value) {
        let policy = json!({"version": "1.0", "trustPolicies": statements});
        let path = self.root().join("config/notation/trustpolicy.blob.json");
        fs::write(path, policy.to_string()).unwrap();
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("qs")
    }

    fn run(&self, words: &[&str]) -> Finished {
        self.command(words).finish()
    }

    fn command(&self, words: &[&str]) -> Run {
        let run = Run::notation_kms().env("XDG_CONFIG_HOME", self.root().join("config"));
        run.current_dir(&self.root()).args(words)
    }

    fn json(&self, words: &[&str]) -> Value {
        let finished = self.run(&[words, &["-o", "json"]].concat()).expect_status(0);
        serde_json::from_str(&finished.stdout).unwrap()
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.root().join(name), content).unwrap();
    }
}

const LAYOUT: [&str; 2] = ["--oci-layout", "layout:v1"];

#[test]
fn what_is_signed_is_listed_inspected_and_verified() {
    let setup = Setup::new();
    let signed = setup.json(&[
        "sign",
        LAYOUT[0],
        LAYOUT[1],
        "--signature-format",
        "cose",
        "--expiry",
        "3h20m",
        "-m",
        "build=7",
    ]);
    let manifest = signed["manifest"].as_str().unwrap();
    let listed = setup.json(&["list", LAYOUT[0], LAYOUT[1]]);
    let rows = listed["signatures"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "quickstart's own, and this one");
    let row = rows.iter().find(|row| row["manifest"] == manifest).unwrap();
    assert_eq!(row["thumbprints"].as_array().unwrap().len(), 3);

    let inspected = setup.json(&["inspect", LAYOUT[0], LAYOUT[1]]);
    let signatures = inspected["signatures"].as_array().unwrap();
    let shown = signatures.iter().find(|row| row["manifest"] == manifest).unwrap();
    assert_eq!(shown["signatureEnvelopeType"], "application/cose");
    assert_eq!(shown["integrity"], json!({"holds": true, "reason": null}));
    assert_eq!(shown["userDefinedAttributes"], json!({"build": "7"}));
    assert_eq!(shown["signedArtifact"]["digest"], signed["artifact"]);
    assert_eq!(shown["certificates"].as_array().unwrap().len(), 3);
    let time = |name: &str| {
        let text = shown["signedAttributes"][name].as_str().unwrap();
        time::UtcDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
    };
    assert_eq!((time("expiry") - time("signingTime")).whole_seconds(), 12_000);

    let tree = setup.run(&["inspect", LAYOUT[0], LAYOUT[1]]).expect_status(0).stdout;
    assert!(tree.contains("├── user defined attributes\n        │   └── build: 7\n"), "{tree}");
    assert!(tree.contains("signature algorithm: ECDSA-SHA-256"), "{tree}");
    let scope = ["--scope", "local/quickstart", "-m", "build=7"];
    setup.run(&[&["verify"][..], &LAYOUT, &scope].concat()).expect_status(0);
}

#[test]
fn a_key_is_named_given_or_the_default_and_else_the_command_says_so() {
    let setup = Setup::new();
    let sign = |more: &[&str]| setup.run(&[&["sign", "--force"][..], &LAYOUT, more].concat());
    let key = format!("file://{}", setup.root().join("keys/signing.key.pem").display());
    sign(&["--key", "quickstart"]).expect_status(0);
    sign(&["--id", &key, "--cert-chain", "keys/chain.pem"]).expect_status(0);
    sign(&["--id", &key]).expect_status(2);
    sign(&["--key", "quickstart", "--id", &key, "--cert-chain", "keys/chain.pem"]).expect_status(2);
    let unknown = sign(&["--key", "other"]).expect_status(5);
    assert!(unknown.stderr.contains("no key is named \"other\""), "{}", unknown.stderr);
    // Another key than that of the chain: nothing is stored.
    let before =
        setup.json(&["list", LAYOUT[0], LAYOUT[1]])["signatures"].as_array().unwrap().len();
    let wrong = key.replace("signing", "root");
    let refused = sign(&["--id", &wrong, "--cert-chain", "keys/chain.pem"]).expect_status(5);
    assert!(
        refused.stderr.contains("certificate chain does not belong to the key"),
        "{}",
        refused.stderr
    );
    let after = setup.json(&["list", LAYOUT[0], LAYOUT[1]])["signatures"].as_array().unwrap().len();
    assert_eq!(before, after);
    let reserved = sign(&["-m", "io.cncf.notary.x=1"]).expect_status(2);
    assert!(reserved.stderr.contains("which is reserved"), "{}", reserved.stderr);
    sign(&["-m", "a=1", "-m", "a=2"]).expect_status(2);
    sign(&["--expiry", "0s"]).expect_status(2);

    let keys = setup.root().join("config/notation/signingkeys.json");
    fs::write(&keys, r#"{"keys":[{"name":"theirs","id":"x","pluginName":"other"}]}"#).unwrap();
    let theirs = sign(&["--key", "theirs"]).expect_status(5);
    assert!(
        theirs.stderr.contains("key \"theirs\" belongs to the plugin \"other\""),
        "{}",
        theirs.stderr
    );
    let none = sign(&[]).expect_status(5);
    assert!(none.stderr.contains("there is no default key"), "{}", none.stderr);
    fs::write(keys, format!(
        r#"{{"default":"local","keys":[{{"name":"local","keyPath":"{0}/signing.key.pem","certPath":"{0}/chain.pem"}}]}}"#,
        setup.root().join("keys").display()
    ))
    .unwrap();
    sign(&[]).expect_status(0);
}

#[test]
fn artifacts_that_are_not_there_are_not_signed() {
    let setup = Setup::new();
    let sign = |reference: &str| setup.run(&["sign", "--oci-layout", reference]);
    sign("layout:v2").expect_status(8);
    sign("nothing:v1").expect_status(8);
    sign(&format!("layout@sha256:{}", "0".repeat(64))).expect_status(8);
    let artifact =
        setup.json(&["list", LAYOUT[0], LAYOUT[1]])["artifact"].as_str().unwrap().to_owned();
    let blob = setup.root().join("layout/blobs").join(artifact.replace(':', "/"));
    fs::write(blob, b"{}").unwrap();
    let changed = sign("layout:v1").expect_status(3);
    assert!(changed.stderr.contains(&format!("blob {artifact} has 2 bytes")), "{}", changed.stderr);
    let unlisted = setup.run(&["list", "--oci-layout", "layout:v1"]).expect_status(0);
    assert!(
        unlisted.stdout.contains("application/vnd.cncf.notary.signature"),
        "{}",
        unlisted.stdout
    );
}

#[test]
fn a_tar_on_standard_input_is_read_and_not_written() {
    let setup = Setup::new();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all(".", setup.root().join("layout")).unwrap();
    let tar = tar.into_inner().unwrap();
    let piped = |words: &[&str]| setup.command(words).stdin(tar.clone()).finish();
    for reference in ["-", "/dev/stdin:v1"] {
        let words = ["verify", "--oci-layout", reference, "--scope", "local/quickstart"];
        let verified = piped(&words).expect_status(0);
        assert!(
            verified.stdout.starts_with("verified: standard input@sha256:"),
            "{}",
            verified.stdout
        );
        piped(&["list", "--oci-layout", reference]).expect_status(0);
        piped(&["inspect", "--oci-layout", reference]).expect_status(0);
    }
    let typo = piped(&["list", "--oci-layuot", "layout:v1"]).expect_status(2);
    assert!(typo.stderr.contains("--oci-layuot"), "{}", typo.stderr);
    setup.write("layout.tar", &tar);
    let sign = ["sign", "--force", "--oci-layout", "layout.tar:v1"];
    let refused = setup.run(&sign).expect_status(2);
    assert!(refused.stderr.contains("layout.tar is a tar, and only"), "{}", refused.stderr);
    let cut = setup.command(&["list", "--oci-layout", "-"]).stdin(&tar[..700]).finish();
    assert_ne!(cut.status, Some(0));
}

#[test]
fn a_layout_that_cannot_be_used_is_told_with_what_to_do() {
    let setup = Setup::new();
    let list = |reference: &str, status| {
        setup.run(&["list", "--oci-layout", reference]).expect_status(status).stderr
    };
    let none = list("none:v1", 8);
    assert!(none.contains("there is no image layout none: no folder and no file has"), "{none}");
    let other = list("layout:v2", 8);
    assert!(
        other.contains("is not in the index of layout")
            && other.contains("hint: there is layout:v1"),
        "{other}"
    );
    setup.write("app.tar.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
    let compressed = list("app.tar.gz:v1", 3);
    assert!(
        compressed.contains("tar is compressed with gzip")
            && compressed.contains("hint: a compressed tar is unpacked first: gzip -d"),
        "{compressed}"
    );
    setup.write("text.tar", &[b'x'; 1024]);
    let text = list("text.tar:v1", 3);
    assert!(text.contains("tar cannot be read") && !text.contains("hint:"), "{text}");
    let mut v7 = tar::Header::new_old();
    v7.set_path("foo").unwrap();
    v7.set_size(0);
    v7.as_mut_bytes()[100..108].copy_from_slice(b"zzzzzzz\0");
    v7.set_cksum();
    setup.write("odd.tar", v7.as_bytes());
    let odd = list("odd.tar:v1", 3);
    assert!(
        odd.contains("tar entry \"foo\" has a header field mode")
            && odd.contains("hint: unpack it, and name the folder, or pack that again"),
        "{odd}"
    );
    let index = setup.root().join("layout/index.json");
    let kept = fs::read(&index).unwrap();
    fs::remove_file(&index).unwrap();
    let no_index = list("layout:v1", 8);
    assert!(no_index.contains("its file index.json is missing"), "{no_index}");
    fs::write(&index, vec![b' '; 17 << 20]).unwrap();
    let large = list("layout:v1", 3);
    assert!(large.contains("index.json is over the limit of 16777216 bytes"), "{large}");
    fs::remove_file(&index).unwrap();
    fs::create_dir(&index).unwrap();
    assert!(list("layout:v1", 3).contains("index.json is not a regular file"));
    fs::remove_dir(&index).unwrap();
    let text = String::from_utf8(kept).unwrap();
    let unnamed = text.replacen("\"digest\":\"sha256:", "\"digest\":\"sha512:", 1);
    fs::write(&index, &unnamed).unwrap();
    assert!(list("layout", 8).contains("none of them is named"));
    fs::write(&index, text).unwrap();

    // What a shell makes of <(cat layout.tar).
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all("", setup.root().join("layout")).unwrap();
    setup.write("layout.tar", &tar.into_inner().unwrap());
    let words = [
        "-c",
        "cat layout.tar > pipe & exec \"$0\" list --oci-layout ./pipe:v1",
        env!("CARGO_BIN_EXE_notation-kms"),
    ];
    let made =
        std::process::Command::new("mkfifo").arg(setup.root().join("pipe")).status().unwrap();
    assert!(made.success());
    let piped = Run::new("sh").args(words).current_dir(&setup.root()).finish().expect_status(0);
    assert!(piped.stdout.contains("./pipe@sha256:"), "{}", piped.stdout);
}

#[test]
fn a_file_is_signed_into_a_file_beside_it_and_no_signature_is_replaced_unasked() {
    let setup = Setup::new();
    setup.write("tool", b"content");
    let signed =
        setup.json(&["blob", "sign", "tool", "-m", "build=7", "--media-type", "text/x-tool"]);
    assert_eq!((&signed["signature"], &signed["size"]), (&json!("tool.jws.sig"), &json!(7)));
    let verify = |more: &[&str]| {
        setup.run(&[&["blob", "verify", "tool", "--signature", "tool.jws.sig"], more].concat())
    };
    let verified = verify(&["-m", "build=7", "--media-type", "text/x-tool"]).expect_status(0);
    assert!(verified.stdout.starts_with("verified: tool, signed by CN=Quickstart signer,"));
    let other = verify(&["--media-type", "text/plain"]).expect_status(3);
    assert!(
        other.stdout.contains("integrity failed: signature is about media type \"text/x-tool\", and not \"text/plain\""),
        "{}",
        other.stdout
    );
    verify(&["-m", "build=8"]).expect_status(3);

    let again = setup.run(&["blob", "sign", "tool"]).expect_status(2);
    assert!(again.stderr.contains("signature tool.jws.sig exists already"), "{}", again.stderr);
    setup.run(&["blob", "sign", "tool", "--force"]).expect_status(0);
    let itself = setup.run(&["blob", "sign", "tool", "--force", "--to", "./tool"]).expect_status(2);
    assert!(itself.stderr.contains("would replace the file that is signed"), "{}", itself.stderr);
    assert_eq!(fs::read(setup.root().join("tool")).unwrap(), b"content");
    setup
        .run(&[
            "blob",
            "sign",
            "tool",
            "--signature-format",
            "cose",
            "--signature-directory",
            "sigs",
        ])
        .expect_status(0);
    setup.run(&["blob", "verify", "tool", "-s", "sigs/tool.cose.sig"]).expect_status(0);
    setup
        .command(&["blob", "sign", "-", "--to", "in.sig"])
        .stdin(b"content")
        .finish()
        .expect_status(0);
    setup.run(&["blob", "verify", "tool", "-s", "in.sig"]).expect_status(0);
    setup.command(&["blob", "sign", "-"]).stdin(b"content").finish().expect_status(2);
    let shown = setup.json(&["blob", "inspect", "sigs/tool.cose.sig"]);
    assert_eq!(shown["signatureEnvelopeType"], "application/cose");
    assert_eq!(shown["signedArtifact"]["mediaType"], "application/octet-stream");
}

#[test]
fn a_changed_file_or_signature_is_rejected_and_a_missing_one_is_not_found() {
    let setup = Setup::new();
    setup.write("tool", b"content");
    setup.run(&["blob", "sign", "tool"]).expect_status(0);
    let verify = |signature: &str| setup.run(&["blob", "verify", "tool", "-s", signature]);
    setup.write("tool", b"contend");
    let changed = verify("tool.jws.sig").expect_status(3);
    assert!(
        changed.stdout.contains("integrity failed: signature is about sha256:"),
        "{}",
        changed.stdout
    );
    setup.write("tool", b"content");
    verify("tool.jws.sig").expect_status(0);
    let envelope = fs::read(setup.root().join("tool.jws.sig")).unwrap();
    setup.write("cut.sig", &envelope[..envelope.len() - 1]);
    let cut = verify("cut.sig").expect_status(3);
    assert!(cut.stdout.contains("signature envelope cannot be parsed: "), "{}", cut.stdout);
    setup.write("text.sig", b"hello");
    let text = verify("text.sig").expect_status(3);
    assert!(text.stdout.contains("begins like neither a JWS nor a COSE_Sign1"), "{}", text.stdout);
    verify("none.sig").expect_status(8);
    setup.run(&["blob", "verify", "none", "-s", "tool.jws.sig"]).expect_status(8);
    setup.run(&["blob", "inspect", "text.sig"]).expect_status(3);
}

#[test]
fn what_was_signed_makes_no_line_of_a_report() {
    let setup = Setup::new();
    setup.write("tool", b"content");
    let forged = "build=7\nverified: forged\n├── x";
    setup.run(&["blob", "sign", "tool", "-m", forged]).expect_status(0);
    let shown = "build=7\\u{a}verified: forged\\u{a}├── x";
    let verified = setup.run(&["blob", "verify", "tool", "-s", "tool.jws.sig"]).expect_status(0);
    let told = format!("\n  user metadata: {shown}");
    assert!(verified.stdout.contains(&told), "{}", verified.stdout);
    let inspected = setup.run(&["blob", "inspect", "tool.jws.sig"]).expect_status(0).stdout;
    assert!(inspected.contains(&shown.replacen('=', ": ", 1)), "{inspected}");
    let other = setup.run(&["blob", "verify", "tool", "-s", "tool.jws.sig", "-m", "a=b\nc"]);
    let rejected = other.expect_status(3).stdout;
    for text in [verified.stdout, inspected, rejected] {
        let forged = |line: &str| line.starts_with("verified: forged") || line.starts_with("├── x");
        assert!(!text.lines().any(forged), "{text}");
    }
    // What an entry of a tar is called.
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Fifo);
    header.set_size(0);
    tar.append_data(&mut header, "x\nverified: forged", &b""[..]).unwrap();
    setup.write("evil.tar", &tar.into_inner().unwrap());
    let refused = setup.run(&["inspect", "--oci-layout", "evil.tar:v1"]).expect_status(3).stderr;
    assert!(!refused.contains("\nverified: "), "{refused}");
}

#[test]
fn the_extension_of_a_signature_decides_how_it_is_read() {
    let setup = Setup::new();
    setup.write("tool", b"content");
    setup.run(&["blob", "sign", "tool"]).expect_status(0);
    let envelope = fs::read(setup.root().join("tool.jws.sig")).unwrap();
    for name in ["tool.cose.sig", "tool.COSE.sig", "tool.cose"] {
        setup.write(name, &envelope);
        let verified = setup.run(&["blob", "verify", "tool", "-s", name]).expect_status(3);
        assert!(verified.stdout.contains("envelope cannot be parsed"), "{}", verified.stdout);
        let told = format!("{name} is read as cose, as its name says, and begins like jws");
        assert!(verified.stderr.contains(&told), "{}", verified.stderr);
        let inspected = setup.run(&["blob", "inspect", name]).expect_status(3);
        assert!(inspected.stderr.contains(&told), "{}", inspected.stderr);
    }
    for name in ["tool.sig", "signature", "tool.jws"] {
        setup.write(name, &envelope);
        setup.run(&["blob", "verify", "tool", "-s", name]).expect_status(0);
    }
}

#[test]
fn statements_for_files_are_chosen_by_name_and_skip_needs_no_signature_that_is_one() {
    let setup = Setup::new();
    setup.policy(&json!([
        {"name": "named", "signatureVerification": {"level": "strict"},
         "trustStores": ["ca:quickstart"], "trustedIdentities": ["*"]},
        {"name": "none", "signatureVerification": {"level": "skip"}},
    ]));
    setup.write("tool", b"content");
    setup.run(&["blob", "sign", "tool"]).expect_status(0);
    let verify = |more: &[&str]| {
        setup.run(&[&["blob", "verify", "tool", "-s", "tool.jws.sig"], more].concat())
    };
    let global = verify(&[]).expect_status(5);
    assert!(global.stderr.contains("no statement of "), "{}", global.stderr);
    assert!(global.stderr.contains("--policy-name NAME"), "{}", global.stderr);
    verify(&["--policy-name", "named"]).expect_status(0);
    verify(&["--policy-name", "other"]).expect_status(5);
    setup.write("tool.jws.sig", b"anything");
    let skip = ["blob", "verify", "nothing", "-s", "tool.jws.sig", "--policy-name", "none"];
    let missing = setup.run(&skip).expect_status(8);
    assert!(missing.stderr.contains("file nothing cannot be read"), "{}", missing.stderr);
    let skipped = verify(&["--policy-name", "none"]).expect_status(0);
    assert!(
        skipped.stdout.starts_with("not verified, the policy skips it: tool"),
        "{}",
        skipped.stdout
    );
}

/// 3 GiB under a limit of 1 GiB of address space, of which the program and its libraries are a part.
#[cfg(target_os = "linux")]
#[test]
fn a_large_file_takes_no_more_memory_than_a_small_one() {
    let setup = Setup::new();
    let large = setup.root().join("large");
    fs::File::create(&large).unwrap().set_len(3 << 30).unwrap();
    let limited = |words: &str| {
        let command =
            format!("ulimit -v 1048576; exec '{}' {words}", env!("CARGO_BIN_EXE_notation-kms"));
        let run = Run::new("sh").env("XDG_CONFIG_HOME", setup.root().join("config"));
        run.current_dir(&setup.root()).args(["-c", &command]).finish()
    };
    limited("blob sign large").expect_status(0);
    limited("blob verify large --signature large.jws.sig").expect_status(0);
}

/// notation with a key that it holds itself, and ours with the same key.
fn with_every_key(test: impl Fn(KeySpec, &str, &Notation, &Path)) {
    let (Some(notation), Some(openssl)) = (Notation::or_skip(), Openssl::or_skip()) else { return };
    let authority = Authority::new(&openssl);
    notation.trust(&authority.root());
    let policy = json!({"version": "1.0", "trustPolicies": [{
        "name": "files", "globalPolicy": true, "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:test"], "trustedIdentities": ["*"],
    }]});
    fs::write(notation.configuration().join("trustpolicy.blob.json"), policy.to_string()).unwrap();
    for spec in KeySpec::ALL {
        let key = openssl.create_key(spec.name(), spec);
        let chain = authority.issue(&openssl.request(spec.name(), "release"));
        notation.add_local_key("release", &key, &chain);
        let work = TempDir::new().unwrap();
        for format in ["jws", "cose"] {
            test(spec, format, &notation, work.path());
        }
    }
}

#[test]
fn notation_verifies_the_layouts_that_we_sign() {
    with_every_key(|spec, format, notation, _| {
        let layout = Layout::new(format!("{spec} {format}").as_bytes());
        let words = ["sign", "--oci-layout", &layout.reference(), "--key", "release"];
        let run = Run::notation_kms().home(notation.home()).args(words);
        run.args(["--signature-format", format, "-m", "a=b"]).finish().expect_status(0);
        notation.verify(Artifact::Layout(&layout), &["--user-metadata", "a=b"]).expect_status(0);
    });
}

#[test]
fn notation_verifies_the_files_that_we_sign_and_we_those_that_it_signs() {
    with_every_key(|spec, format, notation, work| {
        let file = work.join(format!("{spec}.{format}"));
        fs::write(&file, format!("{spec} {format}")).unwrap();
        let signature = file.with_file_name(format!("{spec}.{format}.{format}.sig"));
        let ours = |words: &[&str]| Run::notation_kms().home(notation.home()).args(words);
        let theirs = |words: &[&str]| notation.command(words.iter().copied()).current_dir(work);
        let (file, signature_path) = (file.to_str().unwrap(), signature.to_str().unwrap());
        let options = ["--key", "release", "--signature-format", format];
        ours(&["blob", "sign", file]).args(options).finish().expect_status(0);
        theirs(&["blob", "verify", "--signature", signature_path, file]).finish().expect_status(0);
        fs::remove_file(&signature).unwrap();
        theirs(&["blob", "sign"]).args(options).arg(file).finish().expect_status(0);
        let verified = ours(&["blob", "verify", file, "-s", signature_path]).finish();
        let verified = verified.expect_status(0);
        assert!(verified.stdout.starts_with("verified: "), "{}", verified.stdout);
    });
}
