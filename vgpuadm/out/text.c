/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.c - text from outside, made harmless for a terminal */

#include "vgpuadm/out/text.h"

#include <langinfo.h>
#include <stdint.h>
#include <string.h>
#include <wctype.h>

/*
 * Invisible characters that iswprint() takes for printable: they reverse the direction of writing,
 * or hide. First and last code point each.
 */
static const uint32_t unseen[][2] = {
	{ 0x00ad, 0x00ad }, { 0x061c, 0x061c }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
	{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
};

bool text_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Return: how many bytes the character at text takes, 0: it is not valid UTF-8. */
static unsigned decode(const unsigned char *text, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned len = text[0] < 0x80		  ? 1
		       : (text[0] & 0xe0) == 0xc0 ? 2
		       : (text[0] & 0xf0) == 0xe0 ? 3
		       : (text[0] & 0xf8) == 0xf0 ? 4
						  : 0;

	if (len <= 1) {
		*code = text[0];
		return len;
	}
	*code = text[0] & (0x7fu >> len);
	for (unsigned i = 1; i < len; i++) {
		/* The terminator is no continuation either, so this never reads past it. */
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3fu);
	}
	if (*code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return len;
}

static bool is_shown(uint32_t code, bool utf8)
{
	if (code < 0x80)
		return code >= 0x20 && code < 0x7f;
	if (!utf8 || !iswprint((wint_t)code))
		return false;
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (code >= unseen[i][0] && code <= unseen[i][1])
			return false;
	return true;
}

void text_put(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	bool utf8 = text_is_utf8();

	while (*at) {
		uint32_t code;
		unsigned len = decode(at, &code);

		if (len > 0 && is_shown(code, utf8))
			fwrite(at, 1, len, out);
		else if (len > 1)
			fprintf(out, "\\u{%04x}", code);
		else
			fprintf(out, "\\x%02x", *at);
		at += len > 0 ? len : 1;
	}
}
