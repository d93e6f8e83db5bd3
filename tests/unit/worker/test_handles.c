/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_handles.c - the numbers that a program chooses for its objects */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/wire/vgpu_cmds.h"
#include "worker/handles.h"

static int things[4];

static void test_numbers(void **state)
{
	struct handles handles;

	(void)state;
	handles_init(&handles);
	assert_null(handles_find(&handles, HANDLES_STREAM, 1));
	assert_int_equal(handles_add(&handles, HANDLES_STREAM, 0, &things[0], 0, 0), -EINVAL);
	assert_int_equal(
		handles_add(&handles, HANDLES_STREAM, VGPU_HANDLES_MOST + 1, &things[0], 0, 0),
		-EINVAL);
	assert_int_equal(handles_add(&handles, HANDLES_STREAM, 1, &things[0], 0, 0), 0);
	assert_int_equal(handles_add(&handles, HANDLES_STREAM, VGPU_HANDLES_MOST, &things[1], 0, 0),
			 0);
	assert_int_equal(handles_add(&handles, HANDLES_STREAM, 1, &things[2], 0, 0), -EEXIST);
	assert_ptr_equal(handles_find(&handles, HANDLES_STREAM, 1)->object, &things[0]);
	assert_ptr_equal(handles_find(&handles, HANDLES_STREAM, VGPU_HANDLES_MOST)->object,
			 &things[1]);
	assert_null(handles_find(&handles, HANDLES_STREAM, 2));
	assert_null(handles_find(&handles, HANDLES_STREAM, UINT32_MAX));
	/* The same number of another kind is another object. */
	assert_null(handles_find(&handles, HANDLES_EVENT, 1));
	assert_null(handles_remove(&handles, HANDLES_EVENT, 1));
	handles_end(&handles);
}

static void test_generation(void **state)
{
	struct handles handles;
	uint32_t first;

	(void)state;
	handles_init(&handles);
	assert_int_equal(handles_add(&handles, HANDLES_EVENT, 5, &things[0], 0, 0), 0);
	first = handles_find(&handles, HANDLES_EVENT, 5)->generation;
	assert_ptr_equal(handles_remove(&handles, HANDLES_EVENT, 5), &things[0]);
	assert_null(handles_remove(&handles, HANDLES_EVENT, 5));
	assert_int_equal(handles_add(&handles, HANDLES_EVENT, 5, &things[1], 0, 0), 0);
	assert_int_not_equal(handles_find(&handles, HANDLES_EVENT, 5)->generation, first);
	handles_end(&handles);
}

static void test_owner(void **state)
{
	struct handles handles;

	(void)state;
	handles_init(&handles);
	/* Nothing is there yet. */
	handles_remove_owned(&handles, HANDLES_FUNCTION, 7);
	assert_int_equal(handles_add(&handles, HANDLES_FUNCTION, 1, &things[0], 7, 16), 0);
	assert_int_equal(handles_add(&handles, HANDLES_FUNCTION, 2, &things[1], 8, 0), 0);
	assert_int_equal(handles_add(&handles, HANDLES_FUNCTION, 3, &things[2], 7, 0), 0);
	assert_int_equal(handles_find(&handles, HANDLES_FUNCTION, 1)->value, 16);
	handles_remove_owned(&handles, HANDLES_FUNCTION, 7);
	assert_null(handles_find(&handles, HANDLES_FUNCTION, 1));
	assert_non_null(handles_find(&handles, HANDLES_FUNCTION, 2));
	assert_null(handles_find(&handles, HANDLES_FUNCTION, 3));
	handles_end(&handles);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
