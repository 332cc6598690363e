# SPDX-License-Identifier: Apache-2.0
# images: from a reference to a root file system.  IMAGES_CORE_OBJS is what vpod links (base and
# cJSON only); what fetches and parses is the program vpod-image.
include images/erofs.inc.mk

IMAGES_CORE_OBJS := $(call objects,images,digest.c ensure.c find.c gc.c image.c image_config.c list.c \
	ref.c stamp.c store.c store_info.c store_ref.c)
IMAGES_FETCH_OBJS := $(call objects,images,archive.c bag.c convert.c fetch.c format_docker_archive.c \
	format_oci.c format_registry.c format_rootfs.c format_stored.c formats.c http.c index.c \
	key_lock.c manifest.c put.c render.c resolve.c synth.c tar_index.c token.c tree_tar.c)
IMAGES_LIBS = $(LAYER_LIBS) \
	$(call need,libcurl,--libs,libcurl4-openssl-dev,libcurl-devel) \
	$(call need,libcrypto,--libs,libssl-dev,openssl-devel) \
	$(call need,zlib,--libs,zlib1g-dev,zlib-devel)

PROGRAMS += $(O)/vpod-image
$(O)/vpod-image: $(O)/images/image_main.o $(IMAGES_CORE_OBJS) $(IMAGES_FETCH_OBJS) $(LAYER_OBJS) \
		$(BASE_OBJS)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(IMAGES_LIBS) $(BASE_LIBS)
