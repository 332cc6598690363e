/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's uncompressed bytes, read from an fd and hashed on the way.  Private to the layer
 * reader.
 */
#ifndef VPOD_IMAGES_LAYER_STREAM_H
#define VPOD_IMAGES_LAYER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "images/digest.h"
#include "images/layer.h"

/*
 * Far above any image; ends a bomb that expands for ever.  Zeros cost no disk space (layer_out.h),
 * everything else a bomb has to carry itself.
 */
#define STREAM_MAX (UINT64_C(256) << 30)

struct stream;

/* Reads @fd from its position; the fd stays the caller's. */
struct stream *stream_open(int fd, enum layer_compression compression, struct err *e);
void stream_close(struct stream *s);

/* The next bytes, in *@p until the next call.  Returns their number, 0 at the end, -1. */
ssize_t stream_read(struct stream *s, const void **p, struct err *e);

/* Reads what is left, so that the digest covers every byte, then gives the digest. */
int stream_finish(struct stream *s, struct digest *out, struct err *e);

#endif
