// SPDX-License-Identifier: Apache-2.0
/*
 * A TCG plugin that counts the guest instructions executed and the blocks of them translated.
 *
 *	qemu-system-x86_64 -plugin insn.so,out=FILE …
 *
 * FILE has 16 bytes for the two counts, native 64-bit integers, so that others may read them while
 * the guest runs and after QEMU was killed.  With several vCPUs they are approximate: the inline
 * additions are not atomic.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The part of QEMU's plugin interface, version 1, that we use: Debian ships no header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info;
enum { INLINE_ADD_U64 = 0 };
#define EXPORT __attribute__((visibility("default")))

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr,
					      uint64_t imm);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

extern int qemu_plugin_version;
EXPORT int qemu_plugin_version = 1;

static uint64_t *counts; /* executed, translated */

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	counts[1]++;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &counts[0],
						 qemu_plugin_tb_n_insns(tb));
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
			       char **argv)
{
	int fd;

	(void)info;
	if (argc < 1 || strncmp(argv[0], "out=", 4))
		return -1;
	fd = open(argv[0] + 4, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	counts = mmap(NULL, 2 * sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (counts == MAP_FAILED)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
