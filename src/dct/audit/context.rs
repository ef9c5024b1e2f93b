//! What has to stand around a text for it to count: on its line, above it, in its file.

use regex::Regex;

use super::{kind::Kind, text::Lines};
use crate::limits;

/// A pattern, and what else has to hold. Patterns see a text without comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) pattern: &'static str,
    /// Not if the line, from where the pattern begins, holds this.
    unless: Option<&'static str>,
    /// Not if the line holds this, wherever.
    unless_line: Option<&'static str>,
    /// Only if the setting that this one belongs to holds this.
    parent: Option<&'static str>,
    /// Only if a setting above, to whatever height, holds this.
    below: Option<&'static str>,
    /// Not if a setting above, to whatever height, holds this.
    unless_below: Option<&'static str>,
    /// Only if the file holds this.
    within: Option<&'static str>,
    /// Only in files whose path holds this.
    path: Option<&'static str>,
    /// Not in the sources of programs.
    no_programs: bool,
}

impl Condition {
    pub(super) const fn new(pattern: &'static str) -> Self {
        Self {
            pattern,
            unless: None,
            unless_line: None,
            parent: None,
            below: None,
            unless_below: None,
            within: None,
            path: None,
            no_programs: false,
        }
    }

    pub(super) const fn no_programs(self) -> Self {
        Self { no_programs: true, ..self }
    }

    pub(super) const fn unless(self, pattern: &'static str) -> Self {
        Self { unless: Some(pattern), ..self }
    }

    pub(super) const fn unless_line(self, pattern: &'static str) -> Self {
        Self { unless_line: Some(pattern), ..self }
    }

    pub(super) const fn parent(self, pattern: &'static str) -> Self {
        Self { parent: Some(pattern), ..self }
    }

    pub(super) const fn below(self, pattern: &'static str) -> Self {
        Self { below: Some(pattern), ..self }
    }

    pub(super) const fn unless_below(self, pattern: &'static str) -> Self {
        Self { unless_below: Some(pattern), ..self }
    }

    pub(super) const fn within(self, pattern: &'static str) -> Self {
        Self { within: Some(pattern), ..self }
    }

    pub(super) const fn path(self, pattern: &'static str) -> Self {
        Self { path: Some(pattern), ..self }
    }
}

/// The same, compiled.
#[derive(Debug)]
pub(super) struct Conditions {
    unless: Option<Regex>,
    unless_line: Option<Regex>,
    parent: Option<Regex>,
    below: Option<Regex>,
    unless_below: Option<Regex>,
    within: Option<Regex>,
    path: Option<Regex>,
    no_programs: bool,
}

impl Conditions {
    pub(super) fn new(condition: &Condition) -> Result<Self, regex::Error> {
        let compile = |pattern: Option<&str>| pattern.map(Regex::new).transpose();
        Ok(Self {
            unless: compile(condition.unless)?,
            unless_line: compile(condition.unless_line)?,
            parent: compile(condition.parent)?,
            below: compile(condition.below)?,
            unless_below: compile(condition.unless_below)?,
            within: compile(condition.within)?,
            path: compile(condition.path)?,
            no_programs: condition.no_programs,
        })
    }

    /// Whether what is asked of a whole file holds.
    pub(super) fn hold_in(&self, kind: &Kind, path: &str, masked: &str) -> bool {
        !(self.no_programs && kind.is_program)
            && self.path.as_ref().is_none_or(|pattern| pattern.is_match(path))
            && self.within.as_ref().is_none_or(|pattern| pattern.is_match(masked))
    }

    /// Whether what is asked of the place holds.
    pub(super) fn hold_at(&self, masked: &str, at: usize, lines: &Lines<'_>) -> bool {
        let is_in = |pattern: &Option<Regex>, text: &str| {
            pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
        };
        let (before, after) = around(masked, at);
        let is_excluded =
            self.unless_line.is_some() && is_in(&self.unless_line, &[before, after].concat());
        if is_excluded || is_in(&self.unless, after) {
            return false;
        }
        if [&self.parent, &self.below, &self.unless_below].into_iter().all(Option::is_none) {
            return true;
        }
        let parents = parents(masked, at, lines);
        let has_parent =
            |pattern: &Regex| parents.first().is_some_and(|line| pattern.is_match(line));
        self.parent.as_ref().is_none_or(has_parent)
            && (self.below.is_none() || parents.iter().any(|line| is_in(&self.below, line)))
            && !parents.iter().any(|line| is_in(&self.unless_below, line))
    }
}

/// The line at a place: what stands before it and what from it on, as far as a reader would look. A line that goes
/// on in the next is one.
pub(super) fn around(text: &str, at: usize) -> (&str, &str) {
    let start = text.floor_char_boundary(at.saturating_sub(limits::AUDIT_LINE_BYTES));
    let end = text.floor_char_boundary(at.saturating_add(limits::AUDIT_LINE_BYTES));
    let before = text.get(start..at).unwrap_or_default();
    let after = text.get(at..end).unwrap_or_default();
    let before = before.rsplit('\n').next().unwrap_or_default();
    let after = after.split('\n').next().unwrap_or_default();
    (before, after.trim_end_matches('\r'))
}

/// The lines that a line belongs to, as indentation tells, the nearest first.
fn parents<'a>(masked: &'a str, at: usize, lines: &Lines<'_>) -> Vec<&'a str> {
    let own = lines.at(at);
    let mut depth = depth(lines.of(masked, own)).unwrap_or(0);
    let mut found = Vec::new();
    let above = (0..own).rev().take(limits::AUDIT_PARENT_LINES);
    for line in above.map(|line| lines.of(masked, line)) {
        if let Some(its) = self::depth(line).filter(|its| *its < depth) {
            depth = its;
            found.push(line);
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Twice the indentation, and one more for the item of a list, which may stand right below its key.
fn depth(line: &str) -> Option<usize> {
    let content = line.trim_start();
    let is_item = usize::from(content.starts_with("- "));
    let opens_nothing = content.trim_end().chars().all(|c| "{}[](),".contains(c));
    let indent = line.len().saturating_sub(content.len());
    (!opens_nothing).then(|| indent.saturating_mul(2).saturating_add(is_item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_found_by_indentation() {
        let text = "spec:\n  a:\n    trust: x\n  b:\n  - c: 1\n\n    d:\n    - e\n";
        let lines = Lines::new(text);
        let of = |what: &str| {
            let parents = parents(text, text.find(what).unwrap(), &lines);
            parents.iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of("trust"), ["a:", "spec:"]);
        assert_eq!(of("c: 1"), ["b:", "spec:"]);
        assert_eq!(of("d:"), ["- c: 1", "b:", "spec:"]);
        assert_eq!(of("- e"), ["d:", "- c: 1", "b:", "spec:"]);
        assert!(of("spec").is_empty());
    }
}
