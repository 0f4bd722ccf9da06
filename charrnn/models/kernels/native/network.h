/* A recurrent network for inference: its layers with packed weights, and one step of a layer.
 *
 * A layer's step has two parts: `affine` computes W x + b, which does not depend on the state, so that many characters
 * can be processed at once; `advance` adds U h and computes the next state. The equations are in ../../rnn/cells/.
 */
#ifndef CHARRNN_NETWORK_H
#define CHARRNN_NETWORK_H

#include "product.h"

/* Numbered as in ../native_network.py. */
enum { RNN, LSTM, GRU, MIN_LSTM, MIN_GRU };

typedef struct {
    matrix input, recurrent;  /* (G H, D) and (G H, H); no panels if there is none */
    const float *table;       /* (V, G H): W x + b of each character, instead of `input`; or null */
    const float *bias;        /* (G H): everything added to W x */
    const float *inner;       /* GRU only, (H): added to U_n h */
    long D;
    int residual;
} layer;

typedef struct {
    int cell, gates;
    long V, H, S, layers, width;  /* width: the largest size of an input */
    const float *embedding;       /* (V, D) */
    const layer *layer;
    matrix head;                  /* (V, H) */
    const float *head_bias;
} network;

/* The input of the first layer at a position: row `i` of `embedded`, or without it the embedding of token `i`. */
INLINE const float *input_of(const network *n, const int64_t *tokens, const float *embedded, long i) {
    long D = n->layer[0].D;
    return embedded ? embedded + i * D : n->embedding + tokens[i] * D;
}

/* out (rows, gates N) = x (rows, K) m + bias. */
static void affine(const matrix *m, const float *bias, const float *x, long x_step, long rows, float *out) {
    vec sum[MAX_ROWS * MAX_VECTORS];
    int wide = m->nr / m->gates;
    for (long p = 0; p < panel_count(m); p++)
        for (long row = 0, block; row < rows; row += block) {
            block = rows_of_block(m, row, rows);
            product(m, p, x + row * x_step, x_step, (int)block, sum);
            for (long i = 0; i < block; i++)
                for (int v = 0; v < m->nr; v++) {
                    long column = (p * wide + v % wide) * LANES, at = v / wide * m->N + column;
                    if (column >= m->N) continue;
                    store(out + (row + i) * m->gates * m->N + at, sum[i * m->nr + v] + load(bias + at, m->N - column),
                          m->N - column);
                }
        }
}

/* The next h of a vector of units from j on: `x` is W x + b of these units, `u` is U h of each gate. Updates c. */
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
    case MIN_LSTM: {  /* f / (f + i) as e^−f and e^−i, both times e^m: see scan.c */
        vec f = load(x, count), i = load(x + H, count), m = min_of(all(0.0f), min_of(f, i));
        vec keep = exp_of(m) + exp_of(m - i), add = exp_of(m) + exp_of(m - f), share = 1.0f / (keep + add);
        return keep * share * load(state + j, count) + add * share * load(x + 2 * H, count);
    }
    case MIN_GRU: {
        vec z = sigmoid(load(x, count));
        return (1.0f - z) * load(state + j, count) + z * load(x + H, count);
    }
    default: return all(0.0f / 0.0f);  /* unknown cell: NaN rather than the result of another cell */
    }
}

/* One step of a layer for `rows` rows. W x + b of a row is row `tokens[row]` of `inputs`, or without tokens the row of the
 * same number. The states (rows, S) are updated; y (rows, y_step) receives the new h. */
static void advance(const network *n, const layer *l, const float *inputs, const int64_t *tokens, float *state, long rows,
                    float *y, long y_step, int backwards) {
    const matrix *m = &l->recurrent;
    vec sum[MAX_ROWS * MAX_VECTORS] = {};
    long panels = panel_count(m);
    for (long at = 0; at < panels; at++) {
        long p = backwards ? panels - 1 - at : at;
        for (long row = 0, block; row < rows; row += block) {
            block = rows_of_block(m, row, rows);
            if (m->panels) product(m, p, state + row * n->S, n->S, (int)block, sum);
            for (long i = row; i < row + block; i++) {
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
