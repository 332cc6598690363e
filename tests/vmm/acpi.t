#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ACPI tables that vpod-vmm gives its guests, read by iasl.  No KVM, no root.
cd "$(dirname "$0")/../.." || exit 99
O=$(realpath "${O:-build}")
. tests/lib.sh

# The tables of a machine with $1 CPUs and $2 devices, disassembled; iasl must find nothing to say.
disassemble() {
	command -v iasl >/dev/null || skip "iasl is not installed (acpica-tools)"
	"$O/tests/tools/acpidump" "$1" "$2" . || fail "no tables"
	local t
	for t in *.aml; do
		iasl -d "$t" >"$t.log" 2>&1 || fail "iasl refuses $t: $(tail -n 3 "$t.log")"
		! grep -iE 'error|warning|incorrect|invalid' "$t.log" || fail "iasl complains of $t"
	done
}

t_tables_disassemble_and_compile_again() {
	disassemble 1 4
	is tables "$(echo *.aml)" "APIC.aml DSDT.aml FACP.aml XSDT.aml"
	iasl DSDT.dsl >log 2>&1 || fail "the DSDT does not compile: $(tail -n 5 log)"
	grep -q '^Compilation successful. 0 Errors, 0 Warnings' log || fail "$(tail -n 3 log)"
}

t_each_device_has_a_node() {
	disassemble 1 32
	is nodes "$(grep -c LNRO0005 DSDT.dsl)" 32
	is ranges "$(grep -oE '0xD00[0-9A-F]{5}' DSDT.dsl | sort -u | wc -l)" 32
	grep -q '0xD001F000' DSDT.dsl || fail "the last device is elsewhere"
	is lines "$(grep -oE '0x000000[0-9A-F]{2},$' DSDT.dsl | sort -u | wc -l)" 20
}

t_each_cpu_has_an_apic() {
	disassemble 16 1
	is apics "$(grep -c 'Processor Local APIC' APIC.dsl)" 16
	is enabled "$(grep -c 'Processor Enabled : 1' APIC.dsl)" 16
	is ioapics "$(grep -c 'I/O APIC]' APIC.dsl)" 1
}

t_machine_is_hardware_reduced() {
	disassemble 1 1
	grep -q 'Hardware Reduced (V5) : 1' FACP.dsl || fail "not hardware-reduced"
	grep -q '_S5' DSDT.dsl || fail "no S5"
	for id in PNP0501 QEMU0001; do
		grep -q "$id" DSDT.dsl || fail "no $id"
	done
}

tap_run "$@"
