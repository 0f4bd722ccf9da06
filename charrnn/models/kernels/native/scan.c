/* h_t = a_t h_{t-1} + b_t, element by element, and its gradients: one pass over memory each way. See ../scan.py.
 *
 * Tensors are (B, T, H). A thread takes a block of units of a row through all steps; the state stays in the nearest cache.
 */
#include "vector.h"

#define BLOCK 256

/* Blocks of all rows, and what block number `item` begins with: element (row, t = 0, unit). */
INLINE long block_count(long H) { return (H + BLOCK - 1) / BLOCK; }
INLINE long width_of(long item, long H) { long j = item % block_count(H) * BLOCK; return H - j < BLOCK ? H - j : BLOCK; }

void scan_forward(const float *a, const float *b, const float *h0, float *h, long B, long T, long H, int threads) {
    unsigned mode = float_mode();
#pragma omp parallel num_threads(threads)
    {
        unsigned before = set_float_mode(mode);
        long first, last;
        my_part(B * block_count(H), &first, &last);
        for (long item = first; item < last; item++) {
            long row = item / block_count(H), j = item % block_count(H) * BLOCK, width = width_of(item, H);
            const float *earlier = h0 + row * H + j;
            for (long t = 0; t < T; t++) {
                long at = (row * T + t) * H + j;
#pragma omp simd
                for (long i = 0; i < width; i++) h[at + i] = a[at + i] * earlier[i] + b[at + i];
                earlier = h + at;
            }
        }
        set_float_mode(before);
    }
}

/* g_t = grad_t + a_{t+1} g_{t+1}; grad_b = g, grad_a_t = g_t h_{t-1}, grad_h0 = a_1 g_1. */
void scan_backward(const float *grad, const float *a, const float *h, const float *h0, float *grad_a, float *grad_b,
                   float *grad_h0, long B, long T, long H, int threads) {
    unsigned mode = float_mode();
#pragma omp parallel num_threads(threads)
    {
        unsigned before = set_float_mode(mode);
        long first, last;
        my_part(B * block_count(H), &first, &last);
        for (long item = first; item < last; item++) {
            long row = item / block_count(H), j = item % block_count(H) * BLOCK, width = width_of(item, H);
            float carried[BLOCK] = {0};
            for (long t = T - 1; t >= 0; t--) {
                long at = (row * T + t) * H + j;
                const float *earlier = t ? h + at - H : h0 + row * H + j;
#pragma omp simd
                for (long i = 0; i < width; i++) {
                    float g = grad[at + i] + carried[i];
                    carried[i] = a[at + i] * g;
                    grad_a[at + i] = g * earlier[i];
                    grad_b[at + i] = g;
                }
            }
            memcpy(grad_h0 + row * H + j, carried, width * sizeof *carried);
        }
        set_float_mode(before);
    }
}
