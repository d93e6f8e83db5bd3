/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ring_code.c - the machine code of vgpu_ring.h: no bus lock, and the fences that it promises */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/wire/vgpu_ring.h"

/* Each of the functions, as a compiler puts it into a caller. */
#define CODE __attribute__((noinline, used, externally_visible))

uint32_t ring_code_load(const volatile uint32_t *at);
void ring_code_store(volatile uint32_t *at, uint32_t value);
void ring_code_publish(volatile uint32_t *at, uint32_t value);
uint32_t ring_code_consume(const volatile uint32_t *at);
void ring_code_fence(void);

CODE uint32_t ring_code_load(const volatile uint32_t *at)
{
	return vgpu_ring_load(at);
}

CODE void ring_code_store(volatile uint32_t *at, uint32_t value)
{
	vgpu_ring_store(at, value);
}

CODE void ring_code_publish(volatile uint32_t *at, uint32_t value)
{
	vgpu_ring_publish(at, value);
}

CODE uint32_t ring_code_consume(const volatile uint32_t *at)
{
	return vgpu_ring_consume(at);
}

CODE void ring_code_fence(void)
{
	vgpu_ring_fence();
}

/* What objdump prints of one function of this program. Return: whether it could. */
static bool disassemble(const char *function, char *text, size_t size)
{
	char command[160];
	size_t used;
	FILE *out;

	snprintf(command, sizeof(command),
		 "objdump -d --no-show-raw-insn --disassemble=%s /proc/%d/exe 2>/dev/null",
		 function, (int)getpid());
	out = popen(command, "r");
	if (out == NULL)
		return false;
	used = fread(text, 1, size - 1, out);
	text[used] = '\0';
	return pclose(out) == 0 && strstr(text, function) != NULL;
}

static void test_code(void **state)
{
	static const struct {
		const char *function, *needs, *is_without;
	} code[] = {
		{ "ring_code_load", "mov", "fence" },
		{ "ring_code_store", "mov", "fence" },
		{ "ring_code_publish", "sfence", "mfence" },
		{ "ring_code_consume", "lfence", "mfence" },
		{ "ring_code_fence", "mfence", "sfence" },
	};
	char text[65536];

	(void)state;
	for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
		if (!disassemble(code[i].function, text, sizeof(text))) {
			print_message("# nothing here disassembles\n");
			return;
		}
		assert_non_null(strstr(text, code[i].needs));
		assert_null(strstr(text, code[i].is_without));
		/* xchg with memory locks without being told. */
		assert_null(strstr(text, "lock"));
		assert_null(strstr(text, "xchg"));
		assert_null(strstr(text, "xadd"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_code) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
