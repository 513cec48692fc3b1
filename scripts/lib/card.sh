# shellcheck shell=bash disable=SC2034,SC2154
# The layout of an ODROID-MC1's card, for the scripts that make base images. To be sourced; needs
# $work, a directory for temporary files.

disk_id=0x3cedfd53
root_uuid=e139ce78-9841-40fe-8823-96a304a09859
hash_seed=7d1c2f7e-6d2b-4c31-9a55-d0d0d0542200
fat_serial=52aa6867

# The boot loaders of Hardkernel's u-boot 2017.05: name, sector, length in sectors of 512 bytes.
boot_area=("BL1 1 30" "BL2 31 32" "U-BOOT 63 1440" "TZSW 1503 512" "ENV 2015 32")
p1_start=3072

# The features that mke2fs of Ubuntu 16.04 (e2fsprogs 1.42.13) enables.
features=none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super
features+=,large_file,huge_file,uninit_bg,dir_nlink,extra_isize

# fill FILE TEXT BYTES: writes FILE, with TEXT and a running number on each line.
fill() {
    awk -v text="$2" -v bytes="$3" 'BEGIN {
        for (n = 0; n < bytes; n += length(line)) { line = text " " ++i "\n"; printf "%s", line }
    }' >"$work/fill"
    head -c "$3" "$work/fill" >"$1"
    rm "$work/fill"
}

# debugfs_run FILESYSTEM: runs the debugfs commands on standard input. debugfs always exits with 0,
# so its standard error decides.
debugfs_run() {
    { [[ -z ${SOURCE_DATE_EPOCH-} ]] || echo "set_current_time @$SOURCE_DATE_EPOCH"; cat; } >"$work/commands"
    debugfs -w -f "$work/commands" "$1" >/dev/null 2>"$work/errors"
    if grep -v '^debugfs 1\.' "$work/errors" >"$work/complaints"; then
        head -n 20 "$work/complaints" >&2
        echo "${0##*/}: debugfs failed; see above" >&2
        exit 1
    fi
}

# leave_clean FILESYSTEM: gives large directories their hash tree (-D) and checks with e2fsck.
leave_clean() {
    # Exit code 1 means "corrected"; the second run decides.
    e2fsck -fyD "$1" >"$work/fsck" 2>&1 || (($? == 1)) || { cat "$work/fsck" >&2 && exit 1; }
    e2fsck -fn "$1" >"$work/fsck" 2>&1 || { cat "$work/fsck" >&2 && exit 1; }
}

# make_fat FILE SECTORS SECTORS_PER_CLUSTER SOURCE...: makes a FAT filesystem that contains the files.
make_fat() {
    truncate -s $(($2 * 512)) "$1"
    # Without a partition table, mtools need the geometry: 32 heads of 32 sectors.
    mformat -i "$1" -T "$2" -h 32 -s 32 -c "$3" -N $fat_serial -v BOOT ::
    mcopy -m -i "$1" "${@:4}" ::
}

# assemble IMAGE FAT EXT4: writes the partition table, the boot area and both filesystems.
assemble() {
    local p1_sectors p2_sectors p2_start area name sector count
    p1_sectors=$(($(stat -c %s "$2") / 512))
    p2_sectors=$(($(stat -c %s "$3") / 512))
    p2_start=$((p1_start + p1_sectors))
    truncate -s $(((p2_start + p2_sectors) * 512)) "$1"
    sfdisk -q "$1" <<EOF
label: dos
label-id: $disk_id
start=$p1_start, size=$p1_sectors, type=c
start=$p2_start, size=$p2_sectors, type=83
EOF
    for area in "${boot_area[@]}"; do
        read -r name sector count <<<"$area"
        fill "$work/area" "$name sector $sector" $((count * 512))
        dd if="$work/area" of="$1" bs=512 seek="$sector" conv=notrunc status=none
    done
    dd if="$2" of="$1" bs=1M oflag=seek_bytes seek=$((p1_start * 512)) conv=notrunc,sparse status=none
    dd if="$3" of="$1" bs=1M oflag=seek_bytes seek=$((p2_start * 512)) conv=notrunc,sparse status=none
}
