/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.c - the one GPU that a program sees: all from the page that the host has written */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/libcuda/core.h"
#include "guest/libcuda/entries.h"
#include "guest/libvgpu/slot.h"

/* Return: whether there is such an attribute, with its value. */
static bool attribute(int number, int *value)
{
	switch (number) {
#define FORWARDED(name, number)                               \
	case number:                                          \
		*value = core_device()->attributes[(number)]; \
		return true;
#define FIXED(name, number, fixed, reason) \
	case number:                       \
		*value = (fixed);          \
		return true;
#define OWN(name, number, expression, what) \
	case number:                        \
		*value = (int)(expression); \
		return true;
#include "guest/libcuda/attributes.def"
#undef FORWARDED
#undef FIXED
#undef OWN
	default:
		return false;
	}
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
	CORE_CHECK();
	if (!device)
		return CUDA_ERROR_INVALID_VALUE;
	if (ordinal != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	*device = 0;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count)
{
	CORE_CHECK();
	if (!count)
		return CUDA_ERROR_INVALID_VALUE;
	*count = 1;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int len, CUdevice dev)
{
	CORE_CHECK();
	if (!name || len <= 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	snprintf(name, (size_t)len, "%s", core_device()->name);
	return CUDA_SUCCESS;
}

static CUresult get_uuid(CUuuid *uuid, CUdevice device)
{
	if (!uuid)
		return CUDA_ERROR_INVALID_VALUE;
	if (device != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	memcpy(uuid, core_device()->uuid, 16);
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice dev)
{
	CORE_CHECK();
	return get_uuid(uuid, dev);
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice dev)
{
	CORE_CHECK();
	return get_uuid(uuid, dev);
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice dev)
{
	CORE_CHECK();
	if (!bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	*bytes = core_device()->memory_bytes;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)
{
	CORE_CHECK();
	if (!pi)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	return attribute((int)attrib, pi) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGetByPCIBusId(CUdevice *dev, const char *pciBusId)
{
	struct slot slot = { 0 };

	CORE_CHECK();
	if (!dev || !pciBusId)
		return CUDA_ERROR_INVALID_VALUE;
	if (sscanf(pciBusId, "%x:%x:%x.%x", &slot.domain, &slot.bus, &slot.device, &slot.function) <
	    3) {
		slot.domain = 0;
		if (sscanf(pciBusId, "%x:%x.%x", &slot.bus, &slot.device, &slot.function) < 2)
			return CUDA_ERROR_INVALID_VALUE;
	}
	if (slot_compare(&slot, core_slot()) != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	*dev = 0;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(char *pciBusId, int len, CUdevice dev)
{
	char text[SLOT_TEXT_LEN];

	CORE_CHECK();
	if (!pciBusId || len <= 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	slot_format(core_slot(), text);
	if ((size_t)len <= strlen(text))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(pciBusId, text, strlen(text) + 1);
	return CUDA_SUCCESS;
}

CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice dev)
{
	CORE_CHECK();
	if (!major || !minor)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	*major = core_device()->attributes[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR];
	*minor = core_device()->attributes[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR];
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetProperties(CUdevprop *prop, CUdevice dev)
{
	const int32_t *a;

	CORE_CHECK();
	if (!prop)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	a = core_device()->attributes; /* by CUdevice_attribute */
	*prop = (CUdevprop){ .maxThreadsPerBlock = a[1],
			     .maxThreadsDim = { a[2], a[3], a[4] },
			     .maxGridSize = { a[5], a[6], a[7] },
			     .sharedMemPerBlock = a[8],
			     .totalConstantMemory = a[9],
			     .SIMDWidth = a[10],
			     .memPitch = a[11],
			     .regsPerBlock = a[12],
			     .clockRate = a[13],
			     .textureAlign = a[14] };
	return CUDA_SUCCESS;
}

CUresult cuDeviceCanAccessPeer(int *canAccessPeer, CUdevice dev, CUdevice peerDev)
{
	CORE_CHECK();
	if (!canAccessPeer)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0 || peerDev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	*canAccessPeer = 0;
	return CUDA_SUCCESS;
}

CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute attrib, CUdevice srcDevice,
				 CUdevice dstDevice)
{
	(void)attrib;
	CORE_CHECK();
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	(void)srcDevice;
	(void)dstDevice;
	return CUDA_ERROR_INVALID_DEVICE; /* as natively: a device is no peer of itself */
}

CUresult cuDeviceGetExecAffinitySupport(int *pi, CUexecAffinityType type, CUdevice dev)
{
	CORE_CHECK();
	if (!pi || type != 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (dev != 0)
		return CUDA_ERROR_INVALID_DEVICE;
	*pi = 0;
	return CUDA_SUCCESS;
}
