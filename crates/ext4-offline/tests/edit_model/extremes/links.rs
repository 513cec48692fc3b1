//! Inodes with the largest number of links.

use ext4_offline::{
    Error,
    inodes::{NewFile, ROOT_INODE},
};

use super::{Empty, create};
use crate::common::{MIB, run};

#[test]
fn a_file_with_the_largest_number_of_links() {
    let image = Empty::make("-t ext4 -b 1024 -J size=1", 32 * MIB);
    let mut files = image.open();
    let file = create(&mut files, "file");
    let dir = files.create(ROOT_INODE, b"dir", NewFile::Directory, 0o755).unwrap();
    for number in 1..65_000 {
        files.link(file, dir, number.to_string().as_bytes()).unwrap();
    }
    let result = files.link(file, dir, b"one-more");
    assert!(matches!(result, Err(Error::Limit { .. })), "{result:?}");
    assert_eq!(files.stat(file).unwrap().links, 65_000);
    files.finish().unwrap();
    image.assert_clean("65,000 links");
    let mut files = image.open();
    files.unlink(dir, b"17").unwrap();
    files.link(file, dir, b"one-more").unwrap();
    files.finish().unwrap();
    image.assert_clean("one link for another");
}

#[test]
fn more_subdirectories_than_can_be_counted() {
    let image = Empty::make("-t ext4 -b 1024 -N 70000 -J size=1", 128 * MIB);
    let mut files = image.open();
    let dir = files.create(ROOT_INODE, b"dir", NewFile::Directory, 0o755).unwrap();
    for number in 0..65_100 {
        let name = number.to_string();
        files.create(dir, name.as_bytes(), NewFile::Directory, 0o755).unwrap();
    }
    assert_eq!(files.stat(dir).unwrap().links, 1);
    files.finish().unwrap();
    image.assert_clean("65,100 subdirectories");
    let mut files = image.open();
    for number in 0..200 {
        files.rmdir(dir, number.to_string().as_bytes()).unwrap();
    }
    files.rename(dir, b"300", ROOT_INODE, b"moved").unwrap();
    files.rename(dir, b"301", dir, b"302").unwrap();
    assert_eq!(files.stat(dir).unwrap().links, 1);
    files.finish().unwrap();
    image.assert_clean("fewer again");
}

/// Links must be counted without the feature, and in directories without an index.
#[test]
fn more_subdirectories_are_refused() {
    for (features, index) in [("^dir_nlink", true), ("^dir_index", false), ("dir_nlink", true)] {
        let image = Empty::make(&format!("-t ext4 -b 1024 -O {features} -J size=1"), 16 * MIB);
        let mut files = image.open();
        let dir = files.create(ROOT_INODE, b"dir", NewFile::Directory, 0o755).unwrap();
        for number in 0..200 {
            let name = format!("{number}");
            files.create(dir, name.as_bytes(), NewFile::Directory, 0o755).unwrap();
        }
        files.create(ROOT_INODE, b"other", NewFile::Directory, 0o755).unwrap();
        files.finish().unwrap();
        // 65,000 names in a list would take too long.
        let request = format!("set_inode_field <{dir}> links_count 65000");
        run("debugfs", &["-w", "-R", &request, image.path.to_str().unwrap()]);
        let mut files = image.open();
        let made = files.create(dir, b"one-more", NewFile::Directory, 0o755).map(drop);
        let moved = files.rename(ROOT_INODE, b"other", dir, b"moved");
        let may = features == "dir_nlink" && index;
        for result in [made, moved] {
            if may {
                result.unwrap()
            } else {
                assert!(matches!(result, Err(Error::Limit { .. })), "{result:?}")
            }
        }
        // A file is not a subdirectory.
        files.create(dir, b"file", NewFile::Regular, 0o644).unwrap();
        files.rename(dir, b"7", dir, b"8").unwrap();
        assert_eq!(files.stat(dir).unwrap().links, if may { 1 } else { 64_999 });
    }
}
