#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What who took vpod-vmm over gets: nothing.  Needs root and /dev/kvm.

Runs vpod-vmm-escape (tests/tools/vmm_escape.c), in which a thread makes one attempt when all its
rights are gone.  One line for each attempt: no thread gets it done, the report names the system
call.  Then the same without any filter, by the jail alone: what it holds by itself, it shall hold.
"""
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402

ESCAPE = os.path.join(vmmtest.BUILD, "vmm-escape", "vpod-vmm")

# Not the jail's to hold: what a process may do to itself, and its own VM.
FILTER_ONLY = {"bind", "keyctl", "add_key", "ioctl-KVM_GET_REGS", "ioctl-KVM_SET_USER_MEMORY_REGION",
               "prctl-dumpable", "seccomp", "x32-open", "int80", "modify_ldt", "fchmod-setuid"}
# No system call that a 64-bit program can name: the kernel kills at once, nobody is left to tell.
UNNAMED = {"x32-open", "int80"}


def attempt(what, unfiltered=False):
    env = dict(os.environ, VMM_ESCAPE=what, VMM_ESCAPE_VICTIM=str(os.getpid()))
    if unfiltered:
        env["VMM_ESCAPE_UNFILTERED"] = "1"
    with vmmtest.Vmm("null", program=ESCAPE, env=env) as vm:
        _, err = vm.process.communicate(timeout=vmmtest.DEADLINE)
        try:
            with open(vm.report, encoding="latin-1") as f:
                report = f.read()
        except FileNotFoundError:
            report = ""
        return vm.process.returncode, err, report


def names():
    _, err, _ = attempt("vcpu:list", unfiltered=True)
    return [line.split()[1] for line in err.splitlines() if line.startswith("ATTEMPT ")]


def is_held_by_filter(name):
    for thread in ("vcpu", "io"):
        status, err, report = attempt(f"{thread}:{name}")
        assert "ESCAPED" not in err and "REFUSED" not in err, f"{thread}: {err}"
        assert status == 1, f"{thread}: exit status {status}"
        if name in UNNAMED:
            assert report == "end failed the machine's process was killed by signal " \
                f"{signal.SIGSYS.value}\n", f"{thread}: report {report!r}"
        else:
            call = name.split("-")[0]
            call = {"proc": "open", "setrlimit": "prlimit64", "mprotect": "mprotect"}.get(call, call)
            assert report == f"end failed seccomp: system call {call} in thread {thread}\n", \
                f"{thread}: report {report!r}"


def is_held_by_jail(name):
    _, err, _ = attempt(f"io:{name}", unfiltered=True)
    assert f"REFUSED {name}" in err, err


def main():
    try:
        vmmtest.need_kvm()
        if os.getuid() != 0:
            raise vmmtest.Skip("needs root")
        subprocess.run([ESCAPE, "--version"], check=True, stdout=subprocess.DEVNULL)
    except vmmtest.Skip as e:
        print(f"1..1\nok 1 - escapes # SKIP {e}")
        return
    todo = names()
    assert len(todo) >= 40, todo
    module = sys.modules[__name__]
    for name in todo:
        setattr(module, f"t_{name}_is_held_by_the_filter", lambda n=name: is_held_by_filter(n))
    for name in todo:
        if name not in FILTER_ONLY:
            setattr(module, f"t_{name}_is_held_by_the_jail_alone", lambda n=name: is_held_by_jail(n))
    vmmtest.main(module)


if __name__ == "__main__":
    main()
