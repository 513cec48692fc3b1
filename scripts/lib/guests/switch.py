"""A network switch in this process: the guests share an Ethernet with nothing else on it.

Each guest has one end of a socket pair (`-netdev socket,fd=N`). So not even the loopback interface
sees their frames, no port is used and no privilege needed. QEMU sends the length of each frame, four
bytes, before the frame.
"""

import selectors
import socket
import struct
import threading

# If more than this waits for one guest, frames are dropped, as in a real switch.
QUEUE = 4 << 20


class Port:
    def __init__(self, ours):
        self.socket = ours
        self.received = bytearray()
        self.queued = bytearray()


class Switch(threading.Thread):
    """Learns which guest has which MAC address, and sends frames for unknown addresses to all."""

    def __init__(self):
        super().__init__(daemon=True, name="switch")
        self.selector = selectors.DefaultSelector()
        self.ports, self.learnt, self.frames = [], {}, 0
        self.waker, woken = socket.socketpair()
        self.selector.register(woken, selectors.EVENT_READ, None)
        self.stopped = False

    def plug_in(self):
        """Adds a port and returns the socket for QEMU. Call this before start()."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        port = Port(ours)
        self.ports.append(port)
        self.selector.register(ours, selectors.EVENT_READ, port)
        return theirs

    def stop(self):
        self.stopped = True
        self.waker.send(b"x")
        if self.is_alive():
            self.join()

    def run(self):
        while not self.stopped:
            for key, events in self.selector.select():
                if key.data is None:
                    continue
                if events & selectors.EVENT_READ:
                    self.receive(key.data)
                if events & selectors.EVENT_WRITE:
                    self.flush(key.data)

    def unplug(self, port):
        if port in self.ports:
            self.ports.remove(port)
            self.selector.unregister(port.socket)
            port.socket.close()

    def receive(self, port):
        try:
            chunk = port.socket.recv(1 << 17)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            return self.unplug(port)
        port.received += chunk
        start = 0
        while len(port.received) - start >= 4:
            (length,) = struct.unpack_from(">I", port.received, start)
            if len(port.received) - start < 4 + length:
                break
            self.forward(port, bytes(port.received[start:start + 4 + length]))
            start += 4 + length
        del port.received[:start]

    def forward(self, source, packet):
        to, by = packet[4:10], packet[10:16]
        self.frames += 1
        self.learnt[by] = source
        known = None if to[0] & 1 else self.learnt.get(to)
        for port in [known] if known in self.ports else list(self.ports):
            if port is not source and len(port.queued) < QUEUE:
                port.queued += packet
                self.flush(port)

    def flush(self, port):
        if port not in self.ports:
            return
        try:
            while port.queued:
                del port.queued[:port.socket.send(port.queued)]
        except BlockingIOError:
            pass
        except OSError:
            return self.unplug(port)
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if port.queued else 0)
        self.selector.modify(port.socket, wanted, port)
