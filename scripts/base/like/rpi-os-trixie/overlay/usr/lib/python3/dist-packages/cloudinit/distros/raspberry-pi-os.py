# The class for Raspberry Pi OS, which Debian's cloud-init does not have yet. Where no seed describes
# the network, it leaves the image's own configuration alone.
from cloudinit import net
from cloudinit.distros import debian


class Distro(debian.Distro):
    def generate_fallback_config(self):
        if self.get_option("disable_fallback_netcfg", True):
            return None
        return net.generate_fallback_config()
