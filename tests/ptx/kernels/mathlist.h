/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mathlist.h - mathematical functions of one argument, with the CUDA programming guide's greatest errors */

#ifndef PTX_MATHLIST_H
#define PTX_MATHLIST_H

/*
 * X(name, least argument, greatest argument, ulp of the float function, ulp of the double function)
 * The errors are the guide's, "Mathematical Functions", for the default mode (-ftz=false
 * -prec-div=true -prec-sqrt=true).
 */
#define MATH_FUNCTIONS(X)           \
	X(sqrt, 0, 1e6, 0, 0)       \
	X(cbrt, -1e6, 1e6, 1, 1)    \
	X(exp, -80, 80, 2, 1)       \
	X(exp2, -100, 100, 2, 1)    \
	X(exp10, -30, 30, 2, 1)     \
	X(expm1, -5, 20, 1, 1)      \
	X(log, 1e-6, 1e6, 1, 1)     \
	X(log2, 1e-6, 1e6, 1, 1)    \
	X(log10, 1e-6, 1e6, 2, 1)   \
	X(log1p, -0.9, 100, 1, 1)   \
	X(sin, -1000, 1000, 2, 2)   \
	X(cos, -1000, 1000, 2, 2)   \
	X(tan, -1.5, 1.5, 4, 2)     \
	X(asin, -1, 1, 2, 2)        \
	X(acos, -1, 1, 2, 2)        \
	X(atan, -100, 100, 2, 2)    \
	X(sinh, -20, 20, 3, 2)      \
	X(cosh, -20, 20, 2, 1)      \
	X(tanh, -5, 5, 2, 1)        \
	X(asinh, -100, 100, 3, 3)   \
	X(acosh, 1, 100, 4, 3)      \
	X(atanh, -0.99, 0.99, 3, 2) \
	X(erf, -4, 4, 2, 2)         \
	X(erfc, -2, 8, 4, 5)        \
	X(tgamma, 0.1, 20, 5, 10)   \
	X(lgamma, 3, 100, 6, 4)     \
	X(floor, -1000, 1000, 0, 0) \
	X(ceil, -1000, 1000, 0, 0)  \
	X(trunc, -1000, 1000, 0, 0) \
	X(round, -1000, 1000, 0, 0) \
	X(rint, -1000, 1000, 0, 0)

/* Functions of two arguments, over the same ranges for both. */
#define MATH_PAIRS(X)               \
	X(pow, 0.01, 20, 4, 2)      \
	X(atan2, -50, 50, 3, 2)     \
	X(hypot, -1000, 1000, 3, 2) \
	X(fmod, 1, 1000, 0, 0)      \
	X(remainder, 1, 1000, 0, 0) \
	X(fdim, -10, 10, 0, 0)      \
	X(fmin, -10, 10, 0, 0)      \
	X(fmax, -10, 10, 0, 0)      \
	X(copysign, -10, 10, 0, 0)  \
	X(nextafter, -10, 10, 0, 0)

#endif
