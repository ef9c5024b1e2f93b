//! Programs that take turns, and what they took.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What measures a program, compiled into a folder.
pub(crate) fn program(folder: &Path) -> PathBuf {
    compiled(folder, "measure", include_str!("measure.rs"))
}

/// The executable that is measured: the one that was named to the build, as `make bench` does, else cargo's.
pub(crate) fn executable(folder: &Path) -> PathBuf {
    let named = option_env!("NOTATION_KMS").unwrap_or(env!("CARGO_BIN_EXE_notation-kms"));
    println!("measured: {named}");
    installed(folder, Path::new(named))
}

/// A copy of a program, as an installation is one: what a linker has just written takes longer to map.
pub(crate) fn installed(folder: &Path, program: &Path) -> PathBuf {
    let copy = folder.join("bin").join(program.file_name().expect("a file"));
    fs::create_dir_all(folder.join("bin")).expect("a folder");
    fs::copy(program, &copy).expect("a program");
    copy
}

/// A program of one file.
pub(crate) fn compiled(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (file, program) = (folder.join(format!("{name}.rs")), folder.join(name));
    fs::write(&file, source).expect("a file");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-O", "-o"]).arg(&program).arg(&file);
    assert!(rustc.status().expect("rustc starts").success());
    program
}

/// Wall time in milliseconds and memory in MiB, medians of two programs that take turns.
pub(crate) fn in_turns(
    measure: &Path,
    runs: usize,
    commands: [&mut Command; 2],
) -> [(f64, f64); 2] {
    let mut figures = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    let mut commands = commands.map(|command| {
        let mut measured = Command::new(measure);
        measured.arg(command.get_program()).args(command.get_args());
        measured.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        measured
    });
    for _ in 0..runs {
        for (command, (times, sizes)) in commands.iter_mut().zip(&mut figures) {
            let output = command.output().expect("it starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).expect("two numbers");
            let (time, size) = text.trim().split_once(' ').expect("two numbers");
            times.push(Duration::from_micros(time.parse().expect("microseconds")));
            sizes.push(Duration::from_micros(size.parse().expect("KiB")));
        }
    }
    figures.map(|(mut times, mut sizes)| {
        (millis(median(&mut times)), median(&mut sizes).as_secs_f64() * 1e6 / 1024.0)
    })
}

pub(crate) fn median(values: &mut [Duration]) -> Duration {
    values.sort();
    values[values.len() / 2]
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
