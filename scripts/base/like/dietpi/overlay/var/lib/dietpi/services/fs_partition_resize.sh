#!/bin/bash
# Imports the settings from the boot partition, grows the root partition and its filesystem, and gives
# the filesystem a journal.
systemctl disable dietpi-fs_partition_resize

[[ /boot/firmware/dietpi.txt -nt /boot/dietpi.txt || ! -f /boot/dietpi.txt ]] &&
    cp -p /boot/firmware/dietpi.txt /boot/dietpi.txt

root=$(findmnt -n -o SOURCE /)
disk=/dev/$(lsblk -n -o PKNAME "$root")
number=${root##*[!0-9]}
sfdisk --force --no-reread -N "$number" "$disk" <<<', +'
partprobe "$disk"
resize2fs "$root"
if ! dumpe2fs -h "$root" 2>/dev/null | grep -q has_journal; then
    tune2fs -O has_journal "$root"
fi
exit 0
