//! `dct audit`: every rule finds what it should and nothing else, and every form of the report says the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{Finished, Run};

/// Runs in a folder, without the machine's own settings.
fn audit(folder: &Path, words: &[&str]) -> Finished {
    let run = Run::notation_kms().home(&folder.join("home")).current_dir(folder);
    run.args(["dct", "audit"]).args(words).finish()
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished:?}"))
}

/// `path:line: rule` of each finding.
fn lines(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap();
    let line = |finding: &Value| {
        let (path, rule) = (finding["path"].as_str().unwrap(), finding["rule"].as_str().unwrap());
        match finding["line"].as_u64() {
            Some(line) => format!("{path}:{line}: {rule}"),
            None => format!("{path}: {rule}"),
        }
    };
    findings.iter().map(line).collect()
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dct/audit")
}

/// The ids of all rules.
fn rules() -> BTreeSet<String> {
    let shown = json(&audit(&corpus(), &["--rules", "-o", "json"]).expect_status(0));
    let rules = shown["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_rule_finds_its_true_cases_and_none_of_its_false_ones() {
    let rules = rules();
    assert!(rules.len() > 30, "{rules:?}");
    let found = lines(&json(&audit(&corpus(), &[".", "-o", "json"]).expect_status(3)));
    let mut wrong = BTreeMap::new();
    for rule in &rules {
        let expected = expected(rule);
        let prefix = format!("{rule}/");
        let found: Vec<&str> = found.iter().filter_map(|line| line.strip_prefix(&prefix)).collect();
        for cases in ["true/", "false/"] {
            let is_own = |line: &&String| line.starts_with(cases) && line.ends_with(rule.as_str());
            assert_eq!(
                expected.iter().any(|line| is_own(&line)),
                cases == "true/",
                "{rule} {cases}"
            );
            assert!(
                !files(&corpus().join(rule).join(cases)).is_empty(),
                "{rule} has no {cases} case"
            );
        }
        let missed: Vec<_> =
            expected.iter().filter(|line| !found.contains(&line.as_str())).collect();
        let false_hits: Vec<_> =
            found.iter().filter(|line| !expected.iter().any(|other| other == *line)).collect();
        if !missed.is_empty() || !false_hits.is_empty() {
            wrong.insert(rule, format!("missed {missed:?}, false hits {false_hits:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let folders: BTreeSet<String> = fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("DCT"))
        .collect();
    assert_eq!(folders, rules, "folders of cases, and rules");
}

#[test]
fn every_file_of_true_cases_is_found_something_in() {
    for rule in rules() {
        let folder = corpus().join(&rule);
        let expected = expected(&rule);
        for file in files(&folder.join("true")) {
            let name = file.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            let is_expected = expected.iter().any(|line| line.starts_with(&format!("{name}:")));
            assert!(is_expected, "{rule}: nothing is expected in {name}");
        }
    }
}

/// What is to be found in the cases of a rule: `path:line: rule`.
fn expected(rule: &str) -> Vec<String> {
    let file = corpus().join(rule).join("expected.txt");
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{rule} has no cases: {e}"));
    text.lines().map(ToOwned::to_owned).collect()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_tree_like_public_ones_has_every_hit_and_no_false_one() {
    let folder = corpus().with_file_name("audit-tree");
    let report = json(&audit(&folder.join("tree"), &[".", "-o", "json"]).expect_status(3));
    let expected = fs::read_to_string(folder.join("expected.txt")).unwrap();
    let (mut found, mut expected): (Vec<String>, Vec<&str>) =
        (lines(&report), expected.lines().collect());
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let hit = report["rules"].as_array().unwrap().iter();
    let hit: BTreeSet<String> = hit.map(|rule| rule["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(hit, rules(), "rules with a hit, and all rules");
}

#[test]
fn images_of_dockers_own_count_only_where_content_trust_is_on() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "Dockerfile", "FROM alpine:3.20\n");
    assert!(lines(&json(&audit(folder.path(), &[".", "-o", "json"]).expect_status(0))).is_empty());
    write(folder.path(), "ci.sh", "docker build --disable-content-trust=false .\n");
    let report = json(&audit(folder.path(), &[".", "-o", "json"]).expect_status(3));
    assert_eq!(lines(&report), ["Dockerfile:1: DCT038", "ci.sh:1: DCT015"]);
    let rule =
        report["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == "DCT038").unwrap();
    let instead = rule["instead"].as_str().unwrap();
    assert!(instead.contains("pin the digest") && instead.contains("mirror"), "{instead}");
    assert!(rule["why"].as_str().unwrap().contains("no successor"));
}

#[test]
fn what_git_ignores_its_own_folder_links_and_binaries_are_not_read() {
    let outside = TempDir::new().unwrap();
    write(outside.path(), "secret.sh", "docker trust sign a\n");
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let line = "docker trust sign a\n";
    for name in
        ["kept.sh", ".hidden/kept.sh", "build/out.sh", ".git/hooks/pre-push", "a/b.tmp", "a/c.sh"]
    {
        write(path, name, line);
    }
    write(path, ".gitignore", "build/\n");
    write(path, "a/.gitignore", "*.tmp\n");
    write(path, "binary", b"docker trust sign a\0\n");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outside.path(), path.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.sh"), path.join("link.sh")).unwrap();
        std::os::unix::fs::symlink(path, path.join("a/loop")).unwrap();
    }
    let found = |words: &[&str]| lines(&json(&audit(path, words).expect_status(3)));
    let kept = [".hidden/kept.sh:1: DCT010", "a/c.sh:1: DCT010", "kept.sh:1: DCT010"];
    assert_eq!(found(&[".", "-o", "json"]), kept);
    // Named twice, told once.
    assert_eq!(found(&["kept.sh", ".", "./a", "-o", "json"]), kept);
    let all = found(&[".", "--no-ignore", "-o", "json"]);
    assert_eq!(all.len(), 5, "{all:?}");
    // What is named is read, whatever .gitignore says.
    assert_eq!(found(&["build/out.sh", "-o", "json"]), ["build/out.sh:1: DCT010"]);
}

#[test]
fn a_gitignore_above_counts_within_its_repository_and_not_beyond() {
    let home = TempDir::new().unwrap();
    write(home.path(), ".gitignore", "*\n");
    write(home.path(), "src/app/ci.sh", "docker trust sign a\n");
    let app = home.path().join("src/app");
    assert_eq!(lines(&json(&audit(&app, &[".", "-o", "json"]))), ["ci.sh:1: DCT010"]);
    fs::create_dir(home.path().join(".git")).unwrap();
    assert!(lines(&json(&audit(&app, &[".", "-o", "json"]))).is_empty());
    fs::create_dir(app.join(".git")).unwrap();
    assert_eq!(lines(&json(&audit(&app, &[".", "-o", "json"]))), ["ci.sh:1: DCT010"]);
    // Excludes of one checkout are nobody else's.
    write(&app, ".git/info/exclude", "*\n");
    assert_eq!(lines(&json(&audit(&app, &[".", "-o", "json"]))), ["ci.sh:1: DCT010"]);
}

#[test]
fn what_is_passed_over_is_told_and_what_cannot_be_read_fails() {
    let folder = TempDir::new().unwrap();
    let big = vec![b'x'; 8 * 1024 * 1024 + 1];
    write(folder.path(), "dump.sql", &big);
    let mut binary = big.clone();
    binary[10] = 0;
    write(folder.path(), "image.bin", &binary);
    let finished = audit(folder.path(), &["."]).expect_status(0);
    assert_eq!(finished.stderr, "note: passed over dump.sql: over the limit of 8388608 bytes\n");
    // What is too large is no reason to believe that nothing is in it.
    let use_at_the_cut = [&big[..big.len() - 9], b"\ndocker trust sign a\n"].concat();
    write(folder.path(), "CHANGELOG", &use_at_the_cut);
    audit(folder.path(), &["."]).expect_status(0);
    write(folder.path(), "install.sh", &use_at_the_cut);
    let finished = audit(folder.path(), &[".", "-o", "json"]).expect_status(9);
    let passed_over = json(&finished)["passedOver"].clone();
    let failed: Vec<_> =
        passed_over.as_array().unwrap().iter().filter(|file| file["isFailure"] == true).collect();
    assert!(failed.len() == 1 && failed[0]["path"] == "install.sh", "{passed_over}");
    let missing = audit(folder.path(), &["nothing-here"]).expect_status(2);
    assert!(missing.stderr.contains("nothing-here cannot be read"), "{missing:?}");
    audit(folder.path(), &[]).expect_status(2);
    audit(folder.path(), &["--rules", "."]).expect_status(2);
}

#[test]
fn a_file_that_is_named_is_read_whatever_it_is_or_told_as_not_read() {
    let folder = TempDir::new().unwrap();
    for name in ["env.txt", "run.log", "x.md", "completion/docker"] {
        write(folder.path(), name, "export DOCKER_CONTENT_TRUST=1\n");
        let named = json(&audit(folder.path(), &[name, "-o", "json"]).expect_status(3));
        assert_eq!(lines(&named), [format!("{name}:1: DCT001")]);
    }
    audit(folder.path(), &["."]).expect_status(0);
    write(folder.path(), "a.bin", b"\0\0DOCKER_CONTENT_TRUST=1\0".as_slice());
    let passed = audit(folder.path(), &["a.bin"]).expect_status(9);
    assert!(passed.stderr.contains("passed over a.bin: not text"), "{passed:?}");
    write(folder.path(), "b.bin", b"\0\0nothing\0".as_slice());
    let passed = audit(folder.path(), &["b.bin"]).expect_status(0);
    assert!(passed.stderr.contains("passed over b.bin: not text"), "{passed:?}");
}

#[cfg(unix)]
#[test]
fn a_pipe_that_is_named_is_refused() {
    let folder = TempDir::new().unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status();
    assert!(made.unwrap().success());
    let refused = audit(folder.path(), &["pipe"]).expect_status(2);
    assert!(refused.stderr.contains("pipe is neither a folder nor a file"), "{refused:?}");
}

#[test]
fn what_is_not_listed_counts_all_the_same() {
    let folder = TempDir::new().unwrap();
    let notes = "docker pull --disable-content-trust a\n".repeat(1005);
    let script = notes + "docker trust sign a\nexport DOCKER_CONTENT_TRUST=1\n";
    write(folder.path(), "a.sh", script);
    write(folder.path(), "Dockerfile", "FROM alpine:3\n");
    let report = json(&audit(folder.path(), &[".", "--fail-on", "error", "-o", "json"]));
    let found = lines(&report);
    for finding in ["Dockerfile:1: DCT038", "a.sh:1006: DCT010", "a.sh:1007: DCT001"] {
        assert!(found.iter().any(|line| line == finding), "{finding}");
    }
    assert_eq!(report["omitted"], 7);
    let sarif = json(&audit(folder.path(), &[".", "-o", "sarif"]).expect_status(3));
    let told = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"];
    assert_eq!(told["text"], "7 more findings are not listed");
    // Of so many errors one that is left out says whether images have to be signed.
    let errors = "docker trust sign a\n".repeat(1000) + "export DOCKER_CONTENT_TRUST=1\n";
    write(folder.path(), "a.sh", errors);
    let report = json(&audit(folder.path(), &[".", "-o", "json"]).expect_status(3));
    assert_eq!(
        (lines(&report)[0].as_str(), &report["omitted"]),
        ("Dockerfile:1: DCT038", &1.into())
    );
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_leaves_the_audit_incomplete() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // Whoever may read everything cannot be kept out.
    if fs::read_dir(&closed).is_err() {
        let report = audit(folder.path(), &[".", "-o", "json"]).expect_status(9);
        assert_eq!(json(&report)["passedOver"][0]["isFailure"], true);
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_exit_code_says_whether_there_is_something_of_that_severity() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "a.sh", "docker pull --disable-content-trust a\n");
    let status = |words: &[&str]| audit(folder.path(), &[&["."], words].concat()).status.unwrap();
    assert_eq!(status(&[]), 3);
    assert_eq!(status(&["--fail-on", "warning"]), 0);
    write(folder.path(), "b.sh", "export NOTARY_AUTH=x\n");
    assert_eq!(status(&["--fail-on", "warning"]), 3);
    assert_eq!(status(&["--fail-on", "error"]), 0);
    write(folder.path(), "c.sh", "docker trust sign a\n");
    assert_eq!(status(&["--fail-on", "error"]), 3);
    assert_eq!(status(&["--fail-on", "never"]), 0);
}

#[test]
fn the_text_says_where_what_why_and_what_instead() {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        "ci.yml",
        "steps:\n  - run: docker trust sign acme/app:1\n  - run: docker trust sign acme/b:1\n",
    );
    let text = audit(folder.path(), &["."]).expect_status(3).stdout;
    let expected = "ci.yml:2: error DCT010: - run: docker trust sign acme/app:1\n\
        ci.yml:3: error DCT010: - run: docker trust sign acme/b:1\n\n\
        DCT010 (error): docker trust sign\n  why: ";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.contains("\n  when: for Docker Hub 8 December 2026")
            && text.contains("\n  instead: notation sign")
    );
    assert!(
        text.ends_with(
            "\n\n2 uses of Docker Content Trust in 1 of 1 file: 2 errors, 0 warnings, 0 notes\n"
        ),
        "{text}"
    );
    let none = TempDir::new().unwrap();
    write(none.path(), "ci.yml", "steps: []\n");
    let text = audit(none.path(), &["."]).expect_status(0).stdout;
    assert_eq!(text, "no use of Docker Content Trust in 1 file\n");
}

#[test]
fn who_is_told_to_switch_a_registry_off_is_told_to_export_first_and_what_it_deletes() {
    let shown = json(&audit(&corpus(), &["--rules", "-o", "json"]).expect_status(0));
    for id in ["DCT019", "DCT020", "DCT030", "DCT031"] {
        let rule = shown["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == id).unwrap();
        let (why, instead) = (rule["why"].as_str().unwrap(), rule["instead"].as_str().unwrap());
        assert!(instead.starts_with("export first: notation-kms dct export"), "{id}: {instead}");
        assert!(why.contains("deletes the trust data of every repository"), "{id}: {why}");
        assert!(why.contains("for good"), "{id}: {why}");
    }
}

#[test]
fn sarif_is_valid_by_its_schema_and_points_at_the_same_lines() {
    let schema =
        fs::read(corpus().with_file_name("sarif").join("sarif-schema-2.1.0.json")).unwrap();
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let tree = corpus().with_file_name("audit-tree").join("tree");
    let sarif = json(&audit(&tree, &[".", "-o", "sarif"]).expect_status(3));
    let faults: Vec<String> =
        validator.iter_errors(&sarif).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    // A schema that takes anything would show nothing.
    let mut broken = sarif.clone();
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!validator.is_valid(&broken));

    assert!(sarif["runs"][0]["originalUriBaseIds"]["%SRCROOT%"].is_object(), "{sarif}");
    let report = json(&audit(&tree, &[".", "-o", "json"]).expect_status(3));
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let told: Vec<String> = results
        .iter()
        .map(|result| {
            let place = &result["locations"][0]["physicalLocation"];
            let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            let rules = &sarif["runs"][0]["tool"]["driver"]["rules"];
            assert_eq!(rules[rule]["id"], result["ruleId"]);
            let text = result["message"]["text"].as_str().unwrap();
            assert!(text.contains(" When: ") && text.contains(" Instead: "), "{text}");
            let (uri, line) = (&place["artifactLocation"]["uri"], &place["region"]["startLine"]);
            format!("{}:{line}: {}", uri.as_str().unwrap(), result["ruleId"].as_str().unwrap())
        })
        .collect();
    assert_eq!(told, lines(&report));
    // Nothing found is a run too, with which code scanning closes what was open.
    let none = TempDir::new().unwrap();
    let empty = json(&audit(none.path(), &[".", "-o", "sarif"]).expect_status(0));
    assert!(validator.is_valid(&empty) && empty["runs"][0]["results"] == Value::Array(Vec::new()));
}

#[test]
fn sarif_points_at_a_file_outside_by_its_whole_path() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    write(&folder, "a.sh", "docker trust sign a\n");
    fs::create_dir(folder.join("below")).unwrap();
    let sarif = json(&audit(&folder.join("below"), &["../a.sh", "-o", "sarif"]).expect_status(3));
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    let expected = serde_json::json!({"uri": format!("file://{}/a.sh", folder.display())});
    assert_eq!(place["artifactLocation"], expected);
}

#[test]
fn every_form_is_the_same_each_time() {
    let tree = corpus().with_file_name("audit-tree").join("tree");
    for format in ["text", "json", "markdown", "sarif"] {
        let first = audit(&tree, &[".", "-o", format]).stdout;
        assert_eq!(first, audit(&tree, &[".", "-o", format]).stdout, "{format}");
        assert!(first.len() > 1000, "{format}");
    }
}

#[test]
fn no_report_holds_a_passphrase() {
    let folder = TempDir::new().unwrap();
    let script = "export DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE='correct horse'\n\
        DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE=battery NOTARY_AUTH=staple ./x\n\
        curl -u me:clip https://you:fastener@notary.docker.io/v2/\n";
    write(folder.path(), "a.sh", script);
    write(folder.path(), "Dockerfile", "ENV NOTARY_ROOT_PASSPHRASE paper\n");
    for format in ["text", "json", "markdown", "sarif"] {
        let shown = audit(folder.path(), &[".", "-o", format]).expect_status(3).stdout;
        for secret in ["correct", "horse", "battery", "staple", "clip", "fastener", "paper"] {
            assert!(!shown.contains(secret), "{secret} in {format}: {shown}");
        }
        assert!(shown.contains("DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE=***"), "{shown}");
    }
}

#[test]
fn a_file_that_is_one_line_of_uses_takes_no_more_than_a_moment() {
    let folder = TempDir::new().unwrap();
    for (name, part) in [
        ("a.json", "\"trustPolicy\":{\"status\":\"disabled\"},"),
        ("b.sh", "DOCKER_CONTENT_TRUST "),
        ("c.yml", "echo \"$(docker trust sign\" 'x"),
        ("d.yml", "notary:4443 enabled: "),
        ("e.sh", "--disable-content-trust=false;"),
        ("g.js", "trust/*"),
        ("h.tf", "trust /* '\""),
        ("j.yml", "  name: DOCKER_CONTENT_TRUST\n"),
        ("k.sh", "f() {\ncat <<EOF\nEOF\ntrust\n"),
        ("l.js", "` ''' trust /* "),
    ] {
        write(folder.path(), name, part.repeat(200_000 / part.len()));
    }
    write(folder.path(), "f.yml", " enabled: trust\n".repeat(10_000));
    write(folder.path(), "i.sh", "cat <<EOF\n".repeat(20_000) + "trust");
    let start = std::time::Instant::now();
    audit(folder.path(), &[".", "--fail-on", "never"]).expect_status(0);
    assert!(start.elapsed().as_secs() < 40, "{:?}", start.elapsed());
}

#[test]
fn a_machine_is_looked_at_by_its_variables_settings_keys_and_trust_data() {
    let home = TempDir::new().unwrap();
    let path = home.path();
    let key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nrole: root\n\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    write(path, ".docker/trust/private/601be0.key", key);
    let targets = key.replace("role: root", "gun: docker.io/acme/app\nrole: targets");
    write(path, ".docker/trust/private/tuf_keys/docker.io/acme/app/0a.key", targets);
    write(path, ".docker/trust/tuf/docker.io/acme/app/metadata/root.json", "{}");
    write(
        path,
        ".docker/config.json",
        "{\"auths\": {\"https://notary.docker.io\": {\"auth\": \"dTpw\"}}}\n",
    );
    write(path, ".docker/daemon.json", "{\"content-trust\": {\"mode\": \"enforced\"}}\n");
    write(path, ".bashrc", "export DOCKER_CONTENT_TRUST=1\n");
    write(path, ".notary/config.json", "{\"trust_dir\": \"~/.docker/trust\"}\n");
    let run = Run::notation_kms()
        .home(path)
        .current_dir(path)
        .env("DOCKER_CONTENT_TRUST", "1")
        .env("DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE", "hunter2")
        .env("NOTARY_TARGETS_PASSPHRASE", "hunter2");
    let finished = run.args(["dct", "audit", "--host", "-o", "json"]).finish().expect_status(3);
    assert!(!finished.stdout.contains("hunter2") && !finished.stdout.contains("dTpw"));
    let report = json(&finished);
    let root = path.to_str().unwrap();
    let found: Vec<String> = lines(&report)
        .iter()
        .map(|line| line.replace(root, "~"))
        .filter(|line| !line.starts_with("/etc"))
        .collect();
    assert_eq!(
        found,
        [
            "~/.bashrc:1: DCT001",
            "~/.docker/config.json:1: DCT021",
            "~/.docker/daemon.json:1: DCT027",
            "~/.docker/trust/private/601be0.key: DCT025",
            "~/.docker/trust/private/tuf_keys/docker.io/acme/app/0a.key: DCT025",
            "~/.docker/trust/tuf: DCT026",
            "~/.notary/config.json:1: DCT028",
            "~/.notary/config.json:1: DCT024",
            "environment: DCT001",
            "environment: DCT005",
            "environment: DCT007",
        ]
    );
    let texts: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["text"].as_str())
        .collect();
    for text in [
        "DOCKER_CONTENT_TRUST=1",
        "NOTARY_TARGETS_PASSPHRASE=***",
        "private key, role root",
        "private key, role targets of docker.io/acme/app",
        "trust data, repositories: 1",
    ] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
    let key_rule =
        report["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == "DCT025").unwrap();
    assert!(key_rule["instead"].as_str().unwrap().contains("dct export --pin-root"));
}

#[cfg(unix)]
#[test]
fn what_of_a_machine_may_not_be_looked_at_leaves_the_audit_incomplete() {
    use std::os::unix::fs::symlink;
    // A link to itself cannot be read by root either.
    for closed in [".docker", ".docker/trust/private", ".docker/trust/tuf", ".config/environment.d"]
    {
        let home = TempDir::new().unwrap();
        let path = home.path().join(closed);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(&path, &path).unwrap();
        let run =
            Run::notation_kms().home(home.path()).args(["dct", "audit", "--host", "-o", "json"]);
        let report = json(&run.finish().expect_status(9));
        let passed_over = report["passedOver"].as_array().unwrap();
        let is_told = |row: &&Value| {
            row["path"].as_str().unwrap().contains(closed) && row["isFailure"] == true
        };
        assert!(passed_over.iter().any(|row| is_told(&row)), "{closed}: {report}");
    }
}

#[test]
fn a_machine_without_content_trust_is_clean() {
    let home = TempDir::new().unwrap();
    let run = Run::notation_kms().home(home.path()).env("DOCKER_CONFIG", home.path().join("none"));
    let finished = run.args(["dct", "audit", "--host", "-o", "json"]).finish();
    let found: Vec<String> =
        lines(&json(&finished)).into_iter().filter(|line| !line.starts_with("/etc")).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_page_shows_the_table_of_rules_as_the_program_has_it() {
    let table = audit(&corpus(), &["--rules", "-o", "markdown"]).expect_status(0).stdout;
    assert!(table.lines().count() == rules().len() + 2, "{table}");
    let page = include_str!("../docs/audit-content-trust.md");
    let missing: Vec<&str> =
        table.lines().filter(|line| !page.lines().any(|other| other == *line)).collect();
    assert!(missing.is_empty(), "docs/audit-content-trust.md lacks\n{}", missing.join("\n"));
    let rows = page.lines().filter(|line| line.starts_with("| DCT")).count();
    assert_eq!(rows, rules().len(), "the page has rows of rules that are gone");
}
