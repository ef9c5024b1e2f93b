//! What responders and distribution points do that they should not.

use std::time::Duration as StdDuration;

use notation_sdk::revocation::Method;
use time::Duration;

use super::{
    fake_ca::{CRL, FakeCa, OCSP, Pointers},
    fake_http::Answer,
    revocation::{TestAnswer, TestCrl, TestOcsp},
};

/// One fault of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody listens.
    Down,
    /// No such name.
    UnknownName,
    /// Takes the question and says nothing.
    Silent,
    /// A byte now and then, for ever.
    Dripping,
    Status500,
    Status404,
    /// A page for people, and a head that says so.
    Html,
    /// The same, and a head that does not.
    HtmlUntold,
    /// Signed by another key than the CA's.
    WrongSigner,
    /// Expired a second ago.
    Expired,
    /// Of tomorrow.
    Future,
    /// About another certificate, or by another CA.
    Wrong,
    /// Recorded a month ago, when it was good.
    Replayed,
    /// Fewer bytes than the head says.
    Truncated,
    /// Half of it, and a head that says no more.
    TruncatedUntold,
    /// A head that says 50 MiB.
    TooLarge,
    /// Without end, and without a head that says so.
    TooLargeUntold,
    RedirectLoop,
    /// To where clouds keep credentials.
    RedirectForbidden,
}

impl Fault {
    pub(crate) const ALL: [Self; 19] = [
        Self::Down,
        Self::UnknownName,
        Self::Silent,
        Self::Dripping,
        Self::Status500,
        Self::Status404,
        Self::Html,
        Self::HtmlUntold,
        Self::WrongSigner,
        Self::Expired,
        Self::Future,
        Self::Wrong,
        Self::Replayed,
        Self::Truncated,
        Self::TruncatedUntold,
        Self::TooLarge,
        Self::TooLargeUntold,
        Self::RedirectLoop,
        Self::RedirectForbidden,
    ];

    /// Whether it is a matter of time, so that a timeout can be short.
    pub(crate) const fn is_slow(self) -> bool {
        matches!(self, Self::Silent | Self::Dripping)
    }

    /// Whether nobody was reached, so that trying again may help.
    pub(crate) const fn is_unreachable(self) -> bool {
        matches!(
            self,
            Self::Down
                | Self::UnknownName
                | Self::Silent
                | Self::Dripping
                | Self::Status500
                | Self::Truncated
        )
    }

    /// What the verdict says of it.
    pub(crate) fn told(self, method: Method) -> &'static str {
        let is_ocsp = method == Method::Ocsp;
        match self {
            Self::Down | Self::UnknownName | Self::Truncated => "cannot be reached: ",
            Self::Silent | Self::Dripping => "gave no answer in time: over ",
            Self::Status500 => "answered with status 500: ",
            Self::Status404 => "answered with status 404: ",
            Self::Html => "answer is of another type: text/html",
            Self::HtmlUntold | Self::TruncatedUntold if is_ocsp => {
                "OCSP response is not valid DER (RFC 6960, section 4.2)"
            }
            Self::HtmlUntold | Self::TruncatedUntold => {
                "CRL is not valid DER (RFC 5280, section 5.1)"
            }
            Self::WrongSigner => "signature does not verify with the key of its signer",
            Self::Expired | Self::Replayed => "it expired at ",
            Self::Future => "it is of ",
            Self::Wrong if is_ocsp => "OCSP response is not about this certificate",
            Self::Wrong => "CRL is issued by CN=root,",
            Self::TooLarge | Self::TooLargeUntold if is_ocsp => {
                "answer is too large: over 65536 bytes"
            }
            Self::TooLarge | Self::TooLargeUntold => "answer is too large: over 33554432 bytes",
            Self::RedirectLoop => "address is not allowed: over 5 redirects",
            Self::RedirectForbidden => {
                "address is not allowed: 169.254.169.254 is at 169.254.169.254, a link-local address"
            }
        }
    }

    /// A CA whose leaf names these of the two, of which the one of `method` has this fault.
    pub(crate) fn ca(self, method: Method, has_ocsp: bool, has_crl: bool) -> FakeCa {
        let other = match self {
            // Nothing that tests start listens below port 1024.
            Self::Down => Some("http://127.0.0.1:1/"),
            Self::UnknownName => Some("http://ca.invalid/"),
            _ => None,
        };
        let path = |own, of| other.filter(|_| of == method).unwrap_or(own);
        let (ocsp, crl) = ([path(OCSP, Method::Ocsp)], [path(CRL, Method::Crl)]);
        let points = [crl.as_slice()];
        let ca = FakeCa::with_leaf(Pointers {
            ocsp: if has_ocsp { &ocsp } else { &[] },
            crl: if has_crl { &points } else { &[] },
        });
        if method != Method::Ocsp {
            ca.put_ocsp(OCSP, &ca.good());
        }
        if method != Method::Crl {
            ca.put_crl(CRL, &ca.crl());
        }
        self.put(&ca, method);
        ca
    }

    /// Puts the fault where the good answer would be.
    pub(crate) fn put(self, ca: &FakeCa, method: Method) {
        let path = if method == Method::Ocsp { OCSP } else { CRL };
        ca.put(path, self.answer(ca, method, path));
    }

    fn answer(self, ca: &FakeCa, method: Method, path: &str) -> Answer {
        let good = || match method {
            Method::Ocsp => ca.response(&ca.good()),
            _ => ca.crl().sign(&ca.pki.issuing_key),
        };
        let moved = |from: Duration, to: Duration| {
            let (this_update, next_update) = (ca.at + from, Some(ca.at + to));
            match method {
                Method::Ocsp => ca.response(&TestAnswer { this_update, next_update, ..ca.good() }),
                _ => TestCrl { this_update, next_update, ..ca.crl() }.sign(&ca.pki.issuing_key),
            }
        };
        let day = Duration::days(1);
        let bytes = match self {
            Self::Down | Self::UnknownName | Self::Silent => return Answer::silence(),
            Self::Dripping => {
                return Answer::new(200, "0").without_end(StdDuration::from_millis(20));
            }
            Self::Status500 => return Answer::new(500, good()),
            Self::Status404 => return Answer::new(404, good()),
            Self::Html => return Answer::new(200, good()).header("Content-Type", "text/html"),
            Self::HtmlUntold => b"<html><body>Please log in</body></html>".to_vec(),
            Self::WrongSigner => self.unsigned(ca, method),
            Self::Expired => moved(-day, Duration::seconds(-1)),
            Self::Future => moved(day, day * 2),
            Self::Wrong => self.of_another(ca, method),
            Self::Replayed => moved(-day * 30, -day * 28),
            Self::Truncated => {
                let bytes = good();
                let (half, all) = (bytes[..bytes.len() / 2].to_vec(), bytes.len());
                return Answer::new(200, half).of_length(all);
            }
            Self::TruncatedUntold => {
                let bytes = good();
                bytes[..bytes.len() / 2].to_vec()
            }
            Self::TooLarge => return Answer::new(200, good()).of_length(50 << 20),
            Self::TooLargeUntold => {
                return Answer::new(200, vec![0x30; 1 << 20]).without_end(StdDuration::ZERO);
            }
            Self::RedirectLoop => return Answer::to(path),
            Self::RedirectForbidden => return Answer::to("http://169.254.169.254/latest"),
        };
        Answer::new(200, bytes)
    }

    fn unsigned(self, ca: &FakeCa, method: Method) -> Vec<u8> {
        match method {
            Method::Ocsp => {
                TestOcsp::new(ca.issuing(), ca.at).answer(&ca.good()).sign(&ca.pki.root_key)
            }
            _ => ca.crl().sign(&ca.pki.root_key),
        }
    }

    fn of_another(self, ca: &FakeCa, method: Method) -> Vec<u8> {
        let root = ca.pki.chain.root();
        match method {
            Method::Ocsp => ca.response(&TestAnswer::good(ca.issuing(), root, ca.at)),
            _ => TestCrl::new(root, ca.at).sign(&ca.pki.root_key),
        }
    }
}
