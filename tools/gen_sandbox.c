/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes sandbox_filters.h of vmm/syscalls.def, when vpod-vmm is built: one BPF program for each
 * kind of thread, and the names of system calls by number.  Fails when a kind has more calls than
 * it may.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VCPU = 1, LOOP = 2, WORKER = 4, CONTROL = 8, STARTER = 16 };

static const struct {
	const char *name;
	unsigned kinds, max;
} limits[] = {
	{ "VCPU", VCPU, 8 },	   { "LOOP", LOOP, 16 },
	{ "WORKER", WORKER, 16 },  { "CONTROL", CONTROL, 8 },
	{ "STARTER", STARTER, 8 }, { "machine", VCPU | LOOP | WORKER | CONTROL, 28 },
};

#define MAX_CONDITIONS 2
struct call { /* NOLINT(clang-analyzer-optin.performance.Padding): in the order of CALL */
	unsigned kinds;
	const char *name;
	unsigned nr;
	struct scmp_arg_cmp conditions[MAX_CONDITIONS];
};

#define ANY               \
	0,                \
	{                 \
		{         \
			0 \
		}         \
	}
#define COMPARE(arg, mask, value)                    \
	{                                            \
		arg, SCMP_CMP_MASKED_EQ, mask, value \
	}
#define MASKED(arg, mask, value)          \
	1,                                \
	{                                 \
		COMPARE(arg, mask, value) \
	}
#define IS(arg, value) MASKED(arg, ~0ull, value)
#define BOTH_IS(arg, value) COMPARE(arg, ~0ull, value)
#define BOTH(a, b)                 \
	2,                         \
	{                          \
		BOTH_##a, BOTH_##b \
	}
#define CALL(kinds, name, condition, reason) { kinds, #name, condition },
static const struct call calls[] = {
#include "vmm/syscalls.def"
};
#define NR (sizeof(calls) / sizeof(calls[0]))

static bool is_first(size_t i, unsigned kinds)
{
	size_t k;

	for (k = 0; k < i; k++) {
		if (calls[k].kinds & kinds && !strcmp(calls[k].name, calls[i].name))
			return false;
	}
	return true;
}

static bool check_limits(void)
{
	bool ok = true;
	size_t l, i;

	for (l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
		unsigned n = 0;

		for (i = 0; i < NR; i++)
			n += calls[i].kinds & limits[l].kinds && is_first(i, limits[l].kinds);
		printf("/* %s: %u of at most %u system calls */\n", limits[l].name, n,
		       limits[l].max);
		if (n > limits[l].max) {
			fprintf(stderr, "gen_sandbox: %s has %u system calls, at most %u\n",
				limits[l].name, n, limits[l].max);
			ok = false;
		}
	}
	return ok;
}

static int add_rules(scmp_filter_ctx f, unsigned kind)
{
	size_t i;

	for (i = 0; i < NR; i++) {
		int nr = seccomp_syscall_resolve_name(calls[i].name), r;

		if (!(calls[i].kinds & kind))
			continue;
		r = nr < 0 ? -ENOSYS
			   : seccomp_rule_add_array(f, SCMP_ACT_ALLOW, nr, calls[i].nr,
						    calls[i].conditions);
		if (r < 0) {
			fprintf(stderr, "gen_sandbox: %s: %s\n", calls[i].name, strerror(-r));
			return -1;
		}
	}
	return 0;
}

static int print_filter(scmp_filter_ctx f, unsigned index)
{
	FILE *tmp = tmpfile();
	struct sock_filter insn;

	if (!tmp || seccomp_export_bpf(f, fileno(tmp)) < 0)
		return -1;
	rewind(tmp);
	printf("static const struct sock_filter sandbox_filter_%u[] = {\n", index);
	while (fread(&insn, sizeof(insn), 1, tmp) == 1)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", insn.code, insn.jt, insn.jf, insn.k);
	printf("};\n");
	return fclose(tmp);
}

static int make_filter(unsigned index)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
	int r = -1;

	if (f && seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
	    add_rules(f, 1u << index) == 0)
		r = print_filter(f, index);
	if (f)
		seccomp_release(f);
	return r;
}

static void print_names(void)
{
	int nr;

	printf("static const char *const sandbox_names[] = {\n");
	for (nr = 0; nr < 512; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);

		if (name)
			printf("\t[%d] = \"%s\",\n", nr, name);
		free(name);
	}
	printf("};\n");
}

int main(void)
{
	unsigned i;

	printf("/* Made by tools/gen_sandbox of vmm/syscalls.def. */\n");
	if (!check_limits())
		return 1;
	for (i = 0; i < 5; i++) {
		if (make_filter(i) < 0)
			return 1;
	}
	printf("static const struct {\n\tconst struct sock_filter *code;\n\tunsigned short len;\n"
	       "} sandbox_filters[] = {\n");
	for (i = 0; i < 5; i++)
		printf("\t{ sandbox_filter_%u, sizeof(sandbox_filter_%u) / sizeof(struct "
		       "sock_filter) },\n",
		       i, i);
	printf("};\n");
	print_names();
	return 0;
}
