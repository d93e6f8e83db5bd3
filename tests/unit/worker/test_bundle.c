/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_bundle.c - images that are to be linked: what is a bundle, and what makes no sense */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "common/wire/vgpu_cmds.h"
#include "worker/bundle.h"

#define PARTS_AT(num) (sizeof(struct vgpu_bundle) + (num) * sizeof(struct vgpu_bundle_part))

static uint8_t data[8192];
static struct gpu_part parts[VGPU_BUNDLE_PARTS_MOST];
static uint32_t num;

/* Two texts and a cubin of 3 bytes. Return: bytes of the bundle. */
static uint64_t make(void)
{
	static const uint8_t bytes[19] = "four\0...seven..\0\1\2\3";
	const struct vgpu_bundle head = { VGPU_BUNDLE_MAGIC, 3 };
	const struct vgpu_bundle_part of[3] = { { .bytes = 5, .type = 1 },
						{ .bytes = 8, .type = 1 },
						{ .bytes = 3, .type = 0 } };

	memset(data, 0, sizeof(data));
	memcpy(data, &head, sizeof(head));
	memcpy(data + sizeof(head), of, sizeof(of));
	memcpy(data + PARTS_AT(3), bytes, sizeof(bytes));
	return PARTS_AT(3) + 24;
}

static void set_part(unsigned index, uint64_t bytes, uint32_t type)
{
	const struct vgpu_bundle_part part = { .bytes = bytes, .type = type };

	memcpy(data + PARTS_AT(index), &part, sizeof(part));
}

static void test_good(void **state)
{
	uint64_t bytes = make();

	(void)state;
	assert_int_equal(bundle_read(data, bytes, parts, &num), 0);
	assert_int_equal(num, 3);
	assert_string_equal(parts[0].data, "four");
	assert_string_equal(parts[1].data, "seven..");
	assert_int_equal(parts[2].bytes, 3);
	assert_int_equal(parts[2].type, 0);
	assert_memory_equal(parts[2].data, "\1\2\3", 3);
}

static void test_no_bundle(void **state)
{
	(void)state;
	assert_int_equal(bundle_read((const uint8_t *)".version 8.0", 13, parts, &num), 0);
	assert_int_equal(num, 0);
	make();
	assert_int_equal(bundle_read(data, 7, parts, &num), 0);
	assert_int_equal(num, 0);
}

static void test_bad(void **state)
{
	const uint32_t none = 0, many = VGPU_BUNDLE_PARTS_MOST + 1;
	uint64_t bytes = make();

	(void)state;
	/* Cut anywhere: in the heads, in a part, in what fills the last one up. */
	for (uint64_t cut = sizeof(struct vgpu_bundle); cut < bytes; cut++)
		assert_int_equal(bundle_read(data, cut, parts, &num), -EINVAL);
	memcpy(data + 4, &none, 4);
	assert_int_equal(bundle_read(data, bytes, parts, &num), -EINVAL);
	memcpy(data + 4, &many, 4);
	assert_int_equal(bundle_read(data, sizeof(data), parts, &num), -EINVAL);
	make();
	set_part(1, UINT64_MAX, 0);
	assert_int_equal(bundle_read(data, bytes, parts, &num), -EINVAL);
	set_part(1, UINT64_MAX - 6, 0); /* filled up it is 0 */
	assert_int_equal(bundle_read(data, bytes, parts, &num), -EINVAL);
	set_part(1, 0, 0);
	assert_int_equal(bundle_read(data, bytes, parts, &num), -EINVAL);
	set_part(1, 8, 5);
	assert_int_equal(bundle_read(data, bytes, parts, &num), -EINVAL);
	/* A text without an end, with one inside. */
	set_part(1, 7, 1);
	assert_int_equal(bundle_read(data, bytes, parts, &num), -EINVAL);
	set_part(0, 8, 1);
	set_part(1, 8, 1);
	assert_int_equal(bundle_read(data, bytes, parts, &num), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_no_bundle),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
