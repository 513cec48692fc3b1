//! What can go wrong with a partition table.

/// The result of an operation on a partition table.
pub type Result<T> = std::result::Result<T, Error>;

/// A partition table could not be read or changed.
///
/// Nothing was written when one of these comes back, except for
/// [`Error::Storage`] and [`Error::NotAsPlanned`], which can come half way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage underneath failed.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// There is no partition table: perhaps a bare filesystem.
    #[error("no partition table: {reason}")]
    NoTable {
        /// What sector 0 looks like instead.
        reason: &'static str,
    },
    /// A GPT header follows a sector 0 that is no protective MBR.
    #[error(
        "sector 1 holds a GPT header, but sector 0 has no boot signature: the protective MBR is \
         damaged; mend a copy of the image with gdisk, or take a fresh one"
    )]
    NoProtectiveMbr,
    /// The table is one of a disk with 4096-byte sectors.
    #[error(
        "the GPT is one of a disk with 4096-byte sectors; only 512-byte sectors are supported, \
         as all cards have them"
    )]
    SectorSize4096,
    /// The primary GPT is damaged, its backup is whole.
    #[error(
        "the primary GPT is damaged ({reason}), its backup at sector {backup_sector} is whole: \
         restore it in a copy of the image (gdisk: r, b, w), or take a fresh image"
    )]
    GptPrimaryDamaged {
        /// What is wrong with the primary one.
        reason: &'static str,
        /// Where the backup header is.
        backup_sector: u64,
    },
    /// Both copies of the GPT are damaged.
    #[error(
        "both copies of the GPT are damaged (primary: {primary}; backup in the last sector: \
         {backup}): take a fresh image"
    )]
    GptDamaged {
        /// What is wrong with the primary one.
        primary: &'static str,
        /// What is wrong with the backup.
        backup: &'static str,
    },
    /// A table in the chain of logical partitions makes no sense.
    #[error("the table of logical partitions at sector {sector} is damaged: {reason}")]
    Extended {
        /// Where it lies.
        sector: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The MBR has two extended partitions.
    #[error("partitions {first} and {second} are both extended ones: only one is supported")]
    SecondExtended {
        /// The first one's number.
        first: u32,
        /// The other one's number.
        second: u32,
    },
    /// Two partitions share sectors.
    #[error(
        "partitions {first} and {second} overlap from sector {sector} on: the partition table is \
         damaged"
    )]
    Overlap {
        /// The one that begins first.
        first: u32,
        /// The one that begins inside it.
        second: u32,
        /// The first sector they share.
        sector: u64,
    },
    /// A partition covers sectors that hold the table itself.
    #[error("partition {number} covers sector {sector}, which holds a part of the partition table")]
    CoversTable {
        /// The partition.
        number: u32,
        /// The first sector that belongs to the table.
        sector: u64,
    },
    /// A GPT partition lies outside the area that the header gives to them.
    #[error(
        "partition {number} (sectors {start} to {last}) lies outside the area that the GPT gives \
         to partitions (sectors {first_usable} to {last_usable})"
    )]
    OutsideUsable {
        /// The partition.
        number: u32,
        /// Its first sector.
        start: u64,
        /// Its last sector.
        last: u64,
        /// The area's first sector.
        first_usable: u64,
        /// The area's last sector.
        last_usable: u64,
    },
    /// A partition reaches beyond the end of the image or card.
    #[error(
        "partition {number} ends at byte {end}, but there are only {size} bytes: the image is cut \
         short; get it anew"
    )]
    BeyondEnd {
        /// The partition.
        number: u32,
        /// Where it ends, in bytes.
        end: u64,
        /// How many bytes there are.
        size: u64,
    },
    /// There is no partition of that number.
    #[error("there is no partition {number}; there are: {}", list(present))]
    NoSuchPartition {
        /// The number asked for.
        number: u32,
        /// Those that exist.
        present: Vec<u32>,
    },
    /// The partition is the container of the logical ones.
    #[error(
        "partition {number} is the extended one, which only holds others: name the logical \
         partition to grow, and it grows along"
    )]
    IsExtended {
        /// The partition.
        number: u32,
    },
    /// Other partitions lie behind the one that is to grow.
    #[error(
        "partition {number} cannot grow: behind it lie partitions {}; take an image whose root \
         partition comes last",
        list(behind)
    )]
    NotLast {
        /// The partition.
        number: u32,
        /// The ones behind it.
        behind: Vec<u32>,
    },
    /// The card leaves less room than the partition has now.
    #[error(
        "partition {number} ends at byte {present_end}, but a card of {card} bytes has room only \
         to byte {wanted_end}: take a card of at least {needed} bytes"
    )]
    CardTooSmall {
        /// The partition.
        number: u32,
        /// Where it ends now, in bytes.
        present_end: u64,
        /// How far there is room, in bytes.
        wanted_end: u64,
        /// The card's size in bytes.
        card: u64,
        /// The least size that would do, in bytes.
        needed: u64,
    },
    /// The partition starts beyond what an MBR can express.
    #[error("partition {number} cannot grow: an MBR reaches no further than 2 TiB")]
    BeyondMbr {
        /// The partition.
        number: u32,
    },
    /// A GPT whose MBR lists partitions of its own.
    #[error(
        "the MBR in front of the GPT lists partitions of its own (entries {}), a hybrid MBR: \
         growing would leave the two tables contradicting each other; make the MBR a purely \
         protective one first (gdisk: x, n, w)",
        list(entries)
    )]
    HybridMbr {
        /// The MBR entries besides the protective one, counted from 1.
        entries: Vec<u32>,
    },
    /// The storage holds a table other than the one that was read.
    #[error("the partition table has changed since it was read: nothing was written")]
    Changed,
    /// After growing, the storage does not read back as planned.
    #[error("partition {number} does not read back as it was written: the card or file is faulty")]
    NotAsPlanned {
        /// The partition.
        number: u32,
    },
}

fn list(numbers: &[u32]) -> String {
    if numbers.is_empty() {
        return "none".to_owned();
    }
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
