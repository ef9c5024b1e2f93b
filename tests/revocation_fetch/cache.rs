//! Answers that are kept: in notation's own form, and never believed for having been kept.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use notation_sdk::revocation::{
    CertificateRevocation, Evidence, RevocationSource as _, RevocationStatus, SigningTime,
    fetch::{Fetcher, RevocationCache},
    judge, ocsp_request,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::{Duration, UtcDateTime};

use super::{PATIENT, block_on, fetcher, leaf, sources, told, unknown, within};
use crate::support::{
    command::Run,
    der::{distribution_point, sequence},
    fake_ca::{CRL, FakeCa, OCSP, Pointers},
    fake_http::Answer,
    revocation::{TestAnswer, TestCrl, entry},
    revocation_fault::Fault,
};

const DELTA: &str = "/delta.crl";

/// A fetcher of another process, with that cache folder.
fn process(folder: &Path) -> Fetcher {
    let mut options = within(PATIENT);
    options.cache = Some(RevocationCache::new(folder));
    fetcher(options)
}

fn crl_only() -> FakeCa {
    FakeCa::with_leaf(Pointers { ocsp: &[], crl: &[&[CRL]] })
}

/// The file in which notation keeps the CRL of a URL.
fn crl_file(folder: &Path, url: &str) -> PathBuf {
    let name = digest(&SHA256, url.as_bytes());
    let hex: String = name.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    folder.join("crl").join(hex)
}

/// Puts a file there as notation writes it.
fn write_crl(folder: &Path, url: &str, base: &[u8], delta: Option<&[u8]>) {
    let mut file = json!({ "baseCRL": BASE64_STANDARD.encode(base) });
    if let Some(delta) = delta {
        file["deltaCRL"] = BASE64_STANDARD.encode(delta).into();
    }
    let path = crl_file(folder, url);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, file.to_string()).unwrap();
}

fn read_crl(folder: &Path, url: &str) -> Value {
    serde_json::from_slice(&fs::read(crl_file(folder, url)).unwrap()).unwrap()
}

/// The verdict on the leaf as of another time.
fn leaf_at(fetcher: &Fetcher, ca: &FakeCa, at: UtcDateTime) -> CertificateRevocation {
    let mut evidence = Evidence::new();
    block_on(fetcher.collect(&ca.pki.chain, &mut evidence, at));
    judge(&ca.pki.chain, &evidence, at, SigningTime::Unknown).remove(0)
}

#[test]
fn a_crl_is_kept_in_notation_s_form_and_read_by_the_next_process_without_network() {
    let (ca, folder) = (crl_only(), TempDir::new().unwrap());
    let crl = ca.crl().sign(&ca.pki.issuing_key);
    ca.put(CRL, Answer::new(200, crl.clone()));
    assert_eq!(sources(&ca, &leaf(&process(folder.path()), &ca)), [CRL]);
    let kept = read_crl(folder.path(), &ca.url(CRL));
    assert_eq!(kept, json!({ "baseCRL": BASE64_STANDARD.encode(crl) }));
    let path = crl_file(folder.path(), &ca.url(CRL));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

    ca.put(CRL, Answer::new(503, ""));
    assert_eq!(sources(&ca, &leaf(&process(folder.path()), &ca)), [CRL]);
    assert_eq!(ca.asked(), [CRL]);
}

#[test]
fn a_file_that_notation_has_written_counts_and_says_when() {
    let (ca, folder) = (crl_only(), TempDir::new().unwrap());
    let revoking = ca.crl().revoke(ca.leaf(), Some(1)).sign(&ca.pki.issuing_key);
    write_crl(folder.path(), &ca.url(CRL), &revoking, None);
    let judged = leaf(&process(folder.path()), &ca);
    let RevocationStatus::Revoked { source, .. } = judged.status else { panic!("{judged:#?}") };
    assert!(source.fetched_at >= ca.at && source.fetched_at <= UtcDateTime::now());
    assert_eq!(ca.asked().len(), 0);
}

#[test]
fn an_entry_that_does_not_hold_is_fetched_again_and_replaced() {
    let ca = crl_only();
    let key = &ca.pki.issuing_key;
    let good = ca.crl().sign(key);
    ca.put(CRL, Answer::new(200, good.clone()));
    let (base64, root) = (BASE64_STANDARD.encode(&good), ca.pki.chain.root());
    let file = |der: Vec<u8>| json!({ "baseCRL": BASE64_STANDARD.encode(der) }).to_string();
    let expired = TestCrl { next_update: Some(ca.at - Duration::SECOND), ..ca.crl() };
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let poisoned = [
        file(expired.sign(key)),
        file(ca.crl().sign(&ca.pki.root_key)),
        file(TestCrl::new(root, ca.at).sign(&ca.pki.root_key)),
        file(TestCrl { this_update: ca.at + Duration::DAY, ..ca.crl() }.sign(key)),
        file(ca.crl().number(2).delta_to(1).sign(key)),
        file(changed),
        file(good[..good.len() / 2].to_vec()),
        file(Vec::new()),
        String::new(),
        format!("{{\"baseCRL\":\"{}", &base64[..base64.len() / 2]),
        json!({ "baseCRL": base64, "deltaCRL": "*" }).to_string(),
        json!({ "deltaCRL": base64 }).to_string(),
        "[]".to_owned(),
    ];
    for poison in poisoned {
        let folder = TempDir::new().unwrap();
        let path = crl_file(folder.path(), &ca.url(CRL));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &poison).unwrap();
        let before = ca.asked().len();
        assert_eq!(sources(&ca, &leaf(&process(folder.path()), &ca)), [CRL], "{poison}");
        assert_eq!(ca.asked().len(), before + 1, "{poison}");
        assert_eq!(read_crl(folder.path(), &ca.url(CRL)), json!({ "baseCRL": base64 }), "{poison}");
    }
}

#[test]
fn what_is_kept_counts_until_its_next_update() {
    for path in [CRL, OCSP] {
        let (ca, folder) = (FakeCa::new(), TempDir::new().unwrap());
        let put = |at: UtcDateTime| match path {
            CRL => {
                let this_update = at - Duration::DAY;
                let next_update = Some(at + Duration::DAY);
                ca.put_crl(CRL, &TestCrl { this_update, next_update, ..ca.crl() });
            }
            _ => ca.put_ocsp(OCSP, &TestAnswer::good(ca.leaf(), ca.issuing(), at)),
        };
        let asked = || ca.asked().iter().filter(|asked| *asked == path).count();
        put(ca.at);
        let (first, until) = (process(folder.path()), ca.at + Duration::DAY);
        for at in [ca.at, until - Duration::SECOND, until] {
            assert_eq!(sources(&ca, &leaf_at(&first, &ca, at)), [path]);
            assert_eq!(asked(), 1, "{path} as of {at}");
        }
        put(until);
        let later = until + Duration::SECOND;
        // What another process has fetched is found by the one that remembers an older answer.
        for process in [&process(folder.path()), &first] {
            assert_eq!(sources(&ca, &leaf_at(process, &ca, later)), [path]);
        }
        assert_eq!(asked(), 2, "{path}");
    }
}

#[test]
fn a_response_is_kept_for_its_certificate_and_judged_each_time() {
    let (ca, folder) = (FakeCa::new(), TempDir::new().unwrap());
    ca.put_ocsp(OCSP, &ca.good());
    assert_eq!(sources(&ca, &leaf(&process(folder.path()), &ca)), [OCSP]);
    assert_eq!(sources(&ca, &leaf(&process(folder.path()), &ca)), [OCSP]);
    assert_eq!(ca.asked(), [OCSP]);

    let cache = RevocationCache::new(folder.path());
    let request = ocsp_request(ca.leaf(), ca.issuing(), None);
    let of_another = ca.response(&TestAnswer::good(ca.issuing(), ca.pki.chain.root(), ca.at));
    let expired = TestAnswer { next_update: Some(ca.at - Duration::SECOND), ..ca.good() };
    for poison in [of_another, ca.response(&expired), b"<html>".to_vec(), Vec::new()] {
        cache.keep_ocsp(&ca.url(OCSP), &request, &poison);
        let before = ca.asked().len();
        assert_eq!(sources(&ca, &leaf(&process(folder.path()), &ca)), [OCSP]);
        assert_eq!(ca.asked().len(), before + 1);
        assert_ne!(cache.ocsp(&ca.url(OCSP), &request).unwrap().0, poison);
    }
}

#[test]
fn a_process_remembers_without_a_folder() {
    for path in [CRL, OCSP] {
        let ca = FakeCa::new();
        ca.put_ocsp(OCSP, &ca.good());
        if path == CRL {
            ca.put(OCSP, Answer::new(200, "<html>"));
            ca.put_crl(CRL, &ca.crl());
        }
        let process = fetcher(within(PATIENT));
        assert_eq!(sources(&ca, &leaf(&process, &ca)), [path]);
        assert_eq!(sources(&ca, &leaf(&process, &ca)), [path]);
        assert_eq!(ca.asked().iter().filter(|asked| *asked == path).count(), 1);
    }
}

#[test]
fn an_answer_of_no_use_is_not_kept() {
    use notation_sdk::revocation::Method::{Crl, Ocsp};
    for fault in Fault::ALL.into_iter().filter(|fault| !fault.is_slow()) {
        for (method, has_ocsp) in [(Ocsp, true), (Crl, false)] {
            let (ca, folder) = (fault.ca(method, has_ocsp, !has_ocsp), TempDir::new().unwrap());
            assert!(!leaf(&process(folder.path()), &ca).status.is_accepted());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{fault:?} of {method}");
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_fails_nothing() {
    let (ca, file) = (crl_only(), tempfile::NamedTempFile::new().unwrap());
    ca.put_crl(CRL, &ca.crl());
    assert_eq!(sources(&ca, &leaf(&process(file.path()), &ca)), [CRL]);
}

/// A CRL that names a delta CRL, number 10, and that delta CRL.
struct Delta {
    ca: FakeCa,
    base: Vec<u8>,
    delta: TestCrl,
    folder: TempDir,
}

impl Delta {
    fn new(places: &[&str]) -> Self {
        let ca = crl_only();
        let url = |path: &&str| if path.starts_with('/') { ca.url(path) } else { path.to_string() };
        let urls: Vec<_> = places.iter().map(url).collect();
        let urls: Vec<_> = urls.iter().map(String::as_str).collect();
        let freshest = sequence(&[distribution_point(&urls, &[])]);
        let base = ca.crl().number(10).extension("2.5.29.46", false, &freshest);
        let base = base.sign(&ca.pki.issuing_key);
        ca.put(CRL, Answer::new(200, base.clone()));
        let delta = ca.crl().number(11).delta_to(10);
        ca.put_crl(DELTA, &delta);
        Self { ca, base, delta, folder: TempDir::new().unwrap() }
    }

    fn sign(&self, delta: &TestCrl) -> Vec<u8> {
        delta.sign(&self.ca.pki.issuing_key)
    }

    /// Keeps the CRL, with what stands for its delta CRL.
    fn keep(&self, delta: Option<&[u8]>) {
        write_crl(self.folder.path(), &self.ca.url(CRL), &self.base, delta);
    }

    fn judge(&self) -> CertificateRevocation {
        leaf(&process(self.folder.path()), &self.ca)
    }

    fn kept(&self) -> Value {
        read_crl(self.folder.path(), &self.ca.url(CRL))
    }

    fn both(&self) -> Value {
        let delta = self.sign(&self.delta);
        json!({ "baseCRL": BASE64_STANDARD.encode(&self.base), "deltaCRL": BASE64_STANDARD.encode(delta) })
    }
}

#[test]
fn a_crl_and_its_delta_crl_are_kept_and_read_together() {
    let case = Delta::new(&[DELTA]);
    assert_eq!(sources(&case.ca, &case.judge()), [CRL, DELTA]);
    let (kept, both) = (case.kept(), case.both());
    assert_eq!(kept["baseCRL"], both["baseCRL"]);
    assert!(kept["deltaCRL"].is_string());
    assert_eq!(sources(&case.ca, &case.judge()), [CRL, DELTA]);
    assert_eq!(case.ca.asked(), [CRL, DELTA]);
    // What notation keeps counts alike.
    let revoking = case.delta.clone().revoke(case.ca.leaf(), Some(1));
    case.keep(Some(&case.sign(&revoking)));
    let judged = case.judge();
    assert!(matches!(judged.status, RevocationStatus::Revoked { .. }), "{judged:#?}");
    assert_eq!(case.ca.asked().len(), 2);
}

#[test]
fn a_crl_that_was_kept_without_its_delta_crl_or_with_one_that_does_not_hold_is_fetched_again() {
    let case = Delta::new(&[DELTA]);
    let expired =
        TestCrl { next_update: Some(case.ca.at - Duration::SECOND), ..case.delta.clone() };
    let poisoned = [
        None,
        Some(case.sign(&expired)),
        Some(case.delta.sign(&case.ca.pki.root_key)),
        Some(case.sign(&case.ca.crl().number(11))),
        Some(Vec::new()),
    ];
    for delta in poisoned {
        case.keep(delta.as_deref());
        let before = case.ca.asked().len();
        assert_eq!(sources(&case.ca, &case.judge()), [CRL, DELTA], "{delta:?}");
        assert_eq!(case.ca.asked()[before..], [CRL, DELTA], "{delta:?}");
        assert_ne!(
            case.kept()["deltaCRL"].as_str(),
            delta.map(|der| BASE64_STANDARD.encode(der)).as_deref()
        );
    }
}

#[test]
fn a_crl_whose_delta_crl_does_not_hold_is_not_kept() {
    let case = Delta::new(&[DELTA]);
    for delta in [
        Answer::new(503, ""),
        Answer::new(200, case.delta.sign(&case.ca.pki.root_key)),
        Answer::new(200, "<html>"),
    ] {
        case.ca.put(DELTA, delta);
        assert_eq!(unknown(&case.judge()).len(), 1);
        assert!(!crl_file(case.folder.path(), &case.ca.url(CRL)).exists());
    }
}

#[test]
fn of_several_delta_crls_the_one_that_holds_is_kept() {
    let case = Delta::new(&["/another.crl", DELTA]);
    let delta = case.sign(&case.delta);
    case.ca.put("/another.crl", Answer::new(200, case.delta.sign(&case.ca.pki.root_key)));
    case.ca.put(DELTA, Answer::new(200, delta.clone()));
    assert_eq!(sources(&case.ca, &case.judge()), [CRL, DELTA]);
    assert_eq!(case.kept()["deltaCRL"], BASE64_STANDARD.encode(delta));
    // The file does not say where the delta CRL is from, and a verdict names nobody who has not answered.
    assert_eq!(sources(&case.ca, &case.judge()), [CRL, DELTA]);
    assert_eq!(
        case.ca.asked(),
        [[CRL, "/another.crl", DELTA], [CRL, "/another.crl", DELTA]].concat()
    );
}

#[test]
fn a_delta_crl_that_was_kept_is_of_the_one_url_that_can_be_asked() {
    let case = Delta::new(&["ldap:///CN=CA?deltaRevocationList?base", DELTA]);
    for _ in 0..2 {
        let judged = case.judge();
        assert_eq!(sources(&case.ca, &judged), [CRL, DELTA]);
        let [told] = told(&judged.passed_over).try_into().unwrap();
        assert!(told.ends_with("URL is neither http nor https, and is passed over"), "{told}");
    }
    assert_eq!(case.ca.asked(), [CRL, DELTA]);
}

#[test]
fn whoever_reads_while_others_write_reads_a_whole_answer() {
    let (ca, folder) = (crl_only(), TempDir::new().unwrap());
    let crls: Vec<_> = (0..2)
        .map(|size| {
            let entries = (0..size * 2000_u32)
                .map(|n| entry(&[1, 2, 3, 4], ca.at - Duration::minutes(n.into()), &[]));
            let crl = TestCrl { entries: entries.collect(), ..ca.crl() };
            crl.sign(&ca.pki.issuing_key)
        })
        .collect();
    let (cache, url) = (RevocationCache::new(folder.path()), ca.url(CRL));
    cache.keep_crl(&url, &crls[0], None);
    thread::scope(|scope| {
        for crl in &crls {
            scope.spawn(|| (0..50).for_each(|_| cache.keep_crl(&url, crl, None)));
            scope.spawn(|| {
                (0..200).for_each(|_| assert!(crls.contains(&cache.crl(&url).unwrap().base)));
            });
        }
    });
    assert_eq!(fs::read_dir(folder.path().join("crl")).unwrap().count(), 1);
}

#[test]
fn a_pipe_in_the_cache_is_not_waited_for() {
    let (ca, folder) = (crl_only(), TempDir::new().unwrap());
    ca.put_crl(CRL, &ca.crl());
    let path = crl_file(folder.path(), &ca.url(CRL));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Run::new("mkfifo").arg(path.display().to_string()).finish().expect_status(0);
    assert_eq!(sources(&ca, &leaf(&process(folder.path()), &ca)), [CRL]);
}
