/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_print.c - functions that the machine has in itself: vprintf, __assertfail, malloc, free */

/*
 * The format and its arguments come from the kernel: nothing of them reaches the host's printf but
 * one conversion at a time, rebuilt from parts that were checked here. The argument list is as nvcc
 * lays it out: each argument at its own alignment, 4 or 8 bytes; floats have become doubles.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

#define TEXT_MAX 8192u	 /* of one printf, formatted */
#define STRING_MAX 1024u /* of one %s, and of assert's texts */
#define FORMAT_MAX 4096u
#define WIDTH_MAX 512 /* of a field, and digits of a precision */

/* One printf on its way: texts come byte by byte from checked memory. */
struct printing {
	struct sg_exec_warp *w;
	const struct sg_code_insn *insn;
	unsigned lane;
	uint64_t args; /* generic address of the next argument */
	bool failed;   /* the block's fault is filled in */
	char text[TEXT_MAX];
	size_t used;
};

/* Copy a string of the kernel, cut at its bound. Return: false with the block's fault. */
static bool read_string(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			uint64_t addr, char *to, size_t to_bytes)
{
	for (size_t n = 0; n + 1 < to_bytes; n++) {
		const unsigned char *host = sg_exec_generic(w, insn, lane, addr + n, 1, false,
							    true);

		if (!host)
			return false;
		to[n] = (char)*host;
		to[n + 1] = '\0';
		if (*host == '\0')
			return true;
	}
	return true;
}

static void append(struct printing *p, const char *text, size_t bytes)
{
	if (bytes > sizeof(p->text) - p->used)
		bytes = sizeof(p->text) - p->used;
	memcpy(p->text + p->used, text, bytes);
	p->used += bytes;
}

static uint64_t next_argument(struct printing *p, unsigned bytes)
{
	const unsigned char *host;
	uint64_t value = 0;

	p->args = (p->args + bytes - 1) & ~(uint64_t)(bytes - 1);
	host = sg_exec_generic(p->w, p->insn, p->lane, p->args, bytes, false, true);
	p->args += bytes;
	if (!host) {
		p->failed = true;
		return 0;
	}
	memcpy(&value, host, bytes);
	return value;
}

/* What stands between % and the letter. */
struct conversion {
	char flags[8];
	int width, precision; /* -1: none */
	bool is_long;	      /* 64 bits */
	unsigned shorter;     /* 0, 1 for h, 2 for hh */
	char letter;
};

static const char *read_number(struct printing *p, const char *at, int *number)
{
	*number = 0;
	if (*at == '*') {
		*number = (int)(int32_t)next_argument(p, 4);
		return at + 1;
	}
	for (; *at >= '0' && *at <= '9'; at++) {
		if (*number <= WIDTH_MAX)
			*number = *number * 10 + (*at - '0');
	}
	return at;
}

static const char *read_conversion(struct printing *p, const char *at, struct conversion *c)
{
	size_t flags = 0;

	*c = (struct conversion){ .width = -1, .precision = -1 };
	while (*at && strchr("-+ #0", *at)) {
		if (flags + 1 < sizeof(c->flags) && !memchr(c->flags, *at, flags))
			c->flags[flags++] = *at;
		at++;
	}
	if (*at == '*' || (*at >= '1' && *at <= '9'))
		at = read_number(p, at, &c->width);
	if (c->width < -1) {
		/* A negative width from an argument means left-aligned. */
		c->width = c->width > -WIDTH_MAX ? -c->width : WIDTH_MAX;
		if (flags + 1 < sizeof(c->flags))
			c->flags[flags++] = '-';
	}
	if (*at == '.')
		at = read_number(p, at + 1, &c->precision);
	c->width = c->width > WIDTH_MAX ? WIDTH_MAX : c->width;
	c->precision = c->precision > WIDTH_MAX ? WIDTH_MAX : c->precision;
	for (; *at && strchr("lhjztL", *at); at++) {
		c->is_long = c->is_long || (*at != 'h' && *at != 'L');
		c->shorter += *at == 'h';
	}
	c->letter = *at;
	return *at ? at + 1 : at;
}

/* "%-8.3" and room for the length and the letter. */
static void rebuild(const struct conversion *c, const char *end, char *out, size_t out_bytes)
{
	int n = snprintf(out, out_bytes, "%%%s", c->flags);

	if (c->width >= 0)
		n += snprintf(out + n, out_bytes - (size_t)n, "%d", c->width);
	if (c->precision >= 0)
		n += snprintf(out + n, out_bytes - (size_t)n, ".%d", c->precision);
	snprintf(out + n, out_bytes - (size_t)n, "%s", end);
}

static uint64_t narrow_integer(const struct conversion *c, uint64_t value)
{
	bool is_signed = c->letter == 'd' || c->letter == 'i';

	if (c->is_long)
		return value;
	if (c->shorter == 1)
		return is_signed ? (uint64_t)(int16_t)value : (uint16_t)value;
	if (c->shorter > 1)
		return is_signed ? (uint64_t)(int8_t)value : (uint8_t)value;
	return is_signed ? (uint64_t)(int32_t)value : (uint32_t)value;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* built above from checked parts */
static void print_one(struct printing *p, const struct conversion *c)
{
	char format[48], end[4] = { 'l', 'l', c->letter, '\0' }, out[2 * WIDTH_MAX + STRING_MAX];
	char string[STRING_MAX] = "";
	uint64_t value;
	double number;
	int n = 0;

	switch (c->letter) {
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		value = narrow_integer(c, next_argument(p, c->is_long ? 8 : 4));
		rebuild(c, end, format, sizeof(format));
		n = snprintf(out, sizeof(out), format, (unsigned long long)value);
		break;
	case 'c':
		rebuild(c, end + 2, format, sizeof(format));
		n = snprintf(out, sizeof(out), format, (int)next_argument(p, 4));
		break;
	case 'p':
		value = next_argument(p, 8);
		rebuild(c, end + 2, format, sizeof(format));
		n = snprintf(out, sizeof(out), format, (void *)(uintptr_t)value);
		break;
	case 's':
		value = next_argument(p, 8);
		if (value == 0) /* as on hardware, whose driver prints it */
			snprintf(string, sizeof(string), "(null)");
		else if (!p->failed &&
			 !read_string(p->w, p->insn, p->lane, value, string, sizeof(string)))
			p->failed = true;
		rebuild(c, end + 2, format, sizeof(format));
		n = snprintf(out, sizeof(out), format, string);
		break;
	default:
		value = next_argument(p, 8);
		memcpy(&number, &value, sizeof(number));
		rebuild(c, end + 2, format, sizeof(format));
		n = snprintf(out, sizeof(out), format, number);
		break;
	}
	if (n > 0)
		append(p, out, (size_t)n < sizeof(out) ? (size_t)n : sizeof(out) - 1);
}
#pragma GCC diagnostic pop

/* Return: how many arguments were printed. */
static uint32_t format_text(struct printing *p, const char *format)
{
	uint32_t count = 0;

	while (*format && !p->failed) {
		size_t plain = strcspn(format, "%");
		struct conversion c;

		append(p, format, plain);
		format += plain;
		if (*format == '\0')
			break;
		if (format[1] == '%') {
			append(p, "%", 1);
			format += 2;
			continue;
		}
		format = read_conversion(p, format + 1, &c);
		/* %n writes memory, and is not there on a GPU either: nothing is printed for it. */
		if (c.letter == '\0' || !strchr("diuxXocpsfFeEgGaA", c.letter))
			continue;
		print_one(p, &c);
		count++;
	}
	return count;
}

/* Return: false with the block's fault. */
static bool print_lane(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
		       uint64_t format_addr, uint64_t args, uint32_t *result)
{
	const struct sg_cta_hooks *hooks = w->cta->launch->hooks;
	struct printing p = { .w = w, .insn = insn, .lane = lane, .args = args };
	char format[FORMAT_MAX] = "";

	if (format_addr == 0) {
		*result = UINT32_MAX; /* as the manual of CUDA C++ has it */
		return true;
	}
	if (!read_string(w, insn, lane, format_addr, format, sizeof(format)))
		return false;
	*result = format_text(&p, format);
	if (p.failed)
		return false;
	if (hooks->print(hooks->arg, p.text, p.used))
		*result = UINT32_MAX;
	return true;
}

/* (message, file, line, function, bytes of a character) */
static int assert_failed(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			 const uint64_t args[5])
{
	const struct sg_cta_hooks *hooks = w->cta->launch->hooks;
	char message[256] = "", file[256] = "", function[256] = "", text[1024];

	if (!read_string(w, insn, lane, args[0], message, sizeof(message)) ||
	    !read_string(w, insn, lane, args[1], file, sizeof(file)) ||
	    !read_string(w, insn, lane, args[3], function, sizeof(function)))
		return SG_EXEC_FAULT;
	snprintf(text, sizeof(text),
		 "%s:%u: %s: block: [%u,%u,%u], thread: [%u,%u,%u] Assertion `%s` failed.\n", file,
		 (uint32_t)args[2], function, w->cta->index[0], w->cta->index[1], w->cta->index[2],
		 w->tid[0][lane], w->tid[1][lane], w->tid[2][lane], message);
	hooks->failed_assert(hooks->arg, text);
	return sg_exec_fault(w, insn, lane, SG_FAULT_ASSERT, "%s:%u: %s: assertion `%s` failed",
			     file, (uint32_t)args[2], function, message);
}

/* Return: the address, 0 when the heap or the device's memory is used up. */
static uint64_t heap_alloc(struct sg_cta *cta, uint64_t bytes)
{
	struct sg_cta_heap *heap = cta->launch->heap;
	uint64_t counted, addr;

	if (bytes == 0 || bytes > heap->limit_bytes)
		return 0;
	counted = (bytes + 15) & ~15ull;
	if (atomic_fetch_add(&heap->used_bytes, counted) + counted > heap->limit_bytes ||
	    sg_memory_alloc(cta->launch->memory, bytes, 16, SG_MEMORY_HEAP, &addr)) {
		atomic_fetch_sub(&heap->used_bytes, counted);
		return 0;
	}
	return addr;
}

static int heap_release(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			uint64_t addr)
{
	const struct sg_launch *launch = w->cta->launch;
	struct sg_memory_range range;
	char near[256];

	if (addr == 0)
		return SG_EXEC_GO;
	if (sg_memory_find(launch->memory, addr, &range) || range.base != addr ||
	    range.kind != SG_MEMORY_HEAP || sg_memory_release(launch->memory, addr)) {
		sg_memory_nearest(launch->memory, addr, near, sizeof(near));
		return sg_exec_fault(w, insn, lane, SG_FAULT_ILLEGAL_ADDRESS,
				     "free of 0x%llx, which malloc did not give: %s",
				     (unsigned long long)addr, near);
	}
	atomic_fetch_sub(&launch->heap->used_bytes, (range.bytes + 15) & ~15ull);
	return SG_EXEC_GO;
}

/* An actual argument or a result's place, of one lane. */
static unsigned char *place_of(struct sg_exec_warp *w, const struct sg_code_place *place,
			       unsigned lane)
{
	const struct sg_exec_call *call = sg_exec_group(w)->call;

	if (place->in_frame)
		return w->local + (size_t)lane * w->local_capacity + call->local_base + place->at;
	return call->registers + place->at + (size_t)lane * place->lane;
}

static void give(struct sg_exec_warp *w, const struct sg_code_call *site, unsigned lane,
		 uint64_t value)
{
	uint32_t bytes;

	if (site->ret_count == 0)
		return;
	bytes = site->rets[0].bytes < 8 ? site->rets[0].bytes : 8;
	memcpy(place_of(w, &site->rets[0], lane), &value, bytes);
}

static int builtin_lane(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			const struct sg_code_call *site)
{
	uint64_t args[5] = { 0 };
	uint32_t printed = 0;

	for (uint32_t n = 0; n < site->arg_count && n < 5; n++)
		memcpy(&args[n], place_of(w, &site->args[n], lane),
		       site->args[n].bytes < 8 ? site->args[n].bytes : 8);
	switch (site->builtin) {
	case SG_BUILTIN_VPRINTF:
		if (!print_lane(w, insn, lane, args[0], args[1], &printed))
			return SG_EXEC_FAULT;
		give(w, site, lane, printed);
		return SG_EXEC_GO;
	case SG_BUILTIN_ASSERTFAIL:
		return assert_failed(w, insn, lane, args);
	case SG_BUILTIN_MALLOC:
		give(w, site, lane, heap_alloc(w->cta, args[0]));
		return SG_EXEC_GO;
	default:
		return heap_release(w, insn, lane, args[0]);
	}
}

int sg_exec_builtin(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		    uint32_t mask, const struct sg_code_call *site)
{
	int result = SG_EXEC_GO;

	(void)frame;
	for (uint32_t left = mask; left; left &= left - 1) {
		int next = builtin_lane(w, insn, (unsigned)__builtin_ctz(left), site);

		if (next == SG_EXEC_GO)
			continue;
		/* Every lane whose assertion failed has its line, as on hardware. */
		if (site->builtin != SG_BUILTIN_ASSERTFAIL)
			return next;
		result = next;
	}
	return result;
}
