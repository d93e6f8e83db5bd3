/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_nvml.c - what is made of NVML's samples of processes: since the last look, bounded, or not known */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/nvml.h"

#define NOT_SUPPORTED 3

/* What NVML says. Its processes are 11 and 12. */
static nvmlProcessUtilizationSample_t said[4];
static unsigned said_num, asked_from;
static nvmlReturn_t result;

static nvmlReturn_t on_handle(unsigned index, nvmlDevice_t *device)
{
	(void)index;
	*device = NULL;
	return NVML_SUCCESS;
}

static nvmlReturn_t on_text(nvmlDevice_t device, char *out, unsigned size)
{
	(void)device;
	(void)size;
	out[0] = '\0';
	return NVML_SUCCESS;
}

static nvmlReturn_t on_memory(nvmlDevice_t device, nvmlMemory_t *memory)
{
	(void)device;
	*memory = (nvmlMemory_t){ 3, 2, 1 };
	return NVML_SUCCESS;
}

static nvmlReturn_t on_utilisation(nvmlDevice_t device, nvmlUtilization_t *busy)
{
	(void)device;
	*busy = (nvmlUtilization_t){ 1, 2 };
	return NVML_SUCCESS;
}

static nvmlReturn_t on_temperature(nvmlDevice_t device, int sensor, unsigned *number)
{
	(void)device;
	(void)sensor;
	*number = 1;
	return NVML_SUCCESS;
}

static nvmlReturn_t on_power(nvmlDevice_t device, unsigned *number)
{
	(void)device;
	*number = 1;
	return NVML_SUCCESS;
}

static nvmlReturn_t on_mode(nvmlDevice_t device, int *mode)
{
	(void)device;
	*mode = 0;
	return NVML_SUCCESS;
}

static nvmlReturn_t on_processes(nvmlDevice_t device, unsigned *num, nvmlProcessInfo_t *out)
{
	(void)device;
	assert_true(*num >= 2);
	*num = 2;
	out[0] = (nvmlProcessInfo_t){ .pid = 11, .usedGpuMemory = 5 };
	out[1] = (nvmlProcessInfo_t){ .pid = 12, .usedGpuMemory = 6 };
	return NVML_SUCCESS;
}

static nvmlReturn_t on_samples(nvmlDevice_t device, nvmlProcessUtilizationSample_t *out,
			       unsigned *num, unsigned long long since_us)
{
	(void)device;
	asked_from = (unsigned)since_us;
	if (result != NVML_SUCCESS)
		return result;
	assert_true(*num >= said_num);
	memcpy(out, said, said_num * sizeof(said[0]));
	*num = said_num;
	return NVML_SUCCESS;
}

static const struct nvml_library library = {
	.handle = on_handle,
	.uuid = on_text,
	.name = on_text,
	.memory = on_memory,
	.utilisation = on_utilisation,
	.temperature = on_temperature,
	.power = on_power,
	.compute_mode = on_mode,
	.processes = on_processes,
	.samples = on_samples,
};

static void say(unsigned pid, unsigned percent, unsigned at_us)
{
	said[said_num++] = (nvmlProcessUtilizationSample_t){ .pid = pid,
							     .smUtil = percent,
							     .timeStamp = at_us };
}

/* Each test has a GPU of its own, whose first look is behind it. */
static struct nvml_gpu gpu;

static int set_up(void **state)
{
	static uint32_t index;

	(void)state;
	index++;
	said_num = 0;
	result = NVML_SUCCESS;
	say(11, 99, 1000);
	nvml_ask(&library, index, &gpu);
	assert_int_equal(asked_from, 0);
	/* What was before is not the last look's. */
	assert_int_equal(gpu.process[0].busy_percent, 0);
	assert_int_equal(gpu.busy_period_us, 0);
	said_num = 0;
	return 0;
}

static void look(void)
{
	nvml_ask(&library, gpu.index, &gpu);
	assert_int_equal(gpu.process_num, 2);
	said_num = 0;
}

static void a_period_begins_where_the_last_one_ended(void **state)
{
	(void)state;
	say(12, 40, 3000);
	say(11, 20, 3500);
	say(99, 20, 3400); /* it has gone meanwhile */
	look();
	assert_int_equal(asked_from, 1000);
	assert_int_equal(gpu.process[0].busy_percent, 20);
	assert_int_equal(gpu.process[1].busy_percent, 40);
	assert_int_equal(gpu.busy_period_us, 2500);
	assert_true(gpu.known & NVML_KNOWS_BUSY_PROCESSES);
	look();
	assert_int_equal(asked_from, 3500);
	assert_int_equal(gpu.process[0].busy_percent, 0);
	assert_int_equal(gpu.busy_period_us, 0);
}

static void nobody_was_busy(void **state)
{
	(void)state;
	result = NVML_ERROR_NOT_FOUND;
	look();
	assert_true(gpu.known & NVML_KNOWS_BUSY_PROCESSES);
	assert_int_equal(gpu.busy_period_us, 0);
	result = NVML_SUCCESS;
	say(11, 7, 9000);
	look();
	assert_int_equal(gpu.busy_period_us, 8000); /* all of it */
}

static void what_nvml_cannot_tell(void **state)
{
	(void)state;
	result = NOT_SUPPORTED;
	look();
	assert_false(gpu.known & NVML_KNOWS_BUSY_PROCESSES);
	assert_true(gpu.known & NVML_KNOWS_PROCESSES);
	result = NVML_ERROR_INSUFFICIENT_SIZE;
	look();
	assert_false(gpu.known & NVML_KNOWS_BUSY_PROCESSES);
}

static void odd_figures(void **state)
{
	(void)state;
	say(11, 4000000000u, 5000);
	say(12, 50, 10); /* older than asked for */
	look();
	assert_int_equal(gpu.process[0].busy_percent, 100);
	assert_int_equal(gpu.process[1].busy_percent, 0);
	assert_int_equal(gpu.busy_period_us, 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define NVML_TEST(f) cmocka_unit_test_setup(f, set_up)
		NVML_TEST(a_period_begins_where_the_last_one_ended),
		NVML_TEST(nobody_was_busy),
		NVML_TEST(what_nvml_cannot_tell),
		NVML_TEST(odd_figures),
#undef NVML_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
