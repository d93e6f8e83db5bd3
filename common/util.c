/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util.c - small things that several folders need */

#include "common/util.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

int util_parse_u64(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	unsigned long long value;
	char *end;

	/* strtoull takes signs and leading space; a number here has neither. */
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno == ERANGE || value < least || value > most)
		return -ERANGE;
	*out = value;
	return 0;
}
