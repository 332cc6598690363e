# SPDX-License-Identifier: Apache-2.0
# Tests.  Each tests/unit/test_*.c is a cmocka program and each tests/fuzz/fuzz_*.c a libFuzzer one;
# both are linked with an archive of everything, from which the linker takes what they use.
UNIT_NAMES := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_PROGRAMS := $(addprefix $(O)/tests/unit/,$(UNIT_NAMES))
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(addprefix $(O)/fuzz/,$(FUZZ_NAMES))

TEST_ALL_OBJS = $(sort $(BASE_OBJS) $(IMAGES_CORE_OBJS) $(IMAGES_FETCH_OBJS) $(LAYER_OBJS) \
	$(VMM_CORE_OBJS) $(STAGE0_OBJS) $(KERNEL_OBJS) $(KERNEL_IMPORT_OBJS) $(INIT_PORTABLE_OBJS)) \
	$(patsubst %.c,$(O)/%.o,$(wildcard tests/unit/*_fixture.c tests/tools/erofs_check.c))
TEST_LIBS = $(IMAGES_LIBS) $(KERNEL_IMPORT_LIBS) $(BASE_LIBS)
CMOCKA = $(call need,cmocka,--libs,libcmocka-dev,libcmocka-devel)

# q, not r: members of two folders may have the same name
$(O)/tests/libvpod.a: $(TEST_ALL_OBJS)
	$(say) AR $@
	@mkdir -p $(@D); rm -f $@
	$(Q)ar qcs $@ $^

$(UNIT_PROGRAMS): $(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/tests/libvpod.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(TEST_LIBS) $(CMOCKA)

# Tools of the tests.
TEST_TOOLS := $(addprefix $(O)/tests/tools/,acpidump layer2erofs vmargv)
$(TEST_TOOLS): $(O)/tests/tools/%: $(O)/tests/tools/%.o $(O)/tests/libvpod.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(TEST_LIBS)

# Guests of a few bytes, for tests/vmm/*.t.
PAYLOAD_FLAGS = -ffreestanding -nostdlib -static -no-pie -fno-pie -O2 -Wall -Wextra -Werror \
	-mgeneral-regs-only -mno-red-zone -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -Wl,-T,tests/vmm/guest.ld -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments -Wl,-z,noexecstack
PAYLOADS := $(patsubst tests/vmm/%,$(O)/tests/vmm/%,$(basename $(wildcard tests/vmm/*.S tests/vmm/*.c)))
$(O)/tests/vmm/%: tests/vmm/%.S tests/vmm/guest.ld
	$(say) GUEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(PAYLOAD_FLAGS) -o $@ $<
$(O)/tests/vmm/%: tests/vmm/%.c tests/vmm/guest.ld tests/vmm/lib.h
	$(say) GUEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(PAYLOAD_FLAGS) -o $@ $<

# vpod-vmm with a hook that tries to escape, for tests/vmm/escape.t alone.
$(O)/vmm-escape/sandbox.o: vmm/sandbox.c $(O)/gen/sandbox_filters.h VERSION
	$(say) MUSL $@
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(VMM_CFLAGS) -DVMM_ESCAPE_TEST -MMD -MP -c -o $@ $<
$(O)/vmm-escape/vpod-vmm: $(filter-out %/sandbox.o,$(VMM_OBJS)) $(O)/vmm-escape/sandbox.o \
		$(O)/vmm-static/tests/tools/vmm_escape.o
	$(say) LINK $@
	$(Q)$(VMM_LINK)
TEST_TOOLS += $(O)/vmm-escape/vpod-vmm

# Fuzzers: everything once more, by clang.
FUZZ_CC ?= clang
FUZZ_FLAGS = -std=gnu17 -g -O1 -fsanitize=address,undefined,fuzzer-no-link -fno-omit-frame-pointer \
	-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -fno-sanitize-recover=undefined -Wno-unknown-warning-option
$(O)/fuzz/%.o: %.c
	$(say) FUZZCC $<
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CPPFLAGS_ALL) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

$(O)/fuzz/libvpod.a: $(patsubst $(O)/%,$(O)/fuzz/%,$(filter-out $(O)/stage0/main.o,$(TEST_ALL_OBJS)))
	$(say) AR $@
	@rm -f $@
	$(Q)ar qcs $@ $^

$(FUZZ_PROGRAMS): $(O)/fuzz/fuzz_%: $(O)/fuzz/tests/fuzz/fuzz_%.o $(O)/fuzz/libvpod.a
	$(say) LD $@
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(TEST_LIBS)
.SECONDARY: $(patsubst %,$(O)/fuzz/tests/fuzz/%.o,$(FUZZ_NAMES))

.PHONY: payloads unit-programs fuzz-programs fuzz check test test-all golden
unit-programs: all $(UNIT_PROGRAMS) $(TEST_TOOLS) $(PAYLOADS)
fuzz-programs: $(FUZZ_PROGRAMS)
payloads: $(PAYLOADS)

# make fuzz SECONDS=60 [FUZZ=fuzz_ref]
SECONDS ?= 60
fuzz: fuzz-programs
	tests/fuzz/run $(O) seconds $(SECONDS) $(if $(FUZZ),$(FUZZ),$(FUZZ_NAMES))

# What needs no root, no network and no VM.
check: unit-programs
	O=$(O) tests/suite check

# Everything that this host can run; installs what is missing.
test:
	tools/setup
	$(MAKE) unit-programs
	+O=$(O) SAN=$(SAN) tests/suite all

# The same with what takes long: more data, and every boot test once more in the rig.
test-all:
	VPOD_TEST_FULL=1 VPOD_TEST_TIMEOUT=3600 $(MAKE) test
