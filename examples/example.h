/* SPDX-License-Identifier: GPL-2.0-or-later */
/* example.h - what the examples share: begin and end, and what to do about errors */

#ifndef EXAMPLES_EXAMPLE_H
#define EXAMPLES_EXAMPLE_H

#include <cuda.h>
#include <stdbool.h>

/* Ends the program with a sentence about the call that failed. */
#define CHECK(call) example_check((call), #call)
void example_check(CUresult result, const char *call);

/*
 * Carries a file of PTX text in the program, as the string example_ptx. A driver compiles it for
 * its GPU when the program loads it, so one program runs on every GPU.
 */
#define EXAMPLE_PTX(file)                             \
	__asm__(".section .rodata\n"                  \
		"example_ptx: .incbin \"" file "\"\n" \
		".byte 0\n"                           \
		".previous\n");                       \
	extern const char example_ptx[]

/* Initializes CUDA, takes the first GPU, and makes its context the calling thread's. */
void example_begin(const char *name);

/* Gives the context back. */
void example_end(void);

/* Loads example_ptx and returns its kernel of that name; the module lives until example_end(). */
CUfunction example_kernel(const char *ptx, const char *name);

/* Prints the verdict. Return: the status to end the program with. */
int example_verdict(bool right, const char *what);

#endif
