//! Registries that are broken, overloaded or hostile, and what the commands make of it: exit code and words.

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use notation_sdk::{
    limits,
    oci::{INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE, SIGNATURE_MEDIA_TYPE},
};
use serde_json::{Value, json};

use crate::support::{
    command::{Finished, Run},
    fake_http::{Answer, FakeHttp, Request},
    fake_registry::{FakeRegistry, Served, digest, kind, unknown},
    quickstart::Quickstart,
};

type Lie = Box<dyn Fn(&Request, &Served) -> Option<Answer> + Send + Sync>;

/// What quickstart has made: an artifact with one signature.
#[derive(Debug, Clone)]
struct Scene {
    artifact: String,
    /// The manifest, and its bytes.
    signature: (String, String),
    envelope: String,
}

/// A registry, and for commands about it the exit code and what they say.
struct Row {
    name: &'static str,
    lie: Lie,
    told: Vec<(&'static str, i32, &'static str)>,
}

impl Scene {
    fn of(quickstart: &Quickstart) -> Self {
        let (layout, listed) = quickstart.signature();
        let bytes = fs::read_to_string(quickstart.blob(listed.digest.as_str())).unwrap();
        let manifest: Value = serde_json::from_str(&bytes).unwrap();
        Self {
            artifact: layout.resolve("v1").unwrap().digest.to_string(),
            signature: (listed.digest.to_string(), bytes),
            envelope: manifest["layers"][0]["digest"].as_str().unwrap().to_owned(),
        }
    }

    /// Gives the artifact's manifest so, where it is read by its digest.
    fn artifact(&self, answer: Answer) -> Lie {
        let wanted = self.artifact.clone();
        Box::new(move |request, _| {
            let is_it = request.method == "GET" && request.target.ends_with(&wanted);
            (is_it && kind(request) == "manifest").then(|| answer.clone())
        })
    }

    /// Gives the signature's manifest or envelope so.
    fn signature(&self, part: &str, answer: Answer) -> Lie {
        let wanted = if part == "blob" { &self.envelope } else { &self.signature.0 };
        let wanted = wanted.clone();
        Box::new(move |request, _| request.target.ends_with(&wanted).then(|| answer.clone()))
    }

    /// Lists other signature manifests, and has them.
    fn listing(&self, listed: Vec<Value>, manifests: Vec<String>) -> Lie {
        Box::new(move |request, _| {
            if kind(request) == "referrers" {
                return Some(index(&listed));
            }
            let named =
                |bytes: &&String| request.target.ends_with(digest(bytes.as_bytes()).as_str());
            let bytes = manifests.iter().find(named)?;
            Some(Answer::new(200, bytes.clone()).header("Content-Type", MANIFEST_MEDIA_TYPE))
        })
    }

    /// The signature's manifest with another subject.
    fn of_another(&self) -> String {
        let mut manifest: Value = serde_json::from_str(&self.signature.1).unwrap();
        manifest["subject"]["digest"] = json!(digest(b"another"));
        manifest.to_string()
    }
}

/// Gives this, whatever is asked.
fn always(answer: Answer) -> Lie {
    Box::new(move |_, _| Some(answer.clone()))
}

/// Gives this for requests of a kind.
fn only(what: &'static str, answer: Answer) -> Lie {
    Box::new(move |request, _| {
        format!("{} {}", request.method, kind(request)).ends_with(what).then(|| answer.clone())
    })
}

fn index(listed: &[Value]) -> Answer {
    let index = json!({"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": listed});
    Answer::new(200, index.to_string()).header("Content-Type", INDEX_MEDIA_TYPE)
}

/// An entry of the list of signatures.
fn entry(bytes: &str) -> Value {
    json!({"mediaType": MANIFEST_MEDIA_TYPE, "digest": digest(bytes.as_bytes()), "size": bytes.len(),
        "artifactType": SIGNATURE_MEDIA_TYPE, "annotations": {"a": "b"}})
}

fn html() -> Answer {
    Answer::new(200, "<html>we moved</html>").header("Content-Type", "text/html")
}

fn run(quickstart: &Quickstart, host: &str, scene: &Scene, command: &str) -> Finished {
    let (verb, reference) = command.split_once(' ').unwrap();
    let reference = match reference {
        "@" => format!("{host}/team/app@{}", scene.artifact),
        tag => format!("{host}/team/app:{tag}"),
    };
    let words: Vec<&str> = verb.split('+').collect();
    quickstart.run(&[&words[..], &[&reference, "--insecure-registry"]].concat())
}

/// Runs each row beside the others, as most of them wait.
fn each_is_told(rows: impl FnOnce(&Scene) -> Vec<Row>) {
    let quickstart = Quickstart::new();
    quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
    let scene = Scene::of(&quickstart);
    let (quickstart, scene, rows) = (&quickstart, &scene, rows(&scene));
    let wrong = Mutex::new(String::new());
    thread::scope(|scope| {
        for row in rows {
            let wrong = &wrong;
            scope.spawn(move || {
                let told = row.run(quickstart, scene);
                wrong.lock().unwrap().push_str(&told);
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong}");
}

impl Row {
    /// Runs the commands, and tells what is not as expected.
    fn run(self, quickstart: &Quickstart, scene: &Scene) -> String {
        let registry = FakeRegistry::start(&quickstart.path("layout"), self.lie);
        let mut wrong = String::new();
        for (command, status, text) in self.told {
            let finished = run(quickstart, &registry.host(), scene, command);
            let told = format!("{}{}", finished.stdout, finished.stderr);
            if finished.status != Some(status) || !told.contains(text) {
                let (name, actual) = (self.name, finished.status);
                let line = format!(
                    "\n{name}: {command}: want {status} and {text:?}, got {actual:?}:\n{told}"
                );
                wrong.push_str(&line);
            }
        }
        wrong
    }
}

#[test]
fn a_registry_that_does_not_answer_as_one_is_told() {
    let failing = |command| Row {
        name: "500",
        lie: always(Answer::new(500, "")),
        told: vec![(command, 6, "is unavailable after 5 tries: HTTP status 500")],
    };
    let registry_says = r#"{"errors":[{"code":"UNSUPPORTED","message":"not today"}]}"#;
    each_is_told(|_| {
        vec![
            failing("verify @"),
            failing("list v1"),
            failing("sign+--force v1"),
            Row {
                name: "429",
                lie: always(Answer::new(429, "").header("Retry-After", "1")),
                told: vec![("verify v1", 6, "is unavailable after 5 tries: HTTP status 429")],
            },
            Row {
                name: "429, once in three",
                lie: Box::new(|request, _| {
                    let busy = || Answer::new(429, "").header("Retry-After", "0");
                    (request.number % 3 == 0).then(busy)
                }),
                told: vec![("verify v1", 0, "verified: "), ("sign+--force v1", 0, "signed: ")],
            },
            Row {
                name: "400",
                lie: always(Answer::new(400, registry_says)),
                told: vec![
                    ("verify v1", 1, "answered with HTTP status 400: UNSUPPORTED: not today"),
                    ("list @", 1, "answered with HTTP status 400: UNSUPPORTED: not today"),
                ],
            },
            Row {
                name: "401",
                lie: always(Answer::new(401, "").header("WWW-Authenticate", "Basic")),
                told: vec![("verify v1", 7, "was denied without a credential: HTTP status 401")],
            },
            Row {
                name: "403",
                lie: only("GET referrers", Answer::new(403, "")),
                told: vec![("verify v1", 7, "cannot be listed"), ("list v1", 7, "was denied")],
            },
            Row {
                name: "404",
                lie: always(unknown("NAME_UNKNOWN")),
                told: vec![("verify v1", 8, "NAME_UNKNOWN"), ("sign+--force @", 8, "NAME_UNKNOWN")],
            },
            Row {
                name: "HTML",
                lie: always(html()),
                told: vec![
                    ("verify v1", 3, "is not the JSON it should be, at line 1, column 1"),
                    ("list @", 3, "that do not have that digest"),
                ],
            },
            Row {
                name: "a redirect to itself",
                lie: Box::new(|request, _| Some(Answer::to(&request.target))),
                told: vec![("verify v1", 1, "is redirected over the limit of 5 times")],
            },
            Row {
                name: "a redirect to a file",
                lie: always(Answer::to("file:///etc/passwd")),
                told: vec![("verify @", 1, "redirects to \"file:///etc/passwd\", which is not")],
            },
            Row {
                name: "half a body",
                lie: Box::new(|request, served| {
                    let bytes = served.bytes(request.target.rsplit('/').next()?)?;
                    let half = Answer::new(200, &bytes[..bytes.len() / 2]).of_length(bytes.len());
                    (request.method == "GET").then_some(half)
                }),
                told: vec![("verify v1", 6, "gave no whole answer in 5 tries")],
            },
            Row {
                name: "nothing",
                lie: always(Answer::hang_up()),
                told: vec![("verify v1", 6, "gave no whole answer in 5 tries")],
            },
            Row {
                name: "no bytes",
                lie: only("GET manifest", Answer::new(200, "")),
                told: vec![("verify v1", 3, "gave 0 bytes for")],
            },
        ]
    });
}

#[test]
fn a_hostile_manifest_is_told_and_nothing_of_it_believed() {
    each_is_told(|scene| {
        let huge = Answer::new(200, "").of_length(5_000_000);
        let big_entry = |digest: &str, size: u64| {
            let mut entry = entry("");
            entry["digest"] = json!(digest);
            entry["size"] = json!(size);
            entry
        };
        let other = scene.of_another();
        let mut as_index = entry(&scene.signature.1);
        as_index["mediaType"] = json!(INDEX_MEDIA_TYPE);
        vec![
            Row {
                name: "huge",
                lie: only(
                    "HEAD manifest",
                    huge.clone()
                        .header("Content-Type", MANIFEST_MEDIA_TYPE)
                        .header("Docker-Content-Digest", &scene.artifact),
                ),
                told: vec![
                    ("verify v1", 3, "is about 429 bytes, and the artifact has 5000000"),
                    (
                        "sign+--recursive v1",
                        3,
                        "of 5000000 bytes is over the limit of 4194304 bytes",
                    ),
                ],
            },
            Row {
                name: "huge, and said to be small",
                lie: scene.artifact(huge.clone()),
                told: vec![("sign+--recursive v1", 3, "is over the limit of")],
            },
            Row {
                name: "huge, and its size not asked for",
                lie: only("GET manifest", huge),
                told: vec![
                    ("sign+--force v1", 3, "is over the limit of"),
                    ("sign+--force @", 3, "is over the limit of"),
                ],
            },
            Row {
                name: "of another digest",
                lie: Box::new(|request, served| {
                    let is_it = request.method == "GET" && kind(request) == "manifest";
                    let is_signed = served.bytes(request.target.rsplit('/').next()?)?;
                    let changed = String::from_utf8(is_signed)
                        .ok()?
                        .replace("schemaVersion", "schemaversion");
                    is_it.then(|| {
                        Answer::new(200, changed).header("Content-Type", MANIFEST_MEDIA_TYPE)
                    })
                }),
                told: vec![
                    ("verify @", 3, "that do not have that digest"),
                    ("sign+--force @", 3, "that do not have that digest"),
                ],
            },
            Row {
                name: "of another media type than was signed",
                lie: Box::new(|request, served| {
                    let docker = "application/vnd.docker.distribution.manifest.v2+json";
                    let is_it = request.method == "HEAD" && kind(request) == "manifest";
                    is_it.then(|| served.manifest_as(request, docker))
                }),
                told: vec![("verify v1", 3, "rejected: ")],
            },
            Row {
                name: "a signature of another digest",
                lie: scene
                    .signature("manifest", Answer::new(200, scene.signature.1.replace(":2", ":3"))),
                told: vec![("verify v1", 3, "that do not have that digest")],
            },
            Row {
                name: "a signature that is said to be huge",
                lie: scene.listing(vec![big_entry(&scene.signature.0, 1 << 40)], vec![]),
                told: vec![("verify v1", 3, "of 1099511627776 bytes is over the limit")],
            },
            Row {
                name: "a signature that is not there",
                lie: scene.signature("manifest", unknown("MANIFEST_UNKNOWN")),
                told: vec![("verify v1", 3, "MANIFEST_UNKNOWN"), ("list v1", 0, "signature")],
            },
            Row {
                name: "a signature of something else",
                lie: scene.listing(vec![entry(&other)], vec![other.clone()]),
                told: vec![("verify v1", 3, "is listed as a signature of")],
            },
            Row {
                name: "a signature that is the artifact itself",
                lie: Box::new({
                    let scene = scene.clone();
                    move |request, served| {
                        let bytes = served.bytes(&scene.artifact).unwrap();
                        let listed = entry(&String::from_utf8(bytes).unwrap());
                        (kind(request) == "referrers").then(|| index(&[listed]))
                    }
                }),
                told: vec![("verify v1", 3, "and is no signature")],
            },
            Row {
                name: "a signature that is an index",
                lie: scene.listing(vec![as_index], vec![]),
                told: vec![("verify v1", 4, "unsigned: "), ("list v1", 0, "has no signatures")],
            },
            Row {
                name: "an envelope of another digest",
                lie: scene.signature("blob", Answer::new(200, "{}")),
                told: vec![("verify v1", 3, "its descriptor says")],
            },
            Row {
                name: "an envelope that cannot be had now",
                lie: scene.signature("blob", Answer::new(503, "")),
                told: vec![("verify v1", 6, "is unavailable after 5 tries: HTTP status 503")],
            },
            Row {
                name: "an index that contains itself",
                lie: Box::new({
                    // As far as that goes: what it lists is said to be what it is.
                    let listed =
                        json!({"mediaType": INDEX_MEDIA_TYPE, "digest": digest(b"x"), "size": 0});
                    let mut whole = json!({"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": [listed]});
                    whole["manifests"][0]["size"] = json!(whole.to_string().len() + 2);
                    let whole = whole.to_string();
                    move |request, _| {
                        let own = digest(whole.as_bytes());
                        (kind(request) == "manifest").then(|| {
                            let answer = Answer::new(200, whole.clone());
                            let answer = answer.header("Content-Type", INDEX_MEDIA_TYPE);
                            answer.header("Docker-Content-Digest", own.as_str())
                        })
                    }
                }),
                told: vec![
                    ("sign+--recursive v1", 3, "that do not have that digest"),
                    ("list v1", 0, "has no signatures"),
                ],
            },
            Row {
                name: "a broken signature before the good one",
                lie: scene.listing(
                    vec![entry(&other), entry("gone"), entry(&scene.signature.1)],
                    vec![other],
                ),
                told: vec![("verify v1", 0, "verified: ")],
            },
        ]
    });
}

#[test]
fn a_flood_of_referrers_is_bounded_and_hides_nothing() {
    each_is_told(|scene| {
        let flood = |count: usize| (0..count).map(|n| entry(&n.to_string()));
        let good = {
            let mut good = entry(&scene.signature.1);
            let manifest: Value = serde_json::from_str(&scene.signature.1).unwrap();
            good["annotations"] = manifest["annotations"].clone();
            good
        };
        let untyped = flood(10_000).map(|mut entry| {
            entry["artifactType"] = json!("");
            entry
        });
        vec![
            Row {
                name: "ten thousand, the good one last",
                lie: scene.listing(flood(10_000).chain([good]).collect(), vec![]),
                told: vec![("verify v1", 0, "verified: ")],
            },
            Row {
                name: "ten thousand, none good",
                lie: scene.listing(flood(10_000).collect(), vec![]),
                told: vec![
                    (
                        "verify+--max-signatures+3 v1",
                        3,
                        "signatures that are not looked at: 9997, as --max-signatures is 3",
                    ),
                    ("verify+--max-signatures+3 v1", 3, "hint: --max-signatures 10000 looks"),
                    (
                        "list+--max-signatures+3 v1",
                        0,
                        "signatures that are not looked at: 9997, as --max-signatures is 3",
                    ),
                ],
            },
            Row {
                name: "ten thousand of no type",
                lie: scene.listing(untyped.collect(), vec![]),
                told: vec![("verify v1", 3, "more than the limit of 1000 referrers of no type")],
            },
            Row {
                name: "pages without end",
                lie: Box::new(|request, _| {
                    let next = format!("<?n={}>; rel=\"next\"", request.number);
                    (kind(request) == "referrers").then(|| index(&[]).header("Link", &next))
                }),
                told: vec![("verify v1", 3, "more than the limit of 1000 pages of referrers")],
            },
            Row {
                name: "a page that is no list",
                lie: only(
                    "GET referrers",
                    Answer::new(200, "{\"manifests\": 1}").header("Content-Type", INDEX_MEDIA_TYPE),
                ),
                told: vec![("verify v1", 3, "list of referrers of")],
            },
        ]
    });
}

#[test]
fn a_hostile_list_costs_little_memory_in_a_registry_and_in_a_layout() {
    let quickstart = Quickstart::new();
    quickstart.change_policy(|statement| statement["registryScopes"] = json!(["*"]));
    let room = limits::REFERRERS_PAGE_BYTES - 1024;
    let unknown_member = format!(r#""x":[0{}]"#, ",0".repeat(room / 2 - 32));
    let unknown_members = format!(r#"{{"schemaVersion":2,"manifests":[],{unknown_member}}}"#);
    let annotations = (0..room / 13).map(|n| format!(r#""{n:x}":"""#)).collect::<Vec<_>>();
    let listed = entry("junk").to_string().replace(r#""a":"b""#, &annotations.join(","));
    let junk = format!(r#"{{"schemaVersion":2,"manifests":[{listed}]}}"#);
    for (page, status) in [(unknown_members, 4), (junk, 3)] {
        assert!((room / 2..room + 1024).contains(&page.len()), "{}", page.len());
        let registry = FakeRegistry::start(&quickstart.path("layout"), move |request, _| {
            let page = || Answer::new(200, page.clone()).header("Content-Type", INDEX_MEDIA_TYPE);
            match kind(request) {
                "referrers" if request.target.contains("?n=") => Some(page()),
                "referrers" => Some(page().header("Link", "<?n=2>; rel=\"next\"")),
                _ => request.target.contains("/manifests/sha256-").then(page),
            }
        });
        // Four at the same time.
        let references = ["a", "b", "c", "d"].map(|app| format!("{}/{app}:v1", registry.host()));
        let words = ["verify", "--insecure-registry"].into_iter();
        let words = words.chain(references.iter().map(String::as_str));
        in_little_memory(&quickstart, words).expect_status(status);
    }
    let path = quickstart.path("layout/index.json");
    let index = fs::read_to_string(&path).unwrap();
    let padding = format!(r#"{{"x":[0{}],"#, ",0".repeat(2 * room - 1024));
    fs::write(&path, index.replacen('{', &padding, 1)).unwrap();
    let words = ["verify", "--oci-layout", "layout:v1", "--scope", "a/b"];
    in_little_memory(&quickstart, words).expect_status(0);
}

/// Runs a command in an address space of 256 MiB.
fn in_little_memory<'a>(
    quickstart: &Quickstart,
    words: impl IntoIterator<Item = &'a str>,
) -> Finished {
    Run::notation_kms_within(256 * 1024)
        .args(words)
        .env("XDG_CONFIG_HOME", quickstart.path("config"))
        .current_dir(&quickstart.path(""))
        .finish()
}

/// Lists nothing, and answers so at the referrers tag.
fn nothing_but_at_the_tag(answer: Answer) -> Lie {
    Box::new(move |request, _| match kind(request) {
        "referrers" => Some(index(&[])),
        _ => request.target.contains("/manifests/sha256-").then(|| answer.clone()),
    })
}

#[test]
fn what_nobody_could_look_into_is_not_called_unsigned() {
    let statuses = [400, 412, 418].map(|status| Row {
        name: "a refusal at the referrers tag",
        lie: nothing_but_at_the_tag(Answer::new(status, "")),
        told: vec![
            ("verify v1", 3, "problem: a list of signatures cannot be read: "),
            ("list v1", 9, "has no signatures that can be read"),
            ("sign v1", 0, "signed: "),
        ],
    });
    let redirects = [
        nothing_but_at_the_tag(Answer::to("ftp://registry.example/x")),
        Box::new(|request: &Request, _: &Served| match kind(request) {
            "referrers" => Some(index(&[])),
            _ if !request.target.contains("/manifests/sha256-") => None,
            _ => Some(Answer::to(&request.target)),
        }),
    ];
    let redirects = redirects.map(|lie| Row {
        name: "a redirect at the referrers tag",
        lie,
        told: vec![("verify v1", 3, "a list of signatures cannot be read: ")],
    });
    let honest = Row {
        name: "nothing at the referrers tag",
        lie: nothing_but_at_the_tag(unknown("MANIFEST_UNKNOWN")),
        told: vec![("verify v1", 4, "unsigned: ")],
    };
    let elsewhere = [(403, 3), (404, 4), (422, 3)].map(|(status, exit)| {
        let site = FakeHttp::start(move |_| Answer::new(status, "<html>"));
        Row {
            name: "a refusal of another host",
            lie: Box::new(move |request, _| match kind(request) {
                "referrers" => Some(Answer::to(&site.url())),
                _ => request
                    .target
                    .contains("/manifests/sha256-")
                    .then(|| unknown("MANIFEST_UNKNOWN")),
            }),
            told: vec![("verify v1", exit, ", by statement ")],
        }
    });
    each_is_told(|_| {
        statuses.into_iter().chain(redirects).chain([honest]).chain(elsewhere).collect()
    });
}

#[test]
fn a_tag_that_moves_leaves_the_artifact_that_it_was() {
    let moved =
        Answer::new(200, r#"{"schemaVersion":2}"#).header("Content-Type", MANIFEST_MEDIA_TYPE);
    let after_the_first = move |moved: Answer| -> Lie {
        Box::new(move |request, _| {
            let is_tag = request.target.ends_with("/v1");
            (is_tag && request.number > 0).then(|| moved.clone())
        })
    };
    each_is_told(|scene| {
        let signed: &'static str = format!("/team/app@{}, as ", scene.artifact).leak();
        vec![
            Row {
                name: "after it was resolved",
                lie: after_the_first(moved.clone()),
                told: vec![("verify v1", 0, "tags move, digests do not")],
            },
            Row {
                name: "after it was read",
                lie: after_the_first(moved),
                told: vec![("sign+--force v1", 0, signed)],
            },
            Row {
                name: "served by its tag, and by its digest unknown",
                lie: scene.artifact(unknown("MANIFEST_UNKNOWN")),
                told: vec![("sign+--recursive v1", 8, "MANIFEST_UNKNOWN")],
            },
        ]
    });
}

#[test]
fn a_token_that_expires_is_fetched_again_and_a_token_service_that_fails_is_told() {
    /// A registry with tokens that are good for so many requests; the service answers as told.
    fn with_tokens(lifetime: usize, service: Option<Answer>) -> Lie {
        let (tokens, uses) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Box::new(move |request, _| {
            if kind(request) == "token" {
                uses.store(0, Ordering::Relaxed);
                let token = tokens.fetch_add(1, Ordering::Relaxed) + 1;
                let token = Answer::new(200, json!({"token": format!("t{token}")}).to_string());
                return Some(service.clone().unwrap_or(token));
            }
            let good = format!("Bearer t{}", tokens.load(Ordering::Relaxed));
            let used = uses.fetch_add(1, Ordering::Relaxed);
            let is_good = used < lifetime && request.header("authorization") == Some(&good);
            let challenge = format!(r#"Bearer realm="{}/token""#, request.url());
            (!is_good).then(|| Answer::new(401, "").header("WWW-Authenticate", &challenge))
        })
    }
    each_is_told(|_| {
        vec![
            Row {
                name: "two requests a token",
                lie: with_tokens(2, None),
                told: vec![("verify v1", 0, "verified: "), ("sign+--force v1", 0, "signed: ")],
            },
            Row {
                name: "no request a token",
                lie: with_tokens(0, None),
                told: vec![("verify v1", 7, "was denied without a credential: HTTP status 401")],
            },
            Row {
                name: "refused",
                lie: with_tokens(
                    9,
                    Some(Answer::new(401, r#"{"errors":[{"code":"DENIED","message":"no"}]}"#)),
                ),
                told: vec![(
                    "verify v1",
                    7,
                    "/token was denied without a credential: HTTP status 401: DENIED: no",
                )],
            },
            Row {
                name: "down",
                lie: with_tokens(9, Some(Answer::new(503, ""))),
                told: vec![(
                    "verify v1",
                    6,
                    "/token is unavailable after 5 tries: HTTP status 503",
                )],
            },
            Row {
                name: "HTML",
                lie: with_tokens(9, Some(html())),
                told: vec![("verify v1", 3, "/token answered with no token")],
            },
        ]
    });
}

#[test]
fn what_a_registry_does_not_take_is_told() {
    let full = r#"{"errors":[{"code":"DENIED","message":"quota exceeded"}]}"#;
    let sign = "sign+--force v1";
    each_is_told(|_| {
        vec![
            Row {
                name: "no uploads",
                lie: only("POST upload", Answer::new(405, "")),
                told: vec![(sign, 1, "does not take blob")],
            },
            Row {
                name: "quota",
                lie: only("PUT manifest", Answer::new(403, full)),
                told: vec![(sign, 7, "DENIED: quota exceeded")],
            },
            Row {
                name: "too large",
                lie: only("PUT manifest", Answer::new(413, "")),
                told: vec![(sign, 1, "does not take manifest")],
            },
            Row {
                name: "uploads elsewhere",
                lie: only(
                    "POST upload",
                    Answer::new(202, "").header("Location", "ftp://registry.example/x"),
                ),
                told: vec![(sign, 1, "redirects to \"ftp://registry.example/x\"")],
            },
            Row {
                name: "no place to upload to",
                lie: only("POST upload", Answer::new(202, "")),
                told: vec![(sign, 3, "no place to upload a blob to")],
            },
        ]
    });
}
