/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel_guest.c - the program that fuzz_channel tries, kept from input to input */

#include "tests/fuzz/channel_guest.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/util.h"
#include "softgpu/device/state.h"
#include "tests/fuzz/fuzz.h"
#include "worker/gpu_soft.h"
#include "worker/waits.h"

#define SPEC "cpu memory=1M processors=1"
#define PATIENCE_NS (3 * UTIL_NS_PER_MS)
/* A leak that a reset cannot see, and state that it forgets, do not pile up. */
#define INPUTS_MOST 65536u

const char channel_ptx[] =
	".version 7.0\n.target sm_75\n.address_size 64\n"
	".global .align 4 .u32 word;\n"
	".visible .entry k(.param .u64 to)\n{\n"
	".reg .b32 %r<2>; .reg .b64 %rd<2>;\n"
	"ld.param.u64 %rd1, [to]; mov.u32 %r1, %tid.x; st.global.u32 [%rd1], %r1; ret;\n}\n";

const char channel_ptx_printing[] =
	".version 7.0\n.target sm_75\n.address_size 64\n"
	".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 v);\n"
	".global .align 1 .b8 line[4] = {104, 105, 10, 0};\n"
	".visible .entry k()\n{\n"
	".reg .b32 %r<2>; .reg .b64 %rd<4>;\n"
	"mov.u64 %rd1, line; cvta.global.u64 %rd2, %rd1; mov.u64 %rd3, 0;\n"
	"{ .param .b64 a; st.param.b64 [a], %rd2; .param .b64 b; st.param.b64 [b], %rd3;\n"
	".param .b32 c; call.uni (c), vprintf, (a, b); ld.param.b32 %r1, [c]; }\n"
	"ret;\n}\n";

static struct {
	bool is_there;
	struct guest guest;
	uint64_t device;
	bool has_device;
	uint64_t free_bytes;	   /* beside the module and that device memory */
	struct handles_entry kept; /* module 1 */
	uint64_t inputs;	   /* since it was made */
} it;

/* --- making it ----------------------------------------------------------------------------------- */

static void forbid(uint64_t at, uint64_t bytes, int access)
{
	REQUIRE(mprotect((void *)(uintptr_t)(it.guest.address + at), bytes, access) == 0);
}

static void share_out(uint8_t *owners)
{
	memset(owners, 0, VGPU_PAGE);
	owners[CHANNEL_PIECE_CONTROL] = CHANNEL_NUMBER + 1;
	owners[CHANNEL_PIECE_BULK] = CHANNEL_NUMBER + 1;
	owners[CHANNEL_PIECE_MORE] = CHANNEL_NUMBER + 1;
	owners[CHANNEL_PIECE_OTHER] = CHANNEL_NUMBER + 2;
	owners[CHANNEL_PIECE_CHANGES] = CHANNEL_NUMBER + 1;
	owners[CHANNEL_PIECE_LAST] = CHANNEL_NUMBER + 2;
}

static void load_module(void)
{
	const struct gpu_image image = { .data = channel_ptx, .bytes = strlen(channel_ptx) };
	struct program *program = it.guest.program;
	uint64_t taken_bytes;
	CUmodule module;

	REQUIRE(program->gpu->ops->module_load(program->gpu, &image, &module, &taken_bytes) ==
		CUDA_SUCCESS);
	REQUIRE(program_add(program, HANDLES_MODULE, 1, module, 0, 0) == CUDA_SUCCESS);
	REQUIRE(program_find(program, HANDLES_MODULE, 1, &it.kept));
}

static uint64_t free_bytes(void)
{
	uint64_t bytes, total;

	REQUIRE(it.guest.gpu->ops->memory_info(it.guest.gpu, &bytes, &total) == CUDA_SUCCESS);
	return bytes;
}

static void make(void)
{
	struct guest_place place = { .control_at = CHANNEL_AT(CHANNEL_PIECE_CONTROL),
				     .channel = CHANNEL_NUMBER };
	uint8_t *view;

	place.window = guest_window();
	view = mmap(NULL, VGPU_PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, place.window, 0);
	REQUIRE(view != MAP_FAILED);
	share_out(view + VGPU_WINDOW_OWNERS);
	munmap(view, VGPU_PIECE);
	guest_open_at(&it.guest, SPEC, 2, &place);
	close(place.window);
	forbid(0, VGPU_PIECE, PROT_NONE);
	forbid(VGPU_WINDOW_OWNERS, VGPU_PAGE, PROT_READ);
	forbid(CHANNEL_AT(CHANNEL_PIECE_OTHER), 2 * VGPU_PIECE, PROT_NONE);
	forbid(CHANNEL_AT(CHANNEL_PIECE_LAST), VGPU_PIECE, PROT_NONE);
	load_module();
	REQUIRE(it.guest.gpu->ops->memory_alloc(it.guest.gpu, CHANNEL_DEVICE_BYTES, &it.device) ==
		CUDA_SUCCESS);
	it.has_device = true;
	it.free_bytes = free_bytes();
	it.is_there = true;
	it.inputs = 0;
}

/* --- what every input begins with ------------------------------------------------------------------ */

static void fill_window(void)
{
	struct guest *guest = &it.guest;

	share_out(guest->view + VGPU_WINDOW_OWNERS);
	memset(guest->control, 0, sizeof(*guest->control));
	memset(guest->replies, 0, VGPU_REPLIES * sizeof(*guest->replies));
	memset(guest->view + guest->control_at + VGPU_CHANNEL_WORDS, 0, 64);
	memset(guest->sequences, 0, sizeof(guest->sequences));
	guest->tail = 0;
	memcpy(guest->view + CHANNEL_TEXT_AT, channel_ptx, strlen(channel_ptx) + 1);
	memcpy(guest->view + CHANNEL_PRINTING_AT, channel_ptx_printing,
	       strlen(channel_ptx_printing) + 1);
	memset(guest->view + CHANNEL_NONSENSE_AT, 0x7f, 512);
}

static void add_objects(void)
{
	struct program *program = it.guest.program;
	const struct gpu_ops *ops = it.guest.gpu->ops;
	CUfunction function;
	CUmemoryPool pool;
	CUstream stream;
	CUevent event;

	REQUIRE(ops->module_function(it.guest.gpu, it.kept.object, "k", &function) == CUDA_SUCCESS);
	REQUIRE(program_add(program, HANDLES_FUNCTION, 1, function, 1, 8) == CUDA_SUCCESS);
	REQUIRE(ops->stream_create(it.guest.gpu, CU_STREAM_NON_BLOCKING, 0, &stream) ==
		CUDA_SUCCESS);
	REQUIRE(program_add(program, HANDLES_STREAM, 1, stream, 0, 0) == CUDA_SUCCESS);
	REQUIRE(ops->event_create(it.guest.gpu, 0, &event) == CUDA_SUCCESS);
	REQUIRE(program_add(program, HANDLES_EVENT, 1, event, 0, 0) == CUDA_SUCCESS);
	REQUIRE(ops->pool_create(it.guest.gpu, 0, &pool) == CUDA_SUCCESS);
	REQUIRE(program_add(program, HANDLES_POOL, 1, pool, 0, 0) == CUDA_SUCCESS);
	if (!it.has_device)
		REQUIRE(ops->memory_alloc(it.guest.gpu, CHANNEL_DEVICE_BYTES, &it.device) ==
			CUDA_SUCCESS);
	REQUIRE(memory_add(&program->memory, it.device, CHANNEL_DEVICE_BYTES, 0) == 0);
}

struct guest *channel_guest_begin(void)
{
	struct channel *channel;

	if (!it.is_there)
		make();
	fill_window();
	channel = &it.guest.program->channel;
	channel_end(channel);
	channel_init(channel, it.guest.view + it.guest.control_at, it.guest.kick, it.guest.call);
	channel_unpark(channel);
	add_objects();
	return &it.guest;
}

uint64_t channel_guest_device(void)
{
	return it.device;
}

/* --- putting it back --------------------------------------------------------------------------------- */

static bool is_quiet(struct program *program)
{
	struct softgpu *device = ((struct gpu_soft *)program->gpu)->device;
	bool quiet = true;

	pthread_mutex_lock(&program->channel.lock);
	for (uint32_t slot = 0; slot < VGPU_REPLIES; slot++)
		quiet = quiet && !program->channel.busy[slot];
	pthread_mutex_unlock(&program->channel.lock);
	pthread_mutex_lock(&program->helpers.lock);
	quiet = quiet && program->helpers.first == NULL;
	pthread_mutex_unlock(&program->helpers.lock);
	pthread_mutex_lock(&device->lock);
	quiet = quiet && TAILQ_EMPTY(&device->streams.busy);
	pthread_mutex_unlock(&device->lock);
	return quiet;
}

/* Return: whether all that was begun has ended. */
static bool let_it_finish(struct program *program)
{
	uint64_t end_ns = util_now_ns() + PATIENCE_NS;

	while (!is_quiet(program)) {
		if (program_sticky(program) != CUDA_SUCCESS || util_now_ns() > end_ns)
			return false;
		waits_look(program, UINT64_MAX / 2);
		sched_yield();
	}
	return softgpu_error(((struct gpu_soft *)program->gpu)->device) == SOFTGPU_SUCCESS;
}

static void destroy(struct program *program, int kind, void *object)
{
	const struct gpu_ops *ops = program->gpu->ops;

	switch ((enum handles_kind)kind) {
	case HANDLES_STREAM:
		REQUIRE(ops->stream_destroy(program->gpu, object) == CUDA_SUCCESS);
		break;
	case HANDLES_EVENT:
		REQUIRE(ops->event_destroy(program->gpu, object) == CUDA_SUCCESS);
		break;
	case HANDLES_MODULE:
		REQUIRE(ops->module_unload(program->gpu, object) == CUDA_SUCCESS);
		break;
	case HANDLES_POOL:
		REQUIRE(ops->pool_destroy(program->gpu, object) == CUDA_SUCCESS);
		break;
	default: /* a function goes with its module */
		break;
	}
}

static bool is_kept(const struct handles_entry *entry)
{
	return entry->object == it.kept.object && entry->generation == it.kept.generation;
}

static void destroy_objects(struct program *program)
{
	struct handles *handles = &program->handles;
	bool module_kept = false;

	for (int kind = 0; kind < HANDLES_KIND_NUM; kind++) {
		for (uint32_t number = 1; number <= handles->most[kind]; number++) {
			struct handles_entry *entry = &handles->entries[kind][number];

			if (entry->object == NULL)
				continue;
			if (kind == HANDLES_MODULE && number == 1 && is_kept(entry)) {
				module_kept = true;
				continue;
			}
			destroy(program, kind, entry->object);
			entry->object = NULL;
		}
		/* The next input needs not look so far. */
		handles->most[kind] = kind == HANDLES_MODULE && module_kept;
	}
	if (!module_kept)
		load_module();
}

static void free_memory(struct program *program)
{
	struct memory *memory = &program->memory;

	it.has_device = false;
	for (size_t i = 0; i < memory->range_num; i++)
		if (memory->ranges[i].start == it.device)
			it.has_device = true;
		else if (memory->ranges[i].module == 0)
			REQUIRE(program->gpu->ops->memory_free(
					program->gpu, memory->ranges[i].start) == CUDA_SUCCESS);
	memory->range_num = 0;
	for (uint64_t piece = 0; piece < program->window.bytes / VGPU_PIECE; piece++) {
		if (memory->span_num[piece] == 0 || piece == CHANNEL_PIECE_CONTROL)
			continue;
		REQUIRE(program->gpu->ops->host_unregister(
				program->gpu, program->window.base + CHANNEL_AT(piece)) ==
			CUDA_SUCCESS);
		memory_unmap(memory, CHANNEL_AT(piece));
	}
}

static void reset_limits(struct gpu *gpu)
{
	static const uint64_t usual[] = { 1u << 10, 1u << 20, 8u << 20 };

	for (uint32_t limit = 0; limit < sizeof(usual) / sizeof(usual[0]); limit++) {
		uint64_t value;

		REQUIRE(gpu->ops->limit_get(gpu, limit, &value) == CUDA_SUCCESS);
		if (value != usual[limit])
			REQUIRE(gpu->ops->limit_set(gpu, limit, usual[limit]) == CUDA_SUCCESS);
	}
}

static void throw_away(void)
{
	/* A kernel that never ends, a value that never comes: the broker would kill the process. */
	softgpu_stop(((struct gpu_soft *)it.guest.gpu)->device);
	guest_close(&it.guest);
	it.is_there = false;
}

void channel_guest_end(void)
{
	struct program *program = it.guest.program;
	enum output_kind kind;
	uint32_t left = output_waiting(program->output);
	char text[256];

	if (!let_it_finish(program) || ++it.inputs == INPUTS_MOST) {
		throw_away();
		return;
	}
	while (left > 0)
		output_take(program->output, text, sizeof(text), &kind, &left);
	destroy_objects(program);
	free_memory(program);
	reset_limits(program->gpu);
	program->error = CUDA_SUCCESS;
	program->prints = false;
	/* What was made and is gone has left no memory in use. */
	REQUIRE(free_bytes() == it.free_bytes + (it.has_device ? 0 : CHANNEL_DEVICE_BYTES));
	REQUIRE(program->waits.num == 0);
}
