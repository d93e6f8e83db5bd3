/* SPDX-License-Identifier: GPL-2.0-or-later */
/* modules.c - bench-modules: how long loads of PTX take, and whether linked code is that of a load, as JSON lines */

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cuda_program.h"
#include "common/util.h"

/*
 * It knows nothing of vgpu, and runs on a GPU's driver as well as through vgpud:
 *
 *   load FILE KERNEL       loads a text, launches a kernel with one pointer, and says how long that took
 *   numba FILE KERNEL      the same as numba does it: linked with a verbose log, then loaded
 *   compare FILE...        loads each text by itself and by the linker; says what differs
 *   repeat FILE ROUNDS     loads and unloads a text
 */

#define LOG_BYTES 16384
#define NAME_BYTES 256
#define NAMES_MOST 4096
#define ATTRIBUTES 10 /* up to the preferred carveout: those that code decides */

/* A text, and where a driver puts its logs. */
struct text {
	char *ptx;
	size_t bytes; /* with its NUL */
	char error[LOG_BYTES], info[LOG_BYTES];
};

static void read_text(struct text *text, const char *path)
{
	FILE *file = fopen(path, "r");
	long bytes;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (bytes = ftell(file)) <= 0) {
		fprintf(stderr, "bench-modules: %s: cannot be read\n", path);
		exit(1);
	}
	rewind(file);
	text->ptx = calloc(1, (size_t)bytes + 1);
	if (text->ptx == NULL || fread(text->ptx, 1, (size_t)bytes, file) != (size_t)bytes)
		exit(1);
	text->bytes = (size_t)bytes + 1;
	fclose(file);
}

#define OPTIONS 5

static void set_options(struct text *text, bool verbose, CUjit_option *names, void **values)
{
	names[0] = CU_JIT_ERROR_LOG_BUFFER;
	values[0] = text->error;
	names[1] = CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES;
	values[1] = (void *)(uintptr_t)LOG_BYTES;
	names[2] = CU_JIT_INFO_LOG_BUFFER;
	values[2] = text->info;
	names[3] = CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES;
	values[3] = (void *)(uintptr_t)LOG_BYTES;
	names[4] = CU_JIT_LOG_VERBOSE;
	values[4] = (void *)(uintptr_t)verbose;
	text->error[0] = text->info[0] = '\0';
}

static CUresult load_text(struct text *text, bool verbose, CUmodule *module)
{
	CUjit_option names[OPTIONS];
	void *values[OPTIONS];

	set_options(text, verbose, names, values);
	return cuModuleLoadDataEx(module, text->ptx, OPTIONS, names, values);
}

static CUresult load_linked(struct text *text, bool verbose, CUmodule *module)
{
	CUjit_option names[OPTIONS];
	void *values[OPTIONS], *cubin;
	CUlinkState state;
	CUresult result;
	size_t bytes;

	set_options(text, verbose, names, values);
	CHECK(cuLinkCreate(OPTIONS, names, values, &state));
	result = cuLinkAddData(state, CU_JIT_INPUT_PTX, text->ptx, text->bytes, "text", 0, NULL,
			       NULL);
	if (result == CUDA_SUCCESS)
		result = cuLinkComplete(state, &cubin, &bytes);
	if (result == CUDA_SUCCESS)
		result = cuModuleLoadDataEx(module, cubin, 0, NULL, NULL);
	cuLinkDestroy(state);
	return result;
}

static void launch(CUmodule module, const char *kernel)
{
	CUfunction function;
	CUdeviceptr out;

	CHECK(cuMemAlloc(&out, 4096));
	CHECK(cuModuleGetFunction(&function, module, kernel));
	CHECK(cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, NULL, (void *[]){ &out }, NULL));
	CHECK(cuCtxSynchronize());
	CHECK(cuMemFree(out));
}

static void load_once(const char *path, const char *kernel, bool linked)
{
	uint64_t began_ns = util_now_ns(), ready_ns, loaded_ns;
	struct text text;
	CUmodule module;

	read_text(&text, path);
	cuda_program_begin();
	ready_ns = util_now_ns();
	CHECK((linked ? load_linked : load_text)(&text, linked, &module));
	loaded_ns = util_now_ns();
	launch(module, kernel);
	printf("{\"name\":\"load\",\"ns\":%llu,\"all_ns\":%llu}\n",
	       (unsigned long long)(loaded_ns - ready_ns),
	       (unsigned long long)(util_now_ns() - began_ns));
	free(text.ptx);
}

static void repeat(const char *path, unsigned rounds)
{
	struct text text;
	CUmodule module;

	read_text(&text, path);
	cuda_program_begin();
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t began_ns = util_now_ns();

		CHECK(load_text(&text, false, &module));
		printf("{\"name\":\"repeat\",\"round\":%u,\"ns\":%llu}\n", i,
		       (unsigned long long)(util_now_ns() - began_ns));
		CHECK(cuModuleUnload(module));
	}
	free(text.ptx);
}

/* --- comparing --- */

static unsigned difference_num;

static void differs(const char *path, const char *what, const char *of, long text, long linked)
{
	if (text == linked)
		return;
	difference_num++;
	printf("{\"name\":\"differs\",\"file\":\"%s\",\"what\":\"%s\",\"of\":\"%s\",\"load\":%ld,"
	       "\"link\":%ld}\n",
	       path, what, of, text, linked);
}

static void compare_functions(const char *path, CUmodule text, CUmodule linked)
{
	static const char *const name[ATTRIBUTES] = {
		"max threads",	      "shared",	     "constant", "local",
		"registers",	      "PTX version", "binary",	 "cache mode",
		"max dynamic shared", "carveout"
	};
	static CUfunction functions[NAMES_MOST];
	unsigned num = 0, others = 0;

	CHECK(cuModuleGetFunctionCount(&num, text));
	CHECK(cuModuleGetFunctionCount(&others, linked));
	differs(path, "functions", "", num, others);
	num = num < NAMES_MOST ? num : NAMES_MOST;
	CHECK(cuModuleEnumerateFunctions(functions, num, text));
	for (unsigned i = 0; i < num; i++) {
		const char *function_name;
		CUfunction other;

		CHECK(cuFuncGetName(&function_name, functions[i]));
		if (cuModuleGetFunction(&other, linked, function_name) != CUDA_SUCCESS) {
			differs(path, "there", function_name, 1, 0);
			continue;
		}
		for (int a = 0; a < ATTRIBUTES; a++) {
			int mine = 0, its = 0;

			cuFuncGetAttribute(&mine, (CUfunction_attribute)a, functions[i]);
			cuFuncGetAttribute(&its, (CUfunction_attribute)a, other);
			differs(path, name[a], function_name, mine, its);
		}
	}
}

/* Each word behind .global or .const that is followed by what ends a name is tried as one. */
static void compare_variables(const char *path, const char *ptx, CUmodule text, CUmodule linked)
{
	for (const char *at = ptx; (at = strpbrk(at, "_abcdefghijklmnopqrstuvwxyz"
						     "ABCDEFGHIJKLMNOPQRSTUVWXYZ$"));) {
		size_t len = strspn(at, "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$"
					"0123456789");
		char name[NAME_BYTES];
		size_t bytes = 0, others = 0;
		CUdeviceptr mine, its;
		CUresult result;

		if (len < sizeof(name) && (at[len] == '[' || at[len] == ';' || at[len] == ' ')) {
			memcpy(name, at, len);
			name[len] = '\0';
			result = cuModuleGetGlobal(&mine, &bytes, text, name);
			if (result == CUDA_SUCCESS) {
				differs(path, "variable", name, 0,
					cuModuleGetGlobal(&its, &others, linked, name));
				differs(path, "bytes", name, (long)bytes, (long)others);
			}
		}
		at += len;
	}
}

static void compare(const char *path)
{
	static struct text text, other;
	CUmodule loaded = NULL, linked = NULL;
	CUresult result, link_result;
	uint64_t at_ns = util_now_ns(), load_ns, link_ns;

	read_text(&text, path);
	read_text(&other, path);
	result = load_text(&text, true, &loaded);
	load_ns = util_now_ns() - at_ns;
	at_ns = util_now_ns();
	link_result = load_linked(&other, true, &linked);
	link_ns = util_now_ns() - at_ns;
	differs(path, "result", "", result, link_result);
	if (result == CUDA_SUCCESS && link_result == CUDA_SUCCESS) {
		compare_functions(path, loaded, linked);
		if (text.bytes < 20000)
			compare_variables(path, text.ptx, loaded, linked);
		differs(path, "error log", "", 0, strcmp(text.error, other.error) != 0);
		differs(path, "information log", "", 0, strcmp(text.info, other.info) != 0);
	}
	printf("{\"name\":\"compared\",\"file\":\"%s\",\"bytes\":%zu,\"functions in it\":%s,"
	       "\"result\":%d,\"load_ns\":%llu,\"link_ns\":%llu}\n",
	       path, text.bytes - 1, strstr(text.ptx, ".func") != NULL ? "true" : "false",
	       (int)result, (unsigned long long)load_ns, (unsigned long long)link_ns);
	if (loaded != NULL)
		CHECK(cuModuleUnload(loaded));
	if (linked != NULL)
		CHECK(cuModuleUnload(linked));
	free(text.ptx);
	free(other.ptx);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "load") == 0) {
		load_once(argv[2], argv[3], false);
	} else if (argc == 4 && strcmp(argv[1], "numba") == 0) {
		load_once(argv[2], argv[3], true);
	} else if (argc == 4 && strcmp(argv[1], "repeat") == 0) {
		repeat(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	} else if (argc >= 3 && strcmp(argv[1], "compare") == 0) {
		cuda_program_begin();
		for (int i = 2; i < argc; i++)
			compare(argv[i]);
		printf("{\"name\":\"all\",\"files\":%d,\"differences\":%u}\n", argc - 2,
		       difference_num);
	} else {
		fputs("usage: bench-modules load|numba FILE KERNEL | repeat FILE ROUNDS | compare "
		      "FILE...\n",
		      stderr);
		return 2;
	}
	return 0;
}
