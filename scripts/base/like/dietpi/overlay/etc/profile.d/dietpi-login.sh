# Starts the first-run setup at interactive logins until it is done.
if [ -t 0 ] && [ "$(cat /boot/dietpi/.install_stage 2>/dev/null)" != 2 ]; then
    if dumpe2fs -h "$(findmnt -n -o SOURCE /)" 2>/dev/null | grep -q has_journal; then
        echo 'DietPi: the first-run setup updates the system; it needs the internet.'
    else
        echo 'DietPi: the root filesystem has no journal; the first-run setup cannot start.'
    fi
fi
