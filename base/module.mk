# SPDX-License-Identifier: Apache-2.0
# base: knows nothing of pods, images or VMs; depends on nothing of ours.
BASE_OBJS := $(call objects,base,cidr.c err.c fs.c helper.c jail.c json.c log.c loop.c num.c options.c sha512.c spawn.c \
	strbuf.c uuid.c)
# Apart from them, for what reads what strangers wrote: it needs libseccomp.
WORKER_OBJS := $(call objects,base,worker.c)
WORKER_LIBS = $(call need,libseccomp,--libs,libseccomp-dev,libseccomp-devel)
BASE_LIBS := $(shell $(PKG_CONFIG) --libs libcjson 2>/dev/null) -lm
