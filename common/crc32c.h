/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crc32c.h - the checksum of messages and ledger records: CRC-32C as in RFC 3720, appendix B.4 */

#ifndef VGPU_CRC32C_H
#define VGPU_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * crc: 0 to begin; the checksum of what came before to go on with a further part.
 * Return: the checksum of all bytes so far.
 */
uint32_t crc32c(uint32_t crc, const void *buf, size_t len_bytes);

#endif
