//! Verdicts as JSON.

use serde::{Serialize, Serializer};

use super::{Attempt, CertificateRevocation, RevocationStatus, Source};
use crate::{crypto, x509::Rfc3339};

/// `"status": good | revoked | unknown | notApplicable`, with what belongs to each.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    subject: String,
    sha256: String,
    status: &'static str,
    sources: Vec<SourceWire<'a>>,
    /// With `good`, the certificate is listed as revoked and its key was good until after the signature was made.
    reason: Option<&'static str>,
    revoked_at: Option<String>,
    /// Since when the key is not to be relied on; with `good`, that is after the signature was made.
    invalidity_date: Option<String>,
    /// Why nobody was asked.
    not_applicable: Option<String>,
    /// What gave no verdict.
    attempts: Vec<AttemptWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceWire<'a> {
    method: String,
    url: &'a str,
    fetched_at: String,
    this_update: String,
    next_update: Option<String>,
}

#[derive(Serialize)]
struct AttemptWire<'a> {
    method: String,
    url: Option<&'a str>,
    reason: String,
}

impl Serialize for CertificateRevocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut wire = Wire {
            subject: self.subject.to_string(),
            sha256: crypto::hex(&self.fingerprint),
            status: "good",
            sources: Vec::new(),
            reason: None,
            revoked_at: None,
            invalidity_date: None,
            not_applicable: None,
            attempts: self.passed_over.iter().map(AttemptWire::new).collect(),
        };
        match &self.status {
            RevocationStatus::Good { sources, listed } => {
                wire.sources = sources.iter().map(SourceWire::new).collect();
                if let Some(listed) = listed {
                    wire.reason = Some(listed.reason.name());
                    wire.revoked_at = Some(Rfc3339(listed.at).to_string());
                    wire.invalidity_date = Some(Rfc3339(listed.invalidity_date).to_string());
                }
            }
            RevocationStatus::Revoked { source, reason, at, invalidity_date } => {
                wire.status = "revoked";
                wire.sources = vec![SourceWire::new(source)];
                wire.reason = Some(reason.name());
                wire.revoked_at = Some(Rfc3339(*at).to_string());
                wire.invalidity_date = invalidity_date.map(|time| Rfc3339(time).to_string());
            }
            RevocationStatus::Unknown { attempts } => {
                wire.status = "unknown";
                wire.attempts = attempts.iter().map(AttemptWire::new).collect();
            }
            RevocationStatus::NotApplicable { why } => {
                wire.status = "notApplicable";
                wire.not_applicable = Some(why.to_string());
            }
        }
        wire.serialize(serializer)
    }
}

impl<'a> SourceWire<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            method: source.method.to_string(),
            url: &source.url,
            fetched_at: Rfc3339(source.fetched_at).to_string(),
            this_update: Rfc3339(source.this_update).to_string(),
            next_update: source.next_update.map(|time| Rfc3339(time).to_string()),
        }
    }
}

impl<'a> AttemptWire<'a> {
    fn new(attempt: &'a Attempt) -> Self {
        let url = attempt.url.as_deref();
        Self { method: attempt.method.to_string(), url, reason: attempt.reason() }
    }
}
