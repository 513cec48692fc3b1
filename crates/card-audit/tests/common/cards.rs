//! Cards in use, and what e2fsck and the kernel make of them.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use block_io::{Layer, Memory, ReadAt, Window, WriteAt};
use card_audit::{ApplyOptions, VerifyOptions};
use card_image::{FileKind, RootFs};
use part_table::PartitionTable;

use super::{Bench, Changed, NEVER, ROOT, bench, run};

pub const MIB: u64 = 1 << 20;
/// When cards are corrected: in the past, for e2fsck.
pub const NOW: u64 = 1_700_000_000;
pub const NODE: &str = "xu4-node2";

/// What is applied to a card of xu4-node2.
pub fn options<'a>(
    bench: &'a Bench,
    base: card_audit::BaseReference<'a>,
    grow: bool,
) -> ApplyOptions<'a> {
    let node = bench.cluster.nodes.iter().find(|node| node.name == NODE).unwrap();
    let verify =
        VerifyOptions { cluster: &bench.cluster, keys: &bench.keys, base, node: Some(node) };
    ApplyOptions { verify, node, root: None, grow, time: NOW, cancel: &NEVER }
}

/// A card of xu4-node2 with several things wrong, and its owner's own files and lines.
pub fn broken() -> Changed {
    bench()
        .card(NODE)
        .replace("/etc/network/interfaces", "address 192", "addres 192")
        .append("/etc/hosts", "192.168.1.50 printer\n")
        .replace("/etc/hosts", "xu4-node3", "xu4-nod3")
        .edit(|files| {
            files.write("/etc/hostname", "xu4-nod2\n");
            files.write("/home/odroid/diary", "dear diary\n");
            files.write("/etc/docker/key.json", "{\"made\": \"since then\"}\n");
            files.remove("/root/.ssh/id_ed25519");
        })
        // e2fsck does not like times of writing in the future.
        .superblock(0x30, |written| *written = (NOW as u32 - 1).to_le_bytes())
}

pub fn bytes_of(storage: &dyn ReadAt) -> Vec<u8> {
    storage.read_vec(0, storage.size() as usize).unwrap()
}

/// The same card with more room, which is full of old bytes.
pub fn enlarged(card: &dyn ReadAt, size: u64) -> Arc<dyn ReadAt> {
    let mut bytes = bytes_of(card);
    bytes.resize(size as usize, 0xa5);
    Arc::new(Memory::new(bytes))
}

/// The same system on a card with a GPT, whose second copy is where the image ended.
pub fn with_gpt(card: &dyn ReadAt, name: &str) -> Arc<dyn ReadAt> {
    let root = PartitionTable::read(card).unwrap().partition(2).unwrap().bytes();
    let path = bench().path(name);
    let size = root.end - root.start + 18 * MIB;
    fs::File::create(&path).unwrap().set_len(size).unwrap();
    let end = (16 * MIB + root.end - root.start) / 512 - 1;
    let second = format!("-n2:{}:{end}", 16 * MIB / 512);
    let path_text = path.to_str().unwrap();
    run("gdisk", "sgdisk", &["-n1:2048:+4M", &second, "-t2:8300", path_text]);
    let mut bytes = fs::read(&path).unwrap();
    let contents = card.read_vec(root.start, (root.end - root.start) as usize).unwrap();
    bytes[16 << 20..][..contents.len()].copy_from_slice(&contents);
    Arc::new(Memory::new(bytes))
}

/// Runs debugfs commands on the root filesystem of a card.
pub fn debugfs(card: &dyn ReadAt, name: &str, commands: &str) -> Arc<dyn ReadAt> {
    let (image, script) = (bench().path(name), bench().path(&format!("{name}.commands")));
    fs::write(&image, bytes_of(card)).unwrap();
    fs::write(&script, commands).unwrap();
    let target = format!("{}?offset={ROOT}", image.display());
    run("e2fsprogs", "debugfs", &["-w", "-f", script.to_str().unwrap(), &target]);
    Arc::new(Memory::new(fs::read(&image).unwrap()))
}

/// The card with a journal that has to be replayed, and a file that was deleted while
/// it was open.
pub fn dirty(card: &dyn ReadAt, name: &str) -> Arc<dyn ReadAt> {
    let note = bench().path(&format!("{name}.note"));
    let block = bench().path(&format!("{name}.block"));
    fs::write(&note, vec![b'o'; 20_000]).unwrap();
    let mut contents = b"a journalled page\n".to_vec();
    contents.resize(4096, 0);
    fs::write(&block, &contents).unwrap();
    let written =
        debugfs(card, name, &format!("write {} gone\nsif gone mtime 7\n", note.display()));
    let target = format!("{}?offset={ROOT}", bench().path(name).display());
    let ask = |request: &str| run("e2fsprogs", "debugfs", &["-R", request, &target]);
    let inode = ask("stat gone");
    let inode: String =
        inode.split_once("Inode: ").unwrap().1.chars().take_while(char::is_ascii_digit).collect();
    let diary = ask("blocks /home/odroid/diary");
    let diary = diary.lines().find_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let commands = format!(
        "unlink gone\nsif <{inode}> links_count 0\nsif <{inode}> dtime 0\nssv last_orphan {inode}\n\
         jo\njw -b {} {}\njc\n",
        diary.unwrap(),
        block.display()
    );
    debugfs(&written, name, &commands)
}

/// The root filesystem's bytes, as the partition table has them.
pub fn root_of(card: &dyn ReadAt) -> Range<u64> {
    PartitionTable::read(card).unwrap().partition(2).unwrap().bytes()
}

/// All files: kind, mode, owner and contents by path. `replayed` filesystems only.
pub fn tree(card: &Arc<Layer>) -> BTreeMap<String, String> {
    let root = root_of(card);
    let window = Window::new(card.clone(), root.start, root.end - root.start).unwrap();
    let window: Arc<dyn WriteAt> = Arc::new(window);
    let files = RootFs::open(window).unwrap();
    let mut found = BTreeMap::new();
    let mut waiting = vec![String::new()];
    while let Some(directory) = waiting.pop() {
        for name in files.list(&format!("{directory}/")).unwrap().unwrap() {
            let path = format!("{directory}/{}", String::from_utf8_lossy(&name));
            let metadata = files.metadata(&path).unwrap().unwrap();
            let contents = match metadata.kind {
                FileKind::Regular => files.read(&path, 64 << 20).unwrap().unwrap(),
                FileKind::Directory => {
                    waiting.push(path.clone());
                    Vec::new()
                }
                _ => files.read_link(&path).unwrap().unwrap_or_default(),
            };
            let text = format!(
                "{:?} {:o} {}:{} {}",
                metadata.kind,
                metadata.mode,
                metadata.uid,
                metadata.gid,
                String::from_utf8_lossy(&contents)
            );
            found.insert(path, text);
        }
    }
    found
}

/// e2fsck must find nothing to say about the root filesystem of a card in a file.
pub fn assert_clean(image: &Path, root: u64, context: &str) {
    let target = format!("{}?offset={root}", image.display());
    let said = run("e2fsprogs", "e2fsck", &["-fn", &target]);
    let quiet = |line: &str| {
        line.starts_with("Pass ") || line.starts_with("e2fsck ") || line.contains(" files (")
    };
    assert!(said.lines().all(|line| line.is_empty() || quiet(line)), "{context}: {said}");
}

/// Lets `e2fsck -fy` replay the journal of a card in a file.
pub fn e2fsck_replays(image: &Path, root: &Range<u64>) {
    // Having replayed a journal, it does not find its way back to an offset.
    let card = fs::OpenOptions::new().read(true).write(true).open(image).unwrap();
    let mut bytes = vec![0; (root.end - root.start) as usize];
    card.read_exact_at(&mut bytes, root.start).unwrap();
    let partition = image.with_extension("partition");
    fs::write(&partition, &bytes).unwrap();
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output =
        Command::new("e2fsck").arg("-fy").arg(&partition).env("PATH", path).output().unwrap();
    card.write_all_at(&fs::read(&partition).unwrap(), root.start).unwrap();
    // 1: what it found is corrected.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    for word in ["multiply-claimed", "Illegal", "lost+found", "not connected", "invalid"] {
        assert!(!said.contains(word), "{said}");
    }
}

/// Returns whether the kernel can be asked.
pub fn kernel() -> bool {
    let can = is_root() && Path::new("/dev/loop-control").exists();
    test_support::judged_if(can, "the kernel was not asked: that needs root and loop devices")
}

fn is_root() -> bool {
    run("coreutils", "id", &["-u"]).trim() == "0"
}

/// A mounted root filesystem, unmounted in the end.
pub struct Mounted(pub PathBuf);

impl Mounted {
    /// Mounts a card's root partition, as large as its partition table says.
    pub fn new(image: &Path, root: &Range<u64>) -> Self {
        let point = image.with_extension("mounted");
        fs::create_dir_all(&point).unwrap();
        let options = format!("loop,rw,offset={},sizelimit={}", root.start, root.end - root.start);
        run("mount", "mount", &["-o", &options, image.to_str().unwrap(), point.to_str().unwrap()]);
        Mounted(point)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
