//! debugfs, run once with a file of commands for every inode of the model. The names that it lists
//! must lead to these inodes and no others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use crate::{
    common::{output_of, scratch},
    model::{Body, Model},
    tree::{Entry, Kind, Tree, Xattrs},
};

pub struct Found {
    pub tree: Tree,
    /// Inodes with blocks that read as zeros.
    pub unwritten: BTreeSet<u32>,
}

pub fn read(image: &Path, model: &Model) -> Found {
    let dump = scratch();
    let mut commands = String::new();
    for (inode, node) in &model.nodes {
        commands += &format!("stat <{inode}>\n");
        match &node.body {
            Body::Directory(_) => commands += &format!("ls -p <{inode}>\n"),
            Body::File(_) | Body::Symlink(_) => {
                commands += &format!("dump <{inode}> {}/{inode}\n", dump.path().display());
            }
            Body::Special => {}
        }
        for (number, name) in node.xattrs.keys().enumerate() {
            let file = dump.path().join(format!("{inode}-{number}"));
            commands += &format!("ea_get -f {} <{inode}> {name}\n", file.display());
        }
    }
    let script = dump.path().join("commands");
    fs::write(&script, commands).unwrap();
    let text = output_of("debugfs", &["-f", script.to_str().unwrap(), image.to_str().unwrap()]);
    let mut answers = BTreeMap::new();
    for part in text.split("debugfs: ").skip(1) {
        let (command, answer) = part.split_once('\n').unwrap_or((part, ""));
        answers.insert(command.to_owned(), answer.to_owned());
    }
    let mut tree = Tree::new();
    let mut unwritten = BTreeSet::new();
    let mut left = vec![(Vec::new(), ext4_offline::inodes::ROOT_INODE)];
    while let Some((path, inode)) = left.pop() {
        let Some(stat) = answers.get(&format!("stat <{inode}>")) else {
            panic!("debugfs: {:?} is unknown inode {inode}", String::from_utf8_lossy(&path));
        };
        if stat.contains("[u]") {
            unwritten.insert(inode);
        }
        let contents = || {
            let mut bytes = fs::read(dump.path().join(inode.to_string())).unwrap_or_default();
            // For inline contents, it writes the whole area.
            if bytes.len() == 60 {
                bytes.truncate(field(stat, "Size: ").parse().unwrap());
            }
            bytes
        };
        let kind = match field(stat, "Type: ").as_str() {
            "regular" => Kind::File(Arc::new(contents())),
            "directory" => {
                for line in answers[&format!("ls -p <{inode}>")].lines() {
                    let parts: Vec<&str> = line.split('/').collect();
                    let [_, number, _, _, _, name, ..] = parts[..] else { continue };
                    if number != "0" && name != "." && name != ".." {
                        let path = [&path, b"/".as_slice(), name.as_bytes()].concat();
                        left.push((path, number.parse().unwrap()));
                    }
                }
                Kind::Directory
            }
            "symlink" => match stat.split_once("Fast link dest: \"") {
                Some((_, target)) => {
                    Kind::Symlink(target.split('"').next().unwrap().as_bytes().to_vec())
                }
                None => Kind::Symlink(contents()),
            },
            _ => Kind::Special,
        };
        let number = |name: &str| field(stat, name).parse::<i64>().unwrap() as u32;
        let entry = Entry {
            kind,
            mode: u16::from_str_radix(&field(stat, "Mode: "), 8).unwrap(),
            uid: number("User: "),
            gid: number("Group: "),
            mtime: time(&field(stat, "mtime: ")),
            links: Some(number("Links: ")),
            inode: Some(inode),
            xattrs: Some(xattrs(stat, model, inode, dump.path())),
        };
        tree.insert(path, entry);
    }
    Found { tree, unwritten }
}

/// The word after the name of a field.
fn field(stat: &str, name: &str) -> String {
    let (_, rest) = stat.split_once(name).unwrap_or_else(|| panic!("no {name}in {stat}"));
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Seconds from `0x6543c0de:00000001`, of which the second number may be missing.
fn time(text: &str) -> i64 {
    let mut parts = text.trim_start_matches("0x").split(':');
    let mut hex = || parts.next().map_or(0, |part| u32::from_str_radix(part, 16).unwrap());
    let (low, extra) = (hex(), hex());
    i64::from(low as i32) + (i64::from(extra & 3) << 32)
}

/// The names and lengths in the output of stat, with the values.
fn xattrs(stat: &str, model: &Model, inode: u32, dump: &Path) -> Xattrs {
    let wanted: Vec<&String> = model.nodes[&inode].xattrs.keys().collect();
    let Some((_, list)) = stat.split_once("Extended attributes:\n") else {
        return Xattrs::new();
    };
    let mut found = Xattrs::new();
    for line in list.lines().take_while(|line| line.starts_with("  ")) {
        let (name, rest) = line.trim_start().split_once(" (").unwrap();
        if name == "system.data" {
            continue;
        }
        let length: usize = rest.split(')').next().unwrap().parse().unwrap();
        let number = wanted.iter().position(|wanted| *wanted == name);
        let value = number.map(|number| fs::read(dump.join(format!("{inode}-{number}"))));
        let value = value.map(Result::unwrap_or_default).unwrap_or_default();
        assert_eq!(value.len(), length, "debugfs: attribute {name} of inode {inode}");
        found.insert(name.to_owned(), value);
    }
    found
}
