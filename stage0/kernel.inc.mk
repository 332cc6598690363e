# SPDX-License-Identifier: Apache-2.0
# Guest kernels.  Included by stage0/module.mk: KERNEL_OBJS go into vpod, which does not know
# libarchive; $(O)/vpod-kernel, which does, is the helper that imports.
KERNEL_OBJS := $(call objects,stage0,kernel.c kernel_config.c kernel_store.c cpio.c initrd.c \
	cmd_kernel.c)

KERNEL_PARSE_OBJS := $(call objects,stage0,blob.c kernel_elf.c kernel_image.c kernel_unpack.c)
KERNEL_IMPORT_OBJS := $(KERNEL_PARSE_OBJS) $(call objects,stage0,cpio.c kernel_config.c \
	kernel_deb.c kernel_import.c kernel_modules.c kernel_source.c kernel_store.c kernel_tree.c)
KERNEL_IMPORT_LIBS = $(call need,libarchive,--libs,libarchive-dev,libarchive-devel) \
	$(call need,libcrypto,--libs,libssl-dev,openssl-devel)

PROGRAMS += $(O)/vpod-kernel

$(O)/vpod-kernel: $(O)/stage0/kernel_import_main.o $(KERNEL_IMPORT_OBJS) $(BASE_OBJS)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(KERNEL_IMPORT_LIBS) $(BASE_LIBS)

# Unit tests: $(call kernel_test,name,objects,libraries)
define kernel_test
TESTS += $(O)/tests/unit/$(1)
$(O)/tests/unit/$(1): $(O)/tests/unit/$(1).o $(2) $(BASE_OBJS)
	$$(say) LD $$@
	$$(Q)$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$^ $(3) $$(BASE_LIBS) -lcmocka
endef
$(eval $(call kernel_test,test_helper))
$(eval $(call kernel_test,test_kernel_config,$(call objects,stage0,kernel_config.c)))
$(eval $(call kernel_test,test_kernel_image,$(KERNEL_PARSE_OBJS),$$(KERNEL_IMPORT_LIBS)))
$(eval $(call kernel_test,test_kernel_import,$(KERNEL_IMPORT_OBJS) $(call objects,stage0,kernel.c),\
	$$(KERNEL_IMPORT_LIBS)))
$(eval $(call kernel_test,test_initrd,$(call objects,stage0,initrd.c cpio.c)))

# The parsers of images, from outside: built by 'make fuzz' with clang.
FUZZERS += $(O)/tests/fuzz/fuzz_kernel_image
$(O)/tests/fuzz/fuzz_kernel_image: tests/fuzz/fuzz_kernel_image.c $(patsubst $(O)/%.o,%.c,\
		$(KERNEL_PARSE_OBJS) $(call objects,base,err.c strbuf.c))
	$(say) FUZZ $@
	@mkdir -p $(@D)
	$(Q)clang $(CPPFLAGS_ALL) -std=gnu17 -O1 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -o $@ $^ $(KERNEL_IMPORT_LIBS)
