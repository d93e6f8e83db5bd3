/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arith_soft.h - rounding in every mode and format, one number at a time */

#ifndef VGPU_SOFTGPU_MACHINE_ARITH_SOFT_H
#define VGPU_SOFTGPU_MACHINE_ARITH_SOFT_H

#include <stdbool.h>
#include <stdint.h>

enum sg_arith_round {
	SG_ARITH_RN,  /* to nearest, ties to even */
	SG_ARITH_RZ,  /* toward zero */
	SG_ARITH_RM,  /* toward minus infinity */
	SG_ARITH_RP,  /* toward plus infinity */
	SG_ARITH_RNA, /* to nearest, ties away from zero */
	SG_ARITH_ROUND_NUM,
};

/* A binary floating-point format of at most 64 bits: sign, exponent, fraction. */
struct sg_arith_format {
	unsigned fraction_bits, exponent_bits;
	bool finite;  /* no infinities: the highest exponent holds numbers, all ones is the NaN */
	uint64_t nan; /* what a NaN becomes */
};

extern const struct sg_arith_format sg_arith_f16, sg_arith_bf16, sg_arith_f32, sg_arith_f64;
extern const struct sg_arith_format sg_arith_e4m3, sg_arith_e5m2, sg_arith_tf32;

/*
 * Round sign * mantissa * 2^exponent, plus less than one unit of mantissa more if sticky, to a
 * format. satfinite: the largest number stands for all that are too large.
 * Return: the bits.
 */
uint64_t sg_arith_pack(const struct sg_arith_format *format, enum sg_arith_round mode,
		       bool negative, uint64_t mantissa, int exponent, bool sticky, bool satfinite);

/* Round a double to a format; NaN becomes the format's. Return: the bits. */
uint64_t sg_arith_narrow(const struct sg_arith_format *format, enum sg_arith_round mode,
			 double value, bool satfinite);

/* The number that bits in a format are; exact. */
double sg_arith_widen(const struct sg_arith_format *format, uint64_t bits);

/*
 * A number to an integer of `bits` bits, clamped to its range. NaN gives 0, but the top bit alone
 * where the source is f64 or the destination has 64 bits, as the manual has it.
 */
uint64_t sg_arith_to_int(double value, enum sg_arith_round mode, unsigned bits, bool is_signed,
			 bool from_f64);

/* A number rounded to an integral one of the same type; -0 stays. */
double sg_arith_integral(double value, enum sg_arith_round mode);

/*
 * The four operations and the fused one in any mode but RNA. They leave the processor's rounding
 * mode as they found it.
 */
double sg_arith_add_round_f64(double a, double b, enum sg_arith_round mode);
double sg_arith_mul_round_f64(double a, double b, enum sg_arith_round mode);
double sg_arith_fma_round_f64(double a, double b, double c, enum sg_arith_round mode);
double sg_arith_div_round_f64(double a, double b, enum sg_arith_round mode);
double sg_arith_sqrt_round_f64(double a, enum sg_arith_round mode);

/*
 * The exact results of f32 operations, made odd where a double does not hold them: to be rounded
 * once by sg_arith_finish_f32. mode: only the sign of an exact zero from a sum depends on it.
 */
double sg_arith_add_odd(float a, float b, enum sg_arith_round mode);
double sg_arith_fma_odd_f32(float a, float b, float c, enum sg_arith_round mode);
double sg_arith_div_odd(float a, float b);
double sg_arith_sqrt_odd(float a);

/*
 * Round such a result. ftz: flush what is below the smallest normal number once it is rounded to 24
 * bits with an exponent without bounds, as GPUs do: a result that only subnormal rounding lifts to
 * the smallest normal number becomes zero.
 */
float sg_arith_finish_f32(double odd, enum sg_arith_round mode, bool ftz);

#endif
