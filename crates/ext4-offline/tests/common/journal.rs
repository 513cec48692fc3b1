//! Journals that are written block by block in every format, and replaying them with e2fsck.

use std::{fs, path::Path};

use crc::{CRC_32_MPEG_2, Crc};

use block_io::Memory;
use ext4_offline::{Error, Replayed, Result, replay_journal};

use super::*;

pub const MAGIC: u32 = 0xc03b_3998;

/// The checksums of the blocks of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Csum {
    None,
    V1,
    V2,
    V3,
}

#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The version of the journal's superblock.
    pub version_1: bool,
    pub bits64: bool,
    pub csum: Csum,
    pub async_commit: bool,
    /// Blocks of the fast commit area; 0 without that feature.
    pub fast_commit: u32,
}

impl Format {
    pub fn new(csum: Csum, bits64: bool) -> Self {
        Format { version_1: false, bits64, csum, async_commit: false, fast_commit: 0 }
    }

    /// All formats that the kernel and debugfs write.
    pub fn all() -> Vec<Format> {
        let mut all = vec![Format { version_1: true, ..Format::new(Csum::None, false) }];
        for csum in [Csum::None, Csum::V1, Csum::V2, Csum::V3] {
            for bits64 in [false, true] {
                for async_commit in [false, true] {
                    all.push(Format { async_commit, ..Format::new(csum, bits64) });
                }
            }
        }
        all
    }

    fn strong(&self) -> bool {
        matches!(self.csum, Csum::V2 | Csum::V3)
    }
}

/// The places of the blocks of a transaction in the journal.
#[derive(Debug, Default, Clone)]
pub struct Written {
    pub descriptors: Vec<u32>,
    pub data: Vec<u32>,
    pub revokes: Vec<u32>,
    pub commit: Option<u32>,
}

/// A journal that is being written.
pub struct Journal {
    /// The whole image.
    pub image: Vec<u8>,
    pub format: Format,
    pub block_size: usize,
    /// The blocks of the filesystem that belong to the journal.
    pub blocks: Vec<u64>,
    pub superblock: Vec<u8>,
    seed: u32,
    pub at: u32,
    pub sequence: u32,
    pub time: u64,
}

pub fn raw_crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

pub fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

pub fn get(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The blocks of the filesystem that belong to the journal, according to debugfs.
pub fn journal_blocks(image: &Path) -> Vec<u64> {
    journal_blocks_of(image, 1024)
}

/// The same for a journal with this number of blocks.
pub fn journal_blocks_of(image: &Path, count: usize) -> Vec<u64> {
    let dir = TempDir::with_prefix("ext4-offline-bmap-").unwrap();
    let commands = dir.path().join("commands");
    let lines: String = (0..count).map(|block| format!("bmap <8> {block}\n")).collect();
    fs::write(&commands, lines).unwrap();
    let text = output_of("debugfs", &["-f", commands.to_str().unwrap(), image.to_str().unwrap()]);
    let blocks: Vec<u64> = text
        .lines()
        .filter(|line| !line.starts_with("debugfs"))
        .map(|line| line.trim().parse().unwrap())
        .collect();
    assert_eq!(blocks.len(), count, "{text}");
    blocks
}

/// Sets or clears features of a filesystem, without other changes.
pub fn set_features(image: &Path, features: &str) {
    let request = format!("feature {features}");
    output_of("debugfs", &["-w", "-R", &request, image.to_str().unwrap()]);
}

impl Journal {
    /// Begins a log at a block of the journal (of 1024 blocks).
    ///
    /// The filesystem must have the feature `needs_recovery`.
    pub fn begin(image: &[u8], blocks: &[u64], format: Format, start: u32, sequence: u32) -> Self {
        let block_size = 1024 << image[1024 + 0x18];
        let mut superblock = vec![0; 1024];
        put(&mut superblock, 0, MAGIC);
        put(&mut superblock, 4, if format.version_1 { 3 } else { 4 });
        put(&mut superblock, 0xc, block_size as u32);
        put(&mut superblock, 0x10, blocks.len() as u32);
        put(&mut superblock, 0x14, 1);
        put(&mut superblock, 0x18, sequence);
        put(&mut superblock, 0x1c, start);
        if !format.version_1 {
            put(&mut superblock, 0x24, (format.csum == Csum::V1).into());
            let incompat = [
                (1, true),
                (2, format.bits64),
                (4, format.async_commit),
                (8, format.csum == Csum::V2),
                (16, format.csum == Csum::V3),
                (32, format.fast_commit > 0),
            ];
            let bits = incompat.iter().map(|&(bit, set)| if set { bit } else { 0 }).sum();
            put(&mut superblock, 0x28, bits);
            superblock[0x30..0x40].copy_from_slice(b"a journal's UUID");
            put(&mut superblock, 0x40, 1);
            put(&mut superblock, 0x54, format.fast_commit);
        }
        if format.strong() {
            superblock[0x50] = 4;
        }
        let seed = raw_crc32c(!0, &superblock[0x30..0x40]);
        let blocks = blocks.to_vec();
        let mut journal = Journal {
            image: image.to_vec(),
            format,
            block_size,
            blocks,
            superblock,
            seed,
            at: start,
            sequence,
            time: 1_700_000_000,
        };
        journal.write_superblock();
        journal
    }

    pub fn write_superblock(&mut self) {
        let mut superblock = self.superblock.clone();
        put(&mut superblock, 0xfc, 0);
        if self.format.strong() {
            let checksum = raw_crc32c(!0, &superblock);
            put(&mut superblock, 0xfc, checksum);
        }
        let place = self.place(0);
        self.image[place][..1024].copy_from_slice(&superblock);
    }

    /// The offset of a block of the journal in the image.
    fn place(&self, at: u32) -> std::ops::Range<usize> {
        let start = self.blocks[at as usize] as usize * self.block_size;
        start..start + self.block_size
    }

    /// The block after the last one of the log.
    pub fn last(&self) -> u32 {
        self.blocks.len() as u32 - self.format.fast_commit
    }

    pub fn write(&mut self, at: u32, block: &[u8]) {
        let place = self.place(at);
        self.image[place].copy_from_slice(block);
    }

    /// Changes one byte of a block of the journal.
    pub fn flip(&mut self, at: u32, byte: usize) {
        let place = self.place(at);
        self.image[place][byte] ^= 0x41;
    }

    fn next(&mut self) -> u32 {
        let at = self.at;
        self.at = if at + 1 == self.last() { 1 } else { at + 1 };
        at
    }

    fn header(&self, kind: u32) -> Vec<u8> {
        let mut block = vec![0; self.block_size];
        put(&mut block, 0, MAGIC);
        put(&mut block, 4, kind);
        put(&mut block, 8, self.sequence);
        block
    }

    /// Returns whether a block of the journal describes others.
    pub fn begins_with_magic(&self, at: u32) -> bool {
        get(&self.image[self.place(at)], 0) == MAGIC
    }

    /// Zeroes everything after the header in all commit blocks. Returns whether that changed
    /// anything.
    pub fn complete_commits(&mut self) -> bool {
        let before = self.image.clone();
        for at in 1..self.last() {
            let place = self.place(at);
            if self.begins_with_magic(at) && get(&self.image[place.clone()], 4) == 2 {
                self.image[place][64..].fill(0);
            }
        }
        self.image != before
    }

    /// Corrects the checksum of a descriptor, revoke or commit block.
    pub fn reseal(&mut self, at: u32) {
        let place = self.place(at);
        let mut block = self.image[place.clone()].to_vec();
        let end = self.block_size - 4;
        match get(&block, 4) {
            1 | 5 => self.seal(&mut block, end),
            2 => self.seal(&mut block, 16),
            _ => {}
        }
        self.image[place].copy_from_slice(&block);
    }

    fn seal(&self, block: &mut [u8], at: usize) {
        if self.format.strong() {
            put(block, at, 0);
            let checksum = raw_crc32c(self.seed, block);
            put(block, at, checksum);
        }
    }

    /// Writes a transaction: revoke blocks, blocks, and optionally the commit.
    pub fn transaction(
        &mut self,
        blocks: &[(u64, Vec<u8>)],
        revokes: &[u64],
        commit: bool,
    ) -> Written {
        let mut written = Written::default();
        let mut v1 = !0u32;
        let crc: Crc<u32> = Crc::<u32>::new(&CRC_32_MPEG_2);
        let mut sum = |block: &[u8]| {
            let mut digest = crc.digest_with_initial(v1);
            digest.update(block);
            v1 = digest.finalize();
        };
        let tail = if self.format.strong() { 4 } else { 0 };
        let width = if self.format.bits64 { 8 } else { 4 };
        for part in revokes.chunks((self.block_size - 16 - tail) / width) {
            let mut block = self.header(5);
            put(&mut block, 12, (16 + part.len() * width) as u32);
            for (index, revoked) in part.iter().enumerate() {
                let bytes = revoked.to_be_bytes();
                block[16 + index * width..][..width].copy_from_slice(&bytes[8 - width..]);
            }
            let end = self.block_size - 4;
            self.seal(&mut block, end);
            let at = self.next();
            self.write(at, &block);
            written.revokes.push(at);
        }
        let size = match (self.format.csum, self.format.bits64) {
            (Csum::V3, _) => 16,
            (Csum::V2, false) => 10,
            (Csum::V2, true) => 14,
            (_, false) => 8,
            (_, true) => 12,
        };
        // The first tag is followed by a UUID.
        for part in blocks.chunks((self.block_size - 12 - 16 - tail) / size) {
            let mut descriptor = self.header(1);
            let descriptor_at = self.next();
            let mut datas = Vec::new();
            let mut tag = 12;
            for (index, (target, contents)) in part.iter().enumerate() {
                let mut data = contents.clone();
                let mut flags = 0u32;
                if get(&data, 0) == MAGIC {
                    put(&mut data, 0, 0);
                    flags |= 1;
                }
                flags |= if index > 0 { 2 } else { 0 };
                flags |= if index + 1 == part.len() { 8 } else { 0 };
                let checksum =
                    raw_crc32c(raw_crc32c(self.seed, &self.sequence.to_be_bytes()), &data);
                put(&mut descriptor, tag, *target as u32);
                if self.format.csum == Csum::V3 {
                    put(&mut descriptor, tag + 4, flags);
                    put(&mut descriptor, tag + 12, checksum);
                } else {
                    let low = if self.format.csum == Csum::V2 { checksum << 16 } else { 0 };
                    put(&mut descriptor, tag + 4, low | flags);
                }
                if self.format.bits64 {
                    put(&mut descriptor, tag + 8, (target >> 32) as u32);
                }
                tag += size + if index == 0 { 16 } else { 0 };
                datas.push(data);
            }
            let end = self.block_size - 4;
            self.seal(&mut descriptor, end);
            self.write(descriptor_at, &descriptor);
            written.descriptors.push(descriptor_at);
            sum(&descriptor);
            for data in datas {
                let at = self.next();
                self.write(at, &data);
                written.data.push(at);
                sum(&data);
            }
        }
        if commit {
            let mut block = self.header(2);
            if self.format.csum == Csum::V1 {
                block[12] = 1;
                block[13] = 4;
                put(&mut block, 16, v1);
            }
            block[0x30..0x38].copy_from_slice(&self.time.to_be_bytes());
            self.seal(&mut block, 16);
            let at = self.next();
            self.write(at, &block);
            written.commit = Some(at);
            self.sequence = self.sequence.wrapping_add(1);
            self.time += 5;
        }
        written
    }
}

/// Replays the journal with e2fsck, without further checks. Returns whether it succeeded, its
/// output, and the image afterwards.
pub fn e2fsck_replays(image: &[u8]) -> (bool, String, Vec<u8>) {
    let dir = scratch();
    let path = dir.path().join("image");
    fs::write(&path, image).unwrap();
    let output = run("e2fsck", &["-y", "-E", "journal_only", path.to_str().unwrap()]);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let content = text.lines().all(|line| {
        line.is_empty() || line.starts_with("e2fsck 1.") || line.ends_with(": recovering journal")
    });
    let mut content = content && matches!(output.status.code(), Some(0 | 1));
    // e2fsck also writes blocks that are far beyond the end.
    let size = image.len() as u64;
    if fs::metadata(&path).unwrap().len() != size {
        content = false;
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
    }
    (content, text, fs::read(&path).unwrap())
}

/// The first bytes in which two images differ, apart from those that only e2fsck changes in the
/// superblock: times, the count of KiB written, and the checksum.
pub fn differences(ours: &[u8], theirs: &[u8]) -> Vec<String> {
    assert_eq!(ours.len(), theirs.len());
    // s_wtime, s_lastcheck, s_kbytes_written, s_wtime_hi, s_checksum.
    let only_theirs = [0x30..0x34, 0x40..0x44, 0x178..0x180, 0x274..0x275, 0x3fc..0x400];
    let is_only_theirs =
        |at: usize| at >= 1024 && only_theirs.iter().any(|range| range.contains(&(at - 1024)));
    let pairs = ours.chunks(4096).zip(theirs.chunks(4096)).enumerate();
    pairs
        .filter(|(_, (ours, theirs))| ours != theirs)
        .flat_map(|(chunk, (ours, theirs))| {
            let differ = (0..ours.len()).filter(|&i| ours[i] != theirs[i]);
            differ.map(move |i| (chunk * 4096 + i, ours[i], theirs[i]))
        })
        .filter(|&(at, ..)| !is_only_theirs(at))
        .take(16)
        .map(|(at, ours, theirs)| format!("{at:#x}: {ours:02x} {theirs:02x}"))
        .collect()
}

/// Panics if two images [differ](differences).
pub fn assert_same(ours: &[u8], theirs: &[u8], context: &str) {
    let differences = differences(ours, theirs);
    assert!(differences.is_empty(), "{context}: ours and theirs differ: {differences:?}");
}

/// Filesystems whose journal is mapped by extents and by indirect blocks, of
/// all block sizes.
pub const FILESYSTEMS: [&str; 4] = [
    "-t ext3 -b 1024 -J size=1 -O ^resize_inode",
    "-t ext4 -b 1024 -J size=1 -O metadata_csum,64bit",
    "-t ext4 -b 2048 -J size=2 -O ^metadata_csum,^64bit,uninit_bg",
    "-t ext4 -b 4096 -J size=4 -O metadata_csum,64bit",
];

/// Random contents, some of which must be escaped.
fn contents(random: &mut Random, size: usize) -> Vec<u8> {
    let byte = random.below(256) as u8;
    let mut block = vec![byte; size];
    if random.below(4) == 0 {
        put(&mut block, 0, MAGIC);
    }
    block
}

/// Blocks of the filesystem that a log can replace without damage to the mapping of the journal.
pub fn targets(image: &Path, journal: &[u64]) -> Vec<u64> {
    // Indirect blocks lie between those of the journal.
    let (first, last) = (journal.iter().min().unwrap() - 8, journal.iter().max().unwrap() + 8);
    (600..geometry(image).blocks).filter(|block| !(first..last).contains(block)).collect()
}

/// One of [`FILESYSTEMS`], as small as possible, that needs a replay.
pub struct Base {
    pub bytes: Vec<u8>,
    /// The blocks of its journal.
    pub blocks: Vec<u64>,
    /// Blocks that a log can replace.
    pub targets: Vec<u64>,
}

impl Base {
    pub fn image(arguments: &str) -> Image {
        let size = if arguments.contains("-b 4096") { 10 } else { 5 };
        Image::make(arguments, size * MIB)
    }

    pub fn make(arguments: &str) -> Base {
        let image = Base::image(arguments);
        let blocks = journal_blocks(&image.path);
        let targets = targets(&image.path, &blocks);
        set_features(&image.path, "needs_recovery");
        Base { bytes: fs::read(&image.path).unwrap(), blocks, targets }
    }

    pub fn begin(&self, format: Format, start: u32, sequence: u32) -> Journal {
        Journal::begin(&self.bytes, &self.blocks, format, start, sequence)
    }
}

/// Fills a log with a random history; some end with an unfinished transaction.
pub fn random_log(journal: &mut Journal, targets: &[u64], random: &mut Random) {
    // Few, so that blocks are written several times.
    let first = random.below(targets.len() as u64 - 600) as usize;
    let narrow = &targets[first..first + 20];
    let mut room = journal.last() - 2;
    let transactions = 1 + random.below(6);
    for number in 0..transactions {
        let count = match random.below(8) {
            // More than one descriptor block can describe.
            0 => 300 + random.below(200),
            1 => 0,
            _ => random.below(12),
        };
        if u64::from(room) < count + 40 {
            break;
        }
        let from = if count > 20 { &targets[first..first + count as usize] } else { narrow };
        let blocks: Vec<(u64, Vec<u8>)> = (0..count)
            .map(|index| {
                let target = if count > 20 { from[index as usize] } else { *random.pick(from) };
                (target, contents(random, journal.block_size))
            })
            .collect();
        let revokes: Vec<u64> = match random.below(3) {
            0 => (0..random.below(8)).map(|_| *random.pick(narrow)).collect(),
            1 if number > 2 => (0..400).map(|index| targets[first + index]).collect(),
            _ => Vec::new(),
        };
        let before = journal.at;
        let commit = number + 1 < transactions || random.below(2) == 0;
        journal.transaction(&blocks, &revokes, commit);
        let used = (journal.at + journal.last() - before) % (journal.last() - 1);
        room = room.saturating_sub(used + 4);
        if random.below(8) == 0 {
            journal.time += 1000;
        }
    }
}

/// A log of three transactions that wraps around. All change the same blocks, the last ones of the
/// filesystem.
pub fn three(base: &Base, format: Format) -> (Journal, Vec<Written>) {
    let targets: Vec<u64> = base.targets.iter().rev().copied().collect();
    let mut journal = base.begin(format, 1000, 77);
    let mut written = Vec::new();
    for number in 0..3u8 {
        let changed: Vec<(u64, Vec<u8>)> =
            (0..10).map(|i| (targets[i], vec![number + 1; journal.block_size])).collect();
        written.push(journal.transaction(&changed, &[targets[20], targets[21]], true));
    }
    (journal, written)
}

/// Replays in memory.
pub fn replay(image: Vec<u8>) -> (Result<Replayed>, Vec<u8>) {
    let storage = Memory::new(image);
    (replay_journal(&storage), storage.into_bytes())
}

/// Replays two copies of an image, and compares them. Also returns the one of this crate.
pub fn assert_replayed_alike(image: &[u8], context: &str) -> (Replayed, Vec<u8>) {
    let (content, text, theirs) = e2fsck_replays(image);
    assert!(content, "{context}: {text}");
    let (replayed, ours) = replay(image.to_vec());
    assert_same(&ours, &theirs, context);
    (replayed.unwrap_or_else(|error| panic!("{context}: {error}")), ours)
}

/// Panics unless an image is refused without a write.
pub fn assert_refused(image: &[u8], context: &str) -> Error {
    let (result, after) = replay(image.to_vec());
    assert!(image == after, "{context}: changed");
    match result {
        Err(error) => error,
        Ok(replayed) => panic!("{context}: was not refused: {replayed:?}"),
    }
}
