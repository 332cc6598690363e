# SPDX-License-Identifier: Apache-2.0
"""Runs vpod-vmm with guests of a few bytes (tests/vmm/*.c, *.S), and speaks TAP.

A test is a function named t_<behaviour> of the calling module; it fails by an exception and skips
by Skip.  main() runs them all, or those that are named on the command line.
"""
import fcntl
import os
import select
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("O", os.path.join(TOP, "build"))
VMM = os.path.join(BUILD, "vpod-vmm")
DEADLINE = 60  # seconds, of anything that is waited for


class Skip(Exception):
    """What is tested cannot be run here."""


def need_kvm():
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError as e:
        raise Skip(f"/dev/kvm cannot be opened: {e.strerror}") from e


class Vmm:
    """One vpod-vmm with a payload; lines go into its description, fds are inherited."""

    def __init__(self, payload, lines=(), fds=(), cmdline="", memory=16 << 20, prefix=(),
                 cpus=1, boot="auto", machine="", program=VMM, env=None, args=(), user=None):
        need_kvm()
        self.dir = tempfile.TemporaryDirectory(prefix="vpod-vmm-test.")
        self.serial = os.path.join(self.dir.name, "serial")
        self.report = os.path.join(self.dir.name, "report")
        self.spec = spec = os.path.join(self.dir.name, "spec")
        text = ["vpod-vmm 1", f"machine cpus={cpus} memory={memory} {machine}".strip(),
                f"kernel path={BUILD}/tests/vmm/{payload} boot={boot}", f"serial path={self.serial}",
                f"report path={self.report}"]
        text += [f"cmdline {cmdline}"] if cmdline else []
        with open(spec, "w", encoding="ascii") as f:
            f.write("\n".join(text + list(lines)) + "\n")
        if user is not None:
            os.chown(self.dir.name, user, user)
        self.process = subprocess.Popen(
            [*prefix, program, f"--spec={spec}", *args, *os.environ.get("VPOD_VMM_ARGS", "").split()],
            pass_fds=list(fds), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env, user=user,
            group=user, extra_groups=None if user is None else [])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.dir.cleanup()

    def said(self):
        try:
            with open(self.serial, encoding="latin-1") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_said(self, text):
        until(lambda: text in self.said() or self.process.poll() is not None,
              f"the guest says {text!r}")
        assert text in self.said(), f"no {text!r}, but: {self.said()!r} {self.process.stderr.read()!r}"

    def end(self):
        """Waits for the end; returns the report's words behind "end", e.g. "reset keyboard ..."."""
        try:
            _, err = self.process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired as e:
            raise AssertionError(f"runs for ever; it said {self.said()!r}") from e
        with open(self.report, encoding="latin-1") as f:
            report = f.read()
        assert report.startswith("end "), f"report {report!r}, stderr {err!r}"
        return report[4:].strip()

    def passes(self):
        end = self.end()
        assert end.startswith("reset"), f"ended as {end!r}; the guest said: {self.said()!r}"

    def machine(self):
        """The machine's process: the one child of what was started, unless --no-jail."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as f:
            children = f.read().split()
        assert len(children) < 2, children
        return int(children[0]) if children else self.process.pid

    def memory_kib(self):
        """Private memory, as the kernel counts it, without the guest's; the starter's too."""
        total, is_guest = 0, False
        for pid in {self.process.pid, self.machine()}:
            with open(f"/proc/{pid}/smaps", encoding="ascii") as f:
                for line in f:
                    words = line.split()
                    if "-" in words[0] and not words[0].endswith(":"):
                        first, last = (int(x, 16) for x in words[0].split("-"))
                        is_guest = last - first >= 8 << 20
                    elif words[0] in ("Private_Dirty:", "Private_Clean:") and not is_guest:
                        total += int(words[1])
        return total


def until(condition, what):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"not true in time: {what}"
        time.sleep(0.01)


def read_some(fd, n=65536, what="bytes"):
    """What is there, b"" at the end of file; waits for it."""
    ready, _, _ = select.select([fd], [], [], DEADLINE)
    assert ready, f"not there in time: {what}"
    return os.read(fd if isinstance(fd, int) else fd.fileno(), n)


def nonblocking(fd):
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)


def main(module):
    tests = {n: f for n, f in vars(module).items() if n.startswith("t_")}
    if len(sys.argv) > 1:
        tests = {f"t_{n}": tests[f"t_{n}"] for n in sys.argv[1:]}
    print(f"1..{len(tests)}")
    failed = False
    for i, (name, test) in enumerate(tests.items(), 1):
        try:
            test()
            print(f"ok {i} - {name[2:]}", flush=True)
        except Skip as e:
            print(f"ok {i} - {name[2:]} # SKIP {e}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed = True
            print(f"not ok {i} - {name[2:]}")
            print("".join("#   " + line for line in traceback.format_exc().splitlines(True)),
                  flush=True)
    sys.exit(failed)
