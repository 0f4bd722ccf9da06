/* The steps of an RNN or GRU layer over time: the product with the state, and the gates. Rows of a batch are independent:
 * each thread takes its rows through all steps without waiting. Everything that does not depend on the state (products
 * with the inputs, gradients of the weights) is left to the caller, who computes it for all steps at once.
 *
 * Time comes first: (T, B, ...). G gates of H units: 1 for an RNN, 3 for a GRU. `half`: products are in bfloat16 (sums,
 * gates and states are not), and so are `inputs` and `grads`. The equations are in ../../rnn/cells/.
 */
#include <stdlib.h>
#include "product.h"

typedef struct {
    const void *inputs;  /* (T, B, G H): W x, without bias */
    const float *bias;   /* RNN (H): the sum of both biases; GRU (4H): b_r + c_r, b_z + c_z, c_n, b_n */
    float *states;       /* (T + 1, B, H): [0] is input, the rest output */
    uint16_t *halves;    /* the states in bfloat16, if `half` */
    float *saved;        /* GRU (T, B, 4H): r, z, n, U_n h + c_n; or null */
    long B, H;
    int half;
} pass;

/* Store the state of row `index` = t B + b, units j … j + count − 1. */
INLINE void keep_state(const pass *s, long index, long j, long count, vec h) {
    store(s->states + (index + s->B) * s->H + j, h, count);
    if (s->half) store_either(s->halves, (index + s->B) * s->H + j, h, count, 1);
}

INLINE void rnn_unit(const pass *s, long index, long j, long count, const vec *sums) {
    vec x = load_either(s->inputs, index * s->H + j, count, s->half);
    keep_state(s, index, j, count, tanh_of(x + load(s->bias + j, count) + sums[0]));
}

INLINE void gru_unit(const pass *s, long index, long j, long count, const vec *sums) {
    long H = s->H, x = index * 3 * H + j;
    const float *bias = s->bias + j;
    vec r = sigmoid(load_either(s->inputs, x, count, s->half) + load(bias, count) + sums[0]);
    vec z = sigmoid(load_either(s->inputs, x + H, count, s->half) + load(bias + H, count) + sums[1]);
    vec inner = sums[2] + load(bias + 2 * H, count);
    vec n = tanh_of(load_either(s->inputs, x + 2 * H, count, s->half) + load(bias + 3 * H, count) + r * inner);
    keep_state(s, index, j, count, n + z * (load(s->states + index * H + j, count) - n));
    if (s->saved) {
        float *to = s->saved + index * 4 * H + j;
        store(to, r, count), store(to + H, z, count), store(to + 2 * H, n, count), store(to + 3 * H, inner, count);
    }
}

/* weight (G H, H). Returns 0, or 1 if out of memory. */
int recurrence_forward(int gates, const void *inputs, const float *weight, const float *bias, float *states,
                       uint16_t *halves, float *saved, long T, long B, long H, int half, int threads) {
    pass s = {inputs, bias, states, halves, saved, B, H, half};
    matrix m = {.K = H, .N = H, .gates = gates, .nr = gates == 1 ? 2 : gates, .half = half && HAS_HALF && H % 2 == 0};
    if (!(m.panels = aligned_alloc(64, panel_bytes(&m)))) return 1;
    unsigned mode = float_mode();
#pragma omp parallel num_threads(threads)
    {
        unsigned before = set_float_mode(mode);
#pragma omp for
        for (long p = 0; p < panel_count(&m); p++) pack(&m, weight, H, 1, p);
        long first, last;
        my_part(B, &first, &last);
        vec sums[MAX_ROWS * MAX_VECTORS];
        for (long t = 0; t < T; t++)
            for (long p = 0; p < panel_count(&m); p++)
                for (long row = first, rows; row < last; row += rows) {
                    rows = rows_of_block(&m, row, last);
                    long index = t * B + row;
                    product(&m, p, place(m.half ? (void *)halves : states, index * H, m.half), H, (int)rows, sums);
                    for (long i = 0; i < rows; i++) {
                        if (gates == 3) gru_unit(&s, index + i, p * LANES, H - p * LANES, sums + 3 * i);
                        else
                            for (long v = 0, j = p * 2 * LANES; v < 2 && j < H; v++, j += LANES)
                                rnn_unit(&s, index + i, j, H - j, sums + 2 * i + v);
                    }
                }
        set_float_mode(before);
    }
    free(m.panels);
    return 0;
}

/* Gradients of the pre-activations, in the order of `grads`; returns the gradient of the previous state without U's part. */
INLINE vec rnn_grads(const pass *s, long index, long j, long count, vec d, vec *grads) {
    vec h = load(s->states + (index + s->B) * s->H + j, count);
    grads[0] = d * (1.0f - h * h);
    return all(0.0f);
}

INLINE vec gru_grads(const pass *s, long index, long j, long count, vec d, vec *grads) {
    const float *from = s->saved + index * 4 * s->H + j;
    vec r = load(from, count), z = load(from + s->H, count);
    vec n = load(from + 2 * s->H, count), inner = load(from + 3 * s->H, count);
    grads[3] = d * (1.0f - z) * (1.0f - n * n);
    grads[2] = d * (load(s->states + index * s->H + j, count) - n) * z * (1.0f - z);
    grads[1] = grads[3] * inner * r * (1.0f - r);
    grads[0] = grads[3] * r;
    return d * z;
}

/* grad_y (T, B, H). grad_h (B, H): in: of the last state; out: of the first. weight (G H, H), for a GRU in the order n, r, z.
 * grads, output: (T, B, H), or for a GRU (T, B, 4H): of U_n h + c_n, r, z, n. grad_bias (B, same width), zeroed: their sums
 * per row, so that no sum depends on how rows are divided among threads. */
int recurrence_backward(int gates, const float *grad_y, float *states, float *saved, const float *weight, float *grad_h,
                        void *grads, float *grad_bias, long T, long B, long H, int half, int threads) {
    pass s = {.states = states, .saved = saved, .B = B, .H = H, .half = half};
    matrix m = {.K = gates * H, .N = H, .gates = 1, .nr = 2, .half = half && HAS_HALF && H % 2 == 0};
    int parts = gates == 1 ? 1 : gates + 1;
    int copied = half && !m.half;  /* without bfloat16 products, a step's gradients are kept as float too */
    m.panels = aligned_alloc(64, panel_bytes(&m));
    float *copy = copied ? malloc(B * gates * H * sizeof *copy) : NULL;
    if (!m.panels || (copied && !copy)) { free(m.panels), free(copy); return 1; }
    unsigned mode = float_mode();
#pragma omp parallel num_threads(threads)
    {
        unsigned before = set_float_mode(mode);
#pragma omp for
        for (long p = 0; p < panel_count(&m); p++) pack(&m, weight, 1, H, p);
        long first, last;
        my_part(B, &first, &last);
        vec sums[MAX_ROWS * MAX_VECTORS], four[4];
        for (long t = T - 1; t >= 0; t--) {
            for (long row = first, index = t * B + row; row < last; row++, index++) {
                float *sum = grad_bias + row * parts * H;
                for (long j = 0; j < H; j += LANES) {
                    long count = H - j;
                    float *d = grad_h + row * H + j;
                    vec both = load(d, count) + load(grad_y + index * H + j, count);
                    store(d, (gates == 3 ? gru_grads : rnn_grads)(&s, index, j, count, both, four), count);
                    for (int g = 0; g < parts; g++) {
                        store_either(grads, (index * parts + g) * H + j, four[g], count, half);
                        if (copied && g < gates) store(copy + (row * gates + g) * H + j, four[g], count);
                        store(sum + g * H + j, load(sum + g * H + j, count) + four[g], count);
                    }
                }
            }
            for (long p = 0; p < panel_count(&m); p++)
                for (long row = first, rows; row < last; row += rows) {
                    rows = rows_of_block(&m, row, last);
                    if (copied) product(&m, p, copy + row * gates * H, gates * H, (int)rows, sums);
                    else product(&m, p, place(grads, (t * B + row) * parts * H, half), parts * H, (int)rows, sums);
                    for (long i = 0; i < rows; i++)
                        for (long v = 0, j = p * 2 * LANES; v < 2 && j < H; v++, j += LANES) {
                            float *to = grad_h + (row + i) * H + j;
                            store(to, load(to, H - j) + sums[2 * i + v], H - j);
                        }
                }
        }
        set_float_mode(before);
    }
    free(m.panels), free(copy);
    return 0;
}
