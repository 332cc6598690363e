# SPDX-License-Identifier: Apache-2.0
# vmm: vpod-vmm, the KVM monitor.  Static with musl, as vpod-init; natively for tests and fuzzers.
VMM_CORE_SRCS := $(filter-out vmm/main.c,$(wildcard vmm/*.c vmm/virtio/*.c))
VMM_BASE_SRCS := $(addprefix base/,cidr.c err.c fs.c jail.c log.c loop.c num.c options.c strbuf.c)
VMM_OBJS := $(patsubst %.c,$(O)/vmm-static/%.o,vmm/main.c $(VMM_CORE_SRCS) $(VMM_BASE_SRCS))

VMM_CFLAGS = -std=gnu17 $(WARN) -O2 -ffunction-sections -fdata-sections -fPIE \
	-fno-asynchronous-unwind-tables -fstack-protector-strong -fcf-protection -D_GNU_SOURCE \
	-DVPOD_VERSION='"$(VERSION)"' -I. -I$(O)/gen \
	-idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -print-multiarch)
# Static and position-independent.  musl-gcc does not know -static-pie: it links Scrt1.o and names
# ld-musl as interpreter, which the jail's empty root lacks; so its start files are given here.
VMM_LIB = /usr/lib/$(shell $(CC) -print-multiarch | sed s/gnu/musl/)
VMM_LDFLAGS = -static -Wl,-pie,--no-dynamic-linker,-z,text -nostartfiles -s -Wl,--gc-sections \
	-Wl,-z,noexecstack -Wl,-z,relro,-z,now -Wl,--build-id=none

VMM_LINK = $(MUSL_CC) $(VMM_LDFLAGS) -o $@ $(VMM_LIB)/rcrt1.o $(VMM_LIB)/crti.o $^ $(VMM_LIB)/crtn.o

PROGRAMS += $(O)/vpod-vmm

# The system call filters, compiled by libseccomp now so that the monitor has no library.
CPPFLAGS_ALL += -I$(O)/gen
$(O)/gen_sandbox: tools/gen_sandbox.c vmm/syscalls.def
	$(say) HOSTCC $<
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) -O1 -I. -o $@ $< $(call need,libseccomp,--cflags --libs,libseccomp-dev,libseccomp-devel)

$(O)/gen/sandbox_filters.h: $(O)/gen_sandbox
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)$< >$@

$(O)/vmm/sandbox.o $(O)/vmm-static/vmm/sandbox.o $(O)/fuzz/vmm/sandbox.o: $(O)/gen/sandbox_filters.h

$(O)/vmm-static/%.o: %.c VERSION
	$(say) MUSL $<
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(VMM_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/vpod-vmm: $(VMM_OBJS)
	$(say) LINK $@
	$(Q)$(VMM_LINK)
	$(Q)! readelf -l $@ | grep -q INTERP || { echo "$@ wants an interpreter" >&2; rm $@; exit 1; }

# Natively, for tests/module.mk.
VMM_CORE_OBJS := $(patsubst %.c,$(O)/%.o,$(VMM_CORE_SRCS))
