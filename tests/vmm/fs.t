#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shared directories of a real machine: a guest of a few bytes and Debian's virtiofsd."""
import os
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402

MEMORY = 512 << 20  # more than any file that the machine may write
SERVERS = ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")


class Server:
    """virtiofsd, sharing a directory with one file."""

    def __init__(self):
        vmmtest.need_kvm()
        path = next((p for p in SERVERS if os.access(p, os.X_OK)), None)
        if not path:
            raise vmmtest.Skip("virtiofsd is not installed")
        self.dir = tempfile.TemporaryDirectory(prefix="vpod-fs-test.")
        self.socket = os.path.join(self.dir.name, "socket")
        share = os.path.join(self.dir.name, "share")
        os.mkdir(share)
        with open(os.path.join(share, "greeting"), "w", encoding="ascii") as f:
            f.write("hello from host")
        self.log = open(os.path.join(self.dir.name, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [path, "-f", "-o", f"source={share},sandbox=chroot", f"--socket-path={self.socket}"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        vmmtest.until(lambda: os.path.exists(self.socket) or self.process.poll() is not None,
                      "virtiofsd listens")
        if self.process.poll() is not None:
            self.log.seek(0)
            raise vmmtest.Skip(f"virtiofsd does not run here: {self.log.read().strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()
        self.dir.cleanup()


def t_a_file_is_read_and_read_again_after_a_reset():
    with Server() as s, vmmtest.Vmm("fs", [f"fs tag=home path={s.socket}"], memory=MEMORY) as vm:
        vm.passes()


def t_a_socket_may_be_inherited():
    with Server() as s, socket.socket(socket.AF_UNIX) as c:
        c.connect(s.socket)
        with vmmtest.Vmm("fs", [f"fs tag=home fd={c.fileno()}"], [c.fileno()]) as vm:
            c.close()
            vm.passes()


def t_a_server_that_dies_ends_the_machine():
    with Server() as s, vmmtest.Vmm("fs", [f"fs tag=home path={s.socket}"], cmdline="w") as vm:
        vm.wait_said("read again")
        s.process.kill()
        end = vm.end()
        assert end.startswith("failed") and "home" in end and "went away" in end, end


def t_a_server_that_speaks_something_else_is_refused():
    vmmtest.need_kvm()
    a, b = socket.socketpair()
    b.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with a, b, vmmtest.Vmm("fs", [f"fs tag=home fd={a.fileno()}"], [a.fileno()]) as vm:
        _, err = vm.process.communicate(timeout=vmmtest.DEADLINE)
        assert vm.process.returncode == 1 and "cannot share directory home" in err, err


if __name__ == "__main__":
    vmmtest.main(sys.modules[__name__])
