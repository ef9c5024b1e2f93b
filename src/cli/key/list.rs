//! `key list`

use std::fmt;

use serde::Serialize;

use super::KeyReport;
use crate::{
    cli::{
        Outcome,
        args::OutputArgs,
        output::{self, Table},
    },
    config::{Directories, SigningKeys},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgs,
}

#[derive(Serialize)]
struct KeyList {
    keys: Vec<KeyReport>,
}

impl Args {
    pub(super) fn run(&self) -> Outcome {
        let keys = SigningKeys::load(&Directories::from_environment()?.signing_keys())?;
        let keys = keys.keys.iter().map(|key| KeyReport::of(key, &keys)).collect();
        output::data(self.output.format, &KeyList { keys })
    }
}

impl fmt::Display for KeyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.keys.iter().map(KeyReport::row).collect();
        write!(f, "{}", Table::new(["  NAME", "PLUGIN", "EXPIRES", "ID"], rows))?;
        for key in &self.keys {
            if let Some(problem) = &key.problem {
                write!(f, "\nproblem: {}: {problem}", key.name)?;
            }
        }
        Ok(())
    }
}

impl KeyReport {
    fn row(&self) -> [String; 4] {
        let mark = if self.default { "* " } else { "  " };
        let expires = self.certificate.as_ref().map(|certificate| certificate.not_after.clone());
        let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        [
            format!("{mark}{}", self.name),
            or_none(self.plugin.clone()),
            or_none(expires),
            or_none(self.id.clone()),
        ]
    }
}
