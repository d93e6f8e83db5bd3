/* SPDX-License-Identifier: MIT */
/* vgpu_ends.h - why a program gets no channel, or loses it: one table */

#ifndef VGPU_ENDS_H
#define VGPU_ENDS_H

#include <stdint.h>

/*
 * X(value, NAME, "name", CUresult, "in words, with the remedy")
 *
 * value: what CHANNEL_ERROR and the frame CHANNEL_STATUS carry; it goes on where the error codes of
 * requests end (vgpu_proto.h). CUresult: what the program's call returns. The words complete the
 * sentence "vgpu: ...", which the program's libcuda.so.1 writes to standard error once.
 */
#define VGPU_END_TABLE(X)                                                                             \
	X(0, NONE, "none", 0, "no error")                                                             \
	X(18, PROGRAMS_OFF, "programs-off", 100,                                                      \
	  "programs are off for this VM (on the host: vgpuadm set-programs VM on)")                   \
	X(19, TOO_MANY_PROGRAMS, "too-many-programs", 46,                                             \
	  "this VM has as many programs as it may have (on the host: vgpuadm set-max-programs VM N)") \
	X(20, NO_CHANNEL, "no-channel", 46, "all 48 channels of the device are in use")               \
	X(21, WINDOW_FULL, "window-full", 2,                                                          \
	  "the window has no free piece (give the device a larger one: size= of its memory; with a "  \
	  "socket VGPU_WINDOW_SIZE)")                                                                 \
	X(22, WINDOW_BAD, "window-bad", 802,                                                          \
	  "the window is no shared memory that vgpud can use (memfd or hugetlbfs, sealed against "    \
	  "shrinking, a power of two from 16 MiB to 4 GiB)")                                          \
	X(23, NO_DEVICE, "no-device", 100, "the VM's pool has no GPU that works (vgpuadm pools)")     \
	X(24, NO_CONFINEMENT, "no-confinement", 802,                                                  \
	  "the host cannot confine the program's worker (vgpuadm doctor says what is missing)")       \
	X(25, DRIVER_MISMATCH, "driver-mismatch", 803,                                                \
	  "the host's NVIDIA driver was changed: its library and its kernel module differ (on the "   \
	  "host: load the new module, or reboot)")                                                    \
	X(26, WORKER_NOT_STARTED, "worker-not-started", 46,                                           \
	  "the host could not start a worker for the program (see vgpud's log)")                      \
	X(27, MIGRATING, "migrating", 46, "the VM is being migrated")                                 \
	X(28, DRAINING, "draining", 46, "vgpud is being drained (vgpuadm drain --off)")               \
	X(29, KILLED, "killed", 709, "the administrator has ended the program")                       \
	X(30, HUNG, "hung", 702, "a kernel ran longer than the administrator allows")                 \
	X(31, BAD_COMMAND, "bad-command", 719,                                                        \
	  "the program's commands made no sense to its worker")                                       \
	X(32, WORKER_LOST, "worker-lost", 719, "the program's worker on the host has died")           \
	X(33, HOST_LOST, "host-lost", 46, "the connection to vgpud was lost")                         \
	X(34, RESET, "reset", 46, "the device was reset")                                             \
	X(35, LINK_OLD, "link-old", 100,                                                              \
	  "this vgpud knows no programs (it speaks link version 1)")                                  \
	X(36, LAYOUT, "layout", 803,                                                                  \
	  "program and host have different versions of the window's layout")                          \
	X(37, SWITCHED_OFF, "switched-off", 709,                                                      \
	  "the administrator has switched programs off for this VM")                                  \
	X(38, NO_VGPU, "no-vgpu", 100,                                                                \
	  "there is no vgpu here: no device, and VGPU_SOCKET names no socket of vgpud's")             \
	X(39, NO_ADDRESSES, "no-addresses", 2,                                                        \
	  "no range of addresses is free for the window (give it less: VGPU_WINDOW_SIZE)")            \
	X(40, NO_MEMORY, "no-memory", 2,                                                              \
	  "the program has no memory, threads or descriptors left, or may make no file as large as "  \
	  "the window (ulimit -f, VGPU_WINDOW_SIZE)")                                                 \
	X(41, FORKED, "forked", 3, "a child of fork() cannot use its parent's GPU")                   \
	X(42, NO_MODULE, "no-module", 100,                                                            \
	  "the VM's device has no driver (modprobe vgpu; docs/guest.md says how to install it)")      \
	X(43, NO_WINDOW, "no-window", 100,                                                            \
	  "the VM's device has no window (on the host: vgpuadm snippet HYPERVISOR VM)")               \
	X(44, NO_PERMISSION, "no-permission", 100,                                                    \
	  "this user may not open /dev/vgpuN (be a member of its group, vgpu)")                       \
	X(45, UNPLUGGED, "unplugged", 46,                                                             \
	  "the device was unplugged, or vgpu.ko was unbound from it")                                 \
	X(46, NO_ANSWER, "no-answer", 46,                                                             \
	  "vgpud does not answer (on the host: vgpuadm status, systemctl status vgpud)")              \
	X(47, LEDGER_FULL, "ledger-full", 46,                                                         \
	  "vgpud cannot record that the program runs (on the host: vgpuadm status)")                  \
	X(48, HMM, "hmm", 802,                                                                        \
	  "a kernel could reach all memory of the program's worker on this host (uvm_disable_hmm=1 "  \
	  "for nvidia_uvm, or allow_hmm = yes in vgpud.conf)")                                        \
	X(49, GPU_DRAINING, "gpu-draining", 46,                                                       \
	  "the GPU takes no new programs (on the host: vgpuadm drain-gpu GPU --off)")                 \
	X(50, LEASE_IGNORED, "lease-ignored", 719,                                                    \
	  "the program's worker did not give the GPU back when it was told to, twice in a minute")    \
	X(51, OVER_QUOTA, "over-quota", 2,                                                            \
	  "the VM's programs held more of the GPU's memory than they may (on the host: vgpuadm "      \
	  "set-memory VM SIZE)")                                                                      \
	X(52, GPU_NOT_READY, "gpu-not-ready", 802,                                                    \
	  "the host's GPU is not ready for CUDA (on the host: start nvidia-fabricmanager, or see "    \
	  "vgpuadm doctor)")

#define VGPU_END_ENUM(value, name, text, result, words) VGPU_END_##name = (value),
enum vgpu_end { VGPU_END_TABLE(VGPU_END_ENUM) };
#undef VGPU_END_ENUM

#define VGPU_END_MOST 255u /* no value is above it: WINDOW_STATUS has eight bits for one */

#endif
