//! docs/verify-in-ci.md: the commands of each recipe, run as its CI system would.

use std::{collections::BTreeMap, fs, path::Path};

use notation_sdk::algorithm::KeySpec;
use serde_yaml_ng::Value;
use tempfile::TempDir;

use crate::{
    documentation::{blocks, install},
    support::{
        command::{Finished, Run},
        layout::Layout,
        ministack::Ministack,
        registry::Registry,
    },
};

const PAGE: &str = include_str!("../docs/verify-in-ci.md");

/// Keys of CI systems that hold scripts.
const SCRIPTS: [&str; 4] = ["run", "script", "bash", "inlineScript"];

/// A checkout with what the page's first section makes in it, a key in AWS KMS, and a registry.
struct Runner {
    folder: TempDir,
    registry: Registry,
    endpoint: String,
    alias: String,
}

impl Runner {
    fn or_skip(name: &str) -> Option<Self> {
        let (kms, registry) = (Ministack::or_skip()?, Registry::or_skip()?);
        let folder = TempDir::new().unwrap();
        install(folder.path());
        let alias = format!("alias/ci-{name}-{}", registry.port());
        kms.create_alias(&alias, &kms.create_key(KeySpec::Ec256));
        let runner = Self { folder, registry, endpoint: kms.endpoint(), alias };
        let certificate = "notation-kms cert self-sign --id awskms:///alias/release --days 2 \
             --subject 'C=US, ST=WA, O=Acme, CN=release signing' --to chain.pem\ncp chain.pem root.pem";
        runner.run(certificate, &runner.aws()).expect_status(0);
        let (setup, _) = &blocks(PAGE)[0];
        runner.run(setup, &BTreeMap::new()).expect_status(0);
        Some(runner)
    }

    fn repository(&self) -> String {
        format!("localhost:{}/team/app", self.registry.port())
    }

    /// What the role's credentials are given by.
    fn aws(&self) -> BTreeMap<&'static str, String> {
        let own = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
        own.map(|(name, value)| (name, value.to_owned())).into()
    }

    /// What gives the job credentials for a token, which is in a file.
    fn web_identity(&self) -> BTreeMap<&'static str, String> {
        let file = self.folder.path().join("token").display().to_string();
        fs::write(&file, "eyJhbGciOiJub25lIn0.e30.").unwrap();
        let role = "arn:aws:iam::000000000000:role/release-signer".to_owned();
        [("AWS_WEB_IDENTITY_TOKEN_FILE", file), ("AWS_ROLE_ARN", role)].into()
    }

    fn run(&self, script: &str, variables: &BTreeMap<&'static str, String>) -> Finished {
        let script = script
            .replace("registry.example/team/app", &self.repository())
            .replace("alias/release", &self.alias);
        let path = std::env::var("PATH").unwrap();
        let folder = self.folder.path();
        let mut run = Run::new("sh")
            .home(folder)
            .current_dir(folder)
            .args(["-euc", &script])
            .env("PATH", format!("{}:{path}", folder.join("bin").display()))
            .env("NOTATION_CONFIG", folder.join(".notation"))
            .env("KMS_KEY", format!("awskms:///{}", self.alias))
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", &self.endpoint);
        for (name, value) in variables {
            run = run.env(name, value);
        }
        run.finish()
    }

    /// Runs a recipe: its last script verifies, and those before it sign.
    fn follow(
        &self,
        recipe: &str,
        scripts: &[String],
        variables: &dyn Fn(&str) -> BTreeMap<&'static str, String>,
    ) {
        let layout = Layout::new(recipe.as_bytes());
        if self.registry.push(&layout, "team/app").is_none() {
            return;
        }
        let variables = variables(layout.digest());
        let (verify, sign) = scripts.split_last().unwrap();
        assert!(!sign.is_empty(), "{recipe} signs nothing");
        self.run(verify, &variables).expect_status(4);
        for script in sign {
            self.run(script, &variables).expect_status(0);
        }
        let verified = self.run(verify, &variables).expect_status(0);
        assert!(verified.stdout.contains("signed by CN=release signing"), "{}", verified.stdout);
        // Another commit's image is not deployed.
        let mut other = variables;
        for name in ["GITHUB_SHA", "CI_COMMIT_SHA", "BUILD_SOURCEVERSION", "GIT_COMMIT", "COMMIT"] {
            other.insert(name, "other".to_owned());
        }
        self.run(verify, &other).expect_status(3);
    }
}

/// The first block of a section, of that language.
fn recipe<'a>(section: &str, language: &str) -> &'a str {
    let section = PAGE.split("\n## ").find(|text| text.starts_with(section)).unwrap();
    let block = section.split_once(&format!("```{language}\n")).unwrap().1;
    block.split("\n```\n").next().unwrap()
}

/// The scripts of a recipe in YAML, in order.
fn scripts(section: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(&serde_yaml_ng::from_str(recipe(section, "yaml")).unwrap(), false, &mut found);
    // Runners have docker; here the executable is on the search path.
    found.retain(|script| !script.starts_with("docker create "));
    found
}

fn collect(value: &Value, is_script: bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_script => found.push(text.clone()),
        Value::Sequence(items) => items.iter().for_each(|item| collect(item, is_script, found)),
        Value::Mapping(members) => {
            for (name, member) in members {
                let is_script = name.as_str().is_some_and(|name| SCRIPTS.contains(&name));
                collect(member, is_script, found);
            }
        }
        _ => {}
    }
}

#[test]
fn github_actions() {
    let Some(runner) = Runner::or_skip("github") else { return };
    runner.follow("GitHub Actions", &scripts("GitHub Actions"), &|digest| {
        let mut variables = runner.aws();
        variables.insert("ARTIFACT", format!("{}@{digest}", runner.repository()));
        variables.insert("GITHUB_SHA", "0123456".to_owned());
        variables
    });
}

#[test]
fn gitlab() {
    let Some(runner) = Runner::or_skip("gitlab") else { return };
    runner.follow("GitLab CI", &scripts("GitLab CI"), &|digest| {
        let mut variables = runner.web_identity();
        fs::remove_file(&variables["AWS_WEB_IDENTITY_TOKEN_FILE"]).unwrap();
        for (name, value) in [
            ("AWS_ID_TOKEN", "eyJhbGciOiJub25lIn0.e30."),
            ("CI_REGISTRY_USER", "me"),
            ("CI_REGISTRY_PASSWORD", "hunter2"),
            ("CI_COMMIT_SHA", "0123456"),
            ("DIGEST", digest),
        ] {
            variables.insert(name, value.to_owned());
        }
        variables.insert("CI_REGISTRY_IMAGE", runner.repository());
        variables
    });
}

#[test]
fn azure_pipelines() {
    let Some(runner) = Runner::or_skip("azure") else { return };
    runner.follow("Azure Pipelines", &scripts("Azure Pipelines"), &|digest| {
        let mut variables = runner.aws();
        variables.insert("IMAGE", runner.repository());
        variables.insert("DIGEST", digest.to_owned());
        variables.insert("BUILD_SOURCEVERSION", "0123456".to_owned());
        variables
    });
}

#[test]
fn jenkins() {
    let Some(runner) = Runner::or_skip("jenkins") else { return };
    let pipeline = recipe("Jenkins", "groovy");
    let scripts: Vec<String> =
        pipeline.split("'''").skip(1).step_by(2).map(ToOwned::to_owned).collect();
    runner.follow("Jenkins", &scripts, &|digest| {
        let mut variables = runner.web_identity();
        variables.insert("IMAGE", runner.repository());
        variables.insert("DIGEST", digest.to_owned());
        variables.insert("GIT_COMMIT", "0123456".to_owned());
        variables
    });
}

#[test]
fn tekton() {
    let Some(runner) = Runner::or_skip("tekton") else { return };
    runner.follow("Tekton", &scripts("Tekton"), &|digest| {
        let mut variables = runner.web_identity();
        variables.insert("ARTIFACT", format!("{}@{digest}", runner.repository()));
        variables.insert("COMMIT", "0123456".to_owned());
        variables
    });
}

#[test]
fn several_artifacts_and_another_try() {
    let Some(runner) = Runner::or_skip("tries") else { return };
    let layout = Layout::new(b"tries");
    if runner.registry.push(&layout, "team/app").is_none() {
        return;
    }
    let artifact = format!("{}@{}", runner.repository(), layout.digest());
    let variables = |artifact: &str| {
        let mut variables = runner.aws();
        variables.insert("ARTIFACT", artifact.to_owned());
        variables
    };
    let sign = "notation-kms sign \"$ARTIFACT\" --id \"$KMS_KEY\" --cert-chain .notation/chain.pem";
    runner.run(sign, &variables(&artifact)).expect_status(0);
    let blocks = blocks(PAGE);
    let [_, (tries, _), (several, _)] = blocks.as_slice() else { panic!("{blocks:#?}") };
    runner.run(tries, &variables(&artifact)).expect_status(0);
    runner.run(several, &variables(&artifact)).expect_status(0);
    let verdicts = fs::read_to_string(Path::new(runner.folder.path()).join("verdicts.json"));
    assert!(verdicts.unwrap().contains("\"signer\": \"CN=release signing,O=Acme,ST=WA,C=US\""));
    // One that is not signed is not lost among the others.
    let unsigned = Layout::new(b"unsigned");
    runner.registry.push(&unsigned, "team/app").unwrap();
    let both = format!("{artifact}\n{}@{}", runner.repository(), unsigned.digest());
    runner.run(several, &variables(&both)).expect_status(9);
    // Neither is one in a last line without an end, nor one behind a blank line.
    let unended = several.replace("printf '%s\\n'", "printf '%s'");
    let apart = both.replace('\n', "\n\n");
    runner.run(&unended, &variables(&apart)).expect_status(9);
    runner.run(&unended, &variables(&artifact)).expect_status(0);
    // Who lists nothing has verified nothing.
    for nothing in ["", "\n"] {
        runner.run(several, &variables(nothing)).expect_status(2);
    }
    // Nobody listens there. The pauses between the tries are left out.
    let policy = runner.folder.path().join(".notation/trustpolicy.json");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(policy, text.replace(&runner.repository(), "localhost:1/team/app")).unwrap();
    let gone = format!("localhost:1/team/app@{}", layout.digest());
    let refused = runner.run(&tries.replace("sleep 10", "true"), &variables(&gone));
    assert_eq!(refused.expect_status(6).stderr.matches("error: ").count(), 3);
}
