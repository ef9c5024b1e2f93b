//! A CA whose OCSP responses and CRLs stand on a server of this machine, as a test puts them there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use notation_sdk::{
    Certificate, CertificateChain,
    algorithm::KeySpec,
    keys::file::FileKey,
    pki::{CertificateTemplate, Extension, Issuer},
    testing::{TestPki, chain, name, ready, set_extension, validity},
};
use time::{Duration, UtcDateTime};

use super::{
    der::{distribution_point, oid, responders, sequence},
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
    /// The leaf's key, PKCS#8 in PEM.
    pub(crate) leaf_pem: String,
    /// When it was made, by the second.
    pub(crate) at: UtcDateTime,
    base: String,
    http: Option<FakeHttp>,
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
            let pages = shown.lock().unwrap();
            // A request by GET stands in the path (RFC 6960, appendix A.1).
            let by_get = request.target.starts_with("/ocsp/").then_some(OCSP);
            let answer = pages.get(by_get.unwrap_or(&request.target)).cloned();
            answer.unwrap_or_else(|| Answer::new(404, "nothing here"))
        });
        let (at, base) = (UtcDateTime::now().replace_nanosecond(0).unwrap(), http.url());
        let mut template =
            CertificateTemplate::code_signing(name("leaf"), (validity(at).0, at + leaf_for));
        leaf.name_in(&mut template, &base);
        let change = |template: &mut CertificateTemplate| issuing.name_in(template, &base);
        let mut pki =
            TestPki::with_templates(KeySpec::Ec256, at, change, template.clone()).unwrap();
        let (leaf_pem, leaf_key) = FileKey::generate(KeySpec::Ec256).unwrap();
        let [_, issuing, root] = pki.chain.certificates() else { panic!("three certificates") };
        let leaf = template.issue(&leaf_key, Issuer::Ca(issuing, &pki.issuing_key));
        pki.chain = chain([ready(leaf).unwrap(), issuing.clone(), root.clone()]);
        pki.leaf_key = leaf_key;
        Self { pki, leaf_pem: leaf_pem.to_string(), at, base, http: Some(http), pages }
    }

    pub(crate) fn leaf(&self) -> &Certificate {
        self.pki.chain.leaf()
    }

    pub(crate) fn issuing(&self) -> &Certificate {
        &self.pki.chain.certificates()[1]
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Paths that were asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.target).collect()
    }

    /// Everything that was asked, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.http.as_ref().map(FakeHttp::requests).unwrap_or_default()
    }

    /// The chain and the key, in PEM, of another leaf that names these.
    pub(crate) fn issue(
        &self,
        subject: &str,
        pointers: Pointers<'_>,
    ) -> (CertificateChain, String) {
        let mut template = CertificateTemplate::code_signing(name(subject), validity(self.at));
        pointers.name_in(&mut template, &self.base);
        let (pem, key) = FileKey::generate(KeySpec::Ec256).unwrap();
        let issuer = Issuer::Ca(self.issuing(), &self.pki.issuing_key);
        let leaf = ready(template.issue(&key, issuer)).unwrap();
        let [_, issuing, root] = self.pki.chain.certificates() else {
            panic!("three certificates")
        };
        (chain([leaf, issuing.clone(), root.clone()]), pem.to_string())
    }

    /// A responder to whom the leaf's issuer has delegated, and whose certificate names a CRL.
    pub(crate) fn responder(&self, crl: &str) -> (Certificate, FileKey) {
        let (_, key) = FileKey::generate(KeySpec::Ec256).unwrap();
        let mut template = CertificateTemplate::code_signing(name("responder"), validity(self.at));
        Pointers { ocsp: &[], crl: &[&[crl]] }.name_in(&mut template, &self.base);
        let purpose = sequence(&[oid("1.3.6.1.5.5.7.3.9")]);
        set_extension(&mut template, Extension::new("2.5.29.37", false, &purpose));
        let issuer = Issuer::Ca(self.issuing(), &self.pki.issuing_key);
        (ready(template.issue(&key, issuer)).unwrap(), key)
    }

    /// Ends the server.
    pub(crate) fn stop(&mut self) {
        self.http = None;
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
