/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_admin_line.c - any line that a client may write to the admin socket */

#include <ctype.h>

#include "tests/fuzz/fuzz.h"
#include "vgpud/admin/line.h"

/*
 * A command that is taken has arguments of its pattern and nothing else; one that is refused has a
 * reason that fits into an answer.
 */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	struct admin_line line;
	char why[512] = "";
	int err = admin_line_read((const char *)input, len_bytes, &line);

	REQUIRE((err == 0) == (line.args != NULL));
	if (err != 0)
		return 0;
	REQUIRE(line.cmd >= -1 && line.cmd < ADMIN_CMD_NUM);
	REQUIRE(json_is_object(line.args));
	for (const char *c = line.name; *c != '\0'; c++)
		REQUIRE(isascii((unsigned char)*c) && isprint((unsigned char)*c));
	if (line.cmd >= 0) {
		err = admin_line_check(&admin_cmds[line.cmd], line.args, why, sizeof(why));
		REQUIRE(err == 0 || why[0] != '\0');
		for (const char *c = err == 0 ? "" : why; *c != '\0'; c++)
			REQUIRE(isascii((unsigned char)*c) && isprint((unsigned char)*c));
	}
	json_decref(line.args);
	return 0;
}
