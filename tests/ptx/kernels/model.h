/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model.h - what lets one function be compiled for the GPU and for the host that checks it */

#ifndef PTX_MODEL_H
#define PTX_MODEL_H

#ifdef __CUDACC__
#define MODEL static __device__
#define MODEL_APART static __device__ __noinline__
#define MODEL_TABLE static __constant__
#else
#define MODEL static __attribute__((unused))
#define MODEL_APART static __attribute__((noinline, unused))
#define MODEL_TABLE static
#endif

typedef unsigned char model_u8;
typedef unsigned short model_u16;
typedef unsigned int model_u32;
typedef unsigned long long model_u64;

#endif
