//! A block of attributes that several files share, which only the kernel creates.

use ext4_offline::inodes::{Files, ROOT_INODE};
use rustix::fs::XattrFlags;

use super::Empty;
use crate::common::{
    MIB,
    mount::{is_root, try_mount},
};

const NAMES: [&str; 4] = ["one", "two", "three", "four"];

fn value(files: &Files, name: &str, xattr: &str) -> Option<Vec<u8>> {
    let inode = files.look_up(ROOT_INODE, name.as_bytes()).unwrap().unwrap();
    let xattrs = files.xattrs(inode).unwrap();
    xattrs.into_iter().find(|(name, _)| name == xattr).map(|(_, value)| value)
}

/// The block of a file's attributes, and the number of files that share it.
fn block(image: &Empty, name: &str) -> (u64, u32) {
    let stat = image.debugfs(&format!("stat /{name}"));
    let (_, rest) = stat.split_once("File ACL: ").unwrap();
    let block: u64 = rest.split_whitespace().next().unwrap().parse().unwrap();
    let bytes = image.storage().read_vec(block * 1024 + 4, 4).unwrap();
    (block, u32::from_le_bytes(bytes.try_into().unwrap()))
}

#[test]
fn a_shared_block_of_attributes() {
    if !is_root() {
        return;
    }
    for (features, large) in
        [("metadata_csum", false), ("^metadata_csum", false), ("ea_inode", true)]
    {
        let image = Empty::make(&format!("-t ext4 -b 1024 -O {features} -J size=1"), 16 * MIB);
        let mounted = try_mount(&image.path, "rw").unwrap();
        let shared = vec![b's'; if large { 5000 } else { 600 }];
        for name in NAMES {
            let path = mounted.0.join(name);
            std::fs::write(&path, name).unwrap();
            let (filler, also) = (vec![b'f'; 60], vec![b'a'; 200]);
            // The first one leaves no room in the inode.
            for (xattr, value) in
                [("user.filler", &filler), ("user.shared", &shared), ("user.also", &also)]
            {
                rustix::fs::setxattr(&path, xattr, value, XattrFlags::empty()).unwrap();
            }
        }
        drop(mounted);
        image.assert_clean(features);
        let (first, users) = block(&image, "one");
        assert_eq!(users, 4, "the kernel does not share them");

        let mut files = image.open();
        let inode = |files: &Files, name: &str| {
            files.look_up(ROOT_INODE, name.as_bytes()).unwrap().unwrap()
        };
        let (one, two) = (inode(&files, "one"), inode(&files, "two"));
        files.set_xattr(one, "user.also", &[b'c'; 210]).unwrap();
        assert!(files.remove_xattr(two, "user.shared").unwrap());
        files.unlink(ROOT_INODE, b"three").unwrap();
        files.finish().unwrap();
        image.assert_clean(features);
        assert_eq!(block(&image, "four"), (first, 1));
        let files = image.read();
        assert_eq!(value(&files, "one", "user.also"), Some(vec![b'c'; 210]));
        assert_eq!(value(&files, "one", "user.shared"), Some(shared.clone()));
        assert_eq!(value(&files, "two", "user.also"), Some(vec![b'a'; 200]));
        assert_eq!(value(&files, "two", "user.shared"), None);
        assert_eq!(value(&files, "four", "user.also"), Some(vec![b'a'; 200]));
        assert_eq!(value(&files, "four", "user.shared"), Some(shared));

        let mut files = image.open();
        for name in ["one", "two", "four"] {
            files.unlink(ROOT_INODE, name.as_bytes()).unwrap();
        }
        files.finish().unwrap();
        image.assert_clean(features);
    }
}
