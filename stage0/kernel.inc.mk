# SPDX-License-Identifier: Apache-2.0
# Guest kernels.  Included by stage0/module.mk: KERNEL_OBJS go into vpod, which does not know
# libarchive; $(O)/vpod-kernel, which does, is the helper that imports.
KERNEL_OBJS := $(call objects,stage0,kernel.c kernel_config.c kernel_store.c cpio.c initrd.c \
	cmd_kernel.c)

KERNEL_PARSE_OBJS := $(call objects,stage0,blob.c kernel_elf.c kernel_image.c kernel_unpack.c)
KERNEL_IMPORT_OBJS := $(KERNEL_PARSE_OBJS) $(call objects,stage0,cpio.c kernel_config.c \
	kernel_deb.c kernel_import.c kernel_modules.c kernel_source.c kernel_store.c kernel_tree.c) $(WORKER_OBJS)
KERNEL_IMPORT_LIBS = $(call need,libarchive,--libs,libarchive-dev,libarchive-devel) \
	$(call need,libcrypto,--libs,libssl-dev,openssl-devel) $(WORKER_LIBS)

PROGRAMS += $(O)/vpod-kernel

$(O)/vpod-kernel: $(O)/stage0/kernel_import_main.o $(KERNEL_IMPORT_OBJS) $(BASE_OBJS)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(KERNEL_IMPORT_LIBS) $(BASE_LIBS)
