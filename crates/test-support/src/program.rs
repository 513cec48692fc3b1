//! Running the programs that make and judge images.

use std::{
    ffi::OsStr,
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// Runs a program, and returns its exit status and output.
///
/// # Panics
/// If it cannot be started. The message names its Debian package.
pub fn output<A: AsRef<OsStr>>(package: &str, program: &str, arguments: &[A]) -> Output {
    command(program, arguments).output().unwrap_or_else(|error| missing(package, program, &error))
}

/// Runs a program that must succeed, and returns all that it printed, on stdout and then on
/// stderr.
///
/// # Panics
/// If it cannot be started or fails.
pub fn run<A: AsRef<OsStr>>(package: &str, program: &str, arguments: &[A]) -> String {
    let output = output(package, program, arguments);
    let text = text(&output);
    let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
    assert!(output.status.success(), "{program} {arguments:?} failed:\n{text}");
    text
}

/// Runs a program that must succeed with `input` on its stdin, and returns all that it
/// printed, on stdout and then on stderr.
///
/// # Panics
/// If it cannot be started or fails.
pub fn run_with_input<A: AsRef<OsStr>>(
    package: &str,
    program: &str,
    arguments: &[A],
    input: &[u8],
) -> String {
    let output = feed(package, program, arguments, input);
    let text = text(&output);
    assert!(output.status.success(), "{program} failed:\n{text}");
    text
}

/// Runs a program that must succeed with `input` on its stdin, and returns its stdout.
///
/// # Panics
/// If it cannot be started or fails.
pub fn pipe(package: &str, command: &[&str], input: &[u8]) -> Vec<u8> {
    let (program, arguments) = command.split_first().expect("a program");
    let output = feed(package, program, arguments, input);
    assert!(output.status.success(), "{command:?} failed:\n{}", text(&output));
    output.stdout
}

fn feed<A: AsRef<OsStr>>(package: &str, program: &str, arguments: &[A], input: &[u8]) -> Output {
    let mut child = command(program, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| missing(package, program, &error));
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that stops reading shows that in its exit status.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("the program ends")
    })
}

/// Tools for disks are in /usr/sbin, which users may not have in their path. Texts are in
/// English.
fn command<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", format!("{path}:/usr/sbin:/sbin")).env("LC_ALL", "C.UTF-8");
    command
}

fn text(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text + &String::from_utf8_lossy(&output.stderr)
}

fn missing(package: &str, program: &str, error: &std::io::Error) -> ! {
    panic!("cannot run {program} ({error}): install the Debian package {package}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_and_reads_programs() {
        assert_eq!(pipe("coreutils", &["cat"], &[7; 300_000]), [7; 300_000]);
        assert_eq!(run("coreutils", "printf", &["%s", "a b"]), "a b");
        assert_eq!(run_with_input("coreutils", "wc", &["-c"], b"abc").trim(), "3");
        assert!(!output("coreutils", "false", &[""; 0]).status.success());
    }

    #[test]
    #[should_panic(expected = "install the Debian package nothing")]
    fn a_missing_program_is_an_error() {
        run("nothing", "no-such-program-anywhere", &[""; 0]);
    }
}
