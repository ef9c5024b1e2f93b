//! Credentials: where they come from, whom they are sent to, and where `login` keeps them.

use std::{
    fs,
    io::Read as _,
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use notation_sdk::algorithm::KeySpec;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    command::{Finished, Run},
    component::Component,
    fake_http::{Answer, FakeHttp, Request},
    openssl::Openssl,
    registry::Registry,
};

/// `me:hunter2`
const AUTH: &str = "bWU6aHVudGVyMg==";
const BASIC: &str = "Basic bWU6aHVudGVyMg==";
/// Keeps one password a registry in a folder of its own, and writes down what it was asked for.
const HELPER: &str = r#"#!/bin/sh
cd "$KEPT" || exit 1
echo "$1" >> calls
input=$(cat)
case $1 in
store)
    name=$(echo "$input" | sed 's/.*"ServerURL":"\([^"]*\)".*/\1/' | tr / _)
    echo "$input" > "entry-$name" ;;
get)
    cat "entry-$(echo "$input" | tr / _)" 2>/dev/null && exit
    echo "credentials not found in native keychain"
    exit 1 ;;
erase) rm "entry-$(echo "$input" | tr / _)" ;;
esac
"#;

/// A home folder, with docker's configuration and a credential helper `kept` on its search path.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        for folder in ["bin", "kept", ".docker"] {
            fs::create_dir(home.path(folder)).unwrap();
        }
        home.add_helper("kept", HELPER);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn add_helper(&self, suffix: &str, script: &str) {
        let helper = self.path("bin").join(format!("docker-credential-{suffix}"));
        fs::write(self.path("source"), script).unwrap();
        // Copied by another process: a file that this one has open for writing cannot be run.
        let run = Run::new("install").args(["-m", "700"]).arg(self.path("source"));
        run.arg(helper).finish().expect_status(0);
    }

    fn config(&self) -> PathBuf {
        self.path(".docker/config.json")
    }

    fn configure(&self, config: &Value) {
        fs::write(self.config(), config.to_string()).unwrap();
    }

    fn configured(&self) -> Value {
        serde_json::from_slice(&fs::read(self.config()).unwrap()).unwrap()
    }

    /// What the helper keeps.
    fn kept(&self, name: &str) -> Option<Value> {
        let bytes = fs::read(self.path("kept").join(format!("entry-{name}"))).ok()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    fn run(&self, words: &[&str]) -> Run {
        self.in_place_of_ours(Path::new(env!("CARGO_BIN_EXE_notation-kms")), words)
    }

    /// Runs another program in this home.
    fn in_place_of_ours(&self, program: &Path, words: &[&str]) -> Run {
        let path = std::env::var("PATH").unwrap();
        Run::new(program)
            .home(self.0.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("KEPT", self.path("kept"))
            .args(words)
    }

    fn login(&self, server: &FakeHttp, more: &[&str]) -> Run {
        let host = host(server);
        let words = [&["login", &host, "--insecure-registry", "-u", "me"], more].concat();
        self.run(&words).arg("--password-stdin").stdin("hunter2\n")
    }

    /// Asks for the signatures of an artifact.
    fn list(&self, server: &FakeHttp) -> Run {
        self.run(&["list", &format!("{}/team/app:v1", host(server)), "--insecure-registry"])
    }
}

fn host(server: &FakeHttp) -> String {
    server.url().trim_start_matches("http://").to_owned()
}

fn challenge(text: &str) -> Answer {
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    Answer::new(401, body).header("WWW-Authenticate", text)
}

/// An empty registry that wants Basic credentials, of `me` with `hunter2`.
fn basic_registry() -> FakeHttp {
    FakeHttp::start(|request| match request.header("authorization") {
        Some(BASIC) if request.target == "/v2/" => Answer::new(200, "{}"),
        Some(BASIC) => Answer::new(404, ""),
        _ => challenge("Basic realm=test"),
    })
}

fn authorizations(server: &FakeHttp) -> Vec<String> {
    let header = |request: &Request| request.header("authorization").map(ToOwned::to_owned);
    server.requests().iter().filter_map(header).collect()
}

/// What a TLS connection begins with.
const TLS: u8 = 22;

/// A server that hangs up on everybody, and the first byte of each.
fn first_bytes() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut byte = [0];
            if connection.read_exact(&mut byte).is_ok() {
                log.lock().unwrap().push(byte[0]);
            }
        }
    });
    (host, seen)
}

/// No output holds the secret.
#[track_caller]
fn without_secret(finished: Finished) -> Finished {
    let all = format!("{}{}", finished.stdout, finished.stderr);
    assert!(!all.contains("hunter2") && !all.contains(AUTH), "{all}");
    finished
}

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

/// A registry that skopeo and notation ask by TLS too, whose certificate is in `server.crt`.
fn tls_registry(openssl: &Openssl) -> Option<Registry> {
    openssl.create_key("server", KeySpec::Ec256);
    let make = "req -x509 -new -key server.key -days 2 -subj /CN=server-of-test -config extensions.cnf \
                -addext subjectAltName=IP:127.0.0.1 -out server.crt";
    openssl.run(make).expect_status(0);
    Registry::with_password_or_skip(&openssl.path(""))
}

#[test]
fn skopeo_uses_what_login_stores_and_ours_what_skopeo_stores() {
    let (Some(openssl), Some(skopeo)) = (Openssl::or_skip(), Component::Skopeo.or_skip()) else {
        return;
    };
    let Some(registry) = tls_registry(&openssl) else { return };
    let host = registry.host();
    let root = openssl.path("server.crt").display().to_string();
    let reference = format!("{host}/team/app:v1");
    let list = ["list", &reference, "--ca-cert", &root];
    for (config, more) in
        [(json!({}), &["--plain-text"][..]), (json!({"credHelpers": {&host: "kept"}}), &[])]
    {
        let home = Home::new();
        home.configure(&config);
        let words = ["login", &host, "-u", "me", "--password-stdin", "--ca-cert", &root];
        home.run(&[&words, more].concat()).stdin("hunter2").finish().expect_status(0);
        let run = |words: &[&str]| home.in_place_of_ours(&skopeo, words);
        let config = home.config().display().to_string();
        let user = run(&["login", "--get-login", "--authfile", &config, &host]).finish();
        assert_eq!(user.expect_status(0).stdout, "me\n");
        let image = format!("docker://{reference}");
        let inspect = ["inspect", "--tls-verify=false", "--authfile", &config, &image];
        let inspected = run(&inspect).finish().expect_status(1);
        assert!(inspected.stderr.contains("manifest unknown"), "{inspected:?}");
        home.run(&["logout", &host]).finish().expect_status(0);
        run(&["login", "--get-login", "--authfile", &config, &host]).finish().expect_status(1);
        let refused = run(&inspect).finish().expect_status(1);
        assert!(refused.stderr.contains("authentication required"), "{refused:?}");

        let theirs = home.path("auth.json");
        let login = ["login", "--tls-verify=false", "-u", "me", "--password-stdin", "--authfile"];
        let theirs_text = theirs.display().to_string();
        let login = [&login[..], &[&theirs_text, &host]].concat();
        run(&login).stdin("hunter2").finish().expect_status(0);
        home.run(&list).finish().expect_status(7);
        home.run(&list).env("REGISTRY_AUTH_FILE", theirs).finish().expect_status(8);
    }
}

#[test]
fn notation_uses_what_login_stores_and_ours_what_notation_stores() {
    let (Some(openssl), Some(notation)) = (Openssl::or_skip(), Component::Notation.or_skip())
    else {
        return;
    };
    let Some(registry) = tls_registry(&openssl) else { return };
    let (home, host) = (Home::new(), registry.host());
    home.configure(&json!({"credsStore": "kept"}));
    let root = openssl.path("server.crt").display().to_string();
    let notation =
        |words: &[&str]| home.in_place_of_ours(&notation, words).env("SSL_CERT_FILE", &root);
    let reference = format!("{host}/team/app:v1");
    // The project's own peer of notation, where there is no notation, knows no login.
    if notation(&["login", "--help"]).finish().status != Some(0) {
        return;
    }
    let theirs = || notation(&["list", &reference]).finish().expect_status(1).stderr;
    let ours = || home.run(&["list", &reference, "--ca-cert", &root]).finish();
    let words = ["login", &host, "-u", "me", "--password-stdin", "--ca-cert", &root];
    assert!(theirs().contains("credential not found"), "{}", theirs());
    home.run(&words).stdin("hunter2").finish().expect_status(0);
    assert!(theirs().contains("v1: not found"), "{}", theirs());
    notation(&["logout", &host]).finish().expect_status(0);
    ours().expect_status(7);
    let login = ["login", &host, "-u", "me", "--password-stdin"];
    notation(&login).stdin("hunter2").finish().expect_status(0);
    ours().expect_status(8);
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
        without_secret(login(given, ""));
    }
    login(&["--password-stdin"], "hunter2");
    login(&["-u", "me", "--password-stdin"], "\n");
    login(&["-u", "me", "--password-stdin"], &"x".repeat(16 * 1024 + 1));
    login(&["-u", "a:b", "--password-stdin"], "x");
    let scheme = home.run(&["login", "https://registry.example", "--plain-text"]).finish();
    assert!(scheme.expect_status(2).stderr.contains("has a scheme"));
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
    home.login(&forbidden, &["--plain-text"]).finish().expect_status(7);
    let page = FakeHttp::start(|_| Answer::new(404, "<h1>Not here</h1>"));
    home.login(&page, &["--plain-text"]).finish().expect_status(8);
    let gone = json!({"auths": home.configured()["auths"]});
    let words = ["login", "127.0.0.1:1", "--insecure-registry", "-u", "me", "--password-stdin"];
    home.run(&words).arg("--plain-text").stdin("hunter2").finish().expect_status(6);
    assert_eq!(home.configured(), gone, "nothing is kept that was not checked");
}

#[test]
fn credentials_go_to_no_other_host_and_by_no_plain_connection() {
    let home = Home::new();
    let thief = FakeHttp::start(|_| challenge("Basic realm=thief"));
    let url = thief.url();
    let redirecting = FakeHttp::start(move |request| match request.header("authorization") {
        Some(BASIC) => Answer::to(&format!("{url}{}", request.target)),
        _ => challenge("Basic realm=test"),
    });
    without_secret(home.login(&redirecting, &["--plain-text"]).finish().expect_status(7));
    assert_eq!(authorizations(&redirecting), [BASIC]);
    home.configure(&json!({"auths": {host(&redirecting): {"auth": AUTH}}}));
    home.list(&redirecting).finish().expect_status(7);
    assert!(thief.requests().len() >= 2 && authorizations(&thief).is_empty());

    // A token service is a host that the registry names, by TLS or on this machine.
    let elsewhere = "Bearer realm=\"http://registry.example/token\"";
    let naming = FakeHttp::start(move |_| challenge(elsewhere));
    let (host_of_tls, seen) = first_bytes();
    let words = ["login", &host_of_tls, "-u", "me", "--password-stdin", "--plain-text"];
    // Nobody said that this may be insecure.
    home.run(&words).stdin("hunter2").finish().expect_status(6);
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|byte| *byte == TLS), "{seen:?}");
    let named = format!("localhost:{}", host(&naming).rsplit(':').next().unwrap());
    let words = ["login", &named, "-u", "me", "--password-stdin", "--plain-text"];
    let plain = home.run(&words).stdin("hunter2").finish().expect_status(3);
    assert!(plain.stderr.contains("a challenge whose realm is not https://"), "{plain:?}");
    assert!(authorizations(&naming).is_empty());
}

#[test]
fn one_password_is_for_one_registry() {
    let (home, first, second) = (Home::new(), basic_registry(), basic_registry());
    let reference = |server: &FakeHttp| format!("{}/team/app:v1", host(server));
    let (one, other) = (reference(&first), reference(&second));
    let list = ["list", &one, "--insecure-registry", "-u", "me", "--password-stdin"];
    home.run(&list).stdin("hunter2").finish().expect_status(8);
    home.list(&first).finish().expect_status(7);
    home.list(&first).env("NOTATION_PASSWORD", "hunter2").finish().expect_status(7);

    let policy = json!([{"name": "all", "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"}, "trustStores": ["ca:x"], "trustedIdentities": ["*"]}]);
    let file = home.path("config/notation/trustpolicy.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, json!({"version": "1.0", "trustPolicies": policy}).to_string()).unwrap();
    let verify = ["verify", &one, &other, "--insecure-registry"];
    let both = home.run(&verify).args(["-u", "me", "--password-stdin"]).stdin("hunter2").finish();
    let told =
        format!("--username is for {}, and {} is another registry", host(&first), host(&second));
    assert!(format!("{}{}", both.stdout, both.stderr).contains(&told), "{both:?}");
    let environment = home.run(&verify);
    let environment =
        environment.env("NOTATION_USERNAME", "me").env("NOTATION_PASSWORD", "hunter2").finish();
    assert!(environment.stderr.contains("NOTATION_PASSWORD is for "), "{environment:?}");
    assert!(authorizations(&second).is_empty());
    assert!(!authorizations(&first).is_empty());
}

/// Where credentials may stand, each as a file of docker or podman.
#[test]
fn stored_credentials_are_found_under_every_name_that_docker_has_given_a_registry() {
    let (home, server) = (Home::new(), basic_registry());
    let host = host(&server);
    let auth = json!({"auth": AUTH});
    let padded = json!({"auth": "bWU6aHVudGVyMgAA"});
    for (auths, status) in [
        (json!({&host: auth}), 8),
        (json!({&host: {"username": "me", "password": "hunter2"}}), 8),
        (json!({&host: padded}), 8),
        (json!({format!("https://{host}"): auth}), 8),
        (json!({format!("http://{host}/v1/"): auth}), 8),
        (json!({format!("https://{host}/v2/"): {}, format!("http://{host}"): auth}), 8),
        (json!({format!("https://other.example/{host}"): auth}), 7),
        (json!({format!("{host}/team"): auth}), 7),
        (json!({&host: {}}), 7),
        (json!({&host: {"auth": ""}}), 7),
    ] {
        home.configure(&json!({"auths": auths}));
        let told = home.list(&server).finish();
        assert_eq!(told.status, Some(status), "{auths}: {}", told.stderr);
        assert!(!told.stderr.contains("warning: no"), "{auths}: {}", told.stderr);
    }
    fs::remove_file(home.config()).unwrap();
    let config = json!({"auths": {&host: auth}}).to_string();
    home.list(&server).env("DOCKER_AUTH_CONFIG", &config).finish().expect_status(8);
    for (variable, file, value) in [
        ("DOCKER_CONFIG", "d/config.json", "d"),
        ("REGISTRY_AUTH_FILE", "podman.json", "podman.json"),
        ("XDG_RUNTIME_DIR", "run/containers/auth.json", "run"),
        ("XDG_CONFIG_HOME", "config/containers/auth.json", "config"),
    ] {
        let path = home.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &config).unwrap();
        home.list(&server).env(variable, home.path(value)).finish().expect_status(8);
        fs::remove_file(path).unwrap();
    }
    home.list(&server).finish().expect_status(7);
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
fn a_helper_that_fails_is_told_and_what_the_file_holds_is_taken() {
    let (home, server) = (Home::new(), basic_registry());
    let host = host(&server);
    home.add_helper("broken", "#!/bin/sh\necho 'the keychain is locked'\nexit 1\n");
    home.add_helper("liar", "#!/bin/sh\necho '{\"Username\":\"me\",\"Secret\":[\"hunter2\"]}'\n");
    for (helper, reason) in [
        ("broken", "docker-credential-broken get failed: exit status: 1"),
        ("liar", "docker-credential-liar get printed something else"),
        ("gone", "docker-credential-gone cannot be started: "),
    ] {
        home.configure(&json!({"credsStore": helper, "auths": {&host: {"auth": AUTH}}}));
        let told = without_secret(home.list(&server).finish().expect_status(8));
        assert!(told.stderr.contains(reason), "{}", told.stderr);
        home.configure(&json!({"credHelpers": {&host: helper}}));
        home.list(&server).finish().expect_status(7);
        // One without a name says that the file keeps the password.
        home.configure(&json!({"credsStore": helper, "credHelpers": {&host: ""}, "auths": {&host: {"auth": AUTH}}}));
        let told = home.list(&server).finish().expect_status(8);
        assert!(!told.stderr.contains("docker-credential"), "{}", told.stderr);
    }
    home.configure(&json!({"credsStore": "gone"}));
    home.login(&server, &[]).finish().expect_status(5);
    home.configure(&json!({"credsStore": "broken"}));
    let told = without_secret(home.login(&server, &[]).finish().expect_status(1));
    assert!(told.stderr.contains("docker-credential-broken store failed: the keychain is locked"));
    assert_eq!(home.configured(), json!({"credsStore": "broken"}));
    home.run(&["logout", &host]).finish().expect_status(1);
    // One that repeats what it was given.
    home.add_helper("echo", "#!/bin/sh\necho \"cannot store $(tr -d '{}\"')\"\nexit 1\n");
    home.configure(&json!({"credsStore": "echo"}));
    without_secret(home.login(&server, &[]).finish().expect_status(1));
}

#[test]
fn docker_hub_is_known_by_dockers_name_for_it() {
    let home = Home::new();
    let index = "https://index.docker.io/v1/";
    home.configure(
        &json!({"credHelpers": {index: "kept"}, "auths": {"docker.io": {}, index: {}, "x": {}}}),
    );
    let entry = json!({"ServerURL": index, "Username": "me", "Secret": "hunter2"}).to_string();
    fs::write(home.path("kept/entry-https:__index.docker.io_v1_"), entry).unwrap();
    home.run(&["logout", "docker.io"]).finish().expect_status(0);
    assert_eq!(home.configured()["auths"], json!({"x": {}}));
    assert_eq!(home.kept("https:__index.docker.io_v1_"), None);
}

/// A registry and its token service, which gives `t1`, `t2` and so on to whoever `knows`.
fn bearer_registry(
    knows: impl Fn(&Request) -> bool + Send + Sync + 'static,
    takes: impl Fn(&str, usize) -> bool + Send + Sync + 'static,
) -> FakeHttp {
    let tokens = AtomicUsize::new(0);
    FakeHttp::start(move |request| {
        if request.target.starts_with("/token") {
            if !knows(request) {
                return Answer::new(
                    401,
                    r#"{"errors":[{"code":"UNAUTHORIZED","message":"who?"}]}"#,
                );
            }
            let number = 1 + tokens.fetch_add(1, Ordering::Relaxed);
            return Answer::new(200, json!({"access_token": format!("t{number}")}).to_string());
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        match token {
            Some(token) if takes(token, request.number) && request.target == "/v2/" => {
                Answer::new(200, "{}")
            }
            Some(token) if takes(token, request.number) => Answer::new(404, ""),
            _ => {
                let realm = format!("Bearer realm=\"{}/token\",service=\"s\"", request.url());
                challenge(&realm)
            }
        }
    })
}

fn token_requests(server: &FakeHttp) -> Vec<Request> {
    let requests = server.requests().into_iter();
    requests.filter(|request| request.target.starts_with("/token")).collect()
}

#[test]
fn a_login_takes_a_token_for_nothing_in_particular() {
    let home = Home::new();
    let basic = |request: &Request| request.header("authorization") == Some(BASIC);
    let server = bearer_registry(basic, |_, _| true);
    home.login(&server, &["--plain-text"]).finish().expect_status(0);
    let asked = token_requests(&server);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].target, "/token?service=s&account=me");
    let words = ["login", &host(&server), "--insecure-registry", "-u", "me", "--password-stdin"];
    let wrong = home.run(&words).arg("--plain-text").stdin("hunter3").finish().expect_status(7);
    assert!(wrong.stderr.contains("who?") && !wrong.stderr.contains("hunter3"), "{wrong:?}");
    assert_eq!(home.configured()["auths"][host(&server)]["auth"], AUTH);
}

#[test]
fn a_token_that_expires_is_fetched_again_once_and_then_told() {
    let home = Home::new();
    let any = |_: &Request| true;
    let layout = crate::support::layout::Layout::new(b"any");
    let reference = |server: &FakeHttp| format!("{}/team/app@{}", host(server), layout.digest());
    let blob = layout.digest().replace(':', "/");
    let manifest = fs::read(layout.path().join("blobs").join(blob)).unwrap();
    let expiring = FakeHttp::start(move |request| {
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let realm = format!("Bearer realm=\"{}/token\",service=\"s\"", request.url());
        if request.target.starts_with("/token") {
            return Answer::new(200, json!({"token": format!("t{}", request.number)}).to_string());
        }
        match request.header("authorization") {
            None => challenge(&realm),
            // The first token, of request 1, is taken once.
            Some("Bearer t1") if request.number > 2 => challenge(&realm),
            _ if request.target.contains("/manifests/sha256:") => {
                Answer::new(200, manifest.clone()).header("Content-Type", media_type)
            }
            _ => Answer::new(404, ""),
        }
    });
    let list =
        |server: &FakeHttp| home.run(&["list", &reference(server), "--insecure-registry"]).finish();
    list(&expiring).expect_status(0);
    assert_eq!(token_requests(&expiring).len(), 2, "{:?}", expiring.targets());

    let never = bearer_registry(any, |_, _| false);
    let told = list(&never).expect_status(7);
    assert!(told.stderr.contains("was denied"), "{}", told.stderr);
    // Once for each of the two ways to ask for a manifest.
    assert_eq!(token_requests(&never).len(), 2, "{:?}", never.targets());
}

#[test]
fn an_identity_token_is_traded_for_tokens() {
    let home = Home::new();
    let trades = |request: &Request| {
        request.method == "POST"
            && request.header("authorization").is_none()
            && request.body.contains("grant_type=refresh_token")
            && request.body.contains("&refresh_token=hunter2")
    };
    let server = bearer_registry(trades, |_, _| true);
    home.list(&server).finish().expect_status(7);
    home.configure(
        &json!({"auths": {host(&server): {"identitytoken": "hunter2", "auth": "eDo="}}}),
    );
    home.list(&server).finish().expect_status(8);
    let entry = json!({"ServerURL": host(&server), "Username": "<token>", "Secret": "hunter2"});
    fs::write(home.path("kept").join(format!("entry-{}", host(&server))), entry.to_string())
        .unwrap();
    home.configure(&json!({"credHelpers": {host(&server): "kept"}}));
    home.list(&server).finish().expect_status(8);
    let asked = token_requests(&server).pop().unwrap();
    assert!(
        asked.body.contains("service=s&scope=repository%3Ateam%2Fapp%3Apull&"),
        "{}",
        asked.body
    );
    fs::remove_file(home.config()).unwrap();
    home.list(&server).env("NOTATION_PASSWORD", "hunter2").finish().expect_status(8);
    // A login without a user is one, and is kept as docker keeps it.
    let words = ["login", &host(&server), "--insecure-registry", "--plain-text"];
    let login = home.run(&words).env("NOTATION_PASSWORD", "hunter2").finish().expect_status(0);
    assert!(login.stdout.starts_with(&format!("logged in to {}; ", host(&server))), "{login:?}");
    let entry = json!({host(&server): {"identitytoken": "hunter2"}});
    assert_eq!(home.configured()["auths"], entry);
    let asked = token_requests(&server).pop().unwrap();
    assert!(!asked.body.contains("scope"), "{}", asked.body);
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
