/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_model.h - work on strings, byte by byte */

#ifndef PTX_TEXT_MODEL_H
#define PTX_TEXT_MODEL_H

#include "model.h"

MODEL int text_length(const char *s)
{
	int n = 0;

	while (s[n])
		n++;
	return n;
}

MODEL int text_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (model_u8)*a - (model_u8)*b;
}

MODEL void text_reverse(char *s)
{
	for (int i = 0, j = text_length(s) - 1; i < j; i++, j--) {
		char kept = s[i];
		s[i] = s[j];
		s[j] = kept;
	}
}

MODEL int text_find(const char *in, const char *what)
{
	for (int i = 0; in[i]; i++) {
		int k = 0;
		while (what[k] && in[i + k] == what[k])
			k++;
		if (!what[k])
			return i;
	}
	return -1;
}

MODEL long long text_number(const char *s)
{
	long long n = 0;
	int negative = 0;

	while (*s == ' ')
		s++;
	if (*s == '-' || *s == '+')
		negative = *s++ == '-';
	while (*s >= '0' && *s <= '9')
		n = n * 10 + (*s++ - '0');
	return negative ? -n : n;
}

MODEL int text_from_number(long long n, int base, char *out)
{
	char digits[65];
	int k = 0, at = 0;
	model_u64 u = n < 0 ? 0 - (model_u64)n : (model_u64)n;

	do {
		digits[k++] = "0123456789abcdefghijklmnopqrstuvwxyz"[u % (model_u32)base];
		u /= (model_u32)base;
	} while (u);
	if (n < 0)
		out[at++] = '-';
	while (k > 0)
		out[at++] = digits[--k];
	out[at] = 0;
	return at;
}

/* Edits between two words of up to 31 letters, with one row of the table. */
MODEL int text_distance(const char *a, const char *b)
{
	int row[32] = { 0 }, n = text_length(b);

	for (int j = 0; j <= n; j++)
		row[j] = j;
	for (int i = 1; a[i - 1]; i++) {
		int corner = row[0];

		row[0] = i;
		for (int j = 1; j <= n; j++) {
			int up = row[j], best = corner + (a[i - 1] != b[j - 1]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = up;
			row[j] = best;
		}
	}
	return row[n];
}

MODEL void text_caesar(char *s, int by)
{
	for (; *s; s++) {
		if (*s >= 'a' && *s <= 'z')
			*s = (char)('a' + (*s - 'a' + by) % 26);
		else if (*s >= 'A' && *s <= 'Z')
			*s = (char)('A' + (*s - 'A' + by) % 26);
	}
}

/* '*' stands for any letters, '?' for one. */
MODEL_APART int text_matches(const char *pattern, const char *s)
{
	if (!*pattern)
		return !*s;
	if (*pattern == '*')
		return text_matches(pattern + 1, s) || (*s && text_matches(pattern, s + 1));
	return *s && (*pattern == '?' || *pattern == *s) && text_matches(pattern + 1, s + 1);
}

/* A calculator by recursive descent: + - * / ( ) and numbers. */
struct text_parser {
	const char *at;
};

MODEL_APART int text_sum(struct text_parser *p);

MODEL_APART int text_factor(struct text_parser *p)
{
	int value = 0;

	if (*p->at == '(') {
		p->at++;
		value = text_sum(p);
		p->at++;
		return value;
	}
	if (*p->at == '-') {
		p->at++;
		return -text_factor(p);
	}
	while (*p->at >= '0' && *p->at <= '9')
		value = value * 10 + (*p->at++ - '0');
	return value;
}

MODEL_APART int text_product(struct text_parser *p)
{
	int value = text_factor(p);

	while (*p->at == '*' || *p->at == '/') {
		if (*p->at++ == '*') {
			value *= text_factor(p);
		} else {
			int by = text_factor(p);
			value = by ? value / by : 0;
		}
	}
	return value;
}

MODEL_APART int text_sum(struct text_parser *p)
{
	int value = text_product(p);

	while (*p->at == '+' || *p->at == '-') {
		if (*p->at++ == '+')
			value += text_product(p);
		else
			value -= text_product(p);
	}
	return value;
}

#endif
