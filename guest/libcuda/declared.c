/* SPDX-License-Identifier: GPL-2.0-or-later */
/* declared.c - what an image declares and programs have otherwise here */

#include "guest/libcuda/declared.h"

#include <pthread.h>
#include <string.h>

#include "guest/libcuda/say.h"

#define DECLARATION_SIZE 256 /* .attribute(.managed) .align 4 .u32 name[8]; from the bracket on */
#define NAME_SIZE 128
#define NAMES_MOST 16 /* that are told: a program that makes images shall not fill a log */
#define MANAGED ".managed"
#define OF_NAMES "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$%"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char said[NAMES_MOST][NAME_SIZE];
static unsigned said_num;

/* Return: the last word of a declaration's begin, cut behind it: what is declared. */
static char *last_word(char *declaration)
{
	char *word = declaration;

	for (char *at = declaration; *at != '\0'; at += *at != '\0') {
		size_t len = strspn(at, OF_NAMES);

		if (len > 0)
			word = at;
		at += len;
	}
	word[strspn(word, OF_NAMES)] = '\0';
	return word;
}

/* Return: whether it is to be said now: it was not yet, and there is room to note it. */
static bool note(const char *name)
{
	bool is_new = true;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < said_num && is_new; i++)
		is_new = strcmp(said[i], name) != 0;
	is_new = is_new && said_num < NAMES_MOST;
	if (is_new)
		memcpy(said[said_num++], name, strlen(name) + 1);
	pthread_mutex_unlock(&lock);
	return is_new;
}

/* bytes: of the image from here on. */
static void say_declared(const char *at, uint64_t bytes)
{
	char declaration[DECLARATION_SIZE], *name;
	size_t len = bytes < sizeof(declaration) ? bytes : sizeof(declaration) - 1;

	memcpy(declaration, at, len);
	declaration[len] = '\0';
	declaration[strcspn(declaration, "[;={")] = '\0';
	name = last_word(declaration);
	if (*name != '\0' && strlen(name) < NAME_SIZE && note(name))
		say("the variable %s is declared __managed__, and lies in the GPU's memory here: "
		    "read and write it by copies, not through its address",
		    name);
}

void declared_say_managed(const struct image *image)
{
	const char *at = image->data, *end = at + image->bytes;

	while ((at = memmem(at, (size_t)(end - at), MANAGED, strlen(MANAGED))) != NULL) {
		at += strlen(MANAGED);
		say_declared(at, (uint64_t)(end - at));
	}
}
