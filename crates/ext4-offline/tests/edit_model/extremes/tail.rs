//! The rest of the last block of a file, where programs that map the file can leave any bytes.

use ext4_offline::inodes::FilesMut;

use super::{Empty, create};
use crate::common::MIB;

const BLOCK: u64 = 1024;

#[test]
fn bytes_after_the_end_do_not_become_contents() {
    type Edit = fn(&mut FilesMut, u32);
    let longer: [(&str, Edit); 3] = [
        ("write behind the block", |files, inode| files.write(inode, 5000, b"!").unwrap()),
        ("write within the block", |files, inode| files.write(inode, 900, b"!").unwrap()),
        ("resize", |files, inode| files.resize(inode, 3000).unwrap()),
    ];
    for arguments in ["-t ext4 -b 1024 -J size=1", "-t ext2 -b 1024"] {
        for (context, edit) in longer {
            let image = Empty::make(arguments, 8 * MIB);
            let mut files = image.open();
            let inode = create(&mut files, "file");
            files.write(inode, 0, &[b'c'; 100]).unwrap();
            files.finish().unwrap();
            let blocks = image.debugfs(&format!("blocks <{inode}>"));
            let block: u64 = blocks.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
            let garbage = vec![0xa5; (BLOCK - 100) as usize];
            image.storage().write_at(block * BLOCK + 100, &garbage).unwrap();

            let mut files = image.open();
            edit(&mut files, inode);
            files.finish().unwrap();
            image.assert_clean(context);
            let files = image.read();
            let mut bytes = vec![1; files.stat(inode).unwrap().size as usize];
            files.read(inode, 0, &mut bytes).unwrap();
            assert!(bytes[..100].iter().all(|byte| *byte == b'c'), "{context}");
            assert!(bytes[100..].iter().all(|byte| matches!(byte, 0 | b'!')), "{context}");
        }
    }
}
