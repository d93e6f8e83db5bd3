/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checked.h - what programs share that a test reads: lines at once, and the end at a CUDA error */

#ifndef TESTS_PROGRAMS_CHECKED_H
#define TESTS_PROGRAMS_CHECKED_H

#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_ERROR 3

#define CHECK(call) checked_end((call), #call)

/* If the call failed: ends with the error's name and the call, as "CUDA_ERROR_UNKNOWN: cuInit(0)". */
static inline void checked_end(CUresult result, const char *call)
{
	const char *name = NULL;

	if (result == CUDA_SUCCESS)
		return;
	cuGetErrorName(result, &name);
	printf("%s: %s\n", name ? name : "unknown", call);
	exit(STATUS_ERROR);
}

static inline void checked_tell(const char *line)
{
	puts(line);
	fflush(stdout);
}

#endif
