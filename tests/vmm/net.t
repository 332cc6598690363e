#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Network interfaces of a real machine: a guest of a few bytes, a tap in a namespace of our own."""
import ctypes
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402

CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_VNET_HDR = 263, 15
MAC = bytes.fromhex("02000a0b0c0d")
NR_FLOOD = 32768  # as tests/vmm/net.c
NIC = "net tap=tap0 mac=02:00:0a:0b:0c:0d mtu=1400"


def need_tap():
    """A network namespace of this process's own, with tap0 in it; once."""
    vmmtest.need_kvm()
    if need_tap.is_made:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) < 0:
        raise vmmtest.Skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    for command in ("tuntap add dev tap0 mode tap vnet_hdr", "link set tap0 mtu 1400",
                    "link set tap0 address 02:00:00:00:00:01"):
        r = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
        if r.returncode:
            raise vmmtest.Skip(f"no tap device: {r.stderr.strip()}")
    try:
        with open("/proc/sys/net/ipv6/conf/tap0/disable_ipv6", "w", encoding="ascii") as f:
            f.write("1")
    except FileNotFoundError:
        pass
    subprocess.run(["ip", "link", "set", "tap0", "up"], check=True)
    need_tap.is_made = True


need_tap.is_made = False


def wire():
    """Frames of tap0, each behind a virtio header of 10 bytes, both ways."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.bind(("tap0", 3))
    s.settimeout(vmmtest.DEADLINE)
    return s


def t_frames_go_both_ways_segmentation_is_the_hosts_lies_are_dropped():
    need_tap()
    with wire() as s, vmmtest.Vmm("net", [NIC]) as vm:
        got = s.recv(70000)
        assert got[10:][6:12] == MAC and got[10:][14:30] == b"from the guest  ", got
        s.send(bytes(10) + MAC + bytes(6) + b"\x88\xb5" + b"from the host   " + bytes(30))
        while True:
            got = s.recv(70000)
            if got[16:22] == MAC:  # our own frames are seen as well
                break
        flags, gso, hdr, size, start, offset = struct.unpack("<BBHHHH", got[:10])
        assert (flags, gso, size, start, offset) == (1, 1, 1000, 34, 16), (flags, gso, size, hdr)
        assert len(got) == 10 + 54 + 20000, len(got)
        answer = got[:10] + MAC + b"\x02\0\0\0\0\x01" + got[22:64] + b"x" * 20000
        s.send(answer)
        while True:
            got = s.recv(70000)
            if got[16:22] == MAC:
                break
        assert got[24:40] == b"the end         ", f"a frame that should not be: {got[:60]}"
        vm.passes()


def t_a_nic_that_is_no_tap_is_refused():
    a, b = socket.socketpair()
    with a, b, vmmtest.Vmm("net", [f"net fd={a.fileno()}"], [a.fileno()]) as vm:
        _, err = vm.process.communicate(timeout=vmmtest.DEADLINE)
        assert vm.process.returncode == 1 and "as a tap device" in err, err


def taken():
    """Frames that the host has taken from the tap."""
    out = subprocess.run(["ip", "-s", "-j", "link", "show", "tap0"], capture_output=True,
                         check=True).stdout
    return json.loads(out)[0]["stats64"]["rx"]["packets"]


def t_sends_at_speed():
    need_tap()
    before = taken()
    with vmmtest.Vmm("net", [NIC], cmdline="t") as vm:
        vm.wait_said("begin")
        start = time.monotonic()
        vm.wait_said("finished")
        seconds = time.monotonic() - start
        assert taken() - before == NR_FLOOD, taken() - before
        print(f"# {NR_FLOOD * 60054 * 8 / seconds / 1e9:.2f} Gbit/s of 60 KB frames to the tap")
        vm.passes()


STREAM = "net kind=stream {} mac=02:00:0a:0b:0c:0d mtu=1400"


class Peer:
    """The other end of a stream: frames behind their lengths."""

    def __init__(self, sock):
        self.s = sock
        self.s.settimeout(vmmtest.DEADLINE)

    def read(self, n):
        got = b""
        while len(got) < n:
            some = self.s.recv(n - len(got))
            assert some, f"the end after {len(got)} of {n} bytes"
            got += some
        return got

    def frame(self):
        return self.read(*struct.unpack(">I", self.read(4)))

    @staticmethod
    def packed(n, text=b""):
        """A frame of n bytes from us to the guest, with its length."""
        body = (text + bytes((i * 5 + n) & 255 for i in range(n)))[:n - 14]
        return struct.pack(">I", n) + MAC + b"\x02\0\0\0\0\x01" + b"\x88\xb5" + body

    def comes_back(self, n, text=b""):
        sent, got = self.packed(n, text)[4:], self.frame()
        assert got == sent[6:12] + MAC + sent[12:], f"not the frame of {n} bytes, but one of {len(got)}"

    def end(self):
        """Says that it is over, and goes: the guest sees the link go down."""
        self.s.sendall(self.packed(60, b"the end "))
        self.comes_back(60, b"the end ")
        self.s.close()


def stream_guest(line, fds=(), cmdline="s"):
    return vmmtest.Vmm("net", [line], fds, cmdline=cmdline)


def t_a_stream_carries_frames_both_ways_until_its_peer_goes():
    a, b = socket.socketpair()
    with a, b, stream_guest(STREAM.format(f"fd={b.fileno()}"), [b.fileno()]) as vm:
        b.close()
        p = Peer(a)
        for n in (14, 60, 1414, 1418, 9000, 65535, 65549, 65550):
            p.s.sendall(p.packed(n))
            p.comes_back(n)
        for i in p.packed(333):  # in crumbs
            p.s.sendall(bytes([i]))
        p.comes_back(333)
        for _ in range(50):  # many at once; no more than fit into both sockets
            p.s.sendall(b"".join(p.packed(n) for n in (60, 61, 1400)))
        for _ in range(50):
            for n in (60, 61, 1400):
                p.comes_back(n)
        p.end()
        vm.passes()


def t_a_stream_that_lies_is_a_link_that_is_down():
    a, b = socket.socketpair()
    with a, b, stream_guest(STREAM.format(f"fd={b.fileno()}"), [b.fileno()]) as vm:
        b.close()
        p = Peer(a)
        p.s.sendall(p.packed(60, b"the end "))
        p.comes_back(60, b"the end ")
        p.s.sendall(b"\xff" * 100)
        vm.passes()


def t_a_stream_is_connected_by_path():
    vmmtest.need_kvm()
    with tempfile.TemporaryDirectory() as d, socket.socket(socket.AF_UNIX) as s:
        path = os.path.join(d, "peer")
        with stream_guest(STREAM.format(f"path={path}")) as vm:
            _, err = vm.process.communicate(timeout=vmmtest.DEADLINE)
            assert vm.process.returncode == 1 and f"cannot connect to {path}" in err, err
        s.bind(path)
        s.listen()
        with stream_guest(STREAM.format(f"path={path}")) as vm:
            s.settimeout(vmmtest.DEADLINE)
            with s.accept()[0] as c:
                p = Peer(c)
                p.s.sendall(p.packed(100))
                p.comes_back(100)
                p.end()
                vm.passes()


def t_a_file_that_is_no_stream_is_refused():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with a, b, stream_guest(STREAM.format(f"fd={b.fileno()}"), [b.fileno()]) as vm:
        _, err = vm.process.communicate(timeout=vmmtest.DEADLINE)
        assert vm.process.returncode == 1 and "not a stream socket" in err, err


def t_passt_answers():
    if not shutil.which("passt"):
        raise vmmtest.Skip("passt is not installed")
    need_tap()  # in our namespace, with an interface that passt may take its template from
    for command in ("addr replace 10.9.0.1/24 dev tap0", "link set lo up",
                    "route replace default via 10.9.0.3 dev tap0"):
        subprocess.run(["ip", *command.split()], check=True)
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o777)  # passt changes to nobody
        path = os.path.join(d, "passt")
        with open(os.path.join(d, "log"), "w+", encoding="utf-8") as log:
            with subprocess.Popen(["passt", "-f", "-1", "-4", "-i", "tap0", "-a", "10.9.0.2", "-n", "24", "-g", "10.9.0.1",
                                   "-s", path], stdin=subprocess.DEVNULL, stdout=log, stderr=log) as passt:
                try:
                    vmmtest.until(lambda: os.path.exists(path) or passt.poll() is not None, "passt listens")
                    log.seek(0)
                    assert passt.poll() is None, f"passt ended: {log.read()}"
                    with stream_guest(STREAM.format(f"path={path}"), cmdline="a") as vm:
                        vm.passes()
                    assert passt.wait(vmmtest.DEADLINE) == 0  # -1: with its client
                finally:
                    passt.kill()


if __name__ == "__main__":
    vmmtest.main(sys.modules[__name__])
