//! The table of rules: what is looked for, why it breaks and when, and what to write instead.
//!
//! docs/audit-content-trust.md shows the table, and testdata/dct/audit/ holds cases for every row that are found
//! and that are not.

use super::{
    context::Condition,
    rule::{Find, Rule, Severity, Uses},
    variable::Use,
};

/// The rule of Docker's own images.
pub(super) fn official_images() -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.needs_enforcement())
}

const CLIENT_GONE: &str = "since Docker 29 (merged on 31 October 2025)";
const SERVER_GONE: &str = "8 December 2026";
const SIGNING_GONE: &str = "for Docker Hub 8 December 2026; with a notary server of your own, as soon as Docker 29 comes without the docker trust plugin";
const ACR_GONE: &str =
    "since 31 May 2026 it cannot be switched on where it never was; gone on 31 March 2028";
const NOTARY_UNMAINTAINED: &str =
    "now: the last commit is of April 2024; for Docker Hub 8 December 2026";
const ACR_DELETES: &str = "Azure refuses to switch it on for registries that never had it, and removes it for all. Switching it off deletes the trust data of every repository of the registry for good.";
const HARBOR_GONE: &str = "Harbor 2.9.0, deprecated since 2.6";
const HAS_FINAL_DATE: &str = "with the notary server it asks; for Docker Hub 8 December 2026";

const NOT_SIGNED: &str =
    "A passphrase opens a signing key of Content Trust; what it signs, nobody verifies any more.";
const SIGN: &str = "notation sign --key KEY REGISTRY/REPOSITORY@sha256:DIGEST (or notation-kms sign) after the push";
const KEY_IN_SERVICE: &str = "a key that stays in a key service, with notation key add or notation-kms key add: no passphrase in CI. Keep this one until dct export has run";

/// A text by its pattern.
const fn text(pattern: &'static str) -> Condition {
    Condition::new(pattern)
}

/// `docker trust`, also by a variable, with options between, as a list of words.
macro_rules! docker_trust {
    ($command:literal) => {
        concat!(
            r#"(?:\bdocker(?:\.exe)?|\$[({]?DOCKER(?:_\w+)?[)}]?)["']?(?:[ \t"',]+|\s*\n\s*-\s+["']?)"#,
            r#"(?:-{1,2}[\w-]+(?:=\S+|[ \t"',]+[^\s\-"',]\S*)??[ \t"',]+)*?trust["']?(?:[ \t"',]+|\s*\n\s*-\s+["']?)"#,
            $command,
            r"\b"
        )
    };
}

/// A command of the notary client, after its options, with a repository or option behind it.
macro_rules! notary {
    ($commands:literal) => {
        concat!(
            r#"(?m)(?:^|[;&|(`"'\[/$@]|\brun:|\b(?:sudo|then|do|else|exec|if|while|until)|[-:!]\s"#,
            // Commands that run another.
            r"|\b(?:time|timeout|nice|nohup|env|xargs|ssh|kubectl|(?:docker|podman)[ \t]+(?:run|exec))[ \t](?:[^\n;&|]*[ \t])?)",
            r#"[ \t]*notary(?:\.exe)?["']?[ \t"',]+"#,
            r#"(?:(?:-[Dv]|--(?:debug|verbose)|-{1,2}[\w-]+(?:=\S+|[ \t"',]+[^\s\-]\S*))[ \t"',]+)*(?:"#,
            $commands,
            r#")"#
        )
    };
}

/// Every rule, in the order of the ids.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "DCT001",
        name: "ContentTrustOn",
        severity: Severity::Error,
        title: "Content Trust is switched on",
        why: "Docker 29 ignores the variable: unsigned images are pulled and pushed without a word. An older client asks a notary server that goes away, and every pull fails then.",
        when: "ignored since Docker 29 (merged on 31 October 2025); pulls from Docker Hub fail with older clients from 8 December 2026",
        instead: "remove it, and verify before the pull: notation verify REGISTRY/REPOSITORY@sha256:DIGEST, then pull that digest",
        finds: &[Find::Variable("DOCKER_CONTENT_TRUST", Uses::Only(Use::On))],
    },
    Rule {
        id: "DCT002",
        name: "ContentTrustOff",
        severity: Severity::Note,
        title: "Content Trust is switched off",
        why: "It does nothing, and who reads it believes that there is something to switch off.",
        when: CLIENT_GONE,
        instead: "remove it; where it keeps Content Trust from a step, that step was never verified: notation verify",
        finds: &[Find::Variable("DOCKER_CONTENT_TRUST", Uses::Only(Use::Off))],
    },
    Rule {
        id: "DCT003",
        name: "ContentTrustRead",
        severity: Severity::Warning,
        title: "Something depends on whether Content Trust is on",
        why: "The value says nothing any more about what docker does.",
        when: CLIENT_GONE,
        instead: "decide by the exit code of notation verify, or remove the branch",
        finds: &[Find::Variable("DOCKER_CONTENT_TRUST", Uses::Only(Use::Read))],
    },
    Rule {
        id: "DCT004",
        name: "ContentTrustServer",
        severity: Severity::Error,
        title: "A notary server is named",
        why: "Notation signatures lie in the registry beside the image; there is no such server, and docker does not read this any more.",
        when: CLIENT_GONE,
        instead: "remove it after notation-kms dct export --server URL has kept what is there",
        finds: &[Find::Variable("DOCKER_CONTENT_TRUST_SERVER", Uses::Filled)],
    },
    Rule {
        id: "DCT005",
        name: "ContentTrustPassphrase",
        severity: Severity::Error,
        title: "A passphrase of a Content Trust key",
        why: NOT_SIGNED,
        when: SIGNING_GONE,
        instead: KEY_IN_SERVICE,
        finds: &[Find::Variable(
            "DOCKER_CONTENT_TRUST_(?:ROOT|REPOSITORY)_PASSPHRASE(?:_[A-Z0-9_]+)?",
            Uses::Filled,
        )],
    },
    Rule {
        id: "DCT006",
        name: "ContentTrustOldPassphrase",
        severity: Severity::Warning,
        title: "A passphrase variable of before Docker 1.8.2",
        why: "Docker renamed it long ago, and reads neither name any more.",
        when: "renamed in 2015, in Docker 1.8.2",
        instead: KEY_IN_SERVICE,
        finds: &[Find::Variable("DOCKER_CONTENT_TRUST_(?:OFFLINE|TAGGING)_PASSPHRASE", Uses::Filled)],
    },
    Rule {
        id: "DCT007",
        name: "NotaryPassphrase",
        severity: Severity::Error,
        title: "A passphrase of the notary client",
        why: NOT_SIGNED,
        when: NOTARY_UNMAINTAINED,
        instead: KEY_IN_SERVICE,
        finds: &[Find::Variable("NOTARY_(?:ROOT|TARGETS|SNAPSHOT|DELEGATION)_PASSPHRASE", Uses::Filled)],
    },
    Rule {
        id: "DCT008",
        name: "NotaryAuth",
        severity: Severity::Warning,
        title: "Credentials of the notary client",
        why: "User and password for a notary server, merely encoded; notation takes docker's credentials of the registry.",
        when: NOTARY_UNMAINTAINED,
        instead: "docker login or notation login for the registry; revoke these credentials when the server is gone",
        finds: &[Find::Variable("NOTARY_AUTH", Uses::Filled)],
    },
    Rule {
        id: "DCT009",
        name: "NotaryServerSetting",
        severity: Severity::Warning,
        title: "A setting of a notary server or signer",
        why: "Nothing signs or verifies with this server any more once docker has no Content Trust.",
        when: NOTARY_UNMAINTAINED,
        instead: "keep it running until notation-kms dct export --all and the migration are done, then remove it with its database",
        finds: &[Find::Variable("NOTARY_(?:SERVER|SIGNER)_[A-Z0-9_]+", Uses::Any)],
    },
    Rule {
        id: "DCT010",
        name: "DockerTrustSign",
        severity: Severity::Error,
        title: "docker trust sign",
        why: "The command is no part of docker any more, and the server that it writes to goes away.",
        when: SIGNING_GONE,
        instead: SIGN,
        finds: &[Find::Text(text(docker_trust!("sign")))],
    },
    Rule {
        id: "DCT011",
        name: "DockerTrustInspect",
        severity: Severity::Error,
        title: "docker trust inspect",
        why: "The command is no part of docker any more, and the server that it reads goes away.",
        when: SIGNING_GONE,
        instead: "notation inspect or notation list of the digest; notation-kms dct inspect ARCHIVE for what was signed before",
        finds: &[Find::Text(text(docker_trust!("(?:inspect|view)")))],
    },
    Rule {
        id: "DCT012",
        name: "DockerTrustRevoke",
        severity: Severity::Error,
        title: "docker trust revoke",
        why: "Nobody learns of what is revoked there.",
        when: SIGNING_GONE,
        instead: "delete the signature (oras manifest delete of its digest), or revoke the certificate that signed",
        finds: &[Find::Text(text(docker_trust!("revoke")))],
    },
    Rule {
        id: "DCT013",
        name: "DockerTrustKey",
        severity: Severity::Error,
        title: "docker trust key",
        why: "The keys that it makes and loads sign nothing that is verified.",
        when: SIGNING_GONE,
        instead: "a key in a key service and a certificate for it: notation-kms cert request, then notation-kms key add",
        finds: &[Find::Text(text(docker_trust!(r#"key["']?(?:[ \t"',]+|\s*\n\s*-\s+["']?)(?:generate|load)"#)))],
    },
    Rule {
        id: "DCT014",
        name: "DockerTrustSigner",
        severity: Severity::Error,
        title: "docker trust signer",
        why: "Who may sign is no longer said by delegations of a notary server.",
        when: SIGNING_GONE,
        instead: "trustedIdentities of the trust policy: notation-kms policy init, one identity a signer",
        finds: &[Find::Text(text(docker_trust!(r#"signer["']?(?:[ \t"',]+|\s*\n\s*-\s+["']?)(?:add|remove)"#)))],
    },
    Rule {
        id: "DCT015",
        name: "EnableContentTrustFlag",
        severity: Severity::Error,
        title: "Content Trust is demanded by a flag, or a variable decides",
        why: "Docker 29 hides the flag and does nothing: what was refused when unsigned goes through.",
        when: CLIENT_GONE,
        instead: "remove the flag. Instead of a verified pull: notation verify of the digest first. Instead of a signed push: notation sign after it",
        finds: &[Find::Text(text(
            r#"--disable-content-trust["']?(?:(?:=|[ \t]*:[ \t]*|["', \t]+)["']?(?:false|False|FALSE|f|F|0)\b|(?:=|[ \t]*:[ \t]*)["']?[$%{])"#,
        ).unless(r#"^[^=]*=["']?\$\{\w+:?[-=](?:true|1)\}"#))],
    },
    Rule {
        id: "DCT016",
        name: "DisableContentTrustFlag",
        severity: Severity::Note,
        title: "Content Trust is switched off by a flag",
        why: "Docker 29 hides the flag and does nothing; a command fails when the flag is removed at last.",
        when: CLIENT_GONE,
        instead: "remove the flag",
        finds: &[Find::Text(
            text(r"--disable-content-trust\b").unless(
                r#"^--disable-content-trust(?:-|["']?(?:=|[ \t]*:[ \t]*|["', \t]+)["']?(?:false|False|FALSE|f|F|0)\b|["']?(?:=|[ \t]*:[ \t]*)["']?[$%{])"#,
            ),
        ), Find::Text(text(DISABLES))],
    },
    Rule {
        id: "DCT017",
        name: "NotarySign",
        severity: Severity::Error,
        title: "The notary client signs",
        why: "It writes to a notary server that no docker reads any more.",
        when: NOTARY_UNMAINTAINED,
        instead: SIGN,
        finds: &[Find::Text(text(notary!(
            r#"(?:init|add|addhash|remove|publish|witness|delete|reset)["']?[ \t"',]+(?:[$<{-]|\S*[/.:])|(?:init|addhash|publish|witness|reset)[ \t]+[\w-]+[ \t]*(?:\r?$|[;&|>-])|key["']?[ \t"',]+(?:generate|rotate|remove|import|export|passwd|list)\b|delegation["']?[ \t"',]+(?:add|list|remove|purge)\b"#
        )))],
    },
    Rule {
        id: "DCT018",
        name: "NotaryVerify",
        severity: Severity::Error,
        title: "The notary client reads or verifies",
        why: "What it asks goes away, or is written by nobody any more.",
        when: NOTARY_UNMAINTAINED,
        instead: "notation verify and notation list; notation-kms dct inspect ARCHIVE for what was signed before",
        finds: &[Find::Text(text(notary!(
            r#"(?:list|lookup|verify|status)["']?[ \t"',]+(?:[$<{-]|\S*[/.:])|list[ \t]+[\w-]+[ \t]*(?:\r?$|[;&|>-])|lookup[ \t]+[\w-]+[ \t]+[\w.-]+"#
        )))],
    },
    Rule {
        id: "DCT019",
        name: "AcrContentTrustOn",
        severity: Severity::Error,
        title: "Azure Container Registry: Content Trust is switched on",
        why: ACR_DELETES,
        when: ACR_GONE,
        instead: "export first: notation-kms dct export --catalog REGISTRY. Then remove it; sign with notation and a key of Azure Key Vault, verify with notation, or with Ratify on AKS",
        finds: &[Find::Text(
            text(r"\baz(?:\.cmd)?\s+acr\s+config\s+content-trust\s+update\b")
                .unless(r#"--status[ =]+["']?disabled"#),
        )],
    },
    Rule {
        id: "DCT020",
        name: "AcrContentTrustCommand",
        severity: Severity::Note,
        title: "Azure Container Registry: Content Trust is asked for or switched off",
        why: "The commands are deprecated and go away. Switching it off deletes the trust data of every repository of the registry for good.",
        when: "31 March 2028",
        instead: "export first: notation-kms dct export --catalog REGISTRY. Then remove it; switch it off last, when nobody verifies by it any more",
        finds: &[Find::Text(text(
            r#"\baz(?:\.cmd)?\s+acr\s+config\s+content-trust\s+(?:show\b|update\b.*--status[ =]+["']?disabled)"#,
        ))],
    },
    Rule {
        id: "DCT021",
        name: "DockerHubNotary",
        severity: Severity::Error,
        title: "Docker Hub's notary server",
        why: "It is shut down: every request fails, and everything in it is lost.",
        when: SERVER_GONE,
        instead: "export what you need before that day, notation-kms dct export GUN; then remove the address",
        finds: &[Find::Text(text(r"\bnotary\.docker\.io\b"))],
    },
    Rule {
        id: "DCT022",
        name: "TrustDataUrl",
        severity: Severity::Error,
        title: "Trust data is asked for over HTTP",
        why: "The address is that of a notary server.",
        when: HAS_FINAL_DATE,
        instead: "notation inspect or the registry's referrers API; notation-kms dct inspect ARCHIVE for what was signed before",
        finds: &[Find::Text(text(r"/_trust/tuf\b"))],
    },
    Rule {
        id: "DCT023",
        name: "NotaryPort",
        severity: Severity::Warning,
        title: "A notary server's port",
        why: "4443 is the port of notary servers; Notation needs none.",
        when: HAS_FINAL_DATE,
        instead: "remove the address, and the way through firewalls that was made for it, after dct export --server URL",
        finds: &[Find::Text(
            text(r"(?im)(?:^.*(?:notary|content.?trust|//[\w.-]*trust).*:4443\b|:4443\b.*(?:notary|content.?trust))")
                .unless_line(r"DOCKER_CONTENT_TRUST_SERVER|notary\.docker\.io"),
        )],
    },
    Rule {
        id: "DCT024",
        name: "TrustFolder",
        severity: Severity::Warning,
        title: "The folder of Content Trust's keys and data",
        why: "Keys and trust data there are of no use to Notation, but dct export reads them: it may be the last copy.",
        when: HAS_FINAL_DATE,
        instead: "run notation-kms dct export --from-local where the folder is, keep the keys offline, then remove the step",
        finds: &[
            Find::Text(text(
                r#"(?:\.docker|\$\{?\{?\(?(?:env[.:])?DOCKER_CONFIG[)}]*)["']?[/\\]+trust\b"#,
            )),
            Find::Text(text(r"(?:~|\$HOME|\$\{HOME\}|/root|/home/[\w.-]+)/\.notary\b")),
        ],
    },
    Rule {
        id: "DCT025",
        name: "TrustKey",
        severity: Severity::Warning,
        title: "A key of Content Trust",
        why: "It signs nothing that is verified, and a private key in a repository or image is read by whoever can read that. The root key still says who you are to whoever checks an export.",
        when: HAS_FINAL_DATE,
        instead: "keep root and delegation keys offline until the migration is over (their ids are what dct export --pin-root takes); Notation needs a new key with a certificate: notation-kms cert request",
        finds: &[Find::Text(text(
            r"(?m)^[ \t]*-----BEGIN [A-Z ]*(?:PRIVATE|PUBLIC) KEY-----\r?\n(?:[ \t]*[\w-]+: .*\n)*?[ \t]*role: \S+",
        ))],
    },
    Rule {
        id: "DCT026",
        name: "TrustData",
        severity: Severity::Note,
        title: "Trust data of a notary server",
        why: "Nothing reads these files once the server is gone; as evidence they count only whole and checked.",
        when: HAS_FINAL_DATE,
        instead: "make an archive of them: notation-kms dct export --from-raw FOLDER, or --from-local",
        finds: &[Find::Text(
            text(r#""_type"\s*:\s*"(?:Root|Targets|Snapshot|Timestamp)""#).path(r"\.json$"),
        )],
    },
    Rule {
        id: "DCT027",
        name: "DaemonContentTrust",
        severity: Severity::Error,
        title: "The docker daemon enforces Content Trust",
        why: "Only Docker Enterprise's engine knows the setting; another does not start with it, and Mirantis ends it.",
        when: "Mirantis Secure Registry 2.9 ends on 24 March 2027; deprecated since 2.10",
        instead: "remove the setting; verify at admission (Ratify, Kyverno, Connaisseur) or notation verify before the pull",
        finds: &[Find::Text(
            text(r#"["']content-trust["']\s*[:=]\s*\{"#)
                .unless(r#"^["']content-trust["']\s*[:=]\s*\{\s*["'](?:type|description|\$ref)["']"#),
        ), Find::Text(
            text(r#"\bmode["']?\s*:\s*["']?(?:enforced|permissive)\b"#)
                .parent(r#"^\s*["']?content-trust["']?\s*:\s*$"#),
        )],
    },
    Rule {
        id: "DCT028",
        name: "TrustPinning",
        severity: Severity::Warning,
        title: "Settings of a notary client: pinned roots, its server, its folder",
        why: "What is pinned here is the only trust in a root that is not first use; it is worth nothing to Notation, and much to an export.",
        when: HAS_FINAL_DATE,
        instead: "give the pinned key to dct export --pin-root KEYID; in Notation the root of trust is a trust store: notation cert add --type ca",
        finds: &[
            Find::Text(text(r#"\btrust[-_]pinning["']?\s*[:=]\s*\{"#)),
            Find::Text(text(r#"["'](?:remote_server|trust_dir)["']\s*:"#).within(r#"["'](?:trust_dir|trust_pinning)["']|notary"#)),
        ],
    },
    Rule {
        id: "DCT029",
        name: "AcrImageSigner",
        severity: Severity::Warning,
        title: "Azure role AcrImageSigner",
        why: "The role allows to push trust data, which goes away. Notation signatures are pushed with AcrPush.",
        when: "31 March 2028",
        instead: "role AcrPush for who signs (and Key Vault Crypto User for the key); remove the assignment of AcrImageSigner",
        finds: &[Find::Text(text(r"\bAcrImageSigner\b|\b6cef56e8-d556-48e5-a04f-b8e64114680f\b"))],
    },
    Rule {
        id: "DCT030",
        name: "TerraformTrustPolicy",
        severity: Severity::Error,
        title: "Terraform: Content Trust of a registry is switched on",
        why: ACR_DELETES,
        when: ACR_GONE,
        instead: "export first: notation-kms dct export --catalog REGISTRY. Then trust_policy_enabled = false, or no such block, which deletes what was exported; sign and verify with Notation",
        finds: &[
            Find::Text(
                text(r"\btrust_policy_enabled\b\s*=")
                    .unless(r#"^trust_policy_enabled\s*=(?:[=~]|\s*"?(?:false|null))"#),
            ),
            Find::Text(
                text(r"\benabled\s*=")
                    .parent(r#"\btrust_policy\b"?\s*(?:=\s*)?[\[{]"#)
                    .unless(r#"^enabled\s*=\s*"?(?:false|null)"#)
                    .unless_below(OTHER_CLOUD),
            ),
            Find::Text(
                text(r"\benabled\s*=")
                    .parent(r"^\s*content\s*\{")
                    .below(r#"\bdynamic\s+"trust_policy""#)
                    .unless(r#"^enabled\s*=\s*"?(?:false|null)"#)
                    .unless_below(OTHER_CLOUD),
            ),
            Find::Text(text(r"\btrust_policy\s*(?:=\s*)?\[?\s*\{[^}\n]*\benabled\s*=\s*(?:true|var|local)")),
        ],
    },
    Rule {
        id: "DCT031",
        name: "ArmTrustPolicy",
        severity: Severity::Error,
        title: "ARM or Bicep: Content Trust of a registry is switched on",
        why: ACR_DELETES,
        when: ACR_GONE,
        instead: "export first: notation-kms dct export --catalog REGISTRY. Then status 'disabled', or no trustPolicy, which deletes what was exported; sign and verify with Notation",
        finds: &[
            Find::Text(
                text(r#"\bstatus["']?\s*[:=]"#)
                    .parent(r#"\btrustPolicy["']?\s*[:=]\s*\{?"#)
                    .unless(r#"^status["']?\s*[:=]\s*["']?disabled"#),
            ),
            Find::Text(
                text(r#"\btrustPolicy["']?\s*[:=]\s*\{[^}\n]*\bstatus["']?\s*[:=]"#)
                    .unless(r#"^trustPolicy[^}]*\bstatus["']?\s*[:=]\s*["']?disabled"#),
            ),
            Find::Text(text(r#"\btrustPolicy(?:\.s|S)tatus["']?\s*[:=]\s*["']?enabled"#)),
            Find::Text(text(r#"\btrustPolicyEnabled["']?\s*[:=]\s*["']?true"#)),
            Find::Text(text(r#"\bparam\s+trustPolicyStatus\b.*=\s*["']enabled"#)),
        ],
    },
    Rule {
        id: "DCT032",
        name: "HarborContentTrust",
        severity: Severity::Error,
        title: "Harbor: a project demands Content Trust",
        why: "Harbor has no notary any more. The old setting now demands that a Notation signature is there (nothing verifies it), so that every image that is not signed anew is refused.",
        when: HARBOR_GONE,
        instead: "sign what is there with Notation first, then demand it under the project's Deployment security; verify in the cluster all the same",
        finds: &[Find::Text(
            text(r#"\benable_content_trust\b\\?["']?\]?\s*[:=]"#)
                .unless(r#"^enable_content_trust\\?["']?\]?\s*(?:[:=]=|[:=]\s*(?:\\?["']?(?:false|null|0)\b|\\?["']\\?["']|\{|$))"#),
        )],
    },
    Rule {
        id: "DCT033",
        name: "HarborNotary",
        severity: Severity::Error,
        title: "Harbor is installed with notary",
        why: "Harbor's installer and chart know no notary any more, and the upgrade drops notary's database.",
        when: HARBOR_GONE,
        instead: "dct export --server URL --all before the upgrade, then remove the option",
        finds: &[
            Find::Text(text(r"--with-notary\b")),
            Find::Text(text(r"\bnotary\.enabled=true\b")),
            Find::Text(
                text(r#"(?m)^\s*["']?enabled["']?\s*:"#)
                    .parent(r#"^\s*["']?notary["']?\s*:"#)
                    .unless(r#"^\s*["']?enabled["']?\s*:\s*["']?(?:false|null)"#),
            ),
        ],
    },
    Rule {
        id: "DCT034",
        name: "NotaryDeployment",
        severity: Severity::Warning,
        title: "A notary server or signer is run",
        why: "It is not maintained, and nothing asks it once docker has no Content Trust.",
        when: NOTARY_UNMAINTAINED,
        instead: "keep it running until notation-kms dct export --all and the migration are done, then remove it with its database",
        finds: &[Find::Text(
            text(r"(?i)\bnotary[-_](?:server|signer)(?:\b|-)|\bnotary:(?:server|signer)\b")
                .unless(r"(?i)^notary[-_](?:server|signer)-(?:docs?|status|site|website|blog|wiki)\b")
                .unless_line(r"://|NOTARY_S(?:ERVER|IGNER)_|DOCKER_CONTENT_TRUST_SERVER")
                .no_programs(),
        )],
    },
    Rule {
        id: "DCT035",
        name: "PortierisTrust",
        severity: Severity::Error,
        title: "Portieris admits by Content Trust",
        why: "It asks a notary server for every image: when that is gone, nothing that the policy covers is admitted.",
        when: HAS_FINAL_DATE,
        instead: "admit by Notation signatures: Ratify, Kyverno or Connaisseur; switch this policy off after those enforce",
        finds: &[
            Find::Text(
                text(r#"\benabled["']?\s*:"#)
                    .parent(r#"^\s*(?:-\s+)?["']?trust["']?\s*:"#)
                    .unless(r#"^enabled["']?\s*:\s*["']?(?:false|no|off|null)"#)
                    .within(PORTIERIS),
            ),
            Find::Text(
                text(r#"\btrust["']?\s*:\s*\{[^}\n]*\benabled["']?\s*:\s*["']?(?:true|yes|on)\b"#).within(PORTIERIS),
            ),
            Find::Text(text(r#"\btrustServer["']?\s*:"#).within(PORTIERIS)),
        ],
    },
    Rule {
        id: "DCT036",
        name: "ConnaisseurNotaryV1",
        severity: Severity::Error,
        title: "Connaisseur validates by Content Trust",
        why: "The validator asks a notary server for every image: when that is gone, nothing that it covers is admitted.",
        when: HAS_FINAL_DATE,
        instead: "a validator of type notation with the certificates of the trust store; keep this one beside it until all images are signed anew",
        finds: &[Find::Text(text(r#"\btype["']?\s*[:=]\s*["']?notaryv1\b"#))],
    },
    Rule {
        id: "DCT037",
        name: "ScannerDemandsContentTrust",
        severity: Severity::Note,
        title: "A scanner that demands Content Trust",
        why: "It fails who has left, and there is nothing to be switched on: PSRule Azure.ACR.ContentTrust (deprecated there), Checkov CKV_AZURE_164, Dockle CIS-DI-0005, CIS Docker Benchmark 4.5.",
        when: "with the first removal that the scanner sees",
        instead: "exclude the check by its id, with a sentence that says what verifies signatures now",
        finds: &[Find::Text(
            text(SCANNERS).unless_line(EXCLUDED).unless_below(EXCLUDED),
        )],
    },
    Rule {
        id: "DCT038",
        name: "OfficialImage",
        severity: Severity::Warning,
        title: "A Docker Official Image, where Content Trust is on",
        why: "Docker signs its official images no more, and offers no signature in place of it: there is no successor.",
        when: "the oldest certificates expired on 8 August 2025; 8 December 2026 for all",
        instead: "pin the digest (NAME:TAG@sha256:DIGEST), or mirror the image into your registry once you have vetted it, sign it there with Notation, and pull that",
        finds: &[Find::OfficialImage],
    },
];

/// A resource of Terraform that is none of Azure's.
const OTHER_CLOUD: &str = r#"^\s*(?:resource|data)\s+"(?:[^a"]|a[^z"])"#;
/// A flag that is given by a variable, and disables where that is not set.
const DISABLES: &str = r#"--disable-content-trust["']?=["']?\$\{\w+:?[-=](?:true|1)\}"#;
const PORTIERIS: &str =
    r"portieris\.cloud\.ibm\.com|securityenforcement\.admission\.cloud\.ibm\.com";
const SCANNERS: &str = r"\bAzure\.ACR\.ContentTrust\b|\bCKV_AZURE_164\b|\bCIS-DI-0005\b|\bcheck_4_5\b|\bcis-docker-benchmark-4\.5\b|\bdocker-bench-security\b";
const EXCLUDED: &str = r"(?i)exclu|ignore|skip|suppress|disabled|\s-e\s+\S*check_4_5";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_facts_says_what_how_long_and_what_instead() {
        for rule in RULES {
            for text in [rule.title, rule.why, rule.when, rule.instead] {
                assert!(!text.is_empty() && !text.contains(['\n', '|']), "{}: {text}", rule.id);
            }
            assert!(!rule.finds.is_empty(), "{}", rule.id);
        }
    }
}
