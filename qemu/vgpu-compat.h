/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-compat.h - lets one source build in QEMU 5.0 to 10.2
 *
 * Each shim names the release that changed the interface. The source uses the
 * newest name; drop a shim when its release is no longer wanted.
 */

#ifndef VGPU_COMPAT_H
#define VGPU_COMPAT_H

#define VGPU_QEMU_BEFORE(major, minor)                                      \
    (QEMU_VERSION_MAJOR < (major) ||                                        \
     (QEMU_VERSION_MAJOR == (major) && QEMU_VERSION_MINOR < (minor)))

#include "chardev/char-fe.h"
#include "hw/boards.h"
#include "hw/pci/pci.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"

/* 8.0: the PCI device type moved into a header of its own */
#if !VGPU_QEMU_BEFORE(8, 0)
#include "hw/pci/pci_device.h"
#endif

/* 10.0: sysemu/ became system/, and property lists lost their terminator */
#if VGPU_QEMU_BEFORE(10, 0)
#include "sysemu/hostmem.h"
#include "sysemu/runstate.h"
#include "sysemu/xen.h"
#define VGPU_PROPERTY_LIST_END , DEFINE_PROP_END_OF_LIST()
typedef Property VGPUProperty;
#else
#include "system/hostmem.h"
#include "system/runstate.h"
#include "system/xen.h"
#define VGPU_PROPERTY_LIST_END
typedef const Property VGPUProperty;
#endif

/* 10.1: class_init's data became const */
#if VGPU_QEMU_BEFORE(10, 1)
typedef void VGPUClassData;
#else
typedef const void VGPUClassData;
#endif

/* 10.2: CharBackend became CharFrontend */
#if VGPU_QEMU_BEFORE(10, 2)
typedef CharBackend CharFrontend;
#endif

/* 9.2: the plain reset method got a setter */
#if VGPU_QEMU_BEFORE(9, 2)
static inline void device_class_set_legacy_reset(DeviceClass *dc,
                                                 void (*reset)(DeviceState *))
{
    dc->reset = reset;
}
#endif

/*
 * 8.2: a migration blocker's reason went to its user's pointer, which is NULL
 * while there is no blocker. Return: 0; -EBUSY: a migration is at work;
 * -EACCES: QEMU was told that nothing may block one.
 */
static inline int vgpu_add_blocker(Error **reason)
{
#if VGPU_QEMU_BEFORE(8, 2)
    int ret = migrate_add_blocker(*reason, NULL);

    if (ret < 0) {
        error_free(*reason);
        *reason = NULL;
    }
    return ret;
#else
    return migrate_add_blocker(reason, NULL);
#endif
}

static inline void vgpu_del_blocker(Error **reason)
{
#if VGPU_QEMU_BEFORE(8, 2)
    migrate_del_blocker(*reason);
    error_free(*reason);
    *reason = NULL;
#else
    migrate_del_blocker(reason);
#endif
}

/* 6.0: confidential guests of all kinds became one property of the machine */
static inline bool vgpu_guest_is_confidential(void)
{
#if VGPU_QEMU_BEFORE(6, 0)
    return false;
#else
    return MACHINE(qdev_get_machine())->cgs != NULL;
#endif
}

/*
 * 5.1: memory can be kept from being discarded. 6.1: only where its users are
 * not told of it, as by a balloon. Who discards memory of its own and tells
 * (virtio-mem) cannot reach the window.
 */
static inline int vgpu_disable_discards(bool disable)
{
#if VGPU_QEMU_BEFORE(5, 1)
    return 0;
#elif VGPU_QEMU_BEFORE(6, 1)
    return ram_block_discard_disable(disable);
#else
    return ram_block_uncoordinated_discard_disable(disable);
#endif
}

/* 6.0: a run state handler's flag became a bool, chardev properties moved */
#if VGPU_QEMU_BEFORE(6, 0)
typedef int VGPURunning;
#else
#include "hw/qdev-properties-system.h"
typedef bool VGPURunning;
#endif

/* 6.1: a watch lost its channel */
#if VGPU_QEMU_BEFORE(6, 1)
typedef GIOChannel VGPUWatchSource;
#else
typedef void VGPUWatchSource;
#endif

/* 5.2: one macro declares a type */
#ifndef OBJECT_DECLARE_SIMPLE_TYPE
#define OBJECT_DECLARE_SIMPLE_TYPE(InstanceType, MODULE_OBJ_NAME)           \
    typedef struct InstanceType InstanceType;                               \
    static inline InstanceType *MODULE_OBJ_NAME(const void *obj)            \
    {                                                                       \
        return OBJECT_CHECK(InstanceType, obj, TYPE_##MODULE_OBJ_NAME);     \
    }
#endif

/* 5.1: properties by pointer got flags and lost their errp */
static inline void vgpu_add_counter(Object *obj, const char *name,
                                    const uint64_t *counter)
{
#if VGPU_QEMU_BEFORE(5, 1)
    object_property_add_uint64_ptr(obj, name, counter, &error_abort);
#else
    object_property_add_uint64_ptr(obj, name, counter, OBJ_PROP_FLAG_READ);
#endif
}

#endif
