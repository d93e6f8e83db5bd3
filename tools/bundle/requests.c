/* SPDX-License-Identifier: GPL-2.0-or-later */
/* requests.c - writes down which ioctl() requests a program makes of NVIDIA's driver, for proc/confine_driver.c */

/*
 * A shared object for LD_PRELOAD. At its end a process appends its requests, each once, to the file that
 * VGPU_REQUESTS names: "0xc020462a nvidiactl".
 */

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 1024

static struct {
	uint32_t request;
	char device[64];
} seen[MOST];
static size_t seen_num;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((destructor)) static void write_down(void)
{
	const char *path = getenv("VGPU_REQUESTS");
	FILE *out = path != NULL ? fopen(path, "ae") : NULL;

	if (out == NULL)
		return;
	for (size_t i = 0; i < seen_num; i++)
		fprintf(out, "0x%08x %s\n", seen[i].request, seen[i].device);
	fclose(out);
}

static void note(uint32_t request, const char *device)
{
	size_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < seen_num; i++)
		if (seen[i].request == request && strcmp(seen[i].device, device) == 0)
			break;
	if (i == seen_num && seen_num < MOST) {
		seen[i].request = request;
		snprintf(seen[i].device, sizeof(seen[i].device), "%s", device);
		seen_num++;
	}
	pthread_mutex_unlock(&lock);
}

int ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int, unsigned long, ...);
	char path[64], target[64];
	ssize_t len;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "ioctl");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	if (strncmp(target, "/dev/nvidia", strlen("/dev/nvidia")) == 0)
		note((uint32_t)request, target + strlen("/dev/"));
	return next(fd, request, arg);
}
