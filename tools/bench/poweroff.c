/* SPDX-License-Identifier: Apache-2.0 */
/* The peer of "vpod run true": an init that ends the machine at once. */
#include <sys/reboot.h>

int main(void)
{
	reboot(RB_AUTOBOOT);
	return 1;
}
