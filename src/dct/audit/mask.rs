//! Blanks out what is no use of anything: comments, documentation, and what is only said. Every byte keeps its
//! place, so that what is found can be told by line.

use super::{kind::Kind, message::Messages};

/// What begins and ends documentation in Python.
const DOCSTRINGS: [&str; 2] = ["\"\"\"", "'''"];

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
        let masked = String::with_capacity(text.len());
        let closers = kind.blocks.iter().map(|(_, closer)| *closer).chain(DOCSTRINGS);
        let last = closers.filter_map(|closer| Some((closer, text.rfind(closer)?))).collect();
        let mut comments = Comments { kind, last, closer: None, masked };
        for line in text.split_inclusive('\n') {
            comments.line(line);
        }
        self.messages.mask(kind, &joined(&comments.masked, kind.continuation))
    }
}

/// Goes through a text by line, and knows which block comment it is in.
struct Comments<'k> {
    kind: &'k Kind,
    /// Where the last end of each kind of comment stands.
    last: Vec<(&'static str, usize)>,
    /// What ends the block that is open.
    closer: Option<&'static str>,
    masked: String,
}

impl Comments<'_> {
    fn line(&mut self, line: &str) {
        let content = line.trim_start();
        if self.closer.is_none() {
            if self
                .kind
                .own_line
                .iter()
                .chain(self.kind.comments)
                .any(|mark| content.starts_with(mark))
            {
                return blank(&mut self.masked, line);
            }
            let docstring = DOCSTRINGS.into_iter().find(|quotes| content.starts_with(quotes));
            if let Some(quotes) =
                docstring.filter(|quotes| self.kind.has_docstrings && self.is_closed(quotes))
            {
                let indent = line.len().saturating_sub(content.len());
                let (before, rest) = line
                    .split_at_checked(indent.saturating_add(quotes.len()))
                    .unwrap_or((line, ""));
                blank(&mut self.masked, before);
                self.closer = Some(quotes);
                return self.rest_of_line(rest);
            }
        }
        self.rest_of_line(line);
    }

    /// Whether there is an end to a comment that begins here: one without would hide the whole rest.
    fn is_closed(&self, closer: &str) -> bool {
        let after = self.masked.len().saturating_add(closer.len());
        self.last.iter().any(|(other, last)| *other == closer && *last >= after)
    }

    fn rest_of_line(&mut self, line: &str) {
        let mut quote = None;
        let mut before = ' ';
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            if let Some(closer) = self.closer {
                let is_end = rest.starts_with(closer);
                let width = if is_end { closer.len() } else { c.len_utf8() };
                let (gone, kept) = rest.split_at_checked(width).unwrap_or((rest, ""));
                blank(&mut self.masked, gone);
                (rest, before) = (kept, ' ');
                self.closer = self.closer.filter(|_| !is_end);
                continue;
            }
            if quote.is_none() {
                if let Some((opener, closer)) = self
                    .kind
                    .blocks
                    .iter()
                    .find(|(opener, closer)| rest.starts_with(opener) && self.is_closed(closer))
                {
                    let (gone, kept) = rest.split_at_checked(opener.len()).unwrap_or((rest, ""));
                    blank(&mut self.masked, gone);
                    (rest, self.closer) = (kept, Some(*closer));
                    continue;
                }
                if before.is_whitespace()
                    && self.kind.comments.iter().any(|mark| rest.starts_with(mark))
                {
                    return blank(&mut self.masked, rest);
                }
            }
            quote = quoted(quote, before, c, after);
            self.masked.push(c);
            (rest, before) = (after, c);
        }
    }
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
            ("a.xml", "<a><!-- b\nc --></a>", "<a>\n     </a>"),
            ("a.js", "a = /[/*]/\nb", "a = /[/*]/\nb"),
            ("a.yml", "a: ${#b}\nc # d", "a: ${#b}\nc"),
            ("Jenkinsfile", "sh '''\n  # a\n  b // c\n'''", "sh '''\n\n  b\n'''"),
        ];
        for (path, text, expected) in cases {
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
