//! Modules depend on those below them only.
#![allow(missing_docs)]

use std::{fs, path::Path};

/// The modules from the bottom up. Those in one row may not depend on each other.
const LAYERS: &[&[&str]] = &[
    &["kind", "time", "digest"],
    &["error"],
    &["features"],
    &["superblock", "inode"],
    &["geometry", "checksum", "metadata", "dir"],
    &["group_desc", "inspect"],
    &["bitmap"],
    &["filesystem"],
    &["source"],
    &["volume", "xattr"],
    &["map"],
    &["contents", "census"],
    &["attributes"],
    &["files"],
    &["journal", "orphans", "recount", "used", "grow"],
    &["check"],
    &["recover", "shrink", "owners", "scrub"],
    &["paths"],
];

/// Where items that the crate's root re-exports are defined.
const ROOT_ITEMS: &[(&str, &str)] = &[
    ("Backups", "geometry"),
    ("Error", "error"),
    ("ExtVersion", "inspect"),
    ("Features", "features"),
    ("FileKind", "kind"),
    ("FileTimes", "metadata"),
    ("FilesystemInfo", "inspect"),
    ("Geometry", "geometry"),
    ("MAX_GROUPS", "geometry"),
    ("Metadata", "metadata"),
    ("Operation", "error"),
    ("PathError", "error"),
    ("PathErrorKind", "error"),
    ("PathOperation", "error"),
    ("PathResult", "error"),
    ("Replayed", "journal"),
    ("Result", "error"),
    ("Superblock", "superblock"),
    ("Timestamp", "time"),
    ("inodes", "files"),
    ("replay_journal", "journal"),
];

fn layer_of(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("the module {module} has no place in LAYERS"))
}

/// The first names of all paths in a source text that begin with `crate::`.
fn uses(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.push(rest.to_owned());
            continue;
        };
        // The names at the outermost level of an import's list.
        let list = &list[..list.find(';').unwrap()];
        let mut depth = 0;
        let mut name = String::new();
        for c in list.chars().filter(|c| !c.is_whitespace()) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                _ if depth == 0 => name.push(c),
                _ => {}
            }
        }
        found.push(name);
    }
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let names = found.iter().map(|path| path.split(|c| !is_name(c)).next().unwrap().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

fn sources(path: &Path) -> Vec<String> {
    if path.is_file() {
        return vec![fs::read_to_string(path).unwrap()];
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !path.ends_with("tests"));
    entries.flat_map(|path| sources(&path)).collect()
}

#[test]
fn modules_depend_on_lower_ones_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if module == "lib" {
            continue;
        }
        for name in sources(&path).iter().flat_map(|text| uses(text)) {
            let item = ROOT_ITEMS.iter().find(|(item, _)| *item == name);
            let used = item.map_or(name.as_str(), |(_, module)| *module);
            if used != module && layer_of(used) >= layer_of(&module) {
                wrong.push(format!("{module} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
