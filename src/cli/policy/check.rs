//! `policy check`

use std::{fmt, path::PathBuf};

use serde::Serialize;

use super::{KindArgs, installed};
use crate::{
    cli::{
        Outcome,
        args::OutputArgs,
        failure::{Exit, Failure},
        output,
    },
    fs, limits,
    trust::{BlobPolicy, OciPolicy, PolicyError, PolicyKind, Problem},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The policy; the one that is in force if none is given
    file: Option<PathBuf>,
    #[command(flatten)]
    kind: KindArgs,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    file: String,
    problems: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    statement: Option<String>,
    path: Option<String>,
    problem: String,
}

impl Args {
    pub(super) fn run(self) -> Outcome {
        let kind = self.kind.kind();
        let (path, bytes) = match self.file {
            Some(path) => {
                let bytes = fs::read_bounded(&path, limits::CONFIG_FILE_BYTES)
                    .map_err(|error| Failure::new(Exit::Usage, error))?;
                (path, bytes)
            }
            None => installed(kind).map(|file| (file.path, file.bytes))?,
        };
        let problems = problems(kind, &bytes);
        let ok = problems.is_empty();
        let report = Report { ok, file: path.display().to_string(), problems };
        output::data(self.output.format, &report)?;
        if ok {
            return Ok(());
        }
        Err(Failure::silent(Exit::Rejected, format!("{} is not valid", report.file)))
    }
}

/// Everything that is wrong, members that are not known among it.
fn problems(kind: PolicyKind, bytes: &[u8]) -> Vec<Row> {
    let unknown = match kind {
        PolicyKind::Oci => OciPolicy::parse(bytes).map(|parsed| parsed.unknown),
        PolicyKind::Blob => BlobPolicy::parse(bytes).map(|parsed| parsed.unknown),
    };
    match unknown {
        Ok(problems) | Err(PolicyError::Invalid(problems)) => {
            problems.into_iter().map(Row::from).collect()
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            let problem = format!("{error}{}", source.unwrap_or_default());
            vec![Row { statement: None, path: None, problem }]
        }
    }
}

impl From<Problem> for Row {
    fn from(problem: Problem) -> Self {
        let Problem { statement, path, constraint, .. } = problem;
        Self { statement, path: Some(path), problem: constraint.to_string() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { statement, path, problem } in &self.problems {
            f.write_str("problem: ")?;
            if let Some(statement) = statement {
                write!(f, "statement {statement:?}, ")?;
            }
            if let Some(path) = path {
                write!(f, "{path}: ")?;
            }
            writeln!(f, "{problem}")?;
        }
        let verdict = if self.ok { "is valid" } else { "is not valid" };
        write!(f, "{} {verdict}", self.file)
    }
}
