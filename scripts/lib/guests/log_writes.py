"""Replays a log of writes up to each flush: what is on a card whose power was cut there.

The format is that of the kernel's dm-log-writes, which QEMU's blklogwrites driver writes too: a
superblock, then for each request a header in a sector of its own and its data."""

import struct

MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


def entries(log):
    """Yields (flags, offset in bytes, data or the number of bytes to discard) of each request."""
    with open(log, "rb") as file:
        magic, version, count, sector_size = struct.unpack("<QQQI", file.read(28))
        if magic != MAGIC or version != 1:
            raise ValueError(f"{log} is not a log of writes")
        file.seek(sector_size)
        for _ in range(count):
            head = file.read(sector_size)
            if len(head) < 32:
                return
            sector, sectors, flags, length = struct.unpack("<QQQQ", head[:32])
            size = sectors * sector_size
            if flags & MARK:
                file.seek(length, 1)
            elif flags & DISCARD:
                yield flags, sector * sector_size, size
            else:
                yield flags, sector * sector_size, file.read(size)


def states(log, card):
    """Yields the number of each flush after applying all writes before it to the file `card`. Those
    after the last flush are applied before the last state."""
    number = 0
    with open(card, "r+b", buffering=0) as file:
        for flags, offset, data in entries(log):
            if flags & FLUSH:
                number += 1
                yield number
            if isinstance(data, bytes):
                file.seek(offset)
                file.write(data)
            elif data:
                file.seek(offset)
                file.write(bytes(data))
    yield number + 1
