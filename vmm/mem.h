/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory: RAM below the hole for devices and, when there is more, from 4 GiB on.  Regions are
 * made before the first vCPU runs and never change, so that a pointer from mem_at() stays good.
 * What lies behind such a pointer changes at any moment: copy once, check the copy, use the copy.
 */
#ifndef VPOD_VMM_MEM_H
#define VPOD_VMM_MEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define MEM_HOLE_START 0xc0000000ull /* 3 GiB */
#define MEM_HIGH_START 0x100000000ull
#define MEM_MAX_REGIONS 2

struct mem_region {
	uint64_t gpa;
	uint64_t size; /* bytes */
	uint8_t *host;
};

struct guest_mem {
	struct mem_region regions[MEM_MAX_REGIONS];
	unsigned nr;
	uint64_t size; /* of all regions */
	int fd;	       /* memfd when shared with another process, else -1 */
};

/* @size is a multiple of 4 KiB. @shared: by memfd, for devices in other processes. */
int mem_init(struct guest_mem *m, uint64_t size, bool is_shared, struct err *e);
void mem_free(struct guest_mem *m);

/* Host address of [gpa, gpa + len), or NULL unless all of it is RAM of one region. */
void *mem_at(const struct guest_mem *m, uint64_t gpa, uint64_t len);

#endif
