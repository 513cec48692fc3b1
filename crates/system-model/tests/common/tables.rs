//! Tables of cases: the files of a system, as text.

/// Returns the cases of a table, which are separated by empty lines. A line `== PATH` begins a
/// file; a file of one line `-> TARGET` is a symlink. In the others, `\\r` at the end of a
/// line stands for a carriage return, and `\\0` for a text that ends without the end of a line.
pub fn cases(table: &str) -> Vec<Vec<(&str, String)>> {
    table.split("\n\n").map(|case| files(case.trim_matches('\n'))).collect()
}

fn files(case: &str) -> Vec<(&str, String)> {
    let mut texts: Vec<(&str, String)> = Vec::new();
    for line in case.lines() {
        if let Some(path) = line.strip_prefix("== ") {
            texts.push((path, String::new()));
            continue;
        }
        let (_, text) = texts.last_mut().expect("a path first");
        if line.starts_with("-> ") {
            text.push_str(line);
        } else if let Some(line) = line.strip_suffix("\\r") {
            text.push_str(&format!("{line}\r\n"));
        } else if let Some(line) = line.strip_suffix("\\0") {
            text.push_str(line);
        } else {
            text.push_str(&format!("{line}\n"));
        }
    }
    texts
}
