/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LOW_PART (2u << 20)

static void add_region(struct guest_mem *m, uint64_t gpa, uint64_t size, uint8_t *host)
{
	m->regions[m->nr++] = (struct mem_region){ .gpa = gpa, .size = size, .host = host };
}

int mem_init(struct guest_mem *m, uint64_t size, bool is_shared, struct err *e)
{
	uint64_t low = size < MEM_HOLE_START ? size : MEM_HOLE_START;
	int flags = is_shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	uint8_t *host;

	*m = (struct guest_mem){ .fd = -1 };
	if (is_shared) {
		m->fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		/* sealed: whoever shares it cannot take it away from under us */
		if (m->fd < 0 || ftruncate(m->fd, (off_t)size) < 0 ||
		    fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
			return err_set(e, errno, "cannot make %llu MiB of guest memory",
				       (unsigned long long)(size >> 20));
	}
	host = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, m->fd, 0);
	if (host == MAP_FAILED)
		return err_set(e, errno, "cannot map %llu MiB of guest memory",
			       (unsigned long long)(size >> 20));
	/* A wish; not for the first 2 MiB, of which a boot touches few pages: zeroing them takes
	 * 0.3 ms. */
	if (size > LOW_PART)
		(void)madvise(host + LOW_PART, size - LOW_PART, MADV_HUGEPAGE);
	(void)madvise(host, size, MADV_DONTDUMP); /* the guest's secrets stay out of cores */
	m->size = size;
	add_region(m, 0, low, host);
	if (size > low)
		add_region(m, MEM_HIGH_START, size - low, host + low);
	return 0;
}

void mem_free(struct guest_mem *m)
{
	if (m->nr)
		(void)munmap(m->regions[0].host, m->size);
	m->nr = 0;
	close_p(&m->fd);
}

void *mem_at(const struct guest_mem *m, uint64_t gpa, uint64_t len)
{
	unsigned i;

	for (i = 0; i < m->nr; i++) {
		const struct mem_region *r = &m->regions[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size && len <= r->size - (gpa - r->gpa))
			return r->host + (gpa - r->gpa);
	}
	return NULL;
}
