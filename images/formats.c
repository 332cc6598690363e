/* SPDX-License-Identifier: Apache-2.0 */
#include "formats.h"

#include <stddef.h>

const struct image_format *const image_formats[] = {
	&format_registry, &format_oci, &format_oci_archive, &format_docker_archive,
	&format_dir,	  &format_tar, &format_stored,	    NULL,
};
