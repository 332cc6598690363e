#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Network interfaces of a real machine: a guest of a few bytes, a tap in a namespace of our own."""
import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
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


if __name__ == "__main__":
    vmmtest.main(sys.modules[__name__])
