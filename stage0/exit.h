/* SPDX-License-Identifier: Apache-2.0 */
/* Exit statuses of vpod and the reasons beside them (DESIGN.md section 3, "Exit status"). */
#ifndef VPOD_STAGE0_EXIT_H
#define VPOD_STAGE0_EXIT_H

#define EXIT_TIMEOUT 124
#define EXIT_ENGINE 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127
#define EXIT_RKT_ENGINE 254

enum reason {
	REASON_NONE,	    /* still running, or its supervisor was killed */
	REASON_EXITED,	    /* all apps ended by themselves */
	REASON_SIGNALED,    /* an app was killed by a signal */
	REASON_OOM,	    /* by the guest's OOM killer */
	REASON_GUEST_PANIC, /* the guest kernel died */
	REASON_BOOT_FAILED, /* the guest never became ready */
	REASON_VIOLATION,   /* the guest broke a rule of its machine */
	REASON_VMM_CRASH,   /* the hypervisor died */
	REASON_TIMEOUT,	    /* --timeout */
	REASON_STOPPED,	    /* vpod stop, or a signal to vpod run */
	NR_REASONS,
};

const char *reason_name(enum reason r);

#endif
