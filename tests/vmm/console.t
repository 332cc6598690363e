#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Console ports of a real machine: a guest of a few bytes at one end, this program at the other."""
import os
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402


def t_echoes_takes_a_flood_and_sees_the_host_go():
    ours, theirs = socket.socketpair()
    with vmmtest.Vmm("console", [f"console name=vpod.control fd={theirs.fileno()}", "rng"],
                     [theirs.fileno()]) as vm:
        theirs.close()
        vm.wait_said("ready")
        for text in (b"hello", b"x" * 3000, b"a" * 20000):
            ours.sendall(text)
            got = b""
            while len(got) < len(text):
                got += vmmtest.read_some(ours)
            assert got == text.upper(), (text[:20], got[:20])
        before = vm.memory_kib()
        ours.sendall(b"bye")
        # nobody reads: the guest waits, and nothing grows
        vmmtest.until(lambda: ours.recv(1, socket.MSG_PEEK), "the flood begins")
        os.sched_yield()
        assert vm.memory_kib() <= before + 16, (before, vm.memory_kib())
        for i in range(256):
            got = b""
            while len(got) < 65536:
                got += ours.recv(65536 - len(got))
            assert got == bytes([i]) * 65536, f"block {i}"
        assert vm.memory_kib() <= before + 16, (before, vm.memory_kib())
        print(f"# private memory without the guest's: {vm.memory_kib()} KiB")
        ours.close()
        vm.passes()


def t_ten_gib_of_output_leave_memory_as_it_was():
    """V22. Takes half a minute."""
    if os.environ.get("VPOD_TEST_FULL", "0") != "1":
        raise vmmtest.Skip("long: VPOD_TEST_FULL=1 runs it")
    ours, theirs = socket.socketpair()
    with vmmtest.Vmm("console", [f"console name=vpod.control fd={theirs.fileno()}"],
                     [theirs.fileno()], cmdline="t") as vm:
        theirs.close()
        left, most, before, buf = 10 << 30, 0, None, bytearray(1 << 18)
        while left:
            n = ours.recv_into(buf)
            assert n, "the machine ended too early"
            if before is None or left % (1 << 30) < n:
                most = max(most, vm.memory_kib())
                before = before or most
            left -= n
        assert most <= before + 64, (before, most)
        print(f"# private memory: {before} KiB at the start, at most {most}")
        vm.passes()


vmmtest.main(sys.modules[__name__])
