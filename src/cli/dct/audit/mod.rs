//! `dct audit`

mod host;
mod markdown;
mod report;
mod sarif;
mod walk;

use std::path::PathBuf;

use crate::{
    cli::{
        Outcome,
        failure::{Exit, Failure},
        output::{self, Format},
    },
    dct::audit::{Auditor, Severity},
};

use report::Report;
use walk::Walk;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Folders and files
    #[arg(value_name = "PATH", required_unless_present_any = ["host", "rules"])]
    paths: Vec<PathBuf>,
    /// Look at this machine: environment variables, docker's configuration, what shells read at login, and the
    /// folder of keys and trust data
    #[arg(long)]
    host: bool,
    /// Look at files too that .gitignore leaves out
    #[arg(long)]
    no_ignore: bool,
    /// From which severity on a finding makes the exit code 3
    #[arg(long, value_enum, default_value_t = FailOn::Note, value_name = "SEVERITY")]
    fail_on: FailOn,
    /// Show every rule, and look at nothing
    #[arg(long, conflicts_with_all = ["paths", "host"])]
    rules: bool,
    /// What to print
    #[arg(long = "output", short = 'o', value_enum, default_value_t = Shape::Text, value_name = "FORMAT")]
    output: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    Text,
    Json,
    Markdown,
    /// SARIF 2.1.0
    Sarif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Note,
    Warning,
    Error,
    Never,
}

impl Args {
    pub(super) const fn format(&self) -> Format {
        match self.output {
            Shape::Json => Format::Json,
            Shape::Text | Shape::Markdown | Shape::Sarif => Format::Text,
        }
    }

    pub(super) fn run(self) -> Outcome {
        if self.rules {
            return self.print(&Report::of_rules());
        }
        let auditor = Auditor::new().map_err(|error| Failure::new(Exit::Other, error))?;
        let mut walk = Walk::new(&auditor, self.no_ignore);
        for path in &self.paths {
            walk.root(path)?;
        }
        if self.host {
            host::audit(&mut walk);
        }
        let report = walk.finish();
        self.print(&report)?;
        self.verdict(&report)
    }

    fn print(&self, report: &Report) -> Outcome {
        match self.output {
            Shape::Text => {
                for passed in &report.passed_over {
                    output::note(&format!("note: passed over {}: {}", passed.path, passed.reason));
                }
                output::data(Format::Text, report)
            }
            Shape::Json => output::data(Format::Json, report),
            Shape::Markdown => output::line(&markdown::of(report)),
            Shape::Sarif => output::line(&format!("{:#}", sarif::of(report))),
        }
    }

    fn verdict(&self, report: &Report) -> Outcome {
        let fails_from = match self.fail_on {
            FailOn::Note => Some(Severity::Note),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Error => Some(Severity::Error),
            FailOn::Never => None,
        };
        let counts = |severity| fails_from.is_some_and(|from| severity >= from);
        if report.worst().is_some_and(counts) {
            return Err(Failure::silent(Exit::Rejected, "Docker Content Trust is in use"));
        }
        if report.is_incomplete() {
            let message = "not everything could be read, so that something may have been missed";
            let failure = Failure::message(Exit::Partial, message);
            let is_told = self.output != Shape::Text;
            return Err(if is_told { failure.silenced() } else { failure });
        }
        Ok(())
    }
}
