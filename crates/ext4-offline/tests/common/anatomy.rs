//! The places of the metadata in an image, and correcting its checksums.

use block_io::Memory;
use crc::{CRC_16_MODBUS, Crc};
use ext4_offline::internals::{DescriptorTable, Geometry, Superblock};

use super::journal::raw_crc32c;

/// A piece of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Superblock,
    Descriptor(u32),
    BlockBitmap(u32),
    InodeBitmap(u32),
    Inode(u32),
    /// A block of extents of an inode.
    Extents(u32),
    /// A block that lists blocks.
    Indirect,
    /// A block of a directory.
    Directory(u32),
    /// A block of attributes.
    Attributes,
    /// A block of the orphan file.
    Orphans(u32),
    Journal,
}

impl Kind {
    /// A number that is the same for all pieces of a kind.
    pub fn class(&self) -> u32 {
        match self {
            Kind::Superblock => 0,
            Kind::Descriptor(_) => 1,
            Kind::BlockBitmap(_) => 2,
            Kind::InodeBitmap(_) => 3,
            Kind::Inode(_) => 4,
            Kind::Extents(_) => 5,
            Kind::Indirect => 6,
            Kind::Directory(_) => 7,
            Kind::Attributes => 8,
            Kind::Orphans(_) => 9,
            Kind::Journal => 10,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Piece {
    pub kind: Kind,
    pub offset: usize,
    pub length: usize,
}

/// The metadata of a consistent image.
pub struct Anatomy {
    pub geometry: Geometry,
    superblock: Superblock,
    descriptors: DescriptorTable,
    pub pieces: Vec<Piece>,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

impl Anatomy {
    pub fn of(image: &[u8]) -> Anatomy {
        let superblock = Superblock::read(&Memory::new(image.to_vec())).unwrap();
        let geometry = Geometry::of(&superblock).unwrap();
        let mut table = Vec::new();
        for index in 0..geometry.descriptor_blocks() {
            let start = geometry.offset(geometry.descriptor_block(index)) as usize;
            table.extend(&image[start..start + geometry.block_size as usize]);
        }
        let descriptors = DescriptorTable::new(geometry.descriptor_size, table);
        let mut anatomy = Anatomy { geometry, superblock, descriptors, pieces: Vec::new() };
        anatomy.add(Kind::Superblock, 1024, 1024);
        for group in 0..anatomy.geometry.groups {
            anatomy.add_group(image, group);
        }
        anatomy
    }

    fn add(&mut self, kind: Kind, offset: usize, length: usize) {
        self.pieces.push(Piece { kind, offset, length });
    }

    fn add_block(&mut self, kind: Kind, block: u64) {
        let (offset, length) = (self.geometry.offset(block), self.geometry.block_size);
        self.add(kind, offset as usize, length as usize);
    }

    fn descriptor_offset(&self, group: u32) -> usize {
        let per_block = self.geometry.descriptors_per_block();
        let block = self.geometry.descriptor_block(group / per_block);
        self.geometry.offset(block) as usize
            + (group % per_block * self.geometry.descriptor_size) as usize
    }

    fn inode_offset(&self, number: u32) -> usize {
        let geometry = &self.geometry;
        let group = (number - 1) / geometry.inodes_per_group;
        let index = (number - 1) % geometry.inodes_per_group;
        let table = self.descriptors.get(group).bg_inode_table();
        geometry.offset(table) as usize + (index * geometry.inode_size) as usize
    }

    fn add_group(&mut self, image: &[u8], group: u32) {
        let descriptor = self.descriptors.get(group);
        let offset = self.descriptor_offset(group);
        self.add(Kind::Descriptor(group), offset, self.geometry.descriptor_size as usize);
        self.add_block(Kind::BlockBitmap(group), descriptor.bg_block_bitmap());
        self.add_block(Kind::InodeBitmap(group), descriptor.bg_inode_bitmap());
        let per_group = self.geometry.inodes_per_group;
        for number in group * per_group + 1..=(group + 1) * per_group {
            let offset = self.inode_offset(number);
            let raw = &image[offset..offset + self.geometry.inode_size as usize];
            if u16_at(raw, 0x1a) != 0 {
                self.add(Kind::Inode(number), offset, raw.len());
                self.add_contents(image, number, raw);
            }
        }
    }

    fn add_contents(&mut self, image: &[u8], number: u32, raw: &[u8]) {
        let (mode, flags) = (u16_at(raw, 0), u32_at(raw, 0x20));
        let orphans = self.superblock.features().contains("orphan_file")
            && self.superblock.s_orphan_file_inum() == number;
        let acl = u32_at(raw, 0x68);
        if acl != 0 {
            self.add_block(Kind::Attributes, acl.into());
        }
        let contents = match mode & 0xf000 {
            0x4000 => Some(Kind::Directory(number)),
            0x8000 if orphans => Some(Kind::Orphans(number)),
            0x8000 if number == 8 => Some(Kind::Journal),
            _ => None,
        };
        let is_file = matches!(mode & 0xf000, 0x4000 | 0x8000);
        if !is_file || flags & 0x1000_0000 != 0 || number == 7 {
            return;
        }
        if flags & 0x8_0000 != 0 {
            self.add_extents(image, number, &raw[0x28..0x28 + 60], contents);
        } else {
            for slot in 0..15 {
                let levels = u32::saturating_sub(slot, 11);
                let block = u32_at(raw, 0x28 + slot as usize * 4);
                self.add_indirect(image, block, levels, contents);
            }
        }
    }

    fn add_extents(&mut self, image: &[u8], inode: u32, node: &[u8], contents: Option<Kind>) {
        let (entries, depth) = (u16_at(node, 2), u16_at(node, 6));
        for entry in node.chunks_exact(12).skip(1).take(entries.into()) {
            if depth > 0 {
                let block = u64::from(u32_at(entry, 4));
                self.add_block(Kind::Extents(inode), block);
                let start = self.geometry.offset(block) as usize;
                let child = image[start..start + self.geometry.block_size as usize].to_vec();
                self.add_extents(image, inode, &child, contents);
            } else if let Some(kind) = contents {
                let start = u64::from(u32_at(entry, 8));
                let length = if kind == Kind::Journal { 1 } else { u64::from(u16_at(entry, 4)) };
                (start..start + length).for_each(|block| self.add_block(kind, block));
            }
        }
    }

    fn add_indirect(&mut self, image: &[u8], block: u32, levels: u32, contents: Option<Kind>) {
        if block == 0 {
            return;
        }
        if levels == 0 {
            if let Some(kind) = contents.filter(|kind| *kind != Kind::Journal) {
                self.add_block(kind, block.into());
            }
            return;
        }
        self.add_block(Kind::Indirect, block.into());
        let start = self.geometry.offset(block.into()) as usize;
        for slot in 0..self.geometry.block_size as usize / 4 {
            self.add_indirect(image, u32_at(image, start + slot * 4), levels - 1, contents);
        }
    }

    /// The seed of all checksums.
    fn seed(&self) -> Option<u32> {
        let features = self.superblock.features();
        features.contains("metadata_csum").then(|| {
            if features.contains("metadata_csum_seed") {
                self.superblock.s_checksum_seed()
            } else {
                raw_crc32c(!0, &self.superblock.s_uuid())
            }
        })
    }

    fn inode_seed(&self, image: &[u8], seed: u32, number: u32) -> u32 {
        let generation = u32_at(image, self.inode_offset(number) + 0x64);
        raw_crc32c(raw_crc32c(seed, &number.to_le_bytes()), &generation.to_le_bytes())
    }

    /// Corrects the checksum of a piece.
    pub fn reseal(&self, image: &mut [u8], piece: &Piece) {
        let (start, end) = (piece.offset, piece.offset + piece.length);
        if let Kind::Descriptor(group) = piece.kind {
            return self.reseal_descriptor(image, group);
        }
        let Some(seed) = self.seed() else { return };
        let mut block = image[start..end].to_vec();
        match piece.kind {
            Kind::Superblock => {
                let crc = raw_crc32c(!0, &block[..0x3fc]);
                put(&mut block, 0x3fc, &crc.to_le_bytes());
            }
            Kind::BlockBitmap(group) | Kind::InodeBitmap(group) => {
                let is_block = piece.kind == Kind::BlockBitmap(group);
                let bits = if is_block {
                    self.geometry.clusters_per_group()
                } else {
                    self.geometry.inodes_per_group
                };
                let crc = raw_crc32c(seed, &block[..bits.div_ceil(8) as usize]).to_le_bytes();
                let at = self.descriptor_offset(group);
                let (low, high) = if is_block { (0x18, 0x38) } else { (0x1a, 0x3a) };
                put(image, at + low, &crc[..2]);
                if self.geometry.descriptor_size >= 64 {
                    put(image, at + high, &crc[2..]);
                }
                return self.reseal_descriptor(image, group);
            }
            Kind::Inode(number) => {
                let high = block.len() > 128 && u16_at(&block, 0x80) >= 4;
                put(&mut block, 0x7c, &[0; 2]);
                if high {
                    put(&mut block, 0x82, &[0; 2]);
                }
                let crc = raw_crc32c(self.inode_seed(image, seed, number), &block).to_le_bytes();
                put(&mut block, 0x7c, &crc[..2]);
                if high {
                    put(&mut block, 0x82, &crc[2..]);
                }
            }
            Kind::Extents(number) => {
                let tail = 12 * (1 + usize::from(u16_at(&block, 4)));
                if tail + 4 <= block.len() {
                    let crc = raw_crc32c(self.inode_seed(image, seed, number), &block[..tail]);
                    put(&mut block, tail, &crc.to_le_bytes());
                }
            }
            Kind::Directory(number) => {
                let seed = self.inode_seed(image, seed, number);
                reseal_directory(&mut block, seed);
            }
            Kind::Attributes => {
                let number = start as u64 / u64::from(self.geometry.block_size);
                put(&mut block, 16, &[0; 4]);
                let crc = raw_crc32c(raw_crc32c(seed, &number.to_le_bytes()), &block);
                put(&mut block, 16, &crc.to_le_bytes());
            }
            Kind::Orphans(number) => {
                let seed = self.inode_seed(image, seed, number);
                let own = start as u64 / u64::from(self.geometry.block_size);
                let end = block.len() - 8;
                let crc = raw_crc32c(raw_crc32c(seed, &own.to_le_bytes()), &block[..end]);
                put(&mut block, end + 4, &crc.to_le_bytes());
            }
            Kind::Descriptor(_) | Kind::Indirect | Kind::Journal => {}
        }
        put(image, start, &block);
    }

    fn reseal_descriptor(&self, image: &mut [u8], group: u32) {
        let at = self.descriptor_offset(group);
        let raw = image[at..at + self.geometry.descriptor_size as usize].to_vec();
        let features = self.superblock.features();
        let crc = if let Some(seed) = self.seed() {
            let mut crc = raw_crc32c(seed, &group.to_le_bytes());
            for part in [&raw[..0x1e], &[0, 0], &raw[0x20..]] {
                crc = raw_crc32c(crc, part);
            }
            crc as u16
        } else if features.contains("uninit_bg") {
            let crc16 = Crc::<u16>::new(&CRC_16_MODBUS);
            let mut digest = crc16.digest();
            digest.update(&self.superblock.s_uuid());
            digest.update(&group.to_le_bytes());
            digest.update(&raw[..0x1e]);
            if features.contains("64bit") {
                digest.update(&raw[0x20..]);
            }
            digest.finalize()
        } else {
            return;
        };
        put(image, at + 0x1e, &crc.to_le_bytes());
    }
}

/// A leaf has its checksum at the end, a node of an index after its list.
fn reseal_directory(block: &mut [u8], seed: u32) {
    let size = block.len();
    if block[size - 12..size - 4] == [0, 0, 0, 0, 12, 0, 0, 0xde] {
        let crc = raw_crc32c(seed, &block[..size - 12]);
        return put(block, size - 4, &crc.to_le_bytes());
    }
    let list = if u32_at(block, 0) == 0 { 8 } else { 32 };
    let (limit, count) = (usize::from(u16_at(block, list)), usize::from(u16_at(block, list + 2)));
    let tail = list + limit * 8;
    if tail + 8 > size || list + count * 8 > size {
        return;
    }
    let crc = raw_crc32c(seed, &block[..list + count * 8]);
    let crc = raw_crc32c(raw_crc32c(crc, &block[tail..tail + 4]), &[0; 4]);
    put(block, tail + 4, &crc.to_le_bytes());
}
