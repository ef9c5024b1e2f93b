//! Trees of lines, as `inspect` and `list` print them.

use std::fmt;

use crate::text::within_line;

/// A line, and what stands below it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    line: String,
    below: Vec<Self>,
}

impl Tree {
    /// Names and values may be others': none of them makes a line of its own.
    pub(super) fn new(line: impl AsRef<str>) -> Self {
        Self { line: within_line(line.as_ref()), below: Vec::new() }
    }

    /// Adds a line below this one.
    pub(super) fn add(&mut self, line: impl AsRef<str>) {
        self.push(Self::new(line));
    }

    /// Adds a tree below this line.
    pub(super) fn push(&mut self, tree: Self) {
        self.below.push(tree);
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        let last = self.below.len().saturating_sub(1);
        for (i, below) in self.below.iter().enumerate() {
            let (branch, trunk) =
                if i == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            write!(f, "\n{indent}{branch}{}", below.line)?;
            below.draw(f, &format!("{indent}{trunk}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)?;
        self.draw(f, "")
    }
}
