# SPDX-License-Identifier: Apache-2.0
# base: knows nothing of pods, images or VMs; depends on nothing of ours.
BASE_OBJS := $(call objects,base,err.c fs.c helper.c jail.c json.c log.c loop.c num.c options.c spawn.c \
	strbuf.c uuid.c)
BASE_LIBS := $(shell $(PKG_CONFIG) --libs libcjson 2>/dev/null) -lm
