//! What CRLs come to for one certificate (RFC 5280, section 6.3.3; trust-store-trust-policy.md, "Revocation
//! Checking with CRL" and "… with Delta CRLs").

use time::UtcDateTime;

use super::{
    Attempt, AttemptError, Crl, CrlError, CrlEvidence, Evidence, Method, RevocationReason,
    RevocationStatus, Source,
    entry::Entry,
    responder::Unreadable,
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

/// What a CRL says of a certificate, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Nothing,
    /// Its key was good until this time, which is after the signature was made.
    Later(UtcDateTime, Entry),
    Removed,
    Held(Entry),
    /// It is listed, and nobody can tell how.
    Unreadable,
    Revoked(Entry),
}

/// Why a complete CRL gives no finding.
enum NoFinding {
    /// It counts for nothing.
    Unusable(AttemptError),
    /// It is the issuer's, and waits for its delta CRL or lists the certificate: what stands in for it would hide that.
    /// Why it does not count stands in the attempts.
    Undecided(Option<Hold>),
}

/// A hold of which nobody can tell whether it has ended, the newest last: by a CRL of that time, at that place.
type Hold = (UtcDateTime, String);

/// What one distribution point's CRL says, with its delta CRL.
struct Finding {
    word: Word,
    /// The source of that.
    by: Source,
    /// All sources, the complete CRL first.
    sources: Vec<Source>,
    reasons: Reasons,
    this_update: UtcDateTime,
}

impl Lists<'_> {
    /// What files say against the certificate and no CRL takes back. Whoever hands one in knows what it says, and it is
    /// true whatever its age, whatever its certificate names and whatever a responder answers.
    ///
    /// # Errors
    /// [`Unreadable`], where the certificate is listed in a way that cannot be read.
    pub(super) fn revoked_by_file(
        &self,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Option<RevocationStatus>, Unreadable> {
        let mut result = Ok(None);
        for file in self.files(false).chain(self.files(true)) {
            let Ok(crl) = self.parse(file) else { continue };
            if crl.scope().check_kind(self.certificate).is_err() {
                continue;
            }
            let method = if crl.is_delta() { Method::DeltaCrl } else { Method::Crl };
            match self.word(&crl) {
                Ok(Word::Revoked(entry)) => {
                    return Ok(Some(Source::of_crl(method, file, &crl).revoked(entry)));
                }
                Ok(Word::Unreadable) => {
                    attempts.push(Attempt::new(method, &file.url, CrlError::BadEntry));
                    result = Err(Unreadable);
                }
                _ => {}
            }
        }
        result
    }

    /// The verdict, where the CRLs have one; everything that gave none goes to `attempts`.
    pub(super) fn judge(&self, attempts: &mut Vec<Attempt>) -> Option<RevocationStatus> {
        let points = match self.certificate.crl_distribution_points() {
            Ok(points) => points,
            Err(error) => {
                attempts.push(Attempt::without_url(Method::Crl, error));
                return None;
            }
        };
        let (mut covered, mut good, mut listed) = (Reasons::NONE, Vec::new(), None);
        for point in &points {
            let Some(finding) = self.point(point, attempts) else { continue };
            match finding.word {
                Word::Held(entry) | Word::Revoked(entry) => {
                    return Some(finding.by.revoked(entry));
                }
                Word::Unreadable => {
                    let Source { method, url, .. } = &finding.by;
                    attempts.push(Attempt::new(*method, url, CrlError::BadEntry));
                    return None;
                }
                Word::Later(since, entry) => listed = Some(entry.listed_since(since)),
                Word::Nothing | Word::Removed => {}
            }
            covered = covered.or(finding.reasons);
            good.extend(finding.sources);
        }
        if covered == Reasons::ALL {
            return Some(RevocationStatus::Good { sources: good, listed });
        }
        if !good.is_empty() {
            attempts.push(Attempt::without_url(Method::Crl, CrlError::ReasonsNotCovered));
        }
        None
    }

    /// What the CRL of a distribution point says: the newest, where there are several. A file counts where none of the
    /// point's own URLs gave anything, and for a hold where it is newer. A hold that may last leaves what is older
    /// undecided.
    fn point(&self, point: &DistributionPoint, attempts: &mut Vec<Attempt>) -> Option<Finding> {
        if !self.is_own(point) {
            let url = point.uris().first().cloned();
            let why = CrlError::Indirect.into();
            attempts.push(Attempt { method: Method::Crl, url, why });
            return None;
        }
        if point.uris().is_empty() {
            attempts.push(Attempt::without_url(Method::Crl, AttemptError::NoUrl));
        }
        let (mut named, mut is_undecided, mut hold) = (None, false, None);
        for url in point.uris() {
            let mut answers = self.answers(url).peekable();
            if answers.peek().is_none() {
                attempts.push(Attempt::unasked(Method::Crl, url));
            }
            for answer in answers {
                match self.complete(answer, point, attempts) {
                    Ok(finding) => named = Finding::newest(named, finding),
                    Err(NoFinding::Unusable(why)) => {
                        attempts.push(Attempt::new(Method::Crl, url, why));
                    }
                    Err(NoFinding::Undecided(held)) => {
                        is_undecided = true;
                        hold = hold.max(held);
                    }
                }
            }
        }
        let mut about_files = Vec::new();
        let (of_files, held) = self.of_files(point, &mut about_files);
        if named.is_none() || held.is_some() {
            attempts.append(&mut about_files);
        }
        hold = hold.max(held);
        let may_vouch = named.is_none() && !is_undecided;
        let found = match of_files.filter(|finding| may_vouch || finding.word.is_against()) {
            Some(finding) => Finding::newest(named, finding),
            None => named,
        }?;
        match hold {
            Some((since, place)) if !found.word.is_against() && found.this_update <= since => {
                attempts.push(Attempt::new(Method::Crl, &place, CrlError::MayBeOnHold));
                None
            }
            _ => Some(found),
        }
    }

    /// What the CRLs of a folder say, whose names nobody names.
    fn of_files(
        &self,
        point: &DistributionPoint,
        attempts: &mut Vec<Attempt>,
    ) -> (Option<Finding>, Option<Hold>) {
        let (mut found, mut hold) = (None, None);
        for answer in self.files(false) {
            match self.complete(answer, point, attempts) {
                Ok(finding) => found = Finding::newest(found, finding),
                Err(NoFinding::Unusable(why)) => {
                    attempts.push(Attempt::new(Method::Crl, &answer.url, why));
                }
                Err(NoFinding::Undecided(held)) => hold = hold.max(held),
            }
        }
        (found, hold)
    }

    /// What a complete CRL says.
    fn complete(
        &self,
        answer: &CrlEvidence,
        point: &DistributionPoint,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Finding, NoFinding> {
        let crl = self.parse(answer)?;
        if crl.is_delta() {
            return Err(CrlError::UnexpectedDelta.into());
        }
        let reasons = crl.scope().reasons_for(self.certificate, point)?;
        let source = Source::of_crl(Method::Crl, answer, &crl);
        let word = self.word(&crl)?;
        if let Err(why) = self.check_current(answer, &crl, word) {
            if !word.is_against() {
                return Err(why.into());
            }
            attempts.push(Attempt::new(Method::Crl, &answer.url, why));
            return Err(NoFinding::Undecided(Some((crl.this_update(), source.url))));
        }
        let this_update = crl.this_update();
        let (by, sources) = (source.clone(), vec![source]);
        let mut finding = Finding { word, by, sources, reasons, this_update };
        if !word.is_final() {
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
    ) -> Result<(), NoFinding> {
        let mut points = Vec::new();
        for named in [crl.freshest_crl(), self.certificate.freshest_crl()] {
            match named {
                Ok(named) => points.extend(named),
                Err(why) => {
                    attempts.push(Attempt::new(Method::Crl, &finding.by.url, why));
                    return Err(finding.undecided());
                }
            }
        }
        let Some((word, source)) = self.delta(crl, &points, attempts) else {
            return if points.is_empty() { Ok(()) } else { Err(finding.undecided()) };
        };
        let updated = match (finding.word, word) {
            (before, Word::Nothing | Word::Later(..)) => before.max(word),
            _ => word,
        };
        if updated != finding.word {
            finding.by = source.clone();
        }
        finding.word = updated;
        finding.this_update = finding.this_update.max(source.this_update);
        finding.sources.push(source);
        Ok(())
    }

    /// What the newest delta CRL to a CRL says. All places are alternatives: the scope of each has to be that
    /// of the complete CRL. A file counts where none is there of those that are named, and against the certificate
    /// where it is newer.
    fn delta(
        &self,
        crl: &Crl<'_>,
        points: &[DistributionPoint],
        attempts: &mut Vec<Attempt>,
    ) -> Option<(Word, Source)> {
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
                self.take_delta(crl, answer, |_| true, &mut found, &mut tried);
            }
        }
        let stands_in = found.is_none() && !points.is_empty();
        let mut about_files = Vec::new();
        for answer in self.files(true) {
            let counts = |word: Word| stands_in || word.is_against();
            self.take_delta(crl, answer, counts, &mut found, &mut about_files);
        }
        if stands_in {
            tried.append(&mut about_files);
        }
        if urls.is_empty() && !points.is_empty() && found.is_none() {
            tried.push(Attempt::without_url(Method::DeltaCrl, AttemptError::NoUrl));
        }
        attempts.extend(tried);
        found.map(|(_, word, source)| (word, source))
    }

    fn take_delta<'e>(
        &'e self,
        crl: &Crl<'_>,
        answer: &'e CrlEvidence,
        may_count: impl FnOnce(Word) -> bool,
        found: &mut Option<(Crl<'e>, Word, Source)>,
        tried: &mut Vec<Attempt>,
    ) {
        let read = || -> Result<(Crl<'e>, Word), AttemptError> {
            let delta = self.parse(answer)?;
            crl.check_delta(&delta)?;
            let word = self.word(&delta)?;
            self.check_current(answer, &delta, word)?;
            Ok((delta, word))
        };
        match read() {
            Ok((delta, word)) => {
                let counts = found.as_ref().is_none_or(|(known, before, _)| {
                    let newer = || !before.is_final() && delta.is_newer_than(known);
                    word.finality() > before.finality() || newer()
                });
                if counts && may_count(word) {
                    let source = Source::of_crl(Method::DeltaCrl, answer, &delta);
                    *found = Some((delta, word, source));
                }
            }
            Err(why) => tried.push(Attempt::new(Method::DeltaCrl, &answer.url, why)),
        }
    }

    /// Reads a CRL that the certificate's issuer has signed, and that is not from the future.
    fn parse<'e>(&self, answer: &'e CrlEvidence) -> Result<Crl<'e>, AttemptError> {
        let answer = answer.answer.as_ref().map_err(Clone::clone)?;
        let crl = Crl::parse(answer.as_bytes())?;
        crl.check_issuer(self.issuer)?;
        answer.verify(crl.signed(), self.issuer.public_key()).map_err(CrlError::from)?;
        check_begun(crl.this_update(), self.at).map_err(CrlError::from)?;
        Ok(crl)
    }

    /// What a CRL says of the certificate: the worst of its entries.
    fn word(&self, crl: &Crl<'_>) -> Result<Word, CrlError> {
        let entries = crl.entries_of(self.certificate)?.into_iter();
        let words = entries.map(|entry| entry.map_or(Word::Unreadable, |entry| self.weigh(entry)));
        Ok(words.max().unwrap_or(Word::Nothing))
    }

    /// Shows that a CRL still holds. One that has expired, or is too old for its user, still tells what is never taken
    /// back.
    fn check_current(
        &self,
        answer: &CrlEvidence,
        crl: &Crl<'_>,
        word: Word,
    ) -> Result<(), AttemptError> {
        if word.is_final() {
            return Ok(());
        }
        if let Some(too_old) = &answer.too_old {
            return Err(too_old.clone().into());
        }
        Ok(check_current(crl.next_update(), self.at).map_err(CrlError::from)?)
    }

    fn weigh(&self, entry: Entry) -> Word {
        match (entry.reason, self.signed_before, entry.invalidity_date) {
            (RevocationReason::RemoveFromCrl, ..) => Word::Removed,
            (_, Some(signed_before), Some(invalid)) if signed_before < invalid => {
                Word::Later(invalid, entry)
            }
            (RevocationReason::CertificateHold, ..) => Word::Held(entry),
            _ => Word::Revoked(entry),
        }
    }

    /// What came of asking a URL.
    fn answers(&self, url: &str) -> impl Iterator<Item = &CrlEvidence> {
        self.evidence.crls.iter().filter(move |answer| !answer.is_file && answer.url == url)
    }

    /// The files that hold a CRL of the issuer: complete ones, or delta CRLs.
    fn files(&self, delta: bool) -> impl Iterator<Item = &CrlEvidence> {
        let is_of_issuer = move |der: &[u8]| {
            Crl::parse(der).is_ok_and(|crl| crl.is_of(self.issuer) && crl.is_delta() == delta)
        };
        let files = self.evidence.crls.iter().filter(|answer| answer.is_file);
        files.filter(move |file| match &file.answer {
            Ok(answer) => is_of_issuer(answer.as_bytes()),
            // Whose it was is not known any more, and that it does not count is told.
            Err(_) => !delta,
        })
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

impl Word {
    /// Whether it speaks against the certificate.
    const fn is_against(self) -> bool {
        matches!(self, Self::Held(_) | Self::Unreadable | Self::Revoked(_))
    }

    /// Whether no other CRL takes it back.
    fn is_final(self) -> bool {
        self.finality() > 0
    }

    /// What is revoked stays revoked, and what cannot be read overrules all but that.
    const fn finality(self) -> u8 {
        match self {
            Self::Revoked(_) => 2,
            Self::Unreadable => 1,
            _ => 0,
        }
    }
}

impl Finding {
    /// What a finding is without the delta CRL that it waits for.
    fn undecided(&self) -> NoFinding {
        let hold = || (self.this_update, self.by.url.clone());
        NoFinding::Undecided(self.word.is_against().then(hold))
    }

    /// The newest counts; but what is final stays.
    fn newest(known: Option<Self>, other: Self) -> Option<Self> {
        let Some(known) = known else { return Some(other) };
        let rank = |finding: &Self| (finding.word.finality(), finding.this_update, finding.word);
        Some(if rank(&other) > rank(&known) { other } else { known })
    }
}

impl<E: Into<AttemptError>> From<E> for NoFinding {
    fn from(why: E) -> Self {
        Self::Unusable(why.into())
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
