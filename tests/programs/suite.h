/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suite.h - a case of the suite, what it may assume, and how it says what is wrong */

#ifndef TESTS_PROGRAMS_SUITE_H
#define TESTS_PROGRAMS_SUITE_H

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The suite holds a libcuda.so.1 against what the CUDA manual says and what NVIDIA's does. Each case
 * runs in a process of its own, so a context that an error has ended, a crash or a wait without end
 * concerns one case. It uses nothing but the driver API: on a machine with a GPU the same program
 * judges NVIDIA's own library.
 */
struct suite_case {
	const char *name;
	void (*run)(void);
	bool vgpu_only; /* what a driver may answer with a crash, or has, and vgpu must refuse */
};

/* CASE(name) { body }: the linker gathers the cases, in the order of the files and their lines. */
#define CASE(name) SUITE_CASE(name, false)
#define CASE_VGPU(name) SUITE_CASE(name, true)
#define SUITE_CASE(title, ours)                                                          \
	static void case_##title(void);                                                  \
	static const struct suite_case case_of_##title = { #title, case_##title, ours }; \
	static const struct suite_case *const entry_of_##title                           \
		__attribute__((used, section("suite_cases"))) = &case_of_##title;        \
	static void case_##title(void)

/* Whether the library under test is vgpu's: VGPU_SOCKET says so. */
bool suite_is_vgpu(void);

/* Whether the device is softgpu: its name says so. After suite_begin(). */
bool suite_is_software(void);

/* --- what a case may assume --- */

/* Initializes CUDA, retains the primary context of device 0 and makes it current. Return: the device. */
CUdevice suite_begin(void);

/* The text of kernels.ptx, and its length without the NUL. */
extern const char suite_ptx[];
size_t suite_ptx_bytes(void);

/* A kernel of kernels.ptx, in a module that is loaded once. suite_begin() comes before. */
CUfunction suite_kernel(const char *name);

/* Memory of the device or of the host (pinned); filled with zeros. It stays until the case ends. */
CUdeviceptr suite_device(size_t bytes);
void *suite_host(size_t bytes);

/* Launches with blocks of a number of threads; arguments as cuLaunchKernel takes them. */
#define LAUNCH(function, blocks, threads, stream, ...)                              \
	OK(cuLaunchKernel((function), (blocks), 1, 1, (threads), 1, 1, 0, (stream), \
			  (void *[]){ __VA_ARGS__ }, NULL))

/* --- judgements --- */

/* The call must succeed, or the case ends here. */
#define OK(call) suite_ok((call), #call, __FILE__, __LINE__)
/* The call must return that result. The case goes on. */
#define WANT(call, result) suite_want((call), (result), (result), #call, __FILE__, __LINE__)
/* The manual leaves it open which of the two. --notes shows what came. */
#define WANT_EITHER(call, one, other) suite_want((call), (one), (other), #call, __FILE__, __LINE__)
/* Whole numbers, by value. The case goes on. */
#define EQUAL(got, want) suite_equal((long long)(got), (long long)(want), #got, __FILE__, __LINE__)
#define TRUE(condition) suite_true((condition), #condition, __FILE__, __LINE__)
/* A word that another thread, a callback or the GPU changes gets that value within a minute. */
#define WAIT_FOR(condition)                                              \
	do {                                                             \
		for (int turn = 0; turn < 60000 && !(condition); turn++) \
			suite_pause();                                   \
		TRUE(condition);                                         \
	} while (0)

void suite_ok(CUresult got, const char *call, const char *file, int line);
void suite_want(CUresult got, CUresult one, CUresult other, const char *call, const char *file,
		int line);
void suite_equal(long long got, long long want, const char *what, const char *file, int line);
void suite_true(bool is, const char *what, const char *file, int line);
void suite_pause(void); /* 1 ms */

/* Says something beside a case's verdict, as a comment. */
void suite_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Bytes that differ at each place and for each seed. */
void suite_pattern(void *bytes, size_t len, unsigned seed);
/* Whether that is what lies there; says where the first difference is. */
bool suite_is_pattern(const void *bytes, size_t len, unsigned seed);

#endif
