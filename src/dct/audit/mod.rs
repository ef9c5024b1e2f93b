//! Where Docker Content Trust is used: a pure function over a file's path and bytes.
//!
//! [`RULES`] is the one table of what is looked for, why it breaks and what to write instead. [`Auditor`] holds a
//! file against it: the text is decoded, what is comment, documentation or message is blanked out, and the rules
//! see what is left. Nothing here runs, resolves or changes anything, and folders are walked elsewhere.

mod context;
mod excerpt;
mod kind;
mod mask;
mod message;
mod official;
mod rule;
mod rules;
mod said;
mod text;
mod variable;

use std::{cmp::Reverse, collections::BTreeSet};

use regex::Regex;

use crate::limits;

use context::{Condition, Conditions};
use excerpt::Excerpts;
use kind::Kind;
use mask::Masks;
use official::OfficialImages;
use rule::{Find, Uses};
use text::{Lines, Text};
use variable::Variables;

pub(crate) use rule::{Rule, Severity};
pub(crate) use rules::RULES;

/// Most files of most trees hold none of these, and nothing else is done with them.
const HINTS: &str = r"(?i)trust|notary|AcrImageSigner|6cef56e8-d556|CKV_AZURE_164|CIS-DI-0005|check_4_5|cis-docker|docker-bench|role: |_type";

/// What holds files against the rules.
#[derive(Debug)]
pub(crate) struct Auditor {
    searches: Vec<Search>,
    masks: Masks,
    variables: Variables,
    images: OfficialImages,
    excerpts: Excerpts,
    /// What a file holds that any rule but that of images finds something in.
    hints: Regex,
}

/// One thing that one rule looks for.
#[derive(Debug)]
struct Search {
    rule: &'static Rule,
    pattern: Regex,
    kind: SearchKind,
}

#[derive(Debug)]
enum SearchKind {
    Text(Box<Conditions>),
    Variable(Uses),
}

/// One line that a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule.
    pub(crate) rule: &'static Rule,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The character within the line, from 1.
    pub(crate) column: usize,
    /// The line as it stands there, cut where it is long, without what is secret in it.
    pub(crate) text: String,
}

/// How a file came to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Somebody named it, so that it is read whatever it is.
    ByName,
    /// It lies in a folder.
    ByFolder,
}

/// What a file turned out to be.
#[derive(Debug)]
pub(crate) enum Audited {
    /// Not text.
    Binary,
    /// For people, or a list of names: nothing in it is used.
    Documentation,
    /// Anything else.
    Text {
        /// In the order of the file, and on one line of the table.
        findings: Vec<Finding>,
        /// What was found more often than is told of one file: the rule of each that is left out, the least first.
        omitted: Vec<&'static Rule>,
    },
}

impl Auditor {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// A pattern of the table that is no pattern: an audit without it would say too little.
    pub(crate) fn new() -> Result<Self, regex::Error> {
        let mut searches = Vec::new();
        for rule in RULES {
            for find in rule.finds {
                searches.extend(Search::new(rule, find)?);
            }
        }
        Ok(Self {
            searches,
            masks: Masks::new()?,
            variables: Variables::new()?,
            images: OfficialImages::new()?,
            excerpts: Excerpts::new()?,
            hints: Regex::new(HINTS)?,
        })
    }

    /// Holds a file against the rules. Of `path`, with `/`, only names and endings count.
    pub(crate) fn audit(&self, path: &str, bytes: &[u8], asked: Asked) -> Audited {
        let Some(original) = Text::decode(bytes) else {
            return Audited::Binary;
        };
        let original = original.as_str();
        let Some(kind) = kind_of(path, original, asked) else {
            return Audited::Documentation;
        };
        if !self.hints.is_match(original) && !OfficialImages::may_be_in(&kind, original) {
            return Audited::Text { findings: Vec::new(), omitted: Vec::new() };
        }
        let masked = self.masks.apply(&kind, original);
        let lines = Lines::new(original);
        let mut places = BTreeSet::new();
        let searches = if self.hints.is_match(original) { self.searches.as_slice() } else { &[] };
        for search in searches {
            self.places(search, (path, &kind), &masked, &lines, &mut places);
        }
        if let Some(rule) = rules::official_images() {
            for at in self.images.places(&kind, &masked) {
                add(&mut places, rule, &lines, at);
            }
        }
        let (told, omitted) = cut(places);
        let findings = told.iter().map(|place| self.finding(place, &lines)).collect();
        Audited::Text { findings, omitted }
    }

    /// Whether a rule may find something in a file of which this is a part: if not, none does.
    pub(crate) fn may_find(&self, path: &str, part: &[u8], asked: Asked) -> bool {
        let text = Text::decode(part).unwrap_or_else(|| Text::lossy(part));
        kind_of(path, text.as_str(), asked).is_some() && self.hints.is_match(text.as_str())
    }

    /// The rule about an environment variable of this machine, if there is one.
    pub(crate) fn variable(&self, name: &str, value: &str) -> Option<&'static Rule> {
        let is_named = |search: &&Search| {
            search.pattern.find(name).is_some_and(|found| found.len() == name.len())
        };
        let mut searches = self.searches.iter().filter(is_named);
        let counts = |search: &&Search| match &search.kind {
            SearchKind::Variable(uses) => uses.hold(variable::value_of(value)),
            SearchKind::Text(_) => false,
        };
        searches.find(counts).map(|search| search.rule)
    }

    fn places(
        &self,
        search: &Search,
        (path, kind): (&str, &Kind),
        masked: &str,
        lines: &Lines<'_>,
        places: &mut BTreeSet<Place>,
    ) {
        let mut found = search.pattern.find_iter(masked).peekable();
        // Asked once a file, and only of files in which there is something.
        let is_elsewhere = match &search.kind {
            SearchKind::Text(conditions) => {
                found.peek().is_some() && !conditions.hold_in(kind, path, masked)
            }
            SearchKind::Variable(_) => false,
        };
        let mut told_to = 0;
        for found in found.filter(|_| !is_elsewhere) {
            // A rule is told once a line, and a line may be the whole file.
            if found.start() < told_to {
                continue;
            }
            let holds = match &search.kind {
                SearchKind::Text(conditions) => conditions.hold_at(masked, found.start(), lines),
                SearchKind::Variable(uses) => {
                    let used = self.variables.use_at(masked, found.range());
                    used.is_some_and(|used| uses.hold(used))
                }
            };
            if holds {
                add(places, search.rule, lines, found.start());
                told_to = lines.start(lines.at(found.start()).saturating_add(1));
            }
        }
    }

    fn finding(&self, place: &Place, lines: &Lines<'_>) -> Finding {
        let Place { line, column, rule, .. } = place;
        let text = self.excerpts.of(lines.text(*line), *column);
        Finding {
            rule: rule.0,
            line: line.saturating_add(1),
            column: column.saturating_add(1),
            text,
        }
    }
}

/// Lines and columns from 0. A rule is told once a line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: usize,
    id: &'static str,
    column: usize,
    rule: Ordered,
}

/// Rules in the order of the table, which is that of their ids.
#[derive(Debug, PartialEq, Eq)]
struct Ordered(&'static Rule);

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.id.cmp(other.0.id)
    }
}

/// As many as are told of one file, and the rules of the others. What matters least is left out first, and before
/// all what may not count at all.
fn cut(places: BTreeSet<Place>) -> (Vec<Place>, Vec<&'static Rule>) {
    let mut told: Vec<Place> = places.into_iter().collect();
    told.sort_by_key(|Place { rule, .. }| (rule.0.needs_enforcement(), Reverse(rule.0.severity)));
    let omitted = told.split_off(told.len().min(limits::AUDIT_FILE_FINDINGS));
    told.sort();
    (told, omitted.iter().map(|place| place.rule.0).collect())
}

fn kind_of(path: &str, text: &str, asked: Asked) -> Option<Kind> {
    match asked {
        Asked::ByName => Some(Kind::by_name(path, text)),
        Asked::ByFolder => Kind::of(path, text),
    }
}

/// Whether what begins with these bytes is text.
pub(crate) fn is_text(start: &[u8]) -> bool {
    Text::decode(start).is_some()
}

fn add(places: &mut BTreeSet<Place>, rule: &'static Rule, lines: &Lines<'_>, at: usize) {
    let (line, column) = lines.place(at);
    let first = Place { line, id: rule.id, column: 0, rule: Ordered(rule) };
    let last = Place { line, id: rule.id, column: usize::MAX, rule: Ordered(rule) };
    if places.range(first..=last).next().is_none() {
        places.insert(Place { line, id: rule.id, column, rule: Ordered(rule) });
    }
}

impl Search {
    /// Nothing for images, which need more than a pattern.
    fn new(rule: &'static Rule, find: &Find) -> Result<Option<Self>, regex::Error> {
        let (pattern, kind) = match find {
            Find::Text(condition) => {
                let Condition { pattern, .. } = condition;
                (Regex::new(pattern)?, SearchKind::Text(Box::new(Conditions::new(condition)?)))
            }
            Find::Variable(names, uses) => {
                (Regex::new(&format!(r"\b(?:{names})\b"))?, SearchKind::Variable(*uses))
            }
            Find::OfficialImage => return Ok(None),
        };
        Ok(Some(Self { rule, pattern, kind }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `line:rule` of each finding.
    fn found(path: &str, bytes: &[u8]) -> Vec<String> {
        match Auditor::new().unwrap().audit(path, bytes, Asked::ByFolder) {
            Audited::Text { findings, .. } => {
                findings.iter().map(|f| format!("{}:{}", f.line, f.rule.id)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ids_are_in_order_and_each_is_there_once() {
        let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
        assert_eq!(RULES.len(), RULES.iter().map(|r| r.name).collect::<BTreeSet<_>>().len());
    }

    #[test]
    fn line_ends_byte_order_marks_and_utf_16_are_read() {
        let script = "docker login\r\nexport DOCKER_CONTENT_TRUST=1\r\n";
        assert_eq!(found("a.sh", script.as_bytes()), ["2:DCT001"]);
        assert_eq!(found("a.sh", format!("\u{feff}{script}").as_bytes()), ["2:DCT001"]);
        for is_little in [true, false] {
            let units = [0xfeff_u16].into_iter().chain(script.encode_utf16());
            let bytes = |unit: u16| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() };
            let encoded: Vec<u8> = units.flat_map(bytes).collect();
            assert_eq!(found("a.ps1", &encoded), ["2:DCT001"]);
            assert_eq!(found("a.ps1", &encoded[2..]), ["2:DCT001"]);
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8_hide_nothing() {
        let text = b"caf\xe9=1\n\xff\xfe docker trust sign acme/app:1 \xc3\n";
        assert_eq!(found("a.sh", text), ["2:DCT010"]);
    }

    #[test]
    fn a_file_with_zero_bytes_is_binary() {
        let audited =
            Auditor::new().unwrap().audit("a", b"docker trust sign a\0b", Asked::ByFolder);
        assert!(matches!(audited, Audited::Binary));
    }

    #[test]
    fn a_very_long_line_is_read_to_its_end_and_shown_in_part() {
        let line = format!(
            "{} docker trust sign acme/app:1 {}",
            "x ".repeat(500_000),
            "y ".repeat(500_000)
        );
        let Audited::Text { findings, .. } =
            Auditor::new().unwrap().audit("a.sh", line.as_bytes(), Asked::ByFolder)
        else {
            panic!()
        };
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("docker trust sign acme/app:1"), "{}", findings[0].text);
        assert!(findings[0].text.chars().count() <= limits::AUDIT_EXCERPT_CHARS + 2);
    }

    #[test]
    fn findings_of_one_file_are_bounded_and_the_least_are_left_out() {
        let notes = "docker pull --disable-content-trust a\n".repeat(3);
        let lines = notes + &"docker trust sign a\n".repeat(limits::AUDIT_FILE_FINDINGS);
        match Auditor::new().unwrap().audit("a.sh", lines.as_bytes(), Asked::ByFolder) {
            Audited::Text { findings, omitted } => {
                assert_eq!(findings.len(), limits::AUDIT_FILE_FINDINGS);
                assert!(findings.iter().all(|finding| finding.rule.id == "DCT010"));
                assert!(findings.is_sorted_by_key(|finding| finding.line));
                assert_eq!(omitted.iter().map(|rule| rule.id).collect::<Vec<_>>(), ["DCT016"; 3]);
            }
            other => panic!("{other:?}"),
        }
    }
}
