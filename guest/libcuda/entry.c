/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entry.c - the library as a whole: begin, versions, errors' names, functions by name, refusals */

#include <string.h>

#include "guest/libcuda/context.h"
#include "guest/libcuda/core.h"
#include "guest/libcuda/entries.h"
#include "guest/libcuda/refuse.h"

#define VERSION 13000 /* whose interface this is */

/* The driver that the host has, but no newer than what is known here. */
static int driver_version(void)
{
	int host = core_check("cuDriverGetVersion") == CUDA_SUCCESS
			   ? (int)core_device()->driver_version
			   : 0;

	return host > 0 && host < VERSION ? host : VERSION;
}

CUresult cuInit(unsigned Flags)
{
	return Flags == 0 ? core_init() : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDriverGetVersion(int *driverVersion)
{
	if (!driverVersion)
		return CUDA_ERROR_INVALID_VALUE;
	*driverVersion = driver_version();
	return CUDA_SUCCESS;
}

/* --- errors --- */

CUresult cuGetErrorName(CUresult error, const char **pStr)
{
	if (!pStr)
		return CUDA_ERROR_INVALID_VALUE;
	switch ((int)error) {
#define NAME_OF(name, value)   \
	case value:            \
		*pStr = #name; \
		return CUDA_SUCCESS;
		CUDA_ABI_RESULTS(NAME_OF)
#undef NAME_OF
	default:
		*pStr = NULL;
		return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult cuGetErrorString(CUresult error, const char **pStr)
{
	if (!pStr)
		return CUDA_ERROR_INVALID_VALUE;
	switch ((int)error) {
#define X(value, text)          \
	case value:             \
		*pStr = (text); \
		return CUDA_SUCCESS;
#include "guest/libcuda/results.def"
#undef X
	default:
		*pStr = NULL;
		return CUDA_ERROR_INVALID_VALUE;
	}
}

/* --- what is not there --- */

static CUresult refuse_call(const char *symbol)
{
	CUresult result = core_check(symbol);

	if (result == CUDA_SUCCESS)
		refuse(symbol);
	return result == CUDA_SUCCESS ? CUDA_ERROR_NOT_SUPPORTED : result;
}

/* A refused function looks at none of its arguments, so it is declared without them. */
#define REAL(symbol, name, version, stream, arguments, note)
#define REFUSED(symbol, name, version, stream)                        \
	__attribute__((visibility("default"))) CUresult symbol(void); \
	CUresult symbol(void)                                         \
	{                                                             \
		return refuse_call(#symbol);                          \
	}
#include "guest/libcuda/entries.def"
#undef REAL
#undef REFUSED

CUresult cuGetExportTable(const void **ppExportTable, const CUuuid *pExportTableId)
{
	if (!ppExportTable || !pExportTableId)
		return CUDA_ERROR_INVALID_VALUE;
	*ppExportTable = NULL;
	refuse_saying(
		"cuGetExportTable",
		"this program asks for NVIDIA's private interfaces, which vgpu does not have: the "
		"static CUDA runtime, cuBLAS, cuDNN ... need them, NVRTC does without "
		"(docs/cuda.md says what runs)");
	return CUDA_ERROR_NOT_FOUND;
}

/* --- functions by name --- */

enum { LEGACY, PER_THREAD };

static const struct entry {
	const char *name;
	int version;
	int stream;	/* LEGACY, PER_THREAD */
	void *function; /* NULL: refused */
} entries[] = {
#define REAL(symbol, name, version, stream, arguments, note) \
	{ #name, version, stream, (void *)(symbol) },
#define REFUSED(symbol, name, version, stream) { #name, version, stream, NULL },
#include "guest/libcuda/entries.def"
#undef REAL
#undef REFUSED
};

/*
 * The newest form that a caller of that version knows, a per-thread one if it wants that and there
 * is one. older: whether there is a form that it does not know yet.
 */
static void *find(const char *name, int version, bool per_thread, bool *newer)
{
	const struct entry *found = NULL;

	*newer = false;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		const struct entry *e = &entries[i];

		if (strcmp(e->name, name) != 0 || (e->stream == PER_THREAD && !per_thread) ||
		    e->version > driver_version())
			continue;
		if (e->version > version)
			*newer = *newer || e->function;
		else
			found = e; /* per-thread forms and newer ones stand behind the others */
	}
	return found ? found->function : NULL;
}

/* status: enum CUdriverProcAddressQueryResult. */
static CUresult look_up(const char *name, void **function, int version, uint64_t flags, int *status)
{
	bool newer;

	if (!name || !function || version < 0 || version > driver_version() ||
	    (flags & ~(uint64_t)(CU_GET_PROC_ADDRESS_LEGACY_STREAM |
				 CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM)) != 0)
		return CUDA_ERROR_INVALID_VALUE;
	*function = find(name, version,
			 (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0, &newer);
	*status = *function ? 0 : newer ? 2 : 1; /* found, version not sufficient, not found */
	return CUDA_SUCCESS;
}

CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int driverVersion, uint64_t flags,
			     CUdriverProcAddressQueryResult *symbolFound)
{
	int status;
	CUresult result = look_up(symbol, pfn, driverVersion, flags, &status);

	if (result == CUDA_SUCCESS && symbolFound)
		*symbolFound = (CUdriverProcAddressQueryResult)status;
	return result;
}

/* The first form has no place for a status. */
CUresult cuGetProcAddress(const char *symbol, void **pfn, int driverVersion, uint64_t flags)
{
	int status;
	CUresult result = look_up(symbol, pfn, driverVersion, flags, &status);

	return result == CUDA_SUCCESS && status != 0 ? CUDA_ERROR_NOT_FOUND : result;
}

/* --- profilers: there are none to start or stop --- */

CUresult cuProfilerInitialize(const char *configFile, const char *outputFile,
			      CUoutput_mode outputMode)
{
	(void)configFile;
	(void)outputFile;
	(void)outputMode;
	CORE_CHECK();
	return CUDA_ERROR_PROFILER_DISABLED;
}

CUresult cuProfilerStart(void)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return CUDA_SUCCESS;
}

CUresult cuProfilerStop(void)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return CUDA_SUCCESS;
}
