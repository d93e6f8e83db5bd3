/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_event.c - events: recorded, asked, waited for, times between them */

#include "tests/programs/suite.h"

CASE(event_life)
{
	static const unsigned flags[] = { CU_EVENT_DEFAULT, CU_EVENT_BLOCKING_SYNC,
					  CU_EVENT_DISABLE_TIMING,
					  CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING };
	CUstream stream;
	CUevent event;

	suite_begin();
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		OK(cuEventCreate(&event, flags[i]));
		OK(cuEventQuery(event)); /* never recorded: nothing to wait for */
		OK(cuEventSynchronize(event));
		OK(cuStreamWaitEvent(stream, event, 0));
		OK(cuEventRecord(event, stream));
		OK(cuEventSynchronize(event));
		OK(cuEventQuery(event));
		OK(cuEventRecord(event, NULL));
		OK(cuEventSynchronize(event));
		OK(cuEventRecordWithFlags(event, stream, CU_EVENT_RECORD_DEFAULT));
		OK(cuEventSynchronize(event));
		OK(cuEventDestroy(event));
	}
}

CASE(event_bad_input)
{
	CUevent event, plain, recorded;
	float ms;

	suite_begin();
	WANT(cuEventCreate(NULL, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuEventCreate(&event, 0x100), CUDA_ERROR_INVALID_VALUE);
	OK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
	OK(cuEventCreate(&plain, CU_EVENT_DEFAULT));
	OK(cuEventCreate(&recorded, CU_EVENT_DEFAULT));
	OK(cuEventRecord(event, NULL));
	OK(cuEventRecord(recorded, NULL));
	OK(cuCtxSynchronize());
	WANT(cuEventElapsedTime(&ms, recorded, plain), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuEventElapsedTime(&ms, plain, recorded), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuEventElapsedTime(&ms, event, recorded), CUDA_ERROR_INVALID_HANDLE);
	WANT_EITHER(cuEventElapsedTime(NULL, recorded, recorded), CUDA_ERROR_INVALID_VALUE,
		    CUDA_ERROR_INVALID_HANDLE);
	WANT(cuStreamWaitEvent(NULL, recorded, 0x1000), CUDA_ERROR_INVALID_VALUE);
	WANT(cuEventRecordWithFlags(recorded, NULL, 0x1000), CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}

CASE_VGPU(event_handles_that_are_none)
{
	CUevent event, none = (CUevent)0x1230;
	float ms;

	suite_begin();
	OK(cuEventCreate(&event, 0));
	OK(cuEventDestroy(event));
	WANT(cuEventDestroy(event), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuEventQuery(event), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuEventRecord(none, NULL), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuEventSynchronize(NULL), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuStreamWaitEvent(NULL, none, 0), CUDA_ERROR_INVALID_HANDLE);
	WANT(cuEventElapsedTime(&ms, none, none), CUDA_ERROR_INVALID_HANDLE);
	OK(cuCtxSynchronize());
}

CASE(event_times)
{
	CUevent begin, end;
	CUstream stream;
	float ms = -1;

	suite_begin();
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuEventCreate(&begin, CU_EVENT_DEFAULT));
	OK(cuEventCreate(&end, CU_EVENT_DEFAULT));
	OK(cuEventRecord(begin, stream));
	LAUNCH(suite_kernel("delay"), 1, 1, stream, &(unsigned long long){ 20000000 });
	OK(cuEventRecord(end, stream));
	OK(cuEventSynchronize(end));
	OK(cuEventElapsedTime(&ms, begin, end));
	TRUE(ms >= 19 && ms < 60000); /* the kernel takes 20 ms by the GPU's own clock */
	OK(cuEventElapsedTime(&ms, begin, begin));
	TRUE(ms == 0);
	OK(cuEventElapsedTime(&ms, end, begin));
	TRUE(ms <= -19);
}

CASE(event_not_ready)
{
	uint32_t *flag;
	CUstream stream;
	CUevent begin, end;
	float ms;

	suite_begin();
	flag = suite_host(4);
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	OK(cuEventCreate(&begin, CU_EVENT_DEFAULT));
	OK(cuEventCreate(&end, CU_EVENT_DEFAULT));
	OK(cuEventRecord(begin, stream));
	LAUNCH(suite_kernel("spin"), 1, 1, stream, &flag);
	OK(cuEventRecord(end, stream));
	WANT(cuEventQuery(end), CUDA_ERROR_NOT_READY);
	WANT(cuEventElapsedTime(&ms, begin, end), CUDA_ERROR_NOT_READY);
	*(volatile uint32_t *)flag = 1;
	OK(cuEventSynchronize(end));
	OK(cuEventQuery(end));
	OK(cuEventElapsedTime(&ms, begin, end));
	/* Destroyed while it is still to come: the work goes on. */
	LAUNCH(suite_kernel("delay"), 1, 1, stream, &(unsigned long long){ 2000000 });
	OK(cuEventRecord(end, stream));
	OK(cuEventDestroy(end));
	OK(cuStreamSynchronize(stream));
}

/* A wait means the record that was there at its call, not a later one. */
CASE(event_recorded_again)
{
	CUdeviceptr address;
	CUstream first, second;
	uint32_t *flag, word = 0, one = 1;
	CUevent event;

	suite_begin();
	flag = suite_host(4);
	address = suite_device(4);
	OK(cuStreamCreate(&first, CU_STREAM_NON_BLOCKING));
	OK(cuStreamCreate(&second, CU_STREAM_NON_BLOCKING));
	OK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
	OK(cuEventRecord(event, first));
	OK(cuStreamWaitEvent(second, event, 0));
	LAUNCH(suite_kernel("spin"), 1, 1, first, &flag);
	OK(cuEventRecord(event, first));
	LAUNCH(suite_kernel("add"), 1, 32, second, &address, &one, &one);
	OK(cuStreamSynchronize(second));
	OK(cuMemcpyDtoHAsync(&word, address, 4, second));
	OK(cuStreamSynchronize(second));
	EQUAL(word, 1);
	WANT(cuEventQuery(event), CUDA_ERROR_NOT_READY);
	*(volatile uint32_t *)flag = 1;
	OK(cuEventSynchronize(event));
}

CASE(event_many)
{
	enum { NUM = 2000 };
	static CUevent events[NUM];

	suite_begin();
	for (int i = 0; i < NUM; i++) {
		OK(cuEventCreate(&events[i], CU_EVENT_DISABLE_TIMING));
		OK(cuEventRecord(events[i], NULL));
	}
	for (int i = 0; i < NUM; i++)
		OK(cuEventSynchronize(events[i]));
	for (int i = 0; i < NUM; i++)
		OK(cuEventDestroy(events[i]));
}
