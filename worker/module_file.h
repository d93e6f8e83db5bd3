/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_file.h - compiled code in a file that the broker keeps for the VM's next programs */

#ifndef VGPU_WORKER_MODULE_FILE_H
#define VGPU_WORKER_MODULE_FILE_H

#include <stdint.h>

#include "worker/gpu.h"

/* In each key: a vgpud that lays files out otherwise finds none of them. */
#define MODULE_FILE_LAYOUT UINT64_C(0x0001656c75646f6d) /* "module", 1 */

/*
 * Writes the code and the compiler's logs, as the image has them, into an empty file.
 * Return: its bytes; 0: it could not be written.
 */
uint64_t module_file_write(int fd, const struct gpu_code *code, const struct gpu_image *image);

/*
 * Reads a file: the code becomes the caller's to free, ended as images are, and the image's logs become
 * what they were. Another worker wrote it, and may write on: all is judged on a private copy.
 * Return: 0, -EINVAL it makes no sense, -ENOMEM.
 */
int module_file_read(int fd, struct gpu_code *code, const struct gpu_image *image);

#endif
