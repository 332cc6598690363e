# SPDX-License-Identifier: Apache-2.0
# stage0/net: the networks of pods.  Depends on base and on stage0/config.h.
NET_OBJS := $(call objects,stage0/net,caps.c cni.c conf.c execconf.c jtext.c nets.c plugin.c result.c version.c)
