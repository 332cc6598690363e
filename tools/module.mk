# SPDX-License-Identifier: Apache-2.0
# Benchmarks.  make bench [BENCH="start-up run-true boot image vmm rig"] [QUICK=1]
BENCH ?= start-up run-true boot image vmm rig
BENCH_PROGRAMS := $(O)/bench/insn.so $(O)/bench/guest $(O)/bench/null $(O)/bench/poweroff $(O)/bench/spawn $(O)/tests/vmm/idle

$(O)/bench/insn.so: tools/bench/insn.c
	$(say) PLUGIN $@
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O2 -shared -fPIC -fvisibility=hidden -o $@ $<

$(O)/bench/null: tools/bench/null.S tests/vmm/guest.ld
	$(say) GUEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(PAYLOAD_FLAGS) -o $@ $<

$(O)/bench/guest $(O)/bench/poweroff $(O)/bench/spawn: $(O)/bench/%: tools/bench/%.c
	$(say) MUSL $@
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) -std=gnu17 $(WARN) -Os -static -s -o $@ $<

.PHONY: bench bench-programs
bench-programs: all $(BENCH_PROGRAMS)

# All are run; it fails when a number is over its limit.  77: skipped, and it said why.
bench:
	tools/setup
	$(MAKE) bench-programs
	@rc=0; for b in $(BENCH); do echo "# $$b"; O=$(O) tools/bench/$$b $(if $(QUICK),--quick); \
		r=$$?; [ $$r = 0 ] || [ $$r = 77 ] || rc=1; done; exit $$rc
