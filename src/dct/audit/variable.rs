//! What a line does with an environment variable, in whatever language: sets it, to what, or reads it.

use std::ops::Range;

use regex::Regex;

use super::context::around;
use crate::limits;

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
    set_by_item: Regex,
    named: Regex,
    element: Regex,
    element_beside: Regex,
    item_value: Regex,
    handed_on: Regex,
    listed: Regex,
    read: Regex,
    // What stands after it.
    assigned: Regex,
    value_before: Regex,
    value_key: Regex,
    value_beside: Regex,
    type_key: Regex,
    value_inside: Regex,
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
            set_by_item: Regex::new(r#"(?i)\b(?:Set|New)-Item\b[^;|\n]*\benv:\\?$"#)?,
            named: Regex::new(r#"(?i)\b(?:name|key|variable)\b["']?\s*[:=]?\s*["']?$"#)?,
            element: Regex::new(r"^>\s*([^<\n]*)<")?,
            element_beside: Regex::new(
                r"^\s*</\w+>\s*(?:<description>[^<]*</description>\s*)?<(?:value|defaultValue|string)>([^<]*)</",
            )?,
            item_value: Regex::new(r#"(?i)^["']?\s+(?:-[a-uw-z]\w*\s+)*(?:-Value\s+)?["']?"#)?,
            handed_on: Regex::new(
                r#"(?:^|\s)(?:-e|--env|--build-arg|export|declare\s+-x|typeset\s+-x|ARG)[\s=]+["']?$"#,
            )?,
            listed: Regex::new(r#"^\s*(?:[{"']\s*)?(?:-\s+)?(?:["']?name["']?\s*[:=]\s*)?["']?$"#)?,
            read: Regex::new(
                r#"(?i)(?:\benv\.|\bvars\.|variables\.|\bparam(?:eter)?s\.|environ\b\W*(?:get)?\W*|getenv\w*\W*|EnvironmentVariable\W*|LookupEnv\W*|printenv\s+|\bENV\W*(?:fetch)?\W*|\$env:|variables\[["']|-v\s+)$"#,
            )?,
            assigned: Regex::new(r#"^[\\"'\])}]*[ \t]*(:=|\?=|\+=|=>|=|:)[ \t]*"#)?,
            value_before: Regex::new(
                r#"[{,]\s*["']?value["']?\s*[:=]\s*("[^"]*"|'[^']*'|[^,{}\s]*)\s*,\s*["']?(?:name|key)["']?\s*[:=]\s*["']?$"#,
            )?,
            value_key: Regex::new(r#"^["']?(?:value|defaultValue|default)["']?[ \t]*[:=][ \t]*"#)?,
            type_key: Regex::new(r#"^["']?type["']?[ \t]*[:=]"#)?,
            value_inside: Regex::new(
                r#"[{,]\s*["']?(?:value|defaultValue|default)["']?\s*[:=]\s*"#,
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
        let start = text.floor_char_boundary(name.start.saturating_sub(limits::AUDIT_PAIR_BYTES));
        let end = text.floor_char_boundary(name.end.saturating_add(limits::AUDIT_PAIR_BYTES));
        let (above, after) = (text.get(start..name.start)?, text.get(name.end..end)?);
        if self.unset.is_match(before) {
            return None;
        }
        // `${NAME:=1}` sets it, and `$(NAME=1 command)` too.
        let is_set = (before.ends_with("${") && (line.starts_with(":=") || line.starts_with('=')))
            || (before.ends_with("$(") && line.starts_with('='));
        if self.expanded.is_match(before) && !is_set {
            return Some(Use::Read);
        }
        if self.is_declared(before, line, after) {
            return None;
        }
        self.set(above, before, line, after).or_else(|| self.read(before, line))
    }

    /// Whether it is a property of a schema: of some type, with no value.
    fn is_declared(&self, before: &str, line: &str, after: &str) -> bool {
        let rest = self.assigned.find(line).and_then(|sign| line.get(sign.end()..));
        let Some(inner) = rest.and_then(|rest| rest.strip_prefix('{')) else { return false };
        if self.value_below(before, line, after).is_some() {
            return false;
        }
        let below = block_below(before, after);
        std::iter::once(inner.trim_start()).chain(below).any(|line| self.type_key.is_match(line))
    }

    /// The value of what is opened at the end of a name's line, or whole in it.
    fn value_below<'t>(&self, before: &str, line: &'t str, after: &'t str) -> Option<&'t str> {
        let inner = line.split('}').next()?;
        if let Some(found) = self.value_inside.find(inner) {
            return line.get(found.end()..);
        }
        block_below(before, after).into_iter().find_map(|line| self.value_in(line))
    }

    fn set(&self, above: &str, before: &str, line: &str, after: &str) -> Option<Use> {
        if self.set_by_task.is_match(before) {
            let value = self.task_value.find(line)?;
            return Some(value_of(value_at(line.get(value.end()..)?)));
        }
        if self.named.is_match(before)
            && let Some(value) = self.value_of_named(above, before, line, after)
        {
            return Some(value_of(value_at(value)));
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
        if before.ends_with('>')
            && let Some(value) = self.element_beside.captures(after).and_then(|found| found.get(1))
        {
            return Some(value_of(value.as_str().trim()));
        }
        if self.set_by_item.is_match(before)
            && let Some(found) = self.item_value.find(line)
        {
            return Some(value_of(value_at(line.get(found.end()..)?)));
        }
        if let Some(used) = self.assigned(before, line, after) {
            // What is only handed on is what it was.
            return Some(if self.itself.is_match(line) { Use::Read } else { used });
        }
        let is_handed_on =
            self.handed_on.is_match(before) && (line.starts_with(' ') || self.ends.is_match(line));
        let is_listed = self.listed.is_match(before) && self.ends.is_match(line);
        (is_handed_on || is_listed).then_some(Use::On)
    }

    fn assigned(&self, before: &str, line: &str, after: &str) -> Option<Use> {
        let found = self.assigned.captures(line)?;
        let sign = found.get(1)?.as_str();
        let rest = line.get(found.get(0)?.end()..)?;
        // It is not set here, but compose hands on what is set around it.
        if sign == ":" && ["null", "~"].contains(&rest.trim_end_matches([',', '}', ' '])) {
            return Some(Use::Read);
        }
        if rest.starts_with(['=', '~', ':']) {
            return None;
        }
        // A colon with nothing after it is no empty value: the value stands below, or comes from elsewhere.
        if (sign == ":" && rest.trim().is_empty()) || rest.starts_with('{') {
            let value = self.value_below(before, line, after);
            return Some(value.map_or(Use::On, |value| value_of(value_at(value))));
        }
        // A shell takes `NAME= command` as a variable that is empty.
        let is_shell = line.starts_with('=') && rest.len().saturating_add(1) < line.len();
        if is_shell && value_of(value_at(rest)) == Use::On && !self.plain.is_match(rest) {
            return Some(Use::Off);
        }
        Some(value_of(value_at(rest)))
    }

    /// The value of what is named here: beside the name, or in a line that belongs to the same thing.
    fn value_of_named<'t>(
        &self,
        above: &'t str,
        before: &'t str,
        line: &'t str,
        after: &'t str,
    ) -> Option<&'t str> {
        if let Some(found) = self.value_beside.find(after) {
            return after.get(found.end()..);
        }
        if let Some(found) = self.value_before.captures(before) {
            return found.get(1).map(|value| value.as_str());
        }
        if line.trim_end().ends_with('{') {
            return self.value_below(before, line, after);
        }
        siblings(above, before, after).into_iter().find_map(|line| self.value_in(line))
    }

    /// The value of a line whose key says that it is one.
    fn value_in<'t>(&self, line: &'t str) -> Option<&'t str> {
        let key = self.value_key.find(line)?;
        line.get(key.end()..).filter(|value| !value.trim().is_empty())
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

/// The lines that belong to the same thing as the line of which `before` is the begin: from their keys on.
fn siblings<'t>(above: &'t str, before: &str, after: &'t str) -> Vec<&'t str> {
    let depth = depth(before);
    // One thing has one name.
    let is_within = |line: &&str| {
        line.trim().is_empty()
            || (indent(line) >= depth && !(self::depth(line) == depth && is_name(content(line))))
    };
    let below = after.lines().skip(1).take_while(is_within);
    let mut before_it = Vec::new();
    for line in above.lines().rev().skip(1).take_while(|_| !is_item(before)) {
        let is_first = is_item(line) && self::depth(line) == depth;
        if is_first || is_within(&line) {
            before_it.push(line);
        }
        if is_first || !is_within(&line) {
            break;
        }
    }
    below.chain(before_it).filter(|line| self::depth(line) == depth).map(content).collect()
}

/// The lines right below the line of which `before` is the begin: from their keys on.
fn block_below<'t>(before: &str, after: &'t str) -> Vec<&'t str> {
    let depth = depth(before);
    let lines = after.lines().skip(1);
    let lines: Vec<&str> = lines
        .filter(|line| !line.trim().is_empty())
        .take_while(|line| indent(line) > depth)
        .collect();
    let first = lines.first().map(|line| self::depth(line));
    lines.into_iter().filter(|line| Some(self::depth(line)) == first).map(content).collect()
}

/// The column of a line's key.
fn depth(line: &str) -> usize {
    line.len().saturating_sub(content(line).len())
}

fn indent(line: &str) -> usize {
    line.len().saturating_sub(line.trim_start().len())
}

fn is_item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

/// Whether a key names what the lines around it belong to.
fn is_name(content: &str) -> bool {
    let key = content.trim_start_matches(['"', '\'']).strip_prefix("name");
    key.is_some_and(|rest| rest.starts_with(['"', '\'', ' ', ':', '=']))
}

/// A line from its key on: without indentation and the dash of a list.
fn content(line: &str) -> &str {
    let content = line.trim_start();
    content.strip_prefix("- ").map_or(content, str::trim_start)
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
            "<name>TRUST</name><value>1</value>",
            "<string>TRUST</string>\n  <string>1</string>",
            "Set-Item -Path Env:TRUST -Value 1",
            "New-Item env:\\TRUST -Value '1' -Force",
            "Set-Item Env:TRUST 1",
            "TRUST:\n  description: x\n  value: '1'",
            "- name: TRUST\n  description: x\n\n  default: '1'\n- name: B\n  default: '0'",
            "- value: '1'\n  name: TRUST\n",
            "{\"value\": \"1\", \"name\": \"TRUST\"}",
            "- value: '0'\n- name: TRUST\n",
            "\"TRUST\": {\"type\": \"string\", \"default\": \"1\"}",
            "\"TRUST\": {\n  \"type\": \"string\",\n  \"default\": \"1\"\n}",
            "variable \"TRUST\" {\n  type = string\n  default = \"1\"\n}",
            "os.environ.setdefault(\"TRUST\", \"1\")",
            ": \"${TRUST:=1}\"",
            ": ${TRUST=1}",
            "\"$(TRUST=1 docker pull x)\"",
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
            ": ${TRUST:=0}",
            "ENV TRUST 0",
            "- name: TRUST\n  value: '0'",
            "TRUST:\n  value: \"0\"",
            "##vso[task.setvariable variable=TRUST]0",
            "$env:TRUST = ''",
            "docker run -e TRUST=0 x",
            "TRUST=False;",
            "os.Setenv(\"TRUST\", \"0\")",
            "TRUST: ''",
            "<name>TRUST</name>\n<description>x</description>\n<defaultValue>0</defaultValue>",
            "<name>TRUST</name><value>0</value>",
            "Set-Item Env:TRUST -Value 0",
            "TRUST:\n  description: x\n  value: '0'",
            "- name: TRUST\n  description: x\n  default: '0'\n- name: B\n  default: '1'",
            "- value: '0'\n  name: TRUST\n",
            "- other: 1\n  value: '0'\n  name: TRUST\n",
            "{\"value\": \"0\", \"name\": \"TRUST\"}",
            "\"TRUST\": {\"type\": \"string\", \"default\": \"0\"}",
            "variable \"TRUST\" {\n  type = string\n  default = \"0\"\n}",
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
            "${TRUST:?}",
            "TRUST: null",
            "TRUST: ~",
            "{\"TRUST\": null}",
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
            "\"TRUST\": {\"type\": \"string\"}",
            "\"TRUST\": {\n  \"type\": \"string\"\n}",
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
