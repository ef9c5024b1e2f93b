//! What a server answers, and what of it people are shown.

use std::time::Duration;

use reqwest::{
    Url,
    header::{self, HeaderMap},
};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::{HttpError, Method, is_allowed, shown};

/// An answer; it came whole if its status is 200.
pub(crate) struct Answer {
    /// Who answered, after all redirects.
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(super) headers: HeaderMap,
    /// Empty unless the status is 200.
    pub(crate) body: Vec<u8>,
    /// What came with another status, for people.
    pub(crate) said: String,
    /// Whether the request told who asks.
    pub(crate) authorized: bool,
}

impl Answer {
    /// A header, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type without its parameters, in lower case.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self.header(header::CONTENT_TYPE.as_str())?;
        let essence = value.split(';').next().unwrap_or_default().trim();
        (!essence.is_empty()).then(|| essence.to_ascii_lowercase())
    }

    /// The next page of a list: the target of `Link: </v2/_catalog?last=x&n=1000>; rel="next"` (RFC 8288).
    /// It stands on the server that was asked.
    pub(crate) fn next_page(&self, server: &Url) -> Result<Option<Url>, HttpError> {
        let Some(link) = next_link(&self.headers) else { return Ok(None) };
        let next = self.url.join(&link).map_err(|_| self.bad("a next page that is no URL"))?;
        if !is_allowed(&next, true) || next.origin() != server.origin() {
            return Err(self.bad(format!("a next page elsewhere, {}", shown(&next))));
        }
        Ok(Some(next))
    }

    /// That this kind of server does not answer so.
    pub(crate) fn bad(&self, what: impl Into<String>) -> HttpError {
        HttpError::BadAnswer { url: shown(&self.url), what: what.into() }
    }

    pub(crate) fn into_status(self) -> HttpError {
        HttpError::Status { url: shown(&self.url), status: self.status, reason: self.said }
    }

    /// `limit` is how long the server would have been waited for.
    pub(super) fn into_unavailable(self, tries: u32, limit: Duration) -> HttpError {
        let (url, status) = (shown(&self.url), self.status);
        let asked = self.retry_after();
        if asked > limit {
            let limit = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX);
            return HttpError::AsksToWait { url, asked, limit, status, reason: self.said };
        }
        HttpError::Unavailable { url, tries, status, reason: self.said }
    }

    /// Whether the server says that it could answer another time.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.status, 408 | 429 | 502 | 503 | 504)
    }

    /// Whether the server could not answer, and knows the request.
    pub(super) const fn is_fault(&self) -> bool {
        matches!(self.status, 500..=599) && !matches!(self.status, 501 | 505)
    }

    /// How long the server asks to wait: seconds, or a time to which its own clock gives the distance.
    pub(super) fn retry_after(&self) -> Duration {
        let text = |name: header::HeaderName| self.header(name.as_str());
        let time = |text| OffsetDateTime::parse(text, &Rfc2822).ok();
        let asked = text(header::RETRY_AFTER).and_then(|asked| {
            asked
                .parse()
                .map(Duration::from_secs)
                .ok()
                .or_else(|| Duration::try_from(time(asked)? - time(text(header::DATE)?)?).ok())
        });
        asked.unwrap_or_default()
    }

    /// Where the answer redirects to, if it does. What was written is written elsewhere only where the server
    /// says that it is the same request.
    pub(super) fn redirect(&self, method: Method) -> Option<&str> {
        let follows = match method {
            Method::Get | Method::Head => matches!(self.status, 301..=303 | 307 | 308),
            Method::Post | Method::Put => matches!(self.status, 307 | 308),
        };
        let location = self.headers.get(header::LOCATION).filter(|_| follows)?;
        // What is no text is no URL either.
        Some(location.to_str().unwrap_or("http://["))
    }
}

fn next_link(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::LINK).into_iter();
    let mut links =
        values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split('<').skip(1));
    links.find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
        });
        is_next.then(|| target.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn busy(headers: &[(header::HeaderName, &'static str)]) -> Answer {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Answer {
            url: Url::parse("https://h").unwrap(),
            status: 429,
            headers: headers.collect(),
            body: Vec::new(),
            said: String::new(),
            authorized: false,
        }
    }

    #[test]
    fn a_server_asks_to_be_waited_for_in_two_ways() {
        let date = (header::DATE, "Wed, 21 Oct 2026 07:28:00 GMT");
        for (asked, seconds) in [
            ("0", 0),
            ("7", 7),
            ("3600", 3600),
            ("Wed, 21 Oct 2026 07:28:09 GMT", 9),
            ("Wed, 21 Oct 2026 09:28:00 GMT", 7200),
            ("Wed, 21 Oct 2026 07:27:00 GMT", 0),
            ("-1", 0),
            ("soon", 0),
        ] {
            let answer = busy(&[(header::RETRY_AFTER, asked), date.clone()]);
            assert_eq!(answer.retry_after(), Duration::from_secs(seconds), "{asked}");
        }
        assert_eq!(busy(&[]).retry_after(), Duration::ZERO);
    }

    #[test]
    fn what_is_written_is_not_redirected_as_another_request() {
        for (status, reads, writes) in
            [(301, true, false), (302, true, false), (303, true, false), (307, true, true)]
        {
            let answer = Answer { status, ..busy(&[(header::LOCATION, "/x")]) };
            assert_eq!(answer.redirect(Method::Head).is_some(), reads);
            assert_eq!(answer.redirect(Method::Put).is_some(), writes);
        }
        assert_eq!(busy(&[(header::LOCATION, "/x")]).redirect(Method::Get), None);
    }

    #[test]
    fn media_types_are_told_without_parameters() {
        for (value, expected) in [
            ("text/html; charset=utf-8", Some("text/html")),
            (" Application/JSON", Some("application/json")),
            ("", None),
            (";x", None),
        ] {
            let answer = busy(&[(header::CONTENT_TYPE, value)]);
            assert_eq!(answer.media_type().as_deref(), expected);
        }
    }
}
