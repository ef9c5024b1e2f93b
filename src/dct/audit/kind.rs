//! What kind of file a path and a first line show: which of it is comment, and how lines go on.

/// A file's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// What begins a comment, at the start of a line or after white space.
    pub(super) comments: &'static [&'static str],
    /// What begins a comment only at the start of a line.
    pub(super) own_line: &'static [&'static str],
    /// What begins and ends a comment.
    pub(super) blocks: &'static [(&'static str, &'static str)],
    /// What begins and ends a string that may go on over lines.
    pub(super) strings: &'static [(&'static str, &'static str)],
    /// What ends a line that goes on in the next.
    pub(super) continuation: char,
    /// Strings of three quotes at the start of a line are documentation.
    pub(super) has_docstrings: bool,
    /// Keys by indentation.
    pub(super) is_yaml: bool,
    /// `FROM` names an image.
    pub(super) is_dockerfile: bool,
    /// Says what is to be run, in which images.
    pub(super) is_configuration: bool,
    /// The source of a program, in which names are data more often than not.
    pub(super) is_program: bool,
}

const TRIPLE: &[(&str, &str)] = &[("'''", "'''"), ("\"\"\"", "\"\"\"")];
const TRIPLE_OR_TICK: &[(&str, &str)] = &[("'''", "'''"), ("\"\"\"", "\"\"\""), ("`", "`")];

const HASH: Kind = Kind {
    comments: &["#"],
    // Scripts of other languages stand inside YAML, Groovy and the like.
    own_line: &["//"],
    blocks: &[],
    strings: &[],
    continuation: '\\',
    has_docstrings: false,
    is_yaml: false,
    is_dockerfile: false,
    is_configuration: false,
    is_program: false,
};
const YAML: Kind = Kind {
    blocks: &[("{{/*", "*/"), ("{{- /*", "*/")],
    is_yaml: true,
    is_configuration: true,
    ..HASH
};
const JINJA: Kind = Kind { blocks: &[("{#", "#}")], ..YAML };
const DOCKERFILE: Kind = Kind { is_dockerfile: true, ..HASH };
const PYTHON: Kind = Kind { strings: TRIPLE, has_docstrings: true, is_program: true, ..HASH };
const RUBY: Kind = Kind { blocks: &[("=begin", "=end")], ..HASH };
const HCL: Kind =
    Kind { comments: &["#", "//"], blocks: &[("/*", "*/")], is_configuration: true, ..HASH };
const SLASHES: Kind = Kind { comments: &["//"], own_line: &["#"], blocks: &[("/*", "*/")], ..HASH };
const PIPELINE: Kind = Kind { strings: TRIPLE, is_configuration: true, ..SLASHES };
const PROGRAM: Kind = Kind { strings: TRIPLE_OR_TICK, is_program: true, ..SLASHES };
const POWERSHELL: Kind = Kind {
    blocks: &[("<#", "#>")],
    strings: &[("@\"", "\"@"), ("@'", "'@")],
    continuation: '`',
    ..HASH
};
const BATCH: Kind = Kind {
    comments: &[],
    own_line: &["rem ", "REM ", "Rem ", "@rem ", "@REM ", "::"],
    continuation: '^',
    ..HASH
};
const INI: Kind = Kind { own_line: &[";", "//"], ..HASH };
const MARKUP: Kind = Kind { comments: &[], own_line: &[], blocks: &[("<!--", "-->")], ..HASH };
const DASHES: Kind = Kind { comments: &["--"], own_line: &[], blocks: &[("/*", "*/")], ..HASH };
/// JSON has none; some readers take these all the same.
const JSON: Kind = Kind { comments: &[], own_line: &["//", "#"], ..HASH };

/// Kinds by the ending of a name, in small letters.
const ENDINGS: &[(&[&str], Kind)] = &[
    (&["yml", "yaml", "tpl", "gotmpl"], YAML),
    (&["j2", "jinja", "jinja2"], JINJA),
    (&["json", "webmanifest"], JSON),
    (&["tf", "tfvars", "hcl", "nomad", "pkr"], HCL),
    (&["dockerfile", "containerfile"], DOCKERFILE),
    (&["py", "pyw", "bzl", "star"], PYTHON),
    (&["rb", "rake", "gemspec"], RUBY),
    (&["ps1", "psm1", "psd1"], POWERSHELL),
    (&["bat", "cmd"], BATCH),
    (&["ini", "cfg", "service", "properties", "editorconfig"], INI),
    (&["xml", "vue", "csproj", "props", "targets", "plist"], MARKUP),
    (&["sql", "lua", "hs"], DASHES),
    (
        &[
            "js",
            "mjs",
            "cjs",
            "jsx",
            "ts",
            "tsx",
            "go",
            "java",
            "kt",
            "kts",
            "rs",
            "c",
            "h",
            "cc",
            "cpp",
            "hpp",
            "cs",
            "swift",
            "scala",
            "php",
            "sol",
            "dart",
            "proto",
            "jsonc",
            "json5",
            "jsonnet",
            "libsonnet",
            "cue",
            "rego",
            "css",
            "scss",
        ],
        PROGRAM,
    ),
    (&["bicep", "bicepparam", "groovy", "gradle", "jenkinsfile"], PIPELINE),
];

/// Endings of what people read.
const DOCUMENTATION: &[&str] = &[
    "md", "markdown", "mdown", "mdx", "rst", "adoc", "asciidoc", "asc", "txt", "text", "org",
    "textile", "pod", "tex", "rtf", "html", "htm", "po", "pot", "ipynb", "svg", "diff", "patch",
    "log",
];

/// Folders of what shells offer to type.
const COMPLETIONS: [&str; 3] = ["completion", "completions", "bash_completion.d"];

/// Begins of names of lists of words.
const WORD_LISTS: [&str; 2] = ["cspell.", ".cspell."];

/// By this a schema says what it is. It describes settings, and sets none.
const SCHEMA: &str = "json-schema.org/";

/// Bytes at the begin of a file among which it does.
const SCHEMA_BYTES: usize = 1024;

/// Names, without ending, of what people read, and of lists of names.
const DOCUMENTATION_NAMES: &[&str] = &[
    "readme",
    "changelog",
    "changes",
    "history",
    "news",
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "contributing",
    "contributors",
    "maintainers",
    "todo",
    "codeowners",
    ".gitignore",
    ".dockerignore",
    ".helmignore",
    ".gitattributes",
    ".gitleaksignore",
];

impl Kind {
    /// Of the file at `path`; `None`: documentation.
    pub(super) fn of(path: &str, text: &str) -> Option<Self> {
        (!is_documentation(path, text)).then(|| Self::by_name(path, text))
    }

    /// Of the file at `path`, were it no documentation.
    pub(super) fn by_name(path: &str, text: &str) -> Self {
        let name = name_of(path);
        let (stem, ending) = parts_of(&name);
        let by_name = match stem {
            "dockerfile" | "containerfile" => Some(DOCKERFILE),
            "jenkinsfile" => Some(PIPELINE),
            _ => None,
        };
        let by_ending = ENDINGS.iter().find(|(endings, _)| endings.contains(&ending));
        let by_ending = by_ending.map(|(_, kind)| *kind);
        by_name.or(by_ending).unwrap_or_else(|| Self::by_first_line(text))
    }

    /// Of a file whose name says nothing.
    fn by_first_line(text: &str) -> Self {
        let first = text.lines().next().unwrap_or_default();
        match first.strip_prefix("#!") {
            Some(program) if program.contains("python") => PYTHON,
            Some(program) if program.contains("node") || program.contains("groovy") => PIPELINE,
            Some(program) if program.contains("pwsh") => POWERSHELL,
            _ if first.trim_start().starts_with("<?xml") => MARKUP,
            _ => HASH,
        }
    }
}

fn is_documentation(path: &str, text: &str) -> bool {
    let mut folders = path.split(['/', '\\']);
    if folders.any(|folder| COMPLETIONS.contains(&folder)) {
        return true;
    }
    let name = name_of(path);
    let (stem, ending) = parts_of(&name);
    name != "cmakelists.txt"
        && (DOCUMENTATION.contains(&ending)
            || (ending.is_empty() && DOCUMENTATION_NAMES.contains(&stem))
            || WORD_LISTS.iter().any(|begin| name.starts_with(begin))
            || is_schema(&name, ending, text))
}

/// The name of a file, in small letters.
fn name_of(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase()
}

/// A name, and its ending if it has one.
fn parts_of(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => (stem, ending),
        _ => (name, ""),
    }
}

fn is_schema(name: &str, ending: &str, text: &str) -> bool {
    let start = text.get(..text.floor_char_boundary(SCHEMA_BYTES)).unwrap_or_default();
    name.ends_with(".schema.json")
        || (["json", "yml", "yaml"].contains(&ending) && start.contains(SCHEMA))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_name_ending_and_first_line() {
        let cases = [
            (".github/workflows/ci.yml", "", Some(YAML)),
            (".gitlab-ci.YAML", "", Some(YAML)),
            ("build/Dockerfile", "", Some(DOCKERFILE)),
            ("Dockerfile.release", "", Some(DOCKERFILE)),
            ("release.Dockerfile", "", Some(DOCKERFILE)),
            ("Jenkinsfile", "", Some(PIPELINE)),
            ("Jenkinsfile.nightly", "", Some(PIPELINE)),
            ("main.bicep", "", Some(PIPELINE)),
            ("main.go", "", Some(PROGRAM)),
            ("contrib/completion/bash/docker", "", None),
            ("Makefile", "", Some(HASH)),
            (".env", "", Some(HASH)),
            ("release", "#!/usr/bin/env python3\n", Some(PYTHON)),
            ("release", "#!/bin/sh\n", Some(HASH)),
            ("README.md", "", None),
            ("README", "", None),
            ("docs/trust.rst", "", None),
            (".gitignore", "", None),
            ("site/index.html", "", None),
            ("cspell.config.yaml", "", None),
            ("values.schema.json", "", None),
            ("values.json", "{\"$schema\": \"http://json-schema.org/draft-07/schema#\"}", None),
            (
                "values.json",
                "{\"$schema\": \"https://example.com/values.schema.json\"}",
                Some(JSON),
            ),
            ("CMakeLists.txt", "", Some(HASH)),
        ];
        for (path, text, kind) in cases {
            assert_eq!(Kind::of(path, text), kind, "{path}");
        }
    }
}
