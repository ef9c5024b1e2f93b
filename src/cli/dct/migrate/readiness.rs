//! What is looked at before anything is signed: whether the strict policy would accept what the plan's keys sign.

use std::collections::BTreeMap;

use crate::{
    cli::{
        Outcome,
        failure::{Exit, Failure},
        signing::Signer,
        verdict::OpenStores,
        verify::Judge,
    },
    dct::plan::{Plan, PlannedRepository},
    keys::SigningKey,
    trust::{Checks, Level, Requirements, Statement, StoreType, TrustedIdentities, Verification},
    x509::CertificateChain,
};

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error(
        "statement {statement:?} for {repository} does not enforce all but revocation, as the level strict does"
    )]
    NotStrict { statement: String, repository: String },
    #[error(
        "statement {statement:?} for {repository} trusts every identity, and the plan has keys for it"
    )]
    AnyIdentity { statement: String, repository: String },
    #[error(
        "statement {statement:?} for {repository} does not trust {subject}, as whom key {key:?} signs"
    )]
    OtherIdentity { statement: String, repository: String, subject: String, key: String },
    #[error("trust stores of statement {statement:?} do not have the root of key {key:?}, {root}")]
    NoRoot { statement: String, key: String, root: String },
    #[error("certificate chain of key {key:?} is of another key: {subject} is not its leaf")]
    OtherKey { key: String, subject: String },
}

impl NotReady {
    fn into_failure(self) -> Failure {
        let hint = match &self {
            Self::OtherKey { .. } => {
                "certChain in the plan, or key add, has to name the chain of that key"
            }
            _ => "dct plan makes the policies and the trust store anew, of the keys of the plan",
        };
        Failure::new(Exit::NotConfigured, self).hint(hint)
    }
}

/// Holds every repository against the policy: whether it would prove who signed.
pub(in crate::cli::dct) fn check_policy(plan: &Plan, judge: &Judge<'_>) -> Outcome {
    for repository in to_sign(plan) {
        let statement = judge.statement(&judge.scope(&repository.repository)?)?;
        strict(repository, statement).map_err(NotReady::into_failure)?;
    }
    Ok(())
}

/// Holds every repository and its keys against the policy.
pub(super) fn check(plan: &Plan, signers: &BTreeMap<&str, Signer>, judge: &Judge<'_>) -> Outcome {
    for repository in to_sign(plan) {
        let statement = judge.statement(&judge.scope(&repository.repository)?)?;
        let asked = strict(repository, statement).map_err(NotReady::into_failure)?;
        let stores = judge.stores(statement)?;
        for key in repository.keys() {
            if let Some(signer) = signers.get(key) {
                check_chain(repository, (key, &signer.chain), (statement, asked), &stores)
                    .map_err(NotReady::into_failure)?;
            }
        }
    }
    Ok(())
}

fn to_sign(plan: &Plan) -> impl Iterator<Item = &PlannedRepository> {
    plan.repositories.iter().filter(|one| !one.signatures.is_empty())
}

/// What a statement asks for, which has to be all of it but revocation: where nobody answers about that, it may be
/// logged, and whatever is logged proves no signer.
fn strict<'a>(
    repository: &PlannedRepository,
    statement: &'a Statement,
) -> Result<&'a Requirements, NotReady> {
    let strict = Level::Strict.checks();
    let (name, at) = (statement.name.clone(), repository.repository.clone());
    match &statement.verification {
        Verification::Verify(asked) if asked.identities == TrustedIdentities::Any => {
            Err(NotReady::AnyIdentity { statement: name, repository: at })
        }
        Verification::Verify(asked)
            if strict == (Checks { revocation: strict.revocation, ..asked.checks }) =>
        {
            Ok(asked)
        }
        _ => Err(NotReady::NotStrict { statement: name, repository: at }),
    }
}

fn check_chain(
    repository: &PlannedRepository,
    (key, chain): (&str, &CertificateChain),
    (statement, asked): (&Statement, &Requirements),
    stores: &OpenStores,
) -> Result<(), NotReady> {
    let (name, repository) = (statement.name.clone(), repository.repository.clone());
    let subject = chain.leaf().subject();
    if !asked.identities.match_subject(subject) {
        let (subject, key) = (subject.to_string(), key.to_owned());
        return Err(NotReady::OtherIdentity { statement: name, repository, subject, key });
    }
    let mut anchors = asked
        .trust_stores
        .iter()
        .filter(|store| store.kind == StoreType::Ca)
        .flat_map(|store| stores.anchors.certificates(store));
    if anchors.any(|anchor| chain.certificates().contains(anchor)) {
        return Ok(());
    }
    let root = chain.root().subject().to_string();
    Err(NotReady::NoRoot { statement: name, key: key.to_owned(), root })
}

/// Asks a key whether it is the one of its chain. A key that may do nothing but sign does not say; what it signs is held
/// against the chain before it is stored.
pub(super) fn check_key(name: &str, signer: &Signer) -> Outcome {
    let leaf = signer.chain.leaf();
    match signer.key.ask(SigningKey::public_key) {
        Ok(held) if held == *leaf.public_key() => Ok(()),
        Ok(_) => {
            let subject = leaf.subject().to_string();
            Err(NotReady::OtherKey { key: name.to_owned(), subject }.into_failure())
        }
        Err(failure) if failure.exit() == Exit::Denied => Ok(()),
        Err(failure) => Err(failure),
    }
}
