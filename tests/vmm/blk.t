#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks of a real machine, driven by a guest of a few bytes, over both backends of the engine."""
import hashlib
import os
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402

SIZE = 1 << 20


def content():
    return b"".join(bytes([(s * 3 + 1) & 255]) * 512 for s in range(SIZE // 512))


class Disk:
    """A file of content(), for as long as the block runs."""

    def __init__(self):
        vmmtest.need_kvm()
        # on a file system that can discard
        self.file = tempfile.NamedTemporaryFile(dir=vmmtest.BUILD)  # pylint: disable=R1732
        self.file.write(content())
        self.file.flush()
        self.path = self.file.name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def read(self):
        with open(self.path, "rb") as f:
            return f.read()

    def line(self, more=""):
        return f"disk serial=live-disk path={self.path} {more}".strip()


def vmm(lines, how, backend, **more):
    return vmmtest.Vmm("blk", lines, cmdline=how, machine=f"io={backend}", **more)


def both(test):
    for backend in ("uring", "threads"):
        test(backend)


def t_reads_writes_flushes_and_discards():
    def test(backend):
        with Disk() as d:
            with vmm([d.line()], "rw", backend) as vm:
                vm.passes()
            want = bytearray(content())
            want[8192:16384] = b"\x99" * 8192
            want[32768:40960] = bytes(8192)
            want[101 * 512:104 * 512] = bytes(1536)
            assert d.read() == want
            assert os.stat(d.path).st_blocks < SIZE // 512, "nothing was discarded"
    both(test)


def t_read_only_disk_is_not_written():
    def test(backend):
        with Disk() as d:
            with vmm([d.line("readonly=on")], "readonly", backend) as vm:
                vm.passes()
            assert d.read() == content()
    both(test)


def t_v18_wrong_requests_are_errors_and_the_file_stays():
    def test(backend):
        with Disk() as d:
            with vmm([d.line()], "wrong", backend) as vm:
                vm.passes()
            assert hashlib.sha256(d.read()).digest() == hashlib.sha256(content()).digest()
    both(test)


def t_v16_resets_with_requests_in_flight():
    def test(backend):
        with Disk() as d:
            with vmm([d.line()], "resets", backend) as vm:
                vm.passes()
    both(test)


def t_flushed_data_survives_kill_9():
    def test(backend):
        with Disk() as d:
            with vmm([d.line()], "flushed", backend) as vm:
                vm.wait_said("flushed")
                vm.process.kill()
                vm.process.wait()
            want = bytearray(content())
            want[4096:8192] = b"\x42" * 4096
            assert d.read() == want
    both(test)


def paced(limit):
    with Disk() as d, vmm([d.line(limit)], "paced", "auto") as vm:
        vm.wait_said("begin")
        start = time.monotonic()
        vm.wait_said("end")
        took = time.monotonic() - start
        vm.passes()
        return took


def holds(limit, want):
    """Never faster; slower only while others need this machine's CPUs."""
    for _ in range(4):
        took = paced(limit)
        assert took > 0.95 * want, (took, want)
        if took < 1.05 * want:
            print(f"# {limit}: {100 * (took / want - 1):+.1f} % of the time it should take")
            return
    raise AssertionError(f"{took} s, wanted {want}")


def t_byte_limit_holds_within_5_percent():
    holds("bytes=4194304 bytes-burst=1048576", (16 - 1) / 4)


def t_operation_limit_holds_within_5_percent():
    holds("ops=100 ops-burst=30", (256 - 30) / 100)


vmmtest.main(sys.modules[__name__])
