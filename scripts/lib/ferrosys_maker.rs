//! Makes ext2, ext3 and ext4 filesystems with ferrosys, which shares no code with e2fsprogs.
//! `scripts/test-e2fsprogs --all` builds and runs it: DIRECTORY with the tree, directory for the images.

use std::{env, fs, path::Path};

use ferrosys::ext::{FormatOptions, GrowReservation, Metadata, Profile, Timestamp, TreeBuilder, format};

fn add(mut tree: TreeBuilder, from: &Path, to: &str, time: Timestamp) -> TreeBuilder {
    for entry in fs::read_dir(from).expect("the tree") {
        let entry = entry.expect("an entry");
        let path = format!("{to}/{}", entry.file_name().to_str().expect("UTF-8"));
        if entry.path().is_dir() {
            tree = tree.directory(path.clone().into_bytes(), Metadata::new(0o755, time));
            tree = add(tree, &entry.path(), &path, time);
        } else {
            let contents = fs::read(entry.path()).expect("a file");
            tree = tree.file(path.into_bytes(), contents, Metadata::new(0o644, time));
        }
    }
    tree
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let (from, out) = (Path::new(&arguments[1]), &arguments[2]);
    let time = Timestamp::from_secs(1_700_000_000);
    for (name, profile) in [("ext2", Profile::Ext2), ("ext3", Profile::Ext3), ("ext4", Profile::Ext4)] {
        for kib in [300, 1500, 8193, 20000, 70001, 140_000] {
            for (end, grow) in [("", GrowReservation::None), ("-grow", GrowReservation::UpTo(64 << 30))] {
                let mut options = FormatOptions::new([0x11; 16], time, [0x22; 16]);
                options.feature = profile.feature_set();
                options.grow = grow;
                let tree = add(TreeBuilder::new(), from, "", time);
                // Those that do not hold the tree are not made.
                match format(tree, kib << 10, options) {
                    Ok(image) => {
                        let path = format!("{out}/x_ferrosys-{name}-{kib}{end}.img");
                        fs::write(path, image.as_bytes()).expect("the image");
                    }
                    Err(error) => eprintln!("{name} of {kib} KiB{end}: {error}"),
                }
            }
        }
    }
}
