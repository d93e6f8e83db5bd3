/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_image.c - what an image is, and what the environment lets a program see */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "guest/libcuda/image.h"
#include "guest/libcuda/settings.h"

static void test_texts(void **state)
{
	static const char good[] = "// a comment\n.version 7.0\n";
	struct image image;

	(void)state;
	assert_int_equal(image_measure(good, &image), CUDA_SUCCESS);
	assert_int_equal(image.bytes, sizeof(good));
	assert_int_equal(image_measure("", &image), CUDA_ERROR_INVALID_IMAGE);
	assert_int_equal(image_measure("nonsense", &image), CUDA_ERROR_INVALID_IMAGE);
	assert_int_equal(image_measure("\xa5\xa5", &image), CUDA_ERROR_INVALID_IMAGE);
	assert_int_equal(image_measure(NULL, &image), CUDA_ERROR_INVALID_VALUE);
}

static void test_fatbins(void **state)
{
	struct {
		uint32_t magic;
		uint16_t version, header_bytes;
		uint64_t bytes;
		uint8_t data[40];
	} fatbin = { 0xba55ed50u, 1, 16, 40, { 0 } };
	struct {
		uint32_t magic, version;
		const void *data;
		void *unused;
	} wrapper = { 0x466243b1u, 1, &fatbin, NULL };
	struct image image;

	(void)state;
	assert_int_equal(image_measure(&fatbin, &image), CUDA_SUCCESS);
	assert_int_equal(image.bytes, 56);
	assert_int_equal(image_measure(&wrapper, &image), CUDA_SUCCESS);
	assert_ptr_equal(image.data, &fatbin);
	assert_int_equal(image.bytes, 56);
	fatbin.bytes = UINT64_MAX;
	assert_int_equal(image_measure(&wrapper, &image), CUDA_ERROR_INVALID_IMAGE);
	wrapper.data = NULL;
	assert_int_equal(image_measure(&wrapper, &image), CUDA_ERROR_INVALID_IMAGE);
}

static void test_cubins(void **state)
{
	struct {
		Elf64_Ehdr head;
		Elf64_Shdr sections[3];
		uint8_t data[100];
	} cubin = { .head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64 },
			      .e_shoff = sizeof(Elf64_Ehdr),
			      .e_shnum = 3,
			      .e_shentsize = sizeof(Elf64_Shdr) } };
	struct image image;

	(void)state;
	cubin.sections[1] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS,
					  .sh_offset = offsetof(__typeof__(cubin), data),
					  .sh_size = 100 };
	cubin.sections[2] = (Elf64_Shdr){ .sh_type = SHT_NOBITS, .sh_size = UINT64_MAX };
	assert_int_equal(image_measure(&cubin, &image), CUDA_SUCCESS);
	assert_int_equal(image.bytes, offsetof(__typeof__(cubin), data) + 100);
	cubin.sections[1].sh_size = UINT64_MAX;
	assert_int_equal(image_measure(&cubin, &image), CUDA_ERROR_INVALID_IMAGE);
	cubin.head.e_shoff = UINT64_MAX;
	assert_int_equal(image_measure(&cubin, &image), CUDA_ERROR_INVALID_IMAGE);
	cubin.head.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(image_measure(&cubin, &image), CUDA_ERROR_INVALID_IMAGE);
}

static void test_visible(void **state)
{
	static const uint8_t uuid[16] = { 0xab, 0xcd, 0x12 };
	static const struct {
		const char *text;
		bool visible;
	} cases[] = {
		{ NULL, true },		 { "0", true },		  { "0,1", true },
		{ " 0", true },		 { "", false },		  { "-1", false },
		{ "1", false },		 { "1,0", false },	  { "GPU-ab", true },
		{ "GPU-abcd12", true },	 { "GPU-abcd-12", true }, { "GPU-ac", false },
		{ "GPU-", false },	 { "gpu", false },	  { "0x0", false },
		{ "NoDevFiles", false }, { "00", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings settings = { .visible = cases[i].text };

		if (settings_show_device(&settings, uuid) != cases[i].visible)
			fail_msg("\"%s\"", cases[i].text);
	}
}

static void test_window_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = { { "64M", 64u << 20 },
		      { "2G", 2ull << 30 },
		      { "16777216", 16u << 20 },
		      { "", 1u << 30 },
		      { "64X", 0 },
		      { "M", 0 },
		      { "64MB", 0 },
		      { "16M", 16u << 20 },
		      { "4G", 4ull << 30 },
		      { "8M", 0 },
		      { "8G", 0 },
		      { "77M", 0 },
		      { "99999999999999999G", 0 } };

	(void)state;
	setenv("VGPU_QUIET", "1", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings settings;

		setenv("VGPU_WINDOW_SIZE", cases[i].text, 1);
		settings_read(&settings);
		assert_int_equal(settings.window_bytes, cases[i].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),	     cmocka_unit_test(test_fatbins),
		cmocka_unit_test(test_cubins),	     cmocka_unit_test(test_visible),
		cmocka_unit_test(test_window_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
