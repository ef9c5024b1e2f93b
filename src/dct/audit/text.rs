//! The text of a file, whatever it is encoded in, and its lines.

use std::borrow::Cow;

/// How many bytes are looked at to tell text from anything else; git looks at as many.
const BINARY_BYTES: usize = 8000;

/// A file's text.
#[derive(Debug)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// UTF-8 or UTF-16, with or without a byte order mark; bytes that are neither are replaced. `None`: not text.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
            return wide(rest, u16::from_le_bytes).map(Self);
        }
        if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
            return wide(rest, u16::from_be_bytes).map(Self);
        }
        if let Some(unit) = unit_without_mark(bytes) {
            return wide(bytes, unit).map(Self);
        }
        let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
        if bytes.iter().take(BINARY_BYTES).any(|byte| *byte == 0) {
            return None;
        }
        Some(Self::lossy(bytes))
    }

    /// What of it is text.
    pub(super) fn lossy(bytes: &'a [u8]) -> Self {
        Self(String::from_utf8_lossy(bytes))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// One unit of UTF-16.
type Unit = fn([u8; 2]) -> u16;

/// How UTF-16 without a byte order mark is read: every other byte of what is written in English is zero, and none of
/// the rest is.
fn unit_without_mark(bytes: &[u8]) -> Option<Unit> {
    let start = bytes.get(..bytes.len().min(BINARY_BYTES))?;
    let zeros = |first| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let are_many = even.max(odd).saturating_mul(4) >= start.len().max(1);
    match (even, odd) {
        (0, _) if are_many => Some(u16::from_le_bytes),
        (_, 0) if are_many => Some(u16::from_be_bytes),
        _ => None,
    }
}

fn wide<'a>(bytes: &[u8], unit: Unit) -> Option<Cow<'a, str>> {
    let units = bytes.chunks_exact(2).filter_map(|pair| Some(unit(pair.try_into().ok()?)));
    let text: String =
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    (!text.chars().take(BINARY_BYTES).any(|c| c == '\0')).then_some(Cow::Owned(text))
}

/// A text by its lines.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where each begins.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Self { text, starts: std::iter::once(0).chain(after).collect() }
    }

    /// Line and character, both from 0, of the byte at `at`.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        let line = self.at(at);
        let start = self.start(line);
        let before = self.text.get(start..at).unwrap_or_default();
        (line, before.chars().count())
    }

    /// The line, from 0, of the byte at `at`.
    pub(super) fn at(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// Where a line begins.
    pub(super) fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }

    /// A line, without its end.
    pub(super) fn text(&self, line: usize) -> &'a str {
        self.of(self.text, line)
    }

    /// The line in another text of the same length.
    pub(super) fn of<'b>(&self, text: &'b str, line: usize) -> &'b str {
        let range = self.start(line)..self.start(line.saturating_add(1));
        text.get(range).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }
}
