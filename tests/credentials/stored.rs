//! What docker, podman, skopeo, notation and credential helpers store, and what ours stores for them.

use std::fs;

use serde_json::json;

use super::{AUTH, Home, basic_registry, host, tls_registry, without_secret};
use crate::support::{component::Component, openssl::Openssl};

#[test]
fn skopeo_uses_what_login_stores_and_ours_what_skopeo_stores() {
    let (Some(openssl), Some(skopeo)) = (Openssl::or_skip(), Component::Skopeo.or_skip()) else {
        return;
    };
    let Some(registry) = tls_registry(&openssl) else { return };
    let host = registry.host();
    let root = openssl.path("server.crt").display().to_string();
    let reference = format!("{host}/team/app:v1");
    let list = ["list", &reference, "--ca-cert", &root];
    for (config, more) in
        [(json!({}), &["--plain-text"][..]), (json!({"credHelpers": {&host: "kept"}}), &[])]
    {
        let home = Home::new();
        home.configure(&config);
        let words = ["login", &host, "-u", "me", "--password-stdin", "--ca-cert", &root];
        home.run(&[&words, more].concat()).stdin("hunter2").finish().expect_status(0);
        let run = |words: &[&str]| home.in_place_of_ours(&skopeo, words);
        let config = home.config().display().to_string();
        let user = run(&["login", "--get-login", "--authfile", &config, &host]).finish();
        assert_eq!(user.expect_status(0).stdout, "me\n");
        let image = format!("docker://{reference}");
        let inspect = ["inspect", "--tls-verify=false", "--authfile", &config, &image];
        let inspected = run(&inspect).finish().expect_status(1);
        assert!(inspected.stderr.contains("manifest unknown"), "{inspected:?}");
        home.run(&["logout", &host]).finish().expect_status(0);
        run(&["login", "--get-login", "--authfile", &config, &host]).finish().expect_status(1);
        let refused = run(&inspect).finish().expect_status(1);
        assert!(refused.stderr.contains("authentication required"), "{refused:?}");

        let theirs = home.path("auth.json");
        let login = ["login", "--tls-verify=false", "-u", "me", "--password-stdin", "--authfile"];
        let theirs_text = theirs.display().to_string();
        let login = [&login[..], &[&theirs_text, &host]].concat();
        run(&login).stdin("hunter2").finish().expect_status(0);
        home.run(&list).finish().expect_status(7);
        home.run(&list).env("REGISTRY_AUTH_FILE", theirs).finish().expect_status(8);
    }
}

#[test]
fn notation_uses_what_login_stores_and_ours_what_notation_stores() {
    let (Some(openssl), Some(notation)) = (Openssl::or_skip(), Component::Notation.or_skip())
    else {
        return;
    };
    let Some(registry) = tls_registry(&openssl) else { return };
    let (home, host) = (Home::new(), registry.host());
    home.configure(&json!({"credsStore": "kept"}));
    let root = openssl.path("server.crt").display().to_string();
    let notation =
        |words: &[&str]| home.in_place_of_ours(&notation, words).env("SSL_CERT_FILE", &root);
    let reference = format!("{host}/team/app:v1");
    // The project's own peer of notation, where there is no notation, knows no login.
    if notation(&["login", "--help"]).finish().status != Some(0) {
        return;
    }
    let theirs = || notation(&["list", &reference]).finish().expect_status(1).stderr;
    let ours = || home.run(&["list", &reference, "--ca-cert", &root]).finish();
    let words = ["login", &host, "-u", "me", "--password-stdin", "--ca-cert", &root];
    assert!(theirs().contains("credential not found"), "{}", theirs());
    home.run(&words).stdin("hunter2").finish().expect_status(0);
    assert!(theirs().contains("v1: not found"), "{}", theirs());
    notation(&["logout", &host]).finish().expect_status(0);
    ours().expect_status(7);
    let login = ["login", &host, "-u", "me", "--password-stdin"];
    notation(&login).stdin("hunter2").finish().expect_status(0);
    ours().expect_status(8);
}

/// Where credentials may stand, each as a file of docker or podman.
#[test]
fn stored_credentials_are_found_under_every_name_that_docker_has_given_a_registry() {
    let (home, server) = (Home::new(), basic_registry());
    let host = host(&server);
    let auth = json!({"auth": AUTH});
    let padded = json!({"auth": "bWU6aHVudGVyMgAA"});
    for (auths, status) in [
        (json!({&host: auth}), 8),
        (json!({&host: {"username": "me", "password": "hunter2"}}), 8),
        (json!({&host: padded}), 8),
        (json!({format!("https://{host}"): auth}), 8),
        (json!({format!("http://{host}/v1/"): auth}), 8),
        (json!({format!("https://{host}/v2/"): {}, format!("http://{host}"): auth}), 8),
        (json!({format!("https://other.example/{host}"): auth}), 7),
        (json!({format!("{host}/team"): auth}), 7),
        (json!({&host: {}}), 7),
        (json!({&host: {"auth": ""}}), 7),
    ] {
        home.configure(&json!({"auths": auths}));
        let told = home.list(&server).finish();
        assert_eq!(told.status, Some(status), "{auths}: {}", told.stderr);
        assert!(!told.stderr.contains("warning: no"), "{auths}: {}", told.stderr);
    }
    fs::remove_file(home.config()).unwrap();
    let config = json!({"auths": {&host: auth}}).to_string();
    home.list(&server).env("DOCKER_AUTH_CONFIG", &config).finish().expect_status(8);
    for (variable, file, value) in [
        ("DOCKER_CONFIG", "d/config.json", "d"),
        ("REGISTRY_AUTH_FILE", "podman.json", "podman.json"),
        ("XDG_RUNTIME_DIR", "run/containers/auth.json", "run"),
        ("XDG_CONFIG_HOME", "config/containers/auth.json", "config"),
    ] {
        let path = home.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &config).unwrap();
        home.list(&server).env(variable, home.path(value)).finish().expect_status(8);
        fs::remove_file(path).unwrap();
    }
    home.list(&server).finish().expect_status(7);
}

#[test]
fn a_helper_that_fails_is_told_and_what_the_file_holds_is_taken() {
    let (home, server) = (Home::new(), basic_registry());
    let host = host(&server);
    home.add_helper("broken", "#!/bin/sh\necho 'the keychain is locked'\nexit 1\n");
    home.add_helper("liar", "#!/bin/sh\necho '{\"Username\":\"me\",\"Secret\":[\"hunter2\"]}'\n");
    for (helper, reason) in [
        ("broken", "docker-credential-broken get failed: exit status: 1"),
        ("liar", "docker-credential-liar get printed something else"),
        ("gone", "docker-credential-gone cannot be started: "),
    ] {
        home.configure(&json!({"credsStore": helper, "auths": {&host: {"auth": AUTH}}}));
        let told = without_secret(home.list(&server).finish().expect_status(8));
        assert!(told.stderr.contains(reason), "{}", told.stderr);
        home.configure(&json!({"credHelpers": {&host: helper}}));
        home.list(&server).finish().expect_status(7);
        // One without a name says that the file keeps the password.
        home.configure(&json!({"credsStore": helper, "credHelpers": {&host: ""}, "auths": {&host: {"auth": AUTH}}}));
        let told = home.list(&server).finish().expect_status(8);
        assert!(!told.stderr.contains("docker-credential"), "{}", told.stderr);
    }
    home.configure(&json!({"credsStore": "gone"}));
    home.login(&server, &[]).finish().expect_status(5);
    home.configure(&json!({"credsStore": "broken"}));
    let told = without_secret(home.login(&server, &[]).finish().expect_status(1));
    assert!(told.stderr.contains("docker-credential-broken store failed: the keychain is locked"));
    assert_eq!(home.configured(), json!({"credsStore": "broken"}));
    home.run(&["logout", &host]).finish().expect_status(1);
    // One that repeats what it was given.
    home.add_helper("echo", "#!/bin/sh\necho \"cannot store $(tr -d '{}\"')\"\nexit 1\n");
    home.configure(&json!({"credsStore": "echo"}));
    without_secret(home.login(&server, &[]).finish().expect_status(1));
}

#[test]
fn docker_hub_is_known_by_dockers_name_for_it() {
    let home = Home::new();
    let index = "https://index.docker.io/v1/";
    home.configure(
        &json!({"credHelpers": {index: "kept"}, "auths": {"docker.io": {}, index: {}, "x": {}}}),
    );
    let entry = json!({"ServerURL": index, "Username": "me", "Secret": "hunter2"}).to_string();
    fs::write(home.path("kept/entry-https:__index.docker.io_v1_"), entry).unwrap();
    home.run(&["logout", "docker.io"]).finish().expect_status(0);
    assert_eq!(home.configured()["auths"], json!({"x": {}}));
    assert_eq!(home.kept("https:__index.docker.io_v1_"), None);
}
