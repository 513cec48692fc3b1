#!/bin/sh
# What `nodecard status` asks a node: it runs there over ssh and prints key=value lines. It only
# reads. dash and busybox run it.

LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL PATH

echo "hostname=$(uname -n)"
echo "machine_id=$(cat /etc/machine-id 2>/dev/null)"
read -r up _ </proc/uptime && echo "uptime=${up%%.*}"

# The root filesystem in KiB; its partition and the whole card in sectors of 512 bytes.
df -Pk / | awk 'END { print "filesystem=" $2; print "available=" $4 }'
device=/sys/dev/block/$(awk '$5 == "/" { device = $3 } END { print device }' /proc/self/mountinfo)
if [ -e "$device/partition" ]; then
	echo "partition_start=$(cat "$device/start")"
	echo "partition_size=$(cat "$device/size")"
	echo "card_size=$(cat "$device/../size")"
fi

if [ -r /var/lib/nodecard/swarm/status ]; then
	sed 's/^/swarm_/' /var/lib/nodecard/swarm/status
fi

# Docker answers root and its own group only. An engine that hangs must not keep the rest away,
# so it is asked last.
if command -v docker >/dev/null; then
	run=docker
	[ -w /var/run/docker.sock ] || run="sudo -n docker"
	if engine=$($run info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}' 2>/dev/null); then
		echo "docker=$engine"
	else
		echo "docker=no"
	fi
	case $engine in
	*true)
		$run node ls --format 'member={{.ID}}|{{.Hostname}}|{{.Status}}|{{.Availability}}|{{.ManagerStatus}}' 2>/dev/null
		$run service ls --format 'service={{.Name}}|{{.Replicas}}' 2>/dev/null
		;;
	esac
fi
echo "end=1"
