//! What is only said: texts of `echo` and the like, titles and descriptions, here-documents that are printed.
//!
//! A text that is written to a file or given to another program is used, and stays; so does what is run inside a
//! text.

use std::collections::BTreeSet;

use regex::Regex;

use super::{
    kind::Kind,
    mask::{blank, here_ends, quoted},
    said::Said,
};

/// What knows messages.
#[derive(Debug)]
pub(super) struct Messages {
    /// What may stand before a command on its line.
    wrapper: Regex,
    /// A command that only prints.
    says: Regex,
    /// What is run inside what it prints.
    said: Said,
    /// A name of such a command that says that it does more.
    runs: Regex,
    /// A command for which a text is a text, whatever becomes of its output.
    looks: Regex,
    /// What makes a printed text a setting all the same.
    sets: Regex,
    /// A here-document that is printed.
    here: Regex,
    /// A setting that people read, at the start of a line.
    prose: Regex,
    /// The same within a line, in quotes.
    quoted_prose: Regex,
    /// A use in a sentence: what is about it stands right before or behind.
    sentence: Regex,
    /// What a variable is set for.
    command: Regex,
    /// A text that goes on in the lines below.
    block: Regex,
    /// A list of words, as spelling checkers and registries of packages have it.
    list: Regex,
}

const PROSE: &str = "description|displayName|display_name|summary|title|message|msg|comment|help|about|documentation|reason|notes?|label|stage";

impl Messages {
    pub(super) fn new() -> Result<Self, regex::Error> {
        let target = r"docker\s+trust\s+\w+|\bDOCKER_CONTENT_TRUST(?:_\w+)?";
        let says = "echo|printf|print|println|eprintln|puts|print_\\w+|log|log[._]\\w+|logger|console\\.\\w+|core\\.\\w+|[tb]\\.(?:Log|Error|Fatal|Skip)f?|read\\s+-\\w*p|:|die|fail|error|err|warn|warning|info|debug|usage|abort|bail|throw|raise|Write-(?:Host|Output|Warning|Error|Verbose|Information|Debug)|fmt\\.\\w*rint\\w*|\\$\\((?:error|warning|info)";
        Ok(Self {
            wrapper: Regex::new(
                r#"^(?:\s|-\s|[@{(!]|["']|(?:run|script|command|inline|bash|sh|bat|pwsh|powershell|before_script|after_script)\s*[:=(]|alias\s+[\w.-]+=|(?:sh|bash|bat|pwsh|powershell|script|then|else|do|sudo|if|RUN|&&|\|\||-l?c|-ec?|-l?ec?|-Command)\s)+"#,
            )?,
            says: Regex::new(&format!(
                r#"^(?:(?:{says})!?|(?:eprint|panic|trace|todo|unimplemented|unreachable|(?:log|tracing)::\w+)!)(?:[\s("']|$)"#
            ))?,
            said: Said::new()?,
            runs: Regex::new(r"^\w*?(?:\b|_)(?:run|do|exec|execute|eval|cmd)(?:_|\b)")?,
            looks: Regex::new(r"^(?:[ef]?grep|rg|git\s+(?:-\S+\s+)*(?:commit|tag|grep|log))\s")?,
            sets: Regex::new(r"task\.setvariable|::set-env|>>|\|\s*tee\b|\$\{\w+:?=")?,
            here: Regex::new(
                r#"(?:^|[;&{]|\b(?:then|else|do)\b)\s*(?:cat|echo|printf)\s*<<[-~]?\s*["']?(\w+)["']?\s*(?:1?>&2)?\s*;?\s*$"#,
            )?,
            prose: Regex::new(&format!(r#"^\s*(?:-\s+)?["']?(?:{PROSE}|name)["']?\s*:\s+"#))?,
            quoted_prose: Regex::new(&format!(
                r#"(?:(?:^|[\s{{(,])["']?(?:{PROSE}|name)["']?\s*[:=]\s*|\b(?:errors?\.\w+|\w*(?:Error|Exception)f?|[tb]\.(?:Log|Error|Fatal|Skip)f?|stage)\(\s*)("(?:[^"\\]|\\.)*"|'[^']*')"#
            ))?,
            list: Regex::new(
                r#"["'](?:\w+\.)?(?:words|userWords|ignoreWords|keywords)["']\s*:\s*\["#,
            )?,
            sentence: Regex::new(&format!(
                r#"\b(?:the|used|using|uses|via|by|with|of|[Ss]etting|sets|requires?|because|about)\s+({target})|({target})(?:=[^\s"']*)?\s+(?:is|was|are|has|does|must|will|would|should|cannot|to)\b"#
            ))?,
            command: Regex::new(r"^(?:\w*=\S*\s+)+(?:sudo\s+)?(?:docker|podman|make|\./)")?,
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
        let mut outputs = Outputs::new(self, text);
        for (number, line) in text.split_inclusive('\n').enumerate() {
            if let Some(open) = &inside {
                if open.goes_on(line) {
                    blank(&mut masked, line);
                    continue;
                }
                inside = None;
            }
            outputs.line(line);
            let here = self.here.captures(line).and_then(|found| found.get(1));
            // One without an end would hide the whole rest.
            let here = here.filter(|word| ends.get(word.as_str()).is_some_and(|end| *end > number));
            if let Some(word) = here.filter(|_| !outputs.are_taken(number)) {
                inside = Some(Inside::Here(word.as_str().to_owned()));
            } else if let Some(list) = self.list.find(line).filter(|_| !kind.is_program) {
                let (before, words) = line.split_at_checked(list.end()).unwrap_or((line, ""));
                masked.push_str(before);
                let end = words.find(']').unwrap_or(words.len());
                let (words, after) = words.split_at_checked(end).unwrap_or((words, ""));
                blank(&mut masked, words);
                masked.push_str(after);
                inside = after.is_empty().then_some(Inside::List);
                continue;
            } else if kind.is_yaml && self.block.is_match(line) {
                inside = Some(Inside::Block(indent(line)));
                blank(&mut masked, line);
                continue;
            }
            self.line(kind, line, &mut masked);
        }
        masked
    }

    /// Where the command begins in what may stand around it.
    fn command<'t>(&self, text: &'t str) -> (&'t str, &'t str) {
        let begin = self.wrapper.find(text).map_or(0, |found| found.end());
        text.split_at_checked(begin).unwrap_or(("", text))
    }

    fn line(&self, kind: &Kind, line: &str, masked: &mut String) {
        let line = self.without_sentences(&self.without_prose(kind, line));
        let (before, commands) = self.command(&line);
        masked.push_str(before);
        for command in commands_of(commands) {
            let (before, said) = self.command(command.text);
            masked.push_str(before);
            if self.is_message(&command, said) {
                self.said.blank(kind, masked, said);
            } else {
                masked.push_str(said);
            }
        }
    }

    fn is_message(&self, command: &Command<'_>, said: &str) -> bool {
        let is_used = command.is_piped || command.writes || self.sets.is_match(said);
        self.looks.is_match(said)
            || (self.says.is_match(said) && !self.runs.is_match(said) && !is_used)
    }

    /// Only in quotes: outside of them no words are a sentence.
    fn without_sentences(&self, line: &str) -> String {
        // Most lines name neither.
        if !line.contains("docker") && !line.contains("DOCKER") {
            return line.to_owned();
        }
        let mut masked = String::with_capacity(line.len());
        let (mut quote, mut before) = (None, ' ');
        for found in self.sentence.captures_iter(line) {
            let Some(named) = found.get(1).or_else(|| found.get(2)) else { continue };
            let (start, end) = (masked.len(), named.end());
            for (at, c) in line.get(start..named.start()).unwrap_or_default().char_indices() {
                let next = start.saturating_add(at).saturating_add(c.len_utf8());
                quote = quoted(quote, before, c, line.get(next..).unwrap_or_default());
                before = c;
            }
            masked.push_str(line.get(start..named.start()).unwrap_or_default());
            let is_set_for = self.command.is_match(line.get(end..).unwrap_or_default());
            match quote.is_some() && !is_set_for {
                true => blank(&mut masked, named.as_str()),
                false => masked.push_str(named.as_str()),
            }
        }
        masked.push_str(line.get(masked.len()..).unwrap_or_default());
        masked
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
    /// Up to the bracket that ends it.
    List,
}

impl Inside {
    fn goes_on(&self, line: &str) -> bool {
        match self {
            Self::Here(word) => line.trim() != word,
            Self::List => !line.contains(']'),
            Self::Block(depth) => line.trim().is_empty() || indent(line) > *depth,
        }
    }
}

fn indent(line: &str) -> usize {
    line.len().saturating_sub(line.trim_start().len())
}

/// What becomes of what functions and groups of commands print.
struct Outputs<'t> {
    /// By line: whether what is around it, and ends below, goes to a file or another command.
    taken: Vec<bool>,
    /// What is run so that its output goes there.
    commands: BTreeSet<&'t str>,
    /// The function that is open.
    function: Option<String>,
}

impl<'t> Outputs<'t> {
    fn new(messages: &Messages, text: &'t str) -> Self {
        let mut outputs = Self { taken: Vec::new(), commands: BTreeSet::new(), function: None };
        if !text.contains("<<") {
            return outputs;
        }
        let mut is_taken = false;
        for line in text.lines().rev() {
            outputs.taken.push(is_taken);
            let mut writes = false;
            for command in commands_of(line) {
                let is_used = command.writes || command.is_piped;
                writes |= is_used;
                let (_, name) = messages.command(command.text);
                outputs.commands.extend(first_word(name).filter(|_| is_used));
            }
            outputs.commands.extend(line.split("$(").skip(1).filter_map(first_word));
            if ["}", ")", "done", "fi", "esac"].iter().any(|end| line.trim().starts_with(end)) {
                is_taken = writes || (is_taken && indent(line) > 0);
            }
        }
        outputs.taken.reverse();
        outputs
    }

    fn line(&mut self, line: &str) {
        let name = line.trim_start().trim_start_matches("function ");
        match name.split_once("()") {
            Some((name, _)) => self.function = first_word(name).map(ToOwned::to_owned),
            None if line.starts_with('}') => self.function = None,
            None => {}
        }
    }

    fn are_taken(&self, line: usize) -> bool {
        self.taken.get(line).is_some_and(|is_taken| *is_taken)
            || self.function.as_deref().is_some_and(|name| self.commands.contains(name))
    }
}

fn first_word(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_alphanumeric() && !"_-:.".contains(c))
        .next()
        .filter(|w| !w.is_empty())
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
            ("a.sh", format!("usage() {{ cat <<EOF\n  {USE}\nEOF\n}}\nusage\n")),
            ("a.sh", format!("{{\n cat <<EOF\n  {USE}\nEOF\n}}\nx > y\n")),
            ("a.sh", format!("grep -rn \"{USE}\" . | wc -l")),
            ("a.sh", format!("if ! grep -q '{USE}' x; then true; fi")),
            ("a.sh", format!("git commit -m \"Remove {USE}\"")),
            ("a.sh", format!("read -rp \"{USE}?\" answer")),
            ("a.sh", format!(": \"{USE}\"")),
            ("a.sh", format!("alias x='echo {USE}'")),
            ("a.go", format!("{{ t.Logf(\"{USE}\"); t.Fatal(\"{USE}\") }}")),
            ("a.json", format!("{{\"cSpell.words\": [\"x\", \"{USE}\"]}}")),
            ("a.json", format!("\"words\": [\n  \"x\",\n  \"{USE}\"\n]")),
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
            ("a.py", format!("print(\"{USE} {{}}\".format(image))")),
            ("a.py", format!("print(\"(run `{USE}`)\", len(x))")),
            ("a.rs", format!("println!(\"{USE}\");")),
            ("a.rs", format!("tracing::info!(\"{USE}\");")),
            ("a.sh", format!("DESC=\"We used {USE}\"")),
            ("a.py", format!("ERR = '{USE} is gone'").replace("sign a", "sign")),
            ("a.py", format!("raise Missing(\"{USE}\")")),
            ("a.js", format!("console.log(`{USE} ${{x}}`)")),
            ("a.js", format!("console.log(chalk.red('{USE}'))")),
            ("a.go", format!("log.Fatal(fmt.Sprintf(\"{USE} %s\", image))")),
            ("a.sh", format!("echo \"run \\`{USE}\\` (see x)\"")),
            ("a.sh", format!("echo 'run `{USE}`'")),
            ("a.ps1", format!("Write-Host \"a`n{USE}`n\" (\"{USE}\")")),
        ];
        for (path, text) in cases {
            assert!(!is_seen(path, &text), "{path}: {text}");
        }
    }

    #[test]
    fn a_setting_in_a_sentence_is_not_seen_but_where_a_command_follows() {
        let mask = |text: &str| {
            let kind = Kind::of("a.rs", text).unwrap();
            Messages::new().unwrap().mask(&kind, text)
        };
        let name = "DOCKER_CONTENT_TRUST";
        for text in [format!("\"stop setting {name}: x\""), format!("E = '{name}=1 is ignored'")] {
            assert!(!mask(&text).contains(name), "{text}");
        }
        for text in [format!("\"with {name}=1 docker push x\""), format!("'{name}=1 make'")] {
            assert_eq!(mask(&text), text);
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
            ("a.sh", format!("emit() {{\n cat <<EOF\n{USE}\nEOF\n}}\nemit > x\n")),
            ("a.sh", format!("emit() {{\n cat <<EOF\n{USE}\nEOF\n}}\neval \"$(emit)\"\n")),
            ("a.sh", format!("{{\n cat <<EOF\n{USE}\nEOF\n}} > x\n")),
            ("a.sh", format!("{{\n for i in 1; do\n  cat <<EOF\n{USE}\nEOF\n done\n}} | sh\n")),
            ("a.sh", format!("X=$(cat <<EOF\n{USE}\nEOF\n)\n")),
            ("a.sh", format!("{USE}; cat <<EOF\nx\nEOF\n")),
            ("a.sh", format!("log_and_run {USE}")),
            ("a.sh", format!("alias x='{USE}'")),
            ("a.sh", format!(": \"${{X:={USE}}}\"")),
            ("a.sh", format!("grep x <({USE})")),
            ("a.sh", format!("cat <<EOF\n{USE}\n")),
            ("a.yml", format!("  - run: {USE}")),
            ("a.yml", format!("  description: |\n    x\n  run: {USE}")),
            ("a.yml", format!("  - name: x\n    run: |\n      {USE}")),
            ("Jenkinsfile", format!("sh 'echo signing; {USE}'")),
            ("Jenkinsfile", format!("sh \"echo $x && {USE}\"")),
            ("Jenkinsfile", format!("echo sh(script: '{USE}', returnStdout: true)")),
            ("Jenkinsfile", format!("println \"{USE}\".execute().text")),
            ("Jenkinsfile", format!("echo \"is ${{sh(script: '{USE}')}}\"")),
            ("a.py", format!("print(check_output(\"{USE}\", shell=True))")),
            ("a.py", format!("print(\"signed\", check_output([\"{USE}\"]))")),
            ("a.js", format!("console.log(execSync('{USE}').toString());")),
            ("a.js", format!("console.log(`is ${{execSync('{USE}')}}`);")),
            ("a.rb", format!("puts `{USE}`")),
            ("a.rb", format!("puts system(\"{USE}\")")),
            ("a.go", format!("fmt.Println(exec.Command(\"sh\", \"-c\", \"{USE}\").Run())")),
            ("a.sh", format!("echo \"`{USE}`\"")),
            ("a.ps1", format!("Write-Host ({USE})")),
            ("a.ps1", format!("Write-Host \"is\" (& {USE})")),
            ("a.js", format!("console.log({USE})")),
            ("a.sh", format!("with {USE}")),
            ("a.sh", format!("ssh \"cd x && {USE}\"")),
        ];
        for (path, text) in cases {
            assert!(is_seen(path, &text), "{path}: {text}");
        }
    }
}
