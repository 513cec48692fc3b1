//! Errors of reading and changing a partition table.

/// The result of an operation on a partition table.
pub type Result<T> = std::result::Result<T, Error>;

/// A partition table could not be read or changed.
///
/// Nothing has been written, except with [`Error::Storage`] and [`Error::NotAsPlanned`],
/// which can occur half-way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// There is no partition table, but perhaps a bare filesystem.
    #[error("no partition table: {reason}")]
    NoTable {
        /// What sector 0 looks like instead.
        reason: &'static str,
    },
    /// The first 128 KiB are zeros, as on a new card.
    #[error("it is blank: it has no partition table")]
    Blank,
    /// Sector 1 holds a GPT header, but sector 0 is not a protective MBR.
    #[error("the protective MBR in front of the GPT is damaged: it has no boot signature (55 AA)")]
    NoProtectiveMbr,
    /// The table is that of a disk with 4096-byte sectors.
    #[error(
        "the GPT is that of a disk with 4096-byte sectors; only 512-byte sectors are supported"
    )]
    SectorSize4096,
    /// The primary GPT is damaged, but its backup is intact.
    #[error(
        "the primary GPT is damaged ({reason}), but its backup at sector {backup_sector} is intact"
    )]
    GptPrimaryDamaged {
        /// What is wrong with the primary GPT.
        reason: &'static str,
        /// Where the backup header is.
        backup_sector: u64,
    },
    /// Both copies of the GPT are damaged.
    #[error(
        "both copies of the GPT are damaged (primary: {primary}; backup in the last sector: \
         {backup})"
    )]
    GptDamaged {
        /// What is wrong with the primary GPT.
        primary: &'static str,
        /// What is wrong with the backup.
        backup: &'static str,
    },
    /// A table in the chain of logical partitions is damaged.
    #[error("the table of logical partitions at sector {sector} is damaged: {reason}")]
    Extended {
        /// Where it lies.
        sector: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The MBR has two extended partitions.
    #[error("partitions {first} and {second} are both extended; only one is supported")]
    SecondExtended {
        /// The first one's number.
        first: u32,
        /// The other one's number.
        second: u32,
    },
    /// Two partitions share sectors.
    #[error("partitions {first} and {second} overlap from sector {sector} on")]
    Overlap {
        /// The partition that begins first.
        first: u32,
        /// The partition that begins inside it.
        second: u32,
        /// The first sector that they share.
        sector: u64,
    },
    /// A partition covers sectors of the table itself.
    #[error("partition {number} covers sector {sector}, which holds a part of the partition table")]
    CoversTable {
        /// The partition.
        number: u32,
        /// The first sector that belongs to the table.
        sector: u64,
    },
    /// A GPT partition lies outside the area that the header reserves for partitions.
    #[error(
        "partition {number} (sectors {start} to {last}) lies outside the area that the GPT \
         reserves for partitions (sectors {first_usable} to {last_usable})"
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
        "partition {number} ends at byte {end}, but there are only {size} bytes: the image is \
         incomplete"
    )]
    BeyondEnd {
        /// The partition.
        number: u32,
        /// Where it ends, in bytes.
        end: u64,
        /// The number of bytes there are.
        size: u64,
    },
    /// There is no partition of that number.
    #[error("there is no partition {number}; the table lists: {}", list(present))]
    NoSuchPartition {
        /// The number asked for.
        number: u32,
        /// The numbers that exist.
        present: Vec<u32>,
    },
    /// The partition is the container of the logical partitions.
    #[error("partition {number} is the extended partition, which only holds others")]
    IsExtended {
        /// The partition.
        number: u32,
    },
    /// The card has less room than its partitions take now.
    #[error(
        "partition {number} ends at byte {present_end}, but a card of {card} bytes has room only \
         up to byte {wanted_end}"
    )]
    CardTooSmall {
        /// The partition.
        number: u32,
        /// Where it ends now, in bytes.
        present_end: u64,
        /// Where the room for it ends, in bytes.
        wanted_end: u64,
        /// The card's size in bytes.
        card: u64,
        /// The smallest card that is large enough, in bytes.
        needed: u64,
    },
    /// The partition reaches beyond what an MBR can express.
    #[error("partition {number} cannot grow: an MBR supports at most 2 TiB")]
    BeyondMbr {
        /// The partition.
        number: u32,
    },
    /// The MBR in front of a GPT lists partitions of its own: a hybrid MBR.
    #[error(
        "the MBR in front of the GPT lists partitions of its own (entries {}): growing would make \
         the two tables contradict each other",
        list(entries)
    )]
    HybridMbr {
        /// The MBR entries other than the protective one, counted from 1.
        entries: Vec<u32>,
    },
    /// The storage holds a table other than the one that was read.
    #[error("the partition table has changed since it was read")]
    Changed,
    /// After growing, the storage does not read back what was written.
    #[error("partition {number} does not read back as it was written")]
    NotAsPlanned {
        /// The partition.
        number: u32,
    },
}

impl Error {
    /// Returns whether there is no table because nothing was written yet.
    pub fn is_blank(&self) -> bool {
        matches!(self, Error::Blank)
    }

    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            Error::NoProtectiveMbr => {
                "repair a copy of the image with gdisk, or take a fresh image"
            }
            Error::GptPrimaryDamaged { .. } => {
                "restore the backup in a copy of the image (gdisk: r, b, w), or take a fresh image"
            }
            Error::GptDamaged { .. }
            | Error::Extended { .. }
            | Error::Overlap { .. }
            | Error::CoversTable { .. }
            | Error::OutsideUsable { .. } => "take a fresh image",
            Error::BeyondEnd { .. } => "download the image again",
            Error::IsExtended { .. } => {
                "name the logical partition to grow; this one grows with it"
            }
            Error::CardTooSmall { needed, .. } => {
                return Some(format!("use a card of at least {needed} bytes"));
            }
            Error::HybridMbr { .. } => {
                "make the MBR purely protective in a copy of the image (gdisk: x, n, w)"
            }
            Error::Changed => "run again",
            Error::NotAsPlanned { .. } => "use another card: this one is failing",
            _ => return None,
        };
        Some(fix.to_owned())
    }
}

fn list(numbers: &[u32]) -> String {
    if numbers.is_empty() {
        return "none".to_owned();
    }
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
