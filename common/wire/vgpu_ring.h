/* SPDX-License-Identifier: MIT */
/* vgpu_ring.h - the four ways to reach words that another process reads or writes */

#ifndef VGPU_RING_H
#define VGPU_RING_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Words in a window are reached by these functions only. The window may be mapped write-back or, in a
 * guest, write-combining, where stores overtake each other and loads may be early: so the fences are
 * the ones that order both. None locks the bus, which a mapped BAR may not support: on x86-64 the
 * builtins for loads and stores are plain moves.
 *
 * A test replaces the functions by a model that delays and reorders: it defines VGPU_RING_MODEL and
 * brings its own.
 */
#ifndef VGPU_RING_MODEL

/* Reads a word that the other side may write at any time. Orders nothing. */
static inline uint32_t vgpu_ring_load(const volatile uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

/* Writes a word that the other side may read at any time. Orders nothing. */
static inline void vgpu_ring_store(volatile uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

/* Writes a word that says that all before it is written: its reader sees that. */
static inline void vgpu_ring_publish(volatile uint32_t *at, uint32_t value)
{
#ifdef __x86_64__
	__asm__ volatile("sfence" ::: "memory");
#endif
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* Reads a word that was published: what was written before it is read after it. */
static inline uint32_t vgpu_ring_consume(const volatile uint32_t *at)
{
	uint32_t value = __atomic_load_n(at, __ATOMIC_ACQUIRE);

#ifdef __x86_64__
	__asm__ volatile("lfence" ::: "memory");
#endif
	return value;
}

/*
 * Between one's own store and the load of what the other side stores, where each must see the other:
 * "I sleep" before "is there more?", and "there is more" before "does it sleep?".
 */
static inline void vgpu_ring_fence(void)
{
#ifdef __x86_64__
	__asm__ volatile("mfence" ::: "memory");
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

#endif

/*
 * Return: whether an index that moved from old to now (free-running, now - old below 2^31) has passed
 * park: whether the side that wrote `park` sleeps and has to be woken. A side that is awake leaves
 * its park behind, so this is false for it.
 */
static inline bool vgpu_ring_passed(uint32_t park, uint32_t old, uint32_t now)
{
	return (uint32_t)(now - park - 1) < (uint32_t)(now - old);
}

#endif
