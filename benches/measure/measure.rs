//! Runs a program, and prints its wall time in microseconds and its largest memory in KiB. The memory of a
//! process counts that of the one which started it, so this one is small: it is compiled by itself.

use std::{env, process::{Command, Stdio}, time::Instant};

#[repr(C)]
struct Rusage {
    times: [i64; 4],
    largest_kib: i64,
    rest: [i64; 13],
}

unsafe extern "C" {
    fn wait4(pid: i32, status: *mut i32, options: i32, usage: *mut Rusage) -> i32;
}

fn main() {
    let mut words = env::args().skip(1);
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let child = command.spawn().expect("it starts");
    let (mut status, mut usage) = (0, Rusage { times: [0; 4], largest_kib: 0, rest: [0; 13] });
    // SAFETY: both pointers are to values of the layout that the call fills (Linux, 64 bits).
    let waited = unsafe { wait4(child.id() as i32, &raw mut status, 0, &raw mut usage) };
    assert!(waited > 0 && status == 0, "status {status}");
    println!("{} {}", start.elapsed().as_micros(), usage.largest_kib);
}
