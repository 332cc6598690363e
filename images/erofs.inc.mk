# SPDX-License-Identifier: Apache-2.0
# The layer reader and the EROFS writer; images/module.mk includes this.
LAYER_OBJS := $(call objects,images,layer.c layer_file.c layer_index.c layer_path.c layer_stream.c \
	layer_tar.c tree.c tree_apply.c erofs_layout.c erofs_write.c erofs_merge.c) $(WORKER_OBJS)
LAYER_LIBS = $(call need,libarchive,--libs,libarchive-dev,libarchive-devel) \
	$(call need,libcrypto,--libs,libssl-dev,openssl-devel) \
	$(WORKER_LIBS) \
	$(call need,libisal,--libs,libisal-dev,isa-l-devel) \
	$(call need,libzstd,--libs,libzstd-dev,libzstd-devel)
