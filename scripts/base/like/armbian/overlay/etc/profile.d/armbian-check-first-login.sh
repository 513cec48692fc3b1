# Runs the wizard at root's first interactive login.
if [ "$(id -u)" = 0 ] && [ -t 0 ] && [ -w /root/.not_logged_in_yet ]; then
    bash /usr/lib/armbian/armbian-firstlogin
fi
