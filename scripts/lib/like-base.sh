# shellcheck shell=bash disable=SC2034,SC2154,SC2016
# Base images that behave like those of board families at the first boot, for scripts/make-base. To
# be sourced; needs $root, $work, $like, $mirror and the functions of scripts/make-base.
#
# scripts/base/like/FAMILY has:
#   family     suite, packages, layout, as shell variables
#   overlay/   files of the root filesystem, written over the packages' files
#   boot/      files of the boot partition
#   customize  the last changes, as a hook of mmdebstrap
# and scripts/base/like/shared what several families have in common. In all files, @DISK_ID@,
# @ROOT_UUID@ and @HOST_NAME@ stand for the values in `family`.

# read_family: sets the variables of $like.
read_family() {
    family_dir=$root/scripts/base/like/$like
    overlays=() resolv_conf='' fat_mib=0 root_label='' root_features='' family_packages=''
    # shellcheck source=/dev/null
    . "$family_dir/family"
}

# rendered FILE: prints a file with the family's values.
rendered() { sed "s/@DISK_ID@/$disk_id/g; s/@ROOT_UUID@/$root_uuid/g; s/@HOST_NAME@/$host_name/g" "$1"; }

# render_tree FROM TO: copies a tree of text files with the family's values.
render_tree() {
    local file
    while IFS= read -r -d '' file; do
        mkdir -p "$2/$(dirname "$file")"
        rendered "$1/$file" >"$2/$file"
        chmod "$(stat -c %a "$1/$file")" "$2/$file"
    done < <(cd "$1" && find . -type f -print0)
}

# install_family: makes $work/root.tar.
install_family() {
    local part hook hooks=()
    mkdir "$work/overlay"
    for part in "${overlays[@]}"; do render_tree "$root/scripts/base/like/$part" "$work/overlay"; done
    render_tree "$family_dir/overlay" "$work/overlay"
    # Only files: a directory in the archive would replace a symlink such as /lib.
    (cd "$work/overlay" && find . -type f -print0 |
        tar -cf "$work/overlay.tar" --owner=0 --group=0 --mode=go-w --null -T -)
    chmod 755 "$work" && chmod 644 "$work/overlay.tar"
    for hook in "$root/scripts/base/like/shared/customize" "$family_dir/customize" \
        "$root/scripts/base/like/shared/finish"; do
        hooks+=("$(rendered "$hook")")
    done
    mmdebstrap --quiet --variant=minbase --architectures=amd64 --include="$include" \
        "${excluded[@]/#/--dpkgopt=path-exclude=}" \
        --essential-hook="$(cat "$root/scripts/base/prepare")" \
        --customize-hook="tar-in $work/overlay.tar /" \
        "${hooks[@]/#/--customize-hook=}" \
        "$suite" "$work/root.tar" "deb $mirror $suite main"
}

# name_family DIRECTORY: what mmdebstrap resets when it ends.
name_family() {
    as_root sh -c 'echo "$2" >"$1/etc/hostname"' sh "$1" "$host_name"
    # systemd takes `uninitialized` for the first boot, and an empty file not.
    as_root sh -c 'printf "${2:+$2\n}" >"$1/etc/machine-id" && chmod 444 "$1/etc/machine-id"' sh "$1" "$machine_id"
    # A link, or the name server.
    case $resolv_conf in
    /*) as_root ln -sf "$resolv_conf" "$1/etc/resolv.conf" ;;
    ?*) as_root sh -c 'rm -f "$1/etc/resolv.conf"; echo "nameserver $2" >"$1/etc/resolv.conf"' sh "$1" "$resolv_conf" ;;
    esac
}

# assemble_family IMAGE EXT4: writes the partition table, the boot partition and the root partition.
# Needs the kernel and initrd in $work/result.
assemble_family() {
    local p2_start=$p1_start fat_sectors=$((fat_mib * 2048)) sectors
    sectors=$(($(stat -c %s "$2") / 512))
    if ((fat_mib)); then
        render_tree "$family_dir/boot" "$work/boot"
        cp "$work/result/vmlinuz" "$work/boot/$kernel_name"
        cp "$work/result/initrd.img" "$work/boot/$initrd_name"
        truncate -s "${fat_mib}M" "$work/boot.fat"
        # The labels are in lower case, of which mkfs.fat warns.
        mkfs.fat -F "$fat_bits" -s "$fat_cluster" -n "$fat_label" -i "$disk_id" "$work/boot.fat" \
            >"$work/mkfs" 2>&1 || { cat "$work/mkfs" >&2 && exit 1; }
        mcopy -m -i "$work/boot.fat" "$work"/boot/* ::
        p2_start=$((p1_start + fat_sectors))
    fi
    truncate -s $(((p2_start + sectors) * 512)) "$1"
    {
        echo "label: dos"
        echo "label-id: 0x$disk_id"
        if ((fat_mib)); then echo "start=$p1_start, size=$fat_sectors, type=c"; fi
        echo "start=$p2_start, size=$sectors, type=83"
    } | sfdisk -q "$1"
    # Code that halts. Where there is none, parted writes its own when it changes a partition, and a
    # new disk id with it; images that were made with parted have it.
    printf '\372\364\353\375' | dd of="$1" conv=notrunc status=none
    if ((fat_mib)); then
        dd if="$work/boot.fat" of="$1" bs=1M oflag=seek_bytes seek=$((p1_start * 512)) conv=notrunc,sparse status=none
        rm "$work/boot.fat"
    fi
    dd if="$2" of="$1" bs=1M oflag=seek_bytes seek=$((p2_start * 512)) conv=notrunc,sparse status=none
}
