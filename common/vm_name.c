/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm_name.c - what a VM may be called, and which number its name gives it */

#include "common/vm_name.h"

#include <ctype.h>
#include <string.h>

#include "common/util.h"

bool vm_name_ok(const char *name)
{
	size_t len = strnlen(name, VM_NAME_SIZE);

	return len > 0 && len < VM_NAME_SIZE && strspn(name, VM_NAME_CHARACTERS) == len &&
	       isalnum((unsigned char)name[0]);
}

/* "4dea22b3-1d52-d8f3-2516-782e98ab3fa0" */
static bool is_uuid(const char *name)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(name) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)name[i]) : name[i] != '-')
			return false;
	return true;
}

uint32_t vm_name_id(const char *name)
{
	const char *digits = name + strlen(name);
	uint64_t id;

	while (digits > name && isdigit((unsigned char)digits[-1]))
		digits--;
	if (is_uuid(name) || util_parse_u64(digits, 1, UINT32_MAX, &id) != 0)
		return 0;
	return (uint32_t)id;
}
