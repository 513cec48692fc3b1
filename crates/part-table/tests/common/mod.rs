//! Images made by the partitioning programs, which also judge the results.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::{ops::Deref, sync::Arc};

use block_io::{FileStorage, Layer, ReadAt};
use crc::{CRC_32_ISO_HDLC, Crc};
use part_table::{GrownPartition, Partition, PartitionTable, Result};
use serde_json::Value;
use test_support::TestImage;

pub const MIB: u64 = 1 << 20;
pub const SECTOR: u64 = 512;

/// An image file, with what these tests do to it.
pub struct Image(TestImage);

impl Deref for Image {
    type Target = TestImage;

    fn deref(&self) -> &TestImage {
        &self.0
    }
}

impl Image {
    pub fn new(size: u64) -> Self {
        Image(TestImage::new(size))
    }

    pub fn with_sfdisk(size: u64, script: &str) -> Self {
        Image(TestImage::with_sfdisk(size, script))
    }

    /// Returns what `sfdisk -J` reports.
    pub fn json(&self) -> Value {
        // Warnings may follow.
        let said = self.sfdisk(&["-J"], "");
        let mut values = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
        values.next().unwrap().unwrap()["partitiontable"].clone()
    }

    /// Makes sure that sfdisk finds nothing wrong.
    pub fn assert_sfdisk_content(&self) {
        let said = self.sfdisk(&["--verify"], "");
        assert!(said.contains("No errors detected"), "{said}");
    }

    /// Makes sure that sgdisk finds nothing wrong, except for the alignment.
    pub fn assert_sgdisk_content(&self) {
        let said = self.sgdisk(&["-v"]);
        assert!(said.contains("No problems found"), "{said}");
        for line in said.lines().filter(|l| l.contains("Caution") || l.contains("Warning")) {
            assert!(line.contains("8-sector boundary"), "{said}");
        }
    }

    /// Makes another image of the same size with the same start (all that these tests
    /// fill) and end.
    pub fn copy(&self) -> Self {
        let copy = Image::new(self.size());
        let head = self.size().min(8 * MIB);
        copy.write(0, &self.read(0, head));
        let tail = (self.size() - head).min(MIB);
        copy.write(self.size() - tail, &self.read(self.size() - tail, tail));
        copy
    }

    pub fn table(&self) -> Result<PartitionTable> {
        PartitionTable::read(&FileStorage::open(self.path()).unwrap())
    }

    /// Grows a partition in a layer of `card` bytes, as users of the crate
    /// do, and then writes the layer to the file.
    pub fn grow(&self, card: u64, number: u32, reserve: u64) -> Result<GrownPartition> {
        let table = self.table()?;
        let base = Arc::new(FileStorage::open(self.path()).unwrap());
        let layer = Layer::new(base, card);
        let grown = table.grow(&layer, number, reserve);
        if grown.is_err() {
            assert!(layer.changed().is_empty(), "refused, but only after writing");
        }
        let grown = grown?;
        self.resize(card);
        for range in layer.changed().iter() {
            let bytes = layer.read_vec(range.start, (range.end - range.start) as usize).unwrap();
            self.write(range.start, &bytes);
        }
        Ok(grown)
    }
}

impl Image {
    /// Shrinks a partition in a layer, and cuts the file off after `card` bytes.
    pub fn shrink(&self, card: u64, number: u32, reserve: u64) -> Result<Partition> {
        let table = self.table()?;
        let layer = Layer::new(Arc::new(FileStorage::open(self.path()).unwrap()), self.size());
        let shrunk = table.shrink(&layer, number, card, reserve);
        if shrunk.is_err() {
            assert!(layer.changed().is_empty(), "refused, but only after writing");
        }
        let shrunk = shrunk?;
        for range in layer.changed().within(0..card) {
            let bytes = layer.read_vec(range.start, (range.end - range.start) as usize).unwrap();
            self.write(range.start, &bytes);
        }
        self.resize(card);
        assert_eq!(self.table().unwrap().partition(number), Some(&shrunk));
        Ok(shrunk)
    }
}

/// Returns the places where two equally long byte strings differ.
pub fn differences(a: &[u8], b: &[u8]) -> Vec<usize> {
    assert_eq!(a.len(), b.len());
    (0..a.len()).filter(|&i| a[i] != b[i]).collect()
}

/// Corrects the checksums of the primary copy, so that the fields behind them are read.
pub fn seal_gpt(bytes: &mut [u8]) {
    seal_copy(bytes, 512, 1024);
}

/// Corrects the checksums of the copy whose header and 128 entries begin at these bytes.
pub fn seal_copy(bytes: &mut [u8], header: usize, entries: usize) {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let sum = crc.checksum(&bytes[entries..entries + 128 * 128]);
    bytes[header + 88..header + 92].copy_from_slice(&sum.to_le_bytes());
    bytes[header + 16..header + 20].fill(0);
    let sum = crc.checksum(&bytes[header..header + 92]);
    bytes[header + 16..header + 20].copy_from_slice(&sum.to_le_bytes());
}
