//! Blanks out what is no use of anything: comments, documentation, and what is only said. Every byte keeps its
//! place, so that what is found can be told by line.

use std::collections::BTreeMap;

use super::{kind::Kind, message::Messages};

/// What begins and ends documentation in Python.
const DOCSTRINGS: [&str; 2] = ["\"\"\"", "'''"];

/// What begins comments, and stands in paths and expansions of shells: `dist/*`, `${#a}`.
const IN_WORDS: [&str; 2] = ["/*", "{#"];

/// What knows the parts of a text that do nothing.
#[derive(Debug)]
pub(super) struct Masks {
    messages: Messages,
}

impl Masks {
    pub(super) fn new() -> Result<Self, regex::Error> {
        Ok(Self { messages: Messages::new()? })
    }

    /// A text of the same length. A line that goes on in the next has a space where it ends.
    pub(super) fn apply(&self, kind: &Kind, text: &str) -> String {
        let mut comments = Comments::new(kind, text);
        for (number, line) in text.split_inclusive('\n').enumerate() {
            comments.line(number, line);
        }
        self.messages.mask(kind, &joined(&comments.masked, kind.continuation))
    }
}

/// What goes on over the end of a line.
#[derive(Clone, Copy)]
enum Open<'t> {
    /// A comment, up to this.
    Comment(&'static str),
    /// A string, up to this: what looks like a block comment in it is a path.
    String(&'static str),
    /// A here-document, up to this word alone on a line.
    Here(&'t str),
}

/// Goes through a text by line, and knows which block comment or string it is in.
struct Comments<'t> {
    kind: &'t Kind,
    /// Where the last end of each kind of comment stands.
    last: Vec<(&'static str, usize)>,
    /// The last line on which each word stands alone.
    here_ends: BTreeMap<&'t str, usize>,
    open: Option<Open<'t>>,
    masked: String,
}

impl<'t> Comments<'t> {
    fn new(kind: &'t Kind, text: &'t str) -> Self {
        let closers = kind.blocks.iter().map(|(_, closer)| *closer).chain(DOCSTRINGS);
        let last = closers.filter_map(|closer| Some((closer, text.rfind(closer)?))).collect();
        let masked = String::with_capacity(text.len());
        Self { kind, last, here_ends: here_ends(text), open: None, masked }
    }

    fn line(&mut self, number: usize, line: &'t str) {
        let content = line.trim_start();
        match self.open {
            Some(Open::Here(word)) if line.trim() == word => self.open = None,
            None if self.kind.has_docstrings => {
                let docstring = DOCSTRINGS.into_iter().find(|quotes| content.starts_with(quotes));
                if let Some(quotes) = docstring.filter(|quotes| self.is_closed(quotes)) {
                    let start = line.len().saturating_sub(content.len());
                    let (before, rest) = line
                        .split_at_checked(start.saturating_add(quotes.len()))
                        .unwrap_or((line, ""));
                    blank(&mut self.masked, before);
                    self.open = Some(Open::Comment(quotes));
                    return self.rest_of_line(rest);
                }
            }
            _ => {}
        }
        self.rest_of_line(line);
        // One without an end would take the rest of the text for its own.
        let here = self.open.is_none().then(|| here_word(line)).flatten();
        let here = here.filter(|word| self.here_ends.get(word).is_some_and(|end| *end > number));
        self.open = here.map(Open::Here).or(self.open);
    }

    /// Whether there is an end to a comment that begins here: one without would hide the whole rest.
    fn is_closed(&self, closer: &str) -> bool {
        let after = self.masked.len().saturating_add(closer.len());
        self.last.iter().any(|(other, last)| *other == closer && *last >= after)
    }

    fn rest_of_line(&mut self, line: &str) {
        let (mut quote, mut before, mut rest) = (None, ' ', line);
        let mut is_own_line = !matches!(self.open, Some(Open::Comment(_)));
        while let Some(c) = rest.chars().next() {
            is_own_line &= before.is_whitespace();
            if let Some(width) = self.comment(quote, before, rest, is_own_line) {
                let (gone, kept) = rest.split_at_checked(width).unwrap_or((rest, ""));
                blank(&mut self.masked, gone);
                (rest, before) = (kept, ' ');
                continue;
            }
            let width = self.string(quote, before, rest).unwrap_or_else(|| c.len_utf8());
            let (kept, after) = rest.split_at_checked(width).unwrap_or((rest, ""));
            if width == c.len_utf8() {
                quote = quoted(quote, before, c, after);
            }
            self.masked.push_str(kept);
            (rest, before) = (after, c);
        }
    }

    /// How much from here on is comment.
    fn comment(
        &mut self,
        quote: Option<char>,
        before: char,
        rest: &str,
        is_own_line: bool,
    ) -> Option<usize> {
        if let Some(Open::Comment(closer)) = self.open {
            let end = rest.find(closer);
            self.open = self.open.filter(|_| end.is_none());
            return Some(end.map_or(rest.len(), |end| end.saturating_add(closer.len())));
        }
        if quote.is_some() {
            return None;
        }
        let is_apart = before.is_whitespace();
        let is_begun = |marks: &[&str]| is_apart && marks.iter().any(|mark| rest.starts_with(mark));
        if is_begun(self.kind.comments) || (is_own_line && is_begun(self.kind.own_line)) {
            return Some(match self.open {
                Some(Open::String(closer)) => rest.find(closer).unwrap_or(rest.len()),
                _ => rest.len(),
            });
        }
        let mut blocks = self.kind.blocks.iter().filter(|(opener, closer)| {
            rest.starts_with(opener)
                && (is_apart || !IN_WORDS.contains(opener))
                && self.is_closed(closer)
        });
        let (opener, closer) = blocks.next().filter(|_| self.open.is_none())?;
        self.open = Some(Open::Comment(closer));
        Some(opener.len())
    }

    /// How long what begins or ends a string of several lines is, if it stands here.
    fn string(&mut self, quote: Option<char>, before: char, rest: &str) -> Option<usize> {
        if before == '\\' {
            return None;
        }
        match self.open {
            None if quote.is_none() => {
                let mut strings = self.kind.strings.iter();
                let (opener, closer) = strings.find(|(opener, _)| rest.starts_with(opener))?;
                let is_prose = self.kind.has_docstrings && is_named_as_prose(&self.masked);
                self.open = match is_prose && self.is_closed(closer) {
                    true => Some(Open::Comment(closer)),
                    false => Some(Open::String(closer)),
                };
                Some(opener.len())
            }
            Some(Open::String(closer)) if rest.starts_with(closer) => {
                self.open = None;
                Some(closer.len())
            }
            _ => None,
        }
    }
}

/// Whether a text ends with the name of something that is for people, and a sign that sets it.
fn is_named_as_prose(text: &str) -> bool {
    let name = text.trim_end().trim_end_matches(['=', ' ', '(']);
    let name = name.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    name.len() < text.trim_end().len()
        && ["help", "usage", "description", "epilog"].iter().any(|prose| name.contains(prose))
}

/// The word that ends a here-document which begins behind this line.
fn here_word(line: &str) -> Option<&str> {
    let (_, word) = line.rsplit_once("<<")?;
    let word = word.trim_start_matches(['-', '~']).trim();
    let quote = word.chars().next().filter(|c| matches!(c, '"' | '\''));
    let word = quote.map_or(Some(word), |quote| word.strip_prefix(quote)?.strip_suffix(quote))?;
    is_word(word).then_some(word)
}

/// The last line on which each word stands alone, where there are here-documents.
pub(super) fn here_ends(text: &str) -> BTreeMap<&str, usize> {
    if !text.contains("<<") {
        return BTreeMap::new();
    }
    let lines = text.lines().enumerate();
    lines.map(|(number, line)| (line.trim(), number)).filter(|(line, _)| is_word(line)).collect()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The quote that is open after `c`. One that nothing closes on its line is an apostrophe.
pub(super) fn quoted(open: Option<char>, before: char, c: char, after: &str) -> Option<char> {
    match open {
        Some(quote) if c == quote && before != '\\' => None,
        None if matches!(c, '\'' | '"') && before != '\\' && after.contains(c) => Some(c),
        open => open,
    }
}

/// As many bytes of white space; lines stay.
pub(super) fn blank(masked: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' | '\r' => masked.push(c),
            _ => masked.extend(std::iter::repeat_n(' ', c.len_utf8())),
        }
    }
}

/// Puts a line that goes on and the next together.
fn joined(text: &str, continuation: char) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        match content.strip_suffix(continuation) {
            Some(kept) if content.len() < line.len() => {
                joined.push_str(kept);
                joined.extend(std::iter::repeat_n(' ', line.len().saturating_sub(kept.len())));
            }
            _ => joined.push_str(line),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(path: &str, text: &str) -> String {
        let kind = Kind::of(path, text).unwrap();
        let masked = Masks::new().unwrap().apply(&kind, text);
        assert_eq!(masked.len(), text.len());
        let lines = masked.lines().map(str::trim_end);
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn comments_go_and_what_only_looks_like_one_stays() {
        let cases = [
            ("a.sh", "a # b\n#c\nd#e \"# f\" ${#g}", "a\n\nd#e \"# f\" ${#g}"),
            (
                "a.yml",
                "a: don't # b\nc: '#d' # e\n{{/* f\n g */}}h",
                "a: don't\nc: '#d'\n\n     }}h",
            ),
            (
                "a.tf",
                "a = 1 // b\n/* c\n d */ e # f\n\"https://g\"",
                "a = 1\n\n      e\n\"https://g\"",
            ),
            ("a.ps1", "<# a\nb #> c # d", "\n     c"),
            ("a.bat", "rem a\n:: b\nset c=1", "\n\nset c=1"),
            ("a.py", "\"\"\"a\nb\"\"\"\nc = '''d'''", "\n\nc = '''d'''"),
            ("a.py", "HELP = \"\"\"a\nb\"\"\"\nc", "HELP = \"\"\"\n\nc"),
            ("a.rb", "a\n=begin\nb\n=end\nc", "a\n\n\n\nc"),
            ("a.xml", "<a><!-- b\nc --></a>", "<a>\n     </a>"),
            ("a.js", "a = /[/*]/\nb", "a = /[/*]/\nb"),
            ("a.yml", "a: ${#b}\nc # d", "a: ${#b}\nc"),
            ("Jenkinsfile", "sh '''\n  # a\n  b // c\n'''", "sh '''\n\n  b\n'''"),
            ("Jenkinsfile", "sh '''\n # a '''\n/* b */ c", "sh '''\n     '''\n        c"),
        ];
        for (path, text, expected) in cases {
            assert_eq!(masked(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn no_comment_begins_in_a_path_or_in_a_string_of_several_lines() {
        let cases = [
            ("Jenkinsfile", "sh '''\n rm -rf x/* /*\n a\n'''\njunit '**/*.xml'", None),
            ("Jenkinsfile", "rm x/*\na\nb */", None),
            ("a.tf", "u = <<-EOT\n rm /*\n a\n cp */b\nEOT\n/* c */ d", Some("/* c */")),
            ("a.js", "s = `\n rm /*\n a\n`\nt = '*/'", None),
            ("a.bicep", "s = '''\n rm /*\n '''\n/* c */\n", Some("/* c */")),
            ("a.ps1", "@\"\n <# a\n\"@\n<# c #> d", Some("<# c #>")),
            ("a.py", "s = '''\na\n'''\nb\n'''c'''", Some("'''c'''")),
        ];
        for (path, text, comment) in cases {
            let expected =
                comment.map_or_else(|| text.to_owned(), |c| text.replace(c, &" ".repeat(c.len())));
            let expected = expected.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
            assert_eq!(masked(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn a_line_that_goes_on_is_one_line() {
        assert_eq!(masked("a.sh", "docker \\\n  trust \\\r\n sign"), "docker     trust     sign");
        assert_eq!(masked("a.ps1", "docker `\n  trust"), "docker     trust");
        assert_eq!(masked("a.sh", "# a \\\nb"), "\nb");
    }
}
