# SPDX-License-Identifier: Apache-2.0
"""Boots vpod-init in QEMU (TCG, microvm) and speaks the guest protocol with it.

A test rig that needs neither the supervisor nor its backends: see guest-init/proto.h for the
frames and guest-init/podspec.h for the spec.
"""
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

HELLO, READY, STARTED, EXITED, FAILED, DONE, OPEN = range(1, 8)
DATA, EOF, CREDIT, CLOSE, END = range(16, 21)
STOP, SIGNAL, WINSIZE = range(32, 35)
STDIN, STDOUT, STDERR = range(3)
POD = 0xFFFF
WINDOW = 128 * 1024


def record(key, value):
    value = value if isinstance(value, bytes) else str(value).encode()
    return b"%s %d\n%s\n" % (key.encode(), len(value), value)


def spec(apps, hostname="pod", scratch="tmpfs 0", volumes=(), debug=True, pod=()):
    """apps: a list of dicts; a list as value stands for the key once per item.
    pod: more records of the pod, (key, value)."""
    out = record("vpod-spec", "1") + record("hostname", hostname) + record("scratch", scratch)
    for v in volumes:
        out += record("volume", v)
    if debug:
        out += record("debug", "1")
    for key, value in pod:
        out += record(key, value)
    for app in apps:
        app = dict(app)
        out += record("app", app.pop("app"))
        for key, value in app.items():
            for v in value if isinstance(value, (list, tuple)) else [value]:
                out += record(key, v)
    return out


def cpio(files):
    """A newc archive of {path: (mode, bytes)}."""
    out = b""
    for n, (name, (mode, data)) in enumerate(list(files.items()) + [("TRAILER!!!", (0, b""))]):
        name = name.encode() + b"\0"
        fields = [n + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + name
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return out


def tsc_khz():
    """The host's TSC frequency, measured: QEMU's microvm guests often fail to find it (TCG)."""
    code = r"""
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>
int main(void){struct timespec a,b;unsigned long long t,u;clock_gettime(CLOCK_MONOTONIC_RAW,&a);
t=__rdtsc();do{clock_gettime(CLOCK_MONOTONIC_RAW,&b);}while((b.tv_sec-a.tv_sec)*1e9+b.tv_nsec-a.tv_nsec<2e8);
u=__rdtsc();printf("%.0f",(u-t)/(((b.tv_sec-a.tv_sec)*1e9+b.tv_nsec-a.tv_nsec)/1e6));}"""
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["gcc", "-O1", "-x", "c", "-", "-o", d + "/t"], input=code.encode(), check=True)
        return int(subprocess.run([d + "/t"], capture_output=True, check=True).stdout)


class Guest:
    def __init__(self, kernel, init, text, disks=(), memory=256, khz=2600000, modules=(), cpus=1,
                 extra="", macs=()):
        """disks: (serial, path, is_readonly).  macs: of NICs with QEMU's user network."""
        self.dir = tempfile.mkdtemp(prefix="guestrig")
        files = {"dev": (0o040755, b""), "dev/console": (0o020600, b""),
                 "init": (0o100755, open(init, "rb").read()), "pod.spec": (0o100600, text)}
        del files["dev/console"]
        if modules:
            files["modules"] = (0o040755, b"")
            names = [os.path.basename(m) for m in modules]
            files["modules/order"] = (0o100644, ("\n".join(names) + "\n").encode())
            for m in modules:
                files["modules/" + os.path.basename(m)] = (0o100644, open(m, "rb").read())
        with open(self.dir + "/initrd", "wb") as f:
            f.write(cpio(files))
        ours, theirs = socket.socketpair()
        argv = ["qemu-system-x86_64", "-M", "microvm,accel=tcg,pic=off,pit=off,rtc=off,isa-serial=on",
                "-cpu", "max", "-m", str(memory), "-smp", str(cpus), "-nodefaults",
                "-no-user-config", "-no-reboot", "-display", "none",
                "-serial", "file:" + self.dir + "/console", "-kernel", kernel,
                "-initrd", self.dir + "/initrd", "-append",
                f"console=ttyS0 reboot=t panic=-1 quiet tsc_early_khz={khz} {extra}",
                "-chardev", f"socket,id=c,fd={theirs.fileno()}", "-device", "virtio-serial-device",
                "-device", "virtserialport,chardev=c,name=vpod.control"]
        for i, (serial, path, ro) in enumerate(disks):
            argv += ["-drive", f"id=d{i},if=none,format=raw,file={path},readonly={'on' if ro else 'off'}",
                     "-device", f"virtio-blk-device,drive=d{i},serial={serial}"]
        for i, mac in enumerate(macs):
            argv += ["-netdev", f"user,id=n{i}", "-device", f"virtio-net-device,netdev=n{i},mac={mac}"]
        self.began = time.monotonic()
        self.qemu = subprocess.Popen(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        ours.setblocking(False)
        self.sock, self.buf, self.outq = ours, b"", bytearray()
        self.frames, self.out, self.ends = [], {}, []
        self.times = {}
        self.auto_credit, self.stdin = True, {}
        self.room, self.unreturned = {}, {}
        self.sink = None  # called with (session, stream, bytes) instead of keeping output
        self.is_over = False

    def send(self, kind, session=POD, stream=0, payload=b""):
        self.outq += struct.pack("<BBHI", kind, stream, session, len(payload)) + payload

    def feed(self, session, data, eof=True):
        """Standard input, sent as credit allows."""
        self.stdin[session] = [memoryview(data), eof]
        self.room.setdefault(session, WINDOW)

    def stop(self, grace_ms):
        self.send(STOP, POD, 0, struct.pack("<I", grace_ms))

    def signal(self, signo, session=POD):
        self.send(SIGNAL, session, 0, struct.pack("<I", signo))

    def winsize(self, rows, cols, session=0):
        self.send(WINSIZE, session, 0, struct.pack("<HH", rows, cols))

    def close_output(self, session, stream):
        self.send(CLOSE, session, stream)

    def _push_stdin(self):
        for session, item in list(self.stdin.items()):
            while item[0] and self.room[session] and len(self.outq) < 1 << 16:
                n = min(len(item[0]), self.room[session], 4096)
                self.send(DATA, session, STDIN, bytes(item[0][:n]))
                item[0] = item[0][n:]
                self.room[session] -= n
            if not item[0]:
                if item[1]:
                    self.send(EOF, session, STDIN)
                del self.stdin[session]

    def _frame(self, kind, stream, session, payload):
        self.times.setdefault(kind, time.monotonic() - self.began)
        if kind == DATA:
            key = (session, stream)
            if self.sink:
                self.sink(session, stream, payload)
            else:
                self.out[key] = self.out.get(key, b"") + payload
            if self.auto_credit:
                n = self.unreturned.get(key, 0) + len(payload)
                if n >= WINDOW // 4:
                    self.send(CREDIT, session, stream, struct.pack("<I", n))
                    n = 0
                self.unreturned[key] = n
        elif kind == CREDIT:
            self.room[session] = self.room.get(session, WINDOW) + struct.unpack("<I", payload)[0]
        else:
            if kind == CLOSE and session in self.stdin:
                del self.stdin[session]
            self.frames.append((kind, session, stream, payload))

    def step(self, timeout):
        """Waits for something; False when the stream ended."""
        self._push_stdin()
        want = [self.sock] if self.outq else []
        r, w, _ = select.select([self.sock], want, [], timeout)
        if w:
            try:
                del self.outq[:self.sock.send(self.outq)]
            except (BrokenPipeError, ConnectionResetError):
                self.outq.clear()
        if r:
            try:
                data = self.sock.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                self.is_over = True
                return False
            self.buf += data
            at = 0
            while len(self.buf) - at >= 8:
                kind, stream, session, n = struct.unpack_from("<BBHI", self.buf, at)
                assert n <= 4096, (kind, session, n)
                if len(self.buf) - at < 8 + n:
                    break
                self._frame(kind, stream, session, self.buf[at + 8:at + 8 + n])
                at += 8 + n
            self.buf = self.buf[at:]
        return True

    def until(self, cond, seconds=60):
        deadline = time.monotonic() + seconds
        while not cond():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(self.console())
            if not self.step(left):
                break
        return self

    def has(self, kind, session=None):
        return any(f[0] == kind and (session is None or f[1] == session) for f in self.frames)

    def wait(self, seconds=60):
        """Until DONE, then the machine's end."""
        self.until(lambda: self.has(DONE), seconds)
        try:
            self.qemu.wait(10)
        except subprocess.TimeoutExpired:
            raise TimeoutError("the guest did not leave after DONE: " + self.console())
        return self

    def exited(self, session=0):
        """(code, signal, flags) of an app, or None."""
        for kind, s, _, payload in self.frames:
            if kind == EXITED and s == session:
                return struct.unpack("<IIII", payload)[:3]
        return None

    def failed(self, session=0):
        for kind, s, _, payload in self.frames:
            if kind == FAILED and s == session:
                code, num = struct.unpack_from("<II", payload)
                return code, num, payload[8:].split(b"\0")[0].decode()
        return None

    def console(self):
        try:
            return open(self.dir + "/console", errors="replace").read()
        except OSError:
            return ""

    def close(self):
        self.sock.close()
        if self.qemu.poll() is None:
            self.qemu.kill()
            self.qemu.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()
