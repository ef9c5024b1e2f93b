//! Trust policies: every constraint of the specification has its own error, with its statement and place.

use notation_sdk::trust::{
    Action, BlobPolicy, Checks, Level, OciPolicy, PolicyError, RevocationAction, Scopes,
    Verification, VerifyTimestamp,
};
use serde_json::{Value, json};

/// A statement that is right.
fn statement() -> Value {
    json!({
        "name": "acme",
        "registryScopes": ["registry.example/acme/app"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:acme", "tsa:times"],
        "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme"],
    })
}

fn document(statements: &[Value]) -> Value {
    json!({"version": "1.0", "trustPolicies": statements})
}

fn blob(statements: &[Value]) -> Value {
    let mut document = document(statements);
    for statement in document["trustPolicies"].as_array_mut().unwrap() {
        statement.as_object_mut().unwrap().remove("registryScopes");
    }
    document
}

/// All problems as text, one a line.
fn problems(result: Result<(), PolicyError>) -> String {
    match result {
        Ok(()) => String::new(),
        Err(PolicyError::Invalid(problems)) => {
            problems.iter().map(|problem| format!("{problem}\n")).collect()
        }
        Err(error) => format!("{error}\n"),
    }
}

fn oci(document: &Value) -> String {
    problems(OciPolicy::parse(document.to_string().as_bytes()).map(drop))
}

/// The good statement with one member replaced, or taken away for null.
fn with(member: &str, value: Value) -> Value {
    let mut statement = statement();
    match value {
        Value::Null => drop(statement.as_object_mut().unwrap().remove(member)),
        value => statement[member] = value,
    }
    document(&[statement])
}

fn checks_of(verification: Value) -> Checks {
    let document = with("signatureVerification", verification);
    let policy = OciPolicy::parse(document.to_string().as_bytes()).unwrap().policy;
    match &policy.statements[0].statement.verification {
        Verification::Verify(requirements) => requirements.checks,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_policy_is_read_whole() {
    let parsed = OciPolicy::parse(document(&[statement()]).to_string().as_bytes()).unwrap();
    assert_eq!(parsed.unknown, []);
    let statement = &parsed.policy.statements[0];
    assert_eq!(statement.statement.name, "acme");
    let Verification::Verify(requirements) = &statement.statement.verification else { panic!() };
    assert_eq!(requirements.level, Level::Strict);
    assert_eq!(requirements.verify_timestamp, VerifyTimestamp::Always);
    let stores: Vec<String> = requirements.trust_stores.iter().map(ToString::to_string).collect();
    assert_eq!(stores, ["ca:acme", "tsa:times"]);
    assert!(requirements.identities.match_subject(&"CN=x,O=Acme,ST=WA,C=US".parse().unwrap()));
}

#[test]
fn levels_are_the_rows_of_the_table() {
    use Action::{Enforce, Log};
    for (level, authenticity, timestamp, expiry, revocation) in [
        ("strict", Enforce, Enforce, Enforce, RevocationAction::Enforce),
        ("permissive", Enforce, Log, Log, RevocationAction::Log),
        ("audit", Log, Log, Log, RevocationAction::Log),
    ] {
        let checks = checks_of(json!({"level": level}));
        let expected = Checks { authenticity, authentic_timestamp: timestamp, expiry, revocation };
        assert_eq!(checks, expected, "{level}");
    }
}

#[test]
fn every_override_changes_its_own_check() {
    let strict = Level::Strict.checks();
    let audit = Level::Audit.checks();
    let overridden = |level: &str, check: &str, action: &str| {
        checks_of(json!({"level": level, "override": {check: action}}))
    };
    assert_eq!(
        overridden("strict", "authenticity", "log"),
        Checks { authenticity: Action::Log, ..strict }
    );
    assert_eq!(
        overridden("strict", "authenticTimestamp", "log"),
        Checks { authentic_timestamp: Action::Log, ..strict }
    );
    assert_eq!(overridden("strict", "expiry", "log"), Checks { expiry: Action::Log, ..strict });
    assert_eq!(
        overridden("strict", "revocation", "log"),
        Checks { revocation: RevocationAction::Log, ..strict }
    );
    assert_eq!(
        overridden("strict", "revocation", "skip"),
        Checks { revocation: RevocationAction::Skip, ..strict }
    );
    assert_eq!(
        overridden("audit", "authenticity", "enforce"),
        Checks { authenticity: Action::Enforce, ..audit }
    );
    assert_eq!(
        overridden("audit", "authenticTimestamp", "enforce"),
        Checks { authentic_timestamp: Action::Enforce, ..audit }
    );
    assert_eq!(
        overridden("audit", "expiry", "enforce"),
        Checks { expiry: Action::Enforce, ..audit }
    );
    assert_eq!(
        overridden("audit", "revocation", "enforce"),
        Checks { revocation: RevocationAction::Enforce, ..audit }
    );
}

#[test]
fn every_constraint_has_its_error_with_statement_and_path() {
    let at =
        |path: &str, told: &str| format!("statement \"acme\", $.trustPolicies[0]{path}: {told}");
    let verification = |value: Value| with("signatureVerification", value);
    let cases = [
        (json!([]), "$: value has to be an object".to_owned()),
        (json!({"trustPolicies": [statement()]}), "$: member \"version\" is missing".to_owned()),
        (
            json!({"version": "2.0", "trustPolicies": [statement()]}),
            "$.version: version \"2.0\" is not supported".to_owned(),
        ),
        (
            json!({"version": 1, "trustPolicies": [statement()]}),
            "$.version: value has to be text".to_owned(),
        ),
        (json!({"version": "1.0"}), "$: member \"trustPolicies\" is missing".to_owned()),
        (
            json!({"version": "1.0", "trustPolicies": {}}),
            "$.trustPolicies: value has to be a list of objects".to_owned(),
        ),
        (document(&[]), "$.trustPolicies: list is empty".to_owned()),
        (document(&[json!("x")]), "$.trustPolicies[0]: value has to be an object".to_owned()),
        (with("name", Value::Null), "$.trustPolicies[0]: member \"name\" is missing".to_owned()),
        (with("name", json!("")), "$.trustPolicies[0].name: name is empty".to_owned()),
        (with("name", json!(7)), "$.trustPolicies[0].name: value has to be text".to_owned()),
        (with("registryScopes", Value::Null), at("", "member \"registryScopes\" is missing")),
        (with("registryScopes", json!([])), at(".registryScopes", "list is empty")),
        (
            with("registryScopes", json!("*")),
            at(".registryScopes", "value has to be a list of texts"),
        ),
        (with("registryScopes", json!([1])), at(".registryScopes[0]", "value has to be text")),
        (
            with("registryScopes", json!(["a/b", "*"])),
            at(".registryScopes[1]", "\"*\" stands for all"),
        ),
        (
            with("registryScopes", json!(["registry.example/*"])),
            at(".registryScopes[0]", "\"registry.example/*\" is not a fully qualified repository"),
        ),
        (
            with("registryScopes", json!(["app"])),
            at(".registryScopes[0]", "\"app\" is not a fully qualified repository"),
        ),
        (
            with("registryScopes", json!(["a/b", "a/b"])),
            at(".registryScopes[1]", "scope \"a/b\" is that of statement \"acme\" too"),
        ),
        (verification(Value::Null), at("", "member \"signatureVerification\" is missing")),
        (verification(json!("strict")), at(".signatureVerification", "value has to be an object")),
        (verification(json!({})), at(".signatureVerification", "member \"level\" is missing")),
        (
            verification(json!({"level": "Strict"})),
            at(
                ".signatureVerification.level",
                "level \"Strict\" is none of strict, permissive, audit and skip",
            ),
        ),
        (
            verification(json!({"level": "strict", "override": []})),
            at(".signatureVerification.override", "value has to be an object"),
        ),
        (
            verification(json!({"level": "strict", "override": {"integrity": "log"}})),
            at(".signatureVerification.override.integrity", "\"integrity\" cannot be overridden"),
        ),
        (
            verification(json!({"level": "strict", "override": {"expiry": "skip"}})),
            at(
                ".signatureVerification.override.expiry",
                "expiry cannot be \"skip\": it is enforce or log",
            ),
        ),
        (
            verification(json!({"level": "strict", "override": {"revocation": "none"}})),
            at(
                ".signatureVerification.override.revocation",
                "revocation cannot be \"none\": it is enforce, log or skip",
            ),
        ),
        (
            verification(json!({"level": "strict", "verifyTimestamp": "never"})),
            at(".signatureVerification.verifyTimestamp", "verifyTimestamp \"never\" is neither"),
        ),
        (
            verification(json!({"level": "skip"})),
            at(".trustStores", "level skip verifies nothing: trustStores have no meaning there"),
        ),
        (with("trustStores", Value::Null), at("", "member \"trustStores\" is missing")),
        (with("trustStores", json!([])), at(".trustStores", "list is empty")),
        (
            with("trustStores", json!(["acme"])),
            at(".trustStores[0]", "\"acme\" is not a trust store"),
        ),
        (
            with("trustStores", json!(["CA:acme"])),
            at(".trustStores[0]", "\"CA:acme\" is not a trust store"),
        ),
        (
            with("trustStores", json!(["ca:../acme"])),
            at(".trustStores[0]", "\"ca:../acme\" is not a trust store"),
        ),
        (
            with("trustStores", json!(["ca:.."])),
            at(".trustStores[0]", "\"ca:..\" is not a trust store"),
        ),
        (with("trustedIdentities", Value::Null), at("", "member \"trustedIdentities\" is missing")),
        (with("trustedIdentities", json!([])), at(".trustedIdentities", "list is empty")),
        (
            with("trustedIdentities", json!(["*", "x509.subject: C=US, ST=WA, O=A"])),
            at(".trustedIdentities[0]", "\"*\" stands for all"),
        ),
        (
            with("trustedIdentities", json!(["C=US"])),
            at(".trustedIdentities[0]", "\"C=US\" has no prefix"),
        ),
        (
            with("trustedIdentities", json!(["x509.subject: C=US, O=A"])),
            at(".trustedIdentities[0]", "\"x509.subject: C=US, O=A\" has no ST"),
        ),
        (
            with(
                "trustedIdentities",
                json!(["x509.subject: C=US, ST=WA, O=A", "x509.subject: C=US, ST=WA, O=A, OU=B"]),
            ),
            at(".trustedIdentities[1]", "identities \"x509.subject: C=US, ST=WA, O=A\" and "),
        ),
        (
            with(
                "trustedIdentities",
                (0..1001).map(|i| json!(format!("x509.subject: C=US, ST=WA, O={i}"))).collect(),
            ),
            at(".trustedIdentities", "list of 1001 identities is over the limit of 1000"),
        ),
    ];
    for (document, told) in cases {
        let problems = oci(&document);
        assert!(
            problems.lines().any(|line| line.starts_with(&told)),
            "{document}\nexpected {told}\n{problems}"
        );
    }
}

#[test]
fn a_member_that_differs_from_a_known_one_in_case_only_makes_a_policy_invalid() {
    let told = |name: &str, known: &str| {
        format!(
            "member {name:?} differs from {known:?} in case only, and is read by others as that one"
        )
    };
    let mut document = document(&[statement()]);
    document["TrustPolicies"] = json!([]);
    assert!(oci(&document).contains(&format!("$: {}", told("TrustPolicies", "trustPolicies"))));
    for (verification, name, known) in [
        (
            json!({"level": "audit", "Override": {"authenticity": "enforce"}}),
            "Override",
            "override",
        ),
        (json!({"level": "audit", "LEVEL": "strict"}), "LEVEL", "level"),
        (
            json!({"level": "audit", "verifyTime\u{17f}tamp": "always"}),
            "verifyTime\u{17f}tamp",
            "verifyTimestamp",
        ),
    ] {
        let problems = oci(&with("signatureVerification", verification));
        assert!(problems.contains(&told(name, known)), "{problems}");
    }
    let mut policy = blob(&[statement()]);
    policy["trustPolicies"][0]["globalpolicy"] = json!(true);
    let told = told("globalpolicy", "globalPolicy");
    let parsed = BlobPolicy::parse(policy.to_string().as_bytes());
    assert!(problems(parsed.map(drop)).contains(&told));
}

#[test]
fn statements_are_held_against_each_other() {
    let mut other = statement();
    assert!(
        oci(&document(&[statement(), other.clone()]))
            .contains("$.trustPolicies[1].name: name \"acme\" is that of an earlier statement too")
    );
    other["name"] = "other".into();
    let told = "statement \"other\", $.trustPolicies[1].registryScopes[0]: scope \"registry.example/acme/app\" is that of statement \"acme\" too";
    assert!(oci(&document(&[statement(), other.clone()])).contains(told));
    let global = |name: &str| {
        let mut statement = statement();
        statement["name"] = name.into();
        statement["registryScopes"] = json!(["*"]);
        statement
    };
    assert_eq!(oci(&document(&[statement(), global("all")])), "");
    assert!(
        oci(&document(&[global("all"), global("more")]))
            .contains("statement \"all\" is global already")
    );
}

#[test]
fn skip_is_for_named_repositories_and_says_nothing_else() {
    let skip = |scopes: Value, verification: Value| {
        document(&[
            json!({"name": "acme", "registryScopes": scopes, "signatureVerification": verification}),
        ])
    };
    assert_eq!(oci(&skip(json!(["a/b"]), json!({"level": "skip"}))), "");
    assert!(
        oci(&skip(json!(["*"]), json!({"level": "skip"})))
            .contains("level skip cannot be used with the global scope")
    );
    let problem = |member: &str, value: Value| {
        let mut policy = skip(json!(["a/b"]), json!({"level": "skip"}));
        policy["trustPolicies"][0][member] = value;
        oci(&policy)
    };
    assert_eq!(problem("trustStores", json!([])), "");
    assert!(problem("trustStores", json!(["ca:x"])).contains("trustStores have no meaning there"));
    assert!(problem("trustStores", json!("x")).contains("value has to be a list of texts"));
    let timed = |time: &str| json!({"level": "skip", "verifyTimestamp": time});
    assert_eq!(oci(&skip(json!(["a/b"]), timed("always"))), "");
    assert!(oci(&skip(json!(["a/b"]), timed("x"))).contains("verifyTimestamp \"x\" is neither"));
    let listed = json!({"level": "skip", "override": []});
    assert!(oci(&skip(json!(["a/b"]), listed)).contains("override: value has to be an object"));
    let overridden = json!({"level": "skip", "override": {"expiry": "log"}});
    assert!(oci(&skip(json!(["a/b"]), overridden)).contains("level skip cannot be overridden"));
}

#[test]
fn all_problems_are_told_at_once() {
    let mut statement = statement();
    statement["trustStores"] = json!(["acme"]);
    statement["trustedIdentities"] = json!(["Acme"]);
    statement["registryScopes"] = json!(["app"]);
    assert_eq!(oci(&document(&[statement])).lines().count(), 3);
}

#[test]
fn members_that_are_not_known_are_told_with_the_nearest_that_is() {
    let mut misspelt = statement();
    misspelt["verifyTimestamps"] = json!("always");
    misspelt["signatureVerification"]["overrides"] = json!({});
    let parsed = OciPolicy::parse(document(&[misspelt]).to_string().as_bytes()).unwrap();
    let told: Vec<String> = parsed.unknown.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .any(|line| line.ends_with("member \"overrides\" is not known: \"override\" is")),
        "{told:?}"
    );
    assert!(
        told.iter().any(|line| line.ends_with("member \"verifyTimestamps\" is not known")),
        "{told:?}"
    );
    let mut missing = statement();
    let scopes = missing.as_object_mut().unwrap().remove("registryScopes").unwrap();
    missing["regsitryScopes"] = scopes;
    let problems = oci(&document(&[missing]));
    assert!(
        problems.contains("member \"regsitryScopes\" is not known: \"registryScopes\" is"),
        "{problems}"
    );
}

#[test]
fn documents_that_are_no_json_are_refused() {
    let good = document(&[statement()]).to_string();
    let parse = |text: &str| problems(OciPolicy::parse(text.as_bytes()).map(drop));
    assert!(parse(&format!("\u{feff}{good}")).contains("begins with a byte order mark"));
    assert!(parse(&format!("{good}{{}}")).contains("not a JSON document"));
    assert!(
        parse(&good.replacen("\"version\"", "\"version\":\"1.0\",\"version\"", 1))
            .contains("not a JSON document")
    );
    assert!(parse(&" ".repeat(5 * 1024 * 1024)).contains("over the limit of 4194304 bytes"));
}

#[test]
fn the_statement_that_names_a_repository_comes_before_the_global_one() {
    let mut global = statement();
    global["name"] = "all".into();
    global["registryScopes"] = json!(["*"]);
    let policy =
        OciPolicy::parse(document(&[global, statement()]).to_string().as_bytes()).unwrap().policy;
    let name =
        |scope: &str| policy.statement_for(&scope.parse().unwrap()).unwrap().statement.name.clone();
    assert_eq!(name("registry.example/acme/app"), "acme");
    assert_eq!(name("registry.example/acme/app2"), "all");
    assert_eq!(policy.statements[0].scopes, Scopes::Global);
    let policy = OciPolicy::parse(document(&[statement()]).to_string().as_bytes()).unwrap().policy;
    assert!(policy.statement_for(&"registry.example/acme".parse().unwrap()).is_none());
}

#[test]
fn policies_for_files_are_chosen_by_name_or_are_global() {
    let parse = |document: &Value| BlobPolicy::parse(document.to_string().as_bytes());
    let (mut one, mut two) = (statement(), statement());
    one["globalPolicy"] = true.into();
    two["name"] = "two".into();
    let policy = parse(&blob(&[one.clone(), two.clone()])).unwrap().policy;
    let name = |wanted| policy.statement_for(wanted).map(|found| found.statement.name.clone());
    assert_eq!(name(None).as_deref(), Some("acme"));
    assert_eq!(name(Some("two")).as_deref(), Some("two"));
    assert_eq!(name(Some("three")), None);

    two["globalPolicy"] = true.into();
    let told = problems(parse(&blob(&[one, two])).map(drop));
    assert!(told.contains("statement \"two\", $.trustPolicies[1].globalPolicy: statement \"acme\" is global already"), "{told}");
    let skip = json!({"version": "1.0", "trustPolicies": [{"name": "a", "globalPolicy": true, "signatureVerification": {"level": "skip"}}]});
    assert!(
        problems(parse(&skip).map(drop))
            .contains("level skip cannot be used with the global scope or a global policy")
    );
    let mut wrong = statement();
    wrong["globalPolicy"] = "yes".into();
    assert!(
        problems(parse(&blob(&[wrong])).map(drop))
            .contains("globalPolicy: value has to be true or false")
    );
    // A scope has no meaning here.
    assert_eq!(parse(&document(&[statement()])).unwrap().unknown.len(), 1);
}
