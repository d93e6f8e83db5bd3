/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drive.c - runs a fuzzer on many inputs without libFuzzer: several times as many in the same time */

/*
 * Usage: drive_NAME COUNT SECONDS SEED KEEP CORPUS
 *
 * libFuzzer looks after each input at what code it reached, which takes longer than a short input
 * itself. Where the fuzzer's own mutator makes inputs that reach deep, as many as possible of them
 * are worth more. Nothing but a C compiler with its sanitizers is needed.
 *
 * Prints how many inputs were run at the end, which comes after COUNT inputs or SECONDS, what is
 * first. The input that fails is written to KEEP.
 */

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include <sanitizer/common_interface_defs.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 4096
#define INPUTS_MAX 4096
#define CLOCK_INPUTS 256 /* between two looks at the clock */

static struct {
	uint8_t *bytes;
	size_t len;
} corpus[INPUTS_MAX];
static size_t corpus_count;

static uint8_t input[INPUT_MAX];
static size_t input_bytes;
static const char *keep;
static uint64_t state, done;

static uint32_t pick(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return below > 0 ? (uint32_t)(state >> 33) % below : 0;
}

/*
 * The last word of a process in which an input failed. The process has one thread, and does not go on.
 * NOLINTBEGIN(bugprone-signal-handler,cert-sig30-c)
 */
static void keep_input(void)
{
	FILE *out = fopen(keep, "w");

	if (out && fwrite(input, 1, input_bytes, out) == input_bytes)
		fprintf(stderr, "drive: the input is kept in %s\n", keep);
	if (out)
		fclose(out);
	printf("inputs: %llu\n", (unsigned long long)done);
	fflush(stdout);
}
/* NOLINTEND(bugprone-signal-handler,cert-sig30-c) */

/* REQUIRE() ends so; the sanitizers have a callback of their own. The signal's default follows. */
static void on_abort(int number)
{
	(void)number;
	keep_input();
}

static void read_corpus(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	REQUIRE(folder != NULL);
	while ((entry = readdir(folder)) != NULL && corpus_count < INPUTS_MAX) {
		char name[PATH_MAX];
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		file = fopen(name, "r");
		REQUIRE(file != NULL);
		input_bytes = fread(input, 1, sizeof(input), file);
		fclose(file);
		corpus[corpus_count].bytes = fuzz_copy(input, input_bytes);
		corpus[corpus_count++].len = input_bytes;
	}
	closedir(folder);
	REQUIRE(corpus_count > 0);
}

/* Any change of some bytes: one more, one less, another, or one's bits. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len_bytes, size_t room_bytes)
{
	for (unsigned edits = 1 + pick(4); edits > 0; edits--) {
		uint32_t at = pick((uint32_t)len_bytes + 1);

		switch (pick(4)) {
		case 0:
			if (len_bytes == room_bytes)
				break;
			memmove(bytes + at + 1, bytes + at, len_bytes - at);
			bytes[at] = (uint8_t)pick(256);
			len_bytes++;
			break;
		case 1:
			if (at == len_bytes)
				break;
			memmove(bytes + at, bytes + at + 1, len_bytes - at - 1);
			len_bytes--;
			break;
		case 2:
			if (at < len_bytes)
				bytes[at] = (uint8_t)pick(256);
			break;
		default:
			if (at < len_bytes)
				bytes[at] ^= (uint8_t)(1u << pick(8));
			break;
		}
	}
	return len_bytes;
}

/* One of the corpus, changed. */
static void next_input(void)
{
	uint32_t n = pick((uint32_t)corpus_count);

	input_bytes = corpus[n].len;
	if (input_bytes)
		memcpy(input, corpus[n].bytes, input_bytes);
	input_bytes = LLVMFuzzerCustomMutator(input, input_bytes, sizeof(input), pick(UINT32_MAX));
}

static uint64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

int main(int argc, char **argv)
{
	uint64_t count, end_s;

	if (argc != 6) {
		fprintf(stderr, "usage: %s COUNT SECONDS SEED KEEP CORPUS\n", argv[0]);
		return 2;
	}
	count = strtoull(argv[1], NULL, 10);
	end_s = now_s() + strtoull(argv[2], NULL, 10);
	state = strtoull(argv[3], NULL, 10);
	keep = argv[4];
	read_corpus(argv[5]);
	__sanitizer_set_death_callback(keep_input);
	signal(SIGABRT, on_abort);
	for (size_t n = 0; n < corpus_count; n++) {
		input_bytes = corpus[n].len;
		if (input_bytes)
			memcpy(input, corpus[n].bytes, input_bytes);
		LLVMFuzzerTestOneInput(input, input_bytes);
	}
	while (done < count && (done % CLOCK_INPUTS != 0 || now_s() < end_s)) {
		next_input();
		LLVMFuzzerTestOneInput(input, input_bytes);
		done++;
	}
	printf("inputs: %llu\n", (unsigned long long)done);
	return 0;
}
