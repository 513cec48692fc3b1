//! Only this crate depends on the operating system, and only it has unsafe code.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_other_crate_depends_on_the_operating_system() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    // In a package of its own, this crate is alone.
    if !crates.join("block-io").is_dir() {
        return;
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(crates).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() && !source.starts_with(crates.join("platform")) {
            sources(&source, &mut files);
        }
    }
    assert!(files.len() > 100, "{} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        // Tests may use what only this computer has.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let is_test = file.components().any(|part| part.as_os_str() == "tests")
            || file.file_stem().is_some_and(|name| name == "tests");
        if is_test {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let words =
                ["target_os", "cfg(unix", "cfg(windows", "std::os::", "os::unix", "unsafe {"];
            if words.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
