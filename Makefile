# SPDX-License-Identifier: Apache-2.0
# vpod.  make | demo | test | check | bench | kernel | fuzz | analyze | format | install
# Options: O=DIR (build directory)  V=1  SAN=1 (ASAN+UBSAN)  WERROR=0  PREFIX=  DESTDIR=

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

VERSION := $(shell cat VERSION)
SAN ?= 0
ifeq ($(SAN),0)
O ?= build
else
O ?= build-san
endif
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR = $(PREFIX)/bin
LIBEXECDIR = $(PREFIX)/libexec/vpod
MANDIR = $(PREFIX)/share/man/man1
CC ?= gcc
PKG_CONFIG ?= pkg-config
MUSL_CC ?= musl-gcc
WERROR ?= 1

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wundef -Wimplicit-fallthrough -Wno-format-truncation
ifeq ($(WERROR),1)
WARN += -Werror
endif
CFLAGS ?= -O2 -g
HARDEN = -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
LDHARDEN = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifeq ($(SAN),0)
HARDEN += -D_FORTIFY_SOURCE=2
else
SANFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
CPPFLAGS_ALL = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DVPOD_VERSION='"$(VERSION)"' \
	-DVPOD_LIBEXECDIR='"$(LIBEXECDIR)"' -I. $(CPPFLAGS)
CFLAGS_ALL = -std=gnu17 $(WARN) $(HARDEN) $(CFLAGS) $(SANFLAGS)
LDFLAGS_ALL = $(LDHARDEN) $(LDFLAGS) $(SANFLAGS)

ifeq ($(V),1)
Q =
say = @:
else
Q = @
say = @printf '  %-7s %s\n'
endif

# name the Debian and the Fedora package of what is missing: $(call need,pkg-config name,deb,rpm)
need = $(if $(shell $(PKG_CONFIG) --exists $(1) && echo y),$(shell $(PKG_CONFIG) $(2) $(1)),\
	$(error $(1) is missing: install $(3) (Debian) or $(4) (Fedora), or run tools/setup))

PROGRAMS :=
TESTS :=
CLEAN :=

# $(call objects,module,file.c ...): the object files of a module
objects = $(patsubst %.c,$(O)/%.o,$(addprefix $(1)/,$(2)))

# In the order of the layers: a later one may use variables of an earlier one.
MODULES := base images vmm guest-init stage0 kernel-config docs tools tests
include $(wildcard $(addsuffix /module.mk,$(MODULES)))

.PHONY: all
all: $(PROGRAMS)

$(O)/%.o: %.c VERSION
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CPPFLAGS_$(subst /,_,$*)) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

-include $(shell find $(O) -name '*.d' 2>/dev/null)

.PHONY: clean
clean:
	rm -rf $(O)

.PHONY: install
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(MANDIR)
	install -m 755 $(O)/vpod $(DESTDIR)$(BINDIR)/vpod
	install -m 755 $(O)/vpod-image $(O)/vpod-kernel $(O)/vpod-init $(O)/vpod-vmm $(DESTDIR)$(LIBEXECDIR)/
	ln -sfr $(DESTDIR)$(LIBEXECDIR)/vpod-vmm $(DESTDIR)$(BINDIR)/vpod-vmm
	$(if $(MAN_PAGES),$(MAKE) man && install -m 644 $(MAN_PAGES) $(DESTDIR)$(MANDIR)/)

.PHONY: demo
demo:
	tools/setup build run demo kernel
	$(MAKE) all
	tools/demo $(O)

.PHONY: analyze format compdb
analyze:
	tools/check-analysis

format:
	git ls-files -- '*.c' '*.h' | xargs clang-format -i

compdb: clean
	bear -- $(MAKE) all
