/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cuda.c - which libcuda.so.1 a program of this machine finds, and whether it has a GPU */

#include "guest/vgpu-probe/cuda.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/tool/json.h"
#include "guest/vgpu-probe/view.h"

/*
 * Only a library that bears our mark is begun with: another one would begin with a GPU of this
 * machine, which may take long, and is none of ours to judge.
 */
#define LIBRARY "libcuda.so.1"
#define MARK "vgpu libcuda.so.1 version " /* as guest/libvgpu/vgpu.c has it */
#define SAID_LEN 1000

/* The driver API as far as it is called here: a CUresult is an int, CUDA_SUCCESS is 0. */
typedef int begin_function(unsigned flags);
typedef int name_function(char *name, int length, int device);
typedef int number_function(int *number);
typedef int error_name_function(int error, const char **name);

struct finding {
	void *library;
	const char *why; /* why it was not loaded */
	char path[512];
	const char *found_by;
	char version[32];   /* "": not ours */
	const char *result; /* of cuInit */
	bool works;
	char said[SAID_LEN]; /* on standard error meanwhile: why there is no GPU */
	char device[256];
	int driver_version; /* as CUDA writes it: 13000 */
};

/* --- the library --- */

/* Return: whether the loader was sent there by LD_LIBRARY_PATH. */
static bool in_library_path(const char *path)
{
	const char *directories = getenv("LD_LIBRARY_PATH"), *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	while (directories && *directories) {
		size_t part = strcspn(directories, ":;");

		if (part > 1 && directories[part - 1] == '/' && part - 1 == length)
			part--;
		if (part == length && strncmp(directories, path, length) == 0)
			return true;
		directories += strcspn(directories, ":;");
		directories += *directories != '\0';
	}
	return false;
}

/* Finds the mark in the file's bytes. */
static void read_version(struct finding *finding)
{
	int fd = open(finding->path, O_RDONLY | O_CLOEXEC);
	struct stat about;
	const char *bytes, *mark;

	if (fd < 0 || fstat(fd, &about) < 0 || about.st_size == 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return;
	mark = memmem(bytes, (size_t)about.st_size, MARK, strlen(MARK));
	if (mark) {
		size_t left = (size_t)about.st_size - (size_t)(mark - bytes) - strlen(MARK);

		snprintf(finding->version, sizeof(finding->version), "%.*s",
			 (int)(left < 31 ? left : 31), mark + strlen(MARK));
	}
	munmap((void *)bytes, (size_t)about.st_size);
}

static void find_library(struct finding *finding)
{
	Dl_info about;
	void *cu_init;

	finding->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!finding->library) {
		finding->why = dlerror();
		return;
	}
	cu_init = dlsym(finding->library, "cuInit");
	if (cu_init && dladdr(cu_init, &about) != 0)
		snprintf(finding->path, sizeof(finding->path), "%s", about.dli_fname);
	finding->found_by = in_library_path(finding->path) ? "LD_LIBRARY_PATH" : "ldconfig";
	read_version(finding);
}

/* --- what a program would see --- */

/* Standard error goes into a file meanwhile. Return: the file, -1. *before: what it was. */
static int catch_errors(int *before)
{
	int fd = memfd_create("said", MFD_CLOEXEC);

	*before = dup(STDERR_FILENO);
	if (fd < 0 || *before < 0 || dup2(fd, STDERR_FILENO) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static void give_back_errors(int fd, int before, char *said)
{
	ssize_t got = pread(fd, said, SAID_LEN - 1, 0);

	said[got > 0 ? got : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	if (strncmp(said, "vgpu: ", 6) == 0)
		memmove(said, said + 6, strlen(said + 6) + 1);
	dup2(before, STDERR_FILENO);
	close(before);
	close(fd);
}

static void begin(struct finding *finding)
{
	/* POSIX has it that a function's address fits into a void pointer. */
	begin_function *cu_init = (begin_function *)dlsym(finding->library, "cuInit");
	name_function *get_name = (name_function *)dlsym(finding->library, "cuDeviceGetName");
	number_function *get_version = (number_function *)dlsym(finding->library,
								"cuDriverGetVersion");
	error_name_function *error_name = (error_name_function *)dlsym(finding->library,
								       "cuGetErrorName");
	int before, fd, result;

	if (!cu_init || !get_name || !get_version || !error_name)
		return;
	unsetenv("VGPU_QUIET");
	unsetenv("VGPU_LOG");
	fd = catch_errors(&before);
	result = cu_init(0);
	if (fd >= 0)
		give_back_errors(fd, before, finding->said);
	error_name(result, &finding->result);
	finding->works = result == 0;
	if (finding->works) {
		get_name(finding->device, sizeof(finding->device), 0);
		get_version(&finding->driver_version);
	}
}

static const char *carrier(void)
{
	const char *socket = secure_getenv("VGPU_SOCKET"), *device = secure_getenv("VGPU_DEVICE");

	if (socket && *socket)
		return socket;
	return device && *device ? device : "/dev/vgpu0";
}

/* --- writing --- */

static void print_all(const struct finding *finding)
{
	if (!finding->library) {
		printf("libcuda   none: %s\n", finding->why);
		printf("          ours is in PREFIX/lib/vgpu: a file in /etc/ld.so.conf.d names it to "
		       "ldconfig, or LD_LIBRARY_PATH (docs/guest.md)\n");
		return;
	}
	printf("libcuda   %s, found by %s\n", finding->path, finding->found_by);
	if (finding->version[0] == '\0') {
		printf("ours      no: it is another driver's, which does not know vgpu (LD_LIBRARY_PATH "
		       "goes before ldconfig's directories)\n");
		return;
	}
	printf("ours      yes, version %s\n", finding->version);
	printf("carried   by %s\n", carrier());
	printf("cuInit    %s\n", finding->result ? finding->result : "unknown");
	if (finding->said[0] != '\0')
		printf("          %s\n", finding->said);
	if (finding->works)
		printf("device    %s, CUDA %d.%d\n", finding->device,
		       finding->driver_version / 1000, finding->driver_version % 1000 / 10);
	printf("runs      programs of the driver API: C, cuda.bindings, cuda.core, numba, PyCUDA, ...\n"
	       "does not  what nvcc links (the CUDA runtime), PyTorch, JAX, CuPy, cuBLAS, cuDNN, "
	       "NCCL: docs/cuda.md has the list\n");
}

static void json_all(const struct finding *finding)
{
	const bool ours = finding->version[0] != '\0';

	printf("{\"schema\":%d,\"libcuda\":", VIEW_SCHEMA);
	json_string(stdout, finding->library ? finding->path : NULL);
	printf(",\"found_by\":");
	json_string(stdout, finding->found_by);
	printf(",\"ours\":%s,\"version\":", ours ? "true" : "false");
	json_string(stdout, ours ? finding->version : NULL);
	printf(",\"carrier\":");
	json_string(stdout, ours ? carrier() : NULL);
	printf(",\"result\":");
	json_string(stdout, finding->result);
	printf(",\"why\":");
	json_string(stdout,
		    finding->library ? (finding->said[0] ? finding->said : NULL) : finding->why);
	printf(",\"name\":");
	json_string(stdout, finding->works ? finding->device : NULL);
	printf(",\"cuda_version\":%d,\"works\":%s}\n", finding->driver_version,
	       finding->works ? "true" : "false");
}

bool cuda_show(bool json)
{
	struct finding finding = { 0 };

	find_library(&finding);
	if (finding.version[0] != '\0')
		begin(&finding);
	if (json)
		json_all(&finding);
	else
		print_all(&finding);
	return finding.works;
}
