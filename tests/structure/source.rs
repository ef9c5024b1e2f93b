//! Reads Rust source as far as the structure test needs: paths, string literals and `cfg` attributes.

use std::collections::BTreeSet;

/// A source file without comments and without its unit tests.
#[derive(Debug)]
pub(super) struct Source {
    /// Path below src/, with `/`.
    path: String,
    /// Line by line as in the file; comments are left out and string literals are empty.
    code: String,
    literals: BTreeSet<String>,
}

impl Source {
    /// Reads the text of the file that stands at `path` below src/.
    pub(super) fn parse(path: &str, text: &str) -> Self {
        let (code, literals) = strip(unit_tests_cut(text));
        Self { path: path.to_owned(), code, literals }
    }

    /// Path below src/.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The contents of the string literals.
    pub(super) const fn literals(&self) -> &BTreeSet<String> {
        &self.literals
    }

    /// Every path of two segments or more, `use` trees spelled out, and the crate's own from `crate::`.
    pub(super) fn paths(&self) -> BTreeSet<String> {
        let tokens = tokens(&self.code);
        let mut paths = BTreeSet::new();
        let mut rest = tokens.as_slice();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            if is_word(first) && after.first() == Some(&"::") {
                rest = spell_out("", std::slice::from_ref(first), after, &mut paths);
            }
        }
        paths.iter().map(|path| self.rooted(path)).collect()
    }

    /// Turns the `super::`s of a path that reaches the crate's root into `crate::`.
    fn rooted(&self, path: &str) -> String {
        let depth = self.path.trim_end_matches("/mod.rs").split('/').count();
        match path.strip_prefix(&"super::".repeat(depth)) {
            Some(rest) => format!("crate::{rest}"),
            None => path.to_owned(),
        }
    }

    /// The lines, by number, that switch on a feature elsewhere than above a `mod` line or, in
    /// keys/mod.rs, within the table of providers.
    pub(super) fn stray_features(&self) -> Vec<usize> {
        let lines: Vec<&str> = self.code.lines().map(str::trim).collect();
        let mut in_providers = false;
        let mut stray = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            in_providers = line.contains("PROVIDERS:") || (in_providers && *line != "];");
            let switches = line.contains("cfg") && line.contains("feature");
            let item = lines[at..].iter().find(|line| !line.is_empty() && !line.starts_with("#["));
            let on_module = line.starts_with("#[cfg(") && item.is_some_and(|item| is_module(item));
            if switches && !on_module && !(in_providers && self.path == "keys/mod.rs") {
                stray.push(at + 1);
            }
        }
        stray
    }
}

fn is_module(item: &str) -> bool {
    let item =
        item.strip_prefix("pub(crate) ").or_else(|| item.strip_prefix("pub ")).unwrap_or(item);
    item.starts_with("mod ") && item.ends_with(';')
}

/// Unit tests stand at the foot; they may cross layers.
fn unit_tests_cut(text: &str) -> &str {
    let opening = "\n#[cfg(test)]\n";
    let is_tests = |at: &usize| {
        let item = text[at + opening.len()..].lines().find(|line| !line.starts_with("#["));
        item.is_some_and(|item| item.starts_with("mod tests"))
    };
    let at = text.match_indices(opening).map(|(at, _)| at).find(is_tests);
    &text[..at.unwrap_or(text.len())]
}

/// Follows a path, and all branches of a `use` tree, and gives what comes after.
fn spell_out<'a>(
    prefix: &str,
    first: &[&str],
    mut rest: &'a [&'a str],
    paths: &mut BTreeSet<String>,
) -> &'a [&'a str] {
    let mut path = format!("{prefix}{}", first.concat());
    loop {
        match rest {
            ["::", "{", tail @ ..] => return branches(&format!("{path}::"), tail, paths),
            ["::", word, tail @ ..] if is_word(word) => {
                path = format!("{path}::{word}");
                rest = tail;
            }
            // A glob or a turbofish.
            _ => break,
        }
    }
    paths.insert(path);
    rest
}

fn branches<'a>(
    prefix: &str,
    mut rest: &'a [&'a str],
    paths: &mut BTreeSet<String>,
) -> &'a [&'a str] {
    loop {
        match rest {
            [] => return rest,
            ["}", tail @ ..] => return tail,
            [word, tail @ ..] if is_word(word) => rest = spell_out(prefix, &[word], tail, paths),
            [_, tail @ ..] => rest = tail,
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::` and single characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// Takes comments out, and the contents of string literals apart. Lines stay where they are.
fn strip(text: &str) -> (String, BTreeSet<String>) {
    let (mut code, mut literals) = (String::new(), BTreeSet::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kept, length) = if rest.starts_with("//") {
            ("", rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            ("", rest.find("*/").map_or(rest.len(), |end| end + 2))
        } else if let Some((literal, length)) = string(rest, code.chars().next_back()) {
            literals.insert(literal.to_owned());
            ("\"\"", length)
        } else {
            // A character literal may hold a quote.
            let length = ["'\"'", "'\\\"'", "'\\''"]
                .iter()
                .find(|quote| rest.starts_with(**quote))
                .map_or_else(|| first.len_utf8(), |quote| quote.len());
            (&rest[..length], length)
        };
        code.push_str(kept);
        if kept != &rest[..length] {
            code.extend(rest[..length].chars().filter(|c| *c == '\n'));
        }
        rest = &rest[length..];
    }
    (code, literals)
}

/// The contents and the length of the string literal that `rest` starts with, if it does.
fn string(rest: &str, before: Option<char>) -> Option<(&str, usize)> {
    let raw = rest.strip_prefix('r').filter(|_| !before.is_some_and(char::is_alphanumeric));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(body) = raw[hashes..].strip_prefix('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let length = body.find(&end)?;
            return Some((&body[..length], 1 + hashes + 1 + length + end.len()));
        }
    }
    let body = rest.strip_prefix('"')?;
    let mut escaped = false;
    let end = body.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some((&body[..end], end + 2))
}
