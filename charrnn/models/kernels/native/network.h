/* A recurrent network as it reads without learning: its layers with their weights packed, and what one step of a layer does.
 *
 * A layer's step has two parts: `affine` makes W x + b, which knows no state, so that many characters may be had at once;
 * `advance` adds U h and goes from one state to the next. The equations stand in ../../cells.py.
 */
#ifndef CHARRNN_NETWORK_H
#define CHARRNN_NETWORK_H

#include "bytes.h"

enum { RNN, LSTM, GRU, MIN_LSTM, MIN_GRU };

typedef struct {
    matrix input, recurrent;  /* (G H, D) and (G H, H); without panels, there is none */
    const float *table;       /* (V, G H): W x + b for each character, in place of `input`; or null */
    const float *bias;        /* (G H): all that is added to W x */
    const float *inner;       /* of a GRU (H): what is added to U_n h */
    long D;
    int residual;
} layer;

typedef struct {
    int cell, gates;
    long V, H, S, layers, width;  /* the width of the widest input */
    const float *embedding;       /* (V, D) */
    const layer *layer;
    matrix head;                  /* (V, H) */
    const float *head_bias;
} network;

/* What `product` takes: rows as they are, or rounded into `room`. */
typedef struct { const char *at; long step, size; } factors;

INLINE factors factors_of(const matrix *m, const float *x, long x_step, long rows, void *room) {
    if (!m->bytes) return (factors){(const char *)x, x_step, sizeof *x};
    if (m->panels) round_rows(x, x_step, rows, m->K, room);
    return (factors){room, rounded_size(m->K), 1};
}

INLINE void multiply(const matrix *m, long p, const factors *f, long row, long rows, vec *out) {
    const void *from = f->at + row * f->step * f->size;
    if (m->bytes) product_of_bytes(m, p, from, (int)rows, out);
    else product(m, p, from, f->step, (int)rows, out);
}

/* out (rows, gates N) = x (rows, K) m + bias. */
static void affine(const matrix *m, const float *bias, const float *x, long x_step, long rows, float *out, void *room) {
    vec sum[MOST_ROWS * MOST_VECTORS];
    factors f = factors_of(m, x, x_step, rows, room);
    int wide = m->nr / m->gates;
    for (long p = 0; p < panel_count(m); p++)
        for (long row = 0, some; row < rows; row += some) {
            some = rows_of_block(m, row, rows);
            multiply(m, p, &f, row, some, sum);
            for (long i = 0; i < some; i++)
                for (int v = 0; v < m->nr; v++) {
                    long column = (p * wide + v % wide) * LANES, at = v / wide * m->N + column;
                    if (column >= m->N) continue;
                    store(out + (row + i) * m->gates * m->N + at, sum[i * m->nr + v] + load(bias + at, m->N - column),
                          m->N - column);
                }
        }
}

/* A unit's next h, for a vector of units from j: `x` is W x + b there, `u` has U h of each gate. A cell's c is changed. */
INLINE vec unit(const network *n, const layer *l, const float *x, const vec *u, float *state, long j) {
    long H = n->H, count = H - j;
    switch (n->cell) {
    case RNN: return tanh_of(load(x, count) + u[0]);
    case LSTM: {
        vec i = sigmoid(load(x, count) + u[0]), f = sigmoid(load(x + H, count) + u[1]);
        vec g = tanh_of(load(x + 2 * H, count) + u[2]), o = sigmoid(load(x + 3 * H, count) + u[3]);
        vec c = f * load(state + H + j, count) + i * g;
        store(state + H + j, c, count);
        return o * tanh_of(c);
    }
    case GRU: {
        vec r = sigmoid(load(x, count) + u[0]), z = sigmoid(load(x + H, count) + u[1]);
        vec new = tanh_of(load(x + 2 * H, count) + r * (u[2] + load(l->inner + j, count)));
        return new + z * (load(state + j, count) - new);
    }
    case MIN_LSTM: {  /* f / (f + i) by e^−f and e^−i, both times e^m: see scan.c */
        vec f = load(x, count), i = load(x + H, count), m = min_of(all(0.0f), min_of(f, i));
        vec keep = exp_of(m) + exp_of(m - i), add = exp_of(m) + exp_of(m - f), share = 1.0f / (keep + add);
        return keep * share * load(state + j, count) + add * share * load(x + 2 * H, count);
    }
    default: {
        vec z = sigmoid(load(x, count));
        return (1.0f - z) * load(state + j, count) + z * load(x + H, count);
    }
    }
}

/* One step of a layer for some rows. What W x + b is of a row stands at row `tokens[row]` of `inputs`, or at its own if there
 * are no tokens. The states (rows, S) become the next ones; y (rows, y_step) the new h. `room`: see bytes.h. */
static void advance(const network *n, const layer *l, const float *inputs, const int64_t *tokens, float *state, long rows,
                    float *y, long y_step, int backwards, void *room) {
    const matrix *m = &l->recurrent;
    factors f = factors_of(m, state, n->S, rows, room);
    vec sum[MOST_ROWS * MOST_VECTORS] = {};
    long panels = panel_count(m);
    for (long at = 0; at < panels; at++) {
        long p = backwards ? panels - 1 - at : at;
        for (long row = 0, some; row < rows; row += some) {
            some = rows_of_block(m, row, rows);
            if (m->panels) multiply(m, p, &f, row, some, sum);
            for (long i = row; i < row + some; i++) {
                const float *x = inputs + (tokens ? tokens[i] : i) * n->gates * n->H;
                long j = p * panel_width(m);
                for (int v = 0; v < m->nr / m->gates && j < n->H; v++, j += LANES)
                    store(y + i * y_step + j, unit(n, l, x + j, sum + (i - row) * m->nr + v, state + i * n->S, j), n->H - j);
            }
        }
    }
    for (long i = 0; i < rows; i++) memcpy(state + i * n->S, y + i * y_step, n->H * sizeof *y);
}

INLINE void add_to(float *x, const float *y, long count) {
    for (long i = 0; i < count; i++) x[i] += y[i];
}

#endif
