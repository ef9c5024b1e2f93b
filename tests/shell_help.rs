//! What shells and `man` are given: completions that bash takes, and a page for every command.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::support::command::Run;

/// What bash offers behind words that were typed, of which the last is begun.
fn offered(folder: &Path, words: &[&str]) -> BTreeSet<String> {
    let script = "set -u; source ./completions; complete -p notation-kms >&2\n\
        function=$(complete -p notation-kms | sed 's/.* -F \\([^ ]*\\) .*/\\1/')\n\
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))\n\
        \"$function\" notation-kms \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n\
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let run = Run::new("bash").current_dir(folder).args(["-c", script, "bash", "notation-kms"]);
    let finished = run.args(words).finish().expect_status(0);
    finished.stdout.lines().map(ToOwned::to_owned).collect()
}

fn completions(shell: &str) -> String {
    Run::notation_kms().args(["completions", shell]).finish().expect_status(0).stdout
}

#[test]
fn bash_completes_commands_options_and_their_values() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("completions"), completions("bash")).unwrap();
    let offered = |words: &[&str]| offered(folder.path(), words);
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert_eq!(offered(&["ver"]), words(&["verify", "version"]));
    assert_eq!(offered(&["key", "a"]), words(&["add"]));
    assert_eq!(offered(&["sign", "--signature-f"]), words(&["--signature-format"]));
    assert_eq!(offered(&["sign", "--output", ""]), words(&["json", "text"]));
    assert!(offered(&["generate"]).iter().all(String::is_empty), "the protocol is for programs");
}

#[test]
fn every_shell_has_a_script_of_its_own_and_an_unknown_one_is_refused() {
    for (shell, part) in [
        ("bash", "complete -F _notation__kms"),
        ("zsh", "#compdef notation-kms"),
        ("fish", "complete -c notation-kms"),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName 'notation-kms'"),
        ("elvish", "set edit:completion:arg-completer[notation-kms]"),
    ] {
        let script = completions(shell);
        assert!(script.contains(part) && script.contains("self-sign"), "{shell}: {script}");
    }
    Run::notation_kms().args(["completions", "csh"]).finish().expect_status(2);
}

fn help(words: &[String], option: &str) -> String {
    Run::notation_kms().args(words).arg(option).finish().expect_status(0).stdout
}

/// The commands that help lists, each with all its words, and `help` left out.
fn commands(words: &[String]) -> Vec<Vec<String>> {
    let help = help(words, "--help");
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, commands)| commands);
    let listed = listed.lines().take_while(|line| !line.is_empty());
    // What goes on in the next line begins further right.
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    let mut found = vec![words.to_owned()];
    found.extend(
        names
            .filter(|name| *name != "help")
            .flat_map(|name| commands(&[words, &[name.to_owned()]].concat())),
    );
    found
}

#[test]
fn a_command_says_of_itself_what_is_listed_of_it() {
    let commands = commands(&[]);
    assert!(commands.len() > 30);
    for command in &commands {
        let Some((name, group)) = command.split_last() else { continue };
        let own = help(command, "-h");
        let listed = format!("  {name} ");
        let group = help(group, "-h");
        let listed = group.lines().find_map(|line| line.strip_prefix(&listed)).unwrap();
        // Other names stand behind it.
        let listed = listed.split(" [alias").next().unwrap().trim();
        assert_eq!(own.lines().next(), Some(listed), "{command:?}");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command_and_for_nothing_else() {
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("share/man1");
    let written = Run::notation_kms().arg("man").arg("--to").arg(&to).finish().expect_status(0);
    let pages: BTreeSet<PathBuf> =
        fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(written.stdout.starts_with(&format!("wrote {} pages", pages.len())), "{written:?}");
    let expected: BTreeSet<PathBuf> =
        commands(&[]).iter().map(|command| to.join(page_of(command))).collect();
    assert!(expected.len() > 30);
    assert_eq!(pages, expected);
    for page in &pages {
        is_a_page(page);
    }
    let printed = Run::notation_kms().arg("man").finish().expect_status(0).stdout;
    assert_eq!(printed, fs::read_to_string(to.join("notation-kms.1")).unwrap());
    for command in ["sign", "cert-self-sign"] {
        let page = fs::read_to_string(to.join(format!("notation-kms-{command}.1"))).unwrap();
        assert!(page.contains(".SH OPTIONS"), "{page}");
    }
    // Nothing can be written below a file.
    let below = to.join("notation-kms.1/man1");
    Run::notation_kms().arg("man").arg("--to").arg(below).finish().expect_status(1);
}

fn page_of(command: &[String]) -> String {
    let words = ["notation-kms"].into_iter().chain(command.iter().map(String::as_str));
    format!("{}.1", words.collect::<Vec<_>>().join("-"))
}

/// By its macros, and by groff where there is one.
fn is_a_page(path: &Path) {
    let page = fs::read_to_string(path).unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{page}");
    let known =
        [".ie", ".el", ".TH", ".SH", ".TP", ".IP", ".RS", ".RE", ".PP", ".br", ".nf", ".fi"];
    for line in page.lines().filter(|line| line.starts_with('.')) {
        assert!(known.iter().any(|known| line.starts_with(known)), "{name}: {line}");
    }
    if !Path::new("/usr/bin/groff").is_file() {
        return;
    }
    let run = Run::new("/usr/bin/groff").args(["-man", "-ww", "-Tutf8"]).arg(path);
    let rendered = run.finish().expect_status(0);
    assert_eq!(rendered.stderr, "", "{name}");
    assert!(rendered.stdout.contains("Print help"), "{name}: {}", rendered.stdout);
}
