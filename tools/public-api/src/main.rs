//! Prints the public items of a library, one a line, from the JSON that rustdoc made of it.

use std::{collections::HashSet, env, error::Error, process::ExitCode};

use public_api::{Builder, PublicApi};

/// Traits whose implementations follow from a type's fields. Of these only a promise that is not kept is
/// listed (`!Send`), or nothing: some are the compiler's own, and change with it.
const FOLLOWING: [&str; 8] = [
    "core::marker::Freeze",
    "core::marker::Send",
    "core::marker::StructuralPartialEq",
    "core::marker::Sync",
    "core::marker::Unpin",
    "core::marker::UnsafeUnpin",
    "core::panic::unwind_safe::RefUnwindSafe",
    "core::panic::unwind_safe::UnwindSafe",
];

/// What is told where an automatic trait is not implemented.
const BROKEN: [&str; 2] = ["!core::marker::Send for", "!core::marker::Sync for"];

fn main() -> ExitCode {
    let Some(path) = env::args().nth(1) else {
        eprintln!("usage: list-public-api RUSTDOC_JSON");
        return ExitCode::from(2);
    };
    match list(&path) {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// All items, without the methods of derived implementations: the implementation itself says them.
fn list(path: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let written: HashSet<String> = items(path, true)?.into_iter().collect();
    let is_listed = |line: &String| {
        let is_impl = line.starts_with("impl");
        let follows = FOLLOWING.iter().any(|name| line.contains(&format!("{name} for ")));
        let is_broken = BROKEN.iter().any(|broken| line.contains(broken));
        written.contains(line) || (is_impl && (!follows || is_broken))
    };
    Ok(items(path, false)?.into_iter().filter(is_listed).collect())
}

fn items(path: &str, written_only: bool) -> Result<Vec<String>, Box<dyn Error>> {
    let api: PublicApi = Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(written_only)
        .omit_auto_derived_impls(written_only)
        .build()?;
    Ok(api.items().map(ToString::to_string).collect())
}
