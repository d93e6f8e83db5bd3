# SPDX-License-Identifier: GPL-2.0-or-later
# examples.mk - CUDA programs to begin with, and tests and benchmarks that are CUDA programs

EXAMPLE_NAMES := vector_add saxpy reduction matmul mandelbrot threads fault print
EXAMPLES := $(addprefix $(B)/examples/,$(EXAMPLE_NAMES))

# A CUDA program needs cuda.h to compile. It is linked with our libcuda.so.1, and finds that or a driver's when it runs.
CUDA_HEADER := $(wildcard $(patsubst %/bin/nvcc,%/include/cuda.h,$(realpath $(NVCC))) /usr/local/cuda/include/cuda.h /usr/include/cuda.h)
CUDA_LIBRARY := $(B)/lib/libcuda.so.1
CUDA_PROGRAM_CFLAGS := $(addprefix -isystem ,$(patsubst %/cuda.h,%,$(firstword $(CUDA_HEADER))))

# Other programs' kernels, as PTX text that nvcc wrote. It stands in the tree: only a change of a kernel needs nvcc.
.PHONY: examples examples-ptx
ifneq ($(CUDA_HEADER),)
examples: $(EXAMPLES)
else
examples:
	@echo 'The examples are left out: cuda.h is not there (package nvidia-cuda-dev, or NVIDIA'\''s toolkit in /usr/local/cuda).'
endif

$(B)/examples/%.o: CFLAGS_ALL += $(CUDA_PROGRAM_CFLAGS)
$(foreach name,$(EXAMPLE_NAMES),$(eval $(B)/examples/$(name).o: examples/$(name).ptx))
$(EXAMPLES): $(B)/examples/%: $(B)/examples/%.o $(B)/examples/example.o | $(CUDA_LIBRARY)
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(CUDA_LIBRARY) -lpthread -lm

examples-ptx:
	@set -e; for name in $(EXAMPLE_NAMES); do echo "  NVCC  examples/$$name.cu"; \
		$(NVCC) -ptx -arch=compute_75 -o examples/$$name.ptx examples/$$name.cu; done
