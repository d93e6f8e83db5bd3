/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_order.c - what comes after what: the results tell */

#include "tests/programs/suite.h"

static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* One chain of steps that jumps from stream to stream, held together by events alone. */
CASE(order_by_events)
{
	enum { STREAMS = 8, STEPS = 600 };
	CUstream streams[STREAMS];
	CUevent events[STREAMS];
	uint32_t n = 64, want = 0, back[64], state = 2463534242u;
	unsigned before = 0;
	CUdeviceptr address;
	CUfunction step;

	suite_begin();
	step = suite_kernel("step");
	address = suite_device(sizeof(back));
	for (int i = 0; i < STREAMS; i++) {
		OK(cuStreamCreate(&streams[i], CU_STREAM_NON_BLOCKING));
		OK(cuEventCreate(&events[i], CU_EVENT_DISABLE_TIMING));
	}
	for (int i = 0; i < STEPS; i++) {
		const unsigned at = random_next(&state) % STREAMS;
		uint32_t factor = random_next(&state) | 1;

		OK(cuEventRecord(events[before], streams[before]));
		OK(cuStreamWaitEvent(streams[at], events[before], 0));
		LAUNCH(step, 1, 64, streams[at], &address, &n, &factor);
		want = want * factor + 1;
		before = at;
	}
	OK(cuCtxSynchronize());
	OK(cuMemcpyDtoH(back, address, sizeof(back)));
	for (int i = 0; i < 64; i++)
		EQUAL(back[i], want);
}

/* Copies, sets and kernels of one stream, mixed by chance; the host does the same. */
CASE(order_within_a_stream)
{
	enum { WORDS = 300 };
	uint32_t want[WORDS] = { 0 }, back[WORDS], state = 88172645u;
	CUdeviceptr address;
	CUfunction step;
	CUstream stream;

	suite_begin();
	step = suite_kernel("step");
	address = suite_device(sizeof(want));
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < 1500; i++) {
		uint32_t at = random_next(&state) % WORDS, value = random_next(&state);
		uint32_t n = 1 + random_next(&state) % (WORDS - at);
		CUdeviceptr to = address + at * 4;

		switch (random_next(&state) % 4) {
		case 0:
			LAUNCH(step, 2, 64, stream, &to, &n, &value);
			for (uint32_t k = at; k < at + n; k++)
				want[k] = want[k] * value + 1;
			break;
		case 1:
			OK(cuMemsetD32Async(to, value, n, stream));
			for (uint32_t k = at; k < at + n; k++)
				want[k] = value;
			break;
		case 2:
			OK(cuMemcpyHtoDAsync(to, &value, 4, stream));
			want[at] = value;
			break;
		default:
			OK(cuMemcpyDtoDAsync(to, address, 4, stream));
			want[at] = want[0];
			break;
		}
	}
	OK(cuMemcpyDtoHAsync(back, address, sizeof(back), stream));
	OK(cuStreamSynchronize(stream));
	for (int i = 0; i < WORDS; i++)
		EQUAL(back[i], want[i]);
}

/* Three streams as a pipeline: in, kernel, out; 50 pieces pass. */
CASE(order_of_a_pipeline)
{
	enum { PIECES = 50, WORDS = 20000 };
	CUdeviceptr device[2];
	CUevent in_done[2], kernel_done[2], out_done[2];
	CUstream in, kernel, out;
	CUfunction add;
	uint32_t *from, *to;

	suite_begin();
	add = suite_kernel("add");
	from = suite_host(PIECES * WORDS * 4);
	to = suite_host(PIECES * WORDS * 4);
	for (uint32_t i = 0; i < PIECES * WORDS; i++)
		from[i] = i;
	OK(cuStreamCreate(&in, CU_STREAM_NON_BLOCKING));
	OK(cuStreamCreate(&kernel, CU_STREAM_NON_BLOCKING));
	OK(cuStreamCreate(&out, CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < 2; i++) {
		device[i] = suite_device(WORDS * 4);
		OK(cuEventCreate(&in_done[i], CU_EVENT_DISABLE_TIMING));
		OK(cuEventCreate(&kernel_done[i], CU_EVENT_DISABLE_TIMING));
		OK(cuEventCreate(&out_done[i], CU_EVENT_DISABLE_TIMING));
	}
	for (uint32_t piece = 0; piece < PIECES; piece++) {
		const int at = (int)(piece % 2);
		uint32_t n = WORDS, value = piece;

		OK(cuStreamWaitEvent(in, out_done[at], 0));
		OK(cuMemcpyHtoDAsync(device[at], from + piece * WORDS, WORDS * 4, in));
		OK(cuEventRecord(in_done[at], in));
		OK(cuStreamWaitEvent(kernel, in_done[at], 0));
		LAUNCH(add, 8, 128, kernel, &device[at], &n, &value);
		OK(cuEventRecord(kernel_done[at], kernel));
		OK(cuStreamWaitEvent(out, kernel_done[at], 0));
		OK(cuMemcpyDtoHAsync(to + piece * WORDS, device[at], WORDS * 4, out));
		OK(cuEventRecord(out_done[at], out));
	}
	OK(cuStreamSynchronize(out));
	for (uint32_t i = 0; i < PIECES * WORDS; i += 97)
		EQUAL(to[i], i + i / WORDS);
}

/* A hundred streams, each with work of its own. */
CASE(order_of_many_streams)
{
	enum { STREAMS = 100, STEPS = 20 };
	CUstream streams[STREAMS];
	uint32_t one = 1, back[STREAMS];
	CUdeviceptr address;
	CUfunction step;

	suite_begin();
	step = suite_kernel("step");
	address = suite_device(sizeof(back));
	for (int i = 0; i < STREAMS; i++)
		OK(cuStreamCreate(&streams[i], i % 2 ? CU_STREAM_NON_BLOCKING : CU_STREAM_DEFAULT));
	for (uint32_t round = 0; round < STEPS; round++) {
		for (uint32_t i = 0; i < STREAMS; i++) {
			CUdeviceptr mine = address + i * 4;

			LAUNCH(step, 1, 32, streams[i], &mine, &one, &(uint32_t){ 2 * i + 3 });
		}
	}
	OK(cuCtxSynchronize());
	OK(cuMemcpyDtoH(back, address, sizeof(back)));
	for (uint32_t i = 0; i < STREAMS; i++) {
		uint32_t want = 0;

		for (int round = 0; round < STEPS; round++)
			want = want * (2 * i + 3) + 1;
		EQUAL(back[i], want);
		OK(cuStreamDestroy(streams[i]));
	}
}
