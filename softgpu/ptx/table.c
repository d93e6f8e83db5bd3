/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - the support table: isa.def beside the manual's list */

#include "softgpu/ptx/table.h"

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/isa.h"
#include "softgpu/ptx/isa_private.h"

struct entry {
	const char *group; /* a heading, else NULL */
	const char *name;
};

static const struct entry entries[] = {
#define GROUP(text) { text, NULL },
#define NAME(name) { NULL, name },
#include "softgpu/ptx/manual.def"
};

#define ENTRY_COUNT (sizeof(entries) / sizeof(entries[0]))

/* --- which row belongs to which entry -----------------------------------------------------------
 */

/* The words of a pattern that must stand, joined by dots: "shfl.sync.b32". */
static void literal_words(const struct sg_isa_row *row, char *out, size_t out_bytes)
{
	const char *pattern = row->pattern;
	struct sg_isa_group group;
	size_t used = 0;

	out[0] = '\0';
	while (sg_isa_next_group(&pattern, &group)) {
		/* a group in brackets or braces, which the pattern has before its body */
		if (group.body.text > row->pattern &&
		    (group.body.text[-1] == '[' || group.body.text[-1] == '{'))
			continue;
		used += (size_t)snprintf(out + used, out_bytes - used, "%s%.*s",
					 used > 0 ? "." : "", (int)group.body.len_bytes,
					 group.body.text);
		if (used >= out_bytes)
			return;
	}
}

/* "fence.proxy.tensormap" begins "fence.proxy.tensormap::generic.*", "ld" does not begin "ldu". */
static bool begins(const char *name, const char *words)
{
	size_t len = strlen(name);

	return strncmp(words, name, len) == 0 && strchr(".:", words[len]) != NULL;
}

/* A row that ends in "*" covers what is longer than itself, too: "cp.async.bulk.*". */
static bool covers(const char *name, const char *words)
{
	size_t len = strlen(words);

	return len > 2 && words[len - 1] == '*' && strncmp(name, words, len - 1) == 0;
}

/* Return: the entry of the longest name that begins a row's words; ENTRY_COUNT if there is none. */
static size_t entry_of(const struct sg_isa_row *row)
{
	char words[128];
	size_t best = ENTRY_COUNT;

	literal_words(row, words, sizeof(words));
	for (size_t e = 0; e < ENTRY_COUNT; e++)
		if (entries[e].name != NULL && begins(entries[e].name, words) &&
		    (best == ENTRY_COUNT || strlen(entries[e].name) > strlen(entries[best].name)))
			best = e;
	return best;
}

struct found {
	size_t runs, refused;
	enum sg_feature feature;
	uint16_t ptx, sm;
	bool types[SG_TYPE_NUM];
};

static bool note_type(struct sg_isa_span word, unsigned class, void *arg)
{
	struct found *found = arg;

	if (class == SG_CLASS_NUM)
		found->types[sg_isa_find_type(word.text, word.len_bytes)] = true;
	return false;
}

static void note_row(const struct sg_isa_row *row, struct found *found)
{
	const char *pattern = row->pattern;
	struct sg_isa_group group;

	if (row->feature != SG_FEATURE_RUNS) {
		found->refused++;
		found->feature = row->feature;
	} else {
		found->runs++;
		while (sg_isa_next_group(&pattern, &group))
			sg_isa_each_choice(group.body, note_type, found);
	}
	if (found->ptx == 0 || row->ptx < found->ptx) {
		found->ptx = row->ptx;
		found->sm = row->sm;
	}
}

static struct found find(size_t entry)
{
	struct found found = { 0 };
	char words[128];

	for (size_t r = 0; r < sg_isa_row_count; r++) {
		const struct sg_isa_row *row = &sg_isa_rows[r];

		literal_words(row, words, sizeof(words));
		if (entry_of(row) == entry || covers(entries[entry].name, words))
			note_row(row, &found);
	}
	found.types[SG_TYPE_NONE] = false;
	return found;
}

static enum sg_table_state state_of(const struct found *found)
{
	if (found->runs == 0)
		return found->refused == 0 ? SG_TABLE_MISSING : SG_TABLE_REFUSED;
	return found->refused == 0 ? SG_TABLE_RUNS : SG_TABLE_PARTLY;
}

/* --- printing -------------------------------------------------------------------------------- */

static void print_types(FILE *out, const struct found *found)
{
	bool first = true;

	for (unsigned type = 1; type < SG_TYPE_NUM; type++) {
		if (!found->types[type])
			continue;
		fprintf(out, "%s%s", first ? "" : " ", sg_isa_type_word(type));
		first = false;
	}
}

static void print_entry(FILE *out, size_t entry)
{
	struct found found = find(entry);

	fprintf(out, "| `%s` | ", entries[entry].name);
	switch (state_of(&found)) {
	case SG_TABLE_RUNS:
		fputs("runs", out);
		break;
	case SG_TABLE_PARTLY:
		fprintf(out, "runs; not: %s", sg_isa_feature_text(found.feature));
		break;
	case SG_TABLE_REFUSED:
		fprintf(out, "refused: %s", sg_isa_feature_text(found.feature));
		break;
	default:
		fputs("missing", out);
	}
	fputs(" | ", out);
	print_types(out, &found);
	fprintf(out, " | %u.%u | %u |\n", found.ptx / 10, found.ptx % 10, found.sm);
}

int sg_table_print(FILE *out)
{
	size_t counts[SG_TABLE_STATE_NUM];

	sg_table_count(counts);
	fprintf(out,
		"%zu instructions of the manual run, %zu run in part, %zu are refused by name, %zu are missing.\n",
		counts[SG_TABLE_RUNS], counts[SG_TABLE_PARTLY], counts[SG_TABLE_REFUSED],
		counts[SG_TABLE_MISSING]);
	for (size_t e = 0; e < ENTRY_COUNT; e++) {
		if (entries[e].group != NULL)
			fprintf(out, "\n| %s | here | types | PTX | sm |\n|---|---|---|---|---|\n",
				entries[e].group);
		else
			print_entry(out, e);
	}
	return ferror(out) ? -EIO : 0;
}

size_t sg_table_count(size_t counts[SG_TABLE_STATE_NUM])
{
	size_t strangers = 0;

	memset(counts, 0, SG_TABLE_STATE_NUM * sizeof(*counts));
	for (size_t e = 0; e < ENTRY_COUNT; e++) {
		struct found found;

		if (entries[e].name == NULL)
			continue;
		found = find(e);
		counts[state_of(&found)]++;
	}
	for (size_t r = 0; r < sg_isa_row_count; r++) {
		char words[128];
		bool covering = false;

		literal_words(&sg_isa_rows[r], words, sizeof(words));
		for (size_t e = 0; e < ENTRY_COUNT; e++)
			covering |= entries[e].name != NULL && covers(entries[e].name, words);
		strangers += entry_of(&sg_isa_rows[r]) == ENTRY_COUNT && !covering;
	}
	return strangers;
}
