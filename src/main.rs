//! `notation-kms`: a Notation plugin, and a tool for people.

fn main() -> std::process::ExitCode {
    notation_sdk::cli::main()
}
