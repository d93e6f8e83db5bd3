/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_box.c - copies in two and three dimensions */

#include <stdlib.h>
#include <string.h>

#include "tests/programs/suite.h"

#define BYTES (1 << 20)

static uint8_t from[BYTES], to[BYTES], want[BYTES];

/* A side of a box: where it is, and how its bytes lie. */
struct side {
	CUmemorytype type;
	void *host;
	CUdeviceptr device;
	size_t x, y, z, pitch, height;
};

static CUresult copy_3d(const struct side *in, const struct side *out, size_t width, size_t rows,
			size_t planes, CUstream stream)
{
	CUDA_MEMCPY3D copy = { .srcXInBytes = in->x,
			       .srcY = in->y,
			       .srcZ = in->z,
			       .srcMemoryType = in->type,
			       .srcHost = in->host,
			       .srcDevice = in->device,
			       .srcPitch = in->pitch,
			       .srcHeight = in->height,
			       .dstXInBytes = out->x,
			       .dstY = out->y,
			       .dstZ = out->z,
			       .dstMemoryType = out->type,
			       .dstHost = out->host,
			       .dstDevice = out->device,
			       .dstPitch = out->pitch,
			       .dstHeight = out->height,
			       .WidthInBytes = width,
			       .Height = rows,
			       .Depth = planes };

	return stream ? cuMemcpy3DAsync(&copy, stream) : cuMemcpy3D(&copy);
}

enum call { COPY_2D, COPY_2D_UNALIGNED, COPY_2D_ASYNC };

static CUresult copy_2d(enum call call, const struct side *in, const struct side *out, size_t width,
			size_t rows, CUstream stream)
{
	CUDA_MEMCPY2D copy = { .srcXInBytes = in->x,
			       .srcY = in->y,
			       .srcMemoryType = in->type,
			       .srcHost = in->host,
			       .srcDevice = in->device,
			       .srcPitch = in->pitch,
			       .dstXInBytes = out->x,
			       .dstY = out->y,
			       .dstMemoryType = out->type,
			       .dstHost = out->host,
			       .dstDevice = out->device,
			       .dstPitch = out->pitch,
			       .WidthInBytes = width,
			       .Height = rows };

	switch (call) {
	case COPY_2D:
		return cuMemcpy2D(&copy);
	case COPY_2D_UNALIGNED:
		return cuMemcpy2DUnaligned(&copy);
	default:
		return cuMemcpy2DAsync(&copy, stream);
	}
}

/* What `to` must hold after the box was copied from `from`. */
static void expect(const struct side *in, const struct side *out, size_t width, size_t rows,
		   size_t planes)
{
	memset(want, 0x77, BYTES);
	for (size_t plane = 0; plane < planes; plane++) {
		for (size_t row = 0; row < rows; row++) {
			const size_t source =
				((in->z + plane) * in->height + in->y + row) * in->pitch + in->x;
			const size_t target = ((out->z + plane) * out->height + out->y + row) *
						      out->pitch +
					      out->x;

			memcpy(want + target, from + source, width);
		}
	}
}

static void as_host(struct side *side, uint8_t *bytes)
{
	side->type = CU_MEMORYTYPE_HOST;
	side->host = bytes;
}

static void as_device(struct side *side, CUdeviceptr address)
{
	side->type = CU_MEMORYTYPE_DEVICE;
	side->device = address;
}

/* The same as UNIFIED: the kind is the address's own. */
static void as_unified(struct side *side)
{
	side->device = side->type == CU_MEMORYTYPE_HOST ? (CUdeviceptr)(uintptr_t)side->host
							: side->device;
	side->type = CU_MEMORYTYPE_UNIFIED;
	side->host = NULL;
}

/* One box in one direction. call < 0: in three dimensions. */
static void box(int call, int direction, bool unified, bool async, CUdeviceptr gpu_from,
		CUdeviceptr gpu_to, CUstream stream)
{
	const size_t width = 101, rows = 13, planes = call < 0 ? 4 : 1;
	struct side in = { .x = 5, .y = 3, .z = call < 0 ? 2 : 0, .pitch = 200, .height = 30 };
	struct side out = { .x = 9, .y = 4, .z = call < 0 ? 1 : 0, .pitch = 256, .height = 40 };

	memset(to, 0x77, BYTES);
	OK(cuMemsetD8(gpu_to, 0x77, BYTES));
	OK(cuCtxSynchronize());
	expect(&in, &out, width, rows, planes);
	if (direction & 1)
		as_device(&in, gpu_from);
	else
		as_host(&in, from);
	if (direction & 2)
		as_device(&out, gpu_to);
	else
		as_host(&out, to);
	if (unified) {
		as_unified(&in);
		as_unified(&out);
	}
	if (call < 0)
		OK(copy_3d(&in, &out, width, rows, planes, async ? stream : NULL));
	else
		OK(copy_2d((enum call)call, &in, &out, width, rows, stream));
	OK(cuCtxSynchronize());
	if (direction & 2)
		OK(cuMemcpyDtoH(to, gpu_to, BYTES));
	TRUE(memcmp(to, want, BYTES) == 0);
}

/* Every direction, with and without UNIFIED. */
static void all_directions(int call, bool async)
{
	CUdeviceptr gpu_from, gpu_to;
	CUstream stream;

	suite_begin();
	OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	suite_pattern(from, BYTES, 8);
	gpu_from = suite_device(BYTES);
	gpu_to = suite_device(BYTES);
	OK(cuMemcpyHtoD(gpu_from, from, BYTES));
	for (int direction = 0; direction < 4; direction++) {
		box(call, direction, false, async, gpu_from, gpu_to, stream);
		box(call, direction, true, async, gpu_from, gpu_to, stream);
	}
}

CASE(copy_2d)
{
	all_directions(COPY_2D, false);
}

CASE(copy_2d_unaligned)
{
	all_directions(COPY_2D_UNALIGNED, false);
}

CASE(copy_2d_async)
{
	all_directions(COPY_2D_ASYNC, true);
}

CASE(copy_3d)
{
	all_directions(-1, false);
}

CASE(copy_3d_async)
{
	all_directions(-1, true);
}

CASE(copy_2d_of_a_pitched_allocation)
{
	CUdeviceptr address;
	struct side host = { .pitch = 333 }, device = { 0 };

	suite_begin();
	OK(cuMemAllocPitch(&address, &device.pitch, 333, 500, 4));
	suite_pattern(from, 333 * 500, 2);
	as_host(&host, from);
	as_device(&device, address);
	OK(copy_2d(COPY_2D, &host, &device, 333, 500, NULL));
	as_host(&host, to);
	OK(copy_2d(COPY_2D, &device, &host, 333, 500, NULL));
	TRUE(suite_is_pattern(to, 333 * 500, 2));
}

CASE(copy_2d_bad_input)
{
	struct side host = { .pitch = 100 }, device = { .pitch = 100 };

	suite_begin();
	as_host(&host, from);
	as_device(&device, suite_device(2 << 20));
	OK(copy_2d(COPY_2D, &host, &device, 0, 10, NULL));
	OK(copy_2d(COPY_2D, &host, &device, 10, 0, NULL));
	WANT(copy_2d(COPY_2D, &host, &device, 101, 10, NULL), CUDA_ERROR_INVALID_VALUE);
	device.pitch = 1 << 20;
	WANT(copy_2d(COPY_2D, &host, &device, 100, 4, NULL), CUDA_ERROR_INVALID_VALUE);
	device.type = (CUmemorytype)77;
	WANT(copy_2d(COPY_2D, &host, &device, 10, 1, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpy2D(NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuMemcpy3D(NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}

CASE(copy_3d_bad_input)
{
	struct side host = { .pitch = 100, .height = 5 }, device = { .pitch = 100, .height = 5 };

	suite_begin();
	as_host(&host, from);
	as_device(&device, suite_device(100000));
	OK(copy_3d(&host, &device, 0, 1, 1, NULL));
	OK(copy_3d(&host, &device, 10, 0, 1, NULL));
	OK(copy_3d(&host, &device, 10, 1, 0, NULL));
	WANT(copy_3d(&host, &device, 101, 2, 2, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(copy_3d(&host, &device, 10, 6, 2, NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuCtxSynchronize());
}

/* Boxes of many buffers of the library's, with short and with long rows, there and back. */
CASE(copy_3d_large)
{
	static const struct {
		size_t width, rows, planes;
	} boxes[] = {
		{ 1000, 3000, 3 }, { 5 << 20, 2, 2 }, { (2 << 20) + 1, 3, 1 }, { 7, 999, 2 }
	};

	suite_begin();
	for (size_t i = 0; i < sizeof(boxes) / sizeof(boxes[0]); i++) {
		const size_t width = boxes[i].width, rows = boxes[i].rows, planes = boxes[i].planes;
		const size_t pitch = (width + 100 + 255) / 256 * 256, height = rows + 1;
		uint8_t *source = malloc(width * rows * planes);
		uint8_t *target = calloc(1, (width + 3) * rows * planes);
		CUdeviceptr device;
		CUDA_MEMCPY3D copy = { .srcMemoryType = CU_MEMORYTYPE_HOST,
				       .srcHost = source,
				       .srcPitch = width,
				       .srcHeight = rows,
				       .dstMemoryType = CU_MEMORYTYPE_DEVICE,
				       .dstPitch = pitch,
				       .dstHeight = height,
				       .WidthInBytes = width,
				       .Height = rows,
				       .Depth = planes };

		OK(cuMemAlloc(&device, pitch * height * planes));
		suite_pattern(source, width * rows * planes, (unsigned)i);
		copy.dstDevice = device;
		OK(cuMemcpy3D(&copy));
		copy = (CUDA_MEMCPY3D){ .srcMemoryType = CU_MEMORYTYPE_DEVICE,
					.srcDevice = device,
					.srcPitch = pitch,
					.srcHeight = height,
					.dstMemoryType = CU_MEMORYTYPE_HOST,
					.dstHost = target,
					.dstPitch = width + 3,
					.dstHeight = rows,
					.WidthInBytes = width,
					.Height = rows,
					.Depth = planes };
		OK(cuMemcpy3D(&copy));
		for (size_t row = 0; row < rows * planes; row++) {
			TRUE(memcmp(target + row * (width + 3), source + row * width, width) == 0);
			TRUE(memcmp(target + row * (width + 3) + width, "\0\0\0", 3) == 0);
		}
		OK(cuMemFree(device));
		free(source);
		free(target);
	}
}
