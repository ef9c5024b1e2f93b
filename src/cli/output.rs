//! All that the executable writes for people: data on standard output, everything else on standard
//! error.

use std::{
    ffi::OsString,
    fmt::{self, Display},
    io::{self, BufRead, IsTerminal, Read, Write},
    process::ExitCode,
};

use serde::Serialize;

use super::failure::{Exit, Failure};
use crate::{limits, text::within_line};

/// The format of what a command that reads prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object, errors included.
    Json,
}

impl Format {
    /// The format that a command line asks for, also one that cannot be parsed.
    pub(super) fn wanted(arguments: &[OsString]) -> Self {
        let mut words = arguments.iter().skip(1).map(|word| word.to_str().unwrap_or_default());
        while let Some(word) = words.next() {
            let value = match word {
                "--" => break,
                "-o" | "--output" => words.next(),
                _ => word
                    .strip_prefix("--output=")
                    .or_else(|| word.strip_prefix("-o").map(|value| value.trim_start_matches('='))),
            };
            if value == Some("json") {
                return Self::Json;
            }
        }
        Self::Text
    }
}

/// A word of a command that is printed to be copied into a shell: quoted where a POSIX shell would read
/// it as something else.
pub(super) struct ShellWord<'a>(pub(super) &'a str);

impl Display for ShellWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~:@%+=,".contains(c);
        if !self.0.is_empty() && !self.0.starts_with('~') && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        write!(f, "'{}'", self.0.replace('\'', "'\\''"))
    }
}

/// Rows below a header, in columns as wide as they need to be.
pub(super) struct Table<const N: usize> {
    header: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(header: [&'static str; N], rows: Vec<[String; N]>) -> Self {
        let rows = rows.into_iter().map(|cells| cells.map(|cell| within_line(&cell))).collect();
        Self { header, rows }
    }
}

impl<const N: usize> Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = self.header.map(ToOwned::to_owned);
        let lines: Vec<&[String; N]> = [&header].into_iter().chain(&self.rows).collect();
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|cells| cells.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..N).map(width).collect();
        for (i, cells) in lines.iter().enumerate() {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            let line = padded.collect::<Vec<_>>().join("  ");
            write!(f, "{}{}", if i == 0 { "" } else { "\n" }, line.trim_end())?;
        }
        Ok(())
    }
}

/// Prints a result.
pub(super) fn data<T: Display + Serialize>(format: Format, value: &T) -> Result<(), Failure> {
    let text = match format {
        Format::Text => value.to_string(),
        Format::Json => {
            serde_json::to_string_pretty(value).map_err(|e| Failure::new(Exit::Other, e))?
        }
    };
    line(&text)
}

/// Prints a line of data. A reader that has gone is no failure: `notation-kms key list | head -1`.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    document(format!("{}\n", printable(text)).as_bytes())
}

/// Prints a file of our own, byte for byte.
pub(super) fn document(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Other, error).context("standard output cannot be written"))
        }
        _ => Ok(()),
    }
}

/// Prints what a person should know beside the data.
pub(super) fn note(text: &str) {
    // Nobody can be told that standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{}", printable(text));
}

/// Asks a person whether to do what cannot be undone. Where there is nobody to ask it is refused.
pub(super) fn confirm(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let message = format!("nobody is there to be asked: {question}");
        return Err(Failure::message(Exit::Usage, message).hint("--yes answers"));
    }
    let answer = ask(&format!("{question} [y/N] "))?;
    Ok(["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes)))
}

/// Asks a person something. What surrounds the answer is cut off.
pub(super) fn ask(question: &str) -> Result<String, Failure> {
    let _ = write!(io::stderr().lock(), "{}", printable(question));
    let mut answer = String::new();
    io::stdin()
        .lock()
        .take(limits::ANSWER_BYTES)
        .read_line(&mut answer)
        .map_err(|error| Failure::new(Exit::Other, error).context("the answer cannot be read"))?;
    Ok(answer.trim().to_owned())
}

/// A terminal must not be steered by names that servers, signatures and files bring along, nor a reader be
/// misled by them. Whoever puts such a name into a text of several lines has escaped its line feeds already.
fn printable(text: &str) -> String {
    text.split('\n').map(within_line).collect::<Vec<_>>().join("\n")
}

/// How far long work has come: one line on a terminal, nothing elsewhere.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal() }
    }

    pub(super) fn show(&self, text: &str) {
        if self.is_terminal {
            let _ = write!(io::stderr().lock(), "\r\x1b[K{text}");
        }
    }

    /// Leaves the line empty for what comes next.
    pub(super) fn clear(&self) {
        self.show("");
    }
}

/// Tells why a command failed, and gives its exit code.
pub(super) fn failure(format: Format, failure: &Failure) -> ExitCode {
    match format {
        _ if failure.is_silent() => {}
        Format::Text => note(failure.text().trim_end()),
        // Where standard output is gone too, the exit code alone has to say it.
        Format::Json => drop(line(&format!("{:#}", failure.json()))),
    }
    failure.exit().into()
}

/// Prints help, the version, or what is wrong with the command line.
pub(super) fn usage(error: &clap::Error, format: Format) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if format == Format::Text {
        let _ = error.print();
        return Exit::Usage.into();
    }
    // The first paragraph is the error; what follows it are hints and the usage.
    let text = error.render().to_string();
    let (message, hint) = text.split_once("\n\n").unwrap_or((&text, ""));
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    failure(format, &Failure::message(Exit::Usage, one_line(message)).hint(one_line(hint)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_does_not_steer_a_terminal() {
        let text = "error: not a\tJWS\n  caused by: unknown field `\u{1b}[2J\u{202e}\u{61c}x`";
        let shown =
            "error: not a\\u{9}JWS\n  caused by: unknown field `\\u{1b}[2J\\u{202e}\\u{61c}x`";
        assert_eq!(printable(text), shown);
    }
}
