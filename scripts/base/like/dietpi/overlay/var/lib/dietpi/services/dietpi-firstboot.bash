#!/bin/bash
# Applies dietpi.txt, once.
settings=/boot/dietpi.txt
setting() { sed -n "s/^[[:blank:]]*$1=//p" "$settings" | head -n 1; }

if [[ -f /boot/Automation_Custom_PreScript.sh ]]; then
    bash /boot/Automation_Custom_PreScript.sh
fi

# Host name
name=$(setting AUTO_SETUP_NET_HOSTNAME)
if [[ $name ]]; then
    echo "$name" >/etc/hostname
    sed -i "/^127.0.1.1[[:blank:]]/c\127.0.1.1 $name" /etc/hosts
    hostname "$name"
fi

# Passwords
password=$(setting AUTO_SETUP_GLOBAL_PASSWORD)
printf 'root:%s\ndietpi:%s\n' "${password:-dietpi}" "${password:-dietpi}" | chpasswd

# Machine id and host keys
rm -f /etc/machine-id /var/lib/dbus/machine-id
systemd-machine-id-setup
rm -f /etc/dropbear/dropbear_*_host_key
for kind in rsa ecdsa ed25519; do
    dropbearkey -t $kind -f /etc/dropbear/dropbear_${kind}_host_key >/dev/null
done

# Public keys
sed -n 's/^[[:blank:]]*AUTO_SETUP_SSH_PUBKEY=//p' "$settings" | while read -r key; do
    for home in /root /home/dietpi; do
        mkdir -p "$home/.ssh" && chmod 700 "$home/.ssh"
        grep -qsxF "$key" "$home/.ssh/authorized_keys" || echo "$key" >>"$home/.ssh/authorized_keys"
    done
done
[[ ! -d /home/dietpi/.ssh ]] || chown -R dietpi:dietpi /home/dietpi/.ssh

# Network
interfaces=/etc/network/interfaces
eth=$(cd /sys/class/net && printf '%s\n' eth* | head -n 1)
sed -i "s/eth[0-9]/$eth/g; s/^#*\(allow-hotplug\|auto\) eth.*/allow-hotplug $eth/" $interfaces
if [[ $(setting AUTO_SETUP_NET_USESTATIC) == 1 ]]; then
    sed -i "/^iface $eth /s/dhcp/static/
        s/^[[:blank:]]*address .*/address $(setting AUTO_SETUP_NET_STATIC_IP)/
        s/^[[:blank:]]*netmask .*/netmask $(setting AUTO_SETUP_NET_STATIC_MASK)/
        s/^[[:blank:]]*gateway .*/gateway $(setting AUTO_SETUP_NET_STATIC_GATEWAY)/" $interfaces
fi

# udev looked before the interface was in the file.
if grep -q "^allow-hotplug $eth" $interfaces; then
    systemctl --no-block start "ifup@$eth.service"
fi

echo 0 >/boot/dietpi/.install_stage
systemctl disable dietpi-firstboot
exit 0
