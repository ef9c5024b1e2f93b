//! A CA whose OCSP responses and CRLs stand on a server of this machine, as a test puts them there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use notation_sdk::{
    Certificate,
    algorithm::KeySpec,
    pki::{CertificateTemplate, Extension},
    testing::{TestPki, name, set_extension, validity},
};
use time::{Duration, UtcDateTime};

use super::{
    der::{distribution_point, responders, sequence},
    fake_http::{Answer, FakeHttp, Request},
    revocation::{TestAnswer, TestCrl, TestOcsp},
};

/// Where the leaf's issuer answers, unless a test has it otherwise.
pub(crate) const OCSP: &str = "/ocsp";
/// Where its CRL is.
pub(crate) const CRL: &str = "/issuing.crl";

/// The CA, its server, and a chain of which it has issued the leaf.
#[derive(Debug)]
pub(crate) struct FakeCa {
    pub(crate) pki: TestPki,
    /// When it was made, by the second.
    pub(crate) at: UtcDateTime,
    http: FakeHttp,
    pages: Arc<Mutex<BTreeMap<String, Answer>>>,
}

/// What a certificate names: paths of the CA's server, or whole URLs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pointers<'a> {
    pub(crate) ocsp: &'a [&'a str],
    /// Distribution points, with the places of each.
    pub(crate) crl: &'a [&'a [&'a str]],
}

impl FakeCa {
    /// A leaf that names [`OCSP`] and [`CRL`], where nothing stands yet.
    pub(crate) fn new() -> Self {
        Self::with_leaf(Pointers { ocsp: &[OCSP], crl: &[&[CRL]] })
    }

    pub(crate) fn with_leaf(leaf: Pointers<'_>) -> Self {
        Self::with(leaf, Pointers::default(), Duration::days(365))
    }

    /// A leaf and an issuing CA that name these, the former valid for so long.
    pub(crate) fn with(leaf: Pointers<'_>, issuing: Pointers<'_>, leaf_for: Duration) -> Self {
        let pages = Arc::new(Mutex::new(BTreeMap::<String, Answer>::new()));
        let shown = Arc::clone(&pages);
        let http = FakeHttp::start(move |request| {
            let answer = shown.lock().unwrap().get(&request.target).cloned();
            answer.unwrap_or_else(|| Answer::new(404, "nothing here"))
        });
        let at = UtcDateTime::now().replace_nanosecond(0).unwrap();
        let mut template =
            CertificateTemplate::code_signing(name("leaf"), (validity(at).0, at + leaf_for));
        leaf.name_in(&mut template, &http.url());
        let change = |template: &mut CertificateTemplate| issuing.name_in(template, &http.url());
        let pki = TestPki::with_templates(KeySpec::Ec256, at, change, template).unwrap();
        Self { pki, at, http, pages }
    }

    pub(crate) fn leaf(&self) -> &Certificate {
        self.pki.chain.leaf()
    }

    pub(crate) fn issuing(&self) -> &Certificate {
        &self.pki.chain.certificates()[1]
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.http.url())
    }

    /// Paths that were asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.http.targets()
    }

    /// Everything that was asked, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.http.requests()
    }

    /// Gives this answer from now on.
    pub(crate) fn put(&self, path: &str, answer: Answer) {
        self.pages.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Puts a CRL there that the leaf's issuer signs.
    pub(crate) fn put_crl(&self, path: &str, crl: &TestCrl) {
        self.put(path, Answer::new(200, crl.sign(&self.pki.issuing_key)));
    }

    /// Puts a response there that the leaf's issuer signs itself.
    pub(crate) fn put_ocsp(&self, path: &str, answer: &TestAnswer) {
        self.put(path, Answer::new(200, self.response(answer)));
    }

    /// An empty CRL of the leaf's issuer.
    pub(crate) fn crl(&self) -> TestCrl {
        TestCrl::new(self.issuing(), self.at)
    }

    /// A good answer about the leaf.
    pub(crate) fn good(&self) -> TestAnswer {
        TestAnswer::good(self.leaf(), self.issuing(), self.at)
    }

    /// A response of the leaf's issuer, in DER.
    pub(crate) fn response(&self, answer: &TestAnswer) -> Vec<u8> {
        TestOcsp::new(self.issuing(), self.at).answer(answer).sign(&self.pki.issuing_key)
    }
}

impl Pointers<'_> {
    /// Writes them into a certificate that is yet to be made.
    pub(crate) fn name_in(&self, template: &mut CertificateTemplate, server: &str) {
        let whole = |path: &&str| match path.strip_prefix('/') {
            Some(path) => format!("{server}/{path}"),
            None => (*path).to_owned(),
        };
        let mut set =
            |oid, value: &[u8]| set_extension(template, Extension::new(oid, false, value));
        if !self.ocsp.is_empty() {
            let urls: Vec<_> = self.ocsp.iter().map(whole).collect();
            let urls: Vec<_> = urls.iter().map(String::as_str).collect();
            set("1.3.6.1.5.5.7.1.1", &responders(&urls));
        }
        if !self.crl.is_empty() {
            let point = |places: &&[&str]| {
                let urls: Vec<_> = places.iter().map(whole).collect();
                distribution_point(&urls.iter().map(String::as_str).collect::<Vec<_>>(), &[])
            };
            set("2.5.29.31", &sequence(&self.crl.iter().map(point).collect::<Vec<_>>()));
        }
    }
}
