#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guests that break the rules of rings and registers: V01 to V17 of the catalogue of attacks, live,
on every device.  Either this machine ends, with the reason, or nobody notices."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402

ENDS = ["V01-self", "V01-two", "V01-empty", "V03-jump", "V05-wrap", "V06-end", "V06-window", "V08-head",
        "V08-next", "V09-table", "V13-size", "V13-place"]
GOES_ON = ["V04-skip", "V07-rings", "V10-order", "V12-late", "V14-sweep", "V16-status", "V17-storm"]
# by virtio id: its name, its lines, a queue of the guest's
DEVICES = {
    2: ("blk", ["disk serial=x path={disk}"], 0),
    3: ("console", ["console name=p fd={fd}"], 1),
    4: ("rng", ["rng"], 0),
    5: ("balloon", ["balloon"], 0),
}


def run(case, device, disk):
    name, lines, queue = DEVICES[device]
    ours, theirs = socket.socketpair()
    with ours, theirs, vmmtest.Vmm("evil", [x.format(disk=disk, fd=theirs.fileno()) for x in lines],
                                   [theirs.fileno()], cmdline=f"{case} {device} {queue}") as vm:
        start = time.monotonic()
        end = vm.end()
        return name, end, vm.process.returncode, time.monotonic() - start, vm.said()


def every(cases, check):
    vmmtest.need_kvm()
    with tempfile.NamedTemporaryFile() as disk:
        disk.truncate(1 << 20)
        for case in cases:
            for device in DEVICES:
                check(case, *run(case, device, disk.name))


def t_broken_rings_end_the_machine_with_their_reason():
    def check(case, name, end, status, took, said):
        want = f"guest-violation {case[:3]} {name}: "
        assert end.startswith(want), (case, name, end, said)
        assert status == 1, (case, name, status)
        assert took < 5, (case, name, took)
    every(ENDS, check)


def t_what_hurts_only_the_guest_goes_on():
    def check(case, name, end, status, _, said):
        # a device may overwrite a ring as it was told to: what then lies there is a broken ring
        if case == "V07-rings" and re.match(f"guest-violation V0[1-9] {name}: ", end):
            return
        assert end.startswith("reset") and status == 0, (case, name, end, status, said)
    every(GOES_ON, check)


def t_the_reason_is_one_line_on_standard_error():
    with tempfile.NamedTemporaryFile() as disk:
        disk.truncate(1 << 20)
        with vmmtest.Vmm("evil", [f"disk serial=x path={disk.name}"], cmdline="V01-self 2 0") as vm:
            try:
                _, err = vm.process.communicate(timeout=vmmtest.DEADLINE)
            except subprocess.TimeoutExpired as e:
                raise AssertionError("runs for ever") from e
    err = "".join(x for x in err.splitlines(True) if "--no-jail" not in x)
    assert err == ("vpod-vmm: cannot go on: the guest broke a rule: V01 blk: a descriptor chain "
                   "longer than its queue, or a loop\n"), err


vmmtest.main(sys.modules[__name__])
