//! What a line does with an environment variable, in whatever language: sets it, to what, or reads it.

use std::ops::Range;

use regex::Regex;

use super::context::around;

/// What is done with a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Set to something, or handed on: docker takes any value that it does not know as true.
    On,
    /// Set to what docker takes as false, or to nothing.
    Off,
    /// Its value is asked for.
    Read,
}

/// What `strconv.ParseBool` reads as false; docker takes a variable that is empty as not set.
const FALSE: [&str; 7] = ["", "0", "f", "F", "false", "False", "FALSE"];

/// What a value means to docker.
pub(super) fn value_of(value: &str) -> Use {
    if FALSE.contains(&value) { Use::Off } else { Use::On }
}

/// The forms in which variables are used.
#[derive(Debug)]
pub(super) struct Variables {
    // What stands before the name.
    unset: Regex,
    expanded: Regex,
    set_by_space: Regex,
    set_by_call: Regex,
    set_by_task: Regex,
    named: Regex,
    element: Regex,
    handed_on: Regex,
    listed: Regex,
    read: Regex,
    // What stands after it.
    assigned: Regex,
    value_below: Regex,
    value_beside: Regex,
    called: Regex,
    task_value: Regex,
    plain: Regex,
    itself: Regex,
    ends: Regex,
}

impl Variables {
    pub(super) fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            unset: Regex::new(
                r#"(?i)(?:\bunset\b[\w\s-]*|\bset\s+-eg?\s+|Remove-(?:Item|Variable)\s.*env:\\?|\benv\b.*\s-u\s*|--unset[=\s]|(?:unsetenv|delenv|\.pop|unset_env\w*)\W*)$"#,
            )?,
            expanded: Regex::new(r"(?:\$\{?[#!]?|\$\(|%|!)$")?,
            set_by_space: Regex::new(r"(?i)(?:^|[\s;&|(])(?:ENV|setenv|setx|set\s+-\w+)\s+$")?,
            set_by_call: Regex::new(
                r"(?i)(?:set_?env\w*|EnvironmentVariable|putenv|with_?env|add_?env\w*|env_?var\w*|setdefault)\W*$",
            )?,
            set_by_task: Regex::new(r"(?i)(?:setvariable\b[^\]]*\bvariable=|set-env\s+name=)$")?,
            named: Regex::new(r#"(?i)\b(?:name|key|variable)\b["']?\s*[:=]?\s*["']?$"#)?,
            element: Regex::new(r"^>\s*([^<\n]*)<")?,
            handed_on: Regex::new(
                r#"(?:^|\s)(?:-e|--env|--build-arg|export|declare\s+-x|typeset\s+-x|ARG)[\s=]+["']?$"#,
            )?,
            listed: Regex::new(r#"^\s*(?:[{"']\s*)?(?:-\s+)?(?:["']?name["']?\s*[:=]\s*)?["']?$"#)?,
            read: Regex::new(
                r#"(?i)(?:\benv\.|\bvars\.|variables\.|\bparam(?:eter)?s\.|environ\b\W*(?:get)?\W*|getenv\w*\W*|EnvironmentVariable\W*|LookupEnv\W*|printenv\s+|\bENV\W*(?:fetch)?\W*|\$env:|variables\[["']|-v\s+)$"#,
            )?,
            assigned: Regex::new(r#"^[\\"'\])}]*[ \t]*(:=|\?=|\+=|=>|=|:)[ \t]*"#)?,
            value_below: Regex::new(
                r#"^[ \t]*\r?\n\s*["']?(?:value|default)["']?[ \t]*[:=][ \t]*"#,
            )?,
            value_beside: Regex::new(
                r#"^["']?[ \t]*\)?[ \t]*[,{]?\s*["']?(?:value|defaultValue|default)["']?[ \t]*[:=][ \t]*"#,
            )?,
            called: Regex::new(r#"^["']\s*,\s*"#)?,
            task_value: Regex::new(r"^(?:[^\]\n]*\]|::)")?,
            itself: Regex::new(r#"^["']?\s*[:=]\s*["']?\$\{?DOCKER_CONTENT_TRUST\b"#)?,
            plain: Regex::new(r#"(?i)^["']?(?:1|true|t|yes|on|\$)"#)?,
            ends: Regex::new(r#"^["']?\s*(?:$|[;&|,\])}]|\s[&|;])"#)?,
        })
    }

    /// What is done with the variable whose name stands at `name`; nothing where it is only named.
    pub(super) fn use_at(&self, text: &str, name: Range<usize>) -> Option<Use> {
        let (before, _) = around(text, name.start);
        let (_, line) = around(text, name.end);
        let after = text.get(name.end..)?;
        if self.unset.is_match(before) {
            return None;
        }
        if self.expanded.is_match(before) {
            return Some(Use::Read);
        }
        self.set(before, line, after).or_else(|| self.read(before, line))
    }

    fn set(&self, before: &str, line: &str, after: &str) -> Option<Use> {
        if self.set_by_task.is_match(before) {
            let value = self.task_value.find(line)?;
            return Some(value_of(value_at(line.get(value.end()..)?)));
        }
        if self.named.is_match(before)
            && let Some(found) = self.value_beside.find(after)
        {
            return Some(value_of(value_at(after.get(found.end()..)?)));
        }
        if self.set_by_call.is_match(before)
            && let Some(found) = self.called.find(line)
        {
            return Some(value_of(value_at(line.get(found.end()..)?)));
        }
        if self.set_by_space.is_match(before) && line.starts_with([' ', '\t']) {
            return Some(value_of(value_at(line.trim_start())));
        }
        if before.ends_with('<') && self.element.is_match(line) {
            let value = line.trim_start_matches('>').split('<').next().unwrap_or_default();
            return Some(value_of(value.trim()));
        }
        if let Some(used) = self.assigned(line, after) {
            // What is only handed on is what it was.
            return Some(if self.itself.is_match(line) { Use::Read } else { used });
        }
        let is_handed_on =
            self.handed_on.is_match(before) && (line.starts_with(' ') || self.ends.is_match(line));
        let is_listed = self.listed.is_match(before) && self.ends.is_match(line);
        (is_handed_on || is_listed).then_some(Use::On)
    }

    fn assigned(&self, line: &str, after: &str) -> Option<Use> {
        let found = self.assigned.captures(line)?;
        let sign = found.get(1)?.as_str();
        let rest = line.get(found.get(0)?.end()..)?;
        if rest.starts_with(['=', '~', ':']) {
            return None;
        }
        // A colon with nothing after it is no empty value: the value stands below, or comes from elsewhere.
        if sign == ":" && rest.trim().is_empty() {
            let below = after.get(found.get(0)?.end()..)?;
            let below = self.value_below.find(below).and_then(|found| below.get(found.end()..));
            return Some(below.map_or(Use::On, |value| value_of(value_at(value))));
        }
        // A shell takes `NAME= command` as a variable that is empty.
        let is_shell = line.starts_with('=') && rest.len().saturating_add(1) < line.len();
        if is_shell && value_of(value_at(rest)) == Use::On && !self.plain.is_match(rest) {
            return Some(Use::Off);
        }
        Some(value_of(value_at(rest)))
    }

    fn read(&self, before: &str, line: &str) -> Option<Use> {
        let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\''));
        let is_alone = quote.is_some_and(|quote| line.starts_with(quote));
        let is_compared = ["==", "!=", "=~"]
            .iter()
            .any(|sign| line.trim_start_matches(['"', '\'', ']', ')', ' ']).starts_with(sign));
        (self.read.is_match(before) || is_alone || is_compared).then_some(Use::Read)
    }
}

/// A value at the start of a text, without its quotes.
fn value_at(text: &str) -> &str {
    let text = text.strip_prefix('\\').unwrap_or(text);
    let bare = text.strip_prefix(['"', '\'']).unwrap_or(text);
    let ends = |c: char| c.is_whitespace() || "\"'\\;,)}]&|>".contains(c);
    bare.split(ends).next().unwrap_or(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(text: &str) -> Option<Use> {
        let at = text.find("TRUST").unwrap();
        Variables::new().unwrap().use_at(text, at..at + 5)
    }

    #[test]
    fn a_variable_is_set_in_many_languages() {
        let cases = [
            "export TRUST=1",
            "TRUST=1 docker pull x",
            "TRUST: 1",
            "TRUST: \"1\"",
            "TRUST: true",
            "ENV TRUST=1",
            "ENV TRUST 1",
            "setenv TRUST 1",
            "set -gx TRUST 1",
            "setx TRUST 1",
            "set TRUST=1",
            "$env:TRUST = '1'",
            "docker run -e TRUST=1 x",
            "docker run -e TRUST x",
            "docker build --build-arg TRUST .",
            "  - TRUST=1",
            "  - TRUST\n",
            "export TRUST",
            "- name: TRUST\n  value: \"1\"",
            "{\"name\": \"TRUST\", \"value\": \"1\"}",
            "{ name = \"TRUST\", value = \"1\" }",
            "TRUST:\n    value: \"1\"",
            "os.environ[\"TRUST\"] = \"1\"",
            "os.Setenv(\"TRUST\", \"1\")",
            "SetEnvironmentVariable('TRUST', '1', 'Machine')",
            "##vso[task.setvariable variable=TRUST]1",
            "::set-env name=TRUST::1",
            "TRUST := 1",
            "TRUST ?= 1",
            "TRUST = '1'",
            "env.TRUST = '1'",
            "Environment=TRUST=1",
            "Environment=\"TRUST=1\"",
            "TRUST=on",
            "TRUST: ${{ inputs.trust }}",
            "TRUST=$X",
            "withEnv(['TRUST=1'])",
            "TRUST:\n",
            "\"TRUST\": \"1\"",
            "booleanParam(name: 'TRUST', defaultValue: true)",
            "\"TRUST\" => \"1\"",
            "- name: TRUST\n  valueFrom:\n",
            "variable \"TRUST\" {\n  default = \"1\"",
            "{\\\"TRUST\\\": 1",
            "ARG TRUST",
            "<env><TRUST>1</TRUST></env>",
            "os.environ.setdefault(\"TRUST\", \"1\")",
        ];
        for text in cases {
            assert_eq!(used(text), Some(Use::On), "{text}");
        }
    }

    #[test]
    fn a_variable_is_switched_off_by_what_docker_takes_as_false() {
        let cases = [
            "export TRUST=0",
            "TRUST: 0",
            "TRUST: \"false\"",
            "TRUST= docker pull x",
            "TRUST=''",
            "ENV TRUST 0",
            "- name: TRUST\n  value: '0'",
            "TRUST:\n  value: \"0\"",
            "##vso[task.setvariable variable=TRUST]0",
            "$env:TRUST = ''",
            "docker run -e TRUST=0 x",
            "TRUST=False;",
            "os.Setenv(\"TRUST\", \"0\")",
            "TRUST: ''",
        ];
        for text in cases {
            assert_eq!(used(text), Some(Use::Off), "{text}");
        }
    }

    #[test]
    fn a_variable_is_read() {
        let cases = [
            "[ \"$TRUST\" = 1 ]",
            "${TRUST:-0}",
            "if [ -z \"${TRUST+x}\" ]",
            "os.getenv(\"TRUST\")",
            "process.env.TRUST",
            "%TRUST%",
            "$(TRUST)",
            "${{ env.TRUST }}",
            "os.environ.get('TRUST')",
            "printenv TRUST",
            "ENV['TRUST']",
            "const name = \"TRUST\"",
            "env.TRUST == '1'",
            "eq(variables['TRUST'], '1')",
        ];
        for text in cases {
            assert_eq!(used(text), Some(Use::Read), "{text}");
        }
    }

    #[test]
    fn a_variable_that_is_named_or_removed_is_not_used() {
        let cases = [
            "unset TRUST",
            "unset A TRUST",
            "env -u TRUST docker pull x",
            "Remove-Item Env:TRUST",
            "set TRUST to enable",
            "see TRUST",
            "set -e TRUST",
            "monkeypatch.delenv('TRUST')",
        ];
        for text in cases {
            assert_eq!(used(text), None, "{text}");
        }
    }
}
