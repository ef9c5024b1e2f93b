//! CRLs and OCSP responses made by hand and signed by real keys, so that each fault can be put in alone.

use aws_lc_rs::digest;
use notation_sdk::{
    algorithm::KeySpec,
    keys::{SigningKey as _, file::FileKey},
    testing::ready,
    x509::Certificate,
};
use time::{Duration, UtcDateTime};

use super::der::{
    SEQUENCE, bits, ecdsa, enumerated, explicit, extension, generalized_time, implicit, integer,
    null, octets, oid, sequence, time, tlv,
};

/// A CRL before it is signed.
#[derive(Clone)]
pub(crate) struct TestCrl {
    /// `Name`, in DER.
    pub(crate) issuer: Vec<u8>,
    pub(crate) this_update: UtcDateTime,
    pub(crate) next_update: Option<UtcDateTime>,
    /// Each in DER.
    pub(crate) entries: Vec<Vec<u8>>,
    /// Each in DER.
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl TestCrl {
    /// An empty one of that issuer, from the day before `at` to the day after it.
    pub(crate) fn new(issuer: &Certificate, at: UtcDateTime) -> Self {
        Self {
            issuer: issuer.subject().as_der().to_vec(),
            this_update: at - Duration::days(1),
            next_update: Some(at + Duration::days(1)),
            entries: Vec::new(),
            extensions: Vec::new(),
        }
    }

    pub(crate) fn number(self, number: u64) -> Self {
        self.extension("2.5.29.20", false, &integer(number))
    }

    /// Makes it a delta CRL.
    pub(crate) fn delta_to(self, base: u64) -> Self {
        self.extension("2.5.29.27", true, &integer(base))
    }

    pub(crate) fn extension(mut self, oid: &str, critical: bool, value: &[u8]) -> Self {
        self.extensions.push(extension(oid, critical, value));
        self
    }

    /// `issuingDistributionPoint` with these parts.
    pub(crate) fn scope(self, parts: &[Vec<u8>]) -> Self {
        self.extension("2.5.29.28", true, &sequence(parts))
    }

    /// Lists a certificate, a day before `this_update`, for the reason of that code if one is given.
    pub(crate) fn revoke(self, certificate: &Certificate, reason: Option<u8>) -> Self {
        let reason = reason.map(|code| extension("2.5.29.21", false, &enumerated(code)));
        self.list(certificate, &reason.into_iter().collect::<Vec<_>>())
    }

    /// The same with an `invalidityDate`.
    pub(crate) fn revoke_since(
        self,
        certificate: &Certificate,
        reason: u8,
        since: UtcDateTime,
    ) -> Self {
        let reason = extension("2.5.29.21", false, &enumerated(reason));
        let since = extension("2.5.29.24", false, &generalized_time(since));
        self.list(certificate, &[reason, since])
    }

    /// Lists a certificate with these entry extensions, each in DER.
    pub(crate) fn list(mut self, certificate: &Certificate, extensions: &[Vec<u8>]) -> Self {
        let revoked_at = self.this_update - Duration::days(1);
        self.entries.push(entry(certificate.serial_number(), revoked_at, extensions));
        self
    }

    pub(crate) fn sign(&self, key: &FileKey) -> Vec<u8> {
        let algorithm = algorithm_identifier(spec_of(key));
        let entries = match self.entries.as_slice() {
            [] => Vec::new(),
            entries => tlv(SEQUENCE, &entries.concat()),
        };
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            extensions => explicit(0, &sequence(extensions)),
        };
        let tbs = sequence(&[
            integer(1),
            algorithm.clone(),
            self.issuer.clone(),
            time(self.this_update),
            self.next_update.map(time).unwrap_or_default(),
            entries,
            extensions,
        ]);
        let signature = bits(&sign(key, &tbs));
        sequence(&[tbs, algorithm, signature])
    }
}

/// An entry of a CRL.
pub(crate) fn entry(serial: &[u8], revoked_at: UtcDateTime, extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = if extensions.is_empty() { Vec::new() } else { sequence(extensions) };
    sequence(&[tlv(2, serial), time(revoked_at), extensions])
}

/// An OCSP response before it is signed.
#[derive(Clone)]
pub(crate) struct TestOcsp {
    /// `ResponderID`, in DER.
    pub(crate) responder: Vec<u8>,
    /// Each in DER.
    pub(crate) answers: Vec<Vec<u8>>,
    /// Each in DER.
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) at: UtcDateTime,
}

/// One answer of an OCSP response.
#[derive(Clone)]
pub(crate) struct TestAnswer {
    /// `CertID`, in DER.
    pub(crate) id: Vec<u8>,
    /// `CertStatus`, in DER.
    pub(crate) status: Vec<u8>,
    pub(crate) this_update: UtcDateTime,
    pub(crate) next_update: Option<UtcDateTime>,
    /// Each in DER.
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl TestOcsp {
    /// One without answers, of a responder of that certificate.
    pub(crate) fn new(responder: &Certificate, at: UtcDateTime) -> Self {
        Self {
            responder: by_name(responder),
            answers: Vec::new(),
            extensions: Vec::new(),
            certificates: Vec::new(),
            at,
        }
    }

    pub(crate) fn answer(mut self, answer: &TestAnswer) -> Self {
        self.answers.push(answer.to_der());
        self
    }

    pub(crate) fn nonce(mut self, nonce: &[u8]) -> Self {
        self.extensions.push(extension("1.3.6.1.5.5.7.48.1.2", false, &octets(nonce)));
        self
    }

    pub(crate) fn with(mut self, certificate: &Certificate) -> Self {
        self.certificates.push(certificate.clone());
        self
    }

    pub(crate) fn sign(&self, key: &FileKey) -> Vec<u8> {
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            extensions => explicit(1, &sequence(extensions)),
        };
        let data = sequence(&[
            self.responder.clone(),
            generalized_time(self.at),
            sequence(&self.answers),
            extensions,
        ]);
        let certificates: Vec<u8> =
            self.certificates.iter().flat_map(|one| one.as_der().to_vec()).collect();
        let certificates = match certificates.as_slice() {
            [] => Vec::new(),
            all => explicit(0, &tlv(SEQUENCE, all)),
        };
        let signature = bits(&sign(key, &data));
        let basic = sequence(&[data, algorithm_identifier(spec_of(key)), signature, certificates]);
        let bytes = sequence(&[oid("1.3.6.1.5.5.7.48.1.1"), octets(&basic)]);
        sequence(&[enumerated(0), explicit(0, &bytes)])
    }
}

impl TestAnswer {
    /// `good`, from the day before `at` to the day after it.
    pub(crate) fn good(certificate: &Certificate, issuer: &Certificate, at: UtcDateTime) -> Self {
        let sha1 = ("1.3.14.3.2.26", &digest::SHA1_FOR_LEGACY_USE_ONLY);
        Self {
            id: certificate_id(certificate, issuer, sha1),
            status: implicit(0, &[]),
            this_update: at - Duration::days(1),
            next_update: Some(at + Duration::days(1)),
            extensions: Vec::new(),
        }
    }

    /// The same, with the certificate identified by another hash.
    pub(crate) fn identified(
        mut self,
        certificate: &Certificate,
        issuer: &Certificate,
        hash: (&str, &'static digest::Algorithm),
    ) -> Self {
        self.id = certificate_id(certificate, issuer, hash);
        self
    }

    pub(crate) fn unknown(mut self) -> Self {
        self.status = implicit(2, &[]);
        self
    }

    /// Revoked a day before `this_update`, for the reason of that code if one is given.
    pub(crate) fn revoked(mut self, reason: Option<u8>) -> Self {
        let at = generalized_time(self.this_update - Duration::days(1));
        let reason = reason.map(|code| explicit(0, &enumerated(code))).unwrap_or_default();
        self.status = explicit(1, &[at, reason].concat());
        self
    }

    pub(crate) fn extension(mut self, oid: &str, critical: bool, value: &[u8]) -> Self {
        self.extensions.push(extension(oid, critical, value));
        self
    }

    fn to_der(&self) -> Vec<u8> {
        let next = self.next_update.map(|time| explicit(0, &generalized_time(time)));
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            extensions => explicit(1, &sequence(extensions)),
        };
        sequence(&[
            self.id.clone(),
            self.status.clone(),
            generalized_time(self.this_update),
            next.unwrap_or_default(),
            extensions,
        ])
    }
}

/// `ResponderID` by the subject's name.
pub(crate) fn by_name(certificate: &Certificate) -> Vec<u8> {
    explicit(1, certificate.subject().as_der())
}

/// `ResponderID` by SHA-1 over the key's bits.
pub(crate) fn by_key(certificate: &Certificate) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &key_bits(certificate));
    explicit(2, &octets(hash.as_ref()))
}

fn certificate_id(
    certificate: &Certificate,
    issuer: &Certificate,
    (hash_oid, hash): (&str, &'static digest::Algorithm),
) -> Vec<u8> {
    let hashed = |data: &[u8]| octets(digest::digest(hash, data).as_ref());
    sequence(&[
        sequence(&[oid(hash_oid), null()]),
        hashed(issuer.subject().as_der()),
        hashed(&key_bits(issuer)),
        tlv(2, certificate.serial_number()),
    ])
}

/// The contents of the bit string of a P-256 key, which stand at the end of its DER.
fn key_bits(certificate: &Certificate) -> Vec<u8> {
    let der = certificate.public_key().as_spki_der();
    der[der.len() - 65..].to_vec()
}

fn spec_of(key: &FileKey) -> KeySpec {
    ready(key.public_key()).unwrap().key_spec().unwrap()
}

/// ECDSA with the hash of the key's size.
fn algorithm_identifier(spec: KeySpec) -> Vec<u8> {
    sequence(&[oid(match spec {
        KeySpec::Ec256 => "1.2.840.10045.4.3.2",
        KeySpec::Ec384 => "1.2.840.10045.4.3.3",
        other => panic!("{other} signs no answers here"),
    })])
}

fn sign(key: &FileKey, message: &[u8]) -> Vec<u8> {
    let algorithm = spec_of(key).signature_algorithm();
    let hash = match spec_of(key) {
        KeySpec::Ec256 => &digest::SHA256,
        _ => &digest::SHA384,
    };
    let hash = digest::digest(hash, message);
    ecdsa(&ready(key.sign(algorithm, hash.as_ref())).unwrap())
}
