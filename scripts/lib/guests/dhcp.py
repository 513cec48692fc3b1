"""A DHCP server on the guests' switch, as small as it can be: on a network without one, a node that
asks for a second address beside its static one would look right."""

import socket
import struct
import threading

MAC = bytes.fromhex("525400000001")
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


class DhcpServer(threading.Thread):
    """Gives 192.168.1.200 and up, one address per MAC address, with the gateway as router."""

    def __init__(self, connection, gateway="192.168.1.1"):
        super().__init__(daemon=True, name="dhcp")
        self.socket, self.gateway = connection, socket.inet_aton(gateway)
        self.addresses, self.leases = {}, {}

    def run(self):
        received = b""
        while True:
            try:
                chunk = self.socket.recv(1 << 16)
            except OSError:
                return
            if not chunk:
                return
            received += chunk
            while len(received) >= 4 and len(received) >= 4 + int.from_bytes(received[:4], "big"):
                length = int.from_bytes(received[:4], "big")
                self.frame(received[4:4 + length])
                received = received[4 + length:]

    def frame(self, frame):
        if len(frame) < 14 + 20 + 8 + 240 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
            return
        udp = frame[14 + (frame[14] & 15) * 4:]
        if udp[2:4] != b"\x00\x43":
            return
        request = udp[8:]
        kind = self.option(request, 53)
        if request[0] == 1 and kind in (bytes([DISCOVER]), bytes([REQUEST])):
            self.answer(request, OFFER if kind[0] == DISCOVER else ACK)

    @staticmethod
    def option(request, wanted):
        at = 240
        while at + 1 < len(request) and request[at] != 255:
            if request[at] == 0:
                at += 1
                continue
            if request[at] == wanted:
                return request[at + 2:at + 2 + request[at + 1]]
            at += 2 + request[at + 1]
        return None

    def answer(self, request, kind):
        mac = request[28:34]
        last = self.addresses.setdefault(mac, 200 + len(self.addresses))
        address = self.gateway[:3] + bytes([last])
        if kind == ACK:
            self.leases[mac.hex(":")] = socket.inet_ntoa(address)
        options = b"".join(bytes([code, len(value)]) + value for code, value in (
            (53, bytes([kind])), (54, self.gateway), (51, (86400).to_bytes(4, "big")),
            (1, b"\xff\xff\xff\x00"), (3, self.gateway), (6, self.gateway))) + b"\xff"
        body = (b"\x02\x01\x06\x00" + request[4:8] + b"\x00\x00" + request[10:12] + bytes(4) + address
                + self.gateway + bytes(4) + request[28:44] + bytes(192) + b"\x63\x82\x53\x63" + options)
        udp = struct.pack(">HHHH", 67, 68, 8 + len(body), 0) + body
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, self.gateway, b"\xff" * 4)
        total = sum(struct.unpack(">10H", head))
        total = (total & 0xffff) + (total >> 16)
        head = head[:10] + struct.pack(">H", ~(total + (total >> 16)) & 0xffff) + head[12:]
        frame = b"\xff" * 6 + MAC + b"\x08\x00" + head + udp
        try:
            self.socket.sendall(len(frame).to_bytes(4, "big") + frame)
        except OSError:
            pass
