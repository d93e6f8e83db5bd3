/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sweep.c - writes to the same pages without end, and sees whether one has lost a write */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGES 30 /* few: the processor's TLB has them all, so that QEMU may miss a write */
#define PAGE_WORDS 512

/*
 * Each round writes its number into a word of each page, and finds the number of the round before
 * there. When the machine moves to another QEMU, a page that came without its last write has an
 * older one.
 */
int main(void)
{
	static volatile uint64_t words[PAGES * PAGE_WORDS];

	for (uint64_t round = 1;; round++) {
		for (size_t page = 0; page < PAGES; page++) {
			volatile uint64_t *word = &words[page * PAGE_WORDS];

			if (*word != round - 1) {
				printf("page %zu has %llu in round %llu\n", page,
				       (unsigned long long)*word, (unsigned long long)round);
				return EXIT_FAILURE;
			}
			*word = round;
		}
	}
}
