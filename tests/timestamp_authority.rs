//! Authorities over HTTP: one that openssl answers for, and some that do what they should not.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use notation_sdk::{
    algorithm::HashAlgorithm::Sha256,
    limits,
    timestamp::{
        ResponseError, TimestampRequest, TimestampToken,
        authority::{AuthorityError, AuthorityErrorKind, TimestampAuthority},
    },
};

use crate::support::{
    der::{element, integer_of, sequence_of},
    fake_http::{Answer, FakeHttp, Request},
    tsa::{Tsa, TsaServer, TsaSettings},
};

const MESSAGE: &[u8] = b"a signature";
const REPLY: &str = "application/timestamp-reply";

fn ask(url: &str, timeout: Duration) -> Result<TimestampToken, AuthorityError> {
    let authority = TimestampAuthority::new(url)?.with_timeout(timeout);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(authority.ask(&TimestampRequest::new(Sha256, MESSAGE)))
}

/// What an authority that answers so gets it called, and how often it was asked.
fn refused(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (AuthorityError, usize) {
    let server = FakeHttp::start(answer);
    let error = ask(&server.url(), Duration::from_secs(30)).unwrap_err();
    assert!(error.to_string().contains(&server.url()), "{error}");
    (error, server.requests().len())
}

fn rejection(failures: &[u8]) -> Vec<u8> {
    sequence_of(&[&sequence_of(&[&integer_of(&[2]), &element(0x03, &[failures])])])
}

#[test]
fn an_authority_gives_a_token_for_the_request() {
    let Some(server) = TsaServer::or_skip(&TsaSettings::default()) else { return };
    let token = ask(&server.url(), Duration::from_secs(30)).unwrap();
    assert!(token.verify(MESSAGE, &server.tsa.pki.roots()).is_ok());
    assert_eq!(server.requests(), 1);
}

#[test]
fn the_request_says_what_it_is() {
    let server = FakeHttp::start(|_| Answer::new(404, ""));
    ask(&format!("{}/tsa?key=1", server.url()), Duration::from_secs(30)).unwrap_err();
    let [request] = server.requests().try_into().unwrap();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/tsa?key=1"));
    assert_eq!(request.header("content-type"), Some("application/timestamp-query"));
    assert_eq!(request.header("accept"), Some(REPLY));
}

#[test]
fn an_authority_that_is_down_for_a_moment_is_asked_again() {
    let settings = TsaSettings::default();
    let Some(tsa) = Tsa::or_skip(&settings) else { return };
    let moody = FakeHttp::start(move |request| match request.number {
        0 => Answer::new(503, "busy"),
        1 => Answer::hang_up(),
        2 => Answer::new(200, rejection(&[6, 0, 0, 0, 0x40])).header("Content-Type", REPLY),
        _ => Answer::new(200, tsa.reply(&request.bytes))
            .header("Content-Type", "Application/Timestamp-Reply; charset=binary"),
    });
    assert!(ask(&moody.url(), Duration::from_secs(30)).is_ok());
    assert_eq!(moody.requests().len(), 4);
}

#[test]
fn an_authority_that_stays_down_is_unavailable() {
    // At once, because each is asked often, with pauses.
    thread::scope(|scope| {
        for status in [429, 500, 502, 503, 504] {
            scope.spawn(move || {
                let (error, tries) = refused(move |_| Answer::new(status, "not\x1b[31mnow"));
                assert_eq!(error.kind(), AuthorityErrorKind::Unavailable, "{error}");
                let expected = format!("HTTP status {status}: not\\u{{1b}}[31mnow");
                assert!(error.to_string().ends_with(&expected), "{error}");
                assert_eq!(tries, usize::try_from(limits::SERVICE_ATTEMPTS).unwrap());
            });
        }
    });
    let (error, _) = refused(|_| Answer::hang_up());
    assert!(matches!(error, AuthorityError::Broken { .. }), "{error:?}");
    assert_eq!(error.kind(), AuthorityErrorKind::Unavailable);

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = ask(&format!("http://{nobody}"), Duration::from_secs(30)).unwrap_err();
    assert!(matches!(error, AuthorityError::Unreachable { .. }), "{error:?}");
    assert_eq!(error.kind(), AuthorityErrorKind::Unavailable);
}

#[test]
fn an_authority_has_its_time_and_no_more() {
    let short = Duration::from_millis(300);
    let answers: [fn(&Request) -> Answer; 3] = [
        |_| Answer::silence(),
        |_| Answer::new(200, "").header("Content-Type", REPLY).of_length(9).and_hangs(),
        |_| {
            let pause = Duration::from_millis(20);
            Answer::new(200, "0").header("Content-Type", REPLY).without_end(pause)
        },
    ];
    for answer in answers {
        let server = FakeHttp::start(answer);
        let start = Instant::now();
        let error = ask(&server.url(), short).unwrap_err();
        assert!(
            matches!(error, AuthorityError::Timeout { after, .. } if after == short),
            "{error:?}"
        );
        assert_eq!(error.kind(), AuthorityErrorKind::Unavailable);
        assert!(error.to_string().ends_with("gave no answer within 0.3 s"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    // What was told before the time was over is told.
    let server = FakeHttp::start(|request| match request.number {
        0 => Answer::new(503, "busy"),
        _ => Answer::silence(),
    });
    let error = ask(&server.url(), Duration::from_secs(2)).unwrap_err();
    assert!(matches!(error, AuthorityError::Status { status: 503, .. }), "{error:?}");
}

#[test]
fn what_another_try_would_not_change_is_asked_once() {
    type Case = (fn(&Request) -> Answer, AuthorityErrorKind, &'static str);
    let cases: [Case; 11] = [
        (|_| Answer::new(401, "who?"), AuthorityErrorKind::Denied, "HTTP status 401: who?"),
        (|_| Answer::new(403, ""), AuthorityErrorKind::Denied, "HTTP status 403: no reason given"),
        (|_| Answer::new(404, "x"), AuthorityErrorKind::Other, "HTTP status 404: x"),
        (|_| Answer::new(204, ""), AuthorityErrorKind::Other, "HTTP status 204"),
        (
            |_| Answer::to("/elsewhere?key=1"),
            AuthorityErrorKind::Other,
            "redirects to \"http://127.0.0.1:",
        ),
        (|_| Answer::to("http://[bad"), AuthorityErrorKind::Other, "redirects to \"http://[bad\""),
        (
            |_| Answer::new(200, "<html>").header("Content-Type", "text/html"),
            AuthorityErrorKind::Other,
            "content type \"text/html\", which is not application/timestamp-reply",
        ),
        (|_| Answer::new(200, "<html>"), AuthorityErrorKind::Other, "content type \"\""),
        (
            |_| Answer::new(200, "<html>").header("Content-Type", REPLY),
            AuthorityErrorKind::Other,
            "gave no timestamp",
        ),
        (
            |_| {
                Answer::new(200, vec![0x30; limits::TIMESTAMP_BYTES + 1])
                    .header("Content-Type", REPLY)
            },
            AuthorityErrorKind::Other,
            "is over the limit of 1048576 bytes",
        ),
        (
            |_| Answer::new(200, rejection(&[7, 0x80])).header("Content-Type", REPLY),
            AuthorityErrorKind::Refused,
            "gave no timestamp",
        ),
    ];
    for (answer, kind, expected) in cases {
        let (error, tries) = refused(answer);
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!((error.kind(), tries), (kind, 1), "{error}");
    }
}

#[test]
fn an_answer_that_was_recorded_is_refused() {
    let Some(server) = TsaServer::or_skip(&TsaSettings::default()) else { return };
    let recorded = server.tsa.reply(TimestampRequest::new(Sha256, MESSAGE).as_der());
    let (error, _) =
        refused(move |_| Answer::new(200, recorded.clone()).header("Content-Type", REPLY));
    let AuthorityError::Response { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source, ResponseError::OtherNonce);
}

#[test]
fn an_authority_without_trusted_tls_is_not_asked() {
    // Speaks before it is spoken to, and not TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        drop(client.read_to_end(&mut Vec::new()));
    });
    let error = ask(&url, Duration::from_secs(30)).unwrap_err();
    server.join().unwrap();
    assert!(matches!(error, AuthorityError::Tls { .. }), "{error:?}");
    assert_eq!(error.kind(), AuthorityErrorKind::Other);
}

#[test]
fn a_url_that_cannot_be_asked_is_refused_without_its_secret() {
    for (url, shown) in [
        ("tsa.example", "\"tsa.example\""),
        ("ftp://tsa.example/", "\"ftp://tsa.example/\""),
        ("http://", "\"http://\""),
        ("http://me:hunter2@tsa.example/", "\"http://tsa.example/\""),
        ("http://hunter2@tsa.example/?key=hunter2", "\"http://tsa.example/\""),
        ("http://me:hunter2@tsa example", "\"tsa example\""),
        ("", "\"\""),
    ] {
        let error = TimestampAuthority::new(url).unwrap_err();
        assert!(matches!(error, AuthorityError::Url { .. }), "{error:?}");
        assert!(
            error.to_string().contains(shown) && !error.to_string().contains("hunter2"),
            "{error}"
        );
    }
}
