//! `login` and `logout`: what is asked, refused, written and left as it is.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    thread,
};

use serde_json::{Value, json};

use super::{AUTH, Home, authorizations, basic_registry, host, tls_registry, without_secret};
use crate::support::{
    command::Run,
    component::Component,
    fake_http::{Answer, FakeHttp},
    openssl::Openssl,
};

#[test]
fn a_login_is_checked_by_a_registry_with_tls_and_kept_by_the_helper() {
    let Some(openssl) = Openssl::or_skip() else { return };
    let Some(registry) = tls_registry(&openssl) else { return };
    let (home, host) = (Home::new(), registry.host());
    home.configure(&json!({"credsStore": "kept"}));
    let root = openssl.path("server.crt").display().to_string();
    let login = |password: &str| {
        let words = ["login", &host, "-u", "me", "--password-stdin", "--ca-cert", &root];
        without_secret(home.run(&words).stdin(password).finish())
    };
    let reference = format!("{host}/team/app:v1");
    let list = || home.run(&["list", &reference, "--ca-cert", &root]).finish();

    let wrong = login("hunter3").expect_status(7);
    assert!(wrong.stderr.contains(&format!("{host} does not accept the login")), "{wrong:?}");
    assert_eq!(home.kept(&host), None);
    list().expect_status(7);
    let right = login("hunter2\r\n").expect_status(0);
    let told = format!("logged in to {host} as me; docker-credential-kept keeps the password\n");
    assert_eq!(right.stdout, told);
    let entry = json!({"ServerURL": host, "Username": "me", "Secret": "hunter2"});
    assert_eq!(home.kept(&host), Some(entry));
    assert_eq!(home.configured(), json!({"credsStore": "kept", "auths": {&host: {}}}));
    // The repository is empty.
    list().expect_status(8);
    let out = home.run(&["logout", &host]).finish().expect_status(0);
    assert_eq!(out.stdout, format!("logged out of {host}\n"));
    assert_eq!(home.kept(&host), None);
    assert_eq!(home.configured(), json!({"credsStore": "kept", "auths": {}}));
    list().expect_status(7);
    let again = home.run(&["logout", &host]).finish().expect_status(0);
    assert_eq!(again.stdout, format!("docker has no credentials for {host}\n"));

    let unknown = ["login", &host, "-u", "me", "--password-stdin"];
    let untrusted = home.run(&unknown).stdin("hunter2").finish().expect_status(1);
    assert!(untrusted.stderr.contains("no trusted TLS connection"), "{untrusted:?}");
}

#[test]
fn what_is_typed_is_asked_for_on_a_terminal_and_not_shown() {
    // Types what is asked for, and prints all that the terminal shows.
    const TYPIST: &str = r#"
import os, pty, sys, termios, time
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown = b""
for question, answer in ((b"Username: ", b"me\n"), (b"Password: ", b"hunter2\n")):
    while question not in shown:
        shown += os.read(terminal, 1024)
    while question == b"Password: " and termios.tcgetattr(terminal)[3] & termios.ECHO:
        time.sleep(0.01)
    os.write(terminal, answer)
try:
    while data := os.read(terminal, 1024):
        shown += data
except OSError:
    pass
sys.stdout.write(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;
    let Some(python) = Component::Python.or_skip() else { return };
    let (home, server) = (Home::new(), basic_registry());
    let host = host(&server);
    let ours = env!("CARGO_BIN_EXE_notation-kms");
    let words = ["-c", TYPIST, ours, "login", &host, "--insecure-registry", "--plain-text"];
    let shown = without_secret(home.in_place_of_ours(&python, &words).finish().expect_status(0));
    assert!(shown.stdout.contains(&format!("logged in to {host} as me")), "{shown:?}");
    assert_eq!(home.configured()["auths"][&host]["auth"], AUTH);
}

#[test]
fn a_password_is_kept_in_plain_text_only_where_that_is_asked_for() {
    let (home, server) = (Home::new(), basic_registry());
    let refused = home.login(&server, &[]).finish().expect_status(2);
    assert!(refused.stderr.contains("names no credential helper"), "{refused:?}");
    assert!(refused.stderr.contains("\nhint: set \"credsStore\""), "{refused:?}");
    assert!(server.requests().is_empty() && !home.config().exists());
    let kept = without_secret(home.login(&server, &["--plain-text"]).finish().expect_status(0));
    assert!(kept.stdout.contains("the password stands in "), "{kept:?}");
    assert_eq!(home.configured(), json!({"auths": {host(&server): {"auth": AUTH}}}));
    let mode = fs::metadata(home.config()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    home.list(&server).finish().expect_status(8);
    // A helper is taken where there is one, and the old password goes.
    let mut config = home.configured();
    config["credHelpers"] = json!({host(&server): "kept"});
    home.configure(&config);
    home.login(&server, &["--plain-text"]).finish().expect_status(0);
    assert_eq!(home.configured()["auths"], json!({host(&server): {}}));
    assert_eq!(home.kept(&host(&server)).unwrap()["Secret"], "hunter2");
    home.list(&server).finish().expect_status(8);
}

#[test]
fn a_login_changes_its_own_entry_of_the_file_and_no_other_byte() {
    let (home, server) = (Home::new(), basic_registry());
    let before = "{\n  \"zeta\": {\"b\":1.50,   \"a\":[ ]},\n  \"auths\": {\n    \"other.example\": {\"auth\":\"eDp5\", \
                  \"email\":\"x@y\"}\n  },\n  \"HttpHeaders\": {\n    \"X\": \"\\u0041\"\n  }\n}\n";
    fs::create_dir(home.path("dotfiles")).unwrap();
    fs::write(home.path("dotfiles/docker.json"), before).unwrap();
    symlink("../dotfiles/docker.json", home.config()).unwrap();
    home.login(&server, &["--plain-text"]).finish().expect_status(0);
    assert!(home.config().is_symlink());
    let entry = format!(",\n    \"{}\": {{\"auth\":\"{AUTH}\"}}\n  }},", host(&server));
    let expected = before.replace("\n  },\n  \"Http", &format!("{entry}\n  \"Http"));
    let after = fs::read_to_string(home.path("dotfiles/docker.json")).unwrap();
    assert_eq!(after, expected);
    home.run(&["logout", &host(&server)]).finish().expect_status(0);
    assert_eq!(fs::read_to_string(home.config()).unwrap(), before);
    // A registry that is not there changes nothing, not even the time.
    let written = fs::metadata(home.config()).unwrap().modified().unwrap();
    home.run(&["logout", "none.example"]).finish().expect_status(0);
    assert_eq!(fs::metadata(home.config()).unwrap().modified().unwrap(), written);
    assert_eq!(fs::read_dir(home.path(".docker")).unwrap().count(), 1);

    let dangling = Home::new();
    symlink(dangling.path("later.json"), dangling.config()).unwrap();
    dangling.login(&server, &["--plain-text"]).finish().expect_status(0);
    assert!(dangling.config().is_symlink() && dangling.path("later.json").is_file());
}

#[test]
fn a_broken_configuration_is_left_as_it_is_and_told_without_its_secrets() {
    let (home, server) = (Home::new(), basic_registry());
    for broken in [
        r#"{"auths": {"h": {"auth": "hunter2"}}"#,
        r#"{"auths": "hunter2"}"#,
        r#"["hunter2"]"#,
        r#"{"auths": {}, "auths": {"h": "hunter2"}}"#,
        r#"{"credsStore": ["hunter2"]}"#,
        r#"{"credsStore": "../hunter2/x"}"#,
    ] {
        fs::write(home.config(), broken).unwrap();
        let told = home.login(&server, &["--plain-text"]).finish().expect_status(5);
        assert!(broken.contains("../") || !told.stderr.contains("hunter2"), "{}", told.stderr);
        assert_eq!(fs::read_to_string(home.config()).unwrap(), broken);
        // Who reads only goes on without.
        let list = home.list(&server).finish().expect_status(7);
        assert!(list.stderr.contains("warning: no credentials for 127.0.0.1"), "{}", list.stderr);
    }
    let auths = json!({"auths": {host(&server): {"auth": "hunter2hunter2"}}});
    home.configure(&auths);
    let list = home.list(&server).finish().expect_status(7);
    assert!(list.stderr.contains("is not what docker writes there"), "{}", list.stderr);
    assert!(!list.stderr.contains("hunter2"), "{}", list.stderr);
}

#[test]
fn a_password_is_asked_of_nobody_who_is_not_there_and_is_never_an_argument() {
    let (home, server) = (Home::new(), basic_registry());
    let host = host(&server);
    let login = |more: &[&str], stdin: &str| {
        let words = ["login", &host, "--insecure-registry", "--plain-text"];
        home.run(&[&words, more].concat()).stdin(stdin).finish().expect_status(2)
    };
    assert!(login(&[], "me\nhunter2\n").stderr.contains("nobody is there to be asked"));
    assert!(login(&["-u", "me"], "hunter2\n").stderr.contains("there is no password of me"));
    for given in [&["-u", "me", "-p", "hunter2"][..], &["-u", "me", "--password=hunter2"]] {
        let refused = login(given, "");
        assert!(refused.stderr.contains("a password is no argument"), "{}", refused.stderr);
        without_secret(refused);
    }
    login(&["--password-stdin"], "hunter2");
    login(&["-u", "me", "--password-stdin"], "\n");
    login(&["-u", "me", "--password-stdin"], &"x".repeat(16 * 1024 + 1));
    login(&["-u", "a:b", "--password-stdin"], "x");
    let scheme = home.run(&["login", "https://registry.example", "--plain-text"]).finish();
    assert!(scheme.expect_status(2).stderr.contains("\"https://registry.example\" has a scheme"));
    home.run(&["login", "registry.example/team", "--plain-text"]).finish().expect_status(2);
    assert!(server.requests().is_empty() && !home.config().exists());
    // The environment's, as the notation CLI takes them.
    let words = ["login", &host, "--insecure-registry", "--plain-text"];
    let run = home.run(&words).env("NOTATION_USERNAME", "me").env("NOTATION_PASSWORD", "hunter2");
    run.finish().expect_status(0);
    assert_eq!(home.configured()["auths"][&host]["auth"], AUTH);
}

#[test]
fn a_registry_that_lets_anybody_in_or_nobody_or_is_not_there_is_told() {
    let home = Home::new();
    let open = FakeHttp::start(|_| Answer::new(200, "{}"));
    let told = home.login(&open, &["--plain-text", "-o", "json"]).finish().expect_status(0);
    assert!(told.stderr.contains("nothing says that the password is right"), "{told:?}");
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(report["checked"], false);
    assert!(authorizations(&open).is_empty());
    let forbidden = FakeHttp::start(|_| Answer::new(403, ""));
    let refused = home.login(&forbidden, &["--plain-text"]).finish().expect_status(7);
    assert!(!refused.stderr.contains("hint: "), "{}", refused.stderr);
    let page = FakeHttp::start(|_| Answer::new(404, "<h1>Not here</h1>"));
    home.login(&page, &["--plain-text"]).finish().expect_status(8);
    let gone = json!({"auths": home.configured()["auths"]});
    let words = ["login", "127.0.0.1:1", "--insecure-registry", "-u", "me", "--password-stdin"];
    home.run(&words).arg("--plain-text").stdin("hunter2").finish().expect_status(6);
    assert_eq!(home.configured(), gone, "nothing is kept that was not checked");
}

#[test]
fn a_login_and_a_logout_name_the_places_that_they_leave_alone() {
    let (home, server) = (Home::new(), basic_registry());
    let config = json!({"auths": {host(&server): {"auth": AUTH}}}).to_string();
    let variable = |run: Run| run.env("DOCKER_AUTH_CONFIG", &config);
    let told = variable(home.login(&server, &["--plain-text"])).finish().expect_status(0);
    assert!(told.stderr.contains("warning: DOCKER_AUTH_CONFIG has credentials"), "{told:?}");
    let out = home.run(&["logout", &host(&server), "-o", "json"]);
    let out = variable(out).finish().expect_status(0);
    let report: Value = serde_json::from_str(&out.stdout).unwrap();
    let expected =
        json!({"registry": host(&server), "removed": true, "elsewhere": ["DOCKER_AUTH_CONFIG"]});
    assert_eq!(report, expected);
}

#[test]
fn logins_at_once_lose_no_entry() {
    let home = Home::new();
    let servers: Vec<FakeHttp> = (0..6).map(|_| basic_registry()).collect();
    thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| home.login(server, &["--plain-text"]).finish().expect_status(0));
        }
    });
    let config = home.configured();
    for server in &servers {
        assert_eq!(config["auths"][host(server)]["auth"], AUTH, "{config}");
    }
    assert_eq!(names(&home.path(".docker")), ["config.json"]);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
