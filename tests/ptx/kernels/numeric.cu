// SPDX-License-Identifier: GPL-2.0-or-later
// numeric.cu - n-body, Mandelbrot, Monte Carlo, FFT, integration: floating-point programs
// flags: -fmad=false

extern "C" __global__ void nbody(const float4 *in, float4 *velocity, float4 *out, int n, float dt)
{
	__shared__ float4 tile[64];
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	float4 me = in[i];
	float ax = 0, ay = 0, az = 0;

	for (int base = 0; base < n; base += 64) {
		tile[threadIdx.x] = in[base + threadIdx.x];
		__syncthreads();
		for (int j = 0; j < 64; j++) {
			float dx = __fsub_rn(tile[j].x, me.x), dy = __fsub_rn(tile[j].y, me.y);
			float dz = __fsub_rn(tile[j].z, me.z);
			float d2 = __fmaf_rn(dx, dx, __fmaf_rn(dy, dy, __fmaf_rn(dz, dz, 0.01f)));
			float inverse = __fdiv_rn(1.0f, __fsqrt_rn(d2));
			float s = __fmul_rn(tile[j].w, __fmul_rn(inverse, __fmul_rn(inverse, inverse)));

			ax = __fmaf_rn(dx, s, ax);
			ay = __fmaf_rn(dy, s, ay);
			az = __fmaf_rn(dz, s, az);
		}
		__syncthreads();
	}
	float4 v = velocity[i];
	v.x = __fmaf_rn(ax, dt, v.x);
	v.y = __fmaf_rn(ay, dt, v.y);
	v.z = __fmaf_rn(az, dt, v.z);
	velocity[i] = v;
	out[i] = make_float4(__fmaf_rn(v.x, dt, me.x), __fmaf_rn(v.y, dt, me.y),
			     __fmaf_rn(v.z, dt, me.z), me.w);
}

template <typename T> static __device__ int escape(T cx, T cy, int limit)
{
	T x = 0, y = 0;
	int k = 0;

	for (; k < limit; k++) {
		T xx = x * x, yy = y * y;
		if (xx + yy > 4)
			break;
		T xy = x * y;
		x = (xx - yy) + cx;
		y = (xy + xy) + cy;
	}
	return k;
}

// Compiled with -fmad=false: products and sums are rounded one by one.
extern "C" __global__ void mandelbrot_f32(unsigned short *out, int width, int height, int limit)
{
	int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;

	if (x < width && y < height)
		out[y * width + x] = escape<float>(-2.0f + 3.0f * x / width, -1.5f + 3.0f * y / height,
						   limit);
}

extern "C" __global__ void mandelbrot_f64(unsigned short *out, int width, int height, int limit)
{
	int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;

	if (x < width && y < height)
		out[y * width + x] = escape<double>(-2.0 + 3.0 * x / width, -1.5 + 3.0 * y / height,
						    limit);
}

static __device__ unsigned xorwow(unsigned *s)
{
	unsigned t = s[4], u = s[0];

	s[4] = s[3];
	s[3] = s[2];
	s[2] = s[1];
	s[1] = u;
	t ^= t >> 2;
	t ^= t << 1;
	t ^= u ^ (u << 4);
	s[0] = t;
	s[5] += 362437;
	return t + s[5];
}

extern "C" __global__ void monte_carlo_pi(unsigned long long *inside, unsigned *samples, int rounds)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	unsigned s[6] = { 123456789u + i, 362436069u, 521288629u ^ i, 88675123u, 5783321u, 6615241u };
	unsigned long long count = 0;

	for (int k = 0; k < rounds; k++) {
		float x = xorwow(s) * 0x1p-32f, y = xorwow(s) * 0x1p-32f;

		if (__fadd_rn(__fmul_rn(x, x), __fmul_rn(y, y)) <= 1.0f)
			count++;
	}
	samples[i] = s[0];
	atomicAdd(inside, count);
}

extern "C" __global__ void philox(const unsigned *key, uint4 *out, int rounds)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
	uint4 c = make_uint4(i, 0, 7, 1u << 31);
	unsigned k0 = key[0], k1 = key[1];

	for (int r = 0; r < rounds; r++) {
		unsigned h0 = __umulhi(0xD2511F53u, c.x), l0 = 0xD2511F53u * c.x;
		unsigned h1 = __umulhi(0xCD9E8D57u, c.z), l1 = 0xCD9E8D57u * c.z;

		c = make_uint4(h1 ^ c.y ^ k0, l1, h0 ^ c.w ^ k1, l0);
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	out[i] = c;
}

// Radix 2 in shared memory; twiddles come from the host.
extern "C" __global__ void fft_256(double2 *data, const double2 *twiddle)
{
	__shared__ double2 s[256];
	int t = threadIdx.x, base = blockIdx.x * 256;

	s[__brev(t) >> 24] = data[base + t];
	s[__brev(t + 128) >> 24] = data[base + t + 128];
	__syncthreads();
	for (int half = 1; half < 256; half *= 2) {
		int k = t % half, i = t / half * 2 * half + k;
		double2 w = twiddle[k * (128 / half)], a = s[i], b = s[i + half];
		double2 p = make_double2(w.x * b.x - w.y * b.y, w.x * b.y + w.y * b.x);

		s[i] = make_double2(a.x + p.x, a.y + p.y);
		s[i + half] = make_double2(a.x - p.x, a.y - p.y);
		__syncthreads();
	}
	data[base + t] = s[t];
	data[base + t + 128] = s[t + 128];
}

extern "C" __global__ void simpson(double *out, int intervals)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	double a = i * 0.25, b = a + 1.0, h = (b - a) / intervals, sum = 0;

	for (int k = 0; k <= intervals; k++) {
		double x = a + k * h, f = 1.0 / (1.0 + x * x);
		sum += (k == 0 || k == intervals ? 1 : k & 1 ? 4 : 2) * f;
	}
	out[i] = sum * h / 3;
}

extern "C" __global__ void newton_sqrt(const double *in, double *out, int *steps)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	double a = in[i], x = a > 1 ? a : 1;
	int k = 0;

	while (k < 200) {
		double next = 0.5 * (x + a / x);
		k++;
		if (fabs(next - x) <= 1e-15 * next)
			break;
		x = next;
	}
	out[i] = x;
	steps[i] = k;
}

// Compensated summation: wrong where a compiler or executor reassociates.
extern "C" __global__ void kahan(const float *in, float *out, int each)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	float sum = 0, carry = 0;

	for (int k = 0; k < each; k++) {
		float y = in[i * each + k] - carry, t = sum + y;

		carry = (t - sum) - y;
		sum = t;
	}
	out[2 * i] = sum;
	out[2 * i + 1] = carry;
}
