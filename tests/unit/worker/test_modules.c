/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_modules.c - code that programs of a VM keep for each other, seen from a worker */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/module_client.h"
#include "worker/module_file.h"
#include "worker/module_key.h"
#include "worker/modules.h"

#define LOG_SIZE 64
#define TEXT ".version 6.0\n.target sm_50\n.visible .entry k()\n{\n\tret;\n}\n"

/* --- keys --- */

static struct worker_info info;

static struct gpu_image image_of(const char *text)
{
	return (struct gpu_image){ .data = text, .bytes = strlen(text) + 1 };
}

static bool is_same(const struct gpu_image *a, const struct gpu_image *b)
{
	uint8_t one[MODULE_KEY_BYTES], other[MODULE_KEY_BYTES];

	module_key(&info, a, one);
	module_key(&info, b, other);
	return memcmp(one, other, sizeof(one)) == 0;
}

static void a_key_is_of_all_that_code_depends_on(void **state)
{
	struct vgpu_load_option options[] = { { CU_JIT_MAX_REGISTERS, 32 } };
	struct gpu_image a = image_of(TEXT), b = image_of(TEXT);
	uint8_t before[MODULE_KEY_BYTES], after[MODULE_KEY_BYTES];

	(void)state;
	assert_true(is_same(&a, &b));
	b = image_of(TEXT " ");
	assert_false(is_same(&a, &b));
	b = image_of(TEXT);
	b.options = options;
	b.option_num = 1;
	assert_false(is_same(&a, &b));
	module_key(&info, &b, before);
	options[0].value = 33;
	module_key(&info, &b, after);
	assert_memory_not_equal(before, after, sizeof(before));
	/* Where its log goes does not count. */
	options[0] = (struct vgpu_load_option){ CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, 1 };
	module_key(&info, &b, before);
	options[0].value = 2;
	module_key(&info, &b, after);
	assert_memory_equal(before, after, sizeof(before));
}

/* Each field of what the worker knows of its GPU and driver. */
static void a_key_is_of_one_driver_and_gpu(void **state)
{
	const struct worker_info none = { 0 };
	struct worker_info infos[] = {
		{ 0 },
		{ .executor = 1 },
		{ .cc_major = 9 },
		{ .cc_minor = 9 },
		{ .driver_version = 9 },
		{ .name = "H200" },
		{ .library = { .path = "/a" } },
		{ .library = { .device = 1 } },
		{ .library = { .inode = 1 } },
		{ .library = { .changed_ns = 1 } },
	};
	uint8_t keys[sizeof(infos) / sizeof(infos[0])][MODULE_KEY_BYTES];
	struct gpu_image image = image_of(TEXT);
	size_t num = sizeof(infos) / sizeof(infos[0]);

	(void)state;
	for (size_t i = 0; i < num; i++)
		module_key(&infos[i], &image, keys[i]);
	for (size_t i = 0; i < num; i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(keys[i], keys[j], MODULE_KEY_BYTES);
	module_key(&none, &image, keys[1]);
	assert_memory_equal(keys[0], keys[1], MODULE_KEY_BYTES);
}

/* The same bytes, divided otherwise. */
static void a_key_is_of_parts(void **state)
{
	const struct gpu_part parts[][2] = {
		{ { "abcd", 2, 1 }, { "cdef", 4, 1 } },
		{ { "abcd", 4, 1 }, { "ef", 2, 1 } },
		{ { "abcd", 4, 1 }, { "ef", 2, 3 } },
	};
	struct gpu_image image = image_of(TEXT), two = image_of(TEXT), three = image_of(TEXT);

	(void)state;
	image.parts = parts[0];
	two.parts = parts[1];
	three.parts = parts[2];
	image.part_num = two.part_num = three.part_num = 2;
	assert_false(is_same(&image, &two));
	assert_false(is_same(&two, &three));
	two.part_num = 0;
	three.part_num = 0;
	assert_true(is_same(&two, &three));
}

/* --- files --- */

static char logs[2][LOG_SIZE];

static struct gpu_image with_logs(const char *error, const char *information)
{
	struct gpu_image image = image_of(TEXT);

	snprintf(logs[0], LOG_SIZE, "%s", error);
	snprintf(logs[1], LOG_SIZE, "%s", information);
	image.error_log = logs[0];
	image.info_log = logs[1];
	image.log_size = LOG_SIZE;
	return image;
}

static int new_file(void)
{
	int fd = memfd_create("module", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void a_file_has_code_and_logs(void **state)
{
	static const char zeros[GPU_IMAGE_END];
	struct gpu_code code = { .data = (void *)"machine", .bytes = 7 }, found;
	struct gpu_image image = with_logs("warned", "used 3 registers");
	int fd = new_file();
	uint64_t bytes = module_file_write(fd, &code, &image);

	(void)state;
	assert_int_equal(bytes, lseek(fd, 0, SEEK_END));
	image = with_logs("other", "");
	assert_int_equal(module_file_read(fd, &found, &image), 0);
	assert_int_equal(found.bytes, 7);
	assert_memory_equal(found.data, "machine", 7);
	assert_memory_equal((char *)found.data + 7, zeros, sizeof(zeros));
	assert_string_equal(logs[0], "warned");
	assert_string_equal(logs[1], "used 3 registers");
	free(found.data);
	close(fd);
}

/* Whatever another worker has put into a file: it is refused, or read within its bounds. */
static void files_of_a_worker_that_lies(void **state)
{
	struct gpu_code code = { .data = (void *)"machine", .bytes = 7 }, found;
	struct gpu_image image = with_logs("warned", "");
	uint8_t good[128], bad[128];
	int fd = new_file();
	ssize_t bytes;

	(void)state;
	assert_int_equal(module_file_read(fd, &found, &image), -EINVAL);
	bytes = (ssize_t)module_file_write(fd, &code, &image);
	assert_true(bytes > 24 && bytes < (ssize_t)sizeof(good));
	assert_int_equal(pread(fd, good, sizeof(good), 0), bytes);
	/* Each byte of the head changed, each in eight ways; and each length that is too short. */
	for (int at = 0; at < 24; at++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bad, good, sizeof(bad));
			bad[at] ^= (uint8_t)(1 << bit);
			assert_int_equal(pwrite(fd, bad, (size_t)bytes, 0), bytes);
			assert_int_equal(module_file_read(fd, &found, &image), -EINVAL);
		}
	assert_int_equal(pwrite(fd, good, (size_t)bytes, 0), bytes);
	for (ssize_t short_bytes = bytes - 1; short_bytes >= 0; short_bytes--) {
		assert_int_equal(ftruncate(fd, short_bytes), 0);
		assert_int_equal(module_file_read(fd, &found, &image), -EINVAL);
	}
	close(fd);
}

/* --- the broker --- */

static struct module_client cache;
static int broker;

static int setup(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	broker = pair[1];
	module_client_init(&cache, pair[0]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(cache.fd);
	close(broker);
	return 0;
}

static bool hears(struct program_state *message)
{
	return recv(broker, message, sizeof(*message), MSG_DONTWAIT) == sizeof(*message);
}

/* In a thread of its own: the broker, and the worker's thread that takes its answers. */
struct answer {
	pthread_t thread;
	uint32_t module;
	int fd;
	uint32_t question; /* that was asked */
};

static void *give_answer(void *arg)
{
	struct answer *answer = arg;
	struct program_order order = { .what = PROGRAM_MODULE, .module = answer->module };
	struct program_state asked;

	if (recv(broker, &asked, sizeof(asked), 0) != sizeof(asked))
		return NULL;
	answer->question = order.module_question = asked.module_question;
	module_client_answered(&cache, &order, answer->fd);
	return NULL;
}

static void expect_question(struct answer *answer, uint32_t module, int fd)
{
	cache.patience_ns = UINT64_C(60000000000);
	*answer = (struct answer){ .module = module, .fd = fd };
	assert_int_equal(pthread_create(&answer->thread, NULL, give_answer, answer), 0);
}

static void an_answer_comes_with_its_descriptor(void **state)
{
	static const uint8_t key[MODULE_KEY_BYTES] = { 1, 2, 3 };
	struct program_state message;
	struct answer answer;
	uint32_t question;
	int fd = new_file(), file;

	(void)state;
	expect_question(&answer, PROGRAM_MODULE_BLANK, fd);
	assert_int_equal(module_client_ask(&cache, key, &file, &question), PROGRAM_MODULE_BLANK);
	pthread_join(answer.thread, NULL);
	assert_int_equal(file, fd);
	assert_int_equal(question, answer.question);
	module_client_made(&cache, question, 77);
	assert_true(hears(&message));
	assert_int_equal(message.what, PROGRAM_MODULE_MADE);
	assert_int_equal(message.module_bytes, 77);
	close(file);
	expect_question(&answer, PROGRAM_MODULE_NONE, -1);
	assert_int_equal(module_client_ask(&cache, key, &file, &question), PROGRAM_MODULE_NONE);
	pthread_join(answer.thread, NULL);
	assert_int_equal(file, -1);
	assert_int_equal(question, 2);
}

/* A broker that does not answer delays one load, once, and what it says later is put away. */
static void a_broker_that_is_late(void **state)
{
	static const uint8_t key[MODULE_KEY_BYTES];
	struct program_order order = { .what = PROGRAM_MODULE, .module = PROGRAM_MODULE_BLANK };
	struct program_state message;
	struct answer answer;
	uint32_t question;
	int fd = new_file(), file;

	(void)state;
	cache.patience_ns = 1;
	assert_int_equal(module_client_ask(&cache, key, &file, &question), PROGRAM_MODULE_NONE);
	assert_true(hears(&message));
	assert_int_equal(message.what, PROGRAM_MODULE_ASKED);
	cache.patience_ns = UINT64_C(60000000000); /* which is not waited */
	assert_int_equal(module_client_ask(&cache, key, &file, &question), PROGRAM_MODULE_NONE);
	assert_false(hears(&message));
	order.module_question = 1;
	module_client_answered(&cache, &order, fd);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_true(hears(&message));
	assert_int_equal(message.what, PROGRAM_MODULE_MADE);
	assert_int_equal(message.module_bytes, 0);
	/* Now it is asked again. */
	fd = new_file();
	expect_question(&answer, PROGRAM_MODULE_KEPT, fd);
	assert_int_equal(module_client_ask(&cache, key, &file, &question), PROGRAM_MODULE_KEPT);
	pthread_join(answer.thread, NULL);
	assert_int_equal(file, fd);
	close(file);
}

/* --- loading --- */

/* A GPU whose compiler writes the text down with a sign, and which loads what has that sign. */
static struct {
	unsigned compiled, loaded_code, loaded_image;
	bool fails; /* to compile */
} done;

static CUresult compile(struct gpu *gpu, const struct gpu_image *image, struct gpu_code *code)
{
	(void)gpu;
	done.compiled++;
	snprintf(image->error_log, image->log_size, "compiled");
	if (done.fails)
		return CUDA_ERROR_INVALID_IMAGE;
	code->data = strdup("code");
	code->bytes = 4;
	return CUDA_SUCCESS;
}

static CUresult code_load(struct gpu *gpu, const struct gpu_code *code, CUmodule *module,
			  uint64_t *taken_bytes)
{
	(void)gpu;
	*module = NULL;
	*taken_bytes = 1;
	if (code->bytes != 4 || memcmp(code->data, "code", 4) != 0)
		return CUDA_ERROR_INVALID_IMAGE;
	done.loaded_code++;
	return CUDA_SUCCESS;
}

static CUresult module_load(struct gpu *gpu, const struct gpu_image *image, CUmodule *module,
			    uint64_t *taken_bytes)
{
	(void)gpu;
	*module = NULL;
	*taken_bytes = 2;
	assert_string_equal(image->error_log, "");
	done.loaded_image++;
	return CUDA_ERROR_NO_BINARY_FOR_GPU; /* any that is no other's */
}

static const struct gpu_ops ops = { .compile = compile,
				    .code_load = code_load,
				    .module_load = module_load };
static struct gpu gpu = { .ops = &ops, .links_as_loads = true };

static CUresult loads(const struct gpu_image *image, uint32_t module, int fd)
{
	struct program_state before;
	struct answer answer;
	uint64_t taken_bytes;
	CUmodule loaded;
	CUresult result;

	while (hears(&before))
		;
	done.compiled = done.loaded_code = done.loaded_image = 0;
	expect_question(&answer, module, fd);
	result = modules_load(&gpu, &cache, image, &loaded, &taken_bytes);
	pthread_cancel(answer.thread); /* where nothing was asked */
	pthread_join(answer.thread, NULL);
	return result;
}

static void a_load_keeps_what_it_compiled(void **state)
{
	struct gpu_image image = with_logs("", "");
	struct program_state message;
	int fd = new_file(), kept = dup(fd);

	(void)state;
	done.fails = false;
	assert_int_equal(loads(&image, PROGRAM_MODULE_BLANK, fd), CUDA_SUCCESS);
	assert_int_equal(done.compiled, 1);
	assert_int_equal(done.loaded_code, 1);
	assert_int_equal(done.loaded_image, 0);
	assert_true(hears(&message));
	assert_int_equal(message.what, PROGRAM_MODULE_MADE);
	assert_int_equal(message.module_bytes, lseek(kept, 0, SEEK_END));
	/* The next one has code and log without compiling. */
	image = with_logs("", "");
	assert_int_equal(loads(&image, PROGRAM_MODULE_KEPT, dup(kept)), CUDA_SUCCESS);
	assert_int_equal(done.compiled, 0);
	assert_int_equal(done.loaded_code, 1);
	assert_string_equal(logs[0], "compiled");
	close(kept);
}

/* Garbage that another worker left, and an image that does not compile: as if nothing were kept. */
static void a_load_that_goes_wrong_is_the_drivers(void **state)
{
	struct gpu_image image = with_logs("", "");
	const struct gpu_code nonsense = { .data = (void *)"evil", .bytes = 4 };
	struct program_state message;
	int fd = new_file();

	(void)state;
	done.fails = false;
	assert_int_equal(write(fd, "garbage", 7), 7);
	assert_int_equal(loads(&image, PROGRAM_MODULE_KEPT, fd), CUDA_ERROR_NO_BINARY_FOR_GPU);
	assert_int_equal(done.loaded_image, 1);
	fd = new_file();
	image = with_logs("what it never said", "");
	assert_true(module_file_write(fd, &nonsense, &image) > 0);
	assert_int_equal(loads(&image, PROGRAM_MODULE_KEPT, fd), CUDA_ERROR_NO_BINARY_FOR_GPU);
	assert_int_equal(done.loaded_code + done.compiled, 0);
	done.fails = true;
	assert_int_equal(loads(&image, PROGRAM_MODULE_BLANK, new_file()),
			 CUDA_ERROR_NO_BINARY_FOR_GPU);
	assert_int_equal(done.compiled, 1);
	assert_true(hears(&message));
	assert_int_equal(message.module_bytes, 0);
	done.fails = false;
	assert_int_equal(loads(&image, PROGRAM_MODULE_NONE, -1), CUDA_ERROR_NO_BINARY_FOR_GPU);
}

/* What is loaded as it is, since the linker's code may not be the loader's. */
static void images_that_are_not_asked_for(void **state)
{
	static const uint32_t others[] = { 1, 2, 10, 14, 15, 16, 30 }; /* CUjit_option */
	static const char *const texts[] = {
		"\x7f"
		"ELF.version",
		"no version",
		"",
	};
	struct vgpu_load_option option = { 0, 1 };
	struct gpu_image image;
	uint64_t taken_bytes;
	struct program_state message;
	CUmodule module;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		image = with_logs("", "");
		image.data = texts[i];
		image.bytes = strlen(texts[i]) + 1;
		modules_load(&gpu, &cache, &image, &module, &taken_bytes);
		assert_false(hears(&message));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		option.option = others[i];
		image = with_logs("", "");
		image.options = &option;
		image.option_num = 1;
		modules_load(&gpu, &cache, &image, &module, &taken_bytes);
		assert_false(hears(&message));
	}
	image = with_logs("", "");
	modules_load(&gpu, NULL, &image, &module, &taken_bytes);
	assert_false(hears(&message));
	gpu.links_as_loads = false;
	modules_load(&gpu, &cache, &image, &module, &taken_bytes);
	assert_false(hears(&message));
	gpu.links_as_loads = true;
}

/* And what is: the linker's own work, whatever is in it, and text with what both compilers take. */
static void images_that_are_asked_for(void **state)
{
	static const uint32_t both[] = { 0, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13 }; /* CUjit_option */
	const struct gpu_part part = { .data = ".func", .bytes = 6, .type = 1 };
	struct vgpu_load_option option = { 14, 1 };
	struct gpu_image image = with_logs("", "");

	(void)state;
	done.fails = false;
	image.parts = &part;
	image.part_num = 1;
	image.options = &option;
	image.option_num = 1;
	assert_int_equal(loads(&image, PROGRAM_MODULE_BLANK, new_file()), CUDA_SUCCESS);
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		option.option = both[i];
		image = with_logs("", "");
		image.options = &option;
		image.option_num = 1;
		assert_int_equal(loads(&image, PROGRAM_MODULE_BLANK, new_file()), CUDA_SUCCESS);
		assert_int_equal(done.compiled, 1);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_of_all_that_code_depends_on),
		cmocka_unit_test(a_key_is_of_one_driver_and_gpu),
		cmocka_unit_test(a_key_is_of_parts),
		cmocka_unit_test(a_file_has_code_and_logs),
		cmocka_unit_test(files_of_a_worker_that_lies),
		T(an_answer_comes_with_its_descriptor),
		T(a_broker_that_is_late),
		T(a_load_keeps_what_it_compiled),
		T(a_load_that_goes_wrong_is_the_drivers),
		T(images_that_are_not_asked_for),
		T(images_that_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
