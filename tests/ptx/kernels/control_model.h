/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_model.h - the control-flow zoo: one thread's work, compiled for the GPU and for the host */

#ifndef PTX_CONTROL_MODEL_H
#define PTX_CONTROL_MODEL_H

#include "model.h"

MODEL model_u32 zoo_nested_if(model_u32 x)
{
	model_u32 r = 1;

	if (x & 1) {
		if (x & 2)
			r = r * 3 + (x & 4 ? 7 : 11);
		else if (x & 8)
			r ^= x << 3;
		else
			r -= 5;
		if ((x & 16) && r > 20)
			r = r / 3;
	} else {
		r += x;
		if (x % 3 == 0)
			r *= r;
	}
	return r;
}

MODEL model_u32 zoo_collatz(model_u32 x)
{
	model_u32 steps = 0;

	x = x % 5000 + 1;
	while (x != 1) {
		x = x & 1 ? 3 * x + 1 : x / 2;
		steps++;
	}
	return steps;
}

MODEL model_u32 zoo_break_continue(model_u32 x)
{
	model_u32 sum = 0;

	for (model_u32 i = 0; i < 100; i++) {
		if (i % 7 == x % 7)
			continue;
		for (model_u32 j = i;; j += 3) {
			if (j > 60 + x % 40)
				break;
			if ((j ^ x) & 1)
				continue;
			sum += i * j + 1;
			if (sum > 1000000)
				return sum ^ x;
		}
		if (sum % 1000 == x % 1000)
			break;
	}
	return sum;
}

MODEL model_u32 zoo_switch_dense(model_u32 x)
{
	switch (x % 16) {
	case 0:
		return x + 17;
	case 1:
		return x * 3;
	case 2:
		x ^= 0x55; /* fallthrough */
	case 3:
		return x - 9;
	case 4:
		return ~x;
	case 5:
		return x << 5 | x >> 27;
	case 6:
		return x / 7;
	case 7:
		return x % 13;
	case 8:
		x += 100;
		break;
	case 9:
		x = x & 0xff00ff;
		break;
	case 10:
		x = x * x;
		break;
	case 11:
		return 0;
	case 12:
		return x >> 3;
	case 13:
		x |= 1;
		break;
	default:
		return x ^ 0xdeadbeef;
	}
	return x * 2 + 1;
}

MODEL model_u32 zoo_switch_sparse(model_u32 x)
{
	switch (x & 0xfff) {
	case 3:
		return 1;
	case 77:
		return 22;
	case 100:
		return x;
	case 512:
		return x / 2;
	case 1000:
		return 5;
	case 2047:
		return x * 5;
	case 4095:
		return 99;
	default:
		return x & 1 ? 4 : 8;
	}
}

/* An irreducible loop: two ways in. */
MODEL model_u32 zoo_goto(model_u32 x)
{
	model_u32 n = 0;

	if (x & 1)
		goto middle;
top:
	n += 3;
	if (n > 50)
		goto out;
middle:
	n += x & 7;
	x = x * 1664525u + 1013904223u;
	if (x & 0x10000)
		goto top;
	if (n < 90)
		goto middle;
out:
	return n * 1000 + (x & 0xff);
}

/* Duff's device: a switch into a loop. */
MODEL model_u32 zoo_duff(model_u32 x)
{
	model_u32 count = x % 50 + 1, r = 0, n = (count + 3) / 4;

	switch (count % 4) {
	case 0:
		do {
			r = r * 31 + 1; /* fallthrough */
		case 3:
			r = r * 37 + 2; /* fallthrough */
		case 2:
			r = r * 41 + 3; /* fallthrough */
		case 1:
			r = r * 43 + 4;
		} while (--n > 0);
	}
	return r;
}

MODEL_APART model_u32 zoo_fibonacci(model_u32 n)
{
	return n < 2 ? n : zoo_fibonacci(n - 1) + zoo_fibonacci(n - 2);
}

MODEL_APART model_u32 zoo_ackermann(model_u32 m, model_u32 n)
{
	if (m == 0)
		return n + 1;
	if (n == 0)
		return zoo_ackermann(m - 1, 1);
	return zoo_ackermann(m - 1, zoo_ackermann(m, n - 1));
}

MODEL_APART int zoo_is_odd(int n);
MODEL_APART int zoo_is_even(int n)
{
	return n == 0 ? 1 : zoo_is_odd(n - 1);
}
MODEL_APART int zoo_is_odd(int n)
{
	return n == 0 ? 0 : zoo_is_even(n - 1);
}

MODEL_APART model_u32 zoo_hanoi(int disks, int from, int to, model_u32 *moves)
{
	model_u32 before;

	if (disks == 0)
		return 0;
	before = zoo_hanoi(disks - 1, from, 3 - from - to, moves);
	*moves = *moves * 9 + (model_u32)(from * 3 + to);
	return before + 1 + zoo_hanoi(disks - 1, 3 - from - to, to, moves);
}

MODEL_APART model_u32 zoo_gcd(model_u32 a, model_u32 b)
{
	return b == 0 ? a : zoo_gcd(b, a % b);
}

MODEL model_u32 zoo_short_circuit(model_u32 x)
{
	model_u32 touched = 0;

	if ((x & 1 && (touched |= 1)) || ((x & 2) && (touched |= 2) && (x & 4 || (touched |= 4))))
		touched |= 8;
	return touched | (x & 8 && !(x & 16) ? 32 : x & 64 ? 64 : 0);
}

MODEL model_u32 zoo_do_while(model_u32 x)
{
	model_u32 rounds = 0;

	do {
		model_u32 bit = x & -x;
		x ^= bit;
		rounds = rounds * 3 + (bit > 1000);
	} while (x);
	return rounds;
}

/* Queens on an n×n board by backtracking with an explicit stack of columns. */
MODEL model_u32 zoo_queens(int n)
{
	int column[8], row = 0;
	model_u32 found = 0;

	column[0] = -1;
	while (row >= 0) {
		int ok = 0;

		while (!ok && ++column[row] < n) {
			ok = 1;
			for (int i = 0; i < row && ok; i++) {
				int apart = column[row] - column[i];
				if (apart == 0 || apart == row - i || apart == i - row)
					ok = 0;
			}
		}
		if (!ok) {
			row--;
		} else if (row == n - 1) {
			found++;
		} else {
			column[++row] = -1;
		}
	}
	return found;
}

/* The zoo's animals by number; every thread of a warp may meet another one. */
MODEL model_u32 zoo(model_u32 animal, model_u32 x)
{
	model_u32 moves = 0;

	switch (animal) {
	case 0:
		return zoo_nested_if(x);
	case 1:
		return zoo_collatz(x);
	case 2:
		return zoo_break_continue(x);
	case 3:
		return zoo_switch_dense(x);
	case 4:
		return zoo_switch_sparse(x);
	case 5:
		return zoo_goto(x);
	case 6:
		return zoo_duff(x);
	case 7:
		return zoo_fibonacci(x % 12);
	case 8:
		return zoo_ackermann(x % 3, x / 3 % 5);
	case 9:
		return (model_u32)zoo_is_even((int)(x % 40));
	case 10:
		return zoo_hanoi((int)(x % 7), 0, 2, &moves) * 65536 + (moves & 65535);
	case 11:
		return zoo_gcd(x, x / 3 + 12);
	case 12:
		return zoo_short_circuit(x);
	case 13:
		return zoo_do_while(x);
	case 14:
		return zoo_queens((int)(x % 3) + 4);
	default:
		return 0;
	}
}

enum { ZOO_ANIMALS = 15 };

#endif
