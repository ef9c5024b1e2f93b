//! Commands about several artifacts: a result for each, and one exit code.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{
    Outcome,
    failure::{Exit, Failure},
    output::{self, Format},
};

/// What a command prints about one artifact.
pub(super) trait Entry: fmt::Display + Serialize {
    /// What is wrong with it; `None`: nothing is.
    fn exit(&self) -> Option<Exit>;
}

/// What a command prints about several artifacts, in the order in which they are named.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    /// What the good ones are.
    #[serde(skip)]
    done: &'static str,
    results: Vec<Value>,
    #[serde(skip)]
    texts: Vec<String>,
    #[serde(skip)]
    exits: Vec<Exit>,
}

impl Results {
    pub(super) const fn new(done: &'static str) -> Self {
        Self { done, results: Vec::new(), texts: Vec::new(), exits: Vec::new() }
    }

    /// Adds what became of an artifact; `reference` is what it was named by.
    pub(super) fn add<T: Entry>(&mut self, reference: &str, result: Result<T, Failure>) -> Outcome {
        match result {
            Ok(entry) => {
                self.results.push(serde_json::to_value(&entry)?);
                self.texts.push(entry.to_string());
                self.exits.extend(entry.exit());
            }
            Err(failure) => {
                let mut json = failure.json();
                if let Value::Object(members) = &mut json {
                    members.insert("reference".to_owned(), reference.into());
                }
                self.results.push(json);
                self.texts.push(format!("failed: {reference}: {}", failure.one_line()));
                self.exits.push(failure.exit());
            }
        }
        Ok(())
    }

    /// Prints the results. Where some are good and some are not, the exit code is that of a partial success, else
    /// that which a script has to act on first.
    pub(super) fn conclude(self, format: Format) -> Outcome {
        output::data(format, &self)?;
        let (failed, total) = (self.exits.len(), self.results.len());
        let Some(first) = self.exits.into_iter().reduce(Exit::first) else { return Ok(()) };
        let exit = if failed < total { Exit::Partial } else { first };
        Err(Failure::silent(exit, format!("{failed} of {total} artifacts are not")))
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts.iter().try_for_each(|text| writeln!(f, "{text}"))?;
        let (total, failed) = (self.results.len(), self.exits.len());
        match failed {
            0 => write!(f, "{total} of {total} artifacts {}", self.done),
            failed => {
                write!(f, "{} of {total} artifacts {}, {failed} not", total - failed, self.done)
            }
        }
    }
}
