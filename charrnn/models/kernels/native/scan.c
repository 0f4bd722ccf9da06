/* h_t = a_t h_{t-1} + b_t, elementwise, with a and b given or computed from gates; and the gradients.
 *
 * One pass over memory each way, because memory is the bottleneck. A thread takes a block of units of one row through all
 * steps, with the state in the first-level cache. Tensors are (B, T, H) or (B, T, G H); `half`: gates and their gradients
 * are bfloat16. The equations are in ../scan.py.
 */
#include "vector.h"

#define VECTORS 16  /* long enough for the processor to prefetch what a thread reads per step */
#define BLOCK (VECTORS * LANES)
#define MAX_PARTS 3
#define AHEAD 4  /* steps to prefetch: there are more memory streams than the processor follows by itself */

enum { PLAIN, MIN_GRU, MIN_LSTM };

typedef struct {
    const void *in[MAX_PARTS];  /* a and b, or the pre-activations of the gates and the candidate */
    void *out[MAX_PARTS];       /* their gradients */
    const float *h0, *grad_h;
    float *h, *grad_h0;
    long B, T, H, stride;        /* stride: between the steps of `in` and `out` */
    int parts, half;
} pass;

/* Factor and term of a step; with gates, b = i · candidate. */
typedef struct { vec a, b, i, candidate; } step;

INLINE step step_of(int kind, const vec *p) {
    if (kind == PLAIN) return (step){p[0], p[1], p[0], p[1]};
    if (kind == MIN_GRU) {
        vec z = sigmoid(p[0]);
        return (step){1.0f - z, z * p[1], z, p[1]};
    }
    /* f / (f + i) as e^−f and e^−i, both times e^m, so that neither overflows and their sum is not 0. */
    vec m = min_of(all(0.0f), min_of(p[0], p[1]));
    vec one = exp_of(m), f = one + exp_of(m - p[1]), i = one + exp_of(m - p[0]), share = 1.0f / (f + i);
    return (step){f * share, i * share * p[2], i * share, p[2]};
}

INLINE void grads_of(int kind, const vec *p, step s, vec g, vec earlier, vec *grads) {
    if (kind == PLAIN) {
        grads[0] = g * earlier, grads[1] = g;
        return;
    }
    vec d = g * (s.candidate - earlier) * s.a * s.i;
    if (kind == MIN_GRU) grads[0] = d, grads[1] = g * s.i;
    else grads[0] = -d * sigmoid(-p[0]), grads[1] = d * sigmoid(-p[1]), grads[2] = g * s.i;
}

INLINE void forward_block(int kind, const pass *s, long row, long first) {
    vec h[VECTORS];
    for (int v = 0; v < VECTORS; v++) h[v] = load(s->h0 + row * s->H + first + v * LANES, s->H - first - v * LANES);
    for (long t = 0; t < s->T; t++)
        for (long v = 0, j = first; v < VECTORS; v++, j += LANES) {
            long count = s->H - j, at = (row * s->T + t) * s->stride + j;
            if (count <= 0) break;
            vec p[MAX_PARTS];
            for (int g = 0; g < s->parts; g++) p[g] = load_either(s->in[g], at, count, s->half);
            step now = step_of(kind, p);
            h[v] = now.a * h[v] + now.b;
            store(s->h + (row * s->T + t) * s->H + j, h[v], count);
        }
}

INLINE void backward_block(int kind, const pass *s, long row, long first) {
    vec carried[VECTORS] = {};
    for (long t = s->T - 1; t >= 0; t--)
        for (long v = VECTORS - 1; v >= 0; v--) {  /* all memory is read backward: 4 times as fast as back and forth */
            long j = first + v * LANES, count = s->H - j;
            long at = (row * s->T + t) * s->stride + j, index = (row * s->T + t) * s->H + j;
            if (count <= 0) continue;
            if (t >= AHEAD) {
                for (int g = 0; g < s->parts; g++) {
                    __builtin_prefetch(place(s->in[g], at - AHEAD * s->stride, s->half));
                    __builtin_prefetch(place(s->out[g], at - AHEAD * s->stride, s->half), 1);
                }
                __builtin_prefetch(s->h + index - AHEAD * s->H);
                __builtin_prefetch(s->grad_h + index - AHEAD * s->H);
            }
            vec p[MAX_PARTS], grads[MAX_PARTS];
            for (int g = 0; g < s->parts; g++) p[g] = load_either(s->in[g], at, count, s->half);
            step now = step_of(kind, p);
            vec g = load(s->grad_h + index, count) + carried[v];
            grads_of(kind, p, now, g, load(t ? s->h + index - s->H : s->h0 + row * s->H + j, count), grads);
            carried[v] = now.a * g;
            for (int k = 0; k < s->parts; k++) store_either(s->out[k], at, grads[k], count, s->half);
        }
    for (long v = 0, j = first; v < VECTORS && j < s->H; v++, j += LANES)
        store(s->grad_h0 + row * s->H + j, carried[v], s->H - j);
}

INLINE void every_block(int kind, const pass *s, int backward, int threads) {
    long blocks = (s->H + BLOCK - 1) / BLOCK;
    unsigned mode = float_mode();
#pragma omp parallel num_threads(threads)
    {
        unsigned before = set_float_mode(mode);
        long item, last;
        for (my_part(s->B * blocks, &item, &last); item < last; item++)
            if (backward) backward_block(kind, s, item / blocks, item % blocks * BLOCK);
            else forward_block(kind, s, item / blocks, item % blocks * BLOCK);
        set_float_mode(before);
    }
}

static void run(int kind, pass *s, int backward, int threads) {
    if (kind == PLAIN) s->parts = 2, every_block(PLAIN, s, backward, threads);
    else if (kind == MIN_GRU) s->parts = 2, every_block(MIN_GRU, s, backward, threads);
    else s->parts = 3, every_block(MIN_LSTM, s, backward, threads);
}

/* a and b: (B, T, H) each. All gradients are output except grad_h. No gradient needs b. */
void scan_forward(const float *a, const float *b, const float *h0, float *h, long B, long T, long H, int threads) {
    pass s = {.in = {a, b}, .h0 = h0, .h = h, .B = B, .T = T, .H = H, .stride = H};
    run(PLAIN, &s, 0, threads);
}

void scan_backward(const float *grad_h, const float *a, float *h, const float *h0, float *grad_a, float *grad_b,
                   float *grad_h0, long B, long T, long H, int threads) {
    pass s = {.in = {a, a}, .out = {grad_a, grad_b}, .h0 = h0, .grad_h = grad_h, .h = h, .grad_h0 = grad_h0,
              .B = B, .T = T, .H = H, .stride = H};
    run(PLAIN, &s, 1, threads);
}

/* Set up the parts of gates p (B, T, gates H): 2 for a minGRU, 3 for a minLSTM. */
INLINE void divide(pass *s, int gates, const void *in, void *out) {
    s->stride = gates * s->H;
    for (int g = 0; g < gates; g++) {
        s->in[g] = place(in, g * s->H, s->half);
        s->out[g] = (void *)place(out, g * s->H, s->half);
    }
}

void gated_scan_forward(int gates, const void *p, const float *h0, float *h, long B, long T, long H, int half, int threads) {
    pass s = {.h0 = h0, .h = h, .B = B, .T = T, .H = H, .half = half};
    divide(&s, gates, p, h);
    run(gates == 2 ? MIN_GRU : MIN_LSTM, &s, 0, threads);
}

void gated_scan_backward(int gates, const float *grad_h, const void *p, float *h, const float *h0, void *grad_p,
                         float *grad_h0, long B, long T, long H, int half, int threads) {
    pass s = {.h0 = h0, .grad_h = grad_h, .h = h, .grad_h0 = grad_h0, .B = B, .T = T, .H = H, .half = half};
    divide(&s, gates, p, grad_p);
    run(gates == 2 ? MIN_GRU : MIN_LSTM, &s, 1, threads);
}
