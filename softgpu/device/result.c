/* SPDX-License-Identifier: GPL-2.0-or-later */
/* result.c - names and sentences of result codes */

#include "softgpu/softgpu.h"

const char *softgpu_result_name(int result)
{
	switch (result) {
#define RESULT(name, number, sentence) \
	case number:                   \
		return #name;
#include "softgpu/softgpu.def"
#undef RESULT
	default:
		return NULL;
	}
}

const char *softgpu_result_text(int result)
{
	switch (result) {
#define RESULT(name, number, sentence) \
	case number:                   \
		return sentence;
#include "softgpu/softgpu.def"
#undef RESULT
	default:
		return NULL;
	}
}
