/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_vm_name.c - what a VM may be called, and which number its name gives it */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/vm_name.h"

static void test_names(void **state)
{
	static const char *const good[] = {
		"vm3",
		"100",
		"0",
		"a",
		"A.b_c-d",
		"4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
		"web-01.example",
	};
	static const char *const bad[] = {
		"", ".", "..", "-x", ".x", "_x", "a b", "a/b", "a\n", "\xc3\xa4", "a:b", "a,b",
	};
	char longest[VM_NAME_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(vm_name_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vm_name_ok(bad[i]));
	memset(longest, 'x', sizeof(longest));
	longest[VM_NAME_SIZE] = '\0';
	assert_false(vm_name_ok(longest));
	longest[VM_NAME_SIZE - 1] = '\0';
	assert_true(vm_name_ok(longest));
}

static void test_numbers(void **state)
{
	static const struct {
		const char *name;
		uint32_t id;
	} names[] = {
		{ "vm3", 3 },
		{ "100", 100 },
		{ "007", 7 },
		{ "web", 0 },
		{ "vm0", 0 },
		{ "node2-vm4", 4 },
		{ "vm4294967295", 4294967295u },
		{ "vm4294967296", 0 },
		{ "4dea22b3-1d52-d8f3-2516-782e98ab3f42", 0 },
		{ "4DEA22B3-1D52-D8F3-2516-782E98AB3F42", 0 },
		{ "4dea22b3-1d52-d8f3-2516-782e98ab3f4", 4 }, /* one digit short of a UUID */
		{ "4dea22b3x1d52-d8f3-2516-782e98ab3f42", 42 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(vm_name_id(names[i].name), names[i].id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
