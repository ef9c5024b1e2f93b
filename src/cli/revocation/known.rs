//! Evidence at hand, and whoever can be asked for the rest.

use std::pin::Pin;

use time::UtcDateTime;

use crate::{
    revocation::{
        Attempt, AttemptError, Evidence, OcspError, RevocationSource, RevocationStatus,
        SigningTime, fetch::Fetcher, judge,
    },
    x509::CertificateChain,
};

/// What is known, and who is asked for the rest.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) evidence: Evidence,
    pub(super) fetcher: Fetcher,
}

impl RevocationSource for Known {
    fn collect<'a>(
        &'a self,
        chain: &'a CertificateChain,
        evidence: &'a mut Evidence,
        at: UtcDateTime,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        evidence.merge(self.of_use(chain, at));
        self.fetcher.collect(chain, evidence, at)
    }
}

impl Known {
    /// The evidence without what was asked for in vain and answers that count for nothing: servers may do better by now,
    /// and nobody asks them where there is an answer already. Files stay, as nobody takes them for an answer.
    fn of_use(&self, chain: &CertificateChain, at: UtcDateTime) -> Evidence {
        let mut evidence = self.evidence.clone();
        evidence.crls.retain(|one| one.is_file || one.answer.is_ok() && one.too_old.is_none());
        evidence.ocsp.retain(|one| one.answer.is_ok());
        for judged in judge(chain, &self.evidence, at, SigningTime::Unknown) {
            let attempts = match &judged.status {
                RevocationStatus::Unknown { attempts } => attempts,
                _ => &judged.passed_over,
            };
            evidence.crls.retain(|one| one.is_file || !is_of_no_use(attempts, &one.url));
            evidence.ocsp.retain(|one| {
                one.certificate != judged.fingerprint || !is_of_no_use(attempts, &one.url)
            });
        }
        evidence
    }
}

/// Whether the answer of that URL decided nothing. One that only waits for the responder's CRL may still.
fn is_of_no_use(attempts: &[Attempt], url: &str) -> bool {
    attempts.iter().any(|attempt| match &attempt.why {
        AttemptError::Ocsp(OcspError::ResponderUnchecked { attempts, .. }) => {
            is_of_no_use(attempts, url)
        }
        _ => attempt.url.as_deref() == Some(url),
    })
}
