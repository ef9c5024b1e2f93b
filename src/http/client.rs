//! How clients are built, when they try again, and how what they are answered is told.

use std::{
    error::Error,
    io, iter,
    net::{Ipv4Addr, Ipv6Addr},
    sync::OnceLock,
    time::Duration,
};

use reqwest::{Client, ClientBuilder, Url, redirect, retry};
use serde::Deserialize;

use crate::{crypto, limits, text};

/// A client that is built when it is first needed: that takes longer than to verify a signature.
#[derive(Debug, Clone, Default)]
pub(crate) struct LazyClient(OnceLock<Client>);

impl LazyClient {
    pub(crate) fn get(
        &self,
        builder: impl FnOnce() -> ClientBuilder,
    ) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let client = builder().build()?;
        Ok(self.0.get_or_init(|| client))
    }
}

/// A client that follows no redirects, does not try again, and takes no compressed bytes.
pub(crate) fn builder(user_agent: &str, connect_timeout: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent(user_agent)
        .connect_timeout(connect_timeout)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        // Another crate of the program may have switched these on for all.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
}

/// Whether a URL's host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let v6 = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || v6.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback())
}

/// A URL for a text: without what may be a secret.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only what has no host has no user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// A random part of a time that doubles, so that those who were refused together do not come back together.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let longest = limits::SERVICE_BACKOFF.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    longest.mul_f64(f64::from(u32::from_le_bytes(crypto::random())) / f64::from(u32::MAX))
}

/// The body of an error, as one line: the errors of the registry's API, or whatever else it is.
pub(crate) fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Single>,
    }
    #[derive(Deserialize)]
    struct Single {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let text = match serde_json::from_slice(body) {
        Ok(Errors { errors }) if !errors.is_empty() => {
            let told = errors.iter().map(|error| format!("{}: {}", error.code, error.message));
            told.collect::<Vec<_>>().join("; ")
        }
        _ => String::from_utf8_lossy(body).trim().to_owned(),
    };
    if text.is_empty() {
        return "no reason given".to_owned();
    }
    let escape = |c: char| match c {
        c if c.is_control() || text::is_invisible(c) => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Whether rustls found something wrong, which it tells by this kind of I/O error. One that wraps another is
/// not its cause, and is looked into.
pub(crate) fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let causes = iter::successors(Some(error), |&error| error.source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|outer| {
        let mut errors = iter::successors(Some(outer), |&error| error.get_ref()?.downcast_ref());
        errors.any(|error| error.kind() == io::ErrorKind::InvalidData)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let url = Url::parse("https://me:hunter2@h:1/a%0Ab?sig=hunter2#hunter2").unwrap();
        assert_eq!(shown(&url), "https://h:1/a%0Ab");
    }

    #[test]
    fn pauses_are_random_up_to_a_time_that_doubles() {
        for attempt in [1, 2, 3, 4, 1000] {
            assert!(backoff(attempt) <= limits::SERVICE_BACKOFF * (1 << (attempt - 1).min(16)));
        }
    }

    #[test]
    fn this_machine_has_three_names() {
        for (url, expected) in [
            ("http://localhost:1/a", true),
            ("http://127.0.0.2", true),
            ("http://[::1]:8", true),
            ("http://localhost.example", false),
            ("http://128.0.0.1", false),
            ("http://[::2]", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn what_a_server_says_is_told_in_one_line() {
        for (body, expected) in [
            (
                &br#"{"errors":[{"code":"DENIED","message":"no\nway","detail":null}]}"#[..],
                r"DENIED: no\nway",
            ),
            (br#"{"errors":[{"code":"A","message":"x"},{"message":"y"}]}"#, "A: x; : y"),
            (br#"{"errors":[]}"#, r#"{"errors":[]}"#),
            (b"<h1>\x1b[31mBad Gateway\x07</h1>\r\n", r"<h1>\u{1b}[31mBad Gateway\u{7}</h1>"),
            ("a\u{202e}b".as_bytes(), r"a\u{202e}b"),
            (b"\xff", "\u{fffd}"),
            (b" \n", "no reason given"),
        ] {
            assert_eq!(said(body), expected);
        }
    }
}
