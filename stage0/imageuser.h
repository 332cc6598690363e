/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pod needs an image, for 'image rm' and 'image gc'.  A pod that runs or is being prepared
 * holds its images; one that is prepared has no process that could, so its manifest counts.
 */
#ifndef VPOD_STAGE0_IMAGEUSER_H
#define VPOD_STAGE0_IMAGEUSER_H

#include "images/image.h"

struct config;

/* @cfg must outlive the result. */
struct image_users pod_image_users(const struct config *cfg);

#endif
