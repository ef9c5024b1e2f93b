//! What is only said: texts of `echo` and the like, titles and descriptions, here-documents that are printed.
//!
//! A text that is written to a file or given to another program is used, and stays; so does what a shell runs
//! inside a text.

use regex::Regex;

use super::{
    kind::Kind,
    mask::{blank, here_ends, quoted},
};

/// What knows messages.
#[derive(Debug)]
pub(super) struct Messages {
    /// What may stand before a command on its line.
    wrapper: Regex,
    /// A command that only prints.
    says: Regex,
    /// What makes a printed text a setting all the same.
    sets: Regex,
    /// A here-document that is printed.
    here: Regex,
    /// A setting that people read, at the start of a line.
    prose: Regex,
    /// The same within a line, in quotes.
    quoted_prose: Regex,
    /// A text that goes on in the lines below.
    block: Regex,
}

const PROSE: &str = "description|displayName|display_name|summary|title|message|msg|comment|help|about|documentation|reason|notes?|label|stage";

impl Messages {
    pub(super) fn new() -> Result<Self, regex::Error> {
        let says = "echo|printf|print|println|eprintln|puts|print_\\w+|log|log[._]\\w+|logger|console\\.\\w+|core\\.\\w+|die|fail|error|err|warn|warning|info|debug|usage|abort|bail|throw|raise|Write-(?:Host|Output|Warning|Error|Verbose|Information|Debug)|fmt\\.\\w*rint\\w*|\\$\\((?:error|warning|info)";
        Ok(Self {
            wrapper: Regex::new(
                r#"^(?:\s|-\s|[@{(!]|["']|(?:run|script|command|inline|bash|sh|bat|pwsh|powershell|before_script|after_script)\s*[:=(]|(?:sh|bash|bat|pwsh|powershell|script|then|else|do|sudo|if|RUN|&&|\|\||-l?c|-ec?|-l?ec?|-Command)\s)+"#,
            )?,
            says: Regex::new(&format!(r#"^(?:{says})(?:[\s("']|$)"#))?,
            sets: Regex::new(r"task\.setvariable|::set-env|>>|\|\s*tee\b")?,
            here: Regex::new(
                r#"^\s*(?:cat|echo|printf)\s*<<[-~]?\s*["']?(\w+)["']?\s*(?:1?>&2)?\s*;?\s*$"#,
            )?,
            prose: Regex::new(&format!(r#"^\s*(?:-\s+)?["']?(?:{PROSE}|name)["']?\s*:\s+"#))?,
            quoted_prose: Regex::new(&format!(
                r#"(?:(?:^|[\s{{(,])["']?(?:{PROSE}|name)["']?\s*[:=]\s*|\b(?:errors?\.\w+|\w*(?:Error|Exception)f?|stage)\(\s*)("(?:[^"\\]|\\.)*"|'[^']*')"#
            ))?,
            block: Regex::new(&format!(
                r#"^\s*(?:-\s+)?["']?(?:{PROSE})["']?\s*:\s*[|>][-+0-9]*\s*$"#
            ))?,
        })
    }

    /// A text of the same length, without its messages.
    pub(super) fn mask(&self, kind: &Kind, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut inside: Option<Inside> = None;
        let ends = here_ends(text);
        for (number, line) in text.split_inclusive('\n').enumerate() {
            if let Some(open) = &inside {
                if open.goes_on(line) {
                    blank(&mut masked, line);
                    continue;
                }
                inside = None;
            }
            let here = self.here.captures(line).and_then(|found| found.get(1));
            // One without an end would hide the whole rest.
            let here = here.filter(|word| ends.get(word.as_str()).is_some_and(|end| *end > number));
            if let Some(word) = here {
                inside = Some(Inside::Here(word.as_str().to_owned()));
                blank(&mut masked, line);
            } else if kind.is_yaml && self.block.is_match(line) {
                inside = Some(Inside::Block(indent(line)));
                blank(&mut masked, line);
            } else {
                self.line(kind, line, &mut masked);
            }
        }
        masked
    }

    fn line(&self, kind: &Kind, line: &str, masked: &mut String) {
        let line = self.without_prose(kind, line);
        let wrapped = self.wrapper.find(&line).map_or(0, |found| found.end());
        let (before, commands) = line.split_at_checked(wrapped).unwrap_or(("", &line));
        masked.push_str(before);
        for command in commands_of(commands) {
            let begin = self.wrapper.find(command.text).map_or(0, |found| found.end());
            let (before, said) = command.text.split_at_checked(begin).unwrap_or(("", command.text));
            masked.push_str(before);
            let is_used = command.is_piped || command.writes || self.sets.is_match(said);
            if self.says.is_match(said) && !is_used {
                blank_but_commands(masked, said);
            } else {
                masked.push_str(said);
            }
        }
    }

    fn without_prose(&self, kind: &Kind, line: &str) -> String {
        let mut masked = String::with_capacity(line.len());
        let mut rest = line;
        if kind.is_yaml
            && let Some(found) = self.prose.find(line)
            && let Some((key, value)) = line.split_at_checked(found.end())
            && !value.starts_with(['"', '\'', '{', '['])
        {
            let is_title = value.trim_end().contains(char::is_whitespace);
            if is_title || !key.contains("name") {
                masked.push_str(key);
                blank(&mut masked, value);
                return masked;
            }
        }
        while let Some(found) = self.quoted_prose.captures(rest).and_then(|found| found.get(1)) {
            let Some((key, value)) = rest.split_at_checked(found.start()) else { break };
            let Some((value, after)) = value.split_at_checked(found.len()) else { break };
            masked.push_str(key);
            match key.trim_end().trim_end_matches([':', '=', ' ', '"', '\'']).ends_with("name")
                && !value.contains(char::is_whitespace)
            {
                true => masked.push_str(value),
                false => blank(&mut masked, value),
            }
            rest = after;
        }
        masked.push_str(rest);
        masked
    }
}

/// A text of several lines that is open.
enum Inside {
    /// Up to this word alone.
    Here(String),
    /// As long as lines are further in than this.
    Block(usize),
}

impl Inside {
    fn goes_on(&self, line: &str) -> bool {
        match self {
            Self::Here(word) => line.trim() != word,
            Self::Block(depth) => line.trim().is_empty() || indent(line) > *depth,
        }
    }
}

fn indent(line: &str) -> usize {
    line.len().saturating_sub(line.trim_start().len())
}

/// One command of a line, with what separates it from the next.
struct Command<'a> {
    text: &'a str,
    /// Its output goes to another command.
    is_piped: bool,
    /// Its output goes to a file.
    writes: bool,
}

/// The commands of a line, as a shell separates them.
fn commands_of(line: &str) -> Vec<Command<'_>> {
    let mut commands = Vec::new();
    let (mut quote, mut before, mut writes) = (None, ' ', false);
    let mut start = 0;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = line.get(at.saturating_add(c.len_utf8())..).unwrap_or_default();
        if quote.is_none() {
            let next = after.chars().next();
            writes |= c == '>' && before != '-' && before != '=' && is_file(after);
            let ends = c == ';' || c == '|' || (c == '&' && before != '>' && next != Some('>'));
            if ends {
                let mut end = at.saturating_add(1);
                let is_double = next == Some(c);
                if is_double {
                    chars.next();
                    end = end.saturating_add(1);
                }
                let text = line.get(start..end).unwrap_or_default();
                let is_piped = c == '|' && !is_double;
                commands.push(Command { text, is_piped, writes });
                (start, writes) = (end, false);
                before = ' ';
                continue;
            }
        }
        quote = quoted(quote, before, c, after);
        before = c;
    }
    let text = line.get(start..).unwrap_or_default();
    commands.push(Command { text, is_piped: false, writes });
    commands
}

/// Whether what follows a `>` is a file.
fn is_file(after: &str) -> bool {
    let target = after.trim_start_matches('>').trim_start();
    let is_nowhere = target.starts_with("/dev/std") || target.starts_with("/dev/null");
    !is_nowhere && target.starts_with(|c: char| c.is_alphanumeric() || "\"'$./~{".contains(c))
}

/// Blanks a message, but not what a shell runs inside.
fn blank_but_commands(masked: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find("$(") {
        let (said, inner) = rest.split_at_checked(at).unwrap_or((rest, ""));
        blank(masked, said);
        let end = closing(inner).unwrap_or(inner.len());
        let (run, after) = inner.split_at_checked(end).unwrap_or((inner, ""));
        // make's own functions only look like it.
        let is_said = ["$(error", "$(warning", "$(info"].iter().any(|word| run.starts_with(word));
        if is_said {
            blank(masked, run);
        } else {
            masked.push_str(run);
        }
        rest = after;
    }
    blank(masked, rest);
}

/// Where the bracket of a `$(` is closed.
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

#[cfg(test)]
mod tests {
    use super::*;

    const USE: &str = "docker trust sign a";

    fn is_seen(path: &str, text: &str) -> bool {
        let kind = Kind::of(path, text).unwrap();
        let masked = Messages::new().unwrap().mask(&kind, text);
        assert_eq!(masked.len(), text.len());
        masked.contains(USE)
    }

    #[test]
    fn what_is_only_said_is_not_seen() {
        let cases = [
            ("a.sh", format!("echo \"run {USE}\"")),
            ("a.sh", format!("if x; then echo '{USE}' >&2; fi")),
            ("a.sh", format!("x || die \"{USE}\"")),
            ("a.sh", format!("printf '%s' '{USE}' > /dev/stderr")),
            ("a.sh", format!("cat <<EOF\n  {USE}\nEOF\n")),
            ("a.sh", format!("echo \"usage: {USE} <image>\"")),
            ("Makefile", format!("\t@echo \"{USE}\"")),
            ("Makefile", format!("$(error {USE})")),
            ("a.yml", format!("  - run: echo \"{USE}\"")),
            ("a.yml", format!("  - name: Then {USE}")),
            ("a.yml", format!("    description: |\n      Then {USE}\n")),
            ("a.yml", format!("    displayName: '{USE}'")),
            ("a.yml", format!("  - label: \"Then: {USE}\"")),
            ("Jenkinsfile", format!("    stage('{USE}') {{")),
            ("a.tf", format!("  description = \"{USE}\"")),
            ("Jenkinsfile", format!("    sh 'echo \"{USE}\"'")),
            ("Jenkinsfile", format!("booleanParam(name: 'X', description: '{USE}')")),
            ("Dockerfile", format!("RUN echo \"{USE}\"")),
            ("a.ps1", format!("Write-Host \"{USE}\"")),
            ("a.go", format!("\tfmt.Println(\"{USE}\")")),
            ("a.go", format!("\treturn errors.New(\"run {USE}\")")),
        ];
        for (path, text) in cases {
            assert!(!is_seen(path, &text), "{path}: {text}");
        }
    }

    #[test]
    fn what_is_run_or_written_is_seen() {
        let cases = [
            ("a.sh", format!("echo \"signing\" && {USE}")),
            ("a.sh", format!("echo \"$({USE})\"")),
            ("a.sh", format!("echo '{USE}' >> ~/.bashrc")),
            ("a.sh", format!("echo '{USE}' > sign.sh")),
            ("a.sh", format!("echo '{USE}' | sh")),
            ("a.sh", format!("cat <<EOF > sign.sh\n{USE}\nEOF\n")),
            ("a.sh", format!("cat <<EOF\nx\nEOF\n{USE}\n")),
            ("a.sh", format!("cat <<EOF\n{USE}\n")),
            ("a.yml", format!("  - run: {USE}")),
            ("a.yml", format!("  description: |\n    x\n  run: {USE}")),
            ("a.yml", format!("  - name: x\n    run: |\n      {USE}")),
            ("Jenkinsfile", format!("sh 'echo signing; {USE}'")),
            ("Jenkinsfile", format!("sh \"echo $x && {USE}\"")),
        ];
        for (path, text) in cases {
            assert!(is_seen(path, &text), "{path}: {text}");
        }
    }
}
