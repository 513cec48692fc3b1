"""Creates the swarm as in the article, with commands on the consoles. If this works and nodecard's
own swarm does not, the fault is in what nodecard writes."""

from .cards import ARCHIVE_ON_CARD
from .lbtest_image import NAME
from .swarm_checks import REPLICAS, SERVICE


def docker_runs(guest, cluster):
    def attempt():
        said = guest.ask("docker info -f '{{.ServerVersion}}' 2>&1", 120)
        return "." in said and " " not in said, said
    cluster.poll("docker", attempt, cluster.patience)
    return guest.run(f"docker load -q -i {ARCHIVE_ON_CARD}", cluster.patience)


def join(guest, manager, token):
    if guest is manager:
        return "manager"
    # docker stops waiting for a join after 20 s, but the join continues in the background.
    guest.ask(f"docker swarm join --token {token} {manager.address}:2377", 240)
    return "joined"


def make(report, cluster, manager):
    report.each("docker runs, image loaded", cluster.guests, docker_runs, cluster)
    manager.run(f"docker swarm init --advertise-addr {manager.address}", cluster.patience)
    token = manager.run("docker swarm join-token -q worker")
    report.each("joined by hand", cluster.guests, join, manager, token)


def create_service(manager, cluster):
    """Creates the service. All nodes should be Ready, or the first ones get all replicas."""
    manager.run(f"docker service create -d --no-resolve-image --replicas {REPLICAS} "
                f"--name {SERVICE} -p 80:80 {NAME}", cluster.patience)
