//! What is run inside a text that is otherwise only said.

use regex::Regex;

use super::{
    kind::Kind,
    mask::{blank, quoted},
};

/// What knows the parts of a message that are run.
#[derive(Debug)]
pub(super) struct Said {
    /// The name of what prints, and its bracket.
    own: Regex,
    /// A call of a string's own.
    method: Regex,
    /// One that only makes a text of a text.
    formats: Regex,
    /// A call in a text, between curly brackets.
    embedded: Regex,
}

/// Where a message is being read.
#[derive(Clone, Copy)]
struct Place<'t> {
    kind: &'t Kind,
    quote: Option<char>,
    /// What stands before, and from here on.
    before: &'t str,
    rest: &'t str,
}

impl Said {
    pub(super) fn new() -> Result<Self, regex::Error> {
        let formats = r"format|\w*printf|str|string|repr|len|join|trim\w*|replace\w*|to_?(?:upper|lower)\w*|gettext|_+|tr?|i18n";
        Ok(Self {
            own: Regex::new(r"^(?:(?:throw|raise)\s+(?:new\s+)?)?[\w.:!-]+\s?\(")?,
            method: Regex::new(r"^\??\.(\w+)\(")?,
            formats: Regex::new(&format!(
                r"(?i)^(?:(?:.*[.:])?(?:{formats})!?|(?:chalk|colou?rs?|kleur|pc|click)\..*)$"
            ))?,
            embedded: Regex::new(r"^\{[^{}]*\w\([^{}]*\}")?,
        })
    }

    /// Blanks a message, but not what is run inside: commands of a shell, calls, and the string that a call is made
    /// of. Where a program's call prints, all but its strings is code.
    pub(super) fn blank(&self, kind: &Kind, masked: &mut String, text: &str) {
        let own = self.own.find(text).map_or(0, |found| found.end());
        let (_, mut rest) = text.split_at_checked(own).unwrap_or((text, ""));
        blank(masked, text.get(..own).unwrap_or_default());
        let mut quote = None;
        while let Some(c) = rest.chars().next() {
            let before = text.get(..text.len().saturating_sub(rest.len())).unwrap_or_default();
            let run = self.run(Place { kind, quote, before, rest });
            let width = run.unwrap_or_else(|| c.len_utf8());
            let (part, after) = rest.split_at_checked(width).unwrap_or((rest, ""));
            if run.is_none() {
                quote = match quote {
                    None if c == '`' && kind.is_program && after.contains(c) => Some(c),
                    open => quoted(open, before.chars().next_back().unwrap_or(' '), c, after),
                };
            }
            if run.is_some() || (own > 0 && quote.is_none() && c != '"' && c != '\'') {
                masked.push_str(part);
            } else {
                blank(masked, part);
            }
            rest = after;
        }
    }

    /// How long what is run from here on is.
    fn run(&self, place: Place<'_>) -> Option<usize> {
        let Place { kind, quote, before, rest } = place;
        let whole = |end: Option<usize>| Some(end.unwrap_or(rest.len()));
        if rest.starts_with("$(") || rest.starts_with("<(") {
            // make's own functions only look like it.
            let is_said = ["$(error", "$(warning", "$(info"].iter().any(|it| rest.starts_with(it));
            return if is_said { None } else { whole(closing(rest)) };
        }
        let is_shell = !kind.is_program && kind.continuation != '`';
        if is_shell && quote != Some('\'') && rest.starts_with('`') && !before.ends_with('\\') {
            return string_end(rest);
        }
        if quote.is_some() {
            return self.embedded.find(rest).map(|found| found.end());
        }
        if rest.starts_with('(') {
            let is_run = match name_at_end(before) {
                "" => !before.ends_with('$') && is_command(rest),
                name => !self.formats.is_match(name),
            };
            return if is_run { whole(closing(rest)) } else { None };
        }
        let end = string_end(rest).filter(|_| rest.starts_with(['"', '\'']))?;
        let method = self.method.captures(rest.get(end..)?)?.get(1)?.as_str();
        (!self.formats.is_match(method)).then_some(end)
    }
}

/// The name of what is called, before its bracket.
fn name_at_end(before: &str) -> &str {
    let is_of_name = |c: char| c.is_alphanumeric() || "_.:!".contains(c);
    before.get(before.trim_end_matches(is_of_name).len()..).unwrap_or_default()
}

/// Whether a bracket that is no call's holds a command, as PowerShell has it.
fn is_command(text: &str) -> bool {
    text.trim_start_matches('(').trim_start().starts_with(|c: char| c.is_alphabetic() || c == '&')
}

/// Where the string that begins here ends.
fn string_end(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut before = quote;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && before != '\\' {
            return Some(at.saturating_add(1));
        }
        before = c;
    }
    None
}

/// Where the bracket that is opened here is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth = depth.saturating_add(1),
            ')' if depth <= 1 => return Some(at.saturating_add(1)),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}
