//! Whom credentials are sent to, as what, and how often.

use std::{
    fs,
    io::Read as _,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::json;

use super::{AUTH, BASIC, Home, authorizations, basic_registry, challenge, host, without_secret};
use crate::support::{
    fake_http::{Answer, FakeHttp, Request},
    layout::Layout,
};

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
    let layout = Layout::new(b"any");
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
