/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel images (V27): refused with a reason, or loaded inside of memory. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_kernel k;
	struct guest_mem m;
	struct err e;
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
	    mem_init(&m, 8u << 20, false, &e) < 0)
		abort();
	if (kernel_load(&m, fd, &k, &e) == 0 && k.end > m.size)
		abort();
	mem_free(&m);
	close(fd);
	return 0;
}
