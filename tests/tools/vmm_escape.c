/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest that took vpod-vmm over would try.  Linked into vpod-vmm-escape, a build of the
 * monitor for tests/vmm/escape.t only: a thread that has just put its filter on, with a machine
 * that is about to run, makes the attempt that $VMM_ESCAPE names, "THREAD:ATTEMPT".
 *
 * It says "ESCAPED ATTEMPT" when it got what it wanted, "REFUSED ATTEMPT: why" when the kernel said
 * no; with the filter on, it should get to say neither.  "THREAD:list" prints all names.
 * With $VMM_ESCAPE_UNFILTERED the thread has no filter: what does the jail alone hold?
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/sandbox.h"

void escape_attempt(enum sandbox_kind kind);
bool escape_is_unfiltered(void);

#define RAW(...) ((long)syscall(__VA_ARGS__))

static char page[4096] __attribute__((aligned(4096)));

static long try_open(void)
{
	return RAW(SYS_open, "/etc/passwd", O_RDONLY);
}

static long try_openat(void)
{
	return RAW(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}

static long try_openat2(void)
{
	const struct {
		uint64_t flags, mode, resolve;
	} how = { O_RDONLY, 0, 0 };

	return RAW(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
}

static long try_creat(void)
{
	return RAW(SYS_creat, "/escaped", 0600);
}

static long try_proc_self_mem(void)
{
	return RAW(SYS_open, "/proc/self/mem", O_RDWR);
}

static long try_handle(void)
{
	struct {
		unsigned bytes;
		int type;
		unsigned char data[8];
	} h = { 8, 1, { 2 } }; /* the root directory of an ext4 */

	return RAW(SYS_open_by_handle_at, AT_FDCWD, &h, O_RDONLY);
}

static long try_socket(void)
{
	return RAW(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long connect_to(const struct sockaddr_un *a, socklen_t len, int nr)
{
	int fd;
	long r = -1;

	/* without socket(2), those that are open must do */
	for (fd = 0; fd < 64 && r < 0; fd++)
		r = RAW(nr, fd, a, len);
	return r;
}

static long try_connect(void)
{
	const struct sockaddr_un a = { AF_UNIX, "\0vpod-escape-target" };

	return connect_to(&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 19),
			  SYS_connect);
}

static long try_bind(void)
{
	const struct sockaddr_un a = { AF_UNIX, "\0vpod-escaped" };

	return connect_to(&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 13), SYS_bind);
}

static long try_kill_all(void)
{
	return RAW(SYS_kill, -1, 0);
}

/* A process of the host, by its number there. */
static pid_t victim(void)
{
	const char *pid = getenv("VMM_ESCAPE_VICTIM");

	return pid ? atoi(pid) : 1 << 22;
}

static long try_kill_host(void)
{
	return RAW(SYS_kill, victim(), 0);
}

static long try_tgkill(void)
{
	return RAW(SYS_tgkill, victim(), victim(), SIGUSR1);
}

static long try_ptrace(void)
{
	return RAW(SYS_ptrace, PTRACE_SEIZE, victim(), NULL, NULL);
}

static long try_readv(void)
{
	struct iovec local = { page, 8 }, remote = { (void *)0x400000, 8 };

	return RAW(SYS_process_vm_readv, victim(), &local, 1, &remote, 1, 0);
}

static long try_mmap_exec(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long try_mprotect_exec(void)
{
	return mprotect(page, sizeof(page), PROT_READ | PROT_EXEC);
}

static long try_pkey_mprotect(void)
{
	return RAW(SYS_pkey_mprotect, page, sizeof(page), PROT_READ | PROT_EXEC, -1);
}

static long in_child(long pid)
{
	if (!pid)
		_exit(0);
	return pid;
}

static long try_fork(void)
{
	return in_child(RAW(SYS_fork));
}

static long try_vfork(void)
{
	return in_child(RAW(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static long try_clone3(void)
{
	uint64_t args[11] = { 0 };

	args[4] = SIGCHLD;
	return in_child(RAW(SYS_clone3, args, sizeof(args)));
}

static long try_execve(void)
{
	const char *const argv[] = { "/bin/sh", NULL };

	return RAW(SYS_execve, argv[0], argv, argv + 1);
}

static long try_execveat(void)
{
	const char *const argv[] = { "/bin/sh", NULL };

	return RAW(SYS_execveat, AT_FDCWD, argv[0], argv, argv + 1, 0);
}

static long try_mount(void)
{
	return RAW(SYS_mount, "none", "/", "tmpfs", 0, NULL);
}

static long try_fsopen(void)
{
	return RAW(SYS_fsopen, "proc", 0);
}

static long try_unshare(void)
{
	return RAW(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS);
}

static long try_setns(void)
{
	int fd;
	long r = -1;

	for (fd = 0; fd < 64 && r < 0; fd++)
		r = RAW(SYS_setns, fd, 0);
	return r;
}

static long try_chroot(void)
{
	return RAW(SYS_chroot, "/");
}

static long try_pivot_root(void)
{
	return RAW(SYS_pivot_root, ".", ".");
}

static long try_setuid(void)
{
	return RAW(SYS_setuid, 0);
}

static long try_setgroups(void)
{
	gid_t g = 0;

	return RAW(SYS_setgroups, 1, &g);
}

static long try_capset(void)
{
	uint32_t hdr[2] = { 0x20080522, 0 }, data[6];

	memset(data, 0xff, sizeof(data));
	return RAW(SYS_capset, hdr, data);
}

static long try_keyctl(void)
{
	return RAW(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1);
}

static long try_add_key(void)
{
	return RAW(SYS_add_key, "user", "escaped", "x", 1, KEY_SPEC_PROCESS_KEYRING);
}

static long try_bpf(void)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
	};

	return RAW(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
}

static long try_perf(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE,
				     .size = sizeof(a),
				     .config = PERF_COUNT_SW_CPU_CLOCK };

	return RAW(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

static long try_userfaultfd(void)
{
	return RAW(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
}

static long try_io_uring(void)
{
	struct io_uring_params p = { 0 };

	return RAW(SYS_io_uring_setup, 4, &p);
}

static long try_memfd(void)
{
	return RAW(SYS_memfd_create, "escaped", 0);
}

static long try_pidfd(void)
{
	return RAW(SYS_pidfd_open, 1, 0);
}

static long try_pidfd_getfd(void)
{
	return RAW(SYS_pidfd_getfd, 0, 0, 0);
}

static long try_init_module(void)
{
	return RAW(SYS_init_module, page, sizeof(page), "");
}

static long try_kexec(void)
{
	return RAW(SYS_kexec_load, 0, 0, NULL, 0);
}

static long try_reboot(void)
{
	return RAW(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef /* CAD on */, NULL);
}

static long try_swapon(void)
{
	return RAW(SYS_swapon, "/dev/vda", 0);
}

static long try_ioperm(void)
{
	return RAW(SYS_ioperm, 0x70, 2, 1);
}

static long try_iopl(void)
{
	return RAW(SYS_iopl, 3);
}

static long any_ioctl(unsigned long request, void *arg)
{
	int fd;
	long r = -1;

	for (fd = 0; fd < 64 && r < 0; fd++)
		r = RAW(SYS_ioctl, fd, request, arg);
	return r;
}

static long try_tiocsti(void)
{
	return any_ioctl(TIOCSTI, page);
}

static long try_kvm_memory(void)
{
	struct kvm_userspace_memory_region r = { .slot = 7,
						 .guest_phys_addr = 0xc0000000,
						 .memory_size = 4096,
						 .userspace_addr = (uintptr_t)page };

	return any_ioctl(KVM_SET_USER_MEMORY_REGION, &r);
}

static long try_kvm_regs(void)
{
	struct kvm_regs r;

	return any_ioctl(KVM_GET_REGS, &r);
}

static long try_kvm_vcpu(void)
{
	return any_ioctl(KVM_CREATE_VCPU, (void *)7);
}

static long try_inotify(void)
{
	return RAW(SYS_inotify_init1, 0);
}

static long try_dup(void)
{
	return RAW(SYS_dup, 2);
}

static long try_prctl_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long try_limits(void)
{
	struct rlimit r = { 64, 64 };

	return setrlimit(RLIMIT_NOFILE, &r);
}

static long try_seccomp(void)
{
	return RAW(SYS_seccomp, 0 /* strict */, 0, NULL);
}

static long try_x32(void)
{
	return RAW(0x40000000 | SYS_open, "/etc/passwd", O_RDONLY);
}

/* The gate of 32-bit programs, whose numbers mean other calls: 20 is getpid(2). */
static long try_int80(void)
{
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	return r;
}

static long try_unlink(void)
{
	return RAW(SYS_unlink, "/etc/passwd");
}

static long try_chmod(void)
{
	return RAW(SYS_fchmod, 2, 04777);
}

static long try_modify_ldt(void)
{
	return RAW(SYS_modify_ldt, 0, page, sizeof(page));
}

static const struct {
	const char *name;
	long (*attempt)(void);
	long fine; /* the answer when it succeeds is at least this */
} attempts[] = {
	{ "open", try_open, 0 },
	{ "openat", try_openat, 0 },
	{ "openat2", try_openat2, 0 },
	{ "creat", try_creat, 0 },
	{ "proc-self-mem", try_proc_self_mem, 0 },
	{ "open_by_handle_at", try_handle, 0 },
	{ "socket", try_socket, 0 },
	{ "connect", try_connect, 0 },
	{ "bind", try_bind, 0 },
	{ "kill-all", try_kill_all, 0 },
	{ "kill-host", try_kill_host, 0 },
	{ "tgkill-other", try_tgkill, 0 },
	{ "ptrace", try_ptrace, 0 },
	{ "process_vm_readv", try_readv, 1 },
	{ "mmap-exec", try_mmap_exec, 0 },
	{ "mprotect-exec", try_mprotect_exec, 0 },
	{ "pkey_mprotect-exec", try_pkey_mprotect, 0 },
	{ "fork", try_fork, 1 },
	{ "clone", try_vfork, 1 },
	{ "clone3", try_clone3, 1 },
	{ "execve", try_execve, 0 },
	{ "execveat", try_execveat, 0 },
	{ "mount", try_mount, 0 },
	{ "fsopen", try_fsopen, 0 },
	{ "unshare", try_unshare, 0 },
	{ "setns", try_setns, 0 },
	{ "chroot", try_chroot, 0 },
	{ "pivot_root", try_pivot_root, 0 },
	{ "setuid", try_setuid, 0 },
	{ "setgroups", try_setgroups, 0 },
	{ "capset", try_capset, 0 },
	{ "keyctl", try_keyctl, 0 },
	{ "add_key", try_add_key, 0 },
	{ "bpf", try_bpf, 0 },
	{ "perf_event_open", try_perf, 0 },
	{ "userfaultfd", try_userfaultfd, 0 },
	{ "io_uring_setup", try_io_uring, 0 },
	{ "memfd_create", try_memfd, 0 },
	{ "pidfd_open", try_pidfd, 0 },
	{ "pidfd_getfd", try_pidfd_getfd, 0 },
	{ "init_module", try_init_module, 0 },
	{ "kexec_load", try_kexec, 0 },
	{ "reboot", try_reboot, 0 },
	{ "swapon", try_swapon, 0 },
	{ "ioperm", try_ioperm, 0 },
	{ "iopl", try_iopl, 0 },
	{ "ioctl-TIOCSTI", try_tiocsti, 0 },
	{ "ioctl-KVM_SET_USER_MEMORY_REGION", try_kvm_memory, 0 },
	{ "ioctl-KVM_GET_REGS", try_kvm_regs, 0 },
	{ "ioctl-KVM_CREATE_VCPU", try_kvm_vcpu, 0 },
	{ "inotify_init1", try_inotify, 0 },
	{ "dup", try_dup, 0 },
	{ "prctl-dumpable", try_prctl_dumpable, 0 },
	{ "setrlimit-files", try_limits, 0 },
	{ "seccomp", try_seccomp, 0 },
	{ "x32-open", try_x32, 0 },
	{ "int80", try_int80, 0 },
	{ "unlink", try_unlink, 0 },
	{ "fchmod-setuid", try_chmod, 0 },
	{ "modify_ldt", try_modify_ldt, 0 },
};

static void say(const char *what, const char *name, const char *why)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "%s %s%s%s\n", what, name, why ? ": " : "",
			 why ? why : "");

	if (write(STDERR_FILENO, line, (size_t)n) != n)
		abort();
}

bool escape_is_unfiltered(void)
{
	return getenv("VMM_ESCAPE_UNFILTERED") != NULL;
}

void escape_attempt(enum sandbox_kind kind)
{
	const char *todo = getenv("VMM_ESCAPE"), *name = todo ? strchr(todo, ':') : NULL;
	size_t i, len = strlen(sandbox_kind_name(kind));
	bool is_list;
	long r;

	if (!name || (size_t)(name - todo) != len ||
	    strncmp(todo, sandbox_kind_name(kind), len) != 0)
		return;
	is_list = !strcmp(++name, "list");
	for (i = 0; i < nitems(attempts); i++) {
		if (is_list)
			say("ATTEMPT", attempts[i].name, NULL);
		if (strcmp(name, attempts[i].name) != 0)
			continue;
		errno = 0;
		r = attempts[i].attempt();
		say(r >= attempts[i].fine ? "ESCAPED" : "REFUSED", name, strerror(errno));
	}
}
