/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_missing.c - what is missing in a guest without /dev/vgpuN, by what its sysfs shows */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/libvgpu/missing.h"
#include "guest/libvgpu/options.h"
#include "tests/unit/scratch.h"

static char root[] = "/tmp/vgpu-missing-XXXXXX";

static void make_directory(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void write_file(const char *slot, const char *name, const void *bytes, size_t size)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/%s", root, slot, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* bar2: the byte of the configuration space; start: where the kernel has put it. */
static void add_device(const char *slot, const char *id, unsigned char bar2,
		       unsigned long long start)
{
	unsigned char config[64] = { [0x18] = bar2 };
	char name[64], resource[400];

	snprintf(name, sizeof(name), "sys/bus/pci/devices/%s", slot);
	make_directory(name);
	write_file(slot, "vendor", "0x1234\n", 7);
	write_file(slot, "device", id, strlen(id));
	write_file(slot, "config", config, sizeof(config));
	snprintf(resource, sizeof(resource),
		 "0x00000000febf0000 0x00000000febf0fff 0x0000000000040200\n"
		 "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
		 "0x%016llx 0x0000000000000000 0x000000000014220c\n",
		 start);
	write_file(slot, "resource", resource, strlen(resource));
}

static void bind_driver(const char *slot, const char *driver)
{
	char path[300], target[100];

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", root, slot);
	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	assert_int_equal(symlink(target, path), 0);
}

static int begin(void **state)
{
	(void)state;
	snprintf(root, sizeof(root), "/tmp/vgpu-missing-XXXXXX");
	assert_non_null(mkdtemp(root));
	make_directory("sys");
	make_directory("sys/module");
	make_directory("sys/bus");
	make_directory("sys/bus/pci");
	make_directory("sys/bus/pci/devices");
	add_device("0000:00:02.0", "0x1111\n", 0x0c, 0xfd000000); /* a VGA card of QEMU's */
	return 0;
}

static int end(void **state)
{
	(void)state;
	return scratch_remove(root);
}

static void check(enum vgpu_end wanted, const char *contains)
{
	char why[VGPU_WHY] = "";

	assert_int_equal(missing_why(root, "/dev/vgpu0", ENOENT, why), wanted);
	if (!strstr(why, contains))
		fail_msg("\"%s\" has not \"%s\"", why, contains);
}

static void test_no_device(void **state)
{
	(void)state;
	check(VGPU_END_NO_VGPU, "/dev/vgpu0: No such file or directory, no vgpu-stub");
}

static void test_no_sysfs(void **state)
{
	char why[VGPU_WHY];

	(void)state;
	assert_int_equal(missing_why("/nonexistent", "/dev/vgpu0", ENOENT, why), VGPU_END_NO_VGPU);
}

static void test_device_without_window(void **state)
{
	(void)state;
	add_device("0000:00:10.0", "0x7667\n", 0, 0);
	check(VGPU_END_NO_WINDOW, "0000:00:10.0 has no window");
}

static void test_bar2_without_address(void **state)
{
	(void)state;
	add_device("0000:00:10.0", "0x7667\n", 0x0c, 0);
	check(VGPU_END_NO_WINDOW, "BAR2 of 0000:00:10.0 has no address");
}

static void test_no_module(void **state)
{
	(void)state;
	add_device("0000:00:11.0", "0x7667\n", 0x0c, 0x800000000);
	add_device("0000:00:10.0", "0x7667\n", 0, 0);
	check(VGPU_END_NO_MODULE, "0000:00:11.0 has a window, but vgpu.ko is not loaded");
}

static void test_module_that_refuses_it(void **state)
{
	(void)state;
	add_device("0000:00:10.0", "0x7667\n", 0x0c, 0x800000000);
	make_directory("sys/module/vgpu");
	check(VGPU_END_NO_MODULE, "vgpu.ko is loaded, but refuses 0000:00:10.0");
}

static void test_another_driver(void **state)
{
	(void)state;
	add_device("0000:00:10.0", "0x7667\n", 0x0c, 0x800000000);
	bind_driver("0000:00:10.0", "uio_pci_generic");
	check(VGPU_END_NO_MODULE, "the driver uio_pci_generic has 0000:00:10.0");
}

static void test_a_container_without_it(void **state)
{
	(void)state;
	add_device("0000:00:10.0", "0x7667\n", 0x0c, 0x800000000);
	bind_driver("0000:00:10.0", "vgpu");
	check(VGPU_END_NO_PERMISSION, "in a container: --device /dev/vgpu0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_device, begin, end),
		cmocka_unit_test_setup_teardown(test_no_sysfs, begin, end),
		cmocka_unit_test_setup_teardown(test_device_without_window, begin, end),
		cmocka_unit_test_setup_teardown(test_bar2_without_address, begin, end),
		cmocka_unit_test_setup_teardown(test_no_module, begin, end),
		cmocka_unit_test_setup_teardown(test_module_that_refuses_it, begin, end),
		cmocka_unit_test_setup_teardown(test_another_driver, begin, end),
		cmocka_unit_test_setup_teardown(test_a_container_without_it, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
