/* SPDX-License-Identifier: Apache-2.0 */
/* The init of the bare machine that a pod is compared with: ends the machine at once. */
#include <sys/reboot.h>

int main(void)
{
	reboot(RB_AUTOBOOT);
	return 1;
}
