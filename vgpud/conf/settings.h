/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings.h - the settings: one table for the file, the options, what is printed back */

#ifndef VGPUD_CONF_SETTINGS_H
#define VGPUD_CONF_SETTINGS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vgpud/conf/conf.h"

enum conf_type {
	CONF_NUMBER,	  /* unsigned */
	CONF_BYTES,	  /* uint64_t, written as 10G */
	CONF_CHOICE,	  /* bool: the second of two words */
	CONF_WORD,	  /* unsigned: which of the words */
	CONF_EXECUTOR,	  /* char[]: auto, cpu, cuda:N */
	CONF_GROUP,	  /* char[]: a group of this host, or nothing */
	CONF_USER,	  /* char[]: a user of this host */
	CONF_PATH,	  /* char[]: a directory */
	CONF_SWITCHES,	  /* char[]: words of letters, digits and -=/._, or nothing */
	CONF_PATH_OR_NONE /* char[]: a directory, or nothing */
};

struct conf_setting {
	const char *section; /* "pool": of each of [pool A] to [pool Z]; "gpu": of each GPU */
	const char *key;
	enum conf_type type;
	uint64_t least, most; /* of a number or of bytes; most is the size of a text */
	size_t offset;	      /* in struct conf; in struct conf_pool; in struct conf_gpu */
	const char *word[3];  /* of a choice, or of a word */
	const char *standard; /* the value when none is given */
	bool live;	      /* true: a reload can change it; false: only a start can */
	const char *what;
};

#define CONF_SETTING_NUM 44
extern const struct conf_setting conf_settings[CONF_SETTING_NUM];

/*
 * A setting has one value, or one for each pool, or one for each GPU. Its place is the index of the
 * pool or of the GPU; 0 for a setting that stands once.
 */
enum conf_scope { CONF_ONCE, CONF_OF_POOL, CONF_OF_GPU };

#define CONF_PLACES_MAX CONF_GPU_NUM
static_assert(CONF_PLACES_MAX >= SCHED_POOL_MAX, "a setting has a value for each pool");

enum conf_scope conf_setting_scope(const struct conf_setting *setting);

/* Return: how many places it has. */
unsigned conf_setting_places(const struct conf_setting *setting);

#define CONF_SECTION_SIZE 24

/* Writes the section as the file has it: "vgpud", "pool B", "gpu cpu". */
void conf_setting_section(const struct conf_setting *setting, unsigned place,
			  char out[CONF_SECTION_SIZE]);

/* Return: the setting, NULL: there is none. */
const struct conf_setting *conf_setting_find(const char *section, const char *key);

/*
 * place: below conf_setting_places().
 * why: on failure what is wrong with the text: "0: expected a number from 1 to 1024".
 * Return: 0 or -EINVAL.
 */
int conf_setting_set(const struct conf_setting *setting, struct conf *conf, unsigned place,
		     const char *text, char *why, size_t why_size);

#define CONF_TEXT_SIZE CONF_PATH_SIZE /* any value as text, end included */

/* Writes the value as the file has it. */
void conf_setting_get(const struct conf_setting *setting, const struct conf *conf, unsigned place,
		      char *out, size_t size);

/* Begins a configuration: every setting at its standard, pools A and B, no VMs. */
void conf_settings_init(struct conf *conf);

/* Writes all settings in the form of the file, each with what it is. */
void conf_settings_print(const struct conf *conf, FILE *out);

#endif
