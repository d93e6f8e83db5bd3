/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_vm_settings.c - every kind of setting, in a table of this test's own */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* With the settings that are to come: each is one line. */
#define VM_SETTING_TABLE(X)                                                                      \
	X(POOL, pool, POOL, 0, 25, "A", "POOL", "pool", "", OTHER)                               \
	X(PRIORITY, priority, PRIORITY, 0, 2, "medium", "PRIORITY", "priority", "", SET,         \
	  SET_PRIORITY, "set-priority", "<vm> <priority>", "as it is")                           \
	X(PAUSED, paused, HALT, 0, 1, "off", "PAUSED", "paused", "", OTHER)                      \
	X(PROGRAMS, programs, SWITCH, 0, 1, "off", NULL, "programs", "", SET, SET_PROGRAMS,      \
	  "set-programs", "<vm> <programs:switch>", "let it run programs")                       \
	X(SHARE, share, NUMBER, 1, 10000, "100", NULL, "share", "", SET, SET_SHARE, "set-share", \
	  "<vm> <share:number>", "give it another share")                                        \
	X(CAP, cap, PERCENT, 0, 100, "none", NULL, "cap", "", SET, SET_CAP, "set-cap",           \
	  "<vm> <cap:percent|none>", "let it have so much of the time")                          \
	X(MEMORY, memory, SIZE, 0, 1ull << 50, "none", NULL, "memory", "", SET, SET_MEMORY,      \
	  "set-memory", "<vm> <memory:size|none>", "let it have so much")                        \
	X(MAX_PROGRAMS, max_programs, NUMBER, 1, 1024, "16", NULL, "at most", "", SET,           \
	  SET_MAX_PROGRAMS, "set-max-programs", "<vm> <max_programs:number>", "so many")         \
	X(OWNER, owner, TEXT, 0, 100, "none", NULL, "owner", "", OTHER)

#include "common/vm_settings.c" /* NOLINT(bugprone-suspicious-include): with the table above */

static const struct vm_setting *setting_of(const char *name)
{
	for (int i = 0; i < VM_SETTING_NUM; i++)
		if (strcmp(vm_settings_table[i].name, name) == 0)
			return &vm_settings_table[i];
	fail();
	return NULL;
}

static void test_standards(void **state)
{
	struct vm_settings s;
	char text[VM_SETTING_TEXT_SIZE];

	(void)state;
	memset(&s, 0xff, sizeof(s));
	vm_settings_standard(&s);
	for (int i = 0; i < VM_SETTING_NUM; i++) {
		vm_setting_format(&vm_settings_table[i], &s, text);
		assert_string_equal(text, vm_settings_table[i].standard);
	}
}

static void test_values_are_read_as_they_are_written(void **state)
{
	static const struct {
		const char *name, *text;
		uint64_t number;
	} values[] = {
		{ "pool", "Z", 25 },	    { "priority", "low", 0 },	    { "paused", "on", 1 },
		{ "programs", "on", 1 },    { "share", "10000", 10000 },    { "cap", "30%", 30 },
		{ "cap", "none", 0 },	    { "memory", "4G", 4ull << 30 }, { "memory", "none", 0 },
		{ "max_programs", "1", 1 },
	};
	char text[VM_SETTING_TEXT_SIZE];
	struct vm_settings s;

	(void)state;
	vm_settings_standard(&s);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct vm_setting *setting = setting_of(values[i].name);

		assert_int_equal(vm_setting_parse(setting, values[i].text, &s), 0);
		assert_int_equal(vm_setting_number(setting, &s), values[i].number);
		vm_setting_format(setting, &s, text);
		assert_string_equal(text, values[i].text);
		assert_int_equal(vm_setting_is_none(setting, &s),
				 strcmp(values[i].text, "none") == 0);
	}
	assert_int_equal(vm_setting_parse(setting_of("owner"), "qemu:kvm", &s), 0);
	assert_string_equal(s.owner, "qemu:kvm");
	assert_int_equal(vm_setting_parse(setting_of("owner"), "none", &s), 0);
	assert_true(vm_setting_is_none(setting_of("owner"), &s));
}

static void test_what_is_wrong_changes_nothing(void **state)
{
	static const struct {
		const char *name, *text;
		int err;
	} values[] = {
		{ "pool", "a", -EINVAL },
		{ "pool", "AB", -EINVAL },
		{ "pool", "", -EINVAL },
		{ "priority", "vip", -EINVAL },
		{ "priority", "none", -EINVAL },
		{ "paused", "yes", -EINVAL },
		{ "paused", "none", -EINVAL },
		{ "share", "0", -ERANGE },
		{ "share", "10001", -ERANGE },
		{ "share", "none", -EINVAL },
		{ "share", "1.5", -EINVAL },
		{ "cap", "30", -EINVAL },
		{ "cap", "0%", -ERANGE },
		{ "cap", "101%", -ERANGE },
		{ "cap", "%", -EINVAL },
		{ "memory", "0", -ERANGE },
		{ "memory", "4X", -EINVAL },
		{ "owner", "", -EINVAL },
		{ "cap", "99999999999999999999999999%", -EINVAL },
	};
	char long_text[200];
	struct vm_settings s, before;

	(void)state;
	vm_settings_standard(&s);
	before = s;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_int_equal(vm_setting_parse(setting_of(values[i].name), values[i].text, &s),
				 values[i].err);
	memset(long_text, 'x', sizeof(long_text));
	long_text[101] = '\0';
	assert_int_equal(vm_setting_parse(setting_of("owner"), long_text, &s), -ERANGE);
	for (int i = 0; i < VM_SETTING_NUM; i++)
		assert_true(vm_setting_same(&vm_settings_table[i], &s, &before));
}

static void test_what_was_kept_comes_into_its_bounds(void **state)
{
	struct vm_settings s;

	(void)state;
	vm_settings_standard(&s);
	assert_true(vm_setting_keep_number(setting_of("share"), 7, &s));
	assert_int_equal(s.share, 7);
	assert_false(vm_setting_keep_number(setting_of("share"), -7, &s));
	assert_int_equal(s.share, 1);
	assert_false(vm_setting_keep_number(setting_of("share"), INT64_MAX, &s));
	assert_int_equal(s.share, 10000);
	assert_false(vm_setting_keep_number(setting_of("priority"), 9, &s));
	assert_int_equal(s.priority, 2);
	assert_true(vm_setting_keep_number(setting_of("priority"), 0, &s));
	assert_int_equal(s.priority, 0);
	assert_true(vm_setting_keep_text(setting_of("pool"), "C", &s));
	assert_int_equal(s.pool, 2);
	assert_false(vm_setting_keep_text(setting_of("pool"), "?", &s));
	assert_int_equal(s.pool, 0);
}

static void test_a_value_is_copied_alone(void **state)
{
	struct vm_settings a, b;

	(void)state;
	vm_settings_standard(&a);
	vm_settings_standard(&b);
	b.share = 5;
	b.max_programs = 6;
	snprintf(b.owner, sizeof(b.owner), "qemu");
	vm_setting_copy(setting_of("share"), &a, &b);
	vm_setting_copy(setting_of("owner"), &a, &b);
	assert_int_equal(a.share, 5);
	assert_string_equal(a.owner, "qemu");
	assert_int_equal(a.max_programs, 16);
}

static void test_commands_find_their_settings(void **state)
{
	(void)state;
	assert_ptr_equal(vm_setting_of_command("set-max-programs"), setting_of("max_programs"));
	assert_ptr_equal(vm_setting_of_command("set-priority"), setting_of("priority"));
	assert_null(vm_setting_of_command("set-owner"));
	assert_null(vm_setting_of_command("pause"));
}

static void test_what_is_expected_is_said(void **state)
{
	static const char *const expected[][2] = {
		{ "pool", "a pool: one letter" },
		{ "priority", "a priority: low, medium or high" },
		{ "programs", "on or off" },
		{ "share", "a number from 1 to 10000" },
		{ "cap", "percents (as in 30%) from 1 to 100, or none" },
		{ "memory", "a size (as in 500M or 4G) from 1 to 1024T, or none" },
		{ "owner", "at most 100 bytes, or none" },
	};
	char text[80];

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		vm_setting_expected(setting_of(expected[i][0]), text, sizeof(text));
		assert_string_equal(text, expected[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_standards),
		cmocka_unit_test(test_values_are_read_as_they_are_written),
		cmocka_unit_test(test_what_is_wrong_changes_nothing),
		cmocka_unit_test(test_what_was_kept_comes_into_its_bounds),
		cmocka_unit_test(test_a_value_is_copied_alone),
		cmocka_unit_test(test_commands_find_their_settings),
		cmocka_unit_test(test_what_is_expected_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
