//! Running `nodecard` on a terminal.

use std::process::Command;

use super::*;

/// Runs a command on a pseudo-terminal. Each step waits for a text in the output, runs a
/// shell command, and types a line.
const TERMINAL: &str = r#"
import json, os, pty, select, subprocess, sys
steps, arguments = json.loads(sys.argv[1]), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(arguments[0], arguments)
seen, all_of = b"", b""
while True:
    if not select.select([terminal], [], [], 60)[0]:
        sys.exit(f"nothing came for 60 s; waiting for {steps}: {all_of}")
    try:
        some = os.read(terminal, 65536)
    except OSError:
        break
    if not some:
        break
    seen, all_of = seen + some, all_of + some
    while steps and steps[0][0].encode() in seen:
        wanted, command, answer = steps.pop(0)
        seen = seen.split(wanted.encode(), 1)[1]
        subprocess.run(command, shell=True, check=True)
        os.write(terminal, answer.encode())
sys.stdout.buffer.write(all_of)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(f"ended without {steps}: {all_of}" if steps else code)
"#;

/// Runs `nodecard` on a terminal, checks its exit code, and returns what the terminal
/// received.
#[track_caller]
pub fn on_terminal(bench: &Bench, code: i32, steps: &[[&str; 3]], arguments: &[&str]) -> String {
    let program = bench.nodecard(&[]).get_program().to_str().unwrap().to_owned();
    on_terminal_of(&program, bench, code, steps, arguments)
}

/// Runs a program on a terminal, like [`on_terminal`].
#[track_caller]
pub fn on_terminal_of(
    program: &str,
    bench: &Bench,
    code: i32,
    steps: &[[&str; 3]],
    arguments: &[&str],
) -> String {
    let nodecard = bench.nodecard(arguments);
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, &serde_json::to_string(steps).unwrap()]);
    command.arg(program).args(nodecard.get_args());
    command.current_dir(nodecard.get_current_dir().unwrap());
    command.envs(nodecard.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("TERM", "xterm").env("COLUMNS", "100");
    let output = command.output().expect("python3 is needed: install the Debian package python3");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}{shown}");
    assert!(!shown.contains("panicked"), "{shown}");
    shown
}
