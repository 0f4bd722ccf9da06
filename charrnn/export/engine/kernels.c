/* The C code of charrnn's networks as WebAssembly: products with a matrix, and one step of a recurrent layer.
 *
 * Compiled to kernels.wasm by `python -m charrnn.export.build_kernels`. There is no allocation: the script that loads
 * the module lays out the structures of network.h in its memory (kernels.js).
 */
#include "../../models/kernels/native/network.h"
#include "../../models/kernels/native/product.c"

#define EXPORT(name) __attribute__((export_name(#name)))

EXPORT(matrix_bytes) size_t bytes_of_matrix(const matrix *m) { return panel_bytes(m); }

EXPORT(pack_matrix) void pack_panels(const matrix *m, const float *w) {  /* w: (gates N, K), row-major */
    for (long p = 0; p < panel_count(m); p++) pack(m, w, m->K, 1, p);
}

EXPORT(linear) void linear(const matrix *m, const float *bias, const float *x, float *out) {
    affine(m, bias, x, m->K, 1, out);
}

/* One character through a layer: x (D) and state (S), which is updated; y (H) receives the new h. Work space: inputs (G H). */
EXPORT(layer_step) void layer_step(const network *n, const layer *l, const float *x, float *inputs, float *state, float *y) {
    affine(&l->input, l->bias, x, l->D, 1, inputs);
    advance(n, l, inputs, 0, state, 1, y, n->H, 0);
}
