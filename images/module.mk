# SPDX-License-Identifier: Apache-2.0
# images: from a reference to a root file system.  IMAGES_CORE_OBJS is what vpod links (base and
# cJSON only); what fetches and parses is the program vpod-image.
include images/erofs.inc.mk

IMAGES_CORE_OBJS := $(call objects,images,digest.c ensure.c find.c gc.c image.c image_config.c list.c \
	ref.c stamp.c store.c store_info.c store_ref.c)
IMAGES_FETCH_OBJS := $(call objects,images,archive.c bag.c convert.c fetch.c format_docker_archive.c \
	format_oci.c format_registry.c format_rootfs.c format_stored.c formats.c http.c index.c \
	key_lock.c manifest.c put.c render.c resolve.c synth.c tar_index.c token.c tree_tar.c)
IMAGES_LIBS := $(LAYER_LIBS) \
	$(call need,libcurl,--libs,libcurl4-openssl-dev,libcurl-devel) \
	$(call need,libcrypto,--libs,libssl-dev,openssl-devel) \
	$(call need,zlib,--libs,zlib1g-dev,zlib-devel)

PROGRAMS += $(O)/vpod-image
$(O)/vpod-image: $(O)/images/image_main.o $(IMAGES_CORE_OBJS) $(IMAGES_FETCH_OBJS) $(LAYER_OBJS) \
		$(BASE_OBJS)
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(IMAGES_LIBS) $(BASE_LIBS)

IMAGES_ALL_OBJS := $(IMAGES_CORE_OBJS) $(IMAGES_FETCH_OBJS) $(LAYER_OBJS)

# $(call images_test,name,objects,libraries)
define images_test
TESTS += $(O)/tests/unit/$(1)
$(O)/tests/unit/$(1): $(O)/tests/unit/$(1).o $(2) $(BASE_OBJS)
	$$(say) LD $$@
	$$(Q)$$(CC) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$^ $(3) $$(BASE_LIBS) -lcmocka
endef
$(eval $(call images_test,test_json))
$(eval $(call images_test,test_ref,$(IMAGES_CORE_OBJS)))
$(eval $(call images_test,test_image_config,$(IMAGES_CORE_OBJS)))
$(eval $(call images_test,test_manifest,$(IMAGES_ALL_OBJS),$$(IMAGES_LIBS)))
$(eval $(call images_test,test_store,$(IMAGES_ALL_OBJS),$$(IMAGES_LIBS)))
$(eval $(call images_test,test_token,$(IMAGES_ALL_OBJS),$$(IMAGES_LIBS)))

# The parsers of what strangers wrote: built by 'make fuzz' with clang; seeds by
# tests/fuzz/make_image_corpus.
define images_fuzzer
FUZZERS += $(O)/tests/fuzz/$(1)
$(O)/tests/fuzz/$(1): tests/fuzz/$(1).c $(addprefix images/,$(2)) images/digest.c base/err.c \
		base/fs.c base/json.c base/num.c base/strbuf.c
	$$(say) FUZZ $$@
	@mkdir -p $$(@D)
	$$(Q)clang $$(CPPFLAGS_ALL) -std=gnu17 -O1 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -o $$@ $$^ $$(BASE_LIBS)
endef
IMAGES_CONFIG_SRC := image_config.c image.c find.c ref.c store.c store_info.c store_ref.c
$(eval $(call images_fuzzer,fuzz_ref,ref.c))
$(eval $(call images_fuzzer,fuzz_manifest,manifest.c index.c $(IMAGES_CONFIG_SRC)))
$(eval $(call images_fuzzer,fuzz_config,$(IMAGES_CONFIG_SRC)))
$(eval $(call images_fuzzer,fuzz_tar_index,bag.c tar_index.c))
