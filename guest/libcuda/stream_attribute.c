/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream_attribute.c - what a stream is told beside its flags: hints, which are kept and given back */

#include <pthread.h>
#include <string.h>

#include "guest/libcuda/refuse.h"
#include "guest/libcuda/stream_call.h"

/*
 * Synchronization policy, L2 window and memory domains change how quick something is, not what it does.
 * So the values stay here. A stream's priority is given when it is made.
 */

/* CUlaunchAttributeID, of streams. */
enum {
	ACCESS_POLICY_WINDOW = 1,
	SYNCHRONIZATION_POLICY = 3,
	PRIORITY = 8,
	MEM_SYNC_DOMAIN_MAP = 9,
	MEM_SYNC_DOMAIN = 10,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Return: where the value is kept, NULL: not an attribute of streams that has such a place. */
static uint8_t *place_of(struct stream *stream, CUstreamAttrID attribute)
{
	switch ((int)attribute) {
	case ACCESS_POLICY_WINDOW:
		return stream->attributes[0];
	case SYNCHRONIZATION_POLICY:
		return stream->attributes[1];
	case MEM_SYNC_DOMAIN_MAP:
		return stream->attributes[2];
	case MEM_SYNC_DOMAIN:
		return stream->attributes[3];
	default:
		return NULL;
	}
}

STREAM_CALL(cuStreamGetAttribute,
	    (CUstream hStream, CUstreamAttrID attr, CUstreamAttrValue *value_out),
	    (hStream, attr, value_out))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);
	const uint8_t *place;

	if (result != CUDA_SUCCESS)
		return result;
	place = place_of(stream, attr);
	if (!value_out || (!place && (int)attr != PRIORITY))
		return CUDA_ERROR_INVALID_VALUE;
	if (!place) {
		memcpy(value_out, &stream->priority, sizeof(stream->priority));
		return CUDA_SUCCESS;
	}
	pthread_mutex_lock(&lock);
	memcpy(value_out, place, STREAM_ATTRIBUTE_BYTES);
	pthread_mutex_unlock(&lock);
	return CUDA_SUCCESS;
}

STREAM_CALL(cuStreamSetAttribute,
	    (CUstream hStream, CUstreamAttrID attr, const CUstreamAttrValue *value),
	    (hStream, attr, value))
{
	struct stream *stream;
	CUresult result = stream_find(hStream, &stream);
	uint8_t *place;

	if (result != CUDA_SUCCESS)
		return result;
	place = place_of(stream, attr);
	if (!value || (!place && (int)attr != PRIORITY))
		return CUDA_ERROR_INVALID_VALUE;
	if (!place) {
		refuse("cuStreamSetAttribute of a priority");
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	pthread_mutex_lock(&lock);
	memcpy(place, value, STREAM_ATTRIBUTE_BYTES);
	pthread_mutex_unlock(&lock);
	return CUDA_SUCCESS;
}

static CUresult copy_attributes(CUstream to_handle, CUstream from_handle)
{
	struct stream *to, *from;
	CUresult result = stream_find(to_handle, &to);

	if (result == CUDA_SUCCESS)
		result = stream_find(from_handle, &from);
	if (result != CUDA_SUCCESS)
		return result;
	pthread_mutex_lock(&lock);
	memmove(to->attributes, from->attributes, sizeof(to->attributes));
	pthread_mutex_unlock(&lock);
	return CUDA_SUCCESS;
}

CUresult cuStreamCopyAttributes(CUstream dst, CUstream src)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return copy_attributes(dst, src);
}

CUresult cuStreamCopyAttributes_ptsz(CUstream dst, CUstream src)
{
	uint64_t context;

	CONTEXT_ENTER(&context);
	return copy_attributes(stream_per_thread(dst), stream_per_thread(src));
}
