#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The machine itself: its entries, its ends, its CPUs."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vmmtest  # noqa: E402


def ends(letter, how):
    with vmmtest.Vmm("ends", cmdline=letter) as vm:
        end = vm.end()
        assert end.split()[0] == how, end


def t_reset_ends_it():
    ends("r", "reset")


def t_panic_signal_ends_it():
    ends("p", "panic")


def t_acpi_power_off_ends_it():
    ends("o", "poweroff")


def t_triple_fault_ends_it():
    ends("t", "triple-fault")


def t_wide_accesses_to_byte_ports_do_nothing():
    ends("i", "reset")


def t_pvh_entry():
    with vmmtest.Vmm("pvh", cmdline="x", boot="pvh") as vm:
        vm.passes()


def t_other_cpus_start():
    for cpus in (1, 4, 16):
        with vmmtest.Vmm("smp", cpus=cpus) as vm:
            vm.passes()
            assert f"cpus {cpus:016x}\n" in vm.said(), vm.said()


if __name__ == "__main__":
    vmmtest.main(sys.modules[__name__])
