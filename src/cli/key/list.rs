//! `key list`

use std::fmt;

use serde::Serialize;

use super::KeyReport;
use crate::{
    cli::{Outcome, args::OutputArgs, output},
    config::{Directories, SigningKeys},
};

/// List the keys, and when their certificates expire.
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
        let rows: Vec<[&str; 4]> = self.keys.iter().map(KeyReport::row).collect();
        let header = ["NAME", "PLUGIN", "EXPIRES", "ID"];
        let width = |column: usize| {
            let cells = rows.iter().chain([&header]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let (name, plugin, expires) = (width(0) + 2, width(1), width(2));
        for (i, [a, b, c, d]) in [&header].into_iter().chain(&rows).enumerate() {
            let default =
                i.checked_sub(1).and_then(|i| self.keys.get(i)).is_some_and(|key| key.default);
            let mark = if default { "* " } else { "  " };
            let end = if i == rows.len() { "" } else { "\n" };
            write!(f, "{:name$}  {b:plugin$}  {c:expires$}  {d}{end}", format!("{mark}{a}"))?;
        }
        for key in &self.keys {
            if let Some(problem) = &key.problem {
                write!(f, "\nproblem: {}: {problem}", key.name)?;
            }
        }
        Ok(())
    }
}

impl KeyReport {
    fn row(&self) -> [&str; 4] {
        let expires = self.certificate.as_ref().map_or("-", |certificate| &certificate.not_after);
        let plugin = self.plugin.as_deref().unwrap_or("-");
        [&self.name, plugin, expires, self.id.as_deref().unwrap_or("-")]
    }
}
