/* The part of LiteRT's C interface that an external delegate needs, declared anew for the stand-in delegate.

   Layouts and meanings as in LiteRT, tflite/core/c/common.h and c_api_types.h («semi-ABI stable»: fields are only
   added at the end), and tflite/delegates/external/external_delegate_interface.h. Fields that the stand-in never looks
   at are `void *` of the same size. That the layouts are right is shown by running under the installed runtime. */

#ifndef STAND_IN_LITERT_ABI_H_
#define STAND_IN_LITERT_ABI_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { OK = 0, FAILED = 1, DELEGATE_FAILED = 2 } Status;

/* TfLiteType: the element types that the stand-in knows how to spoil. */
enum { TYPE_FLOAT32 = 1, TYPE_UINT8 = 3, TYPE_INT8 = 9 };

/* TfLiteAllocationType: where a tensor's bytes are. */
enum { ARENA = 2, ARENA_PERSISTENT = 3 };

/* TfLiteDelegateFlags: the graph may hold tensors of unknown size and operators without a kernel. */
enum { ALLOW_DYNAMIC_TENSORS = 1 };

typedef struct { /* TfLiteIntArray */
    int size;
    int data[];
} Ints;

typedef struct { /* TfLiteTensor */
    int type;
    void *data;
    Ints *dims;
    struct { float scale; int32_t zero_point; } params;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    void *delegate;
    int buffer_handle;
    bool data_is_stale;
    bool is_variable;
    struct { int type; void *params; } quantization;
    void *sparsity;
    const Ints *dims_signature;
} Tensor;

typedef struct { /* TfLiteNode */
    Ints *inputs;
    Ints *outputs;
    Ints *intermediates;
    Ints *temporaries;
    void *user_data;
    void *builtin_data;
    const void *custom_initial_data;
    int custom_initial_data_size;
    void *delegate;
    bool might_have_side_effect;
} Node;

typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct { /* TfLiteRegistration */
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    Status (*prepare)(Context *, Node *);
    Status (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *registration_external;
    void *(*async_kernel)(Context *, Node *);
    uint64_t inplace_operator;
} Registration;

struct Context { /* TfLiteContext: its head */
    size_t tensors_size;
    Status (*get_execution_plan)(Context *, Ints **);
    Tensor *tensors;
    void *impl;
    Status (*resize_tensor)(Context *, Tensor *, Ints *);
    void (*report_error)(Context *, const char *, ...);
    Status (*add_tensors)(Context *, int, int *);
    Status (*get_node_and_registration)(Context *, int, Node **, Registration **);
    Status (*replace_node_subsets)(Context *, Registration, const Ints *, Delegate *);
};

typedef struct { /* TfLiteDelegateParams: what `init` of a delegate's kernel is given */
    Delegate *delegate;
    Ints *nodes_to_replace;
    Ints *input_tensors;
    Ints *output_tensors;
} DelegateParams;

struct Delegate { /* TfLiteDelegate */
    void *data;
    Status (*prepare)(Context *, Delegate *);
    Status (*copy_from_buffer_handle)(Context *, Delegate *, int, Tensor *);
    Status (*copy_to_buffer_handle)(Context *, Delegate *, int, Tensor *);
    void (*free_buffer_handle)(Context *, Delegate *, int *);
    int64_t flags;
    void *opaque_delegate_builder;
};

#endif
