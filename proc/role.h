/* SPDX-License-Identifier: GPL-2.0-or-later */
/* role.h - what this program's file can be started as, where its room is not vgpud's own */

#ifndef VGPU_PROC_ROLE_H
#define VGPU_PROC_ROLE_H

/*
 * The entries lie below both sides: vgpud's main() starts a role without including its folder, so
 * that no header of a worker can get into the broker.
 */

/*
 * The worker process: opens its executor and runs what the broker sends (worker/main.c).
 * spec: "cpu", "cuda:N" or "auto". Return: the process's exit status.
 */
int role_worker(const char *spec);

/*
 * The worker of one program of a guest: opens its GPU, and runs what the program puts into its ring
 * (worker/role_program.c). spec: "cpu", with switches behind it (worker/gpu.h), or "cuda:N".
 * Return: the process's exit status.
 */
int role_program(const char *spec);

/*
 * Tells windows what GPU they have (worker/role_describe.c). spec: as above.
 * Return: the process's exit status.
 */
int role_describe(const char *spec);

/*
 * Asks NVML about the host's GPUs (worker/role_nvml.c). spec: not used.
 * Return: the process's exit status.
 */
int role_nvml(const char *spec);

#endif
