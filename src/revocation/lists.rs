//! What CRLs come to for one certificate (RFC 5280, section 6.3.3; trust-store-trust-policy.md, "Revocation
//! Checking with CRL" and "… with Delta CRLs").

use time::UtcDateTime;

use super::{
    Attempt, AttemptError, Crl, CrlError, CrlEvidence, Evidence, Method, RevocationReason,
    RevocationStatus, Source,
    entry::Entry,
    signed::{check_begun, check_current},
};
use crate::{
    asn1::{Reader, tag},
    x509::{Certificate, DistributionPoint, Reasons},
};

/// One certificate, and the CRLs that there are.
pub(super) struct Lists<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) issuer: &'a Certificate,
    pub(super) evidence: &'a Evidence,
    pub(super) at: UtcDateTime,
    /// Before this time the signature was made. A key that was good until then does no harm.
    pub(super) signed_before: Option<UtcDateTime>,
}

/// How a CRL lists a certificate, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Listed {
    Not,
    /// Its key was good until this time, which is after the signature was made.
    Later(UtcDateTime),
    Removed,
    Held(Entry),
    Revoked(Entry),
}

/// What one distribution point's CRL says, with its delta CRL.
struct Finding {
    listed: Listed,
    /// The source of what `listed` says.
    by: Source,
    /// All sources, the complete CRL first.
    sources: Vec<Source>,
    reasons: Reasons,
    this_update: UtcDateTime,
}

impl Lists<'_> {
    /// The verdict, where the CRLs have one; everything that gave none goes to `attempts`.
    pub(super) fn judge(&self, attempts: &mut Vec<Attempt>) -> Option<RevocationStatus> {
        let points = match self.certificate.crl_distribution_points() {
            Ok(points) => points,
            Err(error) => {
                attempts.push(Attempt::without_url(Method::Crl, error));
                return None;
            }
        };
        let (mut covered, mut good, mut invalid_from) = (Reasons::NONE, Vec::new(), None);
        for point in &points {
            let Some(finding) = self.point(point, &points, attempts) else { continue };
            match finding.listed {
                Listed::Held(entry) | Listed::Revoked(entry) => {
                    return Some(finding.by.revoked(entry));
                }
                Listed::Later(from) => invalid_from = invalid_from.max(Some(from)),
                Listed::Not | Listed::Removed => {}
            }
            covered = covered.or(finding.reasons);
            good.extend(finding.sources);
        }
        if covered == Reasons::ALL {
            return Some(RevocationStatus::Good { sources: good, invalid_from });
        }
        if !good.is_empty() {
            attempts.push(Attempt::without_url(Method::Crl, CrlError::ReasonsNotCovered));
        }
        None
    }

    /// What the CRL of a distribution point says: the newest, where there are several.
    fn point(
        &self,
        point: &DistributionPoint,
        all: &[DistributionPoint],
        attempts: &mut Vec<Attempt>,
    ) -> Option<Finding> {
        if !self.is_own(point) {
            let url = point.uris().first().cloned();
            let why = CrlError::Indirect.into();
            attempts.push(Attempt { method: Method::Crl, url, why });
            return None;
        }
        if point.uris().is_empty() {
            attempts.push(Attempt::without_url(Method::Crl, AttemptError::NoUrl));
        }
        let mut found: Option<Finding> = None;
        for url in point.uris() {
            let mut answers = self.answers(url).peekable();
            if answers.peek().is_none() {
                attempts.push(Attempt::unasked(Method::Crl, url));
            }
            for answer in answers {
                match self.complete(answer, point, attempts) {
                    Ok(finding) => found = Finding::newest(found, finding),
                    Err(Some(why)) => attempts.push(Attempt::new(Method::Crl, url, why)),
                    Err(None) => {}
                }
            }
        }
        found.or_else(|| self.unnamed(point, all, attempts))
    }

    /// A CRL that no distribution point names may be about the certificate all the same: a folder of files.
    fn unnamed(
        &self,
        point: &DistributionPoint,
        all: &[DistributionPoint],
        attempts: &mut Vec<Attempt>,
    ) -> Option<Finding> {
        let is_named = |url: &String| all.iter().any(|point| point.uris().contains(url));
        let mut found = None;
        for answer in self.evidence.crls.iter().filter(|answer| !is_named(&answer.url)) {
            if !self.is_candidate(answer, false) {
                continue;
            }
            match self.complete(answer, point, attempts) {
                Ok(finding) => found = Finding::newest(found, finding),
                Err(Some(why)) => attempts.push(Attempt::new(Method::Crl, &answer.url, why)),
                Err(None) => {}
            }
        }
        found
    }

    /// What a complete CRL says. An error without a reason has told its reasons in `attempts` already.
    fn complete(
        &self,
        answer: &CrlEvidence,
        point: &DistributionPoint,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Finding, Option<AttemptError>> {
        let crl = self.parse(answer).map_err(Some)?;
        let crl_error = |error: CrlError| Some(error.into());
        if crl.is_delta() {
            return Err(crl_error(CrlError::UnexpectedDelta));
        }
        let reasons = crl.scope().reasons_for(self.certificate, point).map_err(crl_error)?;
        let source = Source::of_crl(Method::Crl, answer, &crl);
        let listed = self.listed(&crl).map_err(crl_error)?;
        let mut finding = Finding {
            listed,
            by: source.clone(),
            sources: vec![source],
            reasons,
            this_update: crl.this_update(),
        };
        if !matches!(listed, Listed::Revoked(_)) {
            self.update(&crl, &mut finding, attempts)?;
        }
        Ok(finding)
    }

    /// Brings a finding up to date by the delta CRL, where one is published.
    fn update(
        &self,
        crl: &Crl<'_>,
        finding: &mut Finding,
        attempts: &mut Vec<Attempt>,
    ) -> Result<(), Option<AttemptError>> {
        let own = crl.freshest_crl().map_err(|error| Some(error.into()))?;
        let certificates = self.certificate.freshest_crl().map_err(|error| Some(error.into()))?;
        let points: Vec<_> = own.into_iter().chain(certificates).collect();
        if points.is_empty() {
            return Ok(());
        }
        let Some((listed, source)) = self.delta(crl, &points, attempts) else { return Err(None) };
        let updated = match (finding.listed, listed) {
            (_, Listed::Removed | Listed::Held(_) | Listed::Revoked(_)) => listed,
            (before, Listed::Not | Listed::Later(_)) => before.max(listed),
        };
        if updated != finding.listed {
            finding.by = source.clone();
        }
        finding.listed = updated;
        finding.this_update = finding.this_update.max(source.this_update);
        finding.sources.push(source);
        Ok(())
    }

    /// What the newest delta CRL to a CRL says. All places are alternatives: the scope of each has to be that
    /// of the complete CRL.
    fn delta(
        &self,
        crl: &Crl<'_>,
        points: &[DistributionPoint],
        attempts: &mut Vec<Attempt>,
    ) -> Option<(Listed, Source)> {
        let mut urls: Vec<_> = points.iter().flat_map(DistributionPoint::uris).collect();
        urls.sort();
        urls.dedup();
        let mut found = None;
        let mut tried = Vec::new();
        for url in &urls {
            let mut answers = self.answers(url).peekable();
            if answers.peek().is_none() {
                tried.push(Attempt::unasked(Method::DeltaCrl, url));
            }
            for answer in answers {
                self.take_delta(crl, answer, &mut found, &mut tried);
            }
        }
        if found.is_none() {
            let others = self.evidence.crls.iter().filter(|answer| !urls.contains(&&answer.url));
            for answer in others.filter(|answer| self.is_candidate(answer, true)) {
                self.take_delta(crl, answer, &mut found, &mut tried);
            }
        }
        if urls.is_empty() && found.is_none() {
            tried.push(Attempt::without_url(Method::DeltaCrl, AttemptError::NoUrl));
        }
        attempts.extend(tried);
        found.map(|(_, listed, source)| (listed, source))
    }

    fn take_delta<'e>(
        &'e self,
        crl: &Crl<'_>,
        answer: &'e CrlEvidence,
        found: &mut Option<(Crl<'e>, Listed, Source)>,
        tried: &mut Vec<Attempt>,
    ) {
        let read = || -> Result<(Crl<'e>, Listed), AttemptError> {
            let delta = self.parse(answer)?;
            crl.check_delta(&delta)?;
            let listed = self.listed(&delta)?;
            Ok((delta, listed))
        };
        match read() {
            Ok((delta, listed)) => {
                let counts = found.as_ref().is_none_or(|(known, before, _)| {
                    !matches!(before, Listed::Revoked(_))
                        && (matches!(listed, Listed::Revoked(_)) || delta.is_newer_than(known))
                });
                if counts {
                    let source = Source::of_crl(Method::DeltaCrl, answer, &delta);
                    *found = Some((delta, listed, source));
                }
            }
            Err(why) => tried.push(Attempt::new(Method::DeltaCrl, &answer.url, why)),
        }
    }

    /// Reads a CRL that the certificate's issuer has signed, and that is not from the future.
    fn parse<'e>(&self, answer: &'e CrlEvidence) -> Result<Crl<'e>, AttemptError> {
        let crl = Crl::parse(answer.answer.as_ref().map_err(Clone::clone)?)?;
        crl.verify(self.issuer)?;
        check_begun(crl.this_update(), self.at).map_err(CrlError::from)?;
        Ok(crl)
    }

    /// How a CRL lists the certificate. One that has expired still tells what is never taken back.
    fn listed(&self, crl: &Crl<'_>) -> Result<Listed, CrlError> {
        let entries = crl.entries_of(self.certificate)?;
        let listed = entries.into_iter().map(|entry| self.weigh(entry)).max();
        let listed = listed.unwrap_or(Listed::Not);
        if !matches!(listed, Listed::Revoked(_)) {
            check_current(crl.next_update(), self.at)?;
        }
        Ok(listed)
    }

    fn weigh(&self, entry: Entry) -> Listed {
        match (entry.reason, self.signed_before, entry.invalidity_date) {
            (RevocationReason::RemoveFromCrl, ..) => Listed::Removed,
            (_, Some(signed_before), Some(invalid)) if signed_before < invalid => {
                Listed::Later(invalid)
            }
            (RevocationReason::CertificateHold, ..) => Listed::Held(entry),
            _ => Listed::Revoked(entry),
        }
    }

    fn answers(&self, url: &str) -> impl Iterator<Item = &CrlEvidence> {
        self.evidence.crls.iter().filter(move |answer| answer.url == url)
    }

    /// Whether an answer that nobody names is a CRL of the issuer.
    fn is_candidate(&self, answer: &CrlEvidence, delta: bool) -> bool {
        let crl = answer.answer.as_ref().ok().and_then(|der| Crl::parse(der).ok());
        crl.is_some_and(|crl| crl.is_of(self.issuer) && crl.is_delta() == delta)
    }

    /// Whether the certificate's issuer signs the CRL of the point.
    fn is_own(&self, point: &DistributionPoint) -> bool {
        let is_issuer = |name: &Vec<u8>| {
            // directoryName [4] Name, which is a CHOICE and so tagged around.
            Reader::whole(name, tag::constructed(4)) == Ok(self.issuer.subject().as_der())
        };
        point.crl_issuer.as_ref().is_none_or(|names| names.iter().any(is_issuer))
    }
}

impl Finding {
    /// The newest counts; but what is revoked stays revoked.
    fn newest(known: Option<Self>, other: Self) -> Option<Self> {
        let Some(known) = known else { return Some(other) };
        let rank = |finding: &Self| {
            let is_final = matches!(finding.listed, Listed::Revoked(_));
            (is_final, finding.this_update, finding.listed)
        };
        Some(if rank(&other) > rank(&known) { other } else { known })
    }
}

impl Source {
    fn of_crl(method: Method, answer: &CrlEvidence, crl: &Crl<'_>) -> Self {
        let (this_update, next_update) = (crl.this_update(), crl.next_update());
        let CrlEvidence { url, fetched_at, .. } = answer;
        Self { method, url: url.clone(), fetched_at: *fetched_at, this_update, next_update }
    }

    pub(super) fn revoked(self, entry: Entry) -> RevocationStatus {
        let Entry { revoked_at: at, reason, invalidity_date } = entry;
        RevocationStatus::Revoked { source: self, reason, at, invalidity_date }
    }
}
