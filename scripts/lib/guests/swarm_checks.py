"""Checks of the swarm, run on the manager and on the nodes that run its containers."""

import re
import time

from .report import Failed

STATUS = "/var/lib/nodecard/swarm/status"
SERVICE = "httpd"
REPLICAS = 3


def in_swarm(guest, cluster, seconds):
    """Waits until nodecard-swarm.service reports that the node is in the swarm."""
    def attempt():
        said = guest.ask(f"cat {STATUS} 2>&1").splitlines()
        return "state=ready" in said, " ".join(said) or "nothing"
    _, took = cluster.poll("state=ready", attempt, seconds, pause=5)
    return f"{guest.name} after {took:.0f} s"


def be_patient(manager):
    """Lengthens the heartbeat. A worker that misses three heartbeats of 5 s is Down, and its tasks
    move elsewhere; emulated nodes are that slow when several start containers at once."""
    manager.ask("docker swarm update --dispatcher-heartbeat 60s")


def nodes_ready(manager, cluster):
    """Waits until all nodes are Ready and Active, with one Leader and no node twice."""
    expected = {guest.name for guest in cluster.guests}
    listing = "docker node ls --format '{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}'"

    def attempt():
        rows = [line.split() for line in manager.ask(listing).splitlines()]
        good = ({row[0] for row in rows} == expected and len(rows) == len(expected)
                and all(row[1:3] == ["Ready", "Active"] for row in rows)
                and sum(row[3:] == ["Leader"] for row in rows) == 1)
        return good and rows, "; ".join(" ".join(row) for row in rows)
    rows, _ = cluster.poll("docker node ls", attempt, pause=5)
    leader = next(row[0] for row in rows if row[3:] == ["Leader"])
    return f"{len(rows)} Ready, leader {leader}"


def engines_different(seen, count):
    if len(set(seen.values())) != count:
        raise Failed(f"engine ids: {seen}")
    return f"{count} of {count} nodes"


def replicas_run(manager, cluster, seconds):
    def attempt():
        said = manager.ask("docker service ls --format '{{.Name}} {{.Replicas}}'")
        if f"{SERVICE} {REPLICAS}/{REPLICAS}" in said.splitlines():
            return True, said
        tasks = manager.ask(f"docker service ps --no-trunc --format '{{{{.Node}}}} {{{{.CurrentState}}}} "
                            f"{{{{.Error}}}}' {SERVICE} 2>&1 | head -8")
        return False, f"{said or 'no service'}; {tasks}"
    cluster.poll(f"{REPLICAS} replicas of {SERVICE}", attempt, seconds, pause=5)
    return f"{REPLICAS} of {REPLICAS} on {', '.join(running_on(manager))}"


def running_on(manager):
    said = manager.run(f"docker service ps -f desired-state=running --format "
                       f"'{{{{.Node}}}}' {SERVICE}")
    return sorted(said.split())


def fetch(client, address, times):
    """Fetches lbtest with bash, since not every base image has curl. Returns the containers' names."""
    said = client.ask(
        f"for i in $(seq {times}); do timeout 60 bash -c 'exec 3<>/dev/tcp/{address}/80 && "
        "printf \"GET /cgi-bin/lbtest HTTP/1.0\\r\\n\\r\\n\" >&3 && tail -n 1 <&3' 2>&1; done")
    names = [line for line in said.splitlines() if re.fullmatch(r"[0-9a-f]{12}", line)]
    if len(names) != times:
        raise Failed(f"{address} answered {len(names)} of {times} times: {said[-300:]}")
    return names


def mesh(guest, cluster, clients):
    """Fetches the page from the next node: all containers must answer in turn, whichever it is."""
    target = clients[guest]
    # A replica that has just started is not yet in every node's mesh.
    until = time.time() + cluster.patience
    while True:
        try:
            names = fetch(guest, target.address, 2 * REPLICAS)
            if len(set(names)) == REPLICAS:
                return f"{target.address}: {len(names)} answers of {REPLICAS} containers"
            wrong = f"{target.address}: only {len(set(names))} containers answered"
        except Failed as error:
            wrong = str(error)
        if time.time() > until:
            raise Failed(wrong)
        time.sleep(5)


def heals(cluster, manager):
    """The article's test: kills a container, and waits until the swarm has replaced it."""
    by_name = {guest.name: guest for guest in cluster.guests}
    victim = by_name[running_on(manager)[0]]
    container = victim.run(f"docker ps -q -f name={SERVICE}. | head -n 1")
    if not container:
        raise Failed(f"{victim.name} does not run a container of {SERVICE}")
    started = time.time()
    victim.run(f"docker kill {container}", cluster.patience)

    def attempt():
        """Whether as many containers run as before, without the killed one."""
        running = []
        for guest in cluster.guests:
            running += guest.ask(f"docker ps -q -f name={SERVICE}.").split()
        return container not in running and len(running) == REPLICAS, f"running: {running}"
    cluster.poll("a replacement of the killed container", attempt)
    return f"{container} killed on {victim.name}, replaced after {time.time() - started:.0f} s"
