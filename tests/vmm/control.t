#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket of a running machine; and machines that stop for good."""
import json
import os
import re
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402


class Client:
    def __init__(self, vm=None, path=None, sock=None):
        self.vm = vm
        self.sock = sock or socket.socket(socket.AF_UNIX)
        if path:
            self.sock.connect(path)
        self.sock.settimeout(vmmtest.DEADLINE)
        self.file = self.sock.makefile("rw")

    def raw(self, line):
        self.file.write(line + "\n")
        self.file.flush()
        return self.file.readline()

    def ask(self, line):
        return json.loads(self.raw(line))

    def refused(self, line, why):
        answer = self.ask(line)
        assert why in answer.get("error", ""), (line, answer)

    def prometheus(self):
        text = line = self.raw("metrics prometheus")
        while line and line != "# EOF\n":
            line = self.file.readline()
            text += line
        return text

    def close(self):
        self.file.close()
        self.sock.close()


def start(payload="idle", lines=(), fds=(), **kw):
    """A machine, and a client at the other end of a socketpair."""
    ours, theirs = socket.socketpair()
    with theirs:
        vm = vmmtest.Vmm(payload, lines=[*lines, f"control fd={theirs.fileno()}"],
                         fds=[*fds, theirs.fileno()], **kw)
    client = Client(vm, sock=ours)
    assert client.ask("hello")["version"] == 1
    return vm, client


def cpu_seconds(vm):
    total = 0
    for task in os.listdir(f"/proc/{vm.machine()}/task"):
        with open(f"/proc/{vm.machine()}/task/{task}/stat", encoding="ascii") as f:
            words = f.read().rsplit(")", 1)[1].split()
            total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def t_a_paused_guest_uses_no_cpu_and_goes_on_later():
    vm, c = start("spin", cpus=2)
    with vm:
        for _ in range(3):
            assert c.ask("pause") == {"state": "paused"}
            assert c.ask("pause") == {"state": "paused"}
            before = cpu_seconds(vm)
            time.sleep(0.3)
            assert cpu_seconds(vm) - before < 0.05, "it runs while paused"
            assert c.ask("resume") == {"state": "running"}
            vmmtest.until(lambda b=before: cpu_seconds(vm) > b + 0.05, "it goes on")
        c.close()


def t_pause_and_resume_hold_under_a_storm():
    vm, c = start("spin", cpus=4)
    with vm:
        for _ in range(300):
            assert c.ask("pause") == {"state": "paused"}
            assert c.ask("resume") == {"state": "running"}
        assert c.ask("metrics")["machine"]["exits_interrupted"] >= 4
        c.close()


def t_stop_ends_it():
    vm, c = start()
    with vm:
        assert c.ask("stop") == {"state": "stopping"}
        assert vm.end() == "stopped by the control socket"
        c.close()


def t_a_stopped_machine_may_be_paused():
    vm, c = start("spin")
    with vm:
        c.ask("pause")
        c.ask("stop")
        assert vm.end() == "stopped by the control socket"
        c.close()


def t_wrong_words_are_refused():
    vm, c = start(lines=["rng"])
    with vm:
        for line, why in (("", "no such command"), ("paus", "no such command"), ("stop now", "too many words"),
                          ("metrics xml", "no such format"), ("balloon 1", "no balloon"),
                          ("limits", "which device"), ("limits x bytes=1", "no such device"),
                          ("limits nic0 rx", "which way")):
            if line == "limits nic0 rx":
                why = "no such device"
            c.refused(line, why)
        c.sock.sendall(b"x" * 4096)
        try:
            assert c.sock.recv(1) == b""
        except ConnectionResetError:
            pass
        c.close()
        assert vm.process.poll() is None


def t_limits_and_metrics_name_the_devices():
    disk = os.memfd_create("disk", 0)
    os.ftruncate(disk, 1 << 20)
    vm, c = start(lines=[f"disk serial=root fd={disk}", "balloon", "rng"], fds=[disk])
    with vm:
        assert c.ask("limits root bytes=1000000 ops=10") == {"limits": {"bytes": 1000000, "ops": 10}}
        c.refused("limits root bytes=0", "not a limit")
        c.refused("limits root speed=1", "not a limit")
        assert c.ask("balloon 1048576")["target"] == 1 << 20
        c.refused(f"balloon {1 << 40}", "neither stats nor bytes")
        m = c.ask("metrics")
        assert m["machine"]["memory_bytes"] == 16 << 20
        kinds = {d["device"]: d for d in m["devices"]}
        assert kinds["blk"]["name"] == "root" and kinds["blk"]["reads"] == 0, m
        assert kinds["balloon"]["target_bytes"] == 1 << 20, m
        text = c.prometheus()
        assert 'vpod_vmm_blk_reads_total{slot="' in text and "vpod_vmm_memory_bytes 16777216\n" in text
        for line in text.splitlines():
            assert re.fullmatch(r"# (TYPE [a-z0-9_]+ (counter|gauge)|EOF)|[a-z0-9_]+(\{[^{}]*\})? \d+", line), line
        families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
        assert len(families) == len(set(families)), families
        c.close()
    os.close(disk)


def t_a_socket_by_path_serves_one_client_after_the_other():
    with vmmtest.Vmm("idle", lines=["control path=/tmp/x"]) as probe:  # only for its directory
        path = os.path.join(probe.dir.name, "control")
        with vmmtest.Vmm("idle", lines=[f"control path={path}"]) as vm:
            vmmtest.until(lambda: os.path.exists(path), "there is a socket")
            assert os.stat(path).st_mode & 0o777 == 0o600
            for _ in range(50):
                c = Client(vm, path=path)
                assert c.ask("state") == {"state": "running"}
                c.close()
            c = Client(vm, path=path)
            with vmmtest.Vmm("idle", lines=[f"control path={path}"]) as other:
                _, err = other.process.communicate(timeout=vmmtest.DEADLINE)
                assert "cannot make control socket" in err, err
            c.ask("stop")
            assert vm.end() == "stopped by the control socket"
            c.close()
        old = os.stat(path).st_ctime_ns
        with vmmtest.Vmm("idle", lines=[f"control path={path}"]) as vm:  # the old one is in the way
            vmmtest.until(lambda: vm.process.poll() is not None or is_new(path, old), "it listens")
            Client(vm, path=path).ask("stop")
            vm.end()


def is_new(path, old):
    """Somebody listens, and not the machine that the kernel still takes apart."""
    if not os.path.exists(path) or os.stat(path).st_ctime_ns == old:
        return False
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


def t_a_halt_with_interrupts_off_ends_it():
    for cpus in (1, 4):
        with vmmtest.Vmm("halt", cpus=cpus) as vm:
            began = time.monotonic()
            assert vm.end().startswith("halt"), vm.report
            assert time.monotonic() - began < 20


def t_an_idle_guest_goes_on():
    vm, c = start("idle", cpus=2)
    with vm:
        vmmtest.until(lambda: c.ask("metrics")["machine"]["exits_interrupted"] >= 4, "it was asked twice")
        assert vm.process.poll() is None
        c.close()


if __name__ == "__main__":
    vmmtest.main(sys.modules[__name__])
