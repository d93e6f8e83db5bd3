/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.cu - writes where no memory is */

extern "C" __global__ void fault(int *nowhere)
{
	*nowhere = 1;
}
