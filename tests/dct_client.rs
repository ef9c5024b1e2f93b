//! The client for notary servers, against servers that do what servers do, and what they should not.

use std::{
    env,
    error::Error,
    fs, iter,
    net::TcpStream,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use notation_sdk::{
    algorithm::KeySpec,
    dct::client::{Client, ClientError, ClientErrorKind, ClientOptions, Credential},
};
use zeroize::Zeroizing;

use crate::support::{
    command::Run,
    fake_http::{Answer, FakeHttp, Request},
    openssl::Openssl,
    server::Server,
};

const GUN: &str = "docker.io/library/alpine";
const ROOT: &str = "/v2/docker.io/library/alpine/_trust/tuf/root.json";
/// Of those who wait for what does not come. All others have more time than a busy machine needs.
const SHORT: Duration = Duration::from_millis(300);
const LIMIT: usize = 1000;
const SECRET: &str = "hunter2+/hunter2";
/// `me:` and [`SECRET`].
const BASIC: &str = "Basic bWU6aHVudGVyMisvaHVudGVyMg==";

fn client(server: &FakeHttp) -> Client {
    Client::new(ClientOptions::new(server.url())).unwrap()
}

fn impatient(server: &FakeHttp) -> Client {
    let mut options = ClientOptions::new(server.url());
    options.timeout = SHORT;
    Client::new(options).unwrap()
}

fn client_of(server: &FakeHttp, credential: Credential) -> Client {
    let mut options = ClientOptions::new(server.url());
    options.credential = Some(credential);
    Client::new(options).unwrap()
}

fn user() -> Credential {
    Credential::Basic { username: "me".to_owned(), password: Zeroizing::new(SECRET.to_owned()) }
}

fn identity_token() -> Credential {
    Credential::IdentityToken(Zeroizing::new(SECRET.to_owned()))
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn fetch(client: &Client) -> Result<Option<Vec<u8>>, ClientError> {
    wait(client.fetch(GUN, "root.json", LIMIT))
}

/// Its kind, and its text with those of its causes, which hold no secret.
#[track_caller]
fn told<T>(result: Result<T, ClientError>) -> (ClientErrorKind, String) {
    let Err(error) = result else { panic!("no error") };
    let mut text = error.to_string();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        text.push_str(&format!(": {cause}"));
    }
    assert!(!text.contains("hunter2") && !text.contains("t0ken"), "{text}");
    (error.kind(), text)
}

fn denied(text: String) -> (ClientErrorKind, String) {
    (ClientErrorKind::Denied, text)
}

fn unavailable(text: String) -> (ClientErrorKind, String) {
    (ClientErrorKind::Unavailable, text)
}

fn other(text: String) -> (ClientErrorKind, String) {
    (ClientErrorKind::Other, text)
}

fn challenge(scheme_and_parameters: &str) -> Answer {
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    Answer::new(401, body).header("WWW-Authenticate", scheme_and_parameters)
}

/// A notary server that is its own token service, at `/token`, and gives a new token for each request.
fn with_tokens(request: &Request) -> Answer {
    if request.target.starts_with("/token") {
        return Answer::new(200, format!(r#"{{"token":"t0ken-{}"}}"#, request.number));
    }
    match request.header("authorization") {
        Some(value) if value.starts_with("Bearer t0ken-") => Answer::new(200, "file"),
        _ => challenge(&format!(r#"Bearer realm="{}/token",service="notary""#, request.url())),
    }
}

#[test]
fn a_file_comes_with_the_bytes_that_were_served() {
    let bytes: Vec<u8> = (0..=255).collect();
    let served = bytes.clone();
    let server = FakeHttp::start(move |request| match request.target.as_str() {
        "/notary/v2/a:5000/b%20c/_trust/tuf/targets/re%3Fleases.json" => {
            Answer::new(200, served.clone()).header("Content-Encoding", "gzip")
        }
        _ => Answer::new(404, "{}"),
    });
    let client = Client::new(ClientOptions::new(format!("{}/notary/", server.url()))).unwrap();
    let file = wait(client.fetch("a:5000/b c", "targets/re?leases.json", 256)).unwrap();
    assert_eq!(file, Some(bytes));
    assert_eq!(wait(client.fetch("a:5000/b c", "root.json", 256)).unwrap(), None);
    let asked = server.requests();
    assert_eq!(asked[0].method, "GET");
    assert_eq!(asked[0].header("accept-encoding"), None);
    assert_eq!(asked[0].header("authorization"), None);
    assert!(asked[0].header("user-agent").unwrap().starts_with("notation-sdk/"));
    assert_eq!(asked[1].target, "/notary/v2/a:5000/b%20c/_trust/tuf/root.json");
    assert_eq!(
        told(wait(client.fetch("a/../b", "root.json", 256))),
        other(
            "name \"a/../b\" cannot be asked for: it must have 1 to 255 bytes without control characters, \
             and no part of it may be empty, \".\" or \"..\""
                .to_owned()
        )
    );
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_token_is_fetched_once_a_scope() {
    let server = FakeHttp::start(with_tokens);
    let client = client_of(&server, user());
    wait(async {
        for gun in ["a/b", "a/b", "c", "a/b"] {
            assert_eq!(client.fetch(gun, "root.json", LIMIT).await.unwrap().unwrap(), b"file");
        }
    });
    let asked: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| (request.target.clone(), request.header("authorization").map(str::to_owned)))
        .collect();
    let file = |gun: &str, token: Option<&str>| {
        (format!("/v2/{gun}/_trust/tuf/root.json"), token.map(|token| format!("Bearer {token}")))
    };
    let token = |gun: &str| {
        let scope = format!("/token?service=notary&scope=repository%3A{gun}%3Apull&account=me");
        (scope, Some(BASIC.to_owned()))
    };
    assert_eq!(
        asked,
        [
            file("a/b", None),
            token("a%2Fb"),
            file("a/b", Some("t0ken-1")),
            file("a/b", Some("t0ken-1")),
            file("c", None),
            token("c"),
            file("c", Some("t0ken-5")),
            file("a/b", Some("t0ken-1")),
        ]
    );
}

#[test]
fn requests_at_the_same_time_share_a_token_and_the_next_one() {
    let runs_out = Arc::new(AtomicBool::new(false));
    let has_run_out = Arc::clone(&runs_out);
    let first = Mutex::new(None);
    let server = FakeHttp::start(move |request| {
        let token = request.header("authorization").map(ToOwned::to_owned);
        let mut first = first.lock().unwrap();
        *first = first.take().or_else(|| token.clone());
        if token.is_some() && token == *first && has_run_out.load(Ordering::Relaxed) {
            return challenge(&format!(r#"Bearer realm="{}/token""#, request.url()));
        }
        with_tokens(request)
    });
    let client = client(&server);
    wait(async {
        for fetched in [1, 2] {
            let fetch = |client: Client| async move { client.fetch(GUN, "root.json", LIMIT).await };
            let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(fetch(client.clone()))).collect();
            for task in tasks {
                assert_eq!(task.await.unwrap().unwrap().unwrap(), b"file");
            }
            let targets = server.targets().into_iter();
            assert_eq!(targets.filter(|target| target.starts_with("/token")).count(), fetched);
            runs_out.store(true, Ordering::Relaxed);
        }
    });
}

#[test]
fn a_token_that_ran_out_is_renewed() {
    let server = FakeHttp::start(|request| match request.header("authorization") {
        Some("Bearer t0ken-1") if request.number > 2 => challenge(&format!(
            r#"Basic realm="x", Bearer realm="{}/token",service="notary""#,
            request.url()
        )),
        _ => with_tokens(request),
    });
    let client = client(&server);
    wait(async {
        for _ in 0..2 {
            assert!(client.fetch(GUN, "root.json", LIMIT).await.unwrap().is_some());
        }
    });
    let asked = server.requests();
    assert_eq!(asked.len(), 6);
    assert_eq!(asked[5].header("authorization"), Some("Bearer t0ken-4"));
}

#[test]
fn an_anonymous_token_is_asked_for_with_the_scope_of_the_challenge() {
    let server = FakeHttp::start(|request| match request.target.split('?').next() {
        Some("/token") => Answer::new(200, r#"{"access_token":"t0ken","expires_in":60}"#),
        _ if request.header("authorization") == Some("Bearer t0ken") => Answer::new(200, "file"),
        _ => challenge(&format!(
            r#"bearer scope="repository:x:pull y",REALM={}/token"#,
            request.url()
        )),
    });
    assert_eq!(fetch(&client(&server)).unwrap().unwrap(), b"file");
    let asked = server.requests();
    assert_eq!(asked[1].target, "/token?scope=repository%3Ax%3Apull&scope=y");
    assert_eq!(asked[1].header("authorization"), None);
}

#[test]
fn an_identity_token_is_posted_to_the_token_service_only() {
    let server = FakeHttp::start(with_tokens);
    assert_eq!(fetch(&client_of(&server, identity_token())).unwrap().unwrap(), b"file");
    let asked = server.requests();
    assert_eq!((asked[1].method.as_str(), asked[1].target.as_str()), ("POST", "/token"));
    assert_eq!(asked[1].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(
        asked[1].body,
        "grant_type=refresh_token&service=notary&scope=repository%3Adocker.io%2Flibrary%2Falpine%3Apull\
         &client_id=notation-sdk&refresh_token=hunter2%2B%2Fhunter2"
    );
    assert_eq!(asked[2].header("authorization"), Some("Bearer t0ken-1"));
    assert!(asked[0].body.is_empty() && asked[2].body.is_empty());
}

#[test]
fn basic_authentication_is_answered_by_a_user_with_a_password() {
    let server = FakeHttp::start(|request| match request.header("authorization") {
        Some(BASIC) => Answer::new(200, "file"),
        _ => challenge(r#"Basic realm="notary""#),
    });
    let url = format!("{}{ROOT}", server.url());
    let client = client_of(&server, user());
    assert_eq!(fetch(&client).unwrap().unwrap(), b"file");
    assert_eq!(fetch(&client).unwrap().unwrap(), b"file");
    // What is not asked for is not sent; what was asked for once is.
    let sent =
        server.requests().into_iter().map(|request| request.header("authorization").is_some());
    assert_eq!(sent.collect::<Vec<_>>(), [false, true, true]);
    for (client, with) in [
        (self::client(&server), "without a credential"),
        (client_of(&server, identity_token()), "without asking for the credential that was given"),
    ] {
        let reason = "HTTP status 401: UNAUTHORIZED: authentication required";
        assert_eq!(
            told(fetch(&client)),
            denied(format!("access to {url} was denied {with}: {reason}"))
        );
    }
}

#[test]
fn a_refusal_is_told_as_one() {
    let server = FakeHttp::start(|request| match request.target.split('/').nth(2).unwrap_or("") {
        "forbidden" => Answer::new(403, r#"{"errors":[{"code":"DENIED","message":"not yours"}]}"#),
        "silent" => Answer::new(401, ""),
        "strange" => challenge("Negotiate YWJj"),
        "bearer" => challenge(&format!(r#"Bearer realm="{}/token?a""#, request.url())),
        _ => Answer::new(200, r#"{"token":"t0ken"}"#),
    });
    let client = client_of(&server, user());
    for (gun, with, reason, requests) in [
        ("forbidden", "without asking for", "403: DENIED: not yours", 1),
        ("silent", "without asking for", "401: no reason given", 1),
        ("strange", "without asking for", "401: UNAUTHORIZED: authentication required", 1),
        // The request, the token, and the request again.
        ("bearer", "with", "401: UNAUTHORIZED: authentication required", 3),
    ] {
        let before = server.requests().len();
        assert_eq!(
            told(wait(client.fetch(gun, "root.json", LIMIT))),
            denied(format!(
                "access to {}/v2/{gun}/_trust/tuf/root.json was denied {with} the credential that was given: \
                 HTTP status {reason}",
                server.url()
            ))
        );
        assert_eq!(server.requests().len() - before, requests, "{gun}");
    }
}

#[test]
fn a_token_service_that_gives_no_token_is_named() {
    type Kind = fn(String) -> (ClientErrorKind, String);
    let answers: [(Answer, Kind, &str); 7] = [
        (
            Answer::new(401, r#"{"details":"incorrect username or password"}"#),
            denied,
            "access to URL was denied with the credential that was given: HTTP status 401: \
             {\"details\":\"incorrect username or password\"}",
        ),
        (
            Answer::new(403, ""),
            denied,
            "access to URL was denied with the credential that was given: HTTP status 403: no reason given",
        ),
        (
            Answer::new(400, r#"{"error":"invalid_grant"}"#),
            denied,
            "access to URL was denied with the credential that was given: HTTP status 400: \
             {\"error\":\"invalid_grant\"}",
        ),
        (Answer::new(404, "gone"), other, "URL answered with HTTP status 404: gone"),
        (Answer::new(200, r#""hunter2""#), other, "URL answered with no token"),
        (Answer::new(200, r#"{"token":"a\nb"}"#), other, "URL answered with no token"),
        (Answer::new(200, "x").of_length(65_537), other, "URL is over the limit of 65536 bytes"),
    ];
    for (answer, kind, expected) in answers {
        let server = FakeHttp::start(move |request| match request.target.contains("_trust") {
            false => answer.clone(),
            true => challenge(&format!(r#"Bearer realm="{}/token?key=hunter2""#, request.url())),
        });
        let url = format!("{}/token", server.url());
        for credential in [user(), identity_token()] {
            let expected = kind(expected.replace("URL", &url));
            assert_eq!(told(fetch(&client_of(&server, credential))), expected);
        }
        assert_eq!(server.requests().len(), 4);
    }
}

#[test]
fn credentials_are_not_sent_to_a_realm_without_tls() {
    for realm in ["http://notary.example/token", "https://me:hunter2@localhost/", "token", ""] {
        let server = FakeHttp::start(move |_| challenge(&format!(r#"Bearer realm="{realm}""#)));
        assert_eq!(
            told(fetch(&client_of(&server, user()))),
            other(format!(
                "{}{ROOT} answered with a challenge whose realm is not https://, or http:// and a loopback \
                 host",
                server.url()
            ))
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_busy_server_is_asked_again() {
    for answer in [
        Answer::new(429, ""),
        Answer::new(502, ""),
        Answer::new(503, ""),
        Answer::new(504, ""),
        Answer::hang_up(),
        Answer::new(200, "fil").of_length(4),
    ] {
        let server = FakeHttp::start(move |request| match request.number {
            0 => answer.clone(),
            _ => Answer::new(200, "file"),
        });
        assert_eq!(fetch(&client(&server)).unwrap().unwrap(), b"file");
        assert_eq!(server.requests().len(), 2);
    }
    let server = FakeHttp::start(|request| match request.number {
        0 => Answer::silence(),
        _ => Answer::new(200, "file"),
    });
    assert_eq!(fetch(&impatient(&server)).unwrap().unwrap(), b"file");
}

#[test]
fn a_busy_server_is_given_the_time_that_it_asks_for() {
    let server = FakeHttp::start(|request| match request.number {
        0 => Answer::new(429, "").header("Retry-After", "1"),
        _ => Answer::new(200, "file"),
    });
    let start = Instant::now();
    assert_eq!(fetch(&client(&server)).unwrap().unwrap(), b"file");
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn a_server_that_stays_busy_is_told_with_its_words() {
    let server = FakeHttp::start(|_| {
        let long = "x".repeat(2000);
        Answer::new(503, format!("\u{1b}[31m{long}"))
    });
    let (kind, text) = told(fetch(&client(&server)));
    assert_eq!(kind, ClientErrorKind::Unavailable);
    assert_eq!(
        text,
        format!(
            "{}{ROOT} is unavailable after 5 tries: HTTP status 503: \\u{{1b}}[31m{}",
            server.url(),
            "x".repeat(1024 - r"\u{1b}[31m".len())
        )
    );
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn other_statuses_are_told_at_once() {
    for (answer, expected) in [
        (
            Answer::new(500, r#"{"errors":[{"code":"UNKNOWN","message":"database"}]}"#),
            "500: UNKNOWN: database",
        ),
        (Answer::new(204, ""), "204: no reason given"),
        (Answer::new(206, "fi"), "206: fi"),
        (Answer::new(304, "").header("Location", "/x"), "304: no reason given"),
        (Answer::new(302, "nowhere"), "302: nowhere"),
        (Answer::new(400, "bad").of_length(4), "400: bad"),
        (Answer::new(400, "bad").of_length(4).and_hangs(), "400: bad"),
    ] {
        let server = FakeHttp::start(move |_| answer.clone());
        assert_eq!(
            told(fetch(&impatient(&server))),
            other(format!("{}{ROOT} answered with HTTP status {expected}", server.url()))
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn secrets_that_a_server_shows_are_not_repeated() {
    let server = FakeHttp::start(|request| {
        let sent = request.header("authorization").unwrap_or("nothing").to_owned();
        match request.target.split('?').next() {
            Some("/token") => Answer::new(200, r#"{"token":"t0ken"}"#),
            _ if sent == "nothing" => {
                challenge(&format!(r#"Bearer realm="{}/token""#, request.url()))
            }
            _ => Answer::new(500, format!("{sent} for {SECRET} is wrong")),
        }
    });
    assert_eq!(
        told(fetch(&client_of(&server, user()))),
        other(format!(
            "{}{ROOT} answered with HTTP status 500: Bearer … for … is wrong",
            server.url()
        ))
    );
}

#[test]
fn a_file_is_read_up_to_its_limit() {
    let pause = Duration::from_millis(1);
    for (answer, is_whole) in [
        (Answer::new(200, "x".repeat(LIMIT)), true),
        (Answer::new(200, "x".repeat(LIMIT + 1)), false),
        // Where the length is told, nothing is waited for.
        (Answer::new(200, "x").of_length(LIMIT + 1).and_hangs(), false),
        (Answer::new(200, "x".repeat(LIMIT)).without_end(pause), false),
    ] {
        let server = FakeHttp::start(move |_| answer.clone());
        match fetch(&client(&server)) {
            Ok(file) => assert!(is_whole && file == Some(vec![b'x'; LIMIT])),
            error => {
                let text = format!("{}{ROOT} is over the limit of 1000 bytes", server.url());
                assert!(!is_whole);
                assert_eq!(told(error), other(text));
            }
        }
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_connection_that_breaks_each_time_is_told() {
    for (answer, cause) in [
        (Answer::new(200, "fil").of_length(4), "end of file before message length reached"),
        (Answer::hang_up(), "connection closed before message completed"),
    ] {
        let server = FakeHttp::start(move |_| answer.clone());
        let (kind, text) = told(fetch(&client(&server)));
        assert_eq!(kind, ClientErrorKind::Unavailable);
        let url = format!("{}{ROOT}", server.url());
        assert!(text.starts_with(&format!("{url} gave no whole answer in 5 tries: ")), "{text}");
        assert!(text.ends_with(cause), "{text}");
        assert_eq!(server.requests().len(), 5);
    }
}

#[test]
fn a_server_that_is_not_there_is_told() {
    // Nothing listens on the port of a server that has ended.
    let url = FakeHttp::start(|_| Answer::hang_up()).url();
    let (kind, text) = told(fetch(&Client::new(ClientOptions::new(&url)).unwrap()));
    assert_eq!(kind, ClientErrorKind::Unavailable);
    assert!(text.starts_with(&format!("{url}{ROOT} could not be reached in 5 tries: ")), "{text}");
    assert!(text.contains("Connection refused"), "{text}");
}

#[test]
fn a_server_that_hangs_is_waited_for_twice() {
    for answer in [Answer::silence(), Answer::new(200, "fil").of_length(4).and_hangs()] {
        let server = FakeHttp::start(move |_| answer.clone());
        let start = Instant::now();
        assert_eq!(
            told(fetch(&impatient(&server))),
            unavailable(format!("no byte came from {}{ROOT} within 0.3 s", server.url()))
        );
        assert!(start.elapsed() >= 2 * SHORT, "{:?}", start.elapsed());
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn an_answer_that_drips_ends() {
    let server = FakeHttp::start(|_| Answer::new(200, "x").without_end(Duration::from_millis(10)));
    let mut options = ClientOptions::new(server.url());
    options.timeout = Duration::from_millis(50);
    assert_eq!(
        told(fetch(&Client::new(options).unwrap())),
        unavailable(format!("the answer of {}{ROOT} did not end within 0.2 s", server.url()))
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn redirects_within_a_server_are_followed_as_the_same_user() {
    let server = FakeHttp::start(|request| match request.target.as_str() {
        ROOT => Answer::to("../../../../../moved?sig=1"),
        "/v2/moved?sig=1" => match request.header("authorization") {
            Some(BASIC) => Answer::new(200, "file"),
            _ => challenge("Basic"),
        },
        other => Answer::new(404, other),
    });
    assert_eq!(fetch(&client_of(&server, user())).unwrap().unwrap(), b"file");
    assert_eq!(server.targets(), [ROOT, "/v2/moved?sig=1"].repeat(2));
}

#[test]
fn no_credential_goes_to_another_host() {
    for scheme in ["Bearer", "Basic"] {
        // A host that would like to have one, and asks for it as the server does.
        let thief = FakeHttp::start(move |request| {
            let url = request.url();
            match request.target.as_str() {
                "/free" => Answer::new(200, "file"),
                _ => challenge(&format!(r#"{scheme} realm="{url}/token",service="thief""#)),
            }
        });
        let away = thief.url();
        let server = FakeHttp::start(move |request| match request.header("authorization") {
            None if request.target.starts_with("/token") => {
                Answer::new(200, r#"{"token":"t0ken"}"#)
            }
            None if request.target.starts_with("/back") => Answer::new(200, "nobody"),
            None => challenge(&format!(r#"{scheme} realm="{}/token""#, request.url())),
            Some(_) if request.target.starts_with("/token") => {
                Answer::new(200, r#"{"token":"t0ken"}"#)
            }
            Some(_) if request.target.ends_with("/locked.json") => {
                Answer::to(&format!("{away}/locked"))
            }
            Some(_) => Answer::to(&format!("{away}/free")),
        });
        let client = client_of(&server, user());
        assert_eq!(fetch(&client).unwrap().unwrap(), b"file");
        assert_eq!(
            told(wait(client.fetch(GUN, "locked.json", LIMIT))),
            denied(format!(
                "access to {}/locked was denied without asking for the credential that was given: HTTP status 401: \
                 UNAUTHORIZED: authentication required",
                thief.url()
            ))
        );
        let stolen = thief.requests();
        assert_eq!(thief.targets(), ["/free", "/locked"]);
        assert!(stolen.iter().all(|request| request.header("authorization").is_none()));
        let used = server.requests();
        assert!(
            used.iter().filter(|request| request.header("authorization").is_some()).count() >= 2
        );
    }
}

#[test]
fn a_host_between_does_not_send_the_user_back_with_a_credential() {
    let between = FakeHttp::start(|request| {
        let home = request.target.split_once('?').unwrap().1;
        Answer::to(&format!("{home}/v2/secret"))
    });
    let away = between.url();
    let server = FakeHttp::start(move |request| match request.header("authorization") {
        _ if request.target == "/v2/secret" => Answer::new(200, "nobody"),
        None => challenge("Basic"),
        Some(_) => Answer::to(&format!("{away}/?{}", request.url())),
    });
    assert_eq!(fetch(&client_of(&server, user())).unwrap().unwrap(), b"nobody");
    let asked = server.requests();
    assert_eq!(asked[2].target, "/v2/secret");
    assert_eq!(asked[2].header("authorization"), None);
    assert_eq!(between.requests()[0].header("authorization"), None);
}

#[test]
fn a_token_service_cannot_pass_credentials_on() {
    let thief = FakeHttp::start(|_| Answer::new(200, r#"{"token":"t0ken"}"#));
    let away = format!("{}/token", thief.url());
    let server = FakeHttp::start(move |request| match request.target.starts_with("/token") {
        true => Answer::to(&away),
        false if request.header("authorization").is_some() => Answer::new(200, "file"),
        false => challenge(&format!(r#"Bearer realm="{}/token""#, request.url())),
    });
    assert_eq!(fetch(&client_of(&server, user())).unwrap().unwrap(), b"file");
    assert_eq!(thief.requests()[0].header("authorization"), None);
    // A form is not posted again at all.
    assert_eq!(
        told(fetch(&client_of(&server, identity_token()))),
        other(format!("{}/token answered with HTTP status 302: no reason given", server.url()))
    );
    assert_eq!(thief.requests().len(), 1);
}

#[test]
fn redirects_that_lead_astray_are_not_followed() {
    for (location, to, reason) in [
        (
            "http://notary.example/x?sig=hunter2",
            "http://notary.example/x",
            "is not https://, or has a user",
        ),
        ("https://me:hunter2@localhost/x", "https://localhost/x", "is not https://, or has a user"),
        ("file:///etc/passwd", "file:///etc/passwd", "is not https://, or has a user"),
        ("http://[", "", "is no URL"),
    ] {
        let server = FakeHttp::start(move |_| Answer::to(location));
        assert_eq!(
            told(fetch(&client(&server))),
            other(format!("{}{ROOT} redirects to {to:?}, which {reason}", server.url()))
        );
    }
    let server = FakeHttp::start(|request| Answer::to(&format!("/{}", request.number)));
    assert_eq!(
        told(fetch(&client(&server))),
        other(format!("{}{ROOT} is redirected over the limit of 5 times", server.url()))
    );
    assert_eq!(server.targets(), [ROOT, "/0", "/1", "/2", "/3", "/4"]);
}

fn changes(ids: impl Iterator<Item = u32>) -> String {
    let records = ids.map(|id| {
        format!(
            r#"{{"ID":"{id}","CreatedAt":"2020-01-01T00:00:00Z","GUN":"docker.io/a/{}","Version":1,"SHA256":"","Category":"update"}}"#,
            id % 7
        )
    });
    format!(r#"{{"count":0,"records":[{}]}}"#, records.collect::<Vec<_>>().join(","))
}

#[test]
fn a_changefeed_is_read_to_its_short_page() {
    let server = FakeHttp::start(|request| {
        if request.header("authorization").is_none() || request.target.starts_with("/token") {
            return with_tokens(request);
        }
        Answer::new(
            200,
            match request.number {
                2 => changes(1..=100),
                3 => changes(101..=200),
                _ => r#"{"count":0,"records":null}"#.to_owned(),
            },
        )
    });
    let names = wait(client(&server).changefeed()).unwrap();
    let expected = [1, 2, 3, 4, 5, 6, 0].map(|n| format!("docker.io/a/{n}"));
    assert_eq!(names, expected);
    let page = |id: u32| format!("/v2/_trust/changefeed?change_id={id}&records=100");
    assert_eq!(
        server.targets(),
        [
            page(0),
            "/token?service=notary&scope=registry%3Acatalog%3A*".to_owned(),
            page(0),
            page(100),
            page(200)
        ]
    );
}

#[test]
fn a_changefeed_that_is_none_is_refused() {
    let no_list = "answered with what is no JSON of a changefeed at line 1, column ";
    for (answer, expected) in [
        (
            Answer::new(404, "404 page not found"),
            "answered with HTTP status 404: 404 page not found",
        ),
        (
            Answer::new(200, changes((1..=99).chain([0]))),
            "answered with a page that it gave before",
        ),
        (Answer::new(200, "<html>"), no_list),
        (Answer::new(200, r#"{"records":[{"ID":true,"GUN":"a"}]}"#), no_list),
        (Answer::new(200, "x").of_length(1_048_577), "is over the limit of 1048576 bytes"),
    ] {
        let server = FakeHttp::start(move |_| answer.clone());
        let (kind, text) = told(wait(client(&server).changefeed()));
        assert_eq!(kind, ClientErrorKind::Other);
        let expected = format!("{}/v2/_trust/changefeed {expected}", server.url());
        assert!(text.starts_with(&expected), "{text}");
    }
    let server = FakeHttp::start(|_| Answer::new(200, r#"{"records":[{"ID":1,"GUN":"a/../b"}]}"#));
    // One name that cannot be asked for does not take the others away: the caller tells.
    assert_eq!(wait(client(&server).changefeed()).unwrap(), ["a/../b"]);
}

#[test]
fn a_catalog_is_followed_to_its_last_page() {
    let server = FakeHttp::start(|request| match request.target.as_str() {
        "/v2/_catalog?n=1000" => Answer::new(200, r#"{"repositories":["a","b/c"]}"#)
            .header("Link", r#"</help>; rel="help", </v2/_catalog?last=b%2Fc&n=1000>; rel="next""#),
        "/v2/_catalog?last=b%2Fc&n=1000" => Answer::new(200, r#"{"repositories":["b/c","d"]}"#)
            .header("Link", &format!("<{}/v2/_catalog?last=d>;rel=next", request.url())),
        _ => Answer::new(200, r#"{"repositories":null}"#),
    });
    assert_eq!(wait(client(&server).catalog()).unwrap(), ["a", "b/c", "d"]);
    assert_eq!(server.targets().len(), 3);
}

#[test]
fn a_catalog_that_leads_astray_is_not_followed() {
    let elsewhere = "answered with a next page elsewhere, https://registry.example/v2/_catalog";
    for (link, expected, requests) in [
        ("https://registry.example/v2/_catalog?x=hunter2", elsewhere, 1),
        ("http://[", "answered with a next page that is no URL", 1),
        ("/v2/_catalog?n=1000", "answered with a page that it gave before", 2),
    ] {
        let server = FakeHttp::start(move |_| {
            Answer::new(200, "{}").header("Link", &format!(r#"<{link}>; rel="next""#))
        });
        assert_eq!(
            told(wait(client(&server).catalog())),
            other(format!("{}/v2/_catalog {expected}", server.url()))
        );
        assert_eq!(server.requests().len(), requests);
    }
}

#[test]
fn certificates_that_are_none_are_refused() {
    let mut options = ClientOptions::new("https://localhost");
    options.identity = Some(Zeroizing::new(b"-----BEGIN CERTIFICATE-----\n".to_vec()));
    let (kind, text) = told(Client::new(options));
    assert_eq!(kind, ClientErrorKind::Other);
    assert!(
        text.starts_with("client certificate cannot be used: it must be a certificate and"),
        "{text}"
    );
    let mut options = ClientOptions::new("https://localhost");
    options.root_certificates = vec![b"nothing".to_vec()];
    assert_eq!(
        told(Client::new(options)),
        other("bundle 1 of root certificates holds no certificate in PEM".to_owned())
    );
    let mut options = ClientOptions::new("https://localhost");
    options.user_agent = "a\nb".to_owned();
    let (_, text) = told(Client::new(options));
    assert!(text.starts_with("client for https://localhost/ cannot be set up: "), "{text}");
}

/// `server.crt`, for this host, and `client.pem` with its key: each is its own root.
fn certificates(openssl: &Openssl) {
    for (name, extensions) in [
        ("server", "-addext subjectAltName=IP:127.0.0.1"),
        ("client", "-addext extendedKeyUsage=clientAuth"),
    ] {
        openssl.create_key(name, KeySpec::Ec256);
        openssl
            .run(&format!(
                "req -x509 -new -key {name}.key -days 2 -subj /CN={name}-of-test -config extensions.cnf \
                 {extensions} -out {name}.crt"
            ))
            .expect_status(0);
    }
    let pem = ["client.crt", "client.key"].map(|file| fs::read(openssl.path(file)).unwrap());
    fs::write(openssl.path("client.pem"), pem.concat()).unwrap();
}

/// A TLS server in the folder of certificates. With `-www`, it answers with what it knows of the connection;
/// with `-HTTP`, with files that hold whole answers.
fn tls_server(openssl: &Openssl, mode: &str) -> Server {
    let command = |port| {
        let mut command = Command::new("sh");
        let run = r#"cd "$1" && exec openssl s_server -quiet -accept "127.0.0.1:$2" -cert server.crt -key server.key -verify 1 "$3""#;
        command.args(["-c", run, "sh"]).arg(openssl.path("")).arg(format!("{port}")).arg(mode);
        command
    };
    Server::start(command, |port| TcpStream::connect(("127.0.0.1", port)).is_ok())
}

fn tls_options(server: &Server, openssl: &Openssl) -> ClientOptions {
    let mut options = ClientOptions::new(format!("https://127.0.0.1:{}", server.port()));
    options.root_certificates = vec![fs::read(openssl.path("server.crt")).unwrap()];
    options
}

fn page(client: &Client) -> String {
    let page = wait(client.fetch(GUN, "root.json", 100_000)).unwrap().unwrap();
    String::from_utf8(page).unwrap()
}

#[test]
fn a_server_is_trusted_by_the_certificates_that_were_given_and_shown_the_clients() {
    let Some(openssl) = Openssl::or_skip() else { return };
    certificates(&openssl);
    let server = tls_server(&openssl, "-www");
    let url = format!("https://127.0.0.1:{}", server.port());
    let start = Instant::now();
    let (kind, text) = told(fetch(&Client::new(ClientOptions::new(&url)).unwrap()));
    assert_eq!(kind, ClientErrorKind::Other);
    assert!(
        text.starts_with(&format!("there is no trusted TLS connection to {url}{ROOT}: ")),
        "{text}"
    );
    assert!(text.contains("invalid peer certificate: UnknownIssuer"), "{text}");
    // Not tried again.
    assert!(start.elapsed() < Duration::from_secs(5));

    let client = Client::new(tls_options(&server, &openssl)).unwrap();
    assert!(page(&client).contains("no client certificate available"));

    let mut options = tls_options(&server, &openssl);
    options.identity = Some(Zeroizing::new(fs::read(openssl.path("client.pem")).unwrap()));
    let page_of_client = page(&Client::new(options).unwrap());
    assert!(page_of_client.contains("client-of-test"), "{page_of_client}");

    // Another host than the server, with which the certificate is not for.
    let home = FakeHttp::start(move |_| Answer::to(&url));
    let mut options = tls_options(&server, &openssl);
    options.server = home.url();
    options.identity = Some(Zeroizing::new(fs::read(openssl.path("client.pem")).unwrap()));
    assert!(page(&Client::new(options).unwrap()).contains("no client certificate available"));
}

#[test]
fn a_redirect_out_of_tls_is_not_followed() {
    let Some(openssl) = Openssl::or_skip() else { return };
    certificates(&openssl);
    let plain = FakeHttp::start(|_| Answer::new(200, "file"));
    let to = format!("{}/x", plain.url());
    let answer = format!("HTTP/1.1 307 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let file = openssl.path(ROOT.trim_start_matches('/'));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, answer).unwrap();
    let server = tls_server(&openssl, "-HTTP");
    let url = format!("https://127.0.0.1:{}{ROOT}", server.port());
    assert_eq!(
        told(fetch(&Client::new(tls_options(&server, &openssl)).unwrap())),
        other(format!("{url} redirects to {to:?}, which leaves TLS"))
    );
    assert_eq!(plain.requests().len(), 0);
}

/// Runs one of these tests in a process of its own, where the environment can be another.
fn in_a_process(test: &str, environment: &[(&str, &str)]) -> Run {
    let run = Run::new(env::current_exe().unwrap()).args([
        &format!("dct_client::{test}"),
        "--exact",
        "--nocapture",
    ]);
    environment.iter().fold(run, |run, (name, value)| run.env(name, value))
}

/// Tells a test that it runs in such a process, and which server it asks.
const SERVER: &str = "TEST_SERVER";

#[test]
fn the_systems_certificates_are_those_of_ssl_cert_file() {
    if let Ok(server) = env::var(SERVER) {
        let client = Client::new(ClientOptions::new(server)).unwrap();
        assert!(page(&client).contains("no client certificate available"));
        return;
    }
    let Some(openssl) = Openssl::or_skip() else { return };
    certificates(&openssl);
    let server = tls_server(&openssl, "-www");
    let url = format!("https://127.0.0.1:{}", server.port());
    let test = "the_systems_certificates_are_those_of_ssl_cert_file";
    let file = |name: &str| openssl.path(name).display().to_string();
    let run =
        |roots: &str| in_a_process(test, &[(SERVER, &url), ("SSL_CERT_FILE", roots)]).finish();
    let finished = run(&file("server.crt")).expect_status(0);
    assert!(finished.stdout.contains("1 passed"), "{finished:?}");
    run(&file("client.crt")).expect_status(101);
}

#[test]
fn a_proxy_of_the_environment_carries_tls_and_nothing_of_this_machine() {
    const REMOTE: &str = "https://notary.example";
    if let Ok(server) = env::var(SERVER) {
        assert_eq!(
            fetch(&Client::new(ClientOptions::new(&server)).unwrap()).unwrap().unwrap(),
            b"file"
        );
        let (kind, text) = told(fetch(&Client::new(ClientOptions::new(REMOTE)).unwrap()));
        assert_eq!(kind, ClientErrorKind::Unavailable);
        assert!(
            text.starts_with(&format!("{REMOTE}{ROOT} could not be reached in 5 tries: ")),
            "{text}"
        );
        return;
    }
    let server = FakeHttp::start(|_| Answer::new(200, "file"));
    let proxy = FakeHttp::start(|_| Answer::new(403, ""));
    let test = "a_proxy_of_the_environment_carries_tls_and_nothing_of_this_machine";
    let by_proxy = proxy.url().replace("://", "://me:hunter2@");
    let environment =
        [(SERVER, server.url()), ("HTTPS_PROXY", by_proxy.clone()), ("HTTP_PROXY", by_proxy)];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let finished = in_a_process(test, &environment).finish().expect_status(0);
    assert!(finished.stdout.contains("1 passed"), "{finished:?}");
    assert_eq!(server.requests().len(), 1);
    assert!(proxy.requests().iter().all(|request| request.method == "CONNECT"));
    assert_eq!(proxy.targets(), vec!["notary.example:443"; 5]);
}
