//! `cert add`, `list`, `show` and `delete`: what comes into a trust store, what is told of it, and how it goes.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use notation_sdk::{
    algorithm::KeySpec,
    config,
    testing::{TestPki, chain},
    trust::{DirectoryTrustStore, TrustStore},
    x509::{Certificate, to_pem},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::macros::utc_datetime;

use crate::support::{
    command::{Finished, Run},
    component::Component,
};

struct Home {
    folder: TempDir,
    pki: TestPki,
}

impl Home {
    /// A home folder without trust stores, and the files `root.pem`, `issuing.crt` and `leaf.pem` in it.
    fn new() -> Self {
        let pki = TestPki::new(KeySpec::Ec256, config::now()).unwrap();
        let home = Self { folder: TempDir::new().unwrap(), pki };
        let [leaf, issuing, root] = home.pki.chain.certificates() else { panic!() };
        for (name, certificate) in
            [("leaf.pem", leaf), ("issuing.crt", issuing), ("root.pem", root)]
        {
            home.write(name, pem(certificate));
        }
        home
    }

    fn root(&self) -> &Certificate {
        self.pki.chain.certificates().last().unwrap()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    /// Notation's folder of trust stores, or what stands in it.
    fn stores(&self, path: &str) -> PathBuf {
        self.folder.path().join("config/notation/truststore").join(path)
    }

    fn command(&self, words: &[&str]) -> Run {
        let home = self.folder.path();
        Run::notation_kms().home(home).current_dir(home).arg("cert").args(words)
    }

    fn run(&self, words: &str) -> Finished {
        self.command(&words.split(' ').collect::<Vec<_>>()).finish()
    }

    fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.run(&format!("{words} -o json")).expect_status(0).stdout)
            .unwrap()
    }

    /// The files below the folder of stores.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.stores(""), &self.stores(""), &mut found);
        found.sort();
        found
    }
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            collect(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

fn pem(certificate: &Certificate) -> String {
    to_pem(&chain([certificate.clone()]))
}

/// A root that expired in 2021.
fn expired() -> Certificate {
    let pki = TestPki::new(KeySpec::Ec384, utc_datetime!(2020-11-23 12:00:00)).unwrap();
    pki.chain.certificates().last().unwrap().clone()
}

#[test]
fn a_certificate_that_is_added_is_what_the_store_is_read_as() {
    let home = Home::new();
    let added = home.run("add --type ca --store acme root.pem issuing.crt").expect_status(0);
    assert!(
        added.stdout.starts_with(
            "added root.pem to trust store ca:acme: CN=root,O=Test,ST=WA,C=US, valid until 2"
        ),
        "{}",
        added.stdout
    );
    assert_eq!(home.files(), ["x509/ca/acme/issuing.crt", "x509/ca/acme/root.pem"]);
    let store: TrustStore = "ca:acme".parse().unwrap();
    let read = DirectoryTrustStore::new(home.stores("")).read([&store]).unwrap();
    let [_, issuing, root] = home.pki.chain.certificates() else { panic!() };
    assert_eq!(read.anchors.certificates(&store), [issuing.clone(), root.clone()]);

    home.run("add -t tsa -s stamps root.pem").expect_status(0);
    home.run("add -t signingAuthority -s acme root.pem").expect_status(0);
    assert_eq!(home.json("list")["certificates"].as_array().unwrap().len(), 4);
}

#[test]
fn what_a_store_would_not_be_read_with_is_refused_with_its_reason() {
    let home = Home::new();
    home.write("root.txt", pem(home.root()));
    home.write("..root.pem", pem(home.root()));
    home.write("broken.pem", "-----BEGIN CERTIFICATE-----\n");
    home.write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    home.write("large.pem", vec![b'x'; 7 * 1024 * 1024]);
    fs::create_dir(home.folder.path().join("folder.pem")).unwrap();
    for (words, reason) in [
        ("ca leaf.pem", "certificate CN=leaf,O=Test,ST=WA,C=US is neither a CA's nor self-signed"),
        ("tsa issuing.crt", "certificate CN=issuing,O=Test,ST=WA,C=US is no root"),
        ("ca root.txt", "root.txt would be passed over in a trust store"),
        ("ca ..root.pem", "..root.pem would be passed over in a trust store"),
        ("ca broken.pem", "PEM block 1 is broken"),
        ("ca key.pem", "private key (\"PRIVATE KEY\") among the certificates"),
        ("ca large.pem", "large.pem is over the limit of 6291456 bytes"),
        ("ca folder.pem", "folder.pem is not a regular file"),
        ("ca none.pem", "none.pem cannot be read"),
        ("acme root.pem", "invalid value 'acme' for '--type <TYPE>'"),
    ] {
        let (kind, file) = words.split_once(' ').unwrap();
        // A good one before it is not added alone.
        let refused =
            home.run(&format!("add --store acme root.pem --type {kind} {file}")).expect_status(2);
        assert!(refused.stderr.contains(reason), "{words}: {}", refused.stderr);
        assert_eq!(home.files(), Vec::<String>::new(), "{words}");
    }
    for name in ["", ".", "..", "../acme", "a/b", "a b", "é"] {
        let refused = home.command(&["add", "--type", "ca", "--store", name, "root.pem"]);
        let refused = refused.finish().expect_status(2);
        assert!(refused.stderr.contains("is not a trust store"), "{name}: {}", refused.stderr);
    }
    assert_eq!(home.files(), Vec::<String>::new());
}

#[test]
fn a_file_that_the_store_has_is_never_overwritten() {
    let home = Home::new();
    let add = "add --type ca --store acme";
    home.run(&format!("{add} root.pem")).expect_status(0);
    let again = home.run(&format!("{add} root.pem root.pem")).expect_status(0);
    let told = "root.pem is in trust store ca:acme already: CN=root,O=Test,ST=WA,C=US\n";
    assert_eq!(again.stdout, told.repeat(2));

    let other = expired();
    fs::create_dir(home.folder.path().join("other")).unwrap();
    home.write("other/root.pem", pem(&other));
    let refused = home.run(&format!("{add} issuing.crt other/root.pem")).expect_status(2);
    assert!(refused.stderr.contains("trust store ca:acme has another file root.pem"));
    assert!(
        refused.stderr.contains("notation-kms cert delete --type ca --store acme root.pem"),
        "{}",
        refused.stderr
    );
    assert_eq!(home.files(), ["x509/ca/acme/root.pem"]);
    let kept = fs::read_to_string(home.stores("x509/ca/acme/root.pem")).unwrap();
    assert_eq!(kept, pem(home.root()));
    // Nor does one file of a command overwrite another.
    home.run("add --type ca --store new root.pem other/root.pem").expect_status(2);
    assert_eq!(home.files(), ["x509/ca/acme/root.pem"]);
}

#[test]
fn a_file_that_cannot_be_written_takes_the_others_back() {
    let home = Home::new();
    let large = format!("{}{}", "about the root\n".repeat(1000), pem(home.root()));
    home.write("large.pem", large);
    // Files of over 2 KiB cannot be written: a full disk, for one process.
    let limited = "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"";
    let add = "cert add --type ca --store acme root.pem large.pem".split(' ');
    let failed = Run::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_notation-kms")])
        .args(add)
        .home(home.folder.path())
        .current_dir(home.folder.path())
        .finish()
        .expect_status(1);
    assert!(failed.stderr.contains("cannot be written"), "{}", failed.stderr);
    assert_eq!(home.files(), Vec::<String>::new());
    assert!(!home.stores("x509/ca/acme").exists());
}

#[test]
fn links_in_a_store_are_refused_and_can_be_taken_away() {
    let home = Home::new();
    let add = "add --type ca --store acme root.pem";
    fs::create_dir_all(home.stores("x509/ca/acme")).unwrap();
    let outside = home.folder.path().join("root.pem");
    symlink(&outside, home.stores("x509/ca/acme/root.pem")).unwrap();
    let refused = home.run(add).expect_status(5);
    assert!(refused.stderr.contains("root.pem is a symbolic link"), "{}", refused.stderr);
    let shown = home.run("show --type ca --store acme root.pem").expect_status(5);
    assert!(shown.stderr.contains("root.pem is a symbolic link"), "{}", shown.stderr);
    let problems = &home.json("list")["problems"];
    assert!(problems[0]["problem"].as_str().unwrap().contains("is a symbolic link"), "{problems}");
    // Links that stay within the folder, as a mounted ConfigMap has them.
    let version = home.stores("x509/ca/mounted/..2026_11_23");
    fs::create_dir_all(&version).unwrap();
    fs::copy(&outside, version.join("root.pem")).unwrap();
    fs::create_dir(home.stores("x509/ca/mounted/sub.pem")).unwrap();
    symlink("..2026_11_23/root.pem", home.stores("x509/ca/mounted/root.pem")).unwrap();
    home.run("show --type ca --store mounted root.pem").expect_status(5);
    home.run("show --type ca --store mounted root.pem --follow-symlinks").expect_status(0);
    let followed = home.json("list --store mounted --follow-symlinks");
    assert_eq!(followed["certificates"].as_array().unwrap().len(), 1, "{followed}");
    let folder = followed["problems"][0]["problem"].as_str().unwrap();
    assert!(folder.ends_with("sub.pem is passed over: it is a folder"), "{folder}");
    fs::remove_dir_all(home.stores("x509/ca/mounted")).unwrap();
    home.run("delete --type ca --store acme root.pem --yes").expect_status(0);
    assert!(outside.exists() && home.files().is_empty());

    let elsewhere = home.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir_all(home.stores("x509/ca")).unwrap();
    symlink(&elsewhere, home.stores("x509/ca/acme")).unwrap();
    for words in [add, "delete --type ca --store acme --all --yes"] {
        let refused = home.run(words).expect_status(5);
        assert!(refused.stderr.contains("acme is a symbolic link"), "{}", refused.stderr);
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn list_tells_what_is_trusted_until_when_and_what_is_wrong() {
    let home = Home::new();
    assert_eq!(home.run("list").expect_status(0).stdout, "TYPE  STORE  FILE  EXPIRES  SUBJECT\n");
    assert_eq!(home.json("list"), json!({"certificates": [], "problems": []}));

    let old = expired();
    home.write("old.pem", pem(&old));
    let added = home.run("add --type ca --store old old.pem").expect_status(0);
    let warning = "warning: ca:old, old.pem: certificate CN=root,O=Test,ST=WA,C=US expired at 2021-11-23T12:00:00Z\n";
    assert_eq!(added.stderr, warning);
    home.run("add --type ca --store acme root.pem").expect_status(0);
    home.run("add --type tsa --store acme root.pem").expect_status(0);
    fs::write(home.stores("x509/ca/acme/README"), "ours").unwrap();
    fs::write(home.stores("x509/tsa/acme/leaf.pem"), pem(home.pki.chain.leaf())).unwrap();
    fs::create_dir(home.stores("x509/tsa/a b")).unwrap();

    let text = home.run("list").expect_status(0).stdout;
    let words = |line: &str| -> Vec<String> {
        line.split("  ").map(|w| w.trim().to_owned()).filter(|w| !w.is_empty()).collect()
    };
    let lines: Vec<Vec<String>> = text.lines().map(words).collect();
    assert_eq!(lines[1][..3], ["ca", "acme", "root.pem"]);
    assert_eq!(
        lines[2],
        ["ca", "old", "old.pem", "2021-11-23T12:00:00Z (expired)", "CN=root,O=Test,ST=WA,C=US"]
    );
    assert_eq!(lines[3][..3], ["tsa", "acme", "root.pem"]);
    for told in [
        warning,
        "README is passed over: only files ending in .pem, .crt or .cer are read\n",
        "leaf.pem: certificate CN=leaf,O=Test,ST=WA,C=US is no root\n",
        "problem: \"tsa:a b\" is not a trust store",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }

    let count = |words: &str| home.json(words)["certificates"].as_array().unwrap().len();
    assert_eq!(count("list --type ca"), 2);
    assert_eq!(count("ls --store acme"), 2);
    assert_eq!(count("list -t ca -s acme"), 1);
    assert_eq!(count("list -s none"), 0);
    let listed = home.json("list -t ca");
    assert_eq!(listed["certificates"][0]["validity"], "valid");
    assert_eq!(listed["certificates"][1]["validity"], "expired");
    assert_eq!(listed["problems"].as_array().unwrap().len(), 1);
}

#[test]
fn show_tells_everything_of_each_certificate_of_a_file() {
    let home = Home::new();
    let old = expired();
    home.write("both.pem", format!("{}{}", pem(&old), pem(home.root())));
    home.run("add --type ca --store acme both.pem").expect_status(0);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let serial = hex(old.serial_number());
    let serial = serial.strip_prefix("00").unwrap_or(&serial);
    let shown = home.json("show --type ca --store acme both.pem");
    let path = home.stores("x509/ca/acme/both.pem");
    assert_eq!(
        shown["certificates"][0],
        json!({
            "type": "ca", "store": "acme", "file": "both.pem", "path": path,
            "subject": "CN=root,O=Test,ST=WA,C=US", "issuer": "CN=root,O=Test,ST=WA,C=US",
            "serialNumber": serial,
            "notBefore": "2020-11-22T12:00:00Z", "notAfter": "2021-11-23T12:00:00Z",
            "keySpec": "EC-384", "sha256": hex(&old.fingerprint()), "validity": "expired",
        })
    );
    assert_eq!(shown["certificates"][1]["keySpec"], "EC-256");
    assert_eq!(shown["certificates"].as_array().unwrap().len(), 2);
    let text = home.run("show --type ca --store acme both.pem").expect_status(0).stdout;
    for line in [
        "valid:    2020-11-22T12:00:00Z to 2021-11-23T12:00:00Z (expired)".to_owned(),
        format!("serial:   {serial}"),
        format!("sha256:   {}", hex(&old.fingerprint())),
        format!("file:     {}", path.display()),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn show_and_delete_name_files_of_the_store_and_nothing_else() {
    let home = Home::new();
    home.run("add --type ca --store acme root.pem").expect_status(0);
    home.write("config/notation/truststore/x509/ca/outside.pem", pem(home.root()));
    for command in ["show", "delete --yes"] {
        for (words, status) in [
            ("acme ../outside.pem", 2),
            ("acme /etc/passwd", 2),
            ("acme .", 2),
            ("acme none.pem", 5),
            ("none root.pem", 5),
            ("../ca root.pem", 2),
        ] {
            home.run(&format!("{command} --type ca --store {words}")).expect_status(status);
        }
    }
    home.run("delete --type ca --store none --all --yes").expect_status(5);
    home.run("delete --type ca --store acme --yes").expect_status(2);
    home.run("delete --type ca --store acme --all root.pem --yes").expect_status(2);
    assert_eq!(home.files(), ["x509/ca/acme/root.pem", "x509/ca/outside.pem"]);
    let error = home.run("show --type ca --store none root.pem -o json").expect_status(5).stdout;
    let error: Value = serde_json::from_str(&error).unwrap();
    assert_eq!(error["error"]["exitCode"], 5);
}

#[test]
fn delete_takes_a_file_or_the_whole_store() {
    let home = Home::new();
    home.run("add --type ca --store acme root.pem issuing.crt").expect_status(0);
    home.run("add --type ca --store other root.pem").expect_status(0);
    let deleted = home.run("delete --type ca --store acme issuing.crt -y").expect_status(0);
    assert_eq!(deleted.stdout, "deleted issuing.crt from trust store ca:acme\n");
    assert_eq!(home.files(), ["x509/ca/acme/root.pem", "x509/ca/other/root.pem"]);
    home.run("delete --type ca --store acme root.pem -y").expect_status(0);
    assert!(!home.stores("x509/ca/acme").exists());

    fs::create_dir(home.stores("x509/ca/other/folder")).unwrap();
    fs::write(home.stores("x509/ca/other/folder/file"), "").unwrap();
    let deleted = home.run("delete --type ca --store other --all -y").expect_status(0);
    assert_eq!(deleted.stdout, "deleted trust store ca:other with 2 files\n");
    assert_eq!(home.files(), Vec::<String>::new());
    let left: Vec<_> = fs::read_dir(home.stores("")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn delete_without_yes_asks_a_person_and_refuses_a_script() {
    let home = Home::new();
    home.run("add --type ca --store acme root.pem").expect_status(0);
    let refused = home.run("delete --type ca --store acme --all").expect_status(2);
    assert!(
        refused
            .stderr
            .contains("nobody is there to be asked: delete trust store ca:acme with 1 file?"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("hint: --yes answers"), "{}", refused.stderr);
    assert_eq!(home.files().len(), 1);

    // What a person answers, who has a terminal.
    let Some(python) = Component::Python.or_skip() else { return };
    let terminal =
        "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let answered = |answer: &str| {
        Run::new(&python)
            .home(home.folder.path())
            .args(["-c", terminal, env!("CARGO_BIN_EXE_notation-kms")])
            .args(["cert", "delete", "--type", "ca", "--store", "acme", "--all"])
            .stdin(answer)
            .finish()
            .expect_status(0)
            .stdout
    };
    for answer in ["\n", "n\n", "yesterday\n"] {
        let told = answered(answer);
        assert!(told.contains("delete trust store ca:acme with 1 file? [y/N]"), "{told}");
        assert!(told.contains("nothing is deleted"), "{told}");
        assert_eq!(home.files().len(), 1);
    }
    assert!(answered("Yes\n").contains("deleted trust store ca:acme with 1 file"));
    assert!(home.files().is_empty());
}
