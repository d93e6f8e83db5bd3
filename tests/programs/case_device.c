/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_device.c - the library before and after cuInit, devices, error texts */

#include <stdio.h>
#include <string.h>

#include "tests/programs/suite.h"

CASE(nothing_before_init)
{
	CUcontext context;
	CUdeviceptr address;
	CUdevice device;
	int number;

	WANT(cuDeviceGetCount(&number), CUDA_ERROR_NOT_INITIALIZED);
	WANT(cuDeviceGet(&device, 0), CUDA_ERROR_NOT_INITIALIZED);
	WANT(cuCtxGetCurrent(&context), CUDA_ERROR_NOT_INITIALIZED);
	WANT(cuMemAlloc(&address, 4), CUDA_ERROR_NOT_INITIALIZED);
	WANT(cuCtxSynchronize(), CUDA_ERROR_NOT_INITIALIZED);
	WANT(cuStreamQuery(NULL), CUDA_ERROR_NOT_INITIALIZED);
	OK(cuDriverGetVersion(&number));
	TRUE(number >= 12000);
	WANT(cuDriverGetVersion(NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuInit(1), CUDA_ERROR_INVALID_VALUE);
	OK(cuInit(0));
	OK(cuInit(0));
}

CASE(error_texts)
{
	const char *text;

	OK(cuGetErrorName(CUDA_SUCCESS, &text));
	TRUE(strcmp(text, "CUDA_SUCCESS") == 0);
	OK(cuGetErrorString(CUDA_SUCCESS, &text));
	TRUE(strcmp(text, "no error") == 0);
	OK(cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
	TRUE(strcmp(text, "CUDA_ERROR_ILLEGAL_ADDRESS") == 0);
	OK(cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text));
	TRUE(strcmp(text, "out of memory") == 0);
	OK(cuGetErrorName(CUDA_ERROR_UNKNOWN, &text));
	TRUE(strcmp(text, "CUDA_ERROR_UNKNOWN") == 0);
	text = "";
	WANT(cuGetErrorName((CUresult)12345, &text), CUDA_ERROR_INVALID_VALUE);
	TRUE(text == NULL);
	text = "";
	WANT(cuGetErrorString((CUresult)-1, &text), CUDA_ERROR_INVALID_VALUE);
	TRUE(text == NULL);
}

CASE_VGPU(error_texts_to_nowhere)
{
	WANT(cuGetErrorName(CUDA_SUCCESS, NULL), CUDA_ERROR_INVALID_VALUE);
	WANT(cuGetErrorString(CUDA_SUCCESS, NULL), CUDA_ERROR_INVALID_VALUE);
}

/* Each error that cuda.h has up to CUDA 13.0. */
CASE(error_names_all)
{
	static const int numbers[] = {
		0,   1,	  2,   3,   4,	 5,   6,   7,	8,   34,  46,  100, 101, 102, 200, 201, 202,
		205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216, 217, 218, 219, 220, 221,
		222, 223, 224, 225, 226, 300, 301, 302, 303, 304, 400, 401, 402, 500, 600, 700, 701,
		702, 703, 704, 705, 708, 709, 710, 711, 712, 713, 714, 715, 716, 717, 718, 719, 720,
		721, 800, 801, 802, 803, 804, 805, 806, 807, 808, 809, 810, 811, 812, 900, 901, 902,
		903, 904, 905, 906, 907, 908, 909, 910, 911, 912, 913, 914, 915, 999
	};
	const char *text;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		text = NULL;
		if (cuGetErrorName((CUresult)numbers[i], &text) != CUDA_SUCCESS || !text ||
		    cuGetErrorString((CUresult)numbers[i], &text) != CUDA_SUCCESS || !text)
			suite_say("number %d", numbers[i]);
		TRUE(text != NULL);
	}
}

CASE(devices)
{
	CUdevice device = -1;
	char name[256], id[32];
	size_t bytes = 0;
	int count = 0;
	CUuuid uuid, zeros = { 0 };

	OK(cuInit(0));
	OK(cuDeviceGetCount(&count));
	TRUE(count >= 1);
	OK(cuDeviceGet(&device, 0));
	EQUAL(device, 0);
	WANT(cuDeviceGet(&device, count), CUDA_ERROR_INVALID_DEVICE);
	WANT(cuDeviceGet(&device, -1), CUDA_ERROR_INVALID_DEVICE);
	WANT(cuDeviceGet(NULL, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceGetCount(NULL), CUDA_ERROR_INVALID_VALUE);
	OK(cuDeviceGetName(name, sizeof(name), device));
	TRUE(strlen(name) > 0 && strlen(name) < sizeof(name));
	memset(id, 'x', sizeof(id));
	OK(cuDeviceGetName(id, 4, device));
	TRUE(strlen(id) == 3 && strncmp(id, name, 3) == 0);
	WANT(cuDeviceGetName(NULL, 10, device), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceGetName(name, sizeof(name), 1000), CUDA_ERROR_INVALID_DEVICE);
	OK(cuDeviceTotalMem(&bytes, device));
	TRUE(bytes >= 1 << 20);
	WANT(cuDeviceTotalMem(NULL, device), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceTotalMem(&bytes, 1000), CUDA_ERROR_INVALID_DEVICE);
	OK(cuDeviceGetUuid(&uuid, device));
	TRUE(memcmp(&uuid, &zeros, sizeof(uuid)) != 0);
	WANT(cuDeviceGetUuid(NULL, device), CUDA_ERROR_INVALID_VALUE);
}

CASE(device_by_bus_id)
{
	CUdevice device = suite_begin(), found = -1;
	char id[32] = "";

	OK(cuDeviceGetPCIBusId(id, sizeof(id), device));
	TRUE(strlen(id) == 12 && id[4] == ':' && id[7] == ':' && id[10] == '.');
	OK(cuDeviceGetByPCIBusId(&found, id));
	EQUAL(found, device);
	WANT(cuDeviceGetByPCIBusId(&found, "nonsense"), CUDA_ERROR_INVALID_VALUE);
	WANT_EITHER(cuDeviceGetByPCIBusId(&found, "ffff:ff:1f.0"), CUDA_ERROR_INVALID_DEVICE,
		    CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceGetPCIBusId(NULL, 32, device), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceGetByPCIBusId(NULL, id), CUDA_ERROR_INVALID_VALUE);
}

static int attribute(CUdevice_attribute which)
{
	int value = -1;

	OK(cuDeviceGetAttribute(&value, which, 0));
	return value;
}

CASE(device_attributes)
{
	int value = 0;

	OK(cuInit(0));
	for (int i = 1; i < CU_DEVICE_ATTRIBUTE_MAX; i++) {
		CUresult result = cuDeviceGetAttribute(&value, (CUdevice_attribute)i, 0);

		/* 137 to 139 and others are reserved: a driver answers or refuses those. */
		if (result != CUDA_SUCCESS && result != CUDA_ERROR_INVALID_VALUE)
			suite_say("attribute %d: %d", i, (int)result);
		TRUE(result == CUDA_SUCCESS || result == CUDA_ERROR_INVALID_VALUE);
	}
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_WARP_SIZE), 32);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK), 1024);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X), 1024);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y), 1024);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z), 64);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X), 0x7fffffff);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y), 65535);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z), 65535);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING), 1);
	TRUE(attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT) >= 1);
	TRUE(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK) >= 48 << 10);
	TRUE(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) >= 5);
	TRUE(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) >= 0);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY), 1);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_MODE), 0);
	WANT(cuDeviceGetAttribute(&value, (CUdevice_attribute)0, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceGetAttribute(&value, (CUdevice_attribute)100000, 0), CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceGetAttribute(NULL, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0),
	     CUDA_ERROR_INVALID_VALUE);
	WANT(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 1000),
	     CUDA_ERROR_INVALID_DEVICE);
}

/* The name of where it sits, and the attributes, are the same place. */
CASE(device_place)
{
	CUdevice device = suite_begin();
	char id[32] = "", wanted[32];

	OK(cuDeviceGetPCIBusId(id, sizeof(id), device));
	snprintf(wanted, sizeof(wanted), "%04x:%02x:%02x.",
		 (unsigned)attribute(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID),
		 (unsigned)attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID),
		 (unsigned)attribute(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID));
	TRUE(strncmp(id, wanted, strlen(wanted)) == 0);
	WANT(cuDeviceGetPCIBusId(id, (int)strlen(id), device), CUDA_ERROR_INVALID_VALUE);
	OK(cuDeviceGetPCIBusId(id, (int)strlen(id) + 1, device));
}

/* What a guest does not have is 0, so that programs choose another way. */
CASE_VGPU(device_attributes_refused)
{
	OK(cuInit(0));
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS), 0);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS), 0);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED), 0);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED), 0);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED), 0);
	EQUAL(attribute(CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED), 0);
}

CASE(device_questions_take_no_context)
{
	CUcontext context = (CUcontext)1;
	unsigned flags = 9;
	int active = 9;
	char name[64];

	OK(cuInit(0));
	OK(cuDeviceGetName(name, sizeof(name), 0));
	OK(cuDevicePrimaryCtxGetState(0, &flags, &active));
	EQUAL(active, 0);
	OK(cuCtxGetCurrent(&context));
	TRUE(context == NULL);
}
