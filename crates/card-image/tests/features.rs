//! docs/ext4-features.md says of every feature whether a filesystem that has it
//! can be read, edited, grown and shrunk. Each cell of it is tried here.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use block_io::{FileStorage, Layer, ReadAt, WriteAt};
use card_image::{RootFs, RootFsEditor};
use ext4_offline::{FeatureSet, Timestamp};

const NOW: u64 = 1_600_000_000;
const SIZE: u64 = 32 << 20;
const GROWN: u64 = 80 << 20;
const SHRUNK: u64 = 20 << 20;

fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = test_support::output("e2fsprogs", program, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
}

/// How a filesystem comes by a feature.
enum Made {
    /// By mke2fs, given these features.
    Mke2fs(String),
    /// By debugfs, which sets any bit: the filesystem is not of that kind then,
    /// and must be refused before that matters.
    Bit,
}

fn made(feature: &str) -> Made {
    // What mke2fs needs besides, or must not do.
    let options = match feature {
        "dir_prealloc" | "imagic_inodes" | "lazy_bg" | "exclude_inode" | "snapshot_bitmap"
        | "compression" | "dirdata" | "snapshot" | "replica" | "read-only" | "shared_blocks"
        | "needs_recovery" | "orphan_present" | "journal_dev" => return Made::Bit,
        unknown if unknown.starts_with("FEATURE_") => return Made::Bit,
        "meta_bg" => "meta_bg,^resize_inode".to_owned(),
        "sparse_super2" => "sparse_super2,^resize_inode".to_owned(),
        "uninit_bg" => "uninit_bg,^metadata_csum,^64bit".to_owned(),
        "metadata_csum_seed" => "metadata_csum,metadata_csum_seed".to_owned(),
        "64bit" => "64bit".to_owned(),
        "fast_commit" => "has_journal,fast_commit".to_owned(),
        "project" => "quota,project".to_owned(),
        other => other.to_owned(),
    };
    Made::Mke2fs(options)
}

/// A feature as debugfs takes any: the letter of its field and the number of its bit.
fn by_number(name: &str) -> String {
    let Some(feature) = ext4_offline::FEATURES.iter().find(|feature| feature.name == name) else {
        return name.to_owned();
    };
    let letter = match feature.set {
        FeatureSet::Compat => 'C',
        FeatureSet::Incompat => 'I',
        FeatureSet::RoCompat => 'R',
    };
    format!("FEATURE_{letter}{}", feature.bit.trailing_zeros())
}

fn image(directory: &Path, feature: &str) -> PathBuf {
    let path = directory.join("image");
    let tree = directory.join("tree");
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::write(tree.join("etc/hostname"), "old-name\n").unwrap();
    let _ = fs::remove_file(&path);
    let options = match made(feature) {
        Made::Mke2fs(options) => options,
        Made::Bit if feature == "orphan_present" => "has_journal,orphan_file".to_owned(),
        Made::Bit => "has_journal".to_owned(),
    };
    let (path_text, tree) = (path.to_str().unwrap(), tree.to_str().unwrap());
    let size = format!("{}K", SIZE >> 10);
    let arguments =
        ["-q", "-F", "-t", "ext4", "-b", "1024", "-O", &options, "-d", tree, path_text, &size];
    let (ok, text) = run("mke2fs", &arguments);
    assert!(ok, "{feature}: {text}");
    if options.contains("quota") {
        // mke2fs does not account for what -d brings.
        run("e2fsck", &["-fy", path_text]);
    }
    if matches!(made(feature), Made::Bit) {
        let number = by_number(feature);
        let (_, text) = run("debugfs", &["-w", "-R", &format!("feature {number}"), path_text]);
        assert!(text.contains("Filesystem features:"), "{feature}: {text}");
        let features = ext4_offline::inspect(&FileStorage::open(&path).unwrap()).unwrap().features;
        assert!(features.names().iter().any(|name| name == feature), "{feature}: {features}");
    }
    path
}

fn layer(path: &Path) -> Arc<Layer> {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(SIZE).unwrap();
    Arc::new(Layer::new(Arc::new(FileStorage::open(path).unwrap()), GROWN))
}

/// What e2fsck has to say about a layer, nothing at best.
fn complaints(layer: &Layer, size: u64, directory: &Path) -> String {
    let path = directory.join("result");
    fs::write(&path, layer.read_vec(0, size as usize).unwrap()).unwrap();
    let (ok, text) = run("e2fsck", &["-fn", path.to_str().unwrap()]);
    let quiet = |line: &&str| {
        line.starts_with("Pass ") || line.starts_with("e2fsck 1.") || line.contains(" files (")
    };
    let loud: Vec<&str> = text.lines().filter(|line| !quiet(line)).collect();
    if ok { loud.join("\n") } else { format!("not clean: {}", loud.join("\n")) }
}

/// `yes`, or why not.
fn outcome(operation: &str, path: &Path, directory: &Path) -> Result<(), String> {
    let layer = layer(path);
    let done = match operation {
        "read" => RootFs::open(layer.clone())
            .and_then(|files| files.read("/etc/hostname", 100))
            .map(|contents| assert_eq!(contents.unwrap(), b"old-name\n"))
            .map_err(|error| error.to_string()),
        "edit" => RootFsEditor::open(layer.clone(), NOW)
            .and_then(|mut files| {
                files.editor().write("/etc/hostname", b"new-name\n")?;
                files.create("/etc/new", 0o600)?;
                files.close()
            })
            .map_err(|error| error.to_string()),
        "shrink" => {
            let storage: Arc<dyn WriteAt> = layer.clone();
            ext4_offline::shrink(&storage, SHRUNK, Timestamp::saturating(NOW))
                .map(|shrunk| assert!(shrunk.blocks <= SHRUNK / 1024))
                .map_err(|error| error.to_string())
        }
        _ => ext4_offline::grow(&layer, GROWN, Timestamp::saturating(NOW))
            .map(drop)
            .map_err(|error| error.to_string()),
    };
    if let Err(reason) = &done {
        if layer.changed().total() > 0 {
            return Err(format!("written before it was refused: {reason}"));
        }
    } else if operation != "read" {
        let size = if operation == "grow" { GROWN } else { SIZE };
        let complaints = complaints(&layer, size, directory);
        if !complaints.is_empty() {
            return Err(format!("e2fsck afterwards: {complaints}"));
        }
    }
    done
}

/// The cells of the table, by feature.
fn table() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ext4-features.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        let feature = cells.nth(1).unwrap();
        (feature, cells.take(4).collect())
    })
    .collect()
}

#[test]
fn the_table_of_features_is_true() {
    let table = table();
    for feature in ext4_offline::FEATURES {
        assert!(table.contains_key(feature.name), "{} is not in the table", feature.name);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (feature, cells) in &table {
        let path = image(directory.path(), feature);
        for (operation, cell) in ["read", "edit", "grow", "shrink"].iter().zip(cells) {
            let outcome = outcome(operation, &path, directory.path());
            let fits = match (cell.as_str(), &outcome) {
                ("yes", Ok(())) => true,
                ("no", Err(reason)) => {
                    // One that needs another may be refused for that one's sake.
                    (reason.contains(feature.as_str())
                        || (feature == "project" && reason.contains("quota")))
                        && !reason.contains("e2fsck afterwards")
                        && !reason.contains("written before")
                }
                _ => false,
            };
            if !fits {
                wrong.push(format!("{feature}, {operation}: {cell:?}, but {outcome:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
