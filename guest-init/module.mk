# SPDX-License-Identifier: Apache-2.0
# guest-init: vpod-init, PID 1 of the guest.  Static with musl, so built apart from the rest, and
# without sanitizers: its portable parts are tested natively (tests/unit).
INIT_SRCS := $(addprefix guest-init/,main.c app.c appfs.c caps.c cgroup.c copy.c disk.c exec.c \
	metadata.c modules.c mounts.c mux.c net.c netfiles.c netlink.c podspec.c podspec_net.c port.c rootfs.c \
	rtnl.c say.c shutdown.c streams.c supervise.c sys.c tty.c user.c volumes.c) \
	base/cidr.c base/err.c base/loop.c base/num.c
INIT_OBJS := $(patsubst %.c,$(O)/init/%.o,$(INIT_SRCS))

# The kernel's headers are not musl's: after all others, where nothing of glibc hides them.
INIT_CFLAGS = -std=gnu17 $(WARN) -Os -ffunction-sections -fdata-sections -fno-pie \
	-fno-asynchronous-unwind-tables -fstack-protector-strong -D_GNU_SOURCE -I. \
	-idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -print-multiarch)
# Sections that nothing uses go, and with them what base needs for other callers.
INIT_LDFLAGS = -static -no-pie -s -Wl,--gc-sections -Wl,-z,noexecstack -Wl,-z,relro \
	-Wl,--build-id=none

PROGRAMS += $(O)/vpod-init

$(O)/init/%.o: %.c VERSION
	$(say) MUSL $<
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(INIT_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/vpod-init: $(INIT_OBJS)
	$(say) LINK $@
	$(Q)$(MUSL_CC) $(INIT_LDFLAGS) -o $@ $^

# The portable parts, natively, for tests/module.mk.
INIT_PORTABLE_OBJS := $(call objects,guest-init,mux.c net.c netlink.c podspec.c podspec_net.c rtnl.c \
	say.c sys.c user.c)
