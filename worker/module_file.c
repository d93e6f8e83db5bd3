/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_file.c - compiled code in a file that the broker keeps for the VM's next programs */

#include "worker/module_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Then come the error log, the information log, both without NUL, and the code. */
struct head {
	uint64_t layout;
	uint64_t code_bytes;
	uint32_t log_bytes[2];
};

static bool put(int fd, const void *bytes, uint64_t num)
{
	const uint8_t *at = bytes;

	while (num > 0) {
		ssize_t len = write(fd, at, num);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return false;
		at += len;
		num -= (uint64_t)len;
	}
	return true;
}

static bool get(int fd, uint64_t from, void *bytes, uint64_t num)
{
	uint8_t *at = bytes;

	while (num > 0) {
		ssize_t len = pread(fd, at, num, (off_t)from);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return false;
		at += len;
		from += (uint64_t)len;
		num -= (uint64_t)len;
	}
	return true;
}

uint64_t module_file_write(int fd, const struct gpu_code *code, const struct gpu_image *image)
{
	const struct head head = {
		.layout = MODULE_FILE_LAYOUT,
		.code_bytes = code->bytes,
		.log_bytes = { (uint32_t)strlen(image->error_log),
			       (uint32_t)strlen(image->info_log) },
	};

	if (!put(fd, &head, sizeof(head)) || !put(fd, image->error_log, head.log_bytes[0]) ||
	    !put(fd, image->info_log, head.log_bytes[1]) || !put(fd, code->data, code->bytes))
		return 0;
	return sizeof(head) + head.log_bytes[0] + head.log_bytes[1] + code->bytes;
}

/* Return: whether the parts that the head tells of fill the file, and fit where they are to go. */
static bool is_good(const struct head *head, uint64_t file_bytes, uint32_t log_size)
{
	uint64_t left_bytes = file_bytes - sizeof(*head);

	if (head->layout != MODULE_FILE_LAYOUT || head->code_bytes == 0)
		return false;
	for (int i = 0; i < 2; i++) {
		if (head->log_bytes[i] >= log_size || head->log_bytes[i] > left_bytes)
			return false;
		left_bytes -= head->log_bytes[i];
	}
	return head->code_bytes == left_bytes;
}

int module_file_read(int fd, struct gpu_code *code, const struct gpu_image *image)
{
	uint64_t at = sizeof(struct head);
	struct stat about;
	struct head head;
	uint8_t *data;

	if (fstat(fd, &about) != 0 || about.st_size < (off_t)sizeof(head) ||
	    !get(fd, 0, &head, sizeof(head)) ||
	    !is_good(&head, (uint64_t)about.st_size, image->log_size))
		return -EINVAL;
	data = calloc(1, head.code_bytes + GPU_IMAGE_END);
	if (data == NULL)
		return -ENOMEM;
	if (!get(fd, at, image->error_log, head.log_bytes[0]) ||
	    !get(fd, at + head.log_bytes[0], image->info_log, head.log_bytes[1]) ||
	    !get(fd, at + head.log_bytes[0] + head.log_bytes[1], data, head.code_bytes)) {
		free(data);
		return -EINVAL;
	}
	image->error_log[head.log_bytes[0]] = '\0';
	image->info_log[head.log_bytes[1]] = '\0';
	*code = (struct gpu_code){ .data = data, .bytes = head.code_bytes };
	return 0;
}
