#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest reads every port and every page of the window of devices (V25): what answers is what
--surface lists."""
import os
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402


def surface(spec, console):
    out = subprocess.run([vmmtest.VMM, "--surface", f"--spec={spec}"], check=True, text=True,
                         stdout=subprocess.PIPE, pass_fds=[console.fileno()]).stdout
    ports, wide, pages = set(), set(), set()
    for line in out.splitlines():
        words = line.split()
        if words[0] not in ("port", "mmio"):
            continue
        first, last = (int(x, 16) for x in words[1].split("-"))
        if words[0] == "mmio":
            pages |= set(range(first & ~0xfff, last + 1, 0x1000))
        else:
            ports |= set(range(first, last + 1))
            if words[2] == "kvm":  # these have a 16-bit side
                wide.add(first)
    return ports, wide, pages


def t_a_guest_finds_what_surface_lists_and_nothing_else():
    end, other = socket.socketpair()
    lines = ["rng", f"console fd={end.fileno()}"]
    with end, other, vmmtest.Vmm("sweep", lines=lines, fds=[end.fileno()]) as vm:
        vm.passes()
        found = [line.split() for line in vm.said().splitlines()]
        ports, wide, pages = surface(vm.spec, end)
    by_size = {n: {int(w[2], 16) for w in found if w[0] == "p" and w[1] == n} for n in "124"}
    assert by_size["1"] == ports, (sorted(by_size["1"] ^ ports))
    assert by_size["2"] <= wide and not by_size["4"], by_size
    windows = {int(w[1], 16) for w in found if w[0] == "m"}
    assert windows == pages, ([hex(p) for p in windows ^ pages])
    assert len([p for p in pages if p < 0xfec00000]) == len(lines), pages


if __name__ == "__main__":
    vmmtest.main(sys.modules[__name__])
